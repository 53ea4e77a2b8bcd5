"""Pointer variables: an array fixed by the first value, and a variable for the offset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from xpiler.frontend.lower_context import Context, Rebound
from xpiler.frontend.lower_memory import advanced, both, pointer_of, unit_towards, without_prefix
from xpiler.frontend.lower_offsets import divided, in_units, index_type, unit_of
from xpiler.frontend.lower_pools import TwoArrays
from xpiler.frontend.lower_types import Pointer
from xpiler.frontend.lower_values import Address, AddressOf, Choice, PointerCell, PointerVariable, Value
from xpiler.ir import build
from xpiler.ir.nodes import Assign, Binary, Const, Decl, Expr, Load, Space, Var
from xpiler.ir.rewrite import walk
from xpiler.ir.types import I32, I64, DType


def retype(pointer: Address | AddressOf, ctype: Pointer) -> Address | AddressOf:
    """The same address as a pointer of another type."""
    if isinstance(pointer, AddressOf):
        return AddressOf(ctype, pointer.target)
    return replace(pointer, type=ctype)


def declare_pointer(ctx: Context, name: str, ctype: Pointer, init: Value | None, mutated: bool) -> Value:
    """A local pointer. One that is never changed is just a name for its address."""
    cell = PointerCell(name, control=ctx.control)
    variable = PointerVariable(ctype, cell)
    if init is None:
        _declare_offset(ctx, cell, I64, None)
        return variable
    if isinstance(init, Choice):
        condition = settled(ctx, init.condition, "which")
        if not mutated:
            init = _with_offset_kept(ctx, name, init)
        first, second = _only_if(condition, init.first), _only_if(build.not_(condition), init.second)
        return Choice(
            ctype,
            condition,
            declare_pointer(ctx, name, ctype, first, mutated),
            declare_pointer(ctx, name, ctype, second, mutated),
        )
    address = pointer_of(ctx, init)
    if isinstance(address, AddressOf):
        if not mutated:
            return AddressOf(ctype, address.target)
        cell.target = address.target
        return variable
    if not mutated:
        unit = _unit_for(ctype, address)
        if unit != address.unit and address.memory is not None:
            address = without_prefix(address)
            if unit > address.unit and divided(address.offset, unit // address.unit) is None:
                # Misaligned only if it is read: the division is left to the access.
                return retype(_kept(ctx, name, address), ctype)
            address = replace(
                address, offset=in_units(address.memory, address.offset, address.unit, unit), unit=unit
            )
        kept = address if address.memory is None else _kept(ctx, name, address)
        return retype(kept, ctype)
    if address.memory is None:
        _declare_offset(ctx, cell, I64, None)
        return variable
    _bind(ctx, variable, address)
    return variable


def _with_offset_kept(ctx: Context, name: str, choice: Choice) -> Choice:
    """Pointers into different arrays at one offset: it is computed once."""
    sides = list(_sides(choice))
    first = sides[0]
    same = isinstance(first, Address) and all(
        isinstance(s, Address)
        and s.memory
        and not s.prefix
        and (s.offset, s.unit) == (first.offset, first.unit)
        for s in sides
    )
    if not same or not isinstance(first, Address) or _is_settled(ctx, first.offset):
        return choice
    kept = settled(ctx, first.offset, f"{name}_offset")
    return _with_offset(choice, kept)


def _sides(value: Value) -> Iterator[Value]:
    if isinstance(value, Choice):
        yield from _sides(value.first)
        yield from _sides(value.second)
    else:
        yield value


def _with_offset(choice: Choice, offset: Expr) -> Choice:
    def change(side: Value) -> Value:
        if isinstance(side, Choice):
            return _with_offset(side, offset)
        assert isinstance(side, Address)
        return replace(side, offset=offset)

    return both(choice, change)


def _only_if(condition: Expr, side: Value) -> Value:
    """One side of a choice; if it is one itself, its condition is read only where that side is chosen."""
    if isinstance(side, Choice) and any(isinstance(n, Load) for n in walk(side.condition)):
        return Choice(side.type, build.and_(condition, side.condition), side.first, side.second)
    return side


def _unit_for(ctype: Pointer, address: Address) -> int:
    wanted = unit_of(ctype.pointee)
    return address.unit if wanted is None else unit_towards(ctype.pointee, address.unit, wanted)


def _kept(ctx: Context, name: str, address: Address) -> Address:
    """The address with an offset that stays what it is now."""
    offset = address.offset
    if _is_settled(ctx, offset) and all(_is_settled(ctx, p) for p in address.prefix):
        return address
    if address.prefix:
        prefix = tuple(p if _is_settled(ctx, p) else ctx.temporary(p, f"{name}_row") for p in address.prefix)
        kept = offset if _is_settled(ctx, offset) else ctx.temporary(offset, f"{name}_offset")
        return replace(address, offset=kept, prefix=prefix)
    return replace(address, offset=ctx.temporary(offset, f"{name}_offset"))


def _is_settled(ctx: Context, expr: Expr) -> bool:
    """Whether an offset may be repeated at each use: a constant or a variable that never changes."""
    match expr:
        case Const():
            return True
        case Var(name=name):
            return "." in name or name in ctx.settled
        case Binary(op="+" | "==", left=left, right=right):
            return _is_settled(ctx, left) and isinstance(right, Const)
    return False


def settled(ctx: Context, expr: Expr, name: str) -> Expr:
    """`expr` as something that keeps its value: itself, or a variable for it."""
    if _is_settled(ctx, expr):
        return expr
    kept = ctx.temporary(expr, name)
    ctx.settled.add(kept.name)
    return kept


def _declare_offset(ctx: Context, cell: PointerCell, dtype: DType, init: Expr | None) -> None:
    cell.offset = Var(dtype, ctx.fresh(f"{cell.name}_offset"))
    ctx.emit(Decl(cell.offset.name, dtype, init=init))


def _bind(ctx: Context, variable: PointerVariable, address: Address) -> None:
    """The first value of a pointer variable."""
    address = without_prefix(address)
    assert address.memory is not None
    cell = variable.cell
    cell.memory = address.memory
    cell.unit = _unit_for(variable.type, address)
    offset = in_units(address.memory, address.offset, address.unit, cell.unit)
    if cell.offset is not None:
        ctx.emit(Assign(cell.offset, build.cast(offset, cell.offset.dtype)))
        return
    dtype = index_type(address.memory, offset)
    if address.memory.space is Space.GLOBAL and isinstance(offset, Const):
        dtype = I64
    if address.memory.space is not Space.GLOBAL and dtype.bits < 64:
        dtype = I32
    _declare_offset(ctx, cell, dtype, build.cast(offset, dtype))


def assign_pointer(ctx: Context, variable: PointerVariable, value: Value) -> None:
    """`p = value`."""
    cell = variable.cell
    address = pointer_of(ctx, value)
    if isinstance(address, AddressOf):
        if cell.memory is None and cell.target is None:
            cell.target = address.target
            return
        ctx.refuse(
            "pointer-base",
            f"pointer `{cell.name}` would point to different variables at different times",
            remedy="use one array, or select the value instead of the address",
        )
    if address.memory is None:
        ctx.refuse("null-pointer", f"a null pointer is assigned to `{cell.name}`")
    if cell.memory is None:
        _bind(ctx, variable, address)
        return
    if cell.memory.name != address.memory.name:
        if ctx.control == cell.control:
            # Everything from here on sees the new array, and nothing before it comes again.
            cell.memory, cell.offset = None, None
            _bind(ctx, variable, address)
            return
        if _rebound(ctx, variable, address):
            return
        message = (
            f"pointer `{cell.name}` would point into `{cell.memory.name}` and into `{address.memory.name}`"
        )
        raise TwoArrays(message, ctx.range(), cell.memory, address.memory)
    address = without_prefix(address)
    assert cell.offset is not None
    offset = in_units(address.memory, address.offset, address.unit, cell.unit)
    ctx.emit(Assign(cell.offset, build.cast(offset, cell.offset.dtype)))


def _rebound(ctx: Context, variable: PointerVariable, address: Address) -> bool:
    """A pointer that points into another array from here to the end of one side of an if, and behind it into
    either: what it points to is then chosen like `condition ? p : q`."""
    cell = variable.cell
    address = without_prefix(address)
    if ctx.rebound is None or ctx.control[:-1] != cell.control or not _is_settled(ctx, address.offset):
        return False
    assert cell.offset is not None
    known = ctx.rebound.get(cell.name)
    before = known.before if known else Address(variable.type, cell.memory, cell.offset, cell.unit)
    after = replace(address, type=variable.type)
    ctx.rebound[cell.name] = Rebound(variable, before, after)
    cell.memory, cell.offset = None, None
    _bind(ctx, variable, address)
    return True


@contextmanager
def one_side(ctx: Context) -> Iterator[dict[str, Rebound]]:
    """One side of an if is lowered meanwhile; pointers that it makes point elsewhere are given back."""
    outer, found = ctx.rebound, dict[str, Rebound]()
    ctx.rebound = found
    try:
        yield found
    finally:
        ctx.rebound = outer
        for each in found.values():
            cell, before = each.variable.cell, each.before
            assert isinstance(before.offset, Var)
            cell.memory, cell.offset, cell.unit = before.memory, before.offset, before.unit


def join_sides(ctx: Context, test: Expr, yes: dict[str, Rebound], no: dict[str, Rebound]) -> Expr:
    """Behind the if a pointer that was made to point elsewhere is one of two; gives the condition, kept."""
    if not yes and not no:
        return test
    test = settled(ctx, test, "which")
    for name in {**yes, **no}:
        known = yes.get(name) or no[name]
        first, second = (side[name].after if name in side else known.before for side in (yes, no))
        choice = Choice(known.variable.type, test, first, second)
        for scope in ctx.scope.chain():
            for key, value in scope.names.items():
                if value is known.variable:
                    scope.names[key] = choice
    return test


def step_pointer(ctx: Context, variable: PointerVariable, step: Expr) -> None:
    """`p += step`."""
    cell = variable.cell
    current = pointer_of(ctx, variable)
    if isinstance(current, AddressOf) or cell.offset is None:
        ctx.refuse("pointer-to-variable", f"pointer `{cell.name}` to a single variable is moved")
    moved = advanced(ctx, current, step)
    increment = _increment(moved.offset, cell.offset)
    if increment is not None:
        ctx.emit(Assign(cell.offset, build.cast(increment, cell.offset.dtype), "+"))
    else:
        ctx.emit(Assign(cell.offset, build.cast(moved.offset, cell.offset.dtype)))


def _increment(moved: Expr, offset: Var) -> Expr | None:
    match moved:
        case Binary(op="+", left=left, right=right) if left == offset:
            return right
    return None


def swap_pointers(ctx: Context, first: Value, second: Value) -> None:
    """`std::swap(p, q)`: of offsets in one array; of the arrays too where that can be followed."""
    if not isinstance(first, PointerVariable) or not isinstance(second, PointerVariable):
        ctx.refuse("pointer-swap", "only pointer variables can be swapped")
    a, b = first.cell, second.cell
    if a.memory is not None and b.memory is not None and a.memory.name == b.memory.name:
        assert a.offset is not None and b.offset is not None
        kept = ctx.temporary(a.offset)
        ctx.emit(Assign(a.offset, build.cast(b.offset, a.offset.dtype)))
        ctx.emit(Assign(b.offset, build.cast(kept, b.offset.dtype)))
        return
    if not ctx.control == a.control == b.control:
        message = f"pointers `{a.name}` and `{b.name}` into different arrays are swapped in a branch or loop"
        if a.memory is None or b.memory is None:
            ctx.refuse("pointer-base", message, remedy="use one array with two halves and swap the offsets")
        raise TwoArrays(message, ctx.range(), a.memory, b.memory)
    a.memory, b.memory = b.memory, a.memory
    a.offset, b.offset = b.offset, a.offset
    a.unit, b.unit = b.unit, a.unit
    a.target, b.target = b.target, a.target
