"""A plain function on host arrays for an MLU: its kernel, and a wrapper of its name and signature.

void relu(const float *x, float *y, int n)   -->   __mlu_entry__ void relu_kernel(...) {...}
                                                   extern "C" void relu(const float *x, float *y, int n) {
                                                       allocate, copy in, launch, copy out, free }
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from xpiler.backend.bang import BangFunction, parameter_text
from xpiler.backend.bang_host import _with_preamble, passed_global
from xpiler.backend.c_expressions import PRIMARY, CExpressions, wrapped
from xpiler.backend.c_types import value_type
from xpiler.backend.largest_index import largest_lines
from xpiler.backend.serial_host import as_passed, with_functions
from xpiler.backend.signature import check_lines, parameters_of, signature_of
from xpiler.backend.vnni import global_text
from xpiler.frontend.unit import Unit
from xpiler.ir.nodes import RETURN, Call, Expr, Function, Param
from xpiler.passes.argument_checks import Checked, optional_arrays


@dataclass(frozen=True)
class Moved:
    """An array of the function on the device: its elements, which way its contents go, and for how many more
    elements there must be room behind them."""

    extent: Expr
    copy_in: bool
    copy_out: bool
    room: int = 0


@dataclass(frozen=True)
class Wrapped:
    """A function, its kernel, and its arrays by parameter. `own`: parameters of the kernel alone, for memory
    that the function takes for itself. `checked`: the source apart from its checks."""

    source: Function
    kernel: BangFunction
    arrays: Mapping[str, Moved]
    own: tuple[Param, ...]
    checked: Checked


def serial_file(unit: Unit, functions: Mapping[str, Wrapped], *, whole: bool) -> str:
    """The file with each function as kernel and wrapper. `whole`: the rest of the file, its `main` and what
    that calls, stays."""
    texts = {name: _and_wrapper(function, unit, whole=whole) for name, function in functions.items()}
    body = with_functions(unit, texts, whole=whole)
    return _with_preamble(body, [function.kernel for function in functions.values()])


class _HostExpressions(CExpressions):
    """Sizes of arrays, as host code computes them."""

    def _call(self, expr: Call) -> tuple[str, int]:
        if expr.function in ("min", "max"):
            args = ", ".join(self.expr(a) for a in expr.args)
            return f"std::{expr.function}<{value_type(expr.dtype)}>({args})", PRIMARY
        return super()._call(expr)


def _and_wrapper(function: Wrapped, unit: Unit, *, whole: bool) -> str:
    source, kernel = function.source, function.kernel
    printer = _HostExpressions(source.params)
    declared, values = parameters_of(
        source.params,
        signature_of(unit, source.name),
        {p.name: printer.name(p.name) for p in source.params},
        lambda p, name: (as_passed(p, name) if whole else "") or f"{_spelling(p)}{name}",
        printer.fresh,
    )
    returned = next((_element(p) for p in source.params if p.name == RETURN), "void")
    sizes: list[str] = []
    moves, back, frees = [], [], []
    arguments = []
    counts = {name: array.extent for name, array in function.arrays.items()}
    printer.names |= {p.name: values[p.name] for p in source.params if not p.is_pointer}
    checks = list(check_lines(function.checked, values, printer))
    sizes += largest_lines(counts.values(), counts, values, printer)
    result = function.checked.result
    optional = optional_arrays(function.checked.function)
    for param in (*source.params, *function.own):
        if param.name == RETURN and result is not None:
            continue
        value = values.get(param.name) or printer.name(param.name)
        if not param.is_pointer:
            arguments.append(value)
            continue
        name = re.sub(r"\W+", "_", value)
        array = function.arrays[param.name]
        element = _element(param)
        size, device = printer.fresh(f"{name}_bytes"), printer.fresh(f"{name}_mlu")
        sizes.append(f"const size_t {size} = {printer.expr(array.extent, 13)} * sizeof({element});")
        sizes.append(f"{element} *{device} = nullptr;")
        room = f" + {array.room} * sizeof({element})" if array.room else ""
        if_given = f"if ({value}) " if param.name in optional else ""
        moves.append(f"{if_given}cnrtMalloc((void **)&{device}, {size}{room});")
        if array.copy_in:
            moves.append(f"{if_given}cnrtMemcpy({device}, (void *){value}, {size}, cnrtMemcpyHostToDev);")
        if param.name == RETURN:
            sizes.append(f"{element} {name};")
        if array.copy_out:
            host = f"&{name}" if param.name == RETURN else value
            back.append(f"{if_given}cnrtMemcpy({host}, {device}, {size}, cnrtMemcpyDevToHost);")
        frees.append(f"cnrtFree({device});")
        arguments.append(device)
    tables = []
    for table in kernel.globals:
        shown = f"{kernel.name}_{table.name}"
        while re.search(rf"\b{shown}\b", unit.text):
            shown += "_"
        tables.append(global_text(replace(table, name=shown)))
        arguments.append(passed_global(replace(table, name=shown)))
    launch = f"{kernel.name}<<<all_cores(), cnrtFuncTypeUnion1, default_queue()>>>({', '.join(arguments)});"
    lines = [*checks, *sizes, *moves, launch, "cnrtQueueSync(default_queue());", *back, *frees]
    if returned != "void":
        lines.append(f"return {printer.name(RETURN) if result is None else printer.expr(result)};")
    body = "\n".join(wrapped(f"    {line}") for line in lines)
    return (
        "".join(f"{text}\n\n" for text in tables) + f"{kernel.text}\n\n"
        "// The arrays are the host's: they are copied to the device and back.\n"
        f'extern "C" {returned} {source.name}({", ".join(declared)}) {{\n{body}\n}}'
    )


def _spelling(param: Param) -> str:
    return parameter_text(param, "").replace("__restrict__ ", "")


def _element(param: Param) -> str:
    return _spelling(param).replace("const ", "").replace("*", "").strip()
