"""Arrays that only stand for a parameter, copied whole from it or to it, are the parameter.

    void f(const float *a, float *b, int n) {         void f(const float *a, float *b, int n) {
        float x[n + 16], y[n + 16];
        for i in 0..n: x[i] = a[i]               -->
        for i in 0..n: y[i] = 2 * x[i]                    for i in 0..n: b[i] = 2 * a[i]
        for i in 0..n: b[i] = y[i] }                  }     with room for 16 more elements in a and b

Applies where every parameter has memory of its own, which the caller makes larger by what the array has more
than the parameter: then nothing that was inside the array is outside the parameter, whatever the indices are.
The copy must be of as many elements as the parameter has. A copy in must come before all else that concerns
the array, which is not written then, nor is the parameter; a copy out must be the only one that concerns the
parameter, but for a copy into the same array.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xpiler.ir.build import is_const
from xpiler.ir.nodes import Assign, Block, Decl, Expr, For, Function, If, Load, Param, Space, Stmt
from xpiler.ir.rewrite import map_body, rename, substitute, uses
from xpiler.passes.facts import mutable_vars
from xpiler.passes.serial import serial_form
from xpiler.passes.single_assignment import single_assignments
from xpiler.passes.size_forms import Form, difference, size_form
from xpiler.passes.structured import spliced
from xpiler.passes.tidy import tidy


@dataclass(frozen=True)
class Direct:
    """The function, and how many elements more than they have its parameters need room for."""

    function: Function
    room: Mapping[str, int]


def without_whole_copies(function: Function, extents: Mapping[str, Expr]) -> Direct:
    """`extents`: the elements of each parameter."""
    found = tidy(single_assignments(serial_form(function)))
    room: dict[str, int] = {}
    while (step := _step(found, extents)) is not None:
        found, name, more = step
        room[name] = max(more, room.get(name, 0))
    return Direct(tidy(found), room) if room else Direct(function, {})


@dataclass(frozen=True)
class _Copy:
    to: str
    source: str
    count: Expr


def _step(function: Function, extents: Mapping[str, Expr]) -> tuple[Function, str, int] | None:
    """One array less, the parameter that it became, and the elements that it had more."""
    params = {p.name: p for p in function.params if p.is_pointer and p.lanes == 1}
    sizes = frozenset(p.name for p in function.params if not p.is_pointer) - mutable_vars(function)
    declared: list[Decl] = []
    for block, known in _lists(function, sizes):
        copies = {n: copy for n, stmt in enumerate(block) if (copy := _copy(stmt)) is not None}
        declared += [s for s in block if isinstance(s, Decl) and _is_memory(s)]
        for decl in declared:
            if _uses_elsewhere(function, block, decl.name):
                continue
            for n, copy in copies.items():
                outward = copy.source == decl.name and copy.to in params
                if not outward and (copy.to != decl.name or copy.source not in params):
                    continue
                param = params[copy.to if outward else copy.source]
                gone = _outward(block, n, decl.name, param, copies) if outward else [n]
                if gone is None or not (outward or _is_only_read(block, n, decl.name)):
                    continue
                if not outward and param.name in uses(function.body).arrays_written:
                    continue
                if outward and _uses_elsewhere(function, block, param.name):
                    continue
                have = _form(extents.get(param.name), known, sizes)
                asked = [_form(copies[m].count, known, sizes) for m in gone]
                more = difference(_form(decl.shape[0], known, sizes), have)
                if param.dtype != decl.dtype or have is None or any(form != have for form in asked):
                    continue
                if more is None or more < 0:
                    continue
                left = tuple(s for m, s in enumerate(block) if m not in gone)
                changed = _undeclared(_with_list(function, block, left), decl)
                return rename(changed, {decl.name: param.name}), param.name, more
    return None


def _undeclared(function: Function, decl: Decl) -> Function:
    return map_body(function, lambda stmt: () if stmt == decl else stmt)


def _outward(
    block: tuple[Stmt, ...], last: int, array: str, param: Param, copies: Mapping[int, _Copy]
) -> list[int] | None:
    """The statements that go with the copy of the array to the parameter; None if it may not go."""
    gone = [last]
    seen = False
    for n, stmt in enumerate(block):
        if n == last:
            continue
        found = uses(stmt)
        if param.name in found.arrays_read | found.arrays_written:
            copy = copies.get(n)
            if copy is None or copy.to != array or seen or n > last:
                return None
            gone.append(n)
        touched = found.arrays_read | found.arrays_written
        seen = seen or array in touched
        if n > last and array in touched:
            return None
    return gone


def _is_only_read(block: tuple[Stmt, ...], first: int, array: str) -> bool:
    """Whether nothing but the statement at `first` writes the array, and nothing reads it before."""
    for n, stmt in enumerate(block):
        found = uses(stmt)
        if n != first and (array in found.arrays_written or (n < first and array in found.arrays_read)):
            return False
    return True


def _uses_elsewhere(function: Function, block: tuple[Stmt, ...], array: str) -> bool:
    """Whether the function touches the array outside the list."""
    outside = uses(_with_list(function, block, ()).body)
    return array in outside.arrays_read | outside.arrays_written


def _lists(function: Function, sizes: frozenset[str]) -> list[tuple[tuple[Stmt, ...], dict[str, Expr]]]:
    """The statements of the function, and those of the conditions that its rest is under: they run once.
    With each the scalars that have a value there."""
    mutable = mutable_vars(function)
    known: dict[str, Expr] = {}
    found = []
    block = spliced(function.body.body)
    while True:
        for stmt in block:
            if isinstance(stmt, Decl) and isinstance(stmt.init, Expr) and stmt.name not in mutable:
                known[stmt.name] = substitute(stmt.init, known)
        found.append((block, dict(known)))
        last = block[-1] if block else None
        if not isinstance(last, If) or last.otherwise.body:
            return found
        block = spliced(last.then.body)


def _with_list(function: Function, old: tuple[Stmt, ...], new: tuple[Stmt, ...]) -> Function:
    def go(block: Block) -> Block:
        body = spliced(block.body)
        if body == old:
            return Block(new)
        last = body[-1]
        assert isinstance(last, If)
        return Block((*body[:-1], replace(last, then=go(last.then))))

    return replace(function, body=go(function.body))


def _is_memory(decl: Decl) -> bool:
    return len(decl.shape) == 1 and decl.init is None and decl.space is Space.LOCAL


def _copy(stmt: Stmt) -> _Copy | None:
    """`for i in 0..n: a[i] = b[i]`."""
    match stmt:
        case For(var=var, start=start, stop=stop, step=step, body=Block(body=(Assign() as assign,))):
            target, value = assign.target, assign.value
            if not (is_const(start, 0) and is_const(step, 1)) or assign.reduce is not None:
                return None
            if not isinstance(target, Load) or not isinstance(value, Load) or target.dtype != value.dtype:
                return None
            if _counts(target, var) and _counts(value, var):
                return _Copy(target.array, value.array, stop)
    return None


def _counts(place: Load, var: str) -> bool:
    return len(place.index) == 1 and size_form(place.index[0], frozenset({var})) == {(var,): 1}


def _form(expr: Expr | None, known: Mapping[str, Expr], sizes: frozenset[str]) -> Form | None:
    return None if expr is None else size_form(substitute(expr, known), sizes)
