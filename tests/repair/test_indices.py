"""Indices of the same coordinates in another order, in rows of another length."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed
from xpiler.repair.indices import recombined

SIZES = ("m", "n", "k")


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("col * k + row", "row * n + col"),
        ("row + (size_t)col * k", "row * n + col"),
        ("(t * TILE + threadIdx.y) * k + col", "col * n + t * TILE + threadIdx.y"),
        ("(b * m + j) * k + i", "(b * n + i) * m + j"),
    ],
)
def test_coordinates_are_exchanged_in_rows_of_another_length(written: str, right: str) -> None:
    assert right in [text for text, _ in recombined(written, SIZES, frozenset({"m", "n"}))]


def test_of_many_coordinates_two_are_exchanged_with_the_lengths_of_their_axes() -> None:
    texts = [text for text, _ in recombined("((b * w + x) * h + y) * c + z", ("w", "h", "c"), frozenset())]
    assert "((b * h + y) * w + x) * c + z" in texts
    assert len(texts) == 3


@pytest.mark.parametrize("written", ["i", "i + j", "i * n", "a[i] * n + j", "i / 2 * n + j", "4 * n + 1"])
def test_what_has_no_two_coordinates_is_left_alone(written: str) -> None:
    assert not [text for text, _ in recombined(written, SIZES, frozenset())]


def test_lengths_of_which_the_source_makes_indices_of_the_array_come_first() -> None:
    costs = dict(recombined("col * k + row", SIZES, frozenset({"n"})))
    assert costs["row * n + col"] < costs["row * m + col"]


def test_a_transposed_operand_is_offered_the_index_that_the_source_has() -> None:
    text = """__global__ void f(const float *a, const float *b, float *c, int m, int n, int k) {
  int row = blockIdx.y, col = threadIdx.x;
  float acc = 0.0f;
  for (int p = 0; p < k; ++p) acc += a[row * k + p] * b[col * k + p];
  c[row * n + col] = acc;
}
"""
    right = text.replace("b[col * k + p]", "b[p * n + col]")
    assert changed(text, "f.cu")[right].endswith("digits")
