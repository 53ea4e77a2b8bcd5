"""Expressions of the IR as closures over a state: each runs one NumPy operation for all lanes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from xpiler.errors import Refusal
from xpiler.ir.interpret_checks import locate, note_missing, note_read, note_write
from xpiler.ir.interpret_log import AccessKind
from xpiler.ir.interpret_memory import Memory, Parts
from xpiler.ir.interpret_native import Native, Value
from xpiler.ir.interpret_state import EMPTY, Evaluate, Lanes, Origin, Site, State
from xpiler.ir.nodes import (
    Binary,
    Bitcast,
    Call,
    Cast,
    Const,
    Expr,
    Load,
    Ref,
    Select,
    Space,
    Stmt,
    Unary,
    Var,
)
from xpiler.ir.rewrite import walk
from xpiler.ir.source import SourceRange
from xpiler.ir.types import DType


@dataclass(frozen=True)
class Reached:
    """An access resolved for some lanes: elements of the memory, and which lanes are in bounds (None:
    all)."""

    memory: Memory
    address: Any  # int, or one a lane; 0 where out of bounds
    valid: Any


@dataclass(frozen=True)
class Context:
    """What is known before the run: how numbers are computed, whether blocks are ordered by atomics, which
    arrays are flags, and in which ones what is old is tried again."""

    numeric: Native
    fenced: bool
    flags: frozenset[str] = frozenset()
    retried: frozenset[str] = frozenset()


class Expressions:
    """Compiler of expressions; `range` is the statement's, for expressions without one, `loops` are those
    around."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.numeric = context.numeric
        self.range: SourceRange | None = None
        self.loops: frozenset[str] = frozenset()

    def compile(self, expr: Expr) -> Evaluate:
        match expr:
            case Const(value=value, dtype=dtype):
                constant = self.numeric.const(value, dtype)
                return lambda state, lanes: constant
            case Var():
                return self._variable(expr)
            case Load():
                return self._load(expr)
            case Unary(op=op, operand=operand):
                inner, change = self.compile(operand), self.numeric.unary(op, operand.dtype)
                return lambda state, lanes: change(inner(state, lanes))
            case Binary(op="&&" | "||"):
                return self._short_circuit(expr)
            case Binary(op="/", left=left, right=Const(value=divisor), exact=True):
                return self._exact(expr, left, int(divisor))
            case Binary(op=op, left=left, right=right):
                return self._binary(expr, op, left, right)
            case Select():
                return self._select(expr)
            case Cast(operand=operand, dtype=dtype):
                inner, change = self.compile(operand), self.numeric.cast(operand.dtype, dtype)
                return lambda state, lanes: change(inner(state, lanes))
            case Bitcast(operand=operand, dtype=dtype):
                inner, change = self.compile(operand), self.numeric.bitcast(operand.dtype, dtype)
                return lambda state, lanes: change(inner(state, lanes))
            case Call(function="is_null", args=(Ref(array=array),)):
                return lambda state, lanes: np.bool_(state.memories[array].null)
            case Call(function=function, args=args, dtype=dtype):
                operation = self.numeric.call(function, args[0].dtype, dtype)
                inners = [self.compile(a) for a in args]
                return lambda state, lanes: operation(*(f(state, lanes) for f in inners))
        raise TypeError(f"not a value: {expr!r}")

    def _variable(self, expr: Var) -> Evaluate:
        name, site = expr.name, self.site(expr, "")
        nothing = self.numeric.const(0, expr.dtype)

        def read(state: State, lanes: Lanes) -> Value:
            if name in state.undefined:
                missing = state.undefined[name]
                bad = missing if lanes is None else missing[lanes]
                if bad.any():
                    message = f"{name} is read before it has a value"
                    numbers = state.numbers(lanes)[bad]
                    state.report_missing(site, numbers, message, {}, state.origins.get(name))
            value = state.vars.get(name, nothing)
            return value[lanes] if lanes is not None and isinstance(value, np.ndarray) else value

        return read

    def _binary(self, expr: Expr, op: str, left: Expr, right: Expr) -> Evaluate:
        first, second = self.compile(left), self.compile(right)
        operation = self.numeric.binary(op, left.dtype)
        if op not in ("/", "%") or left.dtype.is_float or (isinstance(right, Const) and right.value != 0):
            return lambda state, lanes: operation(first(state, lanes), second(state, lanes))
        site = self.site(expr, "")

        def divide(state: State, lanes: Lanes) -> Value:
            x, y = first(state, lanes), second(state, lanes)
            zero = y == 0
            if np.any(zero) and state.size(lanes):
                row = int(np.argmax(np.broadcast_to(zero, (state.size(lanes),))))
                lane = int(state.numbers(lanes)[row])
                state.report(site, "division-by-zero", lane, "integer division by zero", {})
                y = np.where(zero, np.ones_like(y), y)[()]
            return operation(x, y)

        return divide

    def _exact(self, expr: Expr, left: Expr, divisor: int) -> Evaluate:
        """A quotient that counts wider elements: where it leaves a rest memory is not aligned to them."""
        inner, operation, site = self.compile(left), self.numeric.binary("/", left.dtype), self.site(expr, "")
        by = self.numeric.const(divisor, left.dtype)

        def divide(state: State, lanes: Lanes) -> Value:
            x = inner(state, lanes)
            rest = x % by != 0
            if np.any(rest) and state.size(lanes):
                row = int(np.argmax(np.broadcast_to(rest, (state.size(lanes),))))
                offset = int(np.broadcast_to(x, (state.size(lanes),))[row])
                message = f"an address is misaligned: offset {offset} is no multiple of {divisor}"
                lane = int(state.numbers(lanes)[row])
                state.report(site, "misaligned", lane, message, {"offset": offset, "alignment": divisor})
            return operation(x, by)

        return divide

    def _short_circuit(self, expr: Binary) -> Evaluate:
        first, second = self.compile(expr.left), self.compile(expr.right)
        conjunction = expr.op == "&&"
        combine = np.logical_and if conjunction else np.logical_or
        harmless = _has_no_effects(expr.right)

        def decide(state: State, lanes: Lanes) -> Value:
            left = first(state, lanes)
            if not isinstance(left, np.ndarray):
                return left if bool(left) is not conjunction else second(state, lanes)
            if harmless:
                return combine(left, second(state, lanes))
            chosen = left if conjunction else ~left
            if not chosen.any():
                return left
            result = left.copy()
            result[chosen] = second(state, narrow(lanes, chosen))
            return result

        return decide

    def _select(self, expr: Select) -> Evaluate:
        test, then, otherwise = (self.compile(e) for e in (expr.condition, expr.then, expr.otherwise))
        harmless = _has_no_effects(expr.then) and _has_no_effects(expr.otherwise)

        def choose(state: State, lanes: Lanes) -> Value:
            condition = test(state, lanes)
            if not isinstance(condition, np.ndarray):
                return then(state, lanes) if condition else otherwise(state, lanes)
            if harmless:
                return np.where(condition, then(state, lanes), otherwise(state, lanes))
            if condition.all():
                return then(state, lanes)
            if not condition.any():
                return otherwise(state, lanes)
            yes = then(state, narrow(lanes, condition))
            result = np.zeros(condition.size, yes.dtype)
            result[condition] = yes
            result[~condition] = otherwise(state, narrow(lanes, ~condition))
            return result

        return choose

    # -------------------------------------------------------------------------------------- memory

    def site(self, node: Expr, array: str) -> Site:
        context = self.context
        kinds = (array in names for names in (context.flags, context.retried))
        return Site(node, array, node.range or self.range, self.loops, context.fenced, *kinds)

    def site_of(self, stmt: Stmt) -> Site:
        """A statement that accesses no array of its own."""
        return Site(stmt, "", stmt.range or self.range, self.loops, self.context.fenced)

    def place(self, node: Load | Ref) -> ReachOf:
        """The elements that a place means, checked to be in bounds."""
        if isinstance(node, Ref):
            indices = [self.compile(node.offset)]
        else:
            indices = [self.compile(i) for i in node.index]
        is_flat = isinstance(node, Ref)
        alignment = node.alignment if isinstance(node, Load) and self.numeric.reinterprets else 0
        site = self.site(node, node.array)
        return ReachOf(site, node.dtype, tuple(indices), self.numeric, is_flat, alignment)

    def _load(self, expr: Load) -> Evaluate:
        reach = self.place(expr)
        return lambda state, lanes: reach.load(state, lanes, reach.reach(state, lanes))


@dataclass(frozen=True)
class ReachOf:
    """A compiled place: finds, loads and stores its elements."""

    site: Site
    dtype: DType
    indices: tuple[Evaluate, ...]
    numeric: Native
    is_flat: bool = False
    alignment: int = 0

    def flat(self, state: State, lanes: Lanes, memory: Memory) -> Any:
        if memory.space is Space.FRAGMENT and not self.is_flat and len(self.indices) < len(memory.shape):
            return self._element_of_fragment(state, lanes, memory)
        if len(self.indices) == 1:
            return self.indices[0](state, lanes)
        total: Any = np.int64(0)
        for index, extent in zip(self.indices, memory.shape, strict=True):
            total = total * np.int64(extent) + index(state, lanes).astype(np.int64)
        return total

    def _element_of_fragment(self, state: State, lanes: Lanes, memory: Memory) -> Any:
        """`x[t]`, element `t` of each thread: unspecified which of the tile, but each is one thread's."""
        rows, columns = memory.shape[-2:]
        tile: Any = np.int64(0)
        for index, extent in zip(self.indices[:-1], memory.shape[:-2], strict=True):
            tile = tile * np.int64(extent) + index(state, lanes).astype(np.int64)
        lane = state.of_lanes("@thread", lanes) % state.launch.warp_size
        element = self.indices[-1](state, lanes).astype(np.int64) * state.launch.warp_size + lane
        return tile * np.int64(rows * columns) + element

    def reach(self, state: State, lanes: Lanes, offset: Any = 0) -> Reached:
        """`offset` (one a lane) is added to the index, as an instruction does that walks through memory."""
        memory = state.memories[self.site.array]
        parts = memory.parts if state.log is None and not state.checks else None
        if parts is None and memory.dtype is not self.dtype and not self._can_view(memory):
            what = f"{self.site.array} holds residues of {memory.dtype}: they cannot be read as {self.dtype}"
            raise Refusal("field-conversion", what, self.site.range)
        width, own = self.width, memory.data.itemsize
        if parts is not None:
            width, own = self.dtype.bytes, memory.dtype.bytes
        extent = memory.extent if width == own else memory.extent * own // width
        around, state.pending = state.pending, None  # where it reads or writes matters
        index = self.flat(state, lanes, memory)
        state.pending = around
        if isinstance(index, np.ndarray) or isinstance(offset, np.ndarray):
            address = np.asarray(index).astype(np.int64) + offset
            valid = None
            if address.size and int(address.view(np.uint64).max()) >= extent:
                valid = (address >= 0) & (address < extent)
                self._report_outside(state, lanes, memory, address, valid, extent)
                address = np.where(valid, address, 0)
        else:
            address, valid = int(index) + offset, None
            if not 0 <= address < extent:
                everywhere = np.full(state.size(lanes), address)
                valid = np.zeros(state.size(lanes), np.bool_)
                self._report_outside(state, lanes, memory, everywhere, valid, extent)
                address = 0
        if self.alignment:
            self._check_alignment(state, lanes, memory, address, valid, width)
        base = state.vars[memory.base]
        if isinstance(base, np.ndarray):
            start = base if lanes is None else base[lanes]
            address = address + (start if width == own else start * own // width)
        elif base:
            address = address + int(base) * own // width
        return Reached(memory, address, valid)

    def _check_alignment(
        self, state: State, lanes: Lanes, memory: Memory, address: Any, valid: Any, width: int
    ) -> None:
        """Each copy of an array begins aligned; one that was handed in begins where it begins."""
        wrong = np.broadcast_to((address * width + memory.phase) % self.alignment != 0, (state.size(lanes),))
        if valid is not None:
            wrong = wrong & valid
        if not wrong.any():
            return
        row = int(np.argmax(wrong))
        index = int(np.broadcast_to(address, wrong.shape)[row])
        message = (
            f"{self.site.array}[{index}] is accessed as {self.alignment} bytes at once, and byte "
            f"{index * width + memory.phase} is no multiple of {self.alignment}"
        )
        values = {"index": index, "alignment": self.alignment}
        state.report(self.site, "misaligned", int(state.numbers(lanes)[row]), message, values)

    def _report_outside(
        self, state: State, lanes: Lanes, memory: Memory, index: Any, valid: Any, extent: int
    ) -> None:
        if not index.size:
            return
        wrong = index[~valid]
        for end in (int(wrong.min()), int(wrong.max())):
            memory.note_outside(end)
        row = int(np.argmax(~valid))
        values = {"index": int(index[row]), "extent": extent}
        message = f"{self.site.array}[{values['index']}] is out of bounds: it has {extent} elements"
        state.report(self.site, "out-of-bounds", int(state.numbers(lanes)[row]), message, values)

    def _can_view(self, memory: Memory) -> bool:
        return self.numeric.can_view({self.dtype, memory.dtype})

    @cached_property
    def stored_as(self) -> np.dtype[Any]:
        return np.dtype(self.numeric.storage_type(self.dtype))

    @cached_property
    def width(self) -> int:
        return self.stored_as.itemsize

    def load(self, state: State, lanes: Lanes, reached: Reached) -> Value:
        memory = reached.memory
        if memory.parts is not None:
            return self._load_part(memory.parts, reached)
        data = memory.view(self.stored_as)
        if not data.size:
            return self.numeric.const(0, self.dtype)
        if state.checks and watched(memory, state):
            self._note_read(state, lanes, reached)
        if state.log is not None:
            self.log(state, lanes, reached, AccessKind.READ)
        value: Any = data[stored_at(reached, data)]
        convert = self.numeric.loaded(self.dtype)
        if convert is not None:
            value = convert(value)
        if reached.valid is not None:
            value = np.where(reached.valid, value, np.zeros_like(value))
        return value

    def _load_part(self, parts: Parts, reached: Reached) -> Value:
        kind = self.stored_as
        value, as_written = parts.load(reached.address * self.dtype.bytes, self.dtype, kind)
        if not as_written:
            what = f"{self.site.array} is read as {self.dtype} where it holds numbers of another type"
            raise Refusal("field-conversion", what, self.site.range)
        convert = self.numeric.loaded(self.dtype)
        value = convert(value) if convert is not None else value
        return value if reached.valid is None else np.where(reached.valid, value, np.zeros_like(value))

    def _note_read(self, state: State, lanes: Lanes, reached: Reached) -> None:
        kept, address = in_bounds(state, lanes, reached)
        note_read(locate(state, reached.memory, kept, address, self.width, self.site))

    def keeps(self, state: State) -> bool:
        """Whether it is remembered of the memory which elements have a value."""
        return state.memories[self.site.array].initialised is not None

    def store(
        self,
        state: State,
        lanes: Lanes,
        reached: Reached,
        value: Value,
        missing: list[tuple[Any, Origin]] | None = None,
    ) -> None:
        """`missing`: the lanes in which the value is made of what was never written."""
        memory = reached.memory
        data: Any = memory.data
        if memory.parts is None:
            data = memory.view(self.stored_as)
        convert = self.numeric.stored(self.dtype)
        if convert is not None:
            value = convert(value)
        if reached.valid is not None:
            if isinstance(value, np.ndarray):
                value = value[reached.valid]
            lanes, address = in_bounds(state, lanes, reached)
            if lanes is not None and not lanes.size:
                return
        else:
            address = reached.address
        if not isinstance(address, np.ndarray) and isinstance(value, np.ndarray):
            address = np.full(value.size, address)
        if state.checks and watched(memory, state):
            access = locate(state, memory, lanes, address, self.width, self.site)
            note_write(access, data[address], value)
            if missing:
                note_missing(access, missing)
        if state.log is not None:
            state.log.access(state, memory, lanes, address, self.width, self.site, AccessKind.WRITE, value)
        if memory.parts is not None:
            kind = self.stored_as
            memory.parts.store(address * self.dtype.bytes, value, self.dtype, kind)
            return
        data[address % data.size if memory.wrap else address] = value

    def log(self, state: State, lanes: Lanes, reached: Reached, kind: AccessKind) -> None:
        assert state.log is not None
        kept, address = in_bounds(state, lanes, reached)
        state.log.access(state, reached.memory, kept, address, self.width, self.site, kind)


def watched(memory: Memory, state: State) -> bool:
    """Whether anything is remembered about the elements."""
    return memory.initialised is not None or memory.read is not None or memory.shadow is not None


def stored_at(reached: Reached, data: Any) -> Any:
    """Where the elements lie in `data`, which an endless memory goes through again and again."""
    return reached.address % data.size if reached.memory.wrap else reached.address


def in_bounds(state: State, lanes: Lanes, reached: Reached) -> tuple[Lanes, Any]:
    """The lanes whose access is in bounds, and their elements."""
    if reached.valid is None:
        return lanes, reached.address
    address = reached.address
    kept = state.numbers(lanes)[reached.valid]
    return kept, address[reached.valid] if isinstance(address, np.ndarray) else address


def narrow(lanes: Lanes, chosen: Any) -> Lanes:
    """The lanes for which `chosen` holds; the very same object if these are all."""
    found = np.flatnonzero(chosen)
    if found.size == chosen.size:
        return lanes
    if not found.size:
        return EMPTY
    return found if lanes is None else lanes[found]


def _has_no_effects(expr: Expr) -> bool:
    """Cheap, and no access or division that could fail: it may be computed where its value is not used."""
    return not any(
        isinstance(n, (Load, Call)) or (isinstance(n, Binary) and n.op in ("/", "%") and n.dtype.is_integer)
        for n in walk(expr)
    )
