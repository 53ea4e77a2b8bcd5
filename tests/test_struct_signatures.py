"""A kernel without host code that takes a struct by value: so does what stands for it on other platforms."""

import pytest

from xpiler.translate import Trusted, translate_text

CUDA = """
struct Shape { int rows, columns; };
__global__ void scale(const float *x, float *y, Shape s, float by) {
    int j = blockIdx.x * blockDim.x + threadIdx.x;
    if (j >= s.columns) return;
    for (int i = 0; i < s.rows; ++i) y[i * s.columns + j] = x[i * s.columns + j] * by;
}
"""
HOST = """
void run(const float *x, float *y, const Shape &s, float by, cudaStream_t stream) {
    scale<<<(s.columns + 63) / 64, 64, 0, stream>>>(x, y, s, by);
}
"""
BANG = """
#include <bang.h>
struct Shape { int rows, columns; };
__mlu_entry__ void scale(const float *x, float *y, Shape s, float by) {
    for (int i = taskId; i < s.rows; i += taskDim)
        for (int j = 0; j < s.columns; ++j) y[i * s.columns + j] = x[i * s.columns + j] * by;
}
"""


@pytest.mark.parametrize(
    ("text", "file", "to"), [(CUDA, "k.cu", "vnni"), (CUDA, "k.cu", "bang"), (BANG, "k.mlu", "cuda")]
)
def test_what_stands_for_a_kernel_takes_its_structs(text: str, file: str, to: str) -> None:
    result = translate_text(text, file, to)
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert "struct Shape { int rows, columns; };" in result.text
    assert "Shape s, float by) {" in " ".join(result.text.split())


def test_structs_that_only_the_source_has_words_for_come_by_their_members() -> None:
    text = CUDA.replace(
        "int rows, columns; };", "int rows, columns; __device__ int size() { return rows; } };"
    )
    result = translate_text(text, "k.cu", "vnni")
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert "int s_rows, int s_columns" in " ".join(result.text.split())


@pytest.mark.parametrize("to", ["hip", "vnni", "bang"])
def test_host_functions_are_handed_structs(to: str) -> None:
    result = translate_text(CUDA + HOST, "k.cu", to)
    assert [(e.name, e.kind, e.status) for e in result.entries] == [("run", "host", "verified")]


def test_a_guard_on_a_member_is_tried_on_both_sides() -> None:
    source = CUDA + HOST.replace("    scale", "    if (s.rows > 100) by += 1;\n    scale")
    wrong = source.replace("> 100", ">= 100")
    assert Trusted.of(source, "k.cu").verify(wrong, "w.cu").status == "unverified"
