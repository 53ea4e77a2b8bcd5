"""The language of tensor programs, on one page.

Every node is a frozen dataclass with structural equality; `range` (the place in the user's text) takes no
part in it. Expressions are pure and carry their C type in `dtype`; conversions are explicit (`Cast`), so
`Binary` operands always have equal types (shifts excepted: the right operand has its own). What C does
implicitly the frontend writes out.

Names are unique within a function: the frontend renames shadowed variables (`i`, `i_1`). A kernel is
self-contained: `__device__` helpers are inlined, templates instantiated, vector types (`float4`, `half2`)
and structs split into their scalars (`v_x`, `v_y`), pointers resolved to an array plus an element offset. So
memory is only ever named arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from xpiler.ir.source import SourceRange
from xpiler.ir.types import BOOL, DType


class Space(Enum):
    """Where an array lives."""

    GLOBAL = "global"  # device memory: kernel parameters, __device__ variables
    CONSTANT = "constant"  # read-only during a launch, with an initial value
    SHARED = "shared"  # one copy a block
    LOCAL = "local"  # one copy a thread (or plain host memory once threads are loops)
    FRAGMENT = (
        "fragment"  # a matrix fragment: one copy a warp, shape (rows, columns), see `platforms/cuda.py`
    )
    NRAM = "nram"  # a core's scratchpad for vectors, see `platforms/bang.py`
    WRAM = "wram"  # a core's scratchpad for weights


class LoopKind(Enum):
    SERIAL = "serial"
    UNROLLED = "unrolled"  # a #pragma unroll or a pass asked for it; the meaning is that of SERIAL
    PARALLEL = "parallel"  # iterations are independent: OpenMP, or blocks of a grid
    VECTOR = "vector"  # iterations are independent: lanes of a SIMD register
    THREADS = "threads"  # the threads of one block, between two barriers: iterations are independent


# ---------------------------------------------------------------------------------------------- expressions


@dataclass(frozen=True)
class Expr:
    """Base of all expressions."""

    dtype: DType
    range: SourceRange | None = field(default=None, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Const(Expr):
    """A literal. Integers lie within their dtype; floats are Python floats already rounded to it (inf, nan
    allowed). Equal are the same bits: `0.0` is not `-0.0`, and nan is nan."""

    value: int | float | bool

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Const) and self.dtype == other.dtype and self._bits() == other._bits()

    def __hash__(self) -> int:
        return hash((self.dtype, self._bits()))

    def _bits(self) -> int | str:
        return float(self.value).hex() if self.dtype.is_float else int(self.value)


@dataclass(frozen=True)
class Var(Expr):
    """A scalar variable, loop variable or scalar parameter.

    SIMT indices are variables with reserved names: `threadIdx.x`, `blockIdx.y`, `blockDim.z`, `gridDim.x`;
    dtype u32. `dynamicShared.bytes` is the size of the dynamic shared memory of the launch.
    """

    name: str


@dataclass(frozen=True)
class Load(Expr):
    """`array[index]`. One index a dimension, or a single one into a multi-dimensional array: row-major, flat.

    If `dtype` is not the array's element type the access reinterprets memory: the (flat) index then counts
    units of `dtype`, as in `((int*)array)[i]`.

    `alignment`: what the address must be a multiple of, in bytes, where this is the first element of a wider
    access (`*(float4*)p`); 0 if nothing but the element's own size is asked for.
    """

    array: str
    index: tuple[Expr, ...]
    alignment: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True)
class Unary(Expr):
    """`op`: `-`, `~`, `!` (`!` yields bool)."""

    op: str
    operand: Expr


@dataclass(frozen=True)
class Binary(Expr):
    """C arithmetic on operands of one type: `+ - * / % & | ^ << >>`; comparisons `< <= > >= == !=` and
    short-circuit `&& ||` yield bool. Integer `/ %` truncate; unsigned wraps; signed overflow is undefined
    (the interpreter wraps).

    `exact`: an integer quotient that leaves no rest unless the program is wrong, as in `(int*)(bytes + i)`.
    """

    op: str
    left: Expr
    right: Expr
    exact: bool = field(default=False, compare=False, repr=False)


@dataclass(frozen=True)
class Select(Expr):
    """`condition ? then : otherwise`; only the chosen side is evaluated (its loads may be out of bounds
    otherwise)."""

    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True)
class Cast(Expr):
    """C conversion of the value. float -> int truncates and, as on GPUs, clamps to the range; NaN gives 0."""

    operand: Expr


@dataclass(frozen=True)
class Bitcast(Expr):
    """The same bits read as another type of the same width (`__float_as_int`)."""

    operand: Expr


@dataclass(frozen=True)
class Call(Expr):
    """A pure scalar function by its platform-neutral name (`exp`, `fma`, `max`, `rsqrt`, `popc`...; see
    `ir/functions.py`).

    `fast` marks reduced-accuracy forms (`__expf`): the gate widens its tolerance, a target may pick its own
    fast form.
    """

    function: str
    args: tuple[Expr, ...]
    fast: bool = False


# ---------------------------------------------------------------------------------------------- statements


@dataclass(frozen=True)
class Stmt:
    """Base of all statements. `notes`: what an annotation says of it, in words; no part of the meaning."""

    range: SourceRange | None = field(default=None, compare=False, repr=False, kw_only=True)
    notes: tuple[str, ...] = field(default=(), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Block(Stmt):
    body: tuple[Stmt, ...]


@dataclass(frozen=True)
class Decl(Stmt):
    """A scalar (`shape == ()`) or array. Extents are expressions over parameters and launch dimensions.

    A scalar without `init` is uninitialised. `init` of an array is a flat tuple of its leading elements, the
    rest zero; `None` leaves it uninitialised. Scope: to the end of the enclosing Block.
    """

    name: str
    dtype: DType
    shape: tuple[Expr, ...] = ()
    space: Space = Space.LOCAL
    init: Expr | tuple[Expr, ...] | None = None
    alignment: int = 0  # bytes asked for in the text, 0 if none


@dataclass(frozen=True)
class Assign(Stmt):
    """`target = value`, or, with `reduce`, `target = target reduce value`: `+ * min max & | ^`.

    The frontend writes `x += e` with `reduce="+"`; `x -= e` as reduce "+" of a negation for floats. Others
    are spelled out. `target` is a `Var` or a `Load` (read as a place).
    """

    target: Var | Load
    value: Expr
    reduce: str | None = None


@dataclass(frozen=True)
class For(Stmt):
    """`for (var = start; var < stop; var += step)`, with `step` a positive loop-invariant expression.

    The loop variable is not assigned in the body and is not live after the loop; bounds are evaluated once.
    Every other C loop is a `While`. `unroll`: the factor asked for by the text, 0 if none. `waits`: whether
    the threads that a parallel loop is shared out among meet at its end.
    """

    var: str
    dtype: DType
    start: Expr
    stop: Expr
    step: Expr
    body: Block
    kind: LoopKind = LoopKind.SERIAL
    unroll: int = 0
    waits: bool = True


@dataclass(frozen=True)
class While(Stmt):
    """`while (condition) body`; `do_while` tests after the body. `continue` in a C `for` that became a While
    runs `advance` first (empty for real while loops)."""

    condition: Expr
    body: Block
    do_while: bool = False
    advance: Block = field(default_factory=lambda: Block(()))


@dataclass(frozen=True)
class If(Stmt):
    condition: Expr
    then: Block
    otherwise: Block = field(default_factory=lambda: Block(()))


@dataclass(frozen=True)
class Barrier(Stmt):
    """`scope`: `block` (`__syncthreads`), `warp` (`__syncwarp`), `grid` (cooperative). Memory is ordered
    among members: of a warp those that `mask` names (None: all lanes). Kernels that were read for a check
    have marks besides, see `frontend/lower_streams.py`."""

    scope: str = "block"
    mask: Expr | None = None


@dataclass(frozen=True)
class Collective(Stmt):
    """All threads of a group exchange values; an implicit barrier of its scope.

    `kind` and args:
      shuffle:  `shfl`, `shfl_up`, `shfl_down`, `shfl_xor` (value, lane|delta|mask, width)   dtype = value's
      vote:     `all`, `any` (predicate) -> i32; `ballot` (predicate) -> u32/u64; `activemask` () -> u32
      match:    `match_any` (value) -> u32
      reduce:   `reduce_add`, `reduce_min`, `reduce_max`, `reduce_and`, `reduce_or`, `reduce_xor` (value)
      block:    `syncthreads_count`, `syncthreads_and`, `syncthreads_or` (predicate) -> i32, scope `block`
    `mask` is the participation mask of `_sync` forms (None: all lanes). `target` receives the result.
    """

    kind: str
    target: Var
    args: tuple[Expr, ...]
    mask: Expr | None = None
    scope: str = "warp"


@dataclass(frozen=True)
class Atomic(Stmt):
    """Read-modify-write of one element: `add sub min max and or xor inc dec exch cas`; `target` receives the
    old value.

    `args`: (value,), for `cas` (compare, value). `of_block`: atomic among the threads of a block alone.
    """

    op: str
    place: Load
    args: tuple[Expr, ...]
    target: Var | None = None
    of_block: bool = False


@dataclass(frozen=True)
class Instr(Stmt):
    """An instruction of a platform (`wmma.mma_sync`) with its operands; its meaning is in `platforms/`.

    Array operands are passed as `Ref`; the first is written, the others are read.
    """

    name: str
    operands: tuple[Expr, ...]
    attributes: tuple[tuple[str, str], ...] = ()  # e.g. (("layout", "row_major"),)


@dataclass(frozen=True)
class Ref(Expr):
    """An array handed to an instruction, from element `offset` (flat) on; dtype is the element type."""

    array: str
    offset: Expr


@dataclass(frozen=True)
class Return(Stmt):
    """Ends the thread (kernels return nothing)."""


@dataclass(frozen=True)
class Break(Stmt):
    pass


@dataclass(frozen=True)
class Continue(Stmt):
    pass


@dataclass(frozen=True)
class Trap(Stmt):
    """`assert` failed, `__trap()`, or printf-like effects: `kind` = `assert` (message) with `condition` that
    must hold."""

    kind: str
    condition: Expr
    message: str = ""


# ---------------------------------------------------------------------------------------------- programs

RETURN = "return"  # the name of the parameter that holds what a plain function returns, an array of one


@dataclass(frozen=True)
class Param:
    """A kernel parameter. Pointers are arrays of unknown extent in GLOBAL space.

    `dtype` is the scalar element type; a `float4*` has dtype f32 and `lanes` 4 (indices count scalars).
    A struct by value is a parameter for each member: `argument` is the place in the launch that it comes
    from (-1: that of the parameter), `member` what of it (`lr`, `range.low`, `strides[1]`; "": the argument
    itself) and `offset` where it lies in it, in bytes.
    """

    name: str
    dtype: DType
    is_pointer: bool
    is_const: bool = False
    is_restrict: bool = False
    lanes: int = 1
    spelling: str = (
        ""  # the C spelling of the type, template arguments substituted: "const float *__restrict__"
    )
    argument: int = field(default=-1, compare=False, repr=False)
    member: str = field(default="", compare=False, repr=False)
    offset: int = field(default=0, compare=False, repr=False)
    range: SourceRange | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Function:
    """A kernel after inlining and instantiation.

    `name` is unique (`gemm_float_16`); `spelling` is what a launch calls (`gemm<float, 16>`); `block_size`
    and `grid_size` hold launch dimensions where all launches in the file agree on constants (None for a
    dimension that is not known). `is_serial`: a plain function, run once, not by many threads.
    """

    name: str
    params: tuple[Param, ...]
    body: Block
    spelling: str = ""
    template: str = ""  # the template's own name, "" for a plain kernel
    namespace: str = ""  # "ops::" for a kernel in namespace ops
    launch_bounds: tuple[int, int] | None = None
    block_size: tuple[int | None, int | None, int | None] = (None, None, None)
    grid_size: tuple[int | None, int | None, int | None] = (None, None, None)
    globals: tuple[Decl, ...] = ()  # __constant__ and __device__ arrays that the kernel uses
    warp_size: int = 32  # lanes that shuffle and vote together: 64 in a wave of CDNA
    tasks: str = ""  # of BANG C: how its tasks became blocks and threads, see `platforms/bang_tasks.py`
    is_serial: bool = False
    range: SourceRange | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Program:
    """All kernels of one text, in order of appearance."""

    file: str
    platform: str  # cuda | hip | bang | vnni
    kernels: tuple[Function, ...]


# ---------------------------------------------------------------------------------------------- comparison


def fields_alone(node: Any) -> dict[str, Any]:
    """The fields of a node without what is remembered with it.

    One by one, and never by the node's dictionary: another thread may be remembering something meanwhile.
    That ends a walk over the dictionary; and CPython 3.11, making or copying one, does not expect that others
    change it while it looks for garbage, which was the end of the interpreter.
    """
    return {name: getattr(node, name) for name in node.__dataclass_fields__}


def _remember_hashes(base: type) -> None:
    """Nodes are keys of many tables: each computes its hash once, and different hashes decide `==` early.

    Equality and hash stay those of the dataclass. Copies and pickles leave behind what is remembered with a
    node (`_hash`...): strings hash differently in every process.
    """
    for cls in (base, *base.__subclasses__()):
        _remember_hash(cls)


def _remember_hash(cls: Any) -> None:
    compute, compare, store = cls.__hash__, cls.__eq__, object.__setattr__

    def hash_(self: Any) -> int:
        try:
            return self._hash  # type: ignore[no-any-return]
        except AttributeError:
            store(self, "_hash", compute(self))
            return self._hash  # type: ignore[no-any-return]

    def eq(self: Any, other: object) -> Any:
        if self is other:
            return True
        if self.__class__ is not other.__class__:
            return NotImplemented
        return hash(self) == hash(other) and compare(self, other)

    cls.__hash__, cls.__eq__, cls.__getstate__ = hash_, eq, fields_alone
    first = object.__new__(cls)
    for name in ("_hash", "_uses"):  # that all nodes have room for: to remember makes no dictionary, either
        store(first, name, None)


_remember_hashes(Expr)
_remember_hashes(Stmt)
for _cls in (Param, Function, Program):
    _remember_hash(_cls)

TRUE = Const(BOOL, True)
FALSE = Const(BOOL, False)
EMPTY = Block(())
