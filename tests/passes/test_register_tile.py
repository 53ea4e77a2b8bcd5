"""Products of matrices in register tiles: the same numbers for every size, several times the speed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.backend.cpp import Library, build, function, pointer, scalar, serial
from xpiler.backend.vnni import generate
from xpiler.backend.vnni_unroll import known_multiple
from xpiler.ir.build import add, const, gt, load, mul, var
from xpiler.ir.nodes import Assign, Block, Break, Decl, For, Function, If, LoopKind, Stmt
from xpiler.ir.rewrite import rename
from xpiler.ir.types import F32, F64, DType
from xpiler.passes.knobs import chosen
from xpiler.passes.register_tile import widened

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


@pytest.fixture(scope="module", autouse=True)
def three_registers() -> Iterator[None]:
    """The widest tiles have all the parts that others have."""
    with chosen({"register_tile.registers": 3, "vnni.written_twice": 1500}):
        yield


@pytest.fixture(scope="module", params=["g++", "clang++"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = [generate(gemm(f"gemm_{t}", t), extern_c=True, launch={}) for t in (F32, F64)]
    assert "acc_7_2" in made[0].text, "eight rows by three registers"
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


def test_rows_that_are_left_over_get_lower_tiles_which_ask_nothing_either() -> None:
    text = generate(gemm("product", F32), extern_c=True, launch={}).text
    assert "minimum" not in text and "if (r" not in text.replace("if (r_rest", "")
    heights = [text.count(f"acc_{last}_1 = _mm512_fmadd") > 0 for last in range(8)]
    assert heights == [True] * 8
    assert "M - r_rest_0 >= 4 && M - r_rest_0 != 5" in text, "5 rows are 3 and 2"


@pytest.mark.parametrize("m", range(20))
def test_any_number_of_rows_is_computed_once(m: int, library: Library) -> None:
    rng = np.random.default_rng(m)
    n, k = 37, 5
    a, b, c = (rng.integers(-4, 5, shape).astype(np.float32) for shape in ((m, k), (k, n), (m, n)))
    out = np.concatenate([c.ravel(), np.full(64, 99, np.float32)])
    library.call("gemm_f32", a, b, out, *(np.int32(v) for v in (m, n, k)))
    np.testing.assert_array_equal(out[: m * n].reshape(m, n), a @ b + c)
    assert (out[m * n :] == 99).all()


def test_the_last_register_of_a_row_is_read_and_stored_as_far_as_it_goes() -> None:
    text = " ".join(generate(gemm("product", F32), extern_c=True, launch={}).text.split())
    assert "c < c_tiles_2 * 48; c += 48" in text
    assert (
        "maskz_loadu_ps(live_2, B" in text and "_mask_storeu_ps(C + ((r + 7) * N + (c + 32)), live_2" in text
    )


def test_columns_that_are_left_over_are_computed_together_too() -> None:
    text = " ".join(generate(gemm("product", F32), extern_c=True, launch={}).text.split())
    three = "int c_tiles_2 = COUNT % 3 == 1 && COUNT > 1 ? COUNT / 3 - 1 : COUNT / 3;"
    assert three.replace("COUNT", "(N + 15) / 16") in text, "four registers are twice two"
    assert "int c_tiles_3 = (N - c_tiles_2 * 48 + 15) / 16 / 2;" in text
    assert "for (int c = c_tiles_2 * 48; c < c_tiles_2 * 48 + c_tiles_3 * 32; c += 32)" in text


@pytest.mark.parametrize("n", [*range(1, 8), 15, 16, 17, 47, 49, 63, 64, 65, 79, 80, 81, 111, 112, 113, 129])
def test_any_number_of_columns_is_computed_once(n: int, library: Library) -> None:
    rng = np.random.default_rng(n)
    m, k = 9, 5
    a, b, c = (rng.integers(-4, 5, shape).astype(np.float32) for shape in ((m, k), (k, n), (m, n)))
    out = np.concatenate([c.ravel(), np.full(64, 99, np.float32)])
    library.call("gemm_f32", a, b, out, *(np.int32(v) for v in (m, n, k)))
    np.testing.assert_array_equal(out[: m * n].reshape(m, n), a @ b + c)
    assert (out[m * n :] == 99).all()


def batch_of_products() -> Function:
    """C[b] = A[b] * B[b] + C[b]"""
    b = var("b")
    own = {"A": mul(b, mul(M, K)), "B": mul(b, mul(K, N)), "C": mul(b, mul(M, N))}
    acc, here = var("acc", F32), add(own["C"], add(mul(R, N), C))
    product = mul(
        load("A", F32, add(own["A"], add(mul(R, K), INNER))),
        load("B", F32, add(own["B"], add(mul(INNER, N), C))),
    )
    body = (
        Decl("acc", F32, init=load("C", F32, here)),
        serial("k", 0, K, Assign(acc, product, "+")),
        Assign(load("C", F32, here), acc),
    )
    params = (*(pointer(p, F32, p != "C") for p in "ABC"), *(scalar(s) for s in ("batch", "M", "N", "K")))
    nest = parallel("b", var("batch"), parallel("r", M, parallel("c", N, *body)))
    return function("batch_of", params, nest)


@pytest.mark.parametrize(
    "size", [(3, 8, 48, 4), (2, 13, 37, 5), (1, 19, 99, 3), (2, 3, 16, 2), (2, 1, 85, 3)]
)
def test_tiles_of_the_same_columns_follow_one_another_within_a_thread(
    size: tuple[int, int, int, int], tmp_path: Path
) -> None:
    made = generate(batch_of_products(), extern_c=True, launch={})
    loops = [line.split(";")[2].strip(" ){") for line in made.text.split("\n") if "for (int " in line]
    assert loops[:3] == ["++b", "c += 48", "r += 8"]
    batch, m, n, k = size
    rng = np.random.default_rng(m + n)
    shapes = ((batch, m, k), (batch, k, n), (batch, m, n))
    a, b, c = (rng.integers(-4, 5, shape).astype(np.float32) for shape in shapes)
    out = c.copy()
    build([made], tmp_path, "batch_of", "g++").call("batch_of", a, b, out, *(np.int32(v) for v in size))
    np.testing.assert_array_equal(out, a @ b + c)


def test_rows_whose_elements_are_read_once_are_gone_through_in_the_order_of_memory() -> None:
    """Y[b, r, c] = sum of X[b, r + k, c] * W[k, c], channel by channel."""
    b, acc = var("b"), var("acc", F32)
    product = mul(
        load("X", F32, add(mul(add(mul(b, M), add(R, INNER)), N), C)), load("W", F32, add(mul(INNER, N), C))
    )
    body = (
        Decl("acc", F32, init=const(0, F32)),
        serial("k", 0, const(3), Assign(acc, product, "+")),
        Assign(load("Y", F32, add(mul(add(mul(b, M), R), N), C)), acc),
    )
    params = (*(pointer(p, F32, p != "Y") for p in "XWY"), *(scalar(s) for s in ("batch", "M", "N")))
    nest = parallel("b", var("batch"), parallel("r", M, parallel("c", N, *body)))
    text = generate(function("channels", params, nest), launch={}).text
    loops = [line.split(";")[2].strip(" ){") for line in text.split("\n") if "for (int " in line]
    assert [loop.split(" ")[0].strip("+") for loop in loops[:3]] == ["b", "r", "c"]


def test_a_tile_of_three_registers_is_written_with_and_without_threads() -> None:
    text = generate(batch_of_products()).text
    assert text.count("#pragma omp parallel for\n") == 1 and "parallel for if" not in text
    assert text.count("c += 48") == 2


def test_a_sum_of_multiples_is_a_multiple() -> None:
    whole, behind = mul(const(48), var("i")), mul(const(32), var("j"))
    assert known_multiple(add(whole, behind)) == 16
    assert known_multiple(add(whole, var("n"))) == 1


def test_columns_that_are_whole_tiles_have_no_loop_for_a_rest() -> None:
    acc, here = var("acc", F32), add(mul(R, const(64)), C)
    product = mul(load("A", F32, add(mul(R, K), INNER)), load("B", F32, add(mul(INNER, const(64)), C)))
    body = (
        Decl("acc", F32, init=const(0, F32)),
        serial("k", 0, K, Assign(acc, product, "+")),
        Assign(load("C", F32, here), acc),
    )
    params = (*(pointer(p, F32, p != "C") for p in "ABC"), *(scalar(s) for s in "MK"))
    nest = parallel("r", const(16), parallel("c", const(64), *body))
    text = generate(function("whole", params, nest)).text
    assert "c = 0; c < 64; c += 32" in text and "c = 64" not in text and "live" not in text


def test_lanes_that_read_where_data_say_end_with_the_columns(tmp_path: Path) -> None:
    """C[r, c] = sum of A[r, k] * B[at[c] - 1, k]: a lane beyond the end would read in front of B."""
    acc, here, at = var("acc", F32), add(mul(R, N), C), var("at_c")
    row = add(mul(add(at, const(-1)), K), INNER)
    product = mul(load("A", F32, add(mul(R, K), INNER)), load("B", F32, row))
    body = (
        Decl("acc", F32, init=const(0, F32)),
        Decl("at_c", C.dtype, init=load("at", C.dtype, C)),
        serial("k", 0, K, Assign(acc, product, "+")),
        Assign(load("C", F32, here), acc),
    )
    pointers = (*(pointer(p, F32, p != "C") for p in "ABC"), pointer("at", C.dtype, True))
    params = (*pointers, *(scalar(s) for s in "MNK"))
    made = generate(
        function("taken", params, parallel("r", M, parallel("c", N, *body))), extern_c=True, launch={}
    )
    assert "live_0" not in made.text
    m, n, k = 9, 21, 4
    rng = np.random.default_rng(5)
    a, b = (rng.integers(-4, 5, shape).astype(np.float32) for shape in ((m, k), (6, k)))
    where = rng.integers(1, 7, n).astype(np.int32)
    c = np.full((m, n), 99, np.float32)
    build([made], tmp_path, "taken", "g++").call("taken", a, b, c, where, *(np.int32(v) for v in (m, n, k)))
    np.testing.assert_array_equal(c, a @ b[where - 1].T)


def test_what_several_operations_read_is_loaded_once() -> None:
    text = generate(gemm("product", F32), extern_c=True, launch={}).text
    whole = text[text.index("r += 8") : text.index("for (int c = c_tiles_2 * 48")]
    assert "B_0 = kept(_mm512_loadu_ps(B" in whole and "B_1 = kept(" in whole
    assert whole.count("kept(") == 3 * whole.count("for (int k"), "a row's own element is read once"


def test_a_loop_keeps_its_counter_from_what_is_named_like_an_element(tmp_path: Path) -> None:
    product = gemm("product", F32)
    made = generate(
        replace(product, body=rename(product.body, {"r": "A_1", "k": "acc_1_0"})), extern_c=True, launch={}
    )
    rng = np.random.default_rng(6)
    m, n, k = 9, 33, 5
    a, b, c = (rng.integers(-4, 5, shape).astype(np.float32) for shape in ((m, k), (k, n), (m, n)))
    expected = a @ b + c
    build([made], tmp_path, "named", "g++").call("product", a, b, c, *(np.int32(v) for v in (m, n, k)))
    np.testing.assert_array_equal(c, expected)


@pytest.mark.parametrize(("columns", "starts"), [(64, [0]), (96, [0, 64]), (40, [0, 32])])
def test_columns_of_a_known_number_have_no_loop_that_never_runs(columns: int, starts: list[int]) -> None:
    size = const(columns)
    body = (
        Decl("acc", F32, init=const(0.0, F32)),
        serial("k", 0, K, Assign(var("acc", F32), load("B", F32, add(mul(INNER, size), C)), "+")),
        Assign(load("C", F32, C), var("acc", F32)),
    )
    lanes = replace(parallel("c", size, *body), kind=LoopKind.VECTOR)
    loops = widened(lanes)
    assert loops is not None
    assert [s.start for s in loops if isinstance(s, For)] == [const(start) for start in starts]
