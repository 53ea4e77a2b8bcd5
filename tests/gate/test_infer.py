"""Contracts of programs: what is found out about each by running it."""

from __future__ import annotations

import math

import pytest

from xpiler.errors import Refusal
from xpiler.frontend import parse
from xpiler.gate.contract import Contract, Role, Values
from xpiler.gate.entries import entries_of
from xpiler.gate.execute import Build, build
from xpiler.gate.infer import Inference, infer_contract
from xpiler.gate.overrides import Overrides
from xpiler.ir.build import const
from xpiler.ir.types import F16, F32, I64
from xpiler.platforms.registry import platform_of
from xpiler.translate import Trusted


def inferred(text: str, overrides: Overrides | None = None, file: str = "kernel.cu") -> Inference:
    platform = platform_of(file)
    unit = parse(text, file, platform=platform)
    (entry,) = entries_of(unit)

    def builder(contract: Contract) -> Build:
        return build(text, file, platform, contract)

    return infer_contract(unit, entry, overrides or Overrides(), builder, lambda: None)


def test_indices_by_which_threads_scatter_are_all_different() -> None:
    found = inferred(
        "__global__ void put(const float *x, float *y, const int *slots, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[slots[i]] = x[i];\n"
        "}\n"
        "void run(const float *x, float *y, const int *slots, int n) "
        "{ put<<<(n + 63) / 64, 64>>>(x, y, slots, n); }\n"
    )
    assert not found.findings
    case = found.contract.cases[0]
    assert dict(case.values)["slots"].kind == "permutation"
    assert case.extent("y") == case.extent("x") == case.extent("slots")


def test_a_void_pointer_holds_what_the_kernel_takes_it_for() -> None:
    text = (
        "#include <cuda_fp16.h>\n"
        "__global__ void k(const __half *x, float *y, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[i] = __half2float(x[i]);\n"
        "}\n"
        "void run(const void *x, void *y, int n) "
        "{ k<<<(n + 63) / 64, 64>>>((const __half *)x, static_cast<float *>(y), n); }\n"
    )
    (entry,) = entries_of(parse(text, "kernel.cu"))
    assert [p.dtype for p in entry.params[:2]] == [F16, F32]


def test_functions_that_no_test_data_can_be_made_for_are_no_entries() -> None:
    text = (
        "__global__ void k(float *x) { x[threadIdx.x] = 1; }\n"
        "void run(int argc, char **argv, const dim3 &size, float *x) { k<<<1, size.x>>>(x); }\n"
        "int main() { return 0; }\n"
    )
    assert [(e.name, e.kind) for e in entries_of(parse(text, "kernel.cu"))] == [
        ("k", "kernel"),
        ("main", "main"),
    ]


def test_a_kernel_that_nothing_bounds_is_tried_with_a_few_blocks() -> None:
    found = inferred("__global__ void k(float *x) { x[blockIdx.x * 64 + threadIdx.x] = 1; }\n")
    assert found.assumed is not None
    assert found.contract.cases[0].launch is not None
    assert "--grid" in found.assumed.remedy


def test_a_kernel_that_counts_its_threads_by_a_number_has_blocks_of_so_many() -> None:
    """Blocks of another shape would write beyond the tile, which is no fault of the kernel."""
    found = inferred(
        "__global__ void k(const float *x, float *y, int w, int h) {\n"
        "    __shared__ float tile[10][34];\n"
        "    int c = blockIdx.x * 32 + threadIdx.x, r = blockIdx.y * 8 + threadIdx.y;\n"
        "    tile[threadIdx.y + 1][threadIdx.x + 1] = r < h && c < w ? x[r * w + c] : 0;\n"
        "    __syncthreads();\n"
        "    if (r < h && c < w) y[r * w + c] = tile[threadIdx.y + 1][threadIdx.x + 1];\n"
        "}\n"
    )
    assert not found.findings
    assert found.formula is not None and found.formula.block == (32, 8, 1)


def test_a_number_of_blocks_need_not_be_a_thousand() -> None:
    found = inferred(
        "__global__ void k(float *x) { x[blockIdx.x * 256 + threadIdx.x] += 1; }\n"
        "void run(float *x, int blocks) { k<<<blocks, 256>>>(x); }\n"
    )
    assert [case.scalar("blocks") for case in found.contract.cases][:1] == [37]


def test_a_launch_of_fixed_size_tells_the_extents() -> None:
    found = inferred(
        "__global__ void k(const float *x, float *y) {\n"
        "    int row = threadIdx.x / 6, column = threadIdx.x % 6;\n"
        "    y[blockIdx.x * 36 + threadIdx.x] = x[blockIdx.x * 64 + row * 8 + column + 18];\n"
        "}\n"
        'extern "C" void run(const float *x, float *y, int channels, int height, int width) {\n'
        "    int out_h = height - 2, out_w = width - 2;\n"
        "    float *dx, *dy;\n"
        "    cudaMalloc(&dx, channels * height * width * sizeof(float));\n"
        "    cudaMalloc(&dy, channels * out_h * out_w * sizeof(float));\n"
        "    cudaMemcpy(dx, x, channels * height * width * sizeof(float), cudaMemcpyHostToDevice);\n"
        "    k<<<12, 36>>>(dx, dy);\n"
        "    cudaMemcpy(y, dy, channels * out_h * out_w * sizeof(float), cudaMemcpyDeviceToHost);\n"
        "}\n"
    )
    assert dict(found.contract.cases[0].scalars) == {"channels": 12, "height": 8, "width": 8}


def test_an_array_that_kernels_write_is_an_output_though_host_code_copies_it_on() -> None:
    found = inferred(
        "__global__ void k(const float *x, float *y, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[i] = 2 * x[i];\n"
        "}\n"
        "void run(float *data, float *work, int n) {\n"
        "    k<<<(n + 63) / 64, 64>>>(data, work, n);\n"
        "    cudaMemcpy(data, work, n * sizeof(float), cudaMemcpyDeviceToDevice);\n"
        "}\n"
    )
    roles = {a.name: a.role for a in found.contract.arguments if a.is_pointer}
    assert roles == {"data": Role.INOUT, "work": Role.INOUT}


def test_sizes_are_such_that_words_are_aligned() -> None:
    """Rows of bytes read as words: their length has to be a multiple of 4."""
    found = inferred(
        "__global__ void sums(const signed char *a, int *y, int m, int k) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i >= m) return;\n"
        "    const int *row = reinterpret_cast<const int *>(a + i * k);\n"
        "    int sum = 0;\n"
        "    for (int j = 0; j < k / 4; ++j) sum = __dp4a(row[j], 0x01010101, sum);\n"
        "    y[i] = sum;\n"
        "}\n"
        "void run(const signed char *a, int *y, int m, int k) { sums<<<(m + 63) / 64, 64>>>(a, y, m, k); }\n"
    )
    assert not found.findings
    assert all(dict(case.scalars)["k"] % 4 == 0 for case in found.contract.cases)


FIXED_COLUMNS = """
__global__ void k(const float *x, float *y) {
    int i = blockIdx.x * 32 + threadIdx.x;
    y[i] = x[i] + x[i / 24 * 24];
}
extern "C" void run(const float *x, float *y, int rows, int columns) {
    size_t bytes = sizeof(float) * rows * columns;
    float *dx, *dy;
    cudaMalloc(&dx, bytes);
    cudaMalloc(&dy, bytes);
    cudaMemcpy(dx, x, bytes, cudaMemcpyHostToDevice);
    k<<<rows * columns / 32, 32>>>(dx, dy);
    cudaMemcpy(y, dy, bytes, cudaMemcpyDeviceToHost);
}
"""


def test_an_argument_that_no_extent_fixes_is_tried_with_two_values() -> None:
    found = inferred(FIXED_COLUMNS.replace("i / 24 * 24", "i / 96 * 96"))
    sizes = {tuple(dict(case.scalars).values()) for case in found.contract.cases}
    assert len(sizes) == 2


def test_every_stated_size_is_run_or_refused_by_name() -> None:
    """The second size needs more than what is tried by default, with the third nothing is launched."""
    text = (
        "__global__ void k(const float *x, float *y, int n) {\n"
        "    int i = blockIdx.x * 256 + threadIdx.x;\n"
        "    if (i < n) y[i] = x[i];\n"
        "}\n"
        'extern "C" void run(const float *x, float *y, int n) {\n'
        "    float *dx, *dy;\n"
        "    cudaMalloc(&dx, n * sizeof(float));\n"
        "    cudaMalloc(&dy, n * sizeof(float));\n"
        "    cudaMemcpy(dx, x, n * sizeof(float), cudaMemcpyHostToDevice);\n"
        "    k<<<(n + 255) / 256, 256>>>(dx, dy, n);\n"
        "    cudaMemcpy(y, dy, n * sizeof(float), cudaMemcpyDeviceToHost);\n"
        "}\n"
    )
    found = inferred(text, Overrides(args=(("n", (100, 300_000)),)))
    assert [case.scalar("n") for case in found.contract.cases] == [100, 100, 300_000, 300_000]
    with pytest.raises(Refusal, match="does not run at n=0"):
        inferred(text, Overrides(args=(("n", (100, 0)),)))


def test_a_function_whose_state_nobody_sets_up_is_refused_and_not_called_wrong() -> None:
    with pytest.raises(Refusal, match=r"`w`.*no function of this file sets that up"):
        inferred(
            "static float *w;\n"
            "__global__ void k(const float *w, float *y, int n) {\n"
            "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
            "    if (i < n) y[i] *= w[i];\n"
            "}\n"
            "void run(float *y, int n) { k<<<(n + 63) / 64, 64>>>(w, y, n); }\n"
        )


def test_sizes_of_what_comes_before_are_found_too() -> None:
    found = inferred(
        "static float *w; static int count;\n"
        "__global__ void k(const float *w, float *y, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[i] *= w[i];\n"
        "}\n"
        "void load(const float *values, int n) {\n"
        "    count = n; cudaMalloc(&w, 4 * n); cudaMemcpy(w, values, 4 * n, cudaMemcpyHostToDevice);\n"
        "}\n"
        "void run(float *y) { k<<<(count + 63) / 64, 64>>>(w, y, count); }\n"
    )
    case = found.contract.cases[0]
    assert not found.findings
    assert case.extent("values") == case.extent("y") == case.scalar("n")


def test_the_tiles_of_a_kernel_on_an_mlu_tell_the_sizes_of_its_wrapper() -> None:
    text = """#include <bang.h>
    __mlu_entry__ void relu(float *a, float *c) {
        __nram__ float tile[1024];
        if (taskId < 7) {
            for (int i = 0; i < 10; ++i) {
                __memcpy(tile, a + (taskId * 10 + i) * 1024, 4096, GDRAM2NRAM);
                __bang_active_relu(tile, tile, 1024);
                __memcpy(c + (taskId * 10 + i) * 1024, tile, 4096, NRAM2GDRAM);
            }
        }
    }
    extern "C" void run(float *c, float *a, int size) {
        float *da, *dc;
        cnrtQueue_t queue;
        cnrtQueueCreate(&queue);
        cnrtMalloc((void **)&da, size * sizeof(float));
        cnrtMalloc((void **)&dc, size * sizeof(float));
        cnrtMemcpy(da, a, size * sizeof(float), cnrtMemcpyHostToDev);
        cnrtDim3_t dim;
        dim.x = 8, dim.y = 1, dim.z = 1;
        relu<<<dim, cnrtFuncTypeUnion2, queue>>>(da, dc);
        cnrtQueueSync(queue);
        cnrtMemcpy(c, dc, size * sizeof(float), cnrtMemcpyDevToHost);
    }
    """
    found = inferred(text, file="relu.mlu")
    assert {case.scalar("size") for case in found.contract.cases} == {7 * 10 * 1024}


def test_what_a_filter_may_keep_has_room_and_what_it_counts_is_written() -> None:
    text = """#include <bang.h>
    __mlu_entry__ void kept(const float *x, float *out, unsigned *count, int n, float limit) {
        __nram__ float tile[1024], mask[1024];
        if (taskId != 0) return;
        unsigned total = 0;
        for (int i = 0; i < n; i += 1024) {
            int len = n - i < 1024 ? n - i : 1024;
            __memcpy(tile, x + i, len * sizeof(float), GDRAM2NRAM);
            __bang_gt_scalar(mask, tile, limit, len);
            unsigned some = __bang_filter(tile, tile, mask, len);
            if (some > 0) __memcpy(out + total, tile, some * sizeof(float), NRAM2GDRAM);
            total += some;
        }
        *count = total;
    }
    """
    found = inferred(text, file="kept.mlu")
    case = found.contract.cases[0]
    # As long as memory of a device is aligned: data decide how far they are reached.
    assert case.scalar("n") <= case.extent("out") == case.extent("x") < case.scalar("n") + 4
    assert not found.findings
    found = inferred(
        "__global__ void kept(const float *x, float *out, int *count, int n, float limit) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n && x[i] > limit) out[atomicAdd(count, 1)] = x[i];\n"
        "}\n"
    )
    roles = {a.name: a.role for a in found.contract.pointers}
    assert (roles["count"], roles["out"]) == (Role.INOUT, Role.OUT)
    case = found.contract.cases[0]
    assert case.extent("out") >= case.scalar("n")


def test_sizes_at_which_results_are_made_of_what_a_scratchpad_held_before_are_left_out() -> None:
    text = """#include <bang.h>
    __mlu_entry__ void swapped(const float *x, float *y, int rows, int dim) {
        __nram__ float row[256], turned[256];
        int half_dim = dim / 2;
        for (int r = taskId; r < rows; r += taskDim) {
            __memcpy(row, x + r * dim, dim * sizeof(float), GDRAM2NRAM);
            __bang_mul_scalar(turned, row + half_dim, -1.0f, half_dim);
            __bang_add_scalar(turned + half_dim, row, 0.0f, half_dim);
            __memcpy(y + r * dim, turned, dim * sizeof(float), NRAM2GDRAM);
        }
    }
    """
    found = inferred(text, file="swapped.mlu")
    assert found.contract.cases
    assert all(case.scalar("dim") % 2 == 0 for case in found.contract.cases)


def test_rows_that_a_task_fetches_by_index_stay_within_what_was_found() -> None:
    text = """#include <bang.h>
    __mlu_entry__ void rows(const float *table, const int *ids, float *out, int count, int dim) {
        __nram__ float row[1024];
        for (int i = taskId; i < count; i += taskDim) {
            __memcpy(row, table + ids[i] * dim, dim * sizeof(float), GDRAM2NRAM);
            __memcpy(out + i * dim, row, dim * sizeof(float), NRAM2GDRAM);
        }
    }
    """
    found = inferred(text, file="rows.mlu")
    assert found.formula is not None and found.formula.grid[0] == const(1, I64)
    (setting, *_) = found.settings["rows"]
    assert setting.extents["table"] == found.contract.cases[0].extent("table") <= 8 * setting.scalars["dim"]


def test_an_array_that_only_host_code_reads_is_as_long_as_it_reads() -> None:
    found = inferred(
        "__global__ void twice(float *x, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) x[i] *= 2;\n"
        "}\n"
        "void run(const float *x, float *y, int n, int m) {\n"
        "    float *managed;\n"
        "    cudaMallocManaged(&managed, n * m * sizeof(float));\n"
        "    for (int i = 0; i < n * m; ++i) managed[i] = x[i];\n"
        "    twice<<<(n * m + 63) / 64, 64>>>(managed, n * m);\n"
        "    cudaDeviceSynchronize();\n"
        "    for (int i = 0; i < n * m; ++i) y[i] = managed[i];\n"
        "}\n"
    )
    case = found.contract.cases[0]
    assert case.extent("x") == case.extent("y") == case.scalar("n") * case.scalar("m")


def test_a_launch_in_a_host_template_is_the_instance_of_its_line() -> None:
    found = inferred(
        "template <class T, int N> __global__ void k(T *x) {\n"
        "    __shared__ T s[N]; s[threadIdx.x] = x[threadIdx.x]; __syncthreads();\n"
        "    x[threadIdx.x] = s[N - 1 - threadIdx.x];\n"
        "}\n"
        "template <class T> void go(T *x, int n) {\n"
        "    switch (n) {\n"
        "        case 128: k<T, 128><<<1, n>>>(x); break;\n"
        "        case 64: k<T, 64><<<1, n>>>(x); break;\n"
        "    }\n"
        "}\n"
        "void run(float *x) { go<float>(x, 64); }\n"
    )
    assert not found.findings
    assert found.contract.cases[0].extent("x") == 64


def test_a_counter_that_gives_out_places_begins_at_zero() -> None:
    found = inferred(
        "__global__ void keep(const int *x, int *y, int *count, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[atomicAdd(count, 1)] = x[i];\n"
        "}\n"
        "void run(const int *x, int *y, int *count, int n) "
        "{ keep<<<(n + 63) / 64, 64>>>(x, y, count, n); }\n"
    )
    case = found.contract.cases[0]
    assert dict(case.values)["count"] == Values("constant", 0)
    assert case.extent("y") == case.scalar("n")


def test_places_that_an_array_names_are_tried_before_nothing_is_accessed() -> None:
    """Random numbers would nearly never pass the guard."""
    found = inferred(
        "__global__ void put(const float *x, float *y, const int *at, int n, int room) {\n"
        "    int i = blockIdx.x;\n"
        "    if (at[i] >= 0 && at[i] < room) y[i * room + at[i]] = x[i];\n"
        "}\n"
        "void run(const float *x, float *y, const int *at, int n, int room) "
        "{ put<<<n, 1>>>(x, y, at, n, room); }\n"
    )
    assert found.contract.cases[0].extent("x") > 1


def test_what_a_function_returns_is_an_output_if_it_has_no_other() -> None:
    found = inferred(
        "__global__ void twice(float *x) { x[threadIdx.x] *= 2; }\n"
        "float run(const float *x) {\n"
        "    float *d, h[64];\n"
        "    cudaMalloc(&d, 256); cudaMemcpy(d, x, 256, cudaMemcpyHostToDevice);\n"
        "    twice<<<1, 64>>>(d);\n"
        "    cudaMemcpy(h, d, 256, cudaMemcpyDeviceToHost); cudaFree(d);\n"
        "    return h[0] + h[63];\n"
        "}\n"
    )
    assert [a.name for a in found.contract.outputs] == ["return"]


def test_flags_are_true_or_false_as_in_the_cases() -> None:
    found = inferred(
        "__global__ void put(const bool *done, float *y, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n && !done[i]) y[i] = 1;\n"
        "}\n"
        "void run(const bool *done, float *y, int n) { put<<<(n + 63) / 64, 64>>>(done, y, n); }\n"
    )
    assert found.contract.cases[0].extent("y") > 900


def test_what_host_code_sets_is_there_when_the_kernel_starts() -> None:
    """A counter begins where `cudaMemset` or the copy of a number says, not at random."""
    text = (
        "__global__ void keep(const int *x, int *y, int *count, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[atomicAdd(count, 1)] = x[i];\n"
        "}\n"
        "void run(const int *x, int *y, int n) {\n"
        "    int *count, *dx, *dy;\n"
        "    cudaMalloc(&count, 4); cudaMalloc(&dx, n * 4); cudaMalloc(&dy, n * 4);\n"
        "    cudaMemcpy(dx, x, n * 4, cudaMemcpyHostToDevice);\n"
        "    SET;\n"
        "    keep<<<(n + 63) / 64, 64>>>(dx, dy, count, n);\n"
        "    cudaMemcpy(y, dy, n * 4, cudaMemcpyDeviceToHost);\n"
        "    cudaFree(count); cudaFree(dx); cudaFree(dy);\n"
        "}\n"
    )
    number = "int zero = 0; cudaMemcpy(count, &zero, 4, cudaMemcpyHostToDevice)"
    for how in ("cudaMemset(count, 0, 4)", number):
        assert not inferred(text.replace("SET", how)).findings
    assert inferred(text.replace("SET", "cudaMemset(count, 64, 4)")).findings


def test_writes_of_one_value_to_one_element_are_no_fault() -> None:
    """Indices that are copied to the device are indices there too."""
    found = inferred(
        "__global__ void visit(const int *edges, int *visited, int *changed, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) { visited[edges[i]] = 1; *changed = 1; }\n"
        "}\n"
        "void run(const int *edges, int *visited, int *changed, int n) {\n"
        "    int *e, *v, *c;\n"
        "    cudaMalloc(&e, n * 4); cudaMalloc(&v, n * 4); cudaMalloc(&c, 4);\n"
        "    cudaMemcpy(e, edges, n * 4, cudaMemcpyHostToDevice);\n"
        "    cudaMemset(v, 0, n * 4); cudaMemset(c, 0, 4);\n"
        "    visit<<<(n + 63) / 64, 64>>>(e, v, c, n);\n"
        "    cudaMemcpy(visited, v, n * 4, cudaMemcpyDeviceToHost);\n"
        "    cudaMemcpy(changed, c, 4, cudaMemcpyDeviceToHost);\n"
        "    cudaFree(e); cudaFree(v); cudaFree(c);\n"
        "}\n"
    )
    assert not found.findings
    assert dict(found.contract.cases[0].values)["edges"].kind == "index"


def test_arrays_indexed_by_floats_are_as_long_as_the_cases_need() -> None:
    found = inferred(
        "__global__ void bin(const float *x, int *hist, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i >= n) return;\n"
        "    int b = (int)fminf(fmaxf(x[i] * 4.0f + 16.0f, 0.0f), 31.0f);\n"
        "    atomicAdd(&hist[b], 1);\n"
        "}\n"
        "void run(const float *x, int *hist, int n) { bin<<<(n + 63) / 64, 64>>>(x, hist, n); }\n"
    )
    assert all(25 <= case.extent("hist") <= 48 for case in found.contract.cases)


def test_arrays_indexed_by_what_floats_decide_are_as_long_as_any_data_may_ask() -> None:
    """One set of data reaches no further than it happens to; the last row may pick any of its elements."""
    found = inferred(
        "__global__ void pick(const float *p, const int *ids, int *token, int n) {\n"
        "    int r = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (r >= n) return;\n"
        "    int best = 0;\n"
        "    for (int k = 1; k < 8; ++k) if (p[r * 8 + k] > p[r * 8 + best]) best = k;\n"
        "    token[r] = ids[r * 8 + best];\n"
        "}\n"
        "void run(const float *p, const int *ids, int *token, int n) {\n"
        "    pick<<<(n + 63) / 64, 64>>>(p, ids, token, n);\n"
        "}\n"
    )
    cases = [*found.contract.cases, *found.further]
    assert all(case.extent("ids") >= 8 * int(case.scalar("n")) for case in cases if case.scalar("n") > 8)


def test_arrays_that_host_code_fills_as_data_ask_have_room() -> None:
    found = inferred(
        "#include <vector>\n"
        "__global__ void mark(const float *x, int *flag, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) flag[i] = x[i] > -0.5f;\n"
        "}\n"
        "void keep(const float *x, int *kept, int *count, int n) {\n"
        "    std::vector<int> h(n);\n"
        "    float *d; int *f;\n"
        "    cudaMalloc(&d, n * 4); cudaMalloc(&f, n * 4);\n"
        "    cudaMemcpy(d, x, n * 4, cudaMemcpyHostToDevice);\n"
        "    mark<<<(n + 63) / 64, 64>>>(d, f, n);\n"
        "    cudaMemcpy(h.data(), f, n * 4, cudaMemcpyDeviceToHost);\n"
        "    int m = 0;\n"
        "    for (int i = 0; i < n; i++) if (h[i]) kept[m++] = i;\n"
        "    *count = m;\n"
        "    cudaFree(d); cudaFree(f);\n"
        "}\n"
    )
    first = found.contract.cases[0]
    assert first.extent("kept") >= int(first.scalar("n")) * 5 // 8  # about 7 of 10 are kept


def test_arrays_of_one_type_hold_different_data_while_a_kernel_is_observed() -> None:
    """Else a kernel that counts differences writes nothing, and its counter is taken for an input."""
    found = inferred(
        "__global__ void differ(const int *a, const int *b, int *count, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n && a[i] != b[i]) atomicAdd(count, 1);\n"
        "}\n"
        "void run(const int *a, const int *b, int *count, int n) {\n"
        "    differ<<<(n + 63) / 64, 64>>>(a, b, count, n);\n"
        "}\n"
    )
    roles = {argument.name: argument.role for argument in found.contract.arguments if argument.is_pointer}
    assert roles == {"a": Role.IN, "b": Role.IN, "count": Role.INOUT}


def test_arrays_of_a_kernel_that_is_not_interpreted_have_room() -> None:
    """Recursion is not lowered, but host code runs all the same."""
    found = inferred(
        "__device__ float power(float x, int n) { return n > 0 ? x * power(x, n - 1) : 1.0f; }\n"
        "__global__ void line(const float *x, float *y, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[i] = power(x[i], i % 3);\n"
        "}\n"
        "void run(const float *x, float *y, int n) { line<<<(n + 63) / 64, 64>>>(x, y, n); }\n"
    )
    assert not found.checked
    assert all(case.extent("y") >= case.scalar("n") for case in found.contract.cases)


def test_a_loop_that_never_ends_is_named() -> None:
    text = """
__global__ void halve(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    float x = a[i];
    while (x == x) {
      x = x * 0.5f;
    }
    a[i] = x;
  }
}
"""
    with pytest.raises(Refusal, match="did not end, at all sizes that were tried") as told:
        inferred(text)
    assert told.value.diagnostic.code == "endless-loop" and told.value.diagnostic.range is not None
    assert (told.value.diagnostic.range.line, told.value.diagnostic.range.column) == (6, 5)


def test_a_loop_that_nothing_could_end_need_not_be_gone_round() -> None:
    text = """
__global__ void count(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  while (i < n) { a[i] += 1; }
}
"""
    with pytest.raises(Refusal, match="never ends once it is entered: nothing in it changes its condition"):
        inferred(text)


def test_a_kernel_keeps_the_grid_that_all_its_launches_agree_on() -> None:
    text = """
#include <cstdlib>
__global__ void twice(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2.0f * x[i];
}
int main(int argc, char **argv) {
  if (argc < 2) return 3;  // it never comes to the launch when it is tried
  twice<<<1, 256>>>(nullptr, nullptr, std::atoi(argv[1]));
  return 0;
}
"""
    unit = parse(text, "twice.cu")
    (entry,) = [entry for entry in entries_of(unit) if entry.kind == "kernel"]
    inference = infer_contract(
        unit, entry, Overrides(), lambda contract: build(text, "twice.cu", "cuda", contract), lambda: None
    )
    assert {case.launch.grid for case in inference.contract.cases if case.launch} == {(1, 1, 1)}


def test_tiles_that_meet_at_other_sizes_are_a_demand_on_the_size_of_many() -> None:
    """Where n is no multiple of 32, the last tile of a head is in the next head."""
    text = """
__global__ void shift(const float *x, float *y, int n, int d) {
  int head = blockIdx.x * gridDim.y + blockIdx.y;
  for (int t = 0; t < (n + 31) / 32; t++)
    for (int c = 0; c < d; c++) {
      int at = head * n * d + (t * 32 + threadIdx.x) * d + c;
      y[at] = x[at] + head + y[at];
    }
}
void run(const float *x, float *y, int batch, int heads, int n, int d) {
  shift<<<dim3(batch, heads), 32>>>(x, y, n, d);
}
"""
    found = inferred(text)
    assert not found.findings
    assert {case.scalar("n") % 32 for case in found.contract.cases} == {0}
    assert len({case.scalar("d") for case in found.contract.cases}) > 1


@pytest.mark.parametrize(
    ("block", "index"),
    [
        ("blockIdx.x + blockIdx.y * gridDim.x", "bid * blockDim.x + threadIdx.x"),
        (
            "blockIdx.y * gridDim.x + blockIdx.x",
            "bid * blockDim.x * blockDim.y + threadIdx.y * blockDim.x + threadIdx.x",
        ),
    ],
)
def test_blocks_that_are_counted_through_are_bounded_together(block: str, index: str) -> None:
    found = inferred(
        f"__global__ void f(const float *x, float *y, int n) {{\n  int bid = {block};\n  int i = {index};\n"
        "  if (i < n) y[i] = x[i];\n}\n"
    )
    case = found.contract.cases[0]
    assert case.launch is not None
    across, rows, layers = case.launch.grid
    threads = math.prod(case.launch.block)
    assert (rows, layers) == (2, 1)
    assert (2 * across - 2) * threads < case.scalar("n") <= 2 * across * threads
    assert case.extent("x") == case.extent("y") == case.scalar("n")


@pytest.mark.parametrize("work", ["2.0f * x[i]", "x[i] * x[N - 1 - i]"])
@pytest.mark.parametrize("seconds", [8.0, 0.0])
def test_a_launch_for_millions_of_elements_that_the_text_states(
    work: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xpiler.gate.observe._SECONDS_OF_LARGE", seconds)  # 0: some blocks stand for all
    found = inferred(
        "#define N (1 << 22)\n"
        "__global__ void scale(const float *x, float *y) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        f"    if (i < N - 3) y[i] = {work};\n"
        "}\n"
        "void run(const float *x, float *y) { scale<<<N / 256, 256>>>(x, y); }\n"
    )
    assert not found.findings
    read = (1 << 22) if "N - 1" in work else (1 << 22) - 3
    assert {(case.extent("y"), case.extent("x")) for case in found.contract.cases} == {((1 << 22) - 3, read)}


def test_a_grid_that_all_launches_have_is_run_whole_at_small_sizes() -> None:
    text = (
        "__global__ void scale(const float *x, float *y, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[i] = 2.0f * x[i];\n"
        "}\n"
        "int main() {\n"
        "    int n = 1 << 25;\n"
        "    float *x, *y;\n"
        "    cudaMalloc(&x, n * 4);\n"
        "    cudaMalloc(&y, n * 4);\n"
        "    scale<<<1 << 14, 256>>>(x, y, n);\n"
        "    return 0;\n"
        "}\n"
    )
    unit = parse(text, "kernel.cu", platform="cuda")
    (entry,) = [e for e in entries_of(unit) if e.kind != "main"]
    found = infer_contract(
        unit, entry, Overrides(), lambda c: build(text, "kernel.cu", "cuda", c), lambda: None
    )
    assert not found.findings
    assert all(case.extent("x") == case.extent("y") for case in found.contract.cases)


def test_a_test_for_the_left_border_says_nothing_of_the_number_of_blocks() -> None:
    text = """
__global__ void before(const float *x, float *y, int n, int width) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, t = blockIdx.y;
  if (i >= n) return;
  float s = 0;
  for (int k = 0; k < width; ++k) {
    int from = t - k;
    if (from >= 0) s += x[from * n + i];
  }
  y[t * n + i] = s;
}"""
    launch = inferred(text).contract.cases[0].launch
    assert launch is not None and launch.grid[1] > 1


EVERY_STRIDE = """
__global__ void pick(const float *x, float *y, int m, int stride) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < m) y[i] = x[i * stride];
}
void run(const float *x, float *y, int n, int stride) {
  int m = (n - 1) / stride + 1;
  float *dx, *dy;
  cudaMalloc(&dx, n * sizeof(float));
  cudaMalloc(&dy, m * sizeof(float));
  cudaMemcpy(dx, x, n * sizeof(float), cudaMemcpyHostToDevice);
  pick<<<(m + 63) / 64, 64>>>(dx, dy, m, stride);
  cudaMemcpy(y, dy, m * sizeof(float), cudaMemcpyDeviceToHost);
  cudaFree(dx);
  cudaFree(dy);
}
"""


def test_what_a_call_copies_tells_the_extents_at_other_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = inferred(EVERY_STRIDE)

    def interpreted(*_: object) -> None:
        raise AssertionError("the kernels are interpreted")

    monkeypatch.setattr("xpiler.gate.infer_host.HostSearch.attempt", interpreted)
    case = found.at({"n": 1000, "stride": 33})
    assert case is not None and (case.extent("x"), case.extent("y")) == (1000, 31)


def test_what_labels_keep_from_being_read_has_its_size_all_the_same() -> None:
    source = """
__global__ void backward(const float *x, const int *label, float *y, int v) {
  int i = blockIdx.x * 64 + threadIdx.x, row = blockIdx.y, at = label[row];
  if (i >= v) return;
  float g = 0.f;
  if (at >= 0 && at < v) g = x[row * v + i] - (i == at ? 1.f : 0.f);
  y[row * v + i] = g;
}
void run(const float *x, const int *label, float *y, int rows, int v) {
  backward<<<dim3((v + 63) / 64, rows), 64>>>(x, label, y, v);
}
"""
    (item,) = Trusted.of(source, "backward.cu").entries
    assert item.runs is not None and item.runs.fault == ""
    assert item.inference is not None
    cases = item.inference.contract.cases
    assert all(c.extent("x") == c.scalar("rows") * c.scalar("v") for c in cases)
