"""Arrays of which host code reads elements: contents with which it launches, and what is verified."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.gate.contract import Values
from xpiler.gate.host_arrays import host_arrays
from xpiler.translate import translate_text, verify_text

SCALE = """
__global__ void scale(const float *x, float *y, int n) {
    int i = blockIdx.x * 32 + threadIdx.x;
    if (i < n) y[i] = x[i] * n;
}
"""
BY_ROW_STARTS = """
void parts(const float *x, float *y, const int *first, int count) {
    for (int p = 0; p < count; ++p) {
        int n = first[p + 1] - first[p];
        scale<<<(n + 31) / 32, 32>>>(x + first[p], y + first[p], n);
    }
}
"""
BY_LENGTHS = """
void parts(const float *x, float *y, const long *length, int count) {
    for (int p = 0, start = 0; p < count; ++p) {
        const int n = length[p];
        if (n) scale<<<(n + 31) / 32, 32>>>(x + start, y + start, n);
        start += n;
    }
}
"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("k<<<first[p + 1] - first[p], 1>>>(x);", Values("growing", 0, 8)),
        ("k<<<first[ p ], 1>>>(x);", Values("lengths", 0, 8)),
        ("first[0] = 3; k<<<first[0], 1>>>(x);", None),  # it says itself what is in there
        ("cudaMemcpy(first, y, 4, cudaMemcpyDefault); k<<<first[0], 1>>>(x);", None),  # somebody else may
        ("k<<<1, 1>>>(first, &first[4]);", None),
    ],
)
def test_what_host_code_reads(body: str, expected: Values | None) -> None:
    text = f"__global__ void k(int *x);\nvoid f(int *x, int *first, int p) {{ {body} }}\n"
    functions = parse(text, "f.cu").host_functions
    found = host_arrays(functions[0].params, functions)
    assert found == ({} if expected is None else {"first": expected})


@pytest.mark.parametrize("host", [BY_ROW_STARTS, BY_LENGTHS])
@pytest.mark.parametrize("to", ["hip", "bang"])
def test_parts_whose_lengths_an_array_holds_are_verified(host: str, to: str) -> None:
    result = translate_text(SCALE + host, "parts.cu", to)
    (entry,) = result.entries
    assert entry.status == "verified", result.evidence
    assert not result.diagnostics or all(d.severity == "note" for d in result.diagnostics)


@pytest.mark.parametrize("host", [BY_ROW_STARTS, BY_LENGTHS])
def test_a_launch_that_no_longer_looks_whether_a_part_is_empty_is_refused(host: str) -> None:
    guarded = host.replace("        scale<", "        if (n) scale<")
    target = translate_text(SCALE + guarded, "parts.cu", "hip").text.replace("if (n) scale<", "scale<")
    result = verify_text(SCALE + guarded, "parts.cu", target, "parts.hip")
    (failed,) = [rung for rung in result.evidence if rung.ok is False]
    assert "empty parts in" in failed.detail
