"""What the text defines at namespace scope, by name."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

from tree_sitter import Node

from xpiler.frontend.lower_registry import BUILTINS, METHODS
from xpiler.frontend.lower_scan import Mutations, mutations, only_reads
from xpiler.frontend.lower_types import VECTORS, Struct, named_type
from xpiler.frontend.lower_values import Lambda
from xpiler.frontend.syntax import SyntaxUnit
from xpiler.frontend.syntax_collect import Collector
from xpiler.frontend.syntax_collect import Scope as CollectorScope
from xpiler.frontend.syntax_model import AliasDef, EnumDef, FunctionDef, GlobalVar, StructDef

# Functions of the language and of CUDA that change what they get by reference.
_BY_REFERENCE = {"swap", "exchange", "load_matrix_sync", "mma_sync", "fill_fragment"}


@dataclass(eq=False)
class Entities:
    """Tables of one unit. Namespaces are not told apart: a name is looked up by its last part."""

    unit: SyntaxUnit
    warp_size: int = 32
    functions: dict[str, list[FunctionDef]] = field(default_factory=lambda: defaultdict(list))
    host_functions: dict[str, list[FunctionDef]] = field(default_factory=lambda: defaultdict(list))
    kernels: dict[str, list[FunctionDef]] = field(default_factory=lambda: defaultdict(list))
    methods: dict[tuple[str, str], list[FunctionDef]] = field(default_factory=lambda: defaultdict(list))
    structs: dict[str, list[StructDef]] = field(default_factory=lambda: defaultdict(list))
    aliases: dict[str, AliasDef] = field(default_factory=dict)
    enums: dict[str, EnumDef] = field(default_factory=dict)
    enumerators: dict[str, tuple[EnumDef, int]] = field(default_factory=dict)
    globals: dict[str, GlobalVar] = field(default_factory=dict)
    collector: Collector = field(init=False)
    tells_streams: bool = False  # what is asynchronous is marked, see `lower_streams.py`
    is_serial: bool = False  # plain functions, which may take memory for their own use
    mutations: dict[int, Mutations] = field(default_factory=dict)  # of function bodies, by node
    lambdas: dict[str, Lambda] = field(default_factory=dict)  # by the name of their type
    handed_lambdas: dict[str, Struct] = field(default_factory=dict)  # those that kernels get, as structs
    references: dict[str, frozenset[int]] = field(default_factory=dict)  # of functions, by name
    instances: dict[str, Struct] = field(default_factory=dict)  # structs already instantiated, by name

    vector_operators: set[str] = field(default_factory=set)  # HIP's vector types whose operators are used

    def __post_init__(self) -> None:
        self.collector = Collector(self.unit.expanded, self.unit.expanded, self.unit.map, ())

    @classmethod
    def of(cls, unit: SyntaxUnit, warp_size: int = 32) -> Entities:
        tables = cls(unit, warp_size)
        for function in unit.device_functions:
            tables._add_function(function, tables.functions)
        for function in unit.host_functions:
            tables._add_function(function, tables.host_functions)
        for function in unit.kernels:
            tables.kernels[function.name].append(function)
        for struct in unit.structs:
            tables.structs[struct.name].append(struct)
            for method in struct.methods:
                if method.body is not None:
                    tables.methods[struct.name, method.name].append(method)
            for enum in struct.enums:
                tables._add_enum(enum)
        for alias in unit.aliases:
            tables.aliases[alias.name] = alias
        for enum in unit.enums:
            tables._add_enum(enum)
        for variable in unit.globals:
            tables.globals[variable.name] = variable
        return tables

    def add_local_struct(self, node: Node, name: str) -> StructDef:
        """The definition of a struct inside a function, under a name of its own."""
        unique = f"{name}@{node.start_byte}"
        if unique not in self.structs:
            before = self.collector.found
            self.collector.struct(node, CollectorScope(), name)
            definition = replace(before.structs.pop(), name=unique)
            self.structs[unique].append(definition)
            for method in definition.methods:
                if method.body is not None:
                    self.methods[unique, unique if method.name == name else method.name].append(method)
        return self.structs[unique][0]

    def methods_of(self, struct: StructDef, name: str) -> tuple[FunctionDef, ...]:
        """The methods of that name of one definition: its specialisations have methods of their own."""
        found = self.methods.get((struct.name, name), [])
        others = {m for other in self.structs[struct.name] if other is not struct for m in other.methods}
        own = tuple(method for method in found if method not in others)
        return own or tuple(m for base in self.bases_of(struct) or () for m in self.methods_of(base, name))

    def bases_of(self, struct: StructDef) -> tuple[StructDef, ...] | None:
        """The structs that it is derived from; None where one is not here, or has specialisations."""
        written = (self.unit.text_of(node).split("<")[0] for node in struct.bases)
        found = [self.structs.get(name.split("::")[-1].strip(), []) for name in written]
        if any(len(one) != 1 or one[0].specialises for one in found):
            return None
        return tuple(one[0] for one in found)

    def changes_argument(self, name: str, position: int) -> bool:
        """Whether a call of `name` may change its argument: a reference that is not const. Unknown
        functions may."""
        if name in _BY_REFERENCE:
            return True
        if name.endswith("_cast") or named_type(name) is not None:
            return False
        known = self.references.get(name)
        if known is None:
            tables = (self.functions, self.kernels, self.host_functions)
            candidates = [function for table in tables for function in table.get(name, ())]
            candidates += [m for (_, n), methods in self.methods.items() if n == name for m in methods]
            if name in self.structs:
                candidates += self.methods.get((name, name), [])
            if not candidates:
                if self.unit.platform == "bang" and ("bang", name) in METHODS:
                    return False
                return name not in BUILTINS and name not in VECTORS and name not in self.structs
            known = frozenset(
                i
                for f in candidates
                for i, p in enumerate(f.params)
                if "&" in p.text and "const" not in p.specifiers
            )
            self.references[name] = known
        return position in known

    def mutations_of(self, body: Node) -> Mutations:
        """What a function's body does to names, looked at once."""
        found = self.mutations.get(body.id)
        if found is None:
            found = self.mutations[body.id] = mutations(body, self.unit.text_of, self.changes_argument)
        return found

    def is_only_read(self, variable: GlobalVar) -> bool:
        """Whether no function of the file may write a variable of file scope that has a value."""
        if variable.init is None or "extern" in variable.qualifiers:
            return False
        is_array = "[" in self.unit.text_of(variable.declarator)
        functions = [
            f for table in (self.functions, self.host_functions, self.kernels) for f in table.values()
        ]
        return all(
            only_reads(function.body, variable.name, self.unit.text_of, is_array=is_array)
            for several in (*functions, *self.methods.values())
            for function in several
            if function.body is not None
        )

    def _add_function(self, function: FunctionDef, table: dict[str, list[FunctionDef]]) -> None:
        if function.owner:
            self.methods[function.owner, function.name].append(function)
        else:
            table[function.name].append(function)

    def _add_enum(self, enum: EnumDef) -> None:
        if enum.name:
            self.enums[enum.name] = enum
        for position, enumerator in enumerate(enum.enumerators):
            self.enumerators[enumerator.name] = (enum, position)
