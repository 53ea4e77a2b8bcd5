"""Threads taken apart by a constant where they store are counted in two dimensions."""

from dataclasses import replace

import numpy as np

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import For, LoopKind
from xpiler.ir.printer import show
from xpiler.ir.rewrite import map_body, walk
from xpiler.passes.thread_digits import split_thread_digits

NESTED = """
extern "C" void f(const float *x, float *c, int n) {
    for (int w = 0; w < 4; ++w)
        for (int r = 0; r < 4; ++r)
            c[((w / 2) * 8 + (r / 2) * 4 + r % 2) * n + w % 2] = x[w * 4 + r];
}
"""


def test_loops_inside_each_other_have_counters_of_their_own() -> None:
    (kernel,) = parse(NESTED, "f.cpp", platform="vnni").program.kernels
    threads = map_body(kernel, lambda s: replace(s, kind=LoopKind.THREADS) if isinstance(s, For) else s)
    split = split_thread_digits(threads)
    counters = [n.var for n in walk(split.body) if isinstance(n, For)]
    assert len(counters) == len(set(counters)) == 4
    results = []
    for function in (kernel, split):
        x, c = np.arange(1, 17, dtype=np.float32), np.zeros(64, np.float32)
        assert not run(function, {"x": x, "c": c, "n": 4}).errors
        results.append(c)
    assert results[0].any() and (results[0] == results[1]).all()


def test_threads_of_an_unknown_number_stay_together() -> None:
    text = """extern "C" void f(const float *x, float *c, int n) {
        for (int t = 0; t < n; ++t) { float v = x[t / 8]; c[t / 8 * 16 + t % 8] = v; }
    }"""
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    threads = map_body(kernel, lambda s: replace(s, kind=LoopKind.THREADS) if isinstance(s, For) else s)
    assert split_thread_digits(threads) == threads


def test_a_number_with_more_than_two_digits_is_a_counter_for_each() -> None:
    text = """extern "C" void f(const float *x, float *c) {
        for (int t = 0; t < 24; ++t) {
            float v = x[t % 4];
            c[t / 12 * 16 + t % 12 / 4 * 4 + t % 4] = v;
        }
    }"""
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    threads = map_body(kernel, lambda s: replace(s, kind=LoopKind.THREADS) if isinstance(s, For) else s)
    split = split_thread_digits(threads)
    assert [show(n.stop) for n in walk(split.body) if isinstance(n, For)] == ["2", "3", "4"]
    results = []
    for function in (kernel, split):
        x, c = np.arange(1, 5, dtype=np.float32), np.zeros(32, np.float32)
        assert not run(function, {"x": x, "c": c}).errors
        results.append(c)
    assert results[0].any() and (results[0] == results[1]).all()
