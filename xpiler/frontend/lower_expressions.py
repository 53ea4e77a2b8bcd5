"""Operators, names, members, subscripts, assignments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tree_sitter import Node

from xpiler.frontend.lower_context import (
    Context,
    constant,
    expression,
    named_children,
    number,
    shorten,
)
from xpiler.frontend.lower_convert import cast, construct
from xpiler.frontend.lower_half_bits import bits_of_half
from xpiler.frontend.lower_lanes import Lanes, lanes_of_value
from xpiler.frontend.lower_literals import named_constant
from xpiler.frontend.lower_memory import (
    address_of,
    advanced,
    both,
    load,
    member,
    pointer_of,
    snapshot,
    subscript,
    target_of,
    without_prefix,
)
from xpiler.frontend.lower_names import find_name, method_value, number_of_type
from xpiler.frontend.lower_offsets import exact_div, in_units
from xpiler.frontend.lower_operators import as_built_in, user_operator
from xpiler.frontend.lower_packs import pack_named
from xpiler.frontend.lower_registers import chosen, negated, register_operator, to_register
from xpiler.frontend.lower_typenames import find_type, type_of
from xpiler.frontend.lower_types import Array, Pointer, Register, Scalar, Struct, Vector, size_of
from xpiler.frontend.lower_values import (
    Address,
    AddressOf,
    Aggregate,
    Choice,
    ListValue,
    Memory,
    Nothing,
    Number,
    PointerVariable,
    SharedAddress,
    TypeName,
    Value,
)
from xpiler.frontend.lower_vectors import arithmetic_of, chosen_vector, unary_of
from xpiler.ir import build
from xpiler.ir.nodes import Assign, Call, Const, Decl, Expr, If, Ref, Space, Stmt, Unary, Var
from xpiler.ir.rewrite import substitute, walk
from xpiler.ir.types import BOOL, I32, I64, U64, common_type, promote

_COMPARISONS = {"<", "<=", ">", ">=", "==", "!="}


# ------------------------------------------------------------------------------------------ names and members


@expression(
    "identifier", "field_identifier", "this", "primitive_type", "type_identifier", "namespace_identifier"
)
def _identifier(ctx: Context, node: Node) -> Value:
    name = ctx.text(node)
    found = find_name(ctx, name) or named_constant(name)
    if found is None and name in ("warpSize", "AMDGCN_WAVE_SIZE"):  # of `rocwmma::Constants`
        found = constant(ctx.warp_size, I32)
    if found is not None:
        return found
    ctype = find_type(ctx, name)
    if ctype is not None:
        return TypeName(ctype)
    ctx.refuse(
        "unknown-name",
        f"`{name}` is not declared",
        node,
        "define it in the file, include the header that does, or pass --define",
    )


@expression("qualified_identifier")
def _qualified(ctx: Context, node: Node) -> Value:
    name = node.child_by_field_name("name")
    scope = node.child_by_field_name("scope")
    assert name is not None
    if scope is not None:
        found = static_member(ctx, scope, name)
        if found is not None:
            return found
    return ctx.value(name)


def static_member(ctx: Context, scope: Node, name: Node) -> Value | None:
    """`Struct<T>::member`: a static constant, an enumerator, a static method."""
    from xpiler.frontend.lower_names import struct_member

    owner = None
    if scope.type in ("template_type", "dependent_type", "decltype"):
        owner = type_of(ctx, scope)
    else:
        name_text = ctx.text(scope)
        known = (ctx.entities.structs, ctx.entities.aliases)
        if any(name_text in table for table in known) or ctx.scope.find_type(name_text) is not None:
            owner = find_type(ctx, name_text)
    if ctx.text(scope) == "numeric_limits" or ctx.text(scope).startswith(
        ("numeric_limits<", "std::numeric_limits<")
    ):
        return None
    if isinstance(owner, Struct):
        if owner.definition is None and ctx.text(name) == "value":
            return number_of_type(owner)
        return struct_member(ctx, owner, ctx.text(name).split("<")[0], None)
    return None


@expression("field_expression")
def _field(ctx: Context, node: Node) -> Value:
    argument = node.child_by_field_name("argument")
    field = node.child_by_field_name("field")
    assert argument is not None and field is not None
    receiver = ctx.value(argument)
    arrow = any(c.type == "->" for c in node.children)
    if arrow and not isinstance(receiver, Aggregate):
        receiver = target_of(ctx, receiver)
    return member_of(ctx, receiver, field, node)


def member_of(ctx: Context, receiver: Value, field: Node, node: Node) -> Value:
    name = ctx.text(field)
    explicit: tuple[Node, ...] = ()
    if field.type in ("template_method", "template_function", "dependent_field_identifier", "dependent_name"):
        if field.type.startswith("dependent"):
            return member_of(ctx, receiver, named_children(field)[-1], node)
        name_node, arguments = field.child_by_field_name("name"), field.child_by_field_name("arguments")
        name = ctx.text(name_node)
        explicit = tuple(named_children(arguments)) if arguments is not None else ()
    found = member(ctx, receiver, name)
    if found is not None:
        return found
    found = method_value(ctx, receiver, name, explicit)
    if found is not None:
        return found
    found = bits_of_half(ctx, receiver, name)
    if found is not None:
        return found
    ctx.refuse(
        "no-member", f"`{shorten(ctx.text(node))}`: type `{receiver.type}` has no member `{name}`", node
    )


@expression("parenthesized_expression", "condition_clause", "template_argument_list", "type_descriptor")
def _parenthesized(ctx: Context, node: Node) -> Value:
    inner = node.child_by_field_name("value")
    children = named_children(node)
    if inner is None and len(children) != 1:
        ctx.refuse("unsupported-expression", f"`{shorten(ctx.text(node))}` is not supported", node)
    return ctx.value(inner or children[0])


@expression("subscript_expression")
def _subscript(ctx: Context, node: Node) -> Value:
    argument = node.child_by_field_name("argument")
    indices = node.child_by_field_name("indices") or node.child_by_field_name("index")
    assert argument is not None and indices is not None
    parts = named_children(indices) if indices.type == "subscript_argument_list" else [indices]
    if len(parts) != 1:
        ctx.refuse("unsupported-expression", f"`{shorten(ctx.text(node))}` is not supported", node)
    base = ctx.value(argument)
    mark = len(ctx.out)
    index_value = ctx.value(parts[0])
    if isinstance(base.type, Struct) and not isinstance(base, (PointerVariable, Address)):
        result = user_operator(ctx, "[]", [base, index_value])
        if result is not None:
            return result
        base = as_built_in(ctx, base)
    if isinstance(base.type, Struct) and not isinstance(base, (PointerVariable, Address)):
        ctx.refuse("not-an-array", f"`{shorten(ctx.text(argument))}` of type `{base.type}` is indexed", node)
    if isinstance(index_value.type, (Pointer, Array)) and not isinstance(base.type, (Pointer, Array)):
        base, index_value = index_value, base  # `3[a]`
    if isinstance(base, PointerVariable):
        base = _held(ctx, base, mark)
    return subscript(ctx, base, load(ctx, index_value))


def _held(ctx: Context, pointer: PointerVariable, mark: int) -> Value:
    address = pointer_of(ctx, pointer)
    if isinstance(address, Address):
        return Address(address.type, address.memory, ctx.stable(address.offset, mark), address.unit)
    return address


@expression("pointer_expression")
def _pointer(ctx: Context, node: Node) -> Value:
    argument = node.child_by_field_name("argument")
    operator = node.child_by_field_name("operator")
    assert argument is not None and operator is not None
    value = ctx.value(argument)
    if operator.type == "&":
        return address_of(ctx, value)
    if argument.type == "this" or _is_this_cast(argument):
        return value
    if isinstance(value.type, Struct) and not isinstance(value, (PointerVariable, Address, AddressOf)):
        result = user_operator(ctx, "*", [value])
        return result if result is not None else refuse_operand(ctx, "*", value, node)
    if isinstance(value, Aggregate):
        return value
    return target_of(ctx, value)


def _is_this_cast(node: Node) -> bool:
    """`static_cast<const Derived *>(this)`, or `(const Derived *)this`."""
    while node.type == "parenthesized_expression":
        node = named_children(node)[0]
    if node.type == "cast_expression":
        value = node.child_by_field_name("value")
        return value is not None and value.type == "this"
    arguments = node.child_by_field_name("arguments") if node.type == "call_expression" else None
    name = node.child_by_field_name("function")
    is_cast = name is not None and name.type == "template_function" and b"_cast" in (name.text or b"")
    return is_cast and arguments is not None and [a.type for a in named_children(arguments)] == ["this"]


def refuse_operand(ctx: Context, operator: str, value: Value, node: Node) -> Value:
    ctx.refuse("operand-type", f"`{operator}` cannot be applied to a value of type `{value.type}`", node)


# ------------------------------------------------------------------------------------------ operators


@expression("unary_expression")
def _unary(ctx: Context, node: Node) -> Value:
    argument = node.child_by_field_name("argument")
    operator = node.child_by_field_name("operator")
    assert argument is not None and operator is not None
    value = ctx.value(argument)
    op = {"not": "!", "compl": "~"}.get(operator.type, operator.type)
    if isinstance(value.type, Struct) and not isinstance(value, Address):
        result = user_operator(ctx, op, [value])
        if result is not None:
            return result
        return refuse_operand(ctx, op, value, node)
    if isinstance(value.type, Vector):
        return unary_of(ctx, op, value)
    if op == "!":
        return number(build.not_(truth(ctx, value)))
    opposite = negated(ctx, value, op)
    if opposite is not None:
        return opposite
    operand = load(ctx, value)
    match op:
        case "-":
            return number(build.neg(operand))
        case "+":
            return number(build.cast(operand, promote(operand.dtype)))
        case "~":
            dtype = promote(operand.dtype)
            operand = build.cast(operand, dtype)
            if build.is_const(operand):
                return number(build.binary("^", operand, build.const(-1, dtype)))
            return number(Unary(dtype, "~", operand))
    ctx.refuse("unsupported-expression", f"operator `{op}` is not supported", node)


def truth(ctx: Context, value: Value) -> Expr:
    """The value as a condition."""
    if isinstance(value, (Address, PointerVariable, AddressOf)) or isinstance(value.type, Pointer):
        return build.not_(_is_null(ctx, value))
    if isinstance(value, Lanes):  # of a mask: that some lane is in it is known from its lanes
        value = replace(value, bits=None)
    return build.boolean(load(ctx, value))


def _is_null(ctx: Context, value: Value) -> Expr:
    if isinstance(value, Choice):
        return build.select(value.condition, _is_null(ctx, value.first), _is_null(ctx, value.second))
    pointer = pointer_of(ctx, value)
    if isinstance(pointer, AddressOf):
        if pointer.passed:
            ctx.refuse(
                "null-object",
                f"`{pointer.passed}` is asked for, which only stands for its members here",
                remedy="ask for that where the function is called",
            )
        return build.const(False, BOOL)
    if pointer.null_if is not None:
        return pointer.null_if
    if pointer.memory is None:
        return build.const(True, BOOL)
    return null_test(pointer.memory)


def null_test(memory: Memory) -> Expr:
    """Whether the array of a kernel parameter is there at all."""
    if memory.space is not Space.GLOBAL:
        return build.const(False, BOOL)
    return Call(BOOL, "is_null", (Ref(memory.dtype, memory.name, build.const(0)),))


@expression("binary_expression")
def _binary(ctx: Context, node: Node) -> Value:
    left_node = node.child_by_field_name("left")
    right_node = node.child_by_field_name("right")
    operator = node.child_by_field_name("operator")
    assert left_node is not None and right_node is not None and operator is not None
    op = {"and": "&&", "or": "||", "bitand": "&", "bitor": "|", "xor": "^", "not_eq": "!="}.get(
        operator.type, operator.type
    )
    left = ctx.value(left_node)
    if op in ("&&", "||"):
        return short_circuit(ctx, op, truth(ctx, left), right_node)
    mark = len(ctx.out)
    right = ctx.value(right_node)
    return arithmetic(ctx, op, left, right, mark, node)


def arithmetic(ctx: Context, op: str, left: Value, right: Value, mark: int, node: Node) -> Value:
    """A binary operator on two values, the left one read when `mark` statements were out."""
    if _is_struct(left) or _is_struct(right):
        result = user_operator(ctx, op, [left, right])
        if result is not None:
            return result
        first_plain, second_plain = as_built_in(ctx, left), as_built_in(ctx, right)
        if not _is_struct(first_plain) and not _is_struct(second_plain):
            return arithmetic(ctx, op, first_plain, second_plain, mark, node)
        ctx.refuse(
            "operand-type",
            f"operator `{op}` is not defined for `{left.type}` and `{right.type}`",
            node,
            f"define `operator{op}` for them in the file",
        )
    if isinstance(left.type, Vector) or isinstance(right.type, Vector):
        return arithmetic_of(ctx, op, left, right)
    if _is_pointer(left) or _is_pointer(right):
        return _pointer_arithmetic(ctx, op, left, right, node)
    combined = register_operator(ctx, op, left, right)
    if combined is not None:
        return combined
    emitted = len(ctx.out)
    loaded = load(ctx, left)  # of a mask its bits are gathered here, behind whatever the right side needed
    first = ctx.stable(loaded, mark if len(ctx.out) == emitted else len(ctx.out))
    second = load(ctx, right)
    if op in ("%", "&", "|", "^", "<<", ">>") and (first.dtype.is_float or second.dtype.is_float):
        ctx.refuse(
            "operand-type", f"operator `{op}` cannot be applied to `{left.type}` and `{right.type}`", node
        )
    whole = number(build.binary(op, first, second))
    based = left if isinstance(left, SharedAddress) else right
    if isinstance(based, SharedAddress) and (op == "+" or (op == "-" and based is left)):
        return SharedAddress(whole.type, whole.expr, based.memory)
    return whole


def _is_struct(value: Value) -> bool:
    return isinstance(value.type, Struct) and not isinstance(value, (Address, AddressOf, PointerVariable))


def _is_pointer(value: Value) -> bool:
    return isinstance(value, (Address, AddressOf, PointerVariable)) or isinstance(
        value.type, (Pointer, Array)
    )


def short_circuit(ctx: Context, op: str, first: Expr, right_node: Node) -> Value:
    with ctx.branch() as out:
        second = truth(ctx, ctx.value(right_node))
    if not out:
        return number(build.and_(first, second) if op == "&&" else build.or_(first, second))
    result = ctx.temporary(first)
    out.append(Assign(result, second))
    test = result if op == "&&" else build.not_(result)
    ctx.emit(If(test, ctx.sealed(out)))
    return number(Var(BOOL, result.name))


def _pointer_arithmetic(ctx: Context, op: str, left: Value, right: Value, node: Node) -> Value:
    if isinstance(left, Choice):
        return both(left, lambda side: _pointer_arithmetic(ctx, op, side, right, node))
    if op in ("+", "-") and not _is_pointer(right):
        step = load(ctx, right)
        return _moved(ctx, pointer_of(ctx, left), step if op == "+" else build.neg(signed(step)), node)
    if op == "+" and not _is_pointer(left):
        return _moved(ctx, pointer_of(ctx, right), load(ctx, left), node)
    first, second = pointer_of(ctx, left), pointer_of(ctx, right)
    if op in ("==", "!="):
        for one, other in ((first, second), (second, first)):
            if isinstance(one, Address) and one.memory is None:
                null = _is_null(ctx, other)
                return number(null if op == "==" else build.not_(null))
    if isinstance(first, Address) and isinstance(second, Address) and first.memory == second.memory:
        first, second = without_prefix(first), without_prefix(second)
        unit = min(first.unit, second.unit)
        a, b = (in_units(p.memory, p.offset, p.unit, unit) for p in (first, second))
        a, b = build.cast(a, I64), build.cast(b, I64)
        if op == "-":
            size = size_of(first.type.pointee) or 1
            return number(exact_div(build.sub(a, b), max(1, size // unit)))
        if op in _COMPARISONS:
            return number(build.binary(op, a, b))
    ctx.refuse(
        "pointer-arithmetic", f"`{shorten(ctx.text(node))}` combines pointers into different arrays", node
    )


def signed(step: Expr) -> Expr:
    return build.cast(step, I64) if step.dtype in (U64,) or not step.dtype.is_signed else step


def _moved(ctx: Context, pointer: Address | AddressOf, step: Expr, node: Node) -> Value:
    if isinstance(pointer, AddressOf):
        if build.is_const(step, 0):
            return pointer
        ctx.refuse("pointer-to-variable", "arithmetic on a pointer to a single variable", node)
    return advanced(ctx, pointer, step)


@expression("conditional_expression")
def _conditional(ctx: Context, node: Node) -> Value:
    condition = node.child_by_field_name("condition")
    yes, no = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
    assert condition is not None and yes is not None and no is not None
    test = truth(ctx, ctx.value(condition))
    if build.is_const(test):
        chosen, other = (yes, no) if test == build.const(True, BOOL) else (no, yes)
        result = snapshot(ctx, ctx.value(chosen))
        if isinstance(result, Number):
            with ctx.capture():
                side = ctx.value(other)
                dtype = side.type.dtype if isinstance(side.type, Scalar) else result.expr.dtype
            if dtype != result.expr.dtype:
                return number(build.cast(result.expr, common_type(result.expr.dtype, dtype)))
        return result
    with ctx.branch() as yes_out:
        first = snapshot(ctx, one := ctx.value(yes))
    with ctx.branch() as no_out:
        second = snapshot(ctx, two := ctx.value(no))
    if isinstance(one.type, Vector) and one.type == two.type and not yes_out and not no_out:
        return chosen_vector(ctx, test, one, two, one.type)
    plain = _spelled(first, yes_out), _spelled(second, no_out)
    if plain[0] is not None and plain[1] is not None:
        return chosen_of(ctx, test, plain[0], plain[1], node)
    return _branching(ctx, test, (first, yes_out), (second, no_out), node)


def _spelled(side: Value, named: Sequence[Stmt]) -> Value | None:
    """A side of a choice without statements before it; None if there must be some. Integers that are only
    given names, such as the arguments of `smaller(n - i, 16)`, are written where the names stand."""
    if not named:
        return side
    if not isinstance(side, Number) or not side.expr.dtype.is_integer:
        return None
    known: dict[str, Expr] = {}
    for stmt in named:
        match stmt:
            case Decl(name=name, shape=(), init=Expr() as init) if init.dtype.is_integer:
                known[name] = substitute(init, known)
            case _:
                return None
    spelled = substitute(side.expr, known)
    return replace(side, expr=spelled) if sum(1 for _ in walk(spelled)) <= _LONGEST_SPELLED else None


_LONGEST_SPELLED = 80  # nodes of an expression


def chosen_of(ctx: Context, test: Expr, first: Value, second: Value, node: Node) -> Value:
    """`test ? first : second` for values without effects."""
    if isinstance(first, Nothing) or isinstance(second, Nothing):
        return first
    first, second = _as_masks(ctx, first, second)
    if isinstance(first.type, Register) and isinstance(second.type, Register):
        return chosen(ctx, test, lanes_of_value(ctx, first), lanes_of_value(ctx, second))
    if _is_pointer(first) or _is_pointer(second):
        if isinstance(first, Choice) or isinstance(second, Choice):
            first, second = snapshot(ctx, first), snapshot(ctx, second)
            return Choice(first.type, test, first, second)
        a, b = pointer_of(ctx, first), pointer_of(ctx, second)
        for one, other, null_if in ((a, b, test), (b, a, build.not_(test))):
            if (
                isinstance(one, Address)
                and isinstance(other, Address)
                and one.memory is None
                and other.memory
            ):
                return _null_or(other, other.memory, null_if)
        if isinstance(a, Address) and isinstance(b, Address) and a.memory == b.memory:
            a, b = without_prefix(a), without_prefix(b)
            unit = min(a.unit, b.unit)
            offsets = [build.cast(in_units(p.memory, p.offset, p.unit, unit), I64) for p in (a, b)]
            return Address(a.type, a.memory, build.select(test, *offsets), unit)
        return Choice(a.type, test, a, b)
    if isinstance(first.type, Struct) and isinstance(first, Aggregate):
        if not isinstance(second, Aggregate):
            second = construct(ctx, first.type, [second])
        assert isinstance(second, Aggregate)
        fields = {n: chosen_of(ctx, test, v, second.fields[n], node) for n, v in first.fields.items()}
        return Aggregate(first.type, fields)
    return number(build.select(test, load(ctx, first), load(ctx, second)))


def _as_masks(ctx: Context, first: Value, second: Value) -> tuple[Value, Value]:
    """A mask and the number of another one, `rest < 16 ? low : 0xffff`, as two masks."""
    for mask, other in ((first.type, second), (second.type, first)):
        if isinstance(mask, Register) and mask.is_mask and isinstance(other, Number):
            bits = other.expr
            if isinstance(bits, Const) and 0 <= bits.value < 1 << mask.lanes:
                return to_register(ctx, first, mask), to_register(ctx, second, mask)
    return first, second


def _null_or(pointer: Address, memory: Memory, null_if: Expr) -> Address:
    """`condition ? pointer : nullptr`."""
    own = pointer.null_if if pointer.null_if is not None else null_test(memory)
    condition = null_if if build.is_const(own, 0) or own == null_if else build.or_(null_if, own)
    if condition == null_test(memory):
        return pointer
    return replace(pointer, null_if=condition)


def _branching(
    ctx: Context, test: Expr, first: tuple[Value, list[Stmt]], second: tuple[Value, list[Stmt]], node: Node
) -> Value:
    if isinstance(first[0], Nothing) or isinstance(second[0], Nothing):
        ctx.emit(If(test, ctx.sealed(first[1]), ctx.sealed(second[1])))
        return first[0]
    joined = _joined(ctx, first, second)
    if joined is not None:
        ctx.emit(If(test, ctx.sealed(first[1]), ctx.sealed(second[1])))
        return joined
    ctx.refuse(
        "conditional-effects",
        f"`{shorten(ctx.text(node))}`: sides with effects and of type `{first[0].type}` are not supported",
        node,
        "write it as an if statement",
    )


def _joined(ctx: Context, first: tuple[Value, list[Stmt]], second: tuple[Value, list[Stmt]]) -> Value | None:
    """A value for each number of the two sides, assigned at the end of either; None for other types."""
    (one, yes), (two, no) = first, second
    if isinstance(one.type, Scalar) and isinstance(two.type, Scalar):
        a, b = load(ctx, one), load(ctx, two)
        dtype = a.dtype if a.dtype == b.dtype else common_type(a.dtype, b.dtype)
        result = Var(dtype, ctx.fresh("t"))
        ctx.emit(Decl(result.name, dtype))
        yes.append(Assign(result, build.cast(a, dtype)))
        no.append(Assign(result, build.cast(b, dtype)))
        return number(Var(dtype, result.name))
    if one.type != two.type or not (isinstance(one, Aggregate) and isinstance(two, Aggregate)):
        return None
    fields: dict[str, Value] = {}
    for name, value in one.fields.items():
        joined = _joined(ctx, (value, yes), (two.fields[name], no))
        if joined is None:
            return None
        fields[name] = joined
    return Aggregate(one.type, fields)


# ------------------------------------------------------------------------------------------ types as operands


@expression("cast_expression")
def _cast(ctx: Context, node: Node) -> Value:
    type_node, value_node = node.child_by_field_name("type"), node.child_by_field_name("value")
    assert type_node is not None and value_node is not None
    return cast(ctx, value_node, type_of(ctx, type_node))


@expression("sizeof_expression", "alignof_expression")
def _sizeof(ctx: Context, node: Node) -> Value:
    if any(c.type == "..." for c in node.children):
        name = named_children(node)[-1]
        pack = pack_named(ctx, ctx.text(name))
        if pack is None:
            ctx.refuse("pack", f"`{ctx.text(name)}` is no parameter pack", node)
        return constant(len(pack.elements), U64)
    type_node = node.child_by_field_name("type")
    value_node = node.child_by_field_name("value")
    if type_node is not None:
        ctype = type_of(ctx, type_node)
    else:
        assert value_node is not None
        with ctx.capture():
            ctype = ctx.value(value_node).type
    size = size_of(ctype)
    if size is None:
        ctx.refuse("sizeof", f"the size of `{ctype}` is not known here", node)
    return constant(size, U64)


@expression("initializer_list")
def _list(ctx: Context, node: Node) -> Value:
    from xpiler.frontend.lower_types import Auto

    return ListValue(Auto(), tuple(named_children(node)), ctx.scope)


@expression("compound_literal_expression")
def _compound_literal(ctx: Context, node: Node) -> Value:
    type_node, value = node.child_by_field_name("type"), node.child_by_field_name("value")
    assert type_node is not None and value is not None
    return construct(ctx, type_of(ctx, type_node), ctx.value(value))
