"""What the text says about an expression's type: enough to tell 32 and 64-bit types from 16-bit floats."""

from __future__ import annotations

from xpiler.backend.hip_source import Argument, SourceText

HALF_NAMES = frozenset(["half", "half2", "__half", "__half2", "__half_raw"])
BFLOAT_NAMES = frozenset(["__nv_bfloat16", "nv_bfloat16", "__nv_bfloat162", "nv_bfloat162"])
_PLAIN = frozenset(
    [
        "int",
        "unsigned",
        "signed",
        "long",
        "short",
        "char",
        "bool",
        "float",
        "double",
        "size_t",
        "int8_t",
        "uint8_t",
        "int16_t",
        "uint16_t",
        "int32_t",
        "uint32_t",
        "int64_t",
        "uint64_t",
        "uint",
        "uchar",
        "ushort",
        "ulong",
    ]
)
_SKIPPED = frozenset(
    [
        "const",
        "volatile",
        "static",
        "constexpr",
        "register",
        "__restrict__",
        "__restrict",
        "__shared__",
        "*",
        "&",
        "[",
        "]",
    ]
)


def uses_small_floats(source: SourceText) -> bool:
    """May a value in this file be a half or a bfloat16, by its own words or by an include of the user's?"""
    small = HALF_NAMES | BFLOAT_NAMES
    if any(t.text in small for _, t in source.names()):
        return True
    return any(
        d.word == "include"
        and d.tokens
        and d.tokens[0].text.startswith('"')
        and not d.tokens[0].text.startswith('"cu')
        for d in source.directives
    )


def is_plain(source: SourceText, argument: Argument) -> bool:
    """Is every variable and cast in the expression provably of a built-in type of C?

    Each name must be a built-in type, a variable whose last declaration before this place has one, or an
    index in brackets. Calls and unknown names are not provable.
    """
    depth = 0
    for i, token in source.tokens_of(argument):
        if token.text == "[":
            depth += 1
        elif token.text == "]":
            depth -= 1
        if token.kind != "name" or depth or token.text in _PLAIN:
            continue
        if source.is_member(i) or declared_type(source, i) not in _PLAIN:
            return False
    return True


def declared_type(source: SourceText, i: int) -> str:
    """Last word of the type in the nearest declaration of the name before token i; empty if none is found."""
    name = source.tokens[i].text
    for j in range(i - 1, 0, -1):
        if source.tokens[j].text != name or source.is_member(j):
            continue
        after = source.tokens[j + 1].text
        if after not in ("=", ";", ",", ")", "[", "(", "{", ":"):
            continue
        k = j - 1
        while k > 0 and source.tokens[k].text in _SKIPPED:
            k -= 1
        before = source.tokens[k]
        if before.kind == "name" and before.text not in ("return", "else", "case", "sizeof"):
            return before.text
        if before.text == "," and (declarator := _declaration_start(source, k)):
            return declarator
    return ""


def _declaration_start(source: SourceText, comma: int) -> str:
    """For `float a = 0, b`: the type word of the declaration that the comma continues, or nothing."""
    depth = 0
    for j in range(comma - 1, 0, -1):
        text = source.tokens[j].text
        if text in (")", "]", "}"):
            depth += 1
        elif text in ("(", "[", "{"):
            if depth == 0:
                return ""
            depth -= 1
        elif text in (";", "}") and depth == 0:
            return ""
        if depth == 0 and text in _PLAIN and source.tokens[j + 1].kind == "name":
            return text
    return ""
