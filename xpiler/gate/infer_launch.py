"""A launch for a kernel that comes without host code: read off its guards.

    int row = blockIdx.y * blockDim.y + threadIdx.y;         grid.y = ceil(M / blockDim.y)
    if (row < M) ...                                  -->

A guard compares an index that grows with `blockIdx.a` against a bound that is the same for the whole grid;
the grid must be large enough for the index to reach the bound, and needs to be no larger. Loops that start
at such an index bound it likewise. Where the blocks of several axes are counted through
(`blockIdx.y * gridDim.x + blockIdx.x`) the guard bounds them together. An axis without a guard cannot be
inferred: the user is asked for it by name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

from xpiler.errors import Refusal
from xpiler.ir.affine import coefficient, simplify, stride
from xpiler.ir.build import add, binary, cast, const, div, maximum
from xpiler.ir.nodes import Assign, Binary, Const, Decl, Expr, For, Function, Load, Space, Var
from xpiler.ir.rewrite import free_vars, substitute, walk
from xpiler.ir.types import I64

AXES = ("x", "y", "z")


@dataclass(frozen=True)
class LaunchFormula:
    """Grid extents as expressions over the kernel's scalar parameters; `None` for an axis that no guard
    bounds. `shared` are the bytes of dynamic shared memory.
    """

    grid: tuple[Expr | None, Expr | None, Expr | None]
    block: tuple[int, int, int]
    shared: Expr | int = 0


def single_definitions(kernel: Function, *, first_values: bool = False) -> dict[str, Expr]:
    """Scalars that are set once, where they are declared, fully substituted down to parameters, indices
    and loads.

    With `first_values` also those that are changed later, as they begin.
    """
    assigned: set[str] = set()
    declared: dict[str, Expr] = {}
    for node in walk(kernel.body):
        match node:
            case Assign(target=Var(name=name)):
                assigned.add(name)
            case Decl(name=name, shape=(), init=Expr() as init):
                declared[name] = init
    definitions: dict[str, Expr] = {}
    for name, init in declared.items():  # a definition comes after those it uses
        if first_values or name not in assigned:
            definitions[name] = substitute(init, definitions)
    return definitions


def axes_used(kernel: Function) -> tuple[set[str], set[str]]:
    """The axes along which the kernel looks at its block index and at its thread index."""
    blocks: set[str] = set()
    threads: set[str] = set()
    for node in walk(kernel.body):
        if isinstance(node, Var):
            if node.name.startswith("blockIdx."):
                blocks.add(node.name[-1])
            elif node.name.startswith("threadIdx."):
                threads.add(node.name[-1])
    return blocks, threads


def infer_grid(kernel: Function, block: tuple[int, int, int]) -> LaunchFormula:
    """The smallest grid that reaches every guard of `kernel` when launched with `block` threads."""
    definitions = single_definitions(kernel, first_values=True)  # a strided loop starts at its index
    sizes: Mapping[str, Expr] = {
        f"blockDim.{axis}": const(extent, I64) for axis, extent in zip(AXES, block, strict=True)
    }
    scalars = {param.name for param in kernel.params if not param.is_pointer}
    used, _ = axes_used(kernel)
    found: dict[str, list[Expr]] = {}
    rows: set[str] = set()  # axes along which blocks are counted on
    for index, bound in _guards(kernel):
        index = substitute(substitute(index, definitions), sizes)
        bound = substitute(substitute(bound, definitions), sizes)
        if not free_vars(bound) <= scalars or any(isinstance(node, Load) for node in walk(bound)):
            continue
        folded = simplify(bound)
        if isinstance(folded, Const) and folded.value < 1:  # `blockIdx.y - k >= 0` says nothing of how many
            continue
        for axis in AXES:
            step = stride(index, f"blockIdx.{axis}")
            if step is not None and step > 0:
                wide = cast(bound, I64)
                found.setdefault(axis, []).append(div(add(wide, const(step - 1, I64)), const(step, I64)))
            elif axis in used and _counts_on(index, axis):
                rows.add(axis)
    one = const(1, I64)
    grid = {axis: _largest(found.get(axis, [])) if axis in used else one for axis in AXES}
    blocks = grid["x"]
    if blocks is not None:
        for axis in sorted(rows - found.keys()):
            grid[axis] = one
        if "y" in rows - found.keys():  # two rows of blocks: one alone would not show what `blockIdx.y` does
            two = const(2, I64)
            grid["x"], grid["y"] = div(add(blocks, one), two), two
    return LaunchFormula((grid["x"], grid["y"], grid["z"]), block)


def _counts_on(index: Expr, axis: str) -> bool:
    """Whether a step along the axis is one of as many blocks as the axes before it have."""
    step = coefficient(index, f"blockIdx.{axis}")
    before = {f"gridDim.{a}" for a in AXES[: AXES.index(axis)]}
    return step is not None and step.variables() == before


def _guards(kernel: Function) -> Iterator[tuple[Expr, Expr]]:
    """(index, bound) for every comparison or loop that goes on while index < bound, in both readings."""
    one = const(1, I64)
    for node in walk(kernel.body):
        match node:
            case Binary(op="<" | ">=", left=left, right=right):
                yield left, right
                yield right, add(cast(left, I64), one)
            case Binary(op=">" | "<=", left=left, right=right):
                yield right, left
                yield left, add(cast(right, I64), one)
            case For(start=start, stop=stop):
                yield start, stop


def _largest(bounds: list[Expr]) -> Expr | None:
    """A grid that satisfies the most demanding of the guards."""
    distinct = list(dict.fromkeys(bounds))
    return reduce(maximum, distinct) if distinct else None


def evaluate_grid(formula: LaunchFormula, scalars: Mapping[str, int | float | bool]) -> tuple[int, int, int]:
    """The grid under the values of the scalar parameters; 0 for an axis without a formula."""
    values = {name: const(value, I64) for name, value in scalars.items() if isinstance(value, int)}
    extents = []
    for extent in formula.grid:
        folded = simplify(substitute(extent, values)) if extent is not None else None
        extents.append(int(folded.value) if isinstance(folded, Const) else 0)
    return extents[0], extents[1], extents[2]


def block_candidates(kernel: Function) -> list[tuple[int, int, int]]:
    """Thread counts to try for a kernel without host code, most likely first."""
    if all(extent is not None for extent in kernel.block_size):
        x, y, z = (extent or 1 for extent in kernel.block_size)
        return [(x, y, z)]
    _, threads = axes_used(kernel)
    limit = kernel.launch_bounds[0] if kernel.launch_bounds else 1024
    counted = _counted_block(kernel, threads)
    extents = {
        int(node.value)
        for decl in walk(kernel.body)
        if isinstance(decl, Decl) and decl.space is Space.SHARED
        for extent in decl.shape
        for node in walk(extent)
        if isinstance(node, Const)
    }
    square = [(e, e, 1) for e in sorted(extents, reverse=True) if 2 <= e <= 32]
    line = [(e, 1, 1) for e in sorted(extents, reverse=True) if e >= 16]
    if "z" in threads:
        found = [(8, 8, 4), (4, 4, 4), (8, 8, 8), (16, 4, 4)]
    elif "y" in threads:
        found = [*square, (16, 16, 1), (32, 8, 1), (32, 32, 1), (32, 4, 1), (8, 8, 1)]
    elif threads:
        bound = [(limit, 1, 1)] if kernel.launch_bounds else []
        found = [*bound, *line, (256, 1, 1), (128, 1, 1), (64, 1, 1), (32, 1, 1), (512, 1, 1), (1024, 1, 1)]
    else:
        found = [(1, 1, 1)]
    found = [*counted, *found]
    return [block for block in dict.fromkeys(found) if block[0] * block[1] * block[2] <= limit]


def _counted_block(kernel: Function, threads: set[str]) -> list[tuple[int, int, int]]:
    """The block that the kernel's own numbers of threads tell, if they do so for every axis of it:

    int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;   -->   (32, 8, 1)
    """
    extents: dict[str, set[int]] = {axis: set() for axis in AXES}
    for index in single_definitions(kernel).values():
        if isinstance(index, Load) or not index.dtype.is_integer:
            continue
        for axis in AXES:
            step = stride(index, f"blockIdx.{axis}")
            if step is not None and step > 1 and stride(index, f"threadIdx.{axis}") == 1:
                extents[axis].add(step)
    if not threads or any(len(extents[axis]) != 1 for axis in threads):
        return []
    x, y, z = (min(extents[axis]) if axis in threads else 1 for axis in AXES)
    return [(x, y, z)]


def stated_extent(extent: int | str, kernel: Function) -> Expr:
    """An extent that the user stated, a number or an expression over scalar parameters, as an expression."""
    if isinstance(extent, int):
        return const(extent, I64)
    dtypes = {p.name: p.dtype for p in kernel.params if not p.is_pointer}

    def converted(node: ast.expr) -> Expr:
        match node:
            case ast.Constant(value=int(value)):
                return const(value, I64)
            case ast.Name(id=name) if name in dtypes:
                return cast(Var(dtypes[name], name), I64)
            case ast.BinOp(left=left, op=op, right=right):
                return binary(_OPERATORS[type(op)], converted(left), converted(right))
        known = ", ".join(dtypes) or "none"
        raise Refusal(
            "contract-extent", f"{extent!r} uses what is no scalar parameter", kernel.range, f"known: {known}"
        )

    return converted(ast.parse(extent, mode="eval").body)


_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "/",
    ast.Div: "/",
    ast.Mod: "%",
    ast.LShift: "<<",
    ast.RShift: ">>",
}
