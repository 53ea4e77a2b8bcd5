"""Offsets that are told in bytes are told in words.

    int half = n * 4;                          int half_words = n;
    ... room[i % 2 * half / 4 + j] ...    -->  ... room[i % 2 * half_words + j] ...

Applies to quotients that leave no rest, where factors of the dividend, and of all that the variables in it
are set to, show that. An offset is taken to fit the integers that the text keeps it in.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from xpiler.ir import build
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Block,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    Select,
    Stmt,
    Unary,
    Var,
)
from xpiler.ir.rewrite import map_expr, map_stmt, walk


def multiples_of(body: Block, size: int) -> frozenset[str]:
    """The scalars that hold nothing but multiples of a size."""
    values: dict[str, list[Expr | None]] = {}
    for node in walk(body):
        match node:
            case Decl(name=name, shape=(), init=init) if init is None or isinstance(init, Expr):
                values.setdefault(name, []).append(init)
            case Assign(target=Var(name=name), value=value, reduce=reduce):
                values.setdefault(name, []).append(value if reduce in (None, "+") else None)
            case Atomic(target=Var(name=name)) | For(var=name):
                values.setdefault(name, []).append(None)
    names = frozenset(name for name, found in values.items() if None not in found)
    while True:
        kept = frozenset(
            n for n in names if all(v is not None and is_multiple(v, size, names) for v in values[n])
        )
        if kept == names:
            return names
        names = kept


def is_multiple(expr: Expr, size: int, names: frozenset[str]) -> bool:
    if not expr.dtype.is_integer:
        return False
    match expr:
        case Const(value=value):
            return int(value) % size == 0
        case Var(name=name):
            return name in names
        case Cast(operand=operand) | Unary(op="-", operand=operand):
            return is_multiple(operand, size, names)
        case Binary(op="*", left=left, right=right):
            return is_multiple(left, size, names) or is_multiple(right, size, names)
        case Binary(op="+" | "-" | "%", left=left, right=right):
            return is_multiple(left, size, names) and is_multiple(right, size, names)
        case Select(then=left, otherwise=right) | Call(function="min" | "max", args=(left, right)):
            return is_multiple(left, size, names) and is_multiple(right, size, names)
    return False


def with_words_counted(body: Block, size: int, multiples: frozenset[str]) -> Block:
    """The body with such quotients by a size worked out; `multiples` are the variables of `multiples_of`."""
    taken = {name for n in walk(body) for name in [getattr(n, "name", None) or getattr(n, "var", None)]}
    words = _Words(size, multiples, taken)

    def change(expr: Expr) -> Expr:
        match expr:
            case Binary(op="/", left=left, right=Const(value=value), exact=True) if value == size:
                return words.of(left) if is_multiple(left, size, multiples) else expr
        return expr

    result = map_expr(body, change)
    done: set[str] = set()
    while words.names.keys() - done:  # what they are set to may need further ones
        done = set(words.names)
        for value in _values(body, done):
            words.of(value)
    counted = map_stmt(result, words.beside)
    assert isinstance(counted, Block)
    return counted


def _values(body: Block, names: set[str]) -> list[Expr]:
    """What variables of these names are set to."""
    found: list[Expr] = []
    for node in walk(body):
        match node:
            case Decl(name=name, init=Expr() as value) | Assign(target=Var(name=name), value=value):
                found += [value] if name in names else []
    return found


@dataclass
class _Words:
    """Quotients, and the names of the variables that hold those of variables."""

    size: int
    multiples: frozenset[str]
    taken: set[str | None]
    names: dict[str, str] = field(default_factory=dict)

    def of(self, expr: Expr) -> Expr:
        match expr:
            case Const(value=value):
                return build.const(int(value) // self.size, expr.dtype)
            case Var(name=name):
                return Var(expr.dtype, self._name(name))
            case Cast(operand=operand):
                return build.cast(self.of(operand), expr.dtype)
            case Unary(operand=operand):
                return replace(expr, operand=self.of(operand))
            case Binary(op="*", left=left, right=right):
                if is_multiple(right, self.size, self.multiples):
                    return build.mul(left, self.of(right))
                return build.mul(self.of(left), right)
            case Binary(op=op, left=left, right=right):
                return build.binary(op, self.of(left), self.of(right))
            case Select(then=then, otherwise=otherwise):
                return replace(expr, then=self.of(then), otherwise=self.of(otherwise))
            case Call(args=args):
                return replace(expr, args=tuple(self.of(arg) for arg in args))
        raise AssertionError(f"no multiple: {expr}")

    def _name(self, name: str) -> str:
        if name not in self.names:
            own = f"{name}_words"
            while own in self.taken:
                own += "_"
            self.taken.add(own)
            self.names[name] = own
        return self.names[name]

    def beside(self, stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        """A variable is set, and beside it that of its words."""
        match stmt:
            case Decl(name=name, init=init) if name in self.names:
                words = self.of(init) if isinstance(init, Expr) else None
                return stmt, replace(stmt, name=self.names[name], init=words)
            case Assign(target=Var(name=name) as target, value=value) if name in self.names:
                target = replace(target, name=self.names[name])
                return replace(stmt, target=target, value=self.of(value)), stmt
        return stmt
