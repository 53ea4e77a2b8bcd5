"""Dynamic shared memory: HIP gives a block 64 KB, CUDA 48 KB and more where the kernel asks for it.

    k<<<grid, block, bytes>>>(x);   -->   cudaFuncSetAttribute(k, ...MaxDynamicSharedMemorySize, bytes);
                                          k<<<grid, block, bytes>>>(x);

Done where the text does not show that the bytes are few.
"""

from __future__ import annotations

import ast
import re

from xpiler.backend.hip_edits import EditList
from xpiler.backend.hip_source import SourceText, Token
from xpiler.platforms.cuda import MAX_STATIC_SHARED_BYTES

_REASON = "more than 48 KB of shared memory have to be asked for"
_SIZES = {"float": 4, "int": 4, "double": 8, "unsigned": 4, "char": 1, "short": 2, "__half": 2, "half": 2}
_SIZES |= {"_Float16": 2, "float2": 8, "float4": 16, "int4": 16, "uint32_t": 4, "int32_t": 4, "int8_t": 1}


def ask_for_shared_memory(source: SourceText, edits: EditList) -> None:
    """Every launch with dynamic shared memory, as `<<<...>>>` or `hipLaunchKernelGGL`."""
    if any(t.text == "hipFuncSetAttribute" for _, t in source.names()):
        return  # the text asks itself
    tokens = source.tokens
    for i, token in enumerate(tokens):
        if source.directive_at(token.start) is not None:
            continue
        if token.text == "<<<" and token.kind == "punct":
            parts = _arguments(source, i)
            start = _kernel_start(tokens, i)
            if len(parts) >= 3 and start is not None:
                kernel = source.text[tokens[start].start : token.start].strip()
                _ask(source, edits, tokens[start], kernel, parts[2])
        elif token.text == "hipLaunchKernelGGL" and (call := source.call(i)) and len(call.arguments) >= 5:
            kernel = call.arguments[0].text.removeprefix("HIP_KERNEL_NAME")
            kernel = kernel[1:-1] if kernel.startswith("(") and kernel.endswith(")") else kernel
            _ask(source, edits, token, kernel, call.arguments[3].text)


def _ask(source: SourceText, edits: EditList, first: Token, kernel: str, shared: str) -> None:
    size = _value(shared)
    if size is not None and size <= MAX_STATIC_SHARED_BYTES:
        return
    before = next((t for t in reversed(source.tokens) if t.start < first.start and t.kind != "end"), None)
    alone = before is None or before.text in (";", "{", "}")
    asked = f"cudaFuncSetAttribute({kernel}, cudaFuncAttributeMaxDynamicSharedMemorySize, {shared})"
    line = source.text.rfind("\n", 0, first.start) + 1
    indent = source.text[line : first.start]
    gap = f";{source.newline}{indent}" if not indent.strip() else "; "
    edits.insert(first.start, asked + gap if alone else f"(void){asked}, ", _REASON)


def _arguments(source: SourceText, i: int) -> list[str]:
    """The texts between `<<<` and `>>>`."""
    parts, depth, start = [], 0, source.tokens[i].end
    for token in source.tokens[i + 1 :]:
        if token.kind == "end" or (token.text == ">>>" and depth == 0):
            parts.append(source.text[start : token.start].strip())
            return parts
        depth += (token.text in "([{") - (token.text in ")]}")
        if token.text == "," and depth == 0:
            parts.append(source.text[start : token.start].strip())
            start = token.end
    return parts


def _kernel_start(tokens: tuple[Token, ...], i: int) -> int | None:
    """Index of the first token of `ns::k<float, 4>` before `<<<`."""
    at = i - 1
    if tokens[at].text == ">":
        depth = 0
        while at > 0:
            depth += (tokens[at].text == ">") - (tokens[at].text == "<")
            if depth == 0:
                break
            at -= 1
        at -= 1
    while at > 1 and tokens[at].kind == "name" and tokens[at - 1].text == "::":
        at -= 2 if tokens[at - 2].kind == "name" else 1
    return at if tokens[at].kind == "name" or tokens[at].text == "::" else None


def _value(text: str) -> int | None:
    """The bytes, where the text is arithmetic on numbers and sizes."""

    def size(found: re.Match[str]) -> str:
        return str(_SIZES.get(found[1], found[0]))

    plain = re.sub(r"sizeof\s*\(\s*(\w+)\s*\)", size, text)
    try:
        return _number(ast.parse(re.sub(r"(\d)[uUlL]+\b", r"\1", plain), mode="eval").body)
    except (SyntaxError, ValueError):
        return None


def _number(node: ast.AST) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _number(left) * _number(right)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _number(left) + _number(right)
    raise ValueError(node)
