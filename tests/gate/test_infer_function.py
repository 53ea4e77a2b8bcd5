"""Plain functions whose stated sizes take the interpreter too long: smaller ones explain their extents."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gate.programs import inferred
from xpiler.errors import Refusal
from xpiler.gate import observe
from xpiler.gate.contract import Role
from xpiler.gate.extents import extent_value
from xpiler.gate.overrides import Overrides
from xpiler.ir.interpret import Result
from xpiler.ir.nodes import Function

# A row is a chain of sums: nothing but its rows can be interpreted at once.
SCAN = """
extern "C" void scan(const float *x, const float *first, float *y, int rows, int columns) {
    for (int r = 0; r < rows; ++r) {
        float sum = first[r];
        for (int c = 0; c + LANES <= columns; c += LANES)
            for (int lane = 0; lane < LANES; ++lane) {
                sum += x[r * columns + c + lane];
                y[r * columns + c + lane] = sum;
            }
    }
}
"""
STATED = Overrides(args=(("rows", (3,)), ("columns", (4096,))))


@pytest.mark.parametrize("lanes", [1, 16])
def test_stated_sizes_have_the_extents_of_formulas_found_at_smaller_ones(
    lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "_STEPS", 2000)
    found = inferred(SCAN.replace("LANES", str(lanes)), STATED, "scan.cpp")
    case = found.contract.cases[0]
    assert not found.findings
    assert dict(case.extents) == {"x": 3 * 4096, "first": 3, "y": 3 * 4096}
    assert {a.name: a.role for a in found.contract.arguments}["y"] is Role.OUT
    assert extent_value(found.extents["x"], {"rows": 5, "columns": 48}) == 5 * 48


BLOCKS = """
extern "C" void pointwise(const float *x, const float *w, const float *bias, float *y, int N, int H, int IC,
                          int OC) {
    for (int n = 0; n < N * H; ++n)
        for (int o = 0; o < OC / 16; ++o)
            for (int lane = 0; lane < 16; ++lane) {
                float s = bias[o * 16 + lane];
                for (int i = 0; i < IC / 16; ++i)
                    for (int c = 0; c < 16; ++c)
                        s += x[(n * (IC / 16) + i) * 16 + c] * w[((o * (IC / 16) + i) * 16 + c) * 16 + lane];
                y[(n * (OC / 16) + o) * 16 + lane] = s;
            }
}
"""


def test_sizes_that_are_divided_into_blocks_are_different_numbers_of_blocks() -> None:
    found = inferred(BLOCKS, file="blocks.cpp")
    case = found.contract.cases[0]
    channels = {int(case.scalar(name)) for name in ("IC", "OC")}
    assert len(channels) == 2 and all(size and size % 16 == 0 for size in channels)
    extents = {
        name: extent_value(found.extents[name], {"N": 5, "H": 3, "IC": 96, "OC": 32})
        for name in found.extents
    }
    assert extents == {"x": 15 * 96, "w": 96 * 32, "bias": 32, "y": 15 * 32}


def test_a_function_of_whole_vectors_is_run_at_sizes_that_vectors_divide() -> None:
    text = (
        "#include <immintrin.h>\n"
        'extern "C" void packed(const int *x, int *y, int columns, int steps) {\n'
        "  for (int c = 0; c < columns; c += 16) {\n"
        "    __m512i sum = _mm512_set1_epi32(0);\n"
        "    for (int s = 0; s < steps; ++s)\n"
        "      sum = _mm512_add_epi32(sum, _mm512_loadu_si512(x + c * steps + s * 16));\n"
        "    _mm512_storeu_si512(y + c, sum);\n"
        "  }\n"
        "}\n"
    )
    found = inferred(text, file="packed.cpp")
    case = found.contract.cases[0]
    assert int(case.scalar("columns")) % 16 == 0
    assert case.extent("x") == int(case.scalar("columns")) * int(case.scalar("steps"))
    assert extent_value(found.extents["x"], {"columns": 48, "steps": 5}) == 48 * 5


PACKED = """
#include <cstdint>
#include <vector>
void linear(const int8_t *x, const int8_t *w, int *y, int M, int N, int K, int zero, int limit, int offset) {
    std::vector<int8_t> packed((size_t)N * K);
    for (int n = 0; n < N; n += 16)
        for (int k = 0; k < K; k += 4)
            for (int j = 0; j < 64; ++j) packed[n * K + k * 16 + j] = w[(n + j / 4) * K + k + j % 4];
    for (int m = 0; m < M; ++m)
        for (int n = 0; n < N; ++n) {
            int sum = offset;
            for (int k = 0; k < K; ++k)
                sum += (x[m * K + k] - zero) * packed[n / 16 * 16 * K + k / 4 * 64 + n % 16 * 4 + k % 4];
            y[m * N + n] = sum < limit ? sum : limit;
        }
}
"""


def test_sizes_are_multiples_of_steps_that_fill_an_array_of_the_function() -> None:
    found = inferred(PACKED, file="linear.cpp")
    assert not found.findings
    for case in found.contract.cases:
        sizes = dict(case.scalars)
        assert sizes["N"] % 16 == sizes["K"] % 4 == 0
    assert extent_value(found.extents["y"], {"M": 3, "N": 32, "K": 8}) == 96


GATHERS = """
#include <immintrin.h>
void looked_up(const float *x, const int *at, const float *table, const unsigned char *code, float *y,
               int n, int length) {
    const __m512 known = _mm512_loadu_ps(table);
    for (int i = 0; i < n; i += 16) {
        const __mmask16 some = n - i < 16 ? (1u << (n - i)) - 1u : 0xffff;
        __m512i index = _mm512_maskz_loadu_epi32(some, at + i);
        __mmask16 within = _mm512_mask_cmplt_epu32_mask(some, index, _mm512_set1_epi32(length));
        __m512 found = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), within, index, x, 4);
        __m512i low = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(some, code + i));
        low = _mm512_and_epi32(low, _mm512_set1_epi32(15));
        _mm512_mask_storeu_ps(y + i, some, _mm512_mul_ps(found, _mm512_permutexvar_ps(low, known)));
    }
}
"""


def test_lanes_that_a_mask_holds_within_an_array_tell_its_length() -> None:
    found = inferred(GATHERS, file="gathers.cpp")
    sizes = {"n": 100, "length": 7}
    lengths = {name: extent_value(extent, sizes) for name, extent in found.extents.items()}
    assert lengths == {"x": 7, "at": 100, "table": 16, "code": 100, "y": 100}


def test_extents_that_no_formula_explains_are_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "_STEPS", 2000)
    text = SCAN.replace("LANES", "1").replace("first[r]", "first[r * r + 3 * rows % 7]")
    with pytest.raises(Refusal, match="did not end within"):
        inferred(text, STATED, "scan.cpp")


MAXIMA = """
extern "C" void maxima(const float *in, float *out, int height, int width, int channels,
                       int window, int stride) {
    const int high = (height - window) / stride + 1, wide = (width - window) / stride + 1;
    for (int y = 0; y < high; ++y)
        for (int x = 0; x < wide; ++x)
            for (int c = 0; c < channels; ++c) {
                float best = -1e30f;
                for (int dy = 0; dy < window; ++dy)
                    for (int dx = 0; dx < window; ++dx) {
                        const float v = in[((y * stride + dy) * width + x * stride + dx) * channels + c];
                        best = v > best ? v : best;
                    }
                out[(y * wide + x) * channels + c] = best;
            }
}
"""


def test_extents_are_right_where_windows_take_more_steps_than_at_the_first_sizes_tried() -> None:
    found = inferred(MAXIMA, Overrides(), "maxima.cpp")
    at = {"height": 29, "width": 31, "channels": 8, "window": 3, "stride": 2}
    assert extent_value(found.extents["out"], at) == 14 * 15 * 8
    assert extent_value(found.extents["in"], at) == 29 * 31 * 8


# Means of windows, kept in memory of its own: a window larger than the image has none.
WINDOWS = """
#include <stdlib.h>
#include <string.h>
extern "C" void windows(const float *x, float *y, int length, int window) {
    const int count = length - window + 1;
    float *copy = (float *)malloc(sizeof(float) * length);
    float *means = (float *)malloc(sizeof(float) * count);
    memcpy(copy, x, sizeof(float) * length);
    for (int i = 0; i < count; ++i) {
        float sum = 0;
        for (int k = 0; k < window; ++k) sum += copy[i + k];
        means[i] = sum / window;
    }
    memcpy(y, means, sizeof(float) * count);
    free(copy);
    free(means);
}
"""


def test_sizes_that_make_an_array_of_the_function_negative_are_not_meant() -> None:
    found = inferred(WINDOWS, Overrides(args=(("length", (9,)), ("window", (4,)))), "windows.cpp")
    assert dict(found.contract.cases[0].extents) == {"x": 9, "y": 6}
    assert extent_value(found.extents["y"], {"length": 20, "window": 3}) == 18


def test_no_further_sizes_lie_beyond_an_array_of_the_function() -> None:
    found = inferred(WINDOWS, file="windows.cpp")
    sizes = [(int(c.scalar("length")), int(c.scalar("window"))) for c in found.further]
    assert sizes
    assert all(window <= length for length, window in sizes)


def test_where_sizes_take_too_long_far_smaller_ones_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those of which one is a little less: each would take as long as it may."""
    monkeypatch.setattr(observe, "_STEPS", 200)
    too_long: list[tuple[int, ...]] = []
    interpreted = observe.run

    def run(kernel: Function, given: dict[str, Any], *where: Any, **options: Any) -> Result:
        result = interpreted(kernel, given, *where, **options)
        if any(finding.code == "step-limit" for finding in result.findings):
            too_long.append(tuple(v for v in given.values() if isinstance(v, int)))
        return result

    monkeypatch.setattr(observe, "run", run)
    assert inferred(SCAN.replace("LANES", "1"), file="scan.cpp").contract.cases
    assert len(too_long) <= 4, too_long
