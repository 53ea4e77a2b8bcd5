"""A plain function on host arrays for an MLU: its kernel, and a wrapper of its name and signature.

void relu(const float *x, float *y, int n)   -->   __mlu_entry__ void relu_kernel(...) {...}
                                                   extern "C" void relu(const float *x, float *y, int n) {
                                                       allocate, copy in, launch, copy out, free }
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xpiler.backend.bang import BangFunction, parameter_text
from xpiler.backend.bang_host import _with_preamble
from xpiler.backend.c_expressions import CExpressions
from xpiler.backend.host_cpp import Edit, _after_leading_comment, _apply
from xpiler.frontend.unit import Unit
from xpiler.ir.nodes import Expr, Function, Param

_INTRINSICS = re.compile(r"\b_mm(?:256|512)?_\w+|\b__m(?:128|256|512)\w*|\b__mmask\d+")
_INTRINSICS_HEADER = re.compile(
    r"^[ \t]*#[ \t]*include[ \t]*<\w*intrin\.h>[^\n]*\n?|^[ \t]*#pragma omp [^\n]*\n", re.M
)


@dataclass(frozen=True)
class Moved:
    """An array of the function on the device: its elements, and which way its contents go."""

    extent: Expr
    copy_in: bool
    copy_out: bool


@dataclass(frozen=True)
class Wrapped:
    """A function, its kernel, and its arrays by parameter."""

    source: Function
    kernel: BangFunction
    arrays: Mapping[str, Moved]


def serial_file(unit: Unit, functions: Mapping[str, Wrapped], *, whole: bool) -> str:
    """The file with each function as kernel and wrapper. `whole`: the rest of the file, its `main` and what
    that calls, stays."""
    if not whole:
        leading = unit.text[: _after_leading_comment(unit.text)].rstrip()
        parts = [_and_wrapper(function) for function in functions.values()]
        body = "\n\n".join([*([leading] if leading else []), *parts]) + "\n"
    else:
        body = _apply(unit.text, _edits(unit, functions))
        if not _INTRINSICS.search(body):
            body = _INTRINSICS_HEADER.sub("", body)
    return _with_preamble(body, [function.kernel for function in functions.values()])


def _edits(unit: Unit, functions: Mapping[str, Wrapped]) -> Iterable[Edit]:
    for text in unit.kernels:
        if text.name in functions:
            yield Edit(*text.span, _and_wrapper(functions[text.name]))
    kept = _called_by_host(unit)
    for text in unit.device_functions:
        if text.name not in kept and text.name not in functions:
            yield Edit(*text.span, "")


def _called_by_host(unit: Unit) -> set[str]:
    """Functions that the file's `main` calls, directly or through others."""
    bodies: dict[str, str] = {}
    for text in unit.device_functions:
        bodies[text.name] = bodies.get(text.name, "") + unit.text[slice(*text.span)]
    found: set[str] = set()
    work = [unit.text[slice(*f.span)] for f in unit.host_functions]
    kernels = {k.name for k in unit.kernels}
    while work:
        for word in re.findall(r"\b[A-Za-z_]\w*", work.pop()):
            if word in bodies and word not in found and word not in kernels:
                found.add(word)
                work.append(bodies[word])
    return found


def _and_wrapper(function: Wrapped) -> str:
    source, kernel = function.source, function.kernel
    printer = CExpressions(source.params)
    parameters = ", ".join(f"{_spelling(p)}{printer.name(p.name)}" for p in source.params)
    sizes, moves, back, frees = [], [], [], []
    arguments = []
    for param in source.params:
        name = printer.name(param.name)
        if not param.is_pointer:
            arguments.append(name)
            continue
        array = function.arrays[param.name]
        element = _element(param)
        size, device = printer.fresh(f"{name}_bytes"), printer.fresh(f"{name}_mlu")
        sizes.append(f"const size_t {size} = {printer.expr(array.extent, 13)} * sizeof({element});")
        sizes.append(f"{element} *{device} = nullptr;")
        moves.append(f"cnrtMalloc((void **)&{device}, {size});")
        if array.copy_in:
            moves.append(f"cnrtMemcpy({device}, (void *){name}, {size}, cnrtMemcpyHostToDev);")
        if array.copy_out:
            back.append(f"cnrtMemcpy({name}, {device}, {size}, cnrtMemcpyDevToHost);")
        frees.append(f"cnrtFree({device});")
        arguments.append(device)
    launch = f"{kernel.name}<<<all_cores(), cnrtFuncTypeUnion1, default_queue()>>>({', '.join(arguments)});"
    lines = [*sizes, *moves, launch, "cnrtQueueSync(default_queue());", *back, *frees]
    body = "\n".join(f"    {line}" for line in lines)
    return (
        f"{kernel.text}\n\n// The arrays are the host's: they are copied to the device and back.\n"
        f'extern "C" void {source.name}({parameters}) {{\n{body}\n}}'
    )


def _spelling(param: Param) -> str:
    return parameter_text(param, "").replace("__restrict__ ", "")


def _element(param: Param) -> str:
    return _spelling(param).replace("const ", "").replace("*", "").strip()
