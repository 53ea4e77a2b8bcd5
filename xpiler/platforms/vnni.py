"""AVX-512 instructions that do more than one operation a lane, each defined once, by its meaning.

    _mm512_dpbusd_epi32(acc, a, b)    for lane in 0..16: for part in 0..4:
                                          acc[lane] += (i32)a[4*lane + part] * (i32)b[4*lane + part]

The innermost statement of a meaning is the form that instruction selection unifies with a program's
(`passes/dot_products.py`); `meaning` makes the loop nest that the interpreter runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from xpiler.ir.build import add, cast, const, load, mul, sub, var
from xpiler.ir.nodes import Assign, Block, Expr, For, Function, Param
from xpiler.ir.types import BF16, F32, I8, I16, I32, U8, DType

LANES = 16  # 32-bit accumulators in a 512-bit register


@dataclass(frozen=True)
class DotInstruction:
    """acc[lane] += the sum of `parts` products of neighbouring elements of two 512-bit registers.

    `exact`: the same number in whatever order the sum is taken (integers modulo 2^32). What is not exact
    says in `deviation` where the instruction leaves its meaning.
    """

    name: str
    accumulator: DType
    left: DType
    right: DType
    parts: int
    exact: bool
    deviation: str = ""

    @property
    def elements(self) -> int:
        """Elements of each operand."""
        return LANES * self.parts

    def step(self, lane: Expr, part: Expr) -> Assign:
        """One product and its sum: the innermost statement of the meaning."""
        at = add(mul(lane, const(self.parts)), part)
        product = mul(
            cast(load("a", self.left, at), self.accumulator),
            cast(load("b", self.right, at), self.accumulator),
        )
        target = load("acc", self.accumulator, lane)
        return Assign(target, product, "+")

    def meaning(self) -> Function:
        """The instruction as a function of its registers `acc`, `a` and `b`.

        Floats: the element at the odd position is added first, each sum rounded to nearest even.
        """
        lane, part = var("lane"), var("part")
        order = part if self.exact else sub(const(self.parts - 1), part)
        inner = For("part", I32, const(0), const(self.parts), const(1), Block((self.step(lane, order),)))
        outer = For("lane", I32, const(0), const(LANES), const(1), Block((inner,)))
        params = (
            Param("acc", self.accumulator, True),
            Param("a", self.left, True, is_const=True),
            Param("b", self.right, True, is_const=True),
        )
        return Function(self.name.strip("_"), params, Block((outer,)))


DPBUSD = DotInstruction("_mm512_dpbusd_epi32", I32, U8, I8, 4, exact=True)
DPWSSD = DotInstruction("_mm512_dpwssd_epi32", I32, I16, I16, 2, exact=True)
DPBF16 = DotInstruction(
    "_mm512_dpbf16_ps",
    F32,
    BF16,
    BF16,
    2,
    exact=False,
    deviation="subnormal numbers count as 0",
)
DOT_INSTRUCTIONS = (DPBUSD, DPWSSD, DPBF16)
