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

from xpiler.ir.affine import linear, to_expr
from xpiler.ir.affine_form import Affine, lift, of_var
from xpiler.ir.build import cast, const, div, minimum, mul
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import children, free_vars, map_body, map_expr, substitute, walk
from xpiler.passes.facts import mutable_vars
from xpiler.passes.names import Names

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
        if isinstance(stmt, For) and stmt.kind in INDEPENDENT and stmt.step == Const(stmt.step.dtype, 1):
            return _rerolled(stmt, names) or stmt
        return stmt

    return map_body(function, change)


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
        match stmt:
            case Decl(name=name, shape=(), init=Expr() as init) if name not in mutable_vars(block):
                values[name] = substitute(init, values)
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
    start = of_var(loop.var) * lift(width)
    for array in dict.fromkeys(s.array for s in stores):
        own = [s for s in stores if s.array == array]
        offsets = {(s.index - own[0].index).as_int: s for s in own}
        if len(own) != width or set(offsets) != set(range(width)):
            return None
        ordered = [offsets[k] for k in range(width)]
        if loop.var in (ordered[0].index - start).variables():
            return None
        value = _common([s.value for s in ordered], loop, width, j)
        if value is None:
            return None
        index = to_expr(ordered[0].index - start + of_var(j.name), loop.dtype)
        target = replace(ordered[0].place, index=(_typed(index, j),))
        body.append(Assign(target, value))
    written = {a.target.array: a.target for a in body if isinstance(a.target, Load)}
    for assign in body:  # an element that is read where it is written belongs to the same j
        for node in walk(assign.value):
            if isinstance(node, Load) and node.array in written and node != written[node.array]:
                return None
    return tuple(body)


def _typed(index: Expr, j: Var) -> Expr:
    return map_expr(index, lambda e: j if isinstance(e, Var) and e.name == j.name else e)


def _common(copies: Sequence[Expr], loop: For, width: int, j: Var) -> Expr | None:
    """The expression over j that copy k is with j = width * i + k."""
    first = copies[0]
    if any(type(c) is not type(first) or c.dtype != first.dtype for c in copies):
        return None
    if isinstance(first, Load):
        return _common_load([c for c in copies if isinstance(c, Load)], loop, width, j)
    if isinstance(first, (Var, Const)):
        same = all(c == first for c in copies) and loop.var not in free_vars(first)
        return first if same else None
    parts = [[c for c in children(copy) if isinstance(c, Expr)] for copy in copies]
    shells = [_shell(c) for c in copies]
    if any(s != shells[0] for s in shells):
        return None
    folded = [_common(column, loop, width, j) for column in zip(*parts, strict=True)]
    if any(f is None for f in folded):
        return None
    rest = iter([f for f in folded if f is not None])
    from xpiler.ir.rewrite import rebuild

    result: Expr = rebuild(first, lambda child, _field: next(rest) if isinstance(child, Expr) else child)
    return result


def _shell(expr: Expr) -> tuple[object, ...]:
    return (*(getattr(expr, name, None) for name in ("op", "function", "fast")), len(children(expr)))


def _common_load(copies: Sequence[Load], loop: For, width: int, j: Var) -> Expr | None:
    if any(c.array != copies[0].array or len(c.index) != 1 for c in copies):
        return None
    forms = [linear(c.index[0]) for c in copies]
    if any(f is None for f in forms):
        return None
    known = [f for f in forms if f is not None]
    steps = [(f - known[0]).as_int for f in known]
    if steps == [0] * width and loop.var not in known[0].variables():
        return copies[0]
    rest = known[0] - of_var(loop.var) * lift(width)
    if steps != list(range(width)) or loop.var in rest.variables():
        return None
    return replace(copies[0], index=(_typed(to_expr(rest + of_var(j.name), loop.dtype), j),))


def _bound(condition: Expr, loop: For, width: int) -> Expr | None:
    """n of `width * i + width - 1 < n`."""
    match condition:
        case Binary(op="<", left=left, right=right) if loop.var not in free_vars(right):
            form = linear(left)
            if form is not None and (form - of_var(loop.var) * lift(width)).as_int == width - 1:
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
    if start is None or (start - of_var(loop.var) * lift(width)).as_int != 0:
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
