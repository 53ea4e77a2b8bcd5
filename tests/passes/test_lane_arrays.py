"""Small arrays of each lane on an MLU, and elements whose places are clamped to the borders of an image."""

from __future__ import annotations

import numpy as np

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal
from xpiler.ir.nodes import Assign, Load
from xpiler.ir.rewrite import walk
from xpiler.passes.bang_schedule import schedule
from xpiler.platforms.bang import DEFAULT

SORTED = """__global__ void median(const float *x, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float v[5];
    for (int k = 0; k < 5; ++k) v[k] = x[i + k];
    for (int a = 0; a < 3; ++a)
        for (int b = a + 1; b < 5; ++b)
            if (v[b] < v[a]) { float t = v[a]; v[a] = v[b]; v[b] = t; }
    y[i] = v[2];
}"""


def test_a_window_of_each_thread_is_sorted_as_a_vector_for_each_element() -> None:
    function = canonical(SORTED, x=4)
    scheduled = schedule(function, DEFAULT)
    assert scheduled.notes == ()
    places = [
        n for n in walk(scheduled.function.body) if isinstance(n, Assign) and isinstance(n.target, Load)
    ]
    assert places == [], "instructions alone"
    assert_same(function, x=normal(194), y=np.zeros(190, np.float32), n=190)


def test_a_value_that_was_taken_from_an_array_stays_when_its_element_changes() -> None:
    function = canonical(
        """__global__ void turned(const float *x, float *y, int n) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i >= n) return;
            float v[3];
            for (int k = 0; k < 3; ++k) v[k] = x[i * 3 + k];
            for (int round = 0; round < 2; ++round) {
                float first = v[0];
                v[0] = v[1]; v[1] = v[2]; v[2] = rintf(v[2]) + floorf(first);
            }
            for (int k = 0; k < 3; ++k) y[i * 3 + k] = v[k];
        }""",
        x=4,
    )
    assert "__bang_floor" in instructions(laid_out(function))
    assert_same(function, x=normal(570), y=np.zeros(570, np.float32), n=190)


CLAMPED = """__global__ void blurred(const float *x, float *y, int h, int w) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    int r = blockIdx.y;
    if (c >= w || r >= h) return;
    float sum = 0.0f;
    for (int d = -2; d <= 2; ++d) {
        int at = min(max(c + d, 0), w - 1);
        sum += x[r * w + at];
    }
    y[r * w + c] = sum;
}"""


def test_columns_that_are_clamped_to_a_row_are_one_copy_and_its_ends() -> None:
    function = canonical(CLAMPED, x=2, y=7)
    scheduled = schedule(function, DEFAULT)
    assert scheduled.notes == ()
    found = instructions(scheduled.function)
    assert found.count("__bang_write_value") >= 2
    assert_same(function, x=normal(7 * 93), y=np.zeros(7 * 93, np.float32), h=7, w=93)


def test_a_row_shorter_than_its_window_is_its_borders_alone() -> None:
    function = canonical(CLAMPED, x=1, y=7)
    assert_same(function, x=normal(7), y=np.zeros(7, np.float32), h=7, w=1)
    assert_same(function, x=normal(14), y=np.zeros(14, np.float32), h=7, w=2)


def test_a_place_with_one_border_is_clamped_on_that_side() -> None:
    function = canonical(
        """__global__ void delayed(const short *x, short *y, int n, int lag) {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n) y[i] = x[max(i - lag, 0)];
        }""",
        x=4,
    )
    assert schedule(function, DEFAULT).notes == ()
    x = np.random.default_rng(3).integers(-99, 99, 190).astype(np.int16)
    for lag in (0, 3, 500):
        assert_same(function, x=x, y=np.zeros(190, np.int16), n=190, lag=lag)
