"""Integer conversions pushed towards the leaves, where those of thread and block indices vanish.

    (i32)(blockIdx.x * 256u + threadIdx.x)   -->   block_x * 256 + thread_x

Exact: narrowing or changing the sign commutes with `+ - * & | ^ ~ <<` modulo 2^bits. Signed sums and
products have no meaning in C beyond their range: those of what was read from memory, and products by the
large factors of hashes, stay unsigned. It does not commute with `/ % >>` and comparisons; those are only
converted where both operands are known not to be negative (loop counters, launch dimensions and their sums,
products and quotients, which a launch keeps below 2^31).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from xpiler.ir.build import add, binary, cast, is_const, mul
from xpiler.ir.nodes import Binary, Block, Cast, Const, Expr, Load, Select, Stmt, Unary, Var
from xpiler.ir.rewrite import map_expr, walk
from xpiler.ir.types import I32, U32, DType

N = TypeVar("N", Expr, Stmt, Block)
_RING = frozenset("+-*&|^")
_NO_RING = frozenset({"/", "%", ">>", "<", "<=", ">", ">=", "==", "!="})
_LARGE = 1 << 24
_DIMENSIONS = ("blockDim.", "gridDim.")


def push_casts(node: N, indices: frozenset[str] = frozenset()) -> N:
    """Every conversion between int and unsigned in `node` moved inward where that is exact.

    `indices`: int variables that count blocks, threads, warps or lanes.
    """
    return map_expr(node, _Pusher(indices).rewrite)


@dataclass(frozen=True)
class _Pusher:
    indices: frozenset[str]

    def rewrite(self, expr: Expr) -> Expr:
        match expr:
            case Cast(operand=operand) if expr.dtype in (I32, U32) and operand.dtype in (I32, U32):
                return pushed(operand, expr.dtype)
            case Binary(op=op, left=left, right=right) if op in _NO_RING and left.dtype == U32:
                one, two = self._small(left), self._small(right)
                if one is not None and two is not None:
                    return cast(binary(op, one, two), expr.dtype)
        return expr

    def _small(self, expr: Expr) -> Expr | None:
        """An unsigned expression as a signed one of the same value, if it surely lies in [0, 2^31)."""
        match expr:
            case Const(value=value):
                return cast(expr, I32) if 0 <= int(value) < 2**31 else None
            case Cast(operand=inner) if inner.dtype == I32 and self._index(inner):
                return inner
            case Binary(op="+" | "*" as op, left=left, right=right):
                one, two = self._small(left), self._small(right)
                if one is not None and two is not None:
                    both = add(one, two) if op == "+" else mul(one, two)
                    return both if self._index(both) else None
        return None

    def _index(self, expr: Expr) -> bool:
        """Whether an int expression is an index of the launch: never negative, below 2^31."""
        match expr:
            case Const(value=value):
                return int(value) >= 0
            case Var(name=name):
                return name in self.indices or name.startswith(_DIMENSIONS)
            case Binary(op="/" | "%" | ">>", left=left, right=right):
                return self._index(left) and self._index(right) and not is_const(right, 0)
            case Binary(op="*" | "+", left=left, right=right):
                return self._in_block(left) and self._in_block(right)
        return False

    def _in_block(self, expr: Expr) -> bool:
        """Bounded by the size of a block (at most 1024 threads), so that sums of such terms stay small."""
        match expr:
            case Const(value=value):
                return 0 <= int(value) <= 1024
            case Var(name=name):
                return (name in self.indices and not name.startswith("block_")) or name.startswith(
                    "blockDim."
                )
            case Binary(op="*", left=Var() as left, right=Const() as right):
                return self._in_block(left) and self._in_block(right)
            case Binary(op="/" | "%", left=left, right=right):
                return self._in_block(left) and self._in_block(right)
        return False


def pushed(expr: Expr, dtype: DType) -> Expr:
    """`expr` converted to a 32-bit type by converting its operands."""
    if expr.dtype == dtype:
        return expr
    match expr:
        case Const():
            return cast(expr, dtype)
        case Cast(operand=inner) if inner.dtype == dtype:
            return inner
        case Binary(op="+" | "-" | "*") if dtype == I32 and _wraps(expr):
            return Cast(dtype, expr)
        case Binary(op=op, left=left, right=right) if op in _RING:
            return binary(op, pushed(left, dtype), pushed(right, dtype))
        case Binary(op="<<", left=left, right=right):
            return binary("<<", pushed(left, dtype), right)
        case Unary(op="-" | "~" as op, operand=operand):
            return Unary(dtype, op, pushed(operand, dtype))
        case Select(condition=condition, then=then, otherwise=otherwise):
            return Select(dtype, condition, pushed(then, dtype), pushed(otherwise, dtype))
    return Cast(dtype, expr)


def _wraps(expr: Expr) -> bool:
    """Whether unsigned arithmetic may be meant modulo 2^32: on data, or by a factor that no index has."""
    return any(
        isinstance(part, Load)
        or (isinstance(part, Binary) and part.op == "*" and (_is_large(part.left) or _is_large(part.right)))
        for part in walk(expr)
    )


def _is_large(factor: Expr) -> bool:
    return isinstance(factor, Const) and _LARGE <= int(factor.value) < 2**32 - _LARGE
