"""Faults put into small right texts: each class by example, where it lies, the same ones for a seed."""

from __future__ import annotations

import pytest

from xpiler.bench.faults.anatomy import Anatomy
from xpiler.bench.faults.inject import all_faults, inject
from xpiler.bench.faults.model import CLASSES, apply, are_apart

CUDA = """\
#define INFINITE 3.4e38f
__global__ void rows(const float *x, float *y, int m, int n) {
  __shared__ float tile[64];
  int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row < m) {
    float sum = 0.0f;
    for (int k = 0; k < n; k += 1) {
      tile[threadIdx.x] = x[row * n + k];
      __syncthreads();
      sum += expf(tile[threadIdx.x] - INFINITE) / n;
    }
    atomicAdd(&y[row], sum);
  }
}

extern "C" void launch(const float *d_x, float *d_y, int m, int n) {
  cudaMemcpy(d_y, d_x, m * sizeof(float), cudaMemcpyHostToDevice);
  rows<<<(m + 63) / 64, 64>>>(d_x, d_y, m, n);
}
"""
BANG = """\
__mlu_entry__ void scale(float *y, const float *x, int n) {
  __nram__ float a[256];
  for (int i = taskId * 256; i < n; i += taskDim * 256) {
    int count = std::min<int>(256, n - i);
    __memcpy(a, x + i, count * sizeof(float), GDRAM2NRAM);
    __bang_mul_scalar(a, a, 2.0f, count);
    __memcpy(y + i, a, count * sizeof(float), NRAM2GDRAM);
  }
}
"""
VNNI = """\
#include <immintrin.h>
extern "C" void add(const float *x, const float *y, float *z, int n) {
  for (int i = 0; i < n; i += 16) {
    const __mmask16 lanes = n - i < 16 ? (__mmask16)((1u << (n - i)) - 1u) : 0xffff;
    const __m512 a = _mm512_maskz_loadu_ps(lanes, x + i), b = _mm512_loadu_ps(y + i);
    _mm512_mask_storeu_ps(z + i, lanes, _mm512_add_ps(a, b));
  }
}
"""


def anatomy(text: str, platform: str) -> Anatomy:
    file = {"cuda": "k.cu", "bang": "k.mlu", "vnni": "k.cpp"}[platform]
    return Anatomy.of(text, file, platform, (), {"n": 100})


def changes(text: str, platform: str, code: str) -> dict[str, set[tuple[str, str]]]:
    """By kind, what each fault of the class puts in place of which words."""
    found: dict[str, set[tuple[str, str]]] = {}
    for fault in all_faults(anatomy(text, platform), code):
        for edit in fault.edits:
            found.setdefault(fault.kind, set()).add((text[edit.start : edit.end], edit.text))
    return found


def test_threads_and_launches() -> None:
    found = changes(CUDA, "cuda", "P1")
    assert ("blockIdx.x", "threadIdx.x") in found["wrong builtin"]
    assert ("threadIdx.x", "threadIdx.y") in found["axes swapped"]
    assert ("blockIdx.x * blockDim.x + threadIdx.x", "threadIdx.x") in found["offset lost"]
    assert changes(BANG, "bang", "P1")["wrong builtin"] == {("taskId", "coreId"), ("taskDim", "coreDim")}
    launch = changes(CUDA, "cuda", "P3")
    assert launch["one block"] == {("(m + 63) / 64", "1")}
    assert ("m", "n") in launch["arguments swapped"] and ("n", "m") in launch["arguments swapped"]


def test_guards_and_loops() -> None:
    assert changes(CUDA, "cuda", "P2") == {
        "off by one": {("<", "<=")},
        "wrong extent": {("m", "n")},
        "guard missing": {("(row < m)", "(true)")},
    }
    assert changes(CUDA, "cuda", "L1")["first turn lost"] == {("0", "1")}
    assert ("n", "m") in changes(CUDA, "cuda", "L1")["wrong extent"]
    assert changes(VNNI, "vnni", "P2")["guard missing"] == {("n - i < 16", "true")}
    assert changes(CUDA, "cuda", "L2")["initialised in the loop"] == {("", "sum = 0.0f; ")}
    assert changes(CUDA, "cuda", "L2")["sum without what it had"] == {("+=", "=")}


def test_memory() -> None:
    host = changes(CUDA, "cuda", "M1")
    assert host["elements for bytes"] == {("m * sizeof(float)", "m")}
    assert host["copy the wrong way"] == {("cudaMemcpyHostToDevice", "cudaMemcpyDeviceToHost")}
    assert ("tile[threadIdx.x] = x[row * n + k];", ";") in host["tile not filled"]
    assert ("GDRAM2NRAM", "NRAM2GDRAM") in changes(BANG, "bang", "M1")["copy the wrong way"]
    assert changes(BANG, "bang", "M2")["array too large"] == {("256", "64 * (256)")}
    assert ("_mm512_loadu_ps", "_mm512_load_ps") in changes(VNNI, "vnni", "M2")[
        "aligned access to what is not"
    ]
    assert changes(CUDA, "cuda", "M3")["not initialised"] == {(" = 0.0f", "")}


def test_barriers_and_atomics() -> None:
    assert changes(CUDA, "cuda", "S1") == {
        "barrier missing": {("__syncthreads();", ";")},
        "barrier for some threads": {("__syncthreads();", "if (threadIdx.x < 16) __syncthreads();")},
    }
    assert changes(CUDA, "cuda", "S3")["atomic dropped"] == {("atomicAdd(&y[row], sum)", "y[row] += sum")}


def test_indices_instructions_and_numerics() -> None:
    assert ("n", "m") in changes(CUDA, "cuda", "I1")["another variable"]
    assert ("row * n + k", "row * n") in changes(CUDA, "cuda", "I1")["part of the index missing"]
    assert ("_mm512_add_ps", "_mm512_sub_ps") in changes(VNNI, "vnni", "T2")["wrong opcode"]
    assert ("count", "(count) - 1") in changes(BANG, "bang", "T2")["wrong length"]
    assert ("expf", "exp2f") in changes(CUDA, "cuda", "N1")["wrong function"]
    whole = "expf(tile[threadIdx.x] - INFINITE) / n"
    assert (whole, whole[: -len(" / n")]) in changes(CUDA, "cuda", "N1")["division missing"]
    assert changes(CUDA, "cuda", "G1")["extent hard-coded"] == {("n", "100")}
    assert ("int", "short") in changes(CUDA, "cuda", "N2")["index of 16 bits"]


@pytest.mark.parametrize("text, platform", [(CUDA, "cuda"), (BANG, "bang"), (VNNI, "vnni")])
def test_every_fault_lies_where_the_truth_says(text: str, platform: str) -> None:
    """The lines of the truth are those that differ, or stand beside what is missing."""
    parsed = anatomy(text, platform)
    for code in CLASSES:
        for fault in all_faults(parsed, code):
            made = apply(text, (fault,))
            (truth,) = made.faults
            lines, before = made.text.split("\n"), text.split("\n")
            assert len(lines) == len(before) and made.text != text
            changed = [n for n, (a, b) in enumerate(zip(lines, before, strict=True), 1) if a != b]
            assert all(any(place.overlaps(n, n) for place in truth.lines) for n in changed), fault


def test_a_macro_is_changed_where_it_is_used() -> None:
    assert ("INFINITE", "1.0f") not in changes(CUDA, "cuda", "N1").get("another constant", set())
    texts = [
        apply(CUDA, (fault,)).text for code in CLASSES for fault in all_faults(anatomy(CUDA, "cuda"), code)
    ]
    assert all(text.startswith("#define INFINITE 3.4e38f\n") for text in texts)


def test_a_seed_gives_the_same_faults_apart_from_one_another() -> None:
    parsed = anatomy(CUDA, "cuda")
    first = inject(parsed, ("I1", "M3", "S1"), 7)
    assert first is not None and first == inject(parsed, ("I1", "M3", "S1"), 7)
    assert [fault.code for fault in first.faults] == ["I1", "M3", "S1"]
    others = {inject(parsed, ("I1",), seed) for seed in range(20)}
    assert len(others) > 5
    faults = all_faults(parsed, "S1")
    assert not are_apart((faults[0], faults[1]))


def test_a_class_that_a_text_cannot_have_gives_way_to_the_next() -> None:
    found = inject(anatomy(VNNI, "vnni"), ("S2",), 0)
    assert found is not None and found.faults[0].code == "L1"
