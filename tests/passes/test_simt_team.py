"""Where a team of threads meets: between phases that touch elements of other threads, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xpiler.frontend import parse
from xpiler.ir.build import add, const, maximum, minimum, sub, var
from xpiler.ir.nodes import Barrier, Block, For, Function
from xpiler.ir.rewrite import walk
from xpiler.ir.types import I32
from xpiler.passes.canonical import canonicalise
from xpiler.passes.facts import Facts
from xpiler.passes.names import Names
from xpiler.passes.simt_team import Team, cooperate, extents

BODIES = {
    "an element is the same thread's in both": (
        "for (int i = 0; i < n; ++i) t[i] = x[i]; for (int j = 0; j < n; ++j) y[j] = t[j];", 0
    ),
    "steps that build on each other": (
        "for (int i = 0; i < n; ++i) t[i] = 0; for (int k = 0; k < m; ++k)"
        " for (int i = 0; i < n; ++i) t[i] = t[i] * x[k * n + i]; for (int i = 0; i < n; ++i) y[i] = t[i];", 0
    ),
    "a neighbour's element": (
        "for (int i = 0; i < n; ++i) t[i] = x[i]; for (int j = 0; j < n; ++j) y[j] = t[j + 1];", 1
    ),
    "counted from elsewhere": (
        "for (int i = 0; i < n; ++i) t[i] = x[i]; for (int j = 1; j < n; ++j) y[j] = t[j];", 1
    ),
    "rows that move": (
        "for (int k = 0; k < m; ++k) for (int i = 0; i < n; ++i) t[k + i] = t[k + i] * x[i];", 1
    ),
    "read as a whole": (
        "for (int i = 0; i < n; ++i) t[i] = x[i]; y[0] = t[5];", 1
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_threads_meet_where_they_touch_what_others_did(name: str) -> None:
    body, barriers = BODIES[name]
    source = f"""extern "C" void f(const float *__restrict__ x, float *__restrict__ y, float *__restrict__ t,
                                   int n, int m) {{ {body} }}"""
    (kernel,) = parse(source, "f.cpp", platform="vnni").program.kernels
    function: Function = canonicalise(kernel).function
    team = Team(256, var("threadIdx.x", I32), "block")
    stmts, shared = cooperate(function.body.body, team, Facts.of(function), Names(function))
    assert shared
    assert sum(isinstance(n, Barrier) for s in stmts for n in walk(s)) == barriers


def test_at_most_one_length_of_a_nest_is_below_zero() -> None:
    rows, columns = (minimum(sub(var(size), var("tile")), const(16)) for size in ("M", "N"))
    nest = [For(name, I32, const(0), n, const(1), Block(())) for name, n in (("i", rows), ("j", columns))]
    assert extents(nest) == [rows, maximum(columns, const(0))]
    assert extents([replace(nest[0], stop=var("K")), nest[1]]) == [var("K"), columns]
    less = add(var("K"), const(-1))
    assert extents([nest[0], replace(nest[1], stop=less)]) == [rows, maximum(less, const(0))]
