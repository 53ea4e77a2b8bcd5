"""Scalar types with C's meaning: width, signedness, promotion."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property


class Kind(Enum):
    BOOL = "bool"
    INT = "int"
    UINT = "uint"
    FLOAT = "float"


@dataclass(frozen=True, eq=False)
class DType:
    """A scalar type. `name` is the IR's spelling (`f32`), `bits` its storage width.

    There is one object of each type, so equality is identity: types are compared and hashed with every node.
    """

    name: str
    kind: Kind
    bits: int

    def __new__(cls, name: str, kind: Kind, bits: int) -> DType:
        return _TYPES.setdefault((name, kind, bits), super().__new__(cls))

    def __reduce__(self) -> tuple[type[DType], tuple[str, Kind, int]]:
        return DType, (self.name, self.kind, self.bits)

    @cached_property
    def bytes(self) -> int:
        return self.bits // 8

    @cached_property
    def is_float(self) -> bool:
        return self.kind is Kind.FLOAT

    @cached_property
    def is_integer(self) -> bool:
        """True for bool too: in C it promotes to int."""
        return self.kind is not Kind.FLOAT

    @cached_property
    def is_signed(self) -> bool:
        return self.kind in (Kind.INT, Kind.FLOAT)

    def __str__(self) -> str:
        return self.name


_TYPES: dict[tuple[str, Kind, int], DType] = {}

BOOL = DType("bool", Kind.BOOL, 8)
I8 = DType("i8", Kind.INT, 8)
I16 = DType("i16", Kind.INT, 16)
I32 = DType("i32", Kind.INT, 32)
I64 = DType("i64", Kind.INT, 64)
U8 = DType("u8", Kind.UINT, 8)
U16 = DType("u16", Kind.UINT, 16)
U32 = DType("u32", Kind.UINT, 32)
U64 = DType("u64", Kind.UINT, 64)
F16 = DType("f16", Kind.FLOAT, 16)
BF16 = DType("bf16", Kind.FLOAT, 16)
F32 = DType("f32", Kind.FLOAT, 32)
F64 = DType("f64", Kind.FLOAT, 64)

ALL_DTYPES = (BOOL, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64)
BY_NAME = {dtype.name: dtype for dtype in ALL_DTYPES}


def promote(dtype: DType) -> DType:
    """C's integer promotion: everything narrower than int becomes int. Floats are left alone."""
    if dtype.is_integer and dtype.bits < 32:
        return I32
    return dtype


def common_type(left: DType, right: DType) -> DType:
    """C's usual arithmetic conversions. f16 with bf16 meets in f32, as CUDA has no common 16-bit type."""
    if left.is_float or right.is_float:
        floats = [t for t in (left, right) if t.is_float]
        widest = max(floats, key=lambda t: t.bits)
        if len(floats) == 2 and {t.name for t in floats} == {"f16", "bf16"}:
            return F32
        return widest
    left, right = promote(left), promote(right)
    if left == right:
        return left
    if left.bits != right.bits:
        return left if left.bits > right.bits else right
    return left if left.kind is Kind.UINT else right
