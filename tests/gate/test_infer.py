"""Sizes and launches of contracts: what is found out about a program by running it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import pytest

from tests.gate.programs import inferred
from xpiler.errors import Refusal
from xpiler.frontend import parse
from xpiler.gate.contract import make_case
from xpiler.gate.entries import entries_of
from xpiler.gate.execute import build
from xpiler.gate.infer import infer_contract
from xpiler.gate.infer_host import HostSearch
from xpiler.gate.infer_search import Trial
from xpiler.gate.overrides import Overrides


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


def test_the_type_of_a_task_is_no_size() -> None:
    text = """#include <bang.h>
        __mlu_entry__ void twice(const float *x, float *y, int n) {
            __nram__ float tile[64];
            for (int i = taskId * 64; i < n; i += taskDim * 64) {
                int count = n - i < 64 ? n - i : 64;
                __memcpy(tile, x + i, count * 4, GDRAM2NRAM);
                __bang_mul_scalar(tile, tile, 2.0f, 64);
                __memcpy(y + i, tile, count * 4, NRAM2GDRAM);
            }
        }
        void run(const cnrtDim3_t dim, const cnrtFunctionType_t type, cnrtQueue_t q,
                 const float *x, float *y, const int n) {
            twice<<<dim, type, q>>>(x, y, n);
        }"""
    found = inferred(text, file="k.mlu")
    assert not found.findings
    assert {case.scalar("type") for case in found.contract.cases} == {4}


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


STEPS = """
__global__ void step(float *h, int n) { h[blockIdx.x * 64 + threadIdx.x] += n; }
void run(float *h, int steps, int n) { for (int t = 0; t < steps; ++t) step<<<n, 64>>>(h, n); }
"""


def test_launches_that_take_too_long_together_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xpiler.gate.observe._SECONDS_OF_ALL", -1.0)
    with pytest.raises(Refusal, match="its 37 launches take too long together"):
        inferred(STEPS)


def test_after_sizes_that_take_too_long_there_is_far_less_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    attempt = HostSearch.attempt

    def slow(self: HostSearch, sizes: Mapping[str, int]) -> Iterator[Trial]:
        work = math.prod(sizes.values())
        tried.append(work)
        if work < 100:
            yield from attempt(self, sizes)
        else:
            yield Trial(sizes, make_case(sizes, {}), {}, (), 0, "too long", unfinished=True, slow=True)

    monkeypatch.setattr(HostSearch, "attempt", slow)
    assert inferred(STEPS).contract.cases
    assert [work for work in tried if work >= 100] == [37 * 53]
