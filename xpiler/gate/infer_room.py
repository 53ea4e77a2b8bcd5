"""Arrays whose elements are picked by data, by host code, or by kernels that were not interpreted: how long
they are only runs can tell.

    b = clamp((int)(x[i] * scale), lo, hi);  hist[b - lo] += 1      hist: as long as any data may reach
    slot = table[t] * 16 + at[t];  cache[slot] = x                  cache: as long as any two of them reach
    if (p[k] > coin) pick = k;  token[r] = ids[r * K + pick]        ids: as long as any pick may reach

The interpreter saw one set of data. The program is run on the cases, and an array of unknown length that it
leaves grows until it does not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from xpiler.gate.contract import Case, Contract
from xpiler.gate.infer_search import Builder
from xpiler.ir.nodes import Function, Load, Ref
from xpiler.ir.picked_by_data import is_picked, picked_by_data
from xpiler.ir.rewrite import walk

_ROUNDS = 24  # each array grows by itself: a run shows its first overrun alone
_MOST_ELEMENTS = 1 << 20  # a float far out of range is no index
_ALIGNMENT = 16  # bytes, of the emulators' buffers
_OTHER_SEEDS = (101, 102)  # what other data of the same kinds reach


@dataclass(frozen=True)
class Room:
    """What arrays need beyond what one run of them reached. `steps`: elements that the lengths of arrays are
    multiples of, if not 1; `short`: those that were too short."""

    steps: Mapping[str, int] = field(default_factory=dict)
    short: frozenset[str] = frozenset()

    def given(self, case: Case) -> Case:
        """The case with short arrays half as long again, at whole steps."""
        extents = {}
        for name, extent in case.extents:
            step = self.steps.get(name, 1)
            needed = extent + extent // 2 + 1 if name in self.short else extent
            extents[name] = -(-needed // step) * step
        shapes = tuple((n, shape) for n, shape in case.shapes if extents.get(n, 0) == case.extent(n))
        return replace(case, extents=tuple(extents.items()), shapes=shapes)


def room_for(
    contract: Contract,
    builder: Builder,
    kernels: Sequence[Function],
    stated: Collection[str],
    known: bool,
) -> tuple[Contract, Room]:
    """The contract with arrays as long as its cases need them, those of `stated` shape as they were, and what
    other cases need. `known`: the interpreter ran all kernels and host code looks at no array, so that all
    are known to be long enough but for places that data pick."""
    room = Room()
    picked = any(map(_indexes_by_data, kernels))
    if not contract.cases or (known and not picked):
        return contract, room
    build = builder(contract)
    if not build.ok:
        return contract, room
    widths = {a.name: a.dtype.bytes for a in contract.arguments if a.is_pointer and a.name not in stated}
    # The emulator sees no access that lies beyond an array but before the next aligned address.
    steps = {name: max(1, _ALIGNMENT // width) for name, width in widths.items()} if picked else {}
    cases = tuple(map(Room(steps).given, contract.cases))
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
        room = replace(room, short=room.short | needed.keys())
        cases = tuple(map(Room(steps, frozenset(needed)).given, cases))
    return replace(contract, cases=cases), replace(room, steps=steps)


def _indexes_by_data(kernel: Function) -> bool:
    """Whether integers that data decide say where the kernel reads or writes: elements of arrays, or what is
    chosen by conversions or comparisons of floats."""
    arrays = {p.name for p in kernel.params if p.is_pointer}
    picked = picked_by_data(kernel)
    return any(
        is_picked(index, picked)
        for node in walk(kernel.body)
        if isinstance(node, Load | Ref) and node.array in arrays
        for index in (node.index if isinstance(node, Load) else (node.offset,))
    )
