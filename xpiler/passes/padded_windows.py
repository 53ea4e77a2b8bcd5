"""Windows that may leave their array are read from a copy of it that has its borders as well.

    for (r) parallel for (c) VECTOR:                     f32 padded[Y' * X' * C] = a with zeros around it;
      for i: for j: for k:                         -->   for (r) parallel for (c) VECTOR:
        sum += (inside(y*S + i - p, x*S + j - p)           for i: for j: for k:
                ? a[.., k] : 0) * b[..]                      sum += padded[base(r) + (i*X' + j)*C + k] * b
      with y = r / W % H, x = r % W

Windows of neighbouring rows share most elements: these are copied once, and not once a window. Where a row's
elements begin is a sum over the digits of its number. Windows that share nothing (their step is longer than
they are) lie next to one another in the copy, which so never has more elements than the windows together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import Affine, coefficient, linear
from xpiler.ir.affine_form import divide_out, to_expr
from xpiler.ir.build import (
    add,
    and_,
    cast,
    ceil_div,
    const,
    div,
    gt,
    le,
    maximum,
    minimum,
    mod,
    mul,
    select,
    sub,
)
from xpiler.ir.nodes import (
    EMPTY,
    Assign,
    Binary,
    Block,
    Const,
    Decl,
    Expr,
    For,
    If,
    Load,
    LoopKind,
    Select,
    Space,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import substitute, walk
from xpiler.ir.types import BOOL, F32, I64
from xpiler.passes.inside_ranges import Inside, inside_of, parts_of
from xpiler.passes.loop_flattening import flatten_loops
from xpiler.passes.names import Names
from xpiler.passes.split_digits import radix_of, split_digit

ZERO, ONE, FALSE = const(0, I64), const(1, I64), const(0, BOOL)


@dataclass(frozen=True)
class Padded:
    """`before` makes the copy; `base` is where the elements of a row begin, by its counter, and `place` where
    one is from there on, by the counters of the sum. `holds`: what digits are taken by is positive."""

    holds: Expr
    before: tuple[Stmt, ...]
    array: str
    base: Expr
    place: Expr


@dataclass(frozen=True)
class _Digit:
    """A digit of the row's counter: its loop, how many values it has at most, and its worth."""

    loop: For
    extent: Expr
    worth: Expr


@dataclass(frozen=True)
class _Dimension:
    """What a counter of the sum runs over in the copy, with the digit whose windows these are, if any: `step`
    elements from one window to the next."""

    sum: For
    digit: _Digit | None
    joined: Expr
    step: Expr
    extent: Expr

    def windows(self, count: Expr) -> Expr:
        """As how many pieces `count` windows are copied."""
        assert self.digit is not None
        return cast(select(self.joined, ONE, count), self.digit.loop.dtype)

    def length(self, count: Expr) -> Expr:
        """Elements of a piece."""
        size = cast(self.sum.stop, I64)
        together = select(gt(count, ZERO), add(mul(sub(count, ONE), self.step), size), ZERO)
        return cast(select(self.joined, together, size), self.sum.dtype)

    def first(self, piece: Var, element: Expr) -> Expr:
        """The first window with an element of a piece."""
        behind = add(sub(element, cast(self.sum.stop, I64)), self.step)
        window = maximum(div(behind, maximum(self.step, ONE)), ZERO)
        return select(self.joined, window, cast(piece, I64))


def padded_windows(rows: For, value: Expr, sums: Sequence[For], names: Names) -> Padded | None:
    """None if the value of the sum over `sums` in a row is no element of such a window."""
    if (
        not isinstance(value, Select)
        or not isinstance(value.then, Load)
        or rows.start != const(0, rows.dtype)
    ):
        return None
    found = _digits(rows, value, names)
    if found is None:
        return None
    digits, value = found
    assert isinstance(value, Select) and isinstance(value.then, Load)
    pairs = _pairs(value, digits, sums)
    *_, lowest = digits
    paired = [s for s in sums if s.var in pairs]
    if not paired or pairs[paired[-1].var][0] is not lowest:
        return None
    declared: list[Stmt] = []
    dimensions: list[_Dimension] = []
    for loop in sums:
        size = cast(loop.stop, I64)
        if loop.var not in pairs:
            dimensions.append(_Dimension(loop, None, FALSE, ZERO, size))
            continue
        digit, step = pairs[loop.var]
        stride = cast(to_expr(step, loop.dtype), I64)
        joined = Var(BOOL, names.fresh(f"{loop.var}_joined"))
        near = Var(I64, names.fresh(f"{loop.var}_step"))
        long = Var(I64, names.fresh(f"{loop.var}_extent"))
        whole = maximum(add(mul(sub(cast(digit.extent, I64), ONE), near), size), ZERO)
        declared.append(Decl(joined.name, BOOL, init=and_(gt(stride, ZERO), le(stride, size))))
        declared.append(Decl(near.name, I64, init=select(joined, stride, size)))
        declared.append(Decl(long.name, I64, init=whole))
        dimensions.append(_Dimension(loop, digit, joined, near, long))
    outer = [d for d in digits if all(d is not each.digit for each in dimensions)]
    strides: dict[str, Expr] = {}
    size = ONE
    for dimension in reversed(dimensions):
        strides[dimension.sum.var] = size
        size = mul(size, dimension.extent)
    base: Expr = ZERO
    apart: dict[str, Expr] = {}
    for digit in reversed(outer):
        apart[digit.loop.var] = size
        base = add(mul(_of_row(digit, rows, digits), size), base)
        size = mul(size, cast(digit.extent, I64))
    place: Expr = ZERO
    for dimension in dimensions:
        own = strides[dimension.sum.var]
        if dimension.digit is not None:
            base = add(base, mul(_of_row(dimension.digit, rows, digits), mul(dimension.step, own)))
        place = add(place, mul(cast(Var(dimension.sum.dtype, dimension.sum.var), I64), own))
    array = names.fresh(f"{value.then.array}_padded")
    fill = _fill(rows, value, array, outer, apart, dimensions, strides, names)
    if fill is None:
        return None
    copy = Decl(array, F32, (maximum(size, ZERO),), Space.LOCAL)
    lengths = [gt(d.extent, const(0, d.extent.dtype)) for d in digits[1:] if not isinstance(d.extent, Const)]
    return Padded(and_(*lengths), (*declared, copy, fill), array, base, place)


def _digits(rows: For, value: Expr, names: Names) -> tuple[list[_Digit], Expr] | None:
    """The digits of the counter, highest first, and the value by them."""
    store = Assign(Load(F32, "\0", (const(0),)), value)
    loop = replace(rows, body=Block((store,)), kind=LoopKind.PARALLEL)
    radices: list[Expr] = []
    while (radix := radix_of(loop)) is not None and (split := split_digit(loop, names)) is not None:
        radices.insert(0, cast(radix, rows.dtype))
        loop = split
    nest = [loop]
    while isinstance(inner := nest[-1].body.body[0], For) and len(nest[-1].body.body) == 1:
        nest.append(inner)
    match nest[-1].body.body:
        case (Assign(value=Select() as value),) if len(nest) == len(radices) + 1:
            pass
        case _:
            return None
    worth: Expr = const(1, rows.dtype)
    found: list[_Digit] = []
    for each, radix in zip(reversed(nest), reversed([None, *radices]), strict=True):
        extent = radix if radix is not None else _ceil(rows.stop, worth)
        found.insert(0, _Digit(each, extent, worth))
        worth = mul(extent, worth)
    return found, value


def _ceil(stop: Expr, by: Expr) -> Expr:
    """stop / by, rounded up; 0 or more, whatever `by` is."""
    one = const(1, stop.dtype)
    return stop if by == one else maximum(ceil_div(stop, maximum(by, one)), const(0, stop.dtype))


def _of_row(digit: _Digit, rows: For, digits: Sequence[_Digit]) -> Expr:
    """The digit of the row's counter."""
    counter: Expr = Var(rows.dtype, rows.var)
    high = counter if digit.worth == const(1, rows.dtype) else div(counter, digit.worth)
    return cast(high if digit is digits[0] else mod(high, digit.extent), I64)


def _pairs(value: Select, digits: Sequence[_Digit], sums: Sequence[For]) -> dict[str, tuple[_Digit, Affine]]:
    """By the counter of a sum the digit whose windows it runs over, and how far from one another these are:
    the value depends on both by `step * digit + counter` alone."""
    assert isinstance(value.then, Load)
    forms = [linear(value.then.index[0])]
    for part in parts_of(value.condition):
        if not isinstance(part, Binary):
            return {}
        left, right = linear(part.left), linear(part.right)
        forms.append(None if left is None or right is None else left - right)
    found: dict[str, tuple[_Digit, Affine]] = {}
    counters = {s.var for s in sums} | {d.loop.var for d in digits}
    for digit in digits:
        for loop in sums:
            step = _step(forms, digit.loop.var, loop.var) if loop.var not in found else None
            if step is not None and not step.variables() & counters:
                found[loop.var] = (digit, step)
                break
    return found


def _step(forms: Iterable[Affine | None], digit: str, counter: str) -> Affine | None:
    """How far the counter goes for one step of the digit, in all forms alike, of which one compares."""
    first, *compared = [(_of(form, digit), _of(form, counter)) for form in forms]
    if first[0] is None or first[1] is None or first[1].as_int == 0:
        return None
    step, rest = divide_out(first[0], first[1])
    if rest.as_int != 0 or step.as_int == 0:
        return None
    for high, low in compared:
        if high is None or low is None or high != low * step:
            return None
    return step if any(low is not None and low.as_int != 0 for _, low in compared) else None


def _of(form: Affine | None, name: str) -> Affine | None:
    return None if form is None else coefficient(form, name)


def _fill(
    rows: For,
    value: Expr,
    array: str,
    outer: Sequence[_Digit],
    apart: Mapping[str, Expr],
    dimensions: Sequence[_Dimension],
    strides: Mapping[str, Expr],
    names: Names,
) -> Stmt | None:
    """The loops that copy what the rows there are will read."""
    last = max(n for n, d in enumerate(dimensions) if d.digit is not None)
    place: Expr = ZERO
    before: Expr = ZERO  # the rows in front of the first one that reads this row of the array
    for high in outer:
        number = cast(Var(high.loop.dtype, high.loop.var), I64)
        place = add(place, mul(number, apart[high.loop.var]))
        before = add(before, mul(number, cast(high.worth, I64)))
    around = [_loop(high.loop.var, high.extent) for high in outer]
    inner: list[For] = []
    heads: list[Decl] = []
    values: dict[str, Expr] = {}
    for n, dimension in enumerate(dimensions):
        counter, digit, own = dimension.sum, dimension.digit, strides[dimension.sum.var]
        at = Var(counter.dtype, names.fresh(f"{counter.var}_at"))
        values[counter.var] = at
        element = cast(at, I64)
        length = counter.stop
        if digit is not None:
            window = Var(digit.loop.dtype, names.fresh(f"{digit.loop.var}_window"))
            values[digit.loop.var] = window
            count: Expr = cast(digit.extent, I64)
            if n == last:
                rest = maximum(minimum(sub(cast(rows.stop, I64), before), count), ZERO)
                count = _named(names, f"{digit.loop.var}_left", rest, heads)
            around.append(_loop(window.name, dimension.windows(count)))
            length = dimension.length(count)
            if n == last:
                length = _named(names, f"{counter.var}_length", length, heads)
            else:
                before = add(before, mul(dimension.first(window, element), cast(digit.worth, I64)))
            element = add(mul(cast(window, I64), dimension.step), element)
        (around if n < last else inner).append(_loop(at.name, length))
        place = add(place, mul(element, own))
    inside = inside_of(substitute(value, values), inner, names)
    if inside is None:
        return None
    *beyond, windows_of_row = around
    row = Block(tuple(_row(array, place, inner, inside, names)))
    work = Block((*heads, replace(windows_of_row, body=row)))
    for loop in reversed(beyond):
        work = Block((replace(loop, body=work),))
    return If(gt(rows.stop, const(0, rows.dtype)), work, EMPTY)


def _named(names: Names, name: str, value: Expr, heads: list[Decl]) -> Var:
    heads.append(Decl(names.fresh(name), value.dtype, init=value))
    return Var(value.dtype, heads[-1].name)


def _loop(name: str, stop: Expr) -> For:
    zero, one = const(0, stop.dtype), const(1, stop.dtype)
    return For(name, stop.dtype, zero, stop, one, EMPTY, LoopKind.PARALLEL)


def _row(array: str, place: Expr, loops: Sequence[For], inside: Inside, names: Names) -> list[Stmt]:
    """The elements that there are, and zeros around them."""
    moved = {s.var: add(Var(s.dtype, s.var), low) for s, low in zip(loops, inside.starts, strict=True)}
    shifted = [replace(s, stop=n) for s, n in zip(loops, inside.lengths, strict=True)]
    copy = _nest(shifted, substitute(Assign(Load(F32, array, (place,)), inside.value), moved))
    zero = Assign(Load(F32, array, (place,)), inside.otherwise)
    if all(
        low == const(0, low.dtype) and s.stop == n
        for s, low, n in zip(loops[1:], inside.starts[1:], inside.lengths[1:], strict=True)
    ):
        first, start, length = loops[0], inside.starts[0], inside.lengths[0]
        left = _nest([replace(first, stop=start), *loops[1:]], zero)
        behind = add(start, maximum(length, const(0, length.dtype)))
        end = Var(first.dtype, names.fresh(f"{first.var}_end"))
        right = _nest(
            [replace(first, stop=sub(first.stop, end)), *loops[1:]],
            substitute(zero, {first.var: add(Var(first.dtype, first.var), end)}),
        )
        fills = [left, copy, Decl(end.name, end.dtype, init=behind), right]
    else:
        fills = [If(inside.partly, Block((_nest(loops, zero),)), EMPTY), copy]
    return [
        *inside.bounds,
        *(_with_lanes(flatten_loops(stmt, names)) if isinstance(stmt, For) else stmt for stmt in fills),
    ]


def _with_lanes(stmt: Stmt) -> Stmt:
    """The loop with the elements of its innermost one as lanes, if these are neighbours."""
    if not isinstance(stmt, For):
        return stmt
    (inner,) = stmt.body.body
    if isinstance(inner, For):
        return replace(stmt, body=Block((_with_lanes(inner),)))
    loads = [n for n in walk(inner) if isinstance(n, Load)]
    apart = [coefficient(load.index[0], stmt.var) for load in loads]
    lanes = all(step is not None and step.as_int == 1 for step in apart)
    return replace(stmt, kind=LoopKind.VECTOR) if lanes else stmt


def _nest(loops: Sequence[For], stmt: Stmt) -> Stmt:
    for loop in reversed(loops):
        stmt = replace(loop, body=Block((stmt,)), kind=LoopKind.PARALLEL)
    return stmt
