"""Loops in which threads wait for what others write: what they order nobody follows.

while (flag[b - 1] == 0) ;      a thread of another block sets it, after `sums[b - 1]`:
s = sums[b - 1];        -->     accesses behind the loop are ordered as far as the flag orders them
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Barrier,
    Break,
    Collective,
    Const,
    Decl,
    For,
    Function,
    Instr,
    Load,
    Return,
    Space,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import children, free_vars, uses, walk


@dataclass(frozen=True)
class Waits:
    """`loops`: identities of the loops; `flags`: the arrays that they read, with the memory these are in;
    `behind`: identities of the nodes that threads come to in or after such a loop."""

    loops: frozenset[int]
    flags: tuple[tuple[str, Space], ...]
    behind: frozenset[int]

    @staticmethod
    def of(kernel: Function) -> Waits:
        spaces = {n.name: n.space for n in walk(kernel.body) if isinstance(n, Decl) and n.shape}
        written = _written(kernel)
        loops: dict[int, set[str]] = {}
        for node in walk(kernel.body):
            if isinstance(node, While):
                flags = _read(node) & written
                if (
                    flags
                    and _does_nothing_else(node)
                    and not any(spaces.get(flag) is Space.LOCAL for flag in flags)
                ):
                    loops[id(node)] = flags
        names = sorted({name for read in loops.values() for name in read})
        known = tuple((name, spaces.get(name, Space.GLOBAL)) for name in names)
        return Waits(frozenset(loops), known, frozenset(_behind(kernel.body, frozenset(loops))))

    def orders(self, space: Space, *nodes: object) -> str:
        """The flag that may order accesses of such memory, one of which is at one of the nodes; "" if none.
        Memory of a block is ordered by flags in it."""
        if not any(id(node) in self.behind for node in nodes):
            return ""
        return next((name for name, where in self.flags if where is space), "")


NO_WAITS = Waits(frozenset(), (), frozenset())


def _written(kernel: Function) -> set[str]:
    """The arrays that the kernel itself writes or updates: only those make threads go on."""
    found: set[str] = set()
    for node in walk(kernel.body):
        match node:
            case Assign(target=Load(array=array)):
                found.add(array)
            case Atomic(place=place) if not _only_reads(node):
                found.add(place.array)
    return found


def _stores(node: object) -> bool:
    return isinstance(node, Assign) and isinstance(node.target, Load)


def _only_reads(node: Atomic) -> bool:
    """`atomicAdd(&flag, 0)` and its like, by which a flag is read."""
    zero = isinstance(node.args[-1], Const) and node.args[-1].value == 0
    return node.op in ("add", "sub", "or", "xor") and zero


def _read(loop: While) -> set[str]:
    """The arrays by whose contents, as read in the loop, it ends."""
    asked = {n.array for n in walk(loop.condition) if isinstance(n, Load)}
    inside = (*walk(loop.body), *walk(loop.advance))
    deciding = free_vars(loop.condition) if not any(isinstance(n, Break) for n in inside) else None
    for node in inside:
        match node:
            case Assign(target=Var(name=name), value=value) if deciding is None or name in deciding:
                asked |= {n.array for n in walk(value) if isinstance(n, Load)}
            case Atomic(place=place, target=Var()) if _only_reads(node):
                asked.add(place.array)
            case _ if deciding is None and isinstance(node, Load):
                asked.add(node.array)
    return asked


def _does_nothing_else(loop: While) -> bool:
    """Whether a turn reads and compares, and steps nothing that it would end by without others."""
    for node in (*walk(loop.body), *walk(loop.advance)):
        match node:
            case Barrier(scope="block" | "grid") | Collective() | For() | While() | Instr() | Return():
                return False
            case Atomic() if not _only_reads(node):
                return False
            case Decl(shape=shape) if shape:
                return False
    if any(_stores(n) for n in (*walk(loop.body), *walk(loop.advance))):
        return False
    assigned = uses(loop.body).vars_assigned | uses(loop.advance).vars_assigned
    stepped = {
        n.target.name
        for n in (*walk(loop.body), *walk(loop.advance))
        if isinstance(n, Assign)
        and isinstance(n.target, Var)
        and (n.reduce is not None or n.target.name in free_vars(n.value))
    }
    return not stepped & assigned


def _behind(stmt: Stmt, loops: frozenset[int]) -> Iterator[int]:
    """What follows a loop in the text, and all of a loop around it."""
    waited = False
    for child in children(stmt):
        if not isinstance(child, Stmt):
            if waited:
                yield from (id(n) for n in walk(child))
            continue
        inside = any(id(n) in loops for n in walk(child))
        if waited or id(child) in loops or (inside and isinstance(child, (For, While))):
            yield from (id(n) for n in walk(child))
        elif inside:
            yield from _behind(child, loops)
        waited |= inside
