"""What loops say of the numbers that they count to."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.ir.nodes import Decl, For, LoopKind
from xpiler.ir.rewrite import walk_stmts
from xpiler.passes.canonical import canonicalise

FILTER = """\
__global__ void rows(const float *x, const float *w, float *y, int n, int k, int top) {
  extern __shared__ float filter[];
  for (int i = threadIdx.x; i < n * (k * k); i += blockDim.x) filter[i] = w[blockIdx.x * n * (k * k) + i];
  __syncthreads();
  for (int id = threadIdx.x; id < n; id += blockDim.x) {
    float sum = 0;
    for (int c = 0; c < n; ++c)
      for (int a = max(0, id - top); a < min(k, top); ++a)
        for (int b = max(0, -top); b < min(k, n - top); ++b)
          sum += x[id + c * a + b] * filter[c * (k * k) + a * k + b];
    y[blockIdx.x * n + id] = sum;
  }
}
"""


def test_a_loop_that_starts_at_no_less_than_0_says_that_its_end_is_positive() -> None:
    (kernel,) = parse(FILTER, "rows.cu").program.kernels
    function = canonicalise(kernel, (256, 1, 1)).function
    assert not [s for s in walk_stmts(function.body) if isinstance(s, Decl) and s.shape]


INNER = """\
__global__ void inner(const float *x, float *y, int nx, int planes) {
  int i = blockIdx.x * 32 + threadIdx.x + 1;
  if (i < nx - 1)
    for (int k = 0; k < planes; ++k) y[i + k * nx] = x[i + k * nx];
}
"""


def test_what_is_above_a_counter_and_more_is_positive() -> None:
    (kernel,) = parse(INNER, "inner.cu").program.kernels
    function = canonicalise(kernel, (32, 1, 1)).function
    loops = [s for s in walk_stmts(function.body) if isinstance(s, For)]
    assert [s.kind for s in loops if s.var == "k"] == [LoopKind.PARALLEL], "a step of nx goes somewhere"
