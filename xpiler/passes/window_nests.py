"""Nests that do what `__bang_conv` does: sums of products over windows of an HWC tensor with OHWI weights.

    for outer...: for x: for o:
      acc = start;  for i: for j: for c:  if (guards) acc += image[.. x*sw + j, c] * weight[o, i, j, c];  rest

The loops of the sum may come in any order; a single row of a window needs no loop. Guards are about a row of
the window or about a pixel of it, whatever its x and j.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from math import gcd

from xpiler.ir.affine import Affine, coefficient, lift, linear, prove_eq, to_expr
from xpiler.ir.affine_form import divide_out
from xpiler.ir.build import add, const, is_const, mul
from xpiler.ir.nodes import (
    Binary,
    Decl,
    Expr,
    For,
    Load,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import arrays_read, arrays_written, free_vars, substitute, uses, walk
from xpiler.ir.types import F16, F32, I32, DType
from xpiler.passes.contraction import INDEPENDENT, factors_of, guarded_loops, with_guards, without_values
from xpiler.passes.lane_ranges import conjuncts, is_cut

LONGEST_STRIDE = 1023


@dataclass(frozen=True)
class Windows:
    """The nest `pixels: channels: acc = start; rows: columns: depth: acc += image * weight; rest`, inside of
    `outer` loops, each with the integers that are computed in front of the next."""

    outer: tuple[For, ...]
    pixels: For
    channels: For
    before: tuple[Decl, ...]  # between the two
    accumulator: Decl
    rest: tuple[Stmt, ...]
    image: Load
    weight: Load
    window: tuple[Expr, Expr, Expr]  # rows, columns and channels of it
    vars: tuple[str, str, str]
    step: Expr  # pixels from one window to the next
    pixel: Expr  # elements from one pixel to the next
    guards: tuple[Expr, ...]  # for a row of the window
    cuts: tuple[Expr, ...]  # for a pixel of the row


def match_windows(outermost: For, memory: Mapping[str, DType]) -> Windows | None:
    """The nest whose outermost independent loop this is."""
    nest = [outermost]
    while nest[-1].kind in INDEPENDENT and is_const(nest[-1].step, 1):
        *between, last = nest[-1].body.body or (outermost,)
        if not isinstance(last, For) or last.kind not in INDEPENDENT or not is_const(last.step, 1):
            break
        if not all(map(_is_integer, between)):
            return None
        nest.append(last)
    if len(nest) < 2 or nest[-1].kind not in INDEPENDENT:
        return None
    *outer, pixels, channels = nest
    inside = {each.var for each in nest}
    inside |= {d.name for each in nest[:-1] for d in each.body.body if isinstance(d, Decl)}
    before = tuple(d for d in pixels.body.body[:-1] if isinstance(d, Decl))
    if pixels.dtype != I32 or channels.dtype != I32:
        return None
    values = {d.name: d.init for d in before if isinstance(d.init, Expr)}
    if uses(channels.body).vars_set & set(values):
        return None
    for name in list(values):
        values[name] = substitute(values[name], values)
    body = without_values(substitute(channels.body, values)).body
    match body:
        case (Decl(shape=(), dtype=dtype, init=Expr()) as start, For() as sum_, *_) if dtype == F32:
            rest = body[2:]
        case _:
            return None
    if (free_vars(channels.start) | free_vars(channels.stop)) & {pixels.var, *values}:
        return None
    loops, guards, innermost = guarded_loops(sum_)
    innermost, side = with_guards(innermost, guards)
    factors = factors_of(innermost, start.name)
    own = {pixels.var, channels.var, *(each.var for each in loops)}
    if factors is None or len(loops) > 3 or not all(_plain(each, own) for each in loops):
        return None
    for n, (image, weight) in enumerate((factors, factors[::-1])):
        if side is not None and guards and side != n:
            continue
        if not guards:
            loops, image, weight = _with_channels(pixels.var, loops, image, weight)
        own |= {each.var for each in loops}
        found = _windows(pixels.var, channels.var, loops, image, weight)
        if found is None or image.dtype not in (F32, F16):
            continue
        if memory.get(image.array) != image.dtype or memory.get(weight.array) != weight.dtype:
            continue
        written = arrays_written(outermost.body)
        if {image.array, weight.array} & set(written) or set(arrays_read(channels.stop)):
            continue
        ordered, step, pixel = found
        if frozenset().union(*(free_vars(each.stop) for each in loops), free_vars(step)) & inside:
            continue
        split = _guards(guards, pixels.var, ordered[1].var, step, own - {ordered[0].var})
        if split is None:
            continue
        return Windows(
            tuple(outer), pixels, channels, before, start, rest, image, weight,
            (ordered[0].stop, ordered[1].stop, ordered[2].stop),
            (ordered[0].var, ordered[1].var, ordered[2].var), step, pixel, *split,
        )  # fmt: skip
    return None


def _is_integer(stmt: Stmt) -> bool:
    return isinstance(stmt, Decl) and stmt.dtype.is_integer and isinstance(stmt.init, Expr)


def _plain(loop: For, own: set[str]) -> bool:
    starts = is_const(loop.start, 0) and is_const(loop.step, 1) and loop.dtype == I32
    return starts and not free_vars(loop.stop) & own


def _with_channels(x: str, loops: list[For], image: Load, weight: Load) -> tuple[list[For], Load, Load]:
    """A loop over the pixels of a row of the window and their channels at once as two:

    for d in 0..kw*C: image[x*C + d] * ..   -->   for j in 0..kw: for c in 0..C: image[x*C + (j*C + c)] * ..

    So it is where x goes on by several pixels: of C*2, C is what the loop is a multiple of.
    """
    for loop in loops if len(loops) < 3 else ():
        across, along, extent = *(coefficient(image.index[0], v) for v in (x, loop.var)), linear(loop.stop)
        if not across or not across.terms or along is None or extent is None or along.as_int != 1:
            continue
        pixels = gcd(*(factor for _, factor in across.terms))
        channels, _ = divide_out(across, lift(pixels))
        channels = channels * gcd(pixels, *(factor for _, factor in extent.terms))
        count, rest = divide_out(extent, channels)
        if rest.as_int != 0 or count.as_int == 1 or (channels.as_int or 0) == 1:
            continue
        j, c = Var(I32, f"{loop.var}?j"), Var(I32, f"{loop.var}?c")
        depth = to_expr(channels, I32)
        place = {loop.var: add(mul(j, depth), c)}
        columns = replace(loop, var=j.name, stop=to_expr(count, I32))
        rest_of_loops = [each for each in loops if each is not loop]
        split = [*rest_of_loops, columns, replace(loop, var=c.name, stop=depth)]
        own = [replace(load, index=(substitute(load.index[0], place),)) for load in (image, weight)]
        return split, own[0], own[1]
    return loops, image, weight


def _windows(
    x: str, o: str, loops: list[For], image: Load, weight: Load
) -> tuple[tuple[For, For, For], Expr, Expr] | None:
    """The loops as rows, columns and channels of the window, the pixels of a step of `x`, and the elements
    from one pixel to the next."""
    place, order = image.index[0], weight.index[0]
    if len(loops) < 2 or o in free_vars(place) or x in free_vars(order):
        return None
    one_row = [replace(loops[0], var=f"{loops[0].var}?", stop=const(1))] if len(loops) == 2 else []
    for rows, columns, depth in permutations([*one_row, *loops]):
        own = {x, o, rows.var, columns.var, depth.var}
        here = {v: coefficient(place, v) for v in own}
        there = {v: coefficient(order, v) for v in own}
        if any(c is None or c.variables() & own for c in (*here.values(), *there.values())):
            continue
        h, w, c = (linear(each.stop) for each in (rows, columns, depth))
        pixel, across = here[columns.var], here[x]
        if h is None or w is None or c is None or pixel is None or across is None:
            continue
        wanted = {
            depth.var: const(1),
            columns.var: depth.stop,
            o: mul(mul(rows.stop, columns.stop), depth.stop),
        }
        if len(loops) == 3:
            wanted[rows.var] = mul(columns.stop, depth.stop)
        if not all(is_form(there[v], e) for v, e in wanted.items()) or not is_form(here[depth.var], const(1)):
            continue
        quotient, rest = divide_out(across, pixel)
        if one_row and is_form(quotient, columns.stop) and is_form(pixel, depth.stop):
            continue  # a row of a matrix, in pieces
        if rest.as_int == 0:
            return (rows, columns, depth), to_expr(quotient, I32), to_expr(pixel, I32)
    return None


def is_form(found: Affine | None, wanted: Expr) -> bool:
    """Whether the form is the expression's."""
    form = linear(wanted)
    return found is not None and form is not None and prove_eq(found, form)


def _guards(
    guards: list[Expr], x: str, j: str, step: Expr, own: set[str]
) -> tuple[tuple[Expr, ...], tuple[Expr, ...]] | None:
    """Those for whole rows of a window, and those that cut a row, whose pixels are x * step + j."""
    rows: list[Expr] = []
    cuts: list[Expr] = []
    for guard in (c for each in guards for c in conjuncts(each)):
        if any(isinstance(n, Load) for n in walk(guard)):
            return None
        if not free_vars(guard) & own:
            rows.append(guard)
            continue
        if free_vars(guard) & (own - {x, j}) or not is_cut(guard, j, lambda e: j in free_vars(e)):
            return None
        if not isinstance(guard, Binary) or not all(
            _by_pixel(e, x, j, step) for e in (guard.left, guard.right)
        ):
            return None
        cuts.append(guard)
    return tuple(rows), tuple(cuts)


def _by_pixel(side: Expr, x: str, j: str, step: Expr) -> bool:
    """Whether it depends on `x` and `j` by `x * step + j` alone."""
    across, along = coefficient(side, x), coefficient(side, j)
    if across is None or along is None or {x, j} & (across.variables() | along.variables()):
        return False
    return is_form(across, mul(to_expr(along, I32), step))
