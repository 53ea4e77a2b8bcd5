"""Fixes that are offered: the edited text is clean."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.symbolic.check import Options, check_unit
from xpiler.symbolic.fixes import apply

MISSING = """__global__ void turn(float* a) {
  __shared__ float s[64];
  s[threadIdx.x] = a[threadIdx.x];
  a[threadIdx.x] = s[63 - threadIdx.x];
}
"""
IN_LOOP = """__global__ void sum(float* a) {
  __shared__ float s[128];
  int t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  for (int k = 64; k > 0; k /= 2) {
    if (t < k) s[t] += s[t + k];
  }
  if (t == 0) a[0] = s[0];
}
"""
GUARD = """__global__ void twice(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > n) return;
  a[i] *= 2;
}
"""
BRANCH = """__global__ void turn(float* a, int n) {
  __shared__ float s[64];
  int t = threadIdx.x;
  if (t < 32) {
    s[t] = a[t];
    __syncthreads();
  }
  a[t] = s[t / 2];
}
"""


@pytest.mark.parametrize(
    ("text", "code", "title", "line"),
    [
        (
            MISSING,
            "XP-RACE",
            "insert `__syncthreads();` before line 4",
            "  __syncthreads();\n  a[threadIdx.x] =",
        ),
        (
            IN_LOOP,
            "XP-RACE",
            "insert `__syncthreads();` at the end of the loop",
            "k];\n    __syncthreads();\n  }",
        ),
        (GUARD, "XP-BOUNDS", "compare with `>=` in line 3", "if (i >= n) return;"),
        (BRANCH, "XP-DIVERGENCE", "move the barrier behind the `if` of line 4", "  }\n  __syncthreads();\n"),
    ],
    ids=["missing", "loop", "guard", "branch"],
)
def test_a_fix_that_was_tried_is_offered(text: str, code: str, title: str, line: str) -> None:
    report = check_unit(parse(text, "k.cu"), Options(fixes=True))
    fix = next(f.fixes[0] for f in report.findings if f.code == code)
    assert fix.title == title
    edited = apply(text, fix.edits)
    assert line in edited
    assert check_unit(parse(edited, "k.cu")).kernels[0].status == "clean"


def test_nothing_is_offered_where_no_edit_helps() -> None:
    text = "__global__ void f(float* a) { a[0] = threadIdx.x; }\n"
    report = check_unit(parse(text, "k.cu"), Options(fixes=True))
    assert report.findings[0].code == "XP-RACE" and not report.findings[0].fixes
