"""Which loops of a kernel become the lanes of AVX-512 registers."""

from __future__ import annotations

import pytest

from xpiler.backend.vnni import generate
from xpiler.frontend import parse
from xpiler.passes.canonical import canonicalise

LAUNCH = {f"{which}.{axis}": 1 for which in ("gridDim", "blockDim") for axis in "yz"}


def cpp(text: str) -> str:
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    canonical = canonicalise(kernel, (None, 1, 1), (None, 1, 1)).function
    return generate(canonical, launch=LAUNCH).text


WINDOWS = """\
__global__ void windows(const float *x, float *y, int n, int width, int channels) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n * width * channels) return;
  DIGITS
  float best = 0;
  for (int k = 0; k < 3; ++k) best = fmaxf(best, x[(row * (width + 2) + column + k) * channels + c]);
  y[i] = best;
}
"""


@pytest.mark.parametrize(
    "digits",
    [
        "int c = i % channels, column = i / channels % width, row = i / channels / width;",
        "int c = i % channels, row = i / (channels * width), column = i / channels - row * width;",
    ],
)
def test_the_lowest_digit_of_a_counter_makes_the_lanes(digits: str) -> None:
    text = cpp(WINDOWS.replace("DIGITS", digits))
    assert "for (int c_lane = 0; c_lane < c_lane_end; c_lane += 16)" in text
    assert "= max_number_ps(best" in text


def test_a_split_loop_over_nothing_divides_by_nothing() -> None:
    text = cpp(WINDOWS.replace("DIGITS", "int c = i % channels, column = 0, row = i / channels;"))
    assert text.index("if (0 < ") < text.index(" / channels; ++")


def test_digits_that_are_taken_off_one_by_one_make_the_lanes() -> None:
    digits = "int rest = i / channels, c = i % channels; int column = rest % width; rest /= width;"
    text = cpp(WINDOWS.replace("DIGITS", digits + " int row = rest;"))
    assert "for (int c_lane = 0; c_lane < c_lane_end; c_lane += 16)" in text
    assert "= max_number_ps(best" in text
