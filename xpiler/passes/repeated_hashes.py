"""Hashes that are written out again and again, computed once: vectors are too dear to be computed twice.

    y[i] = ((i ^ s) ^ (i ^ s) >> 16) * 3      -->      word = i ^ s;  y[i] = (word ^ word >> 16) * 3

Earlier passes put integers of a lane's number in where they are used: so places in memory are seen.
"""

from __future__ import annotations

from collections import Counter

from xpiler.ir.nodes import Binary, Expr, For, Load
from xpiler.ir.rewrite import free_vars, walk
from xpiler.ir.types import I32, U32
from xpiler.passes.names import Names
from xpiler.passes.repeated_values import with_names

_MIXING = ("^", "|", ">>")


def mixes_bits(expr: Expr) -> bool:
    """Whether something in it is part of a hash rather than of a place."""
    return any(isinstance(n, Binary) and n.op in _MIXING for n in walk(expr))


def name_hashes(loop: For, names: Names) -> For:
    """The loop with a variable for each such value that a statement uses twice."""

    return with_names(loop, lambda value: _largest_repeated(value, loop.var), "word", names)


def _largest_repeated(value: Expr, lane: str) -> Expr | None:
    hashes = Counter(
        n
        for n in walk(value)
        if isinstance(n, Binary)
        and n.dtype in (I32, U32)
        and lane in free_vars(n)
        and mixes_bits(n)
        and not any(isinstance(inner, Load) or _may_trap(inner) for inner in walk(n))
    )
    repeated = [n for n, times in hashes.items() if times > 1]
    return max(repeated, key=lambda n: sum(1 for _ in walk(n)), default=None)


def _may_trap(node: object) -> bool:
    return isinstance(node, Binary) and node.op in ("/", "%") and node.dtype.is_integer
