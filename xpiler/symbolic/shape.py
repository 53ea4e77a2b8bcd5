"""What a kernel's text says about the launch that it is written for, where nothing else does.

__shared__ float tile[16][17];                        block (16, 16)
tile[threadIdx.y][threadIdx.x] = ...           -->
int i = blockIdx.x * 128 + threadIdx.x;               block (128)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xpiler.ir.affine import linear
from xpiler.ir.affine_form import Affine, Mod, atom_variables, of_var
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Collective,
    Const,
    Decl,
    Expr,
    For,
    Function,
    Instr,
    Load,
    Ref,
    Space,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import children, free_vars, substitute, walk
from xpiler.ir.types import BOOL, U32

AXES = ("x", "y", "z")
Shape = tuple[int, int, int]
Dims = tuple[int | None, int | None, int | None]
_DEFAULTS: dict[int, Shape] = {0: (1, 1, 1), 1: (64, 1, 1), 2: (16, 16, 1), 3: (8, 4, 4)}


@dataclass(frozen=True)
class LaunchShape:
    """`assumed`: in words, what was not given but read off the kernel or chosen."""

    grid: Shape
    block: Shape
    assumed: tuple[str, ...] = ()


def definitions(kernel: Function) -> dict[str, Expr]:
    """Scalars that get one value, where they are declared, down to parameters, indices and loads; also those
    that get it in several steps before anything reads them, as a pointer that is moved to its block."""
    assigned = {
        n.target.name for n in walk(kernel.body) if isinstance(n, Assign) and isinstance(n.target, Var)
    }
    moved = _moved_once(kernel)
    found: dict[str, Expr] = {}
    for node in walk(kernel.body):
        match node:
            case Decl(name=name, shape=(), init=Expr() as init) if name not in assigned:
                found[name] = substitute(init, found)
            case Assign(target=Var(name=name)) if name in moved and name not in found:
                if not free_vars(moved[name]) & assigned:
                    found[name] = substitute(moved[name], found)
    return found


def _moved_once(kernel: Function) -> dict[str, Expr]:
    """`p = 0; p += block * n;`, with nothing between that reads `p` and no further assignment."""
    values: dict[str, Expr] = {}
    settled: set[str] = set()  # read, or assigned where that depends on something
    for stmt in kernel.body.body:
        match stmt:
            case Decl(name=name, shape=(), init=Expr() as init):
                settled |= free_vars(init) & values.keys()
                values[name] = init
                continue
            case Assign(target=Var(name=name) as target, value=value, reduce="+") if (
                name in values and name not in settled
            ):
                settled |= free_vars(value) & values.keys()
                values[name] = Binary(target.dtype, "+", values[name], value)
                continue
        for node in walk(stmt):
            if isinstance(node, Assign) and isinstance(node.target, Var):
                values.pop(node.target.name, None)
        settled |= free_vars(stmt) & values.keys()
    return values


def launch_shape(
    kernel: Function, defined: dict[str, Expr], grid: Dims | None = None, block: Dims | None = None
) -> LaunchShape:
    """A launch to check: what is given (by the user, or by the launches of the file), the rest assumed."""
    used = {n.name for n in walk(kernel.body) if isinstance(n, Var)}
    assumed = []
    given = tuple(
        b if b is not None else known
        for b, known in zip(block or (None,) * 3, kernel.block_size, strict=True)
    )
    guessed = _block(kernel, defined, used)
    threads: list[int] = [g if g is not None else guess for g, guess in zip(given, guessed, strict=True)]
    if given[0] is None and any(isinstance(n, Collective) for n in walk(kernel.body)):
        threads[0] = _whole_warps(threads, kernel.warp_size)
    if kernel.launch_bounds and given[0] is None:
        if threads[1] * threads[2] == 1:
            threads[0] = min(threads[0], kernel.launch_bounds[0])
        while threads[0] * threads[1] * threads[2] > kernel.launch_bounds[0] and threads[0] > 1:
            threads[0] //= 2
    if any(g is None and t > 1 for g, t in zip(given, threads, strict=True)):
        assumed.append(f"blockDim = {_text(threads)}")
    blocks = []
    told = _axes(kernel, defined, used, "blockIdx", "gridDim") if kernel.tasks else AXES
    for axis, name in enumerate(AXES):
        wanted = (grid or (None,) * 3)[axis]
        wanted = wanted if wanted is not None else kernel.grid_size[axis]
        natural = 2 if name in told and {f"blockIdx.{name}", f"gridDim.{name}"} & used else 1
        blocks.append(wanted if wanted is not None else natural)
    if (grid or (None,))[0] is None and kernel.grid_size[0] is None:
        assumed.append(f"gridDim = {_text(blocks)}")
    return LaunchShape(
        (blocks[0], blocks[1], blocks[2]), (threads[0], threads[1], threads[2]), tuple(assumed)
    )


def _whole_warps(threads: list[int], warp_size: int) -> int:
    """Threads along x, with which warps that work together are full."""
    count = threads[0] * threads[1] * threads[2]
    return threads[0] if count % warp_size == 0 else -(-threads[0] // warp_size) * warp_size


def loads_tiles(kernel: Function) -> bool:
    """Whether tiles of matrices come right out of global memory: sizes are multiples of theirs."""
    passed = {p.name for p in kernel.params if p.is_pointer}
    tiles = (n for n in walk(kernel.body) if isinstance(n, Instr))
    return any(isinstance(o, Ref) and o.array in passed for n in tiles for o in n.operands)


def _text(shape: list[int]) -> str:
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return f"({', '.join(map(str, shape))})" if len(shape) > 1 else str(shape[0])


def _block(kernel: Function, defined: dict[str, Expr], used: set[str]) -> Shape:
    axes = _axes(kernel, defined, used)
    default = _DEFAULTS[3 if "z" in axes else 2 if "y" in axes else 1 if axes else 0]
    evidence: dict[str, list[int]] = {a: [] for a in AXES}
    offsets: dict[str, set[int]] = {a: set() for a in AXES}
    steps = {
        n.var: int(n.step.value)
        for n in walk(kernel.body)
        if isinstance(n, For) and isinstance(n.step, Const)
    }
    shared = {
        n.name: n for n in walk(kernel.body) if isinstance(n, Decl) and n.space is Space.SHARED and n.shape
    }
    for place in _places(kernel):
        index = place.index if isinstance(place, Load) else (place.offset,)
        forms = [linear(substitute(i, defined)) for i in index]
        if place.array in shared and len(index) == len(shared[place.array].shape):
            for form, extent in zip(forms, shared[place.array].shape, strict=True):
                size = linear(extent)
                if form is not None and size is not None and size.as_int is not None:
                    _from_extent(form, size.as_int, steps, evidence)
        elif place.array in shared and len(index) == 1 and forms[0] is not None:
            _from_row(forms[0], shared[place.array].shape, evidence)
        for form in forms:
            if form is not None:
                _from_stride(form, steps, evidence, offsets)
                _from_wrap(form, evidence)
    for value in defined.values():
        if (form := linear(value)) is not None and value.dtype.is_integer:
            _from_stride(form, steps, evidence, offsets)
    for loop in (n for n in walk(kernel.body) if isinstance(n, For)):
        _from_turns(linear(substitute(loop.start, defined)), loop, evidence)
    for axis, added in offsets.items():
        # `in[b*256 + t]` and `in[b*256 + t + 128]`: 128 threads, each with two elements
        for whole in list(evidence[axis]):
            evidence[axis] += [c for c in added if 32 <= c < whole and whole % c == 0]
    found = [min(evidence[a]) if evidence[a] else None for a in AXES]
    result = [f if f is not None and a in axes else d for f, d, a in zip(found, default, AXES, strict=True)]
    if found[0] is not None and found[1] is None and "y" in axes:
        result[1] = max(1, min(result[1], 1024 // result[0]))
    while result[0] * result[1] * result[2] > 1024:
        result[result.index(max(result))] //= 2
    return result[0], result[1], result[2]


def _axes(
    kernel: Function,
    defined: dict[str, Expr],
    used: set[str],
    index: str = "threadIdx",
    extent: str = "blockDim",
) -> list[str]:
    """Axes of the block that the kernel tells apart. `(z * blockDim.y + y) * blockDim.x + x` does not: it
    is the number of a thread, whatever the shape of the block. Likewise of the grid, as in `taskId`."""
    mentioned = [a for a in AXES if {f"{index}.{a}", f"{extent}.{a}"} & used]
    if mentioned in ([], ["x"]):
        return mentioned
    alone: set[str] = set()
    for expr in _integers(kernel):
        form = linear(substitute(expr, defined))
        for monomial, _ in form.terms if form is not None else ():
            names = frozenset[str]().union(*(atom_variables(atom) for atom in monomial))
            own = {a for a in AXES if f"{index}.{a}" in names}
            if len(own) > 1 or not any(name.startswith(f"{extent}.") for name in names):
                alone |= own
    return [a for a in mentioned if a == "x" or a in alone or f"{index}.{a}" not in used]


def _integers(kernel: Function) -> Iterator[Expr]:
    """The integers of all statements, as far out as they go."""
    stack: list[Expr] = []
    for stmt in walk(kernel.body):
        if isinstance(stmt, Stmt):
            stack += [child for child in children(stmt) if isinstance(child, Expr)]
    while stack:
        expr = stack.pop()
        inner = [child for child in children(expr) if isinstance(child, Expr)]
        if expr.dtype.is_integer and expr.dtype != BOOL and not isinstance(expr, Load):
            yield expr
            stack += [part for n in walk(expr) if isinstance(n, Load) for part in n.index]
        else:
            stack += inner


def _places(kernel: Function) -> Iterator[Load | Ref]:
    return (n for n in walk(kernel.body) if isinstance(n, (Load, Ref)))


def coefficient_of(form: Affine, name: str) -> int | None:
    """The number that multiplies a variable; None if it occurs otherwise too."""
    found = 0
    for monomial, factor in form.terms:
        names = [getattr(atom, "name", None) for atom in monomial]
        if names == [name]:
            found = factor
        elif any(name in atom_variables(atom) for atom in monomial):
            return None
    return found


def _from_extent(form: Affine, extent: int, steps: dict[str, int], evidence: dict[str, list[int]]) -> None:
    """`s[threadIdx.x + c]` in a dimension of 258: 256 threads; `s[ty*16 + tx]` in 256: 16 by 16; `s[127 -
    threadIdx.x]` in 128: 128; in a loop that goes by 8, `s[threadIdx.y + j]`: 8."""
    factors = {a: coefficient_of(form, f"threadIdx.{a}") for a in AXES}
    backwards = [a for a, f in factors.items() if f == -1]
    if backwards and form.variables() == {f"threadIdx.{backwards[0]}"} and form.constant == extent - 1:
        evidence[backwards[0]].append(extent)
    if any(f is None or f < 0 for f in factors.values()):
        return
    present = sorted((f, a) for a, f in factors.items() if f)
    if not present:
        return
    others = form.variables() - {f"threadIdx.{a}" for a in AXES}
    if others:
        if len(present) == 1 and len(others) == 1 and (step := steps.get(min(others), 1)) > 1:
            evidence[present[0][1]].append(step)
        return
    for (unit, axis), following in zip(present, [*(f for f, _ in present[1:]), None], strict=True):
        if following is not None:
            evidence[axis].append(following // unit)
        else:
            evidence[axis].append(_round(extent // present[-1][0]))


def _from_row(form: Affine, shape: tuple[Expr, ...], evidence: dict[str, list[int]]) -> None:
    """`&s[k][threadIdx.x]` in rows of 128, which is `k*128 + threadIdx.x`: 128 threads."""
    row = linear(shape[-1])
    size = row.as_int if row is not None else None
    for axis in AXES if size else ():
        rest = form - of_var(f"threadIdx.{axis}", U32)
        is_column = coefficient_of(form, f"threadIdx.{axis}") == 1 and len(rest.terms) < len(form.terms)
        if is_column and size and all(factor % size == 0 for _, factor in rest.terms):
            evidence[axis].append(_round(size))


def _from_turns(start: Affine | None, loop: For, evidence: dict[str, list[int]]) -> None:
    """`for (i = threadIdx.x; i < 512; i += 128)`: 128 threads."""
    if start is None or not isinstance(loop.step, Const) or int(loop.step.value) < 2:
        return
    own = [a for a in AXES if coefficient_of(start, f"threadIdx.{a}")]
    if len(own) == 1 and coefficient_of(start, f"threadIdx.{own[0]}") == 1:
        evidence[own[0]].append(int(loop.step.value))


def _from_stride(
    form: Affine, steps: dict[str, int], evidence: dict[str, list[int]], offsets: dict[str, set[int]]
) -> None:
    """`blockIdx.x * 128 + threadIdx.x`: 128 threads, and so it is of `blockIdx.x * 512 + k * 128 +
    threadIdx.x` in a loop of `k`."""
    for axis in AXES:
        block, thread = (coefficient_of(form, f"{kind}.{axis}") for kind in ("blockIdx", "threadIdx"))
        if block and thread and block > thread > 0 and block % thread == 0:
            turns = (coefficient_of(form, name) or 0 for name in steps)
            whole = [c for c in turns if thread < c < block and block % c == 0 and c % thread == 0]
            evidence[axis].append(min([block, *whole]) // thread)
            offsets[axis].add(form.constant)


def _from_wrap(form: Affine, evidence: dict[str, list[int]]) -> None:
    """`(threadIdx.x + 1) % 64`: 64 threads, the last of which comes back to the first."""
    for atom in form.atoms():
        size = atom.divisor.as_int if isinstance(atom, Mod) else None
        if isinstance(atom, Mod) and size is not None and atom.operand.constant:
            moving = atom.operand - atom.operand.constant
            names = [getattr(a, "name", "") for a in moving.atoms()]
            if len(names) == 1 and names[0].startswith("threadIdx.") and len(moving.terms) == 1:
                evidence[names[0][-1]].append(size)


def _round(extent: int) -> int:
    """The number of threads that an array is likely made for: a border or padding is left out."""
    if extent < 1:
        return 1
    power: int = 1 << (extent.bit_length() - 1)
    return max(power, extent // 32 * 32) if extent >= 32 else power
