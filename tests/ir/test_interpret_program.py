"""Closures of a function are made once for many runs, and no run knows of another."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ir.kernels import array, integer, kernel
from xpiler.ir import build as b
from xpiler.ir.interpret import run
from xpiler.ir.interpret_field import Field
from xpiler.ir.interpret_native import Native
from xpiler.ir.interpret_program import compiled
from xpiler.ir.interpret_statements import Statements
from xpiler.ir.interpret_trace import Trace, inputs
from xpiler.ir.nodes import Assign, Block, Expr, For, Function, LoopKind
from xpiler.ir.types import F32, I32

I = b.var("i")  # noqa: E741


def each(value: Expr) -> Function:
    """`for i in 0..n: y[i] = value`."""
    store = Assign(b.load("y", F32, I), value)
    loop = For("i", I32, b.const(0), b.var("n"), b.const(1), Block((store,)), LoopKind.PARALLEL)
    return kernel([array("x"), array("y"), integer("n")], loop)


def greatest() -> Function:
    return each(b.call("max", F32, b.load("x", F32, I), b.load("y", F32, I)))


def test_runs_of_one_function_share_its_closures(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    compile_block = Statements._block
    monkeypatch.setattr(Statements, "_block", lambda self, body: made.append(0) or compile_block(self, body))
    function = each(b.add(b.load("x", F32, I), b.const(1.0, F32)))
    for size in (3, 5):
        x, y = np.arange(size, dtype=np.float32), np.zeros(size, np.float32)
        run(function, {"x": x, "y": y, "n": size})
        assert (y == x + 1).all()
    before = len(made)
    run(function, {"x": x, "y": y, "n": size})
    assert len(made) == before
    run(
        function, {"x": inputs(2, np.random.default_rng(1)), "y": np.zeros(2, np.int64), "n": 2}, mode="trace"
    )
    assert len(made) == 2 * before  # other numbers, other closures


def test_an_equal_function_has_closures_of_its_own() -> None:
    """Findings name places, which are no part of equality."""
    with compiled(greatest(), Native()) as one, compiled(greatest(), Native()) as other:
        assert one.function == other.function and one is not other


def test_two_runs_at_a_time_have_closures_each() -> None:
    function = greatest()
    with compiled(function, Native()) as one, compiled(function, Native()) as other:
        assert one is not other


@pytest.mark.parametrize("numbers", [Trace, Field])
def test_what_is_known_of_symbols_is_known_in_all_steps_of_one_program_and_in_no_other(
    numbers: type[Trace] | type[Field],
) -> None:
    """`max(x, max(x, y))` is `max(x, y)`, where it is known what the latter is."""
    function = greatest()
    x, y = inputs(2, np.random.default_rng(1)), inputs(2, np.random.default_rng(2))
    own = numbers()
    run(function, {"x": x, "y": y, "n": 2}, mode=own)
    first = y.copy()
    run(function, {"x": x, "y": y, "n": 2}, mode=own)
    assert (y == first).all()
    with compiled(function, numbers()) as later:
        assert later.numeric.extrema["max"].sets == {}  # type: ignore[attr-defined]


def test_who_is_told_of_operations_is_told_of_constants_in_every_run() -> None:
    function = each(b.add(b.load("x", F32, I), b.const(1.0, F32)))
    told: list[str] = []
    for _ in range(2):
        told.clear()
        arrays = {"x": inputs(2, np.random.default_rng(1)), "y": np.zeros(2, np.int64)}
        run(function, {**arrays, "n": 2}, mode=Trace(lambda name, *_: told.append(name)))
        assert sorted(set(told)) == ["+", "constant"]
