"""A text as syntax: `analyse` preprocesses, masks and parses it, and collects what it defines.

    unit = analyse(text, "gemm.cu")
    unit.kernels, unit.device_functions, unit.host_functions, unit.launches, unit.globals, unit.structs...

Nodes belong to the expanded text; `unit.text_of(node)` and `unit.range_of(node)` speak of them.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from tree_sitter import Node, Tree

from xpiler.errors import Diagnostic
from xpiler.frontend.brackets import unclosed
from xpiler.frontend.comments import Comment
from xpiler.frontend.preprocess import Include, preprocess
from xpiler.frontend.sourcemap import SourceMap
from xpiler.frontend.syntax_collect import Collector, Scope
from xpiler.frontend.syntax_model import (
    AliasDef,
    EnumDef,
    FunctionDef,
    GlobalVar,
    Instantiation,
    Launch,
    Pragma,
    StructDef,
    SyntaxProblem,
)
from xpiler.frontend.syntax_repair import Parsed, parse, problem_nodes
from xpiler.ir.source import SourceRange


@dataclass(frozen=True, eq=False)
class SyntaxUnit:
    """One text, its tree and what it defines, each list in order of appearance.

    `kernels` are `__global__` definitions, templates and specialisations included. `device_functions` may be
    called in device code: `__device__` and constexpr ones. `host_functions` are all others (plain and
    `__host__`; one that is also `__device__` is in `device_functions` only). Methods are in `structs`; those
    defined out of class are here with `owner` set. `prototypes` are declarations without a body.
    """

    file: str
    text: str
    expanded: str
    tree: Tree
    map: SourceMap
    kernels: tuple[FunctionDef, ...]
    device_functions: tuple[FunctionDef, ...]
    host_functions: tuple[FunctionDef, ...]
    prototypes: tuple[FunctionDef, ...]
    launches: tuple[Launch, ...]
    globals: tuple[GlobalVar, ...]
    enums: tuple[EnumDef, ...]
    aliases: tuple[AliasDef, ...]
    structs: tuple[StructDef, ...]
    instantiations: tuple[Instantiation, ...]
    errors: tuple[SyntaxProblem, ...]
    pragmas: tuple[Pragma, ...]
    comments: tuple[Comment, ...]
    macros: dict[str, str]  # object-like macros that the text leaves defined: name -> replacement
    includes: tuple[Include, ...]
    warnings: tuple[Diagnostic, ...]  # such as an #error that was reached
    platform: str = "cuda"

    @property
    def root(self) -> Node:
        return self.tree.root_node

    def text_of(self, node: Node | None) -> str:
        """The expanded text of a node (comments and macros gone), "" for None."""
        return "" if node is None else self.expanded[node.start_byte : node.end_byte]

    def range_of(self, node: Node) -> SourceRange:
        """Where a node stands in the original text; inside a macro's expansion, where the macro is used."""
        return self.map.range(node.start_byte, node.end_byte)

    def span_of(self, node: Node) -> tuple[int, int]:
        """Offsets [start, end) of a node in the original text of `range_of(node).file`."""
        return self.map.span(node.start_byte, node.end_byte)[1:]

    def pragmas_before(self, node: Node) -> tuple[Pragma, ...]:
        """All pragmas directly before a node, nothing but blanks between."""
        offsets = [p.offset for p in self.pragmas]
        found: list[Pragma] = []
        start = node.start_byte
        for pragma in reversed(self.pragmas[: bisect_right(offsets, start)]):
            if self.expanded[pragma.offset : start].strip():
                break
            found.append(pragma)
        return tuple(reversed(found))

    def pragma_before(self, node: Node) -> str:
        """The text of the pragma before a node (`unroll 4`, without `#pragma`), "" if there is none."""
        found = self.pragmas_before(node)
        return found[-1].text if found else ""

    def pragmas_in(self, node: Node) -> tuple[str, ...]:
        """The texts of the pragmas inside a node."""
        return tuple(p.text for p in self.pragmas if node.start_byte < p.offset < node.end_byte)

    def comments_in(self, span: tuple[int, int]) -> tuple[Comment, ...]:
        """Comments that lie within [start, end) of the original text."""
        return tuple(c for c in self.comments if span[0] <= c.start and c.end <= span[1])

    def errors_in(self, node: Node) -> tuple[SyntaxProblem, ...]:
        """Syntax errors inside a node."""
        return tuple(e for e in self.errors if node.start_byte <= e.start < node.end_byte)


def analyse(
    text: str, file: str, *, platform: str = "cuda", defines: dict[str, str] | None = None
) -> SyntaxUnit:
    """The syntax of a text. Raises `Refusal` for text that cannot be preprocessed."""
    parsed = parse(preprocess(text, file, defines, platform=platform))
    expanded, tree = parsed.expanded, parsed.tree
    problems = _problems(parsed)
    collector = Collector(expanded.text, parsed.prepared, expanded.map, problems)
    collector.container(tree.root_node, Scope())
    collector.launches(tree.root_node)
    found = collector.found
    kernels = tuple(f for f in found.functions if f.is_kernel)
    device = tuple(f for f in found.functions if f.is_device and not f.is_kernel)
    host = tuple(f for f in found.functions if not f.is_device and not f.is_kernel)
    return SyntaxUnit(
        file=file,
        text=text,
        expanded=expanded.text,
        tree=tree,
        map=expanded.map,
        kernels=kernels,
        device_functions=device,
        host_functions=host,
        prototypes=tuple(found.prototypes),
        launches=tuple(found.launches),
        globals=tuple(found.globals),
        enums=tuple(found.enums),
        aliases=tuple(found.aliases),
        structs=tuple(found.structs),
        instantiations=tuple(found.instantiations),
        errors=problems,
        pragmas=expanded.pragmas,
        comments=expanded.comments,
        macros={name: m.text for name, m in expanded.macros.items() if m.params is None},
        includes=expanded.includes,
        warnings=expanded.warnings,
        platform=platform,
    )


def _problems(parsed: Parsed) -> tuple[SyntaxProblem, ...]:
    spans = [(node.start_byte, node.end_byte) for node in problem_nodes(parsed.tree.root_node)]
    spans += parsed.guesses
    text, source_map = parsed.expanded.text, parsed.expanded.map
    problems = [
        SyntaxProblem(source_map.range(start, end), text[start:end] or _next_word(text, start), start, end)
        for start, end in sorted(spans)
    ]
    bracket = unclosed(text) if spans else None
    if bracket is not None:  # what the grammar makes of the rest says less
        start = bracket.start
        line = text[start:].split("\n", 1)[0]
        problems.insert(
            0, SyntaxProblem(source_map.range(start, start + 1), line, start, start + 1, bracket.reason)
        )
    return tuple(problems)


def _next_word(text: str, start: int) -> str:
    """What stands where something is missing."""
    words = text[start : start + 80].split(None, 1)
    return words[0] if words else "end of file"
