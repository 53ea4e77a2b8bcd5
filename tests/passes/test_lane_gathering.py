"""Lanes along which a result lies are gathered, so that nothing is scattered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backend.cpp import Library, build
from xpiler.backend.vnni import generate
from xpiler.frontend import parse
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.knobs import chosen
from xpiler.passes.operand_packing import pack_operands

PLANES = """\
__global__ void planes(const float *__restrict__ x, const float *__restrict__ w, float *__restrict__ y,
                       int depth, int height, int width, int stride, int out_height, int out_width) {
  int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y, c = blockIdx.z;
  if (column >= out_width || row >= out_height) return;
  float sum = 0;
  for (int d = 0; d < depth; ++d)
    for (int k = 0; k < 3; ++k) {
      int from = column * stride + k - 1;
      sum += (from >= 0 && from < width ? x[(d * height + row) * width + from] : 0.0f)
             * w[(c * depth + d) * 3 + k];
    }
  RESULT = sum;
}
"""
RESULT = "y[(c * out_height + row) * out_width + column]"


def canonical(result: str = RESULT, edit: tuple[str, str] = ("", "")) -> Function:
    text = PLANES.replace("RESULT", result).replace(*edit)
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    return canonicalise(kernel, (64, 1, 1), (None, None, None)).function


def test_lanes_go_on_from_row_to_row() -> None:
    text = show(pack_operands(canonical()))
    assert "vector for i32 column_of_strip in column_first .. column_end" in text
    assert "strips = column_width == out_width ? min(" in text
    assert "y[(block_z * out_height + strip) * out_width + column_of_strip] = sum" in text
    assert text.index("x_lanes[") < text.index("parallel for i32 block_z"), "once for all planes"


def test_rows_that_count_besides_stay_rows() -> None:
    text = show(pack_operands(canonical(edit=("= sum", "= sum + row"))))
    assert "x_lanes[" in text and "strip" not in text


def test_results_that_lie_along_the_other_lanes_are_packed_as_ever() -> None:
    text = show(pack_operands(canonical("y[(row * out_width + column) * gridDim.z + c]")))
    assert "x_lanes" not in text and "w_packed" in text


def test_what_the_kernel_writes_is_not_gathered() -> None:
    edit = ("? x[(d * height + row) * width + from]", "? y[(d * height + row) * width + from]")
    assert "_lanes[" not in show(pack_operands(canonical(edit=edit)))


def test_a_knob_turns_it_off() -> None:
    with chosen({"lane_gathering.lanes": 0}):
        assert "x_lanes" not in show(pack_operands(canonical()))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = generate(
        canonical(), extern_c=True, launch={"gridDim.x": 2, "gridDim.y": 5, "gridDim.z": 11, "blockDim.x": 64}
    )
    assert "scatter" not in made.text and "load_step_ps(" in made.text
    return build([made], Path(tmp_path_factory.mktemp("planes")), "planes")


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("rows", "columns"), [(5, 13), (1, 1), (3, 64), (5, 100), (4, 128)])
@pytest.mark.parametrize("depth", [1, 3])
def test_sums_at_all_sizes(library: Library, rows: int, columns: int, depth: int, stride: int) -> None:
    rng = np.random.default_rng(columns)
    width = columns * stride
    x = rng.integers(-4, 5, (depth, rows, width)).astype(np.float32)
    w = rng.integers(-4, 5, (11, depth, 3)).astype(np.float32)
    y = np.full((11, rows, columns), np.nan, np.float32)
    library.call("planes", x, w, y, *(np.int32(n) for n in (depth, rows, width, stride, rows, columns)))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    taken = np.stack([padded[:, :, k : k + width : stride] for k in range(3)])
    np.testing.assert_array_equal(y, np.einsum("kdrc,odk->orc", taken, w))


def test_columns_that_no_thread_covers_are_left_alone(library: Library) -> None:
    x, w = np.ones((1, 5, 140), np.float32), np.ones((11, 1, 3), np.float32)
    y = np.full((11, 5, 140), np.nan, np.float32)
    library.call("planes", x, w, y, *(np.int32(n) for n in (1, 5, 140, 1, 5, 140)))
    assert not np.isnan(y[:, :, :128]).any() and np.isnan(y[:, :, 128:]).all()
