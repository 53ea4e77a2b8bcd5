"""Parameters of what stands for a function, as its callers pass them: structs whole, kernels take them apart.

relu_kernel(const float *x, int s_rows, int s_columns)
-->   extern "C" void relu(const float *x, shape_t s)          with `s.rows` for `s_rows`
      extern "C" void relu(const float *x, const shape_t *s)   with `s->rows`
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from xpiler.backend.c_expressions import CExpressions
from xpiler.frontend.unit import Signature, Unit
from xpiler.ir.build import not_
from xpiler.ir.nodes import RETURN, Call, Expr, Param, Ref, Var
from xpiler.ir.rewrite import map_expr
from xpiler.ir.types import BOOL
from xpiler.passes.argument_checks import Checked


def signature_of(unit: Unit, name: str) -> Signature | None:
    """That of a function that takes structs, None for others."""
    return next((s for s in unit.signatures if s.name == name), None)


def parameters_of(
    params: Sequence[Param],
    signature: Signature | None,
    names: Mapping[str, str],
    text: Callable[[Param, str], str],
    fresh: Callable[[str], str],
) -> tuple[list[str], dict[str, str]]:
    """The parameters as they are declared, and what each of `params` is in them. Others than structs are
    called by `names` and declared by `text`; `fresh` makes names."""
    structs = {place: (name, declared) for place, name, declared in signature.structs} if signature else {}
    lines: list[str] = []
    values: dict[str, str] = {}
    whole: dict[int, str] = {}
    for param in params:
        if param.name == RETURN:
            values[param.name] = names[param.name]
            continue
        if param.argument not in structs:
            values[param.name] = names[param.name]
            lines.append(text(param, names[param.name]))
            continue
        if param.argument not in whole:
            name, declared = structs[param.argument]
            whole[param.argument] = fresh(name) if param.member else names[param.name]
            lines.append(re.sub(rf"\b{name}\b(?!.*\b{name}\b)", whole[param.argument], declared))
        value = whole[param.argument]
        of = "->" if "*" in structs[param.argument][1] else "."
        values[param.name] = f"{value}{of}{param.member}" if param.member else value
    return lines, values


def check_lines(checked: Checked, values: Mapping[str, str], printer: CExpressions) -> Iterator[str]:
    """`if (!x || n < 1) return -1;` for each check of the arguments; `values`: what each of them is."""

    def passed(expr: Expr) -> Expr:
        match expr:
            case Call(function="is_null", args=(Ref(array=array),)):
                given = Var(BOOL, f"{array} is passed")
                printer.names[given.name] = values[array]
                return not_(given)
        return expr

    for check in checked.checks:
        value = "" if check.value is None else f" {printer.expr(check.value)}"
        yield f"if ({printer.expr(map_expr(check.condition, passed))}) return{value};"


def with_definitions(unit: Unit, functions: Sequence[str], text: str) -> str:
    """The text of some functions of a file behind the definitions that their parameters need."""
    found = {at: each for s in unit.signatures if s.name in functions for at, each in s.definitions}
    return "\n\n".join([*(found[at] for at in sorted(found)), text])
