"""Which loops the tasks of a launch share: also those in larger steps, and those under a condition."""

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
