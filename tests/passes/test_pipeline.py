"""Copies of neighbouring tiles while a tile is computed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal
from xpiler.ir.nodes import Binary, Decl, Function, Instr, Ref, Space
from xpiler.ir.rewrite import walk
from xpiler.passes.bang_schedule import schedule
from xpiler.platforms.bang import DEFAULT, Architecture

SMALL = Architecture("small", 372, DEFAULT.reserved + 2048, 1024, 0, 1, 4)  # tiles of a few elements


def kernel(body: str) -> Function:
    return canonical(
        f"""__global__ void kernel(const float *x, const float *a, float *y, int n) {{
            int i = blockIdx.x * 64 + threadIdx.x;
            if (i < n) {{ {body} }}
        }}""",
        x=20,
    )


BODIES = {
    "two sources": "y[i] = x[i] * 2.0f + a[i];",
    "in place": "y[i] = y[i] > 0.0f ? y[i] : 0.0f;",
    "a loop in it": "float v = x[i], s = 0.0f; for (int k = 0; k < 3; ++k) s = s * v + a[k]; y[i] = s;",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("n", [1, 700, 1280])
def test_tiles_are_loaded_computed_and_stored_in_turn(body: str, n: int) -> None:
    function = kernel(body)
    assert "__memcpy_async" in instructions(laid_out(function)) and "__sync" in instructions(
        laid_out(function)
    )
    assert_same(function, SMALL, x=normal(n), a=normal(n + 8)[3:], y=normal(n + 5)[5:], n=n)


def test_a_buffer_has_a_part_for_each_tile_under_way() -> None:
    scheduled = schedule(kernel("float v = x[i]; y[i] = v * v + sqrtf(v + a[i]);"), SMALL)
    tiles = [d for d in walk(scheduled.function) if isinstance(d, Decl) and d.space is Space.NRAM]
    parts = {d.name: 2 if isinstance(d.shape[0], Binary) else 1 for d in tiles}
    assert parts["x_nram"] == parts["a_nram"] == 2 and 1 in parts.values()
    assert scheduled.pipelines


def test_what_is_stored_and_loaded_again_is_not_overlapped() -> None:
    function = kernel("y[i] = x[i] + 1.0f; float t = a[i] * y[i]; y[i] = t * t;")
    assert "__memcpy_async" not in instructions(laid_out(function))
    assert_same(function, SMALL, x=normal(700), a=normal(700), y=np.zeros(700, np.float32), n=700)


def test_the_copies_of_a_step_do_not_touch_what_it_computes() -> None:
    function = laid_out(kernel(BODIES["two sources"]), SMALL)
    asynchronous = [n for n in walk(function) if isinstance(n, Instr) and n.name == "__memcpy_async"]
    assert len(asynchronous) == 3
    targets = {r.array for n in asynchronous for r in n.operands[:2] if isinstance(r, Ref)}
    assert targets == {"x", "a", "y", "x_nram", "a_nram", "tmp_nram"}


def test_what_is_stored_and_read_by_scalars_is_not_overlapped() -> None:
    row = "row[c] += 1.0f; float mean = 0.0f; for (int c = 0; c < 24; ++c) mean += (row[c] - mean) / (c + 1);"
    function = canonical(
        f"""__global__ void kernel(float *__restrict__ y, float *__restrict__ z, int n) {{
            int r = blockIdx.x * 64 + threadIdx.x;
            float *row = y + r * 24;
            if (r >= n) return;
            for (int c = 0; c < 24; ++c) {row}
            for (int c = 0; c < 24; ++c) z[r * 24 + c] = row[c] - mean;
        }}""",
        x=1,
    )
    assert_same(function, SMALL, y=normal(216), z=normal(216), n=9)
