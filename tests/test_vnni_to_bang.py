"""C++ with AVX-512, and plain C, to BANG C: verified, and in the terms of the MLU."""

import pytest

from xpiler.translate import translate_text

ADD = """
#include <immintrin.h>
extern "C" void add(const float *a, const float *b, float *c, int n) {
    int i = 0;
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_ps(c + i, _mm512_add_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i)));
    if (i < n) {
        const __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
        const __m512 left = _mm512_maskz_loadu_ps(rest, a + i), right = _mm512_maskz_loadu_ps(rest, b + i);
        _mm512_mask_storeu_ps(c + i, rest, _mm512_add_ps(left, right));
    }
}
"""


def test_a_plain_function_is_verified_and_copies_its_arrays() -> None:
    text = """
    extern "C" void twice(const float *x, float *y, int n) { for (int i = 0; i < n; ++i) y[i] = x[i] + x[i]; }
    """
    result = translate_text(text, "twice.cpp", "bang")
    assert result.status == "verified", result.entries
    assert result.text is not None
    assert "__bang_add(" in result.text
    assert "const size_t y_bytes = (int64_t)n * sizeof(float);" in result.text
    assert "cnrtMemcpy(y, y_mlu, y_bytes, cnrtMemcpyDevToHost);" in result.text


def test_vectors_with_a_masked_tail_are_verified() -> None:
    result = translate_text(ADD, "add.cpp", "bang")
    assert result.status == "verified", result.entries


@pytest.mark.parametrize("target", ["cuda", "hip"])
def test_a_function_becomes_a_kernel_and_a_wrapper_of_its_name(target: str) -> None:
    result = translate_text(ADD, "add.cpp", target)
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert "__global__" in result.text and "void add_kernel(" in result.text
    assert 'extern "C" void add(const float *' in result.text


def test_an_array_may_be_as_long_as_the_shorter_of_two_lengths() -> None:
    text = """
    extern "C" void meet(const float *x, float *y, int n, int m) {
        for (int i = 0; i < (n < m ? n : m); ++i) y[i] = x[i] * 2.0f;
    }
    """
    result = translate_text(text, "meet.cpp", "bang")
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert "std::min<" in result.text
