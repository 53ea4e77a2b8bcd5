"""What the frontend hands to everybody else: one parsed and lowered text."""

from __future__ import annotations

from dataclasses import dataclass

from xpiler.errors import Diagnostic
from xpiler.frontend.libraries import Reduced
from xpiler.ir.nodes import Param, Program
from xpiler.ir.source import SourceRange


@dataclass(frozen=True)
class LaunchSite:
    """`kernel<<<grid, block, shared, stream>>>(args)` in host code.

    `kernel` is the `Function.name` of the IR that it calls, "" if that kernel was refused. Expressions are
    source texts with macros expanded. `block_size` holds the dimensions that are constants. `span` covers
    the whole call without its semicolon, as offsets [start, end) in the original text. `value`: the
    expression that says which kernel starts, "" if it is named; the launch then has a site for each kernel.
    """

    kernel: str
    spelling: str
    host_function: str
    grid: str
    block: str
    shared: str
    arguments: tuple[str, ...]
    block_size: tuple[int | None, int | None, int | None]
    range: SourceRange
    span: tuple[int, int]
    value: str = ""


@dataclass(frozen=True)
class HostFunction:
    """A function that runs on the host. `span` is that of its definition in the original text, `body` its
    expanded text. `parts`: the members of those parameters that are structs of numbers, by value."""

    name: str
    is_extern_c: bool
    params: tuple[Param, ...]
    returns: str
    range: SourceRange
    span: tuple[int, int]
    namespace: str = ""  # "ops::" for a function in namespace ops
    body: str = ""
    is_template: bool = False
    instance: str = ""  # "<float>" of a template that the file instantiates by name
    parts: tuple[Param, ...] = ()
    launched: frozenset[str] = frozenset()  # by an instance, itself or through others: kernels by spelling

    @property
    def callee(self) -> str:
        """The name by which it is called from anywhere."""
        return self.namespace + self.name + self.instance


@dataclass(frozen=True)
class HostCall:
    """A call of the function `name` by the file's own `main`: the number of each argument, None where none
    is known."""

    name: str
    numbers: tuple[int | float | None, ...]


@dataclass(frozen=True)
class TakenFunction:
    """A host function `name` that is taken as a value: by `variable`, as `{launch<float>, launch<int>}` of a
    table, "" if by none, in the function `inside`, "" at file scope."""

    name: str
    variable: str
    inside: str


@dataclass(frozen=True)
class HostVariable:
    """A variable of file scope that host code may change. `begins_empty`: null, or without a value."""

    name: str
    is_pointer: bool
    begins_empty: bool


@dataclass(frozen=True)
class Record:
    """A struct that holds pointers, or a name for it. `is_handle`: the name stands for a pointer to one."""

    name: str
    members: tuple[str, ...]
    is_handle: bool = False


@dataclass(frozen=True)
class HandedLambda:
    """A lambda that host code hands to a kernel: its `captures` by type and name, its span, and the offset
    `before` what the file defines first."""

    name: str
    captures: tuple[tuple[str, str], ...]
    span: tuple[int, int]
    before: int


@dataclass(frozen=True)
class KernelText:
    """Where a kernel or device function stands in the original text: `template<...>` to `}`."""

    name: str
    span: tuple[int, int]
    is_template: bool
    range: SourceRange


@dataclass(frozen=True)
class Signature:
    """A function that takes structs: the place among its parameters, the name and the declaration of each
    (`const shape_t s`), and the definitions that they need, each with its offset in the file."""

    name: str
    structs: tuple[tuple[int, str, str], ...]
    definitions: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Unit:
    """A whole file: the kernels that lowered, and why the others did not (by kernel name or spelling)."""

    file: str
    text: str
    platform: str
    program: Program
    refusals: dict[str, Diagnostic]
    launches: tuple[LaunchSite, ...]
    host_functions: tuple[HostFunction, ...]
    kernels: tuple[KernelText, ...]
    device_functions: tuple[KernelText, ...]
    vector_operators: frozenset[str] = frozenset()  # `float4` where kernels use HIP's operators of it
    comments: tuple[
        tuple[int, str], ...
    ] = ()  # of the main file: the line of code each speaks of, and its text
    device_methods: tuple[KernelText, ...] = ()  # of structs, not callable on the host
    variables: tuple[HostVariable, ...] = ()
    records: tuple[Record, ...] = ()
    lambdas: tuple[HandedLambda, ...] = ()
    kernel_values: tuple[tuple[int, int], ...] = ()  # names of kernels that host code takes as values
    signatures: tuple[Signature, ...] = ()  # of the kernels that take structs
    instances: tuple[HostFunction, ...] = ()  # explicit instantiations of host templates
    calls: tuple[HostCall, ...] = ()  # by `main`, of functions of the file
    taken: tuple[TakenFunction, ...] = ()
    reduced: Reduced | None = None  # the text without what can be run nowhere here, if there is such
    macro_prototypes: tuple[tuple[int, int], ...] = ()  # calls of macros that only declare kernels
