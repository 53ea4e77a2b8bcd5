"""Copies of bytes between arrays that are otherwise words of one type are copies of such words.

    void k(const void *x, ...)                       void k(const float *x, ...)
    nram char room[4096];                            nram float room[1024];
    for i in 0..4 * n: room[o + i] = x[p + i]   -->  for i in 0..n: room[o / 4 + i] = x[p / 4 + i]
    ... ((float *)room)[j] ...                       ... room[j] ...

So operator libraries of MLUs spell them, whose kernels take `void *` and carve their scratchpad by bytes.
Applies to parameters that are `void *` and to local arrays of bytes, where every access of bytes is such a
copy, and lengths and offsets are seen to be multiples of the word: by factors, also of the variables in them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from xpiler.frontend.counted_words import is_multiple, multiples_of, with_words_counted
from xpiler.ir import build
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Bitcast,
    Block,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    Load,
    Param,
    Ref,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import map_stmt, walk
from xpiler.ir.types import DType


def with_word_copies(params: tuple[Param, ...], body: Block) -> Block:
    """The body of a kernel with such copies in words, and its arrays declared as those."""
    untyped = {p.name for p in params if p.is_pointer and "void" in p.spelling.split("*")[0].split()}
    rooms = {s.name: s for s in walk(body) if isinstance(s, Decl) and _is_room(s)}
    copies = [s for s in walk(body) if isinstance(s, For) and _ends(s) is not None]
    for group in _groups(copies, untyped | rooms.keys()):
        own = [loop for loop in copies if _arrays(loop) <= group]
        word = _word(body, group, own)
        if word is None or any(_bytes(rooms[name]) % word.bytes for name in group & rooms.keys()):
            continue
        multiples = multiples_of(body, word.bytes)
        words = {id(loop): _in_words(loop, word, multiples) for loop in own}
        if all(words.values()):
            body = _rewritten(body, words, group & rooms.keys(), word)
            body = with_words_counted(body, word.bytes, multiples_of(body, word.bytes))
    return body


def _is_room(stmt: Decl) -> bool:
    return (
        stmt.dtype.bytes == 1
        and len(stmt.shape) == 1
        and isinstance(stmt.shape[0], Const)
        and stmt.init is None
    )


def _bytes(decl: Decl) -> int:
    extent = decl.shape[0]
    assert isinstance(extent, Const)
    return int(extent.value)


def _ends(loop: For) -> tuple[Load, Load] | None:
    """Where a loop over bytes copies to and from."""
    match loop.body.body:
        case (Assign(target=Load() as to, value=value, reduce=None),):
            while isinstance(value, (Cast, Bitcast)) and value.dtype.bytes == 1:
                value = value.operand
            plain = build.is_const(loop.start, 0) and build.is_const(loop.step, 1)
            if isinstance(value, Load) and to.dtype.bytes == value.dtype.bytes == 1 and plain:
                return (to, value) if len(to.index) == len(value.index) == 1 else None
    return None


def _arrays(loop: For) -> set[str]:
    ends = _ends(loop)
    return {end.array for end in ends} if ends else set()


def _groups(copies: Iterable[For], known: set[str]) -> list[set[str]]:
    """The arrays between which bytes are copied, those in one set that copies connect."""
    groups: list[set[str]] = []
    for loop in copies:
        joined = [g for g in groups if g & _arrays(loop)]
        groups = [g for g in groups if g not in joined] + [_arrays(loop).union(*joined)]
    return [group for group in groups if group <= known]


def _word(body: Block, group: set[str], copies: list[For]) -> DType | None:
    """The one type that the arrays are accessed as, apart from the bytes of these copies."""
    copied = {id(end) for loop in copies for end in _ends(loop) or ()}
    places = [
        n for n in walk(body) if isinstance(n, (Load, Ref)) and n.array in group and id(n) not in copied
    ]
    places += [n.place for n in walk(body) if isinstance(n, Atomic) and n.place.array in group]
    types = {place.dtype for place in places}
    word = next(iter(types), None)
    return word if word is not None and len(types) == 1 and word.bytes > 1 else None


def _in_words(loop: For, word: DType, multiples: frozenset[str]) -> For | None:
    """The loop over words, None where it may copy a part of one."""
    ends = _ends(loop)
    assert ends is not None
    size = word.bytes
    places: list[Load] = []
    for end in ends:
        offset = _without(end.index[0], loop.var)
        if offset is None or not is_multiple(offset, size, multiples):
            return None
        index = build.add(_quotient(offset, size), build.cast(build.var(loop.var, loop.dtype), offset.dtype))
        places.append(replace(end, dtype=word, index=(index,)))
    if not is_multiple(loop.stop, size, multiples):
        return None
    (copy,) = loop.body.body
    assert isinstance(copy, Assign)
    copy = replace(copy, target=places[0], value=places[1])
    return replace(loop, stop=_quotient(loop.stop, size), body=replace(loop.body, body=(copy,)))


def _without(index: Expr, counter: str) -> Expr | None:
    """What is left of a sum without a counter in it; None if that is not one of its terms, once."""
    match index:
        case Var(name=name) if name == counter:
            return build.const(0, index.dtype)
        case Cast(operand=operand):
            rest = _without(operand, counter)
            return None if rest is None else build.cast(rest, index.dtype)
        case Binary(op="+", left=left, right=right):
            for one, other in ((left, right), (right, left)):
                rest = _without(one, counter)
                if rest is not None and not any(
                    isinstance(n, Var) and n.name == counter for n in walk(other)
                ):
                    return build.add(rest, other)
    return None


def _quotient(expr: Expr, size: int) -> Expr:
    if isinstance(expr, Const):
        return build.const(int(expr.value) // size, expr.dtype)
    return Binary(expr.dtype, "/", expr, build.const(size, expr.dtype), exact=True)


def _rewritten(body: Block, words: dict[int, For | None], rooms: set[str], word: DType) -> Block:
    def change(stmt: Stmt) -> Stmt:
        if isinstance(stmt, For):
            return words.get(id(stmt)) or stmt
        if isinstance(stmt, Decl) and stmt.name in rooms:
            return replace(stmt, dtype=word, shape=(build.const(_bytes(stmt) // word.bytes),))
        return stmt

    result = map_stmt(body, change)
    assert isinstance(result, Block)
    return result
