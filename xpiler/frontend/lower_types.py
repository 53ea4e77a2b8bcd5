"""C types as the frontend sees them: scalars, pointers, arrays, structs, and their layout in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from xpiler.frontend.syntax_model import StructDef
from xpiler.ir.types import BF16, BOOL, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, DType


@dataclass(frozen=True)
class CType:
    """Base of all C types. Top-level `const` is not part of a type here; that of a pointee is."""


@dataclass(frozen=True)
class Scalar(CType):
    """A number. `name` tells enumerations apart for overloads; it takes no part in layout."""

    dtype: DType
    name: str = ""

    def __str__(self) -> str:
        return self.name or C_SPELLING[self.dtype]


@dataclass(frozen=True)
class Void(CType):
    def __str__(self) -> str:
        return "void"


@dataclass(frozen=True)
class Pointer(CType):
    pointee: CType
    is_const: bool = False

    def __str__(self) -> str:
        return f"{'const ' if self.is_const else ''}{self.pointee}*"


@dataclass(frozen=True)
class Reference(CType):
    """`T&`, `const T&` and `T&&` alike; only parameters and local aliases have it."""

    target: CType
    is_const: bool = False

    def __str__(self) -> str:
        return f"{self.target}&"


@dataclass(frozen=True)
class Array(CType):
    """`extent` is None for `T name[]`."""

    element: CType
    extent: int | None

    def __str__(self) -> str:
        return f"{self.element}[{'' if self.extent is None else self.extent}]"


@dataclass(frozen=True)
class Vector(CType):
    """Clang's `ext_vector_type(extent)`: a value of several numbers, with element-wise operators. `aligned`:
    bytes that the text says its address is a multiple of, 0 if it does not say."""

    element: Scalar
    extent: int
    aligned: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.element} __attribute__((ext_vector_type({self.extent})))"


@dataclass(frozen=True)
class Heaped(Array):
    """`std::vector<T>`: an array whose extent is known when it is declared."""


@dataclass(frozen=True)
class Thread(CType):
    """`std::thread`, one or a vector of them: see `lower_threads.py`."""

    def __str__(self) -> str:
        return "std::thread"


@dataclass(frozen=True)
class Binding:
    """The value of a template parameter: a type, an integer, a template by its name, or a pack of numbers.
    A pack of types is a type."""

    name: str
    value: CType | int | str | tuple[int, ...]  # a string names a function or a template, a tuple is a pack


@dataclass(frozen=True)
class Struct(CType):
    """A struct, union or built-in vector, instantiated. `name` spells it with its arguments and is its
    identity. `owner`: the instance of a template that it is defined in."""

    name: str
    fields: tuple[tuple[str, CType], ...] = field(compare=False)
    alignment: int = field(default=0, compare=False)
    is_union: bool = field(default=False, compare=False)
    definition: StructDef | None = field(default=None, compare=False, repr=False)
    arguments: tuple[Binding, ...] = field(default=(), compare=False, repr=False)
    owner: Struct | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return self.name

    def field_type(self, name: str) -> CType | None:
        return next((t for n, t in self.fields if n == name), None)

    @property
    def is_vector(self) -> bool:
        """A type of CUDA's own: `float4`, `half2`."""
        return self.definition is None


@dataclass(frozen=True)
class Fragment(CType):
    """`wmma::fragment<use, m, n, k, dtype, layout>`."""

    use: str
    m: int
    n: int
    k: int
    dtype: DType
    layout: str

    @property
    def shape(self) -> tuple[int, int]:
        match self.use:
            case "matrix_a":
                return self.m, self.k
            case "matrix_b":
                return self.k, self.n
            case _:
                return self.m, self.n

    def __str__(self) -> str:
        return f"wmma::fragment<{self.use}, {self.m}, {self.n}, {self.k}, {C_SPELLING[self.dtype]}>"


@dataclass(frozen=True)
class Register(CType):
    """A register of AVX-512: `__m512`, or a mask register `__mmask16`, whose lanes are bool.

    `dtype` is what the lanes of a variable are kept as unless its first value says otherwise (`__m512i`).
    """

    name: str
    dtype: DType = field(compare=False)
    lanes: int = field(compare=False)

    @property
    def is_mask(self) -> bool:
        return self.dtype is BOOL

    @property
    def is_integer(self) -> bool:
        """Integers of any width."""
        return self.name.endswith("i")

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Group(CType):
    """A cooperative group. `size` is that of a tile, 0 for a block or the grid; `kind`: block, tile,
    coalesced, grid; barrier, `cuda::barrier` of a block's threads; pipeline, of a thread or with `size`
    stages of a block; pipeline state, what the threads of a block share of one."""

    kind: str
    size: int = 0

    def __str__(self) -> str:
        return {"tile": f"cg::thread_block_tile<{self.size}>", "block": "cg::thread_block"}.get(
            self.kind, self.kind
        )


@dataclass(frozen=True)
class AtomicRef(CType):
    """`cuda::atomic_ref<element, scope>`; None: what it is made from says. `of_block`: in its block alone."""

    element: CType | None = None
    of_block: bool = False

    def __str__(self) -> str:
        return f"cuda::atomic_ref<{self.element}>"


@dataclass(frozen=True)
class Closure(CType):
    """The type of a lambda or of a name of a function; only calls look into it."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Auto(CType):
    """`auto`: the type of the initialiser."""


VOID = Void()

C_SPELLING: dict[DType, str] = {
    BOOL: "bool", I8: "signed char", U8: "unsigned char", I16: "short", U16: "unsigned short", I32: "int",
    U32: "unsigned int", I64: "long long", U64: "unsigned long long", F16: "__half", BF16: "__nv_bfloat16",
    F32: "float", F64: "double",
}  # fmt: skip

# Names of one word. `char` is signed on every platform here, `long` has 64 bits.
_WORDS: dict[str, DType] = {
    "bool": BOOL, "char": I8, "short": I16, "int": I32, "long": I64, "float": F32, "double": F64,
    "unsigned": U32,
    "signed": I32, "size_t": U64, "ssize_t": I64, "ptrdiff_t": I64, "intptr_t": I64, "uintptr_t": U64,
    "int8_t": I8, "int16_t": I16, "int32_t": I32, "int64_t": I64, "uint8_t": U8, "uint16_t": U16,
    "uint32_t": U32,
    "uint64_t": U64, "uchar": U8, "ushort": U16, "uint": U32, "ulong": U64, "byte": U8, "char8_t": U8,
    "wchar_t": I32,
    "half": F16, "__half": F16, "half_t": F16, "_Float16": F16, "float16": F16, "__fp16": F16,
    "__nv_bfloat16": BF16, "nv_bfloat16": BF16, "__bf16": BF16, "hip_bfloat16": BF16, "__hip_bfloat16": BF16,
    "bfloat16": BF16, "float16_t": F16, "hfloat16_t": F16, "bfloat16_t": BF16, "float32_t": F32,
    "float64_t": F64, "cudaStream_t": U64, "clock_t": I64, "int_fast32_t": I64, "uint_fast32_t": U64,
    "cudaTextureObject_t": U64, "__int64": I64, "char16_t": U16, "char32_t": U32,
}  # fmt: skip

_VECTOR_BASES: dict[str, tuple[str, DType]] = {
    "char": ("char", I8), "uchar": ("uchar", U8), "short": ("short", I16), "ushort": ("ushort", U16),
    "int": ("int", I32), "uint": ("uint", U32), "long": ("long", I64), "ulong": ("ulong", U64),
    "longlong": ("longlong", I64), "ulonglong": ("ulonglong", U64), "float": ("float", F32),
    "double": ("double", F64),
}  # fmt: skip
LANES = ("x", "y", "z", "w")


def _vectors() -> dict[str, Struct]:
    table: dict[str, Struct] = {}
    for base, (spelling, dtype) in _VECTOR_BASES.items():
        for count in (1, 2, 3, 4):
            # CUDA aligns vectors to their size up to 16 bytes; those of three to their element.
            alignment = dtype.bytes if count == 3 else min(16, dtype.bytes * count)
            name = f"{spelling}{count}"
            table[f"{base}{count}"] = Struct(
                name, tuple((n, Scalar(dtype)) for n in LANES[:count]), alignment
            )
    for names, dtype in (
        (("half2", "__half2"), F16),
        (("__nv_bfloat162", "nv_bfloat162", "__hip_bfloat162"), BF16),
    ):
        pair = Struct(names[0], (("x", Scalar(dtype)), ("y", Scalar(dtype))), 4)
        table.update(dict.fromkeys(names, pair))
    table["dim3"] = Struct("dim3", tuple((n, Scalar(U32)) for n in LANES[:3]), 4)
    table["cuComplex"] = table["cuFloatComplex"] = table["float2"]
    table["cuDoubleComplex"] = table["double2"]
    return table


VECTORS = _vectors()


def _registers() -> dict[str, Register]:
    kinds = {"": F32, "d": F64, "i": I32, "h": F16, "bh": BF16}
    table = {
        f"__m{bits}{kind}": Register(f"__m{bits}{kind}", dtype, bits // dtype.bits)
        for bits in (128, 256, 512)
        for kind, dtype in kinds.items()
    }
    table |= {f"{name}_u": register for name, register in table.items()}
    return table | {f"__mmask{n}": Register(f"__mmask{n}", BOOL, n) for n in (8, 16, 32, 64)}


REGISTERS = _registers()


def named_type(name: str) -> CType | None:
    """A built-in type by one word: `size_t`, `half`, `float4`; None for other names."""
    if name == "void":
        return VOID
    if name in ("auto", "decltype(auto)"):
        return Auto()
    if name in VECTORS:
        return VECTORS[name]
    if name in REGISTERS:
        return REGISTERS[name]
    dtype = _WORDS.get(name)
    return Scalar(dtype) if dtype else None


def sized_type(words: list[str]) -> Scalar:
    """Several words: `unsigned long long int`, `long double` (taken as double, as device code does)."""
    unsigned = "unsigned" in words
    if "double" in words:
        return Scalar(F64)
    if "char" in words:
        return Scalar(U8 if unsigned else I8)
    if "short" in words:
        return Scalar(U16 if unsigned else I16)
    if "long" in words:
        return Scalar(U64 if unsigned else I64)
    known = [w for w in words if w in _WORDS and w not in ("unsigned", "signed", "int")]
    if known and not unsigned:
        return Scalar(_WORDS[known[0]])
    return Scalar(U32 if unsigned else I32)


def size_of(ctype: CType) -> int | None:
    """Bytes; None where the size is not known (`T[]`, void) or not defined here (fragments)."""
    match ctype:
        case Scalar(dtype=dtype):
            return dtype.bytes
        case Register(dtype=dtype, lanes=lanes):
            return lanes // 8 if ctype.is_mask else lanes * dtype.bytes
        case Pointer():
            return 8
        case Reference(target=target):
            return size_of(target)
        case Array(element=element, extent=extent):
            size = size_of(element)
            return None if extent is None or size is None else size * extent
        case Vector(element=element, extent=extent):
            return element.dtype.bytes * (4 if extent == 3 else extent)
        case Struct():
            end = 0
            for _, offset, member in field_offsets(ctype):
                size = size_of(member)
                if size is None:
                    return None
                end = max(end, offset + size)
            alignment = align_of(ctype)
            return max(1, -(-end // alignment)) * alignment
    return None


def align_of(ctype: CType) -> int:
    match ctype:
        case Scalar(dtype=dtype):
            return dtype.bytes
        case Register():
            return size_of(ctype) or 1
        case Pointer():
            return 8
        case Array(element=element):
            return align_of(element)
        case Vector(aligned=aligned):
            return aligned or min(size_of(ctype) or 1, 16)
        case Struct(fields=fields, alignment=alignment):
            return max([alignment, 1, *(align_of(t) for _, t in fields)])
    return 1


def field_offsets(struct: Struct) -> list[tuple[str, int, CType]]:
    """(name, byte offset, type) of the fields in order."""
    result: list[tuple[str, int, CType]] = []
    end = 0
    for name, member in struct.fields:
        alignment = align_of(member)
        offset = 0 if struct.is_union else -(-end // alignment) * alignment
        result.append((name, offset, member))
        end = offset + (size_of(member) or 0)
    return result


def leaves(ctype: CType) -> list[DType] | None:
    """The scalars that a value of the type consists of, in memory order; None if it holds pointers or
    others."""
    match ctype:
        case Scalar(dtype=dtype):
            return [dtype]
        case Register(dtype=dtype, lanes=lanes):
            return [dtype] * lanes
        case Array(element=element, extent=int(extent)):
            inner = leaves(element)
            return None if inner is None else inner * extent
        case Vector(element=element, extent=extent):
            return [element.dtype] * extent
        case Struct(fields=fields):
            result: list[DType] = []
            for _, member in fields:
                inner = leaves(member)
                if inner is None:
                    return None
                result.extend(inner)
            return result
    return None


def leaf_type(ctype: CType) -> DType | None:
    """The one scalar type that the whole of `ctype` consists of without gaps, or None.

    A union is seen as its narrowest member, so that every member is a whole number of those.
    """
    match ctype:
        case Scalar(dtype=dtype) | Register(dtype=dtype):
            return dtype
        case Array(element=element):
            return leaf_type(element)
        case Vector(element=element):
            return element.dtype
        case Struct(fields=fields, is_union=True):
            kinds = [leaf_type(t) for _, t in fields]
            known = [k for k in kinds if k is not None]
            return min(known, key=lambda k: k.bits) if known and len(known) == len(kinds) else None
        case Struct():
            inner = leaves(ctype)
            if not inner or any(d != inner[0] for d in inner):
                return None
            return inner[0] if size_of(ctype) == inner[0].bytes * len(inner) else None
    return None


def stored_type(ctype: CType) -> DType | None:
    """The scalar type that memory of objects of the type is seen as: its own, or the narrowest of a mixed
    struct.

    Every member then lies at a whole number of those, as C aligns it.
    """
    leaf = leaf_type(ctype)
    if leaf is not None:
        return leaf
    parts = leaves(ctype)
    return min(parts, key=lambda d: d.bits) if parts else None


def bits_type(ctype: CType) -> DType | None:
    """As `stored_type`, as an integer: whatever the members of a mixed struct hold, it keeps their bits."""
    stored = stored_type(ctype)
    return None if stored is None else {8: U8, 16: U16, 32: U32, 64: U64}[max(stored.bits, 8)]


def lanes_of(ctype: CType) -> int:
    """How many scalars of `stored_type` one value takes."""
    if isinstance(ctype, Register):
        return ctype.lanes
    leaf = stored_type(ctype)
    size = size_of(ctype)
    return 1 if leaf is None or size is None else size // leaf.bytes


def decay(ctype: CType) -> CType:
    """The type of a value: references read, arrays as pointers."""
    match ctype:
        case Reference(target=target):
            return decay(target)
        case Array(element=element):
            return Pointer(element)
    return ctype
