"""A wrapper whose last block is not guarded is told how far its kernel reaches."""

from __future__ import annotations

from tests.gate.programs import inferred
from xpiler.gate.unguarded_blocks import _rounded

COPY = """
__global__ void copy(const float *a, float *b, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  %s b[i] = a[i];
}
void launch(const float *a, float *b, int n) { copy<<<(n + 127) / 128, 128>>>(a, b, n); }
"""
SCALE = """
__global__ void scale(float *m, int cols) {
  int row = blockIdx.y * blockDim.y + threadIdx.y, col = blockIdx.x * blockDim.x + threadIdx.x;
  if (col < cols) m[row * cols + col] *= 2.0f;
}
void launch(float *m, int rows, int cols) {
  scale<<<dim3((cols + 31) / 32, (rows + 7) / 8), dim3(32, 8)>>>(m, cols);
}
"""


def test_elements_beyond_the_size_are_named_for_each_array() -> None:
    warnings = inferred(COPY % "").warnings
    assert [(w.code, w.severity, w.array) for w in warnings] == [
        ("XP-BOUNDS", "warning", "a"),
        ("XP-BOUNDS", "warning", "b"),
    ]
    assert warnings[0].message == (
        "launch reaches element 1023 of a at n=1003: blocks of 128 cover n, and nothing guards the last one; "
        "a is taken to have room for it"
    )
    assert warnings[0].range is not None and warnings[0].range.line == 4


def test_rows_of_a_matrix_are_whole_blocks() -> None:
    (warning,) = inferred(SCALE).warnings
    assert "blocks of 8 cover rows" in warning.message


def test_a_guard_leaves_nothing_to_say() -> None:
    assert inferred(COPY % "if (i < n)").warnings == ()


def test_a_row_as_long_as_a_block_is_no_size_rounded_up() -> None:
    rows_of_128 = [({"heads": heads, "keys": keys}, heads * 128) for heads, keys in ((3, 37), (5, 100))]
    assert _rounded(rows_of_128, (64, 128)) is None
    assert _rounded([*rows_of_128, ({"heads": 2, "keys": 200}, 2 * 256)], (64, 128)) == ("keys", 128)
