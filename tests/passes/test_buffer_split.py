"""Buffers that are used in parts."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.buffer_split import split_buffers

LARGEST = """\
void largest(const float *x, float *y, int n) {
  for (int r = 0; r < n; ++r) {
    float found[32];
    found[0] = x[r] + 1.0f;
    ((unsigned *)found)[1] = (unsigned)r;
    y[r] = found[0] + READ;
  }
}
"""


def split(text: str) -> str:
    (kernel,) = parse(text, "largest.cpp", platform="vnni").program.kernels
    return show(split_buffers(kernel))


def test_parts_of_one_element_are_scalars() -> None:
    text = split(LARGEST.replace("READ", "((unsigned *)found)[1]"))
    assert "f32 found_0;" in text and "f32 found_1;" in text
    assert "found_0 = x[r] + 1.0f;" in text and "y[r] = found_0 + (f32)bits<u32>(found_1);" in text


@pytest.mark.parametrize("read", ["found[r % 32]", "found[n - 1]"])
def test_memory_that_is_read_anywhere_stays_one(read: str) -> None:
    text = split(LARGEST.replace("READ", read))
    assert "f32 found[32];" in text and "found_0" not in text
