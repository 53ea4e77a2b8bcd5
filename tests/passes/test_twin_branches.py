"""A statement that stands in both branches of a condition."""

from __future__ import annotations

import re

import pytest

from xpiler.backend.vnni import generate
from xpiler.frontend import parse
from xpiler.ir.nodes import If
from xpiler.ir.rewrite import walk
from xpiler.passes.canonical import canonicalise
from xpiler.passes.twin_branches import merge_twins

TWINS = """\
void scale(const float *x, float *y, int n) {
  if (n >= 4096) {
#pragma omp parallel for
    for (int i = 0; i < n; ++i) y[i] = 2 * x[i];
  } else {
    for (int j = 0; j < n; ++j) y[j] = FACTOR * x[j];
  }
}
"""


@pytest.mark.parametrize(("factor", "branches"), [("2", 0), ("3", 1)])
def test_a_loop_with_threads_and_its_copy_without_are_one(factor: str, branches: int) -> None:
    (kernel,) = parse(TWINS.replace("FACTOR", factor), "scale.cpp", platform="vnni").program.kernels
    assert sum(isinstance(node, If) for node in walk(merge_twins(kernel).body)) == branches


@pytest.mark.parametrize("letters", range(36, 44))
def test_the_copies_that_are_printed_name_the_same_values(letters: int) -> None:
    """A long value gets a name; what tells the names of the copies apart does not make it longer."""
    array = "x" * letters
    source = f"""
    __global__ void copy(const float *{array}, float *y, int rows, int n) {{
      int row = blockIdx.x;
      if (row >= rows) return;
      for (int i = threadIdx.x; i < n; i += blockDim.x) y[row * n + i] = {array}[row * n + i];
    }}"""
    (kernel,) = parse(source, "copy.cu").program.kernels
    text = generate(canonicalise(kernel, (64, 1, 1)).function).text
    one, other = (_loops(part) for part in text.split("} else {"))
    assert one == other and one, text


def _loops(text: str) -> list[str]:
    """The lines with vectors, without the numbers that tell names apart."""
    lines = " ".join(line.strip() for line in text.splitlines())
    return [re.sub(r"_\d+\b", "", part) for part in re.split("[;{}]", lines) if "_mm512" in part]
