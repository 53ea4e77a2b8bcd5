"""Every access to memory in a piece of a program, with the loops and guards around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from xpiler.ir.affine import Affine, bounds, lift, linear, prove_le
from xpiler.ir.build import add, sub
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Block,
    Call,
    Decl,
    Expr,
    For,
    If,
    Instr,
    Load,
    Ref,
    Select,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import children, substitute, walk_exprs, walk_stmts
from xpiler.ir.types import DType
from xpiler.passes.facts import Facts, smaller_than_all


@dataclass(frozen=True)
class Guard:
    """`low <= form <= high` holds at an access (`high` may be symbolic)."""

    form: Affine
    high: Affine


@dataclass(frozen=True)
class Access:
    array: str
    dtype: DType
    index: tuple[Expr, ...]
    write: bool
    # Operation of an atomic without an old value, "" for plain accesses, "old" if the old value is used.
    atomic: str
    loops: tuple[For, ...]  # inside the piece, outermost first
    guards: tuple[Guard, ...]
    facts: Facts


def accesses(stmts: Sequence[Stmt], facts: Facts) -> list[Access]:
    """All of them, in program order; arrays handed to instructions are accesses to anywhere in them."""
    out: list[Access] = []
    _Collector(out).body(stmts, (), (), facts)
    return out


@dataclass
class _Collector:
    out: list[Access]
    definitions: dict[str, Expr] = field(default_factory=dict)  # index arithmetic that has a name

    def body(
        self, stmts: Sequence[Stmt], loops: tuple[For, ...], guards: tuple[Guard, ...], facts: Facts
    ) -> None:
        for stmt in stmts:
            self.stmt(stmt, loops, guards, facts)

    def stmt(self, stmt: Stmt, loops: tuple[For, ...], guards: tuple[Guard, ...], facts: Facts) -> None:
        match stmt:
            case Block(body=body):
                self.body(body, loops, guards, facts)
            case Decl(name=name, shape=(), init=Expr() as init) if (
                stmt.dtype.is_integer and name not in facts.mutable and not _loads(init)
            ):
                self.definitions[name] = substitute(init, self.definitions)
            case Assign(target=target, value=value, reduce=reduce):
                self.expr(value, loops, guards, facts)
                if isinstance(target, Load):
                    if reduce is not None:
                        self.add(target, False, "", loops, guards, facts)
                    self.add(target, True, "", loops, guards, facts)
                    for i in target.index:
                        self.expr(i, loops, guards, facts)
            case Atomic(op=op, place=place, args=args, target=old):
                self.add(place, True, op if old is None else "old", loops, guards, facts)
                for e in (*place.index, *args):
                    self.expr(e, loops, guards, facts)
            case Instr(operands=operands):
                for e in operands:
                    if isinstance(e, Ref):
                        self.out.append(Access(e.array, e.dtype, (), True, "", loops, guards, facts))
                    else:
                        self.expr(e, loops, guards, facts)
            case For(start=start, stop=stop, step=step, body=inner):
                for e in (start, stop, step):
                    self.expr(e, loops, guards, facts)
                below = _below(Var(stmt.dtype, stmt.var), stop, facts)
                self.body(inner.body, (*loops, stmt), (*guards, *below), facts.inside(stmt))
            case If(condition=condition, then=then, otherwise=otherwise):
                self.expr(condition, loops, guards, facts)
                yes = (*guards, *guards_of(condition, True, facts))
                self.body(then.body, loops, yes, facts.where(condition))
                no = (*guards, *guards_of(condition, False, facts))
                self.body(otherwise.body, loops, no, facts.where(condition, False))
            case While(condition=condition, body=inner, advance=advance):
                self.expr(condition, loops, guards, facts)
                self.body((*inner.body, *advance.body), loops, guards, facts)
            case _:
                for child in children(stmt):
                    if isinstance(child, Expr):
                        self.expr(child, loops, guards, facts)

    def expr(self, expr: Expr, loops: tuple[For, ...], guards: tuple[Guard, ...], facts: Facts) -> None:
        match expr:
            case Load():
                self.add(expr, False, "", loops, guards, facts)
            case Select(condition=condition, then=then, otherwise=otherwise):
                self.expr(condition, loops, guards, facts)
                self.expr(then, loops, (*guards, *guards_of(condition, True, facts)), facts.where(condition))
                no = (*guards, *guards_of(condition, False, facts))
                self.expr(otherwise, loops, no, facts.where(condition, False))
                return
        for child in children(expr):
            if isinstance(child, Expr):
                self.expr(child, loops, guards, facts)

    def add(
        self,
        place: Load,
        write: bool,
        atomic: str,
        loops: tuple[For, ...],
        guards: tuple[Guard, ...],
        facts: Facts,
    ) -> None:
        index = tuple(substitute(i, self.definitions) for i in place.index)
        self.out.append(Access(place.array, place.dtype, index, write, atomic, loops, guards, facts))


def _loads(expr: Expr) -> bool:
    return any(isinstance(e, Load) for e in walk_exprs(expr))


def guards_of(condition: Expr, holds: bool, facts: Facts) -> tuple[Guard, ...]:
    """Upper ends of sums of several variables; single variables are in `facts` already."""
    match condition:
        case Binary(op="&&", left=left, right=right) if holds:
            return guards_of(left, True, facts) + guards_of(right, True, facts)
        case Binary(op="||", left=left, right=right) if not holds:
            return guards_of(left, False, facts) + guards_of(right, False, facts)
        case Binary(op=op, left=left, right=right) if op in _UPPER and left.dtype.is_integer:
            if not holds:
                op = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[op]
            if op in (">", ">="):
                left, right, op = right, left, {">": "<", ">=": "<="}[op]
            return _below(left, right if op == "<" else add(right, 1), facts)
    return ()


def _below(form: Expr, stops: Expr, facts: Facts) -> tuple[Guard, ...]:
    """What `form < stops` says; `i < n - j*32` is one of `j*32 + i`."""
    found = []
    left = linear(form, facts.ranges)
    for stop in smaller_than_all(stops) if left is not None else ():
        right = linear(sub(stop, 1), facts.ranges)
        if left is None or right is None:
            continue
        taken = lift(0)
        for monomial, count in right.terms:
            if monomial and count < 0:
                taken = taken + Affine(((monomial, -count),))
        if len((left + taken).variables()) > 1:
            found.append(Guard(left + taken, right + taken))
    return tuple(found)


_UPPER = frozenset({"<", "<=", ">", ">="})


def _is_never_negative(expr: Expr, facts: Facts) -> bool:
    """By its own form, or by all that it is the smallest of: n - i and 72 - i for `min(n, 72) - i`."""
    form = linear(expr, facts.ranges)
    if form is not None and _is_form_never_negative(form, facts):
        return True
    match expr:
        case Call(function="min", args=args) if expr.dtype.is_integer:
            return all(_is_never_negative(arg, facts) for arg in args)
        case Binary(op="-", left=Call(function="min", args=args), right=right) if expr.dtype.is_signed:
            return all(_is_never_negative(sub(arg, right), facts) for arg in args)
    return False


def _is_form_never_negative(form: Affine, facts: Facts) -> bool:
    if prove_le(lift(0), form, facts.ranges):
        return True
    for name, stop in facts.below:  # of several ends of a loop the range has one
        if name in form.variables():
            ranges = {**facts.ranges, name: (facts.ranges.get(name, (None, None))[0], sub(stop, 1))}
            if prove_le(lift(0), form, ranges):
                return True
    return False


def lower_bound(expr: Expr, facts: Facts) -> int | None:
    """A number that the expression is not below: 0 also of `min(n - j*32, 32)` if neither part is less."""
    low = bounds(expr, facts.ranges)[0]
    return 0 if (low is None or low < 0) and _is_never_negative(expr, facts) else low


def assigned_scalars(stmts: Sequence[Stmt]) -> Mapping[str, Stmt]:
    """Scalars that get a value by assignment, with one of the statements that do it."""
    found: dict[str, Stmt] = {}
    for stmt in walk_stmts(Block(tuple(stmts))):
        target = getattr(stmt, "target", None)
        if isinstance(target, Var):
            found[target.name] = stmt
    return found


def declared(stmts: Sequence[Stmt]) -> frozenset[str]:
    return frozenset(
        s.name if isinstance(s, Decl) else s.var
        for s in walk_stmts(Block(tuple(stmts)))
        if isinstance(s, (Decl, For))
    )
