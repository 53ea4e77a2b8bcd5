"""Sums over windows of rows have the outputs of a row for lanes, not the few elements of a window.

    for x: s = 0                                           VECTOR for x: s = 0
      for c: for i: for k: s += in[.. x*S + k] * f[.. k]     -->           for c: for i: for k: s += ...
      out[.. + x] = s                                                      out[.. + x] = s

A lane is a window's output: each step multiplies a shifted row by one number, and nothing is added up across
lanes. What tells windows from rows of a matrix, whose columns are better lanes: neighbouring windows share
elements (`S` is 1, or a number that is none of the extents that are summed over, with more than one loop
around the products or padding that cuts the window). Stores are to consecutive elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import Affine, coefficient, linear, prove_eq
from xpiler.ir.build import add, is_const
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    LoopKind,
    Select,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import assigned_vars, free_vars, map_stmt, substitute, walk, walk_stmts
from xpiler.ir.types import BOOL
from xpiler.passes.lane_ranges import conjuncts
from xpiler.passes.window_bounds import operands_of

INDEPENDENT = (LoopKind.PARALLEL, LoopKind.THREADS)
IN_TURN = (LoopKind.SERIAL, LoopKind.UNROLLED)
LONGEST_STEP = 16  # from one window to the next, where it is a number


def mark_rows(function: Function) -> Function:
    """All such loops over the outputs of a row, as vector loops."""

    def change(stmt: Stmt) -> Stmt:
        return replace(stmt, kind=LoopKind.VECTOR) if isinstance(stmt, For) and is_window_row(stmt) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def is_window_row(row: For) -> bool:
    """Whether neighbouring iterations are windows of neighbouring outputs."""
    if row.kind not in INDEPENDENT or not is_const(row.step, 1):
        return False
    if any(
        isinstance(s, Instr) or (isinstance(s, For) and s.kind is LoopKind.VECTOR) for s in walk(row.body)
    ):
        return False
    if any(isinstance(s, Decl) and s.shape for s in walk_stmts(row.body)):
        return False
    body = _with_values(row.body)
    stores = [s.target for s in walk_stmts(body) if isinstance(s, Assign) and isinstance(s.target, Load)]
    if not stores or not all(_moves_by_one(store, row.var) for store in stores):
        return False
    sums = list(_sums(body.body, ()))
    return bool(sums) and all(_is_of_windows(each, row.var) for each in sums)


@dataclass(frozen=True)
class _Sum:
    """One step of a sum over serial `loops`, under `guards`."""

    loops: tuple[For, ...]
    guards: tuple[Expr, ...]
    step: Assign


def _sums(stmts: Sequence[Stmt], guards: tuple[Expr, ...], loops: tuple[For, ...] = ()) -> list[_Sum]:
    found: list[_Sum] = []
    for stmt in stmts:
        match stmt:
            case For():
                more = (*loops, stmt) if stmt.kind in IN_TURN else loops
                found += _sums(stmt.body.body, guards, more)
            case If(condition=condition, then=then, otherwise=otherwise):
                found += _sums(then.body, (*guards, *conjuncts(condition)), loops)
                found += _sums(otherwise.body, guards, loops)
            case Assign(target=Var()) if loops:
                found.append(_Sum(loops, guards, stmt))
    return found


def _is_of_windows(found: _Sum, x: str) -> bool:
    """Whether one element that is added lies `S` further for the next output and 1 for the next element of
    the window, and all others are for all outputs or lie side by side."""
    found = _from_their_starts(found, x)
    loads = [n for n in walk(found.step.value) if isinstance(n, Load)]
    guards = [*found.guards, *(c for n in walk(found.step.value) if isinstance(n, Select)
                               for c in conjuncts(n.condition))]  # fmt: skip
    windows = False
    for load in loads:
        if x not in free_vars(load):
            continue
        if len(load.index) != 1 or any(isinstance(n, Load) for n in walk(load.index[0])):
            return False
        across = coefficient(load.index[0], x)
        if across is None or x in across.variables():
            return False
        shared = any(_shares(load, across, loop, found, guards, x) for loop in found.loops)
        if not shared and across.as_int != 1:
            return False
        windows |= shared
    return windows


def _from_their_starts(found: _Sum, x: str) -> _Sum:
    """With loops that begin where the window of an output does, or at the first element of the array, counted
    from there."""
    values: dict[str, Expr] = {}
    for loop in found.loops:
        begins = [e for e in operands_of(loop.start, "max") if x in free_vars(e)]
        if len(begins) == 1:
            values[loop.var] = add(begins[0], Var(loop.dtype, loop.var))
    step = substitute(found.step, values)
    assert isinstance(step, Assign)
    return replace(found, step=step)


def _shares(load: Load, across: Affine, loop: For, found: _Sum, guards: Sequence[Expr], x: str) -> bool:
    """Whether neighbouring outputs share elements along this loop, as far as one can tell."""
    along = coefficient(load.index[0], loop.var)
    if along is None or along.as_int != 1:
        return False
    if across.as_int is not None:
        return 0 < across.as_int <= LONGEST_STEP
    names = across.variables()
    if len(across.terms) != 1 or len(names) != 1 or names & {each.var for each in found.loops}:
        return False
    extents = [linear(each.stop) for each in found.loops]
    if any(extent is not None and prove_eq(extent, across) for extent in extents):
        return False
    return len(found.loops) > 1 or any(_cuts(guard, x, loop.var) for guard in guards)


def _cuts(guard: Expr, x: str, k: str) -> bool:
    return isinstance(guard, Binary) and {x, k} <= free_vars(guard)


def _moves_by_one(store: Load, x: str) -> bool:
    if len(store.index) != 1:
        return False
    step = coefficient(store.index[0], x)
    return step is not None and step.as_int == 1


def _with_values(body: Block) -> Block:
    """The body with the integers and conditions that it computes once put in where they are used."""
    values: dict[str, Expr] = {}
    changed = assigned_vars(body)

    def inlined(block: Block) -> Block:
        out: list[Stmt] = []
        for stmt in block.body:
            stmt = substitute(stmt, values)
            match stmt:
                case Decl(name=name, shape=(), init=Expr() as init, dtype=dtype) if (
                    dtype.is_integer or dtype == BOOL
                ) and name not in changed:
                    values[name] = init
                case For(body=inner):
                    out.append(replace(stmt, body=inlined(inner)))
                case If(then=then, otherwise=otherwise):
                    out.append(replace(stmt, then=inlined(then), otherwise=inlined(otherwise)))
                case _:
                    out.append(stmt)
        return replace(block, body=tuple(out))

    return inlined(body)
