"""Indices of a local array say what sizes cannot be: tiles whose width is a variable are removed."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.ir.nodes import For, LoopKind
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.passes.canonical import canonicalise
from xpiler.passes.reached_indices import not_negative

PATCH = """\
__global__ void windows(const float *__restrict__ x, float *__restrict__ y, int width, int stride, int kernel,
                        int n) {
  extern __shared__ float patch[];
  const int wide = 15 * stride + kernel, high = 7 * stride + kernel;
  for (int i = threadIdx.y * 16 + threadIdx.x; i < high * wide; i += 128) {
    const int r = blockIdx.x * 8 * stride + i / wide, c = i % wide;
    patch[i] = r >= 0 && r < width && c < width ? x[r * width + c] : 0.0f;
  }
  __syncthreads();
  float sum = 0;
  for (int k = 0; k < kernel; ++k)
    if (CONDITION) sum += patch[(threadIdx.y * stride + k) * wide + threadIdx.x * stride + k];
  y[(blockIdx.x * 8 + threadIdx.y) * 16 + threadIdx.x] = sum;
}
"""


def canonical(text: str) -> str:
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    return show(canonicalise(kernel, (16, 8, 1), (None, 1, 1)).function)


def test_a_patch_with_a_stride_is_read_where_it_came_from() -> None:
    text = canonical(PATCH.replace("if (CONDITION) ", ""))
    assert "patch" not in text
    assert "/" not in text and "%" not in text, "its rows and columns are those of the readers"


def test_a_patch_that_is_read_under_a_condition_stays() -> None:
    assert "patch[" in canonical(PATCH.replace("CONDITION", "k < n")), "the stride may be negative"


def test_the_last_of_many_threads_shows_the_sign_of_a_stride() -> None:
    text = (
        PATCH.replace("if (CONDITION) ", "").replace("extern __shared__", "__shared__").replace("[];", "[9];")
    )
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    serial = canonicalise(kernel, (16, 8, 1), (None, 1, 1), lambda *_: "as it is").function
    loops = [n for n in walk(serial.body) if isinstance(n, For) and n.kind is LoopKind.PARALLEL]
    assert not_negative(loops[0].body.body, "patch") == {"stride": (0, None)}
    assert not_negative(loops[0].body.body, "other") == {}
