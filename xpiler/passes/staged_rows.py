"""A row that is staged in a local array, piece by piece, is used where it is computed.

    for lane in 0..16: { t[lane] = u[lane]; t[16 + lane] = v[lane] }
    for j in 0..n: c[j] += t[j]
      -->  for lane in 0..16:
             if (lane < n) c[lane] += u[lane]
             if (16 + lane < n) c[16 + lane] += v[lane]

That is how vector code writes the last columns of a product, of which there are fewer than a register has
lanes. Applies where the loop that reads the row comes next, its iterations are independent, and nothing else
uses the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import linear, stride
from xpiler.ir.affine_form import of_var
from xpiler.ir.build import cast, is_const, lt
from xpiler.ir.nodes import (
    Assign,
    Block,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import free_vars, map_expr, substitute, uses, walk, walk_stmts
from xpiler.passes.facts import Facts
from xpiler.passes.independence import independent
from xpiler.passes.structured import spliced


def use_rows(function: Function) -> Function:
    """Everywhere in a plain function."""
    if not function.is_serial:
        return function
    arrays = {s.name: s for s in walk_stmts(function.body) if isinstance(s, Decl) and len(s.shape) == 1}
    counts = {
        name: sum(isinstance(n, Load) and n.array == name for n in walk(function.body)) for name in arrays
    }

    body = _Rows(arrays, counts).block(function.body, Facts.of(function))
    return function if body == function.body else replace(function, body=body)


@dataclass(frozen=True)
class _Rows:
    """`counts`: of the accesses to each array."""

    arrays: dict[str, Decl]
    counts: dict[str, int]

    def block(self, block: Block, facts: Facts) -> Block:
        body = [self.below(s, facts) for s in spliced(block.body)]
        out: list[Stmt] = []
        for stmt in body:
            last = out[-1] if out else None
            used = None
            if isinstance(last, For) and isinstance(stmt, For):
                used = _used(last, stmt, self.arrays, self.counts, facts)
            if used is None:
                out.append(stmt)
            else:
                out[-1] = used
        return replace(block, body=tuple(out))

    def below(self, stmt: Stmt, facts: Facts) -> Stmt:
        match stmt:
            case For():
                return replace(stmt, body=self.block(stmt.body, facts.inside(stmt)))
            case If(condition=condition):
                then = self.block(stmt.then, facts.where(condition))
                otherwise = self.block(stmt.otherwise, facts.where(condition, False))
                return replace(stmt, then=then, otherwise=otherwise)
        return stmt


def _used(
    fill: For, reader: For, arrays: dict[str, Decl], counts: dict[str, int], facts: Facts
) -> For | None:
    pieces = _pieces(fill)
    if len(pieces) < 2:
        return None
    target = pieces[0].target
    assert isinstance(target, Load)
    row, counter = target.array, Var(reader.dtype, reader.var)
    if row not in arrays or not is_const(reader.start, 0) or not is_const(reader.step, 1):
        return None
    reads = [n for n in walk(reader.body) if isinstance(n, Load) and n.array == row]
    if counts[row] != len(reads) + len(pieces) or not reads:
        return None
    if any(
        len(r.index) != 1 or linear(r.index[0]) != linear(counter) or r.dtype != target.dtype for r in reads
    ):
        return None
    length, here = arrays[row].shape[0], int(fill.stop.value) if isinstance(fill.stop, Const) else 0
    if not isinstance(length, Const) or int(length.value) != here * len(pieces):
        return None
    read = {n.array for p in pieces for n in walk(p.value) if isinstance(n, Load)}
    inside = uses(reader.body)
    if read & inside.arrays_written or (fill.var in free_vars(reader)) or inside.arrays_declared:
        return None
    if reader.kind not in (LoopKind.PARALLEL, LoopKind.THREADS) and not independent(reader, facts):
        return None
    out: list[Stmt] = []
    for piece in pieces:
        assert isinstance(piece.target, Load)
        place = cast(piece.target.index[0], reader.dtype)

        def value(expr: Expr, piece: Assign = piece) -> Expr:
            return piece.value if isinstance(expr, Load) and expr.array == row else expr

        body = substitute(map_expr(reader.body, value), {reader.var: place})
        assert isinstance(body, Block)
        out.append(If(lt(place, reader.stop), body))
    return replace(fill, body=Block(tuple(out)))


def _pieces(fill: For) -> list[Assign]:
    """The assignments of a loop that does nothing but to fill one array, in pieces as long as it is."""
    if not is_const(fill.start, 0) or not is_const(fill.step, 1) or not isinstance(fill.stop, Const):
        return []
    found: list[Assign] = []
    for stmt in spliced(fill.body.body):
        match stmt:
            case Assign(target=Load(index=(index,)), reduce=None) if stride(index, fill.var) == 1:
                found.append(stmt)
            case _:
                return []
    return found if _one_behind_the_other(found, fill) else []


def _one_behind_the_other(pieces: Sequence[Assign], fill: For) -> bool:
    assert isinstance(fill.stop, Const)
    starts: list[int] = []
    for piece in pieces:
        target = piece.target
        assert isinstance(target, Load)
        form = linear(target.index[0])
        start = None if form is None else (form - of_var(fill.var, fill.dtype)).as_int
        if start is None:
            return False
        starts.append(start)
    arrays = {p.target.array for p in pieces if isinstance(p.target, Load)}
    length = int(fill.stop.value)
    return len(arrays) == 1 and sorted(starts) == [n * length for n in range(len(pieces))]
