"""Host templates that a file instantiates by name: each instance is a function that others link against.

template <typename T> void run(const T *x, T *y, int n) { twice<T><<<blocks, 256>>>(x, y, n); }
template void run<float>(const float *, float *, int);     -->   run<float>, which launches twice<float>
template void run<half>(const half *, half *, int);              run<half>, which launches twice<half>
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tree_sitter import Node

from xpiler.frontend.host_scopes import (
    block_scopes,
    call_bindings,
    explicit_bindings,
    instance_context,
    scopes_in,
)
from xpiler.frontend.kernel_values import is_by_value, kernel_values, started_by
from xpiler.frontend.lower_context import Context, Scope
from xpiler.frontend.lower_entities import Entities
from xpiler.frontend.lower_launches import host_function, launched_kernel, spelled
from xpiler.frontend.lower_scan import walk
from xpiler.frontend.lower_types import Binding
from xpiler.frontend.syntax_model import FunctionDef, Launch
from xpiler.frontend.unit import HostFunction

_Seen = set[tuple[int, tuple[Binding, ...]]]


def host_instances(entities: Entities) -> tuple[HostFunction, ...]:
    """The instances of host templates of the main file, in the order of their instantiations."""
    found: list[HostFunction] = []
    for function in entities.unit.host_functions:
        if not function.is_local or function.body is None or function.owner or not function.template:
            continue
        for bindings in explicit_bindings(entities, function):
            ctx, scope = instance_context(entities, function, bindings)
            with ctx.nested(scope):
                plain = host_function(ctx, function)
            returns = plain.returns
            for binding in bindings:
                value = spelled(entities, function, (binding,))[len(function.name) + 1 : -1]
                returns = re.sub(rf"\b{re.escape(binding.name)}\b", value, returns)
            found.append(
                replace(
                    plain,
                    returns=returns,
                    is_template=False,
                    instance=spelled(entities, function, bindings)[len(function.name) :],
                    launched=frozenset(_launched(entities, function, bindings, set())),
                )
            )
    return tuple(found)


def _launched(
    entities: Entities, function: FunctionDef, bindings: tuple[Binding, ...], seen: _Seen
) -> Iterator[str]:
    """The kernels, by spelling, that a call with these template arguments launches, or what it calls."""
    key = (function.node.start_byte, bindings)
    if function.body is None or key in seen:
        return
    seen.add(key)
    outer = instance_context(entities, function, bindings)
    for launch in entities.unit.launches:
        if launch.host_function is function:
            yield from _started(entities, launch, *outer)
    for call in walk(function.body):
        for callee in entities.host_functions.get(_called_name(entities, call), ()):
            for given in _given(call, callee, function, *outer):
                yield from _launched(entities, callee, given, seen)


def _started(entities: Entities, launch: Launch, ctx: Context, outer: Scope) -> Iterator[str]:
    kernels = [k for k in entities.unit.kernels if k.body is not None]
    named = [(launch.name, launch.template_arguments)]
    if is_by_value(entities.unit, launch):
        named = list(started_by(entities.unit, launch, kernel_values(entities.unit)))
    for inner, scope in scopes_in(ctx, launch, outer):
        with inner.nested(scope):
            for name, explicit in named:
                chosen = launched_kernel(inner, launch, kernels, name, explicit)
                yield spelled(entities, *chosen) if chosen is not None else launch.spelling


def _called_name(entities: Entities, node: Node) -> str:
    if node.type != "call_expression":
        return ""
    callee = entities.unit.text_of(node.child_by_field_name("function"))
    return callee.split("<")[0].split("::")[-1].strip()


def _given(
    call: Node, callee: FunctionDef, caller: FunctionDef, ctx: Context, outer: Scope
) -> Iterator[tuple[Binding, ...]]:
    """The template arguments that a call gives, in each scope that it is seen in."""
    if callee.template is None:
        yield ()
        return
    for scope in block_scopes(ctx, call, caller, outer, 0):
        with ctx.nested(scope):
            found = call_bindings(ctx, call, callee)
        if found is not None:
            yield found
