"""Which variables have the same value in all threads of a team (block or warp) at every point where
threads meet.

A variable *varies* if it is computed from something that varies (the thread index, an atomic's old
value, memory that
the kernel writes), or is assigned where only some threads of the team come by. Everything else is
*uniform*. This is
the usual divergence analysis: a fixed point over names, insensitive to the order of statements.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Block,
    Break,
    Collective,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    If,
    Instr,
    Load,
    Ref,
    Return,
    Space,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import children, walk
from xpiler.passes.sync import Team

_WARP_UNIFORM = frozenset(
    "all any ballot activemask reduce_add reduce_min reduce_max reduce_and reduce_or reduce_xor".split()
)


def full_mask(mask: Expr | None) -> bool:
    """Whether a participation mask names all lanes for certain."""
    if not isinstance(mask, Const):
        return mask is None
    everyone = (1 << mask.dtype.bits) - 1
    return int(mask.value) & everyone == everyone


@dataclass
class Uniformity:
    """What varies within one team. `names` grows until nothing changes."""

    level: Team
    names: set[str]  # varying scalars and arrays
    warp: int = 32  # lanes of a warp
    _divergent: set[int] = field(default_factory=set)  # loops that threads leave at different times
    _changed: bool = True

    def varies(self, expr: Expr) -> bool:
        match expr:
            case Var(name=name):
                return name in self.names
            case Load(array=array, index=index):
                return array in self.names or any(map(self.varies, index))
        return any(isinstance(c, Expr) and self.varies(c) for c in children(expr))

    def uniform(self, expr: Expr) -> bool:
        return not self.varies(expr)

    def divergent_loop(self, loop: For | While) -> bool:
        """Whether threads of the team may run different numbers of iterations."""
        if id(loop) in self._divergent:
            return True
        if isinstance(loop, For):
            return any(map(self.varies, (loop.start, loop.stop, loop.step)))
        return self.varies(loop.condition)

    # ------------------------------------------------------------------ the fixed point

    def _add(self, name: str) -> None:
        if name not in self.names:
            self.names.add(name)
            self._changed = True

    def solve(self, body: Block) -> None:
        while self._changed:
            self._changed = False
            self._visit(body, False, [])

    def _visit(self, stmt: Stmt, varying: bool, loops: list[tuple[For | While, bool]]) -> None:
        match stmt:
            case Block(body=body):
                for inner in body:
                    self._visit(inner, varying, loops)
            case Decl(name=name, init=init):
                parts = init if isinstance(init, tuple) else (init,) if init is not None else ()
                if (varying and init is not None and stmt.shape == ()) or any(map(self.varies, parts)):
                    self._add(name)
            case Assign(target=Var(name=name), value=value):
                if varying or self.varies(value):
                    self._add(name)
            case Assign(target=Load(array=array, index=index), value=value):
                # Memory of the team is one copy: only what is private to a thread can vary by what is stored.
                if (varying or self.varies(value) or any(map(self.varies, index))) and array in self._private:
                    self._add(array)
            case Atomic(target=Var(name=name)):
                self._add(name)
            case Collective(kind=kind, target=target, args=args, mask=mask):
                if varying or not self._same_for_all(kind, args, mask):
                    self._add(target.name)
            case Instr(operands=operands):
                for operand in operands:
                    if isinstance(operand, Ref) and operand.array in self._private:
                        self._add(operand.array)
            case If(condition=condition, then=then, otherwise=otherwise):
                inside = varying or self.varies(condition)
                self._visit(then, inside, loops)
                self._visit(otherwise, inside, loops)
            case For(var=name):
                inside = varying or self.divergent_loop(stmt)
                if inside:
                    self._add(name)
                self._visit(stmt.body, inside, [*loops, (stmt, varying)])
            case While():
                inside = varying or self.divergent_loop(stmt)
                self._visit(stmt.body, inside, [*loops, (stmt, varying)])
                self._visit(stmt.advance, inside, loops)
            case Break() | Continue() if varying:
                loop, entered = loops[-1]
                if not entered:
                    self._diverge(loop)
            case Return() if varying:
                for loop, _ in loops:
                    self._diverge(loop)

    def _diverge(self, loop: For | While) -> None:
        if id(loop) not in self._divergent:
            self._divergent.add(id(loop))
            self._changed = True

    def _same_for_all(self, kind: str, args: tuple[Expr, ...], mask: Expr | None) -> bool:
        if kind.startswith("syncthreads"):
            return self.level <= Team.BLOCK
        if self.level is not Team.WARP or not full_mask(mask):
            return False
        if kind == "shfl":
            width = args[2]
            return all(map(self.uniform, args)) or (
                self.uniform(args[1]) and isinstance(width, Const) and width.value == self.warp
            )
        return kind in _WARP_UNIFORM or all(map(self.uniform, args))

    _private: frozenset[str] = frozenset()


def analyse(
    body: Block, level: Team, varying: frozenset[str], written: frozenset[str], warp: int = 32
) -> Uniformity:
    """Uniformity of `body` for a team.

    `varying`: names that differ from thread to thread from the start (`threadIdx.x`, expanded arrays).
    `written`: arrays
    of GLOBAL space that the kernel writes, and arrays that atomics touch: what is read there may depend
    on timing.
    """
    own = (Space.LOCAL,) if level is Team.WARP else (Space.LOCAL, Space.FRAGMENT)
    private = set()
    for node in walk(body):
        if isinstance(node, Decl) and node.shape and node.space in own:
            private.add(node.name)
    result = Uniformity(level, set(varying | written), warp)
    result._private = frozenset(private)
    result.solve(body)
    return result
