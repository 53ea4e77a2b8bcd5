"""Two expressions are exchanged at once."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed

RIGHT = """__global__ void k(float *y, int n) {
  int i = blockIdx.x * 8 + threadIdx.x;
  int j = blockIdx.y * 8 + threadIdx.y;
  if (i < n && j < 7 * n) y[j * n + i] = 1.0f;
}
extern "C" void f(float *y, int n) {
  dim3 block(8, 32);
  k<<<dim3(n, n), block>>>(y, n);
}
"""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("block(8, 32)", "block(32, 8)"),
        (
            "blockIdx.x * 8 + threadIdx.x;\n  int j = blockIdx.y",
            "blockIdx.y * 8 + threadIdx.x;\n  int j = blockIdx.x",
        ),
    ],
)
def test_two_that_were_exchanged(right: str, wrong: str) -> None:
    assert right in RIGHT
    assert changed(RIGHT.replace(right, wrong), "f.cu")[RIGHT] == "pair"


def test_extents_in_braces_and_the_place_of_a_thread() -> None:
    text = """__global__ void k(float *y, int n) {
  int row = blockIdx.y * 8 + threadIdx.y, col = blockIdx.x * 8 + threadIdx.x;
  if (row < n && col < 7) y[row * 7 + col] = 1.0f;
}
extern "C" void f(float *y, int n) {
  unsigned sizes[3] = {1, 16, 3};
  k<<<dim3(1, n), dim3(8, 8)>>>(y, n);
}
"""
    for right, wrong in (
        ("{1, 16, 3}", "{16, 1, 3}"),
        (
            "row = blockIdx.y * 8 + threadIdx.y, col = blockIdx.x * 8 + threadIdx.x",
            "row = blockIdx.x * 8 + threadIdx.x, col = blockIdx.y * 8 + threadIdx.y",
        ),
    ):
        assert right in text
        assert changed(text.replace(right, wrong), "f.cu")[text] == "pair"
