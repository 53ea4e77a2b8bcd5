"""A delivered text with a clock around its kernels.

    gemm_kernel(grid, block, d_A, ...);  -->  xpiler_timed([&] { gemm_kernel(grid, block, d_A, ...); });

What an entry does besides (allocating, copying to and from what was a device's memory) belongs to the
program, not to its kernels, and a vendor's primitive does none of it: it is run, and not counted. Where an
entry calls no kernels it is itself what is timed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from xpiler.backend.c_types import value_type
from xpiler.gate.contract import Argument

_CLOCK = """
#include <ctime>
extern "C" int xpiler_repeats;
extern "C" double xpiler_seconds;
template <class Work>
static inline void xpiler_timed(const Work& work) {
    timespec from, to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    for (int i = 0; i < xpiler_repeats; ++i) work();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    xpiler_seconds += (to.tv_sec - from.tv_sec) + 1e-9 * (to.tv_nsec - from.tv_nsec);
}
"""


def with_clock(text: str, kernels: Iterable[str], entry: str, arguments: Sequence[Argument]) -> str:
    """The text with `xpiler_call(pointers, sizes)`, which runs `entry` and counts its kernels' time alone.

    `kernels` are the names of functions that kernels became, `arguments` those of the entry.
    """
    timed = text
    for name in kernels:
        timed = _around_calls(timed, name)
    passed, counts = [], {"pointers": 0, "sizes": 0}
    for argument in arguments:
        kind, star = ("pointers", "*") if argument.is_pointer else ("sizes", "")
        passed.append(f"({value_type(argument.dtype)}{star}){kind}[{counts[kind]}]")
        counts[kind] += 1
    call = f"{entry}({', '.join(passed)});"
    if timed == text:
        call = f"xpiler_timed([&] {{ {call} }});"
    return (
        f"{_CLOCK}\n{timed}\n"
        "int xpiler_repeats = 1;\ndouble xpiler_seconds = 0;\n"
        f'extern "C" void xpiler_call(void** pointers, const long* sizes) {{ {call} }}\n'
    )


def _around_calls(text: str, name: str) -> str:
    out, done = [], 0
    for found in re.finditer(rf"(?<![\w.]){re.escape(name)}(?:<[^<>()]*>)?\(", text):
        before = text[: found.start()].rstrip()
        if found.start() < done or not before.endswith((";", "{", "}", ")", "else")):
            continue  # a definition or declaration, or part of an expression
        end = _closing(text, found.end() - 1)
        if not text[end:].lstrip().startswith(";"):
            continue
        out += [text[done : found.start()], f"xpiler_timed([&] {{ {text[found.start() : end]}; }})"]
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
