"""Operators of CUDA's vector types that a file defines for itself, and that HIP's vectors have as members."""

from __future__ import annotations

import re
from itertools import pairwise

from xpiler.backend.hip_edits import EditList
from xpiler.backend.hip_source import SourceText, Token

_KINDS = re.compile(r"(?:u?(?:char|short|int|long|longlong)|float|double)[1234]")
_COMPOUND = frozenset("+= -= *= /= %= &= |= ^= <<= >>=".split())
_DECORATION = frozenset(("const", "&", "__restrict__", "__restrict"))
_ARITHMETIC = frozenset("+ - * / % & | ^ << >> ? ! ~".split()) | _COMPOUND


def drop_vector_operators(source: SourceText, edits: EditList) -> None:
    """`void operator+=(float4 &a, float4 b) { a.x += b.x; ... }` --> nothing

    Beside a member no such function can be called: the two are ambiguous. One that does not compute element
    by element is left, for it is not what the member does.
    """
    tokens = source.tokens
    for i, token in source.names():
        if token.text != "operator" or tokens[i + 1].text not in _COMPOUND or tokens[i + 2].text != "(":
            continue
        close = source.match(i + 2)
        if close is None or tokens[close + 1].text != "{" or not _is_of_one_kind(tokens[i + 3 : close]):
            continue
        end = source.match(close + 1)
        first = i
        while first > 0 and tokens[first - 1].text not in (";", "{", "}"):
            first -= 1
        if end is None or tokens[first].text == "template":
            continue
        if _is_element_by_element(tokens[close + 2 : end], tokens[i + 1].text):
            reason = "HIP's vectors have this operator"
            edits.replace(tokens[first].start, tokens[end].end, "", reason)


def _is_of_one_kind(parameters: tuple[Token, ...]) -> bool:
    """Whether they are a vector and another one of its type: `float4 &a, const float4 &b`."""
    words = [t.text for t in parameters if t.text not in _DECORATION]
    return len(words) == 5 and words[2] == "," and words[0] == words[3] and bool(_KINDS.fullmatch(words[0]))


def _is_element_by_element(body: tuple[Token, ...], operator: str) -> bool:
    """Whether a body has no operators but that of its name, no numbers, and calls but a constructor."""
    called = [t.text for t, after in pairwise(body) if t.kind == "name" and after.text == "("]
    return (
        {t.text for t in body} & _ARITHMETIC <= {operator, operator[:-1]}
        and not any(t.kind == "number" for t in body)
        and all(name.startswith("make_") for name in called)
    )
