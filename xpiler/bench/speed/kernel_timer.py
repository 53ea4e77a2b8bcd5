"""A delivered text with a clock around its kernels.

    gemm_kernel(grid, block, d_A, ...);  -->  xpiler_timed([&] { gemm_kernel(grid, block, d_A, ...); });

What an entry does besides (allocating, copying to and from what was a device's memory) belongs to the
program, not to its kernels, and a vendor's primitive does none of it: it is run, and not counted. Where an
entry calls no kernels it is itself what is timed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xpiler.backend.c_types import value_type
from xpiler.gate.contract import Argument
from xpiler.gate.kernel_clock import around_calls

_CLOCK = """
#include <ctime>
extern "C" int xpiler_repeats;
extern "C" double xpiler_seconds;
extern "C" int xpiler_clock;
template <class Work>
static inline void xpiler_timed(const Work& work) {
    timespec from, to;
    clock_gettime(xpiler_clock, &from);
    for (int i = 0; i < xpiler_repeats; ++i) work();
    clock_gettime(xpiler_clock, &to);
    xpiler_seconds += (to.tv_sec - from.tv_sec) + 1e-9 * (to.tv_nsec - from.tv_nsec);
}
"""


def with_clock(text: str, kernels: Iterable[str], entry: str, arguments: Sequence[Argument]) -> str:
    """The text with `xpiler_call(pointers, sizes)`, which runs `entry` and counts its kernels' time alone.

    `kernels` are the names of functions that kernels became, `arguments` those of the entry.
    """
    timed = text
    for name in kernels:
        timed = around_calls(timed, name, "xpiler_timed")
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
        "int xpiler_repeats = 1;\ndouble xpiler_seconds = 0;\nint xpiler_clock = CLOCK_THREAD_CPUTIME_ID;\n"
        f'extern "C" void xpiler_call(void** pointers, const long* sizes) {{ {call} }}\n'
    )
