"""Arrays whose elements are picked by floats, or by kernels that were not interpreted: how long they are only
runs can tell.

    b = clamp((int)(x[i] * scale), lo, hi);  hist[b - lo] += 1      hist: as long as any data may reach
    if (p[k] > coin) pick = k;  token[r] = ids[r * K + pick]        ids: as long as any pick may reach

The interpreter saw one set of data. The program is run on the cases, and an array of unknown length that it
leaves grows until it does not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from xpiler.gate.contract import Case, Contract
from xpiler.gate.infer_search import Builder
from xpiler.ir.build import COMPARISONS
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Block,
    Cast,
    Collective,
    Decl,
    Expr,
    Function,
    If,
    Load,
    Ref,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import children, walk

_ROUNDS = 24  # each array grows by itself: a run shows its first overrun alone
_MOST_ELEMENTS = 1 << 20  # a float far out of range is no index
_ALIGNMENT = 16  # bytes, of the emulators' buffers
_OTHER_SEEDS = (101, 102)  # what other data of the same kinds reach


@dataclass(frozen=True)
class Room:
    """What arrays that data index need beyond what one run of them reached. `widths`: bytes of an element, of
    all arrays that may grow; `short`: those that were too short."""

    widths: Mapping[str, int] = field(default_factory=dict)
    short: frozenset[str] = frozenset()

    def given(self, case: Case) -> Case:
        """The case with short arrays half as long again, and all as long as memory of the device is aligned:
        the emulator sees no access beyond an array before that."""
        extents = {}
        for name, extent in case.extents:
            if name in self.widths:
                step = max(1, _ALIGNMENT // self.widths[name])
                extents[name] = -(-(extent + extent // 2 if name in self.short else extent) // step) * step
        kept = tuple((name, extents.get(name, extent)) for name, extent in case.extents)
        shapes = tuple((n, shape) for n, shape in case.shapes if extents.get(n, 0) == case.extent(n))
        return replace(case, extents=kept, shapes=shapes)


def room_for(
    contract: Contract,
    builder: Builder,
    kernels: Sequence[Function],
    stated: Collection[str],
    checked: bool,
) -> tuple[Contract, Room]:
    """The contract with arrays as long as its cases need them, those of `stated` shape as they were, and what
    other cases need. `checked`: the interpreter ran all kernels, so that their arrays are known to be long
    enough but for such places."""
    room = Room()
    if not contract.cases or (checked and not any(map(_indexes_by_data, kernels))):
        return contract, room
    build = builder(contract)
    if not build.ok:
        return contract, room
    widths = {a.name: a.dtype.bytes for a in contract.arguments if a.is_pointer and a.name not in stated}
    cases = tuple(map(Room(widths).given, contract.cases))
    for _ in range(_ROUNDS):
        needed: dict[str, int] = {}
        drawn = [replace(case, seed=case.seed + more) for more in _OTHER_SEEDS for case in cases]
        results = build.run([*cases, *drawn])
        for event in (event for result in results for event in result.events if event.name == "oob"):
            name, offset = event.fields.get("array"), event.fields.get("offset")
            if name in widths and isinstance(offset, int) and offset >= 0:
                needed[name] = max(needed.get(name, 0), offset // widths[name] + 1)
        if not needed or max(needed.values()) > _MOST_ELEMENTS:
            break
        room = Room(widths, room.short | needed.keys())
        cases = tuple(map(Room(widths, frozenset(needed)).given, cases))
    return replace(contract, cases=cases), Room(widths, room.short)


def _indexes_by_data(kernel: Function) -> bool:
    """Whether integers that floats decide, by conversion or by comparison, say where the kernel reads or
    writes."""
    arrays = {p.name for p in kernel.params if p.is_pointer}
    picked = _picked_by_floats(kernel.body)
    return any(
        _depends(index, picked)
        for node in walk(kernel.body)
        if isinstance(node, Load | Ref) and node.array in arrays
        for index in (node.index if isinstance(node, Load) else (node.offset,))
    )


def _picked_by_floats(body: Block) -> frozenset[str]:
    """Variables and arrays of integers whose values depend on floats: what is computed of them, and what is
    assigned where they decide whether it is."""
    picked: frozenset[str] = frozenset()
    while True:
        found = picked | {name for stmt in body.body for name in _picked_in(stmt, picked, False)}
        if found == picked:
            return picked
        picked = found


def _picked_in(stmt: Stmt, picked: frozenset[str], decided: bool) -> Iterator[str]:
    """`decided`: floats say whether the statement is run."""
    match stmt:
        case Decl(name=name, init=Expr() as value) | Assign(target=Var(name=name), value=value):
            if not value.dtype.is_float and (decided or _depends(value, picked)):
                yield name
        case Assign(target=Load(array=name), value=value) if not value.dtype.is_float:
            if decided or _depends(value, picked):
                yield name
        case Collective(target=Var(name=name, dtype=dtype), args=args) if not dtype.is_float:
            if decided or any(_depends(arg, picked) for arg in args):
                yield name
        case Atomic(target=Var(name=name), place=place) if not place.dtype.is_float:
            if decided or place.array in picked:
                yield name
        case If(condition=condition) | While(condition=condition):
            decided = decided or _depends(condition, picked)
    for inner in children(stmt):
        if isinstance(inner, Stmt):
            yield from _picked_in(inner, picked, decided)


def _depends(expr: Expr, picked: frozenset[str]) -> bool:
    return any(
        (isinstance(n, Var) and n.name in picked)
        or (isinstance(n, Load) and n.array in picked)
        or (isinstance(n, Cast) and n.dtype.is_integer and n.operand.dtype.is_float)
        or (isinstance(n, Binary) and n.op in COMPARISONS and n.left.dtype.is_float)
        for n in walk(expr)
    )
