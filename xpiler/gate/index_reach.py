"""How far a kernel without guards reaches into its arrays, by the bounds of its index expressions.

Exact where every index is affine over constant ranges, and then much faster than running the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping

from xpiler.gate.infer_launch import AXES, single_definitions
from xpiler.ir.affine import bounds
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
    Ref,
    Select,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import substitute, walk

Ranges = dict[str, tuple[int, int]]


def reach_of_indices(
    kernel: Function, grid: tuple[int, int, int], block: tuple[int, int, int]
) -> dict[str, int] | None:
    """Bytes needed by pointer parameter; None where a guard or a variable index makes bounds inexact."""
    definitions = single_definitions(kernel)
    changing = {
        node.target.name
        for node in walk(kernel.body)
        if isinstance(node, Assign) and isinstance(node.target, Var)
    }
    ranges: Ranges = {}
    for axis, blocks, threads in zip(AXES, grid, block, strict=True):
        ranges[f"blockIdx.{axis}"] = (0, blocks - 1)
        ranges[f"threadIdx.{axis}"] = (0, threads - 1)
        ranges[f"gridDim.{axis}"] = (blocks, blocks)
        ranges[f"blockDim.{axis}"] = (threads, threads)
    widths = {p.name: p.dtype.bytes for p in kernel.params if p.is_pointer}
    needed = dict.fromkeys(widths, 0)
    try:
        _visit(kernel.body, ranges, definitions, widths, needed, changing)
    except _Inexact:
        return None
    return needed


class _Inexact(Exception):
    pass


def _visit(
    stmt: Stmt,
    ranges: Ranges,
    definitions: Mapping[str, Expr],
    widths: Mapping[str, int],
    needed: dict[str, int],
    changing: set[str],
) -> None:
    match stmt:
        case Block(body=body):
            for inner in body:
                _visit(inner, ranges, definitions, widths, needed, changing)
        case For(var=name, start=start, stop=stop, body=body):
            low, _ = _bounds(substitute(start, definitions), ranges, changing)
            _, high = _bounds(substitute(stop, definitions), ranges, changing)
            _visit(body, {**ranges, name: (low, max(low, high - 1))}, definitions, widths, needed, changing)
        case If() | While():
            if any(isinstance(n, Load | Ref) and n.array in widths for n in walk(stmt)):
                raise _Inexact
        case _:
            _accesses(stmt, ranges, definitions, widths, needed, changing)


def _accesses(
    stmt: Stmt,
    ranges: Ranges,
    definitions: Mapping[str, Expr],
    widths: Mapping[str, int],
    needed: dict[str, int],
    changing: set[str],
) -> None:
    for node in walk(stmt):
        if isinstance(node, Select | Ref) or (isinstance(node, Binary) and node.op in ("&&", "||")):
            raise _Inexact
        if isinstance(node, Load) and node.array in widths:
            if len(node.index) != 1 or node.dtype.bytes != widths[node.array]:
                raise _Inexact
            _, high = _bounds(substitute(node.index[0], definitions), ranges, changing)
            needed[node.array] = max(needed[node.array], (high + 1) * widths[node.array])


def _bounds(expr: Expr, ranges: Ranges, changing: set[str]) -> tuple[int, int]:
    if isinstance(expr, Const):
        return int(expr.value), int(expr.value)
    if any(
        isinstance(n, Load) or (isinstance(n, Var) and (n.name in changing or n.name not in ranges))
        for n in walk(expr)
    ):
        raise _Inexact
    low, high = bounds(expr, ranges)
    if low is None or high is None:
        raise _Inexact
    return int(low), int(high)
