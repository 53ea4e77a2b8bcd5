"""What z3 shows for all sizes holds in runs at many of them, on random accesses of global arrays."""

from __future__ import annotations

import os
import random
import re
from itertools import product

from xpiler.frontend import parse
from xpiler.symbolic.check import Options, check_unit

ROUNDS = int(os.environ.get("XPILER_RANDOM_PROOFS", "40"))
BLOCK = 4
_PROVED = re.compile(r"proved for every ([\w and]+): no two (threads|blocks) conflict on (.*)")


FORMS = (
    *(
        "i",
        "{a} * i + {b}",
        "i + {b}",
        "i / {c}",
        "i % {c}",
        "i * n + {b}",
        "(i + {b}) % n",
        "i ^ 1",
        "i & ~1",
    ),
    *("n - 1 - i", "2 * i + i % 2", "blockIdx.x * {d} + threadIdx.x", "i / {c} * {c} + i % {c}"),
    *("threadIdx.x * gridDim.x + blockIdx.x", "i * {a} + k", "k * n + i"),
)
STRIDES = ("blockIdx.x * blockDim.x + threadIdx.x", "threadIdx.x", "threadIdx.x * gridDim.x + blockIdx.x")
STRIDED = ("gridDim.x * blockDim.x", "blockDim.x", "gridDim.x", "2 * gridDim.x * blockDim.x", "3")


def index(rng: random.Random) -> str:
    form = rng.choice(FORMS)
    return form.format(a=rng.randint(1, 3), b=rng.randint(0, 2), c=rng.randint(2, 4), d=rng.randint(3, 5))


def text_of(rng: random.Random) -> str:
    guard = rng.choice(["i < n", "i < n", "i + 1 < n", "i < n && i % 2 == 0", "i > 0 && i < n", "true"])
    lines = [
        f"{rng.choice('xy')}[{index(rng)}] = {rng.choice(['i', 'k', 'x[' + index(rng) + ']'])};"
        for _ in range(rng.randint(1, 2))
    ]
    body = " ".join(lines)
    if rng.random() < 0.3:
        first, step = rng.choice(STRIDES), rng.choice(STRIDED)
        return (
            "__global__ void f(int* x, int* y, int n) {\n"
            f"  for (int i = {first}, k = 0; i < n; i += {step}) {{ {body} }}\n"
            "}\n"
        )
    return (
        "__global__ void f(int* x, int* y, int n) {\n"
        "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        f"  if ({guard})\n    for (int k = 0; k < {rng.randint(1, 2)}; k++) {{ {body} }}\n"
        "}\n"
    )


def test_nothing_conflicts_where_that_is_proved() -> None:
    proved = sum(held_against_runs(text_of(random.Random(seed))) for seed in range(ROUNDS))
    assert proved > ROUNDS // 8


def held_against_runs(text: str) -> int:
    """How many proofs were held against runs; fails where a run refutes one."""
    unit = parse(text, "f.cu")
    scope = check_unit(unit, Options(block=(BLOCK, 1, 1), prove=True)).kernels[0].scope
    held = 0
    for what in filter(None, map(_PROVED.fullmatch, scope)):
        free, arrays = what[1].split(" and "), set(what[3].split(", "))
        if "n" not in free:
            continue
        held += 1
        grids = (1, 2, 3, 5) if "gridDim" in free else (2,)
        for grid, n in product(grids, (1, 2, 3, 5, 8, 11)):
            options = Options((grid, 1, 1), (BLOCK, 1, 1), scalars=(("n", n),))
            found = check_unit(unit, options).findings
            conflicts = {f.array for f in found if f.code in ("XP-RACE", "XP-SAME-VALUE", "XP-SYNCWARP")}
            assert not conflicts & arrays, f"{what[0]}, but not for {grid} blocks and n = {n}\n{text}"
    return held
