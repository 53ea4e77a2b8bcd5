"""Floating point in double precision whatever its type: what a program computes over the reals, all but the
last digits.

Sums in another order agree to a dozen digits, and faults do not, so that two programs can be compared on any
data, functions, comparisons and conversions to integers included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from xpiler.errors import Refusal
from xpiler.ir.interpret_native import Binary, Native, Unary, Value
from xpiler.ir.types import F64, DType


def _double(dtype: DType) -> DType:
    return F64 if dtype.is_float else dtype


class Reals(Native):
    """Floats of all widths are doubles; integers are as ever."""

    reinterprets = False

    def value_type(self, dtype: DType) -> npt.DTypeLike:
        return super().value_type(_double(dtype))

    def storage_type(self, dtype: DType) -> npt.DTypeLike:
        return super().storage_type(_double(dtype))

    def loaded(self, dtype: DType) -> Unary | None:
        return None

    def stored(self, dtype: DType) -> Unary | None:
        return None

    def const(self, value: int | float | bool, dtype: DType) -> Value:
        return super().const(value, _double(dtype))

    def unary(self, op: str, dtype: DType) -> Unary:
        return super().unary(op, _double(dtype))

    def binary(self, op: str, dtype: DType) -> Binary:
        return super().binary(op, _double(dtype))

    def cast(self, source: DType, target: DType) -> Unary:
        if source.is_float and target.is_float:
            return lambda x: x
        return super().cast(_double(source), _double(target))

    def bitcast(self, source: DType, target: DType) -> Unary:
        if source.is_float or target.is_float:
            raise Refusal("reals-conversion", f"a real number has no bits: {source} read as {target}")
        return super().bitcast(source, target)

    def call(self, function: str, operand: DType, result: DType) -> Callable[..., Value]:
        return super().call(function, _double(operand), _double(result))

    def matrix_product(
        self, a: Value, b: Value, c: Value, operand: DType, addend: DType, result: DType
    ) -> Value:
        total: Any = super().matrix_product(a, b, c, _double(operand), _double(addend), _double(result))
        return np.asarray(total)
