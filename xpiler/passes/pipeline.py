"""Pipeline: copies of neighbouring tiles run while a tile is computed, in ping-pong parts of the buffers.

    for i0 in begin..end step tile:          for step in 0..tiles + 2:
      x_nram <- x[i0..]                        if step < tiles:        x_nram[step % 2] <-async- x[next..]
      y_nram = f(x_nram)             -->       if 0 < step <= tiles:   y_nram[..] = f(x_nram[(step - 1) % 2])
      y[i0..] <- y_nram                        if step > 1:            y[last..] <-async- y_nram[step % 2]
                                               sync

A step loads a tile, computes the one before and stores the one before that; they meet at one barrier. A
buffer that several of these stages use has a part for each tile that is under way.

Rows that a tile holds whole (`resident_rows.py`) make a pipeline in the same way, a row a step.

Preconditions: the tiles are independent or only fold into scalars; the loop stands in no other loop (whose
rows would fill and drain the pipeline each time); its body is straight-line but for loops without copies;
what is copied in cannot have been copied out before, and goes into buffers that nothing has touched before;
copies are of tiles alone, since other arrays of the scratchpad have no parts; no buffer is written after it
has been copied out; and where the copies go follows from the tile alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from xpiler.ir.build import add, and_, cast, ceil_div, const, le, lt, mod, mul, sub
from xpiler.ir.nodes import (
    Assign,
    Block,
    Decl,
    Expr,
    For,
    If,
    Instr,
    Load,
    LoopKind,
    Param,
    Ref,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import arrays_written, free_vars, map_expr, substitute, walk
from xpiler.ir.types import I32
from xpiler.passes.aliasing import Aliases, may_be_same, with_aliases
from xpiler.passes.knobs import Knob
from xpiler.passes.names import Names

OVERLAPS = Knob("pipeline.overlaps", (0, 1), 1, "whether copies run while a tile is computed (1) or not (0)")
IN, OUT = "GDRAM2NRAM", "NRAM2GDRAM"


@dataclass
class Pipelined:
    """`parts`: of the buffers that have more than one. `steps`: the variables of the pipelines."""

    body: Block
    aliases: Aliases = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)


def pipeline(
    body: Block,
    tile: Var,
    buffers: Collection[str],
    names: Names,
    params: Iterable[Param] = (),
    rows: Collection[str] = (),
) -> Pipelined:
    """The body of a function with pipelines where the preconditions hold. `buffers`: those of `tile`
    elements each; `params`: say which arrays may be the same; `rows`: variables of independent loops."""
    done = Pipelined(body, may_be_same(params))

    def block(inner: Block) -> Block:
        out: list[Stmt] = []
        for stmt in inner.body:
            match stmt:
                case For(step=step) if free_vars(step) == {tile.name}:
                    count, *rest = stmt.body.body
                    head = count if isinstance(count, Decl) and isinstance(count.init, Expr) else None
                    staged = head and _stages(stmt, head, rest, tile, buffers, names, done)
                    out += staged or [stmt]
                case For(var=var) if var in rows:
                    whole = _with_values_in_copies(stmt.body.body)
                    out += _stages(stmt, None, whole, tile, buffers, names, done) or [stmt]
                case If(then=then, otherwise=otherwise):
                    out.append(replace(stmt, then=block(then), otherwise=block(otherwise)))
                case _:
                    out.append(stmt)
        return replace(inner, body=tuple(out))

    done.body = block(body)
    return done


def _stages(
    loop: For,
    count: Decl | None,
    rest: list[Stmt],
    tile: Var,
    buffers: Collection[str],
    names: Names,
    done: Pipelined,
) -> list[Stmt] | None:
    loads = [s for s in rest if _is_copy(s, IN)]
    stores = [s for s in rest if _is_copy(s, OUT)]
    compute = [s for s in rest if s not in loads and s not in stores]
    if not loads or not compute or not _in_order(rest, buffers, done.aliases):
        return None
    if not OVERLAPS.value:
        return None
    known = {loop.var, *((count.name,) if count else ())}
    inside = {d.name for d in walk(loop.body) if isinstance(d, Decl)} | {loop.var}
    if any(free_vars(s) & (inside - known) for s in (*loads, *stores)):
        return None
    stages = [loads, compute, *([stores] if stores else [])]
    touched = [{b for s in stage for b in _arrays(s) if b in buffers} for stage in stages]
    parts: dict[str, int] = {}
    for buffer in set().union(*touched):
        users = [n for n, names_ in enumerate(touched) if buffer in names_]
        parts[buffer] = users[-1] - users[0] + 1
    step = Var(I32, names.fresh("step"))
    tiles = Var(I32, names.fresh("tiles"))
    out: list[Stmt] = []
    for n, (stage, wish) in enumerate(zip(stages, ("in", "", "out"), strict=False)):
        own = Var(loop.dtype, names.fresh(f"{loop.var}_{wish}") if wish else loop.var)
        which = sub(step, n)
        first = add(loop.start, mul(cast(which, loop.dtype), loop.step))
        values: dict[str, Expr] = {loop.var: own}
        head = [Decl(own.name, loop.dtype, init=first)]
        if count is not None:
            number = Var(I32, names.fresh(f"{count.name}_{wish}") if wish else count.name)
            values[count.name] = number
            head.append(Decl(number.name, I32, init=cast(substitute(_expr(count), values), I32)))
        several = sorted({parts[b] for b in touched[n]} - {1})
        starts = {each: Var(I32, names.fresh("part")) for each in several}
        head += [Decl(v.name, I32, init=mul(mod(which, each), tile)) for each, v in starts.items()]
        own_parts = _in_parts({b: starts[p] for b, p in parts.items() if p in starts})
        body = [own_parts(substitute(s, values)) for s in stage]
        if n != 1:
            body = [_asynchronous(s) for s in body]
        active = (le(const(n), step), lt(step, add(tiles, n)))
        condition = active[1] if n == 0 else active[0] if n == len(stages) - 1 else and_(*active)
        out.append(If(condition, Block((*head, *body))))
    out.append(Instr("__sync", ()))
    whole = sub(loop.stop, loop.start)
    number_of = Decl(tiles.name, I32, init=cast(ceil_div(whole, loop.step), I32))
    steps = For(
        step.name,
        I32,
        const(0),
        add(tiles, len(stages) - 1),
        const(1),
        Block(tuple(out)),
        kind=LoopKind.SERIAL,
        range=loop.range,
    )
    done.steps.append(step.name)
    for buffer, wanted in parts.items():
        done.parts[buffer] = max(wanted, done.parts.get(buffer, 1))
    return [number_of, steps]


def _with_values_in_copies(stmts: Sequence[Stmt]) -> list[Stmt]:
    """The statements with integers that are computed in front of copies put into them."""
    values: dict[str, Expr] = {}
    out: list[Stmt] = []
    for stmt in stmts:
        if isinstance(stmt, Decl) and stmt.dtype.is_integer and isinstance(stmt.init, Expr):
            values[stmt.name] = substitute(stmt.init, values)
        copies = _is_copy(stmt, IN) or _is_copy(stmt, OUT)
        out.append(substitute(stmt, values) if copies else stmt)
    return out


def _is_copy(stmt: Stmt, direction: str) -> bool:
    return isinstance(stmt, Instr) and dict(stmt.attributes).get("direction") == direction


def _arrays(node: Stmt) -> set[str]:
    return {n.array for n in walk(node) if isinstance(n, (Ref, Load))}


def _in_order(body: list[Stmt], buffers: Collection[str], aliases: Aliases) -> bool:
    touched: set[str] = set()
    sent: set[str] = set()
    stored: frozenset[str] = frozenset()  # arrays in memory that may have been written
    later: frozenset[str] = frozenset()  # those that will be, when the next tiles are computed
    for stmt in body:
        arrays = _arrays(stmt)
        if _is_copy(stmt, IN):
            to, source = _ends(stmt)
            if to not in buffers or to in touched or source in stored:
                return False
        elif _is_copy(stmt, OUT):
            to, source = _ends(stmt)
            if source not in buffers:
                return False
            sent.add(source)
            later |= with_aliases((to,), aliases)
            stored |= later
        elif _written(stmt) & sent or arrays & later or not _is_computation(stmt, buffers):
            return False
        else:
            stored |= with_aliases(arrays_written(stmt), aliases)
        touched |= arrays
    return True


def _ends(stmt: Stmt) -> tuple[str, str]:
    assert isinstance(stmt, Instr)
    to, source = stmt.operands[:2]
    assert isinstance(to, Ref) and isinstance(source, Ref)
    return to.array, source.array


def _written(stmt: Stmt) -> set[str]:
    """The buffers that instructions write."""
    instructions = (n for n in walk(stmt) if isinstance(n, Instr))
    return {n.operands[0].array for n in instructions if isinstance(n.operands[0], Ref)}


def _is_computation(stmt: Stmt, buffers: Collection[str]) -> bool:
    """Instructions and scalars, with nothing copied from or to memory, nor scalars from or to tiles."""
    for node in walk(stmt):
        match node:
            case Instr(name=name) if name.startswith("__memcpy") and not _is_copy(node, "NRAM2NRAM"):
                return False
            case If() | While():
                return False
            case Load(array=array) if array in buffers:
                return False
    return isinstance(stmt, (Instr, Decl, Assign, For))


def _in_parts(starts: dict[str, Var]) -> Callable[[Stmt], Stmt]:
    """Moves the operands of instructions to where the parts of their buffers start."""

    def change(e: Expr) -> Expr:
        if isinstance(e, Ref) and e.array in starts:
            return replace(e, offset=add(starts[e.array], cast(e.offset, I32)))
        return e

    return lambda stmt: map_expr(stmt, change)


def _expr(decl: Decl) -> Expr:
    assert isinstance(decl.init, Expr)
    return decl.init


def _asynchronous(stmt: Stmt) -> Stmt:
    assert isinstance(stmt, Instr)
    return replace(stmt, name="__memcpy_async")
