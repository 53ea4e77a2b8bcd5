"""AMD's matrix instructions (MFMA) as data: what each computes.

All are executed by a wave of 64 lanes and compute `D = C + A * B` for each of their blocks. Each lane
holds `per_lane` elements of A and of B and `outputs` of C and D; one law says which (`passes/mfma.py`).
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
    def attributes(self) -> tuple[tuple[str, str], ...]:
        """What an `Instr` of the IR says of itself."""
        return ("m", str(self.m)), ("k", str(self.k)), ("blocks", str(self.blocks))

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
