"""Convolutions as products of matrices, in any layout, with padding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal
from xpiler.ir.nodes import Function, Instr, Ref
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.platforms.bang import DEFAULT, Architecture

KB = 1024
SMALL = Architecture("small", 372, DEFAULT.reserved + 150 * KB, 64 * KB, 0, 1, 4)  # tiles of 64 x 64

NCHW = ("x[(ci * H + h) * W + w]", "f[((o * C + ci) * 3 + i) * 3 + j]", "y[(o * P + oh) * Q + ow]")
NHWC = ("x[(h * W + w) * C + ci]", "f[((o * 3 + i) * 3 + j) * C + ci]", "y[(oh * Q + ow) * O + o]")
HWIO = ("x[(h * W + w) * C + ci]", "f[((i * 3 + j) * C + ci) * O + o]", "y[(oh * Q + ow) * O + o]")
CHANNELS, WINDOW = "for (int ci = 0; ci < C; ++ci)", "for (int i = 0; i < 3; ++i) for (int j = 0; j < 3; ++j)"
SUMS = {"channels first": f"{CHANNELS} {WINDOW}", "channels last": f"{WINDOW} {CHANNELS}"}


def convolution(layout: tuple[str, str, str], order: str, pad: int, stride: int) -> Function:
    x, f, y = layout
    guard = "if (h >= 0 && h < H && w >= 0 && w < W)" if pad else ""
    return canonical(
        f"""#define H 5
        #define W 4
        #define C 8
        #define O 2
        #define P {(5 + 2 * pad - 3) // stride + 1}
        #define Q {(4 + 2 * pad - 3) // stride + 1}
        __global__ void conv(const float *x, const float *f, const float *b, float *y) {{
            int ow = threadIdx.x, oh = blockIdx.x, o = blockIdx.y;
            if (ow >= Q) return;
            float sum = b[o];
            {SUMS[order]} {{
                int h = oh * {stride} - {pad} + i, w = ow * {stride} - {pad} + j;
                {guard} sum += {x} * {f};
            }}
            {y} = sum;
        }}""",
        (16, 1, 1),
        x=(5 + 2 * pad - 3) // stride + 1,
        y=2,
    )


@pytest.mark.parametrize(
    ("layout", "order", "pad", "stride"),
    [
        (NCHW, "channels first", 1, 2),
        (HWIO, "channels last", 0, 1),
    ],
)
def test_a_convolution_is_a_product_of_matrices(
    layout: tuple[str, str, str], order: str, pad: int, stride: int
) -> None:
    function = convolution(layout, order, pad, stride)
    assert "__bang_matmul" in instructions(laid_out(function, SMALL))
    rows, columns = (5 + 2 * pad - 3) // stride + 1, (4 + 2 * pad - 3) // stride + 1
    y = np.zeros(2 * rows * columns, np.float32)
    assert_same(function, SMALL, x=normal(5 * 4 * 8), f=normal(2 * 8 * 9), b=normal(2), y=y)


@pytest.mark.parametrize(("order", "pad", "stride"), [("channels last", 1, 1), ("channels first", 1, 2)])
def test_windows_of_a_tensor_with_channels_innermost_are_a_convolution(
    order: str, pad: int, stride: int
) -> None:
    function = convolution(NHWC, order, pad, stride)
    found = instructions(laid_out(function))
    assert "__bang_conv" in found and "__bang_matmul" not in found
    rows, columns = (5 + 2 * pad - 3) // stride + 1, (4 + 2 * pad - 3) // stride + 1
    y = np.zeros(2 * rows * columns, np.float32)
    assert_same(function, x=normal(5 * 4 * 8), f=normal(2 * 8 * 9), b=normal(2), y=y)


def test_weights_stay_for_all_rows_of_pixels_and_what_does_not_fit_is_a_product_of_matrices() -> None:
    function = canonical(
        """__global__ void conv(const float *x, const float *f, float *y, int C, int O, int K) {
            int oh = blockIdx.x, ow = threadIdx.x, o = threadIdx.y;
            if (o >= O) return;
            float sum = 0.0f;
            for (int j = 0; j < K; ++j)
                for (int c = 0; c < C; ++c)
                    sum += x[((oh * 8) + ow * 2 + j) * C + c] * f[(o * K + j) * C + c];
            y[(oh * 3 + ow) * O + o] = sum;
        }""",
        (3, 80, 1),
        x=2,
    )
    roomy = replace(SMALL, nram=SMALL.nram + 150 * KB)
    laid = show(laid_out(function, roomy))
    weights, rows = laid.index("NRAM2WRAM"), laid.index("for i32 block_x in")
    assert weights < rows < laid.index("__bang_conv") < laid.index("} else {") < laid.index("__bang_matmul")
    for channels, window in ((2, 2), (1, 40)):
        arrays = {
            "x": normal(60 * channels),
            "f": normal(3 * window * channels),
            "y": np.zeros(18, np.float32),
        }
        assert_same(function, roomy, **arrays, C=channels, O=3, K=window)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("+ ow + j) * 8 + c", "+ ow + j) * 16 + c * 2"), ("* 3 + j) * 8 + c", "* 3 + j) * 9 + c")],
)
def test_other_strides_are_no_convolution(right: str, wrong: str) -> None:
    text = """__global__ void conv(const float *x, const float *f, float *y, int C, int O) {
        int ow = threadIdx.x, o = threadIdx.y;
        float sum = 0.0f;
        for (int i = 0; i < 3; ++i)
            for (int j = 0; j < 3; ++j)
                for (int c = 0; c < 8; ++c)
                    sum += x[(i * 40 + ow + j) * 8 + c] * f[((o * 3 + i) * 3 + j) * 8 + c];
        y[ow * O + o] = sum;
    }"""
    assert "__bang_conv" in instructions(laid_out(canonical(text, (5, 4, 1))))
    assert "__bang_conv" not in instructions(laid_out(canonical(text.replace(right, wrong), (5, 4, 1))))


def test_a_depthwise_convolution_is_no_product_and_stays_with_vectors() -> None:
    function = canonical(
        """__global__ void depthwise(const float *x, const float *f, float *y) {
            int c = threadIdx.x, w = blockIdx.x;
            float sum = 0.0f;
            for (int j = 0; j < 3; ++j) sum += x[(w + j) * 64 + c] * f[j * 64 + c];
            y[w * 64 + c] = sum;
        }""",
        x=6,
    )
    found = instructions(laid_out(function))
    assert "__bang_mul" in found and "__bang_matmul" not in found
    assert_same(function, x=normal(8 * 64), f=normal(3 * 64), y=np.zeros(6 * 64, np.float32))


def test_a_window_and_channels_in_one_index_with_any_stride() -> None:
    """`d` counts rows and columns of the window, and channels; padding is a choice; the stride is given."""
    function = canonical(
        """__global__ void conv(const float *x, const float *f, float *y, int stride, int size,
                             int channels) {
            int pixel = blockIdx.x * 4 + threadIdx.y, o = threadIdx.x;
            if (pixel / 12 >= 1 || o >= 3) return;
            float sum = 0.0f;
            for (int d = 0; d < size * size * channels; ++d) {
                int h = pixel / 4 * stride + d / (channels * size) - 1;
                int w = pixel % 4 * stride + d / channels % size - 1;
                bool in = h >= 0 && h < 7 && w >= 0 && w < 9;
                float v = in ? x[(h * 9 + w) * channels + d % channels] : 0.0f;
                sum += v * f[o * size * size * channels + d];
            }
            y[pixel * 3 + o] = sum;
        }""",
        (16, 4, 1),
        x=3,
    )
    assert "__bang_conv" in instructions(laid_out(function, SMALL))
    arrays = {"x": normal(7 * 9 * 5), "f": normal(3 * 9 * 5), "y": np.zeros(36, np.float32)}
    assert_same(function, SMALL, **arrays, stride=2, size=3, channels=5)


@pytest.mark.parametrize(
    ("left", "right"), [("k < K ? {} : 0.0f", "{}"), ("{}", "k < K ? {} : 0.0f"), ("k < K ? {} : 0.0f",) * 2]
)
def test_a_choice_guards_its_own_factor(left: str, right: str) -> None:
    """The sum runs beyond K, where the factor with the choice has no elements and the other one zeros."""
    a, b = left.format("A[row * K + k]"), right.format("B[k * N + col]")
    function = canonical(
        f"""__global__ void gemm(const float *A, const float *B, float *C, int N, int K, int L) {{
            int col = threadIdx.x, row = blockIdx.x;
            float acc = 0.0f;
            for (int k = 0; k < L; ++k) {{ float b = {b}; acc += ({a}) * b; }}
            C[row * N + col] = acc;
        }}""",
        (5, 1, 1),
        x=3,
    )
    wide = 3 * 8 if left == "{}" else 3 * 6
    arrays = {"A": normal(wide + 2), "B": normal(8 * 5 if right == "{}" else 6 * 5), "C": normal(15)}
    assert_same(function, SMALL, **arrays, N=5, K=6, L=8)


def test_sums_into_an_array_of_the_scratchpad_stay_there() -> None:
    """What is then done with them, here the other order, needs no way through the device's memory."""
    function = canonical(
        """__global__ void conv(const float *x, const float *f, float *y) {
             __shared__ float sums[6 * 8];
             for (int o = threadIdx.x; o < 8; o += 8)
               for (int p = 0; p < 6; ++p) {
                 float acc = 0;
                 for (int i = 0; i < 3; ++i) for (int j = 0; j < 3; ++j) for (int c = 0; c < 64; ++c)
                   acc += x[(i * 8 + p + j) * 64 + c] * f[((o * 3 + i) * 3 + j) * 64 + c];
                 sums[p * 8 + o] = acc;
               }
             __syncthreads();
             for (int p = 0; p < 6; ++p) y[threadIdx.x * 6 + p] = sums[(5 - p) * 8 + (threadIdx.x + 1) % 8];
           }""",
        (8, 1, 1),
    )
    laid = laid_out(function)
    moved = [
        n for n in walk(laid.body) if isinstance(n, Instr) and ("direction", "NRAM2GDRAM") in n.attributes
    ]
    assert all(isinstance(n.operands[0], Ref) and n.operands[0].array == "y" for n in moved)
    assert "__bang_conv" in instructions(laid)
