"""Sizes that a program's instructions demand, and arrays that are read for some elements only."""

from __future__ import annotations

from tests.gate.test_infer import inferred

GROUPS = """#include <bang.h>
__mlu_entry__ void sums(float *y, const float *x, int n) {
    __nram__ float tile[8192];
    if (taskId != 0 || n > 8192) return;
    __memcpy(tile, x, n * sizeof(float), GDRAM2NRAM);
    __bang_reduce_sum(tile, tile, COUNT);
    float total = 0;
    for (int i = 0; i < n; i += 32) total += tile[i];
    y[0] = total;
}
extern "C" void run(float *y, const float *x, int n) {
    float *dy, *dx;
    cnrtMalloc((void **)&dy, sizeof(float));
    cnrtMalloc((void **)&dx, n * sizeof(float));
    cnrtMemcpy(dx, (void *)x, n * sizeof(float), cnrtMemcpyHostToDev);
    cnrtDim3_t dim = {1, 1, 1};
    cnrtQueue_t queue;
    cnrtQueueCreate(&queue);
    sums<<<dim, cnrtFuncTypeBlock, queue>>>(dy, dx, n);
    cnrtQueueSync(queue);
    cnrtMemcpy(y, dy, sizeof(float), cnrtMemcpyDevToHost);
}
"""


def test_sizes_are_multiples_of_what_an_instruction_takes() -> None:
    found = inferred(GROUPS.replace("COUNT", "n"), file="sums.mlu")
    assert not found.findings
    assert all(int(case.scalar("n") or 0) % 32 == 0 for case in found.contract.cases)
    assert any("__bang_reduce_sum" in note for note in found.contract.notes)


def test_where_no_sizes_meet_a_demand_the_first_ones_show_what_is_wrong() -> None:
    found = inferred(GROUPS.replace("COUNT", "n / 32 * 32 + 1"), file="sums.mlu")
    assert found.contract.cases and not found.findings


def test_an_array_that_a_hash_lets_be_read_is_as_long_as_the_one_that_is_written() -> None:
    found = inferred(
        "__global__ void dropout(float *y, const float *x, int n, float p) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i >= n) return;\n"
        "    float u = (i * 2654435761u >> 8) * (1.0f / 16777216.0f);\n"
        "    y[i] = u < p || i > n / 2 ? 0.0f : x[i];\n"
        "}\n"
    )
    case = found.contract.cases[0]
    assert case.extent("x") == case.extent("y") == case.scalar("n")
