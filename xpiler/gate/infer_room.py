"""Arrays whose elements are picked by floats, or by kernels that were not interpreted: how long they are only
runs can tell.

    b = clamp((int)(x[i] * scale), lo, hi);  hist[b - lo] += 1      hist: as long as any data may reach

The interpreter saw one set of data. The program is run on the cases, and an array of unknown length that it
leaves grows until it does not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from xpiler.gate.contract import Case, Contract
from xpiler.gate.infer_search import Builder
from xpiler.ir.nodes import Cast, Function
from xpiler.ir.rewrite import walk

_ROUNDS = 24  # each array grows by itself: a run shows its first overrun alone
_MOST_ELEMENTS = 1 << 20  # a float far out of range is no index


def with_room(
    contract: Contract,
    builder: Builder,
    kernels: Sequence[Function],
    stated: Collection[str],
    checked: bool,
) -> Contract:
    """The contract with arrays as long as its cases need them; those of `stated` shape stay. `checked`:
    the interpreter ran all kernels, so that their arrays are known to be long enough but for such places."""
    if not contract.cases or (checked and not any(map(_indexes_by_data, kernels))):
        return contract
    build = builder(contract)
    if not build.ok:
        return contract
    widths = {a.name: a.dtype.bytes for a in contract.arguments if a.is_pointer and a.name not in stated}
    for _ in range(_ROUNDS):
        needed: dict[str, int] = {}
        results = build.run(contract.cases)
        for event in (event for result in results for event in result.events if event.name == "oob"):
            name, offset = event.fields.get("array"), event.fields.get("offset")
            if name in widths and isinstance(offset, int) and offset >= 0:
                needed[name] = max(needed.get(name, 0), offset // widths[name] + 1)
        if not needed or max(needed.values()) > _MOST_ELEMENTS:
            break
        contract = replace(contract, cases=tuple(_grown(case, needed) for case in contract.cases))
    return contract


def _indexes_by_data(kernel: Function) -> bool:
    """Whether floats that the kernel reads become integers."""
    return any(
        isinstance(n, Cast) and n.dtype.is_integer and n.operand.dtype.is_float for n in walk(kernel.body)
    )


def _grown(case: Case, needed: Mapping[str, int]) -> Case:
    """Half as long again, at least as long as needed."""
    extents = tuple((n, max(e + e // 2, needed[n]) if n in needed else e) for n, e in case.extents)
    shapes = tuple((n, shape) for n, shape in case.shapes if n not in needed)
    return replace(case, extents=extents, shapes=shapes)
