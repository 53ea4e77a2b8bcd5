"""What a plain function's array is as a whole, where a run uses less of it, or more.

for (c...) for (i = 0; i < (n - 2) / 3 + 1; ++i)          the last row is read up to its last window only:
  ... in[c*n + 3*i], in[c*n + 3*i + 1] ...                -->  in has rows * n elements all the same

for (i < M) for (j = 0; j < N; j += 32)                   N = 53: rows are written over into the next one,
  for (l < 32) C[i*N + j + l] = ...                       -->  N is meant to be a multiple of 32
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import lcm, prod

from xpiler.gate.further_cases import fitted_extent
from xpiler.ir.nodes import Const, For, Function, Var
from xpiler.ir.rewrite import walk, walk_stmts

Sizes = Mapping[str, int]
Observed = Sequence[tuple[Sizes, int]]

_ENOUGH = 4  # observations that tell a product of sizes from chance
_MOST_FACTORS = 4
_LARGEST_STEP = 256
_FEW = (2, 3, 1, 5, 4, 7)


def whole_rows(observed: Observed, names: Sequence[str]) -> tuple[str, ...] | None:
    """The sizes whose product an array has for elements, of which the runs use all but a part of the last
    row; None where they use all, or there is no such product."""
    if len({tuple(sizes.items()) for sizes, _ in observed}) < _ENOUGH:
        return None
    for count in range(2, _MOST_FACTORS + 1):
        for factors in combinations(names, count):
            products = [prod(sizes[name] for name in factors) for sizes, _ in observed]
            missing = [product - extent for product, (_, extent) in zip(products, observed, strict=True)]
            if min(missing) < 0 or not any(missing):
                continue
            if any(
                all(
                    less * sizes[rows] < product
                    for less, product, (sizes, _) in zip(missing, products, observed, strict=True)
                )
                for rows in factors
            ):
                return factors
    return None


def steps_of(function: Function, names: Sequence[str]) -> dict[str, int]:
    """The steps above one of loops that end at a size, by size."""
    steps: dict[str, int] = {}
    for stmt in walk_stmts(function.body):
        if isinstance(stmt, For) and isinstance(stmt.step, Const) and 1 < stmt.step.value <= _LARGEST_STEP:
            for node in walk(stmt.stop):
                if isinstance(node, Var) and node.name in names:
                    steps[node.name] = lcm(int(stmt.step.value), steps.get(node.name, 1))
    return steps


def whole_multiples(names: Sequence[str], steps: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Small sizes that are multiples of the steps."""
    for first in range(_ENOUGH + 1):
        yield {n: steps.get(n, 1) * _FEW[(i + first) % len(_FEW)] for i, n in enumerate(names)}


def rounded_up(sizes: Sizes, steps: Sizes) -> dict[str, int]:
    """The sizes at the ends of the steps that they lie in."""
    return {name: -(-size // steps.get(name, 1)) * steps.get(name, 1) for name, size in sizes.items()}


def overruns(observed: Observed, whole: Observed, steps: Mapping[str, int], names: Sequence[str]) -> bool:
    """Whether an array that has a product of sizes for elements where they are multiples of `steps` (`whole`)
    is used beyond that at others: not in longer rows, but at its end."""
    extent = fitted_extent(whole, names)
    if extent is None or fitted_extent(observed, names) is not None:
        return False
    found = False
    for sizes, used in observed:
        rounded = {name: size for name, size in rounded_up(sizes, steps).items() if name in steps}
        padded = {
            extent({**sizes, **{name: rounded[name] for name in some}})
            for count in range(len(steps) + 1)
            for some in combinations(steps, count)
        }
        if used < extent(sizes):
            return False
        found = found or (used not in padded and used < extent({**sizes, **rounded}))
    return found


def is_product(observed: Observed, names: Sequence[str]) -> bool:
    """Whether elements are a product of sizes, and a number of them more."""
    return fitted_extent(observed, names) is not None
