"""What AMD hardware or HIP cannot do at all: refused with its place before anything is edited."""

from __future__ import annotations

import re

from xpiler.backend.hip_source import Argument, SourceText, Token
from xpiler.platforms import hip

_SIZES = {
    "char": 1,
    "bool": 1,
    "int8_t": 1,
    "uint8_t": 1,
    "short": 2,
    "half": 2,
    "__half": 2,
    "__nv_bfloat16": 2,
    "nv_bfloat16": 2,
    "int": 4,
    "unsigned": 4,
    "float": 4,
    "half2": 4,
    "__half2": 4,
    "int32_t": 4,
    "uint32_t": 4,
    "long": 8,
    "double": 8,
    "size_t": 8,
    "float2": 8,
    "int2": 8,
    "float4": 16,
    "int4": 16,
    "uint4": 16,
    "double2": 16,
}


def refuse_beyond_hardware(source: SourceText) -> None:
    """Texture references, launches from kernels, more shared memory than the LDS holds."""
    constants = _constants(source)
    tokens = source.tokens
    for i, token in source.names():
        if token.text == "texture" and i + 1 < len(tokens) and tokens[i + 1].text == "<":
            raise source.refuse(
                "hip-texture-reference",
                "texture references have no HIP twin",
                token,
                "use a texture object instead",
            )
    _refuse_device_launches(source)
    _refuse_large_shared_arrays(source, constants)
    _refuse_large_dynamic_memory(source, constants)


def _refuse_device_launches(source: SourceText) -> None:
    for token in source.tokens:
        if token.text == "<<<" and source.in_device_function(token.start) and not source.is_dead(token.start):
            raise source.refuse(
                "hip-device-launch",
                "a kernel launched from a kernel (dynamic parallelism) has no HIP twin",
                token,
                "launch it from the host",
            )


def _refuse_large_shared_arrays(source: SourceText, constants: dict[str, int]) -> None:
    """Sums the arrays of one kernel; arrays whose size the text does not give are left to the compiler."""
    total, kernel = 0, -1
    tokens = source.tokens
    for i, token in source.names():
        if token.text == "__global__":
            total, kernel = 0, i
        if token.text != "__shared__" or tokens[i - 1].text == "extern" or kernel < 0:
            continue
        size, j = 0, i + 1
        while tokens[j].kind == "name" and j + 1 < len(tokens) and tokens[j + 1].text not in ("[", ";", ","):
            size = _SIZES.get(tokens[j].text, size)
            j += 1
        j += 1
        while j < len(tokens) and tokens[j].text == "[" and (end := source.match(j)):
            size *= _value(source.text[tokens[j].end : tokens[end].start], constants) or 0
            j = end + 1
        total += size
        if total > hip.MAX_SHARED_BYTES:
            raise _too_much(source, total, token)


def _refuse_large_dynamic_memory(source: SourceText, constants: dict[str, int]) -> None:
    tokens = source.tokens
    for i, token in source.names():
        if token.text == "cudaFuncSetAttribute" and (call := source.call(i)) and len(call.arguments) == 3:
            bytes_ = _value(call.arguments[2].text, constants)
            if (
                "MaxDynamicSharedMemorySize" in call.arguments[1].text
                and (bytes_ or 0) > hip.MAX_SHARED_BYTES
            ):
                raise _too_much(source, bytes_ or 0, call.arguments[2])
    for i, token in enumerate(tokens):
        if token.text != "<<<":
            continue
        depth, commas = 0, []
        for j in range(i + 1, len(tokens)):
            text = tokens[j].text
            depth += (text in "([{") - (text in ")]}") if tokens[j].kind == "punct" else 0
            if text == "," and depth == 0:
                commas.append(j)
            if text == ">>>":
                commas.append(j)
                break
        if len(commas) >= 3:
            start, end = tokens[commas[1]].end, tokens[commas[2]].start
            bytes_ = _value(source.text[start:end], constants)
            if (bytes_ or 0) > hip.MAX_SHARED_BYTES:
                raise _too_much(source, bytes_ or 0, Argument("", start, end))


def _too_much(source: SourceText, bytes_: int, at: Token | Argument) -> Exception:
    return source.refuse(
        "hip-shared-memory",
        f"{bytes_} bytes of shared memory: a block has {hip.MAX_SHARED_BYTES} on AMD hardware",
        at,
        "use smaller tiles",
    )


def _constants(source: SourceText) -> dict[str, int]:
    """Macros, const and constexpr variables whose value the text gives."""
    found: dict[str, int] = {}
    for directive in source.directives:
        if directive.word == "define" and len(directive.tokens) >= 2 and not source.is_dead(directive.start):
            name, rest = directive.tokens[0], directive.tokens[1:]
            if rest[0].start > name.end and (
                value := _value(source.text[rest[0].start : rest[-1].end], found)
            ):
                found[name.text] = value
    tokens = source.tokens
    for i, token in source.names():
        if token.text not in ("const", "constexpr"):
            continue
        j = i + 1
        while j < len(tokens) and tokens[j].text in (
            "const",
            "static",
            "unsigned",
            "int",
            "size_t",
            "constexpr",
        ):
            j += 1
        if j + 1 < len(tokens) and tokens[j].kind == "name" and tokens[j + 1].text == "=":
            end = next((k for k in range(j, len(tokens)) if tokens[k].text == ";"), j)
            if (value := _value(source.text[tokens[j + 1].end : tokens[end].start], found)) is not None:
                found[tokens[j].text] = value
    return found


def _value(text: str, constants: dict[str, int]) -> int | None:
    """The value of an integer constant expression, None if the text does not give it."""
    sizes = "|".join(_SIZES)
    text = re.sub(rf"sizeof\s*\(\s*(?:unsigned\s+)?({sizes})\s*\)", lambda m: str(_SIZES[m.group(1)]), text)
    text = re.sub(r"\b[A-Za-z_]\w*\b", lambda m: str(constants.get(m.group(), m.group())), text)
    text = re.sub(r"\b(\d+)[uUlL]+\b", r"\1", text).replace("/", "//")
    if (
        len(text) > 200
        or not re.fullmatch(r"[\d\s()+\-*/%]+|[\d\s()<+\-]+", text.strip() or "x")
        or "**" in text
    ):
        return None
    try:
        value = eval(text.strip(), {"__builtins__": {}})  # digits and operators only, by the check above
    except (SyntaxError, ZeroDivisionError, TypeError, ValueError):
        return None
    return value if isinstance(value, int) else None
