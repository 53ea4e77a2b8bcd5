"""Sums of ever more elements, each stored over the last that it has, are one running sum.

    s1 = 0; for p in 0..2: s1 += v[p]
    s2 = 0; for p in 0..3: s2 += v[p]          -->     for i in 1..4: v[i] = v[i - 1] + v[i]
    s3 = 0; for p in 0..4: s3 += v[p]
    v[1] = s1; v[2] = s2; v[3] = s3

It is what a short scan by shuffles or through shared memory computes (a long one stays in its steps of
lanes, see `reductions.py`). The elements are added up in the same order.
Applies where nothing else uses the sums, and also to maxima, minima and products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import simplify
from xpiler.ir.build import binary, call, cast, const, sub
from xpiler.ir.nodes import Assign, Block, Const, Decl, Expr, For, Function, Load, LoopKind, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_body, substitute, walk
from xpiler.passes.names import Names
from xpiler.passes.neutral_elements import neutral

_FEWEST = 3  # sums that are worth a loop


@dataclass(frozen=True)
class _Sum:
    """`element`: the element at the counter `var` of the loop; `count`: how many there are."""

    name: str
    op: str
    var: Var
    element: Load
    count: int

    def at(self, index: Expr) -> Load:
        found = substitute(self.element, {self.var.name: index})
        assert isinstance(found, Load)
        return replace(found, index=tuple(simplify(i) for i in found.index))


def join_prefixes(function: Function) -> Function:
    names = Names(function)
    uses: dict[str, int] = {}
    for node in walk(function.body):
        if isinstance(node, Var):
            uses[node.name] = uses.get(node.name, 0) + 1

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Block):
            return stmt
        out: list[Stmt] = []
        stmts = stmt.body
        at = 0
        while at < len(stmts):
            sums = _sums(stmts[at:])
            stores = stmts[at + 2 * len(sums) :][: len(sums)]
            if len(sums) >= _FEWEST and all(uses[s.name] == 2 for s in sums) and _over_the_last(sums, stores):
                out.append(_running(sums, names))
                at += 3 * len(sums)
            else:
                out.append(stmts[at])
                at += 1
        return stmt if len(out) == len(stmts) else replace(stmt, body=tuple(out))

    return map_body(function, change)


def _sums(stmts: Sequence[Stmt]) -> list[_Sum]:
    """Of two elements, of three... as the statements start."""
    found: list[_Sum] = []
    for decl, loop in zip(stmts[::2], stmts[1::2], strict=False):
        one = _sum(decl, loop)
        if one is None or one.count != len(found) + 2:
            break
        if found and (one.op != found[0].op or one.at(found[0].var) != found[0].at(found[0].var)):
            break
        found.append(one)
    return found


def _sum(decl: Stmt, loop: Stmt) -> _Sum | None:
    match decl, loop:
        case (
            Decl(name=name, shape=(), dtype=dtype, init=init),
            For(
                var=var,
                start=Const(value=0),
                stop=Const(value=int() as count),
                step=Const(value=1),
                body=Block(
                    body=(
                        Assign(
                            target=Var(name=target), value=Load(dtype=kind) as element, reduce=str() as op
                        ),
                    )
                ),
            ),
        ) if target == name and kind == dtype and init == neutral(op, dtype):
            return _Sum(name, op, Var(loop.dtype, var), element, count)
    return None


def _over_the_last(sums: Sequence[_Sum], stores: Sequence[Stmt]) -> bool:
    if len(stores) < len(sums) or sums[0].var.name not in free_vars(sums[0].element):
        return False
    return all(
        isinstance(store, Assign)
        and store.reduce is None
        and store.value == Var(store.value.dtype, one.name)
        and isinstance(store.target, Load)
        and replace(store.target, index=tuple(simplify(i) for i in store.target.index))
        == one.at(const(one.count - 1, one.var.dtype))
        for one, store in zip(sums, stores, strict=True)
    )


def _running(sums: Sequence[_Sum], names: Names) -> For:
    first = sums[0]
    i = Var(first.var.dtype, names.fresh("i"))
    before, here = first.at(sub(i, 1)), first.at(i)
    value = call(first.op, here.dtype, before, here) if first.op.isalpha() else binary(first.op, before, here)
    body = Block((Assign(here, cast(value, here.dtype)),))
    count = const(sums[-1].count, i.dtype)
    return For(i.name, i.dtype, const(1, i.dtype), count, const(1, i.dtype), body, kind=LoopKind.SERIAL)
