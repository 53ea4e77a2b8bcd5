"""What is done to more lanes than anyone reads is done to those.

    for lane in 0..n: a[lane] = x[lane]                               for lane in 0..n: a[lane] = x[lane]
    for lane in 0..(n + 63) / 64 * 64: a[lane] = a[lane] * 2   -->    for lane in 0..n: a[lane] = a[lane] * 2
    for lane in 0..n: y[lane] = a[lane]                               for lane in 0..n: y[lane] = a[lane]

Vector units ask for whole pieces of 64 lanes, and scratchpads have room for them. Applies to loops of one
list that change nothing but local arrays, each lane its own elements, if these arrays are used in this list
only, lane by lane, are set there first, and whatever else reads them ends at the smaller count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.affine import Overflow, linear, prove_eq, simplify
from xpiler.ir.build import is_const, minimum, sub
from xpiler.ir.nodes import Assign, Binary, Block, Const, Decl, Expr, For, Function, Load, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_body, uses, walk, walk_stmts
from xpiler.passes.facts import Facts
from xpiler.passes.structured import spliced


def drop_rounding(function: Function) -> Function:
    """In every list of statements."""
    local = {d.name for d in walk_stmts(function.body) if isinstance(d, Decl) and len(d.shape) == 1}
    everywhere = Counter(n.array for n in walk(function.body) if isinstance(n, Load) and n.array in local)
    mutable = Facts.of(function).mutable

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Block):
            return stmt
        body = _shortened(tuple(spliced(stmt.body)), local, everywhere, mutable)
        return stmt if body is None else replace(stmt, body=body)

    return map_body(function, change)


def _shortened(
    stmts: Sequence[Stmt], local: set[str], everywhere: Counter[str], mutable: frozenset[str]
) -> tuple[Stmt, ...] | None:
    """The list with its loops over rounded counts ended earlier; None if there are none."""
    loops = [s for s in stmts if isinstance(s, For) and is_const(s.start, 0) and is_const(s.step, 1)]
    plain = [loop for loop in loops if not _is_quiet(loop, local)]
    for count in dict.fromkeys(loop.stop for loop in plain):
        longer = [
            loop
            for loop in loops
            if _is_quiet(loop, local) and not prove_eq(count, loop.stop) and _is_rounded(loop.stop, count)
        ]
        if not longer or free_vars(count) & mutable & _set_in(stmts):
            continue
        within = [loop for loop in loops if loop in longer or prove_eq(loop.stop, count)]
        closed = {a for a in local if _is_closed(a, stmts, within, longer, everywhere)}
        short = [loop for loop in longer if uses(loop).arrays_written <= closed]
        if short:
            return tuple(replace(s, stop=count) if s in short and isinstance(s, For) else s for s in stmts)
    return None


def _is_rounded(stop: Expr, count: Expr) -> bool:
    """Whether the stop is not below the count: `(count + 63) / 64 * 64`, or the most that it may be."""
    match stop:
        case Binary(
            op="*",
            left=Binary(op="/", left=Binary(op="+" | "-") as more, right=Const(value=unit)),
            right=Const(value=again),
        ) if unit == again:
            added = linear(sub(more, count))
            number = None if added is None else added.as_int
            return number is not None and number >= int(unit) - 1
    smaller = minimum(count, stop)
    return isinstance(stop, Const) and simplify(smaller, {}, Overflow.IGNORED) != smaller


def _set_in(stmts: Sequence[Stmt]) -> frozenset[str]:
    return frozenset[str]().union(*(uses(s).vars_set for s in stmts))


def _is_quiet(loop: For, local: set[str]) -> bool:
    """Whether a loop leaves nothing behind but elements of local arrays."""
    done = uses(loop)
    left = done.vars_assigned - done.vars_declared - {loop.var}
    return done.arrays_written <= local and not left and all(isinstance(s, _PLAIN) for s in walk_stmts(loop))


_PLAIN = (Assign, Block, Decl, For)


def _is_closed(
    array: str, stmts: Sequence[Stmt], within: Sequence[For], longer: Sequence[For], everywhere: Counter[str]
) -> bool:
    """Whether an array is used by these loops alone, each lane its own element, after it has set it."""
    users = [
        s for s in stmts if not isinstance(s, Decl) and array in uses(s).arrays_read | uses(s).arrays_written
    ]
    if not users or not all(isinstance(s, For) and s in within for s in users):
        return False
    own = 0
    for loop in users:
        assert isinstance(loop, For)
        element = (Var(loop.dtype, loop.var),)
        found = [n for n in walk(loop) if isinstance(n, Load) and n.array == array]
        if any(n.index != element for n in found):
            return False
        own += len(found)
    return own == everywhere[array] and _sets_first(users[0], array)


def _sets_first(loop: Stmt, array: str) -> bool:
    """Whether each round begins by setting its element."""
    assert isinstance(loop, For)
    for stmt in spliced(loop.body.body):
        used = uses(stmt)
        if array not in used.arrays_read | used.arrays_written:
            continue
        match stmt:
            case Assign(target=Load(array=name), value=value, reduce=None) if name == array:
                return array not in uses(value).arrays_read
        return False
    return False
