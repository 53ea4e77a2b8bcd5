"""C++ with AVX-512, and plain C, to CUDA and HIP: verified, with a wrapper of the source's signature."""

import pytest

from tests.test_vnni_to_bang import ADD
from xpiler.errors import Refusal
from xpiler.translate import translate_text

SOFTMAX = """
#include <math.h>
extern "C" void softmax(const float *x, float *y, int rows, int cols) {
    for (int r = 0; r < rows; ++r) {
        float top = x[r * cols], sum = 0;
        for (int c = 1; c < cols; ++c) top = fmaxf(top, x[r * cols + c]);
        for (int c = 0; c < cols; ++c) sum += y[r * cols + c] = expf(x[r * cols + c] - top);
        for (int c = 0; c < cols; ++c) y[r * cols + c] /= sum;
    }
}
"""


@pytest.mark.parametrize("to", ["cuda", "hip"])
def test_vectors_become_threads(to: str) -> None:
    result = translate_text(ADD, "add.cpp", to)
    assert result.status == "verified", result.entries
    assert result.text is not None
    assert "immintrin" not in result.text
    assert 'extern "C" void add(const float *a, const float *b, float *c, int n) {' in result.text


def test_a_wrapper_allocates_copies_launches_and_frees() -> None:
    result = translate_text(SOFTMAX, "softmax.cpp", "cuda")
    assert result.status == "verified", result.entries
    assert result.text is not None
    assert result.text.endswith(
        'extern "C" void softmax(const float *x, float *y, int rows, int cols) {\n'
        "    const size_t x_bytes = rows * (int64_t)cols * sizeof(float);\n"
        "    float *d_x = nullptr;\n"
        "    check(cudaMalloc(&d_x, x_bytes));\n"
        "    check(cudaMemcpy(d_x, x, x_bytes, cudaMemcpyHostToDevice));\n"
        "    const size_t y_bytes = rows * (int64_t)cols * sizeof(float);\n"
        "    float *d_y = nullptr;\n"
        "    check(cudaMalloc(&d_y, y_bytes));\n"
        "    check(cudaMemcpy(d_y, y, y_bytes, cudaMemcpyHostToDevice));\n"
        "    const dim3 grid_1 = blocks(rows);\n"
        "    if (grid_1.x) softmax_kernel<<<grid_1, 256>>>(d_x, d_y, cols);\n"
        "    check(cudaGetLastError());\n"
        "    check(cudaMemcpy(y, d_y, y_bytes, cudaMemcpyDeviceToHost));\n"
        "    check(cudaFree(d_x));\n"
        "    check(cudaFree(d_y));\n"
        "}\n"
    )


WARPS = """
#include <math.h>
extern "C" void mixed(const float *x, float *y, int rows) {
    for (int r = 0; r < rows; ++r) {
        float tile[8][64];
        for (int i = 0; i < 512; ++i) tile[0][i] = 0;
        for (int w = 0; w < 8; ++w)
            for (int k = 0; k < 4; ++k) {
                float t[64];
                for (int i = 0; i < 64; ++i) t[i] = expf(x[((r * 8 + w) * 4 + k) * 64 + i]);
                for (int i = 0; i < 64; ++i) tile[w][i] += t[63 - i] * t[i / 2];
            }
        for (int j = 0; j < 512; ++j) y[r * 512 + j] = tile[0][511 - j];
    }
}
"""


def test_what_an_iteration_of_a_warp_keeps_is_the_warps_own() -> None:
    result = translate_text(WARPS, "mixed.cpp", "cuda")
    assert result.status == "verified", result.entries
    assert result.text is not None
    assert "__shared__ float t[512];" in result.text
    assert "t[i_1 + (int64_t)warp * 64ll] = expf(" in result.text


def test_an_array_that_only_a_later_kernel_uses_is_declared_there() -> None:
    text = """
extern "C" void pack(const float *x, float *y, int *count, int n) {
    float kept[512];
    for (int i = 0; i < n; ++i) y[i] = 2.0f * x[i];
    int k = 0;
    for (int i = 0; i < 512 && i < n; ++i)
        if (x[i] > 0.5f) kept[k++] = x[i];
    for (int i = 0; i < k; ++i) y[i] += kept[i];
    *count = k;
}
"""
    result = translate_text(text, "pack.cpp", "cuda")
    assert result.status == "verified", result.entries
    assert result.text is not None
    assert "pack_kernel_1(" in result.text
    assert "pack_kernel_2(" in result.text
    assert "float kept[512]" in result.text.split("pack_kernel_2(")[1]


@pytest.mark.parametrize("to", ["cuda", "bang"])
def test_an_array_of_any_size_in_a_loop_is_memory_for_every_iteration(to: str) -> None:
    text = """
    #include <vector>
    void sums(const float *x, float *y, int n, int m) {
    #pragma omp parallel for
        for (int first = 0; first < n / 4 * 4; first += 4) {
            const int count = 4 * m;
            std::vector<float> sums(count + 1);
            for (int i = 0; i < count; ++i) sums[i + 1] = sums[i] + x[first * m + i];
            for (int i = 0; i < count; ++i) y[first * m + i] = sums[count - i] * sums[i / 2];
        }
    }
    """
    result = translate_text(text, "sums.cpp", to)
    assert result.status == "verified", result.entries
    assert result.text is not None
    size = {"cuda": "cudaMalloc(&sums, (", "bang": "const size_t sums_bytes = "}[to]
    assert size in result.text
    assert "room for arrays in NRAM" not in result.text


def test_memory_for_threads_of_which_every_iteration_of_the_host_has_others() -> None:
    text = """
    #include <vector>
    void ramps(const float *x, float *y, int n, int m) {
        for (int part = 0; part < 2; ++part) {
            const int from = part * (n / 3), to = part ? n : n / 3;
    #pragma omp parallel for
            for (int r = from; r < to; ++r) {
                std::vector<float> sums(m + 1);
                for (int i = 0; i < m; ++i) sums[i + 1] = sums[i] + x[r * m + i] * (part + 1);
                for (int i = 0; i < m; ++i) y[r * m + i] += sums[m - i] * sums[i / 2];
            }
        }
    }
    """
    result = translate_text(text, "ramps.cpp", "cuda")
    assert result.status == "verified", result.entries
    assert result.text is not None
    loop = result.text.split("for (int part = 0; part < 2; ++part) {")[-1].split("\n    }")[0]
    calls = [loop.find(call) for call in ("cudaMalloc(&sums", "ramps_kernel<<<", "cudaFree(sums)")]
    assert -1 not in calls and calls == sorted(calls)


C_MASKED = """
#include <immintrin.h>
#include <stdlib.h>
void scale(const float *restrict x, float *restrict y, int n, float by) {
    for (int i = 0; i < n; i += 16) {
        const __mmask16 rest = _bzhi_u32(0xffff, n - i < 16 ? n - i : 16);
        const __m512 v = _mm512_maskz_loadu_ps(rest, x + i);
        _mm512_mask_storeu_ps(y + i, rest, _mm512_mul_ps(v, _mm512_set1_ps(by)));
    }
}
static float *ones(int n) {
    float *restrict a = malloc(n * sizeof(float));
    for (int i = 0; i < n; ++i) a[i] = 1.0f;
    return a;
}
int main(void) {
    float *a = ones(50), *b = ones(50);
    scale(a, b, 50, 3.0f);
    return b[49] != 3.0f;
}
"""


def test_c_is_verified_and_what_stays_of_it_is_cpp() -> None:
    result = translate_text(C_MASKED, "scale.c", "cuda")
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert "float *__restrict__ a = (float *)malloc" in result.text


PARTS = """
#include <immintrin.h>
#include <stdint.h>
struct Shape { int rows, columns; };
void widen(const uint16_t *x, float *y, Shape s, float by) {
    for (int r = 0; r < s.rows; ++r) {
        int c = 0;
        for (; c + 16 <= s.columns; c += 16) {
            const __m256i half = _mm256_loadu_si256((const __m256i *)(x + r * s.columns + c));
            _mm512_storeu_ps(y + r * s.columns + c, _mm512_mul_ps(_mm512_cvtph_ps(half), _mm512_set1_ps(by)));
        }
        for (; c < s.columns; ++c) y[r * s.columns + c] = _cvtsh_ss(x[r * s.columns + c]) * by;
    }
}
void narrow(const float *x, uint16_t *y, int n) {
    for (int i = 0; i < n; ++i) y[i] = _cvtss_sh(x[i], 0);
}
"""


@pytest.mark.parametrize("to", ["cuda", "bang"])
def test_structs_by_value_are_passed_as_the_source_takes_them(to: str) -> None:
    result = translate_text(PARTS, "widen.cpp", to)
    assert result.status == "verified", result.evidence
    assert {entry.name for entry in result.entries} == {"widen", "narrow"}
    assert result.text is not None
    assert "struct Shape { int rows, columns; };" in result.text
    assert "Shape s, float by) {" in result.text


CHECKED = """
#include <stddef.h>
typedef struct { float by, more; } factor_t;
struct shape { int rows, columns; };
int scale(const float *x, float *y, struct shape s, const factor_t *f) {
    if (!x || y == NULL) return -1;
    const int n = s.rows * s.columns;
    if (s.rows < 1 || n > 100000) return -2;
    for (int i = 0; i < n; ++i) y[i] = x[i] * f->by + f->more;
    return n;
}
"""


def test_a_struct_by_constant_reference_is_one_by_value() -> None:
    text = CHECKED.replace("struct shape s, const factor_t *f", "const shape &s, const factor_t *f")
    result = translate_text(text, "scale.cpp", "cuda")
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert "const shape &s, const factor_t *f) {" in " ".join(result.text.split())


@pytest.mark.parametrize("to", ["cuda", "hip", "bang"])
def test_checks_of_arguments_come_before_anything_is_moved(to: str) -> None:
    result = translate_text(CHECKED, "scale.c", to)
    assert result.status == "verified", result.evidence
    assert result.text is not None
    wrapper = result.text[result.text.index('extern "C" int scale') :]
    assert "(const float *x, float *y, struct shape s, const factor_t *f) {" in wrapper
    before = wrapper[: wrapper.index("size_t")]
    assert "if (!x || !y) return -1;" in before
    assert "if (s.rows < 1 || s.rows * s.columns > 100000) return -2;" in before
    assert "return s.rows * s.columns;" in wrapper


DESCRIBED = """
typedef struct {
    int rows, columns;
    float by;
    const float *bias;  /* may be null */
} layer_t;
static float at(const layer_t *l, int c) { return l->bias ? l->bias[c] : 0.0f; }
void layer(const layer_t *l, const float *x, float *y) {
    for (int r = 0; r < l->rows; ++r)
        for (int c = 0; c < (*l).columns; ++c)
            y[r * l->columns + c] = l->by * x[r * l->columns + c] + at(l, c);
}
int main() {
    float x[6] = {1, 2, 3, 4, 5, 6}, y[6];
    layer_t l = {2, 3, 2.0f, 0};
    layer(&l, x, y);
    return y[5] == 12.0f ? 0 : 1;
}
"""


@pytest.mark.parametrize(("to", "moves"), [("cuda", "check(cudaMalloc"), ("bang", "cnrtMalloc")])
def test_a_struct_by_pointer_is_one_object_and_its_arrays_may_be_missing(to: str, moves: str) -> None:
    result = translate_text(DESCRIBED, "layer.c", to)
    assert {entry.name: entry.status for entry in result.entries} == {"layer": "verified", "main": "verified"}
    assert result.text is not None
    assert "(const layer_t *l, const float *x, float *y) {" in result.text
    assert f"if (l->bias) {moves}" in result.text


@pytest.mark.parametrize(
    ("use", "code"),
    [("if (!l) return;", "null-object"), ("if (l[1].rows) return;", "pointer-to-variable")],
)
def test_what_only_an_array_or_a_null_pointer_would_be_is_refused(use: str, code: str) -> None:
    text = DESCRIBED.replace("y) {\n", f"y) {{\n    {use}\n", 1)
    with pytest.raises(Refusal) as refused:
        translate_text(text, "layer.c", "cuda", run=False)
    assert refused.value.diagnostic.code == code
