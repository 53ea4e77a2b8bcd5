"""What handles the rest of a size, where all sizes that were tried so far leave none.

    for (; i + 16 <= n; i += 16) store(y + i, ...);       n = 48, 64: y ends at n, the last line does not run
    if (i < n) mask_store(y + i, mask, ...);        -->   n = 51: y[51] is beyond it

Arrays whose accesses ended at a size whenever there was no rest are taken to have that size, but for those
that are filled up beyond it: `p[q * 16 + j] = j < n ? w[j * k + q] : 0` pads a panel.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from xpiler.ir.affine_form import Affine, lift, of_var
from xpiler.ir.nodes import Assign, Cast, Expr, Function, Load, Select, Space
from xpiler.ir.rewrite import free_vars, walk
from xpiler.symbolic.extents import Suggested
from xpiler.symbolic.scalars import Role
from xpiler.symbolic.trial import ENDLESS, Observed, Trial

_MOST_FACTORS = 2  # of a size


@dataclass
class Rests:
    """`steps`: parameters that count the turns of loops, with what these go by, or that are divided into
    shares, rounded up (`shared`), with how many; `ends`: of each array the products of parameters at which
    its accesses ended in every run without a rest."""

    kernel: Function
    steps: Mapping[str, int]
    shared: frozenset[str] = frozenset()
    ends: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)

    @staticmethod
    def of(kernel: Function, roles: Mapping[str, Role], given: Collection[str]) -> Rests:
        steps = {n: max(*r.turns, r.shares, 1) for n, r in roles.items() if n not in given}
        shared = frozenset(n for n in steps if roles[n].shares > 1)
        return Rests(kernel, {n: step for n, step in steps.items() if step > 1}, shared)

    def look_at(self, seen: Observed) -> None:
        if not self.steps or any(int(seen.trial.scalars[n]) % step for n, step in self.steps.items()):
            return
        sizes = {n: v for n, v in seen.trial.scalars.items() if isinstance(v, int)}
        products = [c for k in range(_MOST_FACTORS) for c in itertools.combinations(sizes, k + 1)]
        for array, end in _ends(seen).items():
            here = {names for names in products if prod(sizes[n] for n in names) == end}
            self.ends[array] = self.ends.get(array, here) & here

    def trials(self, trials: Sequence[Trial]) -> Iterator[Trial]:
        """The first trial with rests for all loops that had none in any of them: of less than half a step,
        and of all but one."""
        whole = {n for n, step in self.steps.items() if all(int(t.scalars[n]) % step == 0 for t in trials)}
        names = [n for n in self.steps if n in whole or n in self.shared]
        if any(t.is_launched for t in trials) or not names:
            return
        values = trials[0].scalars
        for by in (2, 1):
            rests = {name: max(1, self.steps[name] // by - 1) for name in names}
            grown = {n: int(values[n]) // self.steps[n] * self.steps[n] + rest for n, rest in rests.items()}
            yield replace(trials[0], scalars={**values, **grown})

    def assumed(self) -> list[str]:
        """What was assumed without the run of that trial, as `multiples` puts it."""
        return [f"assumed: {name} is a multiple of {step}" for name, step in self.steps.items()]

    def beyond(self) -> Iterator[Suggested]:
        """Accesses to look at in the run of that trial."""
        padded = self._padded()
        for node in walk(self.kernel.body):
            if isinstance(node, Load) and len(node.index) == 1 and node.array not in padded:
                for names in sorted(self.ends.get(node.array, ()))[:1]:
                    size: Affine = lift(1)
                    for name in names:
                        size = size * of_var(name)
                    yield Suggested(node, size, None, False)

    def _padded(self) -> frozenset[str]:
        """Arrays that get a number where something else is beyond a size, in another order than it has."""
        sizes = {p.name for p in self.kernel.params if not p.is_pointer}
        return frozenset(
            n.target.array
            for n in walk(self.kernel.body)
            if isinstance(n, Assign) and isinstance(n.target, Load) and _fills_up(n.value, n.target, sizes)
        )


def _fills_up(value: Expr, place: Load, sizes: Collection[str]) -> bool:
    """`p[q * 16 + j] = j < n ? w[j * k + q] : 0`, converted or not."""
    while isinstance(value, Cast):
        value = value.operand
    match value:
        case Select(condition=condition, then=then, otherwise=other):
            reads = [[n for n in walk(e) if isinstance(n, Load)] for e in (then, other)]
            is_packed = any(n.index != place.index for n in (*reads[0], *reads[1]))
            return is_packed and not all(reads) and bool(free_vars(condition) & set(sizes))
    return False


def _ends(seen: Observed) -> dict[str, int]:
    """How far the accesses go of each array whose size nobody tells."""
    ends: dict[str, int] = {}
    for event in seen.log.events:
        memory = event.memory
        if memory.space is Space.GLOBAL and memory.extent >= ENDLESS and event.granules.size:
            last = int(event.granules.max()) * memory.granule // memory.data.itemsize
            ends[memory.name] = max(ends.get(memory.name, 0), last + 1)
    return ends
