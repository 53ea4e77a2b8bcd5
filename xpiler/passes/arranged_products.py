"""The two loops of a product of matrices next to each other, innermost of the independent loops around it.

    for o: for oh: for ow: acc = sum over k of w[o, k] * x[oh, ow, k]   -->   for oh: for o: for ow: ...

Which two: one that moves only one factor and one that moves only the other, such that the store runs along
the second. A pair that walks over the windows and the channels of a convolution comes first. Nothing changes
where the innermost two already are such a pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations

from xpiler.ir.affine import coefficient
from xpiler.ir.nodes import Assign, Block, Decl, For, Function, Load, Stmt
from xpiler.ir.rewrite import free_vars, map_body, walk
from xpiler.ir.types import DType
from xpiler.passes.contraction import INDEPENDENT, match
from xpiler.passes.window_nests import match_windows


def arrange_products(function: Function) -> Function:
    """All nests of the function, outermost loops last, so that what is arranged holds the whole nest."""
    memory = {p.name: p.dtype for p in function.params if p.is_pointer}

    def change(stmt: Stmt) -> Stmt:
        return (_arranged(stmt, memory) or stmt) if isinstance(stmt, For) else stmt

    return map_body(function, change)


def _arranged(outer: For, memory: Mapping[str, DType]) -> For | None:
    nest, decls = nest_of(outer)
    if len(nest) < 2 or any(
        free_vars(end) & {e.var for e in nest} for each in nest for end in (each.start, each.stop)
    ):
        return None

    def windows(pair: Sequence[For]) -> bool:
        return match_windows(built(pair, decls), memory) is not None

    def product(pair: Sequence[For]) -> bool:
        return match(built(pair, decls)) is not None

    if windows(nest[-2:]):
        return None
    pairs = [p for p in permutations(nest, 2) if windows(p)]
    if not pairs and product(nest[-2:]):
        return None
    pairs = pairs or [p for p in permutations(nest, 2) if product(p)]
    if not pairs:
        return None
    rows, columns = next((p for p in pairs if _stores_along(p[1])), pairs[0])
    others = [each for each in nest if each not in (rows, columns)]
    return built([*others, rows, columns], decls)


def nest_of(outer: For) -> tuple[list[For], tuple[Stmt, ...]]:
    """Independent loops directly inside each other, and what is in the innermost; integers between them are
    moved inside."""
    nest: list[For] = [outer]
    decls: tuple[Stmt, ...] = ()
    while nest[-1].kind in INDEPENDENT:
        *before, last = nest[-1].body.body or (outer,)
        plain = all(isinstance(d, Decl) and not d.shape and d.dtype.is_integer for d in before)
        if not plain or not isinstance(last, For) or last.kind not in INDEPENDENT:
            break
        decls += tuple(before)
        nest.append(last)
    return nest, (*decls, *nest[-1].body.body)


def built(nest: Sequence[For], body: tuple[Stmt, ...]) -> For:
    """Loops around statements, the first outermost."""
    inner: For | None = None
    for each in reversed(nest):
        inner = replace(each, body=Block(body if inner is None else (inner,)))
    assert inner is not None
    return inner


def _stores_along(columns: For) -> bool:
    targets = [s.target for s in walk(columns.body) if isinstance(s, Assign) and isinstance(s.target, Load)]
    steps = [coefficient(t.index[0], columns.var) for t in targets if len(t.index) == 1]
    return bool(steps) and all(s is not None and s.as_int == 1 for s in steps)
