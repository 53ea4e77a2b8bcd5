"""Parameter packs: what `name...` stands for, where the elements of a pack are given and used.

template <typename... Ts> __device__ float sum(Ts... xs) { return (xs + ... + 0.0f); }
sum(a, b)     -->     Ts: float, float     xs: a, b     a + (b + 0.0f)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from xpiler.frontend.lower_context import Context, Scope, constant, named_children
from xpiler.frontend.lower_scan import walk
from xpiler.frontend.lower_types import Closure, CType
from xpiler.frontend.lower_values import Value
from xpiler.frontend.syntax_model import ParamDecl
from xpiler.ir.types import I32

_NAMES = ("identifier", "type_identifier")


@dataclass(frozen=True, eq=False)
class ValuePack(Value):
    """The values that a pack of parameters, or of template arguments that are numbers, stands for."""

    elements: tuple[Value, ...]


@dataclass(frozen=True)
class TypePack(CType):
    """The types that a pack of template arguments stands for."""

    elements: tuple[CType, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.elements))


Pack = ValuePack | TypePack


def values_pack(elements: Sequence[Value]) -> ValuePack:
    return ValuePack(Closure("pack"), tuple(elements))


def numbers_pack(numbers: Sequence[int]) -> ValuePack:
    return values_pack([constant(number, I32) for number in numbers])


def pack_named(ctx: Context, name: str) -> Pack | None:
    """The pack that a name stands for."""
    found = ctx.scope.find(name)
    if isinstance(found, ValuePack):
        return found
    ctype = ctx.scope.find_type(name)
    return ctype if isinstance(ctype, TypePack) else None


def expansions(ctx: Context, pattern: Node) -> Iterator[Scope]:
    """A scope for each element of the packs that a pattern names, in which they are the element."""
    names = {ctx.text(node) for node in walk(pattern) if node.type in _NAMES}
    packs = {name: pack for name in sorted(names) if (pack := pack_named(ctx, name)) is not None}
    counts = {len(pack.elements) for pack in packs.values()}
    if len(counts) != 1:
        what = "names no parameter pack" if not counts else "names packs of several lengths"
        ctx.refuse("pack", f"`{ctx.text(pattern)}...` {what}", pattern)
    for position in range(counts.pop()):
        scope = Scope(ctx.scope)
        for name, pack in packs.items():
            if isinstance(pack, ValuePack):
                scope.names[name] = pack.elements[position]
            else:
                scope.types[name] = pack.elements[position]
        yield scope


def expanded(ctx: Context, nodes: Sequence[Node]) -> Iterator[tuple[Scope, Node]]:
    """The nodes of a list with `pattern...` as often as its packs have elements, each with the scope that it
    is seen in."""
    for node in nodes:
        if node.type == "parameter_pack_expansion":
            pattern = named_children(node)[0]
            yield from ((scope, pattern) for scope in expansions(ctx, pattern))
        else:
            yield ctx.scope, node


def params_of_pack(ctx: Context, param: ParamDecl) -> Iterator[Scope]:
    """A scope for each parameter that `Ts... name` declares."""
    assert param.type_node is not None
    yield from expansions(ctx, param.type_node)
