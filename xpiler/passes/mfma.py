"""Matrix instructions on registers become matrix instructions on tiles: a wave's registers are the matrix.

    f32 acc[4];  a[e] = A[...];                    tile a (16, 16), acc (16, 16), one a wave
    mfma.f32_16x16x16f16(&acc, &a, &b, &acc)  -->  a[lane % 16][4 * (lane / 16) + e] = A[...];
                                                   wmma.mma_sync(&acc, &a, &b, &acc)

Each lane's element `e` is one element of the tile (`_Layout.place`). Registers that serve matrix instructions
in one role alone become tiles themselves; others are copied into tiles and back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from xpiler.ir.build import add, cast, const, div, mod, mul, var
from xpiler.ir.nodes import Assign, Block, Decl, Expr, For, Instr, Load, Ref, Space, Stmt, Var
from xpiler.ir.rewrite import map_expr, map_stmt, walk, walk_stmts
from xpiler.ir.types import I32, DType
from xpiler.passes.names import Names
from xpiler.passes.teams import Launch
from xpiler.platforms.hip_mfma import INSTRUCTIONS, Mfma

_ROLES = ("c", "a", "b", "c")  # of the operands D, A, B and C


@dataclass(frozen=True)
class _Layout:
    """How registers of one role lie in tiles of `rows` by `columns`, one a block."""

    role: str
    rows: int
    columns: int
    blocks: int
    count: int  # registers a lane
    wide: bool
    dtype: DType

    @property
    def tile(self) -> int:
        return self.rows * self.columns

    def place(self, lane: Expr, e: Expr) -> tuple[Expr, Expr, Expr]:
        """(block, row, column) of register `e` of a lane."""
        if self.role == "c":
            return self._output(lane, e)
        block, free, k = self._input(lane, e)
        return (block, free, k) if self.role == "a" else (block, k, free)

    def _input(self, lane: Expr, e: Expr) -> tuple[Expr, Expr, Expr]:
        m = self.rows if self.role == "a" else self.columns
        if self.wide:
            if m == 16:
                return const(0), mod(lane, 16), div(lane, 16)
            return mod(div(lane, 4), 4), mod(lane, 4), div(lane, 16)
        if self.blocks == 1:
            return const(0), mod(lane, m), add(mul(div(lane, m), self.count), e)
        return div(lane, m), mod(lane, m), e

    def _output(self, lane: Expr, e: Expr) -> tuple[Expr, Expr, Expr]:
        if self.wide:
            if self.rows == 16:
                return const(0), add(mul(e, 4), div(lane, 16)), mod(lane, 16)
            return mod(div(lane, 4), 4), div(lane, 16), mod(lane, 4)
        if self.rows == 32:
            row = add(add(mul(mod(div(e, 4), 4), 8), mul(div(lane, 32), 4)), mod(e, 4))
            return div(e, 16), row, mod(lane, 32)
        if self.rows == 16:
            return div(e, 4), add(mul(div(lane, 16), 4), mod(e, 4)), mod(lane, 16)
        return div(lane, 4), e, mod(lane, 4)


def _layout(what: Mfma, position: int, dtype: DType) -> _Layout:
    role = _ROLES[position]
    shape = {"a": (what.m, what.k), "b": (what.k, what.n), "c": (what.m, what.n)}[role]
    count = what.outputs if role == "c" else what.per_lane
    return _Layout(role, *shape, what.blocks, count, what.element == "f64", dtype)


def with_tiles(body: Block, launch: Launch, names: Names) -> Block:
    """Every `mfma` instruction as instructions on tiles."""
    instructions = [s for s in walk_stmts(body) if isinstance(s, Instr) and s.name.startswith("mfma.")]
    if not instructions:
        return body
    lane = mod(launch.flat_thread(), launch.warp)
    tiles = _promoted(body, instructions)
    shapes = {s.name: s.shape for s in walk_stmts(body) if isinstance(s, Decl) and s.name in tiles}
    body = _accesses(body, tiles, shapes, lane)

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        match stmt:
            case Instr(name=name) if name.startswith("mfma."):
                return _on_tiles(stmt, tiles, lane, names)
            case Decl(name=name) if name in tiles:
                declared = _declared(stmt.name, tiles[name], stmt.shape[:-1])
                return declared if stmt.init is None else (declared, _zeroed(stmt, tiles[name], lane, names))
        return stmt

    result = map_stmt(body, change)
    assert isinstance(result, Block)
    return result


def _declared(name: str, layout: _Layout, lead: tuple[Expr, ...] = ()) -> Decl:
    several = (const(layout.blocks),) if layout.blocks > 1 else ()
    shape = (*lead, *several, const(layout.rows), const(layout.columns))
    return Decl(name, layout.dtype, shape, Space.FRAGMENT)


def _promoted(body: Block, instructions: list[Instr]) -> dict[str, _Layout]:
    """The local arrays whose registers all instructions take in one role."""
    decls = {
        s.name: s for s in walk_stmts(body) if isinstance(s, Decl) and s.space is Space.LOCAL and s.shape
    }
    roles: dict[str, set[_Layout]] = {}
    for instr in instructions:
        what = INSTRUCTIONS[instr.name.removeprefix("mfma.")]
        for position, operand in enumerate(instr.operands):
            assert isinstance(operand, Ref)
            roles.setdefault(operand.array, set()).add(_layout(what, position, operand.dtype))
    found: dict[str, _Layout] = {}
    for name, layouts in roles.items():
        decl = decls.get(name)
        if decl is None or len(layouts) > 1 or decl.init not in (None, ()):
            continue
        layout = next(iter(layouts))
        if decl.dtype == layout.dtype and decl.shape[-1] == const(layout.count):
            found[name] = layout
    for node in walk(body):
        match node:
            case Load(array=array, index=index, dtype=dtype) if array in found:
                if dtype != found[array].dtype or len(index) not in (1, len(decls[array].shape)):
                    del found[array]
            case Instr(name=name, operands=operands) if not name.startswith("mfma."):
                for operand in operands:
                    if isinstance(operand, Ref):
                        found.pop(operand.array, None)
    return found


def _zeroed(decl: Decl, layout: _Layout, lane: Expr, names: Names) -> Stmt:
    """`= {}` of registers: every lane clears its own."""
    counters = [var(names.fresh("register"), I32) for _ in decl.shape]
    lead = tuple(counters[:-1])
    zero = const(0, layout.dtype)
    result: Stmt = Assign(_element(decl.name, layout, lane, counters[-1], lead), zero)
    for counter, extent in zip(reversed(counters), reversed(decl.shape), strict=True):
        result = For(counter.name, I32, const(0), extent, const(1), Block((result,)))
    return result


def _accesses(
    body: Block, tiles: dict[str, _Layout], shapes: dict[str, tuple[Expr, ...]], lane: Expr
) -> Block:
    def element(expr: Expr) -> Expr:
        if isinstance(expr, Load) and expr.array in tiles:
            index = _digits(expr.index, shapes[expr.array])
            return _element(expr.array, tiles[expr.array], lane, index[-1], index[:-1])
        return expr

    def place(target: Var | Load) -> Var | Load:
        new = element(target)
        assert isinstance(new, (Var, Load))
        return new

    result = map_expr(body, element, place)
    assert isinstance(result, Block)
    return result


def _digits(index: tuple[Expr, ...], shape: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """One index a dimension, also where a single one counts all elements."""
    if len(index) == len(shape):
        return index
    rest, digits = cast(index[0], I32), []
    for extent in reversed(shape[1:]):
        digits.append(mod(rest, extent))
        rest = div(rest, extent)
    return (rest, *reversed(digits))


def _element(array: str, layout: _Layout, lane: Expr, e: Expr, lead: tuple[Expr, ...] = ()) -> Load:
    block, row, column = layout.place(lane, cast(e, I32))
    several = (block,) if layout.blocks > 1 else ()
    return Load(layout.dtype, array, (*lead, *several, row, column))


def _on_tiles(instr: Instr, tiles: dict[str, _Layout], lane: Expr, names: Names) -> tuple[Stmt, ...]:
    what = INSTRUCTIONS[instr.name.removeprefix("mfma.")]
    before: list[Stmt] = []
    after: list[Stmt] = []
    refs: list[Ref] = []
    made: dict[Ref, Ref] = {}
    for position, operand in enumerate(instr.operands):
        assert isinstance(operand, Ref)
        layout = _layout(what, position, operand.dtype)
        if operand.array in tiles:
            whole = layout.tile * layout.blocks
            refs.append(Ref(operand.dtype, operand.array, mul(div(operand.offset, layout.count), whole)))
            continue
        known = made.get(operand) if _ROLES[position] == "c" else None
        if known is None:
            name = names.fresh(f"{operand.array}_tile")
            known = made[operand] = Ref(operand.dtype, name, const(0))
            before.append(_declared(name, layout))
            if position:
                before.append(_copied(operand, name, layout, lane, names, into=True))
        elif position:
            before.append(_copied(operand, known.array, layout, lane, names, into=True))
        if not position:
            after.append(_copied(operand, known.array, layout, lane, names, into=False))
        refs.append(known)
    return (*before, *_multiplications(instr, what, refs), *after)


def _copied(operand: Ref, tile: str, layout: _Layout, lane: Expr, names: Names, *, into: bool) -> Stmt:
    """Between a lane's registers and its elements of a tile."""
    e = var(names.fresh("register"), I32)
    register = Load(operand.dtype, operand.array, (add(cast(operand.offset, I32), e),))
    element = _element(tile, layout, lane, e)
    step = Assign(element, register) if into else Assign(register, element)
    return For(e.name, I32, const(0), const(layout.count), const(1), Block((step,)))


def _multiplications(instr: Instr, what: Mfma, refs: list[Ref]) -> tuple[Stmt, ...]:
    """One a block; `shape` of each operand as other matrix instructions note it."""
    shapes = ((what.m, what.n), (what.m, what.k), (what.k, what.n), (what.m, what.n))
    noted = tuple((f"shape{n}", f"{rows} {columns}") for n, (rows, columns) in enumerate(shapes))
    out: list[Stmt] = []
    for block in range(what.blocks):
        operands = tuple(
            replace(ref, offset=add(ref.offset, block * rows * columns))
            for ref, (rows, columns) in zip(refs, shapes, strict=True)
        )
        out.append(Instr("wmma.mma_sync", operands, noted, range=instr.range))
    return tuple(out)
