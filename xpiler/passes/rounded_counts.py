"""What is done to more lanes than anyone reads is done to those.

    for lane in 0..n: a[lane] = x[lane]                               for lane in 0..n: a[lane] = x[lane]
    for lane in 0..(n + 63) / 64 * 64: a[lane] = a[lane] * 2   -->    for lane in 0..n: a[lane] = a[lane] * 2
    for lane in 0..n: y[lane] = a[lane]                               for lane in 0..n: y[lane] = a[lane]

Vector units ask for whole pieces of 64 lanes, and scratchpads have room for them. Applies to loops of one
list that change nothing but local arrays, each lane its own elements, if these arrays are used in this list
only, lane by lane, are set there first, and whatever else reads them ends at the smaller count. So it is with
the rows of a tile, each as long as a rounded count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import Overflow, coefficient, linear, prove_eq, simplify, substitute
from xpiler.ir.affine_form import Affine, of_var, to_expr
from xpiler.ir.build import is_const, minimum, sub
from xpiler.ir.nodes import Assign, Binary, Block, Const, Decl, Expr, For, Function, Load, Ref, Stmt
from xpiler.ir.rewrite import free_vars, map_body, uses, walk, walk_stmts
from xpiler.passes.facts import Facts
from xpiler.passes.structured import spliced


def drop_rounding(function: Function) -> Function:
    """In every list of statements."""
    local = {d.name for d in walk_stmts(function.body) if isinstance(d, Decl) and len(d.shape) == 1}
    local -= {n.array for n in walk(function.body) if isinstance(n, Ref)}
    everywhere = Counter(n.array for n in walk(function.body) if isinstance(n, Load) and n.array in local)
    mutable = Facts.of(function).mutable

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Block):
            return stmt
        body = _shortened(tuple(spliced(stmt.body)), local, everywhere, mutable)
        return stmt if body is None else replace(stmt, body=body)

    return map_body(function, change)


@dataclass(frozen=True)
class _Lanes:
    """A loop over lanes in a list, maybe in one over the rows of a tile."""

    stmt: For
    rows: For | None
    lanes: For

    @staticmethod
    def of(stmt: Stmt) -> _Lanes | None:
        if not isinstance(stmt, For) or not _counts(stmt):
            return None
        body = spliced(stmt.body.body)
        inner = body[0] if len(body) == 1 else None
        if isinstance(inner, For) and _counts(inner):
            return _Lanes(stmt, stmt, inner)
        return _Lanes(stmt, None, stmt)

    def ended(self, count: Expr) -> For:
        if self.rows is None:
            return replace(self.stmt, stop=count)
        return replace(self.stmt, body=Block((replace(self.lanes, stop=count),)))

    def place(self, load: Load) -> Affine | None:
        """Where the lanes begin in the array that is accessed, with a name of its own for the row."""
        form = linear(load.index[0]) if len(load.index) == 1 else None
        if form is None:
            return None
        form = form - of_var(self.lanes.var, self.lanes.dtype)
        if self.rows is not None:
            form = substitute(form, {self.rows.var: of_var("?row", self.rows.dtype)})
        return form


def _counts(loop: For) -> bool:
    return is_const(loop.start, 0) and is_const(loop.step, 1)


def _shortened(
    stmts: Sequence[Stmt], local: set[str], everywhere: Counter[str], mutable: frozenset[str]
) -> tuple[Stmt, ...] | None:
    """The list with its loops over rounded counts ended earlier; None if there are none."""
    views = [view for s in stmts if (view := _Lanes.of(s)) is not None]
    quiet = [view for view in views if _is_quiet(view.stmt, local)]
    for count in dict.fromkeys(view.lanes.stop for view in views if view not in quiet):
        longer = [
            view
            for view in quiet
            if not prove_eq(count, view.lanes.stop) and _is_rounded(view.lanes.stop, count)
        ]
        if not longer or free_vars(count) & mutable & _set_in(stmts):
            continue
        within = [view for view in views if view in longer or prove_eq(view.lanes.stop, count)]
        closed = {a for a in local if _is_closed(a, stmts, within, longer, everywhere)}
        short = _all_shorter(longer, closed)
        if short:
            return tuple(short[id(s)].ended(count) if id(s) in short else s for s in stmts)
    return None


def _all_shorter(longer: Sequence[_Lanes], closed: set[str]) -> dict[int, _Lanes]:
    """The loops that may end earlier, by their identity: none that sets what another one, which may not, goes
    on to read."""
    while True:
        short = {id(v.stmt): v for v in longer if uses(v.stmt).arrays_written <= closed}
        read = frozenset[str]().union(*(uses(v.stmt).arrays_read for v in longer if id(v.stmt) not in short))
        if not closed & read:
            return short
        closed = closed - read


def _is_rounded(stop: Expr, count: Expr) -> bool:
    """Whether the stop is not below the count: `(count + 63) / 64 * 64`, or the most that it may be."""
    match stop:
        case Binary(
            op="*",
            left=Binary(op="/", left=Binary(op="+" | "-") as more, right=Const(value=unit)),
            right=Const(value=again),
        ) if unit == again:
            added = linear(sub(more, count))
            number = None if added is None else added.as_int
            return number is not None and number >= int(unit) - 1
    smaller = minimum(count, stop)
    return isinstance(stop, Const) and simplify(smaller, {}, Overflow.IGNORED) != smaller


def _set_in(stmts: Sequence[Stmt]) -> frozenset[str]:
    return frozenset[str]().union(*(uses(s).vars_set for s in stmts))


def _is_quiet(loop: For, local: set[str]) -> bool:
    """Whether a loop leaves nothing behind but elements of local arrays."""
    done = uses(loop)
    left = done.vars_assigned - done.vars_declared - {loop.var}
    return done.arrays_written <= local and not left and all(isinstance(s, _PLAIN) for s in walk_stmts(loop))


_PLAIN = (Assign, Block, Decl, For)


def _is_closed(
    array: str,
    stmts: Sequence[Stmt],
    within: Sequence[_Lanes],
    longer: Sequence[_Lanes],
    everywhere: Counter[str],
) -> bool:
    """Whether an array is used by these loops alone, each lane its own element, after it has set it."""
    by_stmt = {id(view.stmt): view for view in within}
    users = [
        s for s in stmts if not isinstance(s, Decl) and array in uses(s).arrays_read | uses(s).arrays_written
    ]
    views = [by_stmt[id(s)] for s in users if id(s) in by_stmt]
    if not users or len(views) < len(users):
        return False
    found = [(view, n) for view in views for n in walk(view.stmt) if isinstance(n, Load) and n.array == array]
    places = {view.place(load) for view, load in found}
    place = next(iter(places))
    if len(places) != 1 or place is None or len(found) != everywhere[array]:
        return False
    if place.variables() & (_set_in(stmts) | _inner(users)):
        return False
    rows = [view.rows for view in views if view.rows is not None]
    if rows:  # no two of them have an element in common
        stride = coefficient(to_expr(place, rows[0].dtype), "?row")
        if len(rows) < len(views) or any(not prove_eq(r.stop, rows[0].stop) for r in rows):
            return False
        if stride is None or not all(prove_eq(v.lanes.stop, stride) for v in views if v in longer):
            return False
    return _sets_first(views[0].lanes, array)


def _inner(stmts: Sequence[Stmt]) -> frozenset[str]:
    return frozenset[str]().union(*(uses(s).vars_declared for s in stmts))


def _sets_first(loop: Stmt, array: str) -> bool:
    """Whether each round begins by setting its element."""
    assert isinstance(loop, For)
    for stmt in spliced(loop.body.body):
        used = uses(stmt)
        if array not in used.arrays_read | used.arrays_written:
            continue
        match stmt:
            case Assign(target=Load(array=name), value=value, reduce=None) if name == array:
                return array not in uses(value).arrays_read
        return False
    return False
