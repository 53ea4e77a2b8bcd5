"""What no compiler would take, and is therefore not offered: a program of a search with errors in it has to
be compiled once more without them.

    cudaMalloc(&d_x, bytes)    -/->    cudaMalloc(bytes, &d_x)         a size is no pointer
    out[i] = v;                -/->    x[i] = v;                       `const float *x` is not written

Only what is sure is left out: kinds that are known and differ, parameters that a header tells.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tree_sitter import Node

import xpiler.emulators
from xpiler.gate.compilers import host_compilers, output_of
from xpiler.repair.scope import ARRAY, FLOAT, INT, MASK, OTHER, POINTER, VECTOR, Name, Scope, kind_of_type
from xpiler.repair.vocabulary import FAMILIES
from xpiler.repair.walk import Place, Walker

_GROUPS = {
    INT: "number",
    FLOAT: "number",
    MASK: "number",
    POINTER: "pointer",
    ARRAY: "pointer",
    VECTOR: "vector",
}
_LAUNCHED = 5  # arguments that say what is launched and how: kernel, grid, block, bytes, stream
_RUNTIME = re.compile(r"(?:__|_mm|cuda|hip|cnrt)\w+")
_FIRST_NAME = re.compile(r"\(?\s*(?:\([^()]*\)\s*)?([A-Za-z_]\w*)")


def can_stand_for(name: Name, other: Name, place: Place) -> bool:
    """Whether `other` can be put where a pointer or array `name` stands: what may be written through is not
    replaced by what may only be read."""
    if name.kind == VECTOR:
        return _plain_type(name) == _plain_type(other)
    pointers = name.kind in (POINTER, ARRAY) and other.kind in (POINTER, ARRAY)
    if not pointers:
        return True
    types = [_plain_type(one) for one in (name, other)]
    if types[0] != types[1] and OTHER not in map(kind_of_type, (name.type, other.type)):
        return False
    if (name.extents[1:] or other.extents[1:]) and name.extents[1:] != other.extents[1:]:
        return False
    if name.is_const or not other.is_const:
        return True
    return place.role == "base" and place.whole not in ("whole", "update")


def _plain_type(name: Name) -> str:
    return re.sub(r"\b(?:const|static|volatile|extern|__\w+__)\b|\s", "", name.type)


def can_exchange(
    walker: Walker, callee: Node, arguments: Sequence[Node], i: int, j: int, scope: Scope
) -> bool:
    """Whether a call may have these two arguments the other way round."""
    both = [arguments[n] for n in (i, j)]
    groups = {_GROUPS.get(walker.kind(one, scope), "") for one in both}
    if "" not in groups and len(groups) == 2:
        return False
    said = [walker.written(one) for one in both]
    if walker.unit.text_of(callee) == "hipLaunchKernelGGL" and i < _LAUNCHED and {i, j} != {1, 2}:
        return False
    if len({next((f for f in FAMILIES if text in f), None) for text in said}) == 2:
        return False
    if len({walker.is_immediate(callee, one, scope) for one in both}) == 2:
        return False
    for definition in (*walker.unit.device_functions, *walker.unit.host_functions):
        if definition.name == walker.unit.text_of(callee) and len(definition.params) == len(arguments):
            parameters = [walker.unit.text_of(definition.params[n].node) for n in (i, j)]
            pairs = zip(parameters, reversed(said), strict=True)
            return all("const" in parameter or not _reads_only(text, scope) for parameter, text in pairs)
    if groups == {"pointer"} and _RUNTIME.fullmatch(walker.unit.text_of(callee)):
        return len({_reads_only(text, scope) for text in said}) == 1
    return True


def _reads_only(text: str, scope: Scope) -> bool:
    first = _FIRST_NAME.match(text)
    known = scope.names.get(first[1]) if first else None
    return known is not None and known.is_const and known.kind in (POINTER, ARRAY)


def takes_the_same(name: str, other: str, count: int) -> bool:
    """Whether two instructions have the same types of parameters and result, as far as headers tell, and the
    other one takes `count` arguments."""
    known = _signatures() if name.startswith("_mm") and other.startswith("_mm") else {}
    if name in known and other in known:
        return known[name] == known[other]
    if known:  # macros, of which the names alone tell
        return name not in known and other not in known and name.split("_")[-1] == other.split("_")[-1]
    counts = _counts() if other.startswith("__") else {}
    if other not in counts:
        return name not in counts  # what is defined in another way is of another form
    return count in counts[other]


_MATHEMATICS = re.compile(r"#\s*include\s*<(?:c?math|c?math\.h|cfloat|float\.h|limits|algorithm)>")
_CONSTANTS = ("INFINITY", "FLT_MAX")


def undeclared(text: str, platform: str) -> frozenset[str]:
    """The constants of the C library that a text of C++ cannot use, as it includes nothing that has them."""
    if platform != "vnni" or _MATHEMATICS.search(text):
        return frozenset()
    return frozenset(word for word in _CONSTANTS if not re.search(rf"\b{word}\b", text))


_DEFINED = re.compile(r"\b(\w+)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)\s*\{")
_FAMILY = re.compile(r"#define (XPEMU_\w+)\((\w+)[^)]*\)((?:[^\n]*\\\n)*[^\n]*)")
_MEMBER = re.compile(r"^(XPEMU_\w+)\((__\w+)", re.M)


@functools.cache
def _counts() -> Mapping[str, frozenset[int]]:
    """How many arguments the functions of the emulators' headers take; many are defined by macros."""
    found: dict[str, set[int]] = {}
    for path in Path(xpiler.emulators.__file__).parent.rglob("*.hpp"):
        text = path.read_text()
        families: dict[str, set[int]] = {}
        for macro, parameter, body in _FAMILY.findall(text):
            taken = [_taken(given) for name, given in _DEFINED.findall(body) if name == parameter]
            families[macro] = set().union(*taken)
        for name, given in _DEFINED.findall(text):
            found.setdefault(name, set()).update(_taken(given))
        for macro, name in _MEMBER.findall(text):
            found.setdefault(name, set()).update(families.get(macro) or range(_MOST))
    return {name: frozenset(counts) for name, counts in found.items()}


_MOST = 64


def _taken(given: str) -> range:
    """The numbers of arguments that fit a list of parameters; the emulator's own, where a call stands, is
    none of the program's."""
    plain = re.sub(r"<[^<>]*>|\([^()]*\)", "", given)
    parameters = [p for p in plain.replace("\\", " ").split(",") if p.strip() not in ("", "XPEMU_AT")]
    if any("..." in p for p in parameters):
        return range(_MOST)
    return range(sum("=" not in p for p in parameters), len(parameters) + 1)


_INTRINSIC = re.compile(r"^(_mm\w+)\s*\(([^()]*)\)\s*\n\{", re.M)
_RESULT = re.compile(r"extern __inline\s+(\w+)[^;{}]*$")


@functools.cache
def _signatures() -> Mapping[str, tuple[str, ...]]:
    """Of intrinsics: the result's type, then those of the parameters."""
    found: dict[str, tuple[str, ...]] = {}
    for path in _headers():
        text = path.read_text(errors="replace")
        for match in _INTRINSIC.finditer(text):
            before = _RESULT.search(text[max(0, match.start() - 160) : match.start()])
            if before is not None:
                parameters = [p for p in match[2].split(",") if p.strip() not in ("", "void")]
                found[match[1]] = before[1], *(_plain(p) for p in parameters)
    return found


def _plain(parameter: str) -> str:
    """`const void * __P` is `pointer`; `__mmask16 __U` is `__mmask16`."""
    if "*" in parameter:
        return "pointer"
    words = [w for w in re.findall(r"\w+", parameter) if w != "const"]
    kind = " ".join(words[:-1]) if len(words) > 1 else " ".join(words)
    return kind if kind.startswith("__m") else "number"


def _headers() -> list[Path]:
    for compiler in host_compilers():
        if compiler.name == "g++":
            folder = Path(output_of([compiler.path, "-print-file-name=include"]).strip())
            return sorted(p for p in folder.glob("*intrin.h") if p.name.startswith(("avx", "fma", "f16c")))
    return []
