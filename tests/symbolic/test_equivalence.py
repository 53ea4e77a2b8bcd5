"""Verdicts on pairs of programs, and passes whose results are refuted: the form before them stays."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.ir.kernels import array, integer, kernel, tiled_gemm
from xpiler.frontend import parse
from xpiler.ir import build as b
from xpiler.ir.nodes import Assign, Binary, Block, Break, Decl, Expr, For, Function, If, Load, Param
from xpiler.ir.rewrite import map_expr
from xpiler.ir.types import F32, I8, I32
from xpiler.passes import canonical
from xpiler.passes.canonical import canonicalise
from xpiler.symbolic.equivalence import Proved, Refuted, Undecided, equivalent, judged
from xpiler.symbolic.equivalence_runs import compared
from xpiler.symbolic.settings import Setting
from xpiler.symbolic.validation import Validation

SETTING = Setting({"m": 5, "n": 7, "depth": 3}, {"A": 15, "B": 21, "C": 35}, (1, 1, 1), (16, 16, 1))
LINE = Setting({"n": 11}, {"x": 11, "y": 11})
X = b.load("x", F32, b.var("i"))


def line(value: Expr, start: int = 0) -> Function:
    """`for i in start..n: y[i] = value`."""
    store = Assign(b.load("y", F32, b.var("i")), value)
    loop = For("i", I32, b.const(start), b.var("n"), b.const(1), Block((store,)))
    return kernel([array("x"), array("y"), integer("n")], loop)


def summed(order: Callable[[Expr], Expr]) -> Function:
    """`total = sum of x[order(i)]; y[0] = total`."""
    total = b.var("total", F32)
    step = Assign(total, b.load("x", F32, order(b.var("i"))), "+")
    loop = For("i", I32, b.const(0), b.var("n"), b.const(1), Block((step,)))
    store = Assign(b.load("y", F32, b.const(0)), total)
    zero = Decl("total", F32, init=b.const(0.0, F32))
    return kernel([array("x"), array("y"), integer("n")], zero, loop, store)


def test_the_same_operations_are_proved_whatever_the_data() -> None:
    found = equivalent(tiled_gemm(), canonicalise(tiled_gemm(), (16, 16, 1)).function, [SETTING])
    assert isinstance(found, Proved)
    assert found.scope == "m=5, n=7, depth=3"


def test_a_sum_in_another_order_is_named_as_that() -> None:
    back = summed(lambda i: b.sub(b.sub(b.var("n"), 1), i))
    found = equivalent(summed(lambda i: i), back, [LINE])
    assert isinstance(found, Proved)
    assert "sums reassociated" in found.how
    assert "escapes with probability" in found.how


def test_a_missing_element_is_refuted_with_its_values() -> None:
    found = equivalent(line(X), line(X, start=1), [LINE])
    assert isinstance(found, Refuted)
    assert (found.array, found.element, found.wrong) == ("y", 0, 1)
    assert found.expected != found.got


def test_formulas_prove_for_all_sizes_and_data() -> None:
    largest = b.call("max", F32, X, b.const(0.0, F32))
    x = b.load("x", F32, b.add(b.var("i0"), b.var("l")))
    width = b.call("min", I32, b.const(16), b.sub(b.var("n"), b.var("i0")))
    store = Assign(b.load("y", F32, b.add(b.var("i0"), b.var("l"))), b.call("max", F32, b.const(0.0, F32), x))
    lanes = For("l", I32, b.const(0), width, b.const(1), Block((store,)))
    strips = For("i0", I32, b.const(0), b.var("n"), b.const(16), Block((lanes,)))
    found = equivalent(line(largest), kernel([array("x"), array("y"), integer("n")], strips))
    assert isinstance(found, Proved)
    assert found.scope == "all sizes and all data"
    assert "array arguments do not overlap" in found.assumed


def test_what_data_decide_is_not_proved_by_runs() -> None:
    def until(limit: Expr) -> Function:
        store = Assign(b.load("y", F32, b.var("i")), X)
        stop = If(b.lt(limit, X), Block((Break(),)))
        loop = For("i", I32, b.const(0), b.var("n"), b.const(1), Block((stop, store)))
        return kernel([array("x"), array("y"), integer("n")], loop)

    found = equivalent(until(b.const(9.0, F32)), until(b.const(10.0, F32)), [LINE])
    assert isinstance(found, Undecided)
    assert "comparisons of data decide what is computed" in found.reason


ZERO = b.const(0.0, F32)
LARGEST = b.call("max", F32, X, ZERO)
RAMPS = [
    b.select(b.lt(ZERO, X), X, ZERO),
    b.select(b.lt(X, ZERO), ZERO, X),
    b.call("max", F32, b.call("max", F32, ZERO, X), X),
]


@pytest.mark.parametrize("ramp", RAMPS)
def test_extrema_are_the_same_however_they_are_chosen(ramp: Expr) -> None:
    assert isinstance(equivalent(line(LARGEST), line(ramp), [LINE]), Proved)
    runs = compared(line(LARGEST), line(ramp), [LINE])
    assert isinstance(judged(runs, (line(LARGEST), line(ramp))), Proved)


def test_an_extremum_of_one_element_less_is_another() -> None:
    """Such that random data hardly show it: the element is the greatest in one of a thousand."""

    def largest(start: int) -> Function:
        m = b.var("m", F32)
        k = b.load("x", F32, b.var("k"))
        loop = For("k", I32, b.const(start), b.var("n"), b.const(1), Block((Assign(m, k, "max"),)))
        init = Decl("m", F32, init=b.const(-math.inf, F32))
        return kernel(
            [array("x"), array("y"), integer("n")], init, loop, Assign(b.load("y", F32, b.const(0)), m)
        )

    found = equivalent(largest(0), largest(1), [LINE])
    assert isinstance(found, (Undecided, Refuted))


def test_without_sizes_nothing_is_claimed() -> None:
    assert equivalent(line(X), line(b.add(X, 1)), []) == Undecided("there are no sizes to run them at")


def test_a_pass_whose_result_is_refuted_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(function: Function) -> Function:
        def change(expr: Expr) -> Expr:
            if isinstance(expr, Load) and expr.array == "B":
                return replace(expr, index=(b.mod(b.add(expr.index[0], 1), 21),))
            return expr

        return replace(function, body=map_expr(function.body, change))

    right = canonicalise(tiled_gemm(), (16, 16, 1)).function
    monkeypatch.setattr(canonical, "PASSES", (*canonical.PASSES, ("shifting", shifted)))
    monkeypatch.setattr(
        "xpiler.symbolic.validation._MOST", 60.0
    )  # a slow machine is to reach the last pass, too
    validation = Validation([SETTING])
    found = canonicalise(tiled_gemm(), (16, 16, 1), check=validation.check)
    assert found.function == right
    step = next(s for s in found.log if s.name == "shifting")
    assert not step.applied
    assert step.reason.startswith("refuted at m=2, n=3, depth=3: C[0] is ")
    assert len(validation.refuted) == 1


def test_a_grid_that_the_serial_form_has_is_that_of_all_sizes() -> None:
    """With fewer blocks the source would leave elements out that the loops of the serial form take."""
    text = "__global__ void f(float* y, const float* x, int n) { y[blockIdx.x] = x[blockIdx.x] * n; }"
    (source,) = parse(text, "f.cu").program.kernels
    setting = Setting({"n": 99}, {"x": 16, "y": 16}, grid=(16, 1, 1))
    validation = Validation([setting], (16, None, None))
    assert not canonicalise(source, (1, 1, 1), (16, None, None), check=validation.check).log[0].reason
    assert not validation.refuted


def test_sizes_at_which_the_source_races_refute_no_pass() -> None:
    """Divided by three, pairs are rotated that belong to two rows."""
    text = """
    __global__ void f(float *q, int heads, int width, int n) {
      for (int i = threadIdx.x; i < heads * (n / 2); i += 32) {
        int h = i / (n / 2), r = i % (n / 2);
        float a = q[h * width + r], b = q[h * width + n / 2 + r];
        q[h * width + r] = a - b;
        q[h * width + n / 2 + r] = a + b;
      }
    }"""
    (source,) = parse(text, "f.cu").program.kernels
    setting = Setting({"heads": 6, "width": 11, "n": 8}, {"q": 66}, block=(32, 1, 1))
    validation = Validation([setting])
    canonicalise(source, (32, 1, 1), check=validation.check)
    assert not validation.refuted


def whole(op: str) -> Function:
    """`y[0] = x[0] op x[1]` of whole numbers."""
    x, y = Param("x", I32, True), Param("y", I32, True)
    parts = (b.load("x", I32, b.const(n)) for n in (0, 1))
    return Function("whole", (x, y), Block((Assign(b.load("y", I32, b.const(0)), Binary(I32, op, *parts)),)))


@pytest.mark.parametrize(("op", "verdict"), [("*", Proved), ("&", Undecided), (">>", Undecided)])
def test_whole_numbers_are_proved_only_where_a_point_tells_of_all(op: str, verdict: type) -> None:
    found = compared(whole(op), whole(op), [Setting({}, {"x": 2, "y": 1})])
    assert isinstance(judged(found, (whole(op),)), verdict)


def test_products_of_bytes_are_products() -> None:
    def byte(word: int, number: int) -> Expr:
        return b.cast(
            b.cast(Binary(I32, ">>", b.load("x", I32, b.const(word)), b.const(8 * number)), I8), I32
        )

    total = b.add(b.mul(byte(0, 0), byte(1, 0)), b.mul(byte(0, 3), byte(1, 3)))
    store = Assign(b.load("y", I32, b.const(0)), total)
    bytes_ = Function("bytes", (Param("x", I32, True), Param("y", I32, True)), Block((store,)))
    found = compared(bytes_, bytes_, [Setting({}, {"x": 2, "y": 1})])
    assert isinstance(judged(found, (bytes_,)), Proved)
