"""Which loops of a kernel become the lanes of AVX-512 registers."""

from __future__ import annotations

import pytest

from xpiler.backend.vnni import generate
from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

LAUNCH = {f"{which}.{axis}": 1 for which in ("gridDim", "blockDim") for axis in "yz"}


def cpp(text: str, threads: int | None = None) -> str:
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    canonical = canonicalise(kernel, (threads, 1, 1), (None, 1, 1)).function
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
    assert "c += 16)" in text
    assert "= _mm512_max_ps(" in text, "the largest starts as a number"


def test_a_split_loop_over_nothing_divides_by_nothing() -> None:
    text = cpp(WINDOWS.replace("DIGITS", "int c = i % channels, column = 0, row = i / channels;"))
    assert text.index("if (0 < ") < text.index(" / channels")


def test_digits_that_are_taken_off_one_by_one_make_the_lanes() -> None:
    digits = "int rest = i / channels, c = i % channels; int column = rest % width; rest /= width;"
    text = cpp(WINDOWS.replace("DIGITS", digits + " int row = rest;"))
    assert "c += 16)" in text
    assert "= _mm512_max_ps(" in text, "the largest starts as a number"


@pytest.mark.parametrize("condition", ["i < n / 4 * 4", "i + 3 < n", "n >= (i + 4)", "i + WIDTH - 1 < n"])
def test_members_of_vectors_in_a_grid_stride_loop_are_neighbouring_lanes(condition: str) -> None:
    text = cpp(
        "constexpr int WIDTH = 4;\n"
        "__global__ void scale(const float *__restrict__ x, float *__restrict__ y, int n) {\n"
        "  int tid = blockIdx.x * blockDim.x + threadIdx.x, all = gridDim.x * blockDim.x;\n"
        f"  for (int i = 4 * tid; {condition}; i += 4 * all) {{\n"
        "    float4 v = *(const float4 *)(x + i);\n"
        "    v.x *= 2; v.y *= 2; v.z *= 2; v.w *= 2;\n"
        "    *(float4 *)(y + i) = v;\n"
        "  }\n"
        "  int rest = n / 4 * 4 + tid;\n"
        "  if (rest < n) y[rest] = 2 * x[rest];\n"
        "}\n"
    )
    assert "_mm512_mask_storeu_ps(y + j, lanes," in text


ROWS = """\
__global__ void rows(const float *__restrict__ a, const float *__restrict__ x, float *__restrict__ y, int n) {
  int lane = threadIdx.x;
  a += (size_t)blockIdx.x * n;
  float sum = 0;
  if (n % 4 == 0) {
    for (int c = 4 * lane; c < n; c += 128) {
      float4 u = *(const float4 *)(a + c), v = *(const float4 *)(x + c);
      FOLD
    }
  } else {
    for (int c = lane; c < n; c += 32) sum += a[c] * x[c];
  }
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffffu, sum, offset);
  if (lane == 0) y[blockIdx.x] = sum;
}
"""


@pytest.mark.parametrize(
    "fold",
    [
        "sum += u.x * v.x + u.y * v.y + u.z * v.z + u.w * v.w;",
        "sum += u.x * v.x; sum += u.y * v.y; sum += u.z * v.z; sum += u.w * v.w;",
        "sum = fmaf(u.x, v.x, fmaf(u.y, v.y, fmaf(u.z, v.z, fmaf(u.w, v.w, sum))));",
        "sum = fmaf(u.w, v.w, fmaf(u.z, v.z, fmaf(u.y, v.y, fmaf(u.x, v.x, sum))));",
    ],
)
def test_a_row_that_the_lanes_of_a_warp_read_by_four_is_one_sum(fold: str) -> None:
    text = cpp(ROWS.replace("FOLD", fold), 32)
    assert "if (n % 4 == 0) {" in text
    sums = text.count("_mm512_reduce_add_ps(")
    assert sums == 4, "one for rows of whole vectors, one for others, each with and without threads"
    assert text.count("_mm512_fmadd_ps(") == 5 * sums, "four registers at a time, and what is left"


def test_an_unsigned_counter_is_not_moved_below_zero() -> None:
    text = cpp(
        "__global__ void pairs(const float *__restrict__ x, float *__restrict__ y, unsigned n) {\n"
        "  for (unsigned i = threadIdx.x; i + 1 < n; i += 32) y[i] = x[i] + x[i + 1];\n"
        "}\n",
        32,
    )
    assert "n - 1" not in text


def test_a_cycle_of_vectors_is_one_of_their_members() -> None:
    text = """
    __global__ void cycle(const float4 *__restrict__ x, const float4 *__restrict__ g, float4 *__restrict__ y,
                          size_t n, int columns) {
      for (size_t i = threadIdx.x; i < n; i += blockDim.x) {
        float4 a = x[i], b = g[i % columns];
        y[i] = make_float4(a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w);
      }
    }"""
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    shown = show(canonicalise(kernel, (64, 1, 1), (1, 1, 1)).function)
    assert "y[j] = x[j] * g[(i64)j % (4l * (i64)columns)];" in shown, shown


def test_rows_of_a_counter_that_is_taken_apart_are_copied_by_lanes() -> None:
    text = cpp(
        "__global__ void patch(const float *__restrict__ x, float *__restrict__ y, int width, int pitch) {\n"
        "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "  if (i < 8 * width) y[i] = x[i / width * pitch + i % width];\n"
        "}\n",
        64,
    )
    assert "_mm512_loadu_ps(x + " in text
    assert "gather" not in text and "divide_epi32" not in text
