"""What each element of each array becomes, as a formula, for all sizes and data at once.

    for i in 0..n: t = 0; for k in 0..m: t += a[i*m + k]; y[i] = t
      -->  y[%0] = sum over 0 <= %1 < m of a[%0*m + %1]     where 0 <= %0 < n

Loop counters are bound variables with linear constraints; scalars are replaced by their values, sums and
products are sets of terms, and loops around a scalar become folds, or recurrences as they stand. Blocks of
`w` counters within counters join (`w*i + j`), so that threads and the rows that they work on look alike.
Two programs with the same formulas compute the same over the reals. `Unknown` is raised for everything else
than loops, conditions and assignments, and where an array is read that the function has written at places
that cannot be told apart. Taken for granted: index arithmetic does not overflow, array parameters do not
overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, permutations, product
from math import gcd
from typing import Any

from xpiler.ir.affine import digits, linear
from xpiler.ir.affine import substitute as substitute_form
from xpiler.ir.affine_bounds import Known, nonnegative
from xpiler.ir.affine_form import Affine, divide_out, lift, of_atom, of_var, split_by_var, to_expr
from xpiler.ir.nodes import (
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
    Select,
    Stmt,
    Unary,
    Var,
)
from xpiler.ir.rewrite import assigned_vars, substitute, uses, walk
from xpiler.ir.types import BOOL, I32, I64
from xpiler.symbolic.comparisons import without_choices

Term = tuple[Any, ...]  # its kind first; forms and terms follow
_ZERO: Term = ("number", 0.0)
_MOST = 4  # bound variables whose order is no matter
_CHOICES = 16  # of upper ends, where variables have several
_NODES = 3000  # of a function that is looked at


class Unknown(Exception):
    """What has no formula here, in words."""


@dataclass(frozen=True)
class Piece:
    """`array[index] = value` for all values of the bound `names` for which every constraint is at least 0
    and every one of `conditions` holds. `once`: no two of them are the same element."""

    names: tuple[str, ...]
    constraints: frozenset[Affine]
    conditions: frozenset[Term]
    index: Affine
    value: Term
    once: bool


Formula = dict[str, tuple[Any, ...]]


def formula(function: Function) -> Formula:
    """By array parameter: what is written to it."""
    function = without_choices(function)
    if sum(1 for _ in walk(function.body)) > _NODES:
        raise Unknown("it is too long")
    pointers = [p.name for p in function.params if p.is_pointer]
    if function.globals:
        raise Unknown("it has variables of its own")
    reader = _Reader({p.name for p in function.params if not p.is_pointer})
    try:
        reader.block(function.body)
    except RecursionError:
        raise Unknown("its expressions are too deep") from None
    result: Formula = {}
    for name in pointers:
        pieces = reader.pieces.get(name, [])
        apart = are_apart(pieces)
        result[name] = tuple(sorted(map(_canonical, pieces), key=_text) if apart else _sequence(pieces))
    return result


# ------------------------------------------------------------------------------------------ reading


@dataclass
class _Loop:
    name: str
    constraints: frozenset[Affine]
    written: frozenset[str]  # in it, of arrays from outside
    in_place: list[tuple[str, Affine]] = field(default_factory=list)  # read before it writes them


@dataclass
class _Reader:
    """Goes through statements in order; `values`: of scalars, forms of integers and terms of the others."""

    parameters: set[str]
    values: dict[str, Any] = field(default_factory=dict)
    pieces: dict[str, list[Piece]] = field(default_factory=dict)
    shapes: dict[str, tuple[Affine, ...]] = field(default_factory=dict)
    loops: list[_Loop] = field(default_factory=list)
    guards: list[Any] = field(default_factory=list)  # forms that are at least 0, and other conditions
    count: int = 0

    # -------------------------------------------------------------------------------- statements

    def block(self, body: Block) -> None:
        for stmt in body.body:
            self.statement(stmt)

    def statement(self, stmt: Stmt) -> None:
        match stmt:
            case Block():
                self.block(stmt)
            case Decl(shape=()):
                if isinstance(stmt.init, Expr):
                    self.values[stmt.name] = self.value(stmt.init)
                else:
                    self.values.pop(stmt.name, None)
            case Decl(init=None):
                self.shapes[stmt.name] = tuple(self.form(e) for e in stmt.shape)
                self.pieces[stmt.name] = []
            case Assign(target=Var(name=name)):
                self.values[name] = self._assigned(stmt)
            case Assign(target=Load() as place):
                self._store(place, self._assigned(stmt))
            case If():
                self._if(stmt)
            case For():
                self._for(stmt)
            case _:
                raise Unknown(f"it has a {type(stmt).__name__.lower()}")

    def _assigned(self, stmt: Assign) -> Any:
        value = self.value(stmt.value)
        if stmt.reduce is None:
            return value
        old = self.value(stmt.target)
        if isinstance(old, Affine) and isinstance(value, Affine):
            if stmt.reduce != "+":
                raise Unknown("integers are reduced")
            return old + value
        return operation(stmt.reduce, old, value)

    def _store(self, place: Load, value: Any) -> None:
        names = tuple(loop.name for loop in self.loops)
        limits = frozenset(c for loop in self.loops for c in loop.constraints)
        limits |= frozenset(g for g in self.guards if isinstance(g, Affine))
        others = frozenset(g for g in self.guards if not isinstance(g, Affine))
        index = self.index(place)
        inside = tuple(n for n in names if self._is_inside(n, place.array))
        piece = Piece(inside, limits, others, index, _term(value), _is_injective(index, inside, limits))
        pieces = self.pieces.setdefault(place.array, [])
        if pieces and replace(pieces[-1], value=piece.value) == piece:
            pieces.pop()  # the very same element, in the same iteration
        pieces.append(piece)

    def _is_inside(self, name: str, array: str) -> bool:
        """Whether the loop lies within the array's scope, so that its iterations write one array."""
        loop = next(lo for lo in self.loops if lo.name == name)
        return array not in self.shapes or array in loop.written

    def _if(self, stmt: If) -> None:
        before = dict(self.values)
        held = self.condition(stmt.condition)
        outcomes = []
        for guards, body in ((held, stmt.then), (negated(held), stmt.otherwise)):
            self.values = dict(before)
            self.guards += guards
            self.block(body)
            del self.guards[len(self.guards) - len(guards) :]
            outcomes.append(self.values)
        self.values = {}
        for name in outcomes[0].keys() & outcomes[1].keys():
            then, otherwise = outcomes[0][name], outcomes[1][name]
            if then == otherwise:
                self.values[name] = then
            elif not isinstance(then, Affine) and not isinstance(otherwise, Affine):
                self.values[name] = chosen(held, then, otherwise)

    def _for(self, loop: For) -> None:
        start, stop, step = self.form(loop.start), self.forms_of_stop(loop.stop), self.form(loop.step)
        name = f"%{self.count}"
        self.count += 1
        counter = of_var(name)
        limits = frozenset({counter, *(end - start - 1 - counter * step for end in stop)})
        outside = uses(loop.body).arrays_written - uses(loop.body).arrays_declared
        inner = _Loop(name, limits, frozenset(outside))
        carried = sorted((assigned_vars(loop.body) - uses(loop.body).vars_declared) & self.values.keys())
        before = {n: self.values[n] for n in carried}
        self.values[loop.var] = start + counter * step
        for variable in carried:
            self.values[variable] = ("carried", name, variable)
        pieces = {array: len(p) for array, p in self.pieces.items()}
        self.loops.append(inner)
        self.block(loop.body)
        self.loops.pop()
        for array, index in inner.in_place:
            added = self.pieces[array][pieces.get(array, 0) :]
            if any(p.index != index or not p.once for p in added):
                raise Unknown(f"{array} is read where other iterations may have written it")
        after = {n: self.values.get(n) for n in carried}
        self.values.pop(loop.var, None)
        for variable in carried:
            self.values[variable] = self._folded(variable, before, after, inner)
        for variable in assigned_vars(loop.body) - set(carried):
            self.values.pop(variable, None)

    def _folded(
        self, variable: str, before: Mapping[str, Any], after: Mapping[str, Any], loop: _Loop
    ) -> Term:
        """`x = x + f(i)` as x plus the sum of f; anything else as the recurrence that it is."""
        mine, new = ("carried", loop.name, variable), after[variable]
        if new == mine:
            return _term(before[variable])
        split = _split_reduction(new, mine)
        if split is not None and not _mentions(split[1], "carried", loop.name):
            op, rest, conditions = split[0], split[1], split[2]
            if all(isinstance(c, Affine) for c in conditions):
                limits = loop.constraints | frozenset(conditions)
                return operation(op, before[variable], fold(op, (loop.name,), limits, rest))
        if any(v is None for v in after.values()):
            raise Unknown(f"{variable} is not always set")
        order = list(after)
        places = {("carried", loop.name, n): ("place", i) for i, n in enumerate(order)}
        outs = tuple(_replaced(_term(after[n]), places) for n in order)
        starts = tuple(_term(before[n]) for n in order)
        bound = _bound((loop.name,), loop.constraints, ("outs", *outs))
        return ("recurrence", order.index(variable), starts, *bound)

    # -------------------------------------------------------------------------------- expressions

    def ranges(self) -> Known:
        limits = [c for loop in self.loops for c in loop.constraints]
        limits += [g for g in self.guards if isinstance(g, Affine)]
        return ranges_of([loop.name for loop in self.loops], limits)

    def form(self, expr: Expr) -> Affine:
        """The linear form of an integer expression over parameters and bound variables."""
        values: dict[str, Expr] = {}
        for node in walk(expr):
            match node:
                case Load(array=array) if array in self.pieces:
                    raise Unknown("an index is read from an array that is written")
                case Var(name=name) if name not in self.parameters:
                    known = self.values.get(name)
                    if not isinstance(known, Affine):
                        raise Unknown(f"{name} has no form")
                    values[name] = to_expr(known, node.dtype)
        found = linear(substitute(expr, values), self.ranges())
        if found is None:
            raise Unknown("an index is no integer")
        return _tidy(found)

    def forms_of_stop(self, expr: Expr) -> list[Affine]:
        match expr:
            case Call(function="min", args=args) if expr.dtype.is_integer:
                return [form for arg in args for form in self.forms_of_stop(arg)]
        return [self.form(expr)]

    def index(self, place: Load) -> Affine:
        if len(place.index) == 1:
            return self.form(place.index[0])
        shape = self.shapes.get(place.array)
        if shape is None or len(shape) != len(place.index):
            raise Unknown("an array without a shape")
        total = lift(0)
        for expr, extent in zip(place.index, shape, strict=True):
            total = total * extent + self.form(expr)
        return total

    def condition(self, expr: Expr) -> list[Any]:
        """All of what has to hold: forms that are at least 0, other conditions as terms."""
        match expr:
            case Binary(op="&&", left=left, right=right):
                return self.condition(left) + self.condition(right)
            case Binary(op="||", left=left, right=right):
                return negated(negated(self.condition(left)) + negated(self.condition(right)))
            case Unary(op="!", operand=operand):
                return negated(self.condition(operand))
            case Binary(op="<" | "<=" | ">" | ">=" as op, left=left, right=right) if left.dtype.is_integer:
                first, second = self.form(left), self.form(right)
                if op in (">", ">="):
                    first, second = second, first
                return [second - first - (1 if op in ("<", ">") else 0)]
            case Binary(op="==" | "!=" as op, left=left, right=right) if left.dtype.is_integer:
                return [("compare", op, ("int", self.form(left) - self.form(right)))]
        return [("truth", self.value(expr))]

    def value(self, expr: Expr) -> Any:
        """A form of integers, a term of anything else."""
        if expr.dtype.is_integer and expr.dtype != BOOL and self._is_form(expr):
            return self.form(expr)
        match expr:
            case Const(value=value, dtype=dtype):
                return ("number", float(value)) if dtype.is_float else ("int", lift(int(value)))
            case Var(name=name):
                if name in self.parameters:
                    return ("scalar", name)
                if name not in self.values:
                    raise Unknown(f"{name} has no value")
                return self.values[name]
            case Load():
                return self._load(expr)
            case Cast(operand=operand, dtype=dtype):
                inner = _term(self.value(operand))
                if operand.dtype.is_float and dtype.is_float and dtype.bits >= operand.dtype.bits:
                    return inner
                return ("cast", str(operand.dtype), str(dtype), inner)
            case Unary(op="-", operand=operand) if expr.dtype.is_float:
                return operation("*", ("number", -1.0), _term(self.value(operand)))
            case Binary(op="-", left=left, right=right) if expr.dtype.is_float:
                negative = operation("*", ("number", -1.0), _term(self.value(right)))
                return operation("+", _term(self.value(left)), negative)
            case Binary(op=op, left=left, right=right):
                return operation(op, _term(self.value(left)), _term(self.value(right)))
            case Select(condition=test, then=then, otherwise=otherwise):
                held = self.condition(test)
                self.guards += held
                first = _term(self.value(then))
                del self.guards[len(self.guards) - len(held) :]
                return chosen(held, first, _term(self.value(otherwise)))
            case Call(function="fma", args=(x, y, z)) if expr.dtype.is_float:
                product = operation("*", _term(self.value(x)), _term(self.value(y)))
                return operation("+", product, _term(self.value(z)))
            case Call(function=name, args=args):
                terms = [_term(self.value(a)) for a in args]
                if name in ("min", "max"):
                    return operation(name, *terms)
                return ("call", name, str(expr.dtype), *terms)
        raise Unknown(f"it has a {type(expr).__name__.lower()}")

    def _is_form(self, expr: Expr) -> bool:
        """Whether an integer has nothing to do with data."""
        return not any(
            isinstance(n, Load)
            or (
                (isinstance(n, Var) and n.name not in self.parameters)
                and not isinstance(self.values.get(n.name), Affine)
            )
            for n in walk(expr)
        )

    def _load(self, expr: Load) -> Term:
        index = self.index(expr)
        pieces = self.pieces.get(expr.array, [])
        last = pieces[-1] if pieces else None
        for loop in self.loops:
            if expr.array in loop.written and (last is None or loop.name not in last.names):
                loop.in_place.append((expr.array, index))
        if last is not None:
            return _written(last, index, self.ranges(), {loop.name for loop in self.loops})
        if expr.array in self.shapes:
            raise Unknown(f"{expr.array} is read before it is written")
        return ("element", expr.array, str(expr.dtype), index)


def _written(piece: Piece, index: Affine, known: Known, active: set[str]) -> Term:
    """The value at an index that the piece, the last to write the array, surely wrote.

    Of `active` loops it is the same iteration that wrote it; the others have ended.
    """
    if piece.conditions:
        raise Unknown("data decide what is written")
    found = _solved(piece, index, known, active)
    if found is None or any(not nonnegative(_placed(c, found), known) for c in piece.constraints):
        raise Unknown("what was written to an element cannot be told")
    term: Term = _placed_term(piece.value, found)
    return term


def _solved(piece: Piece, index: Affine, known: Known, active: set[str]) -> dict[str, Affine] | None:
    """The bound variables of loops that have ended for which a piece writes this very element."""
    ended = tuple(n for n in piece.names if n not in active)
    rest = index - _placed(piece.index, {n: lift(0) for n in ended})
    if not ended:
        return {} if not rest.terms else None
    ranges = ranges_of(ended, piece.constraints)
    found = digits(piece.index, ranges)
    if found is None or {d.variable for d in found} != set(ended):
        return None
    values: dict[str, Affine] = {}
    for digit in found:
        stride = digit.stride.as_int
        if stride is None:
            upper, rest = divide_out(rest, digit.stride)
            extent = digit.stride
        elif stride < 1:
            return None
        else:
            whole = [(m, f // stride) for m, f in rest.terms if _whole(m, f, stride)]
            upper = Affine(tuple(term for term in whole if term[1]))
            rest = rest - upper * stride
            extent = lift(stride)
        if not nonnegative(rest, known) or not nonnegative(extent - 1 - rest, known):
            return None
        values[digit.variable] = upper
    return values if not rest.terms else None


def _whole(monomial: Any, factor: int, stride: int) -> bool:
    return not monomial or factor % stride == 0


def _term(value: Any) -> Term:
    return ("int", value) if isinstance(value, Affine) else value


# ------------------------------------------------------------------------------------------ terms


def operation(op: str, left: Any, right: Any) -> Term:
    """An operation in its normal form: sums, products and extrema are flat and sorted."""
    first, second = _term(left), _term(right)
    if op not in ("+", "*", "min", "max"):
        return ("binary", op, first, second)
    if op == "*" and ("number", 1.0) in (first, second):
        return second if first == ("number", 1.0) else first
    for one, other in ((first, second), (second, first)):
        if op == "*" and one[0] == "choice" and one[3] == _ZERO:
            return chosen(one[1], operation("*", one[2], other), _ZERO)
    parts: list[Term] = []
    for term in (first, second):
        parts += term[1:] if term[0] == op else [term]
    if op == "+":
        parts = [p for p in parts if p not in (_ZERO, ("int", lift(0)))] or [_ZERO]
    if op in ("min", "max"):
        parts = list(dict.fromkeys(parts))
    return parts[0] if len(parts) == 1 else (op, *sorted(parts, key=_text))


def negated(conditions: Sequence[Any]) -> list[Any]:
    if len(conditions) == 1 and isinstance(conditions[0], Affine):
        return [-conditions[0] - 1]
    if len(conditions) == 1 and conditions[0][0] == "not":
        return list(conditions[0][1])
    return [("not", tuple(conditions))]


def chosen(conditions: Iterable[Any], then: Any, otherwise: Any) -> Term:
    then, otherwise = _term(then), _term(otherwise)
    if then == otherwise:
        return _term(then)
    if then[0] == "choice" and then[3] == otherwise == _ZERO:
        conditions, then = dict.fromkeys([*conditions, *then[1]]), then[2]
    return ("choice", tuple(sorted(conditions, key=_text)), _term(then), _term(otherwise))


def _split_reduction(new: Any, mine: Term) -> tuple[str, Term, list[Any]] | None:
    """`mine + rest`, also where only some iterations add it."""
    if not isinstance(new, tuple):
        return None
    if new[0] in ("+", "max", "min") and new[1:].count(mine) == 1:
        rest = [p for p in new[1:] if p != mine]
        found: Term = rest[0] if len(rest) == 1 else (new[0], *rest)
        if new[0] == "+" and found[0] == "choice" and found[3] == _ZERO:
            return "+", found[2], list(found[1])
        return new[0], found, []
    if new[0] == "choice" and new[3] == mine:
        inner = _split_reduction(new[2], mine)
        return None if inner is None else (inner[0], inner[1], [*new[1], *inner[2]])
    return None


def fold(op: str, names: tuple[str, ...], limits: frozenset[Affine], body: Term) -> Term:
    """A sum of sums is one."""
    while body[0] == "fold" and body[1] == op:
        depth = _depth(body[3:]) - 1
        inner = {f"#{depth}.{i}": f"{names[0]}'{len(names)}.{i}" for i in range(body[2])}
        fresh = {old: of_var(new) for old, new in inner.items()}
        limits |= frozenset(_placed(c, fresh) for c in body[3])
        names, body = (*names, *inner.values()), _placed_term(body[4], fresh)
    return ("fold", op, *_bound(names, limits, body))


def _depth(term: Any) -> int:
    """How deep variables are bound within: those of a depth are called `#depth.0`, `#depth.1`..."""
    found = [int(n[1:].partition(".")[0]) for f in _forms(term) for n in f.variables() if n[0] == "#"]
    return max(found, default=-1) + 1


def _bound(
    names: tuple[str, ...], limits: Iterable[Affine], body: Term
) -> tuple[int, frozenset[Affine], Term]:
    """Without the names: joined where blocks of one are within the other, in the least of all orders."""
    names, constraints, body = _joined(names, _needed(names, frozenset(limits)), body)
    constraints = _needed(names, constraints)
    best: tuple[str, frozenset[Affine], Term] | None = None
    for order in permutations(names) if len(names) <= _MOST else (names,):
        placed = _numbered(order, constraints, body)
        key = _text((placed[1], *sorted(map(str, placed[0]))))
        if best is None or key < best[0]:
            best = (key, *placed)
    assert best is not None
    return len(names), best[1], best[2]


def _under(term: Any, names: tuple[str, ...], limits: frozenset[Affine]) -> Any:
    """Without what is decided where the limits hold."""
    if not isinstance(term, tuple) or not term:
        return term
    if term[0] == "choice":
        known = ranges_of(names, limits)
        rest = [c for c in term[1] if not (isinstance(c, Affine) and _holds(c, limits, known))]
        then = _under(term[2], names, limits | frozenset(c for c in term[1] if isinstance(c, Affine)))
        return chosen(rest, then, _under(term[3], names, limits)) if rest else then
    if term[0] == "fold":
        inside = tuple(sorted({n for c in term[3] for n in c.variables() if n[0] == "#"}))
        both, own = (*names, *inside), term[3]
        for c in sorted(term[3], key=str):
            others = limits | own - {c}
            if c not in map(of_var, inside) and _holds(c, others, ranges_of(both, others)):
                own = own - {c}
        return (*term[:3], own, _under(term[4], both, limits | own))
    parts = tuple(_under(part, names, limits) for part in term)
    return (parts[0], *sorted(parts[1:], key=_text)) if parts[0] in _SETS else parts


def _holds(c: Affine, limits: frozenset[Affine], known: Known) -> bool:
    if c in limits or nonnegative(c, known) or any(nonnegative(c - o, known) for o in limits):
        return True
    if not any(isinstance(a, Binary) for a in c.atoms()):
        return False
    plain = linear(to_expr(c, I64), known)  # where a dividend is known to be positive, a quotient has a form
    return plain is not None and (
        nonnegative(plain, known) or any(nonnegative(plain - o, known) for o in limits)
    )


_SETS = ("+", "*", "min", "max")


def _numbered(
    names: tuple[str, ...], limits: frozenset[Affine], body: Term
) -> tuple[frozenset[Affine], Term]:
    depth = _depth((limits, body))
    fresh = {n: of_var(f"#{depth}.{i}") for i, n in enumerate(names)}
    return frozenset(_placed(c, fresh) for c in limits), _placed_term(body, fresh)


def _canonical(piece: Piece) -> Any:
    value = _under(piece.value, piece.names, piece.constraints)
    body: Term = ("store", piece.index, value, tuple(sorted(piece.conditions, key=_text)))
    if piece.once:
        return ("each", *_bound(piece.names, piece.constraints, body))
    limits = _needed(piece.names, piece.constraints)
    return ("in order", len(piece.names), *_numbered(piece.names, limits, body))


def _sequence(pieces: Sequence[Piece]) -> list[Any]:
    """Writes whose order may matter, as they are: which loops they share tells how they follow each other."""
    order = tuple(dict.fromkeys(n for piece in pieces for n in piece.names))
    found: list[Any] = []
    for piece in pieces:
        body = ("store", piece.index, piece.value, tuple(sorted(piece.conditions, key=_text)))
        limits = _needed(piece.names, piece.constraints)
        found.append(("then", tuple(map(order.index, piece.names)), *_numbered(order, limits, body)))
    return found


def _text(term: Any) -> str:
    """A key to sort by."""
    if isinstance(term, tuple):
        return f"({','.join(map(_text, term))})"
    if isinstance(term, frozenset):
        return f"{{{','.join(sorted(map(_text, term)))}}}"
    return str(term)


def _joined(
    names: tuple[str, ...], limits: frozenset[Affine], body: Term
) -> tuple[tuple[str, ...], frozenset[Affine], Term]:
    """`w*i + j` with 0 <= j < w, where i and j occur in no other way, as one variable."""
    for inner in names:
        for width in _widths(inner, limits):
            for outer in names:
                if outer == inner or width.variables() & set(names):
                    continue
                found = _join(outer, inner, width, limits, body)
                if found is not None:
                    return _joined(tuple(n for n in names if n != outer), *found)
    return names, limits, body


def _join(
    outer: str, inner: str, width: Affine, limits: frozenset[Affine], body: Term
) -> tuple[frozenset[Affine], Term] | None:
    i, j = of_var(outer), of_var(inner)
    new: set[Affine] = {j}
    for c in limits - {i, j, width - 1 - j}:
        whole = split_by_var(c, _variable(outer))
        if whole is not None and whole[0].as_int == -1 and inner not in whole[1].variables():
            new.add(whole[1] * width + width - 1 - j)
        elif _only_joined(c, outer, inner, width):
            new.add(_placed(c, {outer: lift(0)}))
        else:
            return None
    if not all(_only_joined(form, outer, inner, width) for form in _forms(body)):
        return None
    return frozenset(new), _placed_term(body, {outer: lift(0)})


def _variable(name: str) -> Var:
    return Var(I32, name)


def _widths(name: str, limits: frozenset[Affine]) -> list[Affine]:
    """Each w with 0 <= j < w among the limits of the variable."""
    j = of_var(name)
    if j not in limits:
        return []
    found = [
        c + j + 1 for c in limits if c != j and name in c.variables() and name not in (c + j).variables()
    ]
    return sorted((w for w in found if w.as_int != 1), key=str)


def _only_joined(form: Affine, outer: str, inner: str, width: Affine) -> bool:
    if not form.variables() & {outer, inner}:
        return True
    whole = of_var(outer) * width + of_var(inner)
    return _placed(_placed(form, {outer: lift(0)}), {inner: whole}) == form


def _forms(term: Any) -> Iterable[Affine]:
    if isinstance(term, Affine):
        yield term
    elif isinstance(term, (tuple, frozenset)):
        for part in term:
            yield from _forms(part)


def _placed(form: Affine, values: Mapping[str, Affine]) -> Affine:
    return _tidy(substitute_form(form, dict(values))) if form.variables() & values.keys() else form


def _tidy(form: Affine) -> Affine:
    """Quotients that have no form with operands in normal form, so that equal ones look alike."""
    if not any(isinstance(a, Binary) for a in form.atoms()):
        return form
    total = lift(0)
    for monomial, factor in form.terms:
        term = lift(factor)
        for atom in monomial:
            if isinstance(atom, Binary):
                left, right = linear(atom.left), linear(atom.right)
                if left is not None and right is not None:
                    parts = to_expr(_tidy(left), atom.dtype), to_expr(_tidy(right), atom.dtype)
                    atom = replace(atom, left=parts[0], right=parts[1])
            term = term * of_atom(atom)
        total = total + term
    return total


def _placed_term(term: Any, values: Mapping[str, Affine]) -> Any:
    if isinstance(term, Affine):
        return _placed(term, values)
    if isinstance(term, frozenset):
        return frozenset(_placed_term(part, values) for part in term)
    if isinstance(term, tuple):
        parts = tuple(_placed_term(part, values) for part in term)
        if parts and parts[0] in _SETS:
            return (parts[0], *sorted(parts[1:], key=_text))
        return parts
    return term


def _replaced(term: Any, values: Mapping[Term, Term]) -> Any:
    if isinstance(term, tuple):
        if term in values:
            return values[term]
        return tuple(_replaced(part, values) for part in term)
    return term


def _mentions(term: Any, kind: str, name: str) -> bool:
    if isinstance(term, (tuple, frozenset)):
        if isinstance(term, tuple) and term[:2] == (kind, name):
            return True
        return any(_mentions(part, kind, name) for part in term)
    return False


# ------------------------------------------------------------------------------------------ constraints


def ranges_of(names: Iterable[str], limits: Iterable[Affine]) -> Known:
    """Each variable from 0 to an upper end that its limits give, a number if there is one."""
    found: dict[str, tuple[Any, Any]] = {}
    limits = list(limits)
    for name in names:
        ends = _ends(name, limits)
        high = next((e for e in ends if e.as_int is not None), ends[0] if ends else None)
        found[name] = (0, high.as_int if high is not None and high.as_int is not None else high)
    return Known({**_positive(limits), **found})


def _positive(limits: Iterable[Affine]) -> dict[str, tuple[Any, Any]]:
    """Parameters that some variable from 0 on is less than."""
    found: dict[str, tuple[Any, Any]] = {}
    for c in limits:
        whole = [m[0] for m, f in c.terms if f == 1 and len(m) == 1 and isinstance(m[0], Var)]
        rest = [f for m, f in c.terms if f < 0]
        if len(whole) != 1 or len(rest) + 1 != len(c.terms) or c.constant != -1:
            continue
        if whole[0].name[0] not in "#%" and "." not in whole[0].name:
            found[whole[0].name] = (1, None)
    return found


def _ends(name: str, limits: Iterable[Affine]) -> list[Affine]:
    """The highest values of a variable by each of its limits."""
    found: list[Affine] = []
    for c in sorted(limits, key=str):
        split = split_by_var(c, _variable(name))
        if split is None or split[0].as_int is None or split[0].as_int >= 0:
            continue
        factor = -split[0].as_int
        if factor == 1:
            found.append(split[1])
        elif split[1].as_int is not None:
            found.append(lift(split[1].as_int // factor))
    return found


def _needed(names: tuple[str, ...], limits: frozenset[Affine]) -> frozenset[Affine]:
    """Without the constraints that follow from the others."""
    kept = sorted(limits, key=str)
    for c in list(kept):
        if c in {of_var(n) for n in names}:
            continue
        others = [o for o in kept if o != c]
        if _holds(c, frozenset(others), ranges_of(names, others)):
            kept = others
    return frozenset(kept)


def _is_injective(index: Affine, names: tuple[str, ...], limits: frozenset[Affine]) -> bool:
    """Whether no two values of the bound variables give one index."""
    names, limits, body = _joined(names, _needed(names, limits), ("index", index))
    form: Affine = body[1]
    if not names:
        return True
    if not set(names) <= form.variables():
        return False
    ends = [_ends(n, limits) for n in names]
    for chosen_ends in islice(product(*ends), _CHOICES):
        ranges = {
            n: (0, e if e.as_int is None else e.as_int) for n, e in zip(names, chosen_ends, strict=True)
        }
        found = digits(form, Known({**_positive(limits), **ranges}))
        if found is not None and {d.variable for d in found} >= set(names):
            return True
    return False


def are_apart(pieces: Sequence[Piece]) -> bool:
    """Several pieces of one array do not write the same elements, so that their order is no matter."""
    for number, one in enumerate(pieces):
        for other in pieces[number + 1 :]:
            renamed = {n: of_var(f"{n}'") for n in other.names}
            second = _placed(other.index, renamed)
            limits = one.constraints | frozenset(_placed(c, renamed) for c in other.constraints)
            known = ranges_of([*one.names, *(f"{n}'" for n in other.names)], limits)
            apart = second - one.index
            if _never_zero(apart):
                continue
            if not nonnegative(apart - 1, known) and not nonnegative(-apart - 1, known):
                return False
    return True


def _never_zero(form: Affine) -> bool:
    """`4*i - 4*j + 1`"""
    factors = [f for m, f in form.terms if m]
    return bool(factors) and form.constant % gcd(*factors) != 0
