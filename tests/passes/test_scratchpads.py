"""Scratchpads of BANG C on the way to canonical loops: buffers are split, tiles move inwards and vanish."""

from __future__ import annotations

from typing import Any

import numpy as np

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

TASKS = (1, 1, 1)


def canonical(text: str, n: int) -> Function:
    """The canonical form for one task. Every pass is checked: both forms are run on the same data."""
    kernel = parse(text, "kernel.mlu", platform="bang").program.kernels[0]

    def results(function: Function) -> list[Any]:
        random = np.random.default_rng(1)
        given: dict[str, Any] = {}
        for p in function.params:
            given[p.name] = random.integers(-9, 9, 4 * n).astype(np.float32) if p.is_pointer else n
        launch = ((1, 1, 1), (1, 1, 1)) if function is kernel else ()
        found = run(function, given, *launch, checks=function is not kernel)
        assert not found.errors, found.errors[0]
        return [v for v in given.values() if isinstance(v, np.ndarray)]

    def check(before: Function, after: Function, name: str) -> None:
        for one, other in zip(results(before), results(after), strict=True):
            np.testing.assert_array_equal(one, other, name)

    form = canonicalise(kernel, kernel.block_size, TASKS, check).function
    for one, other in zip(results(kernel), results(form), strict=True):
        np.testing.assert_array_equal(one, other)
    return form


def test_parts_of_a_raw_buffer_become_variables_of_one_loop() -> None:
    form = canonical(
        """
        #define DEAL 64
        __nram__ char room[2 * DEAL * sizeof(float)];
        __mlu_entry__ void k(const float *__restrict__ x, float *__restrict__ y, int n) {
            float *a = (float *)room, *b = a + DEAL;
            for (int i = taskId * DEAL; i < n; i += taskDim * DEAL) {
                int count = n - i < DEAL ? n - i : DEAL;
                __memcpy(a, x + i, count * sizeof(float), GDRAM2NRAM);
                __bang_mul(b, a, a, count);
                __bang_add(b, b, a, count);
                __memcpy(y + i, b, count * sizeof(float), NRAM2GDRAM);
            }
        }""",
        150,
    )
    assert "room_0[" not in show(form) and "room_1[" not in show(form), show(form)


def test_a_raw_buffer_with_rows_of_any_length_has_the_type_of_its_elements() -> None:
    form = canonical(
        """
        __nram__ char room[4096];
        __mlu_entry__ void k(const float *__restrict__ x, float *__restrict__ y, int n) {
            float *rows = (float *)room;
            __memcpy(rows, x, 3 * n * sizeof(float), GDRAM2NRAM);
            for (int r = 0; r < 3; ++r)
                for (int c = 0; c < n; ++c) rows[r * n + c] += rows[n - 1];
            __memcpy(y, rows, 3 * n * sizeof(float), NRAM2GDRAM);
        }""",
        40,
    )
    assert "f32 room_1[1024];" in show(form), show(form)


def test_a_buffer_that_is_written_anew_is_another_one() -> None:
    form = canonical(
        """
        __nram__ float a[64], b[64];
        __mlu_entry__ void k(const float *__restrict__ x, float *__restrict__ y, int n) {
            __memcpy(a, x, 64 * sizeof(float), GDRAM2NRAM);
            __bang_transpose(b, a, 8, 8);
            __bang_transpose(a, b, 16, 4);
            __memcpy(y, a, 64 * sizeof(float), NRAM2GDRAM);
        }""",
        64,
    )
    assert "f32 a[" not in show(form), show(form)


def test_bytes_keep_their_sign_through_a_copy() -> None:
    kernel = parse(
        """
        __nram__ int8_t a[32];
        __mlu_entry__ void k(const int8_t *x, int *y, int n) {
            __memcpy(a, x, n, GDRAM2NRAM);
            for (int i = 0; i < n; ++i) y[i] = a[i];
        }""",
        "kernel.mlu",
        platform="bang",
    ).program.kernels[0]
    form = canonicalise(kernel, kernel.block_size, TASKS).function
    x, y = np.arange(-16, 16).astype(np.int8), np.zeros(32, np.int32)
    assert not run(form, {"x": x, "y": y, "n": 32}).errors
    np.testing.assert_array_equal(y, x)


PIPELINE = """
#define TILE 32
__nram__ float halves[2 * TILE], out[2 * TILE];
__mlu_entry__ void k(const float *x, float *__restrict__ y, int n) {{
    int tiles = (n + TILE - 1) / TILE;
    for (int i = 0; i < tiles + 2; ++i) {{
        if (i > 1) {{
            int count = n - (i - 2) * TILE < TILE ? n - (i - 2) * TILE : TILE;
            __memcpy_async(y + (i - 2) * TILE, out + i % 2 * TILE, count * sizeof(float), NRAM2GDRAM);
        }}
        if (i < tiles) {{
            int count = n - i * TILE < TILE ? n - i * TILE : TILE;
            __memcpy_async(halves + i % 2 * TILE, x + i * TILE, count * sizeof(float), GDRAM2NRAM);
        }}
        {sync}
        if (i >= 1 && i - 1 < tiles) {{
            int count = n - (i - 1) * TILE < TILE ? n - (i - 1) * TILE : TILE;
            __bang_mul_scalar(out + (i - 1) % 2 * TILE, halves + {read} % 2 * TILE, 3, count);
        }}
        __sync();
    }}
}}"""


def test_stages_of_a_pipeline_come_back_together() -> None:
    form = canonical(PIPELINE.format(read="(i - 1)", sync=""), 150)
    assert "halves[" not in show(form) and "out[" not in show(form), show(form)
    assert "for i32 i_2 in 0 .. n {" in show(form), show(form)


def test_a_stage_that_uses_the_tile_after_its_own_keeps_its_pipeline() -> None:
    """What the first stage loads in this very step is read: come together, it would be the tile before."""
    form = canonical(PIPELINE.format(read="i", sync="__sync();").replace("i - 1 < tiles", "i < tiles"), 160)
    assert "halves[" in show(form), show(form)


def test_ranges_of_lanes_are_conditions_on_the_threads_of_a_row() -> None:
    form = canonical(
        """
        #define DEAL 64
        __nram__ char room[2 * DEAL * sizeof(float)];
        __mlu_entry__ void k(const float *__restrict__ x, float *__restrict__ y, int n) {
            float *sum = (float *)room, *row = sum + DEAL;
            for (int i = taskId * DEAL; i < n; i += taskDim * DEAL) {
                int count = n - i < DEAL ? n - i : DEAL;
                __bang_write_value(sum, count, 0.0f);
                for (int k = 0; k < 3; ++k) {
                    int end = n / 2 - k < count ? n / 2 - k : count;
                    if (k < end) {
                        __bang_write_value(row, count, 1.0f);
                        __memcpy(row + k, x + i, (end - k) * sizeof(float), GDRAM2NRAM);
                    } else {
                        __bang_write_value(row, count, 2.0f);
                    }
                    __bang_add(sum, sum, row, count);
                }
                __memcpy(y + i, sum, count * sizeof(float), NRAM2GDRAM);
            }
        }""",
        150,
    )
    assert "room_0[" not in show(form) and "room_1[" not in show(form), show(form)


def test_a_buffer_that_is_left_is_no_parts() -> None:
    text = """
        __nram__ char room[256];
        __mlu_entry__ void k(const float *x, float *y) {
            float *in = (float *)room, *out = in + 64;
            __memcpy(in, x, 256, GDRAM2NRAM);
            __bang_add(out, in, in, 64);
            __memcpy(y, out, 256, NRAM2GDRAM);
        }"""
    (kernel,) = parse(text, "kernel.mlu", platform="bang").program.kernels
    assert "room[" in show(canonicalise(kernel, kernel.block_size).function)


def test_parts_whose_size_is_no_number_become_variables() -> None:
    form = canonical(
        """
        __nram__ char room[1024];
        __mlu_entry__ void k(const float *__restrict__ x, float *__restrict__ y, int n) {
            int rest = n % 64;
            float *a = (float *)room, *b = a + 64, *c = b + rest;
            if (rest > 0) {
                __memcpy(a, x, rest * sizeof(float), GDRAM2NRAM);
                __bang_mul(b, a, a, rest);
                __bang_add(c, b, a, rest);
                __memcpy(y, c, rest * sizeof(float), NRAM2GDRAM);
            }
        }""",
        150,
    )
    assert "[64 + " not in show(form) and "room[" not in show(form) and show(form).count("for ") == 1, show(
        form
    )
