"""What the integers of a kernel's arrays mean: indices decide where the kernel reads and writes, others are
the bits of floats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Literal

from xpiler.ir.affine import lift, linear
from xpiler.ir.build import is_const, sub
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Bitcast,
    Cast,
    Collective,
    Decl,
    Expr,
    For,
    Function,
    Instr,
    Load,
    Ref,
    Var,
    While,
)
from xpiler.ir.rewrite import Node, walk
from xpiler.ir.types import F32

Bits = Literal["bf16", "f16", "f32", "f64"]
Use = Literal["index", "offsets", "lengths", "counter", "flags"] | Bits
BITS: tuple[Bits, ...] = ("bf16", "f16", "f32", "f64")
# Uses that say what the elements are, and lead nowhere.
CONTENTS: tuple[Bits | Literal["flags"], ...] = (*BITS, "flags")


def index_arrays(kernel: Function) -> dict[str, Use]:
    """Integer array parameters whose elements reach an index (`index`), both bounds of a loop (`offsets`) or
    only its end (`lengths`); a `counter` gives out indices by being counted up
    (`y[atomicAdd(count, 1)] = x`); `flags` are only asked whether they are zero. The others are read as such
    a number somewhere: all of the array, or a member of its structs, of several the narrowest."""
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
    ends: set[str] = set()
    for node in walk(kernel.body):
        match node:
            case Load(index=index):
                for array in frozenset[str]().union(*map(sources, index)):
                    uses.setdefault(array, "index")
            case Ref(offset=offset):
                for array in sources(offset):
                    uses.setdefault(array, "index")
            case For(start=start, stop=stop):
                ends |= sources(stop)
                for array in sources(start) & sources(stop):
                    uses[array] = "offsets"
            case While(condition=condition):
                for array in sources(condition):
                    if array in uses:
                        uses[array] = "offsets"
    for node in walk(kernel.body):
        if isinstance(node, Binary) and node.op == "-":
            for array in sources(node.left) & sources(node.right) & uses.keys():
                if _has_neighbours(kernel, array):  # the length of a row: start[b + 1] - start[b]
                    uses[array] = "offsets"
    for array in sorted(ends):
        uses.setdefault(array, "lengths")
    defined = [pair for node in walk(kernel.body) for pair in _definitions(node)]
    shifted = {name: halves for name, value in defined if (halves := _upper_halves(value, {}))}
    local = {node.name for node in walk(kernel.body) if isinstance(node, Decl)}
    floats = [found for node in walk(kernel.body) for found in _floats(node, sources, shifted, local)]
    for array, use in sorted(floats, key=lambda found: BITS.index(found[1])):
        uses.setdefault(array, use)
    for array in _only_asked(kernel, integers):
        uses.setdefault(array, "flags")
    counted = {n.place.array for n in walk(kernel.body) if isinstance(n, Atomic) and n.op in ("add", "inc")}
    return {array: "counter" if array in counted else use for array, use in uses.items()}


def _has_neighbours(kernel: Function, array: str) -> bool:
    """Whether elements are read that follow one another."""
    places = {n.index[0] for n in walk(kernel.body) if isinstance(n, Load) and n.array == array}
    return any(linear(sub(one, other)) == lift(1) for one in places for other in places if one != other)


def _only_asked(kernel: Function, arrays: Container[str]) -> list[str]:
    """Those of the arrays whose elements, or variables that hold them, are compared with zero and nothing
    else is done with them."""
    held = {
        node.name: node.init.array
        for node in walk(kernel.body)
        if isinstance(node, Decl) and isinstance(node.init, Load) and node.init.array in arrays
    }
    kept = Counter(held.values())
    asked: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for node in walk(kernel.body):
        match node:
            case Load(array=name) | Ref(array=name):
                found[name] += 1
            case Var(name=name):
                found[held.get(name, "")] += 1
            case Binary(op="!=" | "==", left=left, right=right) if is_const(right, 0):
                while isinstance(left, Cast):
                    left = left.operand
                match left:
                    case Load(array=name):
                        asked[name] += 1
                    case Var(name=name):
                        asked[held.get(name, "")] += 1
    return [name for name in asked if name in arrays and asked[name] + kept[name] == found[name]]


def _floats(
    node: Node,
    sources: Callable[[Expr], frozenset[str]],
    shifted: Mapping[str, list[Expr]],
    local: Container[str],
) -> Iterator[tuple[str, Bits]]:
    """Arrays of which a node reads or writes bits as floats, and of which type. What is computed of integers,
    maybe put into a `local` array, before it is read as a wide float says nothing of them. `shifted`: see
    `_upper_halves`."""
    for use in BITS:
        read: frozenset[str] = frozenset()
        match node:
            case Bitcast(operand=operand) if node.dtype.name == use and (
                node.dtype.bytes == 2 or (isinstance(operand, Load) and operand.array not in local)
            ):
                read = sources(operand)
            case Bitcast(operand=operand) if node.dtype == F32 and use == "bf16":
                read = frozenset[str]().union(*map(sources, _upper_halves(operand, shifted)))
            case Load() if node.dtype.name == use:
                read = sources(node)
            case Assign(target=Load(array=array), value=Bitcast(operand=operand)) if (
                operand.dtype.name == use and operand.dtype.bytes == 2 and array not in local
            ):
                read = frozenset((array,))
            case Instr(name=name, operands=(_, *operands)) if use in name:
                read = frozenset[str]().union(*(sources(Load(o.dtype, o.array, ())) for o in _refs(operands)))
        yield from ((array, use) for array in read)


def _upper_halves(expr: Expr, shifted: Mapping[str, list[Expr]]) -> list[Expr]:
    """`v` of `v << 16`, also where a variable has that value."""
    match expr:
        case Binary(op="<<", left=left, right=right) if is_const(right, 16):
            return [left]
        case Cast(operand=operand) if expr.dtype.is_integer and operand.dtype.bits == expr.dtype.bits:
            return _upper_halves(operand, shifted)
        case Var(name=name) | Load(array=name):
            return shifted.get(name, [])
    return []


def _refs(operands: Sequence[Expr]) -> list[Ref]:
    return [o for o in operands if isinstance(o, Ref)]


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
