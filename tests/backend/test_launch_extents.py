"""Extents of grids as formulas of what kernels are given."""

from __future__ import annotations

import pytest

from xpiler.backend.bang import generate
from xpiler.backend.launch_extents import grid_formulas
from xpiler.frontend import parse
from xpiler.ir.nodes import Expr
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

KERNEL = """\
__global__ void scale(const float *x, float *y, int n, int c) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  CHANGE
  if (i < n * c) y[i] = x[i] * 2.0f;
}
"""


def _formulas(host: str, change: str = "") -> dict[str, str]:
    unit = parse(KERNEL.replace("CHANGE", change) + host, "scale.cu", platform="cuda")
    (kernel,) = unit.program.kernels
    found = grid_formulas(unit, kernel, canonicalise(kernel, (256, 1, 1)).function)
    return {name: show(value) for name, value in found.items() if isinstance(value, Expr)}


OTHERS = "int wide = 64; void choose(int *m); void grow(const float *x, int &m);"
HOST = "void launch(const float *x, float *y, int n, int c) {{ {} }}"


@pytest.mark.parametrize(
    "body",
    [
        "scale<<<(n * c + 255) / 256, 256>>>(x, y, n, c);",
        "int total = n * c; dim3 grid((total + 255) / 256); scale<<<grid, 256>>>(x, y, n, c);",
        "for (int t = 0; t < 3; ++t) scale<<<(n * c + 255) / 256, 256>>>(x, y, n, c);",
    ],
)
def test_a_grid_is_a_formula_of_what_the_kernel_is_given(body: str) -> None:
    assert _formulas(HOST.format(body))["gridDim.x"] == "((i64)n * (i64)c + 255l) / 256l"


def test_a_number_that_is_given_by_another_name_is_known_by_the_kernels() -> None:
    body = "int k = m * 2; scale<<<k / 256, 256>>>(x, y, k, m);"
    host = f"void launch(const float *x, float *y, int m) {{ {body} }}"
    assert _formulas(host)["gridDim.x"] == "n / 256"


@pytest.mark.parametrize(
    "body",
    [
        "int m = n; dim3 grid((m + 255) / 256); m *= 2; scale<<<grid, 256>>>(x, y, m, c);",
        "dim3 grid((n + 255) / 256); do { scale<<<grid, 256>>>(x, y, n, c); } while (n++ < c);",
        "int m = n; choose(&m); scale<<<(m + 255) / 256, 256>>>(x, y, m, c);",
        "int m = n; dim3 grid((m + 255) / 256); grow(x, m); scale<<<grid, 256>>>(x, y, m, c);",
        "int m = n, k = c; dim3 grid((m + 255) / 256); std::swap(m, k); scale<<<grid, 256>>>(x, y, m, k);",
        "dim3 grid((n + 255) / 256); n *= 2; scale<<<grid, 256>>>(x, y, n, c);",
        "scale<<<wide, 256>>>(x, y, n, c);",
        "int m = c; scale<<<(n * c + 255) / 256, 256>>>(x, y, n, c); scale<<<n, 256>>>(x, y, n, c);",
        "dim3 grid((n + 255) / 256); grid.x = c; scale<<<grid, 256>>>(x, y, n, c);",
    ],
)
def test_what_changes_on_the_way_or_from_launch_to_launch_is_no_formula(body: str) -> None:
    assert "gridDim.x" not in _formulas(
        "void choose(int *m); void grow(const float *x, int &m);" + HOST.format(body)
    )


@pytest.mark.parametrize(("change", "end"), [("", "= n * c;"), ("n = n < 8 ? n : 8;", "std::min")])
@pytest.mark.parametrize("grid", ["(n * c + 255) / 256", "ceil_div(n * c, 256)"])
def test_a_range_that_the_grid_covers_is_shared_whole(change: str, end: str, grid: str) -> None:
    helper = "int ceil_div(int a, int b) { return (a + b - 1) / b; }"
    host = helper + HOST.format(f"scale<<<{grid}, 256>>>(x, y, n, c);")
    unit = parse(KERNEL.replace("CHANGE", change) + host, "scale.cu", platform="cuda")
    (kernel,) = unit.program.kernels
    canonical = canonicalise(kernel, (256, 1, 1)).function
    text = generate(canonical, launch=grid_formulas(unit, kernel, canonical)).text
    assert "blocks_x" not in text
    (count,) = [line for line in text.splitlines() if "int i_count" in line]
    assert end in count, "what the kernel makes of a parameter is not what the grid was made for"
