"""AMD's matrix instructions (MFMA) as data: what each computes and which lane holds which element.

All are executed by a wave of 64 lanes and compute `D = C + A * B` for each of their blocks. Each lane
holds `per_lane` elements of A and of B and `outputs` of C and D; one law says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

WAVE = 64


@dataclass(frozen=True)
class Mfma:
    """`m`, `n`, `k`: the shape of a block; `element`, `result`: what A and B, C and D consist of."""

    m: int
    k: int
    blocks: int
    element: str
    result: str

    @property
    def n(self) -> int:
        return self.m

    @cached_property
    def per_lane(self) -> int:
        """Elements of A (and of B) that a lane holds."""
        return self.m * self.k * self.blocks // WAVE

    @cached_property
    def outputs(self) -> int:
        """Elements of C (and of D) that a lane holds."""
        return self.m * self.n * self.blocks // WAVE

    def input_place(self, lane: int, e: int) -> tuple[int, int, int]:
        """(block, row, k) of element `e` of A in a lane; of B with the column in place of the row."""
        if self.element == "f64":
            return (0, lane % 16, lane // 16) if self.m == 16 else (lane // 4 % 4, lane % 4, lane // 16)
        if self.blocks == 1:
            return 0, lane % self.m, self.per_lane * (lane // self.m) + e
        return lane // self.m, lane % self.m, e

    def output_place(self, lane: int, r: int) -> tuple[int, int, int]:
        """(block, row, column) of element `r` of C or D in a lane."""
        if self.element == "f64":
            if self.m == 16:
                return 0, 4 * r + lane // 16, lane % 16
            return lane // 4 % 4, lane // 16, lane % 4
        if self.m == 32:
            return r // 16, 8 * (r // 4 % 4) + 4 * (lane // 32) + r % 4, lane % 32
        if self.m == 16:
            return r // 4, 4 * (lane // 16) + r % 4, lane % 16
        return lane // 4, r, lane % 4


def _table() -> dict[str, Mfma]:
    """By the builtin's name without `__builtin_amdgcn_mfma_`."""
    found: dict[str, Mfma] = {}
    for element, suffix, depths in (
        ("f32", "f32", {32: (1, 2), 16: (1, 4), 4: (1, 0)}),
        ("f16", "f16", {32: (4, 8), 16: (4, 16), 4: (4, 0)}),
        ("bf16", "bf16", {32: (2, 4), 16: (2, 8), 4: (2, 0)}),
        ("bf16", "bf16_1k", {32: (4, 8), 16: (4, 16), 4: (4, 0)}),
        ("i8", "i8", {32: (4, 8), 16: (4, 16), 4: (4, 0)}),
    ):
        result = "i32" if element == "i8" else "f32"
        for m, (several, single) in depths.items():
            blocks = {32: 2, 16: 4, 4: 16}[m]
            found[f"{result}_{m}x{m}x{several}{suffix}"] = Mfma(m, several, blocks, element, result)
            if single:
                found[f"{result}_{m}x{m}x{single}{suffix}"] = Mfma(m, single, 1, element, result)
    found["i32_32x32x16_i8"] = Mfma(32, 16, 1, "i8", "i32")
    found["i32_16x16x32_i8"] = Mfma(16, 32, 1, "i8", "i32")
    found["f32_16x16x8_xf32"] = Mfma(16, 8, 1, "f32", "f32")
    found["f32_32x32x4_xf32"] = Mfma(32, 4, 1, "f32", "f32")
    found["f64_16x16x4f64"] = Mfma(16, 4, 1, "f64", "f64")
    found["f64_4x4x4f64"] = Mfma(4, 4, 4, "f64", "f64")
    return found


INSTRUCTIONS = MappingProxyType(_table())
PREFIX = "__builtin_amdgcn_mfma_"
