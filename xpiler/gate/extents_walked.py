"""Extents of arrays that a function walks over from end to end, which need no guess.

for i in 0..4ul * rows * cols / 4ul: d[i] = a[i]       a: rows * cols elements
"""

from __future__ import annotations

from collections.abc import Iterator

from xpiler.ir.build import is_const
from xpiler.ir.nodes import Block, Decl, Expr, For, Function, If, Load, Var
from xpiler.ir.rewrite import substitute, walk
from xpiler.passes.facts import mutable_vars
from xpiler.passes.size_forms import plain_size, size_form
from xpiler.passes.structured import spliced


def walked_extents(function: Function, array: str) -> Iterator[Expr]:
    """What the loops say that count the elements of the parameter `array` one by one."""
    mutable = mutable_vars(function)
    sizes = {
        p.name: Var(p.dtype, p.name) for p in function.params if not p.is_pointer and p.name not in mutable
    }
    known: dict[str, Expr] = {}
    pending: list[Block] = [function.body]
    while pending:
        for stmt in spliced(pending.pop().body):
            match stmt:
                case Decl(name=name, init=Expr() as value) if name not in mutable:
                    known[name] = substitute(value, known)
                case If(then=then):
                    pending.append(then)
                case For(var=var, start=start, stop=stop, step=step, body=body):
                    plain = is_const(start, 0) and is_const(step, 1)
                    size = plain_size(substitute(stop, known), sizes) if plain else None
                    if size is not None and _counts(body, array, var):
                        yield size


def _counts(body: Block, array: str, var: str) -> bool:
    places = [node for node in walk(body) if isinstance(node, Load) and node.array == array]
    one = frozenset({var})
    return bool(places) and all(
        len(place.index) == 1 and size_form(place.index[0], one) == {(var,): 1} for place in places
    )
