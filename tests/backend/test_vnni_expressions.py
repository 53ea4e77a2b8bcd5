"""Every operator, conversion and function over lanes computes what the scalar C++ does, for all lengths of
the tail."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.backend.cpp import NUMPY, Library, build, function, pointer, scalar, threads
from xpiler.backend.c import CPrinter
from xpiler.backend.vnni import generate
from xpiler.ir.build import binary, cast, const, load, select, var
from xpiler.ir.nodes import Assign, Binary, Call, Expr, Function, Unary
from xpiler.ir.types import (
    ALL_DTYPES,
    BF16,
    BOOL,
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    DType,
    promote,
)  # fmt: skip

ARITHMETIC = (I32, U32, I64, U64, F32, F64, F16, BF16)
N = 67
T, S = var("t"), var("n")


def elementwise(name: str, source: DType, result: Expr, target: DType) -> Function:
    """out[t] = result(a[t], b[t])"""
    params = (pointer("a", source, True), pointer("b", source, True), pointer("out", target), scalar("n"))
    return function(name, params, threads("t", S, Assign(load("out", target, T), result)))


def cases() -> dict[str, tuple[Function, DType, DType]]:
    found: dict[str, tuple[Function, DType, DType]] = {}

    def case(name: str, source: DType, result: Expr) -> None:
        found[name] = (elementwise(name, source, result, result.dtype), source, result.dtype)

    for t in ARITHMETIC:
        a, b = load("a", t, T), load("b", t, T)
        names = {
            "+": "add",
            "-": "sub",
            "*": "mul",
            "/": "div",
            "%": "mod",
            "&": "and",
            "|": "or",
            "^": "xor",
        }
        for op, word in names.items():
            if t.is_float and op in "%&|^":
                continue
            case(f"{word}_{t}", t, Binary(t, op, a, b))
        for op, word in {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}.items():
            case(f"{word}_{t}", t, Binary(BOOL, op, a, b))
        case(f"min_{t}", t, Call(t, "min", (a, b)))
        case(f"max_{t}", t, Call(t, "max", (a, b)))
        case(f"neg_{t}", t, Unary(t, "-", a))
        case(f"select_{t}", t, select(binary("<", a, b), a, b))
    for t in (I32, U32):
        a, b = load("a", t, T), load("b", t, T)
        case(f"shl_{t}", t, Binary(t, "<<", a, binary("&", b, 31)))
        case(f"shr_{t}", t, Binary(t, ">>", a, binary("&", b, 31)))
        for power in (1, 4, 1 << 30):
            case(f"quotient_{power}_{t}", t, Binary(t, "/", a, const(power, t)))
            case(f"rest_{power}_{t}", t, Binary(t, "%", a, const(power, t)))
    for t in (F32, F64, F16, BF16):
        a = load("a", t, T)
        case(f"fma_{t}", t, Call(t, "fma", (a, load("b", t, T), a)))
        for name in ("abs", "sqrt", "floor", "ceil", "trunc", "rint"):
            case(f"{name}_{t}", t, Call(t, name, (a,)))
        case(f"isnan_{t}", t, Call(BOOL, "isnan", (a,)))
        case(f"isinf_{t}", t, Call(BOOL, "isinf", (a,)))
    for source, target in itertools.permutations(ALL_DTYPES, 2):
        case(f"cast_{source}_{target}", source, cast(load("a", source, T), target))
    return found


CASES = cases()
FLOATS = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    2.5,
    3.5,
    -2.5,
    1e-3,
    65504.0,
    -70000.0,
    3e9,
    -3e9,
    1e-40,
    np.inf,
    -np.inf,
    np.nan,
    255.5,
    -128.9,
]


def data(dtype: DType, seed: int, *, nonzero: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype == BOOL:
        return rng.integers(0, 2, N).astype(np.bool_)
    if dtype.is_float:
        values = np.concatenate([rng.permutation(FLOATS), rng.standard_normal(N - len(FLOATS)) * 50])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if dtype == BF16:
                return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
            return values.astype(NUMPY[dtype.name])
    info = np.iinfo(NUMPY[dtype.name])
    values = rng.integers(info.min, info.max, N, dtype=NUMPY[dtype.name], endpoint=True)
    small = rng.integers(0, 100, N).astype(NUMPY[dtype.name])
    values[::2] = small[::2]
    if nonzero:
        values[values == 0] = 7
    return values


@pytest.fixture(scope="module", params=["g++", "clang++"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = []
    for name, (case, _, _) in CASES.items():
        vector = generate(case, name=f"{name}_vector", extern_c=True, launch={})
        assert "_mm" in vector.text, f"{name} was not vectorised: {vector.notes}"
        made += [vector, generate(case, name=f"{name}_scalar", extern_c=True, launch={}, scalar=CPrinter)]
    folder: Path = tmp_path_factory.mktemp("expressions")
    return build(made, folder, "expressions", request.param)


@pytest.mark.parametrize("name", CASES)
def test_lanes_agree_with_scalars(name: str, library: Library) -> None:
    _, source, target = CASES[name]
    division = name.startswith(("div", "mod"))
    a, b = data(source, 1), data(source, 2, nonzero=division)
    if name in ("div_i64", "mod_i64", "div_i32", "mod_i32"):
        a = np.abs(a // 2)  # the smallest number by -1 has no quotient
    for n in (0, 1, 15, 16, 17, N):
        outputs = []
        for kind in ("scalar", "vector"):
            out = np.full(N, 7).astype(NUMPY[target.name])
            library.call(f"{name}_{kind}", a, b, out, np.int32(n))
            outputs.append(out)
        expected, got = outputs
        if target == BF16:
            nan = (expected & 0x7FFF) > 0x7F80
            np.testing.assert_array_equal(nan, (got & 0x7FFF) > 0x7F80)
            expected, got = np.where(nan, 0, expected), np.where(nan, 0, got)
        np.testing.assert_array_equal(got, expected, err_msg=f"{name} n={n}")


def test_conversions_of_floats_clamp_as_on_gpus(library: Library) -> None:
    values = np.array([np.nan, 1e30, -1e30, 3.9, -3.9] + [0.0] * (N - 5), np.float32)
    out = np.zeros(N, np.int32)
    library.call("cast_f32_i32_vector", values, values, out, np.int32(N))
    assert list(out[:5]) == [0, 2**31 - 1, -(2**31), 3, -3]


def test_half_arithmetic_rounds_every_operation(library: Library) -> None:
    rng = np.random.default_rng(5)
    a, b = (rng.standard_normal(N).astype(np.float16) for _ in range(2))
    for name, expected in (("add_f16", a + b), ("mul_f16", a * b), ("div_f16", a / b)):
        out = np.zeros(N, np.float16)
        library.call(f"{name}_vector", a, b, out, np.int32(N))
        np.testing.assert_array_equal(out, expected)


def test_promotion_is_that_of_c() -> None:
    assert {promote(t) for t in (I8, I16, U8, U16)} == {I32}
    assert promote(U32) == U32 and promote(U64) == U64 and promote(I64) == I64
