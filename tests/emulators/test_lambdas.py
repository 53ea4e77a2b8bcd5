"""Lambdas for devices: where each is written is known where it comes to a launch."""

from __future__ import annotations

import pytest

from xpiler.emulators.host import prepare
from xpiler.emulators.rewrite_lambdas import PLACES, place_of
from xpiler.translate import translate_text

TWO = """template <class F> __global__ void each(const float* x, float* y, int n, F f) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = f(x[i]);
}
template <class F> void map(const float* x, float* y, int n, F f) {
  each<<<(n + 127) / 128, 128>>>(x, y, n, f);
}
extern "C" void squares_and_halves(const float* x, float* y, float* z, int n) {
  map(x, y, n, [] __device__(float v) { return v * v; });
  map(x, z, n, [] __device__(float v) { return v * 0.5f; });
}
extern "C" void negated(const float* x, float* y, int n) {
  map(x, y, n, [] __host__ __device__(float v) -> float { return -v; });
}
"""


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        (
            "map(x, [a, k = f(1)] __device__(int i) mutable -> int { if (i) { return a; } return k; });",
            "map(x, ::xpemu::lambda_at<__LINE__ * 16 + 0>([a, k = f(1)] __device__(int i) mutable -> int "
            "{ if (i) { return a; } return k; }));",
        ),
        ("extern __shared__ float s[];\n__device__ int f();", None),
        ("#define SQUARE [] __device__(float v) { return v * v; }\n", None),
        ("auto f = [&](int i) { return v[i]; };", None),
    ],
)
def test_a_lambda_says_where_it_is_written(text: str, prepared: str | None) -> None:
    if prepared is None:
        assert "lambda_at" not in prepare(text, "x.cu", "cuda")
    else:
        assert prepare(text, "x.cu", "cuda") == prepared


def test_lambdas_of_one_line_have_places_of_their_own() -> None:
    text = "\ng([] __device__(int i) {}, [] __device__(int i) {});"
    starts = [at for at, char in enumerate(text) if char == "["]
    assert [place_of(text, at) for at in starts] == [2 * PLACES, 2 * PLACES + 1]


def test_lambdas_of_one_signature_are_told_apart() -> None:
    """None of them captures anything, so that launches of all of them have the same arguments."""
    result = translate_text(TWO, "lambdas.cu", "vnni")
    assert {e.name: e.status for e in result.entries} == {
        "squares_and_halves": "verified",
        "negated": "verified",
    }
