"""What makes the parallelism of a serial function plain to see, before its loops are bound.

s = max(s, x)                                        -->  s max= x
for k: { parallel for j: c[j] += a[k] * b[k][j] }    -->  parallel for j: { for k: c[j] += ... }
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeGuard

from xpiler.ir.build import cast, neg
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Call,
    Cast,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import free_vars, map_body, map_expr, rebuild, rename, walk, walk_stmts
from xpiler.ir.types import BOOL
from xpiler.passes.branch_names import without_branch_names
from xpiler.passes.covered import covered
from xpiler.passes.facts import Facts
from xpiler.passes.guards import fold_guards
from xpiler.passes.independence import independent
from xpiler.passes.index_fusion import fuse_indices
from xpiler.passes.lane_masks import plain_masks
from xpiler.passes.lane_sums import joined_lanes, sums_of_sums
from xpiler.passes.names import Names
from xpiler.passes.parallel import mark_parallel
from xpiler.passes.partial_tiles import join_tiles
from xpiler.passes.private_elements import scalars_of_elements
from xpiler.passes.scatter_atomics import with_atomics
from xpiler.passes.sizes_at_start import with_sizes_at_start
from xpiler.passes.strip_mining import whole_loops
from xpiler.passes.structured import spliced
from xpiler.passes.sum_registers import sums_in_registers
from xpiler.passes.sums_in_memory import sums_of_blocks
from xpiler.passes.thread_fusion import fuse_threads
from xpiler.passes.tidy import tidy


def prepare(function: Function) -> Function:
    function = with_plain_dimensions(function)
    body = map_expr(function.body, _one_conversion)
    function = tidy(map_body(replace(function, body=body), explicit_reduction))
    function = plain_masks(_with_fused_phases(function))
    fewer = tidy(scalars_of_elements(tidy(joined_lanes(function))))
    fewer = sums_of_sums(map_body(fewer, explicit_reduction))
    if fewer != function:
        function = tidy(fold_guards(fuse_indices(mark_parallel(fewer).function)))
    function = whole_loops(function)
    function = fold_guards(tidy(function))
    function = replace(function, body=map_expr(function.body, covered))
    function = tidy(mark_parallel(tidy(function)).function)
    function = sums_of_blocks(function)
    function = join_tiles(replace(function, body=_sunk(function.body, Facts.of(function))))
    return without_branch_names(with_sizes_at_start(tidy(sums_in_registers(function))))


def _with_fused_phases(function: Function) -> Function:
    """Neighbouring parallel loops that pass values through a local array are one, if that is legal."""
    if not any(isinstance(s, Decl) and s.shape for s in walk_stmts(function.body)):
        return function
    fused = fuse_threads(replace(function, body=_phases(function.body, False)))
    back = map_body(fused, lambda s: replace(s, kind=LoopKind.PARALLEL) if _is_phase(s) else s)
    return tidy(back)


def _phases(block: Block, within: bool) -> Block:
    within = within or any(isinstance(s, Decl) and s.shape for s in block.body)

    def change(child: Any, field: str) -> Any:
        if isinstance(child, Block):
            return _phases(child, within)
        if not isinstance(child, Stmt):
            return child
        child = rebuild(child, change)
        if within and isinstance(child, For) and child.kind is LoopKind.PARALLEL:
            return replace(child, kind=LoopKind.THREADS)
        return child

    result: Block = rebuild(block, change)
    return result


def _is_phase(stmt: Stmt) -> TypeGuard[For]:
    return isinstance(stmt, For) and stmt.kind is LoopKind.THREADS


def _one_conversion(expr: Expr) -> Expr:
    """`(int)(unsigned)n` is `n`: what a conversion keeps of an integer another one on the way kept too."""
    match expr:
        case Cast(dtype=to, operand=Cast(dtype=way, operand=operand)) if (
            all(t.is_integer and t != BOOL for t in (to, way, operand.dtype)) and way.bits >= to.bits
        ):
            return cast(operand, to)
    return expr


def with_plain_dimensions(function: Function) -> Function:
    """Launch dimensions of the source are scalar parameters like others: the target has its own launch."""
    names = Names(function)
    new = {
        p.name: names.fresh(_PLAIN.get(p.name, p.name.replace(".", "_")))
        for p in function.params
        if "." in p.name
    }
    return rename(function, new)


_PLAIN = {
    **{f"gridDim.{a}": f"source_grid_{a}" for a in "xyz"},
    **{f"blockDim.{a}": f"source_block_{a}" for a in "xyz"},
    "dynamicShared.bytes": "source_shared",
}


def explicit_reduction(stmt: Stmt) -> Stmt:
    """`s = max(s, e)`, `s = s + e`, `s = fma(a, b, s)` and `if (e > s) s = e` as reducing assignments."""
    for s, this, other, op in _readings(stmt):
        if this == s and s.name not in free_vars(other):
            return Assign(s, other, op, range=stmt.range)
    return stmt


def _readings(stmt: Stmt) -> list[tuple[Var, Expr, Expr, str]]:
    """The ways to see a statement as `s = this op other`."""
    match stmt:
        case Assign(target=Var() as s, value=Call(function="min" | "max" as op, args=(x, y)), reduce=None):
            return [(s, x, y, op), (s, y, x, op)]
        case Assign(target=Var() as s, value=Binary(op="+" | "*" as op, left=x, right=y), reduce=None):
            return [(s, x, y, op), (s, y, x, op)]
        case Assign(target=Var() as s, value=Binary(op="-", left=x, right=y), reduce=None):
            return [(s, x, neg(y), "+")] if s.dtype.is_float else []
        case Assign(target=Var() as s, value=Call(function="fma", args=(a, b, z)), reduce=None):
            return [(s, z, Binary(s.dtype, "*", a, b), "+")]
        case If(
            condition=Binary(op=">" | "<" | ">=" | "<=" as compare, left=x, right=y),
            then=Block(body=(Assign(target=Var() as s, value=v, reduce=None),)),
            otherwise=Block(body=()),
        ) if v in (x, y) and s in (x, y) and v != s:
            return [(s, s, v, "max" if (x == v) == (compare[0] == ">") else "min")]
    return []


def _sunk(block: Block, facts: Facts) -> Block:
    return Block(tuple(_sunk_stmt(s, facts) for s in spliced(block.body)), range=block.range)


def _sunk_stmt(stmt: Stmt, facts: Facts) -> Stmt:
    match stmt:
        case For():
            loop = replace(stmt, body=_sunk(stmt.body, facts.inside(stmt)))
            return _interchanged(loop, facts)
        case If(condition=condition):
            return replace(
                stmt,
                then=_sunk(stmt.then, facts.where(condition)),
                otherwise=_sunk(stmt.otherwise, facts.where(condition, False)),
            )
        case While():
            return replace(stmt, body=_sunk(stmt.body, facts))
    return stmt


def _interchanged(loop: For, facts: Facts) -> For:
    """A serial loop around one parallel loop moved into it, if the parallel one stays so."""
    if loop.kind in (LoopKind.PARALLEL, LoopKind.THREADS) or independent(loop, facts):
        return loop if loop.kind is not LoopKind.SERIAL else _marked(loop, facts)
    scattered = with_atomics(loop, facts)
    if scattered is not None:
        return scattered
    body = loop.body.body
    if len(body) != 1 or not isinstance(body[0], For):
        return loop
    inner = body[0]
    if inner.kind not in (LoopKind.PARALLEL, LoopKind.THREADS):
        return loop
    bounds = (inner.start, inner.stop, inner.step)
    if any(loop.var in free_vars(e) or _loads(e) for e in bounds):
        return loop
    if any(inner.var in free_vars(e) for e in (loop.start, loop.stop, loop.step)):
        return loop
    moved = replace(loop, body=inner.body)
    outer = replace(inner, body=Block((_interchanged(moved, facts.inside(inner)),)), kind=LoopKind.SERIAL)
    return replace(outer, kind=LoopKind.PARALLEL) if independent(outer, facts) else loop


def _marked(loop: For, facts: Facts) -> For:
    return replace(loop, kind=LoopKind.PARALLEL) if independent(loop, facts) else loop


def _loads(expr: Expr) -> bool:
    return any(isinstance(e, Load) for e in walk(expr))
