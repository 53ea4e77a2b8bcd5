"""Which scalars of a loop body differ between the lanes, once the loop runs 16 iterations at a time.

A variable varies if a varying value is assigned to it, or anything under control flow that its declaration
is not
under and that lanes may disagree about. Everything else stays a scalar shared by the lanes.
"""

from __future__ import annotations

from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Block,
    Break,
    Continue,
    Decl,
    Expr,
    For,
    If,
    Load,
    Return,
    Stmt,
    Trap,
    Var,
    While,
)
from xpiler.ir.rewrite import walk


class Shapes:
    """`varying`: names of scalars that differ between lanes. `arrays`: arrays with one copy a lane."""

    def __init__(self, body: Block, lane_var: str, accumulators: frozenset[str] = frozenset()) -> None:
        self.varying: set[str] = {lane_var, *accumulators}
        self.arrays: set[str] = {s.name for s in walk(body) if isinstance(s, Decl) and s.shape}
        self._declared: dict[str, tuple[int, ...]] = {}
        self._changed = True
        while self._changed:
            self._changed = False
            self._block(body, ())

    def varies(self, expr: Expr) -> bool:
        return any(
            (isinstance(n, Var) and n.name in self.varying)
            or (isinstance(n, Load) and n.array in self.arrays)
            for n in walk(expr)
        )

    def lanes_leave(self, loop: For | While) -> bool:
        """Whether lanes may stop at different iterations, or skip parts of one."""
        if isinstance(loop, For):
            if self.varies(loop.start) or self.varies(loop.stop) or self.varies(loop.step):
                return True
        elif self.varies(loop.condition):
            return True
        return self._jumps_vary(loop.body, False)

    def _jumps_vary(self, stmt: Stmt, under: bool) -> bool:
        """A break or continue of this loop under control that varies."""
        match stmt:
            case Break() | Continue() | Return():
                return under
            case Block(body=body):
                return any(self._jumps_vary(s, under) for s in body)
            case If(condition=condition, then=then, otherwise=otherwise):
                inner = under or self.varies(condition)
                return self._jumps_vary(then, inner) or self._jumps_vary(otherwise, inner)
        return False

    def _mark(self, name: str) -> None:
        if name not in self.varying:
            self.varying.add(name)
            self._changed = True

    def _block(self, block: Block, control: tuple[int, ...]) -> None:
        for stmt in block.body:
            self._stmt(stmt, control)

    def _stmt(self, stmt: Stmt, control: tuple[int, ...]) -> None:
        match stmt:
            case Decl(name=name, shape=(), init=init):
                self._declared[name] = control
                if isinstance(init, Expr) and self.varies(init):
                    self._mark(name)
            case Assign(target=Var(name=name), value=value):
                if self.varies(value) or self._declared.get(name, ()) != control:
                    self._mark(name)
            case Atomic(target=Var(name=name)):
                self._mark(name)
            case Block():
                self._block(stmt, control)
            case If(condition=condition, then=then, otherwise=otherwise):
                inner = (*control, id(stmt)) if self.varies(condition) else control
                self._block(then, inner)
                self._block(otherwise, (*inner, 1) if inner is not control else control)
            case For(var=name, start=start, step=step, body=body):
                if self.varies(start) or self.varies(step):
                    self._mark(name)
                inner = (*control, id(stmt)) if self.lanes_leave(stmt) else control
                self._declared[name] = inner
                self._block(body, inner)
            case While(body=body, advance=advance):
                inner = (*control, id(stmt)) if self.lanes_leave(stmt) else control
                self._block(body, inner)
                self._block(advance, inner)
            case Trap() | _:
                pass
