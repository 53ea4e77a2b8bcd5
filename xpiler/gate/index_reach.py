"""How far a kernel reaches into its arrays, by the bounds of its index expressions.

Exact where every index is affine over constant ranges and guards compare with numbers, and then much faster
than running the kernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from xpiler.gate.infer_launch import AXES, single_definitions
from xpiler.ir.affine import bounds
from xpiler.ir.build import OPPOSITE
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Cast,
    Const,
    Expr,
    For,
    Function,
    If,
    Load,
    Ref,
    Return,
    Select,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import map_expr, substitute, walk

Ranges = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class _Scope:
    """What holds at a statement: ranges of loop variables and of guarded expressions, which are `guarded`
    names there."""

    ranges: Ranges
    definitions: Mapping[str, Expr]
    changing: frozenset[str]
    guarded: tuple[tuple[Expr, Var], ...] = ()

    def resolved(self, expr: Expr) -> Expr:
        """`expr` over loop variables, indices of threads and guarded expressions."""
        expr = substitute(expr, self.definitions)
        for guarded, name in self.guarded:
            expr = map_expr(expr, lambda e, g=guarded, n=name: n if e == g else e)  # type: ignore[misc]
        return expr

    def with_loop(self, name: str, low: int, high: int) -> _Scope:
        return replace(self, ranges={**self.ranges, name: (low, high)})

    def where(self, conditions: Iterable[tuple[Expr, str, int]]) -> _Scope:
        """Inside guards `e < 512`: the expression has a name with the range that is left."""
        scope = self
        for expr, op, bound in conditions:
            low, high = scope.bounds(expr)
            low = max(low, {">": bound + 1, ">=": bound, "==": bound}.get(op, low))
            high = min(high, {"<": bound - 1, "<=": bound, "==": bound}.get(op, high))
            if isinstance(expr, Const) or low > high:
                continue
            name = Var(expr.dtype, f"guarded.{len(scope.guarded)}")
            scope = replace(
                scope,
                ranges={**scope.ranges, name.name: (low, high)},
                guarded=(*scope.guarded, (scope.resolved(expr), name)),
            )
        return scope

    def bounds(self, expr: Expr) -> tuple[int, int]:
        expr = self.resolved(expr)
        if isinstance(expr, Const):
            return int(expr.value), int(expr.value)
        for node in walk(expr):
            is_unknown = isinstance(node, Var) and (
                node.name in self.changing or node.name not in self.ranges
            )
            if isinstance(node, Load) or is_unknown:
                raise _Inexact
        low, high = bounds(expr, self.ranges)
        if low is None or high is None:
            raise _Inexact
        return int(low), int(high)


def reach_of_indices(
    kernel: Function, grid: tuple[int, int, int], block: tuple[int, int, int]
) -> dict[str, int] | None:
    """Bytes needed by pointer parameter; None where a guard or a variable index makes bounds inexact."""
    changing = frozenset(
        node.target.name
        for node in walk(kernel.body)
        if isinstance(node, Assign) and isinstance(node.target, Var)
    )
    ranges: Ranges = {}
    for axis, blocks, threads in zip(AXES, grid, block, strict=True):
        ranges[f"blockIdx.{axis}"] = (0, blocks - 1)
        ranges[f"threadIdx.{axis}"] = (0, threads - 1)
        ranges[f"gridDim.{axis}"] = (blocks, blocks)
        ranges[f"blockDim.{axis}"] = (threads, threads)
    reach = _Reach({p.name: p.dtype.bytes for p in kernel.params if p.is_pointer})
    try:
        reach.visit(kernel.body, _Scope(ranges, single_definitions(kernel), changing))
    except _Inexact:
        return None
    return reach.needed


class _Inexact(Exception):
    pass


class _Reach:
    def __init__(self, widths: Mapping[str, int]) -> None:
        self.widths = widths
        self.needed = dict.fromkeys(widths, 0)

    def visit(self, stmt: Stmt, scope: _Scope) -> None:
        match stmt:
            case Block(body=body):
                for inner in body:
                    self.visit(inner, scope)
                    if isinstance(inner, If) and inner.then.body and isinstance(inner.then.body[-1], Return):
                        guards = _conjuncts(_negated(inner.condition), scope)
                        if guards is None:
                            raise _Inexact
                        scope = scope.where(guards)
            case For(var=name, start=start, stop=stop, body=body):
                (low, _), (_, high) = scope.bounds(start), scope.bounds(stop)
                self.visit(body, scope.with_loop(name, low, max(low, high - 1)))
            case If(condition=condition, then=then, otherwise=otherwise):
                if not self._accesses(stmt):
                    return
                guards = _conjuncts(condition, scope)
                if guards is None or self._accesses(otherwise):
                    raise _Inexact
                self._loads(condition, scope)
                self.visit(then, scope.where(guards))
            case While():
                if self._accesses(stmt):
                    raise _Inexact
            case _:
                self._loads(stmt, scope)

    def _accesses(self, node: Stmt) -> bool:
        return any(isinstance(n, Load | Ref) and n.array in self.widths for n in walk(node))

    def _loads(self, node: Stmt | Expr, scope: _Scope) -> None:
        for load in walk(node):
            if isinstance(load, Select | Ref) or (isinstance(load, Binary) and load.op in ("&&", "||")):
                if isinstance(node, Expr) and not any(isinstance(n, Load) for n in walk(node)):
                    continue
                raise _Inexact
            if isinstance(load, Load) and load.array in self.widths:
                if len(load.index) != 1 or load.dtype.bytes != self.widths[load.array]:
                    raise _Inexact
                _, high = scope.bounds(load.index[0])
                needed = (high + 1) * self.widths[load.array]
                self.needed[load.array] = max(self.needed[load.array], needed)


def _negated(condition: Expr) -> Expr:
    match condition:
        case Unary(op="!", operand=operand):
            return operand
        case Binary(op="||", left=left, right=right):
            return replace(condition, op="&&", left=_negated(left), right=_negated(right))
        case Binary(op=op) if op in OPPOSITE:
            return replace(condition, op=OPPOSITE[op])
    return Unary(condition.dtype, "!", condition)


def _conjuncts(condition: Expr, scope: _Scope) -> list[tuple[Expr, str, int]] | None:
    """The comparisons with numbers that a condition is made of; None if it is made of something else."""
    match condition:
        case Cast(operand=operand):
            return _conjuncts(operand, scope)
        case Binary(op="&&", left=left, right=right):
            first, second = _conjuncts(left, scope), _conjuncts(right, scope)
            return None if first is None or second is None else first + second
        case Unary(op="!", operand=operand) if not isinstance(operand, Var):
            turned = _negated(operand)
            return None if turned == condition else _conjuncts(turned, scope)
        case Binary(op=op, left=left, right=right) if op in ("<", "<=", ">", ">=", "=="):
            low, high = scope.bounds(right)
            return [(left, op, low)] if low == high else None
    return None
