"""Kernels that get a list of tensors: arrays of pointers in a struct by value."""

from __future__ import annotations

import pytest

from tests.frontend.test_lower import body
from xpiler.frontend import parse
from xpiler.translate import translate_text

SUM = (
    "struct Args { const float* in[3]; float* out; int n; };\n"
    "__global__ void sum(Args a) {\n"
    "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "    if (i < a.n) {\n"
    "        float s = 0.f;\n"
    "        for (int k = 0; k < 3; ++k) s += a.in[k][i];\n"
    "        a.out[i] = s;\n"
    "    }\n"
    "}\n"
    'extern "C" void run(const float* x, const float* y, const float* z, float* o, int n) {\n'
    "    Args a{{x, y, z}, o, n};\n"
    "    sum<<<(n + 127) / 128, 128>>>(a);\n"
    "}\n"
)

# A list that is not full, of memory without a type; which tensor a block works on is data.
SCALE = """
#include <cstdio>
struct List { void* at[2][4]; int sizes[4]; unsigned char tensor[8]; };
__global__ void scale(List list, float by) {
    int t = list.tensor[blockIdx.x];
    float* x = (float*)list.at[0][t] + 1;
    float* y = (float*)list.at[1][t] + 1;
    for (int i = threadIdx.x; i < list.sizes[t] - 1; i += blockDim.x) y[i] -= by * x[i];
}
int main() {
    List list;
    for (int t = 0; t < 3; t++) {
        float h[50];
        list.sizes[t] = 20 + 10 * t;
        list.tensor[t] = t;
        for (int d = 0; d < 2; d++) {
            for (int i = 0; i < list.sizes[t]; i++) h[i] = i * 0.5f + d;
            cudaMalloc(&list.at[d][t], list.sizes[t] * sizeof(float));
            cudaMemcpy(list.at[d][t], h, list.sizes[t] * sizeof(float), cudaMemcpyHostToDevice);
        }
    }
    scale<<<3, 32>>>(list, 0.25f);
    float last[40];
    cudaMemcpy(last, list.at[1][2], sizeof last, cudaMemcpyDeviceToHost);
    printf("%g\\n", last[39]);
}
"""


@pytest.mark.parametrize("target", ["vnni", "bang"])
@pytest.mark.parametrize("source", [SUM, SCALE], ids=["wrapper", "program"])
def test_a_list_of_tensors_is_a_parameter_for_each(source: str, target: str) -> None:
    result = translate_text(source, "list.cu", target)
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]


def test_memory_without_a_type_is_what_all_accesses_take_it_for() -> None:
    (kernel,) = parse(SCALE, "list.cu").program.kernels
    assert {p.dtype.name for p in kernel.params if p.is_pointer} == {"f32"}


def test_an_element_is_chosen_where_only_a_run_knows_the_index() -> None:
    text = body("float* both[2] = {o, o + n}; both[n & 1][3] += a[0];")
    assert text.endswith(
        "i32 which = n & 1;\n"
        "if (which == 0) {\n"
        "  o[both_0_offset + 3l] += a[0];\n"
        "} else {\n"
        "  o[both_1_offset + 3l] += a[0];\n"
        "}"
    )


def test_an_element_is_itself_where_the_index_is_a_constant() -> None:
    text = body("float* both[2] = {o, o + 8}; both[1] += n; both[1][3] = a[0];")
    assert text.endswith("both_1_offset += (i64)n;\no[both_1_offset + 3l] = a[0];")


def test_a_pointer_in_an_array_is_not_moved_at_an_index_that_only_a_run_knows() -> None:
    unit = parse(
        "__global__ void k(float* o, int n) { float* both[2] = {o, o + 8}; both[n & 1]++; both[0][0] = 1; }",
        "k.cu",
    )
    assert [d.code for d in unit.refusals.values()] == ["not-assignable"]


def test_what_many_places_may_get_is_computed_once() -> None:
    text = body(
        "float* of[3] = {o, o + 8, o + 16}; of[n % 3][n] = expf(a[n]) * 2;",
    )
    assert text.count("exp(") == 1
