"""How often each part of a program is executed, at given sizes, without running it.

    for i in 0..n: for j in 0..i: s += a[i * n + j]    -->   n runs of a loop of n / 2 iterations on average;
                                                             n * n / 2 sums and reads of a[n*i + j]

A walk over the IR with the numbers that are known. A loop whose counter decides nothing is walked once and
counted as often as it runs; of one whose counter decides (a triangle, a guard) a few iterations stand for
all. What data decide is not known: whoever asks says what to take for it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Barrier,
    Binary,
    Bitcast,
    Block,
    Break,
    Call,
    Cast,
    Collective,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    If,
    Instr,
    Load,
    Ref,
    Return,
    Select,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import assigned_vars, free_vars, walk
from xpiler.tuning.moving import Moving, Value, calculated

_PACKED = {"dp4a": "i8", "dp2a": "i8"}  # functions of words that hold several numbers
_TURNS = 256  # of a `while` whose condition is known, at most


@dataclass(frozen=True)
class Unknown:
    """What is taken for what data decide: the share of runs that take a side of a branch, and the iterations
    of a loop."""

    branch: float
    trips: float


@dataclass(frozen=True)
class Operation:
    """`name`: `fma`, an operator, or a function; `dtype`: of its operands, narrowed through conversions where
    a product is of converted numbers. `data`: it computes on what was loaded, and is no index arithmetic."""

    name: str
    dtype: str
    data: bool


@dataclass(eq=False)
class Access:
    """One place in the text that reads or writes an array. `moves`: by loop, the bytes that an iteration is
    away from the one before; None: data decide. `low`, `high`: where it was seen to start, in bytes."""

    array: str
    width: int
    is_write: bool
    moves: Mapping[int, int] | None
    low: int = 0
    high: int = 0
    times: float = 0.0


@dataclass(eq=False)
class Nest:
    """A loop, or an axis of a launch, as it is executed. `runs`: how often it is started, `iterations` of all
    runs together; operations, accesses and barriers directly inside are counted in all, and so are `sums`: by
    the name of a variable or an array, values that are made of the one that it had before."""

    number: int
    loop: For | While | None = None
    axis: str = ""
    runs: float = 0.0
    iterations: float = 0.0
    operations: dict[Operation, float] = field(default_factory=lambda: defaultdict(float))
    accesses: dict[int, Access] = field(default_factory=dict)
    instructions: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    barriers: float = 0.0
    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    inner: dict[int, Nest] = field(default_factory=dict)
    arrays: dict[str, Decl] = field(default_factory=dict)

    @property
    def trips(self) -> float:
        return self.iterations / self.runs if self.runs else 0.0

    def all(self) -> list[Nest]:
        """It and all nests inside."""
        return [self, *(nest for child in self.inner.values() for nest in child.all())]


def executed(
    body: Block,
    scalars: Mapping[str, int],
    unknown: Unknown,
    axes: tuple[tuple[str, int], ...] = (),
    samples: int = 256,
) -> Nest:
    """The nests of a program. `axes`: `blockIdx.x` and the others with their extents, outermost first;
    `samples`: iterations of loops within loops that stand for all, at most."""
    whole = _Walk(unknown, samples)
    root = Nest(0, runs=1.0, iterations=1.0)
    whole.environment |= {name: Moving(int(value)) for name, value in scalars.items()}
    whole.axes(axes, body, root, 1.0, samples)
    return root


@dataclass
class _Walk:
    unknown: Unknown
    samples: int
    environment: dict[str, Value] = field(default_factory=dict)
    loaded: set[str] = field(default_factory=set)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    count: int = 0

    def axes(
        self, axes: tuple[tuple[str, int], ...], body: Block, nest: Nest, times: float, left: int
    ) -> None:
        if not axes:
            self.block(body, nest, times, left)
            return
        (name, extent), *rest = axes
        inner = self._inner(nest, -1 - len(rest))
        inner.axis = name
        inner.runs += times
        inner.iterations += times * extent
        points = _points(extent, left) if name in _deciding(body) else [(0, float(extent))]
        for point, weight in points:
            self.environment[name] = Moving(point, ((inner.number, 1),) if extent > 1 else ())
            self.axes(tuple(rest), body, inner, times * weight, max(1, left // len(points)))

    def _inner(self, nest: Nest, key: int) -> Nest:
        if key not in nest.inner:
            self.count += 1
            nest.inner[key] = Nest(self.count)
        return nest.inner[key]

    # ------------------------------------------------------------------------------------------ statements

    def block(self, block: Block, nest: Nest, times: float, left: int) -> bool:
        """Whether the block is left: what follows it is not executed."""
        return any(self.stmt(stmt, nest, times, left) for stmt in block.body)

    def stmt(self, stmt: Stmt, nest: Nest, times: float, left: int) -> bool:
        match stmt:
            case Block():
                return self.block(stmt, nest, times, left)
            case Decl(shape=()) as decl:
                value = decl.init
                if isinstance(value, Expr):
                    self._scalar(decl.name, value, nest, times)
            case Decl(name=name, shape=shape):
                nest.arrays[name] = stmt
                lengths = [calculated(extent, self.environment) for extent in shape]
                self.shapes[name] = tuple(1 if one is None else one.value for one in lengths)
            case Assign(target=target, value=value, reduce=reduce):
                self._assign(target, value, reduce, nest, times)
            case For():
                self._for(stmt, nest, times, left)
            case While():
                self._while(stmt, nest, times, left)
            case If(condition=condition, then=then, otherwise=otherwise):
                return self._if(condition, then, otherwise, nest, times, left)
            case Atomic(place=place, args=args, target=old):
                self._values(args, nest, times)
                self._access(place, nest, times, is_write=False)
                self._access(place, nest, times, is_write=True)
                nest.operations[Operation(f"atomic {stmt.op}", place.dtype.name, True)] += times
                if old is not None:
                    self.environment[old.name] = None
            case Collective(target=target, args=args):
                self._values(args, nest, times)
                nest.operations[Operation(stmt.kind, target.dtype.name, True)] += times
                self.environment[target.name] = None
            case Instr(name=name, operands=operands):
                nest.instructions[name] += times
                for operand in operands:
                    if isinstance(operand, Ref):
                        self._value(operand.offset, nest, times)
            case Barrier():
                nest.barriers += times
            case Return() | Break() | Continue():
                return True
        return False

    def _scalar(self, name: str, value: Expr, nest: Nest, times: float) -> None:
        self._value(value, nest, times)
        if _reads_data(value, self.loaded):
            self.loaded.add(name)
        self.environment[name] = calculated(value, self.environment)

    def _assign(self, target: Var | Load, value: Expr, reduce: str | None, nest: Nest, times: float) -> None:
        place = target.array if isinstance(target, Load) else target.name
        if reduce is not None or _mentions(value, target):
            nest.sums[place] += times
        product = isinstance(value, Binary) and value.op == "*"
        if reduce == "+" and product and value.dtype.is_float:
            assert isinstance(value, Binary)
            self._values((value.left, value.right), nest, times)
            self._count("fma", _narrowest(value), True, nest, times)
        elif reduce == "+" and product and _narrowest(value) == "i8":
            assert isinstance(value, Binary)
            self._values((value.left, value.right), nest, times)
            self._count("fma", "i8", True, nest, times)
        else:
            self._value(value, nest, times)
            if reduce is not None:
                narrow = target.dtype.is_integer and _before(value) in ("i8", "u8")
                self._count(reduce, "i8" if narrow else target.dtype.name, True, nest, times)
        if isinstance(target, Load):
            if reduce is not None:
                self._access(target, nest, times, is_write=False)
            self._access(target, nest, times, is_write=True)
            for index in target.index:
                self._value(index, nest, times)
            return
        if reduce is None and not _reads_data(value, self.loaded):
            self.environment[target.name] = calculated(value, self.environment)
        else:
            self.environment[target.name] = None
            self.loaded.add(target.name)

    def _for(self, loop: For, nest: Nest, times: float, left: int) -> None:
        bounds = [calculated(e, self.environment) for e in (loop.start, loop.stop, loop.step)]
        self._values((loop.start, loop.stop), nest, times)
        inner = self._inner(nest, id(loop))
        inner.loop = loop
        inner.runs += times
        for name in assigned_vars(loop.body):
            self.environment[name] = None
        if any(bound is None for bound in bounds):
            trips = self.unknown.trips
            inner.iterations += times * trips
            self.environment[loop.var] = None
            self.block(loop.body, inner, times * trips, left)
        else:
            start, stop, step = (bound.value for bound in bounds if bound is not None)
            count = max(0, -(-(stop - start) // max(1, step)))
            inner.iterations += times * count
            first = bounds[0]
            assert first is not None
            decides = loop.var in _deciding(loop.body)
            points = _points(count, left) if decides else [(0, float(count))] if count else []
            for point, weight in points:
                by = (*first.by, (inner.number, step))
                self.environment[loop.var] = Moving(start + point * step, by)
                self.block(loop.body, inner, times * weight, max(1, left // len(points)))
        for name in assigned_vars(loop.body):
            self.environment[name] = None

    def _while(self, loop: While, nest: Nest, times: float, left: int) -> None:
        inner = self._inner(nest, id(loop))
        inner.loop = loop
        inner.runs += times
        for _ in range(_TURNS):
            known = calculated(loop.condition, self.environment)
            if known is None:
                break
            if not known.value:
                return
            inner.iterations += times
            self._value(loop.condition, inner, times)
            if self.block(loop.body, inner, times, left):
                return
            self.block(loop.advance, inner, times, left)
        for name in assigned_vars(loop):
            self.environment[name] = None
        rest = times * self.unknown.trips
        inner.iterations += rest
        self._value(loop.condition, inner, rest)
        self.block(loop.body, inner, rest, left)
        self.block(loop.advance, inner, rest, left)

    def _if(
        self, condition: Expr, then: Block, otherwise: Block, nest: Nest, times: float, left: int
    ) -> bool:
        self._value(condition, nest, times)
        known = calculated(condition, self.environment)
        if known is not None:
            return self.block(then if known.value else otherwise, nest, times, left)
        part = times * self.unknown.branch
        for side in (then, otherwise):
            if part:
                self.block(side, nest, part, left)
        for name in assigned_vars(then) | assigned_vars(otherwise):
            self.environment[name] = None
        return False

    # ------------------------------------------------------------------------------------------ values

    def _values(self, exprs: tuple[Expr, ...], nest: Nest, times: float) -> None:
        for expr in exprs:
            self._value(expr, nest, times)

    def _value(self, expr: Expr, nest: Nest, times: float) -> None:
        match expr:
            case Const() | Var():
                return
            case Load(index=index):
                self._access(expr, nest, times, is_write=False)
                self._values(index, nest, times)
            case Binary(op="+", left=left, right=right) if (product := _product(left, right)) is not None:
                factors, rest = product
                self._values((factors.left, factors.right, rest), nest, times)
                self._count("fma", _narrowest(factors), self._is_data(expr), nest, times)
            case Binary(op=op, left=left, right=right):
                self._values((left, right), nest, times)
                self._count(op, left.dtype.name, self._is_data(expr), nest, times)
            case Unary(op=op, operand=operand):
                self._value(operand, nest, times)
                self._count(op, operand.dtype.name, self._is_data(expr), nest, times)
            case Select(condition=condition, then=then, otherwise=otherwise):
                self._select(condition, then, otherwise, nest, times)
            case Cast(operand=operand):
                self._value(operand, nest, times)
                if operand.dtype.is_float or expr.dtype.is_float:
                    self._count("convert", operand.dtype.name, self._is_data(expr), nest, times)
            case Bitcast(operand=operand):
                self._value(operand, nest, times)
            case Call(function=function, args=args):
                self._values(tuple(a for a in args if not isinstance(a, Ref)), nest, times)
                dtype = _PACKED.get(function, expr.dtype.name)
                self._count(function, dtype, self._is_data(expr), nest, times)

    def _select(self, condition: Expr, then: Expr, otherwise: Expr, nest: Nest, times: float) -> None:
        self._value(condition, nest, times)
        known = calculated(condition, self.environment)
        if known is not None:
            self._value(then if known.value else otherwise, nest, times)
            return
        self._count("select", then.dtype.name, self._is_data(then), nest, times)
        for side in (then, otherwise):
            self._value(side, nest, times * self.unknown.branch)

    def _is_data(self, expr: Expr) -> bool:
        return expr.dtype.is_float or _reads_data(expr, self.loaded)

    def _count(self, name: str, dtype: str, data: bool, nest: Nest, times: float) -> None:
        nest.operations[Operation(name, dtype, data)] += times

    def _access(self, load: Load, nest: Nest, times: float, *, is_write: bool) -> None:
        if not times:
            return
        place = calculated(load.index[-1], self.environment)
        width = load.dtype.bytes
        key = 2 * id(load) + is_write
        found = nest.accesses.get(key)
        if len(load.index) > 1:
            place = self._flat(load)
        if found is None:
            moves = None if place is None else {loop: step * width for loop, step in place.by}
            found = nest.accesses[key] = Access(load.array, width, is_write, moves)
            if place is not None:
                found.low = found.high = place.value * width
        elif place is not None:
            found.low = min(found.low, place.value * width)
            found.high = max(found.high, place.value * width)
        found.times += times

    def _flat(self, load: Load) -> Value:
        """The place in an array of several dimensions."""
        shape = self.shapes.get(load.array, ())
        total: Value = Moving(0)
        for axis, index in enumerate(load.index):
            one = calculated(index, self.environment)
            length = shape[axis] if axis < len(shape) else 1
            if one is None or total is None:
                return None
            total = total.times(length).plus(one)
        return total


def _points(count: int, left: int) -> list[tuple[int, float]]:
    """Iterations that stand for all, each with how many it stands for."""
    chosen = min(count, max(1, math.isqrt(left)))
    if not chosen:
        return []
    return [(int((one + 0.5) * count / chosen), count / chosen) for one in range(chosen)]


@lru_cache(maxsize=4096)
def _deciding(body: Block) -> frozenset[str]:
    """Variables on which bounds and conditions inside depend, also by way of others."""
    names: set[str] = set()
    flows: dict[str, set[str]] = {}
    for node in walk(body):
        match node:
            case For(start=start, stop=stop, step=step):
                names |= free_vars(start) | free_vars(stop) | free_vars(step)
            case While(condition=condition) | If(condition=condition) | Select(condition=condition):
                names |= free_vars(condition)
            case Decl(name=name, init=Expr() as value) | Assign(target=Var(name=name), value=value):
                flows.setdefault(name, set()).update(free_vars(value))
    while True:
        more = {source for name in names for source in flows.get(name, ())} - names
        if not more:
            return frozenset(names)
        names |= more


def _mentions(value: Expr, target: Var | Load) -> bool:
    return any(node == target for node in walk(value))


def _reads_data(expr: Expr, loaded: set[str]) -> bool:
    return any(isinstance(n, Load) or (isinstance(n, Var) and n.name in loaded) for n in walk(expr))


def _product(left: Expr, right: Expr) -> tuple[Binary, Expr] | None:
    """The product in a sum that one instruction computes, and the other term."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Binary) and one.op == "*" and (one.dtype.is_float or _narrowest(one) == "i8"):
            return one, other
    return None


def _narrowest(product: Expr) -> str:
    """The type of factors before they were widened: instructions multiply bytes and 16-bit floats as they
    are."""
    assert isinstance(product, Binary)
    types = [_before(factor) for factor in (product.left, product.right)]
    if set(types) <= {"i8", "u8"}:
        return "i8"
    if types[0] == types[1] and types[0] in ("bf16", "f16"):
        return types[0]
    return product.dtype.name


def _before(expr: Expr) -> str:
    """The narrowest type on the way of a value to where it is used."""
    narrowest = expr.dtype
    while isinstance(expr, Cast):
        expr = expr.operand
        narrowest = min(narrowest, expr.dtype, key=lambda dtype: dtype.bits)
    return narrowest.name
