"""Extents of a grid as formulas of what the kernel is given, where every launch of it says the same.

    int total = n * c;                                              gridDim.x: (n * c + 255) / 256
    move<<<(total + 255) / 256, 256>>>(x, y, n, c);         -->

Host code is read as text from top to bottom, so a variable that is given a value more than once, counted up
or handed over to what may change it means nothing here. What a formula leaves over beside arguments is no
formula of them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from xpiler.frontend.host_model import LaunchModel, model_host
from xpiler.frontend.syntax import analyse
from xpiler.frontend.unit import LaunchSite, Unit
from xpiler.ir.affine import simplify
from xpiler.ir.build import binary, cast, const, is_const
from xpiler.ir.nodes import Decl, Expr, For, Function, Param, Var
from xpiler.ir.rewrite import assigned_vars, walk
from xpiler.ir.types import I32, I64

_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "/"}


def grid_formulas(unit: Unit, kernel: Function, canonical: Function) -> dict[str, Expr | int]:
    """By the IR's names of the extents, for the canonical form of a kernel; those that are known."""
    sites = [site for site in unit.launches if site.kernel == kernel.name]
    declared = {d.name for d in walk(canonical.body) if isinstance(d, Decl)}
    counted = {loop.var for loop in walk(canonical.body) if isinstance(loop, For)}
    changed = assigned_vars(canonical.body) | declared | counted
    if not sites or any(site.value for site in sites):
        return {}
    launches = [_launch(unit, site) for site in sites]
    found: dict[str, Expr | int] = {}
    for place, axis in enumerate("xyz"):
        formulas = [_formula(launch, place, kernel.params, changed) for launch in launches]
        if formulas[0] is not None and all(formula == formulas[0] for formula in formulas):
            found[f"gridDim.{axis}"] = formulas[0]
    return found


def _launch(unit: Unit, site: LaunchSite) -> LaunchModel | None:
    """None where the host code around does not say what its names are."""
    syntax = analyse(unit.text, unit.file, platform=unit.platform)
    for definition in syntax.host_functions:
        if definition.name != site.host_function or definition.body is None:
            continue
        for launch in model_host(syntax, definition).launches:
            if launch.span == site.span:
                numbers = [t for t, v in zip(launch.arguments, launch.values, strict=True) if v is not None]
                body, given = syntax.text_of(definition.body), [site.grid, *numbers]
                own = {p.name for p in definition.params}
                outside = {v.name for v in syntax.globals if not v.qualifiers & {"const", "constexpr"}}
                return launch if _is_settled(body, given, own, outside) else None
    return None


def _is_settled(text: str, given: Sequence[str], own: AbstractSet[str], outside: AbstractSet[str]) -> bool:
    """Whether every name that has a part in what is given has one value: a parameter (`own`) that which it
    comes with, a variable of the whole program (`outside`) any."""
    reached: set[str] = set()
    open_ = [word for part in given for word in re.findall(r"[A-Za-z_]\w*", part)]
    while open_:
        word = open_.pop()
        if word in reached:
            continue
        reached.add(word)
        writes = re.findall(rf"\b{word}\s*(?:[-+*/%&|^]|<<|>>)?=(?!=)([^;]*)", text)
        if (
            len(writes) + (word in own) > 1
            or word in outside
            or re.search(rf"(?:\+\+|--)\s*{word}\b|\b{word}\s*(?:\+\+|--)", text)
        ):
            return False
        if re.search(rf"(?<!&)&\s*{word}\b|>>\s*{word}\b|\b{word}\s*\.\s*\w+\s*=(?!=)", text):
            return False
        calls = re.findall(r"(?<=[;{})])\s*([\w:]+)\s*(?:<[^;<>]*>)?\(([^;]*)\)\s*(?=;)", text)
        if any(_is_handed_over(word, callee, given) for callee, given in calls):
            return False
        made = re.findall(rf"\b{word}\s*[({{]([^;]*)", text)
        open_ += [inner for part in (*writes, *made) for inner in re.findall(r"[A-Za-z_]\w*", part)]
    return True


def _is_handed_over(word: str, callee: str, given: str) -> bool:
    """Whether a call that is a statement may take the name by reference: `adjust(n);`."""
    is_plain = callee in ("if", "return", "printf", "fprintf") or callee.startswith(("cuda", "hip"))
    return not is_plain and re.search(rf"(?:^|,)\s*{word}\s*(?:,|$)", given) is not None


def _formula(
    launch: LaunchModel | None, place: int, params: Sequence[Param], changed: AbstractSet[str]
) -> Expr | None:
    if launch is None or launch.grid[place] is None or len(launch.values) != len(params):
        return None
    arguments: dict[str, Expr] = {}
    for param, value in zip(params, launch.values, strict=True):
        whole = param.dtype == I32 and not param.is_pointer and param.name not in changed
        if whole and value is not None:
            arguments.setdefault(ast.dump(_parsed(value)), Var(param.dtype, param.name))
    return _converted(_parsed(launch.grid[place] or ""), arguments)


def _parsed(formula: str) -> ast.expr:
    return ast.parse(formula.strip(), mode="eval").body


def _converted(node: ast.expr, arguments: Mapping[str, Expr]) -> Expr | None:
    match node:
        case ast.Constant(value=int(value)) if abs(value) < 1 << 31:
            return const(value, I32)
        case _ if ast.dump(node) in arguments:
            return arguments[ast.dump(node)]
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            first, second = _converted(left, arguments), _converted(right, arguments)
            if first is not None and second is not None:
                if isinstance(operator, ast.Mult) and not is_const(first) and not is_const(second):
                    first = cast(first, I64)  # as many elements as host code may count
                return simplify(binary(_OPERATORS[type(operator)], first, second))
    return None
