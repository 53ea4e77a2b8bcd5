"""How far data may lead a kernel into its arrays, where guards, clamps or remainders bound what they pick.

    b = data[i];  if (b >= 0 && b < bins) counts[b] += 1      counts: `bins` elements, whatever the data
    b = max(0, min((int)(x[i] * scale), bins - 1))            likewise
    counts[keys[i] % bins] += 1                               likewise
    counts[data[i]] += 1                                      nobody knows
    if (local[threadIdx.x]) bins[threadIdx.x] += ...      every element: data decide which are used
    y[i] = hash(i) > p ? x[i] : 0                         likewise

A run shows how far the data of that run lead, and those are few places. Here the kernel is walked once with
an interval for each integer, at the scalars of one launch.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from xpiler.gate.contract import Launch
from xpiler.gate.infer_launch import AXES
from xpiler.ir.affine_bounds import Interval, Known, expr_interval
from xpiler.ir.build import OPPOSITE, int_limits
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
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
    Function,
    If,
    Load,
    Ref,
    Return,
    Select,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.ir.picked_by_data import is_picked, picked_by_data
from xpiler.ir.rewrite import Node, assigned_vars, children, map_expr, walk

_MOST_BYTES = 1 << 26  # of an array; what reaches beyond is not bounded
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_WHOLE = ("floor", "ceil", "rint", "round", "trunc", "roundeven", "nearbyint")
_Floats = tuple[float, float]


@dataclass(frozen=True)
class DataReach:
    """`needed`: bytes of the arrays that data index within bounds. `anywhere`: whether any data are within
    the kernel's meaning, as far as this shows."""

    needed: Mapping[str, int]
    anywhere: bool


def data_reach(kernel: Function, launch: Launch, scalars: Mapping[str, int]) -> DataReach:
    """Of one launch; `scalars` are its integers."""
    picked, deciding = _picked(kernel), _deciding(kernel)
    if not (picked or deciding):
        return DataReach({}, False)
    ranges: dict[str, Interval] = {name: (value, value) for name, value in scalars.items()}
    for axis, blocks, threads in zip(AXES, launch.grid, launch.block, strict=True):
        ranges[f"blockIdx.{axis}"] = (0, blocks - 1)
        ranges[f"threadIdx.{axis}"] = (0, threads - 1)
        ranges[f"gridDim.{axis}"] = (blocks, blocks)
        ranges[f"blockDim.{axis}"] = (threads, threads)
    seen = _Walk({p.name: p.dtype.bytes for p in kernel.params if p.is_pointer}, picked, deciding)
    seen.block(kernel.body, _State(ranges))
    bounded = {name: size for name, size in seen.needed.items() if 0 < size <= _MOST_BYTES}
    anywhere = bool(bounded) and len(bounded) == len(seen.needed) and not seen.below
    for name, size in seen.guarded.items():
        if seen.needed.get(name, 0) >= 0 and size <= _MOST_BYTES:
            bounded[name] = max(bounded.get(name, 0), size)
    return DataReach(bounded, anywhere)


@functools.lru_cache(maxsize=64)  # a search asks at many sizes
def _picked(kernel: Function) -> frozenset[str]:
    """What data pick, if that says where the kernel reads or writes its arrays."""
    arrays = {p.name for p in kernel.params if p.is_pointer}
    picked = picked_by_data(kernel)
    indexed = any(
        isinstance(node, Load) and node.array in arrays and any(is_picked(i, picked) for i in node.index)
        for node in walk(kernel.body)
    )
    return picked if indexed else frozenset()


@functools.lru_cache(maxsize=64)
def _deciding(kernel: Function) -> frozenset[str]:
    """What data decide, if guards of the kernel's accesses ask for it: variables, and arrays of its own
    among them that are filled where data say."""
    found = picked_by_data(kernel)
    while True:
        more = found | {name for name, given in _filled(kernel) if any(is_picked(e, found) for e in given)}
        if more == found:
            break
        found = more
    guards = (n.condition for n in walk(kernel.body) if isinstance(n, If | Select))
    return found if any(is_picked(guard, found) for guard in guards) else frozenset()


def _filled(kernel: Function) -> Iterator[tuple[str, Sequence[Expr]]]:
    """What a kernel sets, with what it is given and where."""
    for node in walk(kernel.body):
        match node:
            case Decl(name=name, init=Expr() as init):
                yield name, (init,)
            case Assign(target=Var(name=name), value=value):
                yield name, (value,)
            case Assign(target=Load(array=name, index=index), value=value):
                yield name, (*index, value)
            case Atomic(place=Load(array=name, index=index)):
                yield name, index


@dataclass
class _State:
    """What holds at a statement. `ranges`: of variables, and of the names that guarded expressions have.
    `decided`: whether data say if it is run."""

    ranges: dict[str, Interval]
    named: dict[Expr, Var] = field(default_factory=dict)
    conditions: dict[str, Expr] = field(default_factory=dict)  # what flags stand for
    numbers: Iterator[int] = field(default_factory=itertools.count)  # of all states of a walk
    decided: bool = False

    def copy(self) -> _State:
        return replace(
            self, ranges=dict(self.ranges), named=dict(self.named), conditions=dict(self.conditions)
        )

    def without(self, names: frozenset[str]) -> _State:
        """When variables or arrays have changed."""
        if not names:
            return self
        return replace(
            self,
            ranges={name: known for name, known in self.ranges.items() if name not in names},
            named={expr: var for expr, var in self.named.items() if not _mentions(expr, names)},
            conditions={
                flag: c
                for flag, c in self.conditions.items()
                if flag not in names and not _mentions(c, names)
            },
        )

    def interval(self, expr: Expr) -> Interval:
        if isinstance(expr, Select) and expr.dtype.is_integer:
            return self._chosen(expr)
        resolved = self.resolved(expr)
        return expr_interval(resolved, Known({**self.ranges}))

    def _chosen(self, choice: Select) -> Interval:
        first = self.where(choice.condition, True).interval(choice.then)
        second = self.where(choice.condition, False).interval(choice.otherwise)
        return _hull(first, second)

    def resolved(self, expr: Expr) -> Expr:
        """`expr` with names for what has a range that its form does not show."""
        return map_expr(expr, self._name)

    def _name(self, expr: Expr) -> Expr:
        if expr in self.named:
            return self.named[expr]
        match expr:
            case Cast(operand=operand) if expr.dtype.is_integer and operand.dtype.is_float:
                low, high = self.floats(operand)
                least, most = int_limits(expr.dtype)
                return self._fresh(expr, (int(max(low, least)), int(min(high, most))))
            case Select() if expr.dtype.is_integer:
                return self._fresh(expr, self._chosen(expr))
        return expr

    def _fresh(self, expr: Expr, known: Interval) -> Var:
        name = Var(expr.dtype, f"named.{next(self.numbers)}")
        self.ranges[name.name] = known
        self.named[expr] = name
        return name

    def floats(self, expr: Expr) -> _Floats:
        """The interval of a float."""
        match expr:
            case Const(value=value):
                return float(value), float(value)
            case Cast(operand=operand) if operand.dtype.is_integer:
                low, high = self.interval(operand)
                return (-math.inf if low is None else low), (math.inf if high is None else high)
            case Cast(operand=operand) if operand.dtype.is_float:
                return self.floats(operand)
            case Call(function="min" | "max" as name, args=(first, second)):
                pick = min if name == "min" else max
                (a, b), (c, d) = self.floats(first), self.floats(second)
                return pick(a, c), pick(b, d)
            case Call(function=name, args=(operand,)) if name in _WHOLE:
                return _whole(self.floats(operand))
            case Select(condition=condition, then=then, otherwise=otherwise):
                one, two = self.where(condition, True), self.where(condition, False)
                (a, b), (c, d) = one.floats(then), two.floats(otherwise)
                return min(a, c), max(b, d)
            case Binary(op="+" | "-" as op, left=left, right=right):
                (a, b), (c, d) = self.floats(left), self.floats(right)
                return _or_any((a + c, b + d) if op == "+" else (a - d, b - c))
        known = self.ranges.get(expr.name) if isinstance(expr, Var) else None
        return (known[0] or 0, known[1] or 0) if known and None not in known else (-math.inf, math.inf)

    # ------------------------------------------------------------------------------------------ guards

    def where(self, condition: Expr, holds: bool) -> _State:
        """What is known besides where the condition holds, or does not."""
        state = self.copy()
        state._assume(condition, holds)
        return state

    def _assume(self, condition: Expr, holds: bool) -> None:
        match condition:
            case Cast(operand=operand):
                self._assume(operand, holds)
            case Unary(op="!", operand=operand):
                self._assume(operand, not holds)
            case Var(name=name) if name in self.conditions:
                self._assume(self.conditions[name], holds)
            case Binary(op="&&" | "||" as op, left=left, right=right):
                if (op == "&&") == holds:
                    self._assume(left, holds)
                    self._assume(right, holds)
            case Binary(op=op, left=left, right=right) if op in OPPOSITE and left.dtype.is_integer:
                op = op if holds else OPPOSITE[op]
                of_left, of_right = self.interval(left), self.interval(right)
                self._bound(left, op, of_right)
                self._bound(right, _TURNED[op], of_left)

    def _bound(self, expr: Expr, op: str, by: Interval) -> None:
        """`expr op` something in the interval."""
        if isinstance(expr, Const) or op == "!=":
            return
        low, high = self.interval(expr)
        least, most = by
        if op in ("<", "<=", "==") and most is not None:
            most -= op == "<"
            high = most if high is None else min(high, most)
        if op in (">", ">=", "==") and least is not None:
            least += op == ">"
            low = least if low is None else max(low, least)
        if low is None or high is None or low <= high:
            self._know(expr, (low, high))

    def _know(self, expr: Expr, known: Interval) -> None:
        if isinstance(expr, Var):
            self.ranges[expr.name] = known
            return
        inner = expr.operand if isinstance(expr, Cast) and expr.operand.dtype.is_integer else None
        if inner is not None and _keeps(inner, expr, known):
            self._know(inner, known)
        resolved = self.resolved(expr)
        if isinstance(resolved, Var):
            self.ranges[resolved.name] = known
        else:
            self._fresh(resolved, known)


def _whole(floats: _Floats) -> _Floats:
    low, high = floats
    return (low if math.isinf(low) else math.floor(low)), (high if math.isinf(high) else math.ceil(high))


def _or_any(floats: _Floats) -> _Floats:
    """Without the ends that are differences of infinities."""
    low, high = floats
    return (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)


def _keeps(inner: Expr, outer: Expr, known: Interval) -> bool:
    """Whether a conversion to a value in the interval changed nothing: `(unsigned)b < 8u`."""
    low, high = int_limits(inner.dtype)
    return (
        outer.dtype.bits >= inner.dtype.bits
        and known[0] is not None
        and known[1] is not None
        and low <= known[0]
        and known[1] <= high
    )


@dataclass
class _Walk:
    """`needed`: bytes that data reach in each array, negative where nothing bounds them. `below`: whether
    some may lie before its beginning, or leave an array of the kernel's own. `guarded`: bytes of the places
    that do not depend on data, where data decide whether they are used."""

    widths: dict[str, int]
    picked: frozenset[str]
    deciding: frozenset[str]
    needed: dict[str, int] = field(default_factory=dict)
    guarded: dict[str, int] = field(default_factory=dict)
    own: dict[str, int] = field(default_factory=dict)
    below: bool = False

    def block(self, body: Block, state: _State) -> _State | None:
        """What holds after it; None where nothing comes after it."""
        current: _State | None = state
        for stmt in body.body:
            if current is not None:
                current = self.statement(stmt, current)
        return current

    def statement(self, stmt: Stmt, state: _State) -> _State | None:
        match stmt:
            case Block():
                return self.block(stmt, state)
            case Return() | Break() | Continue():
                return None
            case Decl(name=name, init=Expr() as init):
                self.expression(init, state)
                return self._set(state, name, init)
            case Decl(name=name, shape=shape) if shape and all(isinstance(e, Const) for e in shape):
                self.own[name] = prod(int(e.value) for e in shape if isinstance(e, Const))
            case Assign(target=Var(name=name), value=value, reduce=None):
                self.expression(value, state)
                return self._set(state, name, value)
            case If(condition=condition, then=then, otherwise=otherwise):
                self.expression(condition, state)
                asked = is_picked(condition, self.deciding)
                inside = replace(state, decided=state.decided or asked)
                first = self.block(then, inside.where(condition, True))
                second = self.block(otherwise, inside.where(condition, False))
                after = _joined(first, second)
                leaves = first is None or second is None
                return after and replace(after, decided=state.decided or (asked and leaves))
            case For(var=name, start=start, stop=stop, step=step, body=body):
                self._expressions((start, stop), state)
                (low, latest), high = state.interval(start), state.interval(stop)[1]
                inside = state.without(_changed(body) | {name}).copy()
                if high is not None and (low is None or high > low):
                    by = int(step.value) if isinstance(step, Const) and low == latest else 1
                    last = high - 1 if low is None else low + (high - 1 - low) // by * by
                    inside.ranges[name] = low, last
                self.block(body, inside)
                return state.without(_changed(body) | {name})
            case While(condition=condition, body=body, advance=advance, do_while=late):
                around = state.without(_changed(stmt))
                self.expression(condition, around)
                inside = around.copy() if late else around.where(condition, True)
                after = self.block(body, inside)
                self.block(advance, around.copy() if after is None else after)
                return around.copy()
        self._expressions([e for e in children(stmt) if isinstance(e, Expr)], state)
        return state.without(_changed(stmt))

    def _set(self, state: _State, name: str, value: Expr) -> _State:
        known = state.interval(value) if value.dtype.is_integer else None
        floats = state.floats(value) if value.dtype.is_float else None
        state = state.without(frozenset((name,))).copy()
        if known is not None:
            state.ranges[name] = known
        elif floats is not None and not any(map(math.isinf, floats)):
            state.ranges[name] = math.floor(floats[0]), math.ceil(floats[1])
        if not value.dtype.is_float and not _mentions(value, frozenset((name,))):
            state.conditions[name] = value
        return state

    def _expressions(self, exprs: Sequence[Expr], state: _State) -> None:
        for expr in exprs:
            self.expression(expr, state)

    def expression(self, expr: Expr, state: _State) -> None:
        """Notes the accesses in an expression that data decide on."""
        match expr:
            case Select(condition=condition, then=then, otherwise=otherwise):
                self.expression(condition, state)
                decided = state.decided or is_picked(condition, self.deciding)
                inside = replace(state, decided=decided)
                self.expression(then, inside.where(condition, True))
                self.expression(otherwise, inside.where(condition, False))
                return
            case Binary(op="&&" | "||" as op, left=left, right=right):
                self.expression(left, state)
                self.expression(right, state.where(left, op == "&&"))
                return
            case Load(array=array, index=index):
                if any(is_picked(i, self.picked) for i in index):
                    self._access(expr, [state.interval(i) for i in index])
                elif state.decided and array in self.widths and len(index) == 1:
                    low, high = state.interval(index[0])
                    if low is not None and low >= 0 and high is not None and high != _limit(expr):
                        size = (high + 1) * expr.dtype.bytes
                        self.guarded[array] = max(self.guarded.get(array, 0), size)
            case Ref(array=array, offset=offset) if is_picked(offset, self.picked):
                self.needed[array] = -1
        for inner in children(expr):
            if isinstance(inner, Expr):
                self.expression(inner, state)

    def _access(self, place: Load, index: Sequence[Interval]) -> None:
        low, high = index[0] if len(index) == 1 else (None, None)
        if place.array in self.widths:
            self.below |= low is None or low < 0
            size = -1 if high is None or high == _limit(place) else (high + 1) * place.dtype.bytes
            known = self.needed.get(place.array, 1)
            self.needed[place.array] = -1 if min(size, known) < 0 else max(size, known)
            if size > _MOST_BYTES:
                self.needed[place.array] = -1
        elif len(index) == 1:
            self.below |= (
                low is None or low < 0 or high is None or high >= self.own.get(place.array, high + 1)
            )


def _limit(place: Load) -> int:
    return int_limits(place.index[0].dtype)[1]


def _joined(first: _State | None, second: _State | None) -> _State | None:
    if first is None or second is None:
        return first or second
    ranges = {
        name: _hull(known, second.ranges[name])
        for name, known in first.ranges.items()
        if name in second.ranges
    }
    return _State(
        ranges,
        {e: v for e, v in first.named.items() if second.named.get(e) == v},
        {name: c for name, c in first.conditions.items() if second.conditions.get(name) == c},
        first.numbers,
    )


def _hull(one: Interval, other: Interval) -> Interval:
    low = None if one[0] is None or other[0] is None else min(one[0], other[0])
    high = None if one[1] is None or other[1] is None else max(one[1], other[1])
    return low, high


def _changed(node: Stmt) -> frozenset[str]:
    """Variables and arrays that a statement may change."""
    return assigned_vars(node) | frozenset(_written(node))


def _written(node: Node) -> Iterator[str]:
    for inner in walk(node):
        match inner:
            case Assign(target=Load(array=array)) | Atomic(place=Load(array=array)) | Ref(array=array):
                yield array
            case Collective(target=Var(name=name)) | Decl(name=name) | For(var=name):
                yield name


def _mentions(expr: Expr, names: frozenset[str]) -> bool:
    return any(
        (isinstance(n, Var) and n.name in names) or (isinstance(n, Load) and n.array in names)
        for n in walk(expr)
    )
