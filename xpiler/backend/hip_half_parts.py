"""The members x and y of a half2: integers in ROCm 5.2, halves in CUDA and in later ROCm.

Left alone, `v.x` would compile and compute with the bit pattern. So every `.x` and `.y` whose object is a
half2, or may be one, goes through an accessor that returns the half by reference (and any other member as
it is).
"""

from __future__ import annotations

from xpiler.backend.hip_edits import EditList
from xpiler.backend.hip_source import SourceText
from xpiler.backend.hip_types import declared_type

_HALF2 = frozenset({"half2", "__half2"})
_NEVER = frozenset("threadIdx blockIdx blockDim gridDim".split())
_VECTORS = frozenset(
    f"{base}{n}"
    for base in "char uchar short ushort int uint long ulong longlong ulonglong float double".split()
    for n in "1234"
) | {"dim3", "uint3", "__nv_bfloat162", "nv_bfloat162"}
_REASON = "x and y of a half2 are integers in ROCm 5.2"


def translate_half_parts(source: SourceText, edits: EditList) -> None:
    """`v.x` --> `half2_x(v)` where v is or may be a half2."""
    if not any(t.text in _HALF2 for _, t in source.names()):
        return
    tokens = source.tokens
    for i, token in source.names():
        if token.text not in ("x", "y") or not source.is_member(i) or tokens[i + 1].text == "[":
            continue
        start = postfix_start(source, i - 2)
        if start is None or not _may_be_half2(source, start, i - 1):
            continue
        arrow = "*" if tokens[i - 1].text == "->" else ""
        edits.open(tokens[start].start, f"half2_{token.text}({arrow}", token.end, _REASON)
        edits.replace(tokens[i - 1].start, token.end, ")", _REASON)
        edits.need("half2_parts")


def postfix_start(source: SourceText, end: int) -> int | None:
    """First token of the postfix expression (`a[i]`, `f(x)`, `s.a->b`, `(expr)`) that ends at token `end`."""
    tokens, i = source.tokens, end
    while i >= 0:
        if tokens[i].text in (")", "]"):
            opening = _match_back(source, i)
            if opening is None:
                return None
            i = opening
            if tokens[i].text == "(" and (i == 0 or tokens[i - 1].kind != "name"):
                return i
            if tokens[i].text == "(" and tokens[i - 1].text in ("return", "if", "while"):
                return i
            i -= 1
            continue
        if tokens[i].kind != "name":
            return None
        if i >= 2 and tokens[i - 1].text in (".", "->", "::"):
            i -= 2
            continue
        return i
    return None


def _match_back(source: SourceText, i: int) -> int | None:
    depth = 0
    for j in range(i, -1, -1):
        if source.tokens[j].text in (")", "]", "}"):
            depth += 1
        elif source.tokens[j].text in ("(", "[", "{"):
            depth -= 1
            if depth == 0:
                return j
    return None


def _may_be_half2(source: SourceText, start: int, end: int) -> bool:
    """Not a built-in index, and not an object whose declaration names another vector type."""
    tokens = source.tokens
    if tokens[start].text in _NEVER:
        return False
    names = [t for t in tokens[start:end] if t.kind == "name"]
    if not names:
        return False
    if tokens[start].kind != "name" or any(t.text in (".", "->") for t in tokens[start:end]):
        return True  # a member or a bracketed expression: its type is not in the tokens
    if start + 1 < end and tokens[start + 1].text == "(":
        return tokens[start].text not in {f"make_{v}" for v in _VECTORS}
    return declared_type(source, start) not in _VECTORS
