"""Clang's vector types: `float __attribute__((ext_vector_type(4)))`, `vector_size`; element-wise operators.

The grammar sees the element type alone, since attributes are blanked for it; the attribute is read from the
text around a declaration. Vectors that are variables are arrays of the IR; values of expressions are
aggregates of numbers.
"""

from __future__ import annotations

import ast
import re

from tree_sitter import Node

from xpiler.frontend.lower_context import Context, constant, number
from xpiler.frontend.lower_types import CType, Scalar, Vector, named_type, size_of
from xpiler.frontend.lower_values import Aggregate, Element, Number, Value
from xpiler.ir import build
from xpiler.ir.nodes import Const, Expr, For, If, LoopKind, Var
from xpiler.ir.types import I32, common_type

_ATTRIBUTE = re.compile(r"\b(?:__)?(ext_vector_type|vector_size)(?:__)?\s*\(")
_ALIGNED = re.compile(r"\b(?:__)?aligned(?:__)?\s*\(\s*(\d+)\s*\)")
_SIZEOF = re.compile(r"\bsizeof\s*\(\s*([\w:]+(?:\s+\w+)*)\s*\)")
_NAME = re.compile(r"\b[A-Za-z_]\w*(?:::\w+)*")


def vector_of(ctx: Context, base: CType, node: Node) -> CType:
    """The type that a declaration `node` gives a name: a vector of `base` where it says so."""
    text = ctx.entities.unit.expanded[node.start_byte : node.end_byte]
    found = _ATTRIBUTE.search(text)
    if found is None or not isinstance(base, Scalar):
        return base
    depth, end = 1, found.end()
    while end < len(text) and depth:
        depth += (text[end] == "(") - (text[end] == ")")
        end += 1
    count = _evaluated(ctx, text[found.end() : end - 1], node)
    if found[1] == "vector_size":
        count //= base.dtype.bytes
    if count < 1:
        ctx.refuse("vector-type", f"a vector of {count} elements", node)
    aligned = _ALIGNED.search(text)
    return Vector(base, count, int(aligned[1]) if aligned else 0)


def _evaluated(ctx: Context, text: str, node: Node) -> int:
    """A constant expression that stands in an attribute."""
    from xpiler.frontend.lower_names import find_name
    from xpiler.frontend.lower_typenames import find_type

    def size(match: re.Match[str]) -> str:
        ctype = find_type(ctx, match[1]) or named_type(match[1])
        bytes_ = size_of(ctype) if ctype is not None else None
        return str(bytes_) if bytes_ is not None else match[0]

    def value(match: re.Match[str]) -> str:
        found = find_name(ctx, match[0])
        constant = found.expr if isinstance(found, Number) else None
        return str(int(constant.value)) if isinstance(constant, Const) else match[0]

    plain = _NAME.sub(value, _SIZEOF.sub(size, text)).replace("/", "//")
    try:
        return _number(ast.parse(plain.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError):
        ctx.refuse("not-constant", f"the length of a vector, `{text.strip()}`, is not a constant here", node)


def _number(node: ast.AST) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.BinOp(left=left, op=op, right=right):
            one, two = _number(left), _number(right)
            match op:
                case ast.Add():
                    return one + two
                case ast.Sub():
                    return one - two
                case ast.Mult():
                    return one * two
                case ast.FloorDiv():
                    return one // two
                case ast.LShift():
                    return one << two
                case ast.RShift():
                    return one >> two
    raise ValueError(node)


# ------------------------------------------------------------------------------------------ elements

_LETTERS = {"x": 0, "y": 1, "z": 2, "w": 3, "r": 0, "g": 1, "b": 2, "a": 3}


def component(ctype: Vector, name: str) -> int | None:
    """The element that `.x`, `.w` or `.s7` names."""
    index = _LETTERS.get(name)
    if index is None and re.fullmatch(r"s[0-9a-fA-F]", name):
        index = int(name[1], 16)
    return index if index is not None and index < ctype.extent else None


def elements(ctx: Context, value: Value, ctype: Vector) -> list[Expr]:
    """The elements of a vector, or a scalar as many times."""
    from xpiler.frontend.lower_memory import load, subscript

    if isinstance(value.type, Vector):
        return [load(ctx, subscript(ctx, value, build.const(i))) for i in range(ctype.extent)]
    return [build.cast(load(ctx, value), ctype.element.dtype)] * ctype.extent


def vector_value(ctype: Vector, parts: list[Expr]) -> Aggregate:
    return Aggregate(ctype, {str(i): number(build.cast(p, ctype.element.dtype)) for i, p in enumerate(parts)})


def splat(ctx: Context, ctype: Vector, value: Value) -> Value:
    from xpiler.frontend.lower_memory import load

    expr = load(ctx, value)
    kept = expr if isinstance(expr, Const) else ctx.temporary(expr)
    return vector_value(ctype, [kept] * ctype.extent)


def listed(ctx: Context, ctype: Vector, values: list[Value]) -> Value:
    """`{a, b}`: the rest is zero; a vector among the values stands for its elements."""
    from xpiler.frontend.lower_memory import load

    parts: list[Expr] = []
    for value in values:
        if isinstance(value.type, Vector):
            parts.extend(elements(ctx, value, value.type))
        else:
            parts.append(load(ctx, value))
    if len(parts) > ctype.extent:
        ctx.refuse("construct", f"too many values for `{ctype}`")
    zero = load(ctx, constant(0, ctype.element.dtype))
    return vector_value(ctype, parts + [zero] * (ctype.extent - len(parts)))


def chosen_vector(ctx: Context, test: Expr, first: Value, second: Value, ctype: Vector) -> Value:
    """`test ? first : second`. What is read from memory is chosen in a loop, as a copy is made in one."""
    from xpiler.frontend.lower_declarations import declare_object
    from xpiler.frontend.lower_memory import load, store, subscript

    if not (isinstance(first, Element) and isinstance(second, Element)) or ctype.extent < 2:
        sides = zip(elements(ctx, first, ctype), elements(ctx, second, ctype), strict=True)
        return vector_value(ctype, [build.select(test, one, two) for one, two in sides])
    for side, chosen in ((first, test), (second, build.not_(test))):
        if side.alignment:
            with ctx.branch() as out:
                ctx.temporary(load(ctx, subscript(ctx, side, build.const(0))))  # says that they are aligned
            ctx.emit(If(chosen, ctx.sealed(out)))
    result = declare_object(ctx, "chosen", ctype)
    counter = Var(I32, ctx.fresh("e"))
    with ctx.branch() as out:
        one, two = (load(ctx, subscript(ctx, side, counter)) for side in (first, second))
        store(ctx, subscript(ctx, result, counter), build.select(test, one, two))
    body, extent = ctx.sealed(out), build.const(ctype.extent)
    ctx.emit(For(counter.name, I32, build.const(0), extent, build.const(1), body, LoopKind.UNROLLED))
    return result


def converted(ctx: Context, value: Value, ctype: CType | None, node: Node) -> Value:
    """`__builtin_convertvector(v, T)`: each element as one of T's."""
    if (
        not isinstance(ctype, Vector)
        or not isinstance(value.type, Vector)
        or ctype.extent != value.type.extent
    ):
        ctx.refuse("vector-type", "a vector and a vector type of as many elements are needed here", node)
    return vector_value(ctype, elements(ctx, value, value.type))


def arithmetic_of(ctx: Context, op: str, left: Value, right: Value) -> Value:
    """`left op right` element by element; a scalar on one side counts for every element."""
    ctype = left.type if isinstance(left.type, Vector) else right.type
    assert isinstance(ctype, Vector)
    parts = [
        build.binary(op, one, two)
        for one, two in zip(elements(ctx, left, ctype), elements(ctx, right, ctype), strict=True)
    ]
    if op in ("<", "<=", ">", ">=", "==", "!="):
        ctx.refuse("operand-type", f"`{op}` of vectors is not supported")
    return vector_value(ctype, [build.cast(p, common_type(p.dtype, p.dtype)) for p in parts])


def unary_of(ctx: Context, op: str, value: Value) -> Value:
    ctype = value.type
    assert isinstance(ctype, Vector)
    if op not in ("-", "+"):
        ctx.refuse("operand-type", f"`{op}` of a vector is not supported")
    parts = elements(ctx, value, ctype)
    return vector_value(ctype, [build.neg(p) if op == "-" else p for p in parts])
