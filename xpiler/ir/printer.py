"""The IR as readable text, close to C: what `xpiler show --ir` prints and golden tests compare.

kernel add(const f32* a, f32* b, i32 n) {
  i32 i = (i32)(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) {
    b[i] += a[i];
  }
}
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xpiler.ir.build import round_float
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Barrier,
    Binary,
    Bitcast,
    Block,
    Break,
    Call,
    Cast,
    Collective,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    LoopKind,
    Param,
    Program,
    Ref,
    Return,
    Select,
    Space,
    Stmt,
    Trap,
    Unary,
    Var,
    While,
)
from xpiler.ir.types import DType, Kind

PRECEDENCE = {
    "*": 13,
    "/": 13,
    "%": 13,
    "+": 12,
    "-": 12,
    "<<": 11,
    ">>": 11,
    "<": 10,
    "<=": 10,
    ">": 10,
    ">=": 10,
    "==": 9,
    "!=": 9,
    "&": 8,
    "^": 7,
    "|": 6,
    "&&": 5,
    "||": 4,
}
_PREFIX = 14
_POSTFIX = 15
_SELECT = 3
_INDENT = "  "


def show(node: Expr | Stmt | Function | Program) -> str:
    """The text of any node, without a final newline."""
    match node:
        case Program():
            return "\n\n".join(show(kernel) for kernel in node.kernels)
        case Function():
            return "\n".join(_function(node))
        case Stmt():
            return "\n".join(_Printer({}).statement(node, ""))
    return _Printer({}).expression(node)


def _function(function: Function) -> Iterator[str]:
    arrays = {p.name: p.dtype for p in function.params if p.is_pointer}
    arrays.update({d.name: d.dtype for d in function.globals})
    printer = _Printer(arrays)
    for decl in function.globals:
        yield from printer.statement(decl, "")
    header = f"kernel {function.name}({', '.join(_param(p) for p in function.params)})"
    if function.spelling not in ("", function.name):
        header += f" as {function.spelling}"
    if any(n is not None for n in function.block_size):
        header += f" block({', '.join('?' if n is None else str(n) for n in function.block_size)})"
    yield header + " {"
    for stmt in function.body.body:
        yield from printer.statement(stmt, _INDENT)
    yield "}"


def _param(param: Param) -> str:
    const = "const " if param.is_const else ""
    lanes = f"x{param.lanes}" if param.lanes > 1 else ""
    return f"{const}{param.dtype}{lanes}{'*' if param.is_pointer else ''} {param.name}"


@dataclass(frozen=True)
class _Printer:
    """`arrays`: the element types known so far, to show an access that reinterprets memory as such."""

    arrays: Mapping[str, DType]

    def statement(self, stmt: Stmt, indent: str) -> Iterator[str]:
        inner = indent + _INDENT
        for note in stmt.notes:
            yield f"{indent}// {note}"
        match stmt:
            case Block():
                yield indent + "{"
                yield from self._body(stmt, inner)
                yield indent + "}"
            case Decl():
                yield f"{indent}{self._decl(stmt)};"
            case Assign(target=target, value=value, reduce=reduce):
                operator = {None: "=", "min": "min=", "max": "max="}.get(reduce, f"{reduce}=")
                yield f"{indent}{self.expression(target)} {operator} {self.expression(value)};"
            case For():
                yield indent + self._for_header(stmt) + " {"
                yield from self._body(stmt.body, inner)
                yield indent + "}"
            case While(condition=condition, body=body, do_while=do_while, advance=advance):
                test = f"while ({self.expression(condition)})"
                yield f"{indent}do {{" if do_while else f"{indent}{test} {{"
                yield from self._body(body, inner)
                if advance.body:
                    yield indent + "} advance {"
                    yield from self._body(advance, inner)
                yield f"{indent}}} {test};" if do_while else indent + "}"
            case If(condition=condition, then=then, otherwise=otherwise):
                yield f"{indent}if ({self.expression(condition)}) {{"
                yield from self._body(then, inner)
                if otherwise.body:
                    yield indent + "} else {"
                    yield from self._body(otherwise, inner)
                yield indent + "}"
            case Barrier(scope=scope, mask=mask):
                where = f" mask {self.expression(mask)}" if mask is not None else ""
                yield f"{indent}barrier {scope}{where};"
            case Collective(kind=kind, target=target, args=args, mask=mask, scope=scope):
                where = f" mask {self.expression(mask)}" if mask is not None else ""
                yield f"{indent}{target.name} = {scope}.{kind}({self._list(args)}){where};"
            case Atomic(op=op, place=place, args=args, target=target, of_block=of_block):
                result = f"{target.name} = " if target is not None else ""
                kind = "atomic.block" if of_block else "atomic"
                yield f"{indent}{result}{kind}.{op}({self._list((place, *args))});"
            case Instr(name=name, operands=operands, attributes=attributes):
                notes = "".join(f" {key}={value}" for key, value in attributes)
                yield f"{indent}{name}({self._list(operands)}){notes};"
            case Return():
                yield indent + "return;"
            case Break():
                yield indent + "break;"
            case Continue():
                yield indent + "continue;"
            case Trap(kind=kind, condition=condition, message=message):
                note = f", {message!r}" if message else ""
                yield f"{indent}{kind}({self.expression(condition)}{note});"
            case _:
                raise TypeError(f"not a statement: {stmt!r}")

    def _body(self, block: Block, indent: str) -> Iterator[str]:
        printer = self
        for stmt in block.body:
            if isinstance(stmt, Decl):
                printer = _Printer({**printer.arrays, stmt.name: stmt.dtype})
            yield from printer.statement(stmt, indent)

    def _decl(self, decl: Decl) -> str:
        space = "" if decl.space is Space.LOCAL else f"{decl.space.value} "
        align = f"align({decl.alignment}) " if decl.alignment else ""
        shape = "".join(f"[{self.expression(extent)}]" for extent in decl.shape)
        text = f"{space}{align}{decl.dtype} {decl.name}{shape}"
        match decl.init:
            case None:
                return text
            case Expr():
                return f"{text} = {self.expression(decl.init)}"
        return f"{text} = {{{self._list(decl.init)}}}"

    def _for_header(self, loop: For) -> str:
        kind = "" if loop.kind is LoopKind.SERIAL else f"{loop.kind.value} "
        unroll = f"unroll({loop.unroll}) " if loop.unroll else ""
        step = self.expression(loop.step)
        by = "" if step == "1" or step == f"1{_SUFFIX.get(loop.dtype.name, '')}" else f" step {step}"
        bounds = f"{self.expression(loop.start)} .. {self.expression(loop.stop)}"
        return f"{kind}{unroll}for {loop.dtype} {loop.var} in {bounds}{by}"

    def _list(self, exprs: tuple[Expr, ...]) -> str:
        return ", ".join(self.expression(e) for e in exprs)

    def expression(self, expr: Expr, context: int = 0) -> str:
        """The text; in parentheses where it binds weaker than `context`."""
        text, strength = self._parts(expr)
        return f"({text})" if strength < context else text

    def _parts(self, expr: Expr) -> tuple[str, int]:
        match expr:
            case Const():
                text = constant(expr)
                return text, _PREFIX if text.startswith("-") else _POSTFIX
            case Var(name=name):
                return name, _POSTFIX
            case Load(array=array, index=index, dtype=dtype):
                where = "".join(f"[{self.expression(i)}]" for i in index)
                if self.arrays.get(array, dtype) != dtype:
                    return f"(({dtype}*){array}){where}", _POSTFIX
                return f"{array}{where}", _POSTFIX
            case Ref(array=array, offset=offset):
                return f"&{array}[{self.expression(offset)}]", _PREFIX
            case Unary(op=op, operand=operand):
                text = self.expression(operand, _PREFIX)
                return f"{op}({text})" if text.startswith(op) else f"{op}{text}", _PREFIX
            case Binary(op=op, left=left, right=right):
                level = PRECEDENCE[op]
                return f"{self.expression(left, level)} {op} {self.expression(right, level + 1)}", level
            case Select(condition=condition, then=then, otherwise=otherwise):
                test = self.expression(condition, _SELECT + 1)
                sides = f"{self.expression(then)} : {self.expression(otherwise, _SELECT)}"
                return f"{test} ? {sides}", _SELECT
            case Cast(operand=operand, dtype=dtype):
                return f"({dtype}){self.expression(operand, _PREFIX)}", _PREFIX
            case Bitcast(operand=operand, dtype=dtype):
                return f"bits<{dtype}>({self.expression(operand)})", _POSTFIX
            case Call(function=function, args=args, fast=fast):
                return f"{function}{'.fast' if fast else ''}({self._list(args)})", _POSTFIX
        raise TypeError(f"not an expression: {expr!r}")


_SUFFIX = {"u32": "u", "i64": "l", "u64": "ul", "f32": "f", "f16": "h", "bf16": "bf"}


def constant(expr: Const) -> str:
    """A literal: `7`, `7u`, `7l`, `0.5f`, `0.5h`, `0.5bf`, `true`; narrow integers as a cast (`(u8)7`)."""
    dtype = expr.dtype
    if dtype.kind is Kind.BOOL:
        return "true" if expr.value else "false"
    if not dtype.is_float:
        if dtype.bits < 32:
            return f"({dtype}){int(expr.value)}"
        return f"{int(expr.value)}{_SUFFIX.get(dtype.name, '')}"
    value = float(expr.value)
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "-inf" if value < 0 else "inf"
    return f"{shortest(value, dtype)}{_SUFFIX.get(dtype.name, '')}"


def shortest(value: float, dtype: DType) -> str:
    """The shortest decimal that reads back as the same value of `dtype`."""
    digits = {"f16": 5, "bf16": 4, "f32": 9}.get(dtype.name, 17)
    for precision in range(1, digits + 1):
        text = f"{value:.{precision}g}"
        if round_float(float(text), dtype) == value:
            break
    return repr(float(text))
