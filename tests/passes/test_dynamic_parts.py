"""Dynamic shared memory that is carved into parts by sizes becomes an array for each part."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

ATTENTION = """\
__global__ void weights(const float *x, float *y, int n) {
  extern __shared__ float room[];
  float *scores = room, *partial = room + n;
  float most = -INFINITY;
  for (int j = threadIdx.x; j < n; j += 128) {
    scores[j] = x[blockIdx.x * n + j];
    most = fmaxf(most, scores[j]);
  }
  partial[threadIdx.x] = most;
  __syncthreads();
  for (int w = 64; w > 0; w >>= 1) {
    if (threadIdx.x < w) partial[threadIdx.x] = fmaxf(partial[threadIdx.x], partial[threadIdx.x + w]);
    __syncthreads();
  }
  for (int j = threadIdx.x; j < n; j += 128) y[blockIdx.x * n + j] = scores[j] - partial[0];
}
void host(const float *x, float *y, int rows, int n) {
  weights<<<rows, 128, (n + 128) * sizeof(float)>>>(x, y, n);
}
"""


def canonical(text: str) -> str:
    (kernel,) = parse(text, "weights.cu").program.kernels
    return show(canonicalise(kernel, (128, 1, 1)).function)


def test_a_tree_in_the_second_part_is_a_reduction() -> None:
    text = canonical(ATTENTION)
    inner = text[text.index("parallel for i32 block_x") :]
    assert "f32 room_0[n];" in inner
    assert "room_1" not in inner and "while" not in inner and "threads" not in inner
    assert "most_max max= room_0[j];" in inner
    assert "= room_0[j_1] - most_max;" in inner


@pytest.mark.parametrize(
    "before, after",
    [
        ("partial[0];", "room[n - 1];"),  # in the first part, though its sizes say the second
        ("scores[j] - partial", "scores[n + 1 - j] - partial"),  # may lie in either part
        ("scores[j] - partial", "scores[j + 1] - partial"),  # the last one lies in the second
        ("int w = 64; w > 0; w >>= 1", "int w = 64; w > -64; w -= 32"),  # may be before its part
    ],
)
def test_what_may_lie_in_another_part_keeps_the_memory_whole(before: str, after: str) -> None:
    assert before in ATTENTION
    text = canonical(ATTENTION.replace(before, after))
    assert "room_0" not in text and "f32 room[" in text
