"""P1, P3: which thread, block or task does what, and how many of them are launched."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from tree_sitter import Node

from xpiler.bench.faults.anatomy import Anatomy, inside, operator
from xpiler.bench.faults.model import Edit, Faults

_OTHER_AXIS = {"x": "y", "y": "x", "z": "x"}
_OTHER_BUILTIN = {
    "threadIdx": "blockIdx",
    "blockIdx": "threadIdx",
    "blockDim": "gridDim",
    "gridDim": "blockDim",
}
_OTHER_TASK = {
    "taskId": "coreId",
    "coreId": "clusterId",
    "clusterId": "coreId",
    "taskDim": "coreDim",
    "coreDim": "clusterDim",
    "clusterDim": "coreDim",
    "taskIdX": "taskIdY",
    "taskIdY": "taskIdX",
}


def mapping(a: Anatomy) -> Faults:
    """P1: the wrong index of a thread or task, or none at all."""
    for node in a.all("field_expression"):
        base, field = node.child_by_field_name("argument"), node.child_by_field_name("field")
        builtin = a.said(base)
        if builtin not in _OTHER_BUILTIN or field is None:
            continue
        axis = a.said(field)
        yield a.replace("P1", "wrong builtin", node, f"{_OTHER_BUILTIN[builtin]}.{axis}")
        yield a.replace("P1", "axes swapped", node, f"{builtin}.{_OTHER_AXIS.get(axis, 'x')}")
    for node in a.all("identifier"):
        other = _OTHER_TASK.get(a.said(node))
        if other is not None:
            yield a.replace("P1", "wrong builtin", node, other)
    for node in a.all("binary_expression"):
        yield from _lost_offset(a, node)
    if a.platform == "vnni":
        yield from _threads_of_openmp(a)


def _lost_offset(a: Anatomy, node: Node) -> Faults:
    """`blockIdx.x * blockDim.x + threadIdx.x` without the one or the other."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if operator(node) != "+" or left is None or right is None:
        return
    for lost, kept in ((left, right), (right, left)):
        if re.search(
            r"\b(threadIdx|blockIdx|taskId|coreId|clusterId|block_\w+|row|begin\w*)\b", a.said(lost)
        ):
            yield a.replace("P1", "offset lost", node, a.said(kept))


def _threads_of_openmp(a: Anatomy) -> Faults:
    for pragma in a.unit.pragmas:
        if not pragma.text.startswith("omp parallel") or pragma.range.file != a.unit.file:
            continue
        loop = next((n for n in a.all("for_statement") if n.start_byte >= pragma.offset), None)
        if loop is None or a.pragma_before(loop) is not pragma:
            continue
        body = loop.child_by_field_name("body")
        inner = next((n for n in inside(body) if n.type == "for_statement"), None) if body else None
        start = a.text.rfind("#pragma", 0, a.span(loop)[0])
        line = a.text[start : a.text.index("\n", start) + 1]
        if inner is not None and a.is_plain(inner) and "\\" not in line:
            moved = Edit(a.span(inner)[0], a.span(inner)[0], line.strip() + "\n")
            here = Edit(start, start + len(line), "")
            fault = a.edit("P1", "wrong loop made parallel", inner, here, moved)
            if start < a.span(inner)[0] and _is_apart(here, moved):
                yield fault


def _is_apart(one: Edit, other: Edit) -> bool:
    return one.end <= other.start


def geometry(a: Anatomy) -> Faults:
    """P3: too few blocks, axes of the grid swapped, another block, arguments in another order."""
    for node in a.all("binary_expression"):
        if a.where(node) == "kernel" or operator(node) != "/":
            continue
        rounded = re.fullmatch(
            r"\((.+?)\s*\+\s*.+?\s*-\s*1\)", a.said(node.child_by_field_name("left")), re.S
        )
        if rounded:
            divisor = a.said(node.child_by_field_name("right"))
            yield a.replace("P3", "floor instead of ceil", node, f"{_atom(rounded[1])} / {divisor}")
    for node in _dimensions(a):
        parts = [child for child in node.named_children if child.type != "comment"]
        if len(parts) >= 2 and a.said(parts[0]) != a.said(parts[1]):
            yield _swapped(a, "P3", "grid axes swapped", parts[0], parts[1])
        for part in parts:
            said = a.said(part)
            if said.isdigit() and int(said) > 1:
                yield a.replace("P3", "half the threads", part, str(int(said) // 2))
    for launch in a.unit.launches:
        yield from _configured(a, launch.config[:3])
        yield from _handed(a, launch.arguments)


def _dimensions(a: Anatomy) -> Iterable[Node]:
    """Arguments of `dim3 grid(...)`, `dim3(...)` and `{...}` of a dimension."""
    for node in a.all("argument_list", "parameter_list", "initializer_list"):
        owner = node.parent
        if owner is None or a.where(node) == "kernel":
            continue
        statement = a.said(owner) if owner.type == "call_expression" else a.said(a.statement(node))
        if statement.lstrip().startswith(("dim3", "cnrtDim3_t", "const dim3", "const cnrtDim3_t")):
            yield node


def _configured(a: Anatomy, config: Iterable[Node]) -> Faults:
    for position, node in enumerate(config):
        if not a.is_plain(node):
            continue
        if position == 0 and "dim3" not in a.said(node):
            yield a.replace("P3", "one block", node, "1" if a.platform != "bang" else "dim3(1, 1, 1)")
        if position == 1 and a.platform != "bang":
            yield a.replace("P3", "block of one warp", node, "32")
        if position == 1 and a.platform == "bang":
            yield a.replace("P3", "wrong kind of task", node, "cnrtFuncTypeBlock")
        if position == 2 and a.platform != "bang" and a.said(node) != "0":
            yield a.replace("P3", "no dynamic shared memory", node, "0")


def _handed(a: Anatomy, arguments: tuple[Node, ...]) -> Faults:
    """Neighbouring arguments of one kind, handed over in the wrong order."""
    for one, other in itertools.pairwise(arguments):
        plain = all(n.type == "identifier" and a.is_plain(n) for n in (one, other))
        alike = a.said(one).startswith("d_") == a.said(other).startswith("d_")
        if plain and alike and a.said(one) != a.said(other):
            yield _swapped(a, "P3", "arguments swapped", one, other)


def _swapped(a: Anatomy, code: str, kind: str, one: Node, other: Node):  # type: ignore[no-untyped-def]
    return a.edit(code, kind, one, Edit(*a.span(one), a.said(other)), Edit(*a.span(other), a.said(one)))


def _atom(text: str) -> str:
    return text if re.fullmatch(r"[\w.]+", text) else f"({text})"
