"""S1, S2, S3: barriers, warps and atomics."""

from __future__ import annotations

import re

from xpiler.bench.faults.anatomy import Anatomy
from xpiler.bench.faults.model import Edit, Faults

_BARRIERS = re.compile(
    r"__syncthreads|__syncwarp|__sync_\w+|__sync|__asm_volatile_sync|cnrtQueueSync|\w+DeviceSynchronize"
)
_SHUFFLES = re.compile(r"__shfl\w*")
_WARP_NUMBERS = {"31": "63", "32": "64", "63": "31", "64": "32", "5": "6", "6": "5", "16": "8"}


def barriers(a: Anatomy) -> Faults:
    """S1: a barrier that is missing, or that only some threads reach."""
    for call, name, _ in a.calls(lambda name: _BARRIERS.fullmatch(name) is not None):
        parent = call.parent
        if parent is None or parent.type != "expression_statement":
            continue
        yield a.remove("S1", "barrier missing", parent)
        if name == "__syncthreads":
            yield a.replace(
                "S1", "barrier for some threads", parent, f"if (threadIdx.x < 16) {a.said(parent)}"
            )
        elif name in ("__sync_cluster", "__sync_all"):
            yield a.replace("S1", "barrier for some threads", parent, f"if (coreId == 0) {a.said(parent)}")


def warps(a: Anatomy) -> Faults:
    """S2: half a warp, another width, the wrong direction, lanes that take no part."""
    for call, name, arguments in a.calls(lambda name: _SHUFFLES.fullmatch(name) is not None):
        function = call.child_by_field_name("function")
        if function is None or not a.is_plain(function):
            continue
        for one, other in (("_down", "_up"), ("_xor", "_up")):
            if one in name:
                yield a.replace("S2", "wrong shuffle", function, name.replace(one, other))
        if arguments and re.fullmatch(r"0x[fF]+u?(?:ll|ULL)?|-1|~0u?(?:ll)?", a.said(arguments[0])):
            yield a.replace("S2", "mask of half a warp", arguments[0], "0xffff")
        loop = call.parent
        while loop is not None and loop.type != "for_statement":
            loop = loop.parent
        if loop is None:
            continue
        start = re.match(r"for\s*\(\s*\w+\s+\w+\s*=\s*([^;]+);", a.text[a.span(loop)[0] : a.span(loop)[1]])
        if start:
            at = a.span(loop)[0] + start.start(1)
            yield a.edit("S2", "half a warp", loop, Edit(at, at + len(start[1]), f"({start[1]}) / 2"))
    for node in a.all("number_literal"):
        lanes_there = _WARP_NUMBERS.get(a.said(node))
        parent = node.parent
        said = a.said(parent)
        lanes = re.search(r"threadIdx\.x|lane|warp|tid", said) and re.search(r"[&%/]|>>", said)
        if lanes_there and lanes and parent is not None and parent.type == "binary_expression":
            yield a.replace("S2", "lanes of another platform", node, lanes_there)


def atomics(a: Anatomy) -> Faults:
    """S3: a plain update where others update too."""
    for call, name, arguments in a.calls(lambda name: name in ("atomicAdd", "atomicMax", "atomicMin")):
        if len(arguments) != 2 or call.parent is None or call.parent.type != "expression_statement":
            continue
        place, value = a.said(arguments[0]), a.said(arguments[1])
        target = place[1:].strip() if place.startswith("&") else f"*({place})"
        function = {"atomicMax": "max", "atomicMin": "min"}.get(name)
        update = f"{target} = {function}({target}, {value})" if function else f"{target} += {value}"
        yield a.replace("S3", "atomic dropped", call, update)
    for pragma in a.unit.pragmas:
        clause = re.search(r"\s*reduction\([^)]*\)", pragma.text)
        loop = next((n for n in a.all("for_statement") if n.start_byte >= pragma.offset), None)
        if clause is None or loop is None or a.pragma_before(loop) is not pragma:
            continue
        start = a.text.rfind(clause[0].strip(), 0, a.span(loop)[0])
        if start >= 0:
            yield a.edit(
                "S3", "reduction clause dropped", loop, Edit(start, start + len(clause[0].strip()), "")
            )
