"""Divergent control flow around synchronisation becomes masks, so that only uniform control flow is left
around it.

    if (c) {                       bool in = c;
      A; __syncthreads(); B;  -->  if (in) A;  __syncthreads();  if (in) B;
    }

    for (i = a; i < n; i += s)     i = a; bool active = i < n; bool any = false; any = any || active;
      { A; __syncwarp(); B; } -->  while (any) { if (active) A; __syncwarp(); if (active) { B; i += s; }
                                     active = active && i < n; any = false; any = any || active; }

Always applies: threads that are masked off do nothing, as threads that left the branch or the loop, or
exited, would.
`any` is a *team accumulator*: one variable for the team into which its threads fold a value one after
the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from xpiler.ir.build import add, and_, const, lt, not_, or_, var
from xpiler.ir.nodes import (
    FALSE,
    TRUE,
    Assign,
    Barrier,
    Block,
    Collective,
    Decl,
    Expr,
    For,
    If,
    Instr,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import uses
from xpiler.ir.types import BOOL
from xpiler.passes.names import Names
from xpiler.passes.structured import spliced
from xpiler.passes.sync import Team, team
from xpiler.passes.uniformity import Uniformity, harmless


@dataclass
class Masking:
    """One run of the transformation for a team of `level`."""

    level: Team
    uniformity: Uniformity
    names: Names
    accumulators: set[str] = field(default_factory=set)

    def body(self, stmts: Sequence[Stmt], mask: Expr | None) -> tuple[Stmt, ...]:
        """`stmts` executed by the threads whose `mask` holds (None: all of the team)."""
        out: list[Stmt] = []
        stmts = spliced(stmts)
        for n, stmt in enumerate(stmts):
            if team(stmt) >= self.level:
                out.extend(self._synchronising(stmt, mask))
            elif mask is None or self.uniformity.along(stmt):
                out.append(stmt)
            elif isinstance(stmt, Decl):
                out.extend(self._decl(stmt, mask, stmts[n + 1 :]))
            else:
                self._guarded(out, mask, stmt)
        return tuple(out)

    def _guarded(self, out: list[Stmt], mask: Expr, stmt: Stmt) -> None:
        """Append `if (mask) stmt`, to the `if` before where that has the same mask (masks never change
        in between)."""
        match out[-1] if out else None:
            case If(condition=condition, then=then, otherwise=Block(body=())) if condition == mask and not (
                team(out[-1]) >= self.level or _assigns(then, mask)
            ):
                out[-1] = If(mask, Block((*then.body, stmt)))
            case _:
                out.append(If(mask, Block((stmt,))))

    def _decl(self, decl: Decl, mask: Expr, later: Sequence[Stmt]) -> tuple[Stmt, ...]:
        if decl.init is None and not decl.shape and self.uniformity.read_along(decl.name):
            return (replace(decl, init=const(0, decl.dtype)),)
        if decl.init is None or decl.shape or harmless(_parts(decl.init)):
            return (decl,)
        start = const(0, decl.dtype) if self.uniformity.read_along(decl.name) else None
        bare = Decl(decl.name, decl.dtype, space=decl.space, init=start, range=decl.range)
        assert isinstance(decl.init, Expr)
        assign = Assign(Var(decl.dtype, decl.name), decl.init, range=decl.range)
        return (bare, If(mask, Block((assign,))))

    def _synchronising(self, stmt: Stmt, mask: Expr | None) -> tuple[Stmt, ...]:
        match stmt:
            case Barrier():
                return (stmt,)
            case Collective() | Instr():
                alone = mask is None or self.uniformity.along(stmt)
                return (stmt,) if mask is None or alone else (If(mask, Block((stmt,))),)
            case If(condition=condition, then=then, otherwise=otherwise):
                if self.uniformity.uniform(condition) and (mask is None or harmless((condition,))):
                    yes, no = self.body(then.body, mask), self.body(otherwise.body, mask)
                    return (If(condition, Block(yes), Block(no), range=stmt.range),)
                return self._branch(stmt, mask)
            case For():
                bounds = (stmt.start, stmt.stop, stmt.step)
                if not self.uniformity.divergent_loop(stmt) and (mask is None or harmless(bounds)):
                    return (_with_body(stmt, self.body(stmt.body.body, mask)),)
                return self._divergent_for(stmt, mask)
            case While():
                if self.uniformity.divergent_loop(stmt):
                    return self._divergent_while(stmt, mask)
                inner = Block(self.body((*stmt.body.body, *stmt.advance.body), mask))
                return (While(stmt.condition, inner, stmt.do_while, range=stmt.range),)
        raise AssertionError(f"a statement that synchronises: {type(stmt).__name__}")

    def _varying(self, base: str) -> Var:
        name = self.names.fresh(base)
        self.uniformity.names.add(name)
        return Var(BOOL, name)

    def _branch(self, stmt: If, mask: Expr | None) -> tuple[Stmt, ...]:
        """The condition is kept in a variable: what it reads may change inside the branches."""
        inside = self._varying("taken")
        condition = stmt.condition if mask is None else and_(mask, stmt.condition)
        out: list[Stmt] = [Decl(inside.name, BOOL, init=condition, range=stmt.range)]
        out.extend(self.body(stmt.then.body, inside))
        if stmt.otherwise.body:
            other = not_(inside)
            if mask is not None:
                kept = self._varying("other")
                out.append(Decl(kept.name, BOOL, init=and_(mask, other)))
                other = kept
            out.extend(self.body(stmt.otherwise.body, other))
        return tuple(out)

    def _any(self, active: Var) -> tuple[Var, tuple[Stmt, ...]]:
        """A team accumulator and the statements that set it to "some thread is active"."""
        some = var(self.names.fresh("any"), BOOL)
        self.accumulators.add(some.name)
        return some, (Assign(some, FALSE), Assign(some, or_(some, active)))

    def _divergent_for(self, loop: For, mask: Expr | None) -> tuple[Stmt, ...]:
        counter = var(loop.var, loop.dtype)
        self.uniformity.names.add(loop.var)
        start = Decl(loop.var, loop.dtype, init=loop.start, range=loop.range)
        head = (start,) if mask is None else self._decl(start, mask, ())
        stop, step = loop.stop, loop.step
        if not isinstance(stop, Var) and not harmless((stop,)):  # bounds are evaluated once
            end = var(self.names.fresh(f"{loop.var}_end"), loop.dtype)
            self.uniformity.names.add(end.name)
            bound = Decl(end.name, end.dtype, init=stop)
            head = (*head, *((bound,) if mask is None else self._decl(bound, mask, ())))
            stop = end
        advance = (Assign(counter, add(counter, step)),)
        return (*head, *self._masked_loop(lt(counter, stop), loop.body.body, advance, mask, loop))

    def _divergent_while(self, loop: While, mask: Expr | None) -> tuple[Stmt, ...]:
        return self._masked_loop(loop.condition, loop.body.body, loop.advance.body, mask, loop)

    def _masked_loop(
        self,
        condition: Expr,
        body: Sequence[Stmt],
        advance: Sequence[Stmt],
        mask: Expr | None,
        origin: For | While,
    ) -> tuple[Stmt, ...]:
        active = self._varying("active")
        some, collect = self._any(active)
        first = TRUE if isinstance(origin, While) and origin.do_while else condition
        entered = first if mask is None else and_(mask, first)
        again = Assign(active, and_(active, condition))
        inner = (*self.body((*body, *advance), active), again, *collect)
        return (
            Decl(active.name, BOOL, init=entered),
            Decl(some.name, BOOL, init=FALSE),
            collect[1],
            While(some, Block(inner), range=origin.range),
        )


def _with_body(loop: For, body: tuple[Stmt, ...]) -> For:
    return For(
        loop.var,
        loop.dtype,
        loop.start,
        loop.stop,
        loop.step,
        Block(body),
        loop.kind,
        loop.unroll,
        range=loop.range,
    )


def _parts(init: Expr | tuple[Expr, ...]) -> tuple[Expr, ...]:
    return init if isinstance(init, tuple) else (init,)


def _assigns(block: Block, mask: Expr) -> bool:
    return bool(uses(block).vars_assigned & uses(mask).vars_read)
