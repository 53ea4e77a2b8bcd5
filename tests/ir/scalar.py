"""A plain scalar reference of the IR's meaning: one thread, Python numbers, nothing shared with the
interpreter."""

from __future__ import annotations

import contextlib
import math
import struct

from xpiler.ir import nodes as ir
from xpiler.ir.rewrite import map_expr
from xpiler.ir.types import DType, Kind


class Undefined(Exception):
    """C gives the operation no meaning."""


def to_type(value: int | float | bool, dtype: DType) -> int | float | bool:
    if dtype.kind is Kind.BOOL:
        return bool(value)
    if dtype.name == "f32":
        try:
            return struct.unpack("f", struct.pack("f", value))[0]
        except OverflowError:
            return math.copysign(math.inf, value)
    if dtype.is_float:
        return float(value)
    if isinstance(value, float):
        low = -(2 ** (dtype.bits - 1)) if dtype.kind is Kind.INT else 0
        high = 2 ** (dtype.bits - 1) - 1 if dtype.kind is Kind.INT else 2**dtype.bits - 1
        if math.isnan(value):
            return 0
        return max(
            low, min(high, math.trunc(value) if math.isfinite(value) else int(math.copysign(2**80, value)))
        )
    value = int(value) % 2**dtype.bits
    if dtype.kind is Kind.INT and value >= 2 ** (dtype.bits - 1):
        value -= 2**dtype.bits
    return value


def evaluate(expr: ir.Expr, env: dict[str, int | float | bool]) -> int | float | bool:
    match expr:
        case ir.Const(value=value):
            return value
        case ir.Var(name=name):
            return env[name]
        case ir.Cast(operand=operand, dtype=dtype):
            return to_type(evaluate(operand, env), dtype)
        case ir.Unary(op=op, operand=operand, dtype=dtype):
            value = evaluate(operand, env)
            return {
                "-": lambda: to_type(-value, dtype),
                "~": lambda: to_type(~int(value), dtype),
                "!": lambda: not value,
            }[op]()
        case ir.Select(condition=condition, then=then, otherwise=otherwise):
            return evaluate(then if evaluate(condition, env) else otherwise, env)
        case ir.Call(function="min" | "max" as name, args=(first, second)):
            return (min if name == "min" else max)(evaluate(first, env), evaluate(second, env))
        case ir.Binary(op="&&", left=left, right=right):
            return bool(evaluate(left, env)) and bool(evaluate(right, env))
        case ir.Binary(op="||", left=left, right=right):
            return bool(evaluate(left, env)) or bool(evaluate(right, env))
        case ir.Binary(op=op, left=left, right=right, dtype=dtype):
            return operate(op, evaluate(left, env), evaluate(right, env), left.dtype, dtype)
    raise TypeError(expr)


def operate(op, a, b, operands: DType, dtype: DType):  # type: ignore[no-untyped-def]
    comparisons = {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}
    if op in comparisons:
        return comparisons[op]
    if op in "/%" and not dtype.is_float:
        if b == 0 or (b == -1 and a == -(2 ** (operands.bits - 1))):
            raise Undefined
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return quotient if op == "/" else a - quotient * b
    if op in ("<<", ">>"):
        if not 0 <= b < operands.bits:
            raise Undefined
        return to_type(a << b if op == "<<" else a >> b, dtype)
    if op == "/":
        if b == 0:
            raise Undefined
        return to_type(a / b, dtype)
    if op in "+-*":
        return to_type({"+": a + b, "-": a - b, "*": a * b}[op], dtype)
    return to_type({"&": int(a) & int(b), "|": int(a) | int(b), "^": int(a) ^ int(b)}[op], dtype)


class _Leave(Exception):
    pass


class _Break(_Leave):
    pass


class _Continue(_Leave):
    pass


class _Return(_Leave):
    pass


def run_thread(stmt: ir.Stmt, env: dict[str, int | float | bool], memory: dict[str, list]) -> None:  # type: ignore[type-arg]
    """One thread to its end; arrays are lists, local arrays live in `memory` too."""
    with contextlib.suppress(_Return):
        _execute(stmt, env, memory)


def _read(expr: ir.Expr, env, memory):  # type: ignore[no-untyped-def]
    """`evaluate` with loads replaced by what they read."""

    def value(current: ir.Expr) -> ir.Expr:
        if isinstance(current, ir.Load):
            return ir.Const(current.dtype, memory[current.array][evaluate(current.index[0], env)])
        return current

    return evaluate(map_expr(expr, value), env)


def _execute(stmt: ir.Stmt, env, memory) -> None:  # type: ignore[no-untyped-def]
    match stmt:
        case ir.Block(body=body):
            for inner in body:
                _execute(inner, env, memory)
        case ir.Decl(name=name, shape=(), init=init, dtype=dtype):
            env[name] = to_type(_read(init, env, memory), dtype)
        case ir.Decl(name=name, shape=(extent,)):
            memory[name] = [0] * evaluate(extent, env)
        case ir.Assign(target=target, value=value, reduce=reduce):
            new = _read(value, env, memory)
            place = None if isinstance(target, ir.Var) else _read(target.index[0], env, memory)
            if reduce in ("min", "max"):
                new = (min if reduce == "min" else max)(_read(target, env, memory), new)
            elif reduce:
                new = operate(reduce, _read(target, env, memory), new, target.dtype, target.dtype)
            if place is None:
                env[target.name] = new
            else:
                memory[target.array][place] = new
        case ir.If(condition=condition, then=then, otherwise=otherwise):
            _execute(then if _read(condition, env, memory) else otherwise, env, memory)
        case ir.For(var=var, start=start, stop=stop, step=step, body=body):
            bounds = [_read(e, env, memory) for e in (start, stop, step)]
            for value in range(*bounds):
                env[var] = value
                try:
                    _execute(body, env, memory)
                except _Continue:
                    pass
                except _Break:
                    break
        case ir.While(condition=condition, body=body, do_while=do_while, advance=advance):
            first = do_while
            while first or _read(condition, env, memory):
                first = False
                try:
                    _execute(body, env, memory)
                except _Continue:
                    pass
                except _Break:
                    break
                _execute(advance, env, memory)
        case ir.Return():
            raise _Return
        case ir.Break():
            raise _Break
        case ir.Continue():
            raise _Continue
        case _:
            raise TypeError(stmt)
