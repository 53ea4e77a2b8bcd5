"""Values of scalar parameters beyond those that a contract was found with: other branches, other factors.

    switch (mode) { case 2: ...         found with mode=53    -->  mode=2, mode=1, mode=0
    y = alpha * x + beta * y            alpha=0.75, beta=0.6  -->  alpha=0.25, beta=1.375   beta=0
    if (causal) ...                     causal=true           -->  causal=false
    if (sqrtf(sum) > most) ...          most=0.75             -->  most=0.0625, most=0.125 ... most=256.0
    z = (seed + i) * 0x9E3779B97F4A7C15 seed=3                -->  seed=0x9E3779B97F4A7C15
    if (i < limit) ...                  limit=53, 64 bits     -->  limit=1 << 40

Sizes make every access; which branch a flag or an enumeration chooses they do not show. As with further sizes
the source says which of these it takes (`verify.run_further`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from xpiler.frontend.unit import LaunchSite
from xpiler.gate.contract import Case, Scalar
from xpiler.gate.entries import Entry
from xpiler.ir.build import COMPARISONS
from xpiler.ir.nodes import Binary, Cast, Const, Expr, For, Function, If, Load, Var, While
from xpiler.ir.rewrite import walk
from xpiler.ir.types import BOOL, Kind

_OTHERS = (0.25, 1.375, 2.125, 3.25, 4.5, 5.875)  # unlike those found in size and order
_WIDE = 0x9E3779B97F4A7C15  # about as many ones as zeros, in each part
_FAR = 1 << 40  # of whose lower half nothing is left
_SEED = 8001
_MOST_ZEROS = 4
_MOST_FLAGS = 4
_MOST_COMPARED = 12
_POWERS = range(-4, 9)  # of two: a limit that a sum of some hundred squares exceeds, and its double does not
_MOST_LIMITS = 2


def scalar_cases(
    case: Case,
    free: Mapping[str, Scalar],
    compared: Mapping[str, Sequence[int]],
    limits: Sequence[str] = (),
) -> Iterator[Case]:
    """The case with other numbers and flags, of those that are `free`, and with whole ones that the kernels
    compare with (`compared`), one parameter at a time; with small and large ones for `limits` of floats."""
    known = dict(case.scalars)
    flags = [name for name, value in free.items() if isinstance(value, bool)]
    numbers = [name for name in free if name not in flags]
    asked = [
        (name, value) for name, values in compared.items() for value in values if known.get(name) != value
    ]
    changes: list[dict[str, Scalar]] = [{name: value} for name, value in asked[:_MOST_COMPARED]]
    changes += [{name: not known[name]} for name in flags[:_MOST_FLAGS]]
    if numbers:
        changes.append({name: _OTHERS[i % len(_OTHERS)] for i, name in enumerate(numbers)})
    changes += [{name: 0.0} for name in numbers[:_MOST_ZEROS]]
    asked_floats = [name for name in numbers if name in limits]
    changes += [{name: 2.0**power} for name in asked_floats[:_MOST_LIMITS] for power in _POWERS]
    for number, change in enumerate(changes):
        yield replace(case, scalars=tuple({**known, **change}.items()), seed=_SEED + number)


def compared(
    entry: Entry, kernels: Iterable[Function], launches: Sequence[LaunchSite]
) -> dict[str, tuple[int, ...]]:
    """The integers that kernels compare a parameter of the entry with, in the order of the text; where it is
    less or more that is asked for, the neighbour on the other side too."""
    scalars = [p.name for p in entry.params if not p.is_pointer and p.dtype.is_integer and p.dtype != BOOL]
    found: dict[str, dict[int, None]] = {name: {} for name in scalars}
    for kernel in kernels:
        handed = _handed(entry, kernel, launches)
        for node in walk(kernel.body):
            for name, value in _comparison(node):
                found.get(handed.get(name, ""), {})[value] = None
    return {name: tuple(values) for name, values in found.items() if values}


def float_limits(
    entry: Entry, kernels: Iterable[Function], launches: Sequence[LaunchSite]
) -> tuple[str, ...]:
    """The floats of the entry that kernels compare other floats with."""
    floats = {p.name for p in entry.params if not p.is_pointer and p.dtype.is_float}
    found: dict[str, None] = {}
    for kernel in kernels if floats else ():
        handed = _handed(entry, kernel, launches)
        for node in walk(kernel.body):
            if isinstance(node, Binary) and node.op in COMPARISONS:
                sides = {side.name for side in (node.left, node.right) if isinstance(side, Var)}
                found |= dict.fromkeys(handed.get(name, "") for name in sides)
    return tuple(name for name in found if name in floats)


def wide_numbers(entry: Entry, kernels: Iterable[Function], launches: Sequence[LaunchSite]) -> dict[str, int]:
    """A number that takes all bits for each integer that kernels neither compare nor count up to."""
    wide = {
        p.name: _WIDE >> (64 - p.dtype.bits + (p.dtype.kind is Kind.INT))
        for p in entry.params
        if not p.is_pointer and p.dtype.is_integer and p.dtype != BOOL
    }
    for kernel in kernels:
        handed = _handed(entry, kernel, launches)
        for node in walk(kernel.body):
            match node:
                case For(start=start, stop=stop, step=step):
                    counted: tuple[Expr, ...] = (start, stop, step)
                case While(condition=condition) | If(condition=condition):
                    counted = (condition,)
                case Binary(op=op) if op in COMPARISONS:
                    counted = (node,)
                case Load(index=index):
                    counted = index
                case _:
                    continue
            for inner in (inner for expr in counted for inner in walk(expr)):
                if isinstance(inner, Var):
                    wide.pop(handed.get(inner.name, ""), None)
    return wide


def far_limits(
    entry: Entry,
    kernels: Iterable[Function],
    launches: Sequence[LaunchSite],
    bodies: Iterable[str],
) -> dict[str, int]:
    """A number beyond 32 bits for each integer of 64 that kernels do no more than compare, and host code (the
    `bodies` of its functions) no more than pass on."""
    text = "".join(bodies)
    found = {
        p.name: _FAR
        for p in entry.params
        if not p.is_pointer and p.dtype.is_integer and p.dtype.bits == 64
        if len(re.findall(rf"\b{re.escape(p.name)}\b", text)) <= 1
        if not any(re.search(rf"\b{re.escape(p.name)}\b", launch.grid + launch.block) for launch in launches)
    }
    for kernel in kernels if found else ():
        handed = _handed(entry, kernel, launches)
        for node in walk(kernel.body):
            match node:
                case For(start=start, stop=stop, step=step):
                    used: tuple[Expr, ...] = (start, stop, step)
                case While(condition=condition):
                    used = (condition,)
                case Load(index=index):
                    used = index
                case _:
                    continue
            for inner in (inner for expr in used for inner in walk(expr)):
                if isinstance(inner, Var):
                    found.pop(handed.get(inner.name, ""), None)
    return found


def _handed(entry: Entry, kernel: Function, launches: Sequence[LaunchSite]) -> dict[str, str]:
    """Parameters of a kernel and those of the entry that they are given."""
    handed = {param.name: param.name for param in kernel.params}
    for launch in launches:
        if launch.kernel == kernel.name and launch.host_function == entry.function:
            handed |= dict(zip(handed, launch.arguments, strict=False))
    return handed


def _comparison(node: object) -> Iterator[tuple[str, int]]:
    if not isinstance(node, Binary) or node.op not in ("==", "!=", "<", "<=", ">", ">="):
        return
    for one, other in ((node.left, node.right), (node.right, node.left)):
        one, other = _bare(one), _bare(other)
        if isinstance(one, Var) and isinstance(other, Const) and one.dtype.is_integer and one.dtype != BOOL:
            value = int(other.value)
            yield one.name, value
            if node.op not in ("==", "!="):
                beyond = (node.op in ("<", ">=")) == (one is _bare(node.left))
                yield one.name, value - 1 if beyond else value + 1


def _bare(expr: Expr) -> Expr:
    while isinstance(expr, Cast) and expr.dtype.is_integer:
        expr = expr.operand
    return expr
