"""Folds over windows as pools, in the layouts that have their strides; and where they stay loops."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal
from xpiler.ir.nodes import Function
from xpiler.platforms.bang import DEFAULT, Architecture

KB = 1024
TIGHT = Architecture("tight", 372, DEFAULT.reserved + 3 * KB, 64 * KB, 0, 1, 4)  # few pixels at a time
FOLDS = {
    "__bang_maxpool": ("-INFINITY", "v = fmaxf(v, {x})", "v"),
    "__bang_minpool": ("3.0f", "v = fminf({x}, v)", "v - 1.0f"),
    "__bang_sumpool": ("0.0f", "v += {x}", "v * 0.25f"),
}


def pooling(fold: tuple[str, str, str], *, pixel: str, place: str, threads: int, guard: str) -> Function:
    start, step, result = fold
    x = f"x[((n * H + oy * S + i) * W + ox * T + j) * {pixel}]"
    return canonical(
        f"""#define H 9
        #define W 11
        #define C 5
        #define S 2
        #define T 3
        __global__ void pool(const float *x, float *y, int total, int kh, int kw) {{
            int id = blockIdx.x * {threads} + threadIdx.x;
            if (!({guard})) return;
            {place}
            float v = {start};
            for (int i = 0; i < kh; ++i) for (int j = 0; j < kw; ++j) {step.format(x=x)};
            y[id] = {result};
        }}""",
        (threads, 1, 1),
        x=4,
    )


CHANNELS_LAST = "int c = id % C, ox = id / C % 3, oy = id / C / 3 % 4, n = id / C / 3 / 4;"
CHANNELS_FIRST = "int ox = id % 3, oy = id / 3 % 4, n = id / 12;"


@pytest.mark.parametrize("name", FOLDS)
@pytest.mark.parametrize("architecture", [DEFAULT, TIGHT], ids=["roomy", "tight"])
def test_channels_last(name: str, architecture: Architecture) -> None:
    function = pooling(FOLDS[name], pixel="C + c", place=CHANNELS_LAST, threads=64, guard="id < total")
    assert name in instructions(laid_out(function, architecture))
    for total in (120, 101):  # the last pixel has all its channels, or one
        arrays = {"x": normal(2 * 9 * 11 * 5), "y": np.zeros(256, np.float32)}
        assert_same(function, architecture, **arrays, total=total, kh=3, kw=2)


@pytest.mark.parametrize("name", FOLDS)
def test_one_channel_at_a_time(name: str) -> None:
    function = pooling(FOLDS[name], pixel="1", place=CHANNELS_FIRST, threads=16, guard="id < total")
    assert name in instructions(laid_out(function))
    assert_same(function, x=normal(6 * 9 * 11), y=np.zeros(64, np.float32), total=60, kh=2, kw=4)


def test_a_window_that_does_not_fit_goes_element_by_element() -> None:
    fold = FOLDS["__bang_maxpool"]
    function = pooling(fold, pixel="C + c", place=CHANNELS_LAST, threads=64, guard="id < total")
    small = Architecture("small", 372, DEFAULT.reserved + KB, 64 * KB, 0, 1, 4)
    arrays = {"x": normal(2 * 9 * 11 * 5), "y": np.zeros(256, np.float32)}
    assert_same(function, small, **arrays, total=120, kh=3, kw=5)


def test_a_window_with_padding_is_no_pool() -> None:
    function = canonical(
        """__global__ void pool(const float *x, float *y, int w) {
            float v = -1.0f;
            for (int j = 0; j < 3; ++j) {
                int at = (int)threadIdx.x + j - 1;
                if (at >= 0 && at < w) v = fmaxf(v, x[at]);
            }
            y[threadIdx.x] = v;
        }"""
    )
    assert "__bang_maxpool" not in instructions(laid_out(function))


def test_a_window_whose_pixels_are_apart_by_other_than_the_channels_is_no_pool() -> None:
    function = canonical(
        """__global__ void pool(const float *x, float *y) {
            float v = 0.0f;
            for (int i = 0; i < 2; ++i) for (int j = 0; j < 2; ++j)
                v += x[(i * 9 + blockIdx.x + j) * 7 + threadIdx.x];
            y[blockIdx.x * 5 + threadIdx.x] = v;
        }""",
        (5, 1, 1),
        x=6,
    )
    assert "__bang_sumpool" not in instructions(laid_out(function))
