"""Operators that the text defines for its types, and those of CUDA's half2 and its kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from xpiler.frontend.lower_context import Context, number
from xpiler.frontend.lower_memory import load, member, store
from xpiler.frontend.lower_overloads import choose
from xpiler.frontend.lower_typenames import struct_scope
from xpiler.frontend.lower_types import Closure, CType, Scalar, Struct
from xpiler.frontend.lower_values import Aggregate, Functions, Instance, Value
from xpiler.frontend.syntax_model import FunctionDef
from xpiler.ir import build

_LANE_TYPES = ("half2", "__nv_bfloat162")


def user_operator(ctx: Context, op: str, operands: Sequence[Value]) -> Value | None:
    """`operator op` on these operands: a method of the first, a free function, or CUDA's own; None if
    there is none."""
    from xpiler.frontend.lower_calls import inline

    node = ctx.here
    assert node is not None
    first = operands[0]
    name = f"operator{op}"
    if isinstance(first.type, Struct) and first.type.definition is not None:
        methods = ctx.entities.methods.get((first.type.definition.name, name))
        if methods:
            candidates = tuple(m for m in methods if m.body is not None)
            functions = Functions(Closure(name), name, candidates, receiver=first, struct=first.type)
            args = tuple(operands[1:])
            if op in ("++", "--"):
                args = ()
            instance = choose(ctx, functions, args, node)
            if instance is not None:
                return inline(ctx, instance, args, functions, node)
    free = ctx.entities.functions.get(name)
    if free:
        functions = Functions(Closure(name), name, tuple(free))
        instance = choose(ctx, functions, tuple(operands), node)
        if instance is not None:
            return inline(ctx, instance, tuple(operands), functions, node)
    return _lanewise(ctx, op, operands)


def _lanewise(ctx: Context, op: str, operands: Sequence[Value]) -> Value | None:
    """`half2 + half2` as cuda_fp16.h has it, and HIP's operators of all its vectors: `float4 * float`."""
    ctype = next((o.type for o in operands if isinstance(o.type, Struct)), None)
    if ctype is None or not ctype.is_vector or not ctype.fields or ctype.name == "dim3":
        return None
    lanes = [name for name, _ in ctype.fields]
    ctx.entities.vector_operators.add(ctype.name)
    if op in ("==", "!=", "<", "<=", ">", ">=") and len(operands) == 2:
        tests = [build.binary(op, *(_lane(ctx, o, lane) for o in operands)) for lane in lanes]
        every = op != "!=" or ctype.name in _LANE_TYPES
        return number(reduce(build.and_ if every else build.or_, tests))
    if op in _ARITHMETIC and len(operands) == 2:
        fields: dict[str, Value] = {}
        for lane, inner in ctype.fields:
            assert isinstance(inner, Scalar)
            result = build.binary(op, *(_lane(ctx, o, lane) for o in operands))
            fields[lane] = number(build.cast(result, inner.dtype))
        return Aggregate(ctype, fields)
    if op == "-" and len(operands) == 1:
        return Aggregate(ctype, {lane: number(build.neg(_lane(ctx, operands[0], lane))) for lane in lanes})
    if op in ("++", "--"):
        for lane in lanes:
            place = member(ctx, operands[0], lane)
            assert place is not None
            store(ctx, place, build.binary(op[0], load(ctx, place), build.const(1, load(ctx, place).dtype)))
        return operands[0]
    return None


_ARITHMETIC = frozenset("+ - * / % & | ^ << >>".split())


def _lane(ctx: Context, value: Value, lane: str) -> build.Operand:
    part = member(ctx, value, lane)
    return load(ctx, part if part is not None else value)


def conversion_operator(ctx: Context, value: Value, ctype: CType) -> Value | None:
    """`operator T()` of a struct."""
    from xpiler.frontend.lower_calls import inline, return_type
    from xpiler.frontend.lower_convert import convert

    assert isinstance(value.type, Struct)
    definition = value.type.definition
    if definition is None:
        return None
    node = ctx.here
    assert node is not None
    found = [
        method
        for (owner, name), methods in ctx.entities.methods.items()
        if owner == definition.name and name.startswith("operator ")
        for method in methods
    ]
    ranked: list[tuple[int, FunctionDef]] = []
    for method in found:
        with ctx.nested(struct_scope(ctx, value.type)):
            returned = return_type(ctx, method)
        if returned == ctype:
            ranked.append((0, method))
        elif type(returned) is type(ctype) and not isinstance(ctype, Struct):
            ranked.append((1, method))
    if not ranked:
        return None
    chosen = min(ranked, key=lambda r: r[0])[1]
    functions = Functions(Closure(chosen.name), chosen.name, (chosen,), receiver=value, struct=value.type)
    return convert(ctx, inline(ctx, Instance(chosen), (), functions, node), ctype)
