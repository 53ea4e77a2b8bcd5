"""Which arrays the data decide about."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.data_guards import written_by_data

HEAD = "__global__ void k(const float *x, float *y, int *count, int n) {\n  int i = threadIdx.x;\n  "


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("if (i < n) y[i] = x[i];", set()),
        ("if (x[i] > 2.0f) y[i] = x[i];", {"y"}),
        ("if (x[i] > 2.0f) y[i] = x[i]; else y[i] = 0.0f;", set()),
        ("y[i] = x[i] > 2.0f ? x[i] : 0.0f;", set()),
        ("float big = 0.0f; for (int k = 0; k < n; ++k) if (x[k] > big) big = x[k]; y[i] = big;", set()),
        ("int p = 0; for (int k = 0; k < n; ++k) { y[p] = x[k]; if (x[k] > 2.0f) ++p; } *count = p;", {"y"}),
        ("if (x[i] > 2.0f) y[atomicAdd(count, 1)] = x[i];", {"y", "count"}),
    ],
)
def test_conditions_on_data_and_what_is_counted_under_them(body: str, expected: set[str]) -> None:
    (kernel,) = parse(f"{HEAD}{body}\n}}\n", "k.cu").program.kernels
    assert written_by_data(kernel) == expected
