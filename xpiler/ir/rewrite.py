"""Walking and rebuilding the IR: the one `walk` and the `map`s that every pass uses.

All rebuilding preserves `range` and identity: where nothing changed the very same object comes back, so `is`
tells whether a rewrite did something, and large untouched parts cost no memory.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from operator import is_
from typing import Any, TypeVar

from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Block,
    Collective,
    Decl,
    Expr,
    For,
    Function,
    Instr,
    Load,
    Program,
    Ref,
    Stmt,
    Var,
    fields_alone,
)

Node = Expr | Stmt | Function | Program
N = TypeVar("N", Expr, Stmt, Block, Function, Program)
Place = Var | Load

_NODES = (Expr, Stmt, Function, Program)


_CHILD_FIELDS: dict[type, tuple[str, ...]] = {}
_REVERSED_FIELDS: dict[type, tuple[str, ...]] = {}


def _child_fields(cls: Any) -> tuple[str, ...]:
    """Names of the fields of a node class that hold nodes, in order."""
    found = _CHILD_FIELDS.get(cls)
    if found is None:
        hints = typing.get_type_hints(cls)
        found = tuple(f.name for f in fields(cls) if _mentions_node(hints[f.name]))
        _CHILD_FIELDS[cls] = found
    return found


def _mentions_node(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, _NODES):
        return True
    return any(_mentions_node(argument) for argument in typing.get_args(hint))


def children(node: Node) -> list[Expr | Stmt | Function]:
    """The nodes directly below, in the order of the fields."""
    below: list[Any] = []
    for name in _CHILD_FIELDS.get(type(node)) or _child_fields(type(node)):
        value = getattr(node, name)
        if type(value) is tuple:
            below += value
        elif value is not None:
            below.append(value)
    return below


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, parents first, in source order."""
    stack: list[Node] = [node]
    pop, push, fields_of = stack.pop, stack.append, _REVERSED_FIELDS
    while stack:
        current = pop()
        yield current
        cls = type(current)
        if cls not in fields_of:
            fields_of[cls] = _child_fields(cls)[::-1]
        for name in fields_of[cls]:
            value = getattr(current, name)
            if type(value) is tuple:
                if value:
                    stack += value[::-1]
            elif value is not None:
                push(value)


def walk_exprs(node: Node) -> Iterator[Expr]:
    return (n for n in walk(node) if isinstance(n, Expr))


def walk_stmts(node: Node) -> Iterator[Stmt]:
    """The same of statements alone; no expression holds one."""
    stack: list[Node] = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, Stmt):
            yield current
        stack += reversed([child for child in children(current) if not isinstance(child, Expr)])


def walk_users(node: Node, array: str) -> Iterator[Node]:
    """`walk` without the blocks below that do not use the array."""
    stack: list[Node] = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, Block) and not is_used(array, current):
            continue
        yield current
        stack += reversed(children(current))


def is_used(array: str, node: Node) -> bool:
    """Whether the array is read or written somewhere in the node."""
    used = uses(node)
    return array in used.arrays_read or array in used.arrays_written


def rebuild(node: Any, change: Callable[[Any, str], Any]) -> Any:
    """`node` with `change(child, field)` for each child; a tuple that it returns is spliced into a tuple."""
    names = _CHILD_FIELDS.get(type(node)) or _child_fields(type(node))
    if not names:
        return node
    changes: dict[str, Any] = {}
    for name in names:
        old = getattr(node, name)
        if type(old) is tuple:
            new = _rebuild_tuple(old, name, change)
        elif old is None:
            continue
        else:
            new = change(old, name)
        if new is not old:
            changes[name] = new
    return _with(node, changes) if changes else node


def _with(node: Any, changes: dict[str, Any]) -> Any:
    """`replace` of dataclasses, for nodes, whose fields are all they have."""
    made = object.__new__(type(node))
    made.__dict__.update(fields_alone(node))
    made.__dict__.update(changes)
    return made


def _rebuild_tuple(old: tuple[Any, ...], name: str, change: Callable[[Any, str], Any]) -> tuple[Any, ...]:
    results = [change(child, name) for child in old]
    if all(map(is_, results, old)):
        return old
    new: list[Any] = []
    for result in results:
        if type(result) is tuple:
            new += result
        else:
            new.append(result)
    return tuple(new)


def map_expr(
    node: N,
    function: Callable[[Expr], Expr],
    places: Callable[[Place], Place] | None = None,
) -> N:
    """`function` on every expression that is read, bottom-up.

    What is written (the `target` of Assign, Atomic, Collective, the `place` of Atomic) is a place, not a
    value: `function` sees the indices inside it, and `places`, if given, the place itself.
    """

    def change(child: Any, field: str) -> Any:
        if field in ("target", "place"):
            inner = rebuild(child, change)
            return places(inner) if places else inner
        return go(child)

    def go(current: Any) -> Any:
        rebuilt = rebuild(current, change)
        return function(rebuilt) if isinstance(rebuilt, Expr) else rebuilt

    result: N = go(node)
    return result


def map_stmt(stmt: Stmt, function: Callable[[Stmt], Stmt | tuple[Stmt, ...]]) -> Stmt:
    """`function` on every statement, bottom-up (blocks too); a tuple from it is spliced into its block.

    `Block`s that are the body of a statement stay blocks: another statement in their place is wrapped.
    """

    def change(child: Any, field: str) -> Any:
        if not isinstance(child, Stmt):
            return child
        result = go(child)
        if isinstance(result, Block):
            return result
        return Block(result if isinstance(result, tuple) else (result,), range=child.range)

    def splice(child: Any, field: str) -> Any:
        return go(child)

    def go(current: Stmt) -> Stmt | tuple[Stmt, ...]:
        return function(rebuild(current, splice if isinstance(current, Block) else change))

    result = go(stmt)
    return Block(result, range=stmt.range) if isinstance(result, tuple) else result


def map_body(function: Function, change: Callable[[Stmt], Stmt | tuple[Stmt, ...]]) -> Function:
    """`map_stmt` on the body of a function."""
    body = map_stmt(function.body, change)
    if body is function.body:
        return function
    return replace(function, body=body if isinstance(body, Block) else Block((body,)))


def substitute(node: N, values: Mapping[str, Expr]) -> N:
    """Variables replaced by expressions.

    Where a replaced variable is written its replacement must be a place (`Var` or `Load`), else ValueError.
    Names declared within `node` are not changed: names are unique in a function, so they are other variables.
    """
    if not values or not _mentions(node, values):
        return node

    def value(expr: Expr) -> Expr:
        return values.get(expr.name, expr) if isinstance(expr, Var) else expr

    def place(old: Place) -> Place:
        new = value(old)
        if not isinstance(new, (Var, Load)):
            raise ValueError(f"{old} is assigned and cannot become {new}")
        return new

    def change(child: Any, field: str) -> Any:
        if isinstance(child, Block) and not _mentions(child, values):
            return child
        if field in ("target", "place"):
            return place(rebuild(child, change))
        return go(child)

    def go(current: Any) -> Any:
        rebuilt = rebuild(current, change)
        return value(rebuilt) if isinstance(rebuilt, Expr) else rebuilt

    result: N = go(node)
    return result


def _mentions(node: Node, names: Mapping[str, object]) -> bool:
    """Whether one of the scalars is read or assigned in the node."""
    used = uses(node)
    return not (names.keys().isdisjoint(used.vars_read) and names.keys().isdisjoint(used.vars_assigned))


def rename(node: N, names: Mapping[str, str]) -> N:
    """Variables, loop variables, arrays, declarations and parameters renamed, wherever they occur."""
    if not names:
        return node

    def change(child: Any, field: str) -> Any:
        return go(child)

    def go(current: Any) -> Any:
        current = rebuild(current, change)
        changes: dict[str, Any] = {}
        for attribute in ("name", "array", "var"):
            if isinstance(current, (Var, Decl, Load, Ref, For)):
                old = getattr(current, attribute, None)
                if isinstance(old, str) and names.get(old, old) != old:
                    changes[attribute] = names[old]
        if isinstance(current, Function):
            params = tuple(replace(p, name=names.get(p.name, p.name)) for p in current.params)
            if params != current.params:
                changes["params"] = params
        return replace(current, **changes) if changes else current

    result: N = go(node)
    return result


# ------------------------------------------------------------------------------------------ what a node uses


@dataclass(frozen=True)
class Uses:
    """Names that a piece of a program reads, writes and declares."""

    vars_read: frozenset[str]
    vars_assigned: frozenset[str]  # with loop variables and declared scalars
    vars_set: frozenset[str]  # by an assignment or another statement, after their declaration
    vars_declared: frozenset[str]  # by Decl or For
    arrays_read: frozenset[str]
    arrays_written: frozenset[str]
    arrays_declared: frozenset[str]


def uses(node: Node) -> Uses:
    """All of it in one walk, remembered with the node.

    Of the arrays handed to an `Instr` the first is written, the others are read.
    """
    known: Uses | None = getattr(node, "_uses", None)
    if known is None:
        known = _uses(node)
        object.__setattr__(node, "_uses", known)  # nodes never change
    return known


def _uses(node: Node) -> Uses:
    read: set[str] = set()
    assigned: set[str] = set()
    changed: set[str] = set()
    declared: set[str] = set()
    arrays_read: set[str] = set()
    arrays_written: set[str] = set()
    arrays_declared: set[str] = set()
    stack: list[Node] = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, Block) and current is not node:  # what it uses is asked again when it stays
            inner = uses(current)
            read |= inner.vars_read
            assigned |= inner.vars_assigned
            changed |= inner.vars_set
            declared |= inner.vars_declared
            arrays_read |= inner.arrays_read
            arrays_written |= inner.arrays_written
            arrays_declared |= inner.arrays_declared
            continue
        below: list[Any] = children(current)
        match current:
            case Var(name=name):
                read.add(name)
            case Load(array=array) | Ref(array=array):
                arrays_read.add(array)
            case Assign(target=Var(name=name), value=value, reduce=reduce):
                changed.add(name)
                if reduce is not None:
                    read.add(name)
                below = [value]
            case Assign(target=Load(array=array, index=index), value=value, reduce=reduce):
                arrays_written.add(array)
                if reduce is not None:
                    arrays_read.add(array)
                below = [*index, value]
            case Atomic(place=place, args=args, target=target):
                arrays_read.add(place.array)
                arrays_written.add(place.array)
                if target is not None:
                    changed.add(target.name)
                below = [*place.index, *args]
            case Collective(target=target, args=args, mask=mask):
                changed.add(target.name)
                below = [*args] if mask is None else [*args, mask]
            case Instr(operands=(Ref(array=array, offset=offset), *rest)):
                arrays_written.add(array)
                below = [offset, *rest]
            case For(var=name):
                assigned.add(name)
                declared.add(name)
            case Decl(name=name, shape=()):
                assigned.add(name)
                declared.add(name)
            case Decl(name=name):
                arrays_declared.add(name)
        stack.extend(below)
    return Uses(
        frozenset(read),
        frozenset(assigned | changed),
        frozenset(changed),
        frozenset(declared),
        frozenset(arrays_read),
        frozenset(arrays_written),
        frozenset(arrays_declared),
    )


def free_vars(node: Node) -> frozenset[str]:
    """Scalars read or assigned in `node` but declared outside it (parameters, `threadIdx.x`... too)."""
    found = uses(node)
    return (found.vars_read | found.vars_assigned) - found.vars_declared


def assigned_vars(node: Node) -> frozenset[str]:
    """Scalar variables that get a value in `node`: assigned, declared or counted by a loop."""
    return uses(node).vars_assigned


def arrays_read(node: Node) -> frozenset[str]:
    return uses(node).arrays_read


def arrays_written(node: Node) -> frozenset[str]:
    return uses(node).arrays_written
