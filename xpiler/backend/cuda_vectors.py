"""Clang's vector types in a CUDA text: `ext_vector_type` and `vector_size` name a class in the file."""

from __future__ import annotations

import re
from collections.abc import Collection

from xpiler.backend.hip_edits import EditList
from xpiler.backend.hip_source import SourceText, Token
from xpiler.backend.hip_types import declared_type

ATTRIBUTES = frozenset({"ext_vector_type", "__ext_vector_type__", "vector_size", "__vector_size__"})
_DROPPED = re.compile(
    r"\b(amdgpu_flat_work_group_size|amdgpu_waves_per_eu|amdgpu_num_vgpr|amdgpu_num_sgpr|optnone|address_space)\b"
)
_REASON = "CUDA's compiler has no vector types; the class `lanes` has their operators"


def translate_vectors(source: SourceText, edits: EditList) -> None:
    """`typedef float f4 __attribute__((ext_vector_type(4)));` --> `typedef lanes<float, 4> f4;`"""
    tokens = source.tokens
    for i, token in source.names():
        if token.text not in ("__attribute__", "__attribute"):
            continue
        close = source.match(i + 1) if tokens[i + 1].text == "(" else None
        if close is None:
            continue
        inner = tokens[i + 3]
        if inner.text in ATTRIBUTES:
            _vector(source, edits, i, close)
        elif _DROPPED.search(source.text[token.start : tokens[close].end]):
            edits.replace(token.start, tokens[close].end, "", "an attribute of AMD's compiler")


def _vector(source: SourceText, edits: EditList, at: int, close: int) -> None:
    tokens = source.tokens
    end = source.match(at + 4)
    assert end is not None
    count = source.text[tokens[at + 5].start : tokens[end - 1].end]
    first, last = statement_start(tokens, at), statement_end(tokens, close)
    word = tokens[first].text
    outside = [t for t in tokens[first:last] if not tokens[at].start <= t.start < tokens[close].end]
    if word == "typedef":
        element, name = outside[1:-1], outside[-1].text
    elif word == "using":
        element, name = outside[3:], outside[1].text
    else:
        raise source.refuse(
            "vector-type", "a vector type without a name", tokens[at], "name it with `using` or `typedef`"
        )
    spelled = " ".join(t.text for t in element if t.text != "typename").replace(" :: ", "::")
    spelled = {"_Float16": "__half", "__fp16": "__half", "__bf16": "__nv_bfloat16"}.get(spelled, spelled)
    if tokens[at + 3].text.strip("_") == "vector_size":
        whole = re.fullmatch(rf"(\w+)\s*\*\s*sizeof\(\s*{re.escape(spelled)}\s*\)", count)
        count = whole[1] if whole else f"({count}) / sizeof({spelled})"
    kind = f"lanes<{spelled}, {count}>"
    text = f"typedef {kind} {name}" if word == "typedef" else f"using {name} = {kind}"
    edits.replace(tokens[first].start, tokens[last - 1].end, text, _REASON)
    edits.need("lanes")


def statement_start(tokens: tuple[Token, ...], at: int) -> int:
    """Index of the first token of the declaration around token `at`."""
    i = at
    while i > 0 and tokens[i].text not in ("typedef", "using") and tokens[i - 1].text not in (";", "{", "}"):
        i -= 1
    return i


def statement_end(tokens: tuple[Token, ...], at: int) -> int:
    """Index of the semicolon that ends the declaration."""
    i = at
    while tokens[i].kind != "end" and tokens[i].text != ";":
        i += 1
    return i


# ------------------------------------------------------------------------------------------ operators

_OPERATORS = frozenset("+ - * / += -= *= /=".split())
_KINDS = re.compile(r"(?:float|double|int|uint|long|ulong)[234]")


def translate_operators(source: SourceText, edits: EditList, known: Collection[str]) -> None:
    """`x[i] * a + y[i]` on `float4`: HIP's vectors have operators, CUDA's get them in the file."""
    if any(t.text == "operator" for _, t in source.names()):
        return  # the file has its own
    edits.helpers.update(f"operators_{kind}" for kind in known if _KINDS.fullmatch(kind))
    for i, _ in source.names():
        kind = declared_type(source, i)
        if _KINDS.fullmatch(kind) and not source.is_member(i):
            after = _behind(source, i)
            before = source.tokens[i - 1].text
            if after is not None and (source.tokens[after].text in _OPERATORS or _applied(source, i, before)):
                edits.need(f"operators_{kind}")


def _applied(source: SourceText, i: int, before: str) -> bool:
    """Whether an operator stands before token i that has another operand before it."""
    value = source.tokens[i - 2]
    return before in ("+", "-", "/") or (
        before == "*" and (value.kind == "number" or value.text in (")", "]"))
    )


def _behind(source: SourceText, i: int) -> int | None:
    """Index of the token after a vector and its subscripts; None where a pointer or a member is meant."""
    tokens = source.tokens
    j, subscripts = i + 1, 0
    while tokens[j].text == "[":
        close = source.match(j)
        if close is None:
            return None
        j, subscripts = close + 1, subscripts + 1
    if tokens[j].text in (".", "->") or (subscripts == 0 and _is_pointer(source, i)):
        return None
    return j


def _is_pointer(source: SourceText, i: int) -> bool:
    """Whether the nearest declaration of the name before token i has a `*` or extents."""
    name = source.tokens[i].text
    for j in range(i, 0, -1):
        if source.tokens[j].text != name:
            continue
        if source.tokens[j - 1].text in ("*", "__restrict__", "__restrict"):
            return True
        if _KINDS.fullmatch(source.tokens[j - 1].text):
            return source.tokens[j + 1].text == "["
    return False
