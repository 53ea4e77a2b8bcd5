"""After a kernel is lowered: dynamic shared memory gets the type it is used with."""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir import build
from xpiler.ir.nodes import Block, Decl, Expr, Function, Load, Ref, Space, Stmt
from xpiler.ir.rewrite import walk
from xpiler.ir.types import U32, DType


def finish(function: Function) -> Function:
    """`extern __shared__ char raw[]` of which all accesses are floats becomes an array of floats."""
    body: list[Stmt] = []
    changed = False
    for stmt in function.body.body:
        if isinstance(stmt, Decl) and stmt.space is Space.SHARED and _is_dynamic(stmt):
            used = _used_types(function.body, stmt.name)
            if len(used) == 1 and stmt.dtype not in used:
                stmt = _as(stmt, used.pop())
                changed = True
        body.append(stmt)
    if not changed:
        return function
    return replace(function, body=replace(function.body, body=tuple(body)))


def _is_dynamic(decl: Decl) -> bool:
    return any(getattr(n, "name", "") == "dynamicShared.bytes" for extent in decl.shape for n in walk(extent))


def _used_types(body: Block, name: str) -> set[DType]:
    return {n.dtype for n in walk(body) if isinstance(n, (Load, Ref)) and n.array == name}


def _as(decl: Decl, dtype: DType) -> Decl:
    bytes_: Expr = next(
        n for e in decl.shape for n in walk(e) if getattr(n, "name", "") == "dynamicShared.bytes"
    )  # type: ignore[assignment]
    return replace(decl, dtype=dtype, shape=(build.div(bytes_, build.const(dtype.bytes, U32)),))
