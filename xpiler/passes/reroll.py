"""Vector accesses of a thread, written out element by element, become a loop over the elements again.

    for i in 0..m:                                       for j in 0..min(4*m, n):
      if (4*i + 3 < n) { out[4*i] = a[4*i] + s;    -->     out[j] = a[j] + s
                         ... out[4*i + 3] = ... }
      else for j in 4*i..n: out[j] = a[j] + s

That is how `float4` kernels come out of the frontend. The copies must be equal but for the element they work
on, the scalar tail, if there is one, must do the same. Only loops whose iterations are known to be
independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import Overflow, linear, simplify, to_expr
from xpiler.ir.affine_form import Affine, lift, of_var
from xpiler.ir.build import cast, ceil_div, const, div, is_const, minimum, mul
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Const,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import free_vars, map_body, map_expr, substitute, walk
from xpiler.passes.names import Names
from xpiler.passes.reroll_sums import rerolled_folds
from xpiler.passes.rerolled_values import common, noted, typed

INDEPENDENT = (LoopKind.PARALLEL, LoopKind.THREADS)


@dataclass(frozen=True)
class _Store:
    array: str
    index: Affine
    place: Load
    value: Expr


def reroll(function: Function) -> Function:
    """All loops whose bodies are such copies."""
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        counted = _by_ones(stmt) if isinstance(stmt, For) else None
        if counted is None:
            return stmt
        if counted.kind in INDEPENDENT:
            return _rerolled(counted, names) or stmt
        return rerolled_folds(counted, Var(counted.dtype, names.fresh("j"))) or stmt

    return map_body(function, change)


def _by_ones(loop: For) -> For | None:
    """The loop from 0 by 1, if it starts at 0: `for i in 0..n step 4: f(i)` as `for i in 0..n/4: f(4*i)`."""
    if not is_const(loop.start, 0) or not isinstance(loop.step, Const) or int(loop.step.value) < 1:
        return None
    if is_const(loop.step, 1):
        return loop
    values = {loop.var: mul(loop.step, Var(loop.dtype, loop.var))}
    return replace(
        loop,
        stop=simplify(ceil_div(loop.stop, loop.step), {}, Overflow.IGNORED),
        step=const(1, loop.dtype),
        body=substitute(loop.body, values),
    )


def _rerolled(loop: For, names: Names) -> For | None:
    condition: Expr | None
    match loop.body.body:
        case (If(condition=condition, then=then, otherwise=otherwise),):
            copies, tail = then, otherwise.body
        case _:
            condition, copies, tail = None, loop.body, ()
    stores = _stores(copies)
    if not stores or loop.start != Const(loop.dtype, 0):
        return None
    width = len(stores) // len({s.array for s in stores})
    if width < 2:
        return None
    j = Var(loop.dtype, names.fresh("j"))
    body = _folded(loop, stores, width, j)
    if body is None:
        return None
    stop = mul(const(width, loop.dtype), loop.stop)
    if condition is not None:
        bound = _bound(condition, loop, width)
        if bound is None:
            return None
        bound = cast(bound, loop.dtype)
        if tail:
            if not _is_tail(tail, loop, width, bound, body, j):
                return None
            stop = minimum(bound, stop)
        else:
            whole = const(width, loop.dtype)
            stop = minimum(mul(div(bound, whole), whole), stop)
    return replace(loop, var=j.name, stop=stop, body=Block(body), kind=LoopKind.PARALLEL)


def _stores(block: Block) -> list[_Store]:
    """The stores of straight-line code with all scalars put in; empty if it is anything else."""
    values: dict[str, Expr] = {}
    out: list[_Store] = []
    for stmt in block.body:
        if noted(stmt, values):
            continue
        match stmt:
            case Assign(target=Load(index=(index,)) as target, value=value, reduce=None):
                form = linear(substitute(index, values))
                if form is None:
                    return []
                out.append(_Store(target.array, form, target, substitute(value, values)))
            case _:
                return []
    return out


def _folded(loop: For, stores: Sequence[_Store], width: int, j: Var) -> tuple[Assign, ...] | None:
    """One store for each array, over j."""
    body: list[Assign] = []
    start = of_var(loop.var, loop.dtype) * lift(width)
    for array in dict.fromkeys(s.array for s in stores):
        own = [s for s in stores if s.array == array]
        offsets = {(s.index - own[0].index).as_int: s for s in own}
        if len(own) != width or set(offsets) != set(range(width)):
            return None
        ordered = [offsets[k] for k in range(width)]
        if loop.var in (ordered[0].index - start).variables():
            return None
        value = common([s.value for s in ordered], loop, width, j)
        if value is None:
            return None
        index = to_expr(ordered[0].index - start + of_var(j.name, j.dtype), ordered[0].place.index[0].dtype)
        target = replace(ordered[0].place, index=(typed(index, j),))
        body.append(Assign(target, value))
    written = {a.target.array: a.target for a in body if isinstance(a.target, Load)}
    for assign in body:  # an element that is read where it is written belongs to the same j
        for node in walk(assign.value):
            if isinstance(node, Load) and node.array in written and node != written[node.array]:
                return None
    return tuple(body)


def _bound(condition: Expr, loop: For, width: int) -> Expr | None:
    """n of `width * i + width - 1 < n`."""
    match condition:
        case Binary(op="<", left=left, right=right) if loop.var not in free_vars(right):
            form = linear(left)
            if form is not None and (form - of_var(loop.var, loop.dtype) * lift(width)).as_int == width - 1:
                return right
    return None


def _is_tail(
    tail: Sequence[Stmt], loop: For, width: int, bound: Expr, body: Sequence[Assign], j: Var
) -> bool:
    """Whether the other branch does the same element by element, from width * i up to the bound."""
    if len(tail) != 1 or not isinstance(tail[0], For):
        return False
    rest = tail[0]
    start = linear(rest.start)
    if start is None or (start - of_var(loop.var, loop.dtype) * lift(width)).as_int != 0:
        return False
    if cast(rest.stop, loop.dtype) != bound:
        return False
    mine = [
        (_normal(a.target), _normal(a.value), a.reduce)
        for a in (substitute(s, {rest.var: j}) for s in rest.body.body)
        if isinstance(a, Assign) and isinstance(a.target, Load)
    ]
    theirs = [(_normal(a.target), _normal(a.value), a.reduce) for a in body]
    return len(mine) == len(rest.body.body) and mine == theirs


def _normal(expr: Expr) -> Expr:
    """With every index in one form."""

    def change(e: Expr) -> Expr:
        if isinstance(e, Load) and len(e.index) == 1:
            form = linear(e.index[0])
            return e if form is None else replace(e, index=(to_expr(form, e.index[0].dtype),))
        return e

    return map_expr(expr, change)
