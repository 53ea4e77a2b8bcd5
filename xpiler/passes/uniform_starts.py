"""Loops that lanes go through together, each from a place of its own, count the same for all of them.

    for k in lane / 16 .. 16 step 4: mfma(a[k])
      -->   for k0 in 0 .. 16 step 4: int k = k0 + lane / 16; mfma(a[k])

Every lane makes as many rounds: its start lies within the first step, and the loop ends where a step does.
Done where lanes exchange something in the loop, as only then they must be seen to come to it together.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from xpiler.ir.affine import prove_le
from xpiler.ir.build import add, const
from xpiler.ir.nodes import (
    Barrier,
    Block,
    Collective,
    Const,
    Decl,
    Expr,
    For,
    Function,
    Instr,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import map_body, substitute, walk
from xpiler.passes.facts import Facts, mutable_vars
from xpiler.passes.names import Names

_TOGETHER = (Barrier, Collective, Instr)


def uniform_starts(kernel: Function) -> Function:
    """All such loops of a kernel."""
    names, facts = Names(kernel), Facts.of(kernel)
    values: dict[str, Expr] = {}
    declared = [n for n in walk(kernel.body) if isinstance(n, Decl)]
    mutable = mutable_vars(kernel)
    known = Counter(d.name for d in declared)
    for decl in declared:
        if isinstance(decl.init, Expr) and decl.name not in mutable and known[decl.name] == 1:
            values[decl.name] = substitute(decl.init, values)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For) or isinstance(stmt.start, Const):
            return stmt
        if not isinstance(stmt.step, Const) or not isinstance(stmt.stop, Const):
            return stmt
        step, stop = int(stmt.step.value), int(stmt.stop.value)
        if step < 2 or stop % step or stmt.var in mutable:
            return stmt
        if not any(isinstance(n, _TOGETHER) for n in walk(stmt.body)):
            return stmt
        start = substitute(stmt.start, values)
        zero, last = const(0, start.dtype), const(step - 1, start.dtype)
        if not prove_le(zero, start, facts.ranges) or not prove_le(start, last, facts.ranges):
            return stmt
        first = Var(stmt.dtype, names.fresh(f"{stmt.var}_first"))
        own = Decl(stmt.var, stmt.dtype, init=add(first, stmt.start))
        body = Block((own, *stmt.body.body), range=stmt.body.range)
        return replace(stmt, var=first.name, start=const(0, stmt.dtype), body=body)

    body = map_body(kernel, change).body
    return kernel if body == kernel.body else replace(kernel, body=body)
