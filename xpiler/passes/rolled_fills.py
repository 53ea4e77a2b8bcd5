"""Neighbouring elements of a tile, copied one by one, are copied by a loop.

    s[8*v] = a[i]; s[8*v + 1] = a[i + 1]; ... s[8*v + 7] = a[i + 7]
      -->   for e in 0..8: s[8*v + e] = a[i + e]

That is how tiles in shared memory are filled by wide accesses, as the frontend reads them; in a loop it is
seen what fills them (`cache_removal.py`). Of local arrays at places that are not constants: registers stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.build import cast, const
from xpiler.ir.nodes import Assign, Block, Const, Decl, Expr, For, Function, Load, Stmt, Var
from xpiler.ir.rewrite import map_expr, map_stmt, walk_stmts
from xpiler.ir.types import I32, DType
from xpiler.passes.copies import template
from xpiler.passes.names import Names
from xpiler.passes.structured import spliced


def roll_fills(function: Function) -> Function:
    """All such copies of the function, as many as follow each other."""
    local = {s.name for s in walk_stmts(function.body) if isinstance(s, Decl) and s.shape and s.init is None}
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Block):
            return stmt
        body, out = list(spliced(stmt.body)), list[Stmt]()
        while body:
            count = 0
            while count < len(body) and _same_tile(body[0], body[count], local):
                count += 1
            loop = _rolled(body[:count], names) if count > 2 else None
            taken = count if loop is not None else 1
            out.append(loop if loop is not None else body[0])
            del body[:taken]
        return replace(stmt, body=tuple(out)) if len(out) < len(stmt.body) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _same_tile(first: Stmt, stmt: Stmt, local: set[str]) -> bool:
    """Whether both only copy something to one local array."""
    match first, stmt:
        case (
            Assign(target=Load(array=array, index=(_,)), reduce=None),
            Assign(target=Load(array=other, index=(index,)), value=Load() as value, reduce=None),
        ):
            return array == other and array in local and not isinstance(index, Const) and value.array != array
    return False


def _rolled(copies: Sequence[Stmt], names: Names) -> For | None:
    """The loop, if each copy is a step further than the one before."""
    wide = _index_types(copies[-1])
    number = Var(I32, "?copy")
    made = template([[_with_indices(c, wide)] for c in copies], number)
    if made is None or not isinstance(made[0], Assign):
        return None
    counter = names.fresh("e")

    def named(expr: Expr) -> Expr:
        return Var(I32, counter) if isinstance(expr, Var) and expr.name == number.name else expr

    body = Block(tuple(map_expr(s, named) for s in made))
    return For(counter, I32, const(0), const(len(copies)), const(1), body)


def _index_types(stmt: Stmt) -> list[DType]:
    """Of the elements that the last copy names: the first one's address may have no number added yet."""
    assert isinstance(stmt, Assign) and isinstance(stmt.target, Load) and isinstance(stmt.value, Load)
    return [i.dtype for i in (*stmt.target.index, *stmt.value.index)]


def _with_indices(stmt: Stmt, types: Sequence[DType]) -> Stmt:
    assert isinstance(stmt, Assign) and isinstance(stmt.target, Load) and isinstance(stmt.value, Load)
    if len(stmt.value.index) + 1 != len(types):
        return stmt
    target = replace(stmt.target, index=(cast(stmt.target.index[0], types[0]),))
    index = tuple(cast(i, t) for i, t in zip(stmt.value.index, types[1:], strict=True))
    return replace(stmt, target=target, value=replace(stmt.value, index=index))
