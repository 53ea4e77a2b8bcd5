"""Lengths of vectors in whole groups of bytes, for architectures that take no others.

    count = min(tile, n - i0)                        count = min(tile, n - i0)
    x_nram <- x[i0..], count                         padded = (count + 31) / 32 * 32
    __bang_add(y_nram, x_nram, x_nram, count)  -->   x_nram <- x[i0..], count
    y[i0..] <- y_nram, count                         __bang_add(y_nram, x_nram, x_nram, padded)
                                                     y[i0..] <- y_nram, count

What a vector computes behind the last element is never copied out. Applies where every vector starts at the
start of a buffer; None where one does not, or an instruction has other rules than that.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from xpiler.ir.build import add, const, div, mul
from xpiler.ir.nodes import Decl, Expr, If, Instr, Ref, Stmt, Var
from xpiler.ir.rewrite import map_stmt
from xpiler.ir.types import I32
from xpiler.passes.names import Names
from xpiler.platforms.bang import BY_NAME, VECTOR_BYTES


def padded_vectors(
    body: Sequence[Stmt], count: Var, buffers: Collection[str], names: Names
) -> list[Stmt] | None:
    """The body of a loop over tiles behind the declaration of `count`; `buffers` start at whole groups."""
    widths: set[int] = set()
    padded = Var(I32, names.fresh(f"{count.name}_padded"))
    wrong = False

    def change(stmt: Stmt) -> Stmt:
        nonlocal wrong
        if isinstance(stmt, If):
            wrong = True  # some of the lanes
        if not isinstance(stmt, Instr) or dict(stmt.attributes).get("direction") in _OFF_CHIP:
            return stmt
        refs = [o for o in stmt.operands if isinstance(o, Ref)]
        widths.update(ref.dtype.bytes for ref in refs)
        wrong |= not all(_starts_a_group(ref, buffers) for ref in refs)
        wrong |= stmt.name not in BY_NAME and stmt.name not in ("__bang_write_value", "__memcpy")
        operands: list[Expr] = [padded if o == count else o for o in stmt.operands]
        wrong |= padded not in operands
        return replace(stmt, operands=tuple(operands))

    changed = [map_stmt(stmt, change) for stmt in body]
    if wrong or not widths:
        return None
    group = VECTOR_BYTES // min(widths)
    length = mul(div(add(count, group - 1), group), group)
    return [Decl(padded.name, I32, init=length), *_flat(changed)]


_OFF_CHIP = ("GDRAM2NRAM", "NRAM2GDRAM")


def _starts_a_group(ref: Ref, buffers: Collection[str]) -> bool:
    return ref.array in buffers and ref.offset == const(0, ref.offset.dtype) and ref.dtype.is_float


def _flat(stmts: Sequence[Stmt | tuple[Stmt, ...] | None]) -> list[Stmt]:
    out: list[Stmt] = []
    for stmt in stmts:
        out += stmt if isinstance(stmt, tuple) else [stmt] if stmt is not None else []
    return out
