"""Tidy code: index arithmetic simplified, copies propagated, what is dead removed.

    int row = blk * 4 + t;  if (row / 4 == blk)  c[row] = a[row];    -->    c[blk * 4 + t] = a[blk * 4 + t];

Each step keeps the meaning for every input; nothing that may fail (a load, a division) is computed where
it was not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import simplify
from xpiler.ir.build import and_, binary, cast, const, not_, or_
from xpiler.ir.nodes import (
    EMPTY,
    FALSE,
    TRUE,
    Assign,
    Atomic,
    Binary,
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
    Load,
    Ref,
    Select,
    Stmt,
    Trap,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import children, map_stmt, rebuild, substitute, uses, walk, walk_exprs
from xpiler.passes.extrema import clamped
from xpiler.passes.facts import Facts
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop

_INLINE_NODES = 30
_ROUNDS = 4
Rewrite = Callable[[Load, Facts], Expr]


def tidy(function: Function) -> Function:
    """All of it, until nothing changes."""
    sizes = frozenset(p.name for p in function.params if p.dtype.is_integer and "." not in p.name)
    for _ in range(_ROUNDS):
        body = function.body
        body = _Inliner(Facts.of(function), sizes).block(body)
        body = simplified(body, Facts.of(function))
        body = _initialised(body)
        body = without_dead(
            body, frozenset(p.name for p in function.params) | {d.name for d in function.globals}
        )
        if body == function.body:
            break
        function = replace(function, body=body)
    return function


# ------------------------------------------------------------------------------------------ simplification


def simplified(block: Block, facts: Facts, replace_load: Rewrite | None = None) -> Block:
    """Expressions simplified by what is known at their place; decided branches and loops of at most one
    trip opened.

    `replace_load` may give another expression for a value that is read, from what is known at that place.
    """
    return _Simplifier(replace_load).block(block, facts)


def simplified_within(block: Block, facts: Facts, most: int) -> Block | None:
    """The same, None if more than `most` divisions of integers are left: to see that takes less time."""
    try:
        return _Simplifier(None, _Allowance(most)).block(block, facts)
    except _Exceeded:
        return None


def divisions(node: Stmt | Expr) -> int:
    """How many divisions of integers there are."""
    return sum(isinstance(n, Binary) and n.op in "/%" and n.dtype.is_integer for n in walk(node))


class _Exceeded(Exception):
    pass


@dataclass
class _Allowance:
    left: int

    def spend(self, *nodes: Stmt | Expr) -> None:
        self.left -= sum(map(divisions, nodes))
        if self.left < 0:
            raise _Exceeded


@dataclass(frozen=True)
class _Simplifier:
    """What is left of a piece is final, but for the body of a loop that may turn out to have one point."""

    replace_load: Rewrite | None
    allowance: _Allowance | None = None

    def spend(self, *nodes: Stmt | Expr) -> None:
        if self.allowance is not None:
            self.allowance.spend(*nodes)

    def block(self, block: Block, facts: Facts) -> Block:
        return Block(self.body(block.body, facts), range=block.range)

    def body(self, body: Sequence[Stmt], facts: Facts) -> tuple[Stmt, ...]:
        return tuple(r for s in spliced(body) for r in self.stmt(s, facts))

    def stmt(self, stmt: Stmt, facts: Facts) -> tuple[Stmt, ...]:
        match stmt:
            case If(condition=condition):
                condition = self.expr(condition, facts)
                if isinstance(condition, Const):
                    return self.body((stmt.then if condition.value else stmt.otherwise).body, facts)
                then = self.block(stmt.then, facts.where(condition))
                otherwise = self.block(stmt.otherwise, facts.where(condition, False))
                if not then.body and not otherwise.body:
                    return ()
                self.spend(condition)
                return (replace(stmt, condition=condition, then=then, otherwise=otherwise),)
            case For():
                start, stop, step = (self.expr(e, facts) for e in (stmt.start, stmt.stop, stmt.step))
                loop = replace(stmt, start=start, stop=stop, step=step)
                if all(isinstance(e, Const) for e in (start, stop, step)):
                    trips = range(*(int(e.value) for e in (start, stop, step) if isinstance(e, Const)))
                    if not trips:
                        return ()
                    single = len(trips) == 1 and not any(
                        leaves_loop(s, (Break, Continue)) for s in loop.body.body
                    )
                    if single:
                        return self.body(substitute(loop.body, {loop.var: start}).body, facts)
                inside = replace(self, allowance=None) if _has_points(loop) else self
                inner = inside.block(loop.body, facts.inside(loop))
                if not inner.body:
                    return ()
                point = _single_point(loop, inner)
                if point is not None:
                    return self.body(point.body, facts)
                self.spend(start, stop, step, *(() if inside is self else (inner,)))
                return (replace(loop, body=inner),)
            case While():
                condition = self.expr(stmt.condition, facts)
                if isinstance(condition, Const) and not condition.value and not stmt.do_while:
                    return ()
                known = facts if stmt.do_while else facts.where(condition)
                self.spend(condition)
                return (
                    replace(
                        stmt,
                        condition=condition,
                        body=self.block(stmt.body, known),
                        advance=self.block(stmt.advance, facts),
                    ),
                )
            case Trap(kind="assert", condition=condition):
                condition = self.expr(condition, facts)
                if isinstance(condition, Const) and condition.value:
                    return ()  # the launch has decided it: `assert(blockDim.x == 128)`
                self.spend(condition)
                return (replace(stmt, condition=condition),)
        plain = self.operands(stmt, facts)
        self.spend(plain)
        return (plain,)

    def operands(self, stmt: Stmt, facts: Facts) -> Stmt:
        """A plain statement with its expressions simplified; places keep being places."""

        def change(child: Expr, field: str) -> Expr:
            if field in ("target", "place"):
                result: Expr = rebuild(child, change)
                return result
            return self.expr(child, facts)

        result: Stmt = rebuild(stmt, change)
        return result

    def expr(self, expr: Expr, facts: Facts) -> Expr:
        """Conditions are known to hold in the part of an expression that they guard."""
        match expr:
            case Select(condition=condition, then=then, otherwise=otherwise):
                test = self.expr(condition, facts)
                if isinstance(test, Const):
                    return self.expr(then if test.value else otherwise, facts)
                yes, no = self.expr(then, facts.where(test)), self.expr(otherwise, facts.where(test, False))
                chosen = replace(expr, condition=test, then=yes, otherwise=no)
                return yes if yes == no else clamped(chosen, facts)
            case Binary(op="&&" | "||" as op, left=left, right=right):
                first = self.expr(left, facts)
                if isinstance(first, Const):
                    return self.expr(right, facts) if bool(first.value) == (op == "&&") else first
                second = self.expr(right, facts.where(first, op == "&&"))
                if isinstance(second, Const):  # the left side has no effects: it need not be evaluated
                    return first if bool(second.value) == (op == "&&") else second
                return replace(expr, left=first, right=second)
            case Unary(op="!", operand=Binary(op="&&" | "||" as op, left=left, right=right)):
                join = or_ if op == "&&" else and_
                return self.expr(join(not_(left), not_(right)), facts)
        decided = facts.decides(expr)
        if decided is not None:
            return TRUE if decided else FALSE
        if expr.dtype.is_integer and _is_arithmetic(expr):
            return simplify(expr, facts.ranges)
        result: Expr = rebuild(expr, lambda child, _: self.expr(child, facts))
        if isinstance(result, Load) and self.replace_load is not None:
            return self.replace_load(result, facts)
        if isinstance(result, Binary) and result.dtype.is_integer:
            return simplify(result, facts.ranges)
        return result


def _is_arithmetic(expr: Expr) -> bool:
    """Whether nothing is loaded or chosen in it; remembered with the node."""
    known: bool | None = expr.__dict__.get("_arithmetic")
    if known is None:
        below = (child for child in children(expr) if isinstance(child, Expr))
        known = not isinstance(expr, (Load, Select)) and all(map(_is_arithmetic, below))
        object.__setattr__(expr, "_arithmetic", known)  # nodes never change
    return known


def _has_points(loop: For) -> bool:
    return (
        isinstance(loop.start, Const) and isinstance(loop.stop, Const) and loop.step == const(1, loop.dtype)
    )


def _single_point(loop: For, body: Block) -> Block | None:
    """`for t in 0..32: if (t == 3) f(t)` --> `f(3)`."""
    if not _has_points(loop):
        return None
    assert isinstance(loop.start, Const) and isinstance(loop.stop, Const)
    match body.body:
        case (If(condition=condition, then=then, otherwise=Block(body=())),):
            conjuncts = [condition]
            while isinstance(conjuncts[0], Binary) and conjuncts[0].op == "&&":
                conjuncts[:1] = [conjuncts[0].left, conjuncts[0].right]
            for n, conjunct in enumerate(conjuncts):
                match conjunct:
                    case Binary(op="==", left=Var(name=name), right=Const(value=value) as point) if (
                        name == loop.var and int(loop.start.value) <= value < int(loop.stop.value)
                    ):
                        if any(leaves_loop(s, (Break, Continue)) for s in then.body):
                            return None
                        rest = and_(*conjuncts[:n], *conjuncts[n + 1 :])
                        return Block((substitute(If(rest, then), {loop.var: point}),))
    return None


# ------------------------------------------------------------------------------------------ copies


def inlined(block: Block, mutable: frozenset[str]) -> Block:
    """Scalars that only name cheap index arithmetic replaced by it. `mutable`: scalars that are assigned."""
    return _Inliner(Facts(mutable)).block(block)


@dataclass
class _Inliner:
    """Scalars declared with cheap pure arithmetic and never assigned are replaced by it. `sizes`: parameters.
    A sum of them by which indices are multiplied (`width - 2`) is a size as well, and keeps its name."""

    facts: Facts
    sizes: frozenset[str] = frozenset()

    def block(self, block: Block) -> Block:
        body = list(spliced(block.body))
        out: list[Stmt] = []
        n = 0
        while n < len(body):
            stmt = body[n]
            n += 1
            if isinstance(stmt, Decl) and (
                (self._inlinable(stmt) and not self._is_size(stmt, body[n:])) or self._copy(stmt, body[n:])
            ):
                assert isinstance(stmt.init, Expr)
                rest = substitute(Block(tuple(body[n:])), {stmt.name: stmt.init})
                body[n:] = rest.body
                continue
            out.append(self._below(stmt))
        return Block(tuple(out), range=block.range)

    def _below(self, stmt: Stmt) -> Stmt:
        def change(child: object, field: str) -> object:
            return self.block(child) if isinstance(child, Block) else child

        result: Stmt = rebuild(stmt, change)
        return result

    def _copy(self, decl: Decl, scope: Sequence[Stmt]) -> bool:
        """`T x = y;` where neither changes while x lives."""
        if decl.shape or not isinstance(decl.init, Var) or decl.init.dtype != decl.dtype:
            return False
        changed = uses(Block(tuple(scope))).vars_assigned
        return decl.name not in self.facts.mutable and decl.init.name not in changed

    def _is_size(self, decl: Decl, scope: Sequence[Stmt]) -> bool:
        match decl.init:
            case Binary(op="+" | "-") as init:
                named = {e.name for e in walk_exprs(init) if isinstance(e, Var)}
                return bool(named) and named <= self.sizes and _is_factor(decl.name, Block(tuple(scope)))
        return False

    def _inlinable(self, decl: Decl) -> bool:
        init = decl.init
        if decl.shape or not isinstance(init, Expr) or decl.name in self.facts.mutable:
            return False
        if any(isinstance(e, Var) and e.name in self.facts.mutable for e in walk_exprs(init)):
            return False
        if isinstance(init, (Var, Const)):
            return init.dtype == decl.dtype
        parts = list(walk_exprs(init))
        return (
            init.dtype == decl.dtype
            and decl.dtype.is_integer
            and len(parts) <= _INLINE_NODES
            and not any(
                isinstance(e, Binary) and e.op in "/%" and not isinstance(e.right, Const) for e in parts
            )  # a named quotient stays named: to take it apart again is dear
            and all(
                (isinstance(e, (Const, Var, Unary, Binary, Cast)) and (e.dtype.is_integer))
                or (isinstance(e, Call) and e.function in ("min", "max"))
                for e in parts
            )
        )


def _is_factor(name: str, scope: Block) -> bool:
    """Whether something is multiplied by the variable."""
    return any(
        isinstance(e, Binary) and e.op == "*" and name in (_name(e.left), _name(e.right))
        for e in walk_exprs(scope)
    )


def _name(expr: Expr) -> str:
    while isinstance(expr, Cast):
        expr = expr.operand
    return expr.name if isinstance(expr, Var) else ""


def _initialised(block: Block) -> Block:
    """`float x; x = e;` --> `float x = e;`, where nothing stands between that mentions x; `int x = 0; x
    += e;` too."""

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Block):
            return stmt
        body = list(stmt.body)
        for n, decl in enumerate(body):
            if not isinstance(decl, Decl) or decl.shape or not isinstance(decl.init, Const | None):
                continue
            for m in range(n + 1, len(body)):
                match body[m]:
                    case Assign(target=Var(name=name), value=value) if name == decl.name and _reads(
                        value, name
                    ):
                        break
                    case Assign(target=Var(name=name), value=value, reduce=None) if name == decl.name:
                        body[m] = replace(decl, init=value)
                        body[n] = EMPTY
                        break
                    case Assign(target=Var(name=name), value=value, reduce="+") if (
                        name == decl.name and isinstance(decl.init, Const) and decl.dtype.is_integer
                    ):
                        body[m] = replace(decl, init=binary("+", decl.init, cast(value, decl.dtype)))
                        body[n] = EMPTY
                        break
                if _mentions(body[m], decl.name):
                    break
        return replace(stmt, body=tuple(s for s in body if s is not EMPTY))

    result = map_stmt(block, change)
    assert isinstance(result, Block)
    return result


def _reads(expr: Expr, name: str) -> bool:
    return any(isinstance(e, Var) and e.name == name for e in walk_exprs(expr))


def _mentions(stmt: Stmt, name: str) -> bool:
    found = uses(stmt)
    return name in found.vars_read or name in found.vars_assigned


# ------------------------------------------------------------------------------------------ dead code


def without_dead(block: Block, outside: frozenset[str]) -> Block:
    """Without variables and arrays that are never read, the assignments to them, and control flow around
    nothing."""
    while True:
        read = _read_names(block)
        changed = False

        def change(stmt: Stmt, read: frozenset[str] = read) -> Stmt | tuple[Stmt, ...]:
            nonlocal changed
            if _is_dead(stmt, read | outside):
                changed = True
                return ()
            if isinstance(stmt, Atomic) and stmt.target and stmt.target.name not in read | outside:
                changed = True
                return replace(stmt, target=None)
            return stmt

        result = map_stmt(block, change)
        assert isinstance(result, Block)
        block = result
        if not changed:
            return block


def _read_names(block: Block) -> frozenset[str]:
    """Names whose values matter: an accumulation into x does not by itself read x."""
    read: set[str] = set()
    stack: list[object] = [block]
    while stack:
        node = stack.pop()
        match node:
            case Assign(target=target, value=value):
                stack.append(value)
                if isinstance(target, Load):
                    stack.extend(target.index)
                continue
            case Var(name=name):
                read.add(name)
            case Load(array=array) | Ref(array=array):
                read.add(array)
            case Atomic(place=place):
                read.add(place.array)
                stack.extend((*place.index, *node.args))
                continue
            case Collective(args=args, mask=mask):
                stack.extend(args if mask is None else (*args, mask))
                continue
        if isinstance(node, (Stmt, Expr)):
            stack.extend(children(node))
    return frozenset(read)


def _is_dead(stmt: Stmt, read: frozenset[str]) -> bool:
    match stmt:
        case Assign(target=Var(name=name) | Load(array=name)):
            return name not in read
        case Decl(name=name):
            return name not in read
        case If(then=then, otherwise=otherwise):
            return not then.body and not otherwise.body
        case For(body=body):
            return not body.body
    return False
