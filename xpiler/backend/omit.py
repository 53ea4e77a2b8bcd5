"""A text without one of its kernels, for when that kernel cannot be translated and the others can.

    __global__ void bad(...) { asm(...); }            // kernel bad is not translated
    bad<<<grid, block>>>(x);                  -->     __builtin_trap();

A program that reaches the launch stops there: it never goes on as if the kernel had run. Device functions
that only this kernel calls go with it. Lines keep their numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from xpiler.frontend.unit import KernelText, Unit


def base_name(spelling: str) -> str:
    """`ns::gemm<float>` -> `gemm`."""
    return spelling.split("<")[0].split("::")[-1].strip()


def without_kernel(unit: Unit, name: str) -> str:
    """The text of `unit` with the definitions and launches of kernel `name` (a base name) taken out."""
    edits = [
        (kernel.span, f"/* kernel {name} is not translated */")
        for kernel in unit.kernels
        if kernel.name == name and kernel.range.file == unit.file
    ]
    edits += [(f.span, "") for f in _only_for(unit, name)]
    edits += [(site.span, "__builtin_trap()") for site in unit.launches if base_name(site.spelling) == name]
    text = unit.text
    for (start, end), replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + "\n" * text.count("\n", start, end) + text[end:]
    return text


def kernel_at(unit: Unit, file: str, line: int) -> str | None:
    """The base name of a kernel whose definition, or that of a device function which it calls, has a line."""
    for kernel in unit.kernels:
        if _contains(kernel, file, line):
            return kernel.name
    for function in unit.device_functions:
        if _contains(function, file, line):
            return next((k.name for k in unit.kernels if function in _called(unit, [k])), None)
    return None


def _contains(text: KernelText, file: str, line: int) -> bool:
    return text.range.file == file and text.range.line <= line <= text.range.end_line


def _only_for(unit: Unit, name: str) -> list[KernelText]:
    """The device functions of the file that kernel `name` reaches and nothing else does. (A function of plain
    C++ is a kernel and may be called like a device function: it is none of these.)"""
    own = [kernel for kernel in unit.kernels if kernel.name == name]
    kernels = {kernel.span for kernel in unit.kernels}
    others = [kernel for kernel in unit.kernels if kernel.name != name]
    kept = _called(unit, others)
    host = set(re.findall(r"\w+", " ".join(function.body for function in unit.host_functions)))
    return [
        f
        for f in _called(unit, own)
        if f.span not in kernels and f not in kept and f.name not in host and f.range.file == unit.file
    ]


def _called(unit: Unit, callers: Iterable[KernelText]) -> list[KernelText]:
    """The device functions that texts mention, directly or through others."""
    found: list[KernelText] = []
    work = list(callers)
    while work:
        words = set(re.findall(r"\w+", unit.text[slice(*work.pop().span)]))
        more = [f for f in unit.device_functions if f.name in words and f not in found]
        found += more
        work += more
    return found
