"""Does the main loop of a program use its platform's own means? Decided from the delivered text.

Every statement has a depth: the loops around it, through calls of the text's own functions as well. An
instruction that does a loop's work counts as deep as that loop: a vector instruction one deeper than where it
stands, a product of matrices three, a convolution six. A program is native if

* for CUDA and HIP, some kernel takes its place from `threadIdx` and `blockIdx` (or their kind) and is
  launched with more than one thread;
* for BANG C, tasks share the work (`taskId` or its kind) and no arithmetic on single elements of arrays is
  deeper than the deepest vector or tensor instruction; what computes nothing at all has to copy by way of a
  scratchpad;
* for C++ with AVX-512, the same of vector instructions; a loop under `#pragma omp simd` counts as vectors.

So a scalar loop beside vector loops of the same depth (a remainder, say) does no harm, and one that is nested
deeper than all of them makes the program one of scalar code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_cuda
from tree_sitter import Language, Node, Parser

_LANGUAGE = Language(tree_sitter_cuda.language())
_LOOPS = ("for_statement", "while_statement", "do_statement", "for_range_loop")
_QUALIFIERS = re.compile(r"\b__(?:mlu_\w+|nram|wram|ldram|launch_bounds)__\b(?:\s*\([^()]*\))?")
_THREADS = re.compile(r"\b(?:threadIdx|hipThreadIdx_|thread_rank|workitem_id)")
_BLOCKS = re.compile(r"\b(?:blockIdx|hipBlockIdx_|workgroup_id|grid_group|this_grid)")
_TASKS = re.compile(r"\b(?:taskId[XYZ]?|coreId|clusterId)\b")
_ONE_TASK = re.compile(r"\bif\s*\(\s*(?:taskId|coreId|clusterId)\s*!=\s*0\s*\)\s*return\b")
_SCRATCHPAD_COPY = re.compile(r"\b__memcpy(?:_async)?\s*\([^;]*\b(?:NRAM|SRAM)2GDRAM\b")
_LAUNCH = re.compile(r"<<<\s*([^,<>]+)\s*,\s*([^,<>]+?)\s*[,>]|hipLaunchKernelGGL\s*\([^;]*;")
_SIMD = re.compile(r"#\s*pragma\s+omp\b.*\bsimd\b")

# How many loops an instruction stands for. What only moves or fills memory is no computation.
_BANG_LOOPS = {"matmul": 3, "mlp": 2, "conv": 6, "conv_partial": 6, "reduce_sum": 1}
_BANG_LOOPS |= dict.fromkeys(("sumpool", "maxpool", "minpool", "avgpool"), 4)
_BANG_MOVES = ("write_value", "write_zero", "move", "transpose", "reshape_filter", "pad", "printf")
_ATOMIC = "__bang_atomic_reduce_"
_AVX_MOVES = re.compile(
    r"_mm\d*_\w*(?:load|store|set1?r?|setzero|undefined|broadcast|mov|cast\w*|gather|scatter)\w*_"
)
_AVX = re.compile(r"_mm(?:256|512)_\w+\Z")


@dataclass(frozen=True)
class Depths:
    """The deepest vector instruction and the deepest arithmetic on single elements; -1: there is none."""

    vector: int = -1
    scalar: int = -1

    def joined(self, other: Depths, below: int = 0) -> Depths:
        """These or those of what is called `below` loops deep, whichever is deeper."""
        lower = Depths(*(d + below if d >= 0 else -1 for d in (other.vector, other.scalar)))
        return Depths(max(self.vector, lower.vector), max(self.scalar, lower.scalar))


def is_native(text: str, platform: str) -> bool:
    """Whether the program does its work by the means of `platform`."""
    if platform in ("cuda", "hip"):
        return _uses_threads(text)
    depths = depths_of(text)
    if platform == "bang" and depths == Depths():
        return bool(_TASKS.search(_ONE_TASK.sub("", text)) and _SCRATCHPAD_COPY.search(text))
    shared = platform != "bang" or bool(_TASKS.search(_ONE_TASK.sub("", text)))
    return shared and depths.vector >= 0 and depths.vector >= depths.scalar


def depths_of(text: str) -> Depths:
    """The depths of the deepest function of the text."""
    masked = _QUALIFIERS.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    root = Parser(_LANGUAGE).parse(masked.encode("utf-8", "replace")).root_node
    bodies = {_name(node): node for node in _every(root, "function_definition")}
    return _Functions({name: node for name, node in bodies.items() if name}).deepest()


def _uses_threads(text: str) -> bool:
    if "__global__" not in text or not (_THREADS.search(text) and _BLOCKS.search(text)):
        return False
    shapes = [(m[1], m[2]) for m in _LAUNCH.finditer(text) if m[1]]
    return not shapes or any((grid.strip(), block.strip()) != ("1", "1") for grid, block in shapes)


class _Functions:
    """The functions of a text, each measured once."""

    def __init__(self, bodies: dict[str, Node]) -> None:
        self.bodies = bodies
        self.known: dict[str, Depths] = {}

    def deepest(self) -> Depths:
        total = Depths()
        for name in self.bodies:
            total = total.joined(self.of(name))
        return total

    def of(self, name: str) -> Depths:
        if name not in self.known:
            self.known[name] = Depths()  # a recursive call adds nothing
            body = self.bodies[name].child_by_field_name("body")
            self.known[name] = self.measure(body, 0) if body else Depths()
        return self.known[name]

    def measure(self, node: Node, depth: int) -> Depths:
        found = Depths()
        simd = False
        for child in node.children:
            if child.type.startswith("preproc"):
                simd = simd or bool(_SIMD.search(_text(child)))
                continue
            found = found.joined(self.statement(child, depth, simd))
            simd = False
        return found

    def statement(self, node: Node, depth: int, simd: bool) -> Depths:
        if node.type in _LOOPS:
            inner = self.measure(node, depth + 1)
            return Depths(max(inner.vector, inner.scalar, depth + 1), -1) if simd else inner
        if node.type in ("expression_statement", "declaration", "return_statement"):
            return self.expression(node, depth)
        return self.measure(node, depth)

    def expression(self, node: Node, depth: int) -> Depths:
        """Calls by what they are; arithmetic on elements of arrays where no vector is involved."""
        found = Depths()
        for call in _every(node, "call_expression"):
            name = _called(call)
            if name in self.bodies:
                found = found.joined(self.of(name), depth)
            loops = _loops_of(name)
            if name.startswith(_ATOMIC) and _arguments(call) < 3:  # of one element
                found = found.joined(Depths(-1, depth))
            elif loops:
                found = found.joined(Depths(depth + loops))
        touches = any(
            not _text(place).startswith("&")
            for kind in ("subscript_expression", "pointer_expression")
            for place in _every(node, kind)
        )
        if found.vector < 0 and touches and _computes(node):
            found = found.joined(Depths(-1, depth))
        return found


def _arguments(call: Node) -> int:
    given = call.child_by_field_name("arguments")
    return given.named_child_count if given is not None else 0


def _loops_of(name: str) -> int:
    """The loops that a call of the instruction `name` stands for; 0 if it is none that computes."""
    if name.startswith("__bang_"):
        operation = name.removeprefix("__bang_")
        return 0 if operation in _BANG_MOVES else _BANG_LOOPS.get(operation, 1)
    return 1 if _AVX.match(name) and not _AVX_MOVES.match(name) else 0


def _computes(node: Node) -> bool:
    """Whether something is calculated, and not only copied."""
    if any(
        _text(n.child_by_field_name("operator") or n) != "=" for n in _every(node, "assignment_expression")
    ):
        return True
    for kind in ("binary_expression", "call_expression"):
        for one in _every(node, kind):
            if not _inside(one, node, "subscript_expression"):
                return True
    return False


def _inside(node: Node, top: Node, kind: str) -> bool:
    """Whether `node` lies in an index or another part of a node of this kind below `top`."""
    above = node.parent
    while above is not None and above != top:
        if above.type in (kind, "subscript_argument_list", "argument_list"):
            return True
        above = above.parent
    return False


def _every(node: Node, kind: str) -> Iterator[Node]:
    pending = [node]
    while pending:
        current = pending.pop()
        if current.type == kind:
            yield current
        pending.extend(current.children)


def _name(function: Node) -> str:
    declarator = function.child_by_field_name("declarator")
    while declarator is not None and declarator.type != "function_declarator":
        declarator = declarator.child_by_field_name("declarator") or next(
            (c for c in declarator.named_children if c.type == "function_declarator"), None
        )
    inner = declarator.child_by_field_name("declarator") if declarator is not None else None
    return _text(inner) if inner is not None else ""


def _called(call: Node) -> str:
    callee = call.child_by_field_name("function")
    return re.split(r"[<(]", _text(callee))[0].strip().split("::")[-1] if callee is not None else ""


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
