"""A deliberately slow and simple machine for IR functions: every thread is a coroutine that stops at
synchronisation.

It runs SIMT kernels (grid and block given) and the serial functions that the passes make from them
(`grid=None`), so a
pass is right if both leave the same memory. Uninitialised values are poison: reading one raises `Poison`.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xpiler.ir.build import convert, evaluate, wrap
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
    Function,
    If,
    Load,
    Return,
    Select,
    Space,
    Stmt,
    Trap,
    Unary,
    Var,
    While,
)  # fmt: skip
from xpiler.ir.rewrite import walk_stmts
from xpiler.ir.types import DType

NUMPY = {
    "bool": np.bool_, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "u8": np.uint8,
    "u16": np.uint16, "u32": np.uint32, "u64": np.uint64, "f16": np.float16, "f32": np.float32, "f64":
    np.float64,
}  # fmt: skip
FUNCTIONS = {"exp": math.exp, "exp2": lambda x: 2.0**x, "sqrt": math.sqrt, "log": math.log, "tanh": math.tanh}


class Poison(Exception):
    """An uninitialised or out-of-bounds element was read."""


class _Stop(Exception):
    def __init__(self, kind: type) -> None:
        self.kind = kind


Arrays = dict[str, list[Any]]


@dataclass
class Thread:
    scalars: dict[str, Any]
    shared: Arrays
    memory: Arrays
    shapes: dict[str, tuple[int, ...]]
    local: Arrays = field(default_factory=dict)
    order: dict[int, int] = field(default_factory=dict)  # place of every statement in the text
    trail: list[int] = field(default_factory=list)  # loops that the thread is in, and their iterations

    def place(self, stmt: Stmt) -> tuple[int, ...]:
        """Where a thread is in the program as it runs: threads that are behind compare less."""
        return (*self.trail, self.order.get(id(stmt), 0))

    # ------------------------------------------------------------------ expressions

    def value(self, e: Expr) -> Any:
        match e:
            case Const(value=value):
                return value
            case Var(name=name):
                if name not in self.scalars and name in self.shared:
                    return self.element(name, 0)
                if self.scalars.get(name) is None:
                    raise Poison(f"{name} read before it is set")
                return self.scalars[name]
            case Load(array=array):
                return self.element(array, self.flat(e))
            case Unary(op="-", operand=a):
                return convert(-self.value(a), e.dtype)
            case Unary(op="~", operand=a):
                return wrap(~int(self.value(a)), e.dtype)
            case Unary(op="!", operand=a):
                return not self.value(a)
            case Binary(op="&&", left=a, right=b):
                return bool(self.value(a)) and bool(self.value(b))
            case Binary(op="||", left=a, right=b):
                return bool(self.value(a)) or bool(self.value(b))
            case Binary(op=op, left=a, right=b):
                result = evaluate(op, self.value(a), self.value(b), a.dtype)
                if result is None:
                    if op == "/" and a.dtype.is_float:
                        return math.nan
                    raise Poison(f"undefined {op}")
                return result
            case Select(condition=c, then=a, otherwise=b):
                return self.value(a) if self.value(c) else self.value(b)
            case Cast(operand=a):
                return convert(self.value(a), e.dtype)
            case Bitcast(operand=a):
                raw = np.array(self.value(a), NUMPY[a.dtype.name])
                return raw.view(NUMPY[e.dtype.name]).item()
            case Call(function="max", args=(a, b)):
                return max(self.value(a), self.value(b))
            case Call(function="min", args=(a, b)):
                return min(self.value(a), self.value(b))
            case Call(function="fma", args=(a, b, c)):
                return convert(self.value(a) * self.value(b) + self.value(c), e.dtype)
            case Call(function="abs", args=(a,)):
                return abs(self.value(a))
            case Call(function="popc", args=(a,)):
                return int(wrap(self.value(a), a.dtype) & ((1 << a.dtype.bits) - 1)).bit_count()
            case Call(function="rsqrt", args=(a,)):
                return convert(1.0 / math.sqrt(self.value(a)), e.dtype)
            case Call(function=name, args=args):
                return convert(FUNCTIONS[name](*map(self.value, args)), e.dtype)
        raise NotImplementedError(e)

    def flat(self, load: Load) -> int:
        index = [int(self.value(i)) for i in load.index]
        shape = self.shapes.get(load.array, ())
        if len(index) == 1:
            return index[0]
        offset = 0
        for i, extent in zip(index, shape, strict=True):
            if not 0 <= i < extent:
                raise Poison(f"{load.array}{index} outside {shape}")
            offset = offset * extent + i
        return offset

    def cells(self, array: str) -> list[Any]:
        for store in (self.local, self.shared, self.memory):
            if array in store:
                return store[array]
        raise KeyError(array)

    def element(self, array: str, offset: int) -> Any:
        cells = self.cells(array)
        if not 0 <= offset < len(cells) or cells[offset] is None:
            raise Poison(f"{array}[{offset}] read before it is set, or out of bounds {len(cells)}")
        return cells[offset]

    def store(self, target: Var | Load, value: Any, dtype: DType) -> None:
        value = convert(value, dtype)
        if isinstance(target, Var):
            if target.name not in self.scalars and target.name in self.shared:
                self.shared[target.name][0] = value
            else:
                self.scalars[target.name] = value
            return
        cells, offset = self.cells(target.array), self.flat(target)
        if not 0 <= offset < len(cells):
            raise Poison(f"{target.array}[{offset}] written out of bounds {len(cells)}")
        cells[offset] = value

    def reduced(self, op: str, old: Any, new: Any, dtype: DType) -> Any:
        if op in ("min", "max"):
            return (min if op == "min" else max)(old, new)
        return evaluate(
            {"add": "+", "sub": "-", "and": "&", "or": "|", "xor": "^"}.get(op, op), old, new, dtype
        )

    # ------------------------------------------------------------------ statements

    def run(self, body: tuple[Stmt, ...]) -> Generator[Stmt, Any, None]:
        for stmt in body:
            yield from self.step(stmt)

    def step(self, stmt: Stmt) -> Generator[Stmt, Any, None]:
        match stmt:
            case Block(body=body):
                yield from self.run(body)
            case Decl(name=name, shape=(), space=Space.SHARED):
                pass
            case Decl(name=name, shape=(), init=init):
                self.scalars[name] = None if init is None else convert(self.value(init), stmt.dtype)
            case Decl(name=name, shape=shape, init=init, space=space):
                if space is not Space.SHARED:
                    self.shapes[name] = tuple(int(self.value(e)) for e in shape)
                    cells: list[Any] = [None] * math.prod(self.shapes[name])
                    if init is not None:
                        leading = [self.value(e) for e in init]
                        cells = leading + [convert(0, stmt.dtype)] * (len(cells) - len(leading))
                    self.local[name] = cells
            case Assign(target=target, value=value, reduce=reduce):
                new = self.value(value)
                if reduce is not None:
                    new = self.reduced(reduce, self.value(target), new, target.dtype)
                self.store(target, new, target.dtype)
            case For(var=name, start=start, stop=stop, step=step):
                last, by = self.value(stop), self.value(step)
                current = self.value(start)
                depth = len(self.trail)
                self.trail += [self.order.get(id(stmt), 0), 0]
                while current < last:
                    self.scalars[name] = current
                    del self.trail[depth + 2 :]
                    self.trail[depth + 1] += 1
                    try:
                        yield from self.run(stmt.body.body)
                    except _Stop as stop_:
                        if stop_.kind is Break:
                            break
                        if stop_.kind is Return:
                            raise
                    current += by
                del self.trail[depth:]
            case While(condition=condition, do_while=do_while):
                first = do_while
                depth = len(self.trail)
                self.trail += [self.order.get(id(stmt), 0), 0]
                while first or self.value(condition):
                    first = False
                    del self.trail[depth + 2 :]
                    self.trail[depth + 1] += 1
                    try:
                        yield from self.run(stmt.body.body)
                    except _Stop as stop_:
                        if stop_.kind is Break:
                            break
                        if stop_.kind is Return:
                            raise
                    yield from self.run(stmt.advance.body)
                del self.trail[depth:]
            case If(condition=condition, then=then, otherwise=otherwise):
                yield from self.run((then if self.value(condition) else otherwise).body)
            case Return() | Break() | Continue():
                raise _Stop(type(stmt))
            case Barrier():
                yield stmt
            case Collective(target=target):
                result = yield stmt
                self.store(target, result, target.dtype)
            case Atomic(op=op, place=place, args=args, target=old_target):
                old = self.value(place)
                match op:
                    case "exch":
                        new = self.value(args[0])
                    case "cas":
                        new = self.value(args[1]) if old == self.value(args[0]) else old
                    case "inc":
                        new = 0 if old >= self.value(args[0]) else old + 1
                    case _:
                        new = self.reduced(op, old, self.value(args[0]), place.dtype)
                self.store(place, new, place.dtype)
                if old_target is not None:
                    self.store(old_target, old, old_target.dtype)
            case Trap(condition=condition, message=message):
                if not self.value(condition):
                    raise AssertionError(message)
            case _:
                raise NotImplementedError(stmt)


def shared_decls(stmt: Stmt) -> Iterator[Decl]:
    return (s for s in walk_stmts(stmt) if isinstance(s, Decl) and s.space is Space.SHARED)


def run(
    function: Function,
    arguments: dict[str, Any],
    grid: tuple[int, int, int] | None = None,
    block: tuple[int, int, int] | None = None,
) -> dict[str, list[Any]]:
    """Run; arguments are lists (arrays) or numbers. Returns copies of all arrays afterwards."""
    memory = {name: list(value) for name, value in arguments.items() if isinstance(value, (list, np.ndarray))}
    memory = {
        name: [v.item() if isinstance(v, np.generic) else v for v in cells] for name, cells in memory.items()
    }
    scalars = {name: value for name, value in arguments.items() if name not in memory}
    if grid is None or block is None:
        thread = Thread(scalars, {}, memory, {})
        for stop in thread.run(function.body.body):
            raise AssertionError(f"a serial function stopped at {stop}")
        return memory
    dims = {f"gridDim.{a}": n for a, n in zip("xyz", grid, strict=True)}
    dims |= {f"blockDim.{a}": n for a, n in zip("xyz", block, strict=True)}
    blocks = []
    for bz in range(grid[2]):
        for by in range(grid[1]):
            for bx in range(grid[0]):
                blocks.append(_block(function, scalars | dims, memory, (bx, by, bz), block))
    _schedule_grid(blocks)
    return memory


def _block(
    function: Function,
    scalars: dict[str, Any],
    memory: Arrays,
    at: tuple[int, ...],
    block: tuple[int, int, int],
) -> list[tuple[Thread, Generator[Stmt, Any, None]]]:
    shapes: dict[str, tuple[int, ...]] = {}
    shared: Arrays = {}
    where = {f"blockIdx.{a}": n for a, n in zip("xyz", at, strict=True)}
    probe = Thread(scalars | where, {}, memory, {})
    for decl in shared_decls(function.body):
        shapes[decl.name] = tuple(int(probe.value(e)) for e in decl.shape)
        shared[decl.name] = [None] * math.prod(shapes[decl.name])
    order = {id(s): n for n, s in enumerate(walk_stmts(function.body))}
    threads = []
    for z in range(block[2]):
        for y in range(block[1]):
            for x in range(block[0]):
                ids = {"threadIdx.x": x, "threadIdx.y": y, "threadIdx.z": z}
                thread = Thread(scalars | where | ids, shared, memory, dict(shapes), order=order)
                threads.append((thread, _until_return(thread, function)))
    return threads


def _until_return(thread: Thread, function: Function) -> Generator[Stmt, Any, None]:
    try:
        yield from thread.run(function.body.body)
    except _Stop as stop:
        assert stop.kind is Return


def _schedule_grid(blocks: list[list[tuple[Thread, Generator[Stmt, Any, None]]]]) -> None:
    waiting = [[_advance(g, None) for _, g in block] for block in blocks]
    while any(stop is not None for block in waiting for stop in block):
        progress = False
        for block, stops in zip(blocks, waiting, strict=True):
            while _schedule_block(block, stops):
                progress = True
        live = [s for stops in waiting for s in stops if s is not None]
        if live and all(isinstance(s, Barrier) and s.scope == "grid" for s in live):
            for block, stops in zip(blocks, waiting, strict=True):
                for i, s in enumerate(stops):
                    stops[i] = None if s is None else _advance(block[i][1], None)
        elif live and not progress:
            raise AssertionError(f"deadlock at {live[0]}")


def _advance(generator: Generator[Stmt, Any, None], value: Any) -> Stmt | None:
    try:
        return generator.send(value)
    except StopIteration:
        return None


def _schedule_block(block: list[tuple[Thread, Generator[Stmt, Any, None]]], stops: list[Stmt | None]) -> bool:
    progress = False
    for first in range(0, len(block), 32):
        while _schedule_warp(block, stops, range(first, min(first + 32, len(block)))):
            progress = True
    live = [i for i, s in enumerate(stops) if s is not None]
    if not live:
        return progress
    scopes = [getattr(stops[i], "scope", "") for i in live]
    if all(s == "block" for s in scopes):
        stop = stops[live[0]]
        results: dict[int, Any] = {}
        if isinstance(stop, Collective):
            predicates = [bool(block[i][0].value(stops[i].args[0])) for i in live]  # type: ignore[union-attr]
            fold = {"syncthreads_count": sum, "syncthreads_and": all, "syncthreads_or": any}[stop.kind]
            results = dict.fromkeys(live, int(fold(predicates)))
        for i in live:
            stops[i] = _advance(block[i][1], results.get(i))
        return True
    return progress


def _schedule_warp(block: list[tuple[Thread, Any]], stops: list[Stmt | None], lanes: range) -> bool:
    """Lockstep: the lanes that are furthest behind run their operation together, those ahead of them wait."""
    at_warp = [i for i in lanes if stops[i] is not None and getattr(stops[i], "scope", "") == "warp"]
    if not at_warp:
        return False
    places = {i: block[i][0].place(stops[i]) for i in at_warp}
    behind = min(places.values())
    group = [i for i in at_warp if places[i] == behind]
    stop = stops[group[0]]
    results = dict.fromkeys(group)
    if isinstance(stop, Collective):
        results = _collective(stop, {i: block[i][0] for i in group}, lanes.start)
    for i in group:
        stops[i] = _advance(block[i][1], results[i])
    return True


def _collective(stop: Collective, threads: dict[int, Thread], first: int) -> dict[int, Any]:
    values = {i: t.value(stop.args[0]) if stop.args else True for i, t in threads.items()}
    results: dict[int, Any] = {}
    for i, thread in threads.items():
        lane = i - first
        mask = 0xFFFFFFFF if stop.mask is None else int(thread.value(stop.mask))
        peers = [j for j in threads if mask >> (j - first) & 1]
        if stop.kind.startswith("shfl"):
            b, width = int(thread.value(stop.args[1])) & 31, int(thread.value(stop.args[2]))
            base = lane & ~(width - 1)
            top = base + width - 1
            source = {
                "shfl": base + (b & (width - 1)),
                "shfl_up": lane - b if lane - b >= base else lane,
                "shfl_down": lane + b if lane + b <= top else lane,
                "shfl_xor": lane ^ b if lane ^ b <= top else lane,
            }[stop.kind]
            results[i] = values.get(first + source, values[i])
        elif stop.kind == "all":
            results[i] = int(all(values[j] for j in peers))
        elif stop.kind == "any":
            results[i] = int(any(values[j] for j in peers))
        elif stop.kind in ("ballot", "activemask"):
            results[i] = sum(1 << (j - first) for j in peers if values[j])
        elif stop.kind == "match_any":
            results[i] = sum(1 << (j - first) for j in peers if values[j] == values[i])
        else:
            total = values[peers[0]]
            for j in peers[1:]:
                total = thread.reduced(stop.kind.removeprefix("reduce_"), total, values[j], stop.target.dtype)
            results[i] = total
    return results


__all__ = ["Poison", "run"]
