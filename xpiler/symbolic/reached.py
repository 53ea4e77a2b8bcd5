"""Accesses that no run of a kernel has reached, and sizes at which one may.

    for (int i = 0; i + 256 <= n; i += 64) ...            not reached with n = 48: tried with n = 768

What is not reached is not checked, so the verdict names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from xpiler.ir.nodes import Decl, Expr, Function, Load, Ref, Space
from xpiler.ir.rewrite import walk
from xpiler.symbolic.scalars import PIVOT, VALUE, Role, roles
from xpiler.symbolic.shape import LaunchShape
from xpiler.symbolic.trial import RAMP, Observed, Trial

_FACTOR = 16
_LARGEST = 1 << 16
_LINES = 4  # that are named


@dataclass
class Reached:
    """`places`: accesses of global and shared memory by identity; `seen`: those of them that ran."""

    places: Mapping[int, Load | Ref]
    roles: Mapping[str, Role]
    seen: set[int] = field(default_factory=set)
    lines: list[tuple[Trial, frozenset[int]]] = field(
        default_factory=list
    )  # that each run accessed memory in

    @staticmethod
    def of(kernel: Function, defined: Mapping[str, Expr], trial: Trial) -> Reached:
        arrays = {p.name for p in kernel.params if p.is_pointer}
        for node in walk(kernel.body):
            if isinstance(node, Decl) and node.shape and node.space is Space.SHARED:
                arrays.add(node.name)
        places = {
            id(n): n
            for n in walk(kernel.body)
            if isinstance(n, (Load, Ref)) and n.array in arrays and n.range
        }
        return Reached(places, roles(kernel, defined, LaunchShape(trial.grid, trial.block)))

    def look_at(self, seen: Observed) -> None:
        self.seen |= {id(event.site.node) for event in seen.log.events}
        ranges = (event.site.range for event in seen.log.events)
        self.lines.append((seen.trial, frozenset(place.line for place in ranges if place is not None)))

    def was_at(self, trial: Trial, line: int) -> bool:
        """Whether the run of a trial came to accesses of a line, as far as is known."""
        return any(line in lines for known, lines in self.lines if known is trial)

    def missing(self) -> str:
        """The lines in words, "" if there are none."""
        missed = {n.range.line for i, n in self.places.items() if i not in self.seen and n.range}
        lines = sorted(missed - {n.range.line for i, n in self.places.items() if i in self.seen and n.range})
        if not lines:
            return ""
        more = f" and {len(lines) - _LINES} more" if len(lines) > _LINES else ""
        return f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines[:_LINES]))}{more}"

    def larger(self, trial: Trial, given: frozenset[str]) -> Trial | None:
        """The trial with all sizes larger that nobody has given; None if there are none."""
        if trial.host or trial.extents:
            return None
        grown = {
            name: min(_LARGEST, int(trial.scalars[name]) * _FACTOR)
            for name, role in self.roles.items()
            if name not in given and not role.kinds & {VALUE, PIVOT}
        }
        return replace(trial, scalars={**trial.scalars, **grown}, data=RAMP) if grown else None
