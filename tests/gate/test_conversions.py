"""Floats that become integers, at the ends of these: what a source means, and faults that only they show."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.gate.conversions import converts, spells_conversion
from xpiler.translate import Trusted, translate_text

KERNEL = """
__global__ void make(const float *x, OUT *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = VALUE;
}
void run(const float *x, OUT *y, int n) { make<<<(n + 255) / 256, 256>>>(x, y, n); }
"""
CLAMPED_FIRST = "(signed char)(int)fminf(fmaxf(rintf(x[i]), -128.f), 127.f)"
CLAMPED_LAST = "(signed char)max(-128, min(127, (int)rintf(x[i])))"
WIDE_FIRST = "(int)((long long)x[i] / 65536)"


def text(value: str, out: str = "int") -> str:
    return KERNEL.replace("VALUE", value).replace("OUT", out)


def verdict(source: str, target: str, out: str = "int") -> str:
    trusted = Trusted.of(text(source, out), "make.cu")
    return trusted.verify(text(target, out), "make.cu", until_wrong=True).status


@pytest.mark.parametrize(
    ("source", "target", "out"),
    [
        (CLAMPED_FIRST, CLAMPED_LAST, "signed char"),
        (WIDE_FIRST, "(int)x[i] / 65536", "int"),
        ("floorf(x[i]) * 0.5f", "(float)__float2int_rd(x[i]) * 0.5f", "float"),
        ("(unsigned char)fminf(fabsf(x[i]), 255.f)", "(unsigned char)fabsf(x[i])", "unsigned char"),
    ],
)
def test_conversion_of_too_narrow_a_range_is_found(source: str, target: str, out: str) -> None:
    assert verdict(source, target, out) == "unverified"


@pytest.mark.parametrize(
    ("source", "target", "out"),
    [
        (CLAMPED_LAST, CLAMPED_FIRST, "signed char"),  # beyond int nothing is said
        ("__float2int_rz(x[i])", "(int)x[i]", "int"),  # what the device makes of others is its own
        ("(unsigned char)x[i]", "(unsigned char)(unsigned)x[i]", "unsigned char"),
        (CLAMPED_FIRST, "(signed char)(int)rintf(fmaxf(fminf(x[i], 127.f), -128.f))", "signed char"),
    ],
)
def test_what_the_source_leaves_open_is_not_asked(source: str, target: str, out: str) -> None:
    assert verdict(source, target, out) == "verified"


@pytest.mark.parametrize(
    ("value", "fill", "largest"),
    [(CLAMPED_FIRST, "magnitudes", 66), ("(int)x[i]", "magnitudes", 31), ("(unsigned)x[i]", "sizes", 32)],
)
def test_magnitudes_are_the_largest_that_the_source_takes(value: str, fill: str, largest: int) -> None:
    (item,) = Trusted.of(text(value), "make.cu").entries
    assert item.inference is not None
    (case,) = [c for c in item.inference.contract.cases if c.fill in ("magnitudes", "sizes")]
    assert case.fill == fill
    assert 2.0 ** (largest - 1) < max(case.landmarks) < 2.0**largest


def test_numbers_of_a_text_are_not_taken_beyond_what_the_source_holds() -> None:
    target = text("x[i] * 65535.f > 3.e9f ? 7 : (int)(x[i] * 65535.f)")
    assert Trusted.of(text("(int)(x[i] * 65535.f)"), "make.cu").verify(target, "make.cu").status == "verified"


SQUARES = """
__global__ void squares(const int *x, long long *y, int n, int d) {
  int r = blockIdx.x * blockDim.x + threadIdx.x;
  if (r >= n) return;
  long long sum = 0;
  for (int i = 0; i < d; ++i) sum += (long long)(x[r * d + i] / 4) * x[r * d + i];
  y[r] = sum;
}
void run(const int *x, long long *y, int n, int d) { squares<<<(n + 63) / 64, 64>>>(x, y, n, d); }
"""


def test_product_of_too_narrow_integers_is_found() -> None:
    trusted = Trusted.of(SQUARES, "squares.cu")
    assert trusted.verify(SQUARES, "squares.cu", until_wrong=True).status == "verified"
    for narrow in ("(x[r * d + i] / 4)", "(unsigned)(x[r * d + i] / 4)"):
        wrong = SQUARES.replace("(long long)(x[r * d + i] / 4)", narrow)
        assert trusted.verify(wrong, "squares.cu", until_wrong=True).status == "unverified"


def test_integers_stay_as_small_as_the_source_needs_them() -> None:
    text = SQUARES.replace("(long long)(x[r * d + i] / 4)", "x[r * d + i]")
    (item,) = Trusted.of(text, "squares.cu").entries
    assert item.inference is not None
    assert all(max(c.landmarks) < 2**16 for c in item.inference.contract.cases if c.fill == "wide")


@pytest.mark.parametrize(
    ("value", "makes"), [("x[i] * 2.0f", False), ("(float)n", False), ("lrintf(x[i])", True), ("x[i]", True)]
)
def test_conversions_are_seen_where_they_are_implied(value: str, makes: bool) -> None:
    out = "int" if makes else "float"
    assert converts(parse(text(value, out), "make.cu").program.kernels[0]) == makes


@pytest.mark.parametrize(
    ("code", "spelled"),
    [
        ("y[i] = (int)v;", True),
        ("y = _mm512_cvttps_epi32(v);", True),
        ("static_cast<int64_t>(v)", True),
        ("float y = (float)v; int f(int n);", False),
        ("void f(int row) { size_t at = (size_t)row * 4; }", False),
        ("size_t at = (size_t)blockIdx.x * n;", False),
        ("for (int b = 0; b < n; ++b) a += (long)b * m;", False),
        ("void f(float *v) { long a = (long)v; }", True),
        ("void f(int v) { g((int)v.x); }", True),
        ("void f(int v) { g((int)v[0]); }", True),
        ("void f(int v) {} void g(float v) { int a = (int)v; }", True),
        ("int v; void g() { float a = 1, v = 2; int b = (int)v; }", True),
        ("template <class T> void f(T v) { int a = (int)v; }", True),
        ("void f(int v) { a = (int)(v * s); }", True),
    ],
)
def test_conversions_are_seen_in_any_language(code: str, spelled: bool) -> None:
    assert spells_conversion(code) == spelled


ROUNDED = """
__global__ void quant(const float *x, signed char *q, int n, float inv) {
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) q[i] = (signed char)fminf(fmaxf(rintf(x[i] * inv), -128.f), 127.f);
}
void run(const float *x, signed char *q, int n, float inv) { quant<<<(n + 255) / 256, 256>>>(x, q, n, inv); }
"""


@pytest.mark.parametrize(
    ("rounded", "verified"),
    [
        ("nearbyintf(x[i] / (1.f / inv))", True),
        ("roundf(x[i] * inv)", False),
    ],
)
def test_halves_tell_ways_to_round_apart(rounded: str, verified: bool) -> None:
    target = f"""
#include <cmath>
void run(const float *x, signed char *q, int n, float inv) {{
  for (int i = 0; i < n; ++i) q[i] = (signed char)fminf(fmaxf({rounded}, -128.f), 127.f);
}}
"""
    result = Trusted.of(ROUNDED, "quant.cu").verify(target, "quant.cpp")
    assert (result.status == "verified") == verified
    # With a factor of 0.25 small integers are halves, too.
    told = [rung.detail for rung in result.evidence if not rung.ok]
    assert verified or any("halves" in one or "small integers" in one for one in told), told


def test_no_scale_of_zero_is_asked_for_where_the_source_divides_by_it() -> None:
    source = """
__global__ void quantized(const float *x, signed char *q, int n, float scale) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) q[i] = (signed char)max(-128, min(127, __float2int_rn(x[i] / scale)));
}
void run(const float *x, signed char *q, int n, float scale) {
  quantized<<<(n + 255) / 256, 256>>>(x, q, n, scale);
}
"""
    target = """
#include <algorithm>
#include <cmath>
void run(const float *x, signed char *q, int n, float scale) {
  for (int i = 0; i < n; ++i) q[i] = std::max(-128, std::min(127, (int)std::nearbyint(x[i] / scale)));
}
"""
    trusted = Trusted.of(source, "quantized.cu")
    assert trusted.verify(target, "quantized.cpp").status == "verified"
    assert trusted.verify(target.replace("127", "126"), "quantized.cpp").status == "unverified"


LOOK_UP = """
__global__ void look_up(const float *table, float *y, int n, int m) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float at = 4.0f / (2000 - i);
    int k = (int)at;
    y[i] = k >= 0 && k + 1 < m ? table[k] + at * table[k + 1] : 0.0f;
}
"""


def test_sizes_at_which_the_source_converts_what_no_integer_holds_are_left_out_and_told() -> None:
    result = translate_text(LOOK_UP, "look_up.cu", "vnni")
    assert result.status == "verified"
    (ran,) = [rung.detail for rung in result.evidence if "runs at" in rung.detail]
    assert "; not at n=" in ran and "the source converts or shifts what no integer holds" in ran


def test_shifts_by_more_than_the_bits_have_no_meaning() -> None:
    source = """
__global__ void level(const unsigned *code, int *y, int n, int depth) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = (code[i] >> depth) * 2;
}
"""
    result = translate_text(source, "level.cu", "bang")
    assert result.status == "verified"
    (ran,) = [rung.detail for rung in result.evidence if "runs at" in rung.detail]
    assert "shifts what no integer holds" in ran


def test_sizes_at_which_the_source_looks_past_a_table_have_no_meaning() -> None:
    source = """
__constant__ float weights[7];
__global__ void smooth(const float *x, float *y, int n, int radius) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float sum = 0;
    for (int k = -radius; k <= radius; ++k) sum += weights[k + radius] * x[min(max(i + k, 0), n - 1)];
    y[i] = sum;
}
void run(const float *w, const float *x, float *y, int n, int radius) {
    cudaMemcpyToSymbol(weights, w, sizeof(weights));
    smooth<<<(n + 127) / 128, 128>>>(x, y, n, radius);
}
"""
    result = translate_text(source, "smooth.cu", "bang")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]


def test_what_is_wrong_at_other_sizes_is_told_all_the_same() -> None:
    target = LOOK_UP.replace("k + 1 < m", "k + 2 < m")
    assert Trusted.of(LOOK_UP, "look_up.cu").verify(target, "look_up.hip").status == "unverified"


def test_quotients_of_an_mlu_are_compared_without_subnormal_numbers_and_that_is_told() -> None:
    source = """
__global__ void share(const float *a, const float *b, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a[i] / b[i];
}
"""
    result = translate_text(source, "share.cu", "bang")
    assert result.status == "verified"
    assert any(rung.detail.endswith("; not with subnormal numbers") for rung in result.evidence)
    wrong = result.text.replace("__bang_recip(", "__bang_rsqrt(")
    assert wrong != result.text
    assert Trusted.of(source, "share.cu").verify(wrong, "share.mlu").status == "unverified"


def test_integers_at_the_edge_of_what_rounding_decides_are_told_by_rounding_up_and_down() -> None:
    source = """
#include <hip/hip_runtime.h>
__global__ void scaled(const unsigned char *x, unsigned char *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float v = x[i] + 1.0f;
    y[i] = i % 64 ? x[i] : (unsigned char)expf(logf(v));
}
"""
    trusted = Trusted.of(source, "scaled.hip")
    target = source.replace("expf(logf(", "exp2f(log2f(")
    assert trusted.verify(target, "other.hip").status == "verified"
    assert trusted.verify(target.replace("1.0f", "3.0f"), "other.hip").status == "unverified"
