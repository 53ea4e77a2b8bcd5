"""Data on one side of zero: whose extrema begin with a wrong number."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.gate.one_sided import compares_data
from xpiler.translate import Trusted

ROWMAX = """
__global__ void rowmax(const float *x, float *y, int rows, int cols) {
  int r = blockIdx.x * 64 + threadIdx.x;
  if (r >= rows) return;
  float m = -INFINITY;
  for (int c = 0; c < cols; ++c) m = fmaxf(m, x[r * cols + c]);
  y[r] = m;
}
void run(const float *x, float *y, int rows, int cols) { rowmax<<<(rows + 63) / 64, 64>>>(x, y, rows, cols); }
"""


@pytest.mark.parametrize(
    ("first", "verified"), [("-FLT_MAX", True), ("x[r * cols]", True), ("-100.f", False), ("-1e6f", False)]
)
def test_a_maximum_that_begins_amid_the_data_is_seen(first: str, verified: bool) -> None:
    target = f"""
#include <cfloat>
#include <cmath>
void run(const float *x, float *y, int rows, int cols) {{
  for (int r = 0; r < rows; ++r) {{
    float m = {first};
    for (int c = 0; c < cols; ++c) m = fmaxf(m, x[r * cols + c]);
    y[r] = m;
  }}
}}
"""
    result = Trusted.of(ROWMAX, "rowmax.cu").verify(target, "rowmax.cpp")
    assert (result.status == "verified") == verified
    assert verified or any("below zero" in rung.detail for rung in result.evidence if not rung.ok)


@pytest.mark.parametrize(
    ("body", "compared"),
    [
        ("if (i < n) y[i] = 2 * x[i];", False),
        ("y[i] = x[min(i, n - 1)];", False),
        ("if (i < n && x[i] > 0) y[i] = 1;", True),
        ("y[i] = fmaxf(x[i], 0.f);", True),
        ("if (k[i] > k[i + 1]) y[i] = 1;", True),
    ],
)
def test_which_kernels_compare_data(body: str, compared: bool) -> None:
    head = "__global__ void f(const float *x, const int *k, float *y, int n) {\n int i = threadIdx.x;\n"
    (kernel,) = parse(head + body + "}", "kernel.cu").program.kernels
    assert compares_data(kernel) == compared


ENTROPY = """
    float m = -INFINITY, z = 0.f, sum = 0.f;
    for (int c = 0; c < cols; ++c) m = fmaxf(m, x[r * cols + c] * scale);
    for (int c = 0; c < cols; ++c) {
      const float t = x[r * cols + c] * scale - m;
      z += expf(t);
      sum += expf(t) * t;
    }
    y[r] = logf(z) - sum / z;
"""


def test_what_contraction_leaves_where_most_cancels_may_differ_between_rows() -> None:
    source = f"""
__global__ void entropy(const float *x, float *y, int rows, int cols, float scale) {{
  int r = blockIdx.x * 64 + threadIdx.x;
  if (r < rows) {{ {ENTROPY} }}
}}
void run(const float *x, float *y, int rows, int cols, float scale) {{
  entropy<<<(rows + 63) / 64, 64>>>(x, y, rows, cols, scale);
}}
"""
    contracted = ENTROPY.replace("x[r * cols + c] * scale - m", "fmaf(x[r * cols + c], scale, -m)")
    contracted = contracted.replace("+= expf(t) * t", "= fmaf(expf(t), t, sum)").replace(
        "sum / z", "sum * (1 / z)"
    )
    target = f"""
#include <cmath>
void run(const float *x, float *y, int rows, int cols, float scale) {{
  for (int r = 0; r < rows; ++r) {{ {contracted} }}
}}
"""
    assert Trusted.of(source, "entropy.cu").verify(target, "entropy.cpp").status == "verified"
