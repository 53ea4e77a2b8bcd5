"""Sums of products over two independent loops become matrix products of tiles, with the weights in WRAM.

    for m, n:  acc = 0                            for m0, n0 by tiles:  sums = 0
      for k: acc += L[m, k] * R[k, n]      -->      for k0 by tiles: left, right into NRAM, right into WRAM
      C[m, n] = f(acc)                                part = left x right;  sums += part
                                                    C[m0.., n0..] = f(sums)

What is matched is the meaning of `__bang_matmul`, dst[m, n] = sum over k of src0[m, k] * src1[n, k], and
nothing of names: any two factors of which one does not move with n and the other not with m. Outer loops of
a reduction stay around the product. The right factor is brought into the order of WRAM: columns first,
padded to 64 lanes. Where an element takes several sums, each is such a product in turn, within the tiles of
those before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from xpiler.ir.build import const, is_const
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Cast,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Select,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import (
    arrays_read,
    arrays_written,
    assigned_vars,
    free_vars,
    map_body,
    substitute,
    walk,
)
from xpiler.ir.types import F16, F32, I8, I32, U32, DType
from xpiler.passes.composite_sums import as_one_loop
from xpiler.passes.names import Names
from xpiler.passes.weight_tiles import Nest, WeightTiles, widest_end
from xpiler.platforms.bang import Architecture

INDEPENDENT = (LoopKind.PARALLEL, LoopKind.THREADS, LoopKind.VECTOR)


@dataclass(frozen=True)
class Contracted:
    """`reserved`: bytes of NRAM that the tiles take."""

    function: Function
    reserved: int


def contract(function: Function, architecture: Architecture, taken: int = 0) -> Contracted:
    """The first such nest of the function as products of tiles; unchanged if there is none. `taken`: bytes of
    NRAM that are in use otherwise."""
    first = _contracted(function, architecture, taken)
    if not first.further:
        return Contracted(first.function, first.bytes)
    # The loops that take the tiles of the first sum to the elements of the result are a nest like it.
    rest = replace(architecture, wram=architecture.wram - first.weights)
    others = contract(first.function, rest, taken + first.bytes)
    return Contracted(others.function, first.bytes + others.reserved)


@dataclass(frozen=True)
class _First:
    """`bytes` of NRAM and `weights` of WRAM that the tiles take; `further`: how many sums of the same
    elements are left."""

    function: Function
    bytes: int = 0
    weights: int = 0
    further: int = 0


def _contracted(function: Function, architecture: Architecture, taken: int) -> _First:
    names = Names(function)
    memory = {p.name: p.dtype for p in function.params if p.is_pointer}
    found: list[WeightTiles] = []

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        if found or not isinstance(stmt, For):
            return stmt
        nest = match(stmt, names)
        if nest is None or any(not _copied(f, memory.get(f.array)) for f in (nest.left, nest.right)):
            return stmt
        if nest.accumulator.dtype == I32 and not architecture.integers:
            return stmt
        count = 1 + _further_sums(nest)
        room = architecture.usable_nram - taken
        part = replace(architecture, wram=architecture.wram // count)
        product = WeightTiles(nest, names, part, memory, taken + room - room // count)
        result = product.loops()
        if result is None:
            return stmt
        found.append(product)
        return result

    changed = map_body(function, change)
    if not found:
        return _First(function)
    (product,) = found
    body = Block((*product.declarations(), *changed.body.body), range=changed.body.range)
    further = _further_sums(product.nest)
    return _First(replace(changed, body=body), product.bytes, product.weight_bytes, further)


def _further_sums(nest: Nest) -> int:
    """How many of the statements behind the sum are such products, too."""
    columns = replace(nest.columns, body=Block(nest.rest))
    following = match(replace(nest.rows, body=Block((*nest.before, columns))))
    return 0 if following is None else 1 + _further_sums(following)


def _copied(factor: Load, memory: DType | None) -> bool:
    """Whether the elements are those of an array in memory, or the bytes of its words."""
    return factor.dtype == memory or (factor.dtype == I8 and memory in (I32, U32))


# ---------------------------------------------------------------------------------------------- recognition


def match(rows: For, names: Names | None = None) -> Nest | None:
    """The nest whose outer loop this is."""
    *before, columns = rows.body.body or (rows,)
    if not isinstance(columns, For) or not _independent(rows) or not _independent(columns):
        return None
    if not all(isinstance(d, Decl) and d.shape == () and isinstance(d.init, Expr) for d in before):
        return None
    own = {d.name for d in before if isinstance(d, Decl)} | {rows.var}
    if (free_vars(columns.start) | free_vars(widest_end(columns, rows))) & own:
        return None
    values = {d.name: d.init for d in before if isinstance(d, Decl) and isinstance(d.init, Expr)}
    if any(d.dtype.is_float for d in before if isinstance(d, Decl)):
        return None
    if assigned_vars(columns.body) & set(values):
        return None
    for name in list(values):
        values[name] = substitute(values[name], values)
    body = substitute(columns.body, values).body
    body = _with_scalar(without_values(Block(body)).body, {rows.var, columns.var})
    body = _sum_first(body)
    if len(body) < 2:
        return None
    start, reduction, rest = body[0], body[1], body[2:]
    if not isinstance(start, Decl) or not isinstance(reduction, For):
        return None
    if start.dtype not in (F32, I32) or not isinstance(start.init, Expr):
        return None
    loops, guards, innermost = guarded_loops(reduction)
    innermost, side = with_guards(innermost, guards)
    factors = factors_of(innermost, start.name)
    if factors is None or any(not is_const(each.step, 1) for each in loops):
        return None
    bounds = frozenset().union(*(free_vars(each.start) | free_vars(each.stop) for each in loops))
    if bounds & {rows.var, columns.var, *(each.var for each in loops)}:
        return None
    piece = None
    if len(loops) > 1 or guards:
        if any(isinstance(n, Load) for guard in guards for n in walk(guard)):
            return None
        whole = as_one_loop(loops, *factors, guards, names)
        if whole is None and guards:
            return None
        if whole is not None:
            inner_guard = any(loops[-1].var in free_vars(g) for g in guards)
            loops, factors, guards = [whole.loop], (whole.left, whole.right), list(whole.guards)
            piece = None if inner_guard else whole.piece
    for left, right in (factors, factors[::-1]):
        moves_left, moves_right = free_vars(left), free_vars(right)
        if (
            rows.var in moves_left
            and columns.var not in moves_left
            and columns.var in moves_right
            and rows.var not in moves_right
        ):
            about = factors[side] if side is not None else None
            return Nest(
                rows, columns, (), start, tuple(loops), left, right, tuple(rest), tuple(guards), piece, about
            )
    return None


def _sum_first(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """The first sum and the scalar that it starts from ahead of other values, which are of no use to it."""
    at = next((n for n, s in enumerate(body) if isinstance(s, For)), 0)
    before = [s for s in body[:at] if isinstance(s, Decl) and s.shape == ()]
    added = assigned_vars(body[at]) if body else frozenset()
    starts = [d for d in before if d.name in added]
    if len(before) != at or len(starts) != 1:
        return body
    others = tuple(d for d in before if d is not starts[0])
    start, loop = starts[0], body[at]
    used = free_vars(loop) | (free_vars(start.init) if isinstance(start.init, Expr) else frozenset())
    if any(d.name in used for d in others) or any(start.name in free_vars(d) for d in others):
        return body
    return start, loop, *others, *body[at + 1 :]


def guarded_loops(reduction: For) -> tuple[list[For], list[Expr], Block]:
    """The loops of a sum, the conditions between them, and what is inside."""
    loops, guards, body = [reduction], list[Expr](), without_values(reduction.body)
    while len(body.body) == 1:
        match body.body[0]:
            case For() as inner:
                loops.append(inner)
                body = without_values(inner.body)
            case If(condition=condition, then=then, otherwise=Block(body=())):
                guards.append(condition)
                body = without_values(then)
            case _:
                break
    return loops, guards, body


def without_values(body: Block) -> Block:
    """The body with what it computes first put in where it is used: integers, and what is used once."""
    while body.body:
        match body.body[0]:
            case Decl(name=name, shape=(), init=Expr() as init, dtype=dtype) if (
                name not in assigned_vars(rest := Block(body.body[1:]))
                and (dtype.is_integer or sum(n == Var(dtype, name) for n in walk(rest)) == 1)
                and not (set(arrays_read(init)) & set(arrays_written(rest)))
            ):
                body = substitute(rest, {name: init})
            case _:
                break
    return body


def with_guards(body: Block, guards: list[Expr]) -> tuple[Block, int | None]:
    """`acc += (guard ? x : 0) * y` as `acc += x * y` where the guard is collected, and which factor it is
    about: the other is read whatever it says. None where both have one."""
    match body.body:
        case (Assign(value=Binary(op="*", left=left, right=right) as product, reduce="+") as step,):
            sides = [left, right]
            chosen = [n for n, side in enumerate(sides) if isinstance(side, Select)]
            if len(chosen) != 1 or guards:
                return body, None
            (which,) = chosen
            while isinstance(side := sides[which], Select) and is_const(side.otherwise, 0):
                guards.append(side.condition)
                sides[which] = side.then
            return Block((replace(step, value=replace(product, left=sides[0], right=sides[1])),)), which
    return body, None


def _with_scalar(body: tuple[Stmt, ...], places: set[str]) -> tuple[Stmt, ...]:
    """`for k: t[m, n] += a * b` as a sum of its own that is added to the element at the end; one that starts
    with `t[m, n] = 0` is the element."""
    before, body_of_sum, behind = _set_first(body)
    if len(body_of_sum) != 1 or not isinstance(body_of_sum[0], For):
        return body
    loops = [body_of_sum[0]]
    while len(loops[-1].body.body) == 1:
        inner = loops[-1].body.body[0]
        if not isinstance(inner, For):
            break
        loops.append(inner)
    match loops[-1].body.body:
        case (Assign(target=Load() as target, value=value, reduce="+"),) if target.dtype in (F32, I32):
            inside = {each.var for each in loops}
            moving = {name for index in target.index for name in free_vars(index)}
            if moving & inside or not places <= moving or target.array in arrays_read(value):
                return body
            if before is not None and before.target != target:
                return body
            total = Var(target.dtype, f"{target.array}_product")
            nest: Stmt = Assign(total, value, "+")
            for each in reversed(loops):
                nest = replace(each, body=Block((nest,)))
            stored = Assign(target, total, "+" if before is None else None)
            return Decl(total.name, total.dtype, init=const(0, total.dtype)), nest, stored, *behind
    return body


def _set_first(body: tuple[Stmt, ...]) -> tuple[Assign | None, tuple[Stmt, ...], tuple[Stmt, ...]]:
    """An element that is set to zero, the statement behind it, and the rest; None where nothing is."""
    match body:
        case (Assign(target=Load(), value=value, reduce=None) as first, For() as loop, *rest) if is_const(
            value, 0
        ):
            return first, (loop,), tuple(rest)
    return None, body, ()


def _independent(loop: For) -> bool:
    return loop.kind in INDEPENDENT and is_const(loop.step, 1)


def factors_of(body: Block, accumulator: str) -> tuple[Load, Load] | None:
    """The two loads of `acc += a * b`, halves and bytes among them."""
    match body.body:
        case (Assign(target=Var(name=name), value=Binary(op="*", left=x, right=y), reduce="+"),) if (
            name == accumulator
        ):
            a, b = _element(x), _element(y)
            if a is not None and b is not None and a.dtype == b.dtype and (a.dtype == I8) == (x.dtype == I32):
                return a, b
    return None


def _element(expr: Expr) -> Load | None:
    inner = expr.operand if isinstance(expr, Cast) and expr.operand.dtype in (F16, I8) else expr
    if isinstance(inner, Load) and len(inner.index) == 1 and inner.dtype in (F32, F16, I8):
        return inner
    return None
