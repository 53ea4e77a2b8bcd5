"""Powers of two put together from bits are `exp2` where the exponent is shown to be a normal number's."""

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

POWER = """
#include <immintrin.h>
extern "C" void power(const float *x, float *y) {
    __m512 v = _mm512_loadu_ps(x);
    LIMITS
    const __m512i e = _mm512_add_epi32(_mm512_cvtps_epi32(v), _mm512_set1_epi32(127));
    _mm512_storeu_ps(y, _mm512_castsi512_ps(_mm512_slli_epi32(e, 23)));
}
"""
LIMITED = "v = _mm512_min_ps(_mm512_max_ps(v, _mm512_set1_ps(-100.0f)), _mm512_set1_ps(100.0f));"


def canonical(limits: str) -> str:
    (kernel,) = parse(POWER.replace("LIMITS", limits), "f.cpp", platform="vnni").program.kernels
    return show(canonicalise(kernel).function)


def test_a_limited_exponent_is_one_of_exp2() -> None:
    shown = canonical(LIMITED)
    assert "exp2(rint(" in shown
    assert "<< 23" not in shown


def test_an_exponent_of_any_size_stays_as_it_is() -> None:
    assert "exp2" not in canonical("")
