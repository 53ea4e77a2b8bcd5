"""An array whose elements all have the same value at any time becomes one element.

    float top[32], peak[32];                        float top, peak;
    threads t in 0..32: peak[t] = -inf              peak = -inf
    for k:                                          for k:
      top[0] = m; ... top[31] = m            -->      top = m
      threads t in 0..32:                             top = max(top, peak)
        top[t] = max(top[t], peak[t])                 threads t in 0..32: p[t] = exp(s[t] - top)
        p[t] = exp(s[t] - top[t])                     peak = top
        peak[t] = top[t]

What every thread of a warp computes of what all of them have is an array once threads are loops. Of local
arrays, along a dimension that is written by independent loops over all of it alone, with values that do not
depend on the counter but by such arrays. What is computed once then leaves the loop, in its order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from xpiler.ir.build import const, is_const
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Block,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    LoopKind,
    Ref,
    Space,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import arrays_written, children, free_vars, map_expr, map_stmt, walk, walk_stmts
from xpiler.ir.types import I32, DType
from xpiler.passes.names import Names
from xpiler.passes.vectorize import INDEPENDENT

Dimension = tuple[str, int]  # of an array


def collapse_uniform(function: Function) -> Function:
    """All such arrays of the function. What is stored to all elements one by one is a loop in any case."""
    while True:
        rolled = _rolled(function)
        found = _Uniform.of(rolled).solved()
        if not found:
            return rolled
        function = _collapsed(rolled, found)


def _rolled(function: Function) -> Function:
    """Stores of one value to all elements of a dimension, one after the other, as a loop."""
    shapes = _shapes(function)
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Block):
            return stmt
        out: list[Stmt] = []
        at = 0
        while at < len(stmt.body):
            count = _fill(stmt.body[at:], shapes)
            first = stmt.body[at]
            if count > 1 and isinstance(first, Assign) and isinstance(first.target, Load):
                counter = Var(I32, names.fresh("element"))
                place = replace(first.target, index=(*first.target.index[:-1], counter))
                body = Block((replace(first, target=place),))
                zero, one, end = const(0), const(1), const(count)
                out.append(For(counter.name, I32, zero, end, one, body, LoopKind.PARALLEL))
                at += count
            else:
                out.append(first)
                at += 1
        return replace(stmt, body=tuple(out)) if len(out) < len(stmt.body) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _fill(stmts: tuple[Stmt, ...], shapes: dict[str, tuple[int, ...]]) -> int:
    """How many statements store the same to all elements of a row, from its first on; 0 if they do not."""
    first = stmts[0]
    if not isinstance(first, Assign) or not isinstance(first.target, Load) or first.reduce is not None:
        return 0
    place, shape = first.target, shapes.get(first.target.array)
    if shape is None or len(place.index) != len(shape) or len(stmts) < shape[-1]:
        return 0
    if any(isinstance(n, Load) for e in (first.value, *place.index) for n in walk(e)):
        return 0
    for number, stmt in enumerate(stmts[: shape[-1]]):
        match stmt:
            case Assign(target=Load(array=place.array, index=index), value=value, reduce=None):
                if value != first.value or index[:-1] != place.index[:-1] or not is_const(index[-1], number):
                    return 0
            case _:
                return 0
    return shape[-1]


def _shapes(function: Function) -> dict[str, tuple[int, ...]]:
    """Local arrays of known extents that are declared once."""
    found: dict[str, tuple[int, ...]] = {}
    seen: set[str] = set()
    for decl in walk_stmts(function.body):
        if not isinstance(decl, Decl):
            continue
        sizes = tuple(int(e.value) for e in decl.shape if isinstance(e, Const))
        plain = decl.space in (Space.LOCAL, Space.SHARED) and decl.init is None
        if plain and sizes and len(sizes) == len(decl.shape) and decl.name not in seen:
            found[decl.name] = sizes
        elif decl.name in seen:
            found.pop(decl.name, None)
        seen.add(decl.name)
    return found


@dataclass(frozen=True)
class _Write:
    """An assignment to an element, with what is around it, outermost first."""

    target: Load
    value: Expr
    around: tuple[Stmt, ...]


@dataclass
class _Uniform:
    """Dimensions along which all elements are taken to be alike; `solved` drops those that may not be."""

    function: Function
    shapes: dict[str, tuple[int, ...]]
    writes: list[_Write]
    assumed: set[Dimension] = field(default_factory=set)

    @classmethod
    def of(cls, function: Function) -> _Uniform:
        shapes = _shapes(function)
        dtypes: dict[str, set[DType]] = defaultdict(set)
        for decl in walk_stmts(function.body):
            if isinstance(decl, Decl):
                dtypes[decl.name].add(decl.dtype)
        for node in walk(function.body):
            match node:
                case Ref(array=array):
                    shapes.pop(array, None)
                case Atomic(place=place):
                    shapes.pop(place.array, None)
                case Load(array=array, index=index, dtype=dtype):
                    if len(index) != len(shapes.get(array, ())) or dtype not in dtypes[array]:
                        shapes.pop(array, None)
        writes = list(_writes(function.body, ()))
        written = {write.target.array for write in writes}
        assumed = {
            (a, k) for a, shape in shapes.items() for k, size in enumerate(shape) if size > 1 and a in written
        }
        return cls(function, shapes, writes, assumed)

    def solved(self) -> set[Dimension]:
        while True:
            wrong = {d for write in self.writes for d in self._wrong(write)}
            wrong |= {d for d in self.assumed if (d[0], d[1] + 1) in self.assumed} if not wrong else set()
            wrong |= self._inseparable() if not wrong else set()
            if not wrong:
                return self.assumed
            self.assumed -= wrong

    def _wrong(self, write: _Write) -> Iterator[Dimension]:
        """Dimensions of the array that is written along which this need not be the same."""
        array = write.target.array
        for k, index in enumerate(write.target.index):
            if (array, k) not in self.assumed:
                continue
            loop, inside = _loop_of(index, write.around)
            if loop is None or not self._whole(loop, self.shapes[array][k]):
                yield array, k
                continue
            others = [i for n, i in enumerate(write.target.index) if n != k]
            exprs = [write.value, *others, *(e for s in inside for e in _controls(s))]
            if not all(self.same(e, loop) for e in exprs) or any(isinstance(s, While) for s in inside):
                yield array, k

    @staticmethod
    def _whole(loop: For, size: int) -> bool:
        bounds = is_const(loop.start, 0) and is_const(loop.stop, size) and is_const(loop.step, 1)
        return bounds and loop.kind in INDEPENDENT

    def same(self, expr: Expr, loop: For) -> bool:
        """Whether a value does not depend on which iteration of the loop computes it."""
        return not self._depends(expr, loop.var, self._varying(loop))

    def _depends(self, expr: Expr, counter: str, varying: set[str]) -> bool:
        match expr:
            case Var(name=name):
                return name == counter or name in varying
            case Load(array=array, index=index):
                own = [
                    (array, k) in self.assumed and isinstance(i, Var) and i.name == counter
                    for k, i in enumerate(index)
                ]
                if array in varying and not any(own):
                    return True
                others = (i for i, alike in zip(index, own, strict=True) if not alike)
                return any(self._depends(i, counter, varying) for i in others)
        return any(isinstance(c, Expr) and self._depends(c, counter, varying) for c in children(expr))

    def _varying(self, loop: For) -> set[str]:
        """Scalars of an iteration that are not computed once from what all iterations have, and arrays that
        an iteration declares or writes: but where its element is like all others, they hold what is its."""
        varying = set(arrays_written(loop.body))
        varying |= {s.name for s in walk_stmts(loop.body) if isinstance(s, Decl) and s.shape}
        for stmt in walk_stmts(loop.body):
            match stmt:
                case Assign(target=Var(name=name)) | Atomic(target=Var(name=name)):
                    varying.add(name)
        top = {id(s) for s in loop.body.body}
        for stmt in walk_stmts(loop.body):
            match stmt:
                case Decl(name=name, shape=(), init=init):
                    if not (isinstance(init, Expr) and id(stmt) in top) or self._depends(
                        init, loop.var, varying
                    ):
                        varying.add(name)
                case For(var=name, start=start, stop=stop, step=step):
                    if any(self._depends(e, loop.var, varying) for e in (start, stop, step)):
                        varying.add(name)
        return varying

    def _inseparable(self) -> set[Dimension]:
        """Dimensions that are written where the loop cannot be taken apart."""
        found: set[Dimension] = set()
        for loop in walk_stmts(self.function.body):
            if isinstance(loop, For) and (own := self.written_along(loop.body, loop.var)):
                if self.parts(loop) is None:
                    found |= own
                reads = (n for n in walk(loop.body) if isinstance(n, Load))
                found |= {
                    (array, k)
                    for load in reads
                    for array, k in own
                    if load.array == array and load.index[k] != Var(load.index[k].dtype, loop.var)
                }
        return found

    def written_along(self, body: Stmt, counter: str) -> set[Dimension]:
        """Dimensions that statements write by a counter."""
        return {
            (s.target.array, k)
            for s in walk_stmts(body)
            if isinstance(s, Assign) and isinstance(s.target, Load)
            for k, i in enumerate(s.target.index)
            if (s.target.array, k) in self.assumed and isinstance(i, Var) and i.name == counter
        }

    def parts(self, loop: For) -> list[tuple[bool, list[Stmt]]] | None:
        """The body in pieces that are for all iterations at once (True) or for each; None if one is both."""
        varying = self._varying(loop)
        parts: list[tuple[bool, list[Stmt]]] = []
        for stmt in loop.body.body:
            once = self._once(stmt, loop, varying)
            if once is None:
                return None
            if parts and parts[-1][0] == once:
                parts[-1][1].append(stmt)
            else:
                parts.append((once, [stmt]))
        each = [stmts for once, stmts in parts if not once]
        declared: set[str] = set()
        for stmts in each:
            if any(free_vars(s) & declared for s in stmts):
                return None
            declared |= {s.name for s in stmts if isinstance(s, Decl)}
            if any(isinstance(s, Decl) and s.shape for s in stmts) and len(each) > 1:
                return None
        return parts

    def _once(self, stmt: Stmt, loop: For, varying: set[str]) -> bool | None:
        if isinstance(stmt, Decl) and not stmt.shape:
            return stmt.name not in varying
        stores = [s for s in walk_stmts(stmt) if isinstance(s, Assign) and isinstance(s.target, Load)]
        own = [s for s in stores if self.written_along(s, loop.var)]
        if not own:
            return False
        kinds = (Assign, If, For, Block)
        if len(own) < len(stores) or not all(isinstance(s, kinds) for s in walk_stmts(stmt)):
            return None
        return None if any(isinstance(s, Assign) and isinstance(s.target, Var) for s in walk(stmt)) else True


def _writes(stmt: Stmt, around: tuple[Stmt, ...]) -> Iterator[_Write]:
    match stmt:
        case Assign(target=Load() as target, value=value):
            yield _Write(target, value, around)
        case Instr(operands=operands):
            assert not any(isinstance(o, Load) for o in operands)
        case Block():
            for inner in stmt.body:
                yield from _writes(inner, around)
        case For(body=body):
            yield from _writes(body, (*around, stmt))
        case If(then=then, otherwise=otherwise):
            yield from _writes(then, (*around, stmt))
            yield from _writes(otherwise, (*around, stmt))
        case While(body=body, advance=advance):
            yield from _writes(body, (*around, stmt))
            yield from _writes(advance, (*around, stmt))


def _loop_of(index: Expr, around: tuple[Stmt, ...]) -> tuple[For | None, tuple[Stmt, ...]]:
    """The loop that counts an index, and what is between it and the access."""
    for at, stmt in enumerate(around):
        if isinstance(stmt, For) and isinstance(index, Var) and stmt.var == index.name:
            return stmt, around[at + 1 :]
    return None, ()


def _controls(stmt: Stmt) -> tuple[Expr, ...]:
    match stmt:
        case For(start=start, stop=stop, step=step):
            return start, stop, step
        case If(condition=condition) | While(condition=condition):
            return (condition,)
    return ()


def _collapsed(function: Function, found: set[Dimension]) -> Function:
    solved = _Uniform(function, _shapes(function), [], found)

    def take_apart(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        if not isinstance(stmt, For) or not solved.written_along(stmt.body, stmt.var):
            return stmt
        parts = solved.parts(stmt)
        assert parts is not None
        out: list[Stmt] = []
        for once, stmts in parts:
            out += stmts if once else [replace(stmt, body=Block(tuple(stmts)))]
        return tuple(out)

    def without(load: Load) -> Load | Var:
        kept = tuple(i for k, i in enumerate(load.index) if (load.array, k) not in found)
        if len(kept) == len(load.index):
            return load
        return replace(load, index=kept) if kept else Var(load.dtype, load.array)

    def declared(stmt: Stmt) -> Stmt:
        if isinstance(stmt, Decl) and stmt.shape:
            shape = tuple(e for k, e in enumerate(stmt.shape) if (stmt.name, k) not in found)
            return replace(stmt, shape=shape) if len(shape) < len(stmt.shape) else stmt
        return stmt

    body = map_stmt(function.body, take_apart)
    body = map_expr(
        body,
        lambda e: without(e) if isinstance(e, Load) else e,
        lambda t: without(t) if isinstance(t, Load) else t,
    )
    body = map_stmt(body, declared)
    assert isinstance(body, Block)
    return replace(function, body=body)
