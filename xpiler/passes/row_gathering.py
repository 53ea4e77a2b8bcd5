"""What the rows of a product take from their source in pieces is gathered first, some rows at a time.

    for (r) parallel for (c) VECTOR:               for (r0; r0 += 64) parallel:
      for y: for x:                                  f32 rows[64 * Y * X];
        sum += (inside(r, y) ? a[g(r, y, x)] : 0)    for (r in r0..) for y: for x:
               * b[(y * X + x) * n + c]        -->     rows[(r - r0) * Y * X + y * X + x] = inside(r, y) ? ..
                                                     for (r in r0..) parallel for (c) VECTOR:
                                                       for f in 0..Y*X:
                                                         sum += rows[(r - r0) * Y * X + f] * b[f * n + c]

so that choices, digits of counters and strides are worked out once and not for every register of columns, and
the sum walks through memory (the lowering of convolutions to products, in pieces that fit a cache). For sums
of products whose factor of the row holds a choice or a digit, or is far from the next one; of memory that is
never written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import coefficient, linear
from xpiler.ir.build import add, and_, cast, const, div, eq, gt, le, maximum, minimum, mul, select, sub
from xpiler.ir.nodes import (
    EMPTY,
    Assign,
    Binary,
    Block,
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
    Var,
)
from xpiler.ir.rewrite import arrays_written, free_vars, map_expr, map_stmt, substitute, walk
from xpiler.ir.types import F32, I64
from xpiler.passes.aliasing import may_be_same, with_aliases
from xpiler.passes.contraction import without_values
from xpiler.passes.facts import mutable_vars
from xpiler.passes.folds import folded
from xpiler.passes.inside_ranges import inside_of
from xpiler.passes.knobs import Knob
from xpiler.passes.lane_ranges import conjuncts, opposite
from xpiler.passes.loop_flattening import flatten_loops
from xpiler.passes.names import Names
from xpiler.passes.padded_windows import Padded, padded_windows
from xpiler.passes.register_tile import tile_candidate
from xpiler.passes.split_digits import radix_of, split_digit
from xpiler.passes.tile_invariants import digits_before
from xpiler.passes.vectorize import FAR, Strides

ROWS_AT_ONCE = Knob(
    "row_gathering.rows", (0, 32, 64, 128), 64, "rows that are gathered at a time; 0: none are"
)

LONG_PIECE = 16  # elements of a row of a window


def gather_rows(function: Function) -> Function:
    """Everywhere in a function whose lanes are chosen."""
    return _gathered(function, windows_alone=False)


def pad_windows(function: Function) -> Function:
    """The same for windows of an array with borders, whose copy has its lanes already."""
    return _gathered(function, windows_alone=True)


def _gathered(function: Function, *, windows_alone: bool) -> Function:
    if not ROWS_AT_ONCE.value:
        return function
    written = with_aliases(arrays_written(function.body), may_be_same(function.params))
    gathering = _Gathering(Names(function), frozenset(written), mutable_vars(function), windows_alone)

    def change(stmt: Stmt) -> Stmt:
        return gathering.rows(stmt) if isinstance(stmt, For) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


@dataclass(frozen=True)
class _Factor:
    """A value in the sum that belongs to a row, with the loops of the sum around it, outermost first."""

    value: Load | Select
    sums: tuple[For, ...]


@dataclass
class _Gathering:
    names: Names
    written: frozenset[str]
    mutable: frozenset[str]
    windows_alone: bool

    def rows(self, rows: For) -> Stmt:
        """The loop, or what replaces it."""
        columns = tile_candidate(rows)
        if columns is None or rows.dtype != columns.dtype:
            return rows
        columns = replace(columns, body=_without_names(self._without_numbers(columns)))
        inside = {d.name for d in walk(columns.body) if isinstance(d, Decl)} | {columns.var} | self.mutable
        factors = [
            f
            for f in dict.fromkeys(self._factors(columns.body, ()))
            if not free_vars(f.value) & inside and self._is_worth_it(rows, f)
        ]
        windows = {f: padded_windows(rows, f.value, f.sums, self.names) for f in factors}
        if self.windows_alone:
            factors = [f for f in factors if windows[f] is not None]
        return self._gathered(rows, columns, factors, windows) if factors else rows

    def _without_numbers(self, columns: For) -> Block:
        """The body with what it declares first, and all its lanes have in common, put in where it is used."""
        values: dict[str, Expr] = {}
        body = list(columns.body.body)
        while body and isinstance(head := substitute(body[0], values), Decl):
            init = head.init
            if head.shape or not head.dtype.is_integer or head.name in self.mutable:
                break
            if not isinstance(init, Expr) or _loads(init) or columns.var in free_vars(init):
                break
            values[head.name] = init
            body.pop(0)
        return substitute(Block(tuple(body)), values)

    def _factors(self, block: Block, sums: tuple[For, ...]) -> Iterator[_Factor]:
        """Of products that every iteration of plain loops adds to a variable."""
        for stmt in block.body:
            match stmt:
                case For(body=body) if stmt.kind is not LoopKind.VECTOR and self._is_plain(stmt, sums):
                    yield from self._factors(body, (*sums, stmt))
                case Assign(target=Var(), value=value) if sums and folded(stmt) is not None:
                    yield from (_Factor(v, sums) for v in values_in(value))

    def _is_plain(self, loop: For, sums: Sequence[For]) -> bool:
        names = {s.var for s in sums} | self.mutable
        counts = loop.step == const(1, loop.dtype) and loop.start == const(0, loop.dtype)
        return counts and not free_vars(loop.stop) & names and not _loads(loop.stop)

    def _is_worth_it(self, rows: For, factor: _Factor) -> bool:
        value = factor.value
        used = free_vars(value)
        loads = [n for n in walk(value) if isinstance(n, Load)]
        if value.dtype != F32 or rows.var not in used or not used & {s.var for s in factor.sums}:
            return False
        if any(load.array in self.written or any(_loads(i) for i in load.index) for load in loads):
            return False
        if any(free_vars(s.stop) & {rows.var} for s in factor.sums):
            return False
        if isinstance(value, Select):
            return True
        divides = any(isinstance(n, Binary) and n.op in ("/", "%") for n in walk(value) if n is not value)
        return divides or _stride(value, factor.sums[-1].var) not in (0, 1)

    def _gathered(
        self,
        rows: For,
        columns: For,
        factors: Sequence[_Factor],
        windows: Mapping[_Factor, Padded | None],
    ) -> Stmt:
        at_once = const(_at_once(rows), rows.dtype)
        first = Var(rows.dtype, self.names.fresh(f"{rows.var}_first"))
        end = Var(rows.dtype, self.names.fresh(f"{rows.var}_end"))
        part = replace(rows, start=first, stop=end)
        body: list[Stmt] = [
            Decl(end.name, end.dtype, init=add(first, minimum(at_once, sub(rows.stop, first))))
        ]
        places: dict[Expr, Expr] = {}
        before: list[Stmt] = []
        for factor in factors:
            if factor.value in places:
                continue
            padded = windows[factor]
            if padded is None:
                body += self._fill(part, first, at_once, factor, places)
                continue
            before += padded.before
            body += self._begins(part, first, at_once, padded, factor, places)
        used = map_expr(columns.body, lambda e: places.get(e, e) if isinstance(e, (Load, Select)) else e)
        flat = flatten_loops(used, self.names)
        assert isinstance(flat, Block)
        body.append(replace(part, body=Block((replace(columns, body=flat),))))
        whole: Stmt = replace(
            rows, var=first.name, step=at_once, body=Block(tuple(body)), kind=LoopKind.PARALLEL
        )
        work = Block((*before, whole))
        holds = and_(*(padded.holds for f in factors if (padded := windows[f]) is not None))
        otherwise = replace(rows, kind=LoopKind.SERIAL)
        if self.windows_alone:  # loops over the pieces of a window, if these are long, cost less than a copy
            holds = and_(holds, *(le(_piece(f), const(LONG_PIECE, I64)) for f in factors))
            otherwise = rows
        if not isinstance(holds, Const):
            work = Block((If(holds, work, Block((otherwise,))),))
        runs = gt(columns.stop, columns.start)
        if not isinstance(runs, Const) or not runs.value:
            return If(runs, work, EMPTY)
        return work if before else whole

    def _begins(
        self,
        part: For,
        first: Var,
        at_once: Expr,
        padded: Padded,
        factor: _Factor,
        places: dict[Expr, Expr],
    ) -> list[Stmt]:
        """Where the elements of each row begin: in a table, if that is a matter of digits."""
        if not any(isinstance(n, Binary) and n.op in ("/", "%") for n in walk(padded.base)):
            places[factor.value] = Load(F32, padded.array, (add(padded.base, padded.place),))
            return []
        name = self.names.fresh(f"{padded.array}_from")
        row = cast(sub(Var(part.dtype, part.var), first), I64)
        begin = Load(I64, name, (row,))
        places[factor.value] = Load(F32, padded.array, (add(begin, padded.place),))
        fill = replace(part, body=Block((Assign(begin, padded.base),)), kind=LoopKind.PARALLEL)
        table = Decl(name, I64, (cast(at_once, I64),), Space.LOCAL)
        return [table, *(self._by_digit(fill) or [self._with_digits(fill)])]

    def _fill(
        self, part: For, first: Var, at_once: Expr, factor: _Factor, places: dict[Expr, Expr]
    ) -> list[Stmt]:
        """The array, and the loops that fill it: next to one another lies what does so in the source."""
        value, sums = factor.value, factor.sums
        load = next(n for n in walk(value) if isinstance(n, Load))
        name = self.names.fresh(f"{load.array}_rows")
        depth: Expr = const(1, I64)
        place: Expr = const(0, I64)
        for loop in sums:
            extent = cast(loop.stop, I64)
            depth, place = mul(depth, extent), add(mul(place, extent), cast(Var(loop.dtype, loop.var), I64))
        row = cast(sub(Var(part.dtype, part.var), first), I64)
        by_rows = _goes_on(load, sums) or coefficient(load.index[0], part.var) is None
        many = cast(at_once, I64)
        at = add(mul(row, depth), place) if by_rows else add(mul(place, many), row)
        gathered = Load(F32, name, (at,))
        places[value] = gathered
        array = Decl(name, F32, (mul(many, maximum(depth, const(0, I64))),), Space.LOCAL)
        if not by_rows:
            fill: Stmt = _nest([*sums, part], Assign(gathered, value))
            digits, (fill,) = digits_before([fill], frozenset(), self.names.fresh)
            return [array, *digits, *with_step_of_one(fill, load, part.var)]
        inside = inside_of(value, sums, self.names)
        if inside is None:
            fills: list[Stmt] = [_nest(sums, Assign(gathered, value))]
        else:
            f = Var(I64, self.names.fresh("f"))
            nothing = Assign(Load(F32, name, (add(mul(row, depth), f),)), inside.otherwise)
            zeros = For(
                f.name, I64, const(0, I64), depth, const(1, I64), Block((nothing,)), LoopKind.PARALLEL
            )
            values = {
                s.var: add(Var(s.dtype, s.var), low) for s, low in zip(sums, inside.starts, strict=True)
            }
            moved = substitute(Assign(gathered, inside.value), values)
            shifted = [replace(s, stop=n) for s, n in zip(sums, inside.lengths, strict=True)]
            copy = flatten_loops(_nest(shifted, moved), self.names)
            fills = [*inside.bounds, If(inside.partly, Block((zeros,)), EMPTY), copy]
        whole = replace(part, body=Block(tuple(fills)), kind=LoopKind.PARALLEL)
        return [array, *(self._by_digit(whole) or [self._with_digits(whole)])]

    def _with_digits(self, loop: For) -> For:
        """The loop with the digits of counters from outside at the beginning of its body."""
        digits, rest = digits_before(loop.body.body, frozenset(), self.names.fresh)
        return replace(loop, body=Block((*digits, *rest)))

    def _by_digit(self, part: For) -> list[Stmt] | None:
        """Some rows by the digits of their numbers, so that nothing is divided for each; None: these are no
        digits of a length with a name."""
        zero, one = const(0, part.dtype), const(1, part.dtype)
        radix = radix_of(part)
        if not isinstance(radix, Var) or radix.dtype != part.dtype:
            return None
        length = Var(radix.dtype, self.names.fresh(f"{radix.name}_or_one"))

        def divided_by_some(e: Expr) -> Expr:
            """Where the length is 0 nothing that is used is divided by it."""
            if not isinstance(e, Binary) or e.op not in ("/", "%") or e.left != Var(part.dtype, part.var):
                return e
            return replace(e, right=substitute(e.right, {radix.name: length}))

        counted = map_expr(replace(part, start=zero), divided_by_some)
        assert isinstance(counted, For)
        split = split_digit(counted, self.names)
        if split is None:
            return None
        *heads, low = split.body.body
        assert isinstance(low, For)
        before = mul(Var(part.dtype, split.var), length)
        start, stop = maximum(sub(part.start, before), zero), minimum(sub(part.stop, before), length)
        body = (*heads, replace(low, start=start, stop=stop))
        inner = self._with_digits(replace(split, body=Block(body)))
        rows = replace(inner, start=div(part.start, length), stop=add(div(sub(part.stop, one), length), one))
        return [Decl(length.name, length.dtype, init=maximum(radix, one)), rows]


def _without_names(body: Block) -> Block:
    """With factors that have names of their own in the sums put in where they are used, and choices that say
    where there is nothing saying where there is something."""

    def change(stmt: Stmt) -> Stmt:
        return replace(stmt, body=without_values(stmt.body)) if isinstance(stmt, For) else stmt

    def turned(e: Expr) -> Expr:
        match e:
            case Select(condition=condition, then=Const() as nothing, otherwise=Load() as value):
                return select(and_(*conjuncts(opposite(condition))), value, nothing)
        return e

    plain = map_stmt(body, change)
    assert isinstance(plain, Block)
    return map_expr(plain, turned)


def _piece(factor: _Factor) -> Expr:
    """Elements of a row of a window: those of its last two loops."""
    size: Expr = const(1, I64)
    for loop in factor.sums[-2:]:
        size = mul(size, cast(loop.stop, I64))
    return size


def _nest(loops: Sequence[For], stmt: Stmt) -> Stmt:
    for loop in reversed(loops):
        stmt = replace(loop, body=Block((stmt,)), kind=LoopKind.PARALLEL)
    return stmt


def _at_once(rows: For) -> int:
    most = ROWS_AT_ONCE.value
    if isinstance(rows.start, Const) and isinstance(rows.stop, Const):
        return min(most, int(rows.stop.value) - int(rows.start.value))
    return most


def _goes_on(load: Load, sums: Sequence[For]) -> bool:
    """Whether a step of the last counter but one leads to the element behind all those of the last one."""
    if len(sums) < 2 or _stride(load, sums[-1].var) != 1:
        return _stride(load, sums[-1].var) == 1
    high, extent = coefficient(load.index[0], sums[-2].var), linear(sums[-1].stop)
    return high is not None and high == extent


def with_step_of_one(fill: Stmt, load: Load, row: str) -> list[Stmt]:
    """Once more for rows that are neighbours, where a variable says how far from one another they are."""
    step = coefficient(load.index[0], row)
    match step.terms if step is not None else ():
        case (((Var(name=name, dtype=dtype),), 1),):
            close = substitute(fill, {name: const(1, dtype)})
            return [If(eq(Var(dtype, name), const(1, dtype)), Block((close,)), Block((fill,)))]
    return [fill]


def values_in(value: Expr) -> Iterator[Load | Select]:
    """Loads and choices that the value is made of by arithmetic."""
    match value:
        case Load() | Select():
            yield value
        case Binary(op=op, left=left, right=right) if op not in ("&&", "||"):
            yield from values_in(left)
            yield from values_in(right)


def _stride(load: Expr, var: str) -> int:
    strides = Strides(var)
    (load,) = [n for n in walk(load) if isinstance(n, Load)][:1]
    return FAR if len(load.index) != 1 else strides.of(load.index[0])


def _loads(expr: Expr) -> bool:
    return any(isinstance(n, Load) for n in walk(expr))
