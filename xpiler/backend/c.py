"""The shared C++ printer: canonical IR (loops, scalars, plain arrays) as readable C++17."""

from __future__ import annotations

import math
from collections.abc import Callable

from xpiler.backend.c_expressions import UNARY, ArrayInfo, CExpressions
from xpiler.backend.c_types import c_string, is_half_width, storage_type, value_type
from xpiler.errors import Refusal
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
    Return,
    Stmt,
    Trap,
    Var,
    While,
)
from xpiler.ir.rewrite import assigned_vars, free_vars, walk
from xpiler.ir.types import BOOL, F16, DType

# Stack arrays larger than this go to the heap: OpenMP threads have small stacks.
STACK_BYTES = 64 * 1024

PLAIN = {"add": "+", "sub": "-", "and": "&", "or": "|", "xor": "^"}
"""Atomics that are an assignment where nobody else looks."""


class CPrinter(CExpressions):
    """Prints statements into `lines`."""

    # -------------------------------------------------------------------------------------- statements

    def block(self, body: Block) -> None:
        for stmt in body.body:
            self.stmt(stmt)

    def braces(self, head: str, body: Callable[[], None], tail: str = "}") -> None:
        self.line(f"{head} {{" if head else "{")
        self.depth += 1
        body()
        self.depth -= 1
        self.line(tail)

    def stmt(self, stmt: Stmt) -> None:
        self.print_comments(stmt)
        match stmt:
            case Block():
                self.braces("", lambda: self.block(stmt))
            case Decl():
                self.decl(stmt)
            case Assign():
                self.line(f"{self.assignment(stmt)};")
            case For():
                self.loop(stmt)
            case While():
                self.while_loop(stmt)
            case If():
                self.conditional(stmt)
            case Atomic():
                self.line(f"{self.atomic(stmt)};")
            case Trap(condition=condition, message=message):
                self.line(f"abort_unless({self.expr(condition)}, {c_string(message)});")
            case Return():
                self.line("return;")
            case Break():
                self.line("break;")
            case Continue():
                label = self._continue_label[-1] if self._continue_label else None
                self.line(f"goto {label};" if label else "continue;")
            case Barrier():
                pass  # threads are loops here: everything before it has happened
            case _:
                raise Refusal(
                    "unsupported-statement",
                    f"{type(stmt).__name__} is not part of a serial program",
                    stmt.range,
                )

    def decl(self, decl: Decl) -> None:
        name = self.name(decl.name)
        if not decl.shape:
            init = (
                ""
                if decl.init is None or isinstance(decl.init, tuple)
                else f" = {self.converted(decl.init, decl.dtype)}"
            )
            self.line(f"{value_type(decl.dtype)} {name}{init};")
            return
        self.declare_array(decl, name)

    def declare_array(self, decl: Decl, name: str) -> None:
        kind = storage_type(decl.dtype)
        constant = [e.value for e in decl.shape if isinstance(e, Const)]
        fixed = len(constant) == len(decl.shape)
        size = math.prod(int(v) for v in constant) if fixed else 0
        if fixed and 0 < size * decl.dtype.bytes <= STACK_BYTES:
            self.arrays[decl.name] = ArrayInfo(decl.dtype, decl.shape, nested=True)
            extents = "".join(f"[{int(v)}]" for v in constant)
            if isinstance(decl.init, tuple):
                # flat initialisers: braces of a nested array may be left out
                values = ", ".join(self._initial(e) for e in decl.init)
                self.line(f"alignas(64) {kind} {name}{extents} = {{{values}}};")
            else:
                self.line(f"alignas(64) {kind} {name}{extents};")
            return
        self.arrays[decl.name] = ArrayInfo(decl.dtype, decl.shape)
        count = " * ".join(f"(size_t){self.expr(e, UNARY)}" for e in decl.shape)
        self.line(f"Buffer<{kind}> {name}({count});")
        if isinstance(decl.init, tuple):
            self.line(f"memset({name}, 0, {count} * sizeof({kind}));")
            for i, value in enumerate(decl.init):
                self.line(f"{name}[{i}] = {self.to_storage(value)};")

    def _initial(self, value: Expr) -> str:
        """An element in braces, where C++ does not narrow by itself."""
        return self.to_storage(value) if is_half_width(value.dtype) else self.expr(value)

    def assignment(self, assign: Assign) -> str:
        target, value, op = assign.target, assign.value, assign.reduce
        dtype = target.dtype
        if isinstance(target, Load) and (self.reinterprets(target) or is_half_width(dtype)):
            full = value if op is None else reduced(target, value, op)
            if not self.reinterprets(target):
                return f"{self.place(target)} = {self.to_storage(full)}"
            kind = storage_type(dtype)
            position = f"{self.base(target.array)}, {self.flat_index(target)}"
            return f"store_as<{kind}>({position}, {self.to_storage(full)})"
        place = self.place(target) if isinstance(target, Load) else self.name(target.name)
        if op is None:
            return f"{place} = {self.converted(value, dtype)}"
        if op in ("min", "max") or is_half_width(dtype) or dtype == BOOL:
            return f"{place} = {self.expr(reduced(target, value, op))}"
        return f"{place} {op}= {self.converted(value, dtype)}"

    def loop(self, loop: For) -> None:
        self.braces(self.loop_head(loop), lambda: self._loop_body(loop.body))

    def _loop_body(self, body: Block) -> None:
        self._continue_label.append(None)
        self.block(body)
        self._continue_label.pop()

    def loop_head(self, loop: For) -> str:
        var = self.name(loop.var)
        stop, step = self.invariant(loop.stop, loop, "end"), self.invariant(loop.step, loop, "step")
        advance = f"++{var}" if loop.step == Const(loop.step.dtype, 1) else f"{var} += {step}"
        start = self.converted(loop.start, loop.dtype)
        return f"for ({value_type(loop.dtype)} {var} = {start}; {var} < {stop}; {advance})"

    def invariant(self, bound: Expr, loop: For, what: str) -> str:
        """A bound as text; kept in a variable first if the body changes what it depends on."""
        changed = free_vars(bound) & assigned_vars(loop.body)
        reads = {n.array for n in walk(bound) if isinstance(n, Load)}
        if changed or reads:
            name = self.fresh(f"{loop.var}_{what}")
            self.line(f"const {value_type(bound.dtype)} {name} = {self.expr(bound)};")
            return name
        return self.expr(bound, 11)

    def while_loop(self, loop: While) -> None:
        advance = self._advance(loop.advance)
        if loop.do_while and not loop.advance.body:
            condition = self.expr(loop.condition)
            self.braces("do", lambda: self._loop_body(loop.body), f"}} while ({condition});")
        elif advance is not None and not loop.do_while:
            head = (
                f"for (; {self.expr(loop.condition)}; {advance})"
                if advance
                else f"while ({self.expr(loop.condition)})"
            )
            self.braces(head, lambda: self._loop_body(loop.body))
        else:
            self._general_while(loop)

    def _advance(self, advance: Block) -> str | None:
        if not all(isinstance(s, Assign) for s in advance.body):
            return None
        return ", ".join(self.assignment(s) for s in advance.body if isinstance(s, Assign))

    def _general_while(self, loop: While) -> None:
        self._labels += 1
        label = self.fresh(f"next_{self._labels}")

        def body() -> None:
            if not loop.do_while:
                self.line(f"if (!({self.expr(loop.condition)})) break;")
            self._continue_label.append(label)
            self.braces("", lambda: self.block(loop.body))
            self._continue_label.pop()
            self.line(f"{label}:;")
            self.braces("", lambda: self.block(loop.advance))
            if loop.do_while:
                self.line(f"if (!({self.expr(loop.condition)})) break;")

        self.braces("for (;;)", body)

    def conditional(self, stmt: If) -> None:
        head = f"if ({self.expr(stmt.condition)})"
        if not stmt.otherwise.body:
            self.braces(head, lambda: self.block(stmt.then))
            return
        self.line(f"{head} {{")
        self.depth += 1
        self.block(stmt.then)
        self.depth -= 1
        rest = stmt.otherwise.body
        while len(rest) == 1 and isinstance(rest[0], If):
            inner = rest[0]
            self.line(f"}} else if ({self.expr(inner.condition)}) {{")
            self.depth += 1
            self.block(inner.then)
            self.depth -= 1
            rest = inner.otherwise.body
        if rest:
            self.line("} else {")
            self.depth += 1
            self.block(Block(rest))
            self.depth -= 1
        self.line("}")

    # -------------------------------------------------------------------------------------- atomics

    def atomic(self, stmt: Atomic) -> str:
        args = [self.expr(a) for a in stmt.args]
        if self.updates_alone(stmt):
            return self.update(stmt.op, self.place(stmt.place), stmt.place.dtype, *args)
        call = self.atomic_call(stmt.op, self.pointer(stmt.place), stmt.place.dtype, args)
        if stmt.target is None:
            return call
        return f"{self.name(stmt.target.name)} = {call}"

    def pointer(self, place: Load) -> str:
        if self.reinterprets(place):
            return f"({storage_type(place.dtype)} *){self.base(place.array)} + {self.flat_index(place)}"
        return f"&{self.place(place)}"

    def updates_alone(self, stmt: Atomic) -> bool:
        """Whether no other thread sees the element, and nobody asks what was there."""
        return False

    def update(self, op: str, place: str, dtype: DType, value: str) -> str:
        """An atomic of `PLAIN` as an assignment. It wraps around, as signed sums must not."""
        sign = PLAIN[op]
        if dtype.is_float or not dtype.is_signed or op not in ("add", "sub"):
            return f"{place} {sign}= {value}"
        kind, wraps = value_type(dtype), f"uint{dtype.bits}_t"
        return f"{place} = ({kind})(({wraps}){place} {sign} ({wraps})({value}))"

    def atomic_call(self, op: str, pointer: str, dtype: DType, args: list[str]) -> str:
        """The call that does it; its value is the old one."""
        kind, value = storage_type(dtype), f"({args[-1]})"
        if dtype.is_integer and op in ("add", "sub", "and", "or", "xor"):
            return f"__atomic_fetch_{op}({pointer}, {args[-1]}, __ATOMIC_RELAXED)"
        if dtype.is_integer and op == "exch":
            return f"__atomic_exchange_n({pointer}, {args[-1]}, __ATOMIC_RELAXED)"
        old = self.from_storage("old", dtype)
        changes = {
            "add": f"{old} + {value}",
            "sub": f"{old} - {value}",
            "min": f"minimum<{value_type(dtype)}>({old}, {args[-1]})",
            "max": f"maximum<{value_type(dtype)}>({old}, {args[-1]})",
            "exch": args[-1],
            "inc": f"old >= {value} ? 0 : old + 1",
            "dec": f"old == 0 || old > {value} ? {args[-1]} : old - 1",
            "cas": f"{old} == ({args[0]}) ? {value} : {old}",
        }
        if op not in changes:
            raise Refusal("unsupported-atomic", f"atomic '{op}' on {dtype} has no C++ form")
        new = changes[op]
        if is_half_width(dtype):
            new = f"{'float_to_half' if dtype == F16 else 'float_to_bfloat16'}({new})"
        bits = f"uint{dtype.bits}_t"
        call = f"atomic_update<{bits}>({pointer}, [&]({kind} old) {{ return ({kind})({new}); }})"
        return self.from_storage(call, dtype)


# ---------------------------------------------------------------------------------------------- small parts


def reduced(target: Var | Load, value: Expr, op: str) -> Expr:
    """`target op value` of a reducing assignment, as an expression."""
    if op in ("min", "max"):
        return Call(target.dtype, op, (target, value))
    return Binary(target.dtype, op, target, value)
