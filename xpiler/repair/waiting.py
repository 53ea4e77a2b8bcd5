"""Where a wait is likely to be missing: a barrier between threads, or of a thread for what it has begun.

s[t] = x[i];                                  __memcpy_async(b, x, bytes, GDRAM2NRAM);
[__syncthreads();]                            [__sync_io();]
y[i] = s[63 - t];                             __bang_mul(b, b, b, P);
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xpiler.repair.walk import Place, Walker

_WAITS = {
    "bang": ("__sync();", "__sync_io();", "__sync_compute();"),
    "cuda": ("__pipeline_wait_prior(0);", "__pipeline_commit();"),
}
_BEGINS = re.compile(r"_async\s*\(")
_WAITING = re.compile(r"__sync\w*\s*\(|__pipeline_(?:wait_prior|commit)")
_SOONER, _LIKELY = 0.25, 0.4  # by which what is plausible there is cheaper


def needs_barrier(walker: Walker, place: Place) -> float:
    """By how much a barrier is likelier there than anywhere: behind what writes a shared array, or before
    what reads one."""
    before, behind = _around(walker, place)
    shared = "|".join(re.escape(n.name) for n in place.scope.names.values() if n.shared)
    if not shared or _WAITING.match(before) or _WAITING.match(behind):
        return 0.0
    if re.search(rf"\b(?:{shared})\s*(?:\[(?:[^\[\]]|\[[^\[\]]*\])*\]\s*)+[-+*|]?=(?!=)", before):
        return _LIKELY
    return _SOONER if re.search(rf"\b(?:{shared})\s*\[", behind) else 0.0


def waits(walker: Walker, place: Place, body: str) -> Iterator[tuple[str, float]]:
    """The waits that may be missing, with what they cost: less behind the last of what is begun, and between
    a computation and what fetches its result."""
    offered = _WAITS.get(walker.unit.platform, ()) if _BEGINS.search(body) else ()
    if walker.unit.platform == "cuda" and "__pipeline" not in body:
        return
    before, behind = _around(walker, place)
    begun = bool(_BEGINS.search(before)) and not (_BEGINS.search(behind) or _WAITING.match(behind))
    fetched = before.startswith("__bang_") and bool(_BEGINS.search(behind))
    for number, wait in enumerate(offered):
        likely = fetched if "compute" in wait else begun
        sooner = _LIKELY if likely else 0.0
        yield wait, 1.2 + 0.05 * len(place.loops) + 0.1 * number - sooner


def _around(walker: Walker, place: Place) -> tuple[str, str]:
    """The statements before and behind a place between them, "" where there is none."""
    if place.role == "end":
        inside = [node for node in place.node.named_children if node.type != "comment"]
        return walker.written(inside[-1]) if inside else "", ""
    node = place.node.prev_named_sibling
    while node is not None and node.type == "comment":
        node = node.prev_named_sibling
    return walker.written(node), walker.written(place.node)
