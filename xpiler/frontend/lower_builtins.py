"""Where functions that CUDA and the language define are registered: by name, or by kind of object and method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tree_sitter import Node

from xpiler.frontend.lower_context import Context
from xpiler.frontend.lower_memory import load
from xpiler.frontend.lower_values import Value
from xpiler.ir import build
from xpiler.ir.nodes import Expr
from xpiler.ir.types import DType


@dataclass(frozen=True, eq=False)
class Invocation:
    """A call of a built-in function: its arguments lowered from left to right."""

    ctx: Context
    name: str
    node: Node
    args: tuple[Value, ...]
    explicit: tuple[Node, ...] = ()
    receiver: Value | None = None

    def number(self, position: int) -> Expr:
        """A scalar argument."""
        self.need(position + 1)
        return load(self.ctx, self.args[position])

    def number_as(self, position: int, dtype: DType) -> Expr:
        return build.cast(self.number(position), dtype)

    def numbers(self) -> list[Expr]:
        return [load(self.ctx, a) for a in self.args]

    def need(self, count: int) -> None:
        if len(self.args) < count:
            self.ctx.refuse("arguments", f"`{self.name}` needs {count} arguments", self.node)


BuiltinHandler = Callable[[Invocation], Value]
BUILTINS: dict[str, BuiltinHandler] = {}
METHODS: dict[tuple[str, str], BuiltinHandler] = {}


def builtin(*names: str) -> Callable[[BuiltinHandler], BuiltinHandler]:
    """Registers the handler of functions."""

    def register(handler: BuiltinHandler) -> BuiltinHandler:
        BUILTINS.update(dict.fromkeys(names, handler))
        return handler

    return register


def method(kind: str, *names: str) -> Callable[[BuiltinHandler], BuiltinHandler]:
    """Registers the handler of methods of built-in types (`group`, `fragment`)."""

    def register(handler: BuiltinHandler) -> BuiltinHandler:
        METHODS.update({(kind, name): handler for name in names})
        return handler

    return register
