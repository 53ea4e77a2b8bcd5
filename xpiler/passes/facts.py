"""What is known about integer variables at a place: ranges of loop variables and what conditions around it say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xpiler.ir.build import sub
from xpiler.ir.nodes import Assign, Atomic, Binary, Collective, Const, Expr, For, Function, Load, Stmt, Var
from xpiler.ir.rewrite import walk, walk_exprs

End = int | Expr | None
Ranges = Mapping[str, tuple[End, End]]


def mutable_vars(node: Stmt | Function) -> frozenset[str]:
    """Scalars that are assigned anywhere: what is said of them holds only for a moment."""
    names = set()
    for n in walk(node):
        match n:
            case (
                Assign(target=Var(name=name))
                | Atomic(target=Var(name=name))
                | Collective(target=Var(name=name))
            ):
                names.add(name)
    return frozenset(names)


@dataclass(frozen=True)
class Facts:
    """Inclusive ranges by variable; ends are numbers or expressions of variables that never change."""

    mutable: frozenset[str]
    ranges: dict[str, tuple[End, End]] = field(default_factory=dict)

    @staticmethod
    def of(function: Function) -> Facts:
        """Launch dimensions are at least 1."""
        facts = Facts(mutable_vars(function))
        for param in function.params:
            if param.name.startswith(("gridDim.", "blockDim.")):
                facts.ranges[param.name] = (1, None)
        return facts

    def inside(self, loop: For) -> Facts:
        """In the body of a loop."""
        high = self._end(sub(loop.stop, 1)) if self._stable(loop.stop) else None
        low = self._end(loop.start) if self._stable(loop.start) else None
        return self._with(loop.var, (low, high))

    def where(self, condition: Expr, holds: bool = True) -> Facts:
        """In a branch: upper and lower ends of plain variables from comparisons joined by `&&` (of `||` negated)."""
        facts = self
        match condition:
            case Binary(op="&&", left=left, right=right) if holds:
                return self.where(left).where(right)
            case Binary(op="||", left=left, right=right) if not holds:
                return self.where(left, False).where(right, False)
            case Binary(op=op, left=left, right=right) if op in _MEANING:
                op = op if holds else _OPPOSITE[op]
                facts = facts._compared(op, left, right)
                facts = facts._compared(_MIRROR[op], right, left)
        return facts

    def _compared(self, op: str, left: Expr, right: Expr) -> Facts:
        if not isinstance(left, Var) or left.dtype.is_float or left.name in self.mutable:
            return self
        if not self._stable(right):
            return self
        low, high = self.ranges.get(left.name, (None, None))
        if op in ("<", "<=", "==") and (high is None or isinstance(high, Expr) or isinstance(right, Const)):
            end = self._end(sub(right, 1) if op == "<" else right)
            high = min(high, end) if isinstance(high, int) and isinstance(end, int) else end
        if op in (">", ">=", "==") and low is None:
            low = self._end(right) if op != ">" else self._end(sub(right, -1))
        return self._with(left.name, (low, high))

    def _with(self, name: str, ends: tuple[End, End]) -> Facts:
        return Facts(self.mutable, {**self.ranges, name: ends})

    def _stable(self, expr: Expr) -> bool:
        return not any(
            isinstance(e, Load) or (isinstance(e, Var) and e.name in self.mutable) for e in walk_exprs(expr)
        )

    @staticmethod
    def _end(expr: Expr) -> End:
        return int(expr.value) if isinstance(expr, Const) else expr


_MEANING = frozenset({"<", "<=", ">", ">=", "=="})
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!="}
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
