"""Faults of a run as messages with their place in the program."""

from __future__ import annotations

from xpiler.translate import verify_text

SOURCE = """__global__ void twice(const float *x, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = 2.0f * x[i];
}
extern "C" void run(const float *x, float *y, int n) { twice<<<(n + 63) / 64, 64>>>(x, y, n); }
"""

TARGET = """#include <bang.h>
__nram__ float tile[4096];
__mlu_entry__ void twice(const float *x, float *y, int n) {
  for (int at = 4096 * taskId, count; count = n - at < 4096 ? n - at : 4096, at < n; at += 4096 * taskDim) {
    __memcpy_async(tile, x + at, count * sizeof(float), GDRAM2NRAM);
    __sync_io();
      __bang_mul_scalar(tile, tile, 2.0f, count);
    __memcpy(y + at, tile, count * sizeof(float), NRAM2GDRAM);
  }
}
extern "C" void run(const float *x, float *y, int n) {
    twice<<<cnrtDim3_t{4, 1, 1}, cnrtFuncTypeUnion1, nullptr>>>(x, y, n);
}
"""


def test_a_right_program_has_none() -> None:
    assert verify_text(SOURCE, "twice.cu", TARGET, "twice.mlu").status == "verified"


def test_a_missing_wait_is_shown_where_the_data_is_used() -> None:
    result = verify_text(SOURCE, "twice.cu", TARGET.replace("__sync_io();", ""), "twice.mlu")
    (error,) = [d for d in result.diagnostics if d.severity == "error"]
    assert str(error).startswith("twice.mlu:7:7: error: __bang_mul_scalar: dst (tile, NRAM) is written")
    assert str(error).endswith("[bang-sync]")
    assert result.status == "unverified"
