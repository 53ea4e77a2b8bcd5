"""Test data are reproducible, of the declared kind, and never trivial."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from tests.gate.programs import vector_contract
from xpiler.gate.arrays import decode, storage
from xpiler.gate.contract import Argument, FillKind, Role, ValueKind, Values, make_case, with_fills
from xpiler.gate.inputs import draw, inputs_of, perturbed
from xpiler.ir.types import ALL_DTYPES, BF16, F16, F32, I8, I32, U16, DType

FILLS: tuple[FillKind, ...] = get_args(FillKind)


def drawn(dtype: DType, fill: FillKind, seed: int = 1, count: int = 400) -> np.ndarray:
    case = make_case({}, {"x": count}, seed=seed, fill=fill)
    return draw(Argument("x", dtype, True, Role.IN), case)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("dtype", ALL_DTYPES, ids=str)
def test_data_of_every_kind_are_stored_reproducible_and_varied(dtype: DType, fill: FillKind) -> None:
    one, again, other = drawn(dtype, fill), drawn(dtype, fill), drawn(dtype, fill, seed=2)
    assert one.dtype == storage(dtype) and one.size == 400
    assert np.array_equal(one.view(np.uint8), again.view(np.uint8))
    assert not np.array_equal(one.view(np.uint8), other.view(np.uint8))
    assert len(np.unique(one.view(f"u{dtype.bytes}"))) >= 2


def test_two_arguments_of_one_case_hold_different_data() -> None:
    case = make_case({}, {"a": 50, "b": 50})
    a, b = (draw(Argument(name, F32, True, Role.IN), case) for name in "ab")
    assert not np.array_equal(a, b)


def test_small_integers_are_whole_also_as_floats() -> None:
    for dtype in (F16, BF16, F32, I8):
        values = decode(drawn(dtype, "integers"), dtype)
        assert set(np.unique(values)) == set(range(-4, 5))


def test_special_values_are_few() -> None:
    values = drawn(F32, "special")
    assert 1 <= np.count_nonzero(~np.isfinite(values)) <= 3


def test_boundary_values_have_zeros_of_both_signs_and_subnormals() -> None:
    values = drawn(F32, "boundary")
    zeros = values[values == 0]
    assert np.signbit(zeros).any() and not np.signbit(zeros).all()
    assert ((values != 0) & (np.abs(values) < 2.0**-126)).any()
    assert {-128, 127} <= set(drawn(I8, "boundary").tolist())
    edges = drawn(F32, "edges")
    assert not ((edges != 0) & (np.abs(edges) < 2.0**-100)).any() and (np.abs(edges) == 2.0**-100).any()


def test_declared_contents_are_kept_to() -> None:
    def contents(values: Values) -> np.ndarray:
        case = make_case({}, {"x": 100}, values={"x": values})
        return draw(Argument("x", I32, True, Role.IN), case)

    index = contents(Values("index", 5, 9))
    assert set(index.tolist()) == {5, 6, 7, 8}
    spread = contents(Values("spread", 0, 10_000, beyond=(-1,)))
    assert {-1, 0, 9_999} <= set(spread.tolist()) and sorted(spread.tolist())[50] < 400
    offsets = contents(Values("offsets", 0, 40))
    assert offsets[0] == 0 and offsets[-1] == 40 and (np.diff(offsets) >= 0).all()
    assert (np.diff(contents(Values("offsets", 0, 8))) >= 2).any()  # also where parts outnumber elements
    assert sorted(contents(Values("permutation", 0)).tolist()) == list(range(100))
    assert set(contents(Values("constant", 7)).tolist()) == {7}
    flags = contents(Values("flags"))
    assert 30 < (flags == 0).sum() < 70 and len(set(flags.tolist())) > 10


def test_only_what_is_read_is_drawn() -> None:
    contract = vector_contract()
    assert set(inputs_of(contract, contract.cases[0])) == {"x"}


@pytest.mark.parametrize("dtype", [F16, BF16, F32], ids=str)
def test_a_perturbation_moves_every_value_a_little(dtype: DType) -> None:
    contract = vector_contract(dtype=dtype)
    before = inputs_of(contract, contract.cases[0])
    after, unit = perturbed(contract, contract.cases[0], before, 0)
    x, y = (decode(values["x"], dtype) for values in (before, after))
    assert (np.abs(y - x) <= 5 * unit * np.abs(x)).all()
    assert np.mean(x != y) > 0.9


def test_a_perturbation_leaves_indices_alone() -> None:
    contract = vector_contract()
    case = replace(contract.cases[0], values=(("x", Values("index", 0, 10)),))
    before = inputs_of(contract, case)
    assert np.array_equal(perturbed(contract, case, before, 0)[0]["x"], before["x"])


def test_a_perturbation_keeps_numbers_of_a_range_in_it() -> None:
    contract = vector_contract()
    case = replace(contract.cases[0], values=(("x", Values("uniform", 0.25, 1.0)),))
    before = np.full(1000, 0.25, np.float32)  # one step down would leave the range
    after = perturbed(contract, case, {"x": before}, 0)[0]["x"]
    assert after.min() == 0.25 and 0.3 < np.mean(after != before) < 0.7


@pytest.mark.parametrize(("kind", "dtype"), [("bf16", BF16), ("f16", F16)])
def test_integers_that_are_bits_of_floats_hold_numbers_and_move(kind: ValueKind, dtype: DType) -> None:
    contract = vector_contract(dtype=U16)
    case = replace(contract.cases[0], values=(("x", Values(kind)),))
    before = inputs_of(contract, case)
    after, _ = perturbed(contract, case, before, 0)
    x, y = (decode(values["x"].view(storage(dtype)), dtype) for values in (before, after))
    assert before["x"].dtype == after["x"].dtype == np.uint16
    assert np.isfinite(x).all() and x.std() > 0.5
    assert np.mean(x != y) > 0.9 and np.allclose(x, y, rtol=0.1)


def test_seeds_and_fills_multiply_a_case() -> None:
    cases = with_fills(make_case({}, {"x": 3}), [1, 2], ["integers", "normal"])
    assert [(case.fill, case.seed) for case in cases] == [
        *(("integers", 1), ("integers", 2)),
        *(("normal", 1), ("normal", 2)),
    ]


@pytest.mark.parametrize("count", [33, 34])
def test_bytes_that_are_bits_of_floats_are_as_many_as_the_array_has(count: int) -> None:
    case = make_case({}, {"x": count}, values={"x": Values("f16", 0)})
    assert draw(Argument("x", I8, True, Role.IN), case).nbytes == count
