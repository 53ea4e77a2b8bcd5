"""What is known about integer variables at a place: ranges of loop variables and what conditions around
it say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from xpiler.ir.affine import bounds, linear
from xpiler.ir.affine_bounds import Stated
from xpiler.ir.affine_form import Affine
from xpiler.ir.build import add, const, int_limits, sub
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
    LoopKind,
    Select,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import children, uses, walk_exprs
from xpiler.passes.aliasing import Aliases, may_be_same

End = int | Expr | None
_THREADS = 1024  # of a block
_MOST_ACROSS = 65535  # blocks along y or z
MOST_BLOCKS = (2**31 - 1) // _THREADS  # along an axis: a launch is taken to have less than 2^31 threads there
Ranges = Mapping[str, tuple[End, End]]


def mutable_vars(node: Stmt | Function) -> frozenset[str]:
    """Scalars that are assigned anywhere: what is said of them holds only for a moment."""
    return uses(node.body if isinstance(node, Function) else node).vars_set


def _evaluated(expr: Expr) -> Iterator[Binary]:
    """The integer divisions that are done whenever the expression is evaluated."""
    match expr:
        case Select(condition=first) | Binary(op="&&" | "||", left=first):
            yield from _evaluated(first)
            return
        case Binary(op="/" | "%") if expr.dtype.is_integer:
            yield expr
    for child in children(expr):
        if isinstance(child, Expr):
            yield from _evaluated(child)


def _counts(stmt: Stmt) -> Iterator[str]:
    """What an instruction of BANG C is given as the number of its elements, whatever data are: that is not
    negative."""
    if isinstance(stmt, For) and stmt.kind is LoopKind.THREADS and isinstance(stmt.stop, Var):
        yield stmt.stop.name
    if not isinstance(stmt, If | While):
        for child in children(stmt):
            if isinstance(child, Stmt):
                yield from _counts(child)


def _unwidened(left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """`n` and 0 of `(long)n` and `0l`."""
    match left, right:
        case Cast(operand=Var() as inner), Const(value=value) if (
            inner.dtype.is_integer
            and left.dtype.is_signed
            and left.dtype.bits >= inner.dtype.bits
            and int_limits(inner.dtype)[0] <= value <= int_limits(inner.dtype)[1]
        ):
            return inner, const(int(value), inner.dtype)
    return left, right


def _by_itself(left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """`i` and `n - 1` of `i + 1` and `n`."""
    match left:
        case Binary(op="+" | "-" as op, left=Var() as inner, right=Const() as more) if (
            left.dtype.is_integer and left.dtype.is_signed and inner.dtype == right.dtype
        ):
            return inner, sub(right, more) if op == "+" else add(right, more)
    return left, right


@dataclass(frozen=True)
class Facts:
    """Inclusive ranges by variable; ends are numbers or expressions of variables that never change."""

    mutable: frozenset[str]
    ranges: dict[str, tuple[End, End]] = field(default_factory=dict)
    # What `ranges` cannot say: variable < expression, and variable >= expression.
    below: frozenset[tuple[str, Expr]] = frozenset()
    above: frozenset[tuple[str, Expr]] = frozenset()
    aliases: Aliases = field(default_factory=dict, compare=False)
    divisors: frozenset[str] = frozenset()  # something was divided by them: they are not 0

    def __post_init__(self) -> None:
        if not isinstance(self.ranges, Stated):
            object.__setattr__(self, "ranges", Stated(self.ranges))

    @staticmethod
    def of(function: Function) -> Facts:
        """Launch dimensions are at least 1; a launch is taken to have less than 2^31 threads along an
        axis."""
        facts = Facts(mutable_vars(function), aliases=may_be_same(function.params))
        for param in function.params:
            if param.name.startswith("blockDim."):
                facts.ranges[param.name] = (1, _THREADS)
            if param.name.startswith("gridDim."):
                facts.ranges[param.name] = (1, MOST_BLOCKS if param.name.endswith(".x") else _MOST_ACROSS)
        if function.tasks:
            counts = set(_counts(function.body)) & {p.name for p in function.params} - facts.mutable
            facts.ranges.update(dict.fromkeys(sorted(counts), (0, None)))
        return facts

    def after(self, stmt: Stmt) -> Facts:
        """Behind a statement, as far as it divides whatever the data."""
        match stmt:
            case Decl(init=Expr() as value) | Assign(value=value) | If(condition=value):
                by = {e.right.name for e in _evaluated(value) if isinstance(e.right, Var)} - self.mutable
                return replace(self, divisors=self.divisors | by) if by else self
        return self

    def inside(self, loop: For) -> Facts:
        """In the body of a loop."""
        stops = [e for e in smaller_than_all(loop.stop) if self._stable(e)]
        low = self._end(loop.start) if self._stable(loop.start) else None
        number = min((int(e.value) for e in stops if isinstance(e, Const)), default=None)
        high: End = _last(loop)
        if high is None and number is not None:
            high = number - 1
        elif high is None and stops:
            high = self._end(sub(stops[0], 1))
        more = frozenset((loop.var, stop) for stop in stops)
        ranges = {**self.ranges, loop.var: (low, high)}
        for stop in stops:  # in the body the loop is not empty
            least = _least(low)
            name, smallest = _at_least(stop, least + 1) if least is not None else ("", 0)
            if name:
                known = ranges.get(name, (None, None))
                if not isinstance(known[0], int) or known[0] < smallest:
                    ranges[name] = (smallest, known[1])
        return replace(self, ranges=ranges, below=self.below | more)

    def decides(self, condition: Expr) -> bool | None:
        """Whether a comparison is known to hold or not because it was written that way; None if it is not."""
        match condition:
            case (
                Binary(op="<", left=Var(name=name), right=right)
                | Binary(op=">", left=right, right=Var(name=name))
            ):
                if all((name, end) in self.below for end in smaller_than_all(right)):
                    return True
                if (name, right) in self.above:
                    return False
        return None

    def where(self, condition: Expr, holds: bool = True) -> Facts:
        """In a branch: upper and lower ends of plain variables from comparisons joined by `&&` (of `||`
        negated)."""
        facts = self
        match condition:
            case Binary(op="&&", left=left, right=right) if holds:
                return self.where(left).where(right)
            case Binary(op="||", left=left, right=right) if not holds:
                return self.where(left, False).where(right, False)
            case Binary(op=op, left=left, right=right) if op in _MEANING:
                op = op if holds else _OPPOSITE[op]
                facts = facts._compared(op, *_by_itself(left, right))
                facts = facts._compared(_MIRROR[op], *_by_itself(right, left))
        return facts

    def _compared(self, op: str, left: Expr, right: Expr) -> Facts:
        left, right = _unwidened(left, right)
        if not isinstance(left, Var) or left.dtype.is_float or left.name in self.mutable:
            return self
        if not self._stable(right):
            return self
        low, high = self.ranges.get(left.name, (None, None))
        if op in ("<", "<=", "==") and (high is None or isinstance(high, Expr) or isinstance(right, Const)):
            end = self._end(sub(right, 1) if op == "<" else right)
            high = min(high, end) if isinstance(high, int) and isinstance(end, int) else end
        if op in (">", ">=", "==") and (low is None or (isinstance(low, int) and isinstance(right, Const))):
            end = self._end(right if op != ">" else sub(right, -1))
            low = max(low, end) if isinstance(low, int) and isinstance(end, int) else end
        facts = self._with(left.name, (low, high))
        least = _least(low)
        if op in ("<", "<=") and least is not None:
            facts = facts._not_below(*_at_least(right, least + (op == "<")))
        if op == "<":
            return replace(facts, below=facts.below | {(left.name, right)})
        return replace(facts, above=facts.above | {(left.name, right)}) if op == ">=" else facts

    def _with(self, name: str, ends: tuple[End, End]) -> Facts:
        return replace(self, ranges={**self.ranges, name: ends})

    def _not_below(self, name: str, number: int) -> Facts:
        """With a variable that is not below the number; no name: as it is."""
        low, high = self.ranges.get(name, (None, None))
        if not name or (isinstance(low, int) and low >= number) or isinstance(low, Expr):
            return self
        return self._with(name, (number, high))

    def _stable(self, expr: Expr) -> bool:
        return not any(
            isinstance(e, Load) or (isinstance(e, Var) and e.name in self.mutable) for e in walk_exprs(expr)
        )

    @staticmethod
    def _end(expr: Expr) -> End:
        return int(expr.value) if isinstance(expr, Const) else expr


def lowest(form: Affine, facts: Facts) -> int | None:
    """The lowest value of a form. What a counter is below is more than where that counter starts:
    `512 + e + j`, for j in 0..e, is 513 at least, whatever is known of e by itself."""
    low = bounds(form, facts.ranges)[0]
    for name, end in facts.below:
        start, beyond = facts.ranges.get(name, (None, None))[0], linear(end, facts.ranges)
        if not isinstance(start, int) or beyond is None or not beyond.variables():
            continue
        rest = bounds(form - beyond, facts.ranges)[0]
        if rest is not None and (low is None or low < rest + start + 1):
            low = rest + start + 1
    return low


def _last(loop: For) -> int | None:
    """The last value of a counter that goes from one number to another."""
    match loop:
        case For(start=Const(value=start), stop=Const(value=stop), step=Const(value=step)) if int(
            step
        ) > 0 and int(start) < int(stop):
            return int(start) + (int(stop) - 1 - int(start)) // int(step) * int(step)
    return None


def _least(low: End) -> int | None:
    """A number that the end is not below: 0 of `max(0, -top)`."""
    if isinstance(low, Call) and low.function == "max" and low.dtype.is_integer:
        return max((int(a.value) for a in low.args if isinstance(a, Const)), default=None)
    return low if isinstance(low, int) else None


def _at_least(expr: Expr, number: int) -> tuple[str, int]:
    """The variable that is not below a number where the expression is not below one: `(n + 31) / 32 >= 1`
    says n >= 1, `n / 32 * 32 >= 1` that n >= 32; no name if there is none."""
    match expr:
        case Var(name=name):
            return name, number
        case Binary(op="/", left=left, right=Const(value=by)) if (
            number > 0 and by > 0 and expr.dtype.is_integer
        ):
            return _at_least(left, number * int(by))
        case Binary(op="*", left=left, right=Const(value=times)) if number > 0 and times > 0:
            return _at_least(left, -(-number // int(times))) if expr.dtype.is_signed else ("", 0)
        case Cast(operand=operand) if expr.dtype.is_signed and expr.dtype.bits >= operand.dtype.bits:
            return _at_least(operand, number) if operand.dtype.is_integer else ("", 0)
        case Binary(op="+", left=left, right=Const(value=more)) if expr.dtype.is_signed:
            return _at_least(left, number - int(more))
        case Binary(op="-", left=left, right=Const(value=less)) if expr.dtype.is_signed:
            return _at_least(left, number + int(less))
    return "", 0


def smaller_than_all(stop: Expr) -> list[Expr]:
    """`i < min(a, b)` says `i < a` and `i < b`, `i < min(a, b) - c` says `i < a - c` and `i < b - c`."""
    match stop:
        case Call(function="min", args=args) if stop.dtype.is_integer:
            return [e for a in args for e in smaller_than_all(a)]
        case Binary(op="-", left=Call(function="min") as left, right=right) if stop.dtype.is_signed:
            return [sub(e, right) for e in smaller_than_all(left)]
    return [stop]


def inside_of(stmt: Stmt, facts: Facts, change: Callable[[Block, Facts], Block]) -> Stmt:
    """A statement with the blocks right inside it changed, each with what holds there."""
    match stmt:
        case For():
            return replace(stmt, body=change(stmt.body, facts.inside(stmt)))
        case If(condition=condition):
            return replace(
                stmt,
                then=change(stmt.then, facts.where(condition)),
                otherwise=change(stmt.otherwise, facts.where(condition, False)),
            )
        case While():
            return replace(stmt, body=change(stmt.body, facts))
    return stmt


_MEANING = frozenset({"<", "<=", ">", ">=", "=="})
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!="}
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
