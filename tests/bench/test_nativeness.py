"""What counts as a platform's own means, and what does not."""

from __future__ import annotations

import pytest

from xpiler.bench.nativeness import Depths, depths_of, is_native
from xpiler.bench.operators import load_operators, snippet
from xpiler.platforms.registry import PLATFORMS


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_snippet_is_native(platform: str) -> None:
    serial = [n for n in load_operators() if not is_native(snippet(n, platform).read_text(), platform)]
    assert not serial


def bang(body: str) -> str:
    return f"__mlu_entry__ void f(float *y, float *x, int n) {{ int me = taskId; {body} }}"


@pytest.mark.parametrize(
    ("body", "depths"),
    [
        ("for (int i = 0; i < n; ++i) y[i] = x[i] * 2;", Depths(-1, 1)),
        ("for (int i = 0; i < n; ++i) __bang_mul_scalar(y, x, 2.0f, n);", Depths(2, -1)),
        ("__bang_matmul(y, x, w, n, n, n);", Depths(3, -1)),
        ("for (int i = 0; i < n; ++i) __bang_atomic_reduce_add(&y[i], x[i]);", Depths(-1, 1)),
        ("for (int i = 0; i < n; ++i) __bang_atomic_reduce_add(y, x, n);", Depths(2, -1)),
        ("__bang_write_zero(y, n); for (int i = 0; i < n; ++i) y[i] += x[i];", Depths(-1, 1)),
        ("for (int i = 0; i < n; ++i) y[i] = x[i];", Depths(-1, -1)),  # a copy computes nothing
        ("for (int i = 0; i < n; ++i) y[i] = x[n - i];", Depths(-1, -1)),
    ],
)
def test_depths(body: str, depths: Depths) -> None:
    assert depths_of(bang(body)) == depths


def test_a_scalar_loop_beside_vectors_does_no_harm_but_a_deeper_one_does() -> None:
    vectors = "for (int r = 0; r < n; ++r) __bang_add(y, y, x, n);"
    beside = "for (int r = 0; r < n; ++r) for (int i = 0; i < n; ++i) y[i] += x[i];"
    deeper = (
        "for (int r = 0; r < n; ++r) for (int i = 0; i < n; ++i) for (int j = 0; j < n; ++j) y[i] += x[j];"
    )
    assert is_native(bang(vectors + beside), "bang")
    assert not is_native(bang(vectors + deeper), "bang")
    assert not is_native(bang(vectors).replace("taskId", "0"), "bang")


def test_what_only_moves_data_is_native_by_way_of_a_scratchpad() -> None:
    copies = "__memcpy(tile, x, n, GDRAM2NRAM); __memcpy(y, tile, n, NRAM2GDRAM);"
    assert is_native(bang(copies), "bang")
    assert is_native("int cores() { int n; cnrtGetDevice(&n); return n; }" + bang(copies), "bang")
    assert not is_native(bang(copies).replace("taskId", "0"), "bang")
    assert not is_native(bang("for (int i = 0; i < n; ++i) y[i] = x[i];"), "bang")


def test_vector_code_in_a_function_counts_where_it_is_called() -> None:
    text = """static __m512 twice(__m512 v) { return _mm512_add_ps(v, v); }
    void f(float *y, int n) {
      for (int i = 0; i < n; i += 16) _mm512_storeu_ps(y + i, twice(_mm512_loadu_ps(y + i)));
    }"""
    assert depths_of(text) == Depths(2, -1)
    assert is_native(text, "vnni")
    assert not is_native(text.replace("_mm512_add_ps(v, v)", "v"), "vnni")


def test_a_loop_given_to_the_vectoriser_is_a_vector_loop() -> None:
    loop = "for (int i = 0; i < n; ++i) y[i] += x[i];"
    function = "void f(float *y, const float *x, int n) {{\n{0}\n{1}\n}}"
    assert is_native(function.format("#pragma omp simd", loop), "vnni")
    assert not is_native(function.format("#pragma omp parallel for", loop), "vnni")


def test_one_thread_is_no_parallelism() -> None:
    kernel = "__global__ void k(float *y) { y[blockIdx.x * blockDim.x + threadIdx.x] = 1; }\n"
    assert is_native(kernel + "void f(float *y) { k<<<4, 64>>>(y); }", "cuda")
    assert not is_native(kernel + "void f(float *y) { k<<<1, 1>>>(y); }", "cuda")
    assert not is_native(
        "__global__ void k(float *y, int n) { for (int i = 0; i < n; ++i) y[i] = 1; }", "hip"
    )
