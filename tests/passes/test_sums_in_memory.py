"""Sums over blocks of a dimension, taken out of memory and put back for each, are sums over the dimension."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.simt_prepare import prepare

BLOCKED = """
extern "C" void gemm(const float *A, const float *B, float *C, int M, int N, int K) {
  for (int kb = 0; kb < K; kb += 8) {
    const int kc = K - kb < 8 ? K - kb : 8;
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < N; ++n) {
        float acc = C[m * N + n];
        for (int k = 0; k < kc; ++k) acc += A[m * K + kb + k] * FACTOR;
        C[m * N + n] = acc;
      }
  }
}
"""


def prepared(factor: str) -> Function:
    (function,) = parse(BLOCKED.replace("FACTOR", factor), "f.cpp", platform="vnni").program.kernels
    params = tuple(replace(p, is_restrict=p.is_pointer) for p in function.params)
    made = prepare(canonicalise(replace(function, params=params)).function)
    rng = np.random.default_rng(0)
    m, n, k = 3, 5, 19
    given = {"A": rng.normal(size=m * k), "B": rng.normal(size=k * n), "C": rng.normal(size=m * n)}
    results = []
    for one in (function, made):
        arrays = {name: values.astype(np.float32) for name, values in given.items()}
        assert not run(one, {**arrays, "M": m, "N": n, "K": k}).errors
        results.append(arrays["C"])
    assert np.allclose(*results, atol=1e-5)
    return made


def test_blocks_of_a_sum_are_one_loop() -> None:
    loops = re.findall(r"for i32 \w+ in [^{]*", show(prepared("B[(kb + k) * N + n]")))
    assert [loop.split(" in ")[1].strip() for loop in loops] == ["0 .. M", "0 .. N", "0 .. K"]


def test_a_sum_of_what_it_reads_itself_stays_apart() -> None:
    assert "acc" in show(prepared("acc"))
