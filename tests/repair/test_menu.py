"""What could stand in a place, the likely first: what the source says, what nothing uses yet."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed
from xpiler.frontend.syntax import analyse
from xpiler.repair.changes import apply
from xpiler.repair.menu import sites_of
from xpiler.repair.vocabulary import vocabulary

SOURCE = """extern "C" void norm(const float *x, float *y, int rows, int cols, int depth) {
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < cols; ++c) y[r * cols + c] = x[r * cols + c] + fmaxf(x[r], 0.5f) / depth;
}
"""
TARGET = """__global__ void norm(const float *x, float *y, int rows, int cols, int depth) {
  int r = blockIdx.x * blockDim.x + threadIdx.x;
  if (r >= rows) return;
  for (int c = 0; c < cols; ++c) y[r * cols + c] = x[r * cols + c] + fmaxf(x[r], 0.5f) / depth;
}
"""


def costs(wrong: str, right: str) -> dict[str, float]:
    """What each change costs of the place where the right one costs least."""
    text = TARGET.replace(right, wrong)
    assert text != TARGET
    words = vocabulary(SOURCE, text, "cuda")
    unit, source = analyse(text, "norm.cu", platform="cuda"), analyse(SOURCE, "norm.cpp", platform="vnni")
    sites = sites_of(unit, source, words, "norm")
    at = [{apply(text, s.edits(n)): a.cost for n, a in enumerate(s.alternatives, 1)} for s in sites]
    return min((found for found in at if TARGET in found), key=lambda found: found[TARGET])


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("+ fmaxf(x[r]", "- fmaxf(x[r]"),  # the source subtracts nothing
        ("fmaxf", "fminf"),  # nor does it take a minimum
        ("c < cols", "c < depth"),  # and no loop ends there
        ("y[r * cols", "y[r * depth"),  # nor is `y` indexed with that
        ("if (r >= rows)", "if (true)"),
        (" + threadIdx.x", ""),  # nothing else says which thread it is
        ("y[r * cols + c]", "y[c]"),  # a row is missing
        ("int c = 0", "int c = 1"),
        ("y[r * cols + c]", "y[c * cols + r]"),
    ],
)
def test_the_right_text_is_among_the_first_at_its_place(right: str, wrong: str) -> None:
    found = costs(wrong, right)
    before = [text for text, cost in found.items() if cost < found[TARGET]]
    assert len(before) <= 3, before


def test_what_accumulates_in_a_scratchpad_begins_with_a_value() -> None:
    text = """__mlu_entry__ void sum(float *y, const float *x, int n) {
  __nram__ float a[64], b[64];
  for (int i = 0; i < n; ++i) {
    __memcpy(b, x + i * 64, 64 * sizeof(float), GDRAM2NRAM);
    __bang_add(a, a, b, 64);
  }
  __memcpy(y, a, 64 * sizeof(float), NRAM2GDRAM);
}
"""
    unit, words = analyse(text, "sum.mlu", platform="bang"), vocabulary(text, text, "bang")
    titles = [a.title for s in sites_of(unit, unit, words, "sum") for a in s.alternatives if a.cost < 1.4]
    assert "`__bang_write_value(a, 64, 0.0f);` is missing" in titles


def test_an_element_of_an_array_that_sums_are_made_in_begins_with_a_value() -> None:
    text = """__global__ void norm(const float *x, float *y, int rows, int cols, int depth) {
  float sum[4];
  for (int i = 0; i < 4; ++i) {
    ;
  }
  for (int c = 0; c < cols; ++c) {
    for (int i = 0; i < 4; ++i) sum[i] += x[c * 4 + i];
  }
  for (int i = 0; i < 4; ++i) y[i] = sum[i];
}
"""
    unit, source = analyse(text, "norm.cu", platform="cuda"), analyse(SOURCE, "norm.cpp", platform="vnni")
    sites = sites_of(unit, source, vocabulary(SOURCE, text, "cuda"), "norm")
    made = {apply(text, s.edits(n)) for s in sites for n, _ in enumerate(s.alternatives, 1)}
    assert any("{\n    sum[i] = 0.0f;\n    ;\n  }" in one for one in made)


def test_an_array_that_nothing_reads_is_what_a_constant_stands_for() -> None:
    text = """__global__ void f(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 0;
}
"""
    made = changed(text, "f.cu")
    for right in ("fmaxf(x[i], 0.0f)", "x[i]", "(x[i] > 0.0f ? 1.0f : x[i] < 0.0f ? -1.0f : 0.0f)"):
        assert text.replace("= 0;", f"= {right};") in made


def test_a_loop_that_does_nothing_may_have_set_an_array_of_the_function() -> None:
    text = """__global__ void f(float *y, int n) {
  __shared__ float sum[64];
  for (int i = threadIdx.x; i < 64; i += blockDim.x) ;
  __syncthreads();
  y[threadIdx.x] = sum[threadIdx.x];
}
"""
    kind = changed(text, "f.cu")[text.replace("+= blockDim.x) ;", "+= blockDim.x) sum[i] = 0.0f;")]
    assert kind.endswith("empty loop")


def test_a_sum_that_nothing_is_done_with_comes_sooner() -> None:
    text = """extern "C" void f(const float *x, float *y, int n) {
  float a = 0.0f, b = 0.0f, c = 0.0f;
  for (int i = 0; i + 1 < n; i += 2) {
    a += x[i];
    b += x[i + 1];
    c += x[i];
  }
  y[0] = a + c;
}
"""
    unit = analyse(text, "f.cpp", platform="vnni")
    sites = sites_of(unit, unit, vocabulary(text, text, "vnni"), "f")
    found = {apply(text, s.edits(n)): a.cost for s in sites for n, a in enumerate(s.alternatives, 1)}
    assert found[text.replace("a + c", "a + b")] < found[text.replace("a + c", "a + a")]


def test_a_sum_is_scaled_as_the_others_of_its_loop() -> None:
    text = """extern "C" void f(const float *s, const float *v, float *y, int n) {
  float m = s[0], l = 0.0f, acc = 0.0f;
  for (int i = 0; i < n; ++i) {
    float m_new = fmaxf(m, s[i]), fix = expf(m - m_new), p = expf(s[i] - m_new);
    l = l + p;
    acc = acc * fix + p * v[i];
    m = m_new;
  }
  y[0] = acc / l;
}
"""
    kind = changed(text, "f.cpp")[text.replace("l = l + p", "l = l * fix + p")]
    assert kind.endswith("scaled as others")


def test_a_row_that_misses_the_number_of_its_plane_is_what_the_source_has_there() -> None:
    source = """extern "C" void f(const float *x, float *y, int planes, int height, int width) {
  for (int n = 0; n < planes; ++n)
    for (int r = 0; r < height; ++r)
      for (int c = 0; c < width; ++c) y[(n * height + r) * width + c] = x[(n * height + r) * width + c];
}
"""
    text = """__global__ void f(const float *x, float *y, int planes, int height, int width) {
  int n = blockIdx.y, r = blockIdx.x;
  for (int c = threadIdx.x; c < width; c += 32) {
    float v = x[(n * height + r) * width + c];
    y[(n * height + r) * width + c] = v;
  }
}
"""
    wrong = text.replace("v = x[(n * height + r) * width", "v = x[r * width")
    assert text in changed(wrong, "f.cu", source)


def test_a_number_that_ends_a_loop_where_the_source_has_a_size_is_likely_that_size() -> None:
    found = costs("c < 32", "c < cols")
    assert found[TARGET] <= min(found.values()) + 0.05


def test_a_lane_alone_in_a_sum_over_lanes_is_multiplied_as_the_others() -> None:
    text = """__global__ void f(const float4 *a, const float4 *b, float *y) {
  float4 u = a[threadIdx.x], v = b[threadIdx.x];
  y[threadIdx.x] = u.x * v.x + u.y * v.y + u.z * v.z;
}
"""
    for right, wrong in (("u.z * v.z", "u.z"), ("u.y * v.y", "v.y")):
        assert text in [
            made.replace("v.y * u.y", "u.y * v.y") for made in changed(text.replace(right, wrong), "f.cu")
        ]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("!(i > 1 && j < n && x[i] > x[j])", "i > 1 && j < n && x[i] > x[j]"),
        ("i <= 1 || j >= n || x[i] <= x[j]", "!(i <= 1 || j >= n || x[i] <= x[j])"),
    ],
)
def test_a_condition_that_leaves_out_others_says_which_ones_are_meant(said: str, meant: str) -> None:
    head = "void pick(const float *x, float *y, int i, int j, int n) {"
    source = f'extern "C" {head} if ({said}) return; y[i] = x[j]; }}'
    text = f"__global__ {head} if (true) {{ y[i] = x[j]; }} }}"
    unit, other = analyse(text, "p.cu", platform="cuda"), analyse(source, "p.cpp", platform="vnni")
    sites = sites_of(unit, other, vocabulary(source, text, "cuda"), "pick")
    offered = {a.text for s in sites if text[s.start : s.end] == "true" for a in s.alternatives}
    assert meant in offered


def test_a_number_of_blocks_is_no_sooner_one_where_a_variable_has_it() -> None:
    text = """__global__ void k(float *y) { y[blockIdx.x * 64 + threadIdx.x] = 1.0f; }
extern "C" void f(float *y) {
  int blocks = 64;
  int turns = 64;
  for (int i = 0; i < turns; ++i) k<<<blocks, 64>>>(y);
}
"""
    unit = analyse(text, "f.cu", platform="cuda")
    sites = sites_of(unit, unit, vocabulary(text, text, "cuda"), "f")
    found = {apply(text, s.edits(n)): a.cost for s in sites for n, a in enumerate(s.alternatives, 1)}
    assert found[text.replace("blocks = 64", "blocks = 1")] > 2
    assert found[text.replace("turns = 64", "turns = 1")] < 2


def test_host_code_has_no_number_of_a_thread() -> None:
    text = """__global__ void k(float *y) { y[blockIdx.x * 64 + threadIdx.x] = 1.0f; }
extern "C" void f(float *y, int n) {
  int blocks = n / 64;
  k<<<blocks, 64>>>(y);
}
"""
    host = [one[one.index('extern "C"') :] for one in changed(text, "f.cu")]
    assert len(host) > 50 and not any("Idx" in one or "Dim" in one for one in host)


def test_what_was_begun_may_have_to_be_waited_for() -> None:
    text = """__mlu_entry__ void f(float *y, const float *x) {
  __nram__ float a[64];
  __memcpy_async(a, x, 64 * sizeof(float), GDRAM2NRAM);
  __bang_add(a, a, a, 64);
  __memcpy(y, a, 64 * sizeof(float), NRAM2GDRAM);
}
"""
    right = text.replace("  __bang_add", "  __sync();\n  __bang_add")
    assert changed(text, "f.mlu")[right] == "device wait"
    plain = text.replace("_async", "")
    assert "device wait" not in changed(plain, "f.mlu").values()


def cost(right: str, wrong: str, text: str, file: str, platform: str) -> float:
    """What the change costs that makes the text right again, whatever the source."""
    assert right in text
    given = text.replace(right, wrong, 1)
    words = vocabulary("", given, platform)
    unit, source = analyse(given, file, platform=platform), analyse("", "a.cpp", platform="vnni")
    sites = sites_of(unit, source, words, "f")
    every = [(a.cost, apply(given, s.edits(n))) for s in sites for n, a in enumerate(s.alternatives, 1)]
    return min((cost for cost, made in every if made == text), default=9.0)


STAGED = """#define P 512
__mlu_entry__ void f(const float *x, float *y, int n) {
  __nram__ float b[2 * P];
  for (int k = taskId; k * P < n; k += taskDim) {
    int now = (k & 1) * P;
    __memcpy_async(b + now, x + k * P, P * sizeof(float), GDRAM2NRAM);
    __sync_io();
    __bang_mul(b + now, b + now, b + now, P);
    __sync_compute();
    __memcpy_async(y + k * P, b + now, P * sizeof(float), NRAM2GDRAM);
    __sync_io();
  }
}
"""
SHARED = """template <typename T>
__device__ T square(T v) { return v * v; }
template <typename T>
__global__ void g(const T *x, T *y, int n) {
  __shared__ T s[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  s[threadIdx.x] = i < n ? square(x[i]) : T(0);
  __syncthreads();
  if (i < n && s[63] > s[0]) y[i] = s[63 - threadIdx.x];
}
void f(const float *x, float *y, int n) {
  size_t bytes = n * sizeof(float);
  cudaMemcpy(y, x, bytes, cudaMemcpyDeviceToDevice);
  cudaMemcpy(y, x, (size_t)n * n * sizeof(float), cudaMemcpyDeviceToDevice);
  g<float><<<(n + 63) / 64, 64>>>(x, y, n);
}
"""
LANES = """#include <immintrin.h>
void f(const float *x, float *y, int n) {
  const __mmask16 twelve = 0x0fff;
  for (int i = 0; i + 16 <= n; i += 16) _mm512_storeu_ps(y + i, _mm512_loadu_ps(x + i));
  for (int p = 0; p < n; ++p) _mm512_mask_storeu_ps(y + p * 12, twelve, _mm512_loadu_ps(x + p * 12));
}
"""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("0x0fff", "0x07ff"), ("0x0fff", "0xffff"), ("i + 16 <= n; i += 16", "i + 8 <= n; i += 8")],
)
def test_lanes_are_as_many_as_something_else_says(right: str, wrong: str) -> None:
    assert cost(right, wrong, LANES, "a.cpp", "vnni") <= 1.3


@pytest.mark.parametrize(
    ("right", "wrong", "most"),
    [
        ("GDRAM2NRAM);\n    __sync_io();\n", "GDRAM2NRAM);\n", 1.0),
        ("    __sync_compute();\n", "", 1.1),
        ("(k & 1) * P", "k & 1", 1.9),
    ],
)
def test_what_is_begun_is_waited_for_and_parts_of_an_array_are_apart(
    right: str, wrong: str, most: float
) -> None:
    assert cost(right, wrong, STAGED, "a.mlu", "bang") <= most


@pytest.mark.parametrize(
    ("right", "wrong", "most"),
    [
        ("  __syncthreads();\n", "", 0.8),
        ("v * v", "v", 2.2),
        ("i < n && s[63] > s[0]", "i <= n && s[63] > s[0]", 1.0),
        ("s[63] > s[0]", "s[63] < s[0]", 1.5),
        ("x, bytes", "x, sizeof(bytes)", 0.9),
        (" * n * sizeof(float)", " * n", 1.1),
        ("/ 64, 64>>>", "/ 64, 32>>>", 1.4),
    ],
)
def test_slips_in_kernels_and_their_launches_are_likely(right: str, wrong: str, most: float) -> None:
    assert cost(right, wrong, SHARED, "a.cu", "cuda") <= most
