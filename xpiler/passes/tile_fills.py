"""How a tile in shared memory is filled, told in the ways in which it can be read back.

for t in 0..256: for i in t..1024 step 256: s[i / 16][i % 16] = f(i)
  -->   for m in 0..64: for k in 0..16: s[m][k] = f(16*m + k)
for y in 0..8: for x in 0..8: s[(8*y + x) / 4][(8*y + x) % 4] = f(y, x)
  -->   for m in 0..16: for k in 0..4: s[m][k] = f((4*m + k) / 8, (4*m + k) % 8)
for i in 0..h*w: s[i] = f(i / w, i % w)
  -->   for m in 0..h: for k in 0..w: s[m*w + k] = f(m, k)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import Affine, linear, simplify, stride
from xpiler.ir.build import ceil_div, const, div, is_const, minimum, mod, mul
from xpiler.ir.nodes import Assign, Block, Call, Const, Expr, For, Load, LoopKind, Var
from xpiler.ir.rewrite import free_vars, map_expr, substitute
from xpiler.passes.facts import Facts
from xpiler.passes.names import Names
from xpiler.passes.split_digits import split_digit


@dataclass(frozen=True)
class Fill:
    """One assignment that fills the tile, with the loops around it and the conditions it is under."""

    assign: Assign
    loops: tuple[For, ...]
    conditions: tuple[Expr, ...]
    facts: Facts


def forms(fill: Fill, names: Names) -> Iterator[Fill]:
    """The same fill in other loops: with one for each digit of an index; and with all threads counted by one
    number before that."""
    plain = _by_ones(fill)
    whole = _unshared(plain)
    rows = _by_rows(whole, names)
    if len(rows.loops) > len(whole.loops) and any(not isinstance(loop.stop, Const) for loop in rows.loops):
        yield rows
    yield _by_digits(whole, names)
    joined = _joined(plain, names)
    if joined is not None:
        yield _by_digits(_unshared(joined), names)


def _by_ones(fill: Fill) -> Fill:
    """Loops that count in steps count their steps."""
    loops, values = list[For](), dict[str, Expr]()
    for loop in fill.loops:
        if is_const(loop.start, 0) and isinstance(loop.step, Const) and int(loop.step.value) > 1:
            values[loop.var] = mul(Var(loop.dtype, loop.var), loop.step)
            loop = replace(loop, stop=_steps_to(loop.stop, loop.step), step=const(1, loop.step.dtype))
        loops.append(loop)
    return _with(fill, loops, values) if values else fill


def _steps_to(stop: Expr, step: Expr) -> Expr:
    """How many steps it takes to reach it: to the nearer of two ends as many as to either."""
    match stop:
        case Call(function="min", args=(first, second)):
            return minimum(_steps_to(first, step), _steps_to(second, step))
    return ceil_div(stop, step)


def _unshared(fill: Fill) -> Fill:
    """One loop where threads share it: each starts at its number and steps by how many they are."""
    used = free_vars(fill.assign).union(*map(free_vars, fill.conditions))
    for shared in fill.loops:
        start = linear(shared.start, fill.facts.ranges)
        threads = [t for t in fill.loops if start is not None and t.var in start.variables()]
        if start is None or not threads or start.constant or start.variables() & used:
            continue
        numbers = Const(shared.step.dtype, _numbers(start, threads))
        if start.variables() != {t.var for t in threads} or shared.step != numbers:
            continue
        whole = replace(shared, start=Const(shared.dtype, 0), step=Const(shared.step.dtype, 1))
        return _with(fill, [whole if t is shared else t for t in fill.loops if t not in threads], {})
    return fill


def _numbers(form: Affine, loops: Sequence[For]) -> int:
    """How many numbers a form of the counters counts through, from 0 without gaps; 0 if it does not."""
    count = 1
    for unit, loop in sorted(((stride(form, loop.var) or 0, loop) for loop in loops), key=lambda t: t[0]):
        if unit != count:
            return 0
        count *= _extent(loop)
    return count


def _extent(loop: For) -> int:
    """Of a loop that counts 0, 1, 2... to a constant; else 0."""
    plain = is_const(loop.start, 0) and is_const(loop.step, 1)
    return int(loop.stop.value) if plain and isinstance(loop.stop, Const) else 0


def _joined(fill: Fill, names: Names) -> Fill | None:
    """All threads by one number; None if one number counts them already."""
    threads = [t for t in fill.loops if t.kind is LoopKind.THREADS and _extent(t)]
    if len(threads) < 2 or len({t.dtype for t in threads}) > 1:
        return None
    number = Var(threads[0].dtype, names.fresh("thread"))
    values: dict[str, Expr] = {}
    below = 1
    for loop in reversed(threads):
        digit = div(number, const(below, number.dtype))
        values[loop.var] = mod(digit, const(_extent(loop), number.dtype)) if loop is not threads[0] else digit
        below *= _extent(loop)
    whole = replace(threads[0], var=number.name, stop=const(below, number.dtype))
    return _with(fill, [whole, *(t for t in fill.loops if t not in threads)], values)


def _by_digits(fill: Fill, names: Names) -> Fill:
    """A loop for every digit of a counter that the element's place takes apart."""
    loops: list[For] = []
    waiting = list(fill.loops)
    while waiting:
        loop = waiting.pop(0)
        place = Assign(fill.assign.target, Const(fill.assign.target.dtype, 0))
        trial = split_digit(replace(loop, body=Block((place,))), names)
        split = split_digit(replace(loop, body=Block((fill.assign,))), names)
        if trial is None or split is None or not isinstance(trial.stop, Const) or len(split.body.body) != 1:
            loops.append(loop)
            continue
        low = split.body.body[0]
        assert isinstance(low, For) and isinstance(low.body.body[0], Assign)
        high = replace(split, body=low.body)
        fill = _with(replace(fill, assign=low.body.body[0]), [*loops, high, low, *waiting], {})
        waiting[:0] = [high, low]
    return replace(fill, loops=tuple(loops))


def _by_rows(fill: Fill, names: Names) -> Fill:
    """A loop for every digit of a counter that the value takes apart."""
    loops: list[For] = []
    waiting = list(fill.loops)
    while waiting:
        loop = waiting.pop(0)
        split = split_digit(replace(loop, body=Block((fill.assign,)), kind=LoopKind.SERIAL), names)
        low = split.body.body[0] if split is not None and len(split.body.body) == 1 else None
        if split is None or not isinstance(low, For) or not isinstance(low.body.body[0], Assign):
            loops.append(loop)
            continue
        high = replace(split, body=low.body)
        fill = _with(replace(fill, assign=low.body.body[0]), [*loops, high, low, *waiting], {})
        waiting[:0] = [high, low]
    return replace(fill, loops=tuple(loops))


def _with(fill: Fill, loops: Sequence[For], values: dict[str, Expr]) -> Fill:
    """The fill in other loops, with what the old counters are in terms of the new ones."""
    facts = fill.facts
    changed = [
        replace(
            loop,
            start=substitute(loop.start, values),
            stop=substitute(loop.stop, values),
            step=substitute(loop.step, values),
        )
        for loop in loops
    ]
    for loop in changed:
        facts = facts.inside(loop)

    def short(expr: Expr) -> Expr:
        return simplify(expr, facts.ranges) if expr.dtype.is_integer else expr

    def place(target: Var | Load) -> Var | Load:
        return target

    assign = map_expr(substitute(fill.assign, values), short, place)
    conditions = tuple(map_expr(substitute(c, values), short) for c in fill.conditions)
    assert isinstance(assign, Assign)
    return Fill(assign, tuple(changed), conditions, facts)
