"""Products whose second operand is large go through it panel by panel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from xpiler.backend.vnni import generate
from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes import column_panels
from xpiler.passes.canonical import canonicalise
from xpiler.passes.column_panels import panel_columns
from xpiler.passes.knobs import chosen
from xpiler.passes.vectorize import vectorize

PRODUCT = """\
__global__ void product(const float *__restrict__ a, const float *__restrict__ b, float *__restrict__ c,
                        int rows, int columns, int depth) {
  int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y;
  if (column >= columns || row >= rows) return;
  float sum = 0.0f;
  for (int k = 0; k < depth; ++k) sum += a[row * depth + k] * b[k * columns + column];
  c[row * columns + column] = sum;
}
"""


def canonical(*edit: str) -> Function:
    text = PRODUCT.replace(*edit) if edit else PRODUCT
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    return canonicalise(kernel, (64, 1, 1), (None, None, 1)).function


def chosen_lanes(*edit: str) -> Function:
    return vectorize(canonical(*edit)).function


def results(function: Function, rows: int, columns: int, depth: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(columns)
    given: dict[str, Any] = {
        "a": rng.integers(-4, 5, rows * depth).astype(np.float32),
        "b": rng.integers(-4, 5, depth * columns).astype(np.float32),
        "c": np.full(rows * columns, np.nan, np.float32),
        "rows": rows,
        "columns": columns,
        "depth": depth,
        "gridDim.x": -(-columns // 64),
        "gridDim.y": rows,
        "gridDim.z": 1,
    }
    found = run(function, given)
    assert not found.errors, found.errors[0]
    return given["c"]


def test_large_operands_are_copied_panel_by_panel() -> None:
    text = show(panel_columns(chosen_lanes()))
    panels, plain = text.split("else {")
    assert "f32 b_panel[" in panels and "b_panel" not in plain
    assert panels.count("b[k * columns + column]") == 1


@pytest.mark.parametrize(
    "edit",
    [
        ("b[k * columns + column]", "b[k * 16 + column]"),  # near one another
        ("b[k * columns + column]", "b[(k + row) * columns + column]"),  # of each row its own
    ],
)
def test_other_operands_are_read_where_they_are(edit: tuple[str, str]) -> None:
    before = chosen_lanes(*edit)
    assert before != chosen_lanes() and panel_columns(before) is before


def test_an_operand_that_the_result_may_be_is_read_where_it_is() -> None:
    """Blocks that wrote what others read would race, so in a kernel it is another array."""
    apart = chosen_lanes("__restrict__ ", "")
    assert panel_columns(apart) is not apart
    maybe = replace(apart, params=tuple(replace(p, is_restrict=False) for p in apart.params))
    assert panel_columns(maybe) is maybe


def test_a_knob_turns_it_off() -> None:
    with chosen({"column_panels.columns": 0}):
        assert panel_columns(chosen_lanes()) == chosen_lanes()


def test_threads_start_where_panels_do() -> None:
    lines = [line.strip() for line in generate(canonical(), extern_c=True).text.split("\n")]
    at = next(i for i, line in enumerate(lines) if "Buffer<float> b_panel" in line)
    asked = next(i for i in range(at, 0, -1) if lines[i].startswith("if ("))
    assert ">= 192" in lines[asked] and lines[asked + 1] == "#pragma omp parallel for"


@pytest.mark.parametrize(
    ("rows", "columns", "depth"), [(1, 1, 1), (3, 64, 5), (9, 70, 4), (2, 130, 3), (2, 5, 0)]
)
def test_results_are_the_same(monkeypatch: pytest.MonkeyPatch, rows: int, columns: int, depth: int) -> None:
    monkeypatch.setattr(column_panels, "FEWEST_ROWS", 1)
    monkeypatch.setattr(column_panels, "LARGE", 1)
    before = chosen_lanes()
    after = panel_columns(before)
    np.testing.assert_array_equal(results(after, rows, columns, depth), results(before, rows, columns, depth))
