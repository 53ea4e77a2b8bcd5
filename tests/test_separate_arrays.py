"""When the host code shows that the arrays of a kernel are not one another."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.routes.separate_arrays import with_separate_arrays

TEXT = """\
__global__ void scale(const float *x, float *y, int n) {
  for (int i = blockIdx.x * 64 + threadIdx.x; i < n; i += 64 * gridDim.x) y[i] = 2 * x[i];
}
void run(const float *x, float *y, int n) {
  float *a = nullptr, *b, *c;
  cudaMalloc((void **)&a, n * sizeof(float));
  cudaMalloc(&b, n * sizeof(float));
  EDIT
  scale<<<8, 64>>>(ARGUMENTS, n);
}
"""


def separate(arguments: str = "a, b", edit: str = "") -> bool:
    unit = parse(TEXT.replace("ARGUMENTS", arguments).replace("EDIT", edit), "scale.cu", platform="cuda")
    (kernel,) = unit.program.kernels
    return all(p.is_restrict for p in with_separate_arrays(unit, kernel).params if p.is_pointer)


def test_allocations_of_their_own_are_separate_arrays() -> None:
    assert separate()


@pytest.mark.parametrize(
    "arguments, edit",
    [
        ("a, a", ""),  # in place
        ("a, a + 64", ""),
        ("a, c", "c = a;"),
        ("a, b", "b = a;"),
        ("a, b", "if (n < 64) { cudaFree(b); float *b = a; }"),
        ("a, b", "++b;"),
        ("a, b", "float *&other = b; other = a;"),
        ("a, y", ""),  # what the caller gives
        ("a, b", "scale<<<8, 64>>>(a, a, n);"),  # another launch
    ],
)
def test_other_arguments_may_be_one_array(arguments: str, edit: str) -> None:
    assert not separate(arguments, edit)


def test_arrays_on_an_mlu_are_told_by_their_allocations_too() -> None:
    text = """\
__mlu_entry__ void twice(const float *x, float *y, int n) {
  for (int i = taskId; i < n; i += taskDim) y[i] = 2 * x[i];
}
void run(const float *x, float *y, int n) {
  float *a, *b;
  cnrtMalloc((void **)&a, n * sizeof(float));
  cnrtMalloc((void **)&b, n * sizeof(float));
  cnrtQueue_t queue;
  cnrtDim3_t tasks = {4, 1, 1};
  twice<<<tasks, cnrtFuncTypeBlock, queue>>>(a, ARGUMENT, n);
}
"""
    for argument, separate in (("b", True), ("a", False)):
        unit = parse(text.replace("ARGUMENT", argument), "twice.mlu", platform="bang")
        (kernel,) = unit.program.kernels
        found = [p.is_restrict for p in with_separate_arrays(unit, kernel).params if p.is_pointer]
        assert found == [separate, separate]
