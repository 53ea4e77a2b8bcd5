"""Tiles in shared memory that only copy global memory are removed: their readers read the source.

    for t: s[t] = i0 + t < n ? a[i0 + t] : 0        for t: sum = 0
    for t: for p in 0..16: sum += s[p] * b[p]  -->         for p in 0..16: sum += (i0 + p < n ? a[i0 + p]
    : 0) * b[p]

Applies to an array of the block that is filled by one nest of loops, each element by one assignment of
its own, and only read in later statements, where every index read is one that was filled. A counter of that
nest may be taken apart, `s[i % 16][i / 16]`, and may be shared out over threads, `for i in t..1024 step 256`.
The source must not change in the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.affine import Affine, lift, linear, simplify
from xpiler.ir.affine_form import atom_variables
from xpiler.ir.build import is_const
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Block,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    LoopKind,
    Ref,
    Select,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import children, free_vars, substitute, uses, walk, walk_exprs, walk_stmts
from xpiler.passes.facts import End, Facts, Ranges
from xpiler.passes.names import Names
from xpiler.passes.reached_indices import not_negative
from xpiler.passes.structured import spliced
from xpiler.passes.tidy import simplified, without_dead
from xpiler.passes.tile_fills import Fill, forms
from xpiler.passes.tile_inverse import Inverse
from xpiler.passes.word_pieces import piece_of

_VALUE_NODES = 60  # different ones


def remove_caches(function: Function) -> Function:
    """Every tile for which it is shown to be right, one after the other."""
    outside = frozenset(p.name for p in function.params) | {d.name for d in function.globals}
    tried: set[str] = set()
    while True:
        fills, facts = _only_writes(function.body), Facts.of(function)
        for decl in _candidates(function.body, tried):
            tried.add(decl.name)
            filled = fills.get(decl.name)
            body = None if filled is None else _without_tile(function, decl, filled, facts)
            if body is not None:
                function = replace(function, body=without_dead(body, outside))
                break
        else:
            return function


def _candidates(body: Block, tried: set[str]) -> list[Decl]:
    return [
        s
        for s in walk_stmts(body)
        if isinstance(s, Decl) and s.shape and s.init is None and s.name not in tried
    ]


def _only_writes(body: Block) -> dict[str, list[Assign]]:
    """Of the arrays that plain assignments fill, the last of which may be one of copies, and nothing else
    touches but loads: these assignments."""
    writes: dict[str, list[Assign]] = {}
    others: set[str] = set()
    for node in walk(body):
        match node:
            case Ref(array=array):
                others.add(array)
            case Atomic() | Instr():
                others |= _arrays(node)
            case Assign(target=Load(array=array)):
                writes.setdefault(array, []).append(node)
    return {
        array: found
        for array, found in writes.items()
        if array not in others and all(w.reduce is None for w in found) and is_copy(found[-1].value)
    }


def _without_tile(function: Function, decl: Decl, writes: Sequence[Assign], facts: Facts) -> Block | None:
    """`writes`: all that there are, in the order of the text. What is read is what the last one wrote."""
    filled = writes[-1]
    if filled.target.dtype != decl.dtype:
        return None
    place = _find(function.body.body, filled, facts, ())
    if place is None:
        return None
    siblings, position, fill, looped = place
    filler = siblings[position]
    later = siblings[position + 1 :]
    if _reads(filler, decl.name) or _count_reads(function.body, decl.name) != sum(
        _count_reads(s, decl.name) for s in later
    ):
        return None
    if any(decl.name in uses(s).arrays_written for s in later) or (
        len(writes) > 1 and (fill.conditions or _writes(filler, decl.name) > 1)
    ):
        return None  # an element may be left over from another write
    value = _source(fill, filler)
    # Behind the fill of an array that a round has for itself a variable is what it was there until it is set.
    changing = uses(Block((filler, *later))).vars_assigned if not looped else facts.mutable
    if value is None or not _copies(value, function.body, fill, changing):
        return None
    fill = replace(fill, assign=replace(fill.assign, value=value))
    if fill.conditions and looped:  # an element may be left over from an earlier iteration
        return None
    known = {**_definitions(function, facts), **not_negative(later, decl.name)}
    steps = _steps(function.body)
    for form in forms(fill, Names(function)):
        replaced = _Replacement(Inverse(decl, form, steps), known)
        new_body = simplified(function.body, facts, replaced.load)
        if replaced.failed or _reads(new_body, decl.name):
            continue
        return new_body if _right_in_place(later, new_body, decl.name, value, facts) else None
    return None


def _steps(body: Block) -> dict[str, int]:
    """Of the loops that count from 0 in steps, by their counters, where all loops of a counter do."""
    found: dict[str, set[int]] = {}
    for loop in walk_stmts(body):
        if isinstance(loop, For):
            step = loop.step if is_const(loop.start, 0) else None
            found.setdefault(loop.var, set()).add(int(step.value) if isinstance(step, Const) else 0)
    return {name: min(steps) for name, steps in found.items() if len(steps) == 1 and min(steps) > 1}


def _definitions(function: Function, facts: Facts) -> dict[str, tuple[End, End]]:
    """Numbers that the function declares at its start, by what they are."""
    found: dict[str, tuple[End, End]] = {}
    for stmt in function.body.body:
        match stmt:
            case Decl(name=name, shape=(), init=Expr() as init) if (
                init.dtype.is_integer and not ({name} | free_vars(init)) & facts.mutable
            ):
                if not any(isinstance(e, Load) for e in walk_exprs(init)):
                    found[name] = (init, init)
    return found


def _find(
    body: Sequence[Stmt], target: Assign, facts: Facts, around: tuple[For | While, ...]
) -> tuple[tuple[Stmt, ...], int, Fill, bool] | None:
    """The list of statements in which the fill is one statement among its readers: the innermost such
    list whose later statements read the tile."""
    stmts = spliced(body)
    array = target.target.array if isinstance(target.target, Load) else ""
    for n, stmt in enumerate(stmts):
        if array not in uses(stmt).arrays_written or not any(s is target for s in walk_stmts(stmt)):
            continue
        if any(_reads(s, array) for s in stmts[n + 1 :]):
            fill = _descend(stmt, target, (), (), facts)
            looped = any(not _declares(loop, array) for loop in around)
            return None if fill is None else (stmts, n, fill, looped)
        match stmt:
            case For(body=inner):
                return _find(inner.body, target, facts.inside(stmt), (*around, stmt))
            case While(body=inner):
                return _find(inner.body, target, facts, (*around, stmt))
            case If(condition=condition, then=then, otherwise=otherwise):
                return _find(then.body, target, facts.where(condition), around) or _find(
                    otherwise.body, target, facts.where(condition, False), around
                )
    return None


def _descend(
    stmt: Stmt, target: Assign, loops: tuple[For, ...], conditions: tuple[Expr, ...], facts: Facts
) -> Fill | None:
    if stmt is target:
        return Fill(target, loops, conditions, facts)
    match stmt:
        case Block(body=body):
            for inner in body:
                found = _descend(inner, target, loops, conditions, facts)
                if found is not None:
                    return found
        case For(body=inner_block):
            return _descend(inner_block, target, (*loops, stmt), conditions, facts.inside(stmt))
        case If(condition=condition, then=then):
            return _descend(then, target, loops, (*conditions, condition), facts.where(condition))
    return None


def _writes(stmt: Stmt, array: str) -> int:
    """Assignments to elements of the array."""
    targets = (s.target for s in walk_stmts(stmt) if isinstance(s, Assign))
    return sum(isinstance(t, Load) and t.array == array for t in targets)


def _source(fill: Fill, filler: Stmt) -> Expr | None:
    """The value in terms of what its readers can see: variables of the filling statement replaced by
    what they are."""
    inside = {s.name: s for s in walk_stmts(filler) if isinstance(s, Decl)}
    counters = {loop.var for loop in fill.loops}
    value = fill.assign.value
    for _ in range(len(inside) + 1):
        names = {e.name for e in walk_exprs(value) if isinstance(e, Var)} & inside.keys()
        if not names:
            break
        inits: dict[str, Expr] = {}
        for name in names:
            init = inside[name].init
            if not isinstance(init, Expr) or name in fill.facts.mutable:
                return None
            inits[name] = init
        value = substitute(value, inits)
    loops = {s.var for s in walk_stmts(filler) if isinstance(s, For)} - counters
    return None if {e.name for e in walk_exprs(value) if isinstance(e, Var)} & loops else value


def _declares(loop: For | While, array: str) -> bool:
    return array in uses(loop.body).arrays_declared


def _copies(value: Expr, body: Block, fill: Fill, changing: frozenset[str]) -> bool:
    """Whether the value may be computed again by each reader: cheap, and of things that do not change."""
    parts = list(walk_exprs(value))
    if len(set(parts)) > _VALUE_NODES:
        return False
    if not all(map(is_copy, (value, *fill.conditions))):
        return False
    written = uses(body).arrays_written
    scalars = {e.name for e in parts if isinstance(e, Var)}
    return (
        not any(isinstance(e, Load) and e.array in written for e in parts)
        and not scalars & fill.facts.mutable & changing
    )


def is_copy(value: Expr) -> bool:
    """Whether nothing is computed but indices and conditions."""
    for part in walk_exprs(value):
        if isinstance(part, (Binary, Unary)) and part.dtype.is_float:
            return False
        if isinstance(part, Call) and not part.dtype.is_integer:
            return False
        if not isinstance(part, (Const, Var, Load, Select, Cast, Binary, Unary, Call)):
            return False
    return True


def _right_in_place(later: Sequence[Stmt], new_body: Block, tile: str, value: Expr, facts: Facts) -> bool:
    """Whether the source may be read later than before although a call may be in place (`aliasing.py`).

    A write to what may be the source has to follow all readers, replace the very element that is read, or
    lie in another block's part of the array: then a call in place would be a race.
    """
    blocks = {s.var for s in walk_stmts(new_body) if isinstance(s, For) and s.kind is LoopKind.PARALLEL}
    for source in (e for e in walk_exprs(value) if isinstance(e, Load)):
        others = facts.aliases.get(source.array, frozenset())
        if not others & uses(new_body).arrays_written:
            continue
        stores = [
            s
            for s in walk_stmts(new_body)
            if isinstance(s, Assign) and isinstance(s.target, Load) and s.target.array in others
        ]
        part = _part(source, blocks, facts)
        if all(_part(s.target, blocks, facts) != part for s in stores if isinstance(s.target, Load)):
            continue
        written = False
        for stmt in later:
            reads, writes = _reads(stmt, tile), bool(uses(stmt).arrays_written & others)
            if reads and written:
                return False
            if reads and writes and not _element_by_element(stmt, tile, stores, source.array):
                return False
            written |= writes
    return True


def _part(load: Load, blocks: set[str], facts: Facts) -> Affine | None:
    """How an index depends on the block."""
    form = linear(load.index[0], facts.ranges) if len(load.index) == 1 else None
    found = lift(0)
    for monomial, factor in form.terms if form is not None else ():
        if any(atom_variables(a) & blocks for a in monomial):
            found = found + Affine(((monomial, factor),))
    return found


def _element_by_element(reader: Stmt, tile: str, stores: Sequence[Assign], source: str) -> bool:
    """Whether each store replaces just what its value reads, and nothing else reads the tile."""
    inside = sum(
        _count_reads(s, tile)
        for s in walk_stmts(reader)
        if isinstance(s, Assign) and isinstance(s.target, Load) and s.target.array != tile
    )
    return inside == _count_reads(reader, tile) and all(
        linear(e.index[0]) == linear(s.target.index[0])
        for s in stores
        for e in walk_exprs(s.value)
        if isinstance(e, Load) and e.array == source and isinstance(s.target, Load)
    )


class _Replacement:
    """`known`: ranges that hold wherever the tile is read."""

    def __init__(self, inverse: Inverse, known: Ranges) -> None:
        self.inverse = inverse
        self.known = known
        self.failed = False

    def load(self, load: Load, facts: Facts) -> Expr:
        decl = self.inverse.decl
        if load.array != decl.name:
            return load
        told = replace(facts, ranges={**self.known, **facts.ranges})
        value = self.inverse.value(load.index, told) if load.dtype == decl.dtype else self.piece(load, told)
        if value is None:
            self.failed = True
            return load
        return value

    def piece(self, load: Load, facts: Facts) -> Expr | None:
        """What is read of an element that is wider."""
        decl = self.inverse.decl
        if len(load.index) != 1 or not load.dtype.is_integer or not decl.dtype.is_integer:
            return None
        ratio, rest = divmod(decl.dtype.bits, load.dtype.bits)
        if ratio < 2 or rest or len(decl.shape) != 1:
            return None
        index = load.index[0]
        whole, number = (
            simplify(Binary(index.dtype, op, index, Const(index.dtype, ratio)), facts.ranges) for op in "/%"
        )
        value = self.inverse.value((whole,), facts)
        return None if value is None else piece_of(value, load.dtype, number)


def _arrays(stmt: Stmt) -> set[str]:
    found = uses(stmt)
    return set(found.arrays_read | found.arrays_written)


def _reads(stmt: Stmt, array: str) -> bool:
    return _count_reads(stmt, array) > 0


def _count_reads(node: Stmt | Expr, array: str) -> int:
    """Loads of the array, places that are written apart."""
    if array not in uses(node).arrays_read:
        return 0
    total = 0
    stack: list[Stmt | Expr] = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, Assign) and isinstance(current.target, Load):
            stack.append(current.value)
            stack.extend(current.target.index)
            continue
        if isinstance(current, Load) and current.array == array:
            total += 1
        stack.extend(c for c in children(current) if isinstance(c, (Stmt, Expr)))
    return total
