"""Products of matrices in register tiles: the same numbers for every size, several times the speed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backend.cpp import Library, build, function, pointer, scalar, serial
from xpiler.backend.vnni import generate
from xpiler.ir.build import add, const, gt, load, mul, var
from xpiler.ir.nodes import Assign, Block, Break, Decl, For, Function, If, LoopKind, Stmt
from xpiler.ir.types import F32, F64, DType

M, N, K, R, C, INNER = (var(v) for v in ("M", "N", "K", "r", "c", "k"))


def parallel(name: str, stop: object, *body: Stmt) -> For:
    return For(name, R.dtype, const(0), stop, const(1), Block(body), LoopKind.PARALLEL)  # type: ignore[arg-type]


def gemm(name: str, dtype: DType) -> Function:
    """C = A * B + C"""
    acc = var("acc", dtype)
    here = add(mul(R, N), C)
    params = (
        pointer("A", dtype, True),
        pointer("B", dtype, True),
        pointer("C", dtype),
        scalar("M"),
        scalar("N"),
        scalar("K"),
    )
    product = mul(load("A", dtype, add(mul(R, K), INNER)), load("B", dtype, add(mul(INNER, N), C)))
    body = (
        Decl("acc", dtype, init=load("C", dtype, here)),
        serial("k", 0, K, Assign(acc, product, "+")),
        Assign(load("C", dtype, here), acc),
    )
    return function(name, params, parallel("r", M, parallel("c", N, *body)))


@pytest.fixture(scope="module", params=["g++", "clang++"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = [generate(gemm(f"gemm_{t}", t), extern_c=True, launch={}) for t in (F32, F64)]
    assert "acc_7_1" in made[0].text, "eight rows by two registers"
    return build(made, tmp_path_factory.mktemp("tile"), "tile", request.param)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "size",
    [
        *((1, 1, 1), (8, 32, 4), (9, 33, 5), (7, 31, 3), (16, 64, 0), (23, 47, 19), (8, 16, 2), (0, 5, 3)),
        *((4, 20, 6), (5, 33, 3), (12, 17, 7), (13, 48, 2)),  # rest of half a tile, and of more
    ],
)
def test_a_tiled_product_is_exact_on_small_integers(
    size: tuple[int, int, int], dtype: type, library: Library
) -> None:
    m, n, k = size
    rng = np.random.default_rng(m + n + k)
    a, b, c = (rng.integers(-4, 5, shape).astype(dtype) for shape in ((m, k), (k, n), (m, n)))
    guarded = np.concatenate([c.ravel(), np.full(64, 99, dtype)])
    library.call(
        f"gemm_{'f32' if dtype is np.float32 else 'f64'}", a, b, guarded, *(np.int32(v) for v in size)
    )
    np.testing.assert_array_equal(guarded[: m * n].reshape(m, n), a @ b + c)
    assert (guarded[m * n :] == 99).all()


def test_columns_that_are_read_by_neighbours_are_not_tiled() -> None:
    here = load("C", F32, add(mul(R, N), C))
    body = parallel("r", M, parallel("c", N, Assign(here, const(1, F32))))
    text = generate(function("fill", (pointer("C", F32), scalar("M"), scalar("N")), body)).text
    assert "r += 8" not in text and "_mm512" in text


def test_rows_with_matrices_of_their_own_are_not_written_out_side_by_side() -> None:
    """C[r, c] = sum of A[r, k] * B[r, k, c]: only the columns of one row have a load in common, that of A."""
    acc, here, row = var("acc", F32), add(mul(R, N), C), add(mul(R, K), INNER)
    product = mul(load("A", F32, row), load("B", F32, add(mul(row, N), C)))
    body = (
        Decl("acc", F32, init=const(0, F32)),
        serial("k", 0, K, Assign(acc, product, "+")),
        Assign(load("C", F32, here), acc),
    )
    params = (*(pointer(p, F32, p != "C") for p in "ABC"), *(scalar(s) for s in "MNK"))
    text = generate(function("rows", params, parallel("r", M, parallel("c", N, *body)))).text
    assert "++r" in text and "r += " not in text
    assert "acc_0_3" in text and "acc_1_0" not in text, "four registers of one row"


def test_rows_that_leave_the_sum_on_their_own_are_not_merged(tmp_path: Path) -> None:
    """Row r of a lower triangular product stops after its diagonal: C = tril(A) * B."""
    acc, here = var("acc", F32), add(mul(R, N), C)
    product = mul(load("A", F32, add(mul(R, K), INNER)), load("B", F32, add(mul(INNER, N), C)))
    sum_ = serial("k", 0, K, If(gt(INNER, R), Block((Break(),))), Assign(acc, product, "+"))
    body = (Decl("acc", F32, init=const(0, F32)), sum_, Assign(load("C", F32, here), acc))
    params = (*(pointer(p, F32, p != "C") for p in "ABC"), *(scalar(s) for s in "MNK"))
    made = generate(
        function("tril", params, parallel("r", M, parallel("c", N, *body))), extern_c=True, launch={}
    )
    m, n, k = 11, 37, 9
    rng = np.random.default_rng(3)
    a, b = (rng.integers(-4, 5, shape).astype(np.float32) for shape in ((m, k), (k, n)))
    c = np.full((m, n), 99, np.float32)
    build([made], tmp_path, "tril", "g++").call("tril", a, b, c, *(np.int32(v) for v in (m, n, k)))
    np.testing.assert_array_equal(c, np.tril(a) @ b)


def test_whole_tiles_ask_nothing_and_few_rows_get_half_a_tile() -> None:
    text = generate(gemm("product", F32), extern_c=True, launch={}).text
    whole = text[text.index("r += 8") : text.index("r += 4")]
    assert "minimum" not in whole and "if (r + 1" not in whole
    assert "if (M - r_rest_0 <= 4)" in text


def test_what_several_operations_read_is_loaded_once() -> None:
    text = generate(gemm("product", F32), extern_c=True, launch={}).text
    whole = text[text.index("r += 8") : text.index("for (int c = N / 32 * 32")]
    assert "B_0 = kept(_mm512_loadu_ps(B" in whole and "B_1 = kept(" in whole
    assert whole.count("kept(") == 2 * whole.count("for (int k"), "a row's own element is read once"
