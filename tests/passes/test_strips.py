"""Loops of vector code become the loops over elements that they are."""

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Binary, Function
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.passes.canonical import canonicalise

HEADER = "#include <immintrin.h>\n"


def canonical(text: str, **more: np.ndarray) -> Function:
    (kernel,) = parse(HEADER + text, "f.cpp", platform="vnni").program.kernels

    def check(before: Function, after: Function, name: str) -> str:
        assert not mixed(after), (name, show(after))
        for n in (1, 15, 16, 37):
            results = []
            for function in (before, after):
                x = np.arange(1, 41, dtype=np.float32)
                y = np.zeros(40, np.float32)
                result = run(function, {"x": x, "y": y, "n": n, **more})
                assert not result.errors, (name, result.errors)
                results.append(y)
            assert np.allclose(*results), name
        return ""

    return canonicalise(kernel, check=check).function


def mixed(function: Function) -> list[Binary]:
    """Comparisons of numbers of two types, which there are none of."""
    compared = (n for n in walk(function.body) if isinstance(n, Binary) and n.op in ("<", "<=", ">", ">="))
    return [node for node in compared if node.left.dtype != node.right.dtype]


def body(text: str) -> list[str]:
    return [line.strip() for line in show(canonical(text)).splitlines()[1:-1]]


def test_a_masked_rest_joins_the_whole_strips() -> None:
    assert body("""
    extern "C" void twice(const float *x, float *y, int n) {
        int i = 0;
        for (; i + 16 <= n; i += 16) {
            const __m512 v = _mm512_loadu_ps(x + i);
            _mm512_storeu_ps(y + i, _mm512_add_ps(v, v));
        }
        if (i < n) {
            const __mmask16 m = (__mmask16)((1u << (n - i)) - 1);
            const __m512 v = _mm512_maskz_loadu_ps(m, x + i);
            _mm512_mask_storeu_ps(y + i, m, _mm512_add_ps(v, v));
        }
    }
    """) == ["parallel for i32 i_1 in 0 .. n {", "y[(i64)i_1] = x[(i64)i_1] + x[(i64)i_1];", "}"]


def test_a_scalar_rest_joins_though_its_products_are_rounded_twice() -> None:
    shown = body("""
    extern "C" void affine(const float *x, float *y, int n) {
        int i = 0;
        for (; i <= n - 16; i += 16)
            _mm512_storeu_ps(y + i, _mm512_fmadd_ps(_mm512_loadu_ps(x + i), _mm512_set1_ps(2.0f),
                                                    _mm512_set1_ps(1.0f)));
        for (; i < n; ++i) y[i] = x[i] * 2.0f + 1.0f;
    }
    """)
    assert shown == [
        "parallel for i32 i_1 in 0 .. n {",
        "y[(i64)i_1] = fma(x[(i64)i_1], 2.0f, 1.0f);",
        "}",
    ]


def test_a_rest_that_does_something_else_stays() -> None:
    shown = body("""
    extern "C" void odd(const float *x, float *y, int n) {
        int i = 0;
        for (; i + 16 <= n; i += 16) _mm512_storeu_ps(y + i, _mm512_loadu_ps(x + i));
        for (; i < n; ++i) y[i] = x[i] + 1.0f;
    }
    """)
    assert "y[(i64)i_1] = x[(i64)i_1];" in shown
    assert any("+ 1.0f" in line for line in shown)


def test_a_mask_of_every_strip_is_the_end_of_the_loop() -> None:
    shown = body("""
    extern "C" void copy(const float *x, float *y, int n) {
        for (int i = 0; i < n; i += 16) {
            const __mmask16 m = n - i >= 16 ? 0xffff : (1 << (n - i)) - 1;
            _mm512_mask_storeu_ps(y + i, m, _mm512_maskz_loadu_ps(m, x + i));
        }
    }
    """)
    assert len(shown) == 3
    assert shown[0].endswith("in 0 .. n {")


def test_lanes_are_compared_as_signed_numbers_where_the_counter_is_unsigned() -> None:
    """What is left of an unsigned length, less one of the elements, is negative behind its end."""
    text = """
    extern "C" void twice(const float *x, float *y, unsigned long n) {
        unsigned long i = 0;
        for (; i < n; i += 16) {
            __mmask16 k = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
            __m512 v = _mm512_maskz_loadu_ps(k, x + i);
            _mm512_mask_storeu_ps(y + i, k, _mm512_add_ps(v, v));
        }
    }
    """
    assert "step" not in "\n".join(body(text))


def test_a_flag_that_changes_is_no_mask() -> None:
    stays = canonical("""extern "C" void f(const float *x, float *y, int n) {
        int i = 0;
        for (; i + 16 <= n; i += 16) for (int l = 0; l < 16; ++l) y[i + l] = x[i + l];
        for (int l = 0; l < 16; ++l) {
            bool done = false;
            if (x[l] > 0) done = true;
            if (!done && l < n - i) y[i + l] = x[i + l];
        }
    }""")
    assert "bool done = false" in show(stays)


def test_sums_that_lanes_keep_apart_are_one_sum_over_all_elements() -> None:
    """Also where each step stores something else, the size is rounded down by its bits, and a mask picks the
    rest."""
    assert body("""
    extern "C" void norm(const float *x, float *y, int n) {
        const int full = n & ~15;
        const __mmask16 rest = (__mmask16)((1u << (n - full)) - 1u);
        __m512 most = _mm512_set1_ps(0.5f), sum = _mm512_setzero_ps();
        int i = 0;
        for (; i < full; i += 16) most = _mm512_max_ps(most, _mm512_loadu_ps(x + i));
        if (rest) most = _mm512_mask_max_ps(most, rest, most, _mm512_maskz_loadu_ps(rest, x + i));
        const __m512 peak = _mm512_set1_ps(_mm512_reduce_max_ps(most));
        for (i = 0; i < full; i += 16) {
            const __m512 v = _mm512_div_ps(_mm512_loadu_ps(x + i), peak);
            _mm512_storeu_ps(y + i, v);
            sum = _mm512_add_ps(sum, v);
        }
        if (rest) {
            const __m512 v = _mm512_div_ps(_mm512_maskz_loadu_ps(rest, x + i), peak);
            _mm512_mask_storeu_ps(y + i, rest, v);
            sum = _mm512_mask_add_ps(sum, rest, sum, v);
        }
        y[0] = _mm512_reduce_add_ps(sum);
    }
    """) == [
        "f32 reduced_max = 0.5f;",
        "f32 sum_1 = 0.0f;",
        "for i32 i_1 in 0 .. n {",
        "reduced_max max= x[(i64)i_1];",
        "}",
        "for i32 i_2 in 0 .. n {",
        "f32 v_1 = x[(i64)i_2] / reduced_max;",
        "y[(i64)i_2] = v_1;",
        "sum_1 += v_1;",
        "}",
        "y[0] = sum_1;",
    ]


def test_several_sums_of_neighbouring_vectors_are_one_with_the_rest_behind_them() -> None:
    assert body("""
    extern "C" void dot(const float *x, float *y, int n) {
        __m256 a = _mm256_setzero_ps(), b = _mm256_setzero_ps();
        int i = 0;
        for (; i + 16 <= n; i += 16) {
            a = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(x + i), a);
            b = _mm256_fmadd_ps(_mm256_loadu_ps(x + i + 8), _mm256_loadu_ps(x + i + 8), b);
        }
        a = _mm256_add_ps(a, b);
        __m128 h = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        h = _mm_add_ps(h, _mm_movehl_ps(h, h));
        h = _mm_add_ss(h, _mm_movehdup_ps(h));
        float s = _mm_cvtss_f32(h);
        for (; i < n; ++i) s += x[i] * x[i];
        y[0] = s;
    }
    """) == [
        "f32 s = 0.0f;",
        "for i32 lane_2 in 0 .. n {",
        "s += x[(i64)lane_2] * x[(i64)lane_2];",
        "}",
        "y[0] = s;",
    ]


def test_lanes_that_are_read_before_the_end_stay_apart() -> None:
    text = show(
        canonical("""
    extern "C" void means(const float *x, float *y, int n) {
        __m512 sum = _mm512_setzero_ps();
        for (int i = 0; i + 16 <= n; i += 16) {
            sum = _mm512_add_ps(sum, _mm512_loadu_ps(x + i));
            _mm512_storeu_ps(y + i, sum);
        }
        if (n > 20) y[16] = _mm512_reduce_add_ps(sum);
    }
    """)
    )
    assert "sum[" in text or "part" in text


def test_a_rest_under_a_condition_of_its_own_stays_apart() -> None:
    text = """
    extern "C" void twice(const float *x, float *y, int n) {
        int i = 0;
        for (; i + 16 <= n; i += 16) _mm512_storeu_ps(y + i, _mm512_loadu_ps(x + i));
        if (x[0] != 0) for (; i < n; ++i) y[i] = x[i];
    }
    """
    assert "if (" in show(canonical(text))


def test_a_bfloat_is_widened_alike_as_a_signed_and_as_an_unsigned_number() -> None:
    shown = show(
        canonical(
            """
    #include <cstdint>
    extern "C" void sum(const float *x, float *y, const uint16_t *w, int n) {
        __m512 s = _mm512_setzero_ps();
        int i = 0;
        for (; i + 16 <= n; i += 16) {
            const __m512i bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(w + i)));
            s = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(bits, 16)), _mm512_loadu_ps(x + i), s);
        }
        float total = _mm512_reduce_add_ps(s);
        for (; i < n; ++i) {
            union { uint32_t u; float f; } c;
            c.u = (uint32_t)w[i] << 16;
            total += c.f * x[i];
        }
        y[0] = total;
    }
    """,
            w=np.arange(16256, 16296, dtype=np.uint16),
        )
    )
    assert shown.count("for i32") == 1


TREES = {
    "a loop over what was stored": """
        float lanes[16];
        _mm512_storeu_ps(lanes, a);
        float best = lanes[0];
        for (int k = 1; k < 16; ++k) best = best > lanes[k] ? best : lanes[k];""",
    "the same with a branch": """
        float lanes[16];
        _mm512_storeu_ps(lanes, a);
        float best = lanes[0];
        for (int k = 1; k < 16; ++k)
          if (lanes[k] > best) best = lanes[k];""",
    "halves": """
        __m256 h = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
        __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
        q = _mm_max_ps(q, _mm_movehl_ps(q, q));
        q = _mm_max_ss(q, _mm_shuffle_ps(q, q, 1));
        float best = _mm_cvtss_f32(q);""",
}


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_a_largest_element_is_one_of_all_whatever_the_tree(tree: str) -> None:
    function = canonical(
        """
        extern "C" void largest(const float *__restrict__ x, float *__restrict__ y, int n) {
            __m512 a = _mm512_set1_ps(-3.4e38f), b = a;
            int i = 0;
            for (; i + 32 <= n; i += 32) {
                a = _mm512_max_ps(a, _mm512_loadu_ps(x + i));
                b = _mm512_max_ps(b, _mm512_loadu_ps(x + i + 16));
            }
            a = _mm512_max_ps(a, b);
            TREE
            for (; i < n; ++i) best = x[i] > best ? x[i] : best;
            y[0] = best;
        }
        """.replace("TREE", tree)
    )
    (loop,) = [line for line in show(function).splitlines() if "for i32" in line]
    assert loop.endswith("in 0 .. n {")
