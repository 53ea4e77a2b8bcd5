"""How large the arrays of a plain function are, as formulas over its scalar parameters.

    for i in 0..m: for k in 0..K: s += a[i*K + k]       a: (m - 1)*K + (K - 1) + 1  -->  m*K elements

A formula is a guess until it has been held against the program: products of parameters, and the upper ends
of the accesses' indices, are tried on every size at which the function was run, and one that is the observed
extent at all of them is taken.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement

from xpiler.gate.extents_walked import walked_extents
from xpiler.ir.affine import Affine, coefficient, linear, simplify
from xpiler.ir.affine_form import to_expr
from xpiler.ir.build import add, cast, const, convert, div, evaluate, is_const, maximum, minimum, mul, sub
from xpiler.ir.largest_index import arrays_asked, index_parameters, largest_of
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
    Ref,
    Select,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import children, free_vars, substitute, walk
from xpiler.ir.types import I64, DType

_FACTORS = 5  # of a product of parameters
_MOST_GUESSES = 4000
_MOST_COMPARED = 1000  # guesses, to see whether they agree

Sizes = Mapping[str, int]


def extent_formula(
    function: Function, array: str, observed: Sequence[tuple[Sizes, int]], *, in_steps: bool = False
) -> Expr | None:
    """Elements of the pointer parameter `array` of which `observed` says sizes and extents; None if no
    formula fits all of them. `in_steps`: a loop of steps above one may use the whole of its last step.

    Where padding or a stride leaves some of an array alone at some sizes, the product of parameters is taken
    that is never exceeded, and reached at two sizes or more; likewise the formula of what an array of indices
    may reach at most, where its largest element did not lead to the end: of several the largest one.
    """
    if not observed:
        return None
    right = _right(function, array, _frozen(observed), in_steps)
    if right:
        return right[0]
    guesses = _guesses(function, array, in_steps)
    for guess in (*filter(_is_product, guesses), *reversed([*filter(_is_of_data, guesses)])):
        values = [extent_value(guess, sizes) for sizes, _ in observed]
        if _covers(values, [extent for _, extent in observed], of_data=_is_of_data(guess)):
            return guess
    return None


def is_in_doubt(
    function: Function,
    array: str,
    observed: Sequence[tuple[Sizes, int]],
    places: Sequence[Sizes],
    *,
    in_steps: bool = False,
) -> bool:
    """Whether formulas that are right at all sizes observed say different extents at one of `places`. What a
    loop walks over from end to end leaves no doubt."""
    right = _right(function, array, _frozen(observed), in_steps)
    if right and right[0] in walked_extents(function, array):
        return False
    return any(len({extent_value(guess, at) for guess in right[:_MOST_COMPARED]}) > 1 for at in places)


_Observed = tuple[tuple[tuple[tuple[str, int], ...], int], ...]


def _frozen(observed: Sequence[tuple[Sizes, int]]) -> _Observed:
    return tuple((tuple(sizes.items()), extent) for sizes, extent in observed)


@functools.lru_cache(maxsize=256)  # a search asks again with every size that it runs
def _right(function: Function, array: str, observed: _Observed, in_steps: bool) -> tuple[Expr, ...]:
    """The guesses that say all that was observed, in their order."""
    if not observed:
        return _guesses(function, array, in_steps)
    sizes, extent = dict(observed[-1][0]), observed[-1][1]
    before = _right(function, array, observed[:-1], in_steps)
    known: dict[Expr, int | None] = {}
    return tuple(guess for guess in before if _value(guess, sizes, known) == extent)


def _covers(values: Sequence[int | None], extents: Sequence[int], *, of_data: bool) -> bool:
    """Data are as large at one size as at another, so that what they reach may be one number at all."""
    reached = [e for v, e in zip(values, extents, strict=True) if v == e]
    often = len(reached) > 1 if of_data else len(set(reached)) > 1
    return often and all(v is not None and v >= e for v, e in zip(values, extents, strict=True))


def _is_product(formula: Expr) -> bool:
    match formula:
        case Binary(op="*", left=left, right=right):
            return _is_product(left) and _is_product(right)
        case Cast(operand=operand):
            return _is_product(operand)
    return isinstance(formula, Var)


def _is_of_data(formula: Expr) -> bool:
    return any(True for _ in arrays_asked(formula))


@functools.lru_cache(maxsize=32)
def _guesses(function: Function, array: str, in_steps: bool) -> tuple[Expr, ...]:
    return tuple(_made_guesses(function, array, in_steps))


def _made_guesses(function: Function, array: str, in_steps: bool) -> Iterator[Expr]:
    leading = _leading(function)
    names = [p for p in function.params if not p.is_pointer and p.dtype.is_integer and p.name in leading]
    scalars: list[Expr] = [cast(Var(p.dtype, p.name), I64) for p in names]
    yield from walked_extents(function, array)
    yield const(1, I64)
    param = next(p for p in function.params if p.name == array)
    indices = index_parameters(function) - {array}
    ends = _Ends(array, param.dtype, frozenset(p.name for p in names), indices, in_steps)
    ends.block(function.body, {})
    count = 0
    lengths = [*scalars, *dict.fromkeys(ends.lengths)]
    for factors in range(1, _FACTORS + 1):
        for chosen in combinations_with_replacement(range(len(lengths)), factors):
            count += 1
            if len(chosen) - len(set(chosen)) <= 1 and count < _MOST_GUESSES:
                product = lengths[chosen[0]]
                for position in chosen[1:]:
                    product = mul(product, lengths[position])
                yield product
    found = [simplify(add(end, const(1, I64))) for end in dict.fromkeys(ends.found)]
    if param.lanes > 1:  # rows of `double a[][72]`, of which the last may be used in part
        found = [_whole(end, param.lanes) for end in found]
    yield from found
    if 1 < len(found) <= 24:
        longest = found[0]
        for other in found[1:]:
            longest = maximum(longest, other)
        yield longest
    if not scalars:
        return
    # Whole elements of `lanes` numbers.
    multiples = dict.fromkeys((2, 3, 4, param.lanes))
    yield from (mul(s, const(factor, I64)) for s in scalars for factor in multiples)


def _whole(elements: Expr, lanes: int) -> Expr:
    """The elements of all rows of `lanes` that have some."""
    form = linear(elements)
    if form is not None and all(factor % lanes == 0 for monomial, factor in form.terms if monomial):
        return to_expr(form + -form.constant % lanes, I64)
    row = const(lanes, I64)
    return mul(div(add(elements, const(lanes - 1, I64)), row), row)


def _leading(function: Function) -> set[str]:
    """Scalars on which it depends where the function goes: what indices, ends of loops and conditions are
    computed from. A zero point, which only values are computed from, is no size."""
    reads: dict[str, set[str]] = {}  # of a scalar, the scalars that it is computed from
    leading: set[str] = set()
    for node in walk(function.body):
        match node:
            case Decl(name=name, init=Expr() as value) | Assign(target=Var(name=name), value=value):
                reads.setdefault(name, set()).update(free_vars(value))
            case Load(index=index):
                leading |= {name for each in index for name in free_vars(each)}
            case Ref(offset=offset):
                leading |= free_vars(offset)
            case For(start=start, stop=stop, step=step):
                leading |= free_vars(start) | free_vars(stop) | free_vars(step)
            case If(condition=condition) | While(condition=condition) | Select(condition=condition):
                leading |= free_vars(condition)
    pending = [*leading]
    while pending:
        more = reads.get(pending.pop(), set()) - leading
        leading |= more
        pending += more
    return leading


def extent_value(formula: Expr, sizes: Sizes) -> int | None:
    """The elements that a formula says for sizes, None where it cannot be computed."""
    return _value(formula, sizes, {})


def _value(expr: Expr, sizes: Sizes, known: dict[Expr, int | None]) -> int | None:
    """An integer with C's conversions; `known`: what was computed at these sizes."""
    if expr in known:
        return known[expr]
    result: int | float | bool | None = None
    match expr:
        case Const(value=value):
            result = value
        case Var(name=name):
            result = sizes.get(name)
        case Cast(dtype=dtype, operand=operand):
            inner = _value(operand, sizes, known)
            result = None if inner is None else convert(inner, dtype)
        case Unary(op="-", operand=operand):
            inner = _value(operand, sizes, known)
            result = None if inner is None else convert(-inner, expr.dtype)
        case Binary(op=op, left=left, right=right) | Call(function=op, args=(left, right)):
            first, second = _value(left, sizes, known), _value(right, sizes, known)
            if first is not None and second is not None:
                result = _applied(op, first, second, left.dtype)
    known[expr] = None if result is None else int(result)
    return known[expr]


def _applied(op: str, left: int, right: int, dtype: DType) -> int | float | bool | None:
    if op in ("min", "max"):
        return min(left, right) if op == "min" else max(left, right)
    return evaluate(op, left, right, dtype)


Range = tuple[Expr | None, Expr | None]  # lowest and highest value


@dataclass
class _Ends:
    """The highest index of each access to an array, where loops, guards and definitions tell it."""

    array: str
    dtype: DType
    sizes: frozenset[str]  # the integer parameters
    indices: frozenset[str]  # arrays of integers, of which the largest element is known
    in_steps: bool  # whether a loop goes to the end of its last step
    lengths: list[Expr] = field(default_factory=list)  # `(height - window) / stride + 1`, of loops or named
    found: list[Expr] = field(default_factory=list)
    limits: list[tuple[Expr, Expr]] = field(default_factory=list)  # guards that hold: (value, highest)
    sums: list[tuple[Affine, Affine]] = field(default_factory=list)  # of loop variables, and their highest
    conditions: dict[str, Expr] = field(default_factory=dict)  # masks that have a name
    definitions: dict[str, Expr] = field(default_factory=dict)  # index arithmetic that has a name

    def block(self, block: Block, ranges: dict[str, Range]) -> None:
        ranges = dict(ranges)
        for stmt in block.body:
            self.stmt(stmt, ranges)

    def stmt(self, stmt: Stmt, ranges: dict[str, Range]) -> None:
        match stmt:
            case Block():
                self.block(stmt, ranges)
            case Decl(name=name, shape=(), init=Expr() as init):
                self.reads(init, ranges)
                if init.dtype.name == "bool":
                    self.conditions[name] = init
                elif init.dtype.is_integer:
                    ranges[name] = self.range(init, ranges)
                    self.definitions[name] = defined = substitute(init, self.definitions)
                    self.note_length(defined)
            case Assign(target=target, value=value):
                self.reads(value, ranges)
                if isinstance(target, Var):
                    ranges[target.name] = (None, None)
                    self.definitions.pop(target.name, None)
                else:
                    self.reads(target, ranges)
            case For(var=var, start=start, stop=stop, body=body):
                self.reads(start, ranges)
                self.reads(stop, ranges)
                low, high = self.range(start, ranges)[0], self.range(stop, ranges)[1]
                last = None if high is None else sub(high, const(1, I64))
                if self.in_steps and low is not None and last is not None and not is_const(stmt.step, 1):
                    step = cast(stmt.step, I64)
                    last = add(cast(low, I64), mul(div(sub(last, cast(low, I64)), step), step))
                inner = {**ranges, var: (low, last)}
                marks = len(self.limits), len(self.sums)
                for part in _smallest_of(substitute(stop, self.definitions)):
                    self.note_length(part)
                    self.note_sum(Var(stmt.dtype, var), part, "<", inner)
                self.block(body, inner)
                self.forget(marks)
            case If(condition=condition, then=then, otherwise=otherwise):
                self.reads(condition, ranges)
                marks = len(self.limits), len(self.sums)
                self.guarded(condition, ranges)
                self.block(then, ranges)
                self.forget(marks)
                self.block(otherwise, ranges)
            case While(condition=condition, body=body, advance=advance):
                self.reads(condition, ranges)
                self.block(body, ranges)
                self.block(advance, ranges)
            case _:
                for child in children(stmt):
                    if isinstance(child, Expr):
                        self.reads(child, ranges)

    def note_length(self, size: Expr) -> None:
        if not isinstance(_bare(size), Const | Var) and self.is_of_sizes(size):
            self.lengths.append(cast(size, I64))

    def is_of_sizes(self, expr: Expr) -> bool:
        """Whether the value depends on integer parameters alone."""
        nodes = list(walk(expr))
        return all(n.name in self.sizes for n in nodes if isinstance(n, Var)) and not any(
            isinstance(n, Load | Call | Select) for n in nodes
        )

    def forget(self, marks: tuple[int, int]) -> None:
        """Guards noted since then hold no longer."""
        del self.limits[marks[0] :]
        del self.sums[marks[1] :]

    def reads(self, expr: Expr, ranges: dict[str, Range]) -> None:
        match expr:
            case Load(array=array, index=(index,), dtype=dtype) if array == self.array:
                guarded = any(value == _bare(index) for value, _ in self.limits)  # the very index
                high = self.range(index if guarded else self.below_guards(index, ranges), ranges)[1]
                if high is not None and dtype == self.dtype:
                    self.found.append(high)
                elif high is not None and dtype.bytes > self.dtype.bytes:  # words of several elements
                    words = add(cast(high, I64), const(1, I64))
                    elements = mul(words, const(dtype.bytes // self.dtype.bytes, I64))
                    self.found.append(sub(elements, const(1, I64)))
            case Select(condition=condition, then=then, otherwise=otherwise):
                self.reads(condition, ranges)
                marks = len(self.limits), len(self.sums)
                self.guarded(condition, ranges)
                self.reads(then, ranges)
                self.forget(marks)
                self.reads(otherwise, ranges)
                return
        for child in children(expr):
            if isinstance(child, Expr):
                self.reads(child, ranges)

    def below_guards(self, index: Expr, ranges: dict[str, Range]) -> Expr:
        """The index with sums that a guard limits at their highest: `c + lane` under `lane < n - c`."""
        form = linear(substitute(index, self.definitions))
        if form is None:
            return index
        for guard, highest in self.sums:
            variables = [a for a in guard.atoms() if isinstance(a, Var)]
            factors = [coefficient(form, v.name) for v in variables]
            if len(variables) < 2 or any(f is None or f != factors[0] for f in factors):
                continue
            factor = factors[0]
            if factor is None or not factor.terms or any(c < 0 for _, c in factor.terms):
                continue
            form = form + factor * (highest - guard)
        return to_expr(form, I64)

    def guarded(self, condition: Expr, ranges: dict[str, Range]) -> None:
        """Notes the upper ends that the condition states."""
        match condition:
            case Binary(op="&&", left=left, right=right):
                self.guarded(left, ranges)
                self.guarded(right, ranges)
            case Var(name=name) if name in self.conditions:
                self.guarded(self.conditions[name], ranges)
            case Binary(op="<" | "<=" as op, left=left, right=right) if left.dtype.is_integer:
                high = self.range(right, ranges)[1]
                if high is None:
                    return
                self.limits.append((_bare(left), sub(high, const(1, I64)) if op == "<" else high))
                self.note_sum(left, right, op, ranges)

    def note_sum(self, left: Expr, right: Expr, op: str, ranges: dict[str, Range]) -> None:
        """`lane < n - c` says that `lane + c <= n - 1`."""
        form = linear(substitute(sub(left, right), self.definitions))
        if form is None:
            return
        terms = [
            (m, c) for m, c in form.terms if len(m) == 1 and isinstance(m[0], Var) and m[0].name in ranges
        ]
        if all(c == 1 for _, c in terms):
            guard = Affine(tuple(terms))
            self.sums.append((guard, guard - form - (1 if op == "<" else 0)))

    def range(self, expr: Expr, ranges: dict[str, Range]) -> Range:
        low, high = self._range(expr, ranges)
        for value, limit in self.limits:
            if value == _bare(expr):
                high = limit if high is None else minimum(high, limit)
        return low, high

    def _range(self, expr: Expr, ranges: dict[str, Range]) -> Range:
        match expr:
            case Const(value=value):
                number = const(int(value), I64)
                return number, number
            case Var(name=name):
                return ranges[name] if name in ranges else (cast(expr, I64), cast(expr, I64))
            case Load(array=array, dtype=dtype) if array in self.indices and dtype.is_integer:
                return const(0, I64), largest_of(array)
            case Cast(operand=operand) if operand.dtype.is_integer:
                return self.range(operand, ranges)
            case Unary(op="-", operand=operand):
                low, high = self.range(operand, ranges)
                zero = const(0, I64)
                return _both(sub, zero, high), _both(sub, zero, low)
            case Binary(op=op, left=left, right=right):
                return _combined(op, self.range(left, ranges), self.range(right, ranges))
            case Call(function="min") | Select() if len(parts := _smallest_of(expr)) == 2:
                highs = [h for h in (self.range(part, ranges)[1] for part in parts) if h]
                low = self.range(parts[0], ranges)[0]
                return low, minimum(*highs) if len(highs) == 2 else (highs[0] if highs else None)
            case Call(function="max", args=(first, second)):
                one, other = self.range(first, ranges), self.range(second, ranges)
                high = None if one[1] is None or other[1] is None else maximum(one[1], other[1])
                return one[0] if is_const(second) and not is_const(first) else other[0], high
        return None, None


def _combined(op: str, left: Range, right: Range) -> Range:
    """Ends of `left op right`; of products and quotients for operands that are not negative."""
    low, high = left
    least, most = right
    match op:
        case "+":
            return _both(add, low, least), _both(add, high, most)
        case "-":
            return _both(sub, low, most), _both(sub, high, least)
        case "*":
            return _both(mul, low, least), _both(mul, high, most)
        case "/":
            return _both(div, low, most), _both(div, high, least)
        case "<<" if isinstance(most, Const):
            factor = const(1 << int(most.value), I64)
            return _both(mul, low, factor), _both(mul, high, factor)
        case "%":
            return const(0, I64), None if most is None else sub(most, const(1, I64))
        case "&" if isinstance(most, Const):
            return const(0, I64), most
    return None, None


def _smallest_of(expr: Expr) -> tuple[Expr, ...]:
    """What an expression is the smallest of: `min(a, b)` and `a < b ? a : b`, itself if it is no minimum."""
    match _bare(expr):
        case Call(function="min", args=args):
            return args
        case Select(condition=Binary(op="<" | "<=", left=left, right=right), then=then, otherwise=otherwise):
            if (_bare(then), _bare(otherwise)) == (_bare(left), _bare(right)):
                return (then, otherwise)
        case Select(condition=Binary(op=">" | ">=", left=left, right=right), then=then, otherwise=otherwise):
            if (_bare(then), _bare(otherwise)) == (_bare(right), _bare(left)):
                return (then, otherwise)
    return (expr,)


def _both(operation: object, left: Expr | None, right: Expr | None) -> Expr | None:
    if left is None or right is None:
        return None
    assert callable(operation)
    result: Expr = operation(cast(left, I64), cast(right, I64))
    return result


def _bare(expr: Expr) -> Expr:
    while isinstance(expr, Cast) and expr.operand.dtype.is_integer:
        expr = expr.operand
    return expr
