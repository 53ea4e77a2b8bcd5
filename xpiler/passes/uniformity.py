"""Which variables have the same value in all threads of a team (block or warp) at every point where
threads meet.

A variable *varies* if it is computed from something that varies (the thread index, an atomic's old
value, memory that
the kernel writes), or is assigned where only some threads of the team come by. Everything else is
*uniform*. This is
the usual divergence analysis: a fixed point over names, insensitive to the order of statements.

What is declared where only some threads come by, and assigned nowhere else, is uniform as well if it is
computed from what is uniform: the other threads may compute it along, as no one looks at theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
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
from xpiler.ir.rewrite import children, uses, walk, walk_exprs, walk_stmts
from xpiler.passes.sync import Team, team

_Context = tuple[int, ...]  # the divergent branches and loops around a statement, from the outside

_WARP_UNIFORM = frozenset(
    "all any ballot activemask reduce_add reduce_min reduce_max reduce_and reduce_or reduce_xor".split()
)


def full_mask(mask: Expr | None) -> bool:
    """Whether a participation mask names all lanes for certain."""
    if not isinstance(mask, Const):
        return mask is None
    everyone = (1 << mask.dtype.bits) - 1
    return int(mask.value) & everyone == everyone


def _operands(stmt: Stmt) -> tuple[Expr, ...]:
    return tuple(c for c in children(stmt) if isinstance(c, Expr))


def harmless(parts: tuple[Expr, ...]) -> bool:
    """Whether threads that are masked off may evaluate them: no access to memory, no division by zero."""
    for e in (e for part in parts for e in walk_exprs(part)):
        if isinstance(e, Load):
            return False
        divides = isinstance(e, Binary) and e.op in "/%" and e.dtype.is_integer
        if divides and isinstance(e, Binary) and not (isinstance(e.right, Const) and e.right.value):
            return False
    return True


@dataclass
class Uniformity:
    """What varies within one team. `names` grows until nothing changes."""

    level: Team
    names: set[str]  # varying scalars and arrays
    warp: int = 32  # lanes of a warp
    _divergent: set[int] = field(default_factory=set)  # loops that threads leave at different times
    _home: dict[str, _Context] = field(default_factory=dict)  # where variables are declared
    _along: set[int] = field(default_factory=set)  # statements that threads which are masked off may run, too
    _read_along: set[str] = field(default_factory=set)
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

    def along(self, stmt: Stmt) -> bool:
        """Whether threads that are masked off may run the statement, too: nobody sees what they change."""
        return id(stmt) in self._along

    def read_along(self, name: str) -> bool:
        """Whether threads that are masked off read the variable, as they run a statement along."""
        return name in self._read_along

    # ------------------------------------------------------------------ the fixed point

    def _add(self, name: str) -> None:
        if name not in self.names:
            self.names.add(name)
            self._changed = True

    def solve(self, body: Block) -> None:
        while self._changed:
            self._changed = False
            self._along.clear()
            self._read_along.clear()
            self._visit(body, (), [])

    def _assigned(self, name: str, value: tuple[Expr, ...], context: _Context) -> None:
        """`name` gets a value there: it varies unless all threads may compute that alike."""
        alone = context != self._home.get(name, ()) or (context and not harmless(value))
        if alone or any(map(self.varies, value)):
            self._add(name)

    def _visit(self, stmt: Stmt, context: _Context, loops: list[tuple[For | While, _Context]]) -> None:
        match stmt:
            case Block(body=body):
                for inner in body:
                    if context and not isinstance(inner, Block):
                        self._look_along(inner, context)
                    self._visit(inner, context, loops)
            case Decl(name=name, init=init, shape=shape):
                parts = init if isinstance(init, tuple) else (init,) if init is not None else ()
                if shape == ():
                    self._home[name] = context
                    self._assigned(name, parts, context)
                elif any(map(self.varies, parts)):
                    self._add(name)
            case Assign(target=Var(name=name), value=value):
                self._assigned(name, (value,), context)
            case Assign(target=Load(array=array, index=index), value=value):
                # Memory of the team is one copy: only what is private to a thread can vary by what is stored.
                varying = bool(context) or self.varies(value) or any(map(self.varies, index))
                if varying and array in self._private:
                    self._add(array)
            case Atomic(target=Var(name=name)):
                self._add(name)
            case Collective(kind=kind, target=target, args=args, mask=mask):
                if context or not self._same_for_all(kind, args, mask):
                    self._add(target.name)
            case Instr(operands=operands):
                for operand in operands:
                    if isinstance(operand, Ref) and operand.array in self._private:
                        self._add(operand.array)
            case If(condition=condition, then=then, otherwise=otherwise):
                apart = self.varies(condition) or (context != () and not harmless((condition,)))
                self._visit(then, (*context, id(then)) if apart else context, loops)
                self._visit(otherwise, (*context, id(otherwise)) if apart else context, loops)
            case For(var=name, start=start, stop=stop, step=step):
                inside = self._inside(stmt, (start, stop, step), context)
                self._home[name] = inside
                if inside != context:
                    self._add(name)
                self._visit(stmt.body, inside, [*loops, (stmt, inside)])
            case While(condition=condition):
                inside = self._inside(stmt, (condition,), context)
                self._visit(stmt.body, inside, [*loops, (stmt, inside)])
                self._visit(stmt.advance, inside, loops)
            case Break() | Continue():
                loop, entered = loops[-1]
                if context != entered:
                    self._diverge(loop)
            case Return() if context:
                for loop, _ in loops:
                    self._diverge(loop)

    def _look_along(self, stmt: Stmt, context: _Context) -> None:
        """Whether the others may run a statement of a list along; else what it assigns varies."""
        synchronises = team(stmt) >= self.level
        shuffle = isinstance(stmt, Collective) and stmt.kind.startswith("shfl")
        found = uses(stmt)
        if isinstance(stmt, Decl) and self.level is Team.WARP and not found.arrays_read:
            self._read_along |= found.vars_read
        if isinstance(stmt, Decl) or (synchronises and not shuffle):
            return
        own = found.vars_declared
        parts = [s for s in walk_stmts(stmt) if not isinstance(s, Block)]
        if (
            all(isinstance(s, (Assign, Collective)) and isinstance(s.target, Var) for s in parts)
            and all(self._home.get(name, ()) == context for name in found.vars_assigned - own)
            and not found.arrays_read
            and harmless(tuple(e for s in parts for e in _operands(s)))
            and (self.level is Team.WARP or not found.vars_assigned & self.names)
        ):
            self._along.add(id(stmt))
            self._read_along |= found.vars_read
            return
        for name in found.vars_assigned - own:
            self._add(name)

    def _inside(self, loop: For | While, head: tuple[Expr, ...], context: _Context) -> _Context:
        """The context of the loop's body. Where some threads are missing only they may evaluate what could
        do harm, or go round for ever."""
        if context and not (harmless(head) and (isinstance(loop, For) or _ends(loop))):
            self._diverge(loop)
        return (*context, id(loop)) if self.divergent_loop(loop) else context

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


def _ends(loop: While) -> bool:
    """Whether it ends whatever its variable holds at first, as it must where no thread entered it: the loop
    goes on while `v > 0`, and each round shifts or divides `v`."""
    match loop.condition:
        case Binary(op="<", left=Const(value=0), right=Var(name=name)):
            pass
        case Binary(op=">", left=Var(name=name), right=Const(value=0)):
            pass
        case _:
            return False
    changes = [s for s in walk_stmts(Block((loop.body, loop.advance))) if isinstance(s, Assign)]
    values = [s.value for s in changes if isinstance(s.target, Var) and s.target.name == name]
    rounds = (*loop.body.body, *loop.advance.body)
    every = any(isinstance(s, Assign) and s.value in values for s in rounds)
    return every and all(_smaller(value, name) for value in values)


def _smaller(value: Expr, name: str) -> bool:
    match value:
        case Binary(op=">>" | "/" as op, left=Var(name=shifted), right=Const(value=by)):
            return shifted == name and by >= (1 if op == ">>" else 2)
    return False
