"""Estimates put programs in the order that anybody who knows the machine would."""

from xpiler.frontend import parse
from xpiler.gate.contract import Launch
from xpiler.gate.procedure import Step
from xpiler.gate.trace import Memory
from xpiler.tuning.cost_gpu import on_gpu
from xpiler.tuning.cost_processor import on_processor
from xpiler.tuning.cost_tasks import on_accelerator
from xpiler.tuning.machines import ACCELERATOR, GPUS, PROCESSOR


def step(text: str, file: str, launch: Launch | None = None, **given: int) -> Step:
    platform = {"cpp": "vnni", "cu": "cuda", "mlu": "bang"}[file.split(".")[1]]
    (kernel,) = parse(text, file, platform=platform).program.kernels
    arguments = {
        p.name: Memory(p.name, p.name, 0, given[p.name]) if p.is_pointer else given[p.name]
        for p in kernel.params
    }
    return Step(kernel, launch or Launch((1, 1, 1), (1, 1, 1)), arguments)


HEAD = "#include <immintrin.h>\n"
SUMS = """extern "C" void f(const float* x, float* y, int n) {
    %s
    for (int i = 0; i < n; i += %d) { %s }
    _mm512_storeu_ps(y, %s);
}"""


def summed(registers: int, elements: int = 4096) -> float:
    """A sum in so many registers."""
    names = [f"s{i}" for i in range(registers)]
    start = " ".join(f"__m512 {n} = _mm512_setzero_ps();" for n in names)
    body = " ".join(
        f"{n} = _mm512_add_ps({n}, _mm512_loadu_ps(x + i + {16 * k}));" for k, n in enumerate(names)
    )
    text = HEAD + SUMS % (start, 16 * registers, body, names[0])
    return on_processor(step(text, "f.cpp", n=elements, x=4 * elements, y=64), PROCESSOR)


def test_a_sum_in_several_registers_does_not_wait_for_itself() -> None:
    assert summed(1) > 1.5 * summed(4)


def test_values_that_have_no_register_cost_moves() -> None:
    assert summed(64) > 1.2 * summed(24, 4096)


def test_vectors_beat_scalars_and_caches_beat_memory() -> None:
    scalar = """extern "C" void f(const float* x, float* y, int n) {
        for (int i = 0; i < n; ++i) { float v = x[i]; for (int k = 0; k < 3; ++k) v = v * v; y[i] = v; }
    }"""
    vector = (
        HEAD
        + """extern "C" void f(const float* x, float* y, int n) {
        for (int i = 0; i < n; i += 16) {
            __m512 v = _mm512_loadu_ps(x + i);
            v = _mm512_mul_ps(v, v); v = _mm512_mul_ps(v, v); v = _mm512_mul_ps(v, v);
            _mm512_storeu_ps(y + i, v);
        }
    }"""
    )

    def time(text: str, n: int) -> float:
        return on_processor(step(text, "f.cpp", n=n, x=4 * n, y=4 * n), PROCESSOR)

    assert time(scalar, 4096) > 4 * time(vector, 4096)
    small, large = time(vector, 1 << 12), time(vector, 1 << 24)
    assert large > 3 * small * (1 << 12)


GPU_COPY = """__global__ void f(const float* x, float* y, int n) {
    int i = blockIdx.x * %d + threadIdx.x;
    if (i < n) y[i] = x[i * %d] + 1.0f;
}"""


GPU_WORK = """__global__ void f(float* y) {
    float v = threadIdx.x;
    for (int k = 0; k < 20000; ++k) v = v * v + 1.0f;
    y[blockIdx.x * blockDim.x + threadIdx.x] = v;
}"""


def gpu(threads: int, stride: int, n: int) -> float:
    launch = Launch((-(-n // threads), 1, 1), (threads, 1, 1))
    text = GPU_COPY % (threads, stride)
    return on_gpu(step(text, "f.cu", launch, n=n, x=4 * n * stride, y=4 * n), GPUS["cuda"])


def test_neighbouring_threads_are_to_read_neighbouring_elements() -> None:
    n = 1 << 22
    assert gpu(256, 16, n) > 3 * gpu(256, 1, n)


def test_blocks_of_half_a_warp_waste_the_other_half() -> None:
    n = 1 << 16
    half, whole = (
        on_gpu(step(GPU_WORK, "f.cu", Launch((n // threads, 1, 1), (threads, 1, 1)), y=4 * n), GPUS["cuda"])
        for threads in (16, 256)
    )
    assert half > 1.5 * whole


def test_copies_in_tiles_beat_elements_from_memory() -> None:
    tiles = """#include <bang.h>
    __nram__ float a[8192];
    __mlu_entry__ void f(float* x, float* y, int n) {
        for (int i = taskId * 8192; i < n; i += taskDim * 8192) {
            __memcpy(a, x + i, 8192 * sizeof(float), GDRAM2NRAM);
            __bang_add(a, a, a, 8192);
            __memcpy(y + i, a, 8192 * sizeof(float), NRAM2GDRAM);
        }
    }"""
    single = """#include <bang.h>
    __mlu_entry__ void f(float* x, float* y, int n) {
        for (int i = taskId; i < n; i += taskDim) y[i] = x[i] + x[i];
    }"""
    n, launch = 1 << 20, Launch((4, 1, 1), (1, 1, 1))

    def time(text: str) -> float:
        return on_accelerator(step(text, "f.mlu", launch, n=n, x=4 * n, y=4 * n), ACCELERATOR)

    assert time(single) > 10 * time(tiles)


def test_rows_of_one_copy_are_one_start_and_copies_ahead_share_their_time_with_the_products() -> None:
    text = """#include <bang.h>
    __nram__ float a[2 * 4096];
    __mlu_entry__ void f(float* x, float* y, int n) {
        for (int i = 0; i < n / 4096 + %d; ++i) {
            %s __memcpy(a + i %% 2 * 4096, x + i * 4096, 64 * 4, GDRAM2NRAM, 64 * 4, 64 * 4, 63);
            for (int k = 0; k < 9; ++k) __bang_add(a, a, a, 4096);
        }
    }"""
    n = 1 << 20

    def time(added: int, condition: str) -> float:
        made = step(text % (added, condition), "f.mlu", n=n, x=4 * n, y=4)
        return on_accelerator(made, ACCELERATOR)

    rows = 64 * (n // 4096)
    assert time(0, "") < rows * ACCELERATOR.copy / ACCELERATOR.cycles
    assert time(1, "if (i < n / 4096)") < 0.8 * time(0, "")
