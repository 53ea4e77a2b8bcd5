"""A C++ text with a clock around what were kernels.

    gemm_kernel(grid, block, d_A, ...);  -->  xpiler_clocked([&] { gemm_kernel(grid, block, d_A, ...); });

What an entry does besides (allocating, copying to and from what was a device's memory) belongs to the
program, not to its kernels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_CLOCK = """#include <ctime>
extern "C" { double xpiler_kernel_seconds = 0; }
template <class Work>
static inline void xpiler_clocked(const Work& work) {
    timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    work();
    clock_gettime(CLOCK_MONOTONIC, &to);
    xpiler_kernel_seconds += (to.tv_sec - from.tv_sec) + 1e-9 * (to.tv_nsec - from.tv_nsec);
}
"""


def clocked(text: str, kernels: Iterable[str]) -> str | None:
    """The text with the clock that the runner reads; None where the functions `kernels` are called by nobody
    in it, so that they are what is called from outside."""
    timed = text
    for name in kernels:
        timed = around_calls(timed, name, "xpiler_clocked")
    return None if timed == text else f"{_CLOCK}#line 1\n{timed}"


def around_calls(text: str, name: str, clock: str) -> str:
    """The text with `clock` called with every statement that calls the function, and the function as a
    lambda."""
    out, done = [], 0
    for found in re.finditer(rf"(?<![\w.]){re.escape(name)}(?:<[^<>()]*>)?\(", text):
        before = text[: found.start()].rstrip()
        if found.start() < done or not before.endswith((";", "{", "}", ")", "else")):
            continue  # a definition or declaration, or part of an expression
        end = _closing(text, found.end() - 1)
        if not text[end:].lstrip().startswith(";"):
            continue
        out += [text[done : found.start()], f"{clock}([&] {{ {text[found.start() : end]}; }})"]
        done = end
    return "".join(out) + text[done:]


def _closing(text: str, opening: int) -> int:
    """The place behind the parenthesis that closes the one at `opening`."""
    depth = 0
    for place in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place + 1
    return len(text)
