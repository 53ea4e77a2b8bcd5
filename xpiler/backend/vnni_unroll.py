"""Short vector loops, several registers at a time.

    for (i = 0; i < n; i += 16)          for (i = 0; i < n / 64 * 64; i += 64) {
      sum += x[i ..]            -->        sum_0 += x[i ..]; ... sum_3 += x[i + 48 ..] }
                                         sum_0 += sum_1 + sum_2 + sum_3; the rest as before

Whole registers need no mask, and a sum in one register waits for itself: an addition takes four cycles,
and two can start in each.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd
from typing import TYPE_CHECKING

from xpiler.ir.nodes import Assign, Binary, Call, Cast, Const, Decl, Expr, For, Load, Select, Stmt, Var
from xpiler.ir.rewrite import walk
from xpiler.passes.knobs import Knob

if TYPE_CHECKING:
    from xpiler.backend.vnni_region import Region

UNROLL = Knob("vnni.unroll", (1, 2, 4), 4, "registers of a short vector loop that are worked on at a time")
_SHORT = 24  # operations of a body, above which the processor finds enough to do by itself
_LONG = {"exp": 16, "tanh": 24, "erf": 24, "log": 16, "pow": 40, "sin": 24, "cos": 24}


def copies_of(loop: For, lanes: int, *, sums: bool) -> int:
    """How many registers the loop is worth at a time, without masks; 0 where it is as good as it is. One is
    enough where nothing is summed."""
    body = loop.body.body
    if loop.start != Const(loop.dtype, 0) or not all(isinstance(s, (Assign, Decl)) for s in body):
        return 0
    if any(isinstance(s, Decl) and s.shape for s in body):
        return 0
    if any(isinstance(n, Select) and _loads(n) for s in body for n in walk(s)):
        return 0
    if isinstance(loop.stop, Const) and loop.stop.value < UNROLL.value * lanes:
        return 0
    if sum(_operations(s) for s in body) > _SHORT:
        return 0
    return UNROLL.value if sums else 1


def _loads(expr: Expr) -> bool:
    return any(isinstance(n, Load) for n in walk(expr))


def _operations(stmt: Stmt) -> int:
    total = 0
    for node in walk(stmt):
        total += _LONG.get(node.function, 2) if isinstance(node, Call) else isinstance(node, Expr)
    return total


def print_unrolled(region: Region, kind: str, stop: str, copies: int) -> str:
    """The whole groups of registers; where the rest starts."""
    printer, loop, lanes = region.printer, region.loop, region.lanes
    var, many = printer.name(loop.var), copies * lanes.count
    end = f"{stop} / {many} * {many}"
    own = {name: printer.names[name] for name in region.accumulators}
    others: list[tuple[str, str]] = []
    for acc in region.accumulators.values():
        for _ in range(1, copies):
            name = printer.fresh(f"{acc.name}_lanes")
            printer.line(f"{lanes.register(acc.dtype)} {name} = {region.identity(acc)};")
            others.append((acc.name, name))
            region.shapes.varying.add(name)
    printer.line(f"for ({kind} {var} = 0; {var} < {end}; {var} += {many}) {{")
    printer.depth += 1
    place = region.values.linear[loop.var]
    for copy in range(copies):
        text = f"({place.text} + {copy * lanes.count})" if copy else place.text
        region.values.linear[loop.var] = replace(place, text=text)
        for name in own:
            mine = [other for acc, other in others if acc == name]
            printer.names[name] = mine[copy - 1] if copy else own[name]
        _in_braces(region)
    region.values.linear[loop.var] = place
    printer.names.update(own)
    printer.depth -= 1
    printer.line("}")
    for name, other in others:
        acc = region.accumulators[name]
        printer.names[other] = other
        joined = region.fold(Var(acc.dtype, name), acc.op, Var(acc.dtype, other))
        printer.line(f"{own[name]} = {joined};")
    return end


def _in_braces(region: Region) -> None:
    """One copy of the body; its variables are its own."""
    printer, loop = region.printer, region.loop
    braces = any(isinstance(s, Decl) for s in loop.body.body)
    if not braces:
        region.block(loop.body)
        return
    names, linear = dict(printer.names), dict(region.values.linear)
    printer.line("{")
    region.scoped(loop.body, None)
    printer.line("}")
    printer.names.clear()
    printer.names.update(names)
    region.values.linear.clear()
    region.values.linear.update(linear)


def known_multiple(expr: Expr) -> int:
    """A number that the value is certainly a multiple of."""
    match expr:
        case Const(value=int() as value):
            return abs(value) if value else 1 << 16
        case Cast(operand=operand):
            return known_multiple(operand)
        case Binary(op="*", left=left, right=right):
            return known_multiple(left) * known_multiple(right)
        case Binary(op="+" | "-", left=left, right=right):
            common = gcd(known_multiple(left), known_multiple(right))
            return common & -common  # a power of two also where the sum wraps
    return 1
