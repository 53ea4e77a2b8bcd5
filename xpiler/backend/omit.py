"""A text without one of its kernels, for when that kernel cannot be translated and the others can.

    __global__ void bad(...) { asm(...); }            // kernel bad is not translated
    bad<<<grid, block>>>(x);                  -->     __builtin_trap();

A program that reaches the launch stops there: it never goes on as if the kernel had run. Lines keep their
numbers.
"""

from __future__ import annotations

from xpiler.frontend.unit import Unit


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
    edits += [(site.span, "__builtin_trap()") for site in unit.launches if base_name(site.spelling) == name]
    text = unit.text
    for (start, end), replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + "\n" * text.count("\n", start, end) + text[end:]
    return text


def kernel_at(unit: Unit, file: str, line: int) -> str | None:
    """The base name of the kernel whose definition contains a line."""
    for kernel in unit.kernels:
        place = kernel.range
        if place.file == file and place.line <= line <= place.end_line:
            return kernel.name
    return None
