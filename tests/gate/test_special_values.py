"""What the evidence says of infinities and NaN."""

from __future__ import annotations

import pytest

from xpiler.translate import Trusted

RELU = """
__global__ void relu(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] > 0.0f ? x[i] : 0.0f;
}
void run(const float *x, float *y, int n) { relu<<<(n + 255) / 256, 256>>>(x, y, n); }
"""


@pytest.mark.parametrize(
    ("changed", "undecided", "said"),
    [
        ("x[i] > 0.0f ? x[i] : 0.0f", False, "passed on alike"),
        ("fmaxf(x[i], 0.0f)", False, "passed on alike"),
        ("x[i] < 0.0f ? 0.0f : x[i]", True, "expected 0, got nan"),
    ],
)
def test_nan_is_passed_on_or_the_evidence_says_that_it_is_not(
    changed: str, undecided: bool, said: str
) -> None:
    trusted = Trusted.of(RELU, "relu.cu")
    result = trusted.verify(RELU.replace("x[i] > 0.0f ? x[i] : 0.0f", changed), "relu.cu")
    (rung,) = [rung for rung in result.evidence if rung.rung == "special"]
    assert (rung.undecided, result.status) == (undecided, "verified")
    assert said in rung.detail


@pytest.mark.parametrize("changed", ["x[i] * 2.0f", "isinf(x[i]) ? 0.0f : x[i] * 2.0f"])
def test_answer_to_a_question_of_the_source_decides(changed: str) -> None:
    text = RELU.replace("x[i] > 0.0f ? x[i] : 0.0f", "isnan(x[i]) ? 0.0f : x[i] * 2.0f")
    trusted = Trusted.of(text, "relu.cu")
    assert trusted.verify(text, "relu.cu", until_wrong=True).status == "verified"
    wrong = text.replace("isnan(x[i]) ? 0.0f : x[i] * 2.0f", changed)
    assert trusted.verify(wrong, "relu.cu", until_wrong=True).status == "unverified"


def test_nothing_is_said_of_what_holds_no_floats() -> None:
    text = RELU.replace("float", "int").replace("0.0f", "0")
    result = Trusted.of(text, "relu.cu").verify(text, "relu.cu")
    assert result.status == "verified"
    assert not any(rung.rung == "special" for rung in result.evidence)


def test_a_factor_of_zero_is_tried_for_it_takes_no_nan_away() -> None:
    text = RELU.replace("float *y, int n)", "float *y, float b, int n)").replace("(x, y, n)", "(x, y, b, n)")
    text = text.replace("x[i] > 0.0f ? x[i] : 0.0f", "x[i] == 0.5f ? 0.5f : x[i] + b * y[i]")
    trusted = Trusted.of(text, "add.cu")
    result = trusted.verify(text.replace("b * y[i]", "(b == 0.0f ? 0.0f : b * y[i])"), "add.cu")
    (rung,) = [rung for rung in result.evidence if rung.rung == "special"]
    assert rung.undecided
    assert "at b=0.0" in rung.detail


@pytest.mark.parametrize("written", ["i < n", "i < n && i % 4 != 3"])
def test_nothing_shows_of_an_array_that_the_source_does_not_look_at(written: str) -> None:
    text = RELU.replace("float *y, int n)", "float *y, float b, int n)").replace("(x, y, n)", "(x, y, b, n)")
    text = text.replace("i < n", written)
    text = text.replace("x[i] > 0.0f ? x[i] : 0.0f", "b == 0.0f ? x[i] : x[i] + b * y[i]")
    trusted = Trusted.of(text, "add.cu")
    result = trusted.verify(text.replace("b == 0.0f ? x[i] : ", ""), "add.cu")
    (rung,) = [rung for rung in result.evidence if rung.rung == "special"]
    assert not rung.ok and not rung.undecided and result.status == "unverified"
    assert "b=0.0" in rung.detail and "y all NaN, which the source does not look at" in rung.detail
    assert trusted.verify(text, "add.cu").status == "verified"


def test_a_limit_below_another_one_says_nothing_of_what_is_looked_at() -> None:
    """At lo=0.75 and hi=0.625, or 0, all results are hi, also those of NaN: `fmaxf` takes the number."""
    text = RELU.replace("int n)", "float lo, float hi, int n)").replace("(x, y, n)", "(x, y, lo, hi, n)")
    text = text.replace("x[i] > 0.0f ? x[i] : 0.0f", "fminf(fmaxf(x[i], lo), hi)")
    trusted = Trusted.of(text, "clamp.cu")
    changed = "x[i] != x[i] ? x[i] : fminf(fmaxf(x[i], lo), hi)"
    result = trusted.verify(text.replace("fminf(fmaxf(x[i], lo), hi)", changed), "clamp.cu")
    (rung,) = [rung for rung in result.evidence if rung.rung == "special"]
    assert (rung.undecided, result.status) == (True, "verified")


def test_an_integer_made_of_what_a_factor_of_zero_takes_away_is_not_unread() -> None:
    text = RELU.replace("float *y, int n)", "int *y, float b, int n)").replace("(x, y, n)", "(x, y, b, n)")
    text = text.replace("x[i] > 0.0f ? x[i] : 0.0f", "__float2int_rn(x[i] * b)")
    other = text.replace("__float2int_rn(x[i] * b)", "x[i] != x[i] ? -7 : __float2int_rn(x[i] * b)")
    result = Trusted.of(text, "round.cu").verify(other, "round.cu")
    (rung,) = [rung for rung in result.evidence if rung.rung == "special"]
    assert (rung.undecided, result.status) == (True, "verified")
