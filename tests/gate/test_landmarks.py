"""Data on which the branches of a text part: what they are, and the faults that only they show."""

from __future__ import annotations

import pytest

from xpiler.gate.contract import Argument, Case, Contract, Role, Values
from xpiler.gate.inputs import draw
from xpiler.gate.landmarks import index_landmarks, landmark_cases, landmarks
from xpiler.ir.types import F16, F32, I32, U8, DType
from xpiler.translate import Trusted

CLIPPED = """
__global__ void clip(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = fminf(x[i], 70000.0f);  // not "8.5"
}
void run(const float *x, float *y, int n) { clip<<<(n + 255) / 256, 256>>>(x, y, n); }
"""
PADDED = """
#define NONE 255
__global__ void gather(const int *id, const float *table, float *y, int n, int rows, int cols) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n * cols) return;
  int k = id[i / cols];
  y[i] = k == NONE || k == -7 ? 0.5f : table[k * cols + i % cols];
}
void run(const int *id, const float *table, float *y, int n, int rows, int cols) {
  gather<<<(n * cols + 255) / 256, 256>>>(id, table, y, n, rows, cols);
}
"""
COUNTED = """
__global__ void count(const int *x, int *h, int n, int bins) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int b = x[i];
  if (b >= 0 && b < bins) atomicAdd(&h[b], 1);
}
void run(const int *x, int *h, int n, int bins) {
  cudaMemset(h, 0, bins * sizeof(int));
  count<<<(n + 255) / 256, 256>>>(x, h, n, bins);
}
"""
UNGUARDED = PADDED.replace("k == NONE || k == -7", "n == NONE")


def test_numbers_of_a_text() -> None:
    text = "if (x < 6.f) y = 0x10 + 2e-3; // 7\n#include <a9.h>\nz = 1e30f; v2 = 1.5_u8 + 0;"
    assert landmarks(text) == {6.0, 16.0, 2e-3, 1.5}


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("if (k[i] == SKIP || k[i] < 0) continue;\n#define SKIP 255", {255, -1}),
        ("const int none = -100; if (k[i] != none)", {-100}),
        ("for (int i = 0; i < 64; ++i) a[i - 1] = b[i] - 2;", set()),
    ],
)
def test_numbers_that_mark_an_index(text: str, marks: set[int]) -> None:
    assert index_landmarks(text) == marks


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (F32, {300.0, -300.0, 0.3, -0.3, 300 * (1 + 2**-10), 9e4}),
        (F16, {300.0, -300.0}),
        (I32, {300, 299, 301, -300, 90000}),
        (U8, {3}),
    ],
)
def test_landmarks_are_drawn_where_the_type_holds_them(dtype: DType, expected: set[float]) -> None:
    argument = Argument("x", dtype, True, Role.IN)
    case = Case(extents=(("x", 64),), fill="landmarks", landmarks=(0.3, 3.0, 300.0, 9e4))
    drawn = draw(argument, case)
    values = drawn.view("f2") if dtype is F16 else drawn
    assert {float(v) for v in values} >= {float(values.dtype.type(v)) for v in expected}
    assert len(set(values)) > len(expected)


def test_source_says_whether_an_index_may_be_none() -> None:
    values = (("id", Values("index", 0, 4)),)
    argument = Argument("id", I32, True, Role.IN)
    contract = Contract("run", "host", (argument,), (Case(extents=(("id", 9),), values=values),))
    outside, marked, plain = landmark_cases(contract, PADDED)
    assert {-7, 255, -1, 65536, -(2**31)} <= set(dict(outside.values)["id"].beyond)
    assert 2**32 not in dict(outside.values)["id"].beyond
    assert dict(marked.values)["id"].beyond == (-7, 255)
    assert plain.values == values


@pytest.mark.parametrize(
    ("source", "said", "changed"),
    [
        (CLIPPED, "fminf(x[i], 70000.0f)", "x[i]"),
        (CLIPPED, "fminf(x[i], 70000.0f)", "fminf(fmaxf(x[i], -3000.0f), 70000.0f)"),
        (PADDED, "|| k == -7", "|| k == -8"),
        (PADDED, "0.5f", "0.25f"),
        (COUNTED, "int b = x[i]", "int b = x[i] & 0xffff"),
    ],
)
def test_change_beside_a_landmark_is_found(source: str, said: str, changed: str) -> None:
    trusted = Trusted.of(source, "source.cu")
    assert trusted.verify(source, "source.cu").status == "verified"
    assert trusted.verify(source.replace(said, changed), "source.cu").status != "verified"


def test_indices_stay_in_range_where_they_are_not_asked() -> None:
    (item,) = Trusted.of(UNGUARDED, "source.cu").entries
    assert item.inference is not None
    cases = item.inference.contract.cases
    assert any(case.fill == "landmarks" for case in cases)
    assert not any(values.beyond for case in cases for _, values in case.values)


ABOVE = """
__global__ void above(const float *x, int *count, float threshold, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && x[i] > threshold) atomicAdd(count, 1);
}
void run(const float *x, int *count, float threshold, int n) {
  cudaMemset(count, 0, sizeof(int));
  above<<<(n + 255) / 256, 256>>>(x, count, threshold, n);
}
"""


def test_data_lie_at_the_thresholds_that_an_entry_is_called_with() -> None:
    trusted = Trusted.of(ABOVE, "above.cu")
    assert trusted.verify(ABOVE, "above.cu").status == "verified"
    assert trusted.verify(ABOVE.replace("> threshold", ">= threshold"), "above.cu").status != "verified"
