"""What does not change inside the loops of a tile is computed before them.

    for k: acc += (i % w * s + k < n && ok ? x[i % w + k] : 0) * b[k]      -->     d = w != 0 ? i % w : 0;
                                                                           for k: acc += ... d * s + k ...

    for c: acc += (y >= 0 && y < h ? x[y * C + c] : 0) * b[c]   -->   inside = y >= 0 && y < h;
                                                          for c: acc += (inside ? x[...] : 0) * b[c]

Digits of counters (quotients and remainders) go before the whole tile: without a divisor of zero, which they
have where nothing is computed. Conditions of choices go before the innermost loop that they do not change in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from xpiler.ir.build import const, ne, select
from xpiler.ir.nodes import Binary, Block, Decl, Expr, For, Load, Select, Stmt, Var
from xpiler.ir.rewrite import assigned_vars, free_vars, map_expr, walk
from xpiler.ir.types import BOOL

Fresh = Callable[[str], str]


def digits_before(
    stmts: Iterable[Stmt], changing: frozenset[str], fresh: Fresh
) -> tuple[list[Decl], list[Stmt]]:
    """Declarations of the digits in the statements, and the statements that use them. `changing`: variables
    of the tile itself, besides those that it declares or assigns."""
    block = Block(tuple(stmts))
    inside = changing | _bound(block) | assigned_vars(block)
    found: list[Decl] = []
    names: dict[Expr, Var] = {}

    def change(e: Expr) -> Expr:
        if not isinstance(e, Binary) or e.op not in ("/", "%") or e.dtype.is_float:
            return e
        if e.exact or free_vars(e) & inside or _loads(e) or not free_vars(e.left) or _constant(e.right):
            return e
        if e not in names:
            names[e] = Var(e.dtype, fresh("digit" if e.op == "%" else "quotient"))
            found.append(Decl(names[e].name, e.dtype, init=without_zero_divisors(e)))
        return names[e]

    changed = map_expr(block, change)
    assert isinstance(changed, Block)
    return found, list(changed.body)


def without_zero_divisors(e: Expr) -> Expr:
    """A quotient or remainder of integers, 0 where the divisor is; anything else as it is."""
    if not isinstance(e, Binary) or e.op not in ("/", "%") or e.dtype.is_float or _constant(e.right):
        return e
    return select(ne(e.right, const(0, e.right.dtype)), e, const(0, e.dtype))


def conditions_before(loop: For, fresh: Fresh) -> list[Stmt]:
    """The loop behind the declarations of the conditions that are the same in all its iterations."""
    inside = {loop.var} | _bound(loop.body) | assigned_vars(loop.body)
    names: dict[Expr, Var] = {}
    found: list[Stmt] = []

    def change(e: Expr) -> Expr:
        if not isinstance(e, Select) or not isinstance(e.condition, Binary):
            return e
        condition = e.condition
        if free_vars(condition) & inside or _loads(condition) or _divides(condition):
            return e
        if condition not in names:
            names[condition] = Var(BOOL, fresh("inside"))
            found.append(Decl(names[condition].name, BOOL, init=condition))
        return replace(e, condition=names[condition])

    body = map_expr(loop.body, change)
    assert isinstance(body, Block)
    return [*found, replace(loop, body=body)]


def _bound(block: Block) -> frozenset[str]:
    names = {s.name for s in walk(block) if isinstance(s, Decl)}
    return frozenset(names | {s.var for s in walk(block) if isinstance(s, For)})


def _loads(expr: Expr) -> bool:
    return any(isinstance(n, Load) for n in walk(expr))


def _divides(expr: Expr) -> bool:
    return any(isinstance(n, Binary) and n.op in ("/", "%") for n in walk(expr))


def _constant(expr: Expr) -> bool:
    """A number: dividing by it is multiplying, and lanes may depend on it."""
    return not free_vars(expr)
