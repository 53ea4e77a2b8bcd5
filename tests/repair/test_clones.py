"""Calls like others of a function, for what nothing fills yet."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed

TEXT = """#include <bang.h>
__nram__ float nramX[512];
__nram__ float nramGamma[512];
__nram__ float nramBeta[512];
__mlu_entry__ void f(const float *x, const float *gamma, const float *beta, float *y, int n) {
  __memcpy(nramGamma, gamma, n * sizeof(float), GDRAM2NRAM);
  __memcpy(nramBeta, beta, n * sizeof(float), GDRAM2NRAM);
  __memcpy(nramX, x, n * sizeof(float), GDRAM2NRAM);
  __bang_mul(nramX, nramX, nramGamma, n);
  __bang_add(nramX, nramX, nramBeta, n);
  __memcpy(y, nramX, n * sizeof(float), NRAM2GDRAM);
}
"""
COPY = "  __memcpy(nramGamma, gamma, n * sizeof(float), GDRAM2NRAM);\n"


@pytest.mark.parametrize(
    ("parameter", "buffer"), [("gamma", "nramGamma"), ("gamma", "d_gamma"), ("w", "buf")]
)
def test_a_copy_to_what_nothing_fills_of_what_nothing_reads(parameter: str, buffer: str) -> None:
    text = (
        TEXT.replace("nramGamma", buffer)
        .replace("gamma,", f"{parameter},")
        .replace("*gamma", f"*{parameter}")
    )
    copy = COPY.replace("nramGamma", buffer).replace("gamma,", f"{parameter},")
    assert copy in text
    assert text in changed(text.replace(copy, ""), "f.mlu")
