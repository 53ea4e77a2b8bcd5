"""Walks the syntax tree once and collects definitions, variables, types and launches."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from xpiler.errors import Refusal
from xpiler.frontend.prepare import closing
from xpiler.frontend.sourcemap import SourceMap
from xpiler.frontend.syntax_model import (
    AliasDef,
    EnumDef,
    Enumerator,
    Field,
    FunctionDef,
    GlobalVar,
    Instantiation,
    Launch,
    ParamDecl,
    StructDef,
    SyntaxProblem,
    TemplateParam,
)
from xpiler.ir.source import SourceRange

_INT_TYPES = {
    "int", "unsigned", "short", "long", "char", "size_t", "uint", "int8_t", "int16_t", "int32_t", "int64_t",
    "uint8_t", "uint16_t", "uint32_t", "uint64_t", "std::size_t", "ptrdiff_t",
}  # fmt: skip
_TYPE_PARAMS = {
    "type_parameter_declaration",
    "variadic_type_parameter_declaration",
    "optional_type_parameter_declaration",
}
_CONTAINERS = {"translation_unit", "declaration_list", "ERROR"}
_LAUNCH_APIS = {
    "cudaLaunchKernel",
    "cudaLaunchCooperativeKernel",
    "hipLaunchKernel",
    "hipLaunchCooperativeKernel",
    "hipLaunchKernelGGL",
}
# Of each launch by CNRT: where its dimension, its type, its queue and its parameters stand.
_CNRT_LAUNCHES = {
    "cnrtInvokeKernel": (1, 2, 5, 3),
    "cnrtInvokeKernel_V2": (1, 3, 4, 2),
    "cnrtInvokeKernel_V3": (2, 4, 5, 3),
}
_MAX_NESTING = 100
_LAUNCH = re.compile(r"<<<|\b(?:" + "|".join(sorted({*_LAUNCH_APIS, *_CNRT_LAUNCHES})) + r")\b")
_ALIGNMENT = re.compile(
    r"\s*(?:\b__align__|\balignas|\b__attribute__\s*\(\s*\(\s*(?:__)?aligned(?:__)?)\s*\(([^()]*(?:\([^()]*\))?[^()]*)\)"
)


@dataclass(frozen=True)
class Scope:
    """What surrounds a definition."""

    namespace: tuple[str, ...] = ()
    extern_c: bool = False
    owner: str = ""
    outer_template: tuple[TemplateParam, ...] | None = None
    template: tuple[TemplateParam, ...] | None = None
    template_node: Node | None = None  # the outermost template<> header of the definition that follows


@dataclass
class Collected:
    functions: list[FunctionDef] = field(default_factory=list)
    prototypes: list[FunctionDef] = field(default_factory=list)
    launches: list[Launch] = field(default_factory=list)
    globals: list[GlobalVar] = field(default_factory=list)
    enums: list[EnumDef] = field(default_factory=list)
    aliases: list[AliasDef] = field(default_factory=list)
    structs: list[StructDef] = field(default_factory=list)
    instantiations: list[Instantiation] = field(default_factory=list)


def walk_nodes(node: Node) -> Iterator[Node]:
    """`node` and everything below it, in order of the text."""
    cursor = node.walk()
    while True:
        current = cursor.node
        assert current is not None
        yield current
        if cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


class Collector:
    def __init__(
        self, expanded: str, prepared: str, source_map: SourceMap, problems: tuple[SyntaxProblem, ...]
    ) -> None:
        self.expanded = expanded
        self.prepared = prepared
        self.map = source_map
        self.problems = problems
        self.depth = 0
        self.found = Collected()
        self.functions: list[FunctionDef] = []  # all with a body, methods too

    def text(self, node: Node | None) -> str:
        return "" if node is None else self.expanded[node.start_byte : node.end_byte]

    def range(self, node: Node) -> SourceRange:
        return self.map.range(node.start_byte, node.end_byte)

    # ------------------------------------------------------------------------------------------ scopes

    def container(self, node: Node, scope: Scope) -> None:
        self.depth += 1
        if self.depth > _MAX_NESTING:
            raise Refusal("too-deep", f"scopes are nested more than {_MAX_NESTING} deep", self.range(node))
        for child in node.named_children:
            self.item(child, scope)
        self.depth -= 1

    def item(self, node: Node, scope: Scope) -> None:
        match node.type:
            case "function_definition":
                self.function_definition(node, scope)
            case "template_declaration":
                self.template(node, scope)
            case "declaration" | "field_declaration":
                self.declaration(node, scope)
            case "namespace_definition":
                name = self.text(node.child_by_field_name("name"))
                inner = tuple(part.strip() for part in name.split("::") if part.strip())
                body = node.child_by_field_name("body")
                if body is not None:
                    self.container(body, Scope(scope.namespace + inner, scope.extern_c))
            case "linkage_specification":
                body = node.child_by_field_name("body")
                is_c = '"C"' in self.text(node.child_by_field_name("value"))
                if body is not None and body.type == "declaration_list":
                    self.container(body, Scope(scope.namespace, is_c))
                elif body is not None:
                    self.item(body, Scope(scope.namespace, is_c, template_node=node))
            case "struct_specifier" | "class_specifier" | "union_specifier":
                self.struct(node, scope, self.text(node.child_by_field_name("name")))
            case "enum_specifier":
                self.enum(node, scope, self.text(node.child_by_field_name("name")))
            case "type_definition":
                self.typedef(node, scope)
            case "alias_declaration":
                self.alias(node, scope)
            case "template_instantiation":
                self.instantiation(node)
            case kind if kind in _CONTAINERS:
                self.container(node, scope)
            case _:
                pass

    def template(self, node: Node, scope: Scope) -> None:
        parameters = node.child_by_field_name("parameters")
        params = self.template_params(parameters)
        # template<class T> template<class U> void S<T>::f(): the first header is the class's
        outer = scope.template if scope.template is not None else scope.outer_template
        inner = Scope(
            scope.namespace, scope.extern_c, scope.owner, outer, params, scope.template_node or node
        )
        for child in node.named_children:
            if child != parameters:
                self.item(child, inner)

    # ------------------------------------------------------------------------------------------ templates

    def template_params(self, node: Node | None) -> tuple[TemplateParam, ...]:
        return tuple(self.template_param(n) for n in node.named_children) if node is not None else ()

    def template_param(self, node: Node) -> TemplateParam:
        is_pack = "variadic" in node.type
        if node.type in _TYPE_PARAMS:
            default = node.child_by_field_name("default_type")
            names = [n for n in node.named_children if n.type == "type_identifier" and n != default]
            name = self.text(names[0]) if names else ""
            return TemplateParam(name, "type", "", default, self.text(default), is_pack, node)
        if node.type == "template_template_parameter_declaration":
            names = [
                n for c in node.named_children[-1:] for n in walk_nodes(c) if n.type == "type_identifier"
            ]
            return TemplateParam(self.text(names[0]) if names else "", "template", "", None, "", False, node)
        type_node = node.child_by_field_name("type")
        type_text = self.text(type_node)
        default = node.child_by_field_name("default_value")
        name = self.declared_name(node.child_by_field_name("declarator"))
        words = set(type_text.split())
        kind = "bool" if type_text == "bool" else "int" if words and words <= _INT_TYPES else "other"
        return TemplateParam(name, kind, type_text, default, self.text(default), is_pack, node)

    # ------------------------------------------------------------------------------------------ declarators

    def declared_name(self, declarator: Node | None) -> str:
        node = declarator
        while node is not None:
            if node.type in (
                "identifier",
                "field_identifier",
                "type_identifier",
                "operator_name",
                "destructor_name",
            ):
                return self.text(node)
            if node.type in ("template_function", "qualified_identifier", "template_type", "template_method"):
                node = node.child_by_field_name("name")
                continue
            node = _inner(node)
        return ""

    def params(self, declarator: Node) -> tuple[ParamDecl, ...]:
        parameters = declarator.child_by_field_name("parameters")
        if parameters is None:
            return ()
        result = []
        for node in parameters.named_children:
            if "parameter_declaration" not in node.type:
                continue
            type_node = node.child_by_field_name("type")
            inner = node.child_by_field_name("declarator")
            if inner is None and self.text(type_node) == "void":
                continue
            words = tuple(
                self.text(c) for c in node.children if c.type in ("type_qualifier", "storage_class_specifier")
            )
            default = node.child_by_field_name("default_value")
            name = self.declared_name(inner)
            result.append(ParamDecl(name, node, type_node, inner, words, default, self.text(node)))
        return tuple(result)

    # ------------------------------------------------------------------------------------------ functions

    def function_definition(self, node: Node, scope: Scope) -> None:
        declarator = node.child_by_field_name("declarator")
        function = self.function(node, declarator, node.child_by_field_name("body"), scope)
        if function is None:
            return
        self.found.functions.append(function)
        self.functions.append(function)

    def function(
        self, node: Node, declarator: Node | None, body: Node | None, scope: Scope
    ) -> FunctionDef | None:
        name_node: Node | None
        if declarator is not None and declarator.type == "operator_cast":
            inner, name_node = declarator, None
            name = " ".join(self.text(declarator).split("(")[0].replace("*", " *").split())
        else:
            found = _function_declarator(declarator)
            if found is None:
                return None
            inner, name_node = found, found.child_by_field_name("declarator")
            name = self.declared_name(name_node)
        if not name:
            return None
        owner, namespace = self.owner(name_node, scope)
        qualifiers: set[str] = set()
        for child in node.children:
            if child == declarator:
                break
            if child.type in ("type_qualifier", "storage_class_specifier") or not child.is_named:
                qualifiers.add(self.text(child))
        type_node = node.child_by_field_name("type")
        outermost = scope.template_node or node
        start, end = self.head(outermost.start_byte), node.end_byte
        file, begin, finish = self.map.span(start, end)
        return FunctionDef(
            name=name,
            qualified="::".join((*namespace, *((owner,) if owner else ()), name)),
            namespace=namespace,
            owner=owner,
            node=node,
            declarator=inner,
            body=body,
            params=self.params(inner),
            template=scope.template,
            outer_template=scope.outer_template,
            specialises=_template_arguments(name_node),
            qualifiers=frozenset(qualifiers),
            return_type=type_node,
            return_text=self.return_text(node, declarator, inner),
            launch_bounds=self.launch_bounds(start, inner.start_byte),
            is_extern_c=scope.extern_c,
            span=(begin, finish),
            range=self.map.range(start, end),
            is_local=file == 0,
            errors=tuple(p for p in self.problems if start <= p.start < end),
        )

    def head(self, start: int) -> int:
        """Where a definition begins if the decorations before it, hidden from the grammar, are counted in."""
        window = max(0, start - 2000)
        shown = window + len(self.prepared[window:start].rstrip())
        hidden = self.expanded[shown:start]
        return shown + len(hidden) - len(hidden.lstrip()) if hidden.strip() else start

    def launch_bounds(self, start: int, end: int) -> tuple[str, ...]:
        """The arguments of `__launch_bounds__(...)` in a function's head, hidden from the grammar."""
        at = self.expanded.find("__launch_bounds__", start, end)
        opening = self.expanded.find("(", at, end) if at >= 0 else -1
        close = closing(self.expanded, opening) if opening >= 0 else None
        if close is None:
            return ()
        return tuple(part.strip() for part in split_arguments(self.expanded[opening + 1 : close - 1]))

    def owner(self, name_node: Node | None, scope: Scope) -> tuple[str, tuple[str, ...]]:
        """The struct and namespace of `S<T>::f` or `ns::f`; a plain scope is a struct if one is so named."""
        owner, namespace = scope.owner, scope.namespace
        node = name_node
        while node is not None and node.type == "qualified_identifier":
            part = node.child_by_field_name("scope")
            if part is not None:
                name = self.text(part.child_by_field_name("name") or part)
                if part.type == "template_type" or any(s.name == name for s in self.found.structs):
                    owner = name
                else:
                    namespace = (*namespace, name)
            node = node.child_by_field_name("name")
        return owner, namespace

    def return_text(self, node: Node, declarator: Node | None, inner: Node) -> str:
        type_node = node.child_by_field_name("type")
        if type_node is None or declarator is None:
            return ""
        constness = "const " if any(self.text(c) == "const" for c in node.children) else ""
        around = self.expanded[declarator.start_byte : inner.start_byte].strip()
        return constness + self.text(type_node) + (" " + around if around else "")

    # ------------------------------------------------------------------------------------------ variables

    def declaration(self, node: Node, scope: Scope) -> None:
        type_node = node.child_by_field_name("type")
        if type_node is not None and type_node.child_by_field_name("body") is not None:
            self.item(type_node, scope)
        words = frozenset(
            self.text(c)
            for c in node.children
            if c.type in ("type_qualifier", "storage_class_specifier")
            or (not c.is_named and c.type not in ",;=")
        )
        for declarator in node.children_by_field_name("declarator"):
            init: Node | None = node.child_by_field_name("default_value")
            inner = declarator
            if declarator.type == "init_declarator":
                init = declarator.child_by_field_name("value")
                inner = declarator.child_by_field_name("declarator") or declarator
            if _function_declarator(inner) is not None and init is None:
                prototype = self.function(node, inner, None, scope)
                if prototype is not None:
                    self.found.prototypes.append(prototype)
                continue
            name = self.declared_name(inner)
            if name:
                self.found.globals.append(
                    GlobalVar(
                        name, scope.namespace, words, type_node, inner, init, node, scope.template,
                        self.range(node)
                    )
                )  # fmt: skip

    # ------------------------------------------------------------------------------------------ types

    def struct(self, node: Node, scope: Scope, name: str) -> None:
        body = node.child_by_field_name("body")
        if body is None:
            return
        name_node = node.child_by_field_name("name")
        specialises: tuple[Node, ...] = ()
        if name_node is not None and name_node.type == "template_type":
            specialises = _template_arguments(name_node)
            name = self.text(name_node.child_by_field_name("name"))
        bases = tuple(
            c
            for clause in node.named_children
            if clause.type == "base_class_clause"
            for c in clause.named_children
            if c.type != "access_specifier"
        )
        inner = Scope(scope.namespace, False, name, scope.template, None, None)
        self.depth += 1
        if self.depth > _MAX_NESTING:
            raise Refusal("too-deep", f"scopes are nested more than {_MAX_NESTING} deep", self.range(node))
        outside, self.found = self.found, Collected()
        fields = []
        for member in body.named_children:
            if member.type == "field_declaration" and "static" not in self.text(member).split():
                fields.extend(self.fields(member, inner))
            else:
                self.item(member, inner)
        self.depth -= 1
        members, self.found = self.found, outside
        methods = tuple(members.functions) + tuple(members.prototypes)
        self.found.structs.append(
            StructDef(
                name=name,
                namespace=scope.namespace,
                kind=node.type.split("_")[0],
                template=scope.template,
                specialises=specialises,
                bases=bases,
                fields=tuple(fields),
                statics=tuple(members.globals),
                methods=methods,
                aliases=tuple(members.aliases),
                enums=tuple(members.enums),
                alignment=self.alignment(node, body),
                node=node,
                range=self.range(node),
            )
        )
        self.found.structs.extend(members.structs)

    def alignment(self, node: Node, body: Node) -> str:
        """n of `struct __align__(n) S`, also where the attribute stands behind the closing brace."""
        tail = self.expanded.find(";", body.end_byte)
        head = self.expanded[node.start_byte : body.start_byte]
        match = _ALIGNMENT.search(head) or _ALIGNMENT.match(self.expanded, body.end_byte, max(tail, 0))
        return match[1].strip() if match is not None else ""

    def fields(self, node: Node, scope: Scope) -> list[Field]:
        type_node = node.child_by_field_name("type")
        declarators = node.children_by_field_name("declarator")
        if declarators and all(_function_declarator(d) is not None for d in declarators):
            self.declaration(node, scope)
            return []
        if type_node is not None and type_node.child_by_field_name("body") is not None:
            self.item(type_node, scope)
        words = frozenset(
            self.text(c) for c in node.children if c.type.endswith(("_qualifier", "_specifier"))
        )
        default = node.child_by_field_name("default_value")
        return [Field(self.declared_name(d), type_node, d, default, words, node) for d in declarators]

    def enum(self, node: Node, scope: Scope, name: str) -> None:
        body = node.child_by_field_name("body")
        if body is None:
            return
        members = tuple(
            Enumerator(self.text(e.child_by_field_name("name")), e.child_by_field_name("value"))
            for e in body.named_children
            if e.type == "enumerator"
        )
        scoped = any(c.type in ("class", "struct") for c in node.children)
        base = node.child_by_field_name("base")
        self.found.enums.append(EnumDef(name, scope.namespace, scoped, base, members, node, self.range(node)))

    def typedef(self, node: Node, scope: Scope) -> None:
        type_node = node.child_by_field_name("type")
        if type_node is None:
            return
        declarators = node.children_by_field_name("declarator")
        if type_node.child_by_field_name("body") is not None:
            name = self.text(type_node.child_by_field_name("name"))
            if not name and declarators:
                name = self.declared_name(declarators[0])
            if type_node.type == "enum_specifier":
                self.enum(type_node, scope, name)
            else:
                self.struct(type_node, scope, name)
        is_nameless = type_node.type == "enum_specifier" and type_node.child_by_field_name("name") is None
        for declarator in declarators[is_nameless:]:  # the enumeration itself has the first name
            name = self.declared_name(declarator)
            alias = AliasDef(name, scope.namespace, type_node, declarator, None, node, self.range(node))
            self.found.aliases.append(alias)

    def alias(self, node: Node, scope: Scope) -> None:
        name, type_node = node.child_by_field_name("name"), node.child_by_field_name("type")
        if name is None or type_node is None:
            return
        self.found.aliases.append(
            AliasDef(
                self.text(name), scope.namespace, type_node, None, scope.template, node, self.range(node)
            )
        )

    def instantiation(self, node: Node) -> None:
        inner = _function_declarator(node.child_by_field_name("declarator"))
        name_node = inner.child_by_field_name("declarator") if inner is not None else None
        name = self.declared_name(name_node)
        if name and inner is not None:
            arguments, params = _template_arguments(name_node), self.params(inner)
            self.found.instantiations.append(Instantiation(name, arguments, params, node, self.range(node)))

    # ------------------------------------------------------------------------------------------ launches

    def launches(self, root: Node) -> None:
        """All launches of the text, also in functions that the grammar could not take. Call it last."""
        starts = [f.node.start_byte for f in self.functions]  # in order of the text
        for match in _LAUNCH.finditer(self.expanded):
            node = root.descendant_for_byte_range(match.start(), match.end())
            is_triple = match[0] == "<<<"
            while node is not None and node.type != "call_expression":
                if node.type in ("compound_statement", "string_literal"):
                    node = None
                    break
                node = node.parent
            if node is None or is_triple != any(c.type == "kernel_call_syntax" for c in node.children):
                continue
            index = bisect_right(starts, match.start()) - 1
            around = self.functions[index] if index >= 0 else None
            inside = around is not None and match.start() < around.node.end_byte
            self.launch(node, around if inside else None)

    def launch(self, node: Node, function: FunctionDef | None) -> None:
        callee = node.child_by_field_name("function")
        config_node = next((c for c in node.children if c.type == "kernel_call_syntax"), None)
        argument_list = node.child_by_field_name("arguments")
        if callee is None or argument_list is None:
            return
        arguments = tuple(c for c in argument_list.named_children if c.type != "comment")
        api = ""
        if config_node is not None:
            config = tuple(config_node.named_children)
        else:
            api = self.text(callee)
            if api not in {*_LAUNCH_APIS, *_CNRT_LAUNCHES} or len(arguments) < 4:
                return
            callee = _without_casts(arguments[0])
            if api in _CNRT_LAUNCHES:
                *places, table = _CNRT_LAUNCHES[api]
                if max(places) >= len(arguments):
                    return
                given = self.packed(arguments[table], node, function)
                config, arguments = tuple(arguments[place] for place in places), given
            elif api == "hipLaunchKernelGGL":
                config, arguments = arguments[1:5], arguments[5:]
            else:
                config, arguments = (arguments[1], arguments[2], *arguments[4:6]), ()
        file, begin, finish = self.map.span(node.start_byte, node.end_byte)
        self.found.launches.append(
            Launch(
                name=self.declared_name(callee) or self.text(callee),
                spelling=self.text(callee),
                template_arguments=_template_arguments(callee),
                node=node,
                config=config,
                arguments=arguments,
                host_function=function,
                api=api,
                span=(begin, finish),
                range=self.range(node),
                is_local=file == 0,
                from_macro=self.map.is_from_macro((config_node or node).start_byte),
            )
        )

    def packed(self, table: Node, call: Node, function: FunctionDef | None) -> tuple[Node, ...]:
        """The arguments that a launch by CNRT finds in a buffer or an array of pointers:

        cnrtKernelParamsBufferAddParam(buffer, &x, sizeof(x));      void *table[] = {&x};
        """
        found: list[Node] = []
        name = self.text(table)
        for node in self.before(call, function):
            callee = node.child_by_field_name("function")
            listed = node.child_by_field_name("arguments")
            if node.type == "init_declarator" and node.child_by_field_name("value") is not None:
                value = node.child_by_field_name("value")
                declared = _inner(node)
                while declared is not None and declared.type.endswith("_declarator"):
                    declared = _inner(declared)
                if value is not None and value.type == "initializer_list" and self.text(declared) == name:
                    found = [c for c in value.named_children if c.type != "comment"]
            elif callee is not None and listed is not None and listed.named_children:
                given = [c for c in listed.named_children if c.type != "comment"]
                if self.text(callee) == "cnrtGetKernelParamsBuffer" and _points_to(given[0], name, self.text):
                    found = []
                elif self.text(callee) == "cnrtKernelParamsBufferAddParam" and self.text(given[0]) == name:
                    found.append(given[1])
        return tuple(_target(_without_pointer_casts(node)) for node in found)

    def before(self, call: Node, function: FunctionDef | None) -> Iterator[Node]:
        """Calls and initialised declarations of the function that stand before a call."""
        pending = [function.body] if function is not None and function.body is not None else []
        while pending:
            node = pending.pop()
            if node.start_byte >= call.start_byte:
                continue
            if node.type in ("call_expression", "init_declarator"):
                yield node
            pending.extend(reversed(node.children))


def _points_to(node: Node, name: str, text: Callable[[Node], str]) -> bool:
    return node.type == "pointer_expression" and text(_target(node)) == name


def _target(node: Node) -> Node:
    """`x` of `&x`."""
    argument = node.child_by_field_name("argument") if node.type == "pointer_expression" else None
    return argument if argument is not None else node


def _without_pointer_casts(node: Node) -> Node:
    """`&x` of `(void *)&x`."""
    while node.type == "cast_expression":
        value = node.child_by_field_name("value")
        if value is None:
            return node
        node = value
    return node


def _inner(node: Node) -> Node | None:
    """The declarator inside a pointer, array, reference, function, parenthesized or init declarator."""
    inner = node.child_by_field_name("declarator")
    if inner is not None:
        return inner
    if node.type.endswith("declarator"):
        for child in node.named_children:
            if child.type.endswith(("declarator", "identifier")):
                return child
    return None


def _function_declarator(declarator: Node | None) -> Node | None:
    """The function declarator of `*f(int)`, None for a pointer to a function."""
    node = declarator
    while node is not None and node.type in ("pointer_declarator", "reference_declarator"):
        node = _inner(node)
    if node is None or node.type != "function_declarator":
        return None
    name = node.child_by_field_name("declarator")
    return None if name is None or name.type == "parenthesized_declarator" else node


def _template_arguments(name: Node | None) -> tuple[Node, ...]:
    node = name
    while node is not None and node.type == "qualified_identifier":
        node = node.child_by_field_name("name")
    arguments = node.child_by_field_name("arguments") if node is not None else None
    if arguments is None or arguments.type != "template_argument_list":
        return ()
    return tuple(arguments.named_children)


def _without_casts(node: Node) -> Node:
    """`(void*)k`, `(const void *)&k<int>`, `reinterpret_cast<void*>(k)` all name `k`."""
    while True:
        if node.type == "cast_expression":
            value = node.child_by_field_name("value")
        elif node.type == "pointer_expression":
            value = node.child_by_field_name("argument")
        elif node.type == "parenthesized_expression":
            value = node.named_children[0] if node.named_children else None
        elif (
            node.type == "call_expression"
            and "cast" in (node.text or b"").decode(errors="replace").split("<")[0]
        ):
            arguments = node.child_by_field_name("arguments")
            value = (
                arguments.named_children[0] if arguments is not None and arguments.named_children else None
            )
        else:
            return node
        if value is None:
            return node
        node = value


def split_arguments(text: str) -> list[str]:
    """`a, f(b, c)` split at its outer commas."""
    parts: list[str] = []
    depth = begin = 0
    for at, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[begin:at])
            begin = at + 1
    return [*parts, text[begin:]]
