"""Faults that only a second call shows."""

from __future__ import annotations

import pytest

from xpiler.translate import Trusted

COUNT = """
__global__ void count(const int *x, int *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && x[i] > 0) atomicAdd(y, 1);
}
void run(const int *x, int *y, int n) {
  int *dx, *dy;
  cudaMalloc(&dx, n * sizeof(int));
  cudaMalloc(&dy, sizeof(int));
  cudaMemcpy(dx, x, n * sizeof(int), cudaMemcpyHostToDevice);
  cudaMemset(dy, 0, sizeof(int));
  count<<<(n + 63) / 64, 64>>>(dx, dy, n);
  cudaMemcpy(y, dy, sizeof(int), cudaMemcpyDeviceToHost);
}
"""


@pytest.mark.parametrize(("kept", "verified"), [("int found = 0;", True), ("static int found = 0;", False)])
def test_what_is_kept_between_calls_must_not_show(kept: str, verified: bool) -> None:
    target = f"""
void run(const int *x, int *y, int n) {{
  {kept}
  for (int i = 0; i < n; ++i) found += x[i] > 0;
  *y = found;
}}
"""
    result = Trusted.of(COUNT, "count.cu").verify(target, "count.cpp")
    assert (result.status == "verified") == verified
    assert verified or any("called a second time" in rung.detail for rung in result.evidence)


def test_a_source_that_keeps_something_itself_may_be_followed() -> None:
    text = COUNT.replace("cudaMemset(dy, 0,", "static int turn = 0; cudaMemset(dy, turn++,")
    assert Trusted.of(text, "count.cu").verify(text, "count.cu").status == "verified"
