"""A tile that is loaded and that nothing reads is computed with."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed

TEXT = """#include <bang.h>
__nram__ float row[1024];
__nram__ float bias[1024];
__mlu_entry__ void f(float *y, const float *x, const float *b, int rows, int n) {
  __memcpy(bias, b, n * sizeof(float), GDRAM2NRAM);
  for (int r = taskId; r < rows; r += taskDim) {
    __memcpy(row, x + r * n, n * sizeof(float), GDRAM2NRAM);
    __bang_add(row, row, bias, n);
    __bang_active_relu(row, row, n);
    __memcpy(y + r * n, row, n * sizeof(float), NRAM2GDRAM);
  }
}
"""

TURNED = """#include <bang.h>
__nram__ float tile[4096];
__nram__ float turned[4096];
__mlu_entry__ void f(float *y, const float *x, int h, int w) {
  __memcpy(tile, x + taskId * h * w, h * w * sizeof(float), GDRAM2NRAM);
  __bang_transpose(turned, tile, h, w);
  __memcpy(y + taskId * h * w, turned, h * w * sizeof(float), NRAM2GDRAM);
}
"""


@pytest.mark.parametrize(
    ("text", "lost"),
    [(TEXT, "    __bang_add(row, row, bias, n);\n"), (TURNED, "  __bang_transpose(turned, tile, h, w);\n")],
)
def test_an_instruction_on_what_nothing_reads_is_offered(text: str, lost: str) -> None:
    found = {"".join(t.split()): kind for t, kind in changed(text.replace(lost, ""), "f.mlu").items()}
    assert found["".join(text.split())].endswith("instruction")


def test_what_is_read_is_left_alone() -> None:
    found = changed(TEXT, "f.mlu")
    assert not any("__bang_mul(row, row, bias, n)" in text and "__bang_add" in text for text in found)
