"""A variable that is set anew after threads met is another variable from there on.

    for c: top = max(top, x[c])                      for c: top = max(top, x[c])
    s[t] = top; barrier; ...                         s[t] = top; barrier; ...
    top = s[0];                              -->     float top_1 = s[0];
    y = x - top;                                     y = x - top_1;

So what each thread had of a value and what all have of it are told apart. Applies where it is set in the
block that declares it, whatever the old value.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.nodes import Assign, Barrier, Block, Collective, Decl, Function, Stmt, Var
from xpiler.ir.rewrite import map_body, rename, walk
from xpiler.passes.names import Names


def renew_variables(function: Function) -> Function:
    """Everywhere in the function."""
    names = Names(function)
    return map_body(function, lambda stmt: _renewed(stmt, names) if isinstance(stmt, Block) else stmt)


def _renewed(block: Block, names: Names) -> Block:
    stmts = list(block.body)
    declared: dict[str, int] = {}  # where a value of that name begins
    for at in range(len(stmts)):
        match stmts[at]:
            case Decl(name=name, shape=()):
                declared[name] = at
            case Assign(target=Var(name=name, dtype=dtype), value=value, reduce=None) as stmt if (
                name in declared
                and not any(isinstance(n, Var) and n.name == name for n in walk(value))
                and any(map(_meets, stmts[declared[name] + 1 : at]))
            ):
                new = names.fresh(name)
                stmts[at] = Decl(new, dtype, (), init=value, range=stmt.range)
                rest = rename(Block(tuple(stmts[at + 1 :])), {name: new})
                stmts[at + 1 :] = rest.body
                declared[new] = at
    return block if stmts == list(block.body) else replace(block, body=tuple(stmts))


def _meets(stmt: Stmt) -> bool:
    return any(isinstance(node, (Barrier, Collective)) for node in walk(stmt))
