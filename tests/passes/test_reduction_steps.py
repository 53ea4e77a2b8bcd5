"""Reduction steps are run on symbols, and no longer than they can come to anything."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir import build as b
from xpiler.ir.nodes import Assign, Block, Expr, For
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.ir.types import F32, I32
from xpiler.passes.canonical import canonicalise
from xpiler.passes.reduction_reads import elements_read
from xpiler.passes.reduction_steps import Machine, Reduced, Unknown

K = b.var("k")


def added(array: str) -> For:
    """`for k in 0..4: sums[0] += array[k] * array[k]`, or without the product for `values`."""
    value = b.load(array, F32, K)
    term = value if array == "values" else b.mul(value, value)
    body = Block((Assign(b.load("sums", F32, 0), term, "+"),))
    return For("k", I32, b.const(0), b.const(4), b.const(1), body)


def machine(accumulated: frozenset[str]) -> Machine:
    shapes = {"sums": (1,), "values": (4,), "factors": (4,)}
    made = Machine(shapes, accumulated=accumulated)
    made.arrays["sums", 0] = 0.0
    return made


def test_a_sum_of_elements_is_a_set_of_them() -> None:
    ran = machine(frozenset({"sums"}))
    ran.step(added("values"))
    assert ran.arrays["sums", 0] == Reduced("+", "values", 0b1111, ())


def test_a_sum_of_products_ends_the_run_at_its_first_term() -> None:
    ran = machine(frozenset({"sums"}))
    with pytest.raises(Unknown, match="sum of products"):
        ran.step(added("factors"))
    assert ran.steps == 2
    patient = machine(frozenset())
    patient.step(added("factors"))
    assert patient.steps == 5


ONLINE = """\
__global__ void rescale(const float *x, float *y, float *z, int n) {
  const int lane = threadIdx.x;
  float peak = -1e30f, sum = 0.0f;
  for (int k = 0; k < n; ++k) {
    const float score = x[k * 32 + lane];
    float top = score;
    for (int mask = 16; mask > 0; mask >>= 1) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, mask));
    top = fmaxf(top, peak);
    sum = sum * (peak - top) + score;
    peak = top;
  }
  y[lane] = sum;
  z[lane] = peak;
}
"""


def test_what_lanes_do_next_with_values_of_their_own_does_not_hide_a_reduction() -> None:
    (kernel,) = parse(ONLINE, "kernel.cu", platform="cuda").program.kernels
    shown = [line.strip() for line in show(canonicalise(kernel, (32, 1, 1), (1, 1, 1)).function).splitlines()]
    at = shown.index("score_max max= x[k * 32 + part];")
    assert shown[at + 1 : at + 3] == ["}", "top[0] = score_max;"]
    assert "top[lane_1] = max(top[lane_1], peak[lane_1]);" in shown[at + 3 :], "\n".join(shown)


BLOCK_SUM = """\
__inline__ __device__ float warp_sum(float v) {
  for (int o = 16; o > 0; o >>= 1) v += __shfl_down_sync(0xffffffffu, v, o);
  return v;
}
__inline__ __device__ float block_sum(float v) {
  static __shared__ float shared[32];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  v = warp_sum(v);
  if (lane == 0) shared[warp] = v;
  __syncthreads();
  v = threadIdx.x < blockDim.x / 32 ? shared[lane] : 0.0f;
  if (warp == 0) v = warp_sum(v);
  return v;
}
__global__ void norm(const float *x, float *y, int n) {
  __shared__ float mean, scale;
  float s = 0.0f, q = 0.0f;
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    float v = x[blockIdx.x * n + i];
    s += v;
    q += v * v;
  }
  s = block_sum(s);
  __syncthreads();
  q = block_sum(q);
  if (threadIdx.x == 0) {
    mean = s / n;
    scale = rsqrtf(q / n - mean * mean);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x)
    y[blockIdx.x * n + i] = (x[blockIdx.x * n + i] - mean) * scale;
}
void host(const float *x, float *y, int rows, int n) { norm<<<rows, 256>>>(x, y, n); }
"""


def test_the_sums_of_warps_are_summed_though_one_thread_alone_goes_on_with_the_total() -> None:
    (kernel,) = parse(BLOCK_SUM, "norm.cu").program.kernels
    text = show(canonicalise(kernel, (256, 1, 1)).function)
    inner = text[text.index("parallel for i32 block_x") :]
    assert "shared" not in inner and "threads" not in inner
    assert "s_sum += v;" in inner and "q_sum += v * v;" in inner
    assert inner.count("mean[0] = s_sum / (f32)n;") == 1


READS = """\
__global__ void k(float *y, int n) {
  float s[8];
  for (int t = 0; t < 8; ++t) {
    float kept = s[t];
    if (t == 2 || t > n) y[t] = kept + s[7 - t];
    s[t] = 0.0f;
  }
}
"""


@pytest.mark.parametrize(
    "condition, read",
    [
        ("t == 2", {2, 5}),  # the last six were 0 by then, or nobody asks for them
        ("t == 6", {6}),
        ("t > n", {0, 1, 2, 3, 4, 5, 6, 7}),
    ],
)
def test_an_element_is_read_when_the_variable_that_keeps_it_is(condition: str, read: set[int]) -> None:
    (kernel,) = parse(READS.replace("t == 2 || t > n", condition), "k.cu").program.kernels
    (loop,) = [s for s in walk(kernel.body) if isinstance(s, For)]
    assert elements_read(loop, {"s": (8,)}) == {("s", n) for n in read}


def test_an_index_that_is_computed_of_many_parts_is_computed_once() -> None:
    """Each level of it twice would be 2^60 times."""
    index: Expr = b.var("i")
    for _ in range(60):
        index = b.mod(b.add(b.mul(index, 3), 1), 8)
    store = Assign(b.load("y", F32, b.var("i")), b.load("s", F32, index))
    loop = For("i", I32, b.const(0), b.const(1), b.const(1), Block((store,)))
    assert len(elements_read(loop, {"s": (8,)}) or ()) == 1
