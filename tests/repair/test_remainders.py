"""A loop over whole steps whose counter nothing reads any more lacks the loop over what is left."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed

SOURCE = """extern "C" void f(const float *x, const float *w, float *y, int rows, int cols) {
  for (int r = 0; r < rows; ++r) {
    float total = 0.0f;
    for (int c = 0; c < cols; ++c) total += x[c] * w[r * cols + c];
    y[r] = total;
  }
}
"""
TEXT = """#include <immintrin.h>
extern "C" void f(const float *x, const float *w, float *y, int rows, int cols) {
  for (int j = 0; j < rows; ++j) {
    __m512 acc = _mm512_setzero_ps();
    int i = 0;
    for (; i + 16 <= cols; i += 16)
      acc = _mm512_fmadd_ps(_mm512_loadu_ps(x + i), _mm512_loadu_ps(w + j * cols + i), acc);
    float sum = _mm512_reduce_add_ps(acc);
    for (; i < cols; ++i) sum += x[i] * w[j * cols + i];
    y[j] = sum;
  }
}
"""
REST = "    for (; i < cols; ++i) sum += x[i] * w[j * cols + i];\n"


def test_it_does_what_the_source_does_in_the_names_of_the_text() -> None:
    assert TEXT in changed(TEXT.replace(REST, ""), "f.cpp", SOURCE)


@pytest.mark.parametrize("text", [TEXT, TEXT.replace(REST, "    y[i] = 0;\n")])
def test_where_the_counter_is_read_behind_the_loop_nothing_is_missing(text: str) -> None:
    assert "remainder" not in changed(text, "f.cpp", SOURCE).values()
