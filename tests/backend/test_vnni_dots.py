"""Products of matrices of bytes, words and bfloat16 by dot product instructions, for every remainder."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backend.cpp import NUMPY, Library, build, function, pointer, scalar, serial
from xpiler.backend.vnni import generate
from xpiler.ir.build import add, call, cast, const, load, mul, var
from xpiler.ir.nodes import Assign, Block, Decl, Expr, For, Function, LoopKind, Stmt
from xpiler.ir.types import BF16, F32, I8, I16, I32, U8, U16, U32, DType

M, N, K, R, C, INNER = (var(v) for v in ("M", "N", "K", "r", "c", "k"))
INSTRUCTIONS = {U8: "dpbusd", I8: "dpbusd", I16: "dpwssd", BF16: "dpbf16"}
PAIRS = [(U8, I8), (I8, U8), (I8, I8), (U8, U8), (I16, I16), (BF16, BF16)]
SIZES = [(1, 1, 1), (8, 32, 64), (9, 33, 67), (7, 31, 3), (3, 17, 130), (16, 64, 0), (5, 40, 2)]


def parallel(name: str, stop: Expr, *body: Stmt) -> For:
    return For(name, R.dtype, const(0), stop, const(1), Block(body), LoopKind.PARALLEL)


def gemm(name: str, left: DType, right: DType, *, transposed: bool, spelling: str = "+=") -> Function:
    """C = A * B + C, B as [K][N] or, transposed, [N][K]."""
    dtype = F32 if left.is_float else I32
    acc, here = var("acc", dtype), add(mul(R, N), C)
    at = add(mul(C, K), INNER) if transposed else add(mul(INNER, N), C)
    a, b = cast(load("A", left, add(mul(R, K), INNER)), dtype), cast(load("B", right, at), dtype)
    step = {
        "+=": Assign(acc, mul(a, b), "+"),
        "= +": Assign(acc, add(acc, mul(b, a))),
        "fma": Assign(acc, call("fma", dtype, a, b, acc)),
    }[spelling]
    body = (
        Decl("acc", dtype, init=load("C", dtype, here)),
        serial("k", 0, K, step),
        Assign(load("C", dtype, here), acc),
    )
    params = (
        *(pointer("A", left, True), pointer("B", right, True), pointer("C", dtype)),
        *(scalar("M"), scalar("N"), scalar("K")),
    )
    return function(name, params, parallel("r", M, parallel("c", N, *body)))


def title(left: DType, right: DType, transposed: bool, spelling: str) -> str:
    return f"{left}_{right}_{'nt' if transposed else 'nn'}_{['+=', '= +', 'fma'].index(spelling)}"


CASES = [
    *((left, right, transposed, "+=") for left, right in PAIRS for transposed in (False, True)),
    *((I8, I8, transposed, "= +") for transposed in (False, True)),
    *((BF16, BF16, transposed, "fma") for transposed in (False, True)),
]


@pytest.fixture(scope="module", params=["g++", "clang++"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = []
    for left, right, transposed, spelling in CASES:
        f = gemm(
            title(left, right, transposed, spelling), left, right, transposed=transposed, spelling=spelling
        )
        made.append(generate(f, extern_c=True, launch={}))
        assert INSTRUCTIONS[left] in made[-1].text
    return build(made, tmp_path_factory.mktemp("dots"), "dots", request.param)


def bfloat16(values: np.ndarray) -> np.ndarray:
    return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: title(*case))
def test_a_product_of_matrices_is_exact(
    case: tuple[DType, DType, bool, str], size: tuple[int, int, int], library: Library
) -> None:
    left, right, transposed, _ = case
    m, n, k = size
    rng = np.random.default_rng(m + n + k)

    def matrix(dtype: DType, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """As it lies in memory, and as whole numbers."""
        if dtype == BF16:  # small integers: every sum is exact
            values = rng.integers(-8, 9, shape)
            return bfloat16(values), values
        kind = NUMPY[dtype.name]
        values = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, shape, endpoint=True)
        return values.astype(kind), values

    a, a_values = matrix(left, (m, k))
    b, b_values = matrix(right, (n, k) if transposed else (k, n))
    result = np.float32 if left == BF16 else np.int32
    c = rng.integers(-4, 5, (m, n)).astype(result)
    guarded = np.concatenate([c.ravel(), np.full(64, 99, result)])
    library.call(title(*case), a, b, guarded, *(np.int32(v) for v in size))
    product = a_values @ (b_values.T if transposed else b_values) + c.astype(np.int64)
    expected = product.astype(np.float32) if left == BF16 else product.astype(np.uint32).view(np.int32)
    np.testing.assert_array_equal(guarded[: m * n].reshape(m, n), expected)
    assert (guarded[m * n :] == 99).all()


def test_products_that_are_rounded_or_wider_are_left_alone() -> None:
    acc = var("acc", F32)
    here = load("C", F32, C)
    rounded = cast(mul(load("A", BF16, INNER), load("B", BF16, add(mul(INNER, N), C))), F32)
    body = (
        Decl("acc", F32, init=const(0, F32)),
        serial("k", 0, K, Assign(acc, rounded, "+")),
        Assign(here, acc),
    )
    params = (pointer("A", BF16, True), pointer("B", BF16, True), pointer("C", F32), scalar("N"), scalar("K"))
    assert "dpbf16" not in generate(function("rounded", params, parallel("c", N, *body))).text
    words = gemm("words", U16, U16, transposed=False)
    assert "_mm512_dp" not in generate(words).text


@pytest.mark.parametrize("dtype", [I32, U32])
@pytest.mark.parametrize("transposed", [False, True])
def test_dp4a_adds_four_products_of_bytes(
    dtype: DType, transposed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    m, n, k = 9, 37, 21
    acc, here = var("acc", dtype), add(mul(R, N), C)
    at = add(mul(C, K), INNER) if transposed else add(mul(INNER, N), C)
    sum_of_four = call("dp4a", dtype, load("A", dtype, add(mul(R, K), INNER)), load("B", dtype, at), acc)
    body = (
        Decl("acc", dtype, init=const(0, dtype)),
        serial("k", 0, K, Assign(acc, sum_of_four)),
        Assign(load("C", dtype, here), acc),
    )
    params = (
        *(pointer("A", dtype, True), pointer("B", dtype, True), pointer("C", dtype)),
        *(scalar("M"), scalar("N"), scalar("K")),
    )
    nest = parallel("r", M, parallel("c", N, *body))
    made = generate(function("dots", params, nest), extern_c=True, launch={})
    assert "dot_4_bytes_ep" in made.text
    library = build([made], tmp_path_factory.mktemp("dp4a"), "dp4a")
    rng = np.random.default_rng(0)
    byte = np.int8 if dtype == I32 else np.uint8
    low, high = np.iinfo(byte).min, np.iinfo(byte).max
    a = rng.integers(low, high, (m, k, 4), endpoint=True)
    b = rng.integers(low, high, (n, k, 4), endpoint=True)
    words = b.astype(byte) if transposed else np.ascontiguousarray(b.astype(byte).transpose(1, 0, 2))
    c = np.zeros((m, n), np.int32)
    library.call("dots", a.astype(byte), words, c, *(np.int32(v) for v in (m, n, k)))
    np.testing.assert_array_equal(c, np.einsum("mkq,nkq->mn", a, b))
