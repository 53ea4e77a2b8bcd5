"""Where a pass must leave a kernel alone: each example is one step away from a kernel that it changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Atomic, Continue, Decl, For, Function, LoopKind
from xpiler.ir.rewrite import walk
from xpiler.passes.canonical import canonicalise


def canonical(
    text: str, blocks: int = 2, threads: int = 64, *, in_place: bool = False, **scalars: int
) -> Function:
    """The canonical form, after both were run on the same data: pointers get 512 small whole numbers each, or
    with `in_place` all of them the same array."""
    kernel = parse(text, "kernel.cu").program.kernels[0]
    form = canonicalise(kernel, (threads, 1, 1), (blocks, 1, 1)).function
    results = []
    for function in (kernel, form):
        rng = np.random.default_rng(3)
        given: dict[str, Any] = dict(scalars)
        for p in kernel.params:
            if p.is_pointer:
                data = rng.integers(-4, 5, 512).astype({"f32": np.float32, "i32": np.int32}[p.dtype.name])
                given[p.name] = next(iter(results_of(given).values()), data) if in_place else data
        launch = ((blocks, 1, 1), (threads, 1, 1)) if function is kernel else ()
        found = run(function, given, *launch, checks=False)
        assert not found.errors, found.errors[0]
        results.append(results_of(given))
    for name, expected in results[0].items():
        np.testing.assert_array_equal(results[1][name], expected)
    return form


def results_of(given: dict[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    return {name: value for name, value in given.items() if isinstance(value, np.ndarray)}


def arrays(function: Function) -> set[str]:
    return {s.name for s in walk(function.body) if isinstance(s, Decl) and s.shape}


def kinds(function: Function) -> list[LoopKind]:
    return [s.kind for s in walk(function.body) if isinstance(s, For)]


TILE = """
__global__ void k(const float* %(restrict)s a, float* %(restrict)s out, int n) {
    __shared__ float s[64];
    int t = threadIdx.x, base = blockIdx.x * 64;
    %(fill)s
    __syncthreads();
    out[base + t] = s[%(read)s] * 2.0f;
}
"""


def tile(fill: str = "s[t] = a[base + t];", read: str = "63 - t", restrict: str = "__restrict__") -> str:
    return TILE % {"fill": fill, "read": read, "restrict": restrict}


def test_a_tile_that_is_a_copy_goes() -> None:
    assert not arrays(canonical(tile(), n=100))


@pytest.mark.parametrize("in_place", [True, False])
def test_a_tile_stays_if_the_output_may_be_its_source(in_place: bool) -> None:
    assert arrays(canonical(tile(restrict=""), in_place=in_place, n=100)) == {"s"}


def test_a_tile_goes_if_each_element_is_replaced_by_what_is_read() -> None:
    assert not arrays(canonical(tile(read="t", restrict=""), in_place=True, n=100))


def test_a_tile_that_is_filled_twice_stays() -> None:
    assert "s" in arrays(canonical(tile("s[t] = a[base + t]; if (t < n) s[t] = 0.0f;"), n=7))


def test_a_tile_that_is_written_after_the_barrier_stays() -> None:
    fill = "s[t] = a[base + t]; __syncthreads(); if (t == 0) s[3] = 1.0f;"
    assert "s" in arrays(canonical(tile(fill), n=7))


def test_a_tile_with_elements_of_an_earlier_round_stays() -> None:
    text = """
    __global__ void k(const float* __restrict__ a, float* __restrict__ out, int n) {
        __shared__ float s[64];
        int t = threadIdx.x;
        float sum = 0.0f;
        s[t] = 1.0f;
        __syncthreads();
        for (int i = 0; i < 4; i++) {
            if (t < n - i) s[t] = a[i * 64 + t];
            __syncthreads();
            sum += s[63 - t];
            __syncthreads();
        }
        out[blockIdx.x * 64 + t] = sum;
    }
    """
    assert "s" in arrays(canonical(text, n=20))


def test_a_tile_of_computed_values_stays_and_so_do_the_two_loops_around_the_barrier() -> None:
    form = canonical(tile("s[t] = a[base + t] + 1.0f;"), n=0)
    assert arrays(form) == {"s"}
    assert kinds(form).count(LoopKind.THREADS) == 2


def test_a_value_that_another_thread_replaces_after_the_barrier_is_read_before() -> None:
    text = """
    __global__ void k(float* x) {
        int base = blockIdx.x * 64, t = threadIdx.x;
        float v = x[base + 63 - t];
        __syncthreads();
        x[base + t] = v;
    }
    """
    assert kinds(canonical(text)).count(LoopKind.THREADS) == 2


def test_the_same_through_two_pointers() -> None:
    text = """
    __global__ void k(const float* x, float* y) {
        int base = blockIdx.x * 64, t = threadIdx.x;
        float v = x[base + 63 - t];
        __syncthreads();
        y[base + t] = v;
    }
    """
    assert kinds(canonical(text, in_place=True)).count(LoopKind.THREADS) == 2


ROW = """
__global__ void k(%(const)s float* %(restrict)s x, float* %(restrict)s y, int n) {
    int row = blockIdx.x * 64 + threadIdx.x;
    for (int i = 0; i < n; i++) { %(body)s }
}
"""


def row(body: str, restrict: str = "__restrict__", const: str = "const") -> str:
    return ROW % {"body": body, "restrict": restrict, "const": const}


def test_a_loop_over_elements_of_ones_own_is_parallel() -> None:
    form = canonical(row("y[row * n + i] = x[row * n + i] * 2.0f;", ""), n=3, in_place=True)
    assert LoopKind.SERIAL not in kinds(form)


@pytest.mark.parametrize(
    ("body", "restrict"),
    [
        ("if (i > 0) y[row * n + i] = y[row * n + i - 1] + x[row];", "__restrict__"),
        ("y[row * n + i / 2] = x[row * n + i];", "__restrict__"),
        ("y[row * n + (i & 1)] = x[row * n + i];", "__restrict__"),
        ("if (i + 1 < n) y[row * n + i] = x[row * n + i + 1];", ""),
    ],
)
def test_a_loop_that_carries_something_stays_serial(body: str, restrict: str) -> None:
    form = canonical(row(body, restrict), n=3, in_place=not restrict)
    assert LoopKind.SERIAL in kinds(form)


@pytest.mark.parametrize("restrict", ["", "__restrict__"])
def test_a_value_is_hoisted_only_if_the_loop_does_not_change_it(restrict: str) -> None:
    text = f"""
    __global__ void k(const float* {restrict} x, float* {restrict} y) {{
        int t = blockIdx.x * 64 + threadIdx.x;
        for (int i = 0; i < 4; i++) {{ float s = x[t * 4]; y[t * 4 + i] = y[t * 4 + i] + s + 1.0f; }}
    }}
    """
    form = canonical(text, in_place=not restrict)
    innermost = [s for s in walk(form.body) if isinstance(s, For)][-1]
    assert any(isinstance(s, Decl) for s in walk(innermost.body)) == (not restrict)


def test_blocks_that_wait_for_each_other_stay_in_order() -> None:
    text = """
    __global__ void k(int* count, int* part, int* out) {
        __shared__ bool last;
        if (threadIdx.x == 0) {
            part[blockIdx.x] = blockIdx.x + 1;
            __threadfence();
            last = atomicAdd(count, 1) == gridDim.x - 1 + out[1];
        }
        __syncthreads();
        if (last && threadIdx.x == 0) out[0] = part[0] + part[1];
    }
    """
    form = canonical(text)
    assert any(isinstance(s, Atomic) for s in walk(form.body))
    assert LoopKind.PARALLEL not in kinds(form)


@pytest.mark.parametrize(("start", "end"), [(32, 0), (32, 1), (24, 0)])
def test_only_whole_trees_are_sums(start: int, end: int) -> None:
    text = f"""
    __global__ void k(const float* __restrict__ a, float* __restrict__ out) {{
        __shared__ float s[64];
        int t = threadIdx.x;
        s[t] = a[blockIdx.x * 64 + t];
        __syncthreads();
        for (int d = {start}; d > {end}; d >>= 1) {{ if (t < d) s[t] += s[t + d]; __syncthreads(); }}
        if (t == 0) out[blockIdx.x] = s[0];
    }}
    """
    assert bool(arrays(canonical(text))) == ((start, end) != (32, 0))


@pytest.mark.parametrize(
    ("last", "rolled"), [("v.w + 1.0f", True), ("v.w + 2.0f", False), ("v.x + 1.0f", False)]
)
def test_elements_are_a_loop_only_if_they_are_treated_alike(last: str, rolled: bool) -> None:
    text = f"""
    __global__ void k(const float4* __restrict__ a, float4* __restrict__ out) {{
        int i = blockIdx.x * 64 + threadIdx.x;
        float4 v = a[i];
        out[i] = make_float4(v.x + 1.0f, v.y + 1.0f, v.z + 1.0f, {last});
    }}
    """
    form = canonical(text, blocks=1)
    assert (len(list(walk(form.body))) < 20) == rolled


def test_every_warp_has_fragments_of_its_own() -> None:
    text = """
    #include <mma.h>
    using namespace nvcuda;
    __global__ void k(float* out) {
        wmma::fragment<wmma::accumulator, 16, 16, 16, float> c;
        wmma::fill_fragment(c, 3.0f + threadIdx.x / 32);
        wmma::store_matrix_sync(out + threadIdx.x / 32 * 256, c, 16, wmma::mem_row_major);
    }
    """
    canonical(text, blocks=1)


def test_a_loop_goes_on_under_a_condition_instead_of_by_continue() -> None:
    text = """
    __global__ void k(const float* a, float* out, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        float sum = 0.0f;
        for (int y = 0; y < 3; ++y) {
            if (i + y < 1 || i + y >= n) continue;
            for (int x = 0; x < 3; ++x) {
                if (x == y) continue;
                sum += a[i + y] * a[x];
            }
        }
        out[i] = sum;
    }
    """
    assert not any(isinstance(s, Continue) for s in walk(canonical(text, n=100).body))
