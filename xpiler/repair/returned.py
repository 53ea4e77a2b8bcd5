"""Where some threads of a block may be gone already: a barrier does not belong there.

int i = blockIdx.x * 64 + threadIdx.x;
if (i >= n) return;
__syncthreads();                       stands better before the `if`
"""

from __future__ import annotations

import re

from xpiler.repair.walk import Place, Walker

_RETURNS = re.compile(r"\bif\s*\(((?:[^()]|\([^()]*\))*)\)\s*\{?\s*return\b")
_GIVEN = re.compile(r"\b(\w+)\s*=(?!=)([^;]*);")
_THREAD = re.compile(r"\bthreadIdx\b|\bthread_rank\b")


def some_have_returned(walker: Walker, place: Place) -> bool:
    """Whether a `return` before the place depends on the thread."""
    before = walker.text[place.function.definition.span[0] : place.start]
    own: set[str] = set()
    for name, value in _GIVEN.findall(before):
        if _of_thread(value, own):
            own.add(name)
    return any(_of_thread(condition, own) for condition in _RETURNS.findall(before))


def _of_thread(text: str, own: set[str]) -> bool:
    return _THREAD.search(text) is not None or not own.isdisjoint(re.findall(r"\w+", text))
