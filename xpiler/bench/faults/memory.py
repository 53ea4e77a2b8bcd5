"""M1, M2, M3: what lies where, how much room it has, and what is in it before it is used."""

from __future__ import annotations

import re

from tree_sitter import Node

from xpiler.bench.faults.anatomy import Anatomy, inside, operator
from xpiler.bench.faults.model import Edit, Faults

_OPPOSITE = {
    "cudaMemcpyHostToDevice": "cudaMemcpyDeviceToHost",
    "cudaMemcpyDeviceToHost": "cudaMemcpyHostToDevice",
    "hipMemcpyHostToDevice": "hipMemcpyDeviceToHost",
    "hipMemcpyDeviceToHost": "hipMemcpyHostToDevice",
    "cnrtMemcpyHostToDev": "cnrtMemcpyDevToHost",
    "cnrtMemcpyDevToHost": "cnrtMemcpyHostToDev",
    "GDRAM2NRAM": "NRAM2GDRAM",
    "NRAM2GDRAM": "GDRAM2NRAM",
    "GDRAM2WRAM": "GDRAM2NRAM",
    "NRAM2WRAM": "NRAM2NRAM",
    "GDRAM2SRAM": "SRAM2GDRAM",
}
_COPIES = re.compile(r"__memcpy\w*|(?:cuda|hip)Memcpy\w*|cnrtMemcpy\w*|(?:std::)?mem(?:cpy|set)")
_ALLOCATIONS = re.compile(r"(?:cuda|hip)Malloc\w*|cnrtMalloc\w*")
_SIZE = re.compile(r"\s*\*\s*sizeof\((?:\w+\s*)+\)|sizeof\((?:\w+\s*)+\)\s*\*\s*")


def staging(a: Anatomy) -> Faults:
    """M1: a copy that is missing, goes the wrong way, or counts elements for bytes."""
    for call, _, arguments in a.calls(lambda name: _COPIES.fullmatch(name) is not None):
        parent = call.parent
        if parent is not None and parent.type == "expression_statement":
            yield a.remove("M1", "copy missing", parent)
        for argument in arguments:
            other = _OPPOSITE.get(a.said(argument))
            if other is not None and a.is_plain(argument):
                yield a.replace("M1", "copy the wrong way", argument, other)
        yield from _without_size(a, "M1", arguments)
    for _, _, arguments in a.calls(lambda name: _ALLOCATIONS.fullmatch(name) is not None):
        yield from _without_size(a, "M1", arguments)
    for statement in a.all("expression_statement"):
        if _written(a, statement) in _tiles(a):
            yield a.remove("M1", "tile not filled", statement)


def _without_size(a: Anatomy, code: str, arguments: list[Node]) -> Faults:
    """Elements for bytes."""
    for argument in arguments:
        if a.is_plain(argument) and argument.type == "binary_expression":
            counted = _SIZE.sub("", a.said(argument), count=1)
            if counted != a.said(argument):
                yield a.replace(code, "elements for bytes", argument, counted)


def _tiles(a: Anatomy) -> set[str]:
    """Arrays of shared or on-chip memory, and local ones."""
    names = set()
    for declaration in a.all("declaration"):
        for node in inside(declaration):
            if node.type == "array_declarator":
                name = node
                while name.type == "array_declarator":
                    inner = name.child_by_field_name("declarator")
                    assert inner is not None
                    name = inner
                names.add(a.said(name))
    return names


def _written(a: Anatomy, statement: Node) -> str:
    """The array that a statement stores to, "" if it is none."""
    said = a.said(statement)
    match = re.match(r"(\w+)\s*\[[^=]*=[^=]", said, re.S) or re.match(
        r"_mm512_\w*storeu?_\w+\(\s*\(?&?(\w+)", said
    )
    return match[1] if match else ""


def capacity(a: Anatomy) -> Faults:
    """M2: a buffer too large for its memory or too small for its contents, an access aligned by chance."""
    for node in a.all("array_declarator"):
        size = node.child_by_field_name("size")
        if size is None or not a.is_plain(size) or a.where(node) != "kernel":
            continue
        yield a.replace("M2", "array too small", size, _halved(a.said(size)))
        if re.search(r"__shared__|__nram__|__wram__|__mlu_shared__", a.said(a.statement(node))):
            yield a.replace("M2", "array too large", size, f"64 * ({a.said(size)})")
    for node in a.all("binary_expression"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        buffer = operator(node) == "+" and re.search(r"(nram|wram|sram)", a.said(left)) and right is not None
        if buffer and right is not None and a.said(right).isdigit() and int(a.said(right)) >= 128:
            yield a.replace("M2", "buffers overlap", right, str(int(a.said(right)) // 2 // 64 * 64))
    for call, name, _ in a.calls(
        lambda name: (name.startswith("_mm512_") and "loadu_" in name) or "storeu_ps" in name
    ):
        aligned = name.replace("loadu_", "load_").replace("storeu_", "store_")
        function = call.child_by_field_name("function")
        if function is not None and aligned != name and a.is_plain(function) and name.endswith("_ps"):
            yield a.replace("M2", "aligned access to what is not", function, aligned)


def _halved(text: str) -> str:
    return str(max(1, int(text) // 2)) if text.isdigit() else f"({text}) / 2"


_FILLS = re.compile(
    r"__bang_write_\w+|__nramset\w*|__memset\w*|cudaMemset\w*|hipMemset\w*|wmma::fill_fragment|.*fill_fragment"
)


def initial(a: Anatomy) -> Faults:
    """M3: an accumulator or the rest of a tile that nobody sets."""
    for call, _, _ in a.calls(lambda name: _FILLS.fullmatch(name) is not None):
        parent = call.parent
        if parent is not None and parent.type == "expression_statement":
            yield a.remove("M3", "not initialised", parent)
    for statement in a.all("expression_statement"):
        match = re.fullmatch(
            r"[\w\[\] +*/%.-]+?=\s*(-?[\d.]+f?|-?INFINITY|-?FLT_MAX|_mm512_setzero_\w+\(\));",
            a.said(statement),
        )
        if match and "+=" not in a.said(statement):
            yield a.remove("M3", "not initialised", statement)
    for node in a.all("init_declarator"):
        name, value = node.child_by_field_name("declarator"), node.child_by_field_name("value")
        parent = node.parent
        if name is None or value is None or parent is None or a.where(node) != "kernel":
            continue
        if parent.parent is not None and parent.parent.type == "for_statement":
            continue
        said = a.said(value)
        constant = re.fullmatch(
            r"-?[\d.]+f?|-?INFINITY|-?FLT_MAX|-1e\d+f|\{[^}]*\}|_mm512_setzero_\w+\(\)|_mm512_set1_\w+\(-?[\w.]+\)",
            said,
        )
        if constant and _changes(a, node, a.said(name).split("[")[0]) and "const " not in a.said(parent):
            yield a.edit("M3", "not initialised", node, Edit(a.span(name)[1], a.span(value)[1], ""))
            if a.said(parent.child_by_field_name("type")) in _REALS:
                yield a.replace("M3", "initialised wrongly", value, _other_value(said))


_REALS = ("float", "double", "half", "__half", "__m512", "__m512i")


def _changes(a: Anatomy, node: Node, name: str) -> bool:
    """Whether the variable is added to or otherwise written later: an accumulator, no constant."""
    block = a.statement(node).parent
    text = a.said(block)[node.end_byte - block.start_byte :] if block is not None else ""
    return re.search(rf"\b{re.escape(name)}\b(?:\[[^;=]*\])*\s*(?:[-+*|]=|=[^=])", text) is not None


def _other_value(said: str) -> str:
    if said.startswith("_mm512_set"):
        kind = said[: said.index("(")].rsplit("_", 1)[1]
        return f"_mm512_set1_{kind}(1)"
    if said.startswith("{"):
        return "{1}"
    return "1.0f" if said in ("0.0f", "0.f", "0", "0.0") else "0.0f"
