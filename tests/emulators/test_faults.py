"""What the emulator says about programs that do something no program may do."""

from pathlib import Path

import pytest

from tests.emulators.running import run_program

HOST = """
#include <cuda_runtime.h>
#include <cstdio>
KERNEL
int main() {
    float* x; cudaMalloc(&x, 100 * sizeof(float)); cudaMemset(x, 0, 100 * sizeof(float));
    LAUNCH;
    printf("%s\\n", cudaGetErrorName(cudaGetLastError()));
    float y[100]; cudaMemcpy(y, x, sizeof y, cudaMemcpyDeviceToHost);
    printf("%g\\n", y[0]);
}
"""


def program(kernel: str, launch: str) -> str:
    return HOST.replace("KERNEL", kernel).replace("LAUNCH", launch)


def stopped(tmp_path: Path, kernel: str, launch: str, event: str) -> dict:
    outcome = run_program(program(kernel, launch), tmp_path)
    assert outcome.status == 86, outcome
    assert outcome.events[-1]["event"] == event, outcome.events
    return outcome.events[-1]


@pytest.mark.parametrize(("index", "access"), [("100", "write"), ("-1", "write"), ("5000", "write")])
def test_an_access_outside_an_allocation_names_the_element_and_the_thread(
    tmp_path: Path, index: str, access: str
) -> None:
    kernel = f"__global__ void k(float* x) {{ if (threadIdx.x == 3) x[{index}] = 1; }}"
    event = stopped(tmp_path, kernel, "k<<<dim3(2, 1, 1), 64>>>(x)", "oob" if index != "-1" else "redzone")
    assert (event["offset"], event["size"], event["access"]) == (4 * int(index), 400, access)
    if index != "-1":  # a write just below the start is found when the launch ends
        assert (event["kernel"], event["block"], event["thread"]) == ("k", [0, 0, 0], [3, 0, 0])


def test_a_read_past_the_end_is_reported(tmp_path: Path) -> None:
    kernel = "__global__ void k(float* x) { x[threadIdx.x] = x[threadIdx.x + 1]; }"
    event = stopped(tmp_path, kernel, "k<<<1, 100>>>(x)", "oob")
    assert (event["access"], event["offset"], event["thread"]) == ("read", 400, [99, 0, 0])


def test_a_thread_that_never_comes_to_its_end_is_stopped(tmp_path: Path) -> None:
    kernel = "__global__ void k(volatile float* x) { if (threadIdx.x == 3) while (x[7] == 0) { } }"
    event = stopped(tmp_path, kernel, "k<<<1, 64>>>(x)", "endless")
    assert event["thread"] == [3, 0, 0] and event["launch_line"] == 7


def test_use_after_free_is_named(tmp_path: Path) -> None:
    kernel = "__global__ void k(float* x) { x[0] = 1; }"
    event = stopped(tmp_path, kernel, "cudaFree(x); k<<<1, 1>>>(x)", "oob")
    assert event["message"] == "use after free"


def test_a_shared_array_overrun_is_reported(tmp_path: Path) -> None:
    kernel = """__global__ void k(float* x) {
        __shared__ float s[30]; s[threadIdx.x] = 1; __syncthreads(); x[0] = s[0];
    }"""
    event = stopped(tmp_path, kernel, "k<<<1, 32>>>(x)", "redzone")
    assert (event["array"], event["offset"], event["size"]) == ("s", 120, 120)


def test_dynamic_shared_memory_ends_where_the_launch_says(tmp_path: Path) -> None:
    kernel = "__global__ void k(float* x) { extern __shared__ float s[]; s[threadIdx.x] = x[0]; }"
    event = stopped(tmp_path, kernel, "k<<<1, 65, 64 * sizeof(float)>>>(x)", "oob")
    assert (event["array"], event["offset"], event["thread"]) == ("dynamic shared memory", 256, [64, 0, 0])


def test_a_null_pointer_is_named(tmp_path: Path) -> None:
    event = stopped(tmp_path, "__global__ void k(float* x) { *x = 1; }", "k<<<1, 1>>>(NULL)", "oob")
    assert event["kind"] == "null"


def test_threads_at_different_barriers_are_listed(tmp_path: Path) -> None:
    kernel = """__global__ void k(float* x) {
        if (threadIdx.x < 10) __syncthreads();
        else
            __syncthreads();
    }"""
    event = stopped(tmp_path, kernel, "k<<<1, 64>>>(x)", "divergence")
    assert [(wait["line"], wait["count"]) for wait in event["waiting"]] == [(5, 10), (7, 54)]


def test_a_barrier_that_a_waiting_warp_cannot_reach_is_a_deadlock(tmp_path: Path) -> None:
    kernel = """__global__ void k(float* x) {
        if (threadIdx.x < 16) __shfl_sync(0xffffffff, 1, 0);
        else __syncthreads();
    }"""
    event = stopped(tmp_path, kernel, "k<<<1, 40>>>(x)", "deadlock")
    assert {wait["what"]: wait["count"] for wait in event["waiting"]} == {
        "__shfl_sync": 16,
        "__syncthreads": 24,
    }


def test_exited_threads_do_not_hold_up_a_barrier(tmp_path: Path) -> None:
    kernel = """__global__ void k(float* x) {
        __shared__ float s[64];
        if (threadIdx.x >= 50) return;
        s[threadIdx.x] = 1; __syncthreads();
        if (threadIdx.x == 0) { float t = 0; for (int i = 0; i < 50; ++i) t += s[i]; x[0] = t; }
    }"""
    assert run_program(program(kernel, "k<<<1, 64>>>(x)"), tmp_path).output == "cudaSuccess\n50\n"


def test_reading_a_lane_that_does_not_take_part_is_an_event_with_poison_as_value(tmp_path: Path) -> None:
    kernel = "__global__ void k(float* x) { x[threadIdx.x] = __shfl_down_sync(0x0000ffff, 1.0f, 16); }"
    outcome = run_program(program(kernel, "k<<<1, 16>>>(x)"), tmp_path)
    assert outcome.output == "cudaSuccess\nnan\n"
    assert "lane 0 reads lane 16" in outcome.event("inactive_lane")["message"]


@pytest.mark.parametrize(
    ("launch", "error"),
    [
        ("k<<<1, 1025>>>(x)", "cudaErrorInvalidConfiguration"),
        ("k<<<0, 32>>>(x)", "cudaErrorInvalidConfiguration"),
        ("k<<<dim3(1, 65536), 32>>>(x)", "cudaErrorInvalidConfiguration"),
        ("k<<<1, dim3(1, 1, 65)>>>(x)", "cudaErrorInvalidConfiguration"),
        ("k<<<1, 32, 50000>>>(x)", "cudaErrorInvalidValue"),
        (
            "cudaFuncSetAttribute(k, cudaFuncAttributeMaxDynamicSharedMemorySize, 60000);"
            " k<<<1, 32, 60000>>>(x)",
            "cudaSuccess",
        ),
    ],
)
def test_an_invalid_launch_sets_the_error_and_runs_nothing(tmp_path: Path, launch: str, error: str) -> None:
    outcome = run_program(program("__global__ void k(float* x) { x[0] = 7; }", launch), tmp_path)
    assert outcome.output == f"{error}\n{7 if error == 'cudaSuccess' else 0}\n"


def test_too_much_static_shared_memory_is_refused(tmp_path: Path) -> None:
    kernel = "__global__ void k(float* x) { __shared__ float s[12300]; s[0] = 1; x[0] = s[0]; }"
    assert "49200" in stopped(tmp_path, kernel, "k<<<1, 1>>>(x)", "bad_launch")["message"]


def test_a_misaligned_vector_access_is_reported(tmp_path: Path) -> None:
    kernel = "__global__ void k(float* x) { *(float4*)(x + 4) = *(float4*)(x + 1); }"
    event = stopped(tmp_path, kernel, "k<<<1, 1>>>(x)", "misaligned")
    assert (event["offset"], event["alignment"], event["thread"]) == (4, 16, [0, 0, 0])


def test_a_misaligned_word_is_reported_and_a_misaligned_register_is_not(tmp_path: Path) -> None:
    kernel = """__global__ void k(float* x) {
        char bytes[8] = {};
        int mine = *(volatile int*)(bytes + 1);
        x[0] = mine + *(volatile int*)((char*)x + threadIdx.x);
    }"""
    assert stopped(tmp_path, kernel, "k<<<1, 4>>>(x)", "misaligned")["thread"] == [1, 0, 0]


@pytest.mark.parametrize("body", ["__trap();", "assert(x == nullptr);"])
def test_traps_and_assertions_stop_the_program(tmp_path: Path, body: str) -> None:
    stopped(tmp_path, f"__global__ void k(float* x) {{ {body} }}", "k<<<1, 1>>>(x)", "trap")


def test_a_race_shows_when_the_schedule_is_reversed(tmp_path: Path) -> None:
    kernel = """__global__ void k(float* x) {
        __shared__ float s[64];
        s[threadIdx.x] = threadIdx.x;
        x[threadIdx.x] = s[63 - threadIdx.x];
    }"""
    text = program(kernel, "k<<<1, 64>>>(x)").replace("y[0]", "y[63]")
    forward = run_program(text, tmp_path).output
    assert run_program(text, tmp_path, XPILER_SCHEDULE="reverse").output != forward


def test_a_grid_barrier_needs_a_cooperative_launch(tmp_path: Path) -> None:
    kernel = """#include <cooperative_groups.h>
    __global__ void k(float* x) { cooperative_groups::this_grid().sync(); }"""
    assert "cooperative" in stopped(tmp_path, kernel, "k<<<2, 32>>>(x)", "divergence")["message"]


def test_a_trace_tells_launches_arguments_and_copies(tmp_path: Path) -> None:
    kernel = "template <int N> __global__ void k(float* x, int n, float f, unsigned char c) { x[0] = N; }"
    launch = "k<3><<<dim3(2, 3), 32, 16>>>(x + 5, -7, 0.5f, (unsigned char)200)"
    outcome = run_program(program(kernel, launch), tmp_path, XPILER_TRACE="1", XPILER_TRACE_ONLY="1")
    assert outcome.output == "cudaSuccess\n0\n"  # the kernel did not run
    event = outcome.event("launch")
    assert (event["kernel"], event["grid"], event["block_size"], event["shared"]) == (
        "k<3>",
        [2, 3, 1],
        [32, 1, 1],
        16,
    )
    pointer, *scalars = event["arguments"]
    assert (pointer["offset"], pointer["size"]) == (20, 400)
    assert pointer["allocation"] == outcome.event("malloc")["allocation"]
    assert [argument["value"] for argument in scalars] == [-7, 0.5, 200]
    copies = [event for event in outcome.events if event["event"] == "memcpy"]
    assert [(copy["direction"], copy["bytes"]) for copy in copies] == [("set", 400), ("device-to-host", 400)]
