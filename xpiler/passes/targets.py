"""Results of atomics and collectives go to plain variables.

    old = atomicAdd(p, 1);   -->   int old_1;  old_1 = atomicAdd(p, 1);  old = old_1;

Wanted where `old` is about to become an element of an array: the IR lets these statements write
variables only.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from xpiler.ir.nodes import Assign, Atomic, Collective, Decl, Stmt, Var
from xpiler.ir.rewrite import map_stmt
from xpiler.passes.names import Names


def with_plain_targets(stmt: Stmt, scalars: Collection[str], names: Names) -> Stmt:
    """The statement with a fresh variable between each atomic or collective and its target, for these
    targets."""

    def change(inner: Stmt) -> Stmt | tuple[Stmt, ...]:
        match inner:
            case Atomic(target=Var(name=name) as target) | Collective(target=Var(name=name) as target) if (
                name in scalars
            ):
                result = Var(target.dtype, names.fresh(name))
                return (
                    Decl(result.name, result.dtype),
                    replace(inner, target=result),
                    Assign(target, result, range=inner.range),
                )
        return inner

    return map_stmt(stmt, change) if scalars else stmt
