"""What an array is filled with before sums are added to it is what the sums start from.

    for i in 0..m*n: c[i] = 0                               parallel i in 0..m: parallel j in 0..n:
    parallel i in 0..m: parallel j in 0..n:           -->     sum = 0; for k: sum += ...
      sum = 0; for k: sum += ...                              c[i * n + j] = sum
      c[i * n + j] += sum

So one loop is left, whose iterations have nothing to do with others. Also of what every element is multiplied
with first. Applies in plain functions where the first loop sets each element that the second one uses, and
no others: they have as many iterations, and each element that the second one uses has a place in the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from xpiler.ir.affine import linear
from xpiler.ir.affine_form import Affine, lift
from xpiler.ir.build import add, is_const, mul
from xpiler.ir.nodes import (
    Assign,
    Block,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Stmt,
)
from xpiler.ir.rewrite import free_vars, map_expr, uses, walk, walk_users
from xpiler.passes.aliasing import with_aliases
from xpiler.passes.facts import Facts
from xpiler.passes.structured import spliced
from xpiler.passes.tile_fills import Fill
from xpiler.passes.tile_inverse import Inverse

_INDEPENDENT = (LoopKind.PARALLEL, LoopKind.THREADS)


def start_sums(function: Function) -> Function:
    """All neighbouring loops of a plain function whose loops are marked."""
    if not function.is_serial:
        return function
    body = _block(function.body, Facts.of(function))
    return function if body == function.body else replace(function, body=body)


def _block(block: Block, facts: Facts) -> Block:
    out: list[Stmt] = []
    for stmt in spliced(block.body):
        one = _below(stmt, facts)
        last = out[-1] if out else None
        started = _started(last, one, facts) if isinstance(last, For) and isinstance(one, For) else None
        if started is None:
            out.append(one)
        else:
            out[-1] = started
    return replace(block, body=tuple(out))


def _below(stmt: Stmt, facts: Facts) -> Stmt:
    match stmt:
        case For():
            return replace(stmt, body=_block(stmt.body, facts.inside(stmt)))
        case If(condition=condition):
            then = _block(stmt.then, facts.where(condition))
            return replace(stmt, then=then, otherwise=_block(stmt.otherwise, facts.where(condition, False)))
    return stmt


@dataclass(frozen=True)
class _Nest:
    loops: tuple[For, ...]
    body: tuple[Stmt, ...]

    def inside(self, facts: Facts) -> Facts:
        for loop in self.loops:
            facts = facts.inside(loop)
        return facts

    @property
    def count(self) -> Affine | None:
        """Of its iterations."""
        result = lift(1)
        for loop in self.loops:
            form = linear(loop.stop)
            if form is None or form.variables() & {other.var for other in self.loops}:
                return None
            result = result * form
        return result


def _nest(loop: For, *, independent: bool) -> _Nest:
    loops: list[For] = []
    body: tuple[Stmt, ...] = (loop,)
    while len(body) == 1 and isinstance(body[0], For) and _counts(body[0]):
        if independent and body[0].kind not in _INDEPENDENT:
            break
        loops.append(body[0])
        body = spliced(body[0].body.body)
    return _Nest(tuple(loops), body)


def _counts(loop: For) -> bool:
    return is_const(loop.start, 0) and is_const(loop.step, 1)


def _started(fill: For, sums: For, facts: Facts) -> For | None:
    first, second = _nest(fill, independent=False), _nest(sums, independent=True)
    match first.body:
        case (Assign(target=Load(array=array, index=(index,)) as target) as only,):
            pass
        case _:
            return None
    value = only.value
    if only.reduce is not None:
        if only.reduce not in ("+", "*"):
            return None
        value = (add if only.reduce == "+" else mul)(target, value)
    if any(isinstance(n, Load) and n.array == array and n.index != (index,) for n in walk(value)):
        return None
    used = uses(sums)
    read = {n.array for n in walk(value) if isinstance(n, Load)} - {array}
    others = (used.arrays_read | used.arrays_written) - {array}
    if with_aliases(read, facts.aliases) & used.arrays_written or array in with_aliases(
        others, facts.aliases
    ):
        return None
    if not second.loops or first.count is None or first.count != second.count:
        return None
    place = _only_place(second, array)
    if place is None or free_vars(value) & facts.mutable:
        return None
    made = Fill(replace(only, value=value, reduce=None), first.loops, (), first.inside(facts))
    start = Inverse(Decl(array, target.dtype), made).value(place.index, second.inside(facts))
    if start is None:
        return None
    inner = _from_start(second.body, place, start)
    for loop in reversed(second.loops):
        inner = (replace(loop, body=Block(inner)),)
    (result,) = inner
    assert isinstance(result, For)
    return result


def _only_place(nest: _Nest, array: str) -> Load | None:
    """The element that each iteration of the nest uses, if that is one."""
    places: list[Load] = []
    for stmt in nest.body:
        for node in walk_users(stmt, array):
            if isinstance(node, Load) and node.array == array:
                places.append(node)
            elif not isinstance(node, (Stmt, Expr)):
                return None
    counters = {loop.var for loop in nest.loops}
    inner = uses(Block(nest.body)).vars_declared
    if not places or any(len(p.index) != 1 or free_vars(p.index[0]) & inner for p in places):
        return None
    forms = {linear(p.index[0]) for p in places}
    if len(forms) > 1 or not free_vars(places[0].index[0]) & counters:
        return None
    return places[0]


def _from_start(body: tuple[Stmt, ...], place: Load, start: Expr) -> tuple[Stmt, ...]:
    """The statements with the element set first; without that where one of them sets it for good."""
    whole = body
    for n, stmt in enumerate(body):
        if isinstance(stmt, Decl) and isinstance(stmt.init, Expr) and not stmt.shape:
            changed = map_expr(stmt, _as(place, start))
            if changed != stmt:
                body = (*body[:n], changed, *body[n + 1 :])
        elif isinstance(stmt, Assign) and isinstance(stmt.target, Load) and stmt.target.array == place.array:
            rest = any(isinstance(m, Load) and m.array == place.array for s in body[n + 1 :] for m in walk(s))
            if stmt.reduce not in (None, "+") or rest:
                break
            value = map_expr(stmt.value, _as(place, start))
            if stmt.reduce == "+" and not is_const(start, 0):
                value = add(start, value)
            return (*body[:n], replace(stmt, value=value, reduce=None), *body[n + 1 :])
        elif any(isinstance(m, Load) and m.array == place.array for m in walk(stmt)):
            break
    return (Assign(place, start), *whole)


def _as(place: Load, start: Expr) -> Callable[[Expr], Expr]:
    def change(expr: Expr) -> Expr:
        return start if isinstance(expr, Load) and expr.array == place.array else expr

    return change
