"""One vector loop: its statements for 16 (or 8) iterations at a time.

Control flow that lanes disagree about becomes masks: `if` runs both sides under a mask each, a loop runs
while any lane is active. The last iterations run under a mask.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from math import gcd
from typing import TYPE_CHECKING

from xpiler.backend.c_expressions import ArrayInfo
from xpiler.backend.c_types import storage_type, value_type
from xpiler.backend.vnni_accumulators import Accumulator, accumulators_that_vary, numbers_in
from xpiler.backend.vnni_dots import dots_along, print_dots_across, print_dots_along
from xpiler.backend.vnni_forms import Value
from xpiler.backend.vnni_lanes import Lanes, NotVectorizable
from xpiler.backend.vnni_shapes import Shapes
from xpiler.backend.vnni_unroll import copies_of, known_multiple, print_unrolled
from xpiler.backend.vnni_values import LaneValues
from xpiler.ir.build import and_
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Barrier,
    Binary,
    Block,
    Break,
    Call,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    If,
    Load,
    Select,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import walk, walk_exprs
from xpiler.ir.types import BOOL, F32, I32, I64, DType
from xpiler.passes.folds import folded
from xpiler.passes.inside_ranges import parts_of

if TYPE_CHECKING:
    from xpiler.backend.vnni_vector import VectorPrinter

IDENTITY = {"+": 0, "*": 1, "|": 0, "^": 0, "&": -1, "||": 0, "&&": 1}


class Region:
    """One vector loop being printed."""

    def __init__(self, printer: VectorPrinter, loop: For, lanes: Lanes) -> None:
        self.printer = printer
        self.loop = loop
        self.lanes = lanes
        self.accumulators = accumulators_that_vary(loop)
        self.numbers = printer.numbers | numbers_in(loop.body)
        self.shapes = Shapes(loop.body, loop.var, frozenset(self.accumulators))
        self.values = LaneValues(printer, lanes, self.shapes)
        self.scalar_names: dict[str, str] = {}
        self.declared: dict[str, str | None] = {}  # varying variable -> mask in force at its declaration
        self._reads: Counter[str] | None = None
        self.loops: list[tuple[str, str]] = []  # (live, act) of the divergent loops around
        self._check_outer()

    def _check_outer(self) -> None:
        body = self.loop.body
        inside = {s.name for s in walk(body) if isinstance(s, Decl)} | {
            s.var for s in walk(body) if isinstance(s, For)
        }
        outer = self.shapes.varying - inside - set(self.accumulators) - {self.loop.var}
        if outer:
            raise NotVectorizable(f"'{sorted(outer)[0]}' is carried out of the loop")

    def run(self, pragma: str = "") -> None:
        printer, loop, lanes = self.printer, self.loop, self.lanes
        width = lanes.count
        full = loop.step != Const(loop.step.dtype, 1)  # the pass made whole steps: no tail
        dots = dots_along(self)
        if dots is not None:
            print_dots_along(self, dots)
            return
        if full and not isinstance(loop.step, Const):
            raise NotVectorizable("a step that is not a number")
        if full and int(loop.step.value) % width:  # type: ignore[attr-defined]
            raise NotVectorizable("a step that is not a number of registers")
        for acc in self.accumulators.values():
            self.declare_accumulator(acc)
        top = len(printer.lines)
        kind, var = value_type(loop.dtype), printer.name(loop.var)
        stop = printer.invariant(loop.stop, loop, "end")
        if not isinstance(loop.stop, (Const, Var)) and not full:
            name = printer.fresh(f"{loop.var}_end")
            printer.line(f"const {value_type(loop.dtype)} {name} = {stop};")
            stop = name
        start = printer.converted(loop.start, loop.dtype)
        step = int(loop.step.value) if full else width  # type: ignore[attr-defined]
        multiple = gcd(width, known_multiple(loop.start))
        self.values.linear[loop.var] = Value("linear", var, loop.dtype, 1, multiple)
        whole = full or (
            isinstance(loop.stop, Const)
            and isinstance(loop.start, Const)
            and (loop.stop.value - loop.start.value) % width == 0
        )
        if pragma and not self.accumulators:
            printer.pragma(pragma)
        copies = 0 if whole else copies_of(loop, width, sums=bool(self.accumulators))
        if copies:
            start = print_unrolled(self, kind, stop, copies)
        printer.line(f"for ({kind} {var} = {start}; {var} < {stop}; {var} += {step}) {{")
        printer.depth += 1
        if not whole:
            mask = printer.fresh("lanes")
            rest = f"{stop} - {var}"
            low = f"(1u << ({rest})) - 1u"
            printer.line(
                f"const {lanes.mask} {mask} = {rest} < {width} ? ({lanes.mask})({low}) : {lanes.all};"
            )
            self.values.mask = mask
        self.block(loop.body)
        printer.depth -= 1
        printer.line("}")
        indent = "    " * printer.depth
        for wide, name in self.values.lane_names.items():
            dtype = I64 if wide else I32
            printer.lines.insert(top, f"{indent}const {lanes.register(dtype)} {name} = {lanes.iota(dtype)};")
        for acc in self.accumulators.values():
            self.fold_accumulator(acc)

    # -------------------------------------------------------------------------------------- accumulators

    def declare_accumulator(self, acc: Accumulator) -> None:
        lanes, name = self.lanes, self.printer.fresh(f"{acc.name}_lanes")
        self.printer.line(f"{lanes.register(acc.dtype)} {name} = {self.identity(acc)};")
        self.scalar_names[acc.name] = self.printer.name(acc.name)
        self.printer.names[acc.name] = name
        self.declared[acc.name] = None

    def identity(self, acc: Accumulator) -> str:
        """A register that a fold may start with: what changes nothing, or the scalar so far."""
        if acc.op in ("min", "max"):
            return self.lanes.set1(acc.dtype, self.scalar_names.get(acc.name) or self.printer.name(acc.name))
        if acc.dtype == BOOL:
            return self.lanes.all if acc.op in ("&&", "&") else "0"
        text = {0: "0", 1: "1", -1: "-1"}[IDENTITY[acc.op]]
        # -0.0 is the identity of a float sum
        return self.lanes.set1(acc.dtype, "-0.0f" if acc.dtype.is_float and acc.op == "+" else text)

    def fold_accumulator(self, acc: Accumulator) -> None:
        lanes, printer = self.lanes, self.printer
        scalar, register = self.scalar_names[acc.name], printer.names[acc.name]
        printer.names[acc.name] = scalar
        if acc.dtype == BOOL:
            test = f"{register} == {lanes.all}" if acc.op in ("&&", "&") else f"{register} != 0"
            joined = "&&" if acc.op in ("&&", "&") else "||"
            printer.line(f"{scalar} = {scalar} {joined} {test};")
            return
        op = {"+": "add", "*": "mul", "|": "or", "&": "and", "min": "min", "max": "max"}.get(acc.op)
        if op is None:
            raise NotVectorizable(f"reduction {acc.op}")
        wide = lanes.widen(acc.dtype, register)
        mask = "" if lanes.count == 16 or acc.dtype.bits == 64 else "mask_"
        args = f"0xff, {wide}" if mask else wide
        suffix = lanes.suffix(acc.dtype, signed=acc.op not in ("min", "max"))
        text = f"_mm512_{mask}reduce_{op}_{suffix}({args})"
        self.printer.names["\0a"], self.printer.names["\0b"] = scalar, text
        a, b = Var(acc.dtype, "\0a"), Var(acc.dtype, "\0b")
        if acc.op in ("min", "max"):
            printer.line(f"{scalar} = {printer.expr(Call(acc.dtype, acc.op, (a, b)))};")
        else:
            printer.line(f"{scalar} = {printer.expr(Binary(acc.dtype, acc.op, a, b))};")

    # -------------------------------------------------------------------------------------- statements

    def block(self, body: Block) -> None:
        """Statements in a row. After one that may have sent lanes away the rest runs for those that
        stayed."""
        printer, values = self.printer, self.values
        opened = 0
        for i, stmt in enumerate(body.body):
            self.stmt(stmt)
            if self.loops and i + 1 < len(body.body) and _jumps(stmt):
                _, act = self.loops[-1]
                left = printer.fresh("m")
                before = values.mask_text()
                printer.line(f"const {self.lanes.mask} {left} = {before} & {act};")
                printer.line(f"if ({left}) {{")
                printer.depth += 1
                opened += 1
                values.mask = left
        for _ in range(opened):
            printer.depth -= 1
            printer.line("}")

    def scoped(self, body: Block, mask: str | None) -> None:
        saved = self.values.mask, self.values.guarded
        self.values.mask, self.values.guarded = mask, False
        self.printer.depth += 1
        self.block(body)
        self.printer.depth -= 1
        self.values.mask, self.values.guarded = saved

    def stmt(self, stmt: Stmt) -> None:
        printer = self.printer
        printer.print_comments(stmt)
        match stmt:
            case Block():
                printer.line("{")
                self.scoped(stmt, self.values.mask)
                printer.line("}")
            case Decl():
                self.decl(stmt)
            case Assign():
                self.assign(stmt)
            case If():
                self.conditional(stmt)
            case For():
                self.for_loop(stmt)
            case While():
                self.while_loop(stmt)
            case Break():
                self.leave(both=True)
            case Continue():
                self.leave(both=False)
            case Atomic():
                self.atomic(stmt)
            case Barrier():
                pass
            case _:
                raise NotVectorizable(type(stmt).__name__)

    def decl(self, decl: Decl) -> None:
        printer, lanes = self.printer, self.lanes
        if decl.shape:
            if not all(isinstance(e, Const) for e in decl.shape):
                raise NotVectorizable("a private array of variable size")
            name, count = printer.name(decl.name), 1
            for extent in decl.shape:
                count *= int(extent.value)  # type: ignore[attr-defined]
            printer.arrays[decl.name] = ArrayInfo(decl.dtype, decl.shape)
            if count * 64 > 256 * 1024:
                raise NotVectorizable("a large private array")
            printer.line(f"{lanes.register(decl.dtype)} {name}[{count}];")
            if isinstance(decl.init, tuple):
                for i in range(count):
                    text = (
                        self.values.vector(self.values.eval(decl.init[i]))
                        if i < len(decl.init)
                        else lanes.zero(decl.dtype)
                    )
                    printer.line(f"{name}[{i}] = {text};")
            return
        if decl.name not in self.shapes.varying:
            if isinstance(decl.init, Expr):
                value = self.values.eval(decl.init)
                printer.line(f"{value_type(decl.dtype)} {printer.name(decl.name)} = {_plain(value.text)};")
            else:
                printer.decl(decl)
            return
        self.declared[decl.name] = self.values.mask
        if not isinstance(decl.init, Expr):
            printer.line(
                f"{lanes.register(decl.dtype)} {printer.name(decl.name)} = {lanes.zero(decl.dtype)};"
            )
            return
        value = self.values.eval(decl.init)
        if value.kind == "linear" and not self._reassigned(decl.name):
            name = printer.name(decl.name)
            printer.line(f"const {value_type(decl.dtype)} {name} = {_plain(value.text)};")
            self.values.linear[decl.name] = Value(
                "linear", name, decl.dtype, value.stride, value.multiple, value.minus
            )
            return
        text = self.values.vector(value)
        if _reads_memory(decl.init) and decl.dtype == F32 and lanes.count == 16 and self._shared(decl.name):
            text = f"kept({text})"
        printer.line(f"{lanes.register(decl.dtype)} {printer.name(decl.name)} = {text};")

    def _shared(self, name: str) -> bool:
        """Whether several operations read a variable, which nothing changes."""
        if self._reads is None:
            self._reads = Counter(
                n.name for s in self._in_loops() for n in walk_exprs(s) if isinstance(n, Var)
            )
        return self._reads[name] > 1 and not self._reassigned(name)

    def _in_loops(self) -> Iterator[Stmt]:
        """What is done in loops within the lanes."""
        for loop in walk(self.loop.body):
            if isinstance(loop, For):
                yield from (s for s in loop.body.body if isinstance(s, (Assign, Decl)))

    def _reassigned(self, name: str) -> bool:
        return any(
            isinstance(s, (Assign, Atomic)) and isinstance(s.target, Var) and s.target.name == name
            for s in walk(self.loop.body)
        )

    def assign(self, assign: Assign) -> None:
        printer, values, target = self.printer, self.values, assign.target
        if isinstance(target, Var) and target.name not in self.shapes.varying:
            if values.guarded:
                raise NotVectorizable("a shared scalar under a mask that may be empty")
            printer.line(f"{printer.assignment(assign)};")
            return
        fold = folded(assign) if isinstance(target, Var) else None
        if fold is None and assign.reduce is not None:
            fold = assign.reduce, assign.value
        text = self.fold(target, *fold) if fold is not None else None
        if isinstance(target, Load):
            values.store(target, Value("vector", text, target.dtype) if text else values.eval(assign.value))
            return
        name, dtype = printer.name(target.name), target.dtype
        if text is None:
            text = values.vector(values.eval(assign.value))
        if self.declared.get(target.name) != values.mask and values.mask is not None:
            text = self.lanes.blend(dtype, values.mask, name, text)
        printer.line(f"{name} = {text};")

    def fold(self, target: Var | Load, op: str, value: Expr) -> str:
        """target op value; a multiply-add where a product is summed (GPU compilers contract it as well)."""
        values, lanes, dtype = self.values, self.lanes, target.dtype
        match value:
            case Binary(op="*", left=left, right=right) if op == "+" and dtype.name in ("f32", "f64"):
                old = values.vector(values.eval(target))
                factors = values.vector(values.eval(left)), values.vector(values.eval(right))
                return lanes.op("fmadd", dtype, *factors, old)
            case Call(function="dp4a", args=(left, right, Const(value=0))) if op == "+":
                return values.vector(values.eval(replace(value, args=(left, right, target))))
        if op in ("min", "max") and isinstance(target, Var) and target.name in self.numbers:
            # the instruction gives its second operand where one is NaN: what was there, which is a number
            operands = values.vector(values.eval(value)), values.vector(values.eval(target))
            return lanes.op(op, dtype, *operands)
        # the helpers test their first operand for NaN: not the one that the next iteration waits for
        whole = Call(dtype, op, (value, target)) if op in ("min", "max") else Binary(dtype, op, target, value)
        return values.vector(values.eval(whole))

    def conditional(self, stmt: If) -> None:
        printer, values, lanes = self.printer, self.values, self.lanes
        parts = parts_of(stmt.condition)
        alike = [*takewhile(lambda part: not self.shapes.varies(part), parts)]
        if alike and len(alike) < len(parts) and not stmt.otherwise.body:
            inner = replace(stmt, condition=and_(*parts[len(alike) :]))
            self.conditional(replace(stmt, condition=and_(*alike), then=Block((inner,))))
            return
        condition = values.condition(stmt.condition)
        if condition.kind == "uniform":
            printer.line(f"if ({_plain(condition.text)}) {{")
            self.scoped(stmt.then, values.mask)
            if stmt.otherwise.body:
                printer.line("} else {")
                self.scoped(stmt.otherwise, values.mask)
            printer.line("}")
            return
        if values.mask is None and not stmt.otherwise.body and _stores_alone(stmt):
            values.mask = condition.text
            self.block(stmt.then)
            values.mask = None
            return
        outer = values.mask_text()
        taken = values.temporary(condition, "m")
        other = ""
        if stmt.otherwise.body:
            other = printer.fresh("m")
            printer.line(f"const {lanes.mask} {other} = {outer} & ~{taken.text};")
        printer.line(f"if ({taken.text}) {{")
        self.scoped(stmt.then, taken.text)
        printer.line("}")
        if other:
            printer.line(f"if ({other}) {{")
            self.scoped(stmt.otherwise, other)
            printer.line("}")

    def for_loop(self, loop: For) -> None:
        printer, values = self.printer, self.values
        if not self.shapes.lanes_leave(loop):
            if print_dots_across(self, loop):
                return
            printer.line(f"{printer.loop_head(loop)} {{")
            self.inner(loop.body)
            printer.line("}")
            return
        if loop.var in self.shapes.varying:
            self._varying_for(loop)
            return
        # all lanes count alike, and stop each at its own bound
        printer.line("{")
        printer.depth += 1
        stop = values.eval(loop.stop)
        stop = values.temporary(
            stop if stop.kind == "uniform" else Value("vector", values.vector(stop), stop.dtype), "end"
        )
        live, act = self._enter_loop()
        kind, var = value_type(loop.dtype), printer.name(loop.var)
        start, step = printer.converted(loop.start, loop.dtype), printer.expr(loop.step)
        here = Value("uniform", var, loop.dtype)
        printer.line(f"for ({kind} {var} = {start};; {var} += {step}) {{")
        printer.depth += 1
        if stop.kind == "uniform":
            printer.line(f"if (!({var} < {stop.text})) break;")
        else:
            more = values._compare("<", here, stop)
            printer.line(f"{live} &= {more.text};")
        printer.line(f"if (!{live}) break;")
        self._loop_body(loop.body, live, act)
        printer.depth -= 1
        printer.line("}")
        printer.depth -= 1
        printer.line("}")

    def _varying_for(self, loop: For) -> None:
        """Lanes start at different places: the loop variable is a vector, or the place of the first lane
        where the others follow at a fixed distance."""
        printer, values = self.printer, self.values
        printer.line("{")
        printer.depth += 1
        name, begin = printer.name(loop.var), values.eval(loop.start)
        follows = begin.kind == "linear" and not self.shapes.varies(loop.step)
        if follows:
            printer.line(f"{value_type(loop.dtype)} {name} = {_plain(begin.text)};")
            values.linear[loop.var] = replace(begin, text=name, multiple=1)
        else:
            self.declared[loop.var] = values.mask
            printer.line(f"{self.lanes.register(loop.dtype)} {name} = {values.vector(begin)};")
        stop = values.eval(loop.stop)
        end = values.temporary(Value("vector", values.vector(stop), stop.dtype), "end")
        live, act = self._enter_loop()
        step = printer.expr(loop.step) if follows else ""
        printer.line(f"for (;; {name} += {step}) {{" if follows else "for (;;) {")
        printer.depth += 1
        more = values._compare("<", values.eval(Var(loop.dtype, loop.var)), end)
        printer.line(f"{live} &= {more.text};")
        printer.line(f"if (!{live}) break;")
        self._loop_body(loop.body, live, act)
        if not follows:
            step = values.vector(values.eval(loop.step))
            printer.line(f"{name} = {self.lanes.op('add', loop.dtype, name, step)};")
        printer.depth -= 1
        printer.line("}")
        printer.depth -= 1
        printer.line("}")

    def _enter_loop(self) -> tuple[str, str]:
        printer = self.printer
        live, act = printer.fresh("live"), printer.fresh("act")
        printer.line(f"{self.lanes.mask} {live} = {self.values.mask_text()};")
        return live, act

    def _loop_body(self, body: Block, live: str, act: str) -> None:
        """One iteration for the lanes in `live`; `act` are those still in this iteration."""
        values, printer = self.values, self.printer
        saved = values.mask, values.guarded
        self.loops.append((live, act))
        start = printer.fresh("m")
        printer.line(f"const {self.lanes.mask} {start} = {live};")
        if any(_jumps(s) for s in body.body):
            printer.line(f"{self.lanes.mask} {act} = {start};")
        values.mask, values.guarded = start, False
        self.block(body)
        self.loops.pop()
        values.mask, values.guarded = saved

    def inner(self, body: Block) -> None:
        """The body of a loop that all lanes leave together: its breaks are breaks."""
        saved, self.loops = self.loops, []
        self.scoped(body, self.values.mask)
        self.loops = saved

    def leave(self, *, both: bool) -> None:
        """`break` (both) or `continue` for the lanes of the current mask."""
        if not self.loops:
            self.printer.line("break;" if both else "continue;")
            return
        live, act = self.loops[-1]
        if both:
            self.printer.line(f"{live} &= ~{self.values.mask_text()};")
        self.printer.line(f"{act} &= ~{self.values.mask_text()};")

    def while_loop(self, loop: While) -> None:
        printer, _values = self.printer, self.values
        if not self.shapes.lanes_leave(loop):
            if loop.advance.body or loop.do_while:
                raise NotVectorizable("a general while loop")
            printer.line(f"while ({printer.expr(loop.condition)}) {{")
            self.inner(loop.body)
            printer.line("}")
            return
        printer.line("{")
        printer.depth += 1
        live, act = self._enter_loop()
        printer.line("for (;;) {")
        printer.depth += 1
        if not loop.do_while:
            self._test(loop, live)
        self._loop_body(loop.body, live, act)
        if loop.advance.body:
            self._advance(loop.advance, live)
        if loop.do_while:
            self._test(loop, live)
        printer.depth -= 1
        printer.line("}")
        printer.depth -= 1
        printer.line("}")

    def _advance(self, advance: Block, live: str) -> None:
        values = self.values
        saved = values.mask, values.guarded
        self.printer.line(f"if (!{live}) break;")
        values.mask, values.guarded = live, False
        self.block(advance)
        values.mask, values.guarded = saved

    def _test(self, loop: While, live: str) -> None:
        values, printer = self.values, self.printer
        saved = values.mask, values.guarded
        printer.line(f"if (!{live}) break;")
        values.mask, values.guarded = live, False
        condition = values.eval(loop.condition)
        if condition.kind == "uniform":
            printer.line(f"if (!({_plain(condition.text)})) break;")
        else:
            printer.line(f"{live} &= {condition.text};")
            printer.line(f"if (!{live}) break;")
        values.mask, values.guarded = saved

    # -------------------------------------------------------------------------------------- atomics

    def atomic(self, stmt: Atomic) -> None:
        """Lane by lane, in order; sums into one place are added up first."""
        printer, values, lanes = self.printer, self.values, self.lanes
        place = stmt.place
        if place.array in self.shapes.arrays or printer.reinterprets(place):
            raise NotVectorizable("an atomic on private or reinterpreted memory")
        dtype = place.dtype
        at = values.position(place)
        args = [values.eval(a) for a in stmt.args]
        texts = [self._spill(a) for a in args]
        where = at.text if at.kind == "uniform" else self._spill(at)
        target = self._old_values(stmt) if stmt.target is not None else ""
        lane = printer.fresh("lane")
        active = printer.fresh("rest")
        printer.line(f"for (unsigned {active} = {values.mask_text()}; {active}; {active} &= {active} - 1) {{")
        printer.depth += 1
        printer.line(f"const int {lane} = __builtin_ctz({active});")
        position = where if at.kind == "uniform" else f"{where}[{lane}]"
        element = f"{printer.base(place.array)}[{position}]"
        operands = [t if a.kind == "uniform" else f"{t}[{lane}]" for t, a in zip(texts, args, strict=True)]
        if printer.updates_alone(stmt):
            call = printer.update(stmt.op, element, dtype, *operands)
        else:
            call = printer.atomic_call(stmt.op, f"&{element}", dtype, operands)
        printer.line(f"{target}[{lane}] = {call};" if target else f"{call};")
        printer.depth -= 1
        printer.line("}")
        if stmt.target is not None:
            old = lanes.load(_register_type(dtype), target, None)
            name = printer.name(stmt.target.name)
            if values.mask is not None and self.declared.get(stmt.target.name) != values.mask:
                old = lanes.blend(dtype, values.mask, name, old)
            printer.line(f"{name} = {old};")

    def _spill(self, value: Value) -> str:
        """The lanes in memory; for uniform values the text."""
        if value.kind == "uniform":
            return value.text
        if value.dtype == BOOL or (value.dtype.bits < 32 and not value.dtype.is_float):
            raise NotVectorizable("an atomic on narrow integers")
        printer, kind = self.printer, _register_type(value.dtype)
        name = printer.fresh("each")
        printer.line(f"alignas(64) {storage_type(kind)} {name}[{self.lanes.count}];")
        printer.line(f"{self.lanes.store(kind, name, self.values.vector(value), None)};")
        return name

    def _old_values(self, stmt: Atomic) -> str:
        name = self.printer.fresh("old")
        kind = _register_type(stmt.place.dtype)
        self.printer.line(f"alignas(64) {storage_type(kind)} {name}[{self.lanes.count}] = {{}};")
        return name


def _stores_alone(stmt: If) -> bool:
    """What a variable says may be done, and is one store of another variable: no branch saves anything."""
    match stmt:
        case If(condition=Var(), then=Block(body=(Assign(target=Load(), value=Var()),))):
            return True
    return False


def _reads_memory(value: Expr) -> bool:
    """Whether the value is an element, or one that is read where a condition holds."""
    return isinstance(value, Load) or (
        isinstance(value, Select) and isinstance(value.then, Load) and isinstance(value.otherwise, Const)
    )


def _jumps(stmt: Stmt) -> bool:
    """Whether a break or continue inside belongs to the loop around `stmt`."""
    match stmt:
        case Break() | Continue():
            return True
        case Block(body=body):
            return any(_jumps(s) for s in body)
        case If(then=then, otherwise=otherwise):
            return _jumps(then) or _jumps(otherwise)
    return False


def _plain(text: str) -> str:
    """Without parentheses around the whole."""
    if text.startswith("(") and text.endswith(")"):
        depth = 0
        for i, letter in enumerate(text):
            depth += {"(": 1, ")": -1}.get(letter, 0)
            if depth == 0 and i < len(text) - 1:
                return text
        return text[1:-1]
    return text


def _register_type(dtype: DType) -> DType:
    return F32 if dtype.is_float and dtype.bits == 16 else dtype
