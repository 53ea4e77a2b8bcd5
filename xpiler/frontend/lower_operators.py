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
        methods = ctx.entities.methods_of(first.type.definition, name)
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
    from xpiler.frontend.lower_convert import convert

    assert isinstance(value.type, Struct)
    ranked: list[tuple[int, FunctionDef]] = []
    for method, returned in _conversions(ctx, value.type):
        if returned == ctype:
            ranked.append((0, method))
        elif type(returned) is type(ctype) and not isinstance(ctype, Struct):
            ranked.append((1, method))
    if not ranked:
        return None
    return convert(ctx, _converted(ctx, value, min(ranked, key=lambda r: r[0])[1]), ctype)


def as_built_in(ctx: Context, value: Value) -> Value:
    """A struct as what it is implicitly converted to where an operator takes numbers and pointers only."""
    if not isinstance(value.type, Struct):
        return value
    found = [m for m, _ in _conversions(ctx, value.type) if "explicit" not in m.qualifiers]
    return _converted(ctx, value, found[0]) if len(found) == 1 else value


def _conversions(ctx: Context, struct: Struct) -> list[tuple[FunctionDef, CType]]:
    """The conversion operators of a struct that are no templates, with what they convert to."""
    from xpiler.frontend.lower_calls import return_type

    if struct.definition is None:
        return []
    found = []
    for owner, name in ctx.entities.methods:
        if owner == struct.definition.name and name.startswith("operator "):
            for method in ctx.entities.methods_of(struct.definition, name):
                if method.template is None:
                    with ctx.nested(struct_scope(ctx, struct)):
                        found.append((method, return_type(ctx, method)))
    return found


def _converted(ctx: Context, value: Value, method: FunctionDef) -> Value:
    from xpiler.frontend.lower_calls import inline

    assert ctx.here is not None and isinstance(value.type, Struct)
    functions = Functions(Closure(method.name), method.name, (method,), receiver=value, struct=value.type)
    return inline(ctx, Instance(method), (), functions, ctx.here)
