"""Which arrays of a kernel hold indices: their contents decide where the kernel reads and writes."""

from __future__ import annotations

from typing import Literal

from xpiler.ir.nodes import Assign, Atomic, Collective, Decl, Expr, For, Function, Load, Ref, Var, While
from xpiler.ir.rewrite import walk

Use = Literal["index", "offsets", "counter"]


def index_arrays(kernel: Function) -> dict[str, Use]:
    """Integer array parameters whose elements reach an index (`index`) or a loop bound (`offsets`); a
    `counter` gives out indices by being counted up (`y[atomicAdd(count, 1)] = x`)."""
    integers = {p.name for p in kernel.params if p.is_pointer and p.dtype.is_integer}
    if not integers:
        return {}
    taint: dict[str, frozenset[str]] = {}

    def sources(expr: Expr) -> frozenset[str]:
        found: set[str] = set()
        for node in walk(expr):
            if isinstance(node, Load) and node.array in integers:
                found.add(node.array)
            elif isinstance(node, Load | Var):
                found |= taint.get(node.array if isinstance(node, Load) else node.name, frozenset())
        return frozenset(found)

    for _ in range(4):  # a chain through variables and shared memory settles in a few rounds
        before = dict(taint)
        for node in walk(kernel.body):
            for name, value in _definitions(node):
                taint[name] = taint.get(name, frozenset()) | sources(value)
        if taint == before:
            break
    uses: dict[str, Use] = {}
    for node in walk(kernel.body):
        match node:
            case Load(index=index):
                for array in frozenset[str]().union(*map(sources, index)):
                    uses.setdefault(array, "index")
            case Ref(offset=offset):
                for array in sources(offset):
                    uses.setdefault(array, "index")
            case For(start=start, stop=stop):
                for array in sources(start) & sources(stop):
                    uses[array] = "offsets"
            case While(condition=condition):
                for array in sources(condition):
                    if array in uses:
                        uses[array] = "offsets"
    counted = {n.place.array for n in walk(kernel.body) if isinstance(n, Atomic) and n.op in ("add", "inc")}
    return {array: "counter" if array in counted else use for array, use in uses.items()}


def _definitions(node: object) -> list[tuple[str, Expr]]:
    match node:
        case Decl(name=name, init=Expr() as init):
            return [(name, init)]
        case Assign(target=Var(name=name), value=value):
            return [(name, value)]
        case Assign(target=Load(array=name), value=value) if value.dtype.is_integer:
            return [(name, value)]
        case Collective(target=Var(name=name), args=args):
            return [(name, arg) for arg in args[:1]]
        case Atomic(target=Var(name=name), place=place, args=args):
            return [(name, value) for value in (place, *args)]
        case For(var=name, start=start):
            return [(name, start)]
    return []
