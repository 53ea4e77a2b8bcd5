"""The serial function leaves the same memory as the threads do."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

from tests.passes import kernels, machine
from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Barrier, Collective, Function
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.passes.canonical import canonicalise
from xpiler.passes.loop_recovery import recover_loops

Size = tuple[int, int, int]


def floats(count: int, seed: int = 1) -> list[float]:
    """Small integers: sums are exact in any order."""
    source = random.Random(seed)
    return [float(source.randint(-8, 8)) for _ in range(count)]


def close(found: dict[str, list[Any]], expected: dict[str, list[Any]], text: str) -> None:
    """Integers are equal; sums of floats may be associated in another order."""
    for name, values in expected.items():
        for n, (one, two) in enumerate(zip(found[name], values, strict=True)):
            if isinstance(two, float) and not math.isnan(two) and one is not None:
                assert math.isclose(one, two, rel_tol=1e-4, abs_tol=1e-6), (
                    f"{name}[{n}]: {one} != {two} in {text}"
                )
            else:
                assert one == two, f"{name}[{n}]: {one} != {two} in {text}"


def same(
    kernel: Function,
    arguments: dict[str, Any],
    grid: Size,
    block: Size,
    *,
    known: bool = True,
    canonical: bool = True,
) -> Function:
    serial = recover_loops(kernel, block if known else (None, None, None))
    assert not any(isinstance(n, (Barrier, Collective)) for n in walk(serial))
    dims = {f"gridDim.{a}": n for a, n in zip("xyz", grid, strict=True)}
    dims |= {f"blockDim.{a}": n for a, n in zip("xyz", block, strict=True)}
    expected = machine.run(kernel, arguments, grid, block)
    assert machine.run(serial, arguments | dims) == expected
    if canonical:
        nice = canonicalise(kernel, block if known else (None, None, None))
        close(machine.run(nice.function, arguments | dims), expected, show(nice.function))
    return serial


@pytest.mark.parametrize("known", [True, False])
def test_tiled_gemm(known: bool) -> None:
    m, n, k = 6, 9, 7
    arguments = {"A": floats(m * k), "B": floats(k * n, 2), "C": [None] * (m * n), "M": m, "N": n, "K": k}
    same(kernels.gemm(), arguments, (3, 2, 1), (4, 4, 1), known=known)


@pytest.mark.parametrize("threads", [32, 64, 48])
@pytest.mark.parametrize("known", [True, False])
def test_softmax_with_shuffles(threads: int, known: bool) -> None:
    rows, n = 2, 70
    arguments = {"x": floats(rows * n), "y": [None] * (rows * n), "rows": rows, "n": n}
    same(kernels.softmax(), arguments, (3, 1, 1), (threads, 1, 1), known=known, canonical=known)


def test_a_parameter_that_threads_change_is_a_copy_of_each() -> None:
    text = """
    __global__ void k(int* a, int up) {
      if (threadIdx.x & 1) up = !up;
      a[threadIdx.x] = up;
    }
    void launch(int* a, int up) { k<<<1, 4>>>(a, up); }
    """
    (kernel,) = parse(text, "k.cu").program.kernels
    out = np.zeros(4, np.int32)
    run(recover_loops(kernel, (4, 1, 1), (1, 1, 1)), {"a": out, "up": 1})
    assert out.tolist() == [1, 0, 1, 0]
