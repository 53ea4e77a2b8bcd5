"""Plain functions whose arrays are as long as what others hold says, for devices: the wrapper looks."""

import pytest

from xpiler.errors import Refusal
from xpiler.translate import translate_text

BAGS = """
extern "C" void bags(const float *table, const int *row, const int *at, float *y, int n, int d) {
    for (int b = 0; b < n; ++b)
        for (int c = 0; c < d; ++c) {
            float s = 0;
            for (int k = at[b]; k < at[b + 1]; ++k) s += table[row[k] * d + c];
            y[b * d + c] = s;
        }
}
"""


def test_a_wrapper_counts_what_row_starts_and_indices_reach() -> None:
    result = translate_text(BAGS, "bags.cpp", "cuda")
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert "const int64_t at_largest = largest_index(at, (int64_t)n + 1ll);" in result.text
    assert "const int64_t row_largest = largest_index(row, at_largest);" in result.text
    assert "const size_t table_bytes = (d * row_largest + d) * sizeof(float);" in result.text


def test_a_scatter_to_places_that_data_tell_is_copied_back_as_far_as_they_reach() -> None:
    text = """
    #include <stdint.h>
    extern "C" void spread(const float *x, const int64_t *place, float *y, int n) {
        for (int i = 0; i < n; ++i) y[place[i]] += x[i];
    }
    """
    result = translate_text(text, "spread.cpp", "bang")
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert "const size_t y_bytes = (place_largest + 1ll) * sizeof(float);" in result.text


def test_indices_that_the_function_changes_say_nothing() -> None:
    text = """
    extern "C" void moved(const float *x, int *place, float *y, int n) {
        for (int i = 0; i < n; ++i) place[i] = (place[i] * 5 + 3) & 63;
        for (int i = 0; i < n; ++i) y[i] = x[place[i]];
    }
    """
    with pytest.raises(Refusal) as refused:
        translate_text(text, "moved.cpp", "cuda")
    assert refused.value.diagnostic.code == "array-extent"


def test_a_function_that_reads_before_its_array_is_told_so_and_not_asked_for_a_size() -> None:
    text = """
    extern "C" void blur(const float *a, float *b, int n) {
        for (int i = 0; i < n; ++i) b[i] = a[i - 1] + a[i] + a[i + 1];
    }
    """
    with pytest.raises(Refusal) as refused:
        translate_text(text, "blur.cpp", "cuda")
    told = refused.value.diagnostic
    assert told.code == "out-of-bounds"
    assert "a[-1]" in told.message
    assert told.range is not None and told.range.line == 3
