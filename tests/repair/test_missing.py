"""A statement that is missing is found by what the function does with its names."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed

WALK = """void f(float *y, const float *x, int n) {
  int left = n;
  while (left > 0) {
    y[0] = x[0];
    left -= 4;
    x += 4;
    y += 4;
  }
}
"""
RUNNING = """void f(float *y, const float *x, int n) {
  float top = x[0], sum = 0.0f;
  for (int i = 0; i < n; ++i) {
    const float next = fmaxf(top, x[i]);
    const float p = top - next;
    sum += p;
    top = next;
  }
  y[0] = sum;
}
"""
EDGE = """void f(float *y, const float *x, int n) {
  y[0] = x[0];
  for (int i = 1; i < n - 1; ++i) y[i] = x[i - 1] + x[i + 1];
  y[n - 1] = x[n - 1];
}
"""
CARRY = """__global__ void f(float *y, const float *x) {
  __shared__ float carry;
  int t = threadIdx.x;
  if (t == 0) carry = 0.0f;
  __syncthreads();
  carry += x[t];
  y[t] = carry;
}
"""


@pytest.mark.parametrize(
    ("right", "file", "line"),
    [
        (WALK, "f.cpp", "    y += 4;\n"),
        (RUNNING, "f.cpp", "    top = next;\n"),
        (RUNNING, "f.cpp", "    sum += p;\n"),
        (EDGE, "f.cpp", "  y[n - 1] = x[n - 1];\n"),
        (CARRY, "f.cu", "  if (t == 0) carry = 0.0f;\n"),
    ],
)
def test_what_a_name_needs_is_offered(right: str, file: str, line: str) -> None:
    assert line in right
    assert right in changed(right.replace(line, ""), file)


def test_a_barrier_is_offered_before_a_statement_with_a_pragma_in_it() -> None:
    right = """__global__ void f(float *y) {
  __shared__ float a[64];
  a[threadIdx.x] = y[threadIdx.x];
  __syncthreads();
  if (threadIdx.x == 0) {
#pragma unroll
    for (int i = 1; i < 64; ++i) a[0] += a[i];
    y[0] = a[0];
  }
}
"""
    assert changed(right.replace("  __syncthreads();\n", ""), "f.cu")[right] == "barrier"


def test_an_instruction_is_offered_with_a_number_that_only_the_source_has() -> None:
    source = (
        "void f(float *y, const float *x, int n) { for (int i = 0; i < n; ++i) y[i] = 0.5f * (x[i] + 3.0f); }"
    )
    right = """__mlu_entry__ void f(float *y, const float *x) {
  __nram__ float a[64];
  __memcpy(a, x, 64 * sizeof(float), GDRAM2NRAM);
  __bang_add_scalar(a, a, 3.0f, 64);
  __bang_mul_scalar(a, a, 0.5f, 64);
  __memcpy(y, a, 64 * sizeof(float), NRAM2GDRAM);
}
"""
    assert right in changed(right.replace("  __bang_add_scalar(a, a, 3.0f, 64);\n", ""), "f.mlu", source)


def test_names_of_inner_blocks_are_offered_nowhere_else() -> None:
    text = """void f(float *y, const float *x, int n) {
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) y[(i + j)] = x[j];
  }
}
"""
    made = changed(text, "f.cpp")
    assert any("i + j < n && j < n" in one for one in made)
    assert not any("i + j < n && i < n" in one for one in made)
