"""What an expression of C stands for while it is lowered: numbers, places in memory, pointers, aggregates,
functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tree_sitter import Node

from xpiler.frontend.lower_types import (
    VOID,
    Array,
    AtomicRef,
    Binding,
    Closure,
    CType,
    Group,
    Pointer,
    Scalar,
    Struct,
    Vector,
)
from xpiler.frontend.syntax_model import FunctionDef, ParamDecl
from xpiler.ir.nodes import Const, Expr, Space, Var
from xpiler.ir.types import I32, DType

if TYPE_CHECKING:
    from xpiler.frontend.lower_context import Scope

ZERO = Const(I32, 0)


@dataclass(frozen=True)
class Memory:
    """An array of the IR. `shape` is () where the extent is not known (kernel parameters, dynamic shared
    memory)."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    space: Space
    is_const: bool = False


@dataclass(frozen=True, eq=False)
class Value:
    """Base. `type` is the C type of the object or number."""

    type: CType


@dataclass(frozen=True, eq=False)
class Number(Value):
    """A scalar value that has no place: the result of an operator."""

    type: Scalar
    expr: Expr


@dataclass(frozen=True, eq=False)
class SharedAddress(Number):
    """The address of a byte of shared memory as a number, with the array that it lies in; `expr` counts from
    the beginning of that."""

    memory: Memory


@dataclass(frozen=True, eq=False)
class Variable(Value):
    """A scalar variable."""

    type: Scalar
    var: Var
    is_const: bool = False


@dataclass(frozen=True, eq=False)
class Element(Value):
    """An object in an array of the IR: of scalar, array, struct or fragment type.

    `index` holds the first indices of a multi-dimensional array, those of `type` being still open. Once
    pointer
    arithmetic was done `index` is None and the object begins `offset` units of `unit` bytes after the
    array's begin,
    or after that of the row `prefix` of a multi-dimensional array. `alignment`: bytes that it must be aligned
    to, if that is more than the array's elements are.
    """

    memory: Memory
    index: tuple[Expr, ...] | None
    offset: Expr = ZERO
    unit: int = 0
    prefix: tuple[Expr, ...] = ()
    alignment: int = 0


@dataclass(frozen=True, eq=False)
class Address(Value):
    """A pointer into an array: `offset` counts `unit` bytes from its begin or from that of the row `prefix`.

    `memory` is None for a null pointer. `null_if` is the condition under which a pointer into an array is
    null, None
    where only that of the array itself counts.
    """

    type: Pointer
    memory: Memory | None
    offset: Expr
    unit: int
    prefix: tuple[Expr, ...] = ()
    null_if: Expr | None = None


@dataclass(frozen=True, eq=False)
class AddressOf(Value):
    """A pointer to something that is no array: a scalar variable, a struct in pieces. `passed`: it is a
    parameter, which may be null for all that the function knows."""

    type: Pointer
    target: Value
    passed: str = ""


@dataclass(eq=False)
class PointerCell:
    """The state of a pointer variable. Which array it points into is fixed by its first value."""

    name: str
    memory: Memory | None = None
    offset: Var | None = None
    unit: int = 0
    target: Value | None = None  # for pointers to variables that are no arrays
    control: tuple[int, ...] = ()  # the branches and loops around its declaration


@dataclass(frozen=True, eq=False)
class PointerVariable(Value):
    type: Pointer
    cell: PointerCell


@dataclass(frozen=True, eq=False)
class Choice(Value):
    """One of two pointers, or of the objects behind them: `condition ? q : k` with different arrays."""

    condition: Expr
    first: Value
    second: Value


@dataclass(frozen=True, eq=False)
class Aggregate(Value):
    """A struct whose members are separate objects, an array of such structs (one array a member), or the
    elements of a vector."""

    type: Struct | Array | Vector
    fields: dict[str, Value]


@dataclass(frozen=True, eq=False)
class Elements(Value):
    """An array whose elements are separate objects: pointers, or structs that hold some."""

    type: Array
    values: tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class ListValue(Value):
    """`{a, b}` before its type is known; `scope` is the one it was written in."""

    nodes: tuple[Node, ...]
    scope: Scope


@dataclass(frozen=True, eq=False)
class Lambda(Value):
    type: Closure
    node: Node
    params: tuple[ParamDecl, ...]
    body: Node
    scope: Scope
    return_type: Node | None


@dataclass(frozen=True, eq=False)
class Functions(Value):
    """A name that means functions, before overloads are resolved; `receiver` is the object of a method
    call."""

    type: Closure
    name: str
    candidates: tuple[FunctionDef, ...]
    explicit: tuple[Node, ...] = ()
    receiver: Value | None = None
    struct: Struct | None = None


@dataclass(frozen=True, eq=False)
class Builtin(Value):
    """A function that the language or CUDA defines."""

    type: Closure
    name: str
    explicit: tuple[Node, ...] = ()
    receiver: Value | None = None


@dataclass(frozen=True, eq=False)
class GroupValue(Value):
    """`mask`: of a coalesced group, the lanes that were together when it was made."""

    type: Group
    mask: Expr | None = None


@dataclass(frozen=True, eq=False)
class AtomicRefValue(Value):
    """`cuda::atomic_ref` of the object `target`."""

    type: AtomicRef
    target: Value


@dataclass(frozen=True, eq=False)
class Nothing(Value):
    """The value of a call of a void function."""


@dataclass(frozen=True, eq=False)
class TypeName(Value):
    """A name that means a type."""


@dataclass(frozen=True)
class Instance:
    """One instantiation of a function."""

    function: FunctionDef
    bindings: tuple[Binding, ...] = field(default=())


VOID_VALUE = Nothing(VOID)
