"""Strips of lanes become a loop over elements, and the rest behind the last whole strip joins it.

    for i in 0..end step 16: for lane in 0..16: c[i + lane] = f(a[i + lane])
    for lane in 0..16: if (lane < n - end) c[end + lane] = f(a[end + lane])    (or a scalar loop end..n)
      -->  for x in 0..n: c[x] = f(a[x])

Applies where counter and lane occur as their sum only. The rest joins if it does the same, but for products
that are rounded once or twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from xpiler.ir.affine import Overflow, coefficient, linear, prove_le, simplify
from xpiler.ir.affine_form import Affine, to_expr
from xpiler.ir.build import add, const, div, mul, sub
from xpiler.ir.nodes import (
    TRUE,
    Assign,
    Binary,
    Bitcast,
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
)
from xpiler.ir.rewrite import map_expr, map_stmt, rebuild, rename, substitute, uses, walk, walk_stmts
from xpiler.ir.types import BOOL, F32, I64, U16, U32
from xpiler.passes.facts import Facts, Ranges
from xpiler.passes.folds import folded, kept_extreme
from xpiler.passes.strip_mining import whole_loops
from xpiler.passes.structured import spliced

_MOST = 2**31 - 1


def merge_strips(function: Function) -> Function:
    """Everywhere in a plain function, inner blocks first."""
    if not function.is_serial:
        return function

    sizes = {p.name: (0, _MOST) for p in function.params if not p.is_pointer and p.dtype.is_integer}
    joiner = _Joiner(sizes)

    def change(stmt: Stmt) -> Stmt:
        if isinstance(stmt, For):
            return _elements(stmt)
        return replace(stmt, body=joiner.joined(spliced(stmt.body))) if isinstance(stmt, Block) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return whole_loops(function if body == function.body else replace(function, body=body))


def join_rests(function: Function) -> Function:
    """The rest behind a loop joins it, in any function: `for t in 0..T: if (e + t < n) f(e + t)`, too."""
    joiner = _Joiner({**Facts.of(function).ranges, **_sizes(function)})

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Block):
            return stmt
        before = spliced(stmt.body)
        after = joiner.joined(before)  # whether the longer loop is independent as well is another question
        return replace(stmt, body=tuple(s if s in before else _serial(s) for s in after))

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def same_work(first: Block, second: Block) -> bool:
    """Whether two pieces of a function do the same, in whatever spelling."""
    return _Joiner({}).alike(first, second)


def same_forms(first: Block, second: Block, ranges: Ranges) -> bool:
    """The same, where of the variables these ranges are known."""
    return _Joiner(ranges).alike(first, second)


def _serial(stmt: Stmt) -> Stmt:
    return replace(stmt, kind=LoopKind.SERIAL) if isinstance(stmt, For) else stmt


def _sizes(function: Function) -> dict[str, tuple[int, int]]:
    own = [p for p in function.params if not p.is_pointer and p.dtype.is_integer and "." not in p.name]
    return {p.name: (0, _MOST) for p in own}


# ---------------------------------------------------------------------------------------------- whole strips


def _elements(strips: For) -> For:
    """`for i step w: for lane in 0..w: f(i + lane)` as `for x: f(x)`."""
    body = spliced(strips.body.body)
    if len(body) != 1 or not isinstance(strips.step, Const):
        return strips
    lanes = body[0]
    width = int(strips.step.value)
    if not isinstance(lanes, For) or lanes.kind is not LoopKind.THREADS or width < 2:
        return strips
    if lanes.start != const(0, lanes.dtype) or lanes.stop != const(width, lanes.dtype):
        return strips
    if not _ends_whole(strips, width):
        return strips
    element = Var(strips.dtype, strips.var)
    inner = of_the_sum(lanes.body, strips.var, lanes.var, element)
    if inner is None:
        return strips
    return replace(strips, step=const(1, strips.dtype), body=inner, kind=strips.kind)


def _ends_whole(strips: For, width: int) -> bool:
    """Whether the loop ends where a strip does: at `start + whole * width`."""
    span = simplify(sub(strips.stop, strips.start), {}, Overflow.IGNORED)
    match span:
        case Const(value=value):
            return int(value) % width == 0
        case Binary(op="*", right=Const(value=value)):
            return int(value) % width == 0
    return False


def of_the_sum(
    body: Block, counter: str, lane: str, element: Var, ranges: Ranges | None = None, times: Affine | int = 1
) -> Block | None:
    """The body with `counter + lane` as one variable, the counter; of `times * counter + lane` it is the
    lane. None if either occurs otherwise. `ranges`: of the two, where casts have to be seen through."""
    known, gone = ranges or {}, lane if times == 1 else counter
    failed = False

    def at_zero(expr: Expr) -> Expr:  # a zero of the lane's own type: comparisons keep theirs
        return map_expr(expr, lambda e: const(0, e.dtype) if isinstance(e, Var) and e.name == gone else e)

    def in_step(expr: Expr) -> bool:
        first, second = coefficient(expr, counter, known), coefficient(expr, lane, known)
        return first is not None and second is not None and first == second * times

    def change(node: Any, field: str) -> Any:
        nonlocal failed
        if not isinstance(node, Expr):
            return rebuild(node, change)
        if not _mentions(node, counter, lane):
            return node
        match node:
            case Var():
                failed = True
                return node
            case Binary(op="<" | "<=" | ">" | ">=" | "==" | "!=", left=left, right=right):
                if left.dtype.is_integer and in_step(sub(left, right)):
                    return at_zero(node)
            case Expr() if node.dtype.is_integer and in_step(node):
                return simplify(at_zero(node), {}, Overflow.IGNORED)
        return rebuild(node, change)

    # The counter alone is the element now: where it was read without the lane, `change` has failed.
    result = change(body, "")
    assert isinstance(result, Block)
    return None if failed else result


def _mentions(expr: Expr, *names: str) -> bool:
    return any(isinstance(n, Var) and n.name in names for n in walk(expr))


# ---------------------------------------------------------------------------------------------- the rest


@dataclass(frozen=True)
class _Rest:
    """What is done for the elements from `start` to `stop`, one of them `element`."""

    start: Expr
    stop: Expr
    element: str
    body: Block


@dataclass(frozen=True)
class _Joiner:
    """Joins loops over whole strips with what is left. `sizes`: ranges of the function's parameters. One that
    is negative is no size: then neither loop runs, and their join does not either."""

    sizes: Ranges

    def joined(self, stmts: Sequence[Stmt]) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        for stmt in stmts:
            found = self.with_rest(out, stmt)
            if found is None:
                out.append(stmt)
            else:
                out[found[0]] = found[1]
        return tuple(out)

    def with_rest(self, out: Sequence[Stmt], stmt: Stmt) -> tuple[int, For] | None:
        n = len(out)
        while n and isinstance(out[n - 1], Decl):
            n -= 1
        main = out[n - 1] if n else None
        if not isinstance(main, For) or main.step != const(1, main.dtype):
            return None
        if any(uses(decl).arrays_read & uses(main).arrays_written for decl in out[n:]):
            return None
        end = self.plain(main.stop)
        rest = self.rest_of(map_expr(stmt, self.without_floor), end)
        if rest is None or not self.same(rest.start, end):
            return None
        body = rename(rest.body, {rest.element: main.var})
        return (n - 1, replace(main, stop=rest.stop)) if self.alike(main.body, body) else None

    def without_floor(self, expr: Expr) -> Expr:
        """`max(n, 0)` as `n`"""
        match expr:
            case Call(function="max", args=(inner, Const(value=0))) if expr.dtype.is_integer:
                return inner
        return expr

    def plain(self, expr: Expr) -> Expr:
        return simplify(map_expr(expr, self.without_floor), self.sizes, Overflow.IGNORED)

    def same(self, first: Expr, second: Expr) -> bool:
        difference = linear(self.plain(sub(first, second)), self.sizes)
        return difference is not None and difference.as_int == 0

    def rest_of(self, stmt: Stmt, end: Expr) -> _Rest | None:
        """The rest as a loop over elements: it is one, or a strip of which a mask selects the lanes."""
        if isinstance(stmt, If) and not stmt.otherwise.body:
            inner = spliced(stmt.then.body)
            rest = self.rest_of(inner[0], end) if len(inner) == 1 else None
            return rest if rest is not None and self.is_nonempty(stmt.condition, rest) else None
        if not isinstance(stmt, For) or stmt.step != const(1, stmt.dtype):
            return None
        if stmt.start != const(0, stmt.dtype) or self.same(stmt.start, end):
            return _Rest(stmt.start, stmt.stop, stmt.var, stmt.body)
        return self.masked(stmt, end)

    def is_nonempty(self, condition: Expr, rest: _Rest) -> bool:
        """`end < n`, `n % 16 != 0`, `0 < n - end`: without it there is nothing left."""
        match condition:
            case Binary(op="<", left=left, right=right) if self.same(left, rest.start):
                return self.same(right, rest.stop)
            case Binary(op="!=" | ">", left=count, right=Const(value=0)):
                return self.is_count(count, rest)
            case Binary(op="<", left=Const(value=0), right=count):
                return self.is_count(count, rest)
        return False

    def is_count(self, count: Expr, rest: _Rest) -> bool:
        """Whether it is how many elements are left, `n - end` or `n % 16`."""
        match count:
            case Binary(op="%", left=size, right=width):
                count = sub(size, mul(div(size, width), width))
        return self.same(count, sub(rest.stop, rest.start))

    def masked(self, lanes: For, end: Expr) -> _Rest | None:
        """`for lane in 0..16: if (lane < n - end) f(end + lane)` as `for x in end..n: f(x)`."""
        stmts = list(spliced(lanes.body.body))
        lane = Var(lanes.dtype, lanes.var)
        count = self.count(lanes.stop)
        body: Block = Block(tuple(stmts))
        if isinstance(lanes.stop, Const):
            values: dict[str, Expr] = {}
            while stmts and isinstance(stmts[0], Decl) and stmts[0].dtype.name == "bool":
                first = stmts.pop(0)
                assert isinstance(first, Decl)
                if not isinstance(first.init, Expr) or first.name in uses(lanes.body).vars_set:
                    return None
                values[first.name] = first.init
            body = Block(tuple(substitute(s, values) for s in stmts))
            tests = {e: _below(e, lane.name) for e in walk(body) if isinstance(e, Binary) and e.op == "<"}
            masks = {e: self.plain(c) for e, c in tests.items() if c is not None}
            if not masks or len(set(masks.values())) != 1:
                return None
            (only,) = set(masks.values())
            flag = Var(BOOL, "mask?")
            guarded = map_expr(body, lambda e: flag if e in masks else e)
            assert isinstance(guarded, Block)
            own = {s.name for s in guarded.body if isinstance(s, Decl)}
            if not all(_is_quiet(s, flag, own) for s in guarded.body):
                return None
            body = substitute(guarded, {"mask?": TRUE})
            count = only
        elif len(stmts) == 1 and isinstance(stmts[0], If) and not stmts[0].otherwise.body:
            below = _below(stmts[0].condition, lane.name)
            if below is None or not prove_le(self.plain(below), lanes.stop, self.sizes):
                return None
            body, count = stmts[0].then, below
        element = Var(end.dtype, f"{lanes.var}_element")
        shifted = map_expr(substitute(body, {lane.name: sub(element, end)}), self.tidied)
        assert isinstance(shifted, Block)
        return _Rest(end, self.plain(add(end, count)), element.name, _unguarded(shifted))

    def count(self, stop: Expr) -> Expr:
        """`min(n - n / 16 * 16, 16)` is `n - n / 16 * 16`."""
        match stop:
            case Call(function="min", args=(count, Const(value=width))):
                match count:
                    case Binary(
                        op="-", left=whole, right=Binary(op="*", left=Binary(op="/") as strips, right=by)
                    ):
                        if strips.left == whole and strips.right == by and isinstance(by, Const):
                            return count if int(by.value) <= int(width) else stop
        return stop

    def tidied(self, expr: Expr) -> Expr:
        match expr:
            case Load(index=index):
                return replace(expr, index=tuple(self.plain(i) for i in index))
            case Select(condition=Const(value=True), then=then):
                return then
        return expr

    def alike(self, first: Block, second: Block) -> bool:
        """Whether two bodies do the same, names of their own variables and fused products aside."""
        return self.compared(first) == self.compared(second)

    def compared(self, body: Block) -> Block:
        """Scalars put in place, products apart, indices as sums: a form to compare."""
        values: dict[str, Expr] = {}
        stmts: list[Stmt] = []
        assigned = uses(body).vars_set
        for stmt in spliced(body.body):
            stmt = substitute(stmt, values)
            is_value = isinstance(stmt, Decl) and not stmt.shape and isinstance(stmt.init, Expr)
            if is_value and isinstance(stmt, Decl) and stmt.name not in assigned:
                assert isinstance(stmt.init, Expr)
                values[stmt.name] = stmt.init
            else:
                stmts.append(stmt)
        names: dict[str, str] = {}
        for stmt in walk_stmts(Block(tuple(stmts))):
            name = stmt.name if isinstance(stmt, Decl) else stmt.var if isinstance(stmt, For) else None
            if name is not None:
                names[name] = f"v{len(names)}"

        def place(target: Var | Load) -> Var | Load:
            changed = self.normal(target)
            assert isinstance(changed, (Var, Load))
            return changed

        result = map_expr(rename(Block(tuple(stmts)), names), self.normal, place)
        compared = map_stmt(result, _plain)
        assert isinstance(compared, Block)
        return compared

    def normal(self, expr: Expr) -> Expr:
        match expr:
            case Load(index=index):
                return replace(expr, index=tuple(self.wide(i) for i in index))
            case Call(function="fma", args=(a, b, c)):
                return add(mul(a, b), c)
            case Bitcast(operand=Binary(op="<<", left=Cast(operand=half), right=Const(value=places))) if (
                half.dtype is U16 and expr.dtype is F32
            ):  # a bfloat's bits, shifted as a signed or an unsigned number
                bits = Binary(U32, "<<", Cast(U32, half), const(int(places), U32))
                return replace(expr, operand=bits)
            case Select(
                condition=Binary(op=">" | "<" as op, left=left, right=right), then=then, otherwise=other
            ) if (left, right) == (then, other):
                return Call(expr.dtype, "max" if op == ">" else "min", (left, right))
        return expr

    def wide(self, index: Expr) -> Expr:
        form = linear(self.plain(index), self.sizes)
        return index if form is None else to_expr(form, I64)


def _plain(stmt: Stmt) -> Stmt:
    match stmt:
        case For():
            return replace(stmt, kind=LoopKind.SERIAL, unroll=0)
        case Assign(target=target, value=value, reduce="+"):
            return replace(stmt, value=add(value, target), reduce=None)
        case Assign(target=target, value=value, reduce="max" | "min" as op):
            return replace(stmt, value=Call(target.dtype, op, (target, value)), reduce=None)
        case If() if (better := kept_extreme(stmt)) is not None:
            fold = folded(better)
            if fold is not None:
                return replace(better, value=Call(better.target.dtype, fold[0], (better.target, fold[1])))
    return stmt


def _below(condition: Expr, lane: str) -> Expr | None:
    """n - e of the condition `e + lane < n`."""
    match condition:
        case Binary(op="<", left=left, right=right):
            ahead = coefficient(left, lane)
            if ahead is not None and ahead.as_int == 1 and not _mentions(right, lane):
                return sub(right, substitute(left, {lane: const(0, left.dtype)}))
    return None


def _is_quiet(stmt: Stmt, flag: Var, own: set[str]) -> bool:
    """Whether a statement does nothing that is seen where the mask is not set. `own`: variables of its
    list."""
    match stmt:
        case Decl():
            return True
        case Assign(target=Var(name=name)):
            return name in own
        case If(condition=condition, otherwise=Block(body=())):
            return condition == flag
    return False


def _unguarded(body: Block) -> Block:
    stmts: list[Stmt] = []
    for stmt in body.body:
        if isinstance(stmt, If) and stmt.condition == TRUE:
            stmts += stmt.then.body
        else:
            stmts.append(stmt)
    return Block(tuple(stmts))
