"""Loops over lanes, as vector code has them, become loops over elements."""

from dataclasses import replace

from xpiler.frontend import parse
from xpiler.ir.affine import digits, linear
from xpiler.ir.build import add, mul, sub, var
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.simt_prepare import prepare


def prepared(text: str) -> str:
    (function,) = parse(text, "lanes.cpp", platform="vnni").program.kernels
    params = tuple(replace(p, is_restrict=p.is_pointer) for p in function.params)
    return show(prepare(canonicalise(replace(function, params=params)).function))


def test_masked_tiles_become_one_loop():
    shown = prepared(
        "#include <immintrin.h>\n"
        'extern "C" void twice(const float *x, float *y, int n) {\n'
        "  for (int i = 0; i < n; i += 16) {\n"
        "    const __mmask16 m = n - i >= 16 ? 0xffff : (1 << (n - i)) - 1;\n"
        "    const __m512 v = _mm512_maskz_loadu_ps(m, x + i);\n"
        "    _mm512_mask_storeu_ps(y + i, m, _mm512_add_ps(v, v));\n"
        "  }\n}\n"
    )
    assert "parallel for i32 i in 0 .. n {" in shown
    assert "lane" not in shown


def test_sums_of_lanes_become_one_sum():
    shown = prepared(
        "#include <immintrin.h>\n"
        'extern "C" void sums(const float *x, float *y, int rows) {\n'
        "  for (int r = 0; r < rows; ++r) {\n"
        "    __m512 sum = _mm512_setzero_ps();\n"
        "    for (int c = 0; c < 64; c += 16) sum = _mm512_add_ps(sum, _mm512_loadu_ps(x + r * 64 + c));\n"
        "    y[r] = _mm512_reduce_add_ps(sum);\n"
        "  }\n}\n"
    )
    assert "for i32 c in 0 .. 64 {\n      sum_1 += x[" in shown
    assert "[16]" not in shown


def test_a_row_of_unknown_length_is_the_next_digit():
    oy, ox, c = (var(n) for n in ("oy", "ox", "c"))
    width, channels, height = var("width"), var("channels"), var("height")
    index = add(mul(add(mul(oy, width), ox), channels), c)
    ranges = {name: (0, sub(size, 1)) for name, size in (("oy", height), ("ox", width), ("c", channels))} | {
        "width": (1, None),
        "channels": (1, None),
        "height": (1, None),
    }
    found = digits(linear(index, ranges), ranges)
    assert found is not None
    assert [d.variable for d in found] == ["oy", "ox", "c"]


def test_iterations_that_store_two_vectors_are_independent():
    shown = prepared(
        "#include <immintrin.h>\n"
        'extern "C" void both(const float *x, float *y) {\n'
        "  for (int i = 0; i < 1024; i += 32) {\n"
        "    const __m512 low = _mm512_loadu_ps(x + i), high = _mm512_loadu_ps(x + i + 16);\n"
        "    _mm512_storeu_ps(y + i, _mm512_add_ps(low, low));\n"
        "    _mm512_storeu_ps(y + i + 16, _mm512_mul_ps(high, high));\n"
        "  }\n}\n"
    )
    assert shown.splitlines()[1].startswith("  parallel for i32 i")
