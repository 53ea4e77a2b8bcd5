"""Vectors of the second generation: lengths in whole groups of 128 bytes, scalar code for what is not so."""

from __future__ import annotations

import numpy as np

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal
from xpiler.ir.printer import show
from xpiler.passes.bang_schedule import schedule
from xpiler.platforms.bang import ARCHITECTURES

SECOND = ARCHITECTURES["mtp_270"]

SCALE = """__global__ void scale(const float *x, float *y, float s, int n) {
    int i = blockIdx.x * 64 + threadIdx.x;
    if (i < n) y[i] = fmaxf(x[i] * s, 0.0f);
}"""
TOTAL = """__global__ void total(const float *x, float *y, int n) {
    float sum = 0.0f;
    for (int i = 0; i < n; ++i) sum += x[blockIdx.x * n + i];
    y[blockIdx.x] = sum;
}"""


def test_instructions_take_whole_groups_and_copies_what_there_is() -> None:
    function = canonical(SCALE, x=3)
    text = show(laid_out(function, SECOND))
    assert "i32 count_padded = (count + 31) / 32 * 32;" in text
    for name in ("__bang_mul_scalar", "__bang_write_value", "__bang_maxequal"):
        (line,) = [line for line in text.splitlines() if name in line]
        assert "count_padded" in line
    copies = [line for line in text.splitlines() if "__memcpy" in line]
    assert len(copies) == 2 and not any("padded" in line for line in copies)
    assert_same(function, SECOND, x=normal(150), y=np.zeros(150, np.float32), s=2.0, n=150)


def test_no_instruction_is_of_a_later_generation() -> None:
    assert "__bang_relu" not in instructions(laid_out(canonical(SCALE, x=3), SECOND))
    root = SCALE.replace("fmaxf(x[i] * s, 0.0f)", "sqrtf(x[i])")
    scheduled = schedule(canonical(root, x=3), SECOND)
    assert not instructions(scheduled.function)
    assert any("no instruction for `sqrt`" in note for note in scheduled.notes)


def test_reductions_are_scalar_code_and_a_note_says_so() -> None:
    function = canonical(TOTAL, (1, 1, 1), x=4)
    scheduled = schedule(function, SECOND)
    assert not instructions(scheduled.function)
    assert any("vectors of mtp_270 are whole" in note for note in scheduled.notes)
    assert_same(function, SECOND, x=normal(4 * 37), y=np.zeros(4, np.float32), n=37)
