"""Arrays that make no difference in any run, although the kernels read them: the sizes show nothing of them.

    for (k = 0; k < 3; ++k) { int i = x0 - pad + k * dilation; if (i >= 0 && i < length) sum += x[i] * w[k]; }

With length = 4, pad = 20 and dilation = 12 every sum is 0, and any target that writes zeros agrees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from xpiler.frontend.unit import Unit
from xpiler.gate.contract import Case, Contract, Values
from xpiler.gate.entries import Entry
from xpiler.gate.execute import Build
from xpiler.gate.special_values import drawn_arrays, is_unmoved
from xpiler.gate.verify import BRIEF
from xpiler.ir.nodes import Assign, Function, Load
from xpiler.ir.rewrite import walk

_VALUES = (77.0, -77.0)
_MOST = 12  # cases


def idle_arrays(
    contract: Contract, source: Build, kernels: Sequence[Function], unused: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Those arrays of floats, of the ones that the kernels read by the same name, whatever they hold. Members
    of structs are not asked about: a list of tensors has room for more than there are. `unused`: parameters
    that only share their name with one of a kernel."""
    own = {argument.name for argument in contract.arguments if not argument.member} - unused
    read = own & frozenset(
        node.array for kernel in kernels for node in walk(kernel.body) if isinstance(node, Load)
    ).difference(*map(_made, kernels))
    idle: list[str] | None = None
    for case in _one_for_all_scalars(contract.cases):
        names = [name for name in drawn_arrays(contract, case) if name in read]
        idle = names if idle is None else [name for name in idle if name in names]
        if not idle:
            return ()
        held = [
            replace(case, values=(*case.values, (name, Values("constant", value))))
            for name in idle
            for value in _VALUES
        ]
        expected, *results = source.run([case, *held], limits=BRIEF)
        if not expected.ok:
            continue
        each = len(_VALUES)
        idle = [
            name
            for number, name in enumerate(idle)
            if all(
                is_unmoved(contract, expected, r, name) for r in results[number * each : (number + 1) * each]
            )
        ]
    return tuple(idle or ())


def _made(kernel: Function) -> set[str]:
    """Arrays that a kernel writes before it reads them, whatever they held: `mean[j] = 0; mean[j] += ...`."""
    made: dict[str, bool] = {}
    for node in walk(kernel.body):
        match node:
            case Assign(target=Load(array=name) as place, value=value, reduce=None):
                read = any(
                    isinstance(n, Load) and n.array == name
                    for part in (value, *place.index)
                    for n in walk(part)
                )
                made.setdefault(name, not read)
            case Load(array=name):
                made.setdefault(name, False)
    return {name for name, is_made in made.items() if is_made}


def _one_for_all_scalars(cases: Iterable[Case]) -> Iterator[Case]:
    seen: set[object] = set()
    for case in cases:
        if not case.all_given and case.scalars not in seen and len(seen) < _MOST:
            seen.add(case.scalars)
            yield case


def never_named(unit: Unit, entry: Entry) -> frozenset[str]:
    """Parameters of a host function that its body does not name: nothing can depend on them."""
    bodies = [f.body for f in (*unit.host_functions, *unit.instances) if f.callee == entry.name]
    names = {p.name for p in entry.params if p.is_pointer}
    words = set(re.findall(r"\w+", bodies[0])) if bodies and bodies[0] else names
    return frozenset(names - words)
