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


COUNT = """void count(int *n, const int *in, int size) {
    #pragma omp parallel for
    for (int i = 0; i < size; i++) {
        n[0] += in[i];
    }
}
"""


def test_an_update_by_all_iterations_is_made_atomic() -> None:
    report = check_unit(parse(COUNT, "k.cpp", platform="vnni"), Options(fixes=True))
    fix = next(f.fixes[0] for f in report.findings if f.code == "XP-RACE")
    assert fix.title == "insert `#pragma omp atomic` before line 4"
    assert "        #pragma omp atomic\n        n[0] +=" in apply(COUNT, fix.edits)


def test_iterations_that_read_and_write_alike_have_no_barrier_to_add() -> None:
    text = COUNT.replace("n[0] += in[i]", "n[0] = n[0] * 2 + in[i]")
    report = check_unit(parse(text, "k.cpp", platform="vnni"), Options(fixes=True))
    fixes = [f.fixes for f in report.findings if f.code == "XP-RACE"]
    assert fixes and not any(fixes)


CORES = """__mlu_shared__ float part[4];
__mlu_entry__ void sum(float *out, const float *in) {
  part[coreId] = in[taskId];
  if (coreId == 0) out[clusterId] = part[0] + part[1] + part[2] + part[3];
}
"""
CLUSTERS = """__mlu_entry__ void sum(float *out, const float *in, float *ws) {
  if (__is_mpu()) return;
  ws[taskId] = in[taskId] * 2.0f;
  if (taskId == 0) out[0] = ws[taskDim - 1];
}
"""
LAUNCH = """void run({0}, cnrtQueue_t queue) {{
  cnrtDim3_t dim = {{8, 1, 1}};
  sum<<<dim, cnrtFuncTypeUnion2, queue>>>({1});
}}
"""
TWO = LAUNCH.format("float *out, const float *in", "out, in")
THREE = LAUNCH.format("float *out, const float *in, float *ws", "out, in, ws")


@pytest.mark.parametrize(
    ("text", "barrier"),
    [
        (CORES + TWO, "__sync_cluster();"),
        (CLUSTERS + THREE, "__sync_all_ipu();"),
        (CLUSTERS.replace("if (__is_mpu()) return;", "") + THREE, "__sync_all();"),
    ],
    ids=["cluster", "all", "with the memory core"],
)
def test_tasks_of_an_mlu_are_ordered_by_a_barrier_of_theirs(text: str, barrier: str) -> None:
    report = check_unit(parse(text, "k.mlu", platform="bang"), Options(fixes=True))
    fix = next(f.fixes[0] for f in report.findings if f.code == "XP-RACE")
    assert fix.title == f"insert `{barrier}` before line 4"
    assert check_unit(parse(apply(text, fix.edits), "k.mlu", platform="bang")).kernels[0].status == "clean"


def test_nothing_is_offered_where_no_edit_helps() -> None:
    text = "__global__ void f(float* a) { a[0] = threadIdx.x; }\n"
    report = check_unit(parse(text, "k.cu"), Options(fixes=True))
    assert report.findings[0].code == "XP-RACE" and not report.findings[0].fixes
