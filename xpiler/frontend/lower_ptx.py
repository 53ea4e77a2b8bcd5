"""Inline assembly whose meaning is known: barriers, fences, and asynchronous copies to shared memory.

    unsigned d = __cvta_generic_to_shared(&s[t]);                        d is byte 4 * t of s
    asm("cp.async.cg.shared.global [%0], [%1], 16;" :: "r"(d), "l"(p));  __pipeline_memcpy_async(&s[t], p, 16)
    asm("cp.async.commit_group;"); asm("cp.async.wait_group 0;");        ..._commit(), ..._wait_prior(0)

It is understood for those who check a text; no other platform has it, so that nothing is translated from it.
An address of shared memory is a number that knows its array, as long as it is only added to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NoReturn

from tree_sitter import Node

from xpiler.frontend.lower_async_copies import copy_or_clear
from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import Context, expression, named_children, shorten, statement
from xpiler.frontend.lower_memory import load, pointer_of, without_prefix
from xpiler.frontend.lower_offsets import in_units
from xpiler.frontend.lower_registry import builtin
from xpiler.frontend.lower_streams import fenced, mark_copies, wait_for_all_but, waited
from xpiler.frontend.lower_types import Pointer, Scalar
from xpiler.frontend.lower_values import VOID_VALUE, Address, SharedAddress, Value
from xpiler.ir import build
from xpiler.ir.nodes import Barrier, Block, Expr, If, Space
from xpiler.ir.types import I32, U8, U32, U64

_BARRIERS = {"bar.sync 0": "block", "barrier.sync 0": "block", "bar.warp.sync 0xffffffff": "warp"}
_FENCES = (
    *(f"membar.{scope}" for scope in ("gl", "sys")),
    *(f"fence.{order}.{scope}" for order in ("acq_rel", "sc") for scope in ("gpu", "sys")),
)
_COPY = re.compile(
    r"(?:@(?P<not>!?)(?P<guard>\w+) )?cp\.async\.c[ag]\.shared\.global(?:\.L2::\w+)* ?"
    r"\[(?P<to>%\d+)(?:\+(?P<to_more>\d+))?\],\[(?P<from>%\d+)(?:\+(?P<from_more>\d+))?\],(?P<bytes>\w+|%\d+)"
    r"(?:,(?P<read>%\d+))?"
)
_GUARD = re.compile(r"setp\.ne\.[bsu]32 (?P<guard>\w+),(?P<value>%\d+),0")
_WAIT = re.compile(r"cp\.async\.wait_group (?P<kept>\d+|%\d+)")


@statement("gnu_asm_expression", "asm_statement")
def _asm(ctx: Context, node: Node) -> None:
    _assembly(ctx, node)


@expression("gnu_asm_expression")
def _asm_expression(ctx: Context, node: Node) -> Value:
    return _assembly(ctx, node)


def _assembly(ctx: Context, node: Node) -> Value:
    code = node.child_by_field_name("assembly_code")
    lines = list(_instructions(ctx.text(code or node)))
    if ctx.entities.unit.platform == "bang" and set(lines) == {"sync"}:
        waited(ctx, "__sync")  # a core waits for its own copies: see `lower_tasks`
        return VOID_VALUE
    if not ctx.entities.tells_streams:
        _refuse(ctx, node)
    operands = _Operands(ctx, node)
    for line in lines:
        if not _instruction(operands, line):
            _refuse(ctx, node)
    return VOID_VALUE


def _instructions(text: str) -> Iterator[str]:
    """Those of the strings, each with single spaces behind its name and none elsewhere."""
    joined = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', text))
    plain = re.sub(r"//[^\n]*|\{|\}", " ", re.sub(r"\\[nrt]", "\n", joined))
    for part in plain.split(";"):
        words = " ".join(part.split())
        if words and not words.startswith(".reg .pred"):
            yield re.sub(r" ?([],[+]) ?", r"\1", words)


class _Operands:
    """`%0`, `%1`... of one statement, and its predicates."""

    def __init__(self, ctx: Context, node: Node) -> None:
        self.ctx, self.node = ctx, node
        self.guards: dict[str, Expr] = {}
        lists = [node.child_by_field_name(f"{kind}_operands") for kind in ("output", "input")]
        self.places = [o.child_by_field_name("value") for each in lists if each for o in named_children(each)]

    def value(self, name: str) -> Value:
        number = int(name[1:])
        place = self.places[number] if number < len(self.places) else None
        if place is None:
            _refuse(self.ctx, self.node)
        return self.ctx.value(place)

    def number(self, name: str) -> Expr:
        return load(self.ctx, self.value(name)) if name.startswith("%") else build.const(int(name, 0), U32)


def _instruction(operands: _Operands, line: str) -> bool:
    """Emits what an instruction does; False where that is not known."""
    ctx, node = operands.ctx, operands.node
    if line in _BARRIERS:
        ctx.emit(Barrier(_BARRIERS[line]))
    elif line in _FENCES:
        fenced(ctx, node)
    elif line == "cp.async.commit_group":
        mark_copies(ctx, "commit", node)
    elif line == "cp.async.wait_all":
        mark_copies(ctx, "wait all", node)
    elif match := _WAIT.fullmatch(line):
        wait_for_all_but(ctx, operands.number(match["kept"]), node)
    elif match := _GUARD.fullmatch(line):
        value = operands.number(match["value"])
        operands.guards[match["guard"]] = ctx.temporary(build.ne(value, build.const(0, value.dtype)), "guard")
    elif (match := _COPY.fullmatch(line)) and (not match["guard"] or match["guard"] in operands.guards):
        if not match["guard"]:
            _copy(operands, match)
            return True
        guard = operands.guards[match["guard"]]
        with ctx.branch() as copied:
            _copy(operands, match)
        ctx.emit(If(build.not_(guard) if match["not"] else guard, Block(tuple(copied)), Block(())))
    else:
        return False
    return True


def _copy(operands: _Operands, match: re.Match[str]) -> None:
    """The last bytes may be zeros instead of what would be read."""
    ctx, node = operands.ctx, operands.node
    to = operands.value(match["to"])
    if not isinstance(to, SharedAddress):
        ctx.refuse(
            "shared-address", f"`{shorten(ctx.text(node))}`: which array this is is not followed", node
        )
    source = pointer_of(ctx, operands.value(match["from"]))
    target: Value = _address(to, int(match["to_more"] or 0))
    if match["from_more"] and isinstance(source, Address):
        plain = without_prefix(source)
        more = in_units(plain.memory, build.const(int(match["from_more"])), 1, plain.unit)
        source = replace(plain, offset=build.add(build.cast(plain.offset, more.dtype), more))
    call = Invocation(ctx, "cp.async", node, (target, source))
    count = operands.number(match["bytes"])
    read = build.cast(operands.number(match["read"]), count.dtype) if match["read"] else None
    copy_or_clear(call, count, read)


def _address(number: SharedAddress, more: int) -> Address:
    offset = build.add(build.cast(number.expr, I32), build.const(more)) if more else number.expr
    return Address(Pointer(Scalar(U8)), number.memory, offset, 1)


# ------------------------------------------------------------------------------------------ addresses


@builtin("__cvta_generic_to_shared")
def _to_shared(call: Invocation) -> Value:
    """The number of a byte of an array: as many bytes behind its beginning."""
    call.need(1)
    pointer = pointer_of(call.ctx, call.args[0])
    plain = without_prefix(pointer) if isinstance(pointer, Address) else None
    is_followed = plain is not None and plain.memory is not None and plain.memory.space is Space.SHARED
    if not is_followed or not call.ctx.entities.tells_streams:
        call.ctx.refuse(
            "unsupported-ptx",
            f"`{call.name}` has no meaning on other platforms",
            call.node,
            "use the CUDA intrinsic that does the same as the instruction that needs it",
        )
    assert plain is not None and plain.memory is not None
    offset = build.cast(in_units(plain.memory, plain.offset, plain.unit, 1), U64)
    return SharedAddress(Scalar(U64), offset, plain.memory)


@builtin("__cvta_generic_to_global")
def _to_global(call: Invocation) -> Value:
    call.need(1)
    return pointer_of(call.ctx, call.args[0])


def _refuse(ctx: Context, node: Node) -> NoReturn:
    ctx.refuse(
        "unsupported-ptx",
        f"inline assembly `{shorten(ctx.text(node))}` has no meaning on other platforms",
        node,
        "use the CUDA intrinsic that does the same",
    )
