"""How far kernels with fixed extents reach, without running them."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.gate.index_reach import reach_of_indices

HEAD = "__global__ void k(const float *x, float *y) {\n int i = blockIdx.x * 64 + threadIdx.x;\n"


def reach(body: str, blocks: int = 10) -> dict[str, int] | None:
    kernel = parse(HEAD + body + "}", "kernel.cu").program.kernels[0]
    return reach_of_indices(kernel, (blocks, 1, 1), (64, 1, 1))


@pytest.mark.parametrize(
    ("body", "elements"),
    [
        ("y[i] = x[2 * i];", (1279, 640)),
        ("if (i < 600) y[i] = x[i];", (600, 600)),
        ("if (i >= 600) return; y[i] = x[i];", (600, 600)),
        ("if (i >= 3 && i < 600) for (int k = 0; k < 4; ++k) y[i] += x[i * 4 + k];", (2400, 600)),
        ("if (blockIdx.x * 64 + threadIdx.x < 500) y[blockIdx.x * 64 + threadIdx.x] = 1;", (0, 500)),
        ("if (i / 8 < 5) y[i / 8] = x[0];", (1, 5)),
    ],
)
def test_guards_with_numbers_tell_the_extents(body: str, elements: tuple[int, int]) -> None:
    assert reach(body) == {"x": 4 * elements[0], "y": 4 * elements[1]}


@pytest.mark.parametrize(
    "body",
    [
        "if (x[i] > 0) y[i] = 1;",
        "y[i] = i < 5 ? x[i] : 0;",
        "if (i < 600) y[i] = 1; else y[i + 7] = 2;",
        "if (i % 2 && i < 5 || i > 7) y[i] = 1;",
        "int j = i; while (j < 5) { y[j] = 1; j += 2; }",
    ],
)
def test_what_is_not_that_plain_is_run_instead(body: str) -> None:
    assert reach(body) is None
