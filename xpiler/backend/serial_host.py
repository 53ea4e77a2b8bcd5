"""A file of plain functions with other texts in the place of some: `main` and what it calls stay."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from xpiler.backend.host_cpp import Edit, _after_leading_comment, _apply
from xpiler.backend.signature import with_definitions
from xpiler.frontend.unit import Unit
from xpiler.ir.nodes import Param

_INTRINSICS = re.compile(r"\b_mm(?:256|512)?_\w+|\b__m(?:128|256|512)\w*|\b__mmask\d+")
_INTRINSICS_HEADER = re.compile(
    r"^[ \t]*#[ \t]*include[ \t]*<\w*intrin\.h>[^\n]*\n?|^[ \t]*#pragma omp [^\n]*\n", re.M
)
_ROW = re.compile(r"(?P<base>(?:const )?\w+)(?P<extents>(?:\[\d+\])+)\*")
_STRUCT = re.compile(r"(?P<base>(?:const )?[A-Za-z_]\w*)\*.*")


def as_passed(param: Param, name: str) -> str:
    """A parameter that is a pointer to rows or structs, as the file's own callers pass it; "" for others.

    double a[][3][72]   -->   double (*a)[3][72]
    """
    if param.lanes == 1 or not param.is_pointer:
        return ""
    row = _ROW.fullmatch(param.spelling)
    if row is not None:
        extents = re.findall(r"\[\d+\]", row["extents"])
        return f"{row['base']} (*{name}){''.join(reversed(extents))}"
    struct = _STRUCT.fullmatch(param.spelling)
    return f"{struct['base']} *{name}" if struct is not None else ""


def with_functions(unit: Unit, texts: Mapping[str, str], *, whole: bool) -> str:
    """The file with `texts` for its functions of these names. `whole`: the rest of the file, its `main` and
    what that calls, stays; else only its leading comment does, and what the functions' parameters need."""
    if not whole:
        leading = unit.text[: _after_leading_comment(unit.text)].rstrip()
        body = with_definitions(unit, list(texts), "\n\n".join(texts.values()))
        return "\n\n".join([*([leading] if leading else []), body]) + "\n"
    body = _apply(unit.text, _edits(unit, texts))
    return body if _INTRINSICS.search(body) else _INTRINSICS_HEADER.sub("", body)


def _edits(unit: Unit, texts: Mapping[str, str]) -> Iterable[Edit]:
    for text in unit.kernels:
        if text.name in texts:
            yield Edit(*text.span, texts[text.name])
    kept = _called_by_host(unit, texts)
    for text in unit.device_functions:
        if text.name not in kept and text.name not in texts:
            yield Edit(*text.span, "")


def _called_by_host(unit: Unit, texts: Mapping[str, str]) -> set[str]:
    """Functions that the file's `main` calls, directly or through others, and that no text replaces."""
    bodies: dict[str, str] = {}
    for text in unit.device_functions:
        bodies[text.name] = bodies.get(text.name, "") + unit.text[slice(*text.span)]
    found: set[str] = set()
    work = [unit.text[slice(*f.span)] for f in unit.host_functions]
    while work:
        for word in re.findall(r"\b[A-Za-z_]\w*", work.pop()):
            if word in bodies and word not in found and word not in texts:
                found.add(word)
                work.append(bodies[word])
    return found
