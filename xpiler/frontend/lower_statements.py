"""Statements: blocks, branches, switch, return, break."""

from __future__ import annotations

from tree_sitter import Node

from xpiler.frontend.lower_assignment import effect
from xpiler.frontend.lower_context import (
    Context,
    Leave,
    Scope,
    named_children,
    shorten,
    statement,
)
from xpiler.frontend.lower_convert import convert
from xpiler.frontend.lower_expressions import truth
from xpiler.frontend.lower_leave import resolve
from xpiler.frontend.lower_memory import load, store
from xpiler.frontend.lower_pointers import join_sides, one_side
from xpiler.frontend.lower_typenames import constant_int, is_template, template_type
from xpiler.frontend.lower_types import VOID, Auto
from xpiler.frontend.lower_values import Nothing
from xpiler.ir import build
from xpiler.ir.nodes import EMPTY, Break, Const, Continue, Expr, If, Return, Stmt, Var
from xpiler.ir.types import promote


@statement("compound_statement")
def _compound(ctx: Context, node: Node) -> None:
    with ctx.nested(Scope(ctx.scope)):
        for child in named_children(node):
            ctx.statement(child)


@statement("expression_statement")
def _expression(ctx: Context, node: Node) -> None:
    for child in named_children(node):
        if not _declared_as_comparison(ctx, child):
            effect(ctx, child)


def _declared_as_comparison(ctx: Context, node: Node) -> bool:
    """`Tile<32> t = ...;` reads as `Tile < 32 > (t = ...)` to the grammar; it is a declaration if `Tile`
    is a template."""
    from xpiler.frontend.lower_declarations import declare_name

    arguments: list[Node] = []
    current = node
    if node.type == "comma_expression":
        parts = _comma_parts(node)
        first, last = parts[0], parts[-1]
        if first.type != "binary_expression" or last.type != "binary_expression":
            return False
        head, declarator = first.child_by_field_name("left"), last.child_by_field_name("right")
        signs = (ctx.text(n.child_by_field_name("operator")) for n in (first, last))
        ends = (first.child_by_field_name("right"), last.child_by_field_name("left"))
        if tuple(signs) != ("<", ">") or ends[0] is None or ends[1] is None:
            return False
        arguments = [ends[0], *parts[1:-1], ends[1]]
    else:
        if current.type != "binary_expression" or ctx.text(current.child_by_field_name("operator")) != ">":
            return False
        left, declarator = current.child_by_field_name("left"), current.child_by_field_name("right")
        if left is None or left.type != "binary_expression":
            return False
        head, argument = left.child_by_field_name("left"), left.child_by_field_name("right")
        if ctx.text(left.child_by_field_name("operator")) != "<" or argument is None:
            return False
        arguments = [argument]
    if head is None or declarator is None or head.type not in ("identifier", "qualified_identifier"):
        return False
    name = ctx.text(head).split("::")[-1]
    if ctx.scope.find(name) is not None or not is_template(ctx, name):
        return False
    value = None
    if declarator.type == "assignment_expression":
        value = declarator.child_by_field_name("right")
        declarator = declarator.child_by_field_name("left")
    if declarator is None or declarator.type != "identifier":
        return False
    declare_name(ctx, ctx.text(declarator), template_type(ctx, name, tuple(arguments), head), value)
    return True


def _comma_parts(node: Node) -> list[Node]:
    if node.type != "comma_expression":
        return [node]
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    return [*(_comma_parts(left) if left else []), *(_comma_parts(right) if right else [])]


@statement(
    "preproc_call", "preproc_def", "preproc_include", "static_assert_declaration", "alias_declaration",
    "type_definition", "using_declaration", "empty_statement", ";", "struct_specifier", "enum_specifier",
    "namespace_alias_definition", "preproc_function_def", "preproc_ifdef", "class_specifier",
    "union_specifier",
)  # fmt: skip
def _nothing(ctx: Context, node: Node) -> None:
    from xpiler.frontend.lower_declarations import local_type

    local_type(ctx, node)


@statement("attributed_statement")
def _attributed(ctx: Context, node: Node) -> None:
    ctx.statement(named_children(node)[-1])


@statement("else_clause")
def _else(ctx: Context, node: Node) -> None:
    ctx.statement(named_children(node)[0])


@statement("if_statement")
def _if(ctx: Context, node: Node) -> None:
    condition = node.child_by_field_name("condition")
    then = node.child_by_field_name("consequence")
    otherwise = node.child_by_field_name("alternative")
    assert condition is not None and then is not None
    with ctx.nested():
        initializer = condition.child_by_field_name("initializer")
        if initializer is not None:
            ctx.statement(initializer)
        test = condition_of(ctx, condition)
        if isinstance(test, Const):
            # Also `if constexpr`: the other side need not make sense.
            chosen = then if test.value else otherwise
            if chosen is not None:
                with ctx.nested():
                    ctx.statement(chosen)
            return
        mark = len(ctx.out)
        with one_side(ctx) as moved_yes:
            yes = ctx.block(then)
        with one_side(ctx) as moved_no:
            no = ctx.block(otherwise) if otherwise is not None else EMPTY
        test = join_sides(ctx, ctx.stable(test, mark), moved_yes, moved_no)
        ctx.emit(If(test, yes, no))


@statement("init_statement")
def _initializer(ctx: Context, node: Node) -> None:
    """`int i = f(x);` in `if (int i = f(x); i < n)`."""
    for child in node.named_children:
        ctx.statement(child)


def condition_of(ctx: Context, node: Node) -> Expr:
    """The condition of an if or loop, which may declare a variable."""
    value = node.child_by_field_name("value") if node.type == "condition_clause" else None
    inner = value or node
    if inner.type == "declaration":
        ctx.statement(inner)
        from xpiler.frontend.lower_typenames import declared

        declarator = inner.child_by_field_name("declarator")
        assert declarator is not None
        name = declared(ctx, VOID, declarator)[0]
        found = ctx.scope.find(name)
        assert found is not None
        return truth(ctx, found)
    return truth(ctx, ctx.value(inner))


# ------------------------------------------------------------------------------------------ jumps


@statement("return_statement")
def _return(ctx: Context, node: Node) -> None:
    frame = ctx.frames[-1]
    values = named_children(node)
    if frame.label is None:
        if frame.result is not None and values:
            store(ctx, frame.result, load(ctx, convert(ctx, ctx.value(values[0]), frame.result.type)))
        ctx.emit(Return())
        return
    if values:
        from xpiler.frontend.lower_calls import set_result

        value = ctx.value(values[0])
        if frame.result_type is None or isinstance(frame.result_type, Auto):
            frame.result_type = value.type
        if not isinstance(value, Nothing) and frame.result_type != VOID:
            set_result(ctx, frame, value)
    ctx.emit(Leave(label=frame.label))


@statement("break_statement")
def _break(ctx: Context, node: Node) -> None:
    if not ctx.breaks:
        ctx.refuse("syntax", "`break` outside a loop", node)
    label = ctx.breaks[-1]
    ctx.emit(Break() if label is None else Leave(label=label))


@statement("continue_statement")
def _continue(ctx: Context, node: Node) -> None:
    ctx.emit(Continue())


@statement("goto_statement", "labeled_statement")
def _goto(ctx: Context, node: Node) -> None:
    if node.type == "labeled_statement":
        label = node.child_by_field_name("label")
        ctx.refuse(
            "unsupported-goto",
            f"label `{ctx.text(label)}`: goto is not supported",
            node,
            "use loops and break",
        )
    ctx.refuse(
        "unsupported-goto", f"`{shorten(ctx.text(node))}` is not supported", node, "use loops and break"
    )


# ------------------------------------------------------------------------------------------ switch


@statement("switch_statement")
def _switch(ctx: Context, node: Node) -> None:
    condition, body = node.child_by_field_name("condition"), node.child_by_field_name("body")
    assert condition is not None and body is not None
    with ctx.nested():
        initializer = condition.child_by_field_name("initializer")
        if initializer is not None:
            ctx.statement(initializer)
        _cases(ctx, condition, body)


def _cases(ctx: Context, condition: Node, body: Node) -> None:
    inner = condition.child_by_field_name("value") or condition
    subject = load(ctx, ctx.value(inner))
    subject = build.cast(subject, promote(subject.dtype))
    if not isinstance(subject, (Const, Var)):
        subject = ctx.temporary(subject, "selector")
    label = ctx.fresh("switch")
    ctx.breaks.append(label)
    groups = _groups(ctx, body)
    with ctx.capture() as out, ctx.nested():
        _lower_groups(ctx, groups, subject)
    ctx.breaks.pop()
    ctx.emit_resolved(resolve(out, label, ctx.fresh))


def _groups(ctx: Context, body: Node) -> list[tuple[list[Node | None], list[Node]]]:
    """(labels, statements) of each run of cases; None is `default`. Fallthrough runs stay apart."""
    groups: list[tuple[list[Node | None], list[Node]]] = []
    for case in named_children(body):
        if case.type != "case_statement":
            ctx.refuse("unsupported-statement", "a statement before the first case of a switch", case)
        value = case.child_by_field_name("value")
        statements = [c for c in named_children(case) if value is None or c.id != value.id]
        if groups and not groups[-1][1]:
            groups[-1][0].append(value)
            groups[-1][1].extend(statements)
        else:
            groups.append(([value], statements))
    return groups


def _lower_groups(ctx: Context, groups: list[tuple[list[Node | None], list[Node]]], subject: Expr) -> None:
    blocks: list[list[Stmt]] = []
    for _, statements in groups:
        with ctx.nested(), ctx.branch() as out:
            for child in statements:
                ctx.statement(child)
        blocks.append(out)
    # A run that does not end in a jump falls into the next: its statements are repeated there.
    for position in range(len(blocks) - 2, -1, -1):
        if not _ends_in_jump(blocks[position]):
            blocks[position] = [*blocks[position], *blocks[position + 1]]
    cases = [v for labels, _ in groups for v in labels if v is not None]
    values = {v.id: constant_int(ctx, v, "the case") for v in cases}
    chain: list[Stmt] = []
    default = next((i for i, (labels, _) in enumerate(groups) if None in labels), None)
    if default is not None:
        chain = blocks[default]
    for position in range(len(groups) - 1, -1, -1):
        labels = groups[position][0]
        if position == default:
            continue
        tests = [build.eq(subject, build.const(values[v.id], subject.dtype)) for v in labels if v is not None]
        test = build.or_(*tests)
        chain = [If(test, ctx.sealed(blocks[position]), ctx.sealed(chain))]
    if isinstance(subject, Const):
        # Decided now: only one run remains.
        wanted = next(
            (i for i, (ls, _) in enumerate(groups) if any(v and values[v.id] == subject.value for v in ls)),
            default,
        )
        chain = blocks[wanted] if wanted is not None else []
    for stmt in chain:
        ctx.emit(stmt)


def _ends_in_jump(body: list[Stmt]) -> bool:
    if not body:
        return False
    match body[-1]:
        case Leave() | Return() | Continue() | Break():
            return True
        case If(then=then, otherwise=otherwise):
            return _ends_in_jump(list(then.body)) and _ends_in_jump(list(otherwise.body))
    return False
