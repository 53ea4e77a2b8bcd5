"""Real kernels: as written, with loops for threads, and in canonical form they leave the same memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.ir.types import DType
from xpiler.passes.canonical import canonicalise
from xpiler.passes.loop_recovery import recover_loops
from xpiler.passes.team_steps import shape_steps

Size = tuple[int, int, int]
ROOT = Path(__file__).parents[2]
FOLDERS = ("snippets/cuda", "tests/backend/cuda", "tests/frontend/files")
ELEMENTS = 1 << 14  # of every array


def _kernels() -> dict[str, Function]:
    found: dict[str, Function] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("*.cu")):
            for kernel in parse(path.read_text(), str(path)).program.kernels:
                found[f"{path.stem}-{kernel.name}"] = kernel
    return found


LEFT_OUT = {
    "gemm-gemm_kernel": "minutes in the interpreter",
    "batched_gemm-batched_gemm_kernel": "minutes in the interpreter",
    "wmma_divergent-causal_products": "elements of fragments",  # the interpreter gives each lane all of them
    "wmma_gemm_sample-wmma_example": "elements of fragments",
    "wmma_half2-half2_axpy": "races",
    "macro_kernels-unrolled": "races",
    "half2_members-rope": "races",
    "reduce_templates-reduce7_float_64_0": "shuffles from lanes that left",
    "bf16_adamw-scale_pairs": "shuffles from lanes that left",
}
KERNELS = {name: kernel for name, kernel in _kernels().items() if name not in LEFT_OUT}
# Scalars that cannot be just any small number.
SIZES: dict[str, dict[str, int]] = {
    "maxpool-maxpool": {
        "batch": 2, "height": 7, "width": 9, "channels": 5, "kernel": 3, "stride": 2,
    },
    "minpool-minpool": {
        "batch": 2, "height": 7, "width": 9, "channels": 5, "kernel": 3, "stride": 2,
    },
    "conv2d_nhwc-conv2d_nhwc_kernel": {
        "batch": 2, "height": 5, "width": 6, "in_channels": 3, "out_channels": 9,
        "kernel": 3, "stride": 1, "pad": 1, "out_h": 5, "out_w": 6,
    },
    "conv2d_nchw-conv2d_nchw_kernel": {
        "batch": 2, "height": 9, "width": 18, "in_channels": 3, "out_channels": 2,
        "kernel": 3, "stride": 1, "pad": 1, "out_h": 9, "out_w": 18,
    },
    "deformable_attention-deformable_attention_kernel": {
        "batch": 2, "height": 5, "width": 6, "heads": 3, "dim": 4, "queries": 5, "points": 2,
    },
    "flash_attention_minimal-forward_kernel": {
        "N": 64, "d": 4, "Tc": 2, "Tr": 2, "Bc": 32, "Br": 32,
    },
    "sample_matrix_mul-MatrixMulCUDA_16": {"wA": 16, "wB": 32},
    "register_tiles-column": {"N": 32, "K": 16},
} | {name: {"n": 64, "k": 16} for name in KERNELS if name.startswith("wmma_one_warp")}  # fmt: skip
SHARED = 16384  # bytes of dynamic shared memory


def values(dtype: DType, count: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Small whole numbers: sums are exact in any order; integers can be indices."""
    numbers = rng.integers(0, 5, count) if dtype.is_integer else rng.integers(-4, 5, count)
    if dtype.name == "bf16":
        return (numbers.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    names = {"i": "int", "u": "uint", "f": "float", "b": "bool"}
    kind = names[dtype.name[0]]
    return numbers.astype("bool" if kind == "bool" else f"{kind}{dtype.bits}")


def arguments(kernel: Function, name: str, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    given: dict[str, Any] = {}
    for param in kernel.params:
        if param.is_pointer:
            given[param.name] = values(param.dtype, ELEMENTS, rng)
        else:
            given[param.name] = 0.5 if param.dtype.is_float else 16
    for decl in kernel.globals:
        if decl.init is None and decl.shape:
            count = int(np.prod([int(e.value) for e in decl.shape]))
            given[decl.name] = values(decl.dtype, count, rng)
    return given | SIZES.get(name, {})


def launch(kernel: Function) -> tuple[Size, Size]:
    known = any(kernel.block_size)
    x, y, z = kernel.block_size if known else (32, 1, 1)
    grid = kernel.grid_size if any(kernel.grid_size) else (None, 1, 1)
    return (min(grid[0] or 2, 4), min(grid[1] or 2, 4), grid[2] or 1), (x or 64, y or 1, z or 1)


def result(function: Function, given: dict[str, Any], grid: Size, block: Size) -> dict[str, Any]:
    mine = {n: v.copy() if isinstance(v, np.ndarray) else v for n, v in given.items()}
    if "gridDim.x" in given:
        found = run(function, mine, checks=False)
    else:
        found = run(function, mine, grid, block, SHARED, checks=False)
    assert not found.errors, f"{found.errors[0]}\n{show(function)}"
    return mine


@pytest.mark.parametrize("name", KERNELS)
def test_memory_afterwards_is_the_same(name: str) -> None:
    kernel = KERNELS[name]
    grid, block = launch(kernel)
    given = arguments(kernel, name, 1)
    expected = result(kernel, given, grid, block)
    dims = {f"{what}.{axis}": n for what, size in (("gridDim", grid), ("blockDim", block))
            for axis, n in zip("xyz", size, strict=True)} | {"dynamicShared.bytes": SHARED}  # fmt: skip
    forms = {
        "loops": recover_loops(kernel, block),
        "canonical": canonicalise(kernel, block, (None, grid[1], grid[2])).function,
        "any block size": canonicalise(kernel).function,
    }
    forms["steps of teams"] = shape_steps(forms["canonical"])
    for form, function in forms.items():
        found = result(function, given | dims, grid, block)
        for array in expected:
            if isinstance(expected[array], np.ndarray):
                message = f"{array}, {form}:\n{show(function)}"
                np.testing.assert_allclose(found[array], expected[array], 1e-4, 1e-5, err_msg=message)


def test_built_in_numbers_do_not_make_guards_unsigned() -> None:
    """`k0 + threadIdx.x < K` is a comparison of numbers: tiles with such guards are one loop, too."""
    source = """__global__ void product(const float *a, const float *b, float *c, int n) {
        __shared__ float as[8][9], bs[8][9];
        int row = blockIdx.y * 8 + threadIdx.y, column = blockIdx.x * 8 + threadIdx.x;
        float sum = 0;
        for (int k0 = 0; k0 < n / 2; k0 += 8) {
            as[threadIdx.y][threadIdx.x] =
                row < n && k0 + threadIdx.x < n / 2 ? a[row * (n / 2) + k0 + threadIdx.x] : 0.f;
            bs[threadIdx.y][threadIdx.x] =
                column < n && k0 + threadIdx.y < n / 2 ? b[(k0 + threadIdx.y) * n + column] : 0.f;
            __syncthreads();
            for (int k = 0; k < 8; ++k) sum += as[threadIdx.y][k] * bs[k][threadIdx.x];
            __syncthreads();
        }
        if (row < n && column < n) c[row * n + column] = sum;
    }"""
    (kernel,) = parse(source, "product.cu").program.kernels
    text = show(canonicalise(kernel, (8, 8, 1)).function)
    assert "sum += a[(i64)(n / 2) * (i64)row + (i64)k] * b[(i64)k * (i64)n + (i64)column];" in text, text
    assert "for i32 k in 0 .. n / 2 {" in text


def test_threads_that_accumulate_several_sums_at_once_leave_one_loop() -> None:
    text = """__global__ void moments(const float *x, float *y, int n) {
        __shared__ float a[128], b[128];
        float s = 0.f, q = 0.f;
        for (int c = threadIdx.x; c < n; c += 128) { float v = x[blockIdx.x * n + c]; s += v; q += v * v; }
        a[threadIdx.x] = s; b[threadIdx.x] = q;
        __syncthreads();
        for (int w = 64; w > 0; w >>= 1) {
            if (threadIdx.x < w) {
                a[threadIdx.x] += a[threadIdx.x + w];
                b[threadIdx.x] += b[threadIdx.x + w];
            }
            __syncthreads();
        }
        if (threadIdx.x == 0) y[blockIdx.x] = b[0] / n - a[0] / n * (a[0] / n);
    }
    void run(const float *x, float *y, int n) { moments<<<7, 128>>>(x, y, n); }
    """
    (kernel,) = parse(text, "moments.cu").program.kernels
    shown = show(canonicalise(kernel, kernel.block_size, kernel.grid_size).function)
    assert "for i32 c in 0 .. n {" in shown, shown
    assert shown.count("for i32") == 2 and "[128]" not in shown, shown


def test_sums_that_are_begun_before_threads_meet_for_a_peak_leave_loops_over_the_row() -> None:
    """All variables at the top, one function for the sums and the peak: three loops, no array."""
    text = """__device__ float over(float v, bool peak) {
        __shared__ float s[128];
        s[threadIdx.x] = v;
        __syncthreads();
        for (int o = 64; o; o >>= 1) {
            if (threadIdx.x < o)
                s[threadIdx.x] = peak ? fmaxf(s[threadIdx.x], s[threadIdx.x + o])
                                      : s[threadIdx.x] + s[threadIdx.x + o];
            __syncthreads();
        }
        float r = s[0];
        __syncthreads();
        return r;
    }
    __global__ void loss(const float *x, float *y, int n) {
        float top = -3.0e38f, sum = 0.f, all = 0.f;
        const float *row = x + blockIdx.x * n;
        for (int c = threadIdx.x; c < n; c += 128) top = fmaxf(top, row[c]);
        top = over(top, true);
        for (int c = threadIdx.x; c < n; c += 128) { sum += expf(row[c] - top); all += row[c]; }
        sum = over(sum, false);
        all = over(all, false);
        if (threadIdx.x == 0) y[blockIdx.x] = top + logf(sum) - all / n;
    }
    void run(const float *x, float *y, int n) { loss<<<7, 128>>>(x, y, n); }
    """
    (kernel,) = parse(text, "loss.cu").program.kernels
    shown = show(canonicalise(kernel, kernel.block_size, kernel.grid_size).function)
    assert shown.count("for i32") == 3 and "[128]" not in shown, shown
