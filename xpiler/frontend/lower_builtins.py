"""A call of a function that CUDA or the language defines, as its handler sees it."""

from __future__ import annotations

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
