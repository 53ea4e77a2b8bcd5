"""Arrays that a choice between numbers reads for some elements only, along with one that is written for all.

    u = hash(i);  y[i] = u < p ? 0 : x[i] / (1 - p)        x has as many elements as y

What a run reads of `x` ends at the last element that was chosen, which is no length that anybody means.
"""

from __future__ import annotations

from collections.abc import Iterator

from xpiler.ir.nodes import Assign, Binary, Expr, Function, If, Load, Select, Stmt
from xpiler.ir.rewrite import Node, children, walk

_TESTS = ("<", "<=", ">", ">=", "==", "!=")


def read_alongside(kernel: Function) -> frozenset[tuple[str, str]]:
    """Pairs of an array that is read so, and of the one that is written at the same place."""
    written = {
        (stmt.target.index, stmt.target.array)
        for stmt in walk(kernel.body)
        if isinstance(stmt, Assign) and isinstance(stmt.target, Load)
    }
    chosen = {(load.index, load.array) for load in _chosen(kernel.body, False)}
    return frozenset(
        (array, other)
        for index, array in chosen
        for place, other in written
        if index == place and array != other
    )


def _chosen(node: Node, by_number: bool) -> Iterator[Load]:
    match node:
        case Select(condition=condition) | If(condition=condition):
            yield from _chosen(condition, by_number)
            sides = [child for child in children(node) if child is not condition]
            for side in sides:
                yield from _chosen(side, by_number or _compares_numbers(condition))
            return
        case Load() if by_number:
            yield node
    for child in children(node):
        if isinstance(child, (Expr, Stmt)):
            yield from _chosen(child, by_number)


def _compares_numbers(condition: Expr) -> bool:
    return any(isinstance(n, Binary) and n.op in _TESTS and n.left.dtype.is_float for n in walk(condition))
