"""A target whose OpenMP iterations race is not verified, however it went where it was run."""

from __future__ import annotations

import pytest

from xpiler.translate import verify_text

SOURCE = """
__global__ void count(int *found, const float *x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && x[i] > 0.0f) atomicAdd(found, 1);
}
void positives(int *found, const float *x, int n) { count<<<(n + 127) / 128, 128>>>(found, x, n); }
"""
TARGET = """
extern "C" void positives(int *found, const float *x, int n) {
    #pragma omp parallel for if (n > 100000000)
    for (int i = 0; i < n; i++) {
        if (x[i] > 0.0f) {
            ATOMIC
            found[0] += 1;
        }
    }
}
"""


@pytest.mark.parametrize(("pragma", "status"), [("", "unverified"), ("#pragma omp atomic", "verified")])
def test_updates_of_one_element_are_atomic(pragma: str, status: str) -> None:
    result = verify_text(SOURCE, "count.cu", TARGET.replace("ATOMIC", pragma), "count.cpp")
    assert result.status == status
    races = [rung.detail for rung in result.evidence if rung.rung == "sanitized" and not rung.ok]
    assert len(races) == (0 if pragma else 1)
    assert all(race.startswith("count.cpp:7:13: iteration i = ") for race in races)
    assert all(race.endswith(" reads it; iterations are not ordered") for race in races)
