"""Kernels that a syntax error keeps the grammar from seeing: refused, so that none is passed over in silence.

__global__ void a(int n, float *x) {          a: syntax error near `}`: this `}` closes nothing
  x[0] = }
}
"""

from __future__ import annotations

import re

from xpiler.errors import Diagnostic
from xpiler.frontend.syntax import SyntaxUnit

_HEAD = re.compile(r"\b__global__\b")
_NAME = re.compile(r"(?:__launch_bounds__\s*\([^()]*\)|[^(){};])*?\b(\w+)\s*\((?<!__launch_bounds__\()")


def lost_kernels(syntax: SyntaxUnit) -> dict[str, Diagnostic]:
    """By name: heads of kernels in the text that belong to no function that was found, with the syntax error
    behind each. A text without syntax errors has none."""
    if not syntax.errors:
        return {}
    whole = [p for p in syntax.prototypes if not p.node.has_error]  # else it may be half of a kernel
    functions = (*syntax.kernels, *syntax.device_functions, *syntax.host_functions, *whole)
    nodes = [f.node for f in functions] + [i.node for i in syntax.instantiations]
    lost: dict[str, Diagnostic] = {}
    for head in _HEAD.finditer(syntax.expanded):
        place = head.start()
        file, _, _ = syntax.map.span(place, head.end())
        if file != 0 or any(node.start_byte <= place < node.end_byte for node in nodes):
            continue
        error = next((e for e in syntax.errors if e.end > place), syntax.errors[0])
        named = _NAME.match(syntax.expanded, head.end())
        name = named[1] if named else f"kernel at line {syntax.map.range(place, head.end()).line}"
        lost.setdefault(name, Diagnostic("syntax", str(error), error.range))
    return lost
