"""Warp and block collectives become memory of the team, written, a barrier, and read.

    y = __shfl_down_sync(full, x, 4);  -->  shuffled[lane] = x;  <warp barrier>
                                            y = lane + 4 < 32 ? shuffled[lane + 4] : shuffled[lane];

    n = __syncthreads_count(p);        -->  int count = 0;  count += p != 0;  <block barrier>  n = count;

`count` is a team accumulator: the threads of the team add to it one after the other. Exact semantics of
CUDA, widths
and partial warps included; lanes that do not take part contribute nothing, and what is read from them is
unspecified.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from xpiler.errors import Refusal
from xpiler.ir.build import (
    add,
    and_,
    boolean,
    cast,
    const,
    eq,
    ge,
    int_limits,
    load,
    lt,
    maximum,
    minimum,
    ne,
    select,
    sub,
    var,
)
from xpiler.ir.nodes import (
    TRUE,
    Assign,
    Barrier,
    Binary,
    Bitcast,
    Block,
    Collective,
    Const,
    Decl,
    Expr,
    For,
    If,
    Space,
    Stmt,
    While,
)
from xpiler.ir.types import BOOL, I32, U32, U64, DType
from xpiler.passes.names import Names
from xpiler.passes.structured import spliced
from xpiler.passes.sync import Team, own_team, team
from xpiler.passes.uniformity import Uniformity, full_mask

_Fold = Callable[[Expr, Expr, Expr], Expr]  # running total, the lane's value, its index -> new total
_FOLD = {"reduce_add": "+", "reduce_and": "&", "reduce_or": "|", "reduce_xor": "^"}


@dataclass
class Collectives:
    """Rewrites the collectives of one team. `lane` is the thread's index in the team, below `lanes`."""

    level: Team
    uniformity: Uniformity
    names: Names
    lane: Expr
    lanes: Expr
    size: int  # of a whole warp
    accumulators: set[str]
    team_arrays: set[str] = field(default_factory=set)

    def body(self, stmts: Sequence[Stmt]) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        for stmt in spliced(stmts):
            if team(stmt) < self.level:
                out.append(stmt)
                continue
            match stmt:
                case Collective() if own_team(stmt) is self.level:
                    out.extend(self._collective(stmt, None))
                case If(
                    condition=mask, then=Block(body=(Collective() as inner,)), otherwise=Block(body=())
                ) if own_team(inner) is self.level and self.uniformity.varies(mask):
                    out.extend(self._collective(inner, mask))
                case If(then=then, otherwise=otherwise):
                    yes, no = Block(self.body(then.body)), Block(self.body(otherwise.body))
                    out.append(replace(stmt, then=yes, otherwise=no))
                case For() | While():
                    out.append(replace(stmt, body=Block(self.body(stmt.body.body))))
                case _:
                    out.append(stmt)
        return tuple(out)

    # ------------------------------------------------------------------ pieces

    @property
    def whole(self) -> bool:
        """Whether no lane of the warp is missing."""
        return isinstance(self.lanes, Const) and int(self.lanes.value) == self.size

    def _when(self, mask: Expr | None, *stmts: Stmt) -> Stmt:
        return Block(stmts) if mask is None else If(mask, Block(stmts))

    def _buffer(self, base: str, dtype: DType, zeroed: bool) -> Decl:
        decl = Decl(self.names.fresh(base), dtype, (const(self.size),), Space.SHARED, () if zeroed else None)
        self.team_arrays.add(decl.name)
        return decl

    def _accumulator(self, base: str, dtype: DType, init: Expr) -> Decl:
        decl = Decl(self.names.fresh(base), dtype, init=init)
        self.accumulators.add(decl.name)
        return decl

    def _collective(self, stmt: Collective, mask: Expr | None) -> tuple[Stmt, ...]:
        if stmt.kind.startswith("shfl"):
            return self._shuffle(stmt, mask)
        if stmt.kind == "match_any":
            return self._per_lane(stmt, mask)
        if stmt.mask is not None and not full_mask(stmt.mask) and self.uniformity.varies(stmt.mask):
            return self._per_lane(stmt, mask)
        return self._fold(stmt, mask)

    # ------------------------------------------------------------------ shuffles

    def _shuffle(self, stmt: Collective, mask: Expr | None) -> tuple[Stmt, ...]:
        value, argument, width = stmt.args
        if self.uniformity.uniform(value) and mask is None:
            return (Assign(stmt.target, value, range=stmt.range),)
        buffer = self._buffer("shuffled", value.dtype, mask is not None or not self.whole)
        own = load(buffer.name, value.dtype, self.lane)
        source, inside = self._source(stmt.kind, argument, width)
        if not self.whole:
            inside = and_(inside, lt(source, self.lanes))
        taken = select(inside, load(buffer.name, value.dtype, source), own)
        return (
            buffer,
            self._when(mask, Assign(own, value, range=stmt.range)),
            Barrier("warp"),
            self._when(mask, Assign(stmt.target, cast(taken, stmt.target.dtype), range=stmt.range)),
        )

    def _source(self, kind: str, argument: Expr, width: Expr) -> tuple[Expr, Expr]:
        """The lane read, and whether it is in range (else the lane's own value is taken)."""
        amount = bit_and(cast(argument, I32), const(self.size - 1))
        w = cast(width, I32)
        whole = isinstance(w, Const) and int(w.value) == self.size
        base = const(0) if whole else bit_and(self.lane, Binary(I32, "-", const(0), w))
        top = const(self.size - 1) if whole else add(base, sub(w, 1))
        match kind:
            case "shfl":
                if whole:
                    return amount, TRUE
                return add(base, bit_and(amount, sub(w, 1))), TRUE
            case "shfl_up":
                return sub(self.lane, amount), ge(self.lane, add(base, amount))
            case "shfl_down":
                return add(self.lane, amount), lt(add(self.lane, amount), add(top, 1))
            case "shfl_xor":
                source = Binary(I32, "^", self.lane, amount)
                return source, TRUE if whole else lt(source, add(top, 1))
        raise AssertionError(kind)

    # ------------------------------------------------------------------ votes and reductions

    def _fold(self, stmt: Collective, mask: Expr | None) -> tuple[Stmt, ...]:
        """One accumulator for the team; lanes outside a uniform participation mask do not contribute."""
        init, fold = self._meaning(stmt)
        decl = self._accumulator(stmt.kind.removeprefix("syncthreads_"), init.dtype, init)
        total = var(decl.name, decl.dtype)
        member = mask
        if stmt.mask is not None and not full_mask(stmt.mask):
            bit = self._bit(stmt.mask, self.lane)
            member = bit if mask is None else and_(mask, bit)
        contribution = fold(total, stmt.args[0] if stmt.args else TRUE, self.lane)
        return (
            decl,
            self._when(member, Assign(total, contribution, range=stmt.range)),
            Barrier("block" if self.level is Team.BLOCK else "warp"),
            self._when(mask, Assign(stmt.target, cast(total, stmt.target.dtype), range=stmt.range)),
        )

    def _per_lane(self, stmt: Collective, mask: Expr | None) -> tuple[Stmt, ...]:
        """Lanes name different groups: each looks at all lanes of its own group."""
        value = stmt.args[0] if stmt.args else TRUE
        values = self._buffer("offered", value.dtype, False)
        present = self._buffer("present", BOOL, False)
        init, fold = self._meaning(stmt)
        total = var(self.names.fresh("gathered"), init.dtype)
        other = var(self.names.fresh("other"), I32)
        self.uniformity.names.update((total.name, other.name))
        theirs = load(values.name, value.dtype, other)
        member: Expr = load(present.name, BOOL, other)
        if not full_mask(stmt.mask) and stmt.mask is not None:
            member = and_(member, self._bit(stmt.mask, other))
        offered: Expr = theirs
        if stmt.kind == "match_any":
            mine = load(values.name, value.dtype, self.lane)
            offered = eq(_bits(theirs), _bits(mine))
        step = If(member, Block((Assign(total, fold(total, offered, other)),)))
        loop = For(other.name, I32, const(0), self.lanes, const(1), Block((step,)))
        here = load(present.name, BOOL, self.lane)
        write = Assign(load(values.name, value.dtype, self.lane), value, range=stmt.range)
        return (
            values,
            present,
            Assign(here, TRUE if mask is None else mask),
            self._when(mask, write),
            Barrier("warp"),
            self._when(
                mask,
                Decl(total.name, total.dtype, init=init),
                loop,
                Assign(stmt.target, cast(total, stmt.target.dtype), range=stmt.range),
            ),
        )

    def _bit(self, mask: Expr, lane: Expr) -> Expr:
        shifted = Binary(mask.dtype, ">>", mask, cast(lane, mask.dtype))
        return ne(bit_and(shifted, const(1, mask.dtype)), const(0, mask.dtype))

    def _meaning(self, stmt: Collective) -> tuple[Const, _Fold]:
        """The start value and how one lane's value enters."""
        kind, dtype = stmt.kind, stmt.target.dtype
        match kind:
            case "any" | "syncthreads_or":
                return const(0), lambda t, v, lane: Binary(I32, "|", t, cast(boolean(v), I32))
            case "all" | "syncthreads_and":
                return const(1), lambda t, v, lane: Binary(I32, "&", t, cast(boolean(v), I32))
            case "syncthreads_count":
                return const(0), lambda t, v, lane: add(t, cast(boolean(v), I32))
            case "ballot" | "activemask" | "match_any":
                bits = U64 if dtype.bits == 64 else U32
                return const(0, bits), lambda t, v, lane: Binary(
                    bits, "|", t, Binary(bits, "<<", cast(boolean(v), bits), cast(lane, bits))
                )
            case "reduce_min":
                return const(int_limits(dtype)[1], dtype), lambda t, v, lane: minimum(t, cast(v, dtype))
            case "reduce_max":
                return const(int_limits(dtype)[0], dtype), lambda t, v, lane: maximum(t, cast(v, dtype))
            case _ if kind in _FOLD:
                start = const(-1 if kind == "reduce_and" else 0, dtype)
                return start, lambda t, v, lane: Binary(dtype, _FOLD[kind], t, cast(v, dtype))
        raise Refusal("unsupported-collective", f"the warp operation `{kind}` is not supported", stmt.range)


def bit_and(left: Expr, right: Expr) -> Expr:
    if isinstance(left, Const) and isinstance(right, Const):
        return const(int(left.value) & int(right.value), left.dtype)
    return Binary(left.dtype, "&", left, right)


def _bits(value: Expr) -> Expr:
    if not value.dtype.is_float:
        return value
    return Bitcast(U64 if value.dtype.bits == 64 else U32, value)
