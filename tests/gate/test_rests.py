"""Tails: every number of elements that a loop of several at a time can leave is run."""

from __future__ import annotations

import pytest

from xpiler.frontend.syntax import analyse
from xpiler.gate.rests import rests
from xpiler.gate.thresholds import Thresholds
from xpiler.translate import Trusted


def tried(body: str) -> list[int]:
    text = f"#define W 8\nconstexpr int kLanes = 4;\nvoid run(float *x, int n) {{ {body} }}"
    turns = rests(Thresholds(analyse(text, "a.cpp"), "run", ["", "n"]), {"n": 37})
    return [value for turn in turns for _, value in turn.values if isinstance(value, int)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("for (int i = 0; i + 4 <= n; i += 4) x[i] = 0;", [4, 5, 6, 7]),
        ("int whole = n & ~3; for (int i = 0; i < whole; i += 4) x[i] = 0;", [4, 5, 6, 7]),
        ("for (int i = 0; i <= n - kLanes; i += kLanes) x[i] = 0;", [4, 5, 6, 7]),
        ("for (int i = 0; i < n; i += W) x[i] = 0;", list(range(8, 16))),
        ("for (int i = 0; i < n; ++i) x[i] = 0;", []),
        ("for (int i = 0; i < 64; i += 4) x[i] = 0;", []),
        ("for (int i = 0; i < n; i += 4096) x[i] = 0;", []),
    ],
)
def test_sizes_that_leave_each_rest(body: str, expected: list[int]) -> None:
    assert tried(body) == expected


def test_of_wide_steps_the_ends_and_the_middle_are_tried() -> None:
    assert tried("for (int i = 0; i < n; i += 128) x[i] = 0;") == [
        *range(128, 132),
        *range(191, 194),
        *range(252, 256),
    ]


DOT = """
__global__ void dots(const float *a, int lda, const float *x, float *y, int m, int n) {
  int r = blockIdx.x * 64 + threadIdx.x;
  float s = 0;
  for (int c = 0; r < m && c < n; ++c) s += a[r * lda + c] * x[c];
  if (r < m) y[r] = s;
}
void run(const float *a, int lda, const float *x, float *y, int m, int n) {
  float *da, *dx, *dy;
  cudaMalloc(&da, m * lda * sizeof(float));
  cudaMalloc(&dx, n * sizeof(float));
  cudaMalloc(&dy, m * sizeof(float));
  cudaMemcpy(da, a, m * lda * sizeof(float), cudaMemcpyHostToDevice);
  cudaMemcpy(dx, x, n * sizeof(float), cudaMemcpyHostToDevice);
  dots<<<(m + 63) / 64, 64>>>(da, lda, dx, dy, m, n);
  cudaMemcpy(y, dy, m * sizeof(float), cudaMemcpyDeviceToHost);
}
"""


@pytest.mark.parametrize(
    ("condition", "before", "verified"),
    [
        ("j < n", "", True),
        ("j < n && n - j != 7", "", False),
        ("j < n", "if (n > 3000) n = 3000;", False),
    ],
)
def test_tails_and_limits_of_rows_that_are_strided(condition: str, before: str, verified: bool) -> None:
    """The stride is at least as large as the row: it grows with it."""
    target = f"""
void run(const float *a, int lda, const float *x, float *y, int m, int n) {{
  {before}
  for (int r = 0; r < m; ++r) {{
    float s[8] = {{}};
    int j = 0;
    for (; j + 8 <= n; j += 8)
      for (int l = 0; l < 8; ++l) s[l] += a[r * lda + j + l] * x[j + l];
    if ({condition})
      for (int l = 0; j + l < n; ++l) s[l] += a[r * lda + j + l] * x[j + l];
    y[r] = s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
  }}
}}
"""
    result = Trusted.of(DOT, "dots.cu").verify(target, "dots.cpp", until_wrong=True)
    assert (result.status == "verified") == verified
