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

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xpiler.ir.affine import linear
from xpiler.ir.affine_bounds import Known
from xpiler.ir.affine_form import Affine, lift, of_var, to_expr
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
from xpiler.ir.types import BOOL
from xpiler.symbolic.comparisons import without_choices
from xpiler.symbolic.limits import ranges_of
from xpiler.symbolic.pieces import Piece, Unknown, are_apart, canonical, is_injective, sequence, written
from xpiler.symbolic.terms import (
    Term,
    as_term,
    bound,
    chosen,
    fold,
    mentions,
    negated,
    operation,
    replaced,
    split_reduction,
    text_of,
    tidy,
)

__all__ = ["Formula", "Unknown", "formula"]

_NODES = 3000  # of a function that is looked at

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
        result[name] = tuple(sorted(map(canonical, pieces), key=text_of) if apart else sequence(pieces))
    return result


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
        piece = Piece(inside, limits, others, index, as_term(value), is_injective(index, inside, limits))
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
            return as_term(before[variable])
        split = split_reduction(new, mine)
        if split is not None and not mentions(split[1], "carried", loop.name):
            op, rest, conditions = split[0], split[1], split[2]
            if all(isinstance(c, Affine) for c in conditions):
                limits = loop.constraints | frozenset(conditions)
                return operation(op, before[variable], fold(op, (loop.name,), limits, rest))
        if any(v is None for v in after.values()):
            raise Unknown(f"{variable} is not always set")
        order = list(after)
        places = {("carried", loop.name, n): ("place", i) for i, n in enumerate(order)}
        outs = tuple(replaced(as_term(after[n]), places) for n in order)
        starts = tuple(as_term(before[n]) for n in order)
        turns = bound((loop.name,), loop.constraints, ("outs", *outs))
        return ("recurrence", order.index(variable), starts, *turns)

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
        return tidy(found)

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
                inner = as_term(self.value(operand))
                if operand.dtype.is_float and dtype.is_float and dtype.bits >= operand.dtype.bits:
                    return inner
                return ("cast", str(operand.dtype), str(dtype), inner)
            case Unary(op="-", operand=operand) if expr.dtype.is_float:
                return operation("*", ("number", -1.0), as_term(self.value(operand)))
            case Binary(op="-", left=left, right=right) if expr.dtype.is_float:
                negative = operation("*", ("number", -1.0), as_term(self.value(right)))
                return operation("+", as_term(self.value(left)), negative)
            case Binary(op=op, left=left, right=right):
                return operation(op, as_term(self.value(left)), as_term(self.value(right)))
            case Select(condition=test, then=then, otherwise=otherwise):
                held = self.condition(test)
                self.guards += held
                first = as_term(self.value(then))
                del self.guards[len(self.guards) - len(held) :]
                return chosen(held, first, as_term(self.value(otherwise)))
            case Call(function="fma", args=(x, y, z)) if expr.dtype.is_float:
                product = operation("*", as_term(self.value(x)), as_term(self.value(y)))
                return operation("+", product, as_term(self.value(z)))
            case Call(function=name, args=args):
                terms = [as_term(self.value(a)) for a in args]
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
            return written(last, index, self.ranges(), {loop.name for loop in self.loops})
        if expr.array in self.shapes:
            raise Unknown(f"{expr.array} is read before it is written")
        return ("element", expr.array, str(expr.dtype), index)
