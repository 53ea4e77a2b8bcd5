"""Random loop nests, rewritten rightly and wrongly: what is proved or refuted is what all runs show."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.ir.kernels import array, integer, kernel
from xpiler.ir import build as b
from xpiler.ir.nodes import Assign, Block, Decl, Expr, For, Function, If, LoopKind, Stmt
from xpiler.ir.printer import show
from xpiler.ir.types import F32, I32
from xpiler.symbolic.equivalence import Proved, Refuted, equivalent
from xpiler.symbolic.forms import Unknown, formula
from xpiler.symbolic.settings import Setting, arguments, execute

N, M, K = b.var("n"), b.var("m"), b.var("k")
EXAMPLES = int(os.environ.get("XPILER_RANDOM_PROGRAMS", "60"))  # each with ten rewrites
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # to shrink a program tells no more than it does
ROOM = 160  # elements of each array: more than any index
SIZES = [(1, 2, 3), (2, 3, 1), (3, 2, 4), (5, 4, 6)]


@dataclass(frozen=True)
class Nest:
    """`for i in 0..n: for j in 0..m: y[i*m + j] = f(x, w)`, with a sum or a maximum over 0..k in f.

    The fields from `strip` on rewrite it rightly, those from `less` on wrongly in general.
    """

    columns: bool
    fold: str  # "", "+", "max"
    value: str  # product, sum, choice
    transposed: bool
    strip: int = 1
    guarded: bool = False
    swapped: bool = False
    parts: int = 1
    turned: bool = False
    halves: bool = False
    less: int = 0
    shift: int = 0
    stride: bool = False
    guard: int = 0
    first: int = 0
    other: bool = False
    overlap: int = 0


def loop(name: str, start: Expr | int, stop: Expr, body: tuple[Stmt, ...], step: int = 1) -> For:
    return For(name, I32, b.as_expr(start), stop, b.const(step), Block(body), LoopKind.SERIAL)


def element(nest: Nest, i: Expr, j: Expr, k: Expr) -> Expr:
    """The operand of the fold, or the whole value."""
    at = b.add(b.mul(j, N), i) if nest.transposed else b.add(b.mul(i, M), j)
    if nest.fold:
        at = b.add(b.mul(i, K), k)
    x = b.load("x", F32, b.add(at, nest.shift))
    w = b.load("w", F32, b.add(b.mul(k, M), j) if nest.fold else j)
    if nest.value == "choice":
        return b.select(b.lt(x, w), w, x)
    pair = (w, x) if nest.turned else (x, w)
    return b.mul(*pair) if nest.value == "product" else b.add(*pair)


def folded(nest: Nest, i: Expr, j: Expr) -> tuple[list[Stmt], Expr]:
    if not nest.fold:
        return [], element(nest, i, j, b.const(0))
    total = b.var("total", F32)

    def step(k: Expr) -> Stmt:
        return Assign(total, element(nest, i, j, k), nest.fold)

    zero = b.const(0.0 if nest.fold == "+" else -1e30, F32)
    if nest.parts > 1:
        part = b.add(b.var("kk"), b.var("kp"))
        inner = loop("kp", 0, b.call("min", I32, b.const(nest.parts), b.sub(K, b.var("kk"))), (step(part),))
        loops = [loop("kk", nest.first, K, (inner,), nest.parts)]
    elif nest.halves:
        middle = b.div(K, 2)
        loops = [loop("ka", nest.first, middle, (step(b.var("ka")),))]
        loops += [loop("kb", b.sub(middle, nest.overlap), K, (step(b.var("kb")),))]
    else:
        loops = [loop("kk", nest.first, K, (step(b.var("kk")),))]
    return [Decl("total", F32, init=zero), *loops], total


def program(nest: Nest) -> Function:
    columns = M if nest.columns else b.const(1)
    i, j = b.var("i"), b.var("j") if nest.columns else b.const(0)
    rows = b.sub(N, nest.less)
    inside: Expr | None = None
    if nest.strip > 1:
        i = b.add(b.var("i0"), b.var("i1"))
        inside = b.lt(i, b.add(rows, nest.guard)) if nest.guarded else None
    before, value = folded(nest, i, j)
    if nest.other:
        value = b.add(value, b.load("w", F32, j))
    place = b.add(b.mul(i, N if nest.stride else columns), j)
    body: tuple[Stmt, ...] = (*before, Assign(b.load("y", F32, place), value))
    if inside is not None:
        body = (If(inside, Block(body)),)
    loops: list[tuple[str, Expr, Expr, int]] = []
    if nest.strip > 1:
        width = b.const(nest.strip)
        inner = width if nest.guarded else b.call("min", I32, width, b.sub(rows, b.var("i0")))
        loops += [("i0", b.const(0), rows, nest.strip), ("i1", b.const(0), inner, 1)]
    else:
        loops += [("i", b.const(0), rows, 1)]
    if nest.columns:
        loops = [("j", b.const(0), M, 1), *loops] if nest.swapped else [*loops, ("j", b.const(0), M, 1)]
    for name, start, stop, step in reversed(loops):
        body = (loop(name, start, stop, body, step),)
    params = [array("x"), array("w"), array("y"), integer("n"), integer("m"), integer("k")]
    return kernel(params, *body)


NESTS = st.builds(
    Nest,
    columns=st.booleans(),
    fold=st.sampled_from(["", "+", "max"]),
    value=st.sampled_from(["product", "sum", "choice"]),
    transposed=st.booleans(),
)
RIGHT = st.fixed_dictionaries(
    {
        "strip": st.sampled_from([1, 2, 3, 4]),
        "guarded": st.booleans(),
        "swapped": st.booleans(),
        "parts": st.sampled_from([1, 1, 2, 3]),
        "turned": st.booleans(),
        "halves": st.booleans(),
    }
)
WRONG: list[dict[str, int | bool]] = [
    {"less": 1},
    {"less": -1},
    {"shift": 1},
    {"stride": True},
    {"guard": 1, "guarded": True, "strip": 3},
    {"guard": -1, "guarded": True, "strip": 2},
    {"first": 1},
    {"other": True},
    {"overlap": 1, "halves": True},
]


def at(sizes: tuple[int, int, int]) -> Setting:
    return Setting(dict(zip("nmk", sizes, strict=True)), dict.fromkeys("xwy", ROOM))


def agree(first: Function, second: Function, sizes: Iterable[tuple[int, int, int]], seed: int = 3) -> bool:
    """Whether both leave the same, `second` without accesses out of bounds."""
    for setting in map(at, sizes):
        given = arguments(first, setting, "reals", seed)
        expected, got = (execute(f, given, setting, "reals") for f in (first, second))
        assert not expected.fault, show(first)
        if got.fault or not np.allclose(expected.arrays["y"], got.arrays["y"], 1e-9, 1e-12):
            return False
    return True


def rewrites(nest: Nest, right: dict[str, int | bool]) -> Iterator[tuple[bool, Nest]]:
    yield True, replace(nest, **right)
    for wrong in WRONG:
        yield False, replace(nest, **{**right, **wrong})


COUNTS: Counter[str] = Counter()


@given(NESTS, RIGHT)
@settings(max_examples=EXAMPLES, deadline=None, phases=PHASES)
def test_formulas_are_equal_only_where_runs_agree(nest: Nest, right: dict[str, int | bool]) -> None:
    source = program(nest)
    for is_right, rewritten in rewrites(nest, right):
        target = program(rewritten)
        equal = agree(source, target, SIZES)
        assert equal or not is_right, show(target)
        try:
            same = formula(source) == formula(target)
        except Unknown:
            COUNTS["unknown"] += 1
            continue
        assert equal or not same, f"{show(source)}\n{show(target)}"
        COUNTS["proved" if same else "equal, not proved" if equal else "different"] += 1


@given(NESTS, RIGHT, st.sampled_from(WRONG), st.sampled_from(SIZES))
@settings(max_examples=EXAMPLES, deadline=None, phases=PHASES)
def test_verdicts_of_runs_are_those_of_other_data(
    nest: Nest, right: dict[str, int | bool], wrong: dict[str, int | bool], sizes: tuple[int, int, int]
) -> None:
    source = program(nest)
    for rewritten in (replace(nest, **right), replace(nest, **{**right, **wrong})):
        target = program(rewritten)
        verdict = equivalent(source, target, [at(sizes)])
        if isinstance(verdict, Refuted):
            assert not agree(source, target, [sizes], verdict.seed), f"{verdict}\n{show(target)}"
        elif isinstance(verdict, Proved):
            assert agree(source, target, [sizes]), f"{verdict}\n{show(target)}"
