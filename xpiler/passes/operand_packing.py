"""An operand that lies crosswise is copied once into the order in which lanes want it.

    parallel pixel: parallel channel:                     f32 packed[...];
      f32 sum = 0;                                        vector channel: for k:
      for k: sum += x[pixel, k] * w[channel * K + k]        packed[(channel / 16 * K + k) * 16 + channel % 16]
      y[pixel, channel] = sum                      -->        = w[channel * K + k];
                                                          parallel pixel: vector channel: f32 sum = 0;
                                                            for k: sum += x[pixel, k] * packed[...];
                                                            y[pixel, channel] = sum

Sums of products of which every factor is the same for all lanes, or that of neighbouring lanes are
neighbours, or that can be packed so: because it is read whatever the data are, the nest does not write it,
and another loop of the nest reads it again. Panels of 16 columns, as in Goto's and van de Geijn's products of
matrices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from xpiler.ir.build import add, and_, cast, ceil_div, const, div, gt, mod, mul
from xpiler.ir.nodes import (
    EMPTY,
    Assign,
    Binary,
    Block,
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
    Select,
    Space,
    Stmt,
    Unary,
    Var,
)
from xpiler.ir.rewrite import arrays_written, free_vars, map_expr, walk
from xpiler.ir.types import F32, I64
from xpiler.passes.aliasing import Aliases, may_be_same, with_aliases
from xpiler.passes.facts import mutable_vars
from xpiler.passes.folds import folded
from xpiler.passes.knobs import Knob
from xpiler.passes.lane_gathering import LaneGathering, stores_contiguously
from xpiler.passes.names import Names
from xpiler.passes.split_digits import split_digit
from xpiler.passes.turned_panels import turned
from xpiler.passes.vectorize import FAR, INDEPENDENT, Strides, rebuilt

PACK = Knob("operand_packing.on", (0, 1), 1, "whether operands that lie crosswise are packed")
LANES = 16


def pack_operands(function: Function) -> Function:
    """All nests of the function that sum products."""
    if not PACK.value:
        return function
    shapes = {d.name: d.shape for d in walk(function.body) if isinstance(d, Decl) and d.shape}
    packing = _Packing(Names(function), may_be_same(function.params), mutable_vars(function), shapes)

    def outer(block: Block) -> Block:
        out: list[Stmt] = []
        for stmt in block.body:
            packed = packing.nest(stmt) if isinstance(stmt, For) else None
            if packed is not None:
                out += packed
                continue
            match stmt:
                case For(body=body):
                    out.append(replace(stmt, body=outer(body)))
                case If(then=then, otherwise=otherwise):
                    out.append(replace(stmt, then=outer(then), otherwise=outer(otherwise)))
                case Block():
                    out.append(outer(stmt))
                case _:
                    out.append(stmt)
        return replace(block, body=tuple(out))

    body = outer(function.body)
    return function if body == function.body else replace(function, body=body)


@dataclass(frozen=True)
class _Operand:
    """A load in the sum, with the loops of the sum around it, outermost first."""

    load: Load
    sums: tuple[For, ...]


@dataclass
class _Packing:
    names: Names
    aliases: Aliases
    mutable: frozenset[str]
    shapes: Mapping[str, tuple[Expr, ...]]

    def nest(self, loop: For) -> list[Stmt] | None:
        """What replaces the nest at `loop`; None if it is no sum of products or is as good as it is."""
        nest, heads = _nest_of(loop, self.mutable)
        if len(nest) < 2 or any(n.step != const(1, n.dtype) or n.start != const(0, n.dtype) for n in nest):
            return None
        counters = {n.var for n in nest}
        if any(free_vars(n.stop) & counters or _loads(n.stop) for n in nest):
            return None
        if any(free_vars(n.stop) & {head.name for head in heads} for n in nest):
            return None
        body = self._with_digits(replace(nest[-1].body, body=(*heads, *nest[-1].body.body)))
        operands = list(self._operands(body, ()))
        if not operands or any(isinstance(s, Decl) and s.shape for s in walk(body)):
            return None
        possible = (self._plan(nest, at, body, operands) for at in range(len(nest)))
        plans = [plan for plan in possible if plan is not None]
        if not plans:
            return None
        at, crosswise = min(plans, key=lambda plan: self._cost(nest, plan))
        if not crosswise:
            return None  # lanes and tiles are found as they are
        if not stores_contiguously(nest[at], body):
            written = with_aliases(arrays_written(nest[0]), self.aliases)
            gathered = LaneGathering(self.names, frozenset(written), self.mutable).gathered(nest, body)
            if gathered is not None:
                return gathered
        return self._written(nest, at, body, crosswise)

    def _with_digits(self, body: Block) -> Block:
        """Sums over a number that is taken apart as sums over its digits, in the same order."""
        out: list[Stmt] = []
        for stmt in body.body:
            if isinstance(stmt, For) and stmt.kind not in INDEPENDENT and stmt.step == const(1, stmt.dtype):
                while (split := split_digit(stmt, self.names)) is not None:
                    stmt = split
            out.append(stmt)
        return replace(body, body=tuple(out))

    def _operands(self, block: Block, sums: tuple[For, ...]) -> Iterator[_Operand]:
        """Factors of what is summed into variables."""
        for stmt in block.body:
            match stmt:
                case For(body=body) if stmt.kind is not LoopKind.VECTOR:
                    yield from self._operands(body, (*sums, stmt))
                case If(then=then, otherwise=otherwise):
                    yield from self._operands(then, sums)
                    yield from self._operands(otherwise, sums)
                case Decl(shape=(), init=Expr() as value) if sums:
                    yield from (_Operand(n, sums) for n in walk(value) if isinstance(n, Load))
                case Assign(target=Var(), value=value) if sums and folded(stmt) is not None:
                    yield from (_Operand(n, sums) for n in walk(value) if isinstance(n, Load))

    # ------------------------------------------------------------------------------------ which lanes

    def _plan(
        self, nest: Sequence[For], at: int, body: Block, operands: Sequence[_Operand]
    ) -> tuple[int, tuple[_Operand, ...]] | None:
        """The loop at `at` as lanes, and what has to be packed for it; None if that cannot be."""
        strides = Strides(nest[at].var)
        strides.block(body, 0)
        certain = set(_certain(body))
        crosswise: list[_Operand] = []
        for operand in operands:
            *outer, last = (strides.of(i) for i in operand.load.index)
            stride = FAR if any(outer) else last
            if stride in (0, 1):
                continue
            if operand.load not in certain or not self._packable(nest, at, operand):
                return None
            if operand not in crosswise:
                crosswise.append(operand)
        if not any(strides.of(i) for o in operands for i in o.load.index):
            return None
        if any(isinstance(n, (If, Select)) and strides.of(n.condition) for n in walk(body)):
            return None
        return at, tuple(crosswise)

    def _packable(self, nest: Sequence[For], at: int, operand: _Operand) -> bool:
        load = operand.load
        written = with_aliases(arrays_written(nest[0]), self.aliases)
        if load.dtype != F32 or load.array in written or any(_loads(i) for i in load.index):
            return False
        free = frozenset().union(*(free_vars(i) for i in load.index))
        counters, sums = {n.var for n in nest}, {s.var for s in operand.sums}
        inner = {d.name for d in walk(nest[-1].body) if isinstance(d, Decl)}
        if free & (inner | self.mutable) or not any(n.var not in free for n in nest):
            return False
        for loop in operand.sums:
            if loop.step != const(1, loop.dtype) or loop.start != const(0, loop.dtype):
                return False
            if free_vars(loop.stop) & (counters | sums | inner | self.mutable) or _loads(loop.stop):
                return False
        return True

    @staticmethod
    def _cost(nest: Sequence[For], plan: tuple[int, tuple[_Operand, ...]]) -> tuple[int, int, int]:
        """Little to pack, few loops that it depends on, and lanes that the program had innermost."""
        at, crosswise = plan
        depends = sum(n.var in free_vars(i) for o in crosswise for i in o.load.index for n in nest)
        return len(crosswise), depends, -at

    # ------------------------------------------------------------------------------------ the new nest

    def _written(
        self, nest: list[For], at: int, body: Block, crosswise: Sequence[_Operand]
    ) -> list[Stmt] | None:
        lanes = nest[at]
        free = frozenset().union(*(free_vars(i) for o in crosswise for i in o.load.index))
        around = [n for n in nest if n.var in free and n is not lanes]
        others = [n for n in nest if n.var not in free and n is not lanes]
        packing: list[Stmt] = []
        places: dict[Load, Load] = {}
        for operand in crosswise:
            if operand.load not in places:
                packing += self._panel(lanes, operand, others, places)
        used = map_expr(body, lambda e: places.get(e, e) if isinstance(e, Load) else e)
        assert isinstance(used, Block)
        inner = [*others, replace(lanes, kind=LoopKind.VECTOR)]
        work = Block((*packing, rebuilt(inner, used, len(inner) - 1)))
        for loop in reversed(around):
            work = Block((replace(loop, body=work, kind=LoopKind.PARALLEL),))
        return list(work.body)

    def _panel(
        self, lanes: For, operand: _Operand, others: Sequence[For], places: dict[Load, Load]
    ) -> list[Stmt]:
        """The array, and the loops that fill it."""
        load, name = operand.load, self.names.fresh(f"{operand.load.array}_packed")
        depth: Expr = const(1, I64)
        row: Expr = const(0, I64)
        for loop in operand.sums:
            extent = cast(loop.stop, I64)
            depth, row = mul(depth, extent), add(mul(row, extent), cast(Var(loop.dtype, loop.var), I64))
        column = Var(lanes.dtype, lanes.var)
        sixteen = const(LANES, lanes.dtype)
        panel = cast(div(column, sixteen), I64)
        place = add(mul(add(mul(panel, depth), row), const(LANES, I64)), cast(mod(column, sixteen), I64))
        places[load] = Load(load.dtype, name, (place,))
        fill: Stmt | None = turned(lanes, load, operand.sums, name, self.shapes.get(load.array, ()))
        if fill is None:
            copy: Stmt = Assign(places[load], load)
            for loop in reversed(operand.sums):
                copy = replace(loop, body=Block((copy,)), kind=LoopKind.SERIAL)
            fill = replace(lanes, body=Block((copy,)), kind=LoopKind.VECTOR)
        runs = [gt(n.stop, const(0, n.stop.dtype)) for n in others if not isinstance(n.stop, Const)]
        if runs:  # what nobody reads need not be there
            fill = If(and_(*runs), Block((fill,)), EMPTY)
        size = mul(mul(cast(ceil_div(lanes.stop, sixteen), I64), const(LANES, I64)), depth)
        return [Decl(name, load.dtype, (size,), Space.LOCAL), fill]


def _nest_of(loop: For, mutable: frozenset[str]) -> tuple[list[For], list[Decl]]:
    """The independent loops directly inside one another but for numbers that are computed in between, and
    these numbers."""
    nest, heads = [loop], list[Decl]()
    while nest[-1].kind in INDEPENDENT:
        *between, inner = nest[-1].body.body or (nest[-1],)
        numbers = [s for s in between if isinstance(s, Decl) and _is_number(s, mutable)]
        if inner is nest[-1] or not isinstance(inner, For) or inner.kind not in INDEPENDENT:
            break
        if len(numbers) < len(between):
            break
        heads += numbers
        nest.append(inner)
    return nest, heads


def _is_number(decl: Decl, mutable: frozenset[str]) -> bool:
    integer = not decl.shape and decl.dtype.is_integer and decl.name not in mutable
    return integer and isinstance(decl.init, Expr) and not _loads(decl.init)


def _certain(body: Block) -> Iterator[Load]:
    """Loads that every iteration does, whatever the data are."""
    for stmt in body.body:
        match stmt:
            case For():
                yield from _certain(stmt.body)
            case Block():
                yield from _certain(stmt)
            case Assign(value=value) | Decl(init=Expr() as value):
                yield from _of(value)


def _of(value: Expr) -> Iterator[Load]:
    match value:
        case Load():
            yield value
        case Binary(op=op, left=left, right=right) if op not in ("&&", "||"):
            yield from _of(left)
            yield from _of(right)
        case Unary(operand=operand) | Cast(operand=operand):
            yield from _of(operand)
        case Call(args=args):
            for arg in args:
                yield from _of(arg)


def _loads(expr: Expr) -> bool:
    return any(isinstance(n, Load) for n in walk(expr))
