"""Snippets besides the operators: bytes on matrix units, plain loops, fixed extents, no host code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.bench.references import expected
from xpiler.bench.operators import load_operators, snippet
from xpiler.files import read_source
from xpiler.gate.contract import Argument, Case, Contract, Launch, Role, make_case
from xpiler.gate.execute import BOTH_ENDS, Build, build
from xpiler.gate.inputs import inputs_of
from xpiler.ir.types import F32, I8, I32, DType
from xpiler.platforms.registry import PLATFORMS


def built_of(name: str, platform: str, contract: Contract) -> Build:
    path = snippet(name, platform)
    built = build(read_source(path), str(path), platform, contract)
    assert built.ok, built.error
    return built


def pointers(dtype: DType, ins: str, out: str) -> tuple[Argument, ...]:
    read = tuple(Argument(name, dtype, True, Role.IN) for name in ins.split())
    return (*read, Argument(out, I32 if dtype is I8 else dtype, True, Role.OUT))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_product_of_bytes_is_exact(platform: str) -> None:
    sizes = tuple(Argument(name, I32, False, Role.SCALAR) for name in "MNK")
    contract = Contract("gemm_int8", "host", (*pointers(I8, "A B", "C"), *sizes))
    built = built_of("gemm_int8", platform, contract)
    for m, n, k in ((37, 70, 100), (5, 3, 260)):
        case = make_case({"M": m, "N": n, "K": k}, {"A": m * k, "B": n * k, "C": m * n})
        data = inputs_of(contract, case)
        wanted = data["A"].reshape(m, k).astype(np.int64) @ data["B"].reshape(n, k).T.astype(np.int64)
        for result in built.run([case], variants=BOTH_ENDS, inputs=[data]):
            assert result.ok, result.describe()
            assert np.array_equal(result.buffers["C"].reshape(m, n), wanted)


def check(operator: str, built: Build, case: Case) -> None:
    """The case's arrays have their extents in `shapes`."""
    contract = built.contract
    data = inputs_of(contract, case)
    arrays = {name: values.astype(np.float64).reshape(case.shape(name)) for name, values in data.items()}
    wanted = expected(operator, arrays, {})
    (output,) = contract.outputs
    for result in built.run([case], variants=BOTH_ENDS, inputs=[data]):
        assert result.ok, result.describe()
        np.testing.assert_allclose(result.buffers[output.name].reshape(wanted.shape), wanted, 2e-5, 2e-5)


@pytest.mark.parametrize("name", ["gemm_serial", "softmax_serial"])
def test_plain_loops(name: str) -> None:
    operator = load_operators()[name.removesuffix("_serial")]
    built = built_of(name, "vnni", operator.contract())
    check(operator.name, built, operator.case(operator.shapes[0]))


def fixed(contract: Contract, shapes: dict[str, tuple[int, ...]], launch: Launch | None = None) -> Case:
    extents = {argument.name: int(np.prod(shapes[argument.name])) for argument in contract.pointers}
    return make_case({}, extents, launch, shapes=shapes)


def test_fixed_extents() -> None:
    contract = Contract("layernorm", "host", pointers(F32, "x gamma beta", "y"))
    rows, row = (48, 320), (320,)
    case = fixed(contract, {"x": rows, "gamma": row, "beta": row, "y": rows})
    check("layernorm", built_of("layernorm_fixed", "vnni", contract), case)


@pytest.mark.parametrize(
    ("name", "platform", "shape", "launch"),
    [
        ("relu", "bang", (40000,), Launch((16, 1, 1), (16, 1, 1))),
        ("softmax", "bang", (64, 96), Launch((16, 1, 1), (1, 1, 1))),
        ("softmax", "hip", (50, 96), Launch((50, 1, 1), (64, 1, 1))),
    ],
)
def test_kernels_without_host_code(name: str, platform: str, shape: tuple[int, ...], launch: Launch) -> None:
    contract = Contract(name, "kernel", pointers(F32, "x", "y"), kernel_spelling=name)
    if platform == "bang":
        contract = replace(contract, arguments=contract.arguments[::-1])
    check(
        name, built_of(f"{name}_fixed", platform, contract), fixed(contract, {"x": shape, "y": shape}, launch)
    )
