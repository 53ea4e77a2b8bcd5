"""Arithmetic that HIP compiles otherwise: mixed minima, unfused roundings, saturation, built-in indices."""

from __future__ import annotations

import re
from functools import lru_cache

from xpiler.backend.hip_edits import EditList
from xpiler.backend.hip_source import Argument, SourceText

_RANKS = ("int", "unsigned", "long", "unsigned long", "long long", "unsigned long long", "float", "double")
_TYPES = {
    "int": "int",
    "int32_t": "int",
    "short": "int",
    "int16_t": "int",
    "char": "int",
    "int8_t": "int",
    "uint8_t": "int",
    "uint16_t": "int",
    "bool": "int",
    "unsigned": "unsigned",
    "uint": "unsigned",
    "uint32_t": "unsigned",
    "long": "long",
    "int64_t": "long",
    "ptrdiff_t": "long",
    "size_t": "unsigned long",
    "uint64_t": "unsigned long",
    "float": "float",
    "double": "double",
}
_INDICES = frozenset("threadIdx blockIdx blockDim gridDim".split())
_NO_CALLS = frozenset("if while for switch return sizeof dim3 defined static_cast".split())
_UNFUSED = {
    "__fmul_rn": "unfused_mul",
    "__fadd_rn": "unfused_add",
    "__fsub_rn": "unfused_sub",
    "__dmul_rn": "unfused_mul",
    "__dadd_rn": "unfused_add",
    "__dsub_rn": "unfused_sub",
    "__saturatef": "saturate_number",
}


def translate_arithmetic(source: SourceText, edits: EditList) -> None:
    """Each rule where its name stands: see the functions below."""
    for i, token in source.names():
        name = token.text
        if name in source.defined or source.is_member(i):
            continue
        if name in _INDICES:
            if not _is_variable_of_the_host(source, i):
                _index(source, edits, i)
        elif name in _UNFUSED:
            edits.replace(token.start, token.end, _UNFUSED[name], "HIP 5.2 would fuse it, or lets NaN pass")
            edits.need(_UNFUSED[name])
        elif name in ("min", "max") and source.tokens[i - 1].text != "::" and (call := source.call(i)):
            if len(call.arguments) == 2 and source.in_device_function(token.start):
                types = [expression_type(source, a) for a in call.arguments]
                if "" in types or types[0] != types[1]:
                    edits.replace(
                        token.start, token.end, f"{name}_of", "HIP has no overloads for mixed types"
                    )
                    edits.need(f"{name}_of")
        elif name == "__ffsll" and (call := source.call(i)) and len(call.arguments) == 1:
            value, reason = call.arguments[0], "HIP has no overload for long"
            edits.wrap(value.start, value.end, "(unsigned long long)(", ")", reason)


def _is_variable_of_the_host(source: SourceText, i: int) -> bool:
    """Whether it is a variable that host code has named so: `dim3 gridDim, blockDim;`."""
    token = source.tokens[i]
    return token.text in _dimensions_declared(source.text) and not source.in_device_function(token.start)


@lru_cache(maxsize=4)
def _dimensions_declared(text: str) -> frozenset[str]:
    """The words of the declarations of `dim3`."""
    declared = re.finditer(r"\bdim3\b([^;(){}]*)", text)
    return frozenset(word for found in declared for word in re.findall(r"\w+", found[1]))


def _index(source: SourceText, edits: EditList, i: int) -> None:
    """The built-in indices have types of their own in HIP, which convert to unsigned but do not deduce to it.

    `f(threadIdx)` --> `f(make_uint3(threadIdx.x, ...))`; `printf("%u", threadIdx.x)` --> `printf("%u",
    (unsigned)threadIdx.x)`, likewise where a template, `auto` or `?:` would take the type as it is.
    """
    tokens, token = source.tokens, source.tokens[i]
    if tokens[i + 1].text != ".":
        make = "make_uint3" if token.text.endswith("Idx") else "dim3"
        parts = ", ".join(f"{token.text}.{axis}" for axis in "xyz")
        edits.replace(
            token.start, token.end, f"{make}({parts})", "HIP's built-in index has a type of its own"
        )
        return
    before, after = tokens[i - 1].text, tokens[i + 3].text if i + 3 < len(tokens) else ""
    deduced = before in ("?", ":") and after in (":", ";", ")", ",")
    deduced = deduced or (before == "=" and tokens[i - 3].text == "auto")
    deduced = deduced or (before in ("(", ",") and after in (",", ")") and _is_argument(source, i))
    if deduced:
        edits.open(token.start, "(unsigned)", tokens[i + 2].end, "HIP's built-in index has a type of its own")


def _is_argument(source: SourceText, i: int) -> bool:
    """Does the parenthesis around token i belong to the call of a function (not a cast or a condition)?"""
    depth = 0
    for j in range(i - 1, 0, -1):
        text = source.tokens[j].text
        if text in (")", "]", "}"):
            depth += 1
        elif text in ("(", "[", "{"):
            if depth == 0:
                name = source.tokens[j - 1]
                return (
                    text == "("
                    and name.kind == "name"
                    and name.text not in _NO_CALLS
                    and name.text not in _TYPES
                )
            depth -= 1
        elif text == ";":
            return False
    return False


def expression_type(source: SourceText, argument: Argument) -> str:
    """The arithmetic type of an expression of variables, literals and operators; empty where it is open."""
    if cast := re.fullmatch(r"\((\w+)\)[\w.]+", argument.text):
        return _TYPES.get(cast.group(1), "")
    found = []
    skipped = 0
    for i, token in source.tokens_of(argument):
        if token.text == "[":
            skipped += 1
        elif token.text == "]":
            skipped -= 1
        elif skipped or token.kind == "punct":
            if token.text in ("?", "<", ">", "==", "&&", "||", "!", "->", "<=", ">=", "!="):
                return ""
        elif token.kind == "number":
            found.append(_literal_type(token.text))
        elif token.kind == "name":
            if token.text in _INDICES:
                if argument.text == f"{token.text}.{argument.text[-1]}":
                    return ""  # HIP's own type, not yet converted
                found.append("unsigned")
                continue
            if source.is_member(i):
                if source.tokens[i - 2].text in _INDICES:
                    continue
                return ""
            found.append(_variable_type(source, i))
        else:
            return ""
    if not found or "" in found:
        return ""
    return max(found, key=_RANKS.index)


def _literal_type(text: str) -> str:
    lower = text.lower()
    if not lower.startswith("0x") and re.search(r"[.e]", lower):
        return "float" if lower.endswith("f") else "double"
    suffix = lower.lstrip("0123456789abcdefx'")
    return {"": "int", "u": "unsigned", "f": "float", "l": "long", "ul": "unsigned long"}.get(suffix, "")


def _variable_type(source: SourceText, i: int) -> str:
    """The type in the nearest declaration before token i of a variable, or of its elements if indexed."""
    tokens, name = source.tokens, source.tokens[i].text
    if i + 1 < len(tokens) and tokens[i + 1].text in ("(", "<"):
        return ""
    for j in range(i - 1, 0, -1):
        if (
            tokens[j].text != name
            or source.is_member(j)
            or tokens[j + 1].text not in ("=", ";", ",", ")", "[", "{")
        ):
            continue
        k, words = j - 1, []
        while k >= 0 and (tokens[k].kind == "name" or tokens[k].text in ("*", "&")):
            words.append(tokens[k].text)
            k -= 1
        types = [w for w in words if w in _TYPES]
        if not types:
            if words and words[0] not in ("return", "else", "case"):
                return ""
            continue
        pointer = "*" in words or tokens[j + 1].text == "["
        if pointer != (tokens[i + 1].text == "["):
            return ""
        if types.count("long") == 2:
            return "unsigned long long" if "unsigned" in types else "long long"
        if "unsigned" in types:
            return (
                "unsigned long"
                if "long" in types
                else "int"
                if {"char", "short"} & set(types)
                else "unsigned"
            )
        return "long" if "long" in types else _TYPES[types[0]]
    return ""
