"""What a call has to do, counted; what a device can do, measured; and the limit that follows."""

from pathlib import Path

import pytest

from tests.hardware import timed_with_avx512
from xpiler.frontend import parse
from xpiler.gate.contract import Launch
from xpiler.gate.procedure import Procedure, Step
from xpiler.gate.trace import Memory, TracedCopy
from xpiler.tuning.peaks import Level, Peaks, measured_peaks
from xpiler.tuning.record import Record
from xpiler.tuning.work import Work, work_of

PEAKS = Peaks(
    2,
    {"f32": (1e11, 2e11), "i32": (5e10, 1e11)},
    (Level("L1", 1000, 1e11, 2e11), Level("L3", 100_000, 5e10, 5e10), Level("DRAM", 0, 1e10, 1e10)),
)


def work(text: str, grid: tuple[int, int, int], block: tuple[int, int, int], **given: int) -> Work:
    """Of one launch of the kernel in a text; arrays have the bytes that are given, scalars their values."""
    unit = parse(text, "k.cu", platform="cuda")
    (kernel,) = unit.program.kernels
    arguments = {
        p.name: Memory(p.name, p.name, 0, given[p.name]) if p.is_pointer else given[p.name]
        for p in kernel.params
    }
    return work_of(Procedure((Step(kernel, Launch(grid, block), arguments),)))


GEMM = """__global__ void gemm(const float* A, const float* B, float* C, int M, int N, int K) {
    int row = blockIdx.y * 16 + threadIdx.y, col = blockIdx.x * 16 + threadIdx.x;
    if (row >= M || col >= N) return;
    float sum = 0;
    for (int k = 0; k < K; ++k) sum += A[row * K + k] * B[k * N + col];
    C[row * N + col] = sum;
}"""


def test_a_product_reads_its_factors_once_and_does_two_operations_a_term() -> None:
    sizes = {"M": 37, "N": 53, "K": 29}
    bytes_ = {"A": 4 * 37 * 29, "B": 4 * 29 * 53, "C": 4 * 37 * 53}
    found = work(GEMM, (4, 3, 1), (16, 16, 1), **sizes, **bytes_)
    assert found.operations == {"f32": 2 * 37 * 53 * 29}
    assert (found.read, found.written) == (bytes_["A"] + bytes_["B"], bytes_["C"])


def test_only_what_is_touched_of_an_array_moves() -> None:
    text = """__global__ void f(const float* x, float* y, int n) {
        int i = blockIdx.x * 64 + threadIdx.x;
        if (i < n) y[i] = x[3 * i] + 1.0f;
    }"""
    found = work(text, (2, 1, 1), (64, 1, 1), n=100, x=4 * 4096, y=4 * 4096)
    assert found.operations == {"f32": 100}
    assert (found.read, found.written) == (400, 400)


def test_what_data_decide_counts_as_not_done() -> None:
    text = """__global__ void f(const int* from, const float* x, float* y, int n) {
        int i = blockIdx.x * 64 + threadIdx.x;
        if (i >= n) return;
        float sum = 0;
        for (int k = from[i]; k < from[i + 1]; ++k) sum += x[k] * x[k];
        y[i] = sum;
    }"""
    found = work(text, (1, 1, 1), (64, 1, 1), n=64, **{"from": 260, "x": 4096, "y": 256})
    assert not found.operations
    assert found.read == 260 and found.written == 256


def test_a_triangle_is_half_of_a_square() -> None:
    text = """__global__ void f(const float* x, float* y, int n) {
        int i = blockIdx.x * 64 + threadIdx.x;
        if (i >= n) return;
        float sum = 0;
        for (int k = 0; k < i; ++k) sum += x[i * n + k];
        y[i] = sum;
    }"""
    found = work(text, (1, 1, 1), (64, 1, 1), n=64, x=4 * 64 * 64, y=256)
    assert found.operations["f32"] == pytest.approx(64 * 63 / 2, rel=0.05)


def test_what_one_launch_leaves_for_the_next_need_not_move() -> None:
    text = "__global__ void f(const float* x, float* y) { y[threadIdx.x] = 2.0f * x[threadIdx.x]; }"
    (kernel,) = parse(text, "k.cu", platform="cuda").program.kernels
    x, between, y = (Memory(key, name, 0, 256) for key, name in (("x", "x"), ("#1", ""), ("#2", "")))
    launch = Launch((1, 1, 1), (64, 1, 1))
    steps = (
        Step(kernel, launch, {"x": x, "y": between}),
        Step(kernel, launch, {"x": between, "y": y}),
        TracedCopy("device to host", Memory("out", "out", 0, 256), y, 256, b"", 2),
    )
    found = work_of(Procedure(steps))
    assert found.operations == {"f32": 128}
    assert (found.read, found.written) == (256, 256)


def test_bytes_are_multiplied_as_bytes() -> None:
    text = """__global__ void f(const signed char* a, const signed char* b, int* y, int n) {
        int sum = 0;
        for (int k = 0; k < n; ++k) sum += a[k] * b[k];
        y[0] = sum;
    }"""
    assert work(text, (1, 1, 1), (1, 1, 1), n=100, a=100, b=100, y=4).operations["i8"] == 200


def test_the_limit_is_the_longer_of_arithmetic_and_memory() -> None:
    arithmetic = PEAKS.limit(Work({"f32": 2e9}, 600, 300))
    assert arithmetic is not None and arithmetic.bound == "f32 arithmetic"
    assert arithmetic.seconds == pytest.approx(0.01)
    memory = PEAKS.limit(Work({"f32": 1000}, 40_000, 10_000))
    assert memory is not None and memory.bound == "L3" and memory.seconds == pytest.approx(1e-6)
    assert PEAKS.limit(Work()) is None


def test_types_that_a_processor_lacks_are_those_that_it_computes_in_instead() -> None:
    limit = PEAKS.limit(Work({"bf16": 2e9}))
    assert limit is not None and limit.seconds == pytest.approx(0.01)


@timed_with_avx512
def test_peaks_are_measured_and_recorded_at_their_greatest(tmp_path: Path) -> None:
    peaks = measured_peaks()
    assert peaks.operations["f32"][0] > 1e9
    assert [level.name for level in peaks.memory] == ["L1", "L2", "L3", "DRAM"]
    half = Peaks(
        peaks.threads,
        {kind: (one / 2, all_ / 2) for kind, (one, all_) in peaks.operations.items()},
        tuple(Level(v.name, v.bytes, v.one * 2, v.all * 2) for v in peaks.memory),
    )
    with Record(tmp_path / "record") as record:
        assert record.peaks("cpu: one") is None
        record.learn("cpu: one", peaks)
        assert record.peaks("cpu: one") == peaks
        both = record.learn("cpu: one", half)
        assert record.peaks("cpu: one") == both
        assert record.peaks("cpu: another") is None
    assert both.operations == peaks.operations and both.memory == half.memory
