"""A right translation with one thing wrong in it, and the repair."""

import pytest

from xpiler.gate.evidence import Rung
from xpiler.gate.overrides import Overrides
from xpiler.repair import mend, repair
from xpiler.repair.search import LAST_LOOK
from xpiler.translate import Trusted

SCALE = """__global__ void scale_kernel(const float *x, float *y, float a, int rows, int cols) {
  int c = blockIdx.x * blockDim.x + threadIdx.x;
  int r = blockIdx.y;
  if (c < cols && r < rows) y[r * cols + c] = a * x[r * cols + c];
}
extern "C" void scale(const float *x, float *y, float a, int rows, int cols) {
  float *d_x, *d_y;
  size_t bytes = (size_t)rows * cols * sizeof(float);
  cudaMalloc(&d_x, bytes);
  cudaMalloc(&d_y, bytes);
  cudaMemcpy(d_x, x, bytes, cudaMemcpyHostToDevice);
  scale_kernel<<<dim3((cols + 31) / 32, rows), 32>>>(d_x, d_y, a, rows, cols);
  cudaMemcpy(y, d_y, bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_x);
  cudaFree(d_y);
}
"""

SERIAL = """#include <immintrin.h>
extern "C" void scale(const float *x, float *y, float a, int rows, int cols) {
  for (int r = 0; r < rows; ++r) {
    int c = 0;
    for (; c + 16 <= cols; c += 16)
      _mm512_storeu_ps(y + r * cols + c, _mm512_mul_ps(_mm512_set1_ps(a), _mm512_loadu_ps(x + r * cols + c)));
    for (; c < cols; ++c) y[r * cols + c] = a * x[r * cols + c];
  }
}
"""
SECONDS = 120.0  # a busy machine must not decide


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("r < rows; ++r", "r < rows - 1; ++r", 3),
        ("c < cols; ++c", "c < cols - 1; ++c", 7),
        ("_mm512_storeu_ps(y + r * cols", "_mm512_storeu_ps(y + r * rows", 6),
    ],
)
def test_a_bound_or_stride_of_a_serial_target(right: str, wrong: str, line: int) -> None:
    assert right in SERIAL
    found = repair(SCALE, "scale.cu", SERIAL.replace(right, wrong), "scale.cpp", seconds=SECONDS)
    assert found.status == "repaired", found.reason
    assert found.text == SERIAL
    assert [place.range.line for place in found.localized] == [line]
    assert found.diff.count("\n-") == found.diff.count("\n+ ") == 1


def test_a_launch_of_one_block_gets_the_grid_that_was_made_for_it() -> None:
    launch = "scale_kernel<<<dim3((cols + 31) / 32, rows), 32>>>"
    right = SCALE.replace(launch, "const dim3 grid((cols + 31) / 32, rows);\n  scale_kernel<<<grid, 32>>>")
    found = repair(SERIAL, "scale.cpp", right.replace("<<<grid", "<<<1"), "scale.cu", seconds=SECONDS)
    assert found.status == "repaired", found.reason
    assert found.text == right


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("c < cols && r", "c <= cols && r", 4),
        ("(cols + 31) / 32", "cols / 32", 12),
        ("cudaMemcpy(d_x, x, bytes, cudaMemcpyHostToDevice);", "", 12),
    ],
)
def test_a_guard_a_launch_or_a_copy_of_a_gpu_target(right: str, wrong: str, line: int) -> None:
    assert right in SCALE
    found = repair(SERIAL, "scale.cpp", SCALE.replace(right, wrong), "scale.cu", seconds=SECONDS)
    assert found.status == "repaired", found.reason
    assert [place.range.line for place in found.localized] == [line]


def test_a_right_target_is_left_alone() -> None:
    found = repair(SCALE, "scale.cu", SERIAL, "scale.cpp")
    assert (found.status, found.text, found.diff) == ("nothing wrong", None, "")


SUM = """__global__ void sum_kernel(const float *x, float *y, int cols) {
  __shared__ float part[64];
  float s = 0.0f;
  for (int c = threadIdx.x; c < cols; c += 64) s += x[blockIdx.x * cols + c];
  part[threadIdx.x] = s;
  __syncthreads();
  for (int w = 32; w > 0; w /= 2) {
    if (threadIdx.x < w) part[threadIdx.x] += part[threadIdx.x + w];
    __syncthreads();
  }
  if (threadIdx.x == 0) y[blockIdx.x] = part[0];
}
extern "C" void sum(const float *x, float *y, int rows, int cols) {
  float *d_x, *d_y;
  cudaMalloc(&d_x, sizeof(float) * rows * cols);
  cudaMalloc(&d_y, sizeof(float) * rows);
  cudaMemcpy(d_x, x, sizeof(float) * rows * cols, cudaMemcpyHostToDevice);
  sum_kernel<<<rows, 64>>>(d_x, d_y, cols);
  cudaMemcpy(y, d_y, sizeof(float) * rows, cudaMemcpyDeviceToHost);
  cudaFree(d_x);
  cudaFree(d_y);
}
"""

SERIAL_SUM = """#include <immintrin.h>
extern "C" void sum(const float *x, float *y, int rows, int cols) {
  for (int r = 0; r < rows; ++r) {
    __m512 s = _mm512_setzero_ps();
    for (int c = 0; c < cols; c += 16) {
      const __mmask16 m = cols - c >= 16 ? 0xffff : (1 << (cols - c)) - 1;
      s = _mm512_add_ps(s, _mm512_maskz_loadu_ps(m, x + r * cols + c));
    }
    y[r] = _mm512_reduce_add_ps(s);
  }
}
"""


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("  part[threadIdx.x] = s;\n  __syncthreads();\n", "  part[threadIdx.x] = s;\n", 6),
        ("float s = 0.0f;", "float s;", 3),
        ("c += 64", "c += 32", 4),
    ],
)
def test_a_barrier_an_initial_value_or_a_step_of_a_gpu_target(right: str, wrong: str, line: int) -> None:
    assert right in SUM
    found = repair(SERIAL_SUM, "sum.cpp", SUM.replace(right, wrong), "sum.cu", seconds=SECONDS)
    assert found.status == "repaired", found.reason
    assert [place.range.line for place in found.localized] == [line]


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("_mm512_reduce_add_ps", "_mm512_reduce_max_ps", 9),
        ("(m, x + r", "((__mmask16)0xffff, x + r", 7),
        ("_mm512_setzero_ps();", "_mm512_set1_ps(1);", 4),
    ],
)
def test_an_instruction_or_its_operands(right: str, wrong: str, line: int) -> None:
    assert right in SERIAL_SUM
    found = repair(SUM, "sum.cu", SERIAL_SUM.replace(right, wrong), "sum.cpp", seconds=SECONDS)
    assert found.status == "repaired", found.reason
    assert [place.range.line for place in found.localized] == [line]


def test_two_faults() -> None:
    wrong = SUM.replace("s = 0.0f", "s = 1.0f").replace("= part[0]", "= part[1]")
    found = repair(SERIAL_SUM, "sum.cpp", wrong, "sum.cu", seconds=SECONDS)
    assert found.status == "repaired", found.reason
    assert found.text == SUM
    assert [place.range.line for place in found.localized] == [3, 11]


def test_errors_of_the_compiler() -> None:
    wrong = (
        SUM.replace("float s = 0.0f;", "float32 s = 0.0f")
        .replace("x[blockIdx.x * cols + c]", "x[blockIdx.x * cols_ + c]")
        .replace("(d_x, d_y, cols);", "(d_x, d_y, cols;")
        .replace("cudaMemcpy(y", "cudaMemcpyy(y")
    )
    found = repair(SERIAL_SUM, "sum.cpp", wrong, "sum.cu", seconds=SECONDS)
    assert found.status == "repaired", found.reason
    assert found.text == SUM
    assert sorted(place.range.line for place in found.localized) == [3, 3, 4, 18, 19]


def test_what_cannot_be_repaired_is_told() -> None:
    wrong = SUM.replace("s += x[blockIdx.x * cols + c];", "s += 1.0f;")
    found = repair(SERIAL_SUM, "sum.cpp", wrong, "sum.cu", seconds=1.0)
    assert (found.status, found.text, found.diff) == ("not repaired", None, "")
    assert "no change was found" in found.reason


def test_a_search_ends_with_its_time_whatever_a_run_takes() -> None:
    """Of a target whose runs take seconds: no trial, compilation or look of the gate goes on behind it."""
    slow = SUM.replace("float s = 0.0f;", "float s = 0.0f;\n  for (volatile int w = 0; w < 1 << 21; ++w) {}")
    wrong = slow.replace("s += x[blockIdx.x * cols + c];", "s += 1.0f;")
    trusted = Trusted.of(SERIAL_SUM, "sum.cpp")
    verdict = trusted.verify(wrong, "sum.cu", until_wrong=True)
    found = mend(trusted, SERIAL_SUM, wrong, "sum.cu", verdict, seconds=4.0)
    assert found.status == "not repaired"
    assert found.seconds < 4.0 + LAST_LOOK + 3.0


STRIDED = """extern "C" void strided(const float *x, float *y, int n, int window, int stride) {
  for (int i = 0; i * stride + window <= n; ++i) {
    float s = 0.0f;
    for (int k = 0; k < window; ++k) s += x[i * stride + k];
    y[i] = s;
  }
}
"""


def test_a_size_that_equals_another_one_is_told_from_it_at_other_sizes() -> None:
    wrong = STRIDED.replace("k < window", "k < 3")
    stated = Overrides(args=(("n", (40, 61)), ("window", (4, 5)), ("stride", (4, 5))))
    found = repair(STRIDED, "a.cpp", wrong, "b.cpp", stated, seconds=SECONDS, compares=False)
    assert (found.status, found.text) == ("repaired", STRIDED)


def test_compilers_are_asked_about_repairs_and_not_about_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def check(text: str, file: str, platform: str) -> list[Rung]:
        asked.append(text)
        return [Rung("compiled", True, "a compiler", "", 0.0)]

    monkeypatch.setattr("xpiler.translate.compile_check", check)
    monkeypatch.setattr("xpiler.repair.engine.compile_check", check)
    wrong = SUM.replace("= part[0]", "= part[1]")
    found = repair(SERIAL_SUM, "sum.cpp", wrong, "sum.cu", seconds=SECONDS, compares=False)
    assert found.text == SUM
    assert asked == [SUM]
