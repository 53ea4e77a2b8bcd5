"""What a host wrapper allocates and launches, as closed formulas over its parameters.

    int blocks = (n + 255) / 256;                     launch: grid ("(n + 255) // 256", "1", "1")
    cudaMalloc(&d_a, n * sizeof(float));       -->    bytes:  d_a -> "n * 4"
    add<<<blocks, 256>>>(d_a, ...)                    arguments: ("d_a", ...)

Needed where the kernel's extents are fixed numbers and the wrapper's parameters must be solved for:
formulas can be
evaluated for many values at once. What cannot be put into a formula is left out (None); running the
wrapper in the
emulator is the authority, this is the shortcut to good questions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tree_sitter import Node

from xpiler.frontend.host_formulas import SIZES, Formula, Formulas, returned_by
from xpiler.frontend.syntax import SyntaxUnit
from xpiler.frontend.syntax_model import FunctionDef, StructDef

_PITCH = 512  # bytes that rows of `cudaMallocPitch` are aligned to
_DEEPEST = 3  # calls of functions that allocate
_INPUT = re.compile(r"\b(?:ato[il]|atoll|strtou?ll?|stou?[il]l?|argc)\b")  # reads the command line
# Calls that a program does not get past if their first argument does not hold.
_ASSERTIONS = re.compile(r"(?:\w+::)*(?:assert|\w*ASSERT\w*|(?:\w+_)?CHECK(?:_ARG)?|\w+_ENFORCE|\w+_REQUIRE)")


@dataclass(frozen=True)
class LaunchModel:
    kernel: str
    grid: tuple[Formula | None, Formula | None, Formula | None]
    block: tuple[Formula | None, Formula | None, Formula | None]
    arguments: tuple[str, ...]  # texts
    shared: Formula | None = "0"
    values: tuple[Formula | None, ...] = ()  # the arguments, where they are numbers
    conditions: tuple[Formula | None, ...] = ()  # that hold where it is reached, as Python expressions
    span: tuple[int, int] = (0, 0)  # in the text
    bytes: Mapping[str, Formula] = field(default_factory=dict)  # of what has been allocated before
    members: Mapping[str, Formula] = field(default_factory=dict)  # numbers in structs, by `p.n`
    held: Mapping[str, str] = field(default_factory=dict)  # and pointers, each to the one that it is
    starts: tuple[
        tuple[str, Formula | None], ...
    ] = ()  # of pointers: what they point into, from which byte on


@dataclass(frozen=True)
class HostModel:
    """`bytes` maps a pointer variable (a device buffer or a parameter copied to one) to its size."""

    bytes: dict[str, Formula]
    launches: tuple[LaunchModel, ...]
    inputs: tuple[str, ...] = ()  # variables that are read when the program runs: free in the formulas


def model_host(unit: SyntaxUnit, function: FunctionDef) -> HostModel:
    """Reads `function` from top to bottom; a variable stands for the formula last given to it."""
    if function.body is None:
        return HostModel({}, ())
    reader = _Reader(unit, {p.name: p.name for p in function.params})
    reader.vectors = {p.name for p in function.params if "vector<" in p.text}
    for node in _statements(function.body):
        reader.read(node)
    return HostModel(reader.bytes, tuple(reader.launches), tuple(reader.inputs))


def _statements(node: Node) -> Iterator[Node]:
    for child in node.named_children:
        yield child
        yield from _statements(child)


class _Reader(Formulas):
    def __init__(self, unit: SyntaxUnit, values: dict[str, Formula], depth: int = 0) -> None:
        super().__init__(unit, values)
        self.bytes: dict[str, Formula] = {}
        self.launches: list[LaunchModel] = []
        self.held: dict[str, str] = {}
        self.counters: set[str] = set()  # of loops
        self.objects: dict[str, StructDef] = {}  # that are constructed
        self.depth = depth
        self.by_node = {launch.node.id: launch for launch in unit.launches}

    def read(self, node: Node) -> None:
        match node.type:
            case "init_declarator":
                name, value = node.child_by_field_name("declarator"), node.child_by_field_name("value")
                if name is not None and value is not None:
                    self._define(self.text(name).lstrip("*& "), value)
                    outer = node.parent.parent if node.parent is not None else None
                    if outer is not None and outer.type == "for_statement":
                        self.counters.add(self.text(name))
                    kind = self._declared_type(node)
                    if value.type == "argument_list" and "vector<" in kind:
                        self._give_length(self.text(name), value, kind)
                    elif value.type in ("argument_list", "initializer_list"):
                        self._give_members(self.text(name), kind, value)
                        self._construct(
                            self.text(name), kind, [self.formula(a) for a in value.named_children]
                        )
            case "pointer_declarator":
                self.pointees[self.text(node).lstrip("*& ")] = self._declared_type(node)
            case "assignment_expression":
                left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
                if left is not None and right is not None and left.type == "identifier":
                    self._define(self.text(left), right)
                elif left is not None and right is not None and left.type == "field_expression":
                    self._define_component(self.text(left), right)
            case "call_expression":
                self._call(node)
            case "function_declarator":
                self._declare(node)
        if node.id in self.by_node:
            self._launch(node)

    def _declare(self, node: Node) -> None:
        """`dim3 grid(b, heads);` which the grammar takes for a function of that type."""
        name, arguments = node.child_by_field_name("declarator"), node.child_by_field_name("parameters")
        kind = node.parent.child_by_field_name("type") if node.parent is not None else None
        if name is None or arguments is None or kind is None:
            return
        texts = [self.text(child) for child in arguments.named_children]
        if "vector<" in self.text(kind) and texts and (length := self._of_words(texts[0])) is not None:
            self._has_length(self.text(name), length, self.text(kind))
        if self.text(kind) != "dim3":
            self._construct(self.text(name), self.text(kind), [self._of_words(text) for text in texts])
            return
        self.dims[self.text(name)] = [
            self.values.get(text) if text.isidentifier() else None for text in texts
        ]

    def _of_words(self, text: str) -> Formula | None:
        """A product that the grammar takes for a parameter: `rows * columns`."""
        factors = [self.values.get(f, f if f.isdecimal() else "") for f in re.split(r"\s*\*\s*", text)]
        return "(" + " * ".join(f"({f})" for f in factors) + ")" if all(factors) else None

    def _define(self, name: str, value: Node) -> None:
        if value.type in ("argument_list", "initializer_list"):
            self.dims[name] = [self.formula(child) for child in value.named_children]
            if len(value.named_children) == 1 and (only := self.dims[name][0]) is not None:
                self.values[name] = only
            return
        helper = self._helper(value) if value.type == "call_expression" else None
        if helper is not None and helper.returned in helper.reader.bytes:
            self.bytes[name] = helper.reader.bytes[helper.returned]
            return
        dims = self._dims(value)
        if dims is not None:
            self.dims[name] = dims
        formula = self.formula(value)
        if formula is None and _INPUT.search(self.text(value)) and name.isidentifier():
            formula = name
            self.inputs.append(name)
        if formula is not None:
            self.values[name] = formula
        else:
            self.values.pop(name, None)

    def _declared_type(self, declarator: Node) -> str:
        outer: Node | None = declarator.parent
        while outer is not None and outer.type in ("init_declarator", "pointer_declarator"):
            outer = outer.parent
        kind = outer.child_by_field_name("type") if outer is not None else None
        return self.text(kind) if kind is not None else ""

    def _give_length(self, name: str, arguments: Node, kind: str) -> None:
        """`std::vector<float> x(n);`"""
        length = self.formula(arguments.named_children[0]) if arguments.named_children else None
        if length is not None:
            self._has_length(name, length, kind)

    def _has_length(self, name: str, length: Formula, kind: str) -> None:
        self.lengths[name] = length
        size = re.search(r"device_vector<\s*(\w+)\s*>", kind)
        if size is not None and size[1] in SIZES:
            self.bytes[f"{name}.data"] = f"({length} * {SIZES[size[1]]})"

    def _give_members(self, name: str, kind: str, values: Node) -> None:
        """`Params p = {d_in, d_out, n};`, `View<float> v{.data = d, .n = n};`"""
        words = re.split(r"[\s:]+", kind.partition("<")[0])
        struct = next((s for s in self.unit.structs if s.name in words), None)
        members = [member.name for member in struct.fields] if struct is not None else []
        for position, value in enumerate(values.named_children):
            if value.type == "initializer_pair" and len(value.named_children) == 2:
                designator, value = value.named_children
                self._give_member(f"{name}{self.text(designator)}", value)
            elif position < len(members):
                self._give_member(f"{name}.{members[position]}", value)

    def _construct(self, name: str, kind: str, given: list[Formula | None]) -> None:
        """`Buffer<float> b(n);` whose constructor allocates."""
        called, _, written = kind.partition("<")
        struct = next((s for s in self.unit.structs if s.name == called.strip()), None)
        if struct is None or self.depth >= _DEEPEST:
            return
        for method in struct.methods:
            if method.name != struct.name or method.body is None or len(method.params) != len(given):
                continue
            known = {p.name: f"({g})" for p, g in zip(method.params, given, strict=True) if g is not None}
            reader = _Reader(self.unit, known, self.depth + 1)
            passed = [t.strip() for t in written.rstrip("> ").split(",")]
            reader.types = dict(zip([t.name for t in struct.template or ()], passed, strict=False))
            for node in _statements(method.body):
                reader.read(node)
            self.objects[name] = struct
            for pointer, size in reader.bytes.items():
                self._allocated(f"{name}.{pointer.removeprefix('this->')}", size)

    def _given_by(self, call: Node) -> str:
        """The member that a method returns: `b.get()` is `b.p_`."""
        function = call.child_by_field_name("function")
        name, _, method = (self.text(function) if function is not None else "").partition(".")
        struct = self.objects.get(name)
        for known in struct.methods if struct is not None else ():
            returned = returned_by(known) if known.name == method else None
            if returned is not None:
                return f"{name}.{self.text(returned).removeprefix('this->')}"
        return ""

    def _give_member(self, place: str, value: Node) -> None:
        formula = self.formula(value)
        self.members.pop(place, None)
        self.held.pop(place, None)
        if formula is not None:
            self.members[place] = formula
        elif self.text(value) not in ("nullptr", "NULL"):
            self.held[place] = self.text(value)

    def _define_component(self, place: str, value: Node) -> None:
        """`dim.x = n`"""
        self._give_member(place, value)
        name, _, axis = place.partition(".")
        if axis in ("x", "y", "z"):
            known = self.dims.setdefault(name, [])
            known += ["1"] * (3 - len(known))
            known["xyz".index(axis)] = self.formula(value)

    def _triple(self, node: Node) -> tuple[Formula | None, Formula | None, Formula | None]:
        dims = self._dims(node)
        if dims is None:
            return self.formula(node), "1", "1"
        padded = [*dims, *["1"] * (3 - len(dims))]
        return padded[0], padded[1], padded[2]

    def _call(self, node: Node) -> None:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None or arguments is None:
            return
        name, given = self.text(function), arguments.named_children
        if (helper := self._helper(node)) is not None:
            for param, argument in zip(helper.parameters, given, strict=False):
                if param in helper.reader.bytes:
                    self._allocated(self._pointer(argument), helper.reader.bytes[param])
        elif re.fullmatch(r"(cuda|hip|cnrt)Malloc(Managed|Async)?", name) and len(given) >= 2:
            formula = self.formula(given[1])
            if formula is not None:
                self._allocated(self._pointer(given[0]), formula)
        elif re.fullmatch(r"(cuda|hip)MallocPitch", name) and len(given) == 4:
            width, rows = self.formula(given[2]), self.formula(given[3])
            if width is not None and rows is not None:
                pitch = f"(({width} + {_PITCH - 1}) // {_PITCH} * {_PITCH})"
                self.values[self._pointer(given[1])] = pitch
                self.bytes[self._pointer(given[0])] = f"({pitch} * {rows})"
        elif re.fullmatch(r"(cuda|hip|cnrt)Memcpy(Async)?", name) and len(given) >= 3:
            formula = self.formula(given[2])
            if formula is not None:
                for side in given[:2]:
                    self.bytes.setdefault(self._pointer(side), formula)

    def _allocated(self, pointer: str, size: Formula) -> None:
        self.bytes[pointer] = size
        self.held.pop(pointer, None)

    def _helper(self, call: Node) -> _Helper | None:
        """What a function of the file allocates, called like this."""
        function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
        if function is None or arguments is None or self.depth >= _DEEPEST:
            return None
        name, _, written = self.text(function).partition("<")
        defined = (f for f in self.unit.host_functions if f.name == name and f.body is not None)
        found = next((f for f in defined if "alloc" in self.text(f.node).lower()), None)
        if found is None or found.body is None or self.by_node.get(call.id) is not None:
            return None
        given = {
            p.name: self.formula(a) for p, a in zip(found.params, arguments.named_children, strict=False)
        }
        reader = _Reader(self.unit, {n: f"({g})" for n, g in given.items() if g is not None}, self.depth + 1)
        passed = [t.strip() for t in written.removesuffix(">").split(",")] if written else []
        for position, kind in enumerate(found.template or ()):
            told = passed[position] if position < len(passed) else self._deduced(found, kind.name, arguments)
            reader.types[kind.name] = self.types.get(told, told)
        for node in _statements(found.body):
            reader.read(node)
        returned = (n for n in _statements(found.body) if n.type == "return_statement" and n.named_children)
        results = [reader.text(n.named_children[0]) for n in returned]
        return _Helper([p.name for p in found.params], reader, results[-1] if results else "")

    def _deduced(self, function: FunctionDef, kind: str, arguments: Node) -> str:
        """What `T` is where a `T *` or `T **` is passed."""
        for param, argument in zip(function.params, arguments.named_children, strict=False):
            if re.search(rf"\b{kind}\b", param.text) and "*" in param.text:
                return self.pointees.get(self._pointer(argument), "")
        return ""

    def _pointer(self, node: Node) -> str:
        return re.sub(r"\([^()]*\)|[&\s()]", "", self.text(node))

    def _launch(self, node: Node) -> None:
        launch = self.by_node[node.id]
        if len(launch.config) < 2:
            return
        grid, block = self._triple(launch.config[0]), self._triple(launch.config[1])
        shared = self.formula(launch.config[2]) if len(launch.config) > 2 else "0"
        arguments = tuple(self.text(a) for a in launch.arguments)
        values = tuple(self.formula(a) for a in launch.arguments)
        starts = tuple(self._start(a) for a in launch.arguments)
        conditions = tuple(self._conditions(node))
        span = self.unit.span_of(launch.node)
        self.launches.append(
            LaunchModel(
                launch.name,
                grid,
                block,
                arguments,
                shared,
                values,
                conditions,
                span,
                dict(self.bytes),
                dict(self.members),
                dict(self.held),
                starts,
            )
        )

    def _start(self, node: Node) -> tuple[str, Formula | None]:
        """`d + 8` and `&d[8]`: from the 32nd byte of `d` on."""
        match node.type:
            case "cast_expression" | "parenthesized_expression" if node.named_children:
                return self._start(node.named_children[-1])
            case "binary_expression" if node.children[1].type == "+":
                base, added = node.named_children[0], node.named_children[-1]
            case "pointer_expression" if node.named_children[0].type == "subscript_expression":
                subscript = node.named_children[0]
                base, indices = subscript.named_children[0], subscript.named_children[-1]
                added = indices.named_children[0] if indices.named_children else indices
            case "call_expression" if given := self._given_by(node):
                return given, "0"
            case "call_expression" if re.search(r"\b(\w+)\.data\(\)", self.text(node)):
                found = re.findall(r"\b(\w+)\.data\(\)", self.text(node))
                return f"{found[0]}.data", "0"
            case _:
                return self.text(node), "0"
        name, elements = self.text(base), self.formula(added)
        if {self.text(n) for n in (added, *_statements(added))} & self.counters:
            return name, None  # another one in each turn
        size = SIZES.get((self.pointees.get(name) or "*").split()[-1])
        return name, None if size is None or elements is None else f"(({elements}) * {size})"

    def _conditions(self, node: Node) -> Iterator[Formula | None]:
        """Of the `if`s around a node, of those before it that leave the function, and of assertions."""
        inner, outer = node, node.parent
        while outer is not None and outer.type != "function_definition":
            if outer.type == "if_statement":
                test = outer.child_by_field_name("condition")
                if test is not None and inner.id != test.id:
                    holds = self.condition(test)
                    is_else = inner.type == "else_clause"
                    yield f"not {holds}" if is_else and holds is not None else holds
            if outer.type == "compound_statement":
                for before in outer.named_children:
                    if before.id == inner.id:
                        break
                    if before.type == "if_statement" and _leaves(before):
                        test = before.child_by_field_name("condition")
                        holds = self.condition(test) if test is not None else None
                        yield None if holds is None else f"not {holds}"
                    if (asserted := self._asserted(before)) is not None:
                        yield asserted
            if outer.type == "case_statement":
                yield self._case(outer)
            inner, outer = outer, outer.parent

    def _asserted(self, statement: Node) -> Formula | None:
        """`assert(pad < n);`, `CHECK(n % 4 == 0, "...");`, as far as it is understood."""
        call = statement.named_children[0] if statement.type == "expression_statement" else None
        if call is None or call.type != "call_expression":
            return None
        function, arguments = (call.child_by_field_name(field) for field in ("function", "arguments"))
        if function is None or arguments is None or not _ASSERTIONS.fullmatch(self.text(function)):
            return None
        return self.condition(arguments.named_children[0]) if arguments.named_children else None

    def _case(self, case: Node) -> Formula | None:
        """`switch (threads) { case 256: ...`  -->  threads == 256"""
        value, above = case.child_by_field_name("value"), case.parent
        while above is not None and above.type != "switch_statement":
            above = above.parent
        subject = above.child_by_field_name("condition") if above is not None else None
        if value is None or subject is None or not subject.named_children:
            return None
        first, second = self.formula(subject.named_children[-1]), self.formula(value)
        return None if first is None or second is None else f"({first} == {second})"


@dataclass(frozen=True)
class _Helper:
    """A function of the file as a caller sees it: `returned` is the variable that it gives back."""

    parameters: list[str]
    reader: _Reader
    returned: str


def _leaves(statement: Node) -> bool:
    """Whether a branch returns, throws or exits."""
    branch = statement.child_by_field_name("consequence")
    if branch is None:
        return False
    inside = [branch, *_statements(branch)]
    return any(n.type in ("return_statement", "throw_statement") for n in inside) or any(
        n.type == "call_expression" and (n.text or b"").startswith((b"exit", b"abort", b"std::exit"))
        for n in inside
    )
