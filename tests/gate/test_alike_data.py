"""Data on one side of zero: whose extrema begin with a wrong number."""

from __future__ import annotations

import re

import pytest

from xpiler.frontend import parse
from xpiler.gate.alike_data import compares_data
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


RUNS = """
__global__ void runs(const int *q, const int *t, int *y, int rows, int n) {
  int r = blockIdx.x * 64 + threadIdx.x;
  if (r >= rows) return;
  int best = 0, run = 0;
  for (int i = 0; i < n; ++i) {
    run = q[r * n + i] == t[r * n + i] ? run + 1 : 0;
    best = max(best, run);
  }
  y[r] = best;
}
void run(const int *q, const int *t, int *y, int rows, int n) {
  runs<<<(rows + 63) / 64, 64>>>(q, t, y, rows, n);
}
"""


def test_sequences_have_long_pieces_in_common() -> None:
    trusted = Trusted.of(RUNS, "runs.cu")
    assert trusted.verify(RUNS, "runs.cu").status == "verified"
    result = trusted.verify(RUNS.replace("y[r] = best", "y[r] = min(best, 7)"), "runs.cu")
    assert result.status == "unverified"
    assert any("q and t of pieces of one sequence" in rung.detail for rung in result.evidence if not rung.ok)


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


MASKED = """
__global__ void mean(const float *x, const unsigned char *mask, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float sum = 0.0f;
  int many = 0;
  for (int j = 0; j < n; ++j)
    if (mask[j]) { sum += expm1f(x[i * n + j]); ++many; }
  y[i] = many > 0 ? sum / many : 0.0f;
}
void run(const float *x, const unsigned char *mask, float *y, int n) {
  mean<<<(n + 63) / 64, 64>>>(x, mask, y, n);
}
"""


@pytest.mark.parametrize(
    ("said", "changed", "seen"),
    [
        ("many > 0 ? sum / many : 0.0f", "many > 0 ? sum / many : 1.0f", "small integers|normal values"),
        ("expm1f(x[i * n + j])", "expf(x[i * n + j]) - 1.0f", "floats near zero"),
    ],
)
def test_masks_that_are_off_and_floats_near_zero_are_tried(said: str, changed: str, seen: str) -> None:
    assert said in MASKED
    result = Trusted.of(MASKED, "mean.cu").verify(MASKED.replace(said, changed), "mean.cu")
    assert result.status == "unverified"
    assert any(re.search(seen, rung.detail) for rung in result.evidence if not rung.ok)


def test_sums_in_which_the_deviations_are_lost_are_seen() -> None:
    source = """
__global__ void variances(const float *x, float *y, int rows, int n) {
  int r = blockIdx.x * blockDim.x + threadIdx.x;
  if (r >= rows) return;
  float mean = 0, sum = 0;
  for (int k = 0; k < n; ++k) mean += x[r * n + k];
  mean /= n;
  for (int k = 0; k < n; ++k) { float d = x[r * n + k] - mean; sum += d * d; }
  y[r] = sum / n;
}
void run(const float *x, float *y, int rows, int n) { variances<<<(rows + 63) / 64, 64>>>(x, y, rows, n); }
"""
    trusted = Trusted.of(source, "variances.cu")
    other_order = source.replace("int k = 0; k < n; ++k) { float", "int k = n - 1; k >= 0; --k) { float")
    assert trusted.verify(other_order, "variances.cu").status == "verified"
    lost = source.replace(
        "{ float d = x[r * n + k] - mean; sum += d * d; }", "sum += x[r * n + k] * x[r * n + k];"
    )
    result = trusted.verify(lost.replace("sum / n", "sum / n - mean * mean"), "variances.cu")
    assert result.status == "unverified"
    assert any("near one another" in rung.detail for rung in result.evidence if not rung.ok)


def test_bytes_near_the_end_of_their_type_leave_a_float_and_a_short_behind() -> None:
    source = """
__global__ void dots(const signed char *a, const signed char *b, int *y, int rows, int n) {
  int r = blockIdx.x * blockDim.x + threadIdx.x;
  if (r >= rows) return;
  int sum = 0;
  for (int k = 0; k < n; ++k) sum += a[r * n + k] * b[k];
  y[r] = sum;
}
void run(const signed char *a, const signed char *b, int *y, int rows, int n) {
  dots<<<(rows + 63) / 64, 64>>>(a, b, y, rows, n);
}
"""
    trusted = Trusted.of(source, "dots.cu")
    result = trusted.verify(source.replace("int sum = 0", "float sum = 0"), "dots.cu")
    assert result.status == "unverified"
    assert any("near the end of their type" in rung.detail for rung in result.evidence if not rung.ok)


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


RANK = """
__global__ void rank(const float *key, int *place, int n, bool descending) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int r = 0;
  for (int j = 0; j < n; ++j) {
    bool before = descending ? key[j] > key[i] : key[j] < key[i];
    if (before || (key[j] == key[i] && j < i)) ++r;
  }
  place[i] = r;
}
void run(const float *key, int *place, int n, bool descending) {
  rank<<<(n + 63) / 64, 64>>>(key, place, n, descending);
}
"""


@pytest.mark.parametrize("mode", ["descending", "!descending"])
def test_duplicates_are_among_the_data_in_either_mode(mode: str) -> None:
    wrong = RANK.replace("&& j < i", f"&& ({mode} ? j > i : j < i)")
    result = Trusted.of(RANK, "rank.cu").verify(wrong, "rank.cu", until_wrong=True)
    assert result.status == "unverified"


PICK = """
__global__ void largest(const float *x, const float *w, float *y, int rows, int cols) {
  int r = blockIdx.x * 64 + threadIdx.x;
  if (r >= rows) return;
  float m = -INFINITY;
  for (int c = 0; c < cols; ++c) m = fmaxf(m, FACTOR x[r * cols + c]);
  y[r] = m;
}
void run(const float *x, const float *w, float *y, int rows, int cols) {
  largest<<<(rows + 63) / 64, 64>>>(x, w, y, rows, cols);
}
"""


@pytest.mark.parametrize("factor", ["w[c] *", "(w ? w[c] : 1.0f) *"])
def test_a_maximum_of_products_is_far_below_zero_too(factor: str) -> None:
    source = PICK.replace("FACTOR", factor)
    wrong = source.replace("-INFINITY", "-1e5f")
    assert Trusted.of(source, "largest.cu").verify(wrong, "largest.cu").status == "unverified"
