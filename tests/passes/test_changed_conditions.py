"""Branches of lanes that change what their condition reads: it is kept as it was."""

from __future__ import annotations

import numpy as np

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal


def test_an_array_that_decides_and_is_written() -> None:
    function = canonical(
        """__global__ void f(float *x, float *y, int n) {
            int i = threadIdx.x;
            if (i < n) {
                if (x[i] < 0.0f) { x[i] = 1.0f; y[i] += 2.0f; }
                else { x[i] = -x[i]; if (x[i] < -1.0f) { x[i] = 5.0f; y[i] = x[i]; } else y[i] = 7.0f; }
            }
        }"""
    )
    assert "__bang_lt_scalar" in instructions(laid_out(function))
    assert_same(function, x=normal(50), y=normal(50), n=50)


def test_each_lanes_largest_element_and_its_place() -> None:
    function = canonical(
        """__global__ void f(const float *x, float *best, int *place, int n) {
            float value = -1e30f;
            int at = 0;
            for (int i = threadIdx.x; i < n; i += 64) if (x[i] > value) { value = x[i]; at = i; }
            best[threadIdx.x] = value;
            place[threadIdx.x] = at;
        }"""
    )
    assert instructions(laid_out(function)).count("__bang_bor") == 2
    best, place = np.zeros(64, np.float32), np.zeros(64, np.int32)
    assert_same(function, x=np.round(normal(333), 1), best=best, place=place, n=333)
