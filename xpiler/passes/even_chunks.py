"""Workers of which the first get one element more, so that their chunks are as even as they can be, go over
all elements together: one loop.

    q = n / 16;  r = n % 16;                                       for x in 0..n: y[x] = f(x)
    for b in 0..16:                                          -->
      count = q + (b < r ? 1 : 0);  first = b*q + min(b, r)
      for x in 0..count: y[first + x] = f(first + x)

However the two are spelled: they are looked at where `b < r` holds and where it does not. Applies where the
body asks for nothing but the element, as `first + x` or as the counter of a loop from `first` on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xpiler.ir.affine import linear, simplify
from xpiler.ir.affine_form import Affine
from xpiler.ir.build import cast, const, is_const, sub
from xpiler.ir.nodes import (
    Binary,
    Block,
    Break,
    Call,
    Cast,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    Load,
    LoopKind,
    Select,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import free_vars, map_expr, substitute, walk
from xpiler.ir.types import BOOL, I64
from xpiler.passes.facts import Ranges
from xpiler.passes.strips import of_the_sum
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop

_NOT = {">=": "<", "<=": ">"}


def known_values(stmts: list[Stmt], mutable: frozenset[str]) -> dict[str, Expr]:
    """What the names of whole numbers mean that are given once, written out."""
    known: dict[str, Expr] = {}
    for stmt in stmts:
        match stmt:
            case Decl(name=name, shape=(), init=Expr() as init) if (
                stmt.dtype.is_integer
                and name not in mutable
                and not any(isinstance(n, Load) for n in walk(init))
            ):
                known[name] = substitute(init, known)
    return known


def merged_even(chunks: For, values: Mapping[str, Expr], sizes: Ranges) -> For | None:
    """The one loop; None where the chunks are no such ones."""
    *heads, inner = spliced(chunks.body.body)
    if not isinstance(inner, For) or not is_const(inner.step, 1) or not is_const(chunks.step, 1):
        return None
    if not all(isinstance(h, Decl) and h.name in values for h in heads) or not is_const(chunks.start, 0):
        return None
    if any(leaves_loop(s, (Break, Continue)) for s in inner.body.body) or chunks.dtype != inner.dtype:
        return None
    own = {h.name for h in heads if isinstance(h, Decl)}
    count = substitute(sub(inner.stop, inner.start), values)
    for whole in _divided(count, chunks):
        split = _Split(chunks, whole)
        if split.of(_bare(count)) != split.counts:
            continue
        if not is_const(inner.start, 0):
            begins = split.of(_bare(substitute(inner.start, values))) == split.begins
            body = inner.body if begins else None
        else:
            first = next((n for n in own if split.of(_bare(values[n])) == split.begins), None)
            body = _of_element(inner, first, sizes) if first is not None else None
        if body is None or free_vars(body) & (own | {chunks.var}):
            continue
        end = simplify(cast(whole, inner.dtype))
        return replace(inner, start=const(0, inner.dtype), stop=end, body=body, kind=LoopKind.SERIAL)
    return None


def _of_element(inner: For, first: str, sizes: Ranges) -> Block | None:
    """The body with the counter for `first + counter`."""
    element = Var(inner.dtype, inner.var)
    ranges = {**sizes, first: (0, None), inner.var: (0, None)}
    body = of_the_sum(inner.body, first, inner.var, element, ranges)
    return substitute(body, {first: element}) if body is not None else None


def _divided(count: Expr, chunks: For) -> list[Expr]:
    """What the count has divided by the number of chunks."""
    by = _bare(chunks.stop)
    found = [n.left for n in walk(count) if isinstance(n, Binary) and n.op == "/" and _bare(n.right) == by]
    return [_outside(e) for e in found if chunks.var not in free_vars(e)]


@dataclass(frozen=True)
class _Split:
    """Of `whole` elements into as many chunks as the loop has iterations: forms of a chunk's count and first
    element, where it is one of the longer chunks and where it is not."""

    chunks: For
    whole: Expr

    @property
    def _share(self) -> Affine:
        return _form(Binary(I64, "/", _bare(self.whole), _bare(self.chunks.stop)))

    @property
    def _rest(self) -> Affine:
        return _form(Binary(I64, "%", _bare(self.whole), _bare(self.chunks.stop)))

    @property
    def counts(self) -> tuple[Affine, Affine]:
        return self._share + 1, self._share

    @property
    def begins(self) -> tuple[Affine, Affine]:
        number = _form(Var(self.chunks.dtype, self.chunks.var))
        return number * self._share + number, number * self._share + self._rest

    def of(self, expr: Expr) -> tuple[Affine, Affine]:
        return _form(self._where(expr, True)), _form(self._where(expr, False))

    def _where(self, expr: Expr, longer: bool) -> Expr:
        """As it is for a chunk that is one of the longer ones, or none."""

        def change(e: Expr) -> Expr:
            match e:
                case Select(condition=Const(value=value), then=then, otherwise=otherwise):
                    return then if value else otherwise
                case Binary(op=op, left=left, right=right) if e.dtype == BOOL:
                    holds = self._is_longer(op, left, right)
                    return e if holds is None else Const(BOOL, holds == longer)
                case Cast(operand=Const(value=bool() as value)) if e.dtype.is_integer:
                    return const(int(value), e.dtype)
                case Call(function="min" | "max" as function, args=(first, second)):
                    holds = self._is_longer("<" if function == "min" else ">", first, second)
                    return e if holds is None else first if holds == longer else second
            return e

        return map_expr(expr, change)

    def _is_longer(self, op: str, left: Expr, right: Expr) -> bool | None:
        """Whether the comparison says that the chunk is a longer one (False: that it is none)."""
        meant = op not in _NOT
        op = _NOT.get(op, op)
        low, high = (left, right) if op == "<" else (right, left)
        number = _form(Var(self.chunks.dtype, self.chunks.var))
        if op not in ("<", ">"):
            return None
        if (_form(low), _form(high)) == (number, self._rest):
            return meant
        return None


def _form(expr: Expr) -> Affine:
    form = linear(expr)
    assert form is not None
    return form


def _bare(expr: Expr) -> Expr:
    """Without conversions of whole numbers, and all divisions of one type."""

    def change(e: Expr) -> Expr:
        match e:
            case Cast(operand=operand) if operand.dtype.is_integer and operand.dtype != BOOL:
                return operand if e.dtype.is_integer else e
            case Binary(op="+" | "-" | "*" | "/" | "%") if e.dtype.is_integer:
                return replace(e, dtype=I64)
            case Const(value=value) if e.dtype.is_integer and e.dtype != BOOL:
                return const(int(value), I64)
        return e

    return map_expr(expr, change)


def _outside(expr: Expr) -> Expr:
    while isinstance(expr, Cast) and expr.operand.dtype.is_integer:
        expr = expr.operand
    return expr
