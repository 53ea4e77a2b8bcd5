"""Reading and writing objects, and pointer arithmetic: everything that ends in `array[index]`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from xpiler.frontend.lower_context import Context, changes, number
from xpiler.frontend.lower_offsets import (
    flat_offset,
    in_units,
    plus,
    scaled,
    unit_of,
)
from xpiler.frontend.lower_types import (
    Array,
    Binding,
    CType,
    Fragment,
    Pointer,
    Reference,
    Register,
    Scalar,
    Struct,
    Thread,
    Vector,
    align_of,
    field_offsets,
    lanes_of,
    leaf_type,
    size_of,
)
from xpiler.frontend.lower_values import (
    ZERO,
    Address,
    AddressOf,
    Aggregate,
    Choice,
    Element,
    Elements,
    Memory,
    Number,
    PointerVariable,
    Value,
    Variable,
)
from xpiler.ir import build
from xpiler.ir.nodes import (
    Assign,
    Const,
    Decl,
    Expr,
    For,
    If,
    Instr,
    Load,
    LoopKind,
    Ref,
    Space,
    Stmt,
    Var,
)
from xpiler.ir.types import BOOL, I32, DType, promote

_ADDRESSED = frozenset({Space.GLOBAL, Space.CONSTANT, Space.SHARED})

# ------------------------------------------------------------------------------------------ objects


def both(value: Choice, change: Callable[[Value], Value]) -> Choice:
    """The same done to both sides."""
    first = change(value.first)
    return Choice(first.type, value.condition, first, change(value.second))


def target_of(ctx: Context, value: Value) -> Value:
    """What a pointer points to."""
    if isinstance(value, Choice):
        return both(value, lambda side: target_of(ctx, side))
    return deref(ctx, pointer_of(ctx, value))


def member(ctx: Context, value: Value, name: str) -> Value | None:
    """A data member of a struct object; None if it has none of that name."""
    if isinstance(value, Choice):
        first, second = member(ctx, value.first, name), member(ctx, value.second, name)
        return None if first is None or second is None else Choice(first.type, value.condition, first, second)
    if isinstance(value.type, Vector):
        from xpiler.frontend.lower_vectors import component

        at = component(value.type, name)
        return None if at is None else subscript(ctx, value, build.const(at))
    if isinstance(value, Aggregate):
        return value.fields.get(name)
    if isinstance(value.type, Fragment):
        return _fragment_member(ctx, value, value.type, name)
    if isinstance(value, Element) and isinstance(value.type, Struct):
        for field, offset, ctype in field_offsets(value.type):
            if field == name:
                return _inside(value, offset, ctype)
    return None


# Elements of a fragment that one thread holds: (dtype, use) -> for shapes (16,16,16), (32,8,16), (8,32,16).
_FRAGMENT_ELEMENTS: dict[tuple[str, str], tuple[int, int, int]] = {
    ("f16", "matrix_a"): (16, 16, 16),
    ("f16", "matrix_b"): (16, 16, 16),
    ("bf16", "matrix_a"): (8, 16, 4),
    ("bf16", "matrix_b"): (8, 4, 16),
    ("i8", "matrix_a"): (8, 16, 4),
    ("i8", "matrix_b"): (8, 4, 16),
    ("u8", "matrix_a"): (8, 16, 4),
    ("u8", "matrix_b"): (8, 4, 16),
    ("f64", "matrix_a"): (1, 1, 1),
    ("f64", "matrix_b"): (1, 1, 1),
}
_FRAGMENT_SHAPES = ((16, 16, 16), (32, 8, 16), (8, 32, 16))


def fragment_elements(fragment: Fragment, lanes: int) -> int:
    """`num_elements`: how many elements `x` has in each thread."""
    if lanes == 64:  # rocWMMA holds no element twice
        return fragment.shape[0] * fragment.shape[1] // lanes
    if fragment.use == "accumulator":
        return fragment.m * fragment.n // lanes
    shape = (fragment.m, fragment.n, fragment.k)
    known = _FRAGMENT_ELEMENTS.get((fragment.dtype.name, fragment.use))
    position = _FRAGMENT_SHAPES.index(shape) if shape in _FRAGMENT_SHAPES else 0
    return known[position] if known else fragment.shape[0] * fragment.shape[1] // lanes


def _fragment_member(ctx: Context, value: Value, fragment: Fragment, name: str) -> Value | None:
    if name in ("num_elements", "num_storage_elements"):
        return number(build.const(fragment_elements(fragment, ctx.warp_size)))
    if name == "x" and isinstance(value, Element):
        return Element(
            Array(Scalar(fragment.dtype), fragment_elements(fragment, ctx.warp_size)),
            value.memory,
            value.index,
        )
    return None


def _inside(element: Element, offset: int, ctype: CType) -> Element:
    memory = element.memory
    width = memory.dtype.bytes
    index = element.index
    alignment = element.alignment if offset == 0 else 0
    if (
        index is not None
        and len(index) == len(memory.shape) - 1
        and isinstance(ctype, Scalar)
        and ctype.dtype.bytes == width
    ):
        return Element(ctype, memory, (*index, build.const(offset // width)))
    unit = unit_of(ctype) or width
    if index is None and element.prefix and element.unit == unit and isinstance(ctype, Scalar):
        at = plus(memory, element.offset, build.const(offset // unit))
        return replace(element, type=ctype, offset=at, alignment=alignment)
    start, old = flat_offset(element)
    at = plus(memory, in_units(memory, start, old, unit), build.const(offset // unit))
    return Element(ctype, memory, None, at, unit, alignment=alignment)


def subscript(ctx: Context, value: Value, index: Expr) -> Value:
    """`value[index]` for arrays and pointers."""
    if isinstance(value, Choice):
        return both(value, lambda side: subscript(ctx, side, index))
    if isinstance(value, Elements):
        return _one_of(ctx, value, index)
    if isinstance(value.type, Thread):
        return value
    if isinstance(value, Aggregate) and isinstance(value.type, Vector):
        if isinstance(index, Const):
            return value.fields[str(int(index.value))]
        value = in_memory(ctx, value)
    if isinstance(value, Aggregate) and isinstance(value.type, Array):
        inner = value.type.element
        fields = {name: subscript(ctx, part, index) for name, part in value.fields.items()}
        assert isinstance(inner, (Struct, Array))
        return Aggregate(inner, fields)
    if isinstance(value, Element) and isinstance(value.type, (Array, Vector)):
        element = value.type.element
        if value.index is not None:
            return Element(element, value.memory, (*value.index, build.cast(index, promote(index.dtype))))
        alignment = value.alignment if build.is_const(index, 0) else 0
        if value.prefix and unit_of(element) == value.unit and isinstance(element, Scalar):
            at = plus(value.memory, value.offset, index)
            return replace(value, type=element, offset=at, alignment=alignment)
        offset, unit = flat_offset(value)
        return replace(_shifted(ctx, value.memory, offset, unit, element, index), alignment=alignment)
    if isinstance(value, Element) and isinstance(value.type, Register) and value.index is not None:
        return Element(Scalar(value.memory.dtype), value.memory, (*value.index, index))
    pointer = pointer_of(ctx, value)
    if isinstance(pointer, AddressOf):
        if build.is_const(index, 0):
            return pointer.target
        ctx.refuse(
            "pointer-to-variable", "a pointer to a single variable is indexed", remedy="make it an array"
        )
    assert isinstance(pointer, Address)
    return deref(ctx, advanced(ctx, pointer, index))


def _one_of(ctx: Context, array: Elements, index: Expr) -> Value:
    """The element at an index: `t == 0 ? p0 : t == 1 ? p1 : p2` where only a run knows it.

    A pointer among these is a value: which one an assignment would change cannot be told.
    """
    count = len(array.values)
    if isinstance(index, Const):
        if not 0 <= int(index.value) < count:
            ctx.refuse("array-index", f"element {int(index.value)} of an array of {count} is used")
        return array.values[int(index.value)]
    if count == 1:
        return array.values[0]
    from xpiler.frontend.lower_pointers import settled

    which = settled(ctx, index, "which")
    chosen = _fixed(ctx, array.values[-1])
    for position in reversed(range(count - 1)):
        test = build.eq(which, build.const(position, which.dtype))
        chosen = Choice(array.type.element, test, _fixed(ctx, array.values[position]), chosen)
    return chosen


def _fixed(ctx: Context, value: Value) -> Value:
    """The object with the pointers in it as what they are now."""
    match value:
        case PointerVariable():
            return pointer_of(ctx, value)
        case Elements(values=values):
            return replace(value, values=tuple(_fixed(ctx, v) for v in values))
        case Aggregate(fields=fields):
            return replace(value, fields={name: _fixed(ctx, part) for name, part in fields.items()})
    return value


def in_memory(ctx: Context, value: Value, name: str = "vector") -> Element:
    """A vector as an array of its own, where it is none yet."""
    if isinstance(value, Element) and value.memory.space is Space.LOCAL:
        return value
    from xpiler.frontend.lower_declarations import declare_object

    place = declare_object(ctx, name, value.type)
    assert isinstance(place, Element)
    copy(ctx, place, value)
    return place


def _shifted(ctx: Context, memory: Memory, offset: Expr, unit: int, element: CType, index: Expr) -> Element:
    new = unit_towards(element, unit, _unit(ctx, element))
    at = plus(memory, in_units(memory, offset, unit, new), scaled(memory, index, _stride(ctx, element, new)))
    return Element(element, memory, None, at, new)


def unit_towards(ctype: CType, current: int, wanted: int) -> int:
    """The unit to count objects of `ctype` in, coming from memory counted in `current` bytes.

    Vectors over narrower scalars mostly just move them (`*(float4*)halves`): those stay in the units of
    the memory. A
    scalar type is what the memory now holds.
    """
    return wanted if isinstance(ctype, Scalar) else min(current, wanted)


def _unit(ctx: Context, ctype: CType) -> int:
    unit = unit_of(ctype)
    if unit is None:
        ctx.refuse(
            "pointer-type",
            f"memory of type `{ctype}` is accessed through a pointer",
            remedy="use arrays of numbers",
        )
    return unit


def _stride(ctx: Context, ctype: CType, unit: int) -> int:
    size = size_of(ctype)
    if size is None or size % unit:
        ctx.refuse("incomplete-type", f"the size of `{ctype}` is not known here")
    return size // unit


def pointer_of(ctx: Context, value: Value) -> Address | AddressOf:
    """The pointer that a value is or decays to."""
    match value:
        case Address() | AddressOf():
            return value
        case PointerVariable(type=ctype, cell=cell):
            if cell.target is not None:
                return AddressOf(ctype, cell.target)
            if cell.memory is None:
                ctx.refuse("pointer-unset", f"pointer `{cell.name}` is used before it points anywhere")
            assert cell.offset is not None
            return Address(ctype, cell.memory, cell.offset, cell.unit)
        case Element(type=Array(element=element)):
            if value.index is not None and len(value.index) == len(value.memory.shape) - 1:
                # A row: keep its index, so that `As[i] + j` is `As[i][j]`.
                unit = value.memory.dtype.bytes
                return Address(Pointer(element), value.memory, ZERO, unit, value.index)
            offset, unit = flat_offset(value)
            return Address(Pointer(element), value.memory, offset, unit)
        case Aggregate(type=Array(element=element)):
            return AddressOf(Pointer(element), subscript(ctx, value, ZERO))
        case Choice():
            ctx.refuse(
                "pointer-base",
                "a pointer into one of two arrays cannot be used like this",
                remedy="use an if with one array in each branch",
            )
        case Number(expr=Const(value=0)):
            return Address(Pointer(Scalar(I32)), None, ZERO, 1)
    ctx.refuse("not-a-pointer", "a pointer or array is needed here")


def address_of(ctx: Context, value: Value) -> Address | AddressOf:
    """`&value`."""
    if isinstance(value, Element):
        pointer = Pointer(value.type)
        index = value.index
        if index is not None and len(index) == len(value.memory.shape) and len(index) > 1:
            return Address(pointer, value.memory, index[-1], value.memory.dtype.bytes, index[:-1])
        if value.prefix:
            return Address(pointer, value.memory, value.offset, value.unit, value.prefix)
        offset, unit = flat_offset(value)
        return Address(pointer, value.memory, offset, unit)
    return AddressOf(Pointer(value.type), value)


def advanced(ctx: Context, pointer: Address, index: Expr) -> Address:
    """`pointer + index`."""
    if build.is_const(index, 0):
        return pointer
    if pointer.memory is None:
        ctx.refuse("null-pointer", "arithmetic on a null pointer")
    element = pointer.type.pointee
    unit = _unit(ctx, element)
    memory = pointer.memory
    if (
        pointer.prefix
        and build.is_const(pointer.offset, 0)
        and unit == memory.dtype.bytes
        and lanes_of(element) == 1
    ):
        return replace(pointer, offset=build.cast(index, promote(index.dtype)), unit=unit)
    pointer = without_prefix(pointer)
    unit = unit_towards(element, pointer.unit, unit)
    step = scaled(memory, index, _stride(ctx, element, unit))
    return replace(
        pointer, offset=plus(memory, in_units(memory, pointer.offset, pointer.unit, unit), step), unit=unit
    )


def without_prefix(pointer: Address) -> Address:
    """The same address as one flat offset."""
    if not pointer.prefix or pointer.memory is None:
        return pointer
    whole = Element(pointer.type.pointee, pointer.memory, None, pointer.offset, pointer.unit, pointer.prefix)
    offset, unit = flat_offset(whole)
    return replace(pointer, offset=offset, unit=unit, prefix=())


def deref(ctx: Context, pointer: Address | AddressOf) -> Value:
    """`*pointer`."""
    if isinstance(pointer, AddressOf):
        return _retyped(ctx, pointer)
    ctype = pointer.type.pointee
    if pointer.memory is None:
        ctx.refuse("null-pointer", "a null pointer is dereferenced")
    unit = _unit(ctx, ctype)
    memory = pointer.memory
    alignment = _alignment(memory, ctype)
    if pointer.prefix:
        fits = unit == pointer.unit == memory.dtype.bytes and memory.shape[-1] % lanes_of(ctype) == 0
        if not fits:
            narrow = pointer.unit == memory.dtype.bytes and unit > pointer.unit
            if narrow and memory.shape[-1] * pointer.unit % (size_of(ctype) or 1) == 0:
                # Kept in units of the memory: copies then move its own elements, row by row.
                return Element(ctype, memory, None, pointer.offset, pointer.unit, pointer.prefix, alignment)
            pointer = without_prefix(pointer)
        elif isinstance(ctype, Scalar) and ctype.dtype == memory.dtype:
            return Element(ctype, memory, (*pointer.prefix, pointer.offset))
    # Units stay as narrow as they are: a division waits until something wider is really read.
    unit = unit_towards(ctype, pointer.unit, unit)
    offset = in_units(memory, pointer.offset, pointer.unit, unit)
    return Element(ctype, memory, None, offset, unit, pointer.prefix, alignment)


def _alignment(memory: Memory, ctype: CType) -> int:
    """What an object that is read at once has to be aligned to, where its array's elements are not.
    (Variables of a thread are in registers, or aligned by the compiler.)"""
    alignment = align_of(ctype) if isinstance(ctype, (Struct, Vector)) else 0
    return alignment if alignment > memory.dtype.bytes and memory.space in _ADDRESSED else 0


def _retyped(ctx: Context, pointer: AddressOf) -> Value:
    """`*(T*)&variable`: the variable itself, or its bits as another type of the same width."""
    wanted, target = pointer.type.pointee, pointer.target
    pointers = isinstance(wanted, Pointer) and isinstance(target.type, Pointer)  # `(void **)&p`: `p` itself
    if wanted == target.type or not isinstance(wanted, Scalar):
        if wanted != target.type and not pointers:
            ctx.refuse(
                "reinterpreted-variable", f"a variable of type `{target.type}` is accessed as `{wanted}`"
            )
        return target
    if isinstance(target.type, Scalar):
        if wanted.dtype == target.type.dtype:
            return target
        if wanted.dtype.bits == target.type.dtype.bits:
            return number(build.bitcast(load(ctx, target), wanted.dtype))
    ctx.refuse("reinterpreted-variable", f"a variable of type `{target.type}` is accessed as `{wanted}`")


# --------------------------------------------------------------------------------------- reading and writing


def place_of(ctx: Context, value: Value) -> Var | Load:
    """The place of a scalar object."""
    match value:
        case Variable(var=var):
            return Var(var.dtype, var.name)
        case Element(type=Scalar(dtype=dtype), memory=memory, index=index):
            if index is not None and memory.dtype == dtype:
                return Load(dtype, memory.name, index)
            if value.prefix and memory.dtype == dtype:
                return Load(dtype, memory.name, (*value.prefix, value.offset), value.alignment)
            offset, unit = flat_offset(value)
            at = in_units(memory, offset, unit, dtype.bytes)
            return Load(dtype, memory.name, (build.cast(at, promote(at.dtype)),), value.alignment)
    ctx.refuse("not-assignable", "this expression is no place that can be assigned to")


def _own_element(value: Value) -> Element | None:
    """The element of a local array that is seen as another type of the same width, as members of a union are;
    None where it is none."""
    match value:
        case Element(type=Scalar(dtype=dtype), memory=memory) if memory.space is Space.LOCAL:
            if (
                memory.dtype != dtype
                and memory.dtype.bits == dtype.bits
                and BOOL not in (dtype, memory.dtype)
            ):
                return replace(value, type=Scalar(memory.dtype))
    return None


def load(ctx: Context, value: Value) -> Expr:
    """The number that a value is or holds."""
    match value:
        case Number(expr=expr):
            return expr
        case Choice(condition=condition, first=first, second=second):
            return build.select(condition, load(ctx, first), load(ctx, second))
        case Element(type=Scalar(dtype=dtype)) if (own := _own_element(value)) is not None:
            return build.bitcast(place_of(ctx, own), dtype)
        case Variable() | Element(type=Scalar()):
            return place_of(ctx, value)
        case Aggregate(type=Struct(name="__half" | "half")):
            return load(ctx, value.fields["x"])
        case Aggregate(type=Struct(definition=None, arguments=(Binding(value=int(told)),))):
            return build.const(told)  # `std::true_type()`
    if isinstance(value.type, Register) and value.type.is_mask:
        from xpiler.frontend.lower_lanes import mask_number

        return mask_number(ctx, value)
    ctx.refuse("not-a-number", f"a number is needed here, not a value of type `{value.type}`")


def store(ctx: Context, target: Value, value: Expr, reduce: str | None = None) -> None:
    """`target = value` for scalars."""
    if isinstance(target, Choice):
        on_both_sides(ctx, target, lambda side: store(ctx, side, value, reduce))
        return
    own = _own_element(target) if reduce is None else None
    if own is not None:
        assert isinstance(target.type, Scalar)
        bits = build.bitcast(build.cast(value, target.type.dtype), own.memory.dtype)
        target, value = own, bits
    place = place_of(ctx, target)
    if isinstance(place, Load) and isinstance(target, Element) and target.memory.space is Space.CONSTANT:
        ctx.refuse("read-only", f"`{target.memory.name}` is constant memory and is written")
    ctx.emit(Assign(place, build.cast(value, place.dtype), reduce))


def on_both_sides(ctx: Context, target: Choice, action: Callable[[Value], None]) -> None:
    """The action on the side that the condition selects."""
    with ctx.branch() as yes:
        action(target.first)
    with ctx.branch() as no:
        action(target.second)
    ctx.emit(If(target.condition, ctx.sealed(yes), ctx.sealed(no)))


def snapshot(ctx: Context, value: Value) -> Value:
    """The value without its place: struct objects become aggregates of numbers."""
    match value:
        case Variable() | Element(type=Scalar()):
            return number(load(ctx, value), value.type.name if isinstance(value.type, Scalar) else "")
        case Element(type=Struct(fields=fields)) | Aggregate(type=Struct(fields=fields)):
            if isinstance(value.type, Struct) and any(isinstance(t, Array) for _, t in fields):
                return value
            assert isinstance(value.type, Struct)
            found = ((name, inner, member(ctx, value, name)) for name, inner in fields)
            kept = ((n, t, part) for n, t, part in found if part is not None)
            parts = {n: part if isinstance(t, Reference) else snapshot(ctx, part) for n, t, part in kept}
            return Aggregate(value.type, parts)
        case Element(type=Vector() as ctype):
            from xpiler.frontend.lower_vectors import elements, vector_value

            return vector_value(ctype, elements(ctx, value, ctype))
        case PointerVariable() | Element(type=Array()):
            return pointer_of(ctx, value)
        case Choice(type=Scalar(name=name)):
            return number(load(ctx, value), name)
        case Choice(type=Pointer()):
            return both(value, lambda side: snapshot(ctx, side))
        case Choice(type=Struct(fields=fields)):
            assert isinstance(value.type, Struct)
            members = {n: member(ctx, value, n) for n, _ in fields}
            return Aggregate(value.type, {n: snapshot(ctx, v) for n, v in members.items() if v is not None})
    return value


def copy(ctx: Context, target: Value, source: Value) -> None:
    """`target = source` for objects of equal struct or array type, or scalars."""
    if isinstance(target.type, Scalar):
        store(ctx, target, load(ctx, source))
        return
    if isinstance(target.type, Register):
        from xpiler.frontend.lower_registers import assign_register

        assign_register(ctx, target, source)
        return
    if _holds_registers(target.type):
        for part in _parts(ctx, target):
            copy(ctx, part(target), part(source))
        return
    if retargeted(ctx, target, source) or _copied_by_loop(ctx, target, source):
        return
    pairs = _pairs(ctx, *_as_stored(target, source))
    values = [load(ctx, part) for _, part in pairs]
    same_shape = isinstance(source, Element) or _is_object(source)
    for position, (place, _) in enumerate(pairs):
        with ctx.capture() as out:
            store(ctx, place, values[position])
        if not same_shape:
            # `v = make_float2(v.y, v.x)`: what is still to be read must not be overwritten.
            for later in range(position + 1, len(values)):
                if changes(out, values[later]):
                    values[later] = ctx.temporary(values[later])
        ctx.out.extend(out)


def _holds_registers(ctype: CType) -> bool:
    match ctype:
        case Array(element=element):
            return isinstance(element, Register) or _holds_registers(element)
        case Struct(fields=fields):
            return any(isinstance(t, Register) or _holds_registers(t) for _, t in fields)
    return False


def _parts(ctx: Context, value: Value) -> list[Callable[[Value], Value]]:
    """How to get at the members or elements of an object of this type."""

    def named(name: str) -> Callable[[Value], Value]:
        def part(whole: Value) -> Value:
            found = member(ctx, whole, name)
            assert found is not None
            return found

        return part

    def numbered(position: int) -> Callable[[Value], Value]:
        return lambda whole: subscript(ctx, whole, build.const(position))

    if isinstance(value.type, Array):
        return [numbered(i) for i in range(value.type.extent or 0)]
    assert isinstance(value.type, Struct)
    return [named(name) for name, _ in value.type.fields]


def _copied_by_loop(ctx: Context, target: Value, source: Value) -> bool:
    """Vectors in memory are filled element by element in a loop, from memory or with one number."""
    ctype = target.type
    if not isinstance(ctype, Vector) or not isinstance(target, Element) or ctype.extent < 2:
        return False
    if isinstance(source, Element) and source.type == ctype and source.memory != target.memory:
        element: Value | None = None
    elif isinstance(source, Aggregate) and len({load(ctx, v) for v in source.fields.values()}) == 1:
        element = source.fields["0"]
        if not isinstance(load(ctx, element), (Const, Var)):
            return False
    else:
        return False
    if isinstance(source, Element) and source.alignment:
        ctx.temporary(load(ctx, subscript(ctx, source, build.const(0))))  # says that they are aligned
    counter = Var(I32, ctx.fresh("e"))
    with ctx.branch() as out:
        value = load(ctx, element if element is not None else subscript(ctx, source, counter))
        store(ctx, subscript(ctx, target, counter), value)
    one, extent = build.const(1), build.const(ctype.extent)
    ctx.emit(For(counter.name, I32, build.const(0), extent, one, ctx.sealed(out), LoopKind.UNROLLED))
    return True


def retargeted(ctx: Context, target: Value, source: Value) -> bool:
    """`acc = mfma(...)`: an instruction that came last writes where its result is wanted."""
    if not (
        isinstance(source, Element) and isinstance(target, Element) and source.memory.name in ctx.results
    ):
        return False
    if target.memory.space is not Space.LOCAL or target.memory.dtype != source.memory.dtype:
        return False
    last = ctx.out[-1] if ctx.out else None
    if not isinstance(last, Instr) or not isinstance(last.operands[0], Ref):
        return False
    if last.operands[0].array != source.memory.name:
        return False
    offset, _ = flat_offset(target)
    ctx.out[-1] = replace(
        last, operands=(Ref(target.memory.dtype, target.memory.name, offset), *last.operands[1:])
    )
    ctx.results.discard(source.memory.name)
    own = next(n for n in reversed(range(len(ctx.out))) if _declares(ctx.out[n], source.memory.name))
    del ctx.out[own]
    return True


def _declares(stmt: Stmt, name: str) -> bool:
    return isinstance(stmt, Decl) and stmt.name == name


def carried_type(value: Value) -> DType | None:
    """The narrower scalar type of the memory that a vector is read from: `*(float4*)halves` moves halves."""
    if isinstance(value, Element) and isinstance(value.type, Struct) and value.type.is_vector:
        leaf = leaf_type(value.type)
        if leaf is not None and value.memory.dtype.bytes < leaf.bytes:
            return value.memory.dtype
    return None


def _as_stored(target: Value, source: Value) -> tuple[Value, Value]:
    """Both sides as arrays of the scalars that memory holds, where a wider vector only moves them."""
    dtype = carried_type(target)
    if dtype is None or dtype != carried_type(source) or target.type != source.type:
        return target, source
    return _in_scalars(target, dtype), _in_scalars(source, dtype)


def _in_scalars(value: Value, dtype: DType) -> Value:
    assert isinstance(value, Element)
    count = (size_of(value.type) or 0) // dtype.bytes
    if value.index is None and value.prefix and value.memory.shape[-1] % count == 0:
        offset = in_units(value.memory, value.offset, value.unit, dtype.bytes)
        return replace(value, type=Array(Scalar(dtype), count), offset=offset, unit=dtype.bytes)
    offset, unit = flat_offset(value)
    at = in_units(value.memory, offset, unit, dtype.bytes)
    ctype = Array(Scalar(dtype), count)
    return Element(ctype, value.memory, None, at, dtype.bytes, alignment=value.alignment)


def _is_object(value: Value) -> bool:
    return isinstance(value, Aggregate) and all(
        isinstance(v, (Variable, Element)) or _is_object(v) for v in value.fields.values()
    )


def _pairs(ctx: Context, target: Value, source: Value) -> list[tuple[Value, Value]]:
    ctype = target.type
    if isinstance(ctype, Scalar):
        return [(target, source)]
    if isinstance(ctype, (Array, Vector)) and ctype.extent is not None:
        indices = [build.const(i) for i in range(ctype.extent)]
        return [
            pair
            for i in indices
            for pair in _pairs(ctx, subscript(ctx, target, i), subscript(ctx, source, i))
        ]
    if isinstance(ctype, Struct):
        if ctype.is_union and isinstance(target, Element):
            return _pairs(ctx, *(_as_scalars(v) for v in (target, source)))
        result: list[tuple[Value, Value]] = []
        for name, _ in ctype.fields:
            to, from_ = member(ctx, target, name), member(ctx, source, name)
            if to is None or from_ is None:
                ctx.refuse("assignment-type", f"a value of type `{source.type}` is assigned to `{ctype}`")
            result.extend(_pairs(ctx, to, from_))
        return result
    ctx.refuse("assignment-type", f"values of type `{ctype}` cannot be assigned")


def _as_scalars(value: Value) -> Value:
    """A union seen as an array of its narrowest scalars."""
    leaf = leaf_type(value.type)
    assert leaf is not None and isinstance(value, Element)
    offset, unit = flat_offset(value)
    return Element(Array(Scalar(leaf), lanes_of(value.type)), value.memory, None, offset, unit)
