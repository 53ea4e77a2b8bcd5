"""Divergent control flow, private arrays, gathers, atomics and accumulators over lanes, against scalar
C++."""
# ruff: noqa: E501 - one kernel statement a line reads best

from __future__ import annotations

import numpy as np
import pytest

from tests.backend.cpp import Library, build, function, lanes, pointer, scalar, serial
from xpiler.backend.c import CPrinter
from xpiler.backend.vnni import generate
from xpiler.ir.build import add, and_, cast, const, eq, gt, load, lt, mod, mul, or_, sub, var
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Block,
    Break,
    Call,
    Continue,
    Decl,
    Function,
    If,
    Select,
    While,
)  # fmt: skip
from xpiler.ir.types import BOOL, F16, F32, F64, I32, I64, U8, U32

T, N, K = var("t"), var("n"), var("k")
ACC, X = var("acc", F32), var("x", F32)


def at(array: str, index: object, dtype: object = F32) -> object:
    return load(array, dtype, index)  # type: ignore[arg-type]


PARAMS = (pointer("a", F32, True), pointer("idx", I32, True), pointer("out", F32), scalar("n"))

FUNCTIONS: dict[str, Function] = {}


def case(name: str, *body: object, params: tuple[object, ...] = PARAMS) -> None:
    FUNCTIONS[name] = function(name, params, *body)  # type: ignore[arg-type]


def decl(name: str, dtype: object, init: object) -> Decl:
    return Decl(name, dtype, init=init)  # type: ignore[arg-type]


case(  # lanes stop at different iterations
    "triangle",
    lanes(
        "t",
        N,
        decl("acc", F32, const(0, F32)),
        serial("k", 0, T, Assign(ACC, at("a", K), "+")),
        Assign(at("out", T), ACC),
    ),
)
case(  # if / else with a nested if
    "branches",
    lanes(
        "t", N,
        decl("x", F32, at("a", T)),
        If(
            gt(X, const(0, F32)),
            Block((If(lt(T, 9), Block((Assign(X, const(2, F32), "*"),))), Assign(at("out", T), X))),
            Block((Assign(at("out", T), sub(const(0, F32), X)),)),
        ),
    ),
)  # fmt: skip
case(  # a search that each lane leaves at its own place
    "search",
    lanes(
        "t", N,
        decl("acc", F32, const(0, F32)),
        serial(
            "k", 0, N,
            If(eq(mod(add(K, T), 3), 1), Block((Continue(),))),
            Assign(ACC, const(1, F32), "+"),
            If(and_(gt(at("a", K), const(0, F32)), gt(K, T)), Block((Break(),))),
            Assign(ACC, at("a", K), "+"),
        ),
        Assign(at("out", T), ACC),
    ),
)  # fmt: skip
case(  # while with an advance: strides of a warp
    "strided",
    lanes(
        "t", 8,
        decl("acc", F32, const(0, F32)),
        decl("k", I32, T),
        While(
            lt(K, N),
            Block((If(lt(at("a", K), const(-1, F32)), Block((Continue(),))), Assign(ACC, at("a", K), "+"))),
            advance=Block((Assign(K, add(K, 8)),)),
        ),
        Assign(at("out", T), ACC),
    ),
)  # fmt: skip
case(  # Collatz steps: a do-while over integers
    "collatz",
    lanes(
        "t", N,
        decl("v", I32, add(T, 1)),
        decl("c", I32, const(0)),
        While(
            or_(gt(var("v"), 1), lt(var("c"), 1)),
            Block((
                Assign(var("v"), Select(I32, eq(mod(var("v"), 2), 0), sub(var("v"), const(0)), add(mul(var("v"), 3), 1))),
                If(eq(mod(var("v"), 2), 0), Block((Assign(var("v"), Call(I32, "max", (sub(var("v"), mul(var("v"), 0)), var("v")))),))),
                Assign(var("v"), cast(sub(var("v"), cast(mul(var("v"), const(1)), I32)), I32), "+"),
                Assign(var("v"), var("v")),
                Assign(var("c"), const(1), "+"),
                If(gt(var("c"), 12), Block((Break(),))),
            )),
            do_while=True,
        ),
        Assign(at("out", T), cast(add(var("v"), var("c")), F32)),
    ),
)  # fmt: skip
case(  # a gather, and a load that only some lanes may do
    "gather",
    lanes(
        "t", N,
        Assign(at("out", T), Select(F32, gt(at("idx", T, I32), 0), at("a", at("idx", T, I32)), const(-1, F32))),
    ),
)  # fmt: skip
case(  # short circuit: the right side would be out of bounds
    "guarded",
    lanes(
        "t", N,
        If(
            and_(lt(T, sub(N, 1)), gt(at("a", add(T, 1)), const(0, F32))),
            Block((Assign(at("out", T), at("a", add(T, 1))),)),
            Block((Assign(at("out", T), const(5, F32)),)),
        ),
    ),
)  # fmt: skip
case("scatter", lanes("t", N, Assign(at("out", sub(sub(N, 1), T)), at("a", T))))
case("strides", lanes("t", N, Assign(at("out", T), at("a", mul(T, 3)))))
case("pairs", lanes("t", N, Assign(at("out", T), at("a", add(mul(T, 2), 1)))))
case(  # a private array at uniform and at varying positions
    "private",
    lanes(
        "t", N,
        Decl("v", F32, (const(4),), init=(const(1, F32), const(2, F32))),
        serial("k", 0, 4, Assign(at("v", K), at("a", add(T, K)), "+")),
        Assign(at("v", mod(T, 4)), const(3, F32), "*"),
        If(gt(at("a", T), const(0, F32)), Block((Assign(at("v", 1), const(9, F32)),))),
        Assign(at("out", T), add(at("v", mod(add(T, 1), 4)), add(at("v", 1), mul(const(100, F32), at("v", mod(T, 4)))))),
    ),
)  # fmt: skip
case(  # sums, extrema and a flag over the threads
    "accumulate",
    decl("s", F32, const(0, F32)), decl("m", F32, const(-100, F32)), decl("any", BOOL, const(False, BOOL)),
    lanes(
        "t", N,
        Assign(var("s", F32), mul(at("a", T), at("a", T)), "+"),
        Assign(var("m", F32), Call(F32, "max", (var("m", F32), at("a", T)))),
        Assign(var("any", BOOL), or_(var("any", BOOL), gt(at("a", T), const(2.5, F32)))),
    ),
    Assign(at("out", 0), var("s", F32)), Assign(at("out", 1), var("m", F32)), Assign(at("out", 2), cast(var("any", BOOL), F32)),
)  # fmt: skip
case(
    "wide_index",
    lanes(
        "t",
        N,
        decl("i", I64, mul(cast(T, I64), cast(N, I64))),
        Assign(at("out", T), at("a", mod(var("i", I64), 5))),
    ),
)
case(
    "double_math", lanes("t", N, Assign(at("out", T), cast(Call(F64, "exp", (cast(at("a", T), F64),)), F32)))
)

HISTOGRAM = function(
    "histogram",
    (pointer("bins", I32), pointer("sum", F32), pointer("a", U8, True), pointer("old", I32), scalar("n")),
    lanes(
        "t", N,
        decl("b", I32, cast(load("a", U8, T), I32)),
        Decl("o", I32),
        Atomic("add", load("bins", I32, mod(var("b"), 7)), (const(1),), var("o")),
        If(gt(var("b"), 100), Block((Atomic("add", load("sum", F32, 0), (cast(var("b"), F32),)),))),
        Atomic("max", load("sum", F32, 1), (cast(var("b"), F32),)),
        Assign(load("old", I32, T), var("o")),
    ),
)  # fmt: skip
UNSIGNED = function(  # wraps below zero in lane 0, which is masked off
    "unsigned_before",
    (pointer("a", F32, True), pointer("out", F32), scalar("n", U32)),
    lanes(
        "t", cast(var("n", U32), I32),
        decl("u", U32, cast(T, U32)),
        If(gt(var("u", U32), const(0, U32)), Block((Assign(at("out", T), at("a", sub(var("u", U32), const(1, U32)))),))),
    ),
)  # fmt: skip
HALF = function(
    "half_sum",
    (pointer("a", F16, True), pointer("out", F16), scalar("n")),
    lanes("t", N, decl("h", F16, const(0, F16)), serial("k", 0, 3, Assign(var("h", F16), load("a", F16, add(T, K)), "+")),
            Assign(load("out", F16, T), var("h", F16))),
)  # fmt: skip


@pytest.fixture(scope="module", params=["g++", "clang++"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = []
    for f in (*FUNCTIONS.values(), HISTOGRAM, UNSIGNED, HALF):
        vector = generate(f, name=f"{f.name}_vector", extern_c=True, launch={})
        assert "_mm" in vector.text and not vector.notes, f"{f.name}: {vector.notes}"
        made += [vector, generate(f, name=f"{f.name}_scalar", extern_c=True, launch={}, scalar=CPrinter)]
    return build(made, tmp_path_factory.mktemp("control"), "control", request.param)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_lanes_agree_with_scalars_for_every_length(name: str, library: Library) -> None:
    rng = np.random.default_rng(3)
    for n in range(41):
        a = rng.standard_normal(160).astype(np.float32) * 2
        idx = rng.integers(-5, 100, 160).astype(np.int32)
        outputs = []
        for kind in ("scalar", "vector"):
            out = np.full(160, 7, np.float32)
            library.call(f"{name}_{kind}", a, idx, out, np.int32(n))
            outputs.append(out)
        np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-5, atol=1e-5, err_msg=f"{name} n={n}")


def test_a_triangle_sums_the_elements_before_each(library: Library) -> None:
    a = np.arange(64, dtype=np.float32)
    out = np.zeros(64, np.float32)
    library.call("triangle_vector", a, np.zeros(64, np.int32), out, np.int32(37))
    np.testing.assert_array_equal(out[:37], np.concatenate([[0], np.cumsum(a)])[:37])
    assert not out[37:].any()


def test_atomics_of_lanes_all_happen(library: Library) -> None:
    for n in (0, 5, 16, 33):
        a = np.random.default_rng(n).integers(0, 255, 40).astype(np.uint8)
        bins, sums, old = np.zeros(7, np.int32), np.zeros(2, np.float32), np.zeros(40, np.int32)
        library.call("histogram_vector", bins, sums, a, old, np.int32(n))
        np.testing.assert_array_equal(bins, np.bincount(a[:n] % 7, minlength=7))
        assert sums[0] == a[:n][a[:n] > 100].sum() and sums[1] == (a[:n].max() if n else 0)
        for b in range(7):
            assert sorted(old[:n][a[:n] % 7 == b]) == list(range(bins[b]))


def test_an_unsigned_position_below_zero_is_not_read(library: Library) -> None:
    a, out = np.arange(40, dtype=np.float32), np.full(40, -1, np.float32)
    library.call("unsigned_before_vector", a, out, np.uint32(35))
    np.testing.assert_array_equal(out, [-1, *range(34), *[-1] * 5])


def test_half_sums_round_each_time(library: Library) -> None:
    a = np.random.default_rng(1).standard_normal(64).astype(np.float16) * np.float16(10)
    out = np.zeros(64, np.float16)
    library.call("half_sum_vector", a, out, np.int32(30))
    np.testing.assert_array_equal(out[:30], ((np.float16(0) + a[:30]) + a[1:31]) + a[2:32])
