"""Blocks that are counted through both axes of a tile, and the threads in them, become rows and columns.

    for (b) parallel:                                            for (y in 0..G / w * 8) parallel:
      for (ty in 0..8) for (tx in 0..16):                          for (x in 0..w * 16) parallel:
        f(b / w * 8 + ty, b % w * 16 + tx)                   -->     f(y, x)

so that guards of rows and columns bound their loops (`guards.py`) and neighbouring elements lie in one loop.
Where nothing else depends on the counters; for unsigned quotients, as blocks are counted, too. A last row of
blocks that is not whole comes afterwards, with fewer columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import linear
from xpiler.ir.build import add, and_, cast, const, div, gt, is_const, maximum, mod, mul, ne, select, sub
from xpiler.ir.nodes import Binary, Block, Cast, Const, Decl, Expr, For, Function, If, LoopKind, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_expr, substitute, walk
from xpiler.passes.facts import Facts, mutable_vars
from xpiler.passes.guards import fold_guards
from xpiler.passes.interior_rows import is_number
from xpiler.passes.names import Names
from xpiler.passes.split_digits import INDEPENDENT
from xpiler.passes.tidy import simplified


def rows_of_blocks(function: Function) -> Function:
    """All such nests of the function."""
    mutable = mutable_vars(function)
    fixed = frozenset(p.name for p in function.params if not p.is_pointer) - mutable
    pass_ = _Pass(function, Names(function), mutable, fixed, Facts.of(function), [])
    body = pass_.block(function.body)
    if not pass_.sizes:
        return function
    return replace(function, body=replace(body, body=(*pass_.sizes, *body.body)))


@dataclass
class _Pass:
    function: Function
    names: Names
    mutable: frozenset[str]
    fixed: frozenset[str]
    facts: Facts
    sizes: list[Stmt]

    def block(self, block: Block) -> Block:
        return replace(block, body=tuple(self.stmt(s) for s in block.body))

    def stmt(self, stmt: Stmt) -> Stmt:
        match stmt:
            case For():
                around: list[For] = []
                loop = stmt
                while loop.kind in INDEPENDENT:
                    found = self.rows(loop)
                    if found is not None:
                        return found.around(around)
                    around.append(loop)
                    if len(loop.body.body) != 1 or not isinstance(loop.body.body[0], For):
                        break
                    loop = loop.body.body[0]
                return replace(stmt, body=self.block(stmt.body))
            case If(then=then, otherwise=otherwise):
                return replace(stmt, then=self.block(then), otherwise=self.block(otherwise))
            case Block():
                return self.block(stmt)
        return stmt

    def rows(self, blocks: For) -> _Rows | None:
        nest = [blocks]
        values: dict[str, Expr] = {}
        for _ in range(2):
            *numbers, inner = nest[-1].body.body or (nest[-1],)
            if not isinstance(inner, For) or not all(is_number(s, self.mutable) for s in numbers):
                return None
            for number in numbers:
                assert isinstance(number, Decl) and isinstance(number.init, Expr)
                values[number.name] = substitute(number.init, values)
            nest.append(inner)
        _, down, across = nest
        for loop in nest:
            plain = is_const(loop.start, 0) and is_const(loop.step, 1) and loop.kind in INDEPENDENT
            if not plain or loop.dtype != blocks.dtype:
                return None
        if not isinstance(down.stop, Const) or not isinstance(across.stop, Const):
            return None
        body = substitute(across.body, values)
        width = _width(blocks, body)
        if width is None or not free_vars(width) | free_vars(blocks.stop) <= self.fixed:
            return None
        return self.joined(blocks, down, across, width, body)

    def joined(self, blocks: For, down: For, across: For, width: Expr, body: Block) -> _Rows | None:
        dtype = blocks.dtype
        high, low = Var(dtype, "?high"), Var(dtype, "?low")
        apart = map_expr(body, lambda e: _digit(e, blocks, width, high, low) or e)
        if blocks.var in free_vars(apart):
            return None
        row, column = (Var(dtype, self.names.fresh(loop.var)) for loop in (down, across))
        digits = {
            high.name: div(row, down.stop),
            down.var: mod(row, down.stop),
            low.name: div(column, across.stop),
            across.var: mod(column, across.stop),
        }
        part = Var(dtype, self.names.fresh("part"))
        before, end, columns = (
            Var(dtype, self.names.fresh(name))
            for name in (f"{down.var}_before", f"{down.var}_end", f"{across.var}_columns")
        )
        inner = replace(across, var=column.name, stop=columns, kind=LoopKind.PARALLEL)
        outer = replace(blocks, var=row.name, stop=end, kind=LoopKind.PARALLEL)
        fused = simplified(substitute(apart, digits), self.facts.inside(outer).inside(inner))
        if {row.name, column.name} & _divided(fused):
            return None
        nest = replace(outer, body=Block((replace(inner, body=fused),)))
        folded = fold_guards(replace(self.function, body=Block((nest,)))).body.body[0]
        if not isinstance(folded, For):
            return None
        nest = folded
        body = substitute(nest.body, {row.name: add(row, before)})
        # a divisor that is not positive is, without a sign, larger than any block
        positive = gt(width, const(0, dtype))
        wide = self.size(
            f"{blocks.var}_width", select(positive, width, maximum(blocks.stop, const(1, dtype)))
        )
        full = self.size(f"{blocks.var}_rows", mul(div(blocks.stop, wide), down.stop))
        left = self.size(f"{blocks.var}_left", mod(blocks.stop, wide))
        behind = ne(part, const(0, dtype))
        numbers = (
            Decl(before.name, dtype, init=select(behind, full, const(0, dtype))),
            Decl(
                end.name,
                dtype,
                init=select(and_(behind, ne(left, const(0, dtype))), add(full, down.stop), full),
            ),
            Decl(columns.name, dtype, init=mul(select(behind, left, wide), across.stop)),
        )
        return _Rows(part, numbers, replace(nest, stop=sub(nest.stop, before), body=body))

    def size(self, wish: str, value: Expr) -> Var:
        name = Var(value.dtype, self.names.fresh(wish))
        self.sizes.append(Decl(name.name, value.dtype, init=value))
        return name


@dataclass(frozen=True)
class _Rows:
    """The nest of rows and columns. `part` is 0 for rows of blocks that are whole, 1 for the one behind."""

    part: Var
    numbers: tuple[Decl, ...]
    nest: For

    def around(self, loops: Sequence[For]) -> For:
        """With the loops that the blocks lay in: whole rows of blocks first, of all of them."""
        nest = self.nest
        for loop in reversed(loops):
            nest = replace(loop, body=Block((nest,)))
        dtype = self.part.dtype
        body = Block((*self.numbers, nest))
        return For(self.part.name, dtype, const(0, dtype), const(2, dtype), const(1, dtype), body)


def _width(blocks: For, body: Block) -> Expr | None:
    """What all quotients and remainders of the counter divide it by, as a signed number."""
    found = {
        n.right
        for n in walk(body)
        if isinstance(n, Binary) and n.op in ("/", "%") and _counter(n.left) == Var(blocks.dtype, blocks.var)
    }
    if len(found) != 1:
        return None
    (width,) = found
    inside = {n.name for n in walk(body) if isinstance(n, Decl)} | {
        n.var for n in walk(body) if isinstance(n, For)
    }
    plain = width.operand if isinstance(width, Cast) else width
    if free_vars(plain) & (inside | {blocks.var}) or plain.dtype != blocks.dtype:
        return None
    return plain if linear(plain) is not None else None


def _counter(expr: Expr) -> Expr:
    return expr.operand if isinstance(expr, Cast) and expr.dtype.bits >= expr.operand.dtype.bits else expr


def _digit(expr: Expr, blocks: For, width: Expr, high: Var, low: Var) -> Expr | None:
    if not isinstance(expr, Binary) or expr.op not in ("/", "%"):
        return None
    if _counter(expr.left) != Var(blocks.dtype, blocks.var) or _counter(expr.right) != width:
        return None
    return cast(high if expr.op == "/" else low, expr.dtype)


def _divided(block: Block) -> frozenset[str]:
    quotients = (
        n for n in walk(block) if isinstance(n, Binary) and n.op in ("/", "%") and n.dtype.is_integer
    )
    return frozenset().union(*(free_vars(n) for n in quotients))
