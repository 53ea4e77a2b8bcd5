"""Finds sums of products that a dot product instruction computes: its meaning unified with a loop's body.

    for (k) { acc0 += (i32)A[k] * (i32)B[k];  acc1 += ... }     -->    dpbusd of (A[k], B[k]), ...

Bytes of the wrong sign still fit, because a byte with its top bit flipped is the same byte 128 away:
x = (x ^ 0x80) - 128 makes a signed byte unsigned, and x = (x ^ 0x80) + 128 an unsigned one signed. The
sum is then off by the dot product of the other operand with a constant, which the instruction computes too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xpiler.ir.build import const
from xpiler.ir.nodes import Assign, Binary, Block, Call, Cast, Const, Decl, Expr, Load, Var
from xpiler.ir.rewrite import arrays_written, substitute, walk
from xpiler.ir.types import I8, U8, DType
from xpiler.platforms.vnni import DOT_INSTRUCTIONS, DotInstruction

COMMUTATIVE = ("+", "*")


@dataclass(frozen=True)
class Dot:
    """`acc += left * right` by `instruction`. `flip_left`, `flip_right`: the top bit of that operand's
    bytes is to be flipped, and the sum put right."""

    instruction: DotInstruction
    accumulator: Var
    left: Expr
    right: Expr
    flip_left: bool = False
    flip_right: bool = False


def dot_products(body: Block) -> tuple[Dot, ...] | None:
    """The dots that make up the body of a loop, all of one instruction; None if there is anything else.

    Values declared in the body are written out where they are used. Nothing in the body may write memory.
    """
    if arrays_written(body):
        return None
    local: dict[str, Expr] = {}
    found: list[Dot] = []
    for stmt in body.body:
        match stmt:
            case Decl(name=name, shape=(), init=Expr() as init):
                local[name] = substitute(init, local)
            case Assign(target=Var() as target) if target.name not in local:
                dot = _dot(target, stmt, local)
                if dot is None:
                    return None
                found.append(dot)
            case _:
                return None
    sums = {dot.accumulator.name for dot in found}
    read = {
        n.name for dot in found for side in (dot.left, dot.right) for n in walk(side) if isinstance(n, Var)
    }
    same = len({dot.instruction for dot in found}) == 1 and len(sums) == len(found)
    return tuple(found) if same and not sums & read else None


def _dot(target: Var, stmt: Assign, local: Mapping[str, Expr]) -> Dot | None:
    value = _summand(target, stmt)
    if value is None:
        return None
    value = substitute(value, local)
    for instruction in DOT_INSTRUCTIONS:
        if instruction.accumulator != target.dtype:
            continue
        form = instruction.step(const(0), const(0)).value
        for left, right in _operand_types(instruction):
            operands = {"a": left, "b": right}
            bound = _unify(form, value, operands, {})
            if bound is not None:
                flips = left != instruction.left, right != instruction.right
                return Dot(instruction, target, bound["a"], bound["b"], *flips)
    return None


def _operand_types(instruction: DotInstruction) -> Sequence[tuple[DType, DType]]:
    """Types that the instruction takes, as they are or with one operand's top bits flipped."""
    own = instruction.left, instruction.right
    other = {U8: I8, I8: U8}
    flipped = [(other[own[0]], own[1]), (own[0], other[own[1]])] if set(own) == {U8, I8} else []
    return [own, *flipped]


def _summand(target: Var, stmt: Assign) -> Expr | None:
    """What is added to the target."""
    if stmt.reduce is not None:
        return stmt.value if stmt.reduce == "+" else None
    match stmt.value:
        case Binary(op="+", left=left, right=right):
            return right if left == target else left if right == target else None
        case Call(function="fma", args=(a, b, c)) if c == target:
            return Binary(target.dtype, "*", a, b)
    return None


def _unify(
    form: Expr, value: Expr, operands: Mapping[str, DType], bound: Mapping[str, Expr]
) -> dict[str, Expr] | None:
    """What the form's operands (loads of `a`, `b`) stand for in `value`; None if the two differ."""
    match form, value:
        case Load(array=name), _:
            fits = value.dtype == operands[name] and bound.get(name, value) == value
            return {**bound, name: value} if fits else None
        case Cast(operand=inner), Cast(operand=other) if form.dtype == value.dtype:
            return _unify(inner, other, operands, bound)
        case Binary(op=op, left=left, right=right), Binary() if op == value.op and form.dtype == value.dtype:
            orders = [(value.left, value.right)]
            if op in COMMUTATIVE:
                orders.append((value.right, value.left))
            for first, second in orders:
                half = _unify(left, first, operands, bound)
                whole = None if half is None else _unify(right, second, operands, half)
                if whole is not None:
                    return whole
        case Const(), Const():
            return dict(bound) if form == value else None
    return None
