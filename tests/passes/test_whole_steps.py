"""Rows that vectors fill have a form in which they are apart."""

from dataclasses import replace

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import For, Function, If, LoopKind
from xpiler.passes.canonical import canonicalise
from xpiler.passes.parallel import mark_parallel
from xpiler.passes.whole_steps import in_whole_steps

ROTATED = """
#include <immintrin.h>
void rotated(float *q, const float *c, int rows, int n) {
    for (int r = 0; r < rows; ++r)
        for (int d = 0; d < n; d += 16) {
            __m512 x = _mm512_loadu_ps(q + r * n + d);
            __m512 turned = _mm512_permute_ps(x, 0xB1);
            _mm512_storeu_ps(q + r * n + d, _mm512_fmadd_ps(x, _mm512_loadu_ps(c + d), turned));
        }
}
"""
SCALED = """
#include <immintrin.h>
void scaled(float *q, const float *c, int rows, int n) {
    for (int r = 0; r < rows; ++r)
        for (int d = 0; d < n; d += 16) {
            __m512 x = _mm512_mul_ps(_mm512_loadu_ps(q + r * n + d), _mm512_loadu_ps(c + d));
            STORE;
        }
}
"""
WHOLE = SCALED.replace("STORE", "_mm512_storeu_ps(q + r * n + d, x)")
MASK = "(1u << (n - d < 16 ? n - d : 16)) - 1u"
MASKED = SCALED.replace("STORE", f"_mm512_mask_storeu_ps(q + r * n + d, {MASK}, x)")


def canonical(text: str) -> Function:
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    apart = tuple(replace(p, is_restrict=True) if p.is_pointer else p for p in kernel.params)
    return mark_parallel(canonicalise(replace(kernel, params=apart)).function).function


@pytest.mark.parametrize("text", [ROTATED, WHOLE], ids=["steps", "rounded up"])
def test_rows_of_whole_vectors_are_parallel(text: str) -> None:
    before = canonical(text)
    after = in_whole_steps(before)
    choice = after.body.body[-1]
    assert isinstance(choice, If)
    (fast,), (general,) = choice.then.body, choice.otherwise.body
    assert isinstance(fast, For) and fast.kind is LoopKind.PARALLEL
    assert isinstance(general, For) and general.kind is LoopKind.SERIAL
    for rows, n in ((3, 32), (1, 16), (4, 5), (0, 16)):
        rng = np.random.default_rng(n)
        q, c = (rng.standard_normal(rows * n + 16).astype(np.float32) for _ in range(2))
        results = []
        for function in (before, after):
            mine = q.copy()
            run(function, {"q": mine, "c": c, "rows": rows, "n": n})
            results.append(mine)
        assert np.array_equal(*results)


def test_rows_that_end_where_they_are_told_need_one_form() -> None:
    function = canonical(MASKED)
    assert in_whole_steps(function) is function
