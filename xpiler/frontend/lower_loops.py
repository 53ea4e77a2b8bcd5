"""Loops: a C `for` that counts becomes `For`, every other loop `While`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tree_sitter import Node

from xpiler.frontend.lower_assignment import effect
from xpiler.frontend.lower_context import Context, named_children, number, statement
from xpiler.frontend.lower_memory import load
from xpiler.frontend.lower_scan import identifiers
from xpiler.frontend.lower_statements import condition_of
from xpiler.frontend.lower_typenames import declared, try_constant, type_of
from xpiler.frontend.lower_types import Auto, Scalar
from xpiler.frontend.lower_values import Variable
from xpiler.ir import build
from xpiler.ir.nodes import (
    EMPTY,
    TRUE,
    Assign,
    Binary,
    Block,
    Break,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    If,
    LoopKind,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import uses
from xpiler.ir.types import DType, Kind
from xpiler.platforms.registry import PLATFORMS


@dataclass(frozen=True)
class _Counted:
    """`for (name = start; name < bound; name += step)`; with `down` the comparison and the step are
    mirrored."""

    name: str
    dtype: DType
    start: Node
    bound: Node
    inclusive: bool
    exact: bool  # `!=`
    step: Node | int
    down: bool
    ahead: int = 0  # of `i + ahead < bound`


@statement("for_statement")
def _for(ctx: Context, node: Node) -> None:
    kind, unroll = _unrolling(ctx, node)
    if kind is LoopKind.SERIAL and _is_shared_out(ctx, node):
        kind = LoopKind.PARALLEL
    with ctx.nested():
        counted = _counted(ctx, node)
        if counted is not None and _lower_counted(ctx, node, counted, kind, unroll):
            return
        _lower_general(ctx, node)


_COLLAPSE = re.compile(r"\bcollapse\s*\(\s*(\d+)\s*\)")


_TAKING_TURNS = re.compile(r"omp\s+(atomic|critical|ordered)\b")


def _is_shared_out(ctx: Context, node: Node) -> bool:
    """Whether OpenMP shares the loop out, by a pragma before it or by `collapse` of one around it. Iterations
    that take turns somewhere inside are not independent as they stand (`passes/scatter_atomics.py`)."""
    words = ctx.entities.unit.pragma_before(node)
    ctx.collapsed = max(0, ctx.collapsed - 1)
    if re.match(r"omp\b.*\b(for|loop|taskloop)\b", words):
        found = _COLLAPSE.search(words)
        ctx.collapsed = int(found[1]) if found else 1
    return ctx.collapsed > 0 and not any(_TAKING_TURNS.match(t) for t in ctx.entities.unit.pragmas_in(node))


def _goes_on(ctx: Context, node: Node) -> bool:
    """Whether OpenMP's threads go on to another loop of the same region without waiting for each other."""
    unit = ctx.entities.unit
    if "nowait" not in unit.pragma_before(node):
        return False
    following = node.next_named_sibling
    while following is not None:
        words = unit.pragma_before(following)
        if re.match(r"omp\s+barrier\b", words):
            return False
        if re.match(r"omp\s+for\b", words):
            return True
        following = following.next_named_sibling
    return False


def _unrolling(ctx: Context, node: Node) -> tuple[LoopKind, int]:
    words = ctx.entities.unit.pragma_before(node).replace("(", " ").replace(")", " ").split()
    if words[:1] in (["GCC"], ["clang"]):
        words = [w for w in words[1:] if w != "loop"]
    if not words or words[0] not in ("unroll", "nounroll"):
        return LoopKind.SERIAL, 0
    if len(words) == 1:
        return (LoopKind.UNROLLED if words[0] == "unroll" else LoopKind.SERIAL), 0
    factor = ctx.scope.find(words[1])
    try:
        count = int(words[1], 0)
    except ValueError:
        expr = load(ctx, factor) if factor is not None else None
        count = int(expr.value) if isinstance(expr, Const) else 0
    return (LoopKind.SERIAL if count == 1 else LoopKind.UNROLLED), max(0, count)


# ------------------------------------------------------------------------------------------ counted loops


def _counted(ctx: Context, node: Node) -> _Counted | None:
    """The loop's parts if its header has the form of a counted loop over a variable that the body leaves
    alone."""
    initializer = node.child_by_field_name("initializer")
    condition, update = node.child_by_field_name("condition"), node.child_by_field_name("update")
    body = node.child_by_field_name("body")
    if initializer is None or condition is None or update is None or body is None:
        return None
    head = _header(ctx, node, initializer)
    if head is None:
        return None
    name, dtype, start = head
    if dtype.is_float or dtype.bits < 32 or name in ctx.entities.mutations_of(body).changed:
        return None
    bound = _bound(ctx, name, condition)
    step = _step(ctx, name, update)
    if bound is None or step is None:
        return None
    comparison, bound_node, ahead = bound
    amount, down = step
    if ahead and (down or comparison == "!=" or not dtype.is_signed or _model(ctx) != "simt"):
        return None  # of strips of lanes `passes/counting.py` knows where the last whole one ends
    if comparison == "!=":
        return _Counted(name, dtype, start, bound_node, False, True, amount, down) if amount == 1 else None
    if down != (comparison in (">", ">=")):
        return None
    if down and not dtype.is_signed:
        return None
    return _Counted(name, dtype, start, bound_node, "=" in comparison, False, amount, down, ahead)


def _header(ctx: Context, loop: Node, initializer: Node) -> tuple[str, DType, Node] | None:
    """(name, type, start) of the loop variable: declared here, or declared before and used in this loop
    alone."""
    if initializer.type == "declaration":
        declarators = initializer.children_by_field_name("declarator")
        type_node = initializer.child_by_field_name("type")
        if len(declarators) != 1 or declarators[0].type != "init_declarator" or type_node is None:
            return None
        start = declarators[0].child_by_field_name("value")
        ctype = type_of(ctx, type_node)
        name, ctype, _ = declared(ctx, ctype, declarators[0])
        if start is None or start.type in ("initializer_list", "argument_list"):
            return None
        if isinstance(ctype, Auto):
            with ctx.capture():
                ctype = ctx.value(start).type
        return (name, ctype.dtype, start) if isinstance(ctype, Scalar) else None
    if initializer.type == "expression_statement":
        initializer = named_children(initializer)[0]
    if (
        initializer.type != "assignment_expression"
        or ctx.text(initializer.child_by_field_name("operator")) != "="
    ):
        return None
    left, start = initializer.child_by_field_name("left"), initializer.child_by_field_name("right")
    if left is None or start is None or left.type != "identifier":
        return None
    name = ctx.text(left)
    found = ctx.scope.find(name)
    if not isinstance(found, Variable) or _used_elsewhere(ctx, loop, name):
        return None
    return name, found.type.dtype, start


def _used_elsewhere(ctx: Context, loop: Node, name: str) -> bool:
    """Whether a variable of the function lives outside loops that start by setting it."""
    top = loop
    while top.parent is not None and top.type not in ("function_definition", "lambda_expression"):
        top = top.parent
    for node in identifiers(top, name, ctx.text):
        around: Node | None = node
        header = False
        while around is not None and around.id != top.id:
            if around.type == "init_declarator" or (
                around.type == "declaration"
                and any(d.id == node.id for d in around.children_by_field_name("declarator"))
            ):
                header = True
                break
            if around.type == "for_statement":
                start = around.child_by_field_name("initializer")
                if (
                    start is not None
                    and start.type != "declaration"
                    and ctx.text(start).replace(" ", "").startswith(f"{name}=")
                ):
                    header = True
                    break
            around = around.parent
        if not header:
            return True
    return False


_SWAPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!="}


def _model(ctx: Context) -> str:
    return PLATFORMS[ctx.entities.unit.platform].model


def _bound(ctx: Context, name: str, condition: Node) -> tuple[str, Node, int] | None:
    """(comparison, bound, ahead) of `i < bound` or `i + ahead < bound`."""
    while condition.type in ("parenthesized_expression", "condition_clause"):
        condition = named_children(condition)[0]
    if condition.type != "binary_expression":
        return None
    left, right = condition.child_by_field_name("left"), condition.child_by_field_name("right")
    operator = ctx.text(condition.child_by_field_name("operator"))
    if left is None or right is None or operator not in _SWAPPED:
        return None
    other, ahead = right, _ahead(ctx, name, left)
    if ahead is None:
        other, operator, ahead = left, _SWAPPED[operator], _ahead(ctx, name, right)
    if ahead is None or any(True for _ in identifiers(other, name, ctx.text)):
        return None
    return operator, other, ahead


def _ahead(ctx: Context, name: str, node: Node) -> int | None:
    """3 of `i + 3`, 0 of `i`, None of anything but the variable and constants."""
    while node.type == "parenthesized_expression":
        node = named_children(node)[0]
    if node.type == "identifier":
        return 0 if ctx.text(node) == name else None
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    sign = ctx.text(node.child_by_field_name("operator")) if node.type == "binary_expression" else ""
    if left is None or right is None or sign not in ("+", "-"):
        return None
    if sign == "+" and any(True for _ in identifiers(right, name, ctx.text)):
        left, right = right, left
    inner = _ahead(ctx, name, left)
    if inner is None or any(True for _ in identifiers(right, name, ctx.text)):
        return None
    more = try_constant(ctx, right)
    if more is None or not more.dtype.is_integer or not more.dtype.is_signed:
        return None
    return inner + int(more.value) if sign == "+" else inner - int(more.value)


def _step(ctx: Context, name: str, update: Node) -> tuple[Node | int, bool] | None:
    """(amount, downwards) of `i++`, `i += e`, `i = i + e`, `i -= e`..."""
    while update.type == "parenthesized_expression":
        update = named_children(update)[0]
    if update.type == "update_expression":
        target = update.child_by_field_name("argument")
        down = ctx.text(update.child_by_field_name("operator")) == "--"
        return (1, down) if target is not None and ctx.text(target) == name else None
    if update.type != "assignment_expression":
        return None
    left, right = update.child_by_field_name("left"), update.child_by_field_name("right")
    operator = ctx.text(update.child_by_field_name("operator"))
    if left is None or right is None or ctx.text(left) != name:
        return None
    if operator == "=" and right.type == "binary_expression":
        first, second = right.child_by_field_name("left"), right.child_by_field_name("right")
        sign = ctx.text(right.child_by_field_name("operator"))
        if first is None or second is None or sign not in ("+", "-"):
            return None
        if ctx.text(first) != name and sign == "+" and ctx.text(second) == name:
            first, second = second, first
        if ctx.text(first) != name:
            return None
        operator, right = f"{sign}=", second
    if operator not in ("+=", "-=") or any(True for _ in identifiers(right, name, ctx.text)):
        return None
    value = try_constant(ctx, right)
    if value is not None and not value.dtype.is_float:
        amount = int(value.value)
        if amount == 0:
            return None
        return abs(amount), (operator == "-=") != (amount < 0)
    return right, operator == "-="


def _lower_counted(ctx: Context, node: Node, loop: _Counted, kind: LoopKind, unroll: int) -> bool:
    """Emits the loop as `For`; False, with nothing emitted, if bound or step turn out to vary in the body."""
    outer_names = set(ctx.names)
    with ctx.capture() as out:
        done = _try_counted(ctx, node, loop, kind, unroll)
    if not done:
        ctx.names = outer_names
        return False
    ctx.out.extend(out)
    return True


def _try_counted(ctx: Context, node: Node, loop: _Counted, kind: LoopKind, unroll: int) -> bool:
    dtype = loop.dtype
    start = build.cast(load(ctx, ctx.value(loop.start)), dtype)
    first_non_negative = non_negative(ctx, start)
    mark = len(ctx.out)
    bound = load(ctx, ctx.value(loop.bound))
    if bound.dtype.is_float:
        return False
    as_unsigned = dtype.is_signed and bound.dtype.kind is Kind.UINT and bound.dtype.bits >= dtype.bits
    if as_unsigned and (loop.down or not first_non_negative):
        # C compares as unsigned here: the same thing only for a variable that is never negative.
        return False
    # An unsigned variable: a negative bound is a huge unsigned one, in C as after the conversion.
    bound = build.cast(bound, dtype)
    if loop.ahead:
        bound = build.sub(bound, build.const(loop.ahead, dtype))
    step = (
        build.const(loop.step, dtype)
        if isinstance(loop.step, int)
        else build.cast(load(ctx, ctx.value(loop.step)), dtype)
    )
    if len(ctx.out) > mark and any(not isinstance(s, Decl) for s in ctx.out[mark:]):
        return False
    for expr in (bound, step):
        if _varies_by_type(expr):
            return False
    body_node = node.child_by_field_name("body")
    assert body_node is not None
    if loop.down:
        var, body = _downward_body(ctx, loop, start, bound, step, body_node)
        extent = _extent(start, bound, loop.inclusive)
        start, stop = build.const(0, dtype), extent
    else:
        var = ctx.fresh(loop.name)
        ctx.settled.add(var)
        if first_non_negative:
            ctx.non_negative.add(var)
        ctx.scope.names[loop.name] = Variable(Scalar(dtype), Var(dtype, var), is_const=True)
        body = _body(ctx, body_node)
        stop = build.add(bound, build.const(1, dtype)) if loop.inclusive else bound
    if any(_changed_by(body, expr) for expr in (bound, step)):
        return False
    if kind is LoopKind.PARALLEL and _leaves_something(body):
        kind = LoopKind.SERIAL
    waits = kind is not LoopKind.PARALLEL or not _goes_on(ctx, node)
    ctx.emit(For(var, dtype, start, stop, step, body, kind, unroll, waits))
    return True


def _leaves_something(body: Block) -> bool:
    """Whether iterations leave values in variables of the function: a sum, the last one of something."""
    found = uses(body)
    return bool(found.vars_assigned - found.vars_declared)


def _changed_by(body: Block, expr: Expr) -> bool:
    wanted, done = uses(expr), uses(body)
    return bool(done.vars_assigned & wanted.vars_read or (done.arrays_written & wanted.arrays_read))


def _varies_by_type(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.function == "is_null"


def _downward_body(
    ctx: Context, loop: _Counted, start: Expr, bound: Expr, step: Expr, body: Node
) -> tuple[str, Block]:
    """`for (i = start; i >= bound; i -= step)` counts up; the body begins with `i = start - count`."""
    if not isinstance(start, (Const, Var)) or (isinstance(start, Var) and start.name not in ctx.settled):
        start = ctx.temporary(start, f"{loop.name}_start")
    counter = ctx.fresh(f"{loop.name}_down")
    ctx.settled.add(counter)
    name = ctx.fresh(loop.name)
    ctx.settled.add(name)
    value = build.sub(start, Var(loop.dtype, counter))
    ctx.scope.names[loop.name] = Variable(Scalar(loop.dtype), Var(loop.dtype, name), is_const=True)
    block = _body(ctx, body)
    return counter, Block((Decl(name, loop.dtype, init=value), *block.body))


def _extent(start: Expr, bound: Expr, inclusive: bool) -> Expr:
    """`start - bound`, and one more if inclusive; `(n - 1) - 0 + 1` is `n`."""
    more = 1 if inclusive else 0
    match start, bound:
        case Binary(op="-", left=left, right=Const(value=less)), Const(value=low):
            rest = int(less) + int(low) - more
            return (
                build.sub(left, build.const(rest, left.dtype))
                if rest >= 0
                else build.add(left, build.const(-rest, left.dtype))
            )
        case _, Const(value=low):
            rest = int(low) - more
            return (
                build.sub(start, build.const(rest, start.dtype))
                if rest >= 0
                else build.add(start, build.const(-rest, start.dtype))
            )
    extent = build.sub(start, bound)
    return build.add(extent, build.const(1, extent.dtype)) if inclusive else extent


def _body(ctx: Context, node: Node) -> Block:
    ctx.breaks.append(None)
    block = ctx.block(node)
    ctx.breaks.pop()
    return block


def non_negative(ctx: Context, expr: Expr) -> bool:
    """Whether a value is known not to be negative (as a signed number of its width, overflow aside)."""
    match expr:
        case Const(value=value):
            return value >= 0
        case Var(dtype=dtype, name=name):
            return not dtype.is_signed or name in ctx.non_negative
        case Cast(operand=operand):
            return operand.dtype.is_integer and non_negative(ctx, operand)
        case Binary(op="+" | "*" | "/" | ">>" | "<<" | "|", left=left, right=right):
            return non_negative(ctx, left) and non_negative(ctx, right)
        case Binary(op="%", left=left):
            return non_negative(ctx, left)
        case Binary(op="&", left=left, right=right):
            return non_negative(ctx, left) or non_negative(ctx, right)
    return not expr.dtype.is_signed


# ------------------------------------------------------------------------------------------ other loops


def _lower_general(ctx: Context, node: Node) -> None:
    initializer = node.child_by_field_name("initializer")
    condition, update = node.child_by_field_name("condition"), node.child_by_field_name("update")
    body_node = node.child_by_field_name("body")
    assert body_node is not None
    if initializer is not None:
        if initializer.type in ("declaration", "expression_statement"):
            ctx.statement(initializer)
        else:
            effect(ctx, initializer)
    test, before = _test(ctx, condition)
    body = _body(ctx, body_node)
    with ctx.branch() as advance:
        if update is not None:
            effect(ctx, update)
    _emit_while(ctx, test, before, body, ctx.sealed(advance) if advance else EMPTY)


def _test(ctx: Context, condition: Node | None) -> tuple[Expr, list[Stmt]]:
    if condition is None:
        return TRUE, []
    with ctx.branch() as before:
        test = condition_of(ctx, condition)
    return test, before


def _emit_while(ctx: Context, test: Expr, before: list[Stmt], body: Block, advance: Block) -> None:
    if before:
        stop = If(build.not_(test), Block((Break(),)))
        body, test = Block((*before, stop, *body.body), range=body.range), TRUE
    ctx.emit(While(test, body, advance=advance))


@statement("while_statement")
def _while(ctx: Context, node: Node) -> None:
    condition, body_node = node.child_by_field_name("condition"), node.child_by_field_name("body")
    assert condition is not None and body_node is not None
    with ctx.nested():
        test, before = _test(ctx, condition)
        _emit_while(ctx, test, before, _body(ctx, body_node), EMPTY)


@statement("do_statement")
def _do(ctx: Context, node: Node) -> None:
    condition, body_node = node.child_by_field_name("condition"), node.child_by_field_name("body")
    assert condition is not None and body_node is not None
    body = _body(ctx, body_node)
    test, before = _test(ctx, condition)
    if isinstance(test, Const) and not test.value and not before and not _jumps(body_node):
        ctx.out.extend(body.body)  # do { ... } while (0)
        return
    if not before:
        ctx.emit(While(test, body, do_while=True))
        return
    go = ctx.temporary(TRUE, "again")
    ctx.emit(While(go, body, advance=ctx.sealed([*before, Assign(go, test)])))


def _jumps(node: Node) -> bool:
    """Whether a `break` or `continue` may belong to the loop whose body this is."""
    if node.type in ("break_statement", "continue_statement"):
        return True
    if node.type in ("for_statement", "while_statement", "do_statement", "lambda_expression"):
        return False
    return any(_jumps(child) for child in node.named_children)


@statement("for_range_loop")
def _for_range(ctx: Context, node: Node) -> None:
    ctx.refuse("unsupported-statement", "range-based for loops are not supported", node, "use an index")


def counter(dtype: DType, name: str) -> Expr:
    return number(Var(dtype, name)).expr
