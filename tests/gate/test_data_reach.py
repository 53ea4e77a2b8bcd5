"""How far data may lead a kernel, where guards, clamps and remainders bound what they pick."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.gate.contract import Launch
from xpiler.gate.data_reach import data_reach

HEAD = """
__global__ void k(const int *data, const float *x, const unsigned *keys, int *counts, int n, int bins) {
  int i = blockIdx.x * 64 + threadIdx.x;
  if (i >= n) return;
"""


def reach(body: str) -> tuple[int | None, bool]:
    """Elements of `counts` at 53 bins, and whether data may be anything."""
    kernel = parse(HEAD + body + "}", "kernel.cu").program.kernels[0]
    found = data_reach(kernel, Launch((10, 1, 1), (64, 1, 1)), {"n": 600, "bins": 53})
    size = found.needed.get("counts")
    return None if size is None else size // 4, found.anywhere


@pytest.mark.parametrize(
    ("body", "elements"),
    [
        ("int b = data[i]; if (b >= 0 && b < bins) atomicAdd(&counts[b], 1);", 53),
        ("int b = data[i]; if (b < 0 || b >= bins) return; atomicAdd(&counts[b], 1);", 53),
        ("if ((unsigned)data[i] < (unsigned)bins) atomicAdd(&counts[data[i]], 1);", 53),
        ("bool ok = data[i] >= 0 && data[i] <= bins; if (ok) atomicAdd(counts + data[i], 1);", 54),
        ("int b = (int)(x[i] * 8.f); b = max(0, min(b, bins - 1)); atomicAdd(&counts[b], 1);", 53),
        ("int b = (int)x[i]; if (b < 0) b = 0; if (b >= bins) b = bins - 1; counts[b] = 1;", 53),
        ("int b = (int)fminf(fmaxf(x[i], 0.f), (float)(bins - 1)); counts[b] = 1;", 53),
        ("int b = data[i]; counts[b < 0 ? 0 : b < bins - 1 ? b : bins - 1] = 1;", 53),
        ("atomicAdd(&counts[keys[i] % bins], 1);", 53),
        ("atomicAdd(&counts[(keys[i] >> 8) & 255], 1);", 256),
        ("int b = data[i]; if (b >= 0 && b < bins) counts[i * bins + b] = 1;", 600 * 53),
        (
            "for (int t = 0; t < 4; ++t) { int b = data[i + t]; if (b >= 0 && b < 7) counts[4 * b + t]++; }",
            28,
        ),
        ("if (data[i] == 3) for (int b = 0; b < bins; b += 16) counts[(data[i] & 1) * 64 + b] = 1;", 113),
    ],
)
def test_what_bounds_an_index_bounds_the_array(body: str, elements: int) -> None:
    assert reach(body) == (elements, True)


def test_a_bound_on_one_side_alone_tells_the_length_but_not_that_all_data_are_meant() -> None:
    assert reach("int b = data[i]; if (b < bins) counts[b] = 1;") == (53, False)


def test_an_array_of_the_kernels_own_has_to_hold_what_data_pick_too() -> None:
    body = "__shared__ int h[32]; int b = data[i]; if (b >= 0 && b < bins) { h[b] = 1; counts[b] = h[b]; }"
    assert reach(body) == (53, False)


@pytest.mark.parametrize(
    "body",
    [
        "atomicAdd(&counts[data[i]], 1);",
        "int b = data[i]; if (b < bins) b += data[i + 1]; counts[b] = 1;",
        "int b = data[i]; if (b >= 0 && b < bins) { b = data[b]; counts[b] = 1; }",
        "for (int j = data[i]; j < data[i + 1]; ++j) counts[j] = 1;",
        "if (data[i] < bins) { counts[i] = 0; } counts[data[i]] = 1;",
    ],
)
def test_nothing_is_known_where_nothing_bounds_the_data(body: str) -> None:
    assert reach(body) == (None, False)


def test_indices_that_no_data_pick_are_none_of_its_concern() -> None:
    assert reach("counts[i] = data[i];") == (None, False)


@pytest.mark.parametrize(
    ("body", "elements"),
    [
        ("if (data[i] > 0) counts[i] = 1;", 600),
        ("if (x[i] < 0.f) return; counts[2 * i] = 1;", 1199),
        ("if (data[i] > 0) { counts[i] = 1; counts[data[i]] = 1; }", None),
        ("if (n > 5) counts[i] = 1;", None),
        ("bool keep = x[i] > 0.f; counts[0] = keep ? counts[i] : 0;", 600),
    ],
)
def test_places_that_data_decide_on_are_needed_whatever_the_data(body: str, elements: int | None) -> None:
    assert reach(body) == (elements, False)


def test_counts_of_the_kernels_own_decide_on_what_they_guard() -> None:
    text = """__global__ void k(const unsigned char *data, int n, unsigned *bins) {
      __shared__ unsigned local[256];
      local[threadIdx.x] = 0;
      __syncthreads();
      for (int i = threadIdx.x; i < n; i += 256) atomicAdd(&local[data[i]], 1u);
      __syncthreads();
      unsigned c = local[threadIdx.x];
      if (c) atomicAdd(&bins[threadIdx.x], c);
    }"""
    kernel = parse(text, "kernel.cu").program.kernels[0]
    found = data_reach(kernel, Launch((2, 1, 1), (256, 1, 1)), {"n": 600})
    assert found.needed == {"bins": 256 * 4}
