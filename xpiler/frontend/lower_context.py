"""The state of lowering one kernel: scopes, unique names, the statements so far; and who lowers which kind
of syntax."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from tree_sitter import Node

from xpiler.errors import Refusal
from xpiler.frontend.lower_pools import Pool, Pools
from xpiler.frontend.lower_types import CType, Scalar, Struct
from xpiler.frontend.lower_values import Address, Memory, Number, PointerVariable, Value
from xpiler.frontend.syntax_model import FunctionDef
from xpiler.ir import build
from xpiler.ir.nodes import EMPTY, FALSE, TRUE, Assign, Barrier, Block, Const, Decl, Expr, Stmt, Var
from xpiler.ir.rewrite import children, uses, walk
from xpiler.ir.source import SourceRange
from xpiler.ir.types import DType

if TYPE_CHECKING:
    from xpiler.frontend.lower_entities import Entities


@dataclass(eq=False)
class Scope:
    """Names of one block; lookup goes outwards. `kind` marks what may not be looked through."""

    parent: Scope | None = None
    names: dict[str, Value] = field(default_factory=dict)
    types: dict[str, CType] = field(default_factory=dict)
    aliases: dict[str, str] = field(
        default_factory=dict
    )  # template parameters that name functions or templates
    struct: Struct | None = None  # inside a method: whose members are in scope
    receiver: Value | None = None

    def find(self, name: str) -> Value | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def find_type(self, name: str) -> CType | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.types:
                return scope.types[name]
            scope = scope.parent
        return None

    def real_name(self, name: str) -> str:
        """The function or template that a template parameter stands for."""
        for scope in self.chain():
            if name in scope.aliases:
                return scope.aliases[name]
        return name

    def chain(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


@dataclass(frozen=True)
class Leave(Stmt):
    """Jumps behind the region `label`: an early return of an inlined function, a `break` in a switch.

    Lives only while a region is lowered; `lower_leave.resolve` turns it into structured control flow.
    """

    label: str = ""


@dataclass(frozen=True, eq=False)
class Rebound:
    """A pointer variable that points into another array on one side of an if: where it did and does."""

    variable: PointerVariable
    before: Address
    after: Address


@dataclass(eq=False)
class Frame:
    """The function that is being lowered: the kernel or an inlined one. `label` is None for the kernel,
    `instance` tells the instantiations of a template apart."""

    function: FunctionDef | None
    name: str
    label: str | None
    result_type: CType | None = None
    result: Value | None = None
    mutated: frozenset[str] = frozenset()
    punned: frozenset[str] = frozenset()
    instance: str = ""


_SHARED_NODES = frozenset({id(TRUE), id(FALSE), id(EMPTY)})


class Context:
    """Lowers one kernel. Handlers of the other modules register in `EXPRESSIONS`, `STATEMENTS` and get
    this."""

    def __init__(self, entities: Entities, pools: Pools = frozenset()) -> None:
        self.entities = entities
        self.pools: dict[str, Pool | None] = {name: None for pool in pools for name in pool}
        self._pools = pools
        self.scope = Scope()
        self.out: list[Stmt] = []
        self.prologue: list[
            Stmt
        ] = []  # declarations of shared memory: they belong to the block, wherever they stand
        self.globals: dict[str, Decl] = {}
        self.statics: dict[tuple[int, str], Value] = {}  # shared variables by their declaration
        self.names: set[str] = set()
        self._counts: dict[str, int] = {}  # of the names of one stem, all of which are taken up to it
        self.frames: list[Frame] = []
        self.breaks: list[str | None] = []  # what `break` leaves: a loop (None) or the region of a switch
        self.here: Node | None = None
        self.dynamic_shared: Memory | None = None
        self.copies: dict[str, Expr] = {}  # variables that began as copies of parameters
        self.held: dict[str, tuple[Var, ...]] = {}  # arrays in structs by value: the parameters in them
        self.began: dict[str, Expr] = {}  # what each variable was declared with
        self.results: set[str] = set()  # arrays that hold what an instruction has just computed
        self.settled: set[str] = set()  # variables that never change once they have a value
        self.non_negative: set[str] = set()  # integer variables known never to be negative
        self.hoisted: dict[str, list[Stmt]] = {}  # declarations that belong before an inlined body, by label
        self.lanes: dict[str, tuple[int, int]] = {}  # ranges of loops over the lanes of registers
        self.lengths: dict[str, Expr] = {}  # of vectors that never change theirs, in elements
        self.tables: set[str] = set()  # arrays of constants that such loops read
        self.constant_tables: dict[object, str] = {}  # their names, by what is in them
        self.collapsed = 0  # loops that OpenMP still shares out together with the one around
        self.control: tuple[int, ...] = ()  # the branches and loops around
        # Pointers that the current side of an if makes point elsewhere: see `lower_pointers.one_side`.
        self.rebound: dict[str, Rebound] | None = None
        self._branches = 0
        self._ranges: dict[tuple[int, int], SourceRange] = {}

    @property
    def warp_size(self) -> int:
        """Lanes that shuffle and vote together on the platform of the text."""
        return self.entities.warp_size

    # ----------------------------------------------------------------------------------- places and refusals

    def text(self, node: Node | None) -> str:
        return self.entities.unit.text_of(node)

    def range(self, node: Node | None = None) -> SourceRange | None:
        node = node or self.here
        if node is None:
            return None
        key = (node.start_byte, node.end_byte)
        found = self._ranges.get(key)
        if found is None:
            found = self._ranges[key] = self.entities.unit.range_of(node)
        return found

    def refuse(self, code: str, message: str, node: Node | None = None, remedy: str = "") -> NoReturn:
        raise Refusal(code, message, self.range(node), remedy)

    # ---------------------------------------------------------------------------------- names and statements

    def fresh(self, name: str) -> str:
        """A name not yet used in the kernel: `i`, then `i_1`."""
        candidate, count = name, self._counts.get(name, 0)
        while candidate in self.names:
            count += 1
            candidate = f"{name}_{count}"
        self.names.add(candidate)
        self._counts[name] = count
        return candidate

    def emit(self, stmt: Stmt, node: Node | None = None) -> None:
        place = self.range(node)
        if place is not None:
            _fill_ranges(stmt, place)
        if isinstance(stmt, Decl) and isinstance(stmt.init, Expr):
            self.began[stmt.name] = stmt.init
        self.out.append(stmt)

    def pool_of(self, name: str, memory: Memory) -> Pool | None:
        """The pool that an array of this name is part of, if any."""
        members = next((pool for pool in self._pools if name in pool), None)
        if members is None:
            return None
        found = self.pools[name]
        if found is None:
            found = Pool(memory)
            self.pools |= dict.fromkeys(members, found)
        return found

    def temporary(self, value: Expr, name: str = "t") -> Var:
        """A new variable that holds `value` from here on."""
        var = Var(value.dtype, self.fresh(name))
        self.emit(Decl(var.name, value.dtype, init=value))
        return var

    def emit_resolved(self, stmts: Sequence[Stmt]) -> None:
        """Emits statements that were put together from lowered ones: what is new in them gets the range of
        here."""
        place = self.range()
        for stmt in stmts:
            for node in walk(stmt) if place is not None else ():
                if isinstance(node, (Expr, Stmt)) and node.range is None:
                    _set_range(node, place)
        self.out.extend(stmts)

    @contextmanager
    def capture(self) -> Iterator[list[Stmt]]:
        """Statements emitted meanwhile go to the list instead."""
        outer, self.out = self.out, []
        try:
            yield self.out
        finally:
            self.out = outer

    @contextmanager
    def branch(self) -> Iterator[list[Stmt]]:
        """Captured statements that may run not at all, or several times."""
        self._branches += 1
        outer, self.control = self.control, (*self.control, self._branches)
        try:
            with self.capture() as out:
                yield out
        finally:
            self.control = outer

    @contextmanager
    def nested(self, scope: Scope | None = None) -> Iterator[Scope]:
        """A scope inside the current one, or `scope`."""
        outer = self.scope
        self.scope = scope or Scope(outer)
        try:
            yield self.scope
        finally:
            self.scope = outer

    @contextmanager
    def at(self, node: Node) -> Iterator[None]:
        outer, self.here = self.here, node
        try:
            yield
        finally:
            self.here = outer

    def stable(self, expr: Expr, mark: int) -> Expr:
        """`expr`, evaluated when `mark` statements were out: kept in a temporary there if what came since
        changes it."""
        later = self.out[mark:]
        if not later or isinstance(expr, Const):
            return expr
        if not changes(later, expr):
            return expr
        var = Var(expr.dtype, self.fresh("t"))
        decl = Decl(var.name, expr.dtype, init=expr)
        place = self.range()
        if place is not None:
            _fill_ranges(decl, place)
        self.out.insert(mark, decl)
        return var

    # ---------------------------------------------------------------------------------------- dispatch

    def value(self, node: Node) -> Value:
        """What an expression stands for; its effects are emitted."""
        handler = EXPRESSIONS.get(node.type)
        if handler is None:
            if node.is_error or node.is_missing:
                self.refuse("syntax", f"syntax error near `{shorten(self.text(node))}`", node)
            self.refuse(
                "unsupported-expression",
                f"`{shorten(self.text(node))}` ({node.type.replace('_', ' ')}) is not supported",
                node,
            )
        outer, self.here = self.here, node
        result = handler(self, node)
        if isinstance(result, Number) and result.expr.range is None:
            place = self.range(node)
            if place is not None:
                _fill_ranges(result.expr, place)
        self.here = outer
        return result

    def statement(self, node: Node) -> None:
        """Lowers a statement into the current list."""
        handler = STATEMENTS.get(node.type)
        if handler is None:
            if node.is_error or node.is_missing:
                self.refuse("syntax", f"syntax error near `{shorten(self.text(node))}`", node)
            self.refuse(
                "unsupported-statement",
                f"`{shorten(self.text(node))}` ({node.type.replace('_', ' ')}) is not supported",
                node,
            )
        outer, self.here = self.here, node
        handler(self, node)
        self.here = outer

    def block(self, node: Node | None) -> Block:
        """A statement as a block of its own, in a scope of its own."""
        if node is None:
            return EMPTY
        with self.nested(), self.branch() as out:
            self.statement(node)
        return self.sealed(out, node)

    def sealed(self, stmts: Sequence[Stmt], node: Node | None = None) -> Block:
        place = self.range(node)
        for stmt in stmts:
            if place is not None:
                _fill_ranges(stmt, place)
        return Block(tuple(stmts), range=place)


ExpressionHandler = Callable[[Context, Node], Value]
StatementHandler = Callable[[Context, Node], None]
EXPRESSIONS: dict[str, ExpressionHandler] = {}
STATEMENTS: dict[str, StatementHandler] = {}


def expression(*kinds: str) -> Callable[[ExpressionHandler], ExpressionHandler]:
    """Registers the handler of kinds of expression nodes."""

    def register(handler: ExpressionHandler) -> ExpressionHandler:
        EXPRESSIONS.update(dict.fromkeys(kinds, handler))
        return handler

    return register


def statement(*kinds: str) -> Callable[[StatementHandler], StatementHandler]:
    """Registers the handler of kinds of statement nodes."""

    def register(handler: StatementHandler) -> StatementHandler:
        STATEMENTS.update(dict.fromkeys(kinds, handler))
        return handler

    return register


def changes(stmts: Sequence[Stmt], expr: Expr) -> bool:
    """Whether running `stmts` may change the value of `expr`."""
    wanted = uses(expr)
    if not wanted.vars_read and not wanted.arrays_read:
        return False
    for stmt in stmts:
        if wanted.arrays_read and any(isinstance(s, Barrier) for s in walk(stmt)):
            return True
        done = uses(stmt)
        if done.vars_assigned & wanted.vars_read or done.arrays_written & wanted.arrays_read:
            return True
    return False


def _fill_ranges(node: Expr | Stmt, place: SourceRange) -> None:
    """Gives `node` and what is below it the range, down to nodes that have one.

    Nodes are frozen for everybody else; this is still their construction, and copying each to set a field
    that takes
    no part in equality would double the time of lowering.
    """
    if node.range is not None or id(node) in _SHARED_NODES:
        return
    _set_range(node, place)
    for child in children(node):
        if isinstance(child, (Expr, Stmt)):
            _fill_ranges(child, place)


def complete_ranges(node: Expr | Stmt, place: SourceRange | None) -> None:
    """Gives every node below that has no range yet that of the node around it."""
    if node.range is None:
        _set_range(node, place)
    else:
        place = node.range
    for child in children(node):
        if isinstance(child, (Expr, Stmt)):
            complete_ranges(child, place)


def _set_range(node: Expr | Stmt, place: SourceRange | None) -> None:
    if id(node) not in _SHARED_NODES:
        object.__setattr__(node, "range", place)


def shorten(text: str, limit: int = 60) -> str:
    """One line of a piece of source for a message."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def number(expr: Expr, name: str = "") -> Number:
    return Number(Scalar(expr.dtype, name), expr)


def constant(value: int | float | bool, dtype: DType) -> Number:
    return number(build.const(value, dtype))


def assign(target: Var, value: Expr) -> Assign:
    return Assign(target, value)


def field_children(node: Node, name: str) -> list[Node]:
    return node.children_by_field_name(name)


def named_children(node: Node) -> list[Node]:
    """Named children that mean something (no comments)."""
    return [c for c in node.named_children if c.type != "comment"]
