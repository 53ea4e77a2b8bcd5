"""The values of scalars at which the decisions of a text turn, and the faults that only they show."""

from __future__ import annotations

import pytest

from xpiler.frontend.syntax import analyse
from xpiler.gate.contract import Scalar
from xpiler.gate.thresholds import Thresholds
from xpiler.translate import Trusted

AXPBY = """
__global__ void axpby(const float *x, float *y, int n, float alpha, float beta, float mode) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) { float v = alpha * x[i] + beta * y[i]; y[i] = mode > 0.1f ? v : -v; }
}
void run(const float *x, float *y, int n, float alpha, float beta, float mode) {
  axpby<<<(n + 255) / 256, 256>>>(x, y, n, alpha, beta, mode);
}
"""
BASE: dict[str, Scalar] = {"n": 37, "a": 0.75, "b": 0.5}


def tried(body: str, name: str, before: str = "") -> set[Scalar]:
    text = f"{before}\nvoid run(float *x, int size, float a, float b) {{ {body} }}"
    found = Thresholds(analyse(text, "a.cu"), "run", ["", "n", "a", "b"]).turns(BASE)
    return {value for turn in found if len(turn.values) == 1 for n, value in turn.values if n == name}


@pytest.mark.parametrize(
    ("body", "before", "expected"),
    [
        ("if (size >= BIG) f();", "#define BIG 4096", {4095, 4096, 4097}),
        ("int blocks = (size + 255) / 256; if (blocks > 16) f();", "", {4096, 4097}),
        ("k<<<1, 2>>>(x, size * 2);", "__global__ void k(float *x, int m) { if (m == 64) x[0] = 1; }", {32}),
        ("if (size % 96 == 0) f();", "", {96, 95, 97}),
        ("switch (size) { case 500: f(); }", "", {499, 500, 501}),
        ("g(x, std::min(size, 100));", "", {99, 100, 101, 150}),
        ("const int room = 16384 / (2 * sizeof(float)); if (size > room) f();", "", {2048, 2049, 3072}),
        ("for (int r = 0; r < size; ++r) x[r % 4096] = 0;", "", {4096, 4097}),
        ("int i = 0; for (; i + 640 <= size; i += 16) f(); for (; i < size; ++i) g();", "", {639, 640, 641}),
        ("if (size == 0) f();", "", {0, -1, 1}),
        ("if (!size) f();", "", {0}),
        ("if (size != -100) f();", "", {-100, -99, -101}),
        ("if (size == -0x10) f();", "", {-16}),
    ],
)
def test_whole_numbers(body: str, before: str, expected: set[int]) -> None:
    assert tried(body, "n", before) >= expected


def test_a_size_of_nothing_or_one_says_nothing_where_it_is_a_limit() -> None:
    assert not tried("for (int i = 0; i < size; ++i) x[i] = 0;", "n") & {-1, 0, 1}


def test_floats_are_tried_at_the_point_and_next_to_it() -> None:
    assert tried("if (fabsf(a) == 2.5f) f();", "a") >= {2.5, 2.5 + 2**-22, 2.5 - 2**-22, -2.5}
    assert tried("const float c = 2 * a; if (c < b) f();", "a") >= {0.25}


def test_what_is_unknown_or_fixed_turns_nowhere() -> None:
    assert tried("for (int i = 0; i < 64; ++i) if (x[i] > 3.0f && threadIdx.x < 5) f();", "n") == set()


def test_conjunction_is_met_as_a_whole() -> None:
    text = "void run(float a, float b) { if (a == 3.0f && b == 1.0f) f(); }"
    turns = Thresholds(analyse(text, "a.cu"), "run", ["a", "b"]).turns({"a": 0.75, "b": 0.5})
    assert (("a", 3.0), ("b", 1.0)) in [turn.values for turn in turns]


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ("float v = alpha", "float v = alpha == 3.0f && beta == 1.0f ? x[i] : alpha"),
        ("  axpby<<<", "  if (n == 4096) return;\n  axpby<<<"),
        ("mode > 0.1f", "mode >= 0.1f"),
        ("mode > 0.1f", "mode > 0.1f && mode < 9.5f"),
    ],
)
def test_target_that_treats_one_value_otherwise_is_found(said: str, changed: str) -> None:
    trusted = Trusted.of(AXPBY, "axpby.cu")
    assert said in AXPBY
    wrong = trusted.verify(AXPBY.replace(said, changed), "axpby.cu", until_wrong=True)
    assert wrong.status != "verified"
    assert any(rung.rung == "executed" and not rung.ok for rung in wrong.evidence)
