"""A text without what needs a library that runs on devices: cuBLAS, CUB, Thrust, cuRAND, NCCL..., PyTorch.

    #include <cublas_v2.h>
    void dense(cublasHandle_t h, ...) { cublasSgemv(...); bias<<<grid, block>>>(...); }      taken out
    __global__ void bias(...) { ... }                                                       stays

Such libraries are not emulated, and their headers are on few machines. Definitions and macros that name one
go, and with them all that use those, by name: an overload that stays is used by nothing that stays, so that
no call comes to mean another function. Offsets are kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from xpiler.errors import Refusal
from xpiler.frontend.comments import blank_comments
from xpiler.frontend.macros import TOKEN
from xpiler.frontend.sourcemap import SourceFile

_LIBRARY = (
    r"(?:cu|hip|roc)(?:blas|rand|fft|sparse|solver|dnn|tensor|cub|prim)\w*(?:/[\w/.]+|\.h)|"
    r"(?:cub|thrust|cutlass|miopen|nccl|rccl|roctracer|nvtx3|torch|ATen|c10|pybind11)/[\w/.]+|"
    r"(?:nccl|rccl|nvToolsExt|roctx)\.h"
)
_TORCH = r"\b(?:torch|ATen|c10|pybind11)/"
_HEADER = re.compile(rf"^[ \t]*#[ \t]*include[ \t]*[<\"](?P<name>{_LIBRARY})[>\"][^\n]*", re.MULTILINE)
_NAMED = re.compile(
    r"\b(?:(?:cu|hip|roc)(?:blas|rand|fft|sparse|solver|dnn|tensor)|nccl|nvtx|roctx|miopen)[A-Z_]\w*|"
    r"\b(?:CU|HIP|ROC)(?:BLAS|RAND|FFT|SPARSE|SOLVER|DNN|TENSOR)_\w+|\b(?:CUDA|HIP)_[RC]_\d+\w+|"
    r"\b(?:thrust|cub|hipcub|rocprim|cutlass)\s*::"
)
_NAMED_OF_TORCH = re.compile(r"\b(?:torch|at|c10|pybind11|py)\s*::|\b(?:AT|TORCH|C10|PYBIND11)_[A-Z]\w*")
_ALL_NAMES = re.compile(r"\busing\s+namespace\s+(?:thrust|cub|hipcub|rocprim|cutlass|torch|at|c10)\b")
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\r?\n|\\.)*", re.MULTILINE)
_DEFINE = re.compile(r"[ \t]*#[ \t]*define\s+(\w+)")
_CONDITION = re.compile(r"[ \t]*#[ \t]*(?:el)?if")
_TYPE = re.compile(r"\b(?:struct|class|union|enum(?:\s+(?:class|struct))?)\s+(\w+)")
_SPACES = re.compile(r"[^\n]")
NEEDS_LIBRARY = "needs a library"
CALLERS = (
    "\n// callers of the functions that take tensors, not part of the program\n"  # by `tensor_callers.py`
)


@dataclass(frozen=True)
class Reduced:
    """The `headers` that were needed, the `names` of the functions, types and macros that went with them,
    where they stood, and why."""

    text: str
    headers: tuple[str, ...]
    names: frozenset[str]
    spans: tuple[tuple[int, int], ...]
    why: str


@dataclass(frozen=True)
class _Item:
    """A definition, a declaration or a macro of file scope."""

    start: int
    end: int
    names: frozenset[str]
    is_function: bool = False


def is_library(header: str) -> bool:
    """Whether a header is one of theirs, by its name."""
    return re.fullmatch(_LIBRARY, header) is not None


def without_libraries(text: str, file: str) -> Reduced | None:
    """None where the text includes no library's header, or where what uses one is not told by names."""
    if not _HEADER.search(text):
        return None
    try:
        bare, _ = blank_comments(SourceFile.of(file, text))
    except Refusal:
        return None
    runs_torch = CALLERS in text
    includes = [h for h in _HEADER.finditer(bare) if not (runs_torch and re.match(_TORCH, h["name"]))]
    if not includes or _ALL_NAMES.search(bare):
        return None
    patterns = [_NAMED] if runs_torch else [_NAMED, _NAMED_OF_TORCH]

    def is_named(start: int, end: int) -> bool:
        return any(pattern.search(bare, start, end) for pattern in patterns)

    directives = list(_DIRECTIVE.finditer(bare))
    if any(_CONDITION.match(d[0]) and is_named(*d.span()) for d in directives):
        return None
    return cut(text, bare, includes, is_named, NEEDS_LIBRARY)


def cut(
    text: str,
    bare: str,
    includes: Sequence[re.Match[str]],
    goes: Callable[[int, int], bool],
    why: str,
) -> Reduced | None:
    """The text without some includes (whose headers the group `name` names), without the definitions and
    macros that go by themselves, and without all that uses those. `bare` is the text with its comments
    blank."""
    directives = list(_DIRECTIVE.finditer(bare))
    items = [*_macros(directives), *_items(_DIRECTIVE.sub(lambda d: _SPACES.sub(" ", d[0]), bare))]
    gone = {item for item in items if goes(item.start, item.end)}
    names: set[str] = set()
    while True:
        more = {name for item in gone for name in item.names} - names
        if not more:
            break
        names |= more
        used = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(more)))})\b")
        gone |= {item for item in items if used.search(bare, item.start, item.end)}
    if any("operator" in bare[item.start : item.end].split("{")[0] for item in gone):
        return None  # nobody writes its name
    headers = tuple(dict.fromkeys(include["name"] for include in includes))
    spans = tuple((item.start, item.end) for item in gone)
    for start, end in [*(include.span() for include in includes), *spans]:
        text = text[:start] + _SPACES.sub(" ", text[start:end]) + text[end:]
    for item in gone:
        name = ", ".join(sorted(item.names))
        remark = f"/* {name}: {why} */" if item.is_function else ""
        is_room = len(remark) <= item.end - item.start
        if is_room and "\n" not in text[item.start : item.start + len(remark)]:
            text = text[: item.start] + remark + text[item.start + len(remark) :]
    return Reduced(text, headers, frozenset(names), spans, why)


def _macros(directives: list[re.Match[str]]) -> Iterator[_Item]:
    for directive in directives:
        defined = _DEFINE.match(directive[0])
        if defined is not None:
            yield _Item(*directive.span(), frozenset({defined[1]}))


def _items(code: str) -> Iterator[_Item]:
    """What stands at file scope or in namespaces, up to its `;` or the `}` of its body."""
    start: int | None = None
    round_, curly = 0, 0
    has_body = False
    for token in TOKEN.finditer(code):
        if token.lastgroup == "space":
            continue
        word = token[0]
        if curly == 0 and round_ == 0 and start is None:
            if word in ("}", ";"):  # the end of a namespace
                continue
            start = token.start()
        assert start is not None
        round_ += (word in ("(", "[")) - (word in (")", "]"))
        if word == "{":
            head = code[start : token.start()]
            if curly == 0 and round_ == 0:
                if re.match(r"\s*(?:inline\s+)?namespace\b|\s*extern\s*\"C\"\s*$", head):
                    start = None
                    continue
                has_body = "(" in head and "=" not in re.sub(r"operator\s*\S+|[<>=!]=", "", _outside(head))
            curly += 1
        elif word == "}":
            curly -= 1
        ends = word == ";" or (word == "}" and has_body)
        if ends and curly == 0 and round_ == 0:
            yield _Item(start, token.end(), _defined(code[start : token.end()]), has_body)
            start, has_body = None, False


def _outside(head: str) -> str:
    """A declaration without what stands in its brackets: default arguments, parameters of templates."""
    previous = ""
    while previous != head:
        previous, head = head, re.sub(r"\([^()]*\)|\[[^\[\]]*\]|<[^<>]*>", " ", head)
    return head


def _defined(item: str) -> frozenset[str]:
    """The names that a definition or declaration gives."""
    head = item.split("{", 1)[0]
    types = _TYPE.findall(head)
    function = re.search(
        r"\b(?!__\w+\b|alignas\b|decltype\b|noexcept\b)(\w+)\s*\(", _without_attributes(head)
    )
    if function is not None:
        return frozenset({function[1]})
    if types and "{" in item:
        return frozenset(types) | frozenset(re.findall(r"(\w+)\s*[;,]", item.rsplit("}", 1)[-1]))
    plain = _outside(item)
    alias = re.match(r"\s*(?:template\s+)?using\s+(\w+)\s*=", plain)
    if alias is not None:
        return frozenset({alias[1]})
    return frozenset(re.findall(r"(\w+)\s*(?=[;,={])", plain))


def _without_attributes(head: str) -> str:
    return re.sub(r"\b(?:__\w+__|alignas|decltype)\s*\(\(?[^()]*\)?\)", " ", _templates_out(head))


def _templates_out(head: str) -> str:
    return re.sub(r"^\s*template\s*<(?:[^<>]|<[^<>]*>)*>", " ", head)
