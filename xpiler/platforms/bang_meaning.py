"""What a call of a BANG C intrinsic does, as a loop nest in the IR: the table that the families fill.

    __bang_add(dst, a, b, n)   means   for i in 0..n: dst[i] = a[i] + b[i]

`meaning_of` gives the statements of a call with its operands: arrays as `Ref` with offsets in elements,
everything else as expressions; and what the call returns, if it does. Counts and strides are the call's own
(bytes where the intrinsic counts bytes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from xpiler.ir.affine import simplify
from xpiler.ir.build import add, cast, const, mul, sub, var
from xpiler.ir.nodes import (
    Assign,
    Block,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    Load,
    LoopKind,
    Ref,
    Select,
    Stmt,
    Trap,
    Var,
)
from xpiler.ir.rewrite import free_vars, substitute
from xpiler.ir.types import I32, DType


@dataclass
class Use:
    """One call. `fresh` makes names that are not taken. `began`: what variables were declared with."""

    name: str
    operands: tuple[Expr, ...]
    fresh: Callable[[str], str]
    result: Expr | None = None
    declared: list[Stmt] = field(default_factory=list)  # what the result is read from
    began: Mapping[str, Expr] = field(default_factory=dict)

    def ref(self, position: int) -> Ref:
        """An array operand. Raises BadUse for what is none."""
        operand = self.operands[position] if position < len(self.operands) else None
        if not isinstance(operand, Ref):
            raise BadUse(f"argument {position + 1} of `{self.name}` has to be an array")
        return operand

    def number(self, position: int) -> Expr:
        """A scalar operand. Raises BadUse for what is none."""
        operand = self.operands[position] if position < len(self.operands) else None
        if operand is None or isinstance(operand, Ref):
            raise BadUse(f"argument {position + 1} of `{self.name}` has to be a number")
        return operand

    def size(self, position: int) -> Expr:
        """A count, an extent or a stride."""
        return cast(self.number(position), I32)

    def requires(self, condition: Expr, what: str) -> None:
        """What has to hold of the call: said where the interpreter finds that it does not."""
        if not (isinstance(condition, Const) and condition.value):
            self.declared.append(Trap("requirement", condition, f"{self.name} needs {what}"))

    def returns(self, dtype: DType, init: Expr) -> Var:
        """The variable that the call's value ends up in."""
        target = Var(dtype, self.fresh("result"))
        self.declared.append(Decl(target.name, dtype, init=init))
        self.result = target
        return target

    def loop(
        self, extent: Expr, body: Callable[[Var], Sequence[Stmt]], *, lanes: bool = True, name: str = "i"
    ) -> For:
        """`for i in 0..extent`; `lanes`: its iterations are independent."""
        i = var(self.fresh(name), I32)
        kind = LoopKind.VECTOR if lanes else LoopKind.SERIAL
        return For(i.name, I32, const(0), cast(extent, I32), const(1), Block(tuple(body(i))), kind)

    def converting(self, dst: Ref, src: Ref, n: Expr, body: Callable[[Expr], Sequence[Stmt]]) -> For:
        """`for i in 0..n` of elements that may become wider or narrower where they lie:

        __bang_float2half_rn((half *)a, a, n)    from the first one on: none is overwritten before it is read
        __bang_half2float(a, (half *)a, n)       from the last one
        __bang_half2float(a, (half *)a + n, n)   out of the upper half: from the first one on
        """
        if not same_place(dst, src) or src.dtype.bytes == dst.dtype.bytes:
            return self.loop(n, body)
        apart = sub(mul(src.offset, src.dtype.bytes), mul(dst.offset, dst.dtype.bytes))
        in_place = src.offset.dtype == dst.offset.dtype and simplify(apart) == const(0, apart.dtype)
        wider = max(0, dst.dtype.bytes - src.dtype.bytes)
        from_upper_half = any(
            self._same(apart, mul(cast(room, src.offset.dtype), wider)) for room in self._at_most(n)
        )
        if not (in_place or from_upper_half):
            return self.loop(n, body)
        if in_place and src.dtype.bytes < dst.dtype.bytes:
            return self.loop(n, lambda i: body(sub(sub(n, 1), i)), lanes=False)
        return self.loop(n, body, lanes=False)

    def _same(self, left: Expr, right: Expr) -> bool:
        """Whether two numbers are equal as far as their variables' declarations tell: where a variable has
        changed since, elements are taken one after the other without need."""
        apart = sub(self._spelled(left), self._spelled(right))
        return simplify(apart) == const(0, apart.dtype)

    def _spelled(self, expr: Expr, deep: int = 4) -> Expr:
        known = {name: self.began[name] for name in free_vars(expr) if name in self.began}
        return self._spelled(substitute(expr, known), deep - 1) if known and deep else expr

    def _at_most(self, n: Expr) -> Iterator[Expr]:
        """The number itself, and the room that it is the filled part of (`n = left < room ? left : room`)."""
        yield n
        while isinstance(n, Var | Cast):
            found = self.began.get(n.name) if isinstance(n, Var) else n.operand
            if found is None:
                return
            n = found
        match n:
            case Select(then=one, otherwise=other) | Call(function="min", args=(one, other)):
                yield from (one, other)


class BadUse(Exception):
    """A call that the intrinsic does not have: said in words."""


Rule = Callable[[Use], Sequence[Stmt]]
MEANINGS: dict[str, Rule] = {}


def means(*names: str) -> Callable[[Rule], Rule]:
    """Registers the meaning of intrinsics."""

    def register(rule: Rule) -> Rule:
        MEANINGS.update(dict.fromkeys(names, rule))
        return rule

    return register


def at(ref: Ref, index: Expr) -> Load:
    """An element of an operand."""
    return Load(ref.dtype, ref.array, (add(ref.offset, index),))


def viewed(ref: Ref, dtype: DType) -> Ref:
    """The same bytes as elements of another type of the same width."""
    assert ref.dtype.bits == dtype.bits
    return Ref(dtype, ref.array, ref.offset)


def store(target: Load, value: Expr, reduce: str | None = None) -> Assign:
    return Assign(target, cast(value, target.dtype), reduce)


def flat(row: Expr, width: Expr, column: Expr) -> Expr:
    """`row * width + column`"""
    return add(mul(row, width), column)


def same_place(left: Ref, right: Ref) -> bool:
    """Whether two operands may share memory."""
    return left.array == right.array
