"""Copies of statements that differ by a step, as one statement over the number of the copy.

c[i] = a[i] * s;  c[i + n] = a[i + n] * s;  c[i + 2 * n] = ...    -->    c[i + r * n] = a[i + r * n] * s

`template` finds the one statement; whether the copies may be a loop is for the caller to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from xpiler.ir.affine import linear, to_expr
from xpiler.ir.affine_form import Affine, lift, of_var
from xpiler.ir.build import cast
from xpiler.ir.nodes import Binary, Block, Const, Decl, Expr, For, Load, Stmt, Var
from xpiler.ir.rewrite import Node, map_expr, rename, walk
from xpiler.ir.types import BOOL

_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


def template(copies: Sequence[Sequence[Stmt]], number: Var) -> tuple[Stmt, ...] | None:
    """The statements that copy r is with `number` = r; None if there are none. Scalars that copies declare
    may have a name of their own in each."""
    length = len(copies[0])
    if any(len(copy) != length for copy in copies):
        return None
    first = _own_names(copies[0])
    blocks: list[Node] = []
    for copy in copies:
        own = _own_names(copy)
        if len(own) != len(first):
            return None
        names = {a: b for a, b in zip(own, first, strict=True) if a != b}
        blocks.append(rename(Block(tuple(copy)), names))
    try:
        made = _Template(number).node(blocks)
    except _DifferentError:
        return None
    assert isinstance(made, Block)
    return made.body


def _own_names(copy: Sequence[Stmt]) -> list[str]:
    """Scalars and counters of the statements themselves, in the order of the text."""
    nodes = walk(Block(tuple(copy)))
    return [n.var if isinstance(n, For) else n.name for n in nodes if isinstance(n, For | Decl)]


class _DifferentError(Exception):
    """The copies differ by more than a step."""


class _Template:
    def __init__(self, number: Var) -> None:
        self.number = number

    def node(self, copies: Sequence[Node]) -> Node:
        first = copies[0]
        if all(c == first for c in copies):
            return first
        if isinstance(first, Expr) and first.dtype.is_integer and first.dtype != BOOL:
            stepped = self.stepped([c for c in copies if isinstance(c, Expr)])
            if stepped is not None:
                return stepped
        if any(type(c) is not type(first) for c in copies) or isinstance(first, (Var, Const)):
            raise _DifferentError
        if isinstance(first, Binary) and first.op in _COMPARISONS and first.left.dtype.is_integer:
            compared = self.compared([c for c in copies if isinstance(c, Binary)])
            if compared is not None:
                return compared
        names = [f.name for f in fields(first) if f.compare]
        values = {n: self.value([getattr(c, n) for c in copies]) for n in names}
        return type(first)(**{**{f.name: getattr(first, f.name) for f in fields(first)}, **values})

    def value(self, values: Sequence[Any]) -> Any:
        """A field of a node: nodes, tuples of them, or what must be the same."""
        first = values[0]
        if all(v == first for v in values):
            return first
        if isinstance(first, tuple) and all(len(v) == len(first) for v in values):
            return tuple(self.value(column) for column in zip(*values, strict=True))
        if is_dataclass(first) and isinstance(first, (Expr, Stmt)):
            return self.node(values)
        raise _DifferentError

    def stepped(self, copies: Sequence[Expr]) -> Expr | None:
        """Integers that go up by a step."""
        if any(isinstance(n, Load) for c in copies for n in walk(c)):
            return None
        form = self.form([linear(c) if c.dtype == copies[0].dtype else None for c in copies])
        return None if form is None else self.expr(form, copies[0])

    def compared(self, copies: Sequence[Binary]) -> Expr | None:
        """Comparisons whose sides go up by a step in all: the left one takes the step."""
        first = copies[0]
        if any(c.op != first.op or c.left.dtype != first.left.dtype for c in copies):
            return None
        sides = [(linear(c.left), linear(c.right)) for c in copies]
        forms = [None if a is None or b is None else a - b for a, b in sides]
        step = self.form(forms)
        right = sides[0][1]
        if step is None or right is None:
            return None
        return Binary(first.dtype, first.op, self.expr(step + right, first.left), first.right)

    def form(self, forms: Sequence[Affine | None]) -> Affine | None:
        """first + number * step, if copy r is that."""
        known = [f for f in forms if f is not None]
        if len(known) < len(forms) or len(known) < 2:
            return None
        step = known[1] - known[0]
        if len(step.terms) > 1 or any(known[r] - known[0] != step * lift(r) for r in range(len(known))):
            return None
        return known[0] + of_var(self.number.name) * step

    def expr(self, form: Affine, like: Expr) -> Expr:
        made = to_expr(form, like.dtype)
        return map_expr(
            made,
            lambda e: cast(self.number, e.dtype) if isinstance(e, Var) and e.name == self.number.name else e,
        )
