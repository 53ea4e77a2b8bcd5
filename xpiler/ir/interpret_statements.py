"""Statements of the IR as closures: each runs for a set of lanes and tells which of them go on to the next
statement.

Divergence needs no masks that way: `if` splits the lanes and joins what comes back, `break` puts its lanes
aside until the loop is over, `return` drops them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xpiler.errors import Refusal
from xpiler.ir.interpret_declare import Arrays
from xpiler.ir.interpret_expressions import Context, Expressions, narrow
from xpiler.ir.interpret_native import Value
from xpiler.ir.interpret_parallel import is_independent, run_parallel
from xpiler.ir.interpret_state import EMPTY, Lanes, Run, State, StepLimit, union
from xpiler.ir.interpret_streams import mark_stream
from xpiler.ir.interpret_warp import Warps, block_barrier
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Barrier,
    Block,
    Break,
    Call,
    Collective,
    Continue,
    Decl,
    Expr,
    For,
    If,
    Instr,
    Load,
    LoopKind,
    Return,
    Stmt,
    Trap,
    Var,
    While,
)
from xpiler.ir.rewrite import uses, walk

_PATIENCE = 8  # rounds of a loop that waits for another thread
PARALLEL_KINDS = frozenset({LoopKind.PARALLEL, LoopKind.VECTOR, LoopKind.THREADS})


def _never_ends(loop: While) -> bool:
    """Whether nothing in the loop leaves it or changes what its condition is about."""
    inside = [*walk(loop.body), *walk(loop.advance)]
    if any(isinstance(n, (Break, Return, Trap)) for n in inside):
        return False
    asked = list(walk(loop.condition))
    if any(isinstance(n, (Load, Call)) for n in asked):
        return False
    assigned = uses(loop.body).vars_assigned | uses(loop.advance).vars_assigned
    return not assigned & {n.name for n in asked if isinstance(n, Var)}


_RULES = {"alignment": "misaligned", "requirement": "requirement", "space": "space"}  # of instructions


class Statements:
    """Compiler of statements."""

    def __init__(self, context: Context, arrays: Arrays) -> None:
        self.expressions = Expressions(context)
        self.numeric = context.numeric
        self.arrays = arrays
        self.warps = Warps(self.expressions)

    def compile(self, stmt: Stmt) -> Run:
        if stmt.range is not None:
            self.expressions.range = stmt.range
        match stmt:
            case Block(body=body):
                return self._block(body)
            case Decl(shape=()):
                return self._scalar(stmt)
            case Decl():
                return self.arrays.declare(stmt, self.expressions)
            case Assign(target=Var(name=name)):
                return self._assign_variable(name, stmt)
            case Assign(target=Load() as place):
                return self._assign_element(place, stmt)
            case If():
                return self._if(stmt)
            case For():
                return self._for(stmt)
            case While():
                return self._while(stmt)
            case Barrier():
                return self._barrier(stmt)
            case Collective():
                return self.warps.collective(stmt)
            case Atomic():
                return self.warps.atomic(stmt)
            case Instr():
                return self.warps.instruction(stmt)
            case Return():
                return _return
            case Break():
                return _break
            case Continue():
                return _continue
            case Trap():
                return self._trap(stmt)
        raise TypeError(f"not a statement: {stmt!r}")

    def _block(self, body: tuple[Stmt, ...]) -> Run:
        runs = [self.compile(s) for s in body]

        def run(state: State, lanes: Lanes) -> Lanes:
            for step in runs:
                state.clock.poll()
                lanes = step(state, lanes)
                if lanes is not None and not lanes.size:
                    return lanes
            return lanes

        return run

    # ------------------------------------------------------------------------------ values

    def _value(self, value: Expr, wanted: Expr | Decl) -> Any:
        evaluate = self.expressions.compile(value)
        if value.dtype == wanted.dtype:
            return evaluate
        change = self.numeric.cast(value.dtype, wanted.dtype)
        return lambda state, lanes: change(evaluate(state, lanes))

    def _scalar(self, decl: Decl) -> Run:
        name = decl.name
        if isinstance(decl.init, Expr):
            evaluate = self._value(decl.init, decl)

            def define(state: State, lanes: Lanes) -> Lanes:
                value, missing = state.leniently(evaluate, lanes)
                state.undefined.pop(name, None)
                if missing:
                    state.mark_missing(name, missing)
                if lanes is not None and isinstance(value, np.ndarray):
                    full = np.zeros(state.count, value.dtype)
                    full[lanes] = value
                    value = full
                state.vars[name] = value
                return lanes

            return define

        nothing = self.numeric.const(0, decl.dtype)

        def declare(state: State, lanes: Lanes) -> Lanes:
            state.vars[name] = nothing
            state.origins.pop(name, None)
            if state.checks:
                state.undefined[name] = np.ones(state.count, np.bool_)
            return lanes

        return declare

    def _assign_variable(self, name: str, stmt: Assign) -> Run:
        evaluate = self._value(stmt.value, stmt.target)
        if stmt.reduce is not None:
            read = self.expressions.compile(stmt.target)
            combine = self.numeric.reduction(stmt.reduce, stmt.target.dtype)
            operand = evaluate
            evaluate = lambda state, lanes: combine(read(state, lanes), operand(state, lanes))  # noqa: E731

        def assign(state: State, lanes: Lanes) -> Lanes:
            value, missing = state.leniently(evaluate, lanes)
            state.assign(name, value, lanes)
            if missing:
                state.mark_missing(name, missing)
            return lanes

        return assign

    def _assign_element(self, target: Load, stmt: Assign) -> Run:
        evaluate = self._value(stmt.value, target)
        place = self.expressions.place(target)
        if stmt.reduce is None:

            def store(state: State, lanes: Lanes) -> Lanes:
                if place.keeps(state):
                    value, missing = state.leniently(evaluate, lanes)
                    place.store(state, lanes, place.reach(state, lanes), value, missing)
                else:
                    place.store(state, lanes, place.reach(state, lanes), evaluate(state, lanes))
                return lanes

            return store
        combine = self.numeric.reduction(stmt.reduce, target.dtype)

        def update(state: State, lanes: Lanes) -> Lanes:
            reached = place.reach(state, lanes)

            def combined(state: State, lanes: Lanes) -> Value:
                value = evaluate(state, lanes)
                return combine(place.load(state, lanes, reached), value)

            if place.keeps(state):
                value, missing = state.leniently(combined, lanes)
                place.store(state, lanes, reached, value, missing)
            else:
                place.store(state, lanes, reached, combined(state, lanes))
            return lanes

        return update

    # ------------------------------------------------------------------------------ control flow

    def _if(self, stmt: If) -> Run:
        test = self.expressions.compile(stmt.condition)
        then, otherwise = self.compile(stmt.then), self.compile(stmt.otherwise)

        def run(state: State, lanes: Lanes) -> Lanes:
            condition = test(state, lanes)
            if not isinstance(condition, np.ndarray):
                return then(state, lanes) if condition else otherwise(state, lanes)
            if condition.all():
                return then(state, lanes)
            if not condition.any():
                return otherwise(state, lanes)
            yes, no = narrow(lanes, condition), narrow(lanes, ~condition)
            after_yes, after_no = then(state, yes), otherwise(state, no)
            if after_yes is yes and after_no is no:
                return lanes
            return union([after_yes, after_no], state.count)

        return run

    def _for(self, loop: For) -> Run:
        bounds = [self.expressions.compile(e) for e in (loop.start, loop.stop, loop.step)]
        around = self.expressions.loops
        self.expressions.loops = around | {loop.var}
        body = self.compile(loop.body)
        self.expressions.loops = around
        if loop.kind in PARALLEL_KINDS and is_independent(loop):
            return run_parallel(loop, body, bounds, self.numeric)
        return self._serial_for(loop, body, bounds)

    def _serial_for(self, loop: For, body: Run, bounds: list[Any]) -> Run:
        name, wide = loop.var, np.int64
        kind: Any = np.dtype(self.numeric.value_type(loop.dtype)).type

        def run(state: State, lanes: Lanes) -> Lanes:
            start, stop, step = (b(state, lanes) for b in bounds)
            if any(isinstance(v, np.ndarray) for v in (start, stop, step)):
                return diverging(state, lanes, start, stop, step)
            increment = int(step)
            if increment <= 0:
                raise Refusal("loop-step", f"step {increment} of loop {name} is not positive", loop.range)
            current = lanes
            breaks: list[Lanes] = []
            state.breaks.append(breaks)
            for value in range(int(start), int(stop), increment):
                state.clock.tick()
                state.vars[name] = kind(value)
                current = _iterate(state, current, body)
                if current is not None and not current.size:
                    break
            state.breaks.pop()
            return union([current, *breaks], state.count) if breaks else current

        def diverging(state: State, lanes: Lanes, start: Value, stop: Value, step: Value) -> Lanes:
            shape = (state.count,)
            counter, last, by = np.zeros(shape, wide), np.zeros(shape, wide), np.zeros(shape, wide)
            chosen: Any = slice(None) if lanes is None else lanes
            counter[chosen], last[chosen], by[chosen] = start, stop, step
            current, done = lanes, []
            breaks: list[Lanes] = []
            state.breaks.append(breaks)
            while True:
                here = counter if current is None else counter[current]
                more = here < (last if current is None else last[current])
                if not more.all():
                    done.append(narrow(current, ~more))
                    current = narrow(current, more)
                    if current is not None and not current.size:
                        break
                state.clock.tick()
                state.vars[name] = counter.astype(kind)
                current = _iterate(state, current, body)
                if current is not None and not current.size:
                    break
                counter = counter + by
            state.breaks.pop()
            return union([*done, *breaks], state.count)

        return run

    def _while(self, loop: While) -> Run:
        test = self.expressions.compile(loop.condition)
        body, advance = self.compile(loop.body), self.compile(loop.advance)
        tests_first = not loop.do_while
        hopeless = _never_ends(loop)

        def run(state: State, lanes: Lanes) -> Lanes:
            current, done = lanes, []
            breaks: list[Lanes] = []
            state.breaks.append(breaks)
            tested = tests_first
            rounds = 0
            while True:
                if tested:
                    condition = test(state, current)
                    if not isinstance(condition, np.ndarray):
                        if not condition:
                            done.append(current)
                            break
                    elif not condition.all():
                        done.append(narrow(current, ~condition))
                        current = narrow(current, condition)
                        if current is not None and not current.size:
                            break
                tested = True
                if hopeless:
                    never = StepLimit("any number of rounds")
                    never.loop, never.certain = loop.range, True
                    raise never
                rounds += 1
                if rounds > _PATIENCE and state.log is not None and id(loop) in state.log.waits:
                    done.append(current)
                    break
                try:
                    state.clock.tick()
                    current = _iterate(state, current, body)
                except StepLimit as limit:
                    limit.within(loop.range, rounds)
                    raise
                if current is not None and not current.size:
                    break
                current = advance(state, current)
            state.breaks.pop()
            if len(done) == 1 and done[0] is lanes and not breaks:
                return lanes
            return union([*done, *breaks], state.count)

        return run

    def _barrier(self, stmt: Barrier) -> Run:
        site = self.expressions.site_of(stmt)
        if stmt.scope not in ("block", "warp", "grid"):
            return lambda state, lanes: mark_stream(state, lanes, stmt.scope, site)

        if stmt.scope == "warp":
            return self.warps.barrier(stmt, site)

        def run(state: State, lanes: Lanes) -> Lanes:
            block_barrier(state, lanes, site)
            if stmt.scope == "grid":
                state.clock.grid_epoch = state.clock.epoch
            return lanes

        return run

    def _trap(self, stmt: Trap) -> Run:
        test = self.expressions.compile(stmt.condition)
        site = self.expressions.site_of(stmt)
        text = f"{stmt.kind} failed{': ' + stmt.message if stmt.message else ''}"

        def run(state: State, lanes: Lanes) -> Lanes:
            holds = np.broadcast_to(test(state, lanes), (state.size(lanes),))
            if holds.all():
                return lanes
            failed = narrow(lanes, ~holds)
            code = _RULES.get(stmt.kind, "assertion")
            message = stmt.message if stmt.kind in _RULES else text
            state.report(site, code, int(state.numbers(failed)[0]), message, {})
            if code != "assertion":
                return lanes  # the instruction does something, if not what was meant
            _return(state, failed)
            return narrow(lanes, holds)

        return run


def _iterate(state: State, lanes: Lanes, body: Run) -> Lanes:
    """One iteration; lanes that `continue` come back with the others."""
    continues: list[Lanes] = []
    state.continues.append(continues)
    after = body(state, lanes)
    state.continues.pop()
    return union([after, *continues], state.count) if continues else after


def _return(state: State, lanes: Lanes) -> Lanes:
    if state.ended is None:
        state.ended = np.zeros(state.count, np.bool_)
    state.ended[slice(None) if lanes is None else lanes] = True
    return EMPTY


def _break(state: State, lanes: Lanes) -> Lanes:
    state.breaks[-1].append(lanes)
    return EMPTY


def _continue(state: State, lanes: Lanes) -> Lanes:
    state.continues[-1].append(lanes)
    return EMPTY
