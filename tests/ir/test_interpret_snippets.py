"""Whole kernels from `snippets/`, through the frontend, against NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import Result, run
from xpiler.ir.nodes import Function

SNIPPETS = Path(__file__).parents[2] / "snippets" / "cuda"
RNG = np.random.default_rng(7)


def kernel(file: str) -> Function:
    path = SNIPPETS / file
    return parse(path.read_text(), str(path)).program.kernels[0]


def launch(
    file: str, arguments: dict[str, Any], grid: tuple[int, int], block: tuple[int, int], shared: int = 0
) -> Result:
    function = kernel(file)
    named = dict(zip((p.name for p in function.params), arguments.values(), strict=True))
    return run(function, named, (*grid, 1), (*block, 1), shared)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def test_softmax_of_a_block_a_row() -> None:
    x, y = normal(5, 301), np.full((5, 301), np.nan, np.float32)
    result = launch("softmax_block.cu", {"x": x, "y": y, "cols": 301}, (5, 1), (128, 1), 128 // 32 * 4)
    expected = np.exp(x - x.max(1, keepdims=True))
    assert np.allclose(y, expected / expected.sum(1, keepdims=True), rtol=1e-5)
    assert not result.findings
    assert result.usage["x"].read_first.all() and not result.usage["y"].read_first.any()


def test_softmax_with_too_little_shared_memory_is_out_of_bounds() -> None:
    x, y = normal(1, 64), np.zeros((1, 64), np.float32)
    result = launch("softmax_block.cu", {"x": x, "y": y, "cols": 64}, (1, 1), (128, 1), 8)
    assert {f.code for f in result.errors} == {"out-of-bounds"}
    assert result.errors[0].range is not None


def test_layernorm() -> None:
    x, gamma, beta = normal(3, 700), normal(700), normal(700)
    y = np.full_like(x, np.nan)
    arguments = {"x": x, "gamma": gamma, "beta": beta, "y": y, "width": 700, "eps": 1e-5}
    result = launch("layernorm.cu", arguments, (3, 1), (256, 1))
    wide = x.astype(np.float64)
    expected = (wide - wide.mean(1, keepdims=True)) / np.sqrt(
        wide.var(1, keepdims=True) + 1e-5
    ) * gamma + beta
    assert np.allclose(y, expected, atol=1e-4)
    assert not result.findings


def test_gemv_by_a_warp_a_row() -> None:
    a, x = RNG.integers(-4, 5, (9, 130)).astype(np.float32), RNG.integers(-4, 5, 130).astype(np.float32)
    y = np.full(9, np.nan, np.float32)
    result = launch("gemv_checked.cu", {"A": a, "x": x, "y": y, "rows": 9, "cols": 130}, (3, 1), (128, 1))
    assert np.array_equal(y, a @ x) and not result.findings


def test_a_gemm_on_fragments() -> None:
    m, n, k = 32, 64, 48
    a, b = (RNG.integers(-4, 5, s).astype(np.float16) for s in ((m, k), (k, n)))
    c = np.full((m, n), np.nan, np.float32)
    arguments = {"A": a, "B": b, "C": c, "M": m, "N": n, "K": k}
    result = launch("gemm_wmma.cu", arguments, (1, 2), (128, 2))
    assert np.array_equal(c, a.astype(np.float32) @ b.astype(np.float32)) and not result.findings


@pytest.mark.parametrize(("m", "n", "k"), [(32, 32, 32), (45, 70, 33)])
def test_a_tiled_gemm(m: int, n: int, k: int) -> None:
    a, b = RNG.integers(-4, 5, (m, k)).astype(np.float32), RNG.integers(-4, 5, (k, n)).astype(np.float32)
    c = np.full((m, n), np.nan, np.float32)
    arguments = {"A": a, "B": b, "C": c, "M": m, "N": n, "K": k}
    result = launch("gemm_tiled.cu", arguments, (-(-n // 32), -(-m // 32)), (32, 32))
    assert np.array_equal(c, a @ b) and not result.findings


def test_relu_on_a_grid_stride_loop() -> None:
    x, out = normal(100_000), np.full(100_000, np.nan, np.float32)
    assert not launch("relu_types.cu", {"x": x, "out": out, "n": x.size}, (64, 1), (256, 1)).findings
    assert np.array_equal(out, np.maximum(x, 0))
