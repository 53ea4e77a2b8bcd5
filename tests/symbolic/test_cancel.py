"""A check that nobody waits for ends soon, wherever it is; what a run shows is said to be replayed."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from xpiler.frontend import parse
from xpiler.symbolic.check import Cancelled, Options, check_unit

LONG = """
__global__ void k(float *a, int n) {
  __shared__ float s[256];
  for (int i = 0; i < n * 1000; i++) {
    s[threadIdx.x] = a[threadIdx.x] + i;
    __syncthreads();
    a[threadIdx.x] = s[255 - threadIdx.x];
    __syncthreads();
  }
}
"""
HARD = """
__global__ void k(float *a, int n, int m) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n * m) a[(i / 37 % n * m + i % m * 91 % n) % (n * m)] = 1.0f;
}
"""


@pytest.mark.parametrize("text", [LONG, HARD])
@pytest.mark.parametrize("after", [0.05, 0.3])
def test_a_check_ends_soon_after_it_is_cancelled(text: str, after: float) -> None:
    unit = parse(text, "k.cu")
    cancelled, ended = threading.Event(), []

    def check() -> None:
        with contextlib.suppress(Cancelled):
            check_unit(unit, Options(seconds=20, prove=True, cancelled=cancelled.is_set))
        ended.append(time.process_time())

    thread = threading.Thread(target=check)
    thread.start()
    thread.join(after)
    if not thread.is_alive():
        return  # there was nothing left to cancel
    asked = time.process_time()  # of the processor: it may have much else to do
    cancelled.set()
    thread.join(10)
    assert ended and ended[0] - asked < 3  # of 20; collecting the garbage of other tests is in it


def test_what_a_run_shows_is_replayed_and_what_the_text_shows_is_not() -> None:
    text = """
__global__ void k(float *a) {
  __shared__ float s[99999];
  s[threadIdx.x] = a[threadIdx.x];
  a[threadIdx.x] = s[31 - threadIdx.x];
}
"""
    report = check_unit(parse(text, "k.cu"), Options(block=(32, 1, 1), grid=(1, 1, 1)))
    replayed = {found.code: found.replayed for found in report.findings}
    assert replayed["XP-CAPACITY"] is False
    assert any(replayed[code] for code in ("XP-RACE", "XP-SYNCWARP") if code in replayed)
