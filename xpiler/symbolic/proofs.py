"""Absence of faults for all sizes at once, by z3 over the integers.

    if (i < n) y[i] = x[i];         no two threads with i = blockIdx.x * 256 + threadIdx.x share an element,
                              -->   for every gridDim and n

The block is the one of the trials; the grid, parameters and loop counters are unknowns. What is asked: can
two different threads reach one element of a global array, one of them writing (`inside.py` asks whether an
index leaves an array). `unsat` is a proof; a model is a suggestion, which is tried like any other
launch and counts only if the run shows the fault. Arithmetic is that of mathematical integers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import z3

from xpiler.ir.affine import linear
from xpiler.ir.affine_form import Affine, FloorDiv, Mod, split_by_var
from xpiler.ir.interpret import Cancelled
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Barrier,
    Binary,
    Block,
    Break,
    Call,
    Cast,
    Collective,
    Const,
    Continue,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    LoopKind,
    Return,
    Select,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import children, free_vars, substitute, walk
from xpiler.symbolic.interruption import interrupted_if
from xpiler.symbolic.shape import AXES
from xpiler.symbolic.trial import Trial

QUERY_EFFORT = 1_000_000  # steps of z3, about 0.2 s; not seconds, so that a busy machine proves the same
_LIMIT = 1 << 20  # blocks of an axis, and parameters in a suggested launch


class Unknown(Exception):
    """Something that has no form here."""


@dataclass(frozen=True)
class Site:
    """An access with what holds where it is reached. `loops`: counters with their bounds; `stmt`: the
    statement that makes it."""

    place: Load
    kind: str  # read, write, atomic
    conditions: tuple[tuple[Expr, bool], ...]
    loops: tuple[For, ...]
    stmt: Stmt

    @property
    def is_atomic(self) -> bool:
        """Among all threads, not those of a block alone."""
        return isinstance(self.stmt, Atomic) and self.kind == "atomic" and not self.stmt.of_block


@dataclass
class Outcome:
    """`proved`: in words; `open`: arrays that nothing was proved of; `suggested`: launches that may show a
    fault."""

    proved: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    suggested: list[Trial] = field(default_factory=list)


@dataclass
class Question:
    """No two threads of different blocks conflict on a global array; without barriers, no two threads at all.

    `bounds`: the parameters that guards compare with, which may be anything; the others belong to the launch.
    """

    kernel: Function
    defined: Mapping[str, Expr]
    trial: Trial
    bounds: frozenset[str]
    deadline: float
    cancelled: Callable[[], bool] = lambda: False
    outcome: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        self.scalars = [p.name for p in self.kernel.params if not p.is_pointer and p.dtype.is_integer]
        synchronises = any(
            isinstance(n, Collective) or (isinstance(n, Barrier) and n.scope in ("block", "warp", "grid"))
            for n in walk(self.kernel.body)
        )
        self.only_blocks = synchronises

    def answer(self) -> Outcome:
        """Raises `Cancelled`."""
        with interrupted_if(self.cancelled):
            return self._answer()

    def _answer(self) -> Outcome:
        arrays = {p.name for p in self.kernel.params if p.is_pointer}
        sites: dict[str, list[Site]] = {}
        try:
            for site in sites_of(self.kernel.body, (), (), arrays):
                name = self.trial.aliases.get(site.place.array, site.place.array)
                sites.setdefault(name, []).append(site)
        except Unknown:
            return self.outcome
        found: dict[str, list[str]] = {"all": [], "here": []}
        for array, of_array in sites.items():
            if all(s.kind == "read" for s in of_array) or all(s.is_atomic for s in of_array):
                continue
            found.setdefault(self._array(of_array), []).append(array)
        self.outcome.open = found.get("open", [])
        whom = "iterations" if self.kernel.is_serial else "blocks" if self.only_blocks else "threads"
        for key, where in (("all", self.free()), ("here", self._here())):
            if found[key] and where:
                text = f"proved for every {where}: no two {whom} conflict on {', '.join(found[key])}"
                self.outcome.proved.append(text)
        return self.outcome

    def free(self) -> str:
        """What may be anything, in words."""
        grid = ["gridDim"] if any(g > 1 for g in self.trial.grid) else []
        return " and ".join([*grid, *self.scalars])

    def _here(self) -> str:
        return " and ".join(n for n in self.scalars if n in self.bounds)

    def _array(self, sites: list[Site]) -> str:
        """`all`: for all launches; `here`: for the grid of the trial; or `open`."""
        result = "all"
        for number, first in enumerate(sites):
            for second in sites[number:]:
                if first.kind == second.kind == "read" or (first.is_atomic and second.is_atomic):
                    continue
                if self.cancelled():
                    raise Cancelled
                if time.thread_time() > self.deadline:
                    return "open"
                try:
                    pair = self._pair(first, second)
                except (Unknown, z3.Z3Exception):
                    return "open"
                if pair == "open":
                    return pair
                result = "here" if "here" in (pair, result) else "all"
        return result

    def _pair(self, first: Site, second: Site) -> str:
        solver = z3.Solver()
        solver.set("rlimit", QUERY_EFFORT)
        shared = Shared(self.trial, self.scalars)
        one, two = Thread("a", shared, self.defined), Thread("b", shared, self.defined)
        one.reach(first)
        two.reach(second)
        equal = self._equal(first, second, one, two, shared)
        blocks = [one.names[f"blockIdx.{a}"] != two.names[f"blockIdx.{a}"] for a in AXES]
        threads = [one.names[f"threadIdx.{a}"] != two.names[f"threadIdx.{a}"] for a in AXES]
        if self.kernel.is_serial:
            solver.add(*_beside(first, second, one, two))
        else:
            solver.add(z3.Or(*blocks) if self.only_blocks else z3.Or(*blocks, *threads))
        solver.add(*shared.constraints, equal)
        if residues := list(self._residues(first, second, one, two, shared)):
            solver.push()
            solver.add(*residues, *one.without_products(), *two.without_products())
            if solver.check() == z3.unsat:
                return "all"
            solver.pop()
        solver.add(*one.constraints, *two.constraints)
        if solver.check() == z3.unsat:
            return "all"
        for axis, blocks_ in zip(AXES, self.trial.grid, strict=True):
            solver.add(shared.names[f"gridDim.{axis}"] == blocks_)
        for name in self.scalars:
            if name not in self.bounds:
                solver.add(shared.names[name] == int(self.trial.scalars[name]))
        answer = solver.check()
        if answer == z3.sat:
            self._suggest(solver.model(), shared)
        return "here" if answer == z3.unsat else "open"

    def _residues(self, first: Site, second: Site, one: Thread, two: Thread, shared: Shared) -> Iterator[Any]:
        """`for (i = thread; i < n; i += threads)`: where counters are equal the threads are. It follows from
        what is said of them, but by a product of unknowns."""
        for loop in first.loops:
            for other in second.loops:
                if (loop.start, loop.step) != (other.start, other.step):
                    continue
                start, step = (substitute(e, self.defined) for e in (loop.start, loop.step))
                if not free_vars(step) <= shared.names.keys() or isinstance(step, Const):
                    continue
                try:
                    begins, width = (one.value(start), two.value(start)), one.value(step)
                except Unknown:
                    continue
                solver = z3.Solver()
                solver.set("rlimit", QUERY_EFFORT)
                solver.add(*shared.constraints, *Thread("a", shared, self.defined).constraints)
                solver.add(z3.Or(begins[0] < 0, begins[0] >= width))
                if solver.check() == z3.unsat:
                    yield z3.Implies(one.names[loop.var] == two.names[other.var], begins[0] == begins[1])

    def _equal(self, first: Site, second: Site, one: Thread, two: Thread, shared: Shared) -> Any:
        """Both reach the same element. Rows and columns of `r * n + c` are compared one by one, where `c` is
        shown to lie in a row: products of unknowns are what z3 has most trouble with."""
        forms = [linear(substitute(site.place.index[0], self.defined)) for site in (first, second)]
        if forms[0] is None or forms[1] is None:
            raise Unknown("no form")
        digits = self._digits(forms[0], one, shared), self._digits(forms[1], two, shared)
        if digits[0][0] == digits[1][0] and digits[0][0]:
            pairs = zip(digits[0][1], digits[1][1], strict=True)
            return z3.And(*[one.form(a) == two.form(b) for a, b in pairs])
        return one.form(forms[0]) == two.form(forms[1])

    def _digits(self, form: Affine, thread: Thread, shared: Shared) -> tuple[list[str], list[Affine]]:
        """`(b*R + r)*C + c`  -->  [C, R], [c, r, b]"""
        names: list[str] = []
        digits: list[Affine] = []
        while True:
            for atom in form.atoms():
                name = getattr(atom, "name", None)
                split = split_by_var(form, atom) if name in shared.scalars else None
                if (
                    split is not None
                    and split[0].variables()
                    and self._within(split[1], str(name), thread, shared)
                ):
                    names.append(str(name))
                    digits.append(split[1])
                    form = split[0]
                    break
            else:
                return names, [*digits, form]

    def _within(self, rest: Affine, name: str, thread: Thread, shared: Shared) -> bool:
        solver = z3.Solver()
        solver.set("rlimit", QUERY_EFFORT)
        value = thread.form(rest)
        solver.add(*shared.constraints, *thread.constraints)
        solver.add(z3.Or(value < 0, value >= shared.names[name]))
        return bool(solver.check() == z3.unsat)

    def _suggest(self, model: Any, shared: Shared) -> None:
        """The launch of a model, if it can be run."""
        values = {n: int(model.eval(shared.names[n], model_completion=True).as_long()) for n in self.scalars}
        if max([*values.values(), 0]) <= _LIMIT and not self.trial.host and len(self.outcome.suggested) < 4:
            self.outcome.suggested.append(replace(self.trial, scalars={**self.trial.scalars, **values}))


def _beside(first: Site, second: Site, one: Thread, two: Thread) -> list[Any]:
    """Both run at the same time, where threads are iterations: two of the same parallel loop, in the same
    turn of the loops around it."""
    common = [a for a, b in zip(first.loops, second.loops, strict=False) if a is b]
    shared_out = [n for n, loop in enumerate(common) if loop.kind is LoopKind.PARALLEL]
    loose = any(loop.kind is LoopKind.PARALLEL and not loop.waits for loop in (*first.loops, *second.loops))
    if not shared_out:
        return [] if loose else [z3.BoolVal(False)]
    around = [one.names[loop.var] == two.names[loop.var] for loop in common[: shared_out[0]]]
    return [*around, z3.Or(*[one.names[common[n].var] != two.names[common[n].var] for n in shared_out])]


@dataclass
class Shared:
    """Unknowns of the launch, the same for all threads."""

    trial: Trial
    scalars: list[str]
    names: dict[str, Any] = field(default_factory=dict)
    constraints: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        for axis, threads, blocks in zip(AXES, self.trial.block, self.trial.grid, strict=True):
            self.names[f"blockDim.{axis}"] = z3.IntVal(threads)
            grid = z3.Int(f"gridDim.{axis}")
            self.names[f"gridDim.{axis}"] = grid
            self.constraints.append(grid == 1 if blocks == 1 else z3.And(grid >= 1, grid <= _LIMIT))
        for name in self.scalars:
            self.names[name] = z3.Int(name)
            self.constraints += [self.names[name] >= 1, self.names[name] < 1 << 31]


@dataclass
class Thread:
    """One thread's view: its indices and loop counters. `turned`: of the constraints those that say how far
    loops went."""

    prefix: str
    shared: Shared
    defined: Mapping[str, Expr]
    names: dict[str, Any] = field(default_factory=dict)
    constraints: list[Any] = field(default_factory=list)
    turned: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        for axis in AXES:
            thread, block = (z3.Int(f"{self.prefix}.{kind}.{axis}") for kind in ("threadIdx", "blockIdx"))
            self.names[f"threadIdx.{axis}"], self.names[f"blockIdx.{axis}"] = thread, block
            self.constraints += [thread >= 0, thread < self.shared.names[f"blockDim.{axis}"]]
            self.constraints += [block >= 0, block < self.shared.names[f"gridDim.{axis}"]]

    def reach(self, site: Site) -> None:
        """Adds what holds where the site is reached. What has no form is left out: a proof needs it not."""
        for loop in site.loops:
            counter = z3.Int(f"{self.prefix}.{loop.var}")
            self.names[loop.var] = counter
            try:
                start, stop, step = (
                    self.value(substitute(e, self.defined)) for e in (loop.start, loop.stop, loop.step)
                )
                turns = z3.Int(f"{self.prefix}.{loop.var}.turns")
                self.turned.append(counter == start + turns * step)
                self.constraints += [turns >= 0, self.turned[-1], counter < stop]
            except Unknown:
                continue
        for condition, holds in site.conditions:
            try:
                formula = self.truth(substitute(condition, self.defined))
            except Unknown:
                continue
            self.constraints.append(formula if holds else z3.Not(formula))

    def without_products(self) -> list[Any]:
        """What holds, but for how often loops were turned."""
        return [c for c in self.constraints if not any(c is equation for equation in self.turned)]

    def form(self, form: Affine) -> Any:
        """The value of a linear form."""
        total: Any = z3.IntVal(0)
        for monomial, factor in form.terms:
            term: Any = z3.IntVal(factor)
            for atom in monomial:
                if isinstance(atom, (FloorDiv, Mod)):
                    if any(len(factors) > 1 for factors, _ in atom.divisor.terms):
                        raise Unknown("z3 does not come to an end with quotients of products of unknowns")
                    by = self.form(atom.divisor)
                    self.constraints.append(by > 0)
                    operand = self.form(atom.operand)
                    term = term * (operand / by if isinstance(atom, FloorDiv) else operand % by)
                else:
                    term = term * self.value(atom)
            total = total + term
        return total

    def truth(self, expr: Expr) -> Any:
        match expr:
            case Unary(op="!", operand=operand):
                return z3.Not(self.truth(operand))
            case Binary(op="&&", left=left, right=right):
                return z3.And(self.truth(left), self.truth(right))
            case Binary(op="||", left=left, right=right):
                return z3.Or(self.truth(left), self.truth(right))
            case Binary(op=op, left=left, right=right) if op in _COMPARE and left.dtype.is_integer:
                return _COMPARE[op](self.value(left), self.value(right))
        raise Unknown("a condition that is no comparison")

    def value(self, expr: Expr) -> Any:
        match expr:
            case Const(value=value) if expr.dtype.is_integer:
                return z3.IntVal(int(value))
            case Var(name=name):
                found = self.names.get(name)
                found = found if found is not None else self.shared.names.get(name)
                if found is None:
                    raise Unknown(f"{name} changes")
                return found
            case Cast(operand=operand) if operand.dtype.is_integer and expr.dtype.is_integer:
                return self.value(operand)
            case Unary(op="-", operand=operand):
                return -self.value(operand)
            case Binary(op=op, left=left, right=right) if op in ("+", "-", "*"):
                a, b = self.value(left), self.value(right)
                return a + b if op == "+" else a - b if op == "-" else a * b
            case Binary(op="/" | "%" as op, left=left, right=right):
                if any(isinstance(n, Binary) and n.op == "*" and len(free_vars(n)) > 1 for n in walk(right)):
                    raise Unknown("z3 does not come to an end with quotients of products of unknowns")
                a, b = self.value(left), self.value(right)
                self.constraints.append(b > 0)
                quotient = z3.If(a >= 0, a / b, -((-a) / b))
                return quotient if op == "/" else a - b * quotient
            case Binary(op="<<", left=left, right=Const(value=count)):
                return self.value(left) * (1 << int(count))
            case Binary(op=">>", left=left, right=Const(value=count)):
                return self.value(left) / (1 << int(count))
            case Binary(op="&", left=left, right=Const(value=mask)) if mask > 0 and not int(mask) & int(
                mask + 1
            ):
                return self.value(left) % (int(mask) + 1)
            case Select(condition=condition, then=then, otherwise=otherwise):
                return z3.If(self.truth(condition), self.value(then), self.value(otherwise))
            case Call(function="min" | "max" as function, args=(left, right)):
                a, b = self.value(left), self.value(right)
                return z3.If(a <= b if function == "min" else a >= b, a, b)
        raise Unknown("an index that is not arithmetic of the launch")


def _is_low_mask(mask: int) -> bool:
    return mask > 0 and not mask & (mask + 1)


_COMPARE: dict[str, Any] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


# ------------------------------------------------------------------------------------------ sites


Conditions = tuple[tuple[Expr, bool], ...]


def sites_of(stmt: Stmt, conditions: Conditions, loops: tuple[For, ...], arrays: set[str]) -> Iterator[Site]:
    match stmt:
        case Block(body=body):
            for child in body:
                yield from sites_of(child, conditions, loops, arrays)
                if isinstance(child, If) and not child.otherwise.body and _leaves(child.then):
                    conditions = (*conditions, (child.condition, False))
        case If(condition=condition):
            yield from _reads(condition, stmt, conditions, loops, arrays)
            yield from sites_of(stmt.then, (*conditions, (condition, True)), loops, arrays)
            yield from sites_of(stmt.otherwise, (*conditions, (condition, False)), loops, arrays)
        case For():
            for end in (stmt.start, stmt.stop, stmt.step):
                yield from _reads(end, stmt, conditions, loops, arrays)
            yield from sites_of(stmt.body, conditions, (*loops, stmt), arrays)
        case While():
            yield from _reads(stmt.condition, stmt, conditions, loops, arrays)
            yield from sites_of(stmt.body, conditions, loops, arrays)
            yield from sites_of(stmt.advance, conditions, loops, arrays)
        case Assign(target=Load() as place):
            for index in place.index:
                yield from _reads(index, stmt, conditions, loops, arrays)
            yield from _reads(stmt.value, stmt, conditions, loops, arrays)
            if place.array in arrays:
                if stmt.reduce is not None:
                    yield Site(place, "read", conditions, loops, stmt)
                yield Site(place, "write", conditions, loops, stmt)
        case Atomic(place=place):
            for part in (*place.index, *stmt.args):
                yield from _reads(part, stmt, conditions, loops, arrays)
            if place.array in arrays:
                yield Site(place, "atomic", conditions, loops, stmt)
        case Instr():
            raise Unknown(f"{stmt.name} accesses memory in its own way")
        case _:
            for operand in children(stmt):
                if isinstance(operand, Expr):
                    yield from _reads(operand, stmt, conditions, loops, arrays)


def _reads(
    expr: Expr, stmt: Stmt, conditions: Conditions, loops: tuple[For, ...], arrays: set[str]
) -> Iterator[Site]:
    """Loads of an expression; what a choice adds to the conditions is left out."""
    for node in walk(expr):
        if isinstance(node, Load) and node.array in arrays:
            yield Site(node, "read", conditions, loops, stmt)


def _leaves(block: Block) -> bool:
    return bool(block.body) and isinstance(block.body[-1], (Return, Continue, Break))
