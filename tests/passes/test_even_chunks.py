"""Workers that get as many elements as each other, or one more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

SPLITS = {
    "one more": ("n / taskDim + (taskId < n % taskDim)", "n / taskDim * taskId + min(taskId, n % taskDim)"),
    "a choice": (
        "taskId < n % taskDim ? n / taskDim + 1 : n / taskDim",
        "taskId < n % taskDim ? taskId * (n / taskDim + 1) : taskId * (n / taskDim) + n % taskDim",
    ),
    "the other way round": (
        "n / taskDim + (taskId >= n % taskDim ? 0 : 1)",
        "taskId * (n / taskDim) + (n % taskDim > taskId ? taskId : n % taskDim)",
    ),
}


def one_loop(count: str, first: str, body: str) -> bool:
    """Whether the elements of all workers are one loop; in either case they are computed."""
    text = f"""__mlu_entry__ void k(float *y, int n) {{
        int count = {count};
        int first = {first};
        {body}
    }}"""
    form = canonicalise(
        parse(text, "k.mlu", platform="bang").program.kernels[0], (1, 1, 1), (None, 1, 1)
    ).function
    for n, workers in ((11, 4), (3, 4), (8, 4)):
        given: dict[str, Any] = {"y": np.zeros(16, np.float32), "n": n, "gridDim.x": workers}
        assert not run(form, {p.name: given[p.name] for p in form.params}).errors
        np.testing.assert_array_equal(given["y"][:n], np.arange(n))
        assert not given["y"][n:].any()
    return "in 0 .. n {" in show(form)


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS.keys())
@pytest.mark.parametrize(
    "body",
    [
        "for (int i = 0; i < count; ++i) y[first + i] = first + i;",
        "for (int i = first; i < first + count; ++i) y[i] = i;",
    ],
)
def test_all_elements_are_one_loop(split: tuple[str, str], body: str) -> None:
    assert one_loop(*split, body)


def test_chunks_that_do_not_lie_end_to_end_stay() -> None:
    text = """__mlu_entry__ void k(float *y, int n) {
        int count = n / taskDim + (taskId < n % taskDim);
        int first = n / taskDim * taskId;
        for (int i = 0; i < count; ++i) y[first + i] = 1.0f;
    }"""
    form = canonicalise(
        parse(text, "k.mlu", platform="bang").program.kernels[0], (1, 1, 1), (None, 1, 1)
    ).function
    assert "in 0 .. n {" not in show(form)
