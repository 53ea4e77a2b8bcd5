"""Functions that take one struct by its address: its members are the sizes that are tried."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.translate import translate_text

SCALE = """typedef struct { int rows, cols; float by; } shape_t;
__global__ void scale(float *y, const float *x, int rows, int cols, float by) {
    int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y;
    if (c < cols && r < rows) y[r * cols + c] = x[r * cols + c] * by;
}
extern "C" void run(const shape_t *s, float *y, const float *x) {
    scale<<<dim3((s->cols + 63) / 64, s->rows), 64>>>(y, x, s->rows, s->cols, s->by);
}
"""


@pytest.mark.parametrize("to", ["hip", "vnni"])
def test_the_members_are_arguments(to: str) -> None:
    result = translate_text(SCALE, "scale.cu", to)
    assert [(e.name, e.status) for e in result.entries] == [("run", "verified")]
    assert any("s_rows=37, s_cols=53" in rung.detail for rung in result.evidence)


def test_an_array_of_structs_is_none() -> None:
    several = SCALE.replace("s->by", "s[1].by")
    (run,) = parse(several, "scale.cu").host_functions
    assert run.parts == ()


def test_a_struct_that_is_copied_to_the_device_whole_is_one_object_too() -> None:
    text = (
        SCALE.replace("float *y, const float *x, int rows, int cols, float by", "float *y, const float *x")
        .replace("__global__", "__constant__ shape_t by_;\n__global__")
        .replace("x[r * cols + c] * by;", "x[r * by_.cols + c] * by_.by;")
        .replace("r * cols", "r * by_.cols")
        .replace("c < cols && r < rows", "c < by_.cols && r < by_.rows")
        .replace("(y, x, s->rows, s->cols, s->by)", "(y, x)")
        .replace("    scale<<<", "    cudaMemcpyToSymbol(by_, s, sizeof(shape_t));\n    scale<<<")
    )
    result = translate_text(text, "scale.cu", "hip")
    assert [(e.name, e.status) for e in result.entries] == [("run", "verified")]


def test_an_object_in_the_memory_of_the_device_has_no_members_for_the_host() -> None:
    on_device = SCALE.replace("float by) {", "float by, const shape_t *all) {").replace("s->by)", "s->by, s)")
    (run,) = parse(on_device, "scale.cu").host_functions
    assert run.parts == ()
