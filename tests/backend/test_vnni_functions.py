"""Vector functions are as accurate as GPUs promise (CUDA guide: 1-2 ulp for most), and right at the edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backend.cpp import Library, build, function, lanes, pointer, scalar
from xpiler.backend.vnni import generate
from xpiler.ir.build import load, var
from xpiler.ir.nodes import Assign, Call
from xpiler.ir.types import F32, F64, I32, DType

T, N = var("t"), var("n")
ULP = {"exp": 2, "exp2": 2, "log": 2, "tanh": 4, "erf": 3, "sin": 2, "cos": 2, "rsqrt": 2}
RANGES = {
    "exp": (-104, 89),
    "exp2": (-150, 128),
    "log": (1e-38, 1e38),
    "tanh": (-10, 10),
    "erf": (-5, 5),
    "rsqrt": (1e-30, 1e30),
}
EDGES = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    np.inf,
    -np.inf,
    np.nan,
    1e-42,
    1e-20,
    -1e-20,
    200.0,
    -200.0,
    3e38,
    0.5,
    0.625,
    8191.0,
    1e6,
]


@pytest.fixture(scope="module", params=["g++", "clang++"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = []
    for name in ULP:
        body = lanes("t", N, Assign(load("out", F32, T), Call(F32, name, (load("a", F32, T),))))
        f = function(f"vector_{name}", (pointer("a", F32, True), pointer("out", F32), scalar("n")), body)
        made.append(generate(f, extern_c=True, launch={}))
    return build(made, tmp_path_factory.mktemp("functions"), "functions", request.param)


def reference(name: str, x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        if name == "erf":
            from math import erf

            return np.array([erf(v) for v in wide])
        return np.asarray(1 / np.sqrt(wide) if name == "rsqrt" else getattr(np, name)(wide))


@pytest.mark.parametrize("name", ULP)
def test_functions_are_within_a_few_ulp(name: str, library: Library) -> None:
    low, high = RANGES.get(name, (-8000.0, 8000.0))
    rng = np.random.default_rng(0)
    spread = (
        np.exp(rng.uniform(np.log(low), np.log(high), 20000)) if low > 0 else rng.uniform(low, high, 20000)
    )
    x = np.concatenate([spread, rng.uniform(0.01, 2, 5000), EDGES]).astype(np.float32)
    out = np.zeros_like(x)
    library.call(f"vector_{name}", x, out, np.int32(len(x)))
    expected = reference(name, x)
    with np.errstate(all="ignore"):
        single = expected.astype(np.float32)
    special = ~np.isfinite(single)
    np.testing.assert_array_equal(out[special], single[special])
    unit = np.maximum(np.spacing(np.abs(single[~special])).astype(np.float64), 2.0**-149)
    error = np.abs(out[~special] - expected[~special]) / unit
    if name in ("sin", "cos"):  # near their zeros the bound is absolute
        error = np.minimum(error, np.abs(out[~special] - expected[~special]) / 2.0**-24)
    worst = int(np.argmax(error))
    assert error[worst] <= ULP[name], f"{name}({x[~special][worst]!r}) is {error[worst]:.1f} ulp off"


@pytest.mark.parametrize("dtype, number", [(F32, np.float32), (F64, np.float64)])
def test_powers_of_two_are_multiplied_with(dtype: DType, number: type, tmp_path: Path) -> None:
    product = Call(dtype, "ldexp", (load("a", dtype, T), load("k", I32, T)))
    params = (pointer("a", dtype, True), pointer("k", I32, True), pointer("out", dtype), scalar("n"))
    f = function("scale", params, lanes("t", N, Assign(load("out", dtype, T), product)))
    made = build([generate(f, extern_c=True, launch={})], tmp_path, "scale")
    a = np.array([*EDGES, 1.5], number)
    for power in (-200, -1, 0, 3, 130):
        k, out = np.full(a.size, power, np.int32), np.zeros_like(a)
        made.call("scale", a, k, out, np.int32(a.size))
        with np.errstate(over="ignore", under="ignore"):
            np.testing.assert_array_equal(out, np.ldexp(a, k))
