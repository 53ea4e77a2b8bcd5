"""C++ functions that return a value or read tables of their file, for devices."""

import pytest

from xpiler.errors import Refusal
from xpiler.translate import translate_text

LARGEST = """
#include <stddef.h>
float largest(const float *x, size_t n) {
    if (n == 0) return 0.0f;
    float m = x[0];
    for (size_t i = 1; i < n; ++i) m = x[i] > m ? x[i] : m;
    return m;
}
"""

TABLES = """
struct Tap { int offset; float weight; };
static const Tap taps[3] = {{-1, 0.25f}, {0, 0.5f}, {2, 0.25f}};
extern "C" void blur(const float *x, float *y, int n) {
    static const float scale[2] = {1.0f, -2.0f};
    for (int i = 0; i < n; ++i) {
        float s = 0;
        for (int k = 0; k < 3; ++k) {
            int j = i + taps[k].offset;
            if (j >= 0 && j < n) s += taps[k].weight * x[j];
        }
        y[i] = s * scale[i % 2];
    }
}
"""


@pytest.mark.parametrize("to", ["cuda", "bang"])
def test_the_wrapper_returns_what_the_function_does(to: str) -> None:
    result = translate_text(LARGEST, "largest.cpp", to)
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert 'extern "C" float largest(const float *x, uint64_t n) {' in result.text
    assert result.text.endswith("    return result;\n}\n")


def test_nothing_is_proved_of_a_result_that_host_code_hands_back() -> None:
    result = translate_text(LARGEST, "largest.cpp", "cuda")
    (rung,) = [r for r in result.evidence if r.rung == "proved" and r.tool == "text read back"]
    assert rung.undecided
    assert "host code returns the result" in rung.detail


@pytest.mark.parametrize(
    "to, table",
    [
        ("cuda", "__constant__ float blur_kernel_scale[2] = {1.0f, -2.0f};"),
        ("bang", "static const uint32_t blur_kernel_taps[3][2] = {"),
    ],
)
def test_tables_come_along(to: str, table: str) -> None:
    result = translate_text(TABLES, "blur.cpp", to)
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert table in result.text


def test_a_table_that_is_computed_is_refused_for_cuda() -> None:
    text = """
    #include <math.h>
    static const float roots[2] = {sqrtf(2.0f), sqrtf(3.0f)};
    extern "C" void scaled(float *x, int n) { for (int i = 0; i < n; ++i) x[i] *= roots[i % 2]; }
    """
    with pytest.raises(Refusal) as refused:
        translate_text(text, "scaled.cpp", "cuda")
    assert refused.value.diagnostic.code == "table-value"
