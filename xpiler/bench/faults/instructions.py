"""T1, T2: layouts, opcodes and parameters of instructions."""

from __future__ import annotations

import re

from tree_sitter import Node

from xpiler.bench.faults.anatomy import Anatomy
from xpiler.bench.faults.model import Edit, Fault, Faults

_INSTRUCTION = re.compile(
    r"_mm\d*_\w+|__bang_\w+|__memcpy\w*|\w*mma_sync|\w*matrix_sync|__builtin_amdgcn_\w+|__dp4a|fma\w*|__shfl\w*"
)
_LAYOUTS = {
    "row_major": "col_major",
    "col_major": "row_major",
    "mem_row_major": "mem_col_major",
    "mem_col_major": "mem_row_major",
}
_OPCODES = (
    ("_add", "_sub"),
    ("_sub", "_add"),
    ("_mul", "_add"),
    ("_max", "_min"),
    ("_min", "_max"),
    ("fmadd", "fmsub"),
    ("fnmadd", "fmadd"),
    ("sumpool", "maxpool"),
    ("maxpool", "sumpool"),
    ("_lt", "_le"),
    ("_gt", "_ge"),
    ("cmplt", "cmple"),
    ("maxequal", "minequal"),
    ("active_relu", "abs"),
)


def layouts(a: Anatomy) -> Faults:
    """T1: rows for columns, packed operands exchanged, signs of packed bytes confused."""
    for node in a.all("identifier", "type_identifier", "namespace_identifier"):
        other = _LAYOUTS.get(a.said(node))
        if other is not None:
            yield a.replace("T1", "rows for columns", node, other)
    for call, name, arguments in a.calls(lambda name: _INSTRUCTION.fullmatch(name) is not None):
        function = call.child_by_field_name("function")
        if function is None or not a.is_plain(function):
            continue
        if ("dpbusd" in name or "mfma" in name or "mma_sync" in name) and len(arguments) >= 3:
            first = 1 if "mma_sync" in name else 0 if "mfma" in name else len(arguments) - 2
            yield _exchanged(a, "T1", "operands exchanged", arguments[first], arguments[first + 1])
        if "epi8_" in name or "epu8_" in name:
            other = name.replace("epi8_", "epu8_") if "epi8_" in name else name.replace("epu8_", "epi8_")
            yield a.replace("T1", "signs confused", function, other)
        if name in ("__bang_transpose", "__bang_matmul") and len(arguments) >= 4:
            yield _exchanged(a, "T1", "rows for columns", arguments[-2], arguments[-1])
        if re.search(r"unpacklo|unpackhi", name):
            other = (
                name.replace("unpacklo", "unpackhi")
                if "lo_" in name
                else name.replace("unpackhi", "unpacklo")
            )
            yield a.replace("T1", "wrong half unpacked", function, other)


def parameters(a: Anatomy) -> Faults:
    """T2: another opcode, length, stride, mask or scale; operands in the wrong order."""
    for call, name, arguments in a.calls(lambda name: _INSTRUCTION.fullmatch(name) is not None):
        function = call.child_by_field_name("function")
        if function is None or not a.is_plain(function):
            continue
        for one, other in _OPCODES:
            if one in name:
                yield a.replace("T2", "wrong opcode", function, name.replace(one, other, 1))
                break
        for position, argument in enumerate(arguments):
            if a.is_plain(argument):
                yield from _parameter(a, name, position, argument, len(arguments))
        if re.search(r"_sub|_cmp|_div", name) and len(arguments) >= 2:
            pair = (1, 2) if name.startswith("__bang") and len(arguments) >= 3 else (0, 1)
            left, right = arguments[pair[0]], arguments[pair[1]]
            if a.said(left) != a.said(right) and a.is_plain(left) and a.is_plain(right):
                yield _exchanged(a, "T2", "operands exchanged", left, right)


def _parameter(a: Anatomy, name: str, position: int, argument: Node, count: int) -> Faults:
    said = a.said(argument)
    if name.startswith("__memcpy"):
        if position == 2:
            yield a.replace("T2", "wrong length", argument, f"({said}) / 2")
        elif position > 3:
            yield a.replace("T2", "wrong stride or count", argument, f"({said}) * 2")
    elif name.startswith("__bang_") and position >= 2:
        if re.fullmatch(r"[\w ]+", said) and re.search(r"count|lanes|tile|\bn\b|size|len", said):
            yield a.replace("T2", "wrong length", argument, f"({said}) / 2")
            yield a.replace("T2", "wrong length", argument, f"({said}) - 1")
        elif said.isdigit():
            yield a.replace("T2", "wrong parameter", argument, str(int(said) + 1))
    elif name.startswith("_mm"):
        if re.fullmatch(r"lanes\w*|m\d*|mask\w*|k\w*", said) and "mask" in name:
            yield a.replace("T2", "no mask", argument, "(__mmask16)0xffff")
        elif said.isdigit() and position == count - 1:
            yield a.replace("T2", "wrong parameter", argument, str(int(said) * 2 or 1))
        elif re.fullmatch(r"_CMP_\w+|_MM_CMPINT_\w+", said):
            other = said.replace("LT", "LE") if "LT" in said else said.replace("GT", "GE").replace("LE", "LT")
            if other != said:
                yield a.replace("T2", "wrong parameter", argument, other)
    elif "matrix_sync" in name and position == 2:
        yield a.replace("T2", "wrong stride", argument, f"({said}) * 2")


def _exchanged(a: Anatomy, code: str, kind: str, one: Node, other: Node) -> Fault:
    return a.edit(code, kind, one, Edit(*a.span(one), a.said(other)), Edit(*a.span(other), a.said(one)))
