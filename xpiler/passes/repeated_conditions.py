"""What stands under the same condition, one behind the other, stands under it together.

    if (n > 0) load(n)
    if (n > 0) store(n)      -->      if (n > 0) { load(n)  store(n) }

So it is seen that what the second reads of a scratchpad the first has written. Applies where the first
changes nothing that the condition asks about.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.nodes import Block, Function, If, Load, Stmt
from xpiler.ir.rewrite import free_vars, uses, walk
from xpiler.passes.joined_conditions import join_neighbours
from xpiler.passes.structured import spliced


def join_repeated(function: Function) -> Function:
    """Everywhere in the function."""
    return join_neighbours(function, _joined)


def _joined(first: Stmt, second: Stmt) -> If | None:
    match first, second:
        case (
            If(condition=condition, then=then, otherwise=Block(body=())),
            If(condition=again, then=more, otherwise=Block(body=())),
        ) if condition == again:
            done = uses(then)
            read = {n.array for n in walk(condition) if isinstance(n, Load)}
            if not free_vars(condition) & done.vars_assigned and not read & done.arrays_written:
                return replace(first, then=Block((*spliced(then.body), *spliced(more.body))))
    return None
