"""The user's comments in generated C++: with the statements that they speak of, or not at all."""

from __future__ import annotations

from xpiler.gate.overrides import Overrides
from xpiler.translate import translate_text

TRANSPOSE = """\
// Transposed copy through shared memory.

#define TILE 32

// One tile a block.
__global__ void __launch_bounds__(1024) transpose(const float* in, float* out, int n, int m) {
  // one column of padding keeps the banks apart
  __shared__ float tile[TILE][TILE + 1];
  int x = blockIdx.x * TILE + threadIdx.x;  // column
  int y = blockIdx.y * TILE + threadIdx.y;
  // read along rows
  if (x < m && y < n) tile[threadIdx.y][threadIdx.x] = in[y * m + x];
  __syncthreads();
  x = blockIdx.y * TILE + threadIdx.x;
  y = blockIdx.x * TILE + threadIdx.y;
  // write along rows, too
  if (x < n && y < m) out[y * n + x] = tile[threadIdx.x][threadIdx.y];
}
"""


def test_comments_follow_their_statements_and_leave_with_them() -> None:
    text = translate_text(TRANSPOSE, "transpose.cu", "vnni", Overrides(block=(32, 32, 1))).text
    assert text.startswith("// Transposed copy through shared memory.\n\n#include")
    assert '// One tile a block.\nextern "C" void transpose(' in text
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if "// write along rows, too" in line)
    assert "out +" in lines[at + 1]
    assert "padding" not in text, "the shared tile is gone, and so is what was said of it"
