"""Plain C and AVX-512 functions as kernels: which they are, and what their registers become."""

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.frontend.c_text import as_cpp
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Decl
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk_stmts
from xpiler.passes.canonical import canonicalise


def functions(text: str) -> list[str]:
    return [k.name for k in parse(text, "f.cpp", platform="vnni").program.kernels]


def test_exported_functions_are_kernels_and_others_are_helpers() -> None:
    text = """
    static inline float twice(float x) { return x + x; }
    void plain(float *x) { x[0] = twice(x[0]); }
    extern "C" void layer(float *x, int n) { for (int i = 0; i < n; ++i) x[i] = twice(x[i]); }
    int main() { float x[4] = {}; layer(x, 4); }
    """
    assert functions(text) == ["layer"]


def test_without_exported_functions_the_uncalled_ones_are_kernels() -> None:
    text = """
    void row(const float *x, float *y, int n) { for (int i = 0; i < n; ++i) y[i] = x[i]; }
    void rows(const float *x, float *y, int m, int n) {
        for (int r = 0; r < m; ++r) row(x + r * n, y + r * n, n);
    }
    """
    assert functions(text) == ["rows"]


def test_functions_of_a_program_are_kernels_though_they_are_static() -> None:
    text = """
    #define M 70
    static void fill(double a[][M], double *x) { for (int j = 0; j < M; ++j) a[0][j] = x[j] = j; }
    static double twice(double x) { return x + x; }
    static void scale(int n, double a[][M]) {
        for (int i = 0; i < n; ++i) for (int j = 0; j < M; ++j) a[i][j] = twice(a[i][j]);
    }
    static void print(const double *x, int n) { for (int j = 0; j < n; ++j) printf("%f ", x[j]); }
    int main() { static double a[1][M], x[M]; fill(a, x); scale(1, a); print(x, M); }
    """
    assert functions(text) == ["fill", "scale"]


def test_casts_to_types_of_the_standard_library_are_casts() -> None:
    text = """
    void row(const float *x, float *y, int r, int n) {
        const float *from = x + static_cast<std::size_t>(r) * n;
        y[static_cast<std::int64_t>(r)] = from[0];
    }
    """
    assert functions(text) == ["row"]


def test_what_a_function_returns_is_one_more_array() -> None:
    text = """
    extern "C" double above(const float *x, int n, float t) {
        if (n < 0) return -1;
        int count = 0;
        for (int i = 0; i < n; ++i) count += x[i] > t;
        return count;
    }
    """
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    assert [(p.name, p.dtype.name, p.is_pointer) for p in kernel.params][-1] == ("return", "f64", True)
    assert [line.strip() for line in show(kernel).splitlines() if "return" in line][1:] == [
        "return[0] = -1.0;",
        "return;",
        "return[0] = (f64)count;",
        "return;",
    ]


def test_a_result_that_is_no_number_is_refused() -> None:
    text = 'extern "C" const float *first(const float *x) { return x; }'
    unit = parse(text, "f.cpp", platform="vnni")
    assert [d.code for d in unit.refusals.values()] == ["result"]


def test_registers_are_arrays_and_intrinsics_one_loop_over_the_lanes() -> None:
    text = """
    #include <immintrin.h>
    extern "C" void scale(const float *x, float *y, float s) {
        __m512 v = _mm512_loadu_ps(x);
        _mm512_storeu_ps(y, _mm512_fmadd_ps(v, _mm512_set1_ps(s), _mm512_loadu_ps(x + 16)));
    }
    """
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    assert show(kernel).splitlines()[1:-1] == [
        "  f32 v[16];",
        "  threads for i32 lane in 0 .. 16 {",
        "    v[lane] = x[lane];",
        "  }",
        "  threads for i32 lane_1 in 0 .. 16 {",
        "    y[lane_1] = fma(v[lane_1], s, x[16l + (i64)lane_1]);",
        "  }",
    ]


def test_bytes_of_a_register_are_those_in_memory_and_a_dot_product_is_a_loop() -> None:
    text = """
    #include <immintrin.h>
    #include <stdint.h>
    extern "C" void dot(const uint8_t *a, const int8_t *b, int32_t *c) {
        __m512i sum = _mm512_loadu_si512(c);
        sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi32(*(const int32_t *)a), _mm512_loadu_si512(b));
        _mm512_storeu_si512(c, sum);
    }
    """
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    assert "sum[lane_1] += (i32)a[lane_1_part] * (i32)b[lane_1 * 4 + lane_1_part];" in show(kernel)


def test_a_shuffle_of_known_lanes_is_an_index() -> None:
    text = """
    #include <immintrin.h>
    extern "C" void even(const float *x, float *y) {
        __m512i index = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        _mm512_storeu_ps(y, _mm512_permutex2var_ps(_mm512_loadu_ps(x), index, _mm512_loadu_ps(x + 16)));
    }
    """
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    assert "y[lane] = x[(i64)(lane * 2)];" in show(kernel)


def test_a_mask_of_a_run_of_bits_is_a_comparison() -> None:
    text = """
    #include <immintrin.h>
    extern "C" void tail(const float *x, float *y, int n) {
        const __mmask16 m = (__mmask16)((ONE << n) - ONE);
        _mm512_mask_storeu_ps(y, m, _mm512_maskz_loadu_ps(m, x));
    }
    """
    for one in ("1u", "UINT32_C(1)"):
        (kernel,) = parse(text.replace("ONE", one), "f.cpp", platform="vnni").program.kernels
        assert "if (lane < n) {" in show(kernel)


def test_a_mask_is_the_number_that_it_was_made_of() -> None:
    text = """
    #include <immintrin.h>
    extern "C" void copy(const signed char *x, signed char *y, int n) {
        const __mmask64 m = ((__mmask64)1 << n) - 1;
        _mm512_mask_storeu_epi8(y, m, _mm512_maskz_loadu_epi8(m, x));
    }
    """
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    assert "bits" not in show(kernel)


def test_bits_of_a_mask_are_gathered_before_they_are_moved() -> None:
    text = """
    #include <immintrin.h>
    extern "C" int first(const float *x) {
        __mmask16 m = _mm512_cmp_ps_mask(_mm512_loadu_ps(x), _mm512_setzero_ps(), _CMP_GT_OQ);
        return (m << 1) - (m >> 2);
    }
    """
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    x, found = np.zeros(16, np.float32), np.zeros(1, np.int32)
    x[[0, 2]] = 1
    run(kernel, {"x": x, "return": found})
    assert found[0] == (5 << 1) - (5 >> 2)


def test_a_mask_of_all_lanes_may_be_minus_one() -> None:
    text = """
    #include <immintrin.h>
    extern "C" void copy(const float *x, float *y, int n) {
        for (int i = 0; i < n; i += 16) {
            __mmask16 k = n - i >= 16 ? (__mmask16)-1 : (__mmask16)((1u << (n - i)) - 1u);
            _mm512_mask_storeu_ps(y + i, k, _mm512_maskz_loadu_ps(k, x + i));
        }
    }
    """
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    assert "if (lane < n - i)" in show(kernel)


def test_halves_that_a_mask_selects_stay_halves() -> None:
    text = """
    #include <immintrin.h>
    #include <stdint.h>
    extern "C" void widen(const uint16_t *a, float *y, int n) {
        _mm512_storeu_ps(y, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16((1 << n) - 1, a)));
    }
    """
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    assert "f16 v[16];" in show(kernel)
    assert "= (f32)v[lane_1];" in show(kernel)


def test_a_half_that_a_file_defines_has_bits() -> None:
    text = """
    #include <immintrin.h>
    #include <stdint.h>
    struct half { uint16_t bits; };
    static inline float half_to_float(half h) {
        return _mm_cvtss_f32(_mm_maskz_cvtph_ps(0xf, _mm_cvtsi32_si128(h.bits)));
    }
    extern "C" void widen(const half *x, float *y, int n) {
        for (int i = 0; i < n; ++i) y[i] = half_to_float(x[i]);
    }
    """
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    assert "f16 h = x[i];" in show(kernel)
    assert "y[i] = (f32)h;" in show(kernel)


def test_memory_of_its_own_is_a_local_array() -> None:
    text = """
    #include <stdlib.h>
    #include <vector>
    extern "C" void reversed(const float *x, float *y, int n) {
        float *copy = (float *)malloc(n * sizeof(float));
        std::vector<int> place(n);
        double wide[2 * n];
        for (int i = 0; i < n; ++i) { copy[i] = x[i]; place[i] = n - 1 - i; wide[2 * i] = x[i]; }
        for (int i = 0; i < n; ++i) y[i] = copy[place[i]] + wide[2 * i];
        free(copy);
    }
    """
    unit = parse(text, "f.cpp", platform="vnni")
    assert not unit.refusals
    shown = show(unit.program.kernels[0])
    assert "f32 copy[n];" in shown
    assert "i32 place[n];" in shown
    assert "f64 wide[2 * n];" in shown


def test_a_choice_of_calls_that_only_name_their_arguments_is_an_expression() -> None:
    text = """
    static inline int smaller(int a, int b) { return a < b ? a : b; }
    extern "C" void part(const float *x, float *y, int n, int m, int low) {
        for (int i = low ? 0 : m; i < (low ? smaller(n - m, m) : n); ++i) y[i] = x[i] * 2.0f;
    }
    """
    shown = show(parse(text, "f.cpp", platform="vnni").program.kernels[0])
    assert "for i32 i in low != 0 ? 0 : m .. low != 0 ? n - m < m ? n - m : m : n {" in shown


def test_loops_that_openmp_shares_out_are_parallel() -> None:
    text = """
    extern "C" void twice(const float *x, float *y, float *sum, int m, int n) {
    #pragma omp parallel for collapse(2)
        for (int i = 0; i < m; ++i)
            for (int j = 0; j < n; ++j) y[i * n + j] = x[i * n + j] * 2.0f;
        float s = 0;
    #pragma omp parallel for reduction(+ : s)
        for (int i = 0; i < m; ++i) s += x[i];
        sum[0] = s;
    }
    """
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    loops = [line.strip() for line in show(kernel).splitlines() if "for i32" in line]
    assert [line.split()[0] for line in loops] == ["parallel", "parallel", "for"]


def test_a_register_folded_into_a_number_is_no_loop_over_independent_lanes() -> None:
    text = """
    #include <immintrin.h>
    extern "C" void total(const float *x, float *y) { y[0] = _mm512_reduce_add_ps(_mm512_loadu_ps(x)); }
    """
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    lines = [line.strip() for line in show(kernel).splitlines()]
    assert lines[lines.index("sum += x[lane];") - 1] == "for i32 lane in 0 .. 16 {"


def test_a_mask_of_a_rest_or_of_all_lanes_leaves_one_loop_over_elements() -> None:
    text = """
    #include <immintrin.h>
    extern "C" void twice(const float *x, float *y, int n) {
        for (int i = 0; i < n; i += 16) {
            const __mmask16 lanes = n - i < 16 ? (__mmask16)((1u << (n - i)) - 1u) : 0xffff;
            __m512 v = _mm512_maskz_loadu_ps(lanes, x + i);
            _mm512_mask_storeu_ps(y + i, lanes, _mm512_add_ps(v, v));
        }
    }
    """
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    lines = [line.strip() for line in show(canonicalise(kernel).function).splitlines()]
    assert lines[1:3] == ["parallel for i32 i in 0 .. n {", "y[(i64)i] = x[(i64)i] + x[(i64)i];"], lines


def test_errors_of_host_code_are_reported_and_memory_comes_through_a_pointer_to_a_pointer() -> None:
    text = """
    #include <stdio.h>
    #include <stdlib.h>
    template <class T> static int take(T **p, size_t bytes) { *p = (T *)malloc(bytes); return *p ? 0 : 2; }
    #define CHECK(call) do { int e = (call); if (e != 0) { fprintf(stderr, "%d\\n", e); exit(1); } } while (0)
    extern "C" void copy(const float *x, float *y, int n) {
        float *t;
        CHECK(take((void **)&t, n * sizeof(float)));
        for (int i = 0; i < n; ++i) t[i] = x[i];
        for (int i = 0; i < n; ++i) y[i] = t[i];
        free(t);
    }
    """
    unit = parse(text, "f.cpp", platform="vnni")
    assert not unit.refusals, unit.refusals
    (kernel,) = unit.program.kernels
    assert "exit" not in show(canonicalise(kernel).function)


def test_an_object_that_converts_to_a_pointer_is_added_to_and_indexed() -> None:
    text = """
    #include <stdlib.h>
    template <class T> struct Buffer {
        T *data;
        explicit Buffer(size_t n) : data((T *)malloc(n * sizeof(T))) {}
        ~Buffer() { free(data); }
        operator T *() { return data; }
        template <class U> explicit operator U *() { return (U *)data; }
    };
    static void set(float *p, float v) { *p = v; }
    extern "C" void third(const float *x, float *y) {
        Buffer<float> t(8);
        set(t + 3, x[0]);
        y[0] = t[3];
    }
    """
    unit = parse(text, "f.cpp", platform="vnni")
    assert not unit.refusals, unit.refusals


def test_products_and_masks_in_a_constructor_are_no_pointers_and_references() -> None:
    text = """
    #include <vector>
    extern "C" void pairs(const float *x, float *y, int n, int m) {
        std::vector<float> a(n * m), b(n & m);
        a[0] = b[0] = x[0];
        y[0] = a[0];
    }
    """
    unit = parse(text, "f.cpp", platform="vnni")
    assert not unit.refusals, unit.refusals
    (kernel,) = unit.program.kernels
    assert [show(s.shape[0]) for s in walk_stmts(kernel.body) if isinstance(s, Decl) and s.shape] == [
        "n * m",
        "n & m",
    ]


C_SOURCE = """
/* restrict stays in a comment */
float *restrict t = malloc(n);
static unsigned char *c = (unsigned char *)malloc(3);
_Bool b; p->x = calloc(1, 4); for (;;) { q = realloc(q, 8); }
"""


def test_c_is_cpp_but_for_some_words_and_conversions() -> None:
    assert (
        as_cpp(C_SOURCE, "f.c")
        == """
/* restrict stays in a comment */
float *__restrict__ t = (float *)malloc(n);
static unsigned char *c = (unsigned char *)malloc(3);
bool b; p->x = (decltype(p->x))calloc(1, 4); for (;;) { q = (decltype(q))realloc(q, 8); }
"""
    )


def test_a_stream_is_a_number_however_a_file_defines_its_type() -> None:
    text = """
    typedef void *cudaStream_t;
    static int cudaStreamCreate(cudaStream_t *stream) { *stream = 0; return 0; }
    extern "C" void twice(const float *x, float *y, int n) {
        cudaStream_t queue;
        cudaStreamCreate(&queue);
        for (int i = 0; i < n; ++i) y[i] = 2 * x[i];
    }
    """
    unit = parse(text, "f.cpp", platform="vnni")
    assert not unit.refusals, unit.refusals


@pytest.mark.parametrize(
    ("body", "objects"),
    [
        ("for (int i = 0; i < s->n * s->c; ++i) y[i] = s->fill;", True),
        ("for (int i = 0; i < 4; ++i) y[i] = s[i].n + s->c;", False),
        ("for (int i = 0; i < 4; ++i, ++s) y[i] = s->n;", False),
    ],
    ids=["members", "elements", "walked through"],
)
def test_whole_numbers_by_pointer_are_a_descriptor_where_only_members_are_asked_for(
    body: str, objects: bool
) -> None:
    text = f"struct Shape {{ int n, c, fill; }};\nvoid filled(const Shape *s, int *y) {{ {body} }}\n"
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    assert ("s_fill" in [p.name for p in kernel.params]) == objects


def test_iterations_that_take_turns_are_not_independent_as_they_stand() -> None:
    (kernel,) = parse(
        """
        void count(const int *x, int *h, int n) {
        #pragma omp parallel for
            for (int i = 0; i < n; ++i) {
        #pragma omp atomic
                h[x[i]] += 1;
            }
        #pragma omp parallel for
            for (int i = 0; i < n; ++i) h[i] += 1;
        }
        """,
        "f.cpp",
        platform="vnni",
    ).program.kernels
    shown = show(kernel)
    assert shown.count("parallel for") == 1
    assert shown.index("h[x[i]]") < shown.index("parallel for")


@pytest.mark.parametrize(
    ("more", "space"),
    [
        ("", "constant"),
        ("int size() { return sizeof(table) / sizeof(table[0]); }", "constant"),
        ("void set(int i, float v) { table[i] = v; }", "global"),
        ("void set(int i) { ++table[i]; }", "global"),
        ("float *get() { return table; }", "global"),
        ("float *get() { return &table[1]; }", "global"),
        ("void fill(float *t);  void set() { fill(table); }", "global"),
    ],
)
def test_a_table_of_file_scope_is_constant_if_only_elements_are_read(more: str, space: str) -> None:
    text = f"""
    static float table[4] = {{1, 2, 3, 4}};
    {more}
    extern "C" void decode(const unsigned char *q, float *y, int n) {{
        for (int i = 0; i < n; ++i) y[i] = table[q[i] & 3];
    }}
    """
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    assert [(decl.name, decl.space.value) for decl in kernel.globals] == [("table", space)]
