"""Matrix fragments of every shape, type and layout in one kernel, a block of one warp for each."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np

from tests.cross.functions import SPELLING
from tests.cross.running import HEADERS, Array, Program
from xpiler.gate.arrays import encode
from xpiler.ir.types import BF16, F16, F32, F64, I8, I32, U8, DType

_WIDE = ((16, 16, 16), (32, 8, 16), (8, 32, 16))
# Operands, accumulator, shapes (m, n, k).
COMBINATIONS: tuple[tuple[DType, DType, tuple[tuple[int, int, int], ...]], ...] = (
    (F16, F32, _WIDE),
    (F16, F16, _WIDE),
    (BF16, F32, _WIDE),
    (I8, I32, _WIDE),
    (U8, I32, _WIDE),
    (F32, F32, ((16, 16, 8),)),  # as tf32
    (F64, F64, ((8, 8, 4),)),
)
_LAYOUTS = ("row_major", "col_major")
_TILE = 32 * 32  # elements of the largest operand
_OUT = 32 * 16


def _aligned(extent: int, dtype: DType) -> int:
    """A leading dimension is a multiple of 16 bytes."""
    granule = 16 // dtype.bytes
    return -(-extent // granule) * granule


def combinations(operand: DType, accumulator: DType) -> list[tuple[tuple[int, int, int], str, str, str]]:
    shapes = next(s for a, c, s in COMBINATIONS if (a, c) == (operand, accumulator))
    return list(product(shapes, _LAYOUTS, _LAYOUTS, _LAYOUTS))


def program(operand: DType, accumulator: DType) -> Program:
    """`d = a b + c` with every layout of `a`, `b` and of `c` and `d`."""
    tf32 = operand == F32
    element = "nvcuda::wmma::precision::tf32" if tf32 else SPELLING[operand.name]
    kind, total = SPELLING[operand.name], SPELLING[accumulator.name]
    branches = []
    for number, ((m, n, k), a, b, c) in enumerate(combinations(operand, accumulator)):
        lda, ldb = (
            _aligned(e, operand) for e in (k if a == "row_major" else m, n if b == "row_major" else k)
        )
        ldc = (n if c == "row_major" else m) + 16 // accumulator.bytes
        size = f"{m}, {n}, {k}"
        branches.append(
            f"    if (blockIdx.x == {number}) {{\n"
            f"        fragment<matrix_a, {size}, {element}, {a}> fa;\n"
            f"        fragment<matrix_b, {size}, {element}, {b}> fb;\n"
            f"        fragment<accumulator, {size}, {total}> fc;\n"
            f"        load_matrix_sync(fa, a, {lda});\n        load_matrix_sync(fb, b, {ldb});\n"
            + (
                f"        load_matrix_sync(fc, c, {ldc}, mem_{c});\n"
                if number % 2
                else f"        fill_fragment(fc, ({total})2);\n"
            )
            + "        mma_sync(fc, fa, fb, fc);\n"
            + "        for (int t = 0; t < fc.num_elements; t++) fc.x[t] = fc.x[t] + fc.x[t];\n"
            + f"        store_matrix_sync(out + {2 * _OUT * number}, fc, {ldc}, mem_{c});\n    }}\n"
        )
    text = (
        f"{HEADERS}using namespace nvcuda::wmma;\n"
        f"__global__ void multiply(const {kind}* a, const {kind}* b, const {total}* c, {total}* out) {{\n"
        f"{''.join(branches)}}}\n"
    )
    return Program(text, (32, 1, 1), (len(branches), 1, 1))


def inputs(operand: DType, accumulator: DType) -> Mapping[str, Array]:
    """Small integers, whose sums of products every type holds exactly."""
    rng = np.random.default_rng(operand.bits)
    low = 0 if operand == U8 else -3
    a, b = (encode(rng.integers(low, 4, _TILE), operand) for _ in range(2))
    c = encode(rng.integers(-8, 9, 2 * _OUT), accumulator)
    out = encode(np.zeros(2 * _OUT * len(combinations(operand, accumulator))), accumulator)
    return {"a": a, "b": b, "c": c, "out": out}
