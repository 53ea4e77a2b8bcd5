"""Register tiles: several rows and several registers of columns are computed together, and share their loads.

    for (r) for (c) VECTOR {          for (r; r += 8) for (c; c += 32) VECTOR {
      acc = 0;                          acc_0_0 = 0; ... acc_7_1 = 0;
      for (k)                  -->      for (k) {
        acc += A[r,k] * B[k,c];           B_0 = B[k,c]; B_1 = B[k,c + 16];
      C[r,c] = acc;                       A_0 = A[r,k]; acc_0_0 += A_0 * B_0; acc_0_1 += A_0 * B_1; ... }
    }                                   C[r,c] = acc_0_0; ... }      and loops for the rows and columns
    left over

Unroll-and-jam of two loops with independent iterations around a serial one. Applies to any such nest
(products of matrices, convolutions, distances) whose copies of the body then have loads in common, or that
sums over a window, so that its short loops are gone through for several rows at a time.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, replace

from xpiler.ir.build import add, and_, cast, const, div, eq, ge, gt, lt, mod, mul, ne, select, sub
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Break,
    Call,
    Cast,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    If,
    Load,
    LoopKind,
    Return,
    Select,
    Stmt,
    Unary,
    Var,
)
from xpiler.ir.rewrite import (
    arrays_read,
    arrays_written,
    assigned_vars,
    free_vars,
    map_expr,
    map_stmt,
    rename,
    substitute,
    walk,
)
from xpiler.ir.types import BOOL, F32
from xpiler.passes.knobs import Knob
from xpiler.passes.sync import leaves_loop
from xpiler.passes.tile_invariants import conditions_before, digits_before, without_zero_divisors

LANES = 16
WIDE = Knob("register_tile.wide", (1, 2, 4), 4, "registers of columns where rows share nothing")
SHORT = 12  # statements of a body that is written several times
FEW_LOADED = 4  # rows of a tile in which every product loads a register of its own
HEIGHTS = (8, 4, 3, 2)  # of tiles for rows that are left over
ROWS = Knob("register_tile.rows", (1, 2, 4, 6, 8, 10, 12, 14), 8, "rows of a tile")
ACCUMULATORS = 28  # registers of sums in a tile: of 32
# 3 are 2 to 5 % faster, and make a text so long that it is not shown equal in the time there is for that
REGISTERS = Knob("register_tile.registers", (1, 2, 3, 4), 2, "registers of columns of a tile")


def tile_candidate(loop: For) -> For | None:
    """The vector loop directly inside a loop of rows if the two can be tiled, else None."""
    if loop.kind not in (LoopKind.PARALLEL, LoopKind.THREADS) or loop.step != Const(loop.step.dtype, 1):
        return None
    if len(loop.body.body) != 1:
        return None
    columns = loop.body.body[0]
    if not isinstance(columns, For) or columns.kind is not LoopKind.VECTOR or not _one(columns.step):
        return None
    if _mentions(columns.start, loop.var) or _mentions(columns.stop, loop.var):
        return None
    body = columns.body
    if any(isinstance(s, Decl) and s.shape for s in walk(body)):
        return None
    names = {loop.var, columns.var} | _scalars(body)
    sums = [s for s in body.body if isinstance(s, For) and _jams(s, names) and _accumulates(s)]
    if not sums or any(_depth(s) > 3 or _masks(s, columns.var) for s in sums):
        return None
    extent = _extent(loop)
    return columns if extent is None or extent >= 4 else None


def tiled(rows: For, columns_first: bool = False) -> tuple[Stmt, ...] | None:
    """The loops that replace `rows` and the vector loop in it; None if the rows share neither loads nor short
    loops: each would be written out for nothing. `columns_first`: tiles of the same columns follow one
    another, so that what these columns read stays in the first cache; then no threads share the rows. That is
    for columns of an operand that all rows read: others are read once, and best in the order of memory."""
    columns = tile_candidate(rows)
    if columns is None or not _short(columns.body):
        return None
    extent = _extent(rows)
    product = _rows_have_own(rows, columns)
    most = ROWS.value if product else min(ROWS.value, FEW_LOADED)
    most = min(most, max(1, ACCUMULATORS // (_summed(columns.body) * REGISTERS.value)))
    height = most if extent is None or extent >= most else extent
    fresh = _fresh({n.name for n in walk(rows) if isinstance(n, (Var, Decl))} | {columns.var, rows.var})
    if not _worth_it(rows, columns, height):
        return None
    columns_first = columns_first and product
    tiles = _columns_outside if columns_first else _rows_outside
    if extent is not None:
        end = add(rows.start, const(extent - extent % height, rows.dtype))
        whole = tiles(replace(rows, stop=end), columns, height, fresh, _no_more)
        left = _left_over(rows, columns, end, extent % height, fresh) if extent % height else ()
        return (*whole, *left)
    rest = Var(rows.dtype, fresh(f"{rows.var}_rest"))
    decl = Decl(rest.name, rest.dtype, init=_rounded(rows, height))
    most_rows = replace(rows, stop=rest)
    if most <= FEW_LOADED:  # the few that are left over gain little
        last = replace(rows, start=rest, kind=LoopKind.SERIAL)
        return (decl, *tiles(most_rows, columns, height, fresh, _no_more), last)
    few = _few_rows(rows, columns, rest, height, fresh)
    if columns_first:
        return (decl, *few.heads, *tiles(most_rows, columns, height, fresh, few.tiles), few.last)
    behind = _across(columns, few.tiles, fresh) if few.tiles is not _no_more else ()
    return (decl, *tiles(most_rows, columns, height, fresh, _no_more), *few.heads, *behind, few.last)


def _worth_it(rows: For, columns: For, height: int) -> bool:
    """Whether the copies of the body share loads, or short loops."""
    shared = _columns(rows, columns, height, 1 if height > 1 else REGISTERS.value, None)[1]
    return shared > 0 or _in_windows(columns.body)


Tile = Callable[[int, Var | None], tuple[Stmt, ...]]
"""The body of a tile: with so many registers in a row, and what says which lanes of the last one are there
(None: all)."""


def _no_more(registers: int, live: Var | None) -> tuple[Stmt, ...]:
    return ()


def _rows_outside(
    rows: For, columns: For, height: int, fresh: Callable[[str], str], more: Tile
) -> tuple[Stmt, ...]:
    """The loop over tiles of so many rows, all of which there are."""

    def tile(registers: int, live: Var | None) -> tuple[Stmt, ...]:
        return (*_columns(rows, columns, height, registers, live)[0], *more(registers, live))

    body = Block(_across(columns, tile, fresh))
    return (replace(rows, step=const(height, rows.dtype), body=body),)


def _columns_outside(
    rows: For, columns: For, height: int, fresh: Callable[[str], str], more: Tile
) -> tuple[Stmt, ...]:
    """The same with the loop over the columns outside, and behind the tiles `more` of the same columns."""

    def tile(registers: int, live: Var | None) -> tuple[Stmt, ...]:
        body = _columns(rows, columns, height, registers, live)[0]
        digits, stmts = digits_before(body, frozenset(), fresh)
        down = replace(
            rows, step=const(height, rows.dtype), body=Block((*digits, *stmts)), kind=LoopKind.SERIAL
        )
        return (down, *more(registers, live))

    return _across(columns, tile, fresh)


def _left_over(
    rows: For, columns: For, start: Expr, count: int, fresh: Callable[[str], str]
) -> tuple[Stmt, ...]:
    """So many rows from `start` on, in a tile of their own."""
    if count == 1:
        return (replace(rows, start=start, kind=LoopKind.SERIAL),)
    return _rows_outside(replace(rows, start=start), columns, count, fresh, _no_more)


@dataclass(frozen=True)
class _FewRows:
    """Fewer rows than a tile has: numbers that say which, lower tiles below one another, which read the same
    columns, and a last row, which goes through the columns by itself."""

    heads: tuple[Stmt, ...]
    tiles: Tile
    last: Stmt


def _few_rows(rows: For, columns: For, rest: Var, height: int, fresh: Callable[[str], str]) -> _FewRows:
    """The rows from `rest` on."""
    starts: list[tuple[Expr, Var, int]] = []  # whether there is such a tile, its first row, its height
    heads: list[Stmt] = []
    here = rest
    for rows_of in (h for h in HEIGHTS if h < height):
        number, left = const(rows_of, rows.dtype), sub(rows.stop, here)
        there = ge(left, number)
        if rows_of > 3:  # 5 rows are 3 and 2: one by itself waits for its sums
            there = and_(there, ne(left, const(rows_of + 1, rows.dtype)))
        behind = Var(rows.dtype, fresh(f"{rows.var}_rest"))
        heads.append(Decl(behind.name, behind.dtype, init=select(there, add(here, number), here)))
        starts.append((lt(here, behind), here, rows_of))
        here = behind

    def tiles(registers: int, live: Var | None) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        for there, start, rows_of in starts:
            body, _ = _columns(rows, columns, rows_of, registers, live)
            out.append(If(there, substitute(Block(body), {rows.var: start})))
        return tuple(out)

    last = replace(rows, start=here, kind=LoopKind.SERIAL)
    return _FewRows(tuple(heads), tiles if starts else _no_more, last)


def _across(columns: For, tile: Tile, fresh: Callable[[str], str]) -> tuple[Stmt, ...]:
    """The loops over the columns."""
    extent, beyond = _extent(columns), columns.dtype.bits == 32 and _may_be_beyond(columns)
    loops: list[For] = []
    counts: list[Decl] = []
    for registers in range(REGISTERS.value, 1, -1):
        width = LANES * registers
        more = LANES - 1 if beyond else 0
        masked, step = beyond, const(width, columns.dtype)
        if extent is None:
            count = Decl(
                fresh(f"{columns.var}_tiles"), columns.dtype, init=_wide_tiles(columns, registers, more)
            )
            counts.append(count)
            tiles: Expr = Var(columns.dtype, count.name)
        else:
            number = _without_single(max(extent + more, 0) // LANES, registers)
            masked = masked and 0 < extent < number * width
            extent = max(extent - number * width, 0)
            tiles = const(number, columns.dtype)
        middle = add(columns.start, mul(tiles, step))
        if not isinstance(tiles, Const) or tiles.value:
            live = Var(BOOL, fresh("live")) if masked else None
            heads: list[Stmt] = []
            if live is not None:
                heads.append(Decl(live.name, BOOL, init=lt(_moved(columns, registers - 1), columns.stop)))
            loops.append(
                replace(columns, stop=middle, step=step, body=Block((*heads, *tile(registers, live))))
            )
        columns = replace(columns, start=middle)
    if extent is None or extent:
        loops.append(replace(columns, body=Block(tile(1, None))))
    digits, stmts = digits_before(loops, frozenset({columns.var}), fresh)
    return (*counts, *digits, *(_with_conditions(loop, fresh) for loop in stmts))


def _without_single(count: int, registers: int) -> int:
    """How many tiles of `count` registers have so many: one fewer where a single register would be left,
    whose sums wait for one another."""
    return count // registers - (registers > 2 and count % registers == 1 and count > 1)


def _wide_tiles(columns: For, registers: int, more: int) -> Expr:
    """The same for a number of columns that is not known, `more` of which count besides."""
    length = add(sub(columns.stop, columns.start), const(more, columns.dtype))
    count = div(length, const(LANES, columns.dtype))
    whole, one = div(count, const(registers, columns.dtype)), const(1, columns.dtype)
    if registers == 2:
        return cast(whole, columns.dtype)
    single = and_(eq(mod(count, const(registers, columns.dtype)), one), gt(count, one))
    return cast(select(single, sub(whole, one), whole), columns.dtype)


def _rows_have_own(rows: For, columns: For) -> bool:
    """Whether the registers of a row have a factor in common: then a tall tile loads little."""
    return _columns(rows, columns, 1, 2, None)[1] > 0


def _in_windows(body: Block) -> bool:
    """Sums over nests of loops, which are short as a rule: rows that share nothing else share these."""
    return any(isinstance(s, For) and _depth(s) > 1 for s in body.body)


def widened(columns: For) -> tuple[Stmt, ...] | None:
    """The loops that replace a vector loop that sums in loops of its own: several registers at a time, which
    share the loops and wait for nobody; None for another loop."""
    if columns.kind is not LoopKind.VECTOR or not _one(columns.step) or WIDE.value == 1:
        return None
    body, extent = columns.body, _extent(columns)
    if any(isinstance(s, Decl) and s.shape for s in walk(body)) or (extent is not None and extent <= LANES):
        return None
    sums = [s for s in body.body if isinstance(s, For) and _jams(s, {columns.var}) and _accumulates(s)]
    if not sums or any(_depth(s) > 3 or _masks(s, columns.var) for s in sums) or not _short(body):
        return None
    loops: list[Stmt] = []
    heads = _shared_numbers(columns)
    body = Block(body.body[len(heads) :])
    columns = replace(columns, body=body)
    if not isinstance(columns.stop, (Const, Var)):
        end = f"{columns.var}_end"
        loops.append(Decl(end, columns.dtype, init=columns.stop))
        columns = replace(columns, stop=Var(columns.dtype, end))
    start, registers = columns.start, WIDE.value
    taken = _names(columns)
    while registers > 1:
        whole = LANES * registers
        names = [_copied_names(body, taken, 0, j) for j in range(registers)]
        copies = [_copy(_row_of(columns), columns, 0, j, own, None) for j, own in enumerate(names)]
        jam = _Jam(copies, {columns.var}, arrays_written(body), _scalars(body), taken)
        stop = _rounded(columns, whole)
        wide = Block(jam.block(body))
        loops.append(replace(columns, start=start, stop=stop, step=const(whole, columns.dtype), body=wide))
        start, registers = stop, registers // 2
    loops.append(replace(columns, start=start))
    loops = [stmt for stmt in loops if not (isinstance(stmt, For) and _is_empty(stmt))]
    return (Block((*heads, *loops)),) if heads else tuple(loops)


def _shared_numbers(columns: For) -> tuple[Decl, ...]:
    """What the body declares first and all lanes have in common, as it can be computed before the loop, which
    may be empty: nothing is divided by zero."""
    found: list[Decl] = []
    assigned = assigned_vars(columns.body) - {d.name for d in walk(columns.body) if isinstance(d, Decl)}
    for stmt in columns.body.body:
        if not isinstance(stmt, Decl) or stmt.shape or not stmt.dtype.is_integer:
            break
        if not isinstance(stmt.init, Expr) or any(isinstance(n, Load) for n in walk(stmt.init)):
            break
        if columns.var in free_vars(stmt.init) or free_vars(stmt.init) & assigned or _changes(stmt, columns):
            break
        found.append(replace(stmt, init=map_expr(stmt.init, without_zero_divisors)))
    return tuple(found)


def _changes(decl: Decl, columns: For) -> bool:
    writes = (s for s in walk(columns.body) if isinstance(s, Assign) and isinstance(s.target, Var))
    return any(isinstance(s.target, Var) and s.target.name == decl.name for s in writes)


def _row_of(columns: For) -> For:
    """A loop of one row, which the columns know nothing of."""
    return replace(columns, var="\0row", start=const(0, columns.dtype), stop=const(1, columns.dtype))


def _scalars(body: Block) -> set[str]:
    return {s.name for s in walk(body) if isinstance(s, Decl)}


def _masks(loop: For, lane: str) -> bool:
    """Whether lanes sit out steps of the sum: every copy would be most of all the work for its own mask."""
    return any(isinstance(s, If) and lane in free_vars(s.condition) for s in walk(loop))


def _short(body: Block) -> bool:
    return sum(isinstance(s, (Assign, Decl, If, For)) for s in walk(body)) <= SHORT


def _with_conditions(stmt: Stmt, fresh: Callable[[str], str]) -> Stmt:
    def change(inner: Stmt) -> Stmt | tuple[Stmt, ...]:
        if not isinstance(inner, For) or inner.kind is LoopKind.VECTOR:
            return inner
        return tuple(conditions_before(inner, fresh))

    return map_stmt(stmt, change)


def _fresh(taken: set[str]) -> Callable[[str], str]:
    def fresh(base: str) -> str:
        name = next(n for n in (f"{base}_{i}" for i in itertools.count()) if n not in taken)
        taken.add(name)
        return name

    return fresh


def _rounded(loop: For, unit: int, more: int = 0) -> Expr:
    """The end of the whole units of a loop's range, where that is `more` longer."""
    length = add(sub(loop.stop, loop.start), const(more, loop.dtype))
    whole = mul(div(length, const(unit, loop.dtype)), const(unit, loop.dtype))
    return cast(add(loop.start, whole), loop.dtype)


def _columns(
    rows: For, columns: For, height: int, registers: int, live: Var | None
) -> tuple[tuple[Stmt, ...], int]:
    """The body for `height` rows and `registers` registers, and how many loads its copies have in common.
    `live`: where the last register's lanes are there, if they may not be."""
    copies: list[Callable[[Stmt], Stmt]] = []
    body = columns.body
    scalars = _scalars(body)
    taken = _names(columns) | {rows.var}
    for i in range(height):
        for j in range(registers):
            names = _copied_names(body, taken, i, j)
            copies.append(_copy(rows, columns, i, j, names, live if j == registers - 1 else None))
    jam = _Jam(copies, {rows.var, columns.var}, arrays_written(body), scalars, taken)
    result = jam.block(body)
    return result, jam.shared


def _names(columns: For) -> set[str]:
    """What the loop reads and writes, and counts with: no scalar of a copy may hide it."""
    counters = {n.var for n in walk(columns) if isinstance(n, For)}
    return counters | free_vars(columns) | set(arrays_read(columns)) | set(arrays_written(columns))


def _copied_names(body: Block, taken: Set[str], i: int, j: int) -> dict[str, str]:
    """What the scalars of the body are called in the copy of a row and a register."""
    return {name: _beside(taken, f"{name}_{i}_{j}") for name in _scalars(body)}


def _beside(taken: Set[str], name: str) -> str:
    """The name, or one like it that is not taken."""
    while name in taken:
        name += "_"
    return name


def _moved(columns: For, registers: int) -> Expr:
    return add(Var(columns.dtype, columns.var), const(registers * LANES, columns.dtype))


def _copy(
    rows: For, columns: For, i: int, j: int, names: dict[str, str], live: Var | None
) -> Callable[[Stmt], Stmt]:
    places = {
        rows.var: add(Var(rows.dtype, rows.var), const(i, rows.dtype)),
        columns.var: _moved(columns, j),
    }

    def make(stmt: Stmt) -> Stmt:
        own = stmt
        if live is not None:
            there = live
            own = map_expr(
                stmt, lambda e: select(there, e, const(0, e.dtype)) if _of_lane(e, columns.var) else e
            )
        moved: Stmt = substitute(rename(own, names), places)
        if live is not None and isinstance(stmt, Assign) and isinstance(stmt.target, Load):
            return If(live, Block((moved,)))
        return moved

    return make


def _of_lane(expr: Expr, lane: str) -> bool:
    return isinstance(expr, Load) and any(lane in free_vars(i) for i in expr.index)


def _may_be_beyond(columns: For) -> bool:
    """Whether lanes beyond the end may run along, with zeros for what they would read, and store nothing:
    what is read are floats, by the lane's number alone, and they decide nothing."""
    lane = {columns.var}
    own = lane | _scalars(columns.body)
    for stmt in walk(columns.body):
        if isinstance(stmt, Assign) and isinstance(stmt.target, Var):
            own.add(stmt.target.name)
    for node in walk(columns.body):
        match node:
            case Load(index=index, dtype=dtype):
                used = frozenset().union(*(free_vars(i) for i in index))
                if (used & lane and dtype != F32) or used & (own - lane):
                    return False
            case Binary(op="/" | "%", right=right) if node.dtype.is_integer and free_vars(right):
                return False
            case Decl(init=Expr() as init, dtype=dtype) if dtype.is_integer and free_vars(init) & own:
                return False
            case If(condition=condition) if free_vars(condition) & own:
                return False
            case For(start=start, stop=stop, step=step):
                if any(free_vars(e) & own for e in (start, stop, step)):
                    return False
            case Stmt() if not isinstance(node, (Decl, If, Assign, Block)):
                return False
    return True


class _Jam:
    """Copies of statements side by side, serial loops merged."""

    def __init__(
        self,
        copies: list[Callable[[Stmt], Stmt]],
        names: set[str],
        written: frozenset[str],
        scalars: set[str],
        taken: Set[str],
    ) -> None:
        self.copies = copies
        self.names = names | scalars
        self.taken = taken
        self.written = written
        self.shared = 0
        self._count: Counter[str] = Counter()

    def block(self, block: Block) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        for stmt in block.body:
            match stmt:
                case For(body=body) if _jams(stmt, self.names):
                    out.append(replace(stmt, body=Block(self.block(body))))
                case If(condition=condition) if not _mentions(condition, *self.names):
                    then, otherwise = self.block(stmt.then), self.block(stmt.otherwise)
                    out.append(replace(stmt, then=Block(then), otherwise=Block(otherwise)))
                case Assign() | Decl():
                    out.extend(self._share([copy(stmt) for copy in self.copies]))
                case _:
                    out.extend(copy(stmt) for copy in self.copies)
        return tuple(out)

    def _share(self, stmts: list[Stmt]) -> Iterable[Stmt]:
        """Loads that several copies do are done once, before them."""
        counts = Counter(load for s in stmts for load in dict.fromkeys(certain_loads(s)))
        common = [load for load, n in counts.items() if n > 1 and not arrays_read(load) & self.written]
        names: dict[Expr, Var] = {}
        for load in common:
            array = min(arrays_read(load))
            while (name := f"{array}_{self._count[array]}") in self.taken:
                self._count[array] += 1
            self._count[array] += 1
            names[load] = Var(load.dtype, name)
            self.shared += 1
            yield Decl(names[load].name, load.dtype, init=load)
        for stmt in stmts:
            yield map_expr(stmt, lambda e: names.get(e, e)) if names else stmt


def certain_loads(stmt: Stmt) -> Iterable[Load | Select]:
    """Loads of a statement that are done whatever the values are, and choices between one and a number."""
    values: list[Expr] = []
    if isinstance(stmt, Assign):
        values.append(stmt.value)
    elif isinstance(stmt, Decl) and isinstance(stmt.init, Expr):
        values.append(stmt.init)
    while values:
        value = values.pop()
        match value:
            case Load():
                yield value
            case Select(then=Load(), otherwise=Const()):
                yield value
            case Binary(op=op, left=left, right=right) if op not in ("&&", "||"):
                values += [left, right]
            case Unary(operand=operand) | Cast(operand=operand):
                values.append(operand)
            case Call(args=args):
                values += args


def _jams(loop: For, names: set[str]) -> bool:
    """A serial loop with the same bounds in all copies, which none of them leaves on its own."""
    if loop.kind in (LoopKind.VECTOR, LoopKind.THREADS):
        return False
    if any(leaves_loop(s, (Break, Continue, Return)) for s in loop.body.body):
        return False
    bounds = (loop.start, loop.stop, loop.step)
    return not any(_mentions(e, *names) or any(isinstance(n, Load) for n in walk(e)) for e in bounds)


def _accumulates(loop: For) -> bool:
    return any(isinstance(s, Assign) and isinstance(s.target, Var) for s in walk(loop.body))


def _summed(body: Block) -> int:
    """Variables that the sums go on with."""
    sums = [s for s in body.body if isinstance(s, For)]
    inside = {d.name for s in sums for d in walk(s) if isinstance(d, Decl)}
    assigned = (n for s in sums for n in walk(s) if isinstance(n, Assign))
    names = {n.target.name for n in assigned if isinstance(n.target, Var)}
    return max(1, len(names - inside))


def _depth(loop: For) -> int:
    inner = [s for s in loop.body.body if isinstance(s, For)]
    return 1 + max((_depth(s) for s in inner), default=0)


def _mentions(expr: Expr, *names: str) -> bool:
    return any(isinstance(n, Var) and n.name in names for n in walk(expr))


def _one(expr: Expr) -> bool:
    return expr == Const(expr.dtype, 1)


def _is_empty(loop: For) -> bool:
    extent = _extent(loop)
    return extent is not None and extent <= 0


def _extent(loop: For) -> int | None:
    if isinstance(loop.start, Const) and isinstance(loop.stop, Const):
        return int(loop.stop.value) - int(loop.start.value)
    return None
