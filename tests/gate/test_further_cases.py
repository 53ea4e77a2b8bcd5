"""Sizes beyond the ordinary ones: what they are, and the faults that only they show."""

from __future__ import annotations

import pytest

from xpiler.gate.contract import Case
from xpiler.gate.execute import RunResult, Variant
from xpiler.gate.further_cases import fitted_extent, further_sizes, least_sizes, with_many_places
from xpiler.gate.overrides import Overrides
from xpiler.gate.verify import without_hopeless
from xpiler.translate import Trusted

SCALE = """
__global__ void scale(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 3.0f * x[i];
}
void run(const float *x, float *y, int n) { scale<<<(n + 255) / 256, 256>>>(x, y, n); }
"""
SHORT_ROWS = """
__global__ void mirror(const float *x, float *y, int rows, int cols) {
  __shared__ float row[512];
  for (int i = threadIdx.x; i < cols; i += blockDim.x) row[i] = x[blockIdx.x * cols + i];
  __syncthreads();
  for (int i = threadIdx.x; i < cols; i += blockDim.x) y[blockIdx.x * cols + i] = row[cols - 1 - i];
}
void run(const float *x, float *y, int rows, int cols) { mirror<<<rows, 128>>>(x, y, rows, cols); }
"""


def test_sizes_of_two_parameters() -> None:
    found = [{"rows": 37, "cols": 53}, {"rows": 53, "cols": 29}]
    assert [tuple(sizes.values()) for sizes in further_sizes(found, ["rows", "cols"])] == [
        (1, 1),
        (37, 1),
        (1, 53),
        (2051, 3),
        (3, 2051),
        (131, 517),
        (2051, 67),
        (67, 2051),
    ]


def test_sizes_keep_the_granule_that_was_found() -> None:
    found = [{"n": 960, "m": 64}, {"n": 1920, "m": 192}]
    made = list(further_sizes(found, ["n", "m"]))
    assert made[0] == {"n": 64, "m": 64}
    assert all(size % 64 == 0 for sizes in made for size in sizes.values())
    assert max(sizes["n"] for sizes in made) > 2048


def test_stated_sizes_are_small_or_a_tile_and_a_part_in_turn_the_least_work_first() -> None:
    found = [{"rows": 20, "cols": 44}, {"rows": 30, "cols": 70}]
    assert list(least_sizes(found, ["rows", "cols"])) == [
        {"rows": 20, "cols": 2},
        {"rows": 30, "cols": 2},
        {"rows": 2, "cols": 44},
        {"rows": 2, "cols": 70},
        {"rows": 20, "cols": 132},
        {"rows": 30, "cols": 132},
        {"rows": 132, "cols": 44},
        {"rows": 132, "cols": 70},
    ]
    assert list(least_sizes(found, [])) == []


def test_a_loop_that_ends_at_another_size_is_seen_where_that_one_is_smaller() -> None:
    source = """
__global__ void scale(const float *x, float *y, int rows, int cols) {
  int c = blockIdx.x * 16 + threadIdx.x, r = blockIdx.y;
  if (c < cols) y[r * cols + c] = 3.0f * x[r * cols + c];
}
void run(const float *x, float *y, int rows, int cols) {
  scale<<<dim3((cols + 15) / 16, rows), 16>>>(x, y, rows, cols);
}
"""
    target = """
void run(const float *x, float *y, int rows, int cols) {
  for (int r = 0; r < rows; ++r)
    for (int tile = 0; tile < (cols + 15) / 16; ++tile)
      for (int c = tile * 16; c < cols && c < tile * 16 + 16; ++c) y[r * cols + c] = 3.0f * x[r * cols + c];
}
"""
    stated = Overrides(args=(("rows", (20, 30)), ("cols", (44, 70))))
    trusted = Trusted.of(source, "scale.cu", stated)
    assert trusted.verify(target, "scale.cpp").status == "verified"
    wrong = trusted.verify(target.replace("tile < (cols + 15) / 16", "tile < rows"), "scale.cpp")
    assert any("rows=2" in rung.detail for rung in wrong.evidence if not rung.ok)


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        ([({"a": 37, "b": 53}, 1961), ({"a": 53, "b": 29}, 1537)], 6),
        ([({"a": 8, "b": 5}, 10), ({"a": 5, "b": 8}, 7)], 4),
        ([({"a": 8, "b": 5}, 32), ({"a": 5, "b": 7}, 20)], 8),
        ([({"a": 8, "b": 5}, 9), ({"a": 5, "b": 7}, 9)], 9),
        ([({"a": 37, "b": 53}, 1961), ({"a": 53, "b": 37}, 1961)], 6),  # and no constant
        ([({"a": 8, "b": 5}, 9), ({"a": 5, "b": 7}, 12)], None),
    ],
)
def test_extents_that_products_explain(
    observed: list[tuple[dict[str, int], int]], expected: int | None
) -> None:
    formula = fitted_extent(observed, ["a", "b"])
    assert (formula({"a": 2, "b": 3}) if formula else None) == expected


@pytest.mark.parametrize(
    ("loop", "wrong_at"),
    [
        ("for (int i = 0; i < n; ++i) y[i] = 3.0f * x[i];", None),
        ("for (int i = 0; i < n && i < 65536; ++i) y[i] = 3.0f * x[i];", "n=200003"),  # a second tile
        ("if (n > 1) for (int i = 0; i < n; ++i) y[i] = 3.0f * x[i];", "n=1;"),
    ],
)
def test_faults_that_ordinary_sizes_do_not_show(loop: str, wrong_at: str | None) -> None:
    target = f'extern "C" void run(const float *x, float *y, int n) {{ {loop} }}\n'
    result = Trusted.of(SCALE, "scale.cu").verify(target, "scale.cpp")
    (executed,) = [rung for rung in result.evidence if rung.rung == "executed"]
    assert executed.ok == (wrong_at is None)
    assert (wrong_at or "from 1 to 2000003") in executed.detail


PIPELINE = """
__nram__ float room[2][40960];
__mlu_entry__ void twice(const float *x, float *y, int n) {
  int share = n / taskDim, tiles = share / 40960;
  if (taskId == taskDim - 1) share += n % taskDim;
  const float *from = x + taskId * (n / taskDim);
  float *to = y + taskId * (n / taskDim);
  for (int i = 0; i <= tiles; ++i) {
    int count = i < tiles ? 40960 : share - tiles * 40960;
    if (count == 0) continue;
    __memcpy(room[i % 2], from + i * 40960, count * sizeof(float), GDRAM2NRAM);
    __bang_add(room[i % 2], room[i % 2], room[i % 2], count);
    __memcpy(to + i * 40960, room[i % 2], count * sizeof(float), NRAM2GDRAM);
  }
}
extern "C" void run(const float *x, float *y, int n, cnrtQueue_t queue) {
  cnrtDim3_t dim = {16, 1, 1};
  twice<<<dim, cnrtFuncTypeUnion4, queue>>>(x, y, n);
}
"""


def test_a_tile_that_only_the_second_round_of_every_core_reaches() -> None:
    """16 cores with tiles of 40960: what they do to a second one shows beyond 1310720 elements."""
    target = """extern "C" void run(const float *x, float *y, int n, void *) {
      for (int i = 0; i < n; ++i) y[i] = n > 1500000 && i == 90000 ? 0 : x[i] + x[i];
    }
    """
    result = Trusted.of(PIPELINE, "twice.mlu").verify(target, "twice.cpp")
    (executed,) = [rung for rung in result.evidence if rung.rung == "executed"]
    assert not executed.ok and "y[90000]" in executed.detail


def test_sizes_that_the_source_does_not_mean_are_left_out() -> None:
    """A row of 2051 does not fit into the array for it: no business of a translation."""
    (item,) = Trusted.of(SHORT_ROWS, "mirror.cu").entries
    assert item.inference is not None
    assert item.runs is not None
    sizes = {(case.scalar("rows"), case.scalar("cols")) for case in item.inference.contract.cases}
    assert sizes == {(37, 53), (53, 29), (1, 1), (37, 1), (1, 53), (2051, 3), (2051, 67)}
    assert item.runs.fault == ""
    assert len(item.runs.forward) == len(item.runs.reverse) == len(item.inference.contract.cases)


PICKED = """
__global__ void pick(const float *x, const int *label, float *y, int rows, int classes) {
  int r = blockIdx.x * 64 + threadIdx.x;
  if (r < rows) y[r] = x[r * classes + label[r]];
}
extern "C" void picked(const float *x, const int *label, float *y, int rows, int classes) {
  float *dx, *dy;
  int *dl;
  cudaMalloc(&dx, rows * classes * sizeof(float));
  cudaMalloc(&dy, rows * sizeof(float));
  cudaMalloc(&dl, rows * sizeof(int));
  cudaMemcpy(dx, x, rows * classes * sizeof(float), cudaMemcpyHostToDevice);
  cudaMemcpy(dl, label, rows * sizeof(int), cudaMemcpyHostToDevice);
  pick<<<(rows + 63) / 64, 64>>>(dx, dl, dy, rows, classes);
  cudaMemcpy(y, dy, rows * sizeof(float), cudaMemcpyDeviceToHost);
}
"""


def test_indices_are_none_beyond_the_smallest_size() -> None:
    (item,) = Trusted.of(PICKED, "picked.cu").entries
    assert item.inference is not None
    narrow = [case for case in item.inference.contract.cases if case.scalar("classes") == 1]
    assert narrow and all(dict(case.values)["label"].high == 1 for case in narrow)


def test_an_array_is_long_beside_a_number_of_steps() -> None:
    found = [{"n": 37, "steps": 3}, {"n": 53, "steps": 2}]
    made = list(further_sizes(found, ["n", "steps"], lengths=["n"]))
    assert {"n": 1_000_003, "steps": 1} in made
    assert all(sizes["n"] < 10_000 for sizes in further_sizes(found, ["n", "steps"], lengths=["n", "steps"]))


def test_a_large_size_of_a_coarse_granule_stands_beside_the_least_others() -> None:
    found = [{"m": 48, "n": 144, "k": 32}, {"m": 32, "n": 48, "k": 16}]
    made = list(further_sizes(found, ["m", "n", "k"]))
    assert {"m": 16, "n": 16, "k": 2064} in made
    assert {"m": 2064, "n": 16, "k": 16} in made


GUARDED = """
__global__ void hist(const int *data, int *counts, int n, int bins) {
  int i = blockIdx.x * 64 + threadIdx.x;
  if (i < n && data[i] >= 0 && data[i] < bins) atomicAdd(&counts[data[i]], 1);
}
void run(const int *data, int *counts, int n, int bins) {
  hist<<<(n + 63) / 64, 64>>>(data, counts, n, bins);
}
"""
CLAMPED = """
__global__ void hist(const float *data, int *counts, int n, int bins) {
  int i = blockIdx.x * 64 + threadIdx.x;
  if (i < n) atomicAdd(&counts[max(0, min((int)data[i], bins - 1))], 1);
}
void run(const float *data, int *counts, int n, int bins) {
  hist<<<(n + 63) / 64, 64>>>(data, counts, n, bins);
}
"""


@pytest.mark.parametrize(("most", "verified"), [("bins", True), ("256", False), ("4096", False)])
@pytest.mark.parametrize("source", [GUARDED, CLAMPED], ids=["guarded", "clamped"])
def test_data_lead_as_far_as_the_guards_of_a_table_let_them(source: str, most: str, verified: bool) -> None:
    dtype, b = (
        ("int", "data[i]")
        if source is GUARDED
        else ("float", "std::max(0, std::min((int)data[i], bins - 1))")
    )
    target = f"""
#include <algorithm>
void run(const {dtype} *data, int *counts, int n, int bins) {{
  for (int i = 0; i < n; ++i) {{
    int b = {b};
    if (b >= 0 && b < bins && b < {most}) counts[b] += 1;
  }}
}}
"""
    result = Trusted.of(source, "hist.cu").verify(target, "hist.cpp")
    assert (result.status == "verified") == verified


def test_sizes_of_tables_that_data_pick_from() -> None:
    assert list(with_many_places({"n": 37, "bins": 53}, ["n", "bins"])) == [
        {"n": 4099, "bins": 53},
        {"n": 70001, "bins": 27},
        {"n": 37, "bins": 4099},
        {"n": 19, "bins": 70001},
    ]


SUMS = """
__global__ void sums(const float *x, float *part, int n) {
  __shared__ float s[64];
  float v = 0;
  for (int i = blockIdx.x * 64 + threadIdx.x; i < n; i += gridDim.x * 64) v += x[i];
  s[threadIdx.x] = v;
  __syncthreads();
  if (threadIdx.x == 0) {
    float sum = 0;
    for (int i = 0; i < 64; ++i) sum += s[i];
    part[blockIdx.x] = sum;
  }
}
void run(const float *x, float *part, int n) {
  int blocks = (n + 63) / 64;
  if (blocks > 128) blocks = 128;
  float *dx, *dp;
  cudaMalloc(&dx, n * sizeof(float));
  cudaMalloc(&dp, blocks * sizeof(float));
  cudaMemcpy(dx, x, n * sizeof(float), cudaMemcpyHostToDevice);
  sums<<<blocks, 64>>>(dx, dp, n);
  cudaMemcpy(part, dp, blocks * sizeof(float), cudaMemcpyDeviceToHost);
}
"""


@pytest.mark.parametrize(
    ("limit", "verified"),
    [
        ("if (blocks >= 128) blocks = 128;", True),
        ("if (blocks > 128) blocks = 96;", False),
        ("if (blocks >= 128) blocks = 127;", False),
        ("", False),
    ],
)
def test_as_many_elements_as_blocks_of_which_there_is_a_limit(limit: str, verified: bool) -> None:
    target = SUMS.replace("if (blocks > 128) blocks = 128;", limit)
    result = Trusted.of(SUMS, "sums.cu").verify(target, "sums.cu", until_wrong=True)
    assert (result.status == "verified") == verified


def ended(n: int, processor: float, crash: str | None = None) -> RunResult:
    return RunResult(Case((("n", n),)), Variant(), {}, crash=crash, processor=processor)


def test_a_large_case_for_which_a_target_has_no_time_is_left_out() -> None:
    quick = [ended(1, 0.01), ended(100, 1.0)]
    slow, waiting = ended(10_000, 0.0, "killed by SIGKILL"), ended(20_000, 0.0, "not run")
    assert [r.left_out for r in without_hopeless([*quick, slow, waiting], 1)] == [False, False, True, True]
    unchanged = [*quick, ended(300, 0.0, "killed by SIGKILL")]
    assert without_hopeless(unchanged, 1) == unchanged  # it should have ended: an endless loop
    assert without_hopeless([*quick, slow], 3) == [*quick, slow]  # one of those that have to be run
    faulty = [*quick, ended(10_000, 0.0, "killed by SIGSEGV")]
    assert without_hopeless(faulty, 1) == faulty
