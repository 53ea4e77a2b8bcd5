"""Which arrays a call may give twice, by what the blocks would do to one another then."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.passes.canonical import canonicalise


def restricted(body: str) -> list[str]:
    text = f"""
    __global__ void f(const int *at, const float *x, float *y, int n, int m, int p, int q) {{ {body} }}
    void run(const int *at, const float *x, float *y, int n, int m, int p, int q) {{
        f<<<m, 64>>>(at, x, y, n, m, p, q);
    }}
    """
    (kernel,) = parse(text, "f.cu").program.kernels
    found = canonicalise(kernel, kernel.block_size).function
    return [p.name for p in found.params if p.is_restrict]


ROWS = "for (int b = blockIdx.x; b < m; b += gridDim.x) for (int i = threadIdx.x; i < n; i += 64) "


@pytest.mark.parametrize(
    "body",
    [
        ROWS + "y[b * n + i] = x[2 * b * n + i] * x[2 * b * n + n + i];",
        ROWS + "y[i * m + b] = x[b * n + i];",
        "int t = blockIdx.x * 64 + threadIdx.x; if (t < n * m) y[t] = x[t % n * m + t / n];",
        ROWS + "y[b * n + i] = x[at[b] * n + i];",
        "__shared__ float s[64]; "
        + ROWS
        + "{ s[threadIdx.x] = x[i * m + b]; y[b * n + i] = s[threadIdx.x]; }",
    ],
)
def test_what_would_race_in_place_is_no_call(body: str) -> None:
    assert restricted(body) == ["x", "y"]


@pytest.mark.parametrize(
    "body",
    [
        ROWS + "y[b * n + i] = x[b * n + i];",
        ROWS + "y[b * n + i] = x[b * n + n - 1 - i];",
        ROWS + "y[b * p + i] = x[b * q + i];",
        ROWS + "y[b * n + i * m] = x[b * p + i * q];",
        "int t = blockIdx.x * 64 + threadIdx.x; if (t < n * m) y[t] = x[t / n * n + t % n];",
        "int t = blockIdx.x * 64 + threadIdx.x; if (t < n) y[t] = x[t];",
        "int t = threadIdx.x; if (t < n) y[t] = x[t] * blockIdx.x;",
        ROWS + "if (x[b] > 0.0f) y[b * n + i] = 0.0f;",
        ROWS + "y[at[b] * n + i] = x[at[b] * n + i];",
    ],
)
def test_what_is_right_in_place_or_not_known_may_be_a_call(body: str) -> None:
    assert restricted(body) == []


STRIDED = """
    for (int t = blockIdx.x * 256 + threadIdx.x; t < n; t += 256 * gridDim.x) {"""


@pytest.mark.parametrize(
    "body",
    [
        STRIDED + "y[t] = x[t % m]; }",  # blocks of many threads: sizes beyond one block
        STRIDED + "int at = (int)x[t]; float v = 0.0f; if (x[t] > 0.0f) v = x[at]; y[t] = v; }",
    ],
)
def test_strides_of_a_grid_are_blocks_too(body: str) -> None:
    assert restricted(body) == ["x", "y"]
