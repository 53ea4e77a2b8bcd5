"""Values for a kernel's scalar parameters: what each is for decides which ones show its faults.

if (i < n)                 n is a guard: fewer, as many and more than there are threads
for (t = 0; t < K / 16)    K is a trip count: enough for several turns
C[row * N + col]           N is a stride: at least what `col` reaches
a[i + offset]              offset is an offset: 1, 0, and beyond everything
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from xpiler.ir.affine import bounds, linear
from xpiler.ir.affine_form import Affine, FloorDiv, atom_variables
from xpiler.ir.build import COMPARISONS
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Param,
    Ref,
    Select,
    Var,
    While,
)
from xpiler.ir.rewrite import free_vars, substitute, walk
from xpiler.symbolic.shape import AXES, LaunchShape, loads_tiles

GUARD, TRIPS, STRIDE, OFFSET, VALUE = "guard", "trips", "stride", "offset", "value"
PIVOT = "pivot"  # one index among others, as `k` in `if (i == k)`


_TURNS = 3  # of a loop
_SHARED_OUT = 8  # more, of one that threads share out
_BLOCKS = frozenset(f"blockIdx.{axis}" for axis in AXES)


@dataclass
class Role:
    """`reaches`: how far the indices go that a guard compares with, `within`: those of a block alone;
    `strides`: whether threads go on to further indices in a loop; `degree`: how many parameters the bound
    is a product of; `turns`: what a trip count is stepped by; `unit`: what the value is divided into."""

    kinds: set[str] = field(default_factory=set)
    reaches: set[int] = field(default_factory=set)
    within: set[int] = field(default_factory=set)
    strides: bool = False
    degree: int = 1
    turns: set[int] = field(default_factory=set)
    constants: set[int] = field(default_factory=set)  # that it is compared with
    unit: int = 1
    scale: int = 1  # bytes of an element, where the stride counts bytes
    divides: bool = (
        True  # whether it is taken for a multiple of what it is divided by: `n % d` says it is none
    )
    factors: int = 1  # parameters whose product counts the turns of a loop
    tails: bool = False  # whether something rounds it up, or asks for its rest: any value is meant
    shares: int = 1  # into which it is divided, rounded up
    wide: bool = False  # a stride of rows whose columns threads share out
    plane: bool = False  # a stride of planes whose rows are as long as another parameter
    first: int = 0  # where loops that it ends begin
    shared_out: bool = False  # whether threads share such a loop out
    wraps: int = 0  # after how many turns something in the loop begins again: `i % 16`, `i & 15`


@dataclass(frozen=True)
class Assignment:
    """`strained`: parameters with values that the kernel may not be meant for."""

    values: dict[str, int | float]
    strained: frozenset[str] = frozenset()


def roles(kernel: Function, defined: Mapping[str, Expr], shape: LaunchShape) -> dict[str, Role]:
    names = {p.name for p in kernel.params if not p.is_pointer and p.dtype.is_integer}
    tiles = loads_tiles(kernel)
    found = {name: Role(unit=16 if tiles else 1) for name in sorted(names)}
    reader = _Reader(found, defined, shape, _moving(kernel, defined), _ranges(shape) | _counters(kernel))
    for node in walk(kernel.body):
        reader.read(node)
    for node in walk(kernel.body):
        match node:
            case Binary(op="%", left=Var(name=name) | Cast(operand=Var(name=name))) if name in found:
                found[name].divides, found[name].tails = False, True
            case Binary(
                op="&", left=Var(name=name) | Cast(operand=Var(name=name)), right=Const(value=mask)
            ) if name in found and int(mask) & (int(mask) + 1) == 0:
                found[name].divides, found[name].tails = False, True
            case For(var=var, stop=stop):
                for name in free_vars(substitute(stop, defined)) & found.keys():
                    found[name].wraps = max(found[name].wraps, _wraps(node, var))
            case Binary(op="/"):
                for name in free_vars(node.left) & found.keys():
                    if _rounds_up(node, name):
                        found[name].tails = True
                        found[name].shares = max(found[name].shares, *_divisors(node, shape, name), 1)
            case Call(function="min", args=args):
                for name in {n for arg in args for n in free_vars(arg)} & found.keys():
                    found[name].tails = True
            case Select(condition=Binary(op="<" | "<=" | ">" | ">="), then=then, otherwise=otherwise):
                for name in (free_vars(then) | free_vars(otherwise)) & found.keys():
                    found[name].tails |= then.dtype.is_integer
    for name in _asked_for_rests(kernel, defined):
        if name in found:
            found[name].tails = True
    for role in found.values():
        if not role.divides:
            role.unit = 1
        if not role.kinds:
            role.kinds.add(VALUE)
    return found


def _wraps(loop: For, counter: str) -> int:
    """The largest number by which its counter is taken."""
    found = 0
    for node in walk(loop.body):
        match node:
            case Binary(op="%", left=Var(name=name), right=Const(value=by)) if name == counter:
                found = max(found, int(by))
            case Binary(op="&", left=Var(name=name), right=Const(value=mask)) if name == counter:
                found = max(found, int(mask) + 1)
    return found if found <= _MOST_WRAPPED else 0


_MOST_WRAPPED = 64


def _asked_for_rests(kernel: Function, defined: Mapping[str, Expr]) -> set[str]:
    """Parameters that something in a loop that goes by more than one compares with where it has come to:
    `n - i >= 16 ? all : some`, `lane < n - i`."""
    asked: set[str] = set()
    for loop in walk(kernel.body):
        counters = _stepped(loop)
        for node in walk(loop.body) if counters and isinstance(loop, (For, While)) else ():
            for part in walk(node.condition) if isinstance(node, (If, Select)) else ():
                if isinstance(part, Binary) and part.op in COMPARISONS:
                    one, other = (linear(substitute(e, dict(defined))) for e in (part.left, part.right))
                    if one is not None and other is not None and (one - other).variables() & counters:
                        asked |= (one - other).variables()
    return asked


def _stepped(loop: object) -> set[str]:
    """Counters of a loop that goes by more than one."""
    if isinstance(loop, For):
        return set() if isinstance(loop.step, Const) and loop.step.value == 1 else {loop.var}
    steps = walk(loop.advance) if isinstance(loop, While) else ()
    own = (n for n in steps if isinstance(n, Assign) and n.reduce == "+" and isinstance(n.target, Var))
    return {
        n.target.name
        for n in own
        if isinstance(n.target, Var) and isinstance(n.value, Const) and n.value.value != 1
    }


def _ranges(shape: LaunchShape) -> dict[str, tuple[int, int]]:
    ranges: dict[str, tuple[int, int]] = {}
    for kind, extents in (("threadIdx", shape.block), ("blockIdx", shape.grid)):
        ranges |= {f"{kind}.{a}": (0, e - 1) for a, e in zip(AXES, extents, strict=True)}
    for kind, extents in (("blockDim", shape.block), ("gridDim", shape.grid)):
        ranges |= {f"{kind}.{a}": (e, e) for a, e in zip(AXES, extents, strict=True)}
    return ranges


def _counters(kernel: Function) -> dict[str, tuple[int, int]]:
    """Loops' counters that begin and end at constants."""
    found: dict[str, tuple[int, int]] = {}
    for node in walk(kernel.body):
        match node:
            case For(var=var, start=Const(value=start), stop=Const(value=stop)) if stop > start:
                low, high = found.get(var, (int(start), int(stop) - 1))
                found[var] = min(low, int(start)), max(high, int(stop) - 1)
    return found


def _moving(kernel: Function, defined: Mapping[str, Expr]) -> frozenset[str]:
    """Variables that differ between threads or iterations; loops that all threads run alike are left out."""
    names = {f"{kind}.{axis}" for kind in ("threadIdx", "blockIdx") for axis in AXES}
    changed = True
    while changed:
        changed = False
        for node in walk(kernel.body):
            new = set()
            match node:
                case For(var=var, start=start) if _uses(start, names):
                    new = {var}
                case Decl(name=name, shape=(), init=Expr() as init) if _uses(init, names):
                    new = {name}
            if not new <= names:
                names |= new
                changed = True
    return frozenset(names)


def _uses(expr: Expr, names: set[str] | frozenset[str]) -> bool:
    return bool(free_vars(expr) & names)


@dataclass(frozen=True)
class _Reader:
    found: dict[str, Role]
    defined: Mapping[str, Expr]
    shape: LaunchShape
    moving: frozenset[str]
    ranges: dict[str, tuple[int, int]]

    def read(self, node: object) -> None:
        match node:
            case Binary(op=op, left=left, right=right) if op in COMPARISONS and left.dtype.is_integer:
                sides = substitute(left, self.defined), substitute(right, self.defined)
                for one, other in (sides, sides[::-1]):
                    self._guard(one, other, node.op in ("==", "!="))
                    if isinstance(other, Const) and not _uses(one, self.moving):
                        for name in free_vars(one) & self.found.keys():
                            self.found[name].constants.add(int(other.value))
            case For():
                self._trips(node)
            case While(condition=condition):
                for name in free_vars(substitute(condition, self.defined)) & self.found.keys():
                    if GUARD not in self.found[name].kinds:
                        self.found[name].kinds.add(TRIPS)
                        self.found[name].turns |= {1, *_steps(node)}
            case Load(index=index):
                for part in index:
                    self._index(substitute(part, self.defined))
            case Ref(offset=offset):
                self._index(substitute(offset, self.defined))

    def _guard(self, one: Expr, other: Expr, equal: bool) -> None:
        """`one` moves with the thread, `other` is a bound."""
        if not _uses(one, self.moving) or _uses(other, self.moving):
            return
        names = free_vars(other) & self.found.keys()
        _, high = bounds(one, self.ranges)
        reach = high + 1 if high is not None and high < 1 << 24 else self._total(one)
        for name in names:
            role = self.found[name]
            if equal:
                role.kinds.add(PIVOT)
                continue
            role.kinds.add(GUARD)
            role.degree = max(role.degree, len(names))
            divisors = _divisors(other, self.shape, name)
            reached = max(1, reach) * max([1, *divisors])
            (role.reaches if _uses(one, _BLOCKS) else role.within).add(reached)
            if divisors and not _rounds_up(other, name):
                role.unit = max(role.unit, *divisors)

    def _total(self, one: Expr) -> int:
        """How far an index with a loop's counter goes: over the grid, or a few turns of a block."""
        used = free_vars(one)
        axes = [a for a in AXES if {f"threadIdx.{a}", f"blockIdx.{a}"} & used] or ["x"]
        reach = []
        for axis in axes:
            number = AXES.index(axis)
            turns = self.shape.grid[number] if f"blockIdx.{axis}" in used else _TURNS
            reach.append(turns * self.shape.block[number])
        return max(reach)

    def _trips(self, loop: For) -> None:
        start, stop = substitute(loop.start, self.defined), substitute(loop.stop, self.defined)
        step = _number(substitute(loop.step, self.defined), self.shape)
        names = free_vars(stop) & self.found.keys()
        for name in names:
            role = self.found[name]
            if _uses(start, self.moving):
                role.kinds.add(GUARD)
                role.degree = max(role.degree, len(names))
                role.strides = True
                _, high = bounds(start, self.ranges)
                reach = high + 1 if high is not None and high < 1 << 24 else self._total(start)
                (role.reaches if _uses(start, _BLOCKS) else role.within).add(max(1, reach))
                continue
            role.kinds.add(TRIPS)
            role.first = max(role.first, _number(start, self.shape) or 0)
            role.shared_out |= loop.kind is LoopKind.PARALLEL
            role.factors = max(role.factors, len(names))
            divisors = _divisors(stop, self.shape, name)
            role.turns.add((step or 1) * max([1, *divisors]))
            if divisors and not _rounds_up(stop, name):
                role.unit = max(role.unit, *divisors)

    def _index(self, index: Expr) -> None:
        form = linear(index)
        if form is None:
            return
        for monomial, _ in form.terms:
            inside = [getattr(atom, "name", "") for atom in monomial]
            for name in self.found.keys() & set(inside):
                of_index = any(other not in self.found for other in inside)
                self.found[name].kinds.add(STRIDE if of_index else OFFSET)
                if of_index and self._columns_move(form, name):
                    self.found[name].wide = True
                if of_index and not self.found.keys() & (set(inside) - {name}):
                    others = (m for m, _ in form.terms if name not in [getattr(a, "name", "") for a in m])
                    self.found[name].plane |= any(
                        self.found.keys() & {getattr(a, "name", "") for a in m} for m in others
                    )
        for name in self.found.keys() & form.variables():
            if not self.found[name].kinds & {STRIDE, OFFSET}:
                role = self.found[name]
                role.kinds.add(STRIDE)  # within a division
                role.wide = True
                for atom in form.atoms():
                    by = atom.divisor.as_int if isinstance(atom, FloorDiv) else None
                    if by is not None and name in atom_variables(atom):
                        role.scale = role.unit = max(role.unit, by)

    def _columns_move(self, form: Affine, name: str) -> bool:
        """Whether what is added to `row * n` differs between threads: then `n` must be as large."""
        columns = (m for m, _ in form.terms if name not in [getattr(atom, "name", "") for atom in m])
        return any(atom_variables(atom) & self.moving for monomial in columns for atom in monomial)


def _steps(loop: While) -> set[int]:
    """What a counter of the loop goes by, and the numbers that its condition adds: `i + 16 <= n`."""
    found: set[int] = set()
    counted = free_vars(loop.condition)
    for node in (*walk(loop.advance), *walk(loop.body)):
        match node:
            case Assign(target=Var(name=name), value=Const(value=by), reduce="+" | "-") if name in counted:
                found.add(abs(int(by)))
    added = (n for n in walk(loop.condition) if isinstance(n, Binary) and n.op in ("+", "-"))
    found |= {abs(int(n.right.value)) for n in added if isinstance(n.right, Const)}
    return {step for step in found if 0 < step <= _LONGEST_STEP}


_LONGEST_STEP = 4096


def _rounds_up(expr: Expr, name: str) -> bool:
    """`(n + 15) / 16`."""
    return any(
        isinstance(n, Binary)
        and n.op == "/"
        and isinstance(n.left, Binary)
        and n.left.op in ("+", "-")
        and name in free_vars(n.left)
        for n in walk(expr)
    )


def _divisors(expr: Expr, shape: LaunchShape, name: str) -> list[int]:
    """What a parameter is divided by."""
    values = []
    for node in walk(expr):
        if isinstance(node, Binary) and name not in free_vars(node.left):
            continue
        if isinstance(node, Binary) and node.op == "/":
            value = _number(node.right, shape)
            if value:
                values.append(value)
        elif isinstance(node, Binary) and node.op == ">>" and isinstance(node.right, Const):
            values.append(1 << int(node.right.value))
    return values


def _number(expr: Expr, shape: LaunchShape) -> int | None:
    """The value of an expression over launch dimensions."""
    low, high = bounds(expr, {n: r for n, r in _ranges(shape).items() if "Dim" in n})
    return low if low is not None and low == high else None


def assignments(
    kernel: Function,
    found: Mapping[str, Role],
    shape: LaunchShape,
    fixed: Mapping[str, int | float],
    trips: int = 3,
) -> list[Assignment]:
    """The natural values first; then variants, fewest surprises first. Without integer parameters one.
    `trips`: turns of loops that a parameter counts, at least."""
    scalars = [p for p in kernel.params if not p.is_pointer]
    constants = max((len(r.constants) for n, r in found.items() if n not in fixed), default=0)
    variants = 1 if all(p.name in fixed or p.name not in found for p in scalars) else min(8, 4 + constants)
    result: list[Assignment] = []
    for variant in range(variants):
        values: dict[str, int | float] = {}
        strained = set()
        for position, param in enumerate(scalars):
            if param.name in fixed:
                values[param.name] = fixed[param.name]
            elif param.name in found:
                kind = variant if found[param.name].kinds == {VALUE} else variant % 4
                values[param.name], odd = _value(found[param.name], shape, kind, position, trips)
                if odd:
                    strained.add(param.name)
            else:
                values[param.name] = _plain(param)
        candidate = Assignment(values, frozenset(strained))
        if all(candidate.values != known.values for known in result):
            result.append(candidate)
    return result


def multiples(
    found: Mapping[str, Role], chosen: Iterable[Assignment], given: Mapping[str, int | float]
) -> list[str]:
    """What is assumed of counts of loops with a step: `n is a multiple of 16`, where no other was chosen."""
    values = [assignment.values for assignment in chosen]
    steps = {n: max(role.turns, default=1) for n, role in found.items() if n not in given}
    return [
        f"{name} is a multiple of {step}"
        for name, step in steps.items()
        if step > 1 and all(int(v[name]) % step == 0 for v in values)
    ]


def _plain(param: Param) -> int | float:
    return True if param.dtype.name == "bool" else 1.5


def _value(role: Role, shape: LaunchShape, variant: int, position: int, trips: int) -> tuple[int, bool]:
    """A value, and whether the kernel may not be meant for it. Variants differ between parameters."""
    reach = max(g * b for g, b in zip(shape.grid, shape.block, strict=True))
    turns = max(role.turns | {1})
    if GUARD in role.kinds:
        total = max(role.reaches) if role.reaches else min(role.within)
        if role.degree > 1:
            turn, base = position % 3, max(2, round(total ** (1 / role.degree)))
            return _to_unit([base, base + 1 + turn, base + 2 - turn, 1 + turn][variant], role.unit), False
        total = max(total, 2 * turns if role.turns - {1} else 0)
        odd = 2 * position + 3
        other = total + odd if role.strides else max(1, total - 2 - 5 * position)
        values = [total, max(1, total - odd), other, max(1, total // 2 - 33 // odd)]
        return _to_unit(values[variant], role.unit), False
    if PIVOT in role.kinds:
        return [1, 0, 2, 1][variant], False
    if trips == 1 and role.tails and not role.wide:
        return 3 + 2 * position, False
    if trips == 1 and role.factors > 1 and role.unit == 1 and not role.wide:
        return 1 + position % 2, False
    if role.tails and not role.wide and variant == 3:
        return _to_unit(3 + 2 * position, role.unit), False
    if TRIPS in role.kinds or STRIDE in role.kinds:
        least = max(trips * turns, min(4, trips + 1), reach * role.scale if role.wide else 0)
        if role.plane and role.wide and TRIPS not in role.kinds:
            least = max(least, 2 * reach * reach)
        if trips > 1:
            least = max(least, role.wraps)
        if role.first or role.shared_out:  # iterations that are some apart, and both after the first
            least += 2 * role.first + (_SHARED_OUT // role.factors if role.shared_out and trips > 1 else 0)
        whole = -(-least // turns) * turns
        return _to_unit(whole + (3 + 2 * position if role.tails and variant == 3 else 0), role.unit), False
    if OFFSET in role.kinds:
        return [1, 0, reach, 2][variant], variant > 1
    near = sorted({c + d for c in role.constants for d in (0, 1, -1)} - {0, 1})
    values = [1, 0, *(near or [2, 3])]
    return values[variant % len(values)], variant > 0 and not near


def _to_unit(value: int, unit: int) -> int:
    return max(unit, value // unit * unit)
