"""Arrays of contracts: how long they are and what they hold, as programs tell when they are run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.gate.programs import inferred
from xpiler.frontend import parse
from xpiler.gate.contract import Role, Values
from xpiler.gate.entries import entries_of
from xpiler.ir.build import const
from xpiler.ir.types import F16, F32, I64
from xpiler.translate import Trusted, verify_text


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


def test_indices_that_are_held_down_only_from_above_are_not_negative() -> None:
    found = inferred(
        "__global__ void look(const float *table, float *y, const int *at, int n, int rows) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[i] = table[min(at[i], rows - 1)];\n"
        "}\n"
        "void run(const float *table, float *y, const int *at, int n, int rows) "
        "{ look<<<(n + 63) / 64, 64>>>(table, y, at, n, rows); }\n"
    )
    assert not found.findings
    values = dict(found.contract.cases[0].values)["at"]
    assert values.kind == "index" and values.low == 0


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


def test_a_number_that_is_returned_besides_is_compared_and_a_status_is_not() -> None:
    count = (
        "__global__ void keep(const float *x, float *y, int *count, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n && x[i] > 0.25f) atomicAdd(count, 1);\n"
        "    if (i < n) y[i] = x[i] > 0.25f ? x[i] : 0.0f;\n"
        "}\n"
        "int run(const float *x, float *y, int n) {\n"
        "    int *d, found = 0;\n"
        "    cudaMalloc(&d, 4); cudaMemset(d, 0, 4);\n"
        "    keep<<<(n + 63) / 64, 64>>>(x, y, d, n);\n"
        "    cudaMemcpy(&found, d, 4, cudaMemcpyDeviceToHost); cudaFree(d);\n"
        "    return found;\n"
        "}\n"
    )
    assert [a.name for a in inferred(count).contract.outputs] == ["y", "return"]
    status = count.replace("return found", "return cudaGetLastError() == cudaSuccess ? 0 : -1")
    assert [a.name for a in inferred(status).contract.outputs] == ["y"]
    wrong = verify_text(count, "keep.cu", count.replace("return found", "return n"), "wrong.cu")
    assert wrong.status == "unverified"
    assert any("return[0]: expected" in rung.detail for rung in wrong.evidence if not rung.ok)


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


def test_sizes_below_0_that_leave_nothing_of_the_arrays_are_not_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = inferred(EVERY_STRIDE)
    nothing = replace(found.contract.cases[0], extents=(("x", 1), ("y", 1)))
    monkeypatch.setattr("xpiler.gate.infer_host.HostSearch.told", lambda _, sizes: [nothing for _ in sizes])
    monkeypatch.setattr("xpiler.gate.infer_host.HostSearch.is_meant", lambda *_: True)
    assert found.at({"n": 1000, "stride": 33}) is not None
    assert found.at({"n": -1000, "stride": 33}) is None
