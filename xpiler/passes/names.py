"""Names that are new in a function: `acc` stays `acc`, taken ones become `acc_1`, `acc_2`."""

from __future__ import annotations

from xpiler.ir.nodes import Function, Stmt
from xpiler.ir.rewrite import uses


class Names:
    """All names in use; `fresh` hands out new ones."""

    def __init__(self, function: Function) -> None:
        self._taken = {p.name for p in function.params} | {d.name for d in function.globals}
        self.take(function.body)

    def take(self, stmt: Stmt) -> None:
        """Mark every name in a statement as used."""
        found = uses(stmt)
        self._taken |= found.vars_read | found.vars_assigned
        self._taken |= found.arrays_read | found.arrays_written | found.arrays_declared

    def fresh(self, base: str) -> str:
        name, n = base, 0
        while name in self._taken:
            n += 1
            name = f"{base}_{n}"
        self._taken.add(name)
        return name
