"""Chooses the loops whose iterations become the lanes of a vector register.

    for (ty) THREADS for (tx) THREADS  a[ty * n + tx] = ...    -->    for (ty) for (tx) VECTOR  a[ty * n
    + tx] = ...

Threads of a block are independent between barriers, so any of their loops may be taken: the one with the
most accesses
of consecutive (stride 1) or equal (stride 0) elements. Serial loops are taken only if they are shown
independent or fold
into a scalar with an associative operator (a float sum is then added up in another order).
A counter that is taken apart is split where only its lowest digit makes lanes (`split_digits.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from xpiler.ir.build import const, lt
from xpiler.ir.nodes import (
    EMPTY,
    Assign,
    Atomic,
    Binary,
    Block,
    Break,
    Call,
    Cast,
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
    Space,
    Stmt,
    Trap,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import uses, walk
from xpiler.ir.types import F32, DType, Kind
from xpiler.passes.facts import Facts
from xpiler.passes.folds import with_reductions
from xpiler.passes.independence import accumulators, independent_iterations
from xpiler.passes.names import Names
from xpiler.passes.split_digits import split_digit
from xpiler.passes.window_bounds import uniform_windows
from xpiler.passes.window_rows import is_window_row

FAR = 1 << 20  # the stride of an access that is neither consecutive nor equal

UNIT, EQUAL, OTHER = 4, 2, -3  # worth of an access by its stride
STEPPED = 1  # of floats that lie a few apart, taken out of whole registers, and of pieces of words
LONGEST_STEP = 4
WORD = 32  # bits of a lane
APART = -4  # of elements that are written so: worse than to read them
ONE_BY_ONE = -6  # of those that are updated so: lanes go to memory first, and from there one after the other
LENGTHY = frozenset(("exp", "exp2", "log", "tanh", "erf", "sin", "cos"))
ALONE = -64  # of a function that is computed for one element at a time
SHORTEST = 4  # iterations that are worth a register
INDEPENDENT = (LoopKind.THREADS, LoopKind.PARALLEL)


@dataclass(frozen=True)
class Vectorized:
    """The function with VECTOR loops. `parallel`: those whose registers may also run on several
    processors. `notes`: what the user should know."""

    function: Function
    parallel: frozenset[str]
    notes: tuple[str, ...]


def vectorize(function: Function) -> Vectorized:
    """Chooses the vector loops of a function."""
    choice = _Choice(Names(function))
    body = choice.block(function.body, Facts.of(function))
    return Vectorized(
        replace(function, body=body), frozenset(choice.parallel), tuple(dict.fromkeys(choice.notes))
    )


@dataclass
class _Choice:
    """One run of the pass."""

    names: Names
    parallel: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def block(self, block: Block, facts: Facts) -> Block:
        return Block(tuple(self.stmt(s, facts) for s in block.body), range=block.range)

    def stmt(self, stmt: Stmt, facts: Facts) -> Stmt:
        match stmt:
            case For():
                return self.loop(stmt, facts)
            case While(body=body):
                return replace(stmt, body=self.block(body, facts))
            case If(condition=condition, then=then, otherwise=otherwise):
                return replace(
                    stmt,
                    then=self.block(then, facts.where(condition)),
                    otherwise=self.block(otherwise, facts.where(condition, False)),
                )
            case Block():
                return self.block(stmt, facts)
        return stmt

    def loop(self, loop: For, facts: Facts) -> Stmt:
        """Its own iterations as lanes, those of a loop directly inside, or whatever is best further
        inside."""
        if loop.kind is LoopKind.VECTOR:
            return loop
        apart = self.rows(loop, facts)
        if apart is not None:
            rows = replace(apart, body=self.block(apart.body, facts.inside(apart)))
            if any(isinstance(n, Binary) and n.op == "/" for n in walk(apart.stop)):
                # an empty loop divides by nothing
                return If(lt(const(0, loop.dtype), loop.stop), Block((rows,)), EMPTY)
            return rows
        nest = perfect_nest(loop)
        for at, row in enumerate(nest):
            if _is_row(row):
                if row.kind is LoopKind.PARALLEL:
                    self.parallel.add(row.var)
                lanes = uniform_windows(replace(row, kind=LoopKind.VECTOR), self.names)
                return rebuilt([*nest[:at], lanes], lanes.body, at)
        if any(isinstance(s, For) and s.kind is LoopKind.VECTOR for s in walk(nest[-1].body)):
            inside = facts
            for each in nest:
                inside = inside.inside(each)
            return rebuilt(nest, self.block(nest[-1].body, inside), None)  # chosen already
        worth = [candidate_worth(c, nest[-1].body, facts) for c in nest]
        best = max(range(len(nest)), key=lambda i: (worth[i], i))
        inner_facts = facts
        for each in nest:
            inner_facts = inner_facts.inside(each)
        if worth[best] <= 0 or worth[best] < inner_worth(nest[-1].body, inner_facts, 0):
            if worth[best] <= 0 and inner_worth(nest[-1].body, inner_facts, 0) <= 0:
                split = self.digits(nest, facts) or self.digits(nest, facts, lanes=False)
                if split is not None:
                    return split
            return rebuilt(nest, self.block(nest[-1].body, inner_facts), None)
        chosen = nest[best]
        if chosen.kind is LoopKind.PARALLEL:
            self.parallel.add(chosen.var)
        elif chosen.kind is LoopKind.SERIAL:
            nest[best] = chosen = replace(chosen, body=with_reductions(chosen.body))
            floats = any(d.is_float for d in _sums(chosen))
            if floats:
                self.notes.append(f"the sum over {chosen.var} is added up in another order")
        return rebuilt(nest, nest[-1].body, best)

    def rows(self, loop: For, facts: Facts) -> For | None:
        """A loop over a number that is taken apart as rows, where their elements are better lanes than it."""
        if loop.step != Const(loop.step.dtype, 1) or not _takes_apart(loop):
            return None
        split = split_digit(loop, self.names)
        if split is None:
            return None
        inside = facts.inside(split)
        *heads, low = split.body.body
        assert isinstance(low, For)
        if low.kind not in INDEPENDENT:
            if not independent_iterations((low,), low.body.body, inside.inside(low)):
                return None
            low = replace(low, kind=LoopKind.PARALLEL)
        own = candidate_worth(loop, loop.body, facts)
        worth = candidate_worth(low, low.body, inside)
        as_good = worth == own and not any(isinstance(s, For) for s in walk(low.body))  # and divides nothing
        if not _is_row(low) and (worth <= 0 or (worth <= own and not as_good)):
            return None
        split = replace(split, body=Block((*heads, low)))
        while as_good and (more := split_digit(split, self.names)) is not None:
            split = more
        return split

    def digits(self, nest: list[For], facts: Facts, *, lanes: bool = True) -> Stmt | None:
        """The nest with the counter of one loop in two, of which the lower becomes lanes; None: no gain.

        Without `lanes` the gain is that nothing is divided for each element."""
        for at, loop in enumerate(nest):
            inside = facts
            for each in nest[:at]:
                inside = inside.inside(each)
            own = replace(loop, body=rebuilt(nest[at:], nest[-1].body, None).body)
            split = split_digit(own, self.names) if _counts(own) and (lanes or _takes_apart(own)) else None
            if split is None or (lanes and inner_worth(split.body, inside.inside(split), 0) <= 0):
                continue
            body = self.block(Block((split,)), inside)
            if not isinstance(split.stop, Const):  # an empty loop divides by nothing
                body = Block((If(lt(const(0, own.dtype), own.stop), body, EMPTY),))
            for each in reversed(nest[:at]):
                body = Block((replace(each, body=body),))
            return body.body[0]
        return None


def _takes_apart(loop: For) -> bool:
    """Whether the body divides the counter, and by what is no number: lanes divide by numbers quickly."""
    return any(
        isinstance(n, Binary) and n.op in ("/", "%") and n.left == Var(loop.dtype, loop.var)
        for n in walk(loop.body)
        if not (isinstance(n, Binary) and isinstance(n.right, Const))
    )


def _counts(loop: For) -> bool:
    return loop.kind in INDEPENDENT and loop.step == Const(loop.step.dtype, 1)


def perfect_nest(loop: For) -> list[For]:
    """The loop and those directly inside it, all with independent iterations, with nothing in between."""
    nest = [loop]
    while nest[-1].kind in INDEPENDENT and len(nest[-1].body.body) == 1:
        inner = nest[-1].body.body[0]
        if not isinstance(inner, For) or inner.kind not in INDEPENDENT:
            break
        nest.append(inner)
    return nest


def rebuilt(nest: list[For], body: Block, chosen: int | None) -> For:
    inner: For | None = None
    for i in range(len(nest) - 1, -1, -1):
        content = body if inner is None else Block((inner,), range=nest[i].body.range)
        kind = nest[i].kind
        if i == chosen:
            kind = LoopKind.VECTOR
        inner = replace(nest[i], body=content, kind=kind)
    assert inner is not None
    return inner


def candidate_worth(loop: For, body: Block, facts: Facts) -> int:
    """How well the accesses in `body` suit `loop` as lanes; 0 or less: not worth it, or not allowed."""
    if loop.step != Const(loop.step.dtype, 1):
        return 0
    extent = _extent(loop)
    if extent is not None and extent < SHORTEST:
        return 0
    if any(isinstance(n, Instr) for n in walk(body)):  # lanes of its own
        return 0
    if any(isinstance(n, Decl) and n.space is Space.NRAM for n in walk(body)):  # a scratchpad of each lane
        return 0
    if loop.kind not in INDEPENDENT and not _reduces(loop, facts):
        return 0
    strides = Strides(loop.var)
    strides.block(body, 0)
    return strides.score if extent is None or extent >= 16 else strides.score // 2


def _is_row(loop: For) -> bool:
    """Whether the loop is over a row of windows, and not a short one."""
    extent = _extent(loop)
    return (extent is None or extent >= SHORTEST) and is_window_row(loop)


def _reduces(loop: For, facts: Facts) -> bool:
    """A serial loop that only folds into scalars, its iterations independent otherwise."""
    if any(isinstance(s, (For, While, Break, Continue, Atomic, Trap)) for s in walk(loop.body)):
        return False
    body = with_reductions(loop.body).body
    folds = accumulators(body)
    return bool(folds) and bool(independent_iterations((loop,), body, facts.inside(loop), folds))


def _sums(loop: For) -> list[DType]:
    return [
        s.target.dtype
        for s in walk(loop.body)
        if isinstance(s, Assign) and isinstance(s.target, Var) and s.reduce in ("+", "*")
    ]


def inner_worth(body: Block, facts: Facts, depth: int) -> int:
    """What vector loops further inside would be worth; like accesses they count eight times a level, but for
    levels from the fourth on."""
    total = 0
    for stmt in body.body:
        match stmt:
            case For():
                nest = perfect_nest(stmt)
                own = max(candidate_worth(c, nest[-1].body, facts) for c in nest)
                inside = facts
                for each in nest:
                    inside = inside.inside(each)
                inmost = depth + len(nest)
                deeper = inner_worth(nest[-1].body, inside, inmost)
                total += 8 ** (min(inmost, 3) - min(depth, 3)) * max(own, deeper, 0)
            case If(condition=condition, then=then, otherwise=otherwise):
                total += inner_worth(then, facts.where(condition), depth)
                total += inner_worth(otherwise, facts.where(condition, False), depth)
            case While(body=inner):
                total += inner_worth(inner, facts, depth + 1)
            case Block():
                total += inner_worth(stmt, facts, depth)
            case Decl() | Assign() if depth:  # in a loop that is none of lanes
                total += ALONE * sum(isinstance(n, Call) and n.function in LENGTHY for n in walk(stmt))
    return total


def _extent(loop: For) -> int | None:
    if isinstance(loop.start, Const) and isinstance(loop.stop, Const):
        return int(loop.stop.value) - int(loop.start.value)
    return None


def is_piece_of_word(dtype: DType, stride: int | str) -> bool:
    """Whether elements of that type, so far apart, have a word each: lanes mask the rest of theirs."""
    return dtype.kind in (Kind.INT, Kind.UINT) and dtype.bits in (8, 16) and stride == WORD // dtype.bits


class Strides:
    """Adds up the worth of all accesses if the loop over `var` became lanes; inner loops count eight
    times."""

    def __init__(self, var: str) -> None:
        self.known: dict[str, int] = {var: 1}
        self.private: set[str] = set()
        self.score = 1

    def block(self, block: Block, depth: int) -> None:
        for stmt in block.body:
            self.stmt(stmt, depth)

    def stmt(self, stmt: Stmt, depth: int) -> None:
        match stmt:
            case Decl(name=name, shape=(), init=init):
                if isinstance(init, Expr):
                    self._reads(init, depth)
                    self.known[name] = self.of(init)
            case Decl(name=name):
                self.private.add(name)
            case Assign(target=target, value=value):
                self._reads(value, depth)
                if isinstance(target, Load):
                    self._access(target, depth, APART)
                elif self.of(value) != 0:
                    self.known[target.name] = FAR
            case Atomic(place=place, args=args, target=target):
                if place.array in self.private:
                    self.score -= FAR  # lanes have no order there
                self._access(place, depth, ONE_BY_ONE)
                for arg in args:
                    self._reads(arg, depth)
                if target is not None:
                    self.known[target.name] = FAR
            case For(var=var, start=start, stop=stop, body=body):
                self._reads(stop, depth)
                self.known[var] = self.of(start)
                self.block(body, depth + 1)
            case While(condition=condition, body=body, advance=advance):
                self._parted(condition, stmt)
                self._reads(condition, depth + 1)
                self.block(body, depth + 1)
                self.block(advance, depth + 1)
            case If(condition=condition, then=then, otherwise=otherwise):
                self._parted(condition, stmt)
                self._reads(condition, depth)
                self.block(then, depth)
                self.block(otherwise, depth)
            case Block():
                self.block(stmt, depth)

    def _parted(self, condition: Expr, stmt: Stmt) -> None:
        """Lanes that disagree about a condition have values of their own of what is changed under it."""
        if self.of(condition):
            found = uses(stmt)
            self.known.update(dict.fromkeys(found.vars_set - found.vars_declared, FAR))

    def _reads(self, expr: Expr, depth: int) -> None:
        for node in walk(expr):
            if isinstance(node, Load):
                self._access(node, depth)
            elif isinstance(node, Call):
                self.score += 2 * 8 ** min(depth, 3)

    def _access(self, load: Load, depth: int, far: int = OTHER) -> None:
        if load.array in self.private:  # a register of its own for each element, if all want the same one
            self.score += (far if any(map(self.of, load.index)) else UNIT) * 8 ** min(depth, 3)
            return
        *outer, last = (self.of(i) for i in load.index)
        stride = FAR if any(outer) else last
        worth = UNIT if stride == 1 else EQUAL if stride == 0 else far
        if far == OTHER and 1 < stride <= LONGEST_STEP and load.dtype == F32:
            worth = STEPPED
        if far != ONE_BY_ONE and is_piece_of_word(load.dtype, stride):
            worth = STEPPED
        self.score += worth * 8 ** min(depth, 3)

    def of(self, expr: Expr) -> int:
        """Change of a value from one iteration to the next; FAR if it is not a small constant."""
        match expr:
            case Var(name=name):
                return self.known.get(name, 0)
            case Cast(operand=operand):
                return self.of(operand)
            case Unary(op="-", operand=operand):
                inner = self.of(operand)
                return FAR if inner == FAR else -inner
            case Binary(op="+" | "-" as op, left=left, right=right):
                a, b = self.of(left), self.of(right)
                return FAR if FAR in (a, b) else a + b if op == "+" else a - b
            case Binary(op="*", left=left, right=right):
                for this, other in ((left, right), (right, left)):
                    if isinstance(other, Const) and self.of(this) != FAR:
                        return self.of(this) * int(other.value)
        if any(isinstance(n, Var) and self.known.get(n.name, 0) for n in walk(expr)):
            return FAR
        return 0
