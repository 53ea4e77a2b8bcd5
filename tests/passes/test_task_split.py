"""Which loops the tasks of a launch share: also those in larger steps, and those under a condition."""

import numpy as np

from tests.passes.mlu import assert_same, canonical, laid_out, normal
from xpiler.frontend import parse
from xpiler.ir.nodes import Var
from xpiler.ir.printer import show
from xpiler.ir.types import I32
from xpiler.passes.canonical import canonicalise
from xpiler.passes.task_split import split_over_tasks

ROWS = """
extern "C" void rows(const float *__restrict__ x, float *__restrict__ y, int n) {
    BEFORE
    for (int i = 0; i < n; i += STEP) {
        float sum = 0.0f;
        for (int j = 0; j < n; ++j) sum += x[i + j];
        y[i] = sum;
    }
}
"""


def shared(before: str, step: str) -> str:
    text = ROWS.replace("BEFORE", before).replace("STEP", step)
    (kernel,) = parse(text, "rows.cpp", platform="vnni").program.kernels
    found = split_over_tasks(canonicalise(kernel).function, Var(I32, "taskId"), Var(I32, "taskDim"))
    return show(found.function) if found.loop is not None else ""


def test_a_loop_in_larger_steps_is_shared_by_their_number() -> None:
    shown = shared("", "6")
    assert "i32 job_count = (n + 5) / 6;" in shown
    assert "for i32 job in job_begin .. job_end {\n    i32 i = job * 6;" in shown


def test_a_loop_under_a_condition_is_shared_there() -> None:
    shown = shared("if (n < 7) return;", "1")
    assert shown.index("if (") < shown.index("taskId")


def test_loops_over_blocks_with_memory_of_their_own_are_shared_out_together() -> None:
    text = """__global__ void halves(const float *x, float *y, int n) {
        __shared__ float tile[64];
        int row = (blockIdx.y * gridDim.x + blockIdx.x) * 64;
        tile[threadIdx.x] = x[row + threadIdx.x];
        __syncthreads();
        float sum = 0;
        for (int i = 0; i < n; ++i) sum += tile[(threadIdx.x + i) % 64];
        y[row + threadIdx.x] = sum;
    }
    void run(const float *x, float *y, int n, dim3 grid) { halves<<<grid, 64>>>(x, y, n); }
    """
    (kernel,) = parse(text, "halves.cu").program.kernels
    function = canonicalise(kernel, kernel.block_size, kernel.grid_size).function
    shown = show(split_over_tasks(function, Var(I32, "taskId"), Var(I32, "taskDim")).function)
    assert "i32 job_count = gridDim.y * gridDim.x * gridDim.z;" in shown, shown


GROUPS = """__global__ void groups(const float *x, float *y, int C, int G, int n) {
    int image = blockIdx.x / G, group = blockIdx.x % G;
    const float *first = x + (image * C + group * (C / G)) * n;
    float sum = 0.0f;
    for (int i = 0; i < n; ++i) sum += first[i];
    for (int i = 0; i < n; ++i) y[blockIdx.x * n + i] = first[i] - sum;
}"""


def test_the_groups_of_all_images_are_shared_together() -> None:
    function = canonical(GROUPS, (1, 1, 1), x=6)
    shown = show(laid_out(function))
    assert "job_share = 6 / taskDim" in shown
    assert "i32 image = job / G;" in shown
    x = normal(3 * 4 * 5)
    assert_same(function, x=x, y=np.zeros(6 * 5, np.float32), C=4, G=2, n=5)


def test_a_grid_of_rows_is_shared_by_rows_where_a_row_has_the_vectors() -> None:
    text = """__global__ void rows(const float *x, float *y, int n) {
        int row = blockIdx.y * gridDim.x + blockIdx.x;
        float sum = 0.0f;
        for (int i = 0; i < n; ++i) sum += x[row * n + i];
        for (int i = 0; i < n; ++i) y[row * n + i] = x[row * n + i] / sum;
    }"""
    function = canonical(text, (1, 1, 1), x=3, y=5)
    assert "_share = 15 / taskDim" in show(laid_out(function)), "not the five rows of blocks"
    assert_same(function, x=normal(15 * 7), y=np.zeros(15 * 7, np.float32), n=7)


def test_a_grid_is_shared_by_blocks_where_their_elements_lie_apart() -> None:
    text = """__global__ void turned(float *q, const float *angle, int n) {
        float a = angle[blockIdx.x];
        for (int i = threadIdx.x; i < n; i += blockDim.x) {
            float *pair = q + ((blockIdx.x * gridDim.y + blockIdx.y) * n + i) * 2;
            float first = pair[0], second = pair[1];
            pair[0] = first * cosf(a) - second * sinf(a);
            pair[1] = first * sinf(a) + second * cosf(a);
        }
    }"""
    function = canonical(text, (4, 1, 1), x=3, y=5)
    assert "_share = 15 / taskDim" in show(laid_out(function))
    assert_same(function, q=normal(15 * 14), angle=normal(3), n=7)
