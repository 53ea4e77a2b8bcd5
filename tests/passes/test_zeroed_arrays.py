"""Arrays that begin as zeros are filled by loops; tables stay what they are."""

import pytest

from xpiler.frontend import parse
from xpiler.ir.nodes import Decl
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.passes.canonical import canonicalise
from xpiler.passes.zeroed_arrays import with_filled_arrays

TILE = """
extern "C" void f(const float *x, float *y, int n) {
    float acc[2][3] = INIT;
    for (int i = 0; i < n; ++i) acc[i % 2][i % 3] += x[i];
    for (int i = 0; i < 6; ++i) y[i] = acc[i / 3][i % 3];
}
"""


def filled(init: str) -> str:
    (function,) = parse(TILE.replace("INIT", init), "f.cpp", platform="vnni").program.kernels
    after = with_filled_arrays(function)
    (decl,) = [d for d in walk(after) if isinstance(d, Decl) and d.shape]
    assert (decl.init is None) == (after is not function)
    return show(after)


@pytest.mark.parametrize("init", ["{}", "{{0}}", "{{0, 0}, {0}}"])
def test_zeros_are_filled_in_by_loops(init: str) -> None:
    assert (
        "  f32 acc[2][3];\n"
        "  for i32 acc_at in 0 .. 2 {\n"
        "    for i32 acc_at_1 in 0 .. 3 {\n"
        "      acc[acc_at][acc_at_1] = 0.0f;\n"
        "    }\n"
        "  }\n"
    ) in filled(init)


@pytest.mark.parametrize("init", ["{{1}}", "{{0, 2}}"])
def test_other_numbers_stay(init: str) -> None:
    assert "acc_at" not in filled(init)


ROWS = """
__global__ void rows(const float *__restrict__ a, const float *__restrict__ b, float *__restrict__ y, int n) {
    int row = blockIdx.x * 64 + threadIdx.x;
    if (row >= n) return;
    float acc[8] = {0.0f};
    for (int k = 0; k < 8; ++k)
        for (int c = 0; c < 8; ++c) acc[c] += a[row * 8 + k] * b[k * 8 + c];
    for (int c = 0; c < 8; ++c) y[row * 8 + c] = acc[c];
}
"""


def test_registers_of_a_thread_that_begin_as_zeros_are_variables() -> None:
    (kernel,) = parse(ROWS, "rows.cu", platform="cuda").program.kernels
    function = canonicalise(kernel, (64, 1, 1), (None, 1, 1)).function
    assert not [d for d in walk(function.body) if isinstance(d, Decl) and d.shape], show(function)
