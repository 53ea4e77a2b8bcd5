"""Kernels as values of host code, where a launch is another thing than a call through a pointer.

    auto k = add ? plus : times;               -->  auto k = add ? plus_address : times_address;
    k<<<grid, block>>>(x, n);                  -->  is_kernel(k, plus_address) ? plus(grid, block, x, n) : ...
    __global__ void plus(float *x, int n) {}   -->  ... and static void plus_address(float *, int) {}

A kernel has parameters of its own on the target. What a value holds is the address of a function that has
those of the source and does nothing, and each launch by a value asks which one it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from xpiler.frontend.unit import LaunchSite, Unit
from xpiler.ir.nodes import Function

IS_KERNEL = """\
// Whether a kernel that was taken as a value is this one.
template <class Value, class Kernel> static bool is_kernel(Value value, Kernel *kernel) {
    return (const void *)value == (const void *)kernel;
}"""


def address_of(kernel: Function) -> str:
    """What stands for a kernel as a value: `smooth_address<3>` for `smooth<3>`."""
    name, angle, arguments = kernel.spelling.partition("<")
    return f"{kernel.namespace}{name}_address{angle}{arguments}"


def value_edits(unit: Unit) -> Iterable[tuple[int, int, str]]:
    """Where host code takes a kernel as a value it takes the address that stands for it: start, end, text."""
    for start, end in unit.kernel_values:
        yield start, end, f"{unit.text[start:end]}_address"


def address_function(unit: Unit, name: str, definition: str) -> str:
    """The function whose address stands for the kernel `name`, made of the head of its `definition`; "" where
    no host code takes it as a value."""
    if not any(unit.text[start:end] == name for start, end in unit.kernel_values):
        return ""
    found = re.search(rf"\b{re.escape(name)}\s*\(", definition)
    if found is None:
        return ""
    depth, end = 0, found.end() - 1
    for end in range(found.end() - 1, len(definition)):
        depth += (definition[end] == "(") - (definition[end] == ")")
        if depth == 0:
            break
    template = re.match(r"\s*(template\s*<.*>)\s*(?=(?:static|extern|inline|__global__)\b)", definition, re.S)
    head = f"{template[1]} " if template and template.end() < found.start() else ""
    return f"{head}static void {name}_address{definition[found.end() - 1 : end + 1]} {{}}"


def chosen(unit: Unit, group: Iterable[LaunchSite]) -> list[tuple[Function, str]]:
    """For each kernel that a launch by a value may start: it, and the question whether it is that one."""
    kernels = {kernel.name: kernel for kernel in unit.program.kernels}
    return [
        (kernels[site.kernel], f"is_kernel({site.value}, {address_of(kernels[site.kernel])})")
        for site in group
    ]
