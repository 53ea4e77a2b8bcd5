"""Which functions of a C or C++ file are kernels: plain functions on arrays, called from outside.

    static inline float relu(float x) {...}                        a helper, inlined where it is called
    extern "C" void layer(const float *x, float *y, int n) {...}   a kernel
    int main() {...}                                               the program that calls it

The `extern "C"` functions that take a pointer if there are any, else the functions with external linkage
that take one and that no other function of the file calls, else those without it that `main` calls and that
print nothing; where the entries are known, these.
"""

from __future__ import annotations

import re
from dataclasses import replace

from xpiler.frontend.syntax import SyntaxUnit
from xpiler.frontend.syntax_model import FunctionDef

# A program's own function that shows results stays with its `main`.
_WRITES = frozenset(("printf", "fprintf", "puts", "fputs", "putchar", "fputc", "fwrite"))


def with_serial_kernels(unit: SyntaxUnit, entries: frozenset[str] = frozenset()) -> SyntaxUnit:
    """The unit with its kernels found; every other function may be called by them and is inlined there."""
    functions = (*unit.host_functions, *unit.device_functions)
    defined = tuple(f for f in functions if f.body is not None and f.name != "main")
    names = {name.split("::")[-1] for name in entries}
    known = [f for f in defined if f.name in names and not f.owner]
    kernels = known or _kernels(unit, defined)
    return replace(
        unit,
        kernels=tuple(f for f in unit.host_functions if f in kernels),
        device_functions=defined,
        host_functions=tuple(f for f in unit.host_functions if f.name == "main"),
    )


def _kernels(unit: SyntaxUnit, defined: tuple[FunctionDef, ...]) -> list[FunctionDef]:
    on_arrays = [f for f in defined if f.is_local and not f.owner and not f.template and _takes_arrays(f)]
    outside = [f for f in on_arrays if _is_visible(f)]
    exported = [f for f in outside if f.is_extern_c]
    if exported:
        return exported
    if not outside:
        by_main = {name for f in unit.host_functions if f.name == "main" for name in _called(unit, f)}
        return [f for f in on_arrays if f.name in by_main and not _called(unit, f) & _WRITES]
    called = {name for f in defined for name in _called(unit, f) if name != f.name}
    return [f for f in outside if f.name not in called] or outside


def _is_visible(function: FunctionDef) -> bool:
    hidden = {"static", "constexpr", "inline"} & function.qualifiers and not function.is_extern_c
    return not hidden and "static" not in function.qualifiers and all(function.namespace)


def _takes_arrays(function: FunctionDef) -> bool:
    return any("*" in p.text or "[" in p.text for p in function.params)


def _called(unit: SyntaxUnit, function: FunctionDef) -> set[str]:
    return set(re.findall(r"\b([A-Za-z_]\w*)\s*(?:<[^;{}()]*>)?\s*\(", unit.text_of(function.body)))
