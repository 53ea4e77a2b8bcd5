"""Pipelines whose first and last stages stand around their loop."""

from __future__ import annotations

import pytest

from tests.passes.test_scratchpads import canonical
from xpiler.ir.printer import show

PIPELINE = """
#define DEAL 32
__nram__ char room[4 * DEAL * sizeof(float)];
__mlu_func__ void compute(float *to, float *from, int count) {
    __bang_mul(to, from, from, count);
    __bang_add(to, to, from, count);
}
__mlu_entry__ void k(const float *__restrict__ x, float *__restrict__ y, int n) {
    float *in = (float *)room, *out = in + DEAL;
    int gap = 2 * DEAL, repeat = n / DEAL, rest = n % DEAL;
    if (repeat > 0) {
        __memcpy_async(in, x, DEAL * sizeof(float), GDRAM2NRAM);
        __sync();
    }
    if (repeat > 1) {
        __memcpy_async(in + gap, x + DEAL, DEAL * sizeof(float), GDRAM2NRAM);
        compute(out, in, DEAL);
        __sync();
    }
    for (int i = 0; i < repeat - 2; i++) {
        __memcpy_async(y + i * DEAL, out + (i % 2) * gap, DEAL * sizeof(float), NRAM2GDRAM);
        __memcpy_async(in + (i % 2) * gap, x + (i + 2) * DEAL, DEAL * sizeof(float), GDRAM2NRAM);
        compute(out + ((i + 1) % 2) * gap, in + ((i + 1) % 2) * gap, DEAL);
        __sync();
    }
    if (repeat > 1)
        __memcpy_async(y + (repeat - 2) * DEAL, out + (repeat % 2) * gap, DEAL * sizeof(float), NRAM2GDRAM);
    if (rest > 0)
        __memcpy_async(in + (repeat % 2) * gap, x + repeat * DEAL, rest * sizeof(float), GDRAM2NRAM);
    if (repeat > 0) compute(out + ((repeat - 1) % 2) * gap, in + ((repeat - 1) % 2) * gap, DEAL);
    __sync();
    if (repeat > 0) {
        float *last = out + ((repeat - 1) % 2) * gap;
        __memcpy_async(y + (repeat - 1) * DEAL, last, DEAL * sizeof(float), NRAM2GDRAM);
    }
    if (rest > 0) {
        compute(out + (repeat % 2) * gap, in + (repeat % 2) * gap, rest);
        __sync();
        __memcpy_async(y + repeat * DEAL, out + (repeat % 2) * gap, rest * sizeof(float), NRAM2GDRAM);
    }
}
"""


@pytest.mark.parametrize("n", [5, 32, 64, 75, 96, 150])
def test_tiles_and_the_rest_are_one_loop(n: int) -> None:
    form = canonical(PIPELINE, n)
    assert show(form).count("for ") == 1 and "room" not in show(form).replace("room_", ""), show(form)


CHANGES = {
    "a stage that is left out": ("if (repeat > 0) compute", "if (repeat > 1) compute"),
    "a part that is loaded too early": ("in + (i % 2) * gap, x", "in + ((i + 1) % 2) * gap, x"),
    "a rest that takes the place of a tile": (
        "in + (repeat % 2) * gap, x",
        "in + ((repeat + 1) % 2) * gap, x",
    ),
    "another tile": ("x + DEAL, DEAL", "x + 2 * DEAL, DEAL"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_is_no_such_pipeline_stays_as_it_is(change: tuple[str, str]) -> None:
    text = PIPELINE.replace(*change)
    assert text != PIPELINE
    assert show(canonical(text, 150)).count("for ") > 1
