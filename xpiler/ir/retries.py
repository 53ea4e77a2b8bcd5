"""Arrays that loops update by compare-and-swap: `old = *p; ... seen = atomicCAS(p, old, new);`."""

from __future__ import annotations

import functools

from xpiler.ir.nodes import Atomic, Const, Function
from xpiler.ir.rewrite import walk


@functools.lru_cache(maxsize=64)  # a search runs a kernel many times
def retried(kernel: Function) -> frozenset[str]:
    """Arrays whose elements are swapped only if they hold what was seen before. The first look is a plain
    read while others swap: if it is old, the swap fails, and the loop tries again."""
    return frozenset(
        node.place.array
        for node in walk(kernel.body)
        if isinstance(node, Atomic) and node.op == "cas" and not isinstance(node.args[0], Const)
    )
