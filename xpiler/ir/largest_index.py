"""The largest element of an array of indices as if it were a size: it alone says how long others are.

for k in at[b]..at[b + 1]: s += table[row[k] * d + c]     row: at.largest elements
                                                          table: (row.largest + 1) * d elements
"""

from __future__ import annotations

from collections.abc import Iterator

from xpiler.ir.nodes import Expr, Function, Var
from xpiler.ir.rewrite import uses, walk
from xpiler.ir.types import I64

_SUFFIX = ".largest"  # no name of C has a point in it


def largest_of(array: str) -> Var:
    """What stands for the largest element of the parameter `array`."""
    return Var(I64, f"{array}{_SUFFIX}")


def arrays_asked(expr: Expr) -> Iterator[str]:
    """The arrays whose largest element the value depends on."""
    for node in walk(expr):
        if isinstance(node, Var) and node.name.endswith(_SUFFIX):
            yield node.name.removesuffix(_SUFFIX)


def index_parameters(function: Function) -> frozenset[str]:
    """The arrays of integers that the function leaves as they are."""
    written = uses(function.body).arrays_written
    return frozenset(
        p.name for p in function.params if p.is_pointer and p.dtype.is_integer and p.name not in written
    )
