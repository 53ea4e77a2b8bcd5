"""Arrays that cannot be one another in any call, as blocks would race.

    for b: for i in 0..n: y[b*n + i] = x[2*b*n + i] * x[2*b*n + n + i]      -->      y is __restrict__

In a call in place block 1 would read what block 2 writes, in no order: who calls the kernel so gets anything.
That is seen by an element that two blocks touch, one of them writing, at all sizes that are tried and have
several blocks along each axis. Sizes are equal in some of them: rows `ldx` and `ldy` apart are the same rows
where those are. Floats that become indices are any numbers, and what is read may be read where floats are
compared: where data are such that no two blocks meet, no order of them is told from another. An array is
restricted if all that may be the same one (`aliasing.py`) meet it so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from xpiler.ir.nodes import (
    Assign,
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
    Load,
    LoopKind,
    Select,
    Stmt,
    Unary,
    Var,
)
from xpiler.ir.rewrite import free_vars, uses, walk
from xpiler.passes.aliasing import may_be_same
from xpiler.passes.facts import mutable_vars
from xpiler.passes.lane_ranges import conjuncts
from xpiler.passes.single_assignment import single_assignments
from xpiler.passes.structured import spliced

_SIZES = 40  # that are tried
_POINTS = 2048  # iterations of a kernel at each
_FIRST = 8  # iterations of a loop
_LARGE = 1000
_FEW = 4  # numbers that may be in arrays of indices
_ENOUGH = 3  # sizes at which blocks meet, at the least
Values = dict[str, np.ndarray]


@dataclass(frozen=True)
class _Access:
    """An element that is read or written, with the loops, values and conditions that lead to it."""

    array: str
    index: Expr
    writes: bool
    path: tuple[Stmt | Expr, ...]


def _sizes(names: Sequence[str], number: int, rng: np.random.Generator) -> dict[str, int]:
    """Sizes of which some are equal: those `number` parameters apart (strides of one array and of the other),
    or some by chance."""
    drawn = rng.integers(2, rng.choice([7, 60]), max(1, len(names)))
    if number % 2:
        return {name: int(drawn[i % (1 + number // 2 % len(drawn))]) for i, name in enumerate(names)}
    few = drawn[: rng.choice([2, 3, len(drawn)])]
    return {name: int(rng.choice(few)) for name in names}


@dataclass(frozen=True)
class _Touched:
    """The elements of an array that are touched, each once, with the lowest and the highest number of a block
    that does. `several`: more than one block along each axis."""

    elements: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    several: bool

    @staticmethod
    def of(blocks: np.ndarray, elements: np.ndarray, several: bool) -> _Touched:
        order = np.lexsort((blocks, elements))
        sorted_elements, sorted_blocks = elements[order], blocks[order]
        first = np.flatnonzero(np.r_[True, sorted_elements[1:] != sorted_elements[:-1]])
        last = np.r_[first[1:], elements.size] - 1
        return _Touched(sorted_elements[first], sorted_blocks[first], sorted_blocks[last], several)

    def joined(self, other: _Touched) -> _Touched:
        blocks = np.concatenate((self.lowest, self.highest, other.lowest, other.highest))
        elements = np.concatenate((self.elements, self.elements, other.elements, other.elements))
        return _Touched.of(blocks, elements, self.several or other.several)

    def meets(self, other: _Touched) -> bool:
        """Whether two blocks touch one element."""
        _, here, there = np.intersect1d(self.elements, other.elements, True, True)
        low, high = self.lowest[here], self.highest[here]
        one_block = (low == high) & (low == other.lowest[there]) & (low == other.highest[there])
        return not bool(one_block.all())


def restrict_racing(function: Function) -> Function:
    """The function with what is shown about its array parameters."""
    aliases = may_be_same(function.params)
    blocks = _blocks(function)
    if not aliases or not blocks:
        return function
    single = single_assignments(function)
    arrays = {p.name for p in function.params if p.is_pointer}  # scratchpads are each block's own
    found = _accesses(single.body.body, (), mutable_vars(single))
    accesses = [access for access in found if access.array in arrays]
    scalars = [p.name for p in function.params if not p.is_pointer and p.dtype.is_integer]
    read_only = {p.name for p in function.params if p.is_pointer and p.dtype.is_integer}
    read_only -= uses(function.body).arrays_written
    rng = np.random.default_rng(1)
    several = False  # blocks have work at sizes that were tried
    meetings: dict[tuple[str, str], int] = {}
    strangers: set[tuple[str, str]] = set()  # that may be one array at some sizes
    for number in range(2 * _SIZES):
        drawn = _sizes(scalars, number % _SIZES, rng)
        if number == _SIZES and (several or not scalars):
            break
        if number >= _SIZES:  # all fits into one block: sizes for more
            drawn[str(rng.choice(scalars))] *= _LARGE
        is_large = bool(function.tasks and scalars and number % 4 == 3)  # a task takes a tile at a time
        if is_large:
            drawn[str(rng.choice(scalars))] *= _LARGE
        sizes = {name: np.full(_POINTS, size) for name, size in drawn.items()}
        sizes |= {f"{name}[]": rng.integers(0, _FEW, _POINTS) for name in read_only}
        written, used = _arrays_touched(accesses, sizes, blocks, rng)
        if any(at.meets(used[array]) for array, at in written.items()):
            continue  # blocks do the same work: nothing is said about others
        for writer, at in written.items():
            several |= at.several
            for other in aliases.get(writer, frozenset()) & used.keys() if at.several else ():
                met = at.meets(used[other]) or (other in written and written[other].meets(used[writer]))
                for pair in ((writer, other), (other, writer)):
                    meetings[pair] = meetings.get(pair, 0) + met
                    strangers |= set() if met or is_large else {pair}  # few of many elements are looked at
        if all(any((name, other) in strangers for other in others) for name, others in aliases.items()):
            return function
    apart = {
        name
        for name, others in aliases.items()
        if all(meetings.get((name, o), 0) >= _ENOUGH and (name, o) not in strangers for o in others)
    }
    if not apart:
        return function
    params = tuple(replace(p, is_restrict=True) if p.name in apart else p for p in function.params)
    return replace(function, params=params)


def _arrays_touched(
    accesses: Sequence[_Access], sizes: Values, blocks: Sequence[str], rng: np.random.Generator
) -> tuple[dict[str, _Touched], dict[str, _Touched]]:
    """By array: what is written of it, and what is used of it at all."""
    written: dict[str, _Touched] = {}
    used: dict[str, _Touched] = {}
    for access in accesses:
        touched = _touched(access, sizes, blocks, rng)
        if touched is None:
            continue
        for found in (written, used) if access.writes else (used,):
            known = found.get(access.array)
            found[access.array] = touched if known is None else known.joined(touched)
    return written, used


def _blocks(function: Function) -> tuple[str, ...]:
    """The counters of the loops over blocks that the body uses, if the whole function is in them."""
    found: list[str] = []
    body = spliced(function.body.body)
    while len(body) == 1 and isinstance(body[0], For) and body[0].kind is LoopKind.PARALLEL:
        found.append(body[0].var)
        body = spliced(body[0].body.body)
    used = free_vars(Block(tuple(body)))
    return tuple(name for name in found if name in used)


def _accesses(
    stmts: Sequence[Stmt], path: tuple[Stmt | Expr, ...], mutable: frozenset[str]
) -> Iterator[_Access]:
    """All accesses with one index, but those that only a value of the data leads to."""
    for stmt in spliced(stmts):
        match stmt:
            case For():
                yield from _accesses(stmt.body.body, (*path, stmt), mutable)
            case If(condition=condition, then=then):
                yield from _accesses(then.body, (*path, condition), mutable)
            case Assign() | Decl():
                target = stmt.target if isinstance(stmt, Assign) else None
                if isinstance(target, Load) and len(target.index) == 1:
                    yield _Access(target.array, target.index[0], True, path)
                value = stmt.value if isinstance(stmt, Assign) else stmt.init
                for node in walk(value) if isinstance(value, Expr) else ():
                    if isinstance(node, Load) and len(node.index) == 1:
                        yield _Access(node.array, node.index[0], False, path)
                if isinstance(stmt, Decl) and not stmt.shape and stmt.name not in mutable:
                    path = (*path, stmt)


def _touched(
    access: _Access, sizes: Values, blocks: Sequence[str], rng: np.random.Generator
) -> _Touched | None:
    """None if it is not known."""
    values, there = dict(sizes), np.ones(_POINTS, bool)
    for step in access.path:
        match step:
            case For(var=var, start=start, stop=stop, step=by):
                ends = [_value(e, values) for e in (start, stop, by)]
                first, last, stride = ends
                if first is None or last is None or stride is None or (stride < 1).any():
                    return None
                count = np.maximum(-(-(last - first) // stride), 0)
                there &= count > 0
                few = np.clip(count, 1, _FIRST)  # of many threads the first ones have work at such sizes
                some = np.where(rng.random(_POINTS) < 0.5, few, np.maximum(count, 1))
                some = np.where(rng.random(_POINTS) < 0.3, 1, some)
                values[var] = first + rng.integers(0, some) * stride
            case Decl(name=name, init=Expr() as init):
                value = _value(init, values)
                if value is not None:
                    values[name] = value
            case Expr():
                for condition in conjuncts(step):
                    if not access.writes and _compares_floats(condition):
                        continue
                    holds = _value(condition, values)
                    if holds is None:
                        return None
                    there &= holds.astype(bool)
    element = _value(access.index, values)
    if element is None or not there.any():
        return None
    number = np.zeros(_POINTS, np.int64)
    for block in blocks:
        number = number * 1000 + values[block]
    several = all(np.unique(values[block][there]).size > 1 for block in blocks)
    return _Touched.of(number[there], element[there], several)


def _compares_floats(condition: Expr) -> bool:
    return any(isinstance(n, Expr) and n.dtype.is_float for n in walk(condition))


def _value(expr: Expr, values: Values) -> np.ndarray | None:
    match expr:
        case Const(value=value) if not expr.dtype.is_float:
            return np.full(_POINTS, int(value))
        case Var(name=name):
            return values.get(name)
        case Load(array=array):
            return values.get(f"{array}[]")
        case Cast(operand=operand) if expr.dtype.is_integer and operand.dtype.is_integer:
            return _value(operand, values)
        case Cast(operand=operand) if expr.dtype.is_integer and operand.dtype.is_float:
            return np.random.default_rng(crc32(repr(operand).encode())).integers(0, _FEW, _POINTS)
        case Unary(op="-", operand=operand) if expr.dtype.is_integer:
            inner = _value(operand, values)
            return None if inner is None else -inner
        case Call(function="min" | "max" as name, args=(left, right)) if expr.dtype.is_integer:
            a, b = _value(left, values), _value(right, values)
            return None if a is None or b is None else (np.minimum if name == "min" else np.maximum)(a, b)
        case Select(condition=condition, then=then, otherwise=otherwise):
            test, a, b = (_value(e, values) for e in (condition, then, otherwise))
            return None if test is None or a is None or b is None else np.where(test.astype(bool), a, b)
        case Binary(op=op, left=left, right=right) if op in _MEANING and left.dtype.is_integer:
            a, b = _value(left, values), _value(right, values)
            if a is None or b is None or (op in "/%" and ((a < 0).any() or (b < 1).any())):
                return None
            return np.asarray(_MEANING[op](a, b))
    return None


_MEANING = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.floor_divide,
    "%": np.mod,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "&&": np.logical_and,
    "||": np.logical_or,
}
