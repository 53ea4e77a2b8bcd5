"""Pointers that go between arrays: the arrays become parts of one."""

from __future__ import annotations

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Decl, Space
from xpiler.ir.rewrite import walk

SWAP = """__global__ void f(float* out, int steps) {
  __shared__ float A[%s], B[%s];
  float *from = A, *to = B;
  A[threadIdx.x] = threadIdx.x;
  __syncthreads();
  for (int i = 0; i < steps; i++) {
    to[threadIdx.x] = from[(threadIdx.x + 1) %% 8] * 2;
    __syncthreads();
    %s
  }
  out[threadIdx.x] = from[threadIdx.x];
}
"""
BY_HAND, BY_CALL = "float *t = from; from = to; to = t;", "std::swap(from, to);"


@pytest.mark.parametrize("swap", [BY_HAND, BY_CALL], ids=["by hand", "std::swap"])
@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_two_buffers_in_turn(swap: str, steps: int) -> None:
    (kernel,) = parse(SWAP % (8, 8, swap), "k.cu").program.kernels
    out = np.zeros(8, np.float32)
    assert not run(kernel, {"out": out, "steps": steps}, block=(8, 1, 1)).findings
    assert out.tolist() == [((t + steps) % 8) * 2.0**steps for t in range(8)]


def test_parts_begin_aligned_and_are_one_array() -> None:
    (kernel,) = parse(SWAP % (10, 9, BY_HAND), "k.cu").program.kernels
    (array,) = (n for n in walk(kernel.body) if isinstance(n, Decl) and n.space is Space.SHARED)
    assert (array.name, [e.value for e in array.shape], array.alignment) == ("A", [12 + 9], 16)  # type: ignore[attr-defined]


def test_rows_of_two_dimensional_arrays() -> None:
    text = """__global__ void f(int* out, int k) {
      __shared__ int A[2][3], B[2][3];
      int* p = &A[1][0];
      A[threadIdx.x / 3][threadIdx.x % 3] = threadIdx.x;
      B[threadIdx.x / 3][threadIdx.x % 3] = 10 + threadIdx.x;
      __syncthreads();
      if (k > 0) p = &B[1][0];
      out[threadIdx.x] = p[threadIdx.x % 3];
    }"""
    (kernel,) = parse(text, "k.cu").program.kernels
    for k, base in ((0, 3), (1, 13)):
        out = np.zeros(6, np.int32)
        assert not run(kernel, {"out": out, "k": k}, block=(6, 1, 1)).findings
        assert out.tolist() == [base, base + 1, base + 2] * 2


def test_arrays_that_the_kernel_did_not_declare_stay_apart() -> None:
    text = """__global__ void f(float* a, float* b, int n) {
      float* p = a;
      for (int i = 0; i < n; i++) { p[i] = i; p = b; }
    }"""
    unit = parse(text, "k.cu")
    assert [d.code for d in unit.refusals.values()] == ["pointer-base"]
