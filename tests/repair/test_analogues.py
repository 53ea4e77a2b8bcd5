"""What a statement is in a place like its own is the likeliest change of it."""

from __future__ import annotations

from tests.repair.changed import changed

TEXT = """extern "C" void f(const float *x, float *y, int n) {
  for (int i = 0; i < n - n % 2; i += 2) {
    float v_1 = fminf(x[i], 88.0f);
    float w_1 = v_1 * 1.442695f;
    float r_1 = rintf(w_1);
    y[i] = r_1 - v_1;
  }
  for (int j = n - n % 2; j < n; ++j) {
    float v_2 = fminf(x[j], 88.0f);
    float w_2 = v_2 * 1.442695f;
    float r_2 = rintf(w_2);
    y[j] = r_2 - v_2;
  }
}
"""


def elsewhere(text: str) -> list[str]:
    return [made for made, kind in changed(text, "f.cpp").items() if kind.endswith("as elsewhere")]


def test_what_the_other_copy_says_is_offered_with_the_names_of_this_one() -> None:
    for right, wrong in (
        ("w_1 = v_1 * 1.442695f", "w_1 = v_1"),
        ("w_2 = v_2 * 1.442695f", "w_2 = v_2 * 1.442695f * 2.0f"),
        ("v_2 = fminf(x[j], 88.0f)", "v_2 = fminf(x[j], 80.0f)"),
        ("y[j] = r_2 - v_2", "y[j] = r_2 + v_2"),
    ):
        assert TEXT in elsewhere(TEXT.replace(right, wrong)), wrong


def test_copies_that_say_the_same_offer_nothing() -> None:
    assert elsewhere(TEXT) == []


def test_a_loop_is_counted_as_another_one_whose_head_is_the_same_but_for_a_part() -> None:
    text = """extern "C" void f(float *x, int n) {
  for (int m = 16; m > 0; m /= 2) x[0] += x[m];
  for (int k = 16; k > 0; k /= 2) x[1] *= x[k];
}
"""
    for right, wrong in (("k = 16", "k = 24"), ("m > 0", "m > 3"), ("k /= 2", "k /= 5")):
        assert text in elsewhere(text.replace(right, wrong)), wrong
