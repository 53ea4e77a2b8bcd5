"""A smaller or larger one of the kernel's sizes that several places compute gets a name.

for i in 0..min(rows * cols, blocks * 128): ...         int total = min(rows * cols, blocks * 128);
if (min(rows * cols, blocks * 128) > 64): ...     -->   for i in 0..total: ...
                                                        if (total > 64): ...
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from xpiler.ir.nodes import Binary, Block, Call, Decl, Expr, Function, Var
from xpiler.ir.rewrite import free_vars, map_expr, walk
from xpiler.passes.facts import mutable_vars
from xpiler.passes.names import Names


def name_sizes(function: Function) -> Function:
    """Every such expression of parameters, and of numbers that the function computes of them first."""
    names = Names(function)
    while True:
        body = function.body.body
        known = {p.name for p in function.params if not p.is_pointer} - mutable_vars(function)
        place = 0
        for place, stmt in enumerate(body):  # noqa: B007
            if not isinstance(stmt, Decl) or stmt.shape:
                break
            known |= {stmt.name} - mutable_vars(function)
        found = Counter(e for stmt in body[place:] for e in walk(stmt) if _is_size(e, known))
        several = [e for e, count in found.items() if count > 1]
        if not several:
            return function
        size = max(several, key=lambda e: sum(1 for _ in walk(e)))
        assert isinstance(size, Call)
        named = Decl(names.fresh("total"), size.dtype, init=size)
        rest = _with(Block(body[place:]), size, Var(size.dtype, named.name))
        whole = Block((*body[:place], named, *rest.body), range=function.body.range)
        function = replace(function, body=whole)


def _with(block: Block, size: Expr, name: Var) -> Block:
    result = map_expr(block, lambda e: name if e == size else e)
    assert isinstance(result, Block)
    return result


def _is_size(node: object, known: set[str]) -> bool:
    """Whether it is one that is computed anywhere without harm."""
    if not isinstance(node, Call) or node.function not in ("min", "max") or not node.dtype.is_integer:
        return False
    if not all(isinstance(part, Expr) for part in walk(node)) or not free_vars(node) <= known:
        return False
    return not any(isinstance(part, Binary) and part.op in ("/", "%") for part in walk(node))
