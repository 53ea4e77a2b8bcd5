"""What the frontend knows of a text before it knows what it means: its definitions, as syntax.

Nodes are tree-sitter nodes of the *expanded* text (macros expanded, comments and decorations blanked); their
byte offsets are character offsets in `SyntaxUnit.expanded`. Use `SyntaxUnit.text_of` and `range_of`, not
`node.text`.

The grammar knows no names. What it cannot know stays as it is in the tree: a local `dim3 grid(n, m);` is a
function declarator, `sizeof(T)` and `T(x)` look like an expression and a call. Other misreadings are mended
before (see `syntax_repair`), at the price of harmless words in the expanded text: parentheses around the
left side of a comparison, `const` in a cast, `register` before a pointer to an array.
"""

from __future__ import annotations

from dataclasses import dataclass

from tree_sitter import Node

from xpiler.ir.source import SourceRange


@dataclass(frozen=True, eq=False)
class TemplateParam:
    """`kind`: `type`, `int` (any integer type), `bool`, `template`, `other`; `type_text`: its type."""

    name: str
    kind: str
    type_text: str
    default: Node | None
    default_text: str
    is_pack: bool
    node: Node


@dataclass(frozen=True, eq=False)
class ParamDecl:
    """A function parameter. `type_node` is the type without qualifiers, `declarator` the pointers and arrays
    around the name (None for an unnamed one). `specifiers` are the qualifiers beside the type (const...)."""

    name: str
    node: Node
    type_node: Node | None
    declarator: Node | None
    specifiers: tuple[str, ...]
    default: Node | None
    text: str

    @property
    def is_pack(self) -> bool:
        """`Ts... name`: any number of parameters."""
        return "variadic" in self.node.type


@dataclass(frozen=True, eq=False)
class FunctionDef:
    """A function, kernel, device function or method, with or without a body.

    A conversion is named `operator T *`; its `declarator` is an operator_cast and it has no `return_type`.

    `template` is None for no template, () for an explicit specialisation, whose arguments are in
    `specialises`. `outer_template` are the parameters of an enclosing class template. `qualifiers` are words
    before the name (`__device__`, `static`, `constexpr`, ...). `owner` is the struct of a method, ""
    otherwise. `span` [start, end) lies in the text of `range.file` (the original one), from `template<` to
    `}`.
    """

    name: str
    qualified: str
    namespace: tuple[str, ...]
    owner: str
    node: Node
    declarator: Node
    body: Node | None
    params: tuple[ParamDecl, ...]
    template: tuple[TemplateParam, ...] | None
    outer_template: tuple[TemplateParam, ...] | None
    specialises: tuple[Node, ...]
    qualifiers: frozenset[str]
    return_type: Node | None
    return_text: str
    launch_bounds: tuple[str, ...]
    is_extern_c: bool
    span: tuple[int, int]
    range: SourceRange
    is_local: bool  # stands in the main file, not in an included one
    errors: tuple[SyntaxProblem, ...]  # error nodes inside

    @property
    def is_kernel(self) -> bool:
        return "__global__" in self.qualifiers

    @property
    def is_device(self) -> bool:
        """Callable in device code, as far as its words say: constexpr functions are."""
        return bool({"__device__", "constexpr"} & self.qualifiers)

    @property
    def is_template(self) -> bool:
        return self.template is not None


@dataclass(frozen=True, eq=False)
class Launch:
    """`callee<args><<<config>>>(arguments)`; `config` has 2 to 4 nodes: grid, block, shared bytes, stream.

    For `cudaLaunchKernel((void*)k, grid, block, args, shared, stream)` `api` is its name and `arguments` is
    empty; `hipLaunchKernelGGL(k, grid, block, shared, stream, arguments...)` has them.
    """

    name: str  # without namespace and template arguments
    spelling: str  # as written: "ns::gemm<float, 16>"
    template_arguments: tuple[Node, ...]
    node: Node
    config: tuple[Node, ...]
    arguments: tuple[Node, ...]
    host_function: FunctionDef | None
    api: str
    span: tuple[int, int]
    range: SourceRange
    is_local: bool
    from_macro: bool  # the launch is the text of a macro: `span` is then the macro's use


@dataclass(frozen=True, eq=False)
class GlobalVar:
    """A variable of namespace scope, or a static member. `init` is its initialiser, `type_node` its type."""

    name: str
    namespace: tuple[str, ...]
    qualifiers: frozenset[str]  # __constant__, __device__, __managed__, const, constexpr, static, extern...
    type_node: Node | None
    declarator: Node
    init: Node | None
    node: Node
    template: tuple[TemplateParam, ...] | None
    range: SourceRange


@dataclass(frozen=True, eq=False)
class Enumerator:
    name: str
    value: Node | None


@dataclass(frozen=True, eq=False)
class EnumDef:
    name: str
    namespace: tuple[str, ...]
    is_scoped: bool
    base: Node | None
    enumerators: tuple[Enumerator, ...]
    node: Node
    range: SourceRange


@dataclass(frozen=True, eq=False)
class AliasDef:
    """`typedef T name` (declarator around the name) or `using name = T` (`type_node`: type_descriptor)."""

    name: str
    namespace: tuple[str, ...]
    type_node: Node
    declarator: Node | None
    template: tuple[TemplateParam, ...] | None
    node: Node
    range: SourceRange


@dataclass(frozen=True, eq=False)
class Field:
    """A data member; `declarator` holds pointers and array dimensions around the name."""

    name: str
    type_node: Node | None
    declarator: Node
    default: Node | None
    specifiers: frozenset[str]
    node: Node


@dataclass(frozen=True, eq=False)
class StructDef:
    """A struct, class or union. `specialises` are the arguments of an explicit or partial specialisation."""

    name: str
    namespace: tuple[str, ...]
    kind: str  # struct | class | union
    template: tuple[TemplateParam, ...] | None
    specialises: tuple[Node, ...]
    bases: tuple[Node, ...]
    fields: tuple[Field, ...]
    statics: tuple[GlobalVar, ...]  # static (constexpr) members
    methods: tuple[FunctionDef, ...]
    aliases: tuple[AliasDef, ...]
    enums: tuple[EnumDef, ...]
    alignment: str  # the expression of __align__(n) / alignas(n), "" if none
    node: Node
    range: SourceRange


@dataclass(frozen=True, eq=False)
class Instantiation:
    """`template __global__ void k<float, 3>(...);`"""

    name: str
    arguments: tuple[Node, ...]
    params: tuple[ParamDecl, ...]
    node: Node
    range: SourceRange


@dataclass(frozen=True, eq=False)
class SyntaxProblem:
    """Text that the grammar could not take; where something is missing, the word that follows. `reason` says
    what is wrong, where that is known."""

    range: SourceRange
    text: str
    start: int  # in the expanded text
    end: int
    reason: str = ""

    def __str__(self) -> str:
        near = " ".join(self.text.split())
        return f"syntax error near `{near[:60]}`" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True)
class Pragma:
    """`#pragma text` that stood before expanded offset `offset`."""

    text: str
    offset: int
    range: SourceRange
