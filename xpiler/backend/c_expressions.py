"""Expressions of the IR as C++ text: precedence, conversions with the GPU's rules, functions, memory.

16-bit floats are computed as `float` variables that hold exactly representable values and are rounded after
every operation; in memory they are `half` and `bfloat16`. Implicit conversions of C are used where they mean
the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xpiler.backend.c_types import is_half_width, literal, storage_type, value_type
from xpiler.errors import Refusal
from xpiler.ir.functions import FLOAT_PREDICATES, POINTER_PREDICATES
from xpiler.ir.nodes import (
    RETURN,
    Binary,
    Bitcast,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    Load,
    Param,
    Ref,
    Select,
    Stmt,
    Unary,
    Var,
)
from xpiler.ir.types import BF16, BOOL, F16, F32, F64, DType, Kind, common_type

PRECEDENCE = {
    "*": 13,
    "/": 13,
    "%": 13,
    "+": 12,
    "-": 12,
    "<<": 11,
    ">>": 11,
    "<": 10,
    "<=": 10,
    ">": 10,
    ">=": 10,
    "==": 9,
    "!=": 9,
    "&": 8,
    "^": 7,
    "|": 6,
    "&&": 5,
    "||": 4,
}
LINE_LENGTH = 110
PRIMARY, UNARY, CONDITIONAL = 20, 15, 3
COMPARISONS = frozenset(("<", "<=", ">", ">=", "==", "!="))

_KEYWORDS = frozenset(
    """
        alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept
        const consteval constexpr const_cast continue decltype default delete do double dynamic_cast else
        enum explicit export extern false float for friend goto if inline int long mutable namespace new
        noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast
        requires return short signed sizeof static static_assert static_cast struct switch template this
        thread_local throw true try typedef typeid typename union unsigned using virtual void volatile
        wchar_t while xor xor_eq main half bfloat16 minimum maximum saturate check Buffer std gridDim
        blockDim shared_bytes NAN INFINITY HUGE_VAL errno stdin stdout stderr linux unix assert abort
        offsetof M_PI
    """.split()
)

_AXIS_NAMES = {
    f"{prefix}.{axis}": f"{short}_{axis}"
    for prefix, short in (
        ("threadIdx", "thread"),
        ("blockIdx", "block"),
        ("gridDim", "blocks"),
        ("blockDim", "threads"),
    )
    for axis in "xyz"
} | {"dynamicShared.bytes": "shared_bytes", RETURN: "result"}

# Names with a float form `f`-suffixed and a double form, as in <math.h>.
_MATH = {
    name: name
    for name in """
        sqrt cbrt exp exp2 exp10 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh
        asinh acosh atanh erf erfc tgamma lgamma floor ceil trunc round rint j0 j1 pow fmod remainder
        atan2 hypot fdim copysign nextafter fma
    """.split()
} | {"abs": "fabs"}
MATH_FUNCTIONS = frozenset(_MATH.values()) | {f"{n}f" for n in _MATH.values()}


@dataclass
class Comments:
    """The user's comments by the source line that they speak of, each given once, to a statement there."""

    left: dict[int, str]

    def take(self, line: int) -> list[str]:
        return self.left.pop(line, "").splitlines()


def _is_of_wide_literals(expr: Expr) -> bool:
    """Whether C takes it for a `long long` although it is an `int64_t`, which may be a `long`."""
    match expr:
        case Const(dtype=dtype):
            return dtype.bits == 64 and not dtype.is_float
        case Binary(left=left, right=right):
            return _is_of_wide_literals(left) or _is_of_wide_literals(right)
        case Unary(operand=operand):
            return _is_of_wide_literals(operand)
        case Select(then=then, otherwise=otherwise):
            return _is_of_wide_literals(then) or _is_of_wide_literals(otherwise)
    return False


@dataclass(frozen=True)
class ArrayInfo:
    """An array in scope: element type, extents (() for pointers), and whether C indexes it with all its
    dimensions."""

    dtype: DType
    shape: tuple[Expr, ...] = ()
    nested: bool = False


class CExpressions:
    """Prints statements into `lines`. Names: `names` maps IR names to C identifiers; `arrays` what is known
    of arrays."""

    def __init__(self, params: Iterable[Param] = (), comments: Mapping[int, str] | None = None) -> None:
        self.lines: list[str] = []
        self.depth = 0
        self.names: dict[str, str] = {}
        self.arrays: dict[str, ArrayInfo] = {}
        self.comments = Comments(dict(comments or {}))
        self._taken: set[str] = set(_KEYWORDS) | MATH_FUNCTIONS
        self._labels = 0
        self._continue_label: list[str | None] = []
        for param in params:
            self.name(param.name)
            if param.is_pointer:
                self.arrays[param.name] = ArrayInfo(param.dtype)

    # -------------------------------------------------------------------------------------- names and lines

    def name(self, ir_name: str) -> str:
        """The C identifier of an IR name; the same one every time."""
        found = self.names.get(ir_name)
        if found is not None:
            return found
        found = self.fresh(_AXIS_NAMES.get(ir_name, ir_name))
        self.names[ir_name] = found
        return found

    def fresh(self, wish: str) -> str:
        """An identifier like `wish` that nothing else uses."""
        base = re.sub(r"\W+", "_", wish) or "v"
        if base[0].isdigit():
            base = f"v{base}"
        candidate, count = base, 1
        while candidate in self._taken or candidate.startswith(("_mm", "__")):
            candidate, count = f"{base.lstrip('_')}_{count}", count + 1
        self._taken.add(candidate)
        return candidate

    def line(self, text: str) -> None:
        self.lines.append(wrapped("    " * self.depth + text) if text else "")

    def pragma(self, text: str) -> None:
        indent = "    " * self.depth
        if len(indent + text) > LINE_LENGTH:
            text = text.replace(" if (", f" \\\n{indent}    if (", 1)
        self.lines.append(indent + text)

    def text(self) -> str:
        return "\n".join(self.lines)

    def print_comments(self, stmt: Stmt) -> None:
        """The comments on a statement's own line; those of statements that are gone are gone with them."""
        if stmt.range is not None:
            for piece in self.comments.take(stmt.range.line):
                self.line(piece.strip())

    # -------------------------------------------------------------------------------------- expressions

    def expr(self, expr: Expr, at_least: int = 0) -> str:
        """The value as C text, in parentheses if it binds weaker than `at_least`."""
        text, strength = self.expr_strength(expr)
        return f"({text})" if strength < at_least else text

    def expr_strength(self, expr: Expr) -> tuple[str, int]:
        match expr:
            case Const():
                text = literal(expr)
                return text, PRIMARY if text[0] != "-" else UNARY
            case Var(name=name):
                return self.name(name), PRIMARY
            case Load():
                return self.load(expr)
            case Unary(op=op, operand=operand):
                return self._unary(expr, op, operand)
            case Binary():
                return self._binary(expr)
            case Select(condition=condition, then=then, otherwise=otherwise):
                parts = (
                    self.expr(condition, CONDITIONAL + 1),
                    self.expr(then, CONDITIONAL + 1),
                    self.expr(otherwise, CONDITIONAL),
                )
                return f"{parts[0]} ? {parts[1]} : {parts[2]}", CONDITIONAL
            case Cast(operand=operand):
                return self.convert(operand, expr.dtype)
            case Bitcast(operand=operand):
                return self._bitcast(operand, expr.dtype), PRIMARY
            case Call():
                return self._call(expr)
        raise Refusal("unsupported-expression", f"{type(expr).__name__} cannot be written as C++", expr.range)

    def _unary(self, expr: Expr, op: str, operand: Expr) -> tuple[str, int]:
        inner = self.expr(operand, UNARY)
        if op == "-" and inner.startswith("-"):
            inner = f"({inner})"
        text = f"{op}{inner}"
        if expr.dtype.is_integer and expr.dtype.bits < 32 and expr.dtype != BOOL:
            return f"({value_type(expr.dtype)})({text})", UNARY
        return text, UNARY

    def _binary(self, expr: Binary) -> tuple[str, int]:
        op, dtype = expr.op, expr.left.dtype
        strength = PRECEDENCE[op]
        if op in ("<<", ">>") and not _count_in_range(expr.right, dtype.bits):
            function = "shift_left" if op == "<<" else "shift_right"
            return f"{function}({self._typed(expr.left)}, {self.expr(expr.right)})", PRIMARY
        left, right = self._operands(expr)
        if op in ("+", "-") and isinstance(right, Const) and _is_negative(right):  # `n - -1` reads as a slip
            op, right = ("-" if op == "+" else "+"), Const(right.dtype, -right.value)
        # gcc and clang warn about the mixes that people misread
        inner = strength + (1 if op in ("<<", ">>", "&", "|", "^") else 0)
        left_text = self._operand(left, inner, op)
        right_text = self._operand(right, strength + 1, op)
        text = f"{left_text} {op} {right_text}"
        if is_half_width(expr.dtype):
            return f"{self._round(expr.dtype)}({text})", PRIMARY
        if expr.dtype.is_integer and expr.dtype.bits < 32 and expr.dtype != BOOL:
            return f"({value_type(expr.dtype)})({text})", UNARY
        return text, strength

    def _operand(self, operand: Expr, strength: int, op: str) -> str:
        text, own = self.expr_strength(operand)
        mixes = op == "||" and isinstance(operand, Binary) and operand.op == "&&"
        bits = op in ("&", "|", "^", "<<", ">>") and own < UNARY
        return f"({text})" if own < strength or mixes or bits else text

    def _operands(self, expr: Binary) -> tuple[Expr, Expr]:
        """The operands without a conversion that C does by itself."""
        left, right, dtype = expr.left, expr.right, expr.left.dtype
        if expr.op in ("<<", ">>", "&&", "||") or is_half_width(dtype) or dtype.bits < 32:
            return left, right
        for this, other in ((left, right), (right, left)):
            if not isinstance(this, Cast) or this.operand.dtype == BOOL or isinstance(other, Const):
                continue
            if is_half_width(this.operand.dtype) and dtype != F32:
                continue
            source = F32 if is_half_width(this.operand.dtype) else this.operand.dtype
            if common_type(source, dtype) == dtype and not (source.is_float and not dtype.is_float):
                return (this.operand, right) if this is left else (left, this.operand)
        return left, right

    def _typed(self, expr: Expr) -> str:
        """The value with exactly its C type, for template arguments."""
        if expr.dtype.bits < 32 and not is_half_width(expr.dtype) and not isinstance(expr, (Var, Load)):
            return f"({value_type(expr.dtype)})({self.expr(expr)})"
        text, strength = self.expr_strength(expr)
        if _is_of_wide_literals(expr):
            return f"({value_type(expr.dtype)}){text if strength >= UNARY else f'({text})'}"
        return text

    def convert(self, operand: Expr, dtype: DType) -> tuple[str, int]:
        """A C conversion with the GPU's rules."""
        source = operand.dtype
        if source == dtype:
            return self.expr_strength(operand)
        if dtype == BOOL:
            return f"{self.expr(operand, 10)} != 0", 9
        if is_half_width(dtype):
            if source == F64 or (source.is_integer and source.bits >= 32):
                return f"{self._round(dtype)}(round_to_odd({self.expr(operand)}))", PRIMARY
            if source.is_integer and source.bits <= 8:
                return self._plain_cast(operand, "float")
            if source == dtype:
                return self.expr_strength(operand)
            return f"{self._round(dtype)}({self.expr(operand)})", PRIMARY
        if source.is_float and dtype.is_integer:
            return f"clamp_to<{value_type(dtype)}>({self.expr(operand)})", PRIMARY
        if is_half_width(source) and dtype == F32:
            return self.expr_strength(operand)
        return self._plain_cast(operand, value_type(dtype))

    def _plain_cast(self, operand: Expr, target: str) -> tuple[str, int]:
        return f"({target}){self.expr(operand, UNARY)}", UNARY

    def converted(self, value: Expr, dtype: DType) -> str:
        """A value to be assigned to a scalar of `dtype`: outer conversions that C does by itself are left
        out."""
        if (
            isinstance(value, Cast)
            and value.dtype == dtype
            and dtype != BOOL
            and not is_half_width(dtype)
            and not (value.operand.dtype.is_float and dtype.is_integer)
            and not (value.operand.dtype == F64 and dtype == F32)
        ):
            return self.expr(value.operand)
        return self.expr(value)

    def _round(self, dtype: DType) -> str:
        return "round_to_half" if dtype == F16 else "round_to_bfloat16"

    def _bitcast(self, operand: Expr, dtype: DType) -> str:
        source = operand.dtype
        if is_half_width(source):
            inner = self.to_storage(operand)
            if is_half_width(dtype):
                return self.from_storage(f"bits_as<{storage_type(dtype)}>({inner})", dtype)
            return f"bits_as<{value_type(dtype)}>({inner})"
        inner = self._typed(operand)
        return self.from_storage(f"bits_as<{storage_type(dtype)}>({inner})", dtype)

    def _call(self, expr: Call) -> tuple[str, int]:
        name, args, dtype = expr.function, expr.args, expr.dtype
        source = args[0].dtype if args else dtype
        if name in ("min", "max"):
            function = "minimum" if name == "min" else "maximum"
            # Named where C++ would deduce two types: after promotion, or of `long` and `long long`.
            is_plain = dtype.is_float or dtype.bits == 32
            kind = "" if is_plain else f"<{value_type(dtype)}>"
            return f"{function}{kind}({self._typed(args[0])}, {self._typed(args[1])})", PRIMARY
        if name in FLOAT_PREDICATES:
            return f"(bool)__builtin_{name}({self.expr(args[0])})", UNARY
        if name in POINTER_PREDICATES and isinstance(args[0], Ref):
            return f"({self.name(args[0].array)} == nullptr)", PRIMARY
        if source.is_float:
            return self._float_call(expr)
        return self._int_call(expr), PRIMARY

    def _float_call(self, expr: Call) -> tuple[str, int]:
        name, dtype = expr.function, expr.dtype
        texts = [self.expr(a) for a in expr.args]
        if is_half_width(dtype):
            if name == "fma":
                inner = "round_to_odd(fma(" + ", ".join(f"(double)({t})" for t in texts) + "))"
                return f"{self._round(dtype)}({inner})", PRIMARY
            if name in ("abs", "floor", "ceil", "trunc", "rint", "round", "copysign"):
                return self._math(name, F32, expr)
            return f"{self._round(dtype)}({self._math(name, F32, expr)[0]})", PRIMARY
        return self._math(name, dtype, expr)

    def _math(self, name: str, dtype: DType, expr: Call) -> tuple[str, int]:
        texts = [self.expr(a) for a in expr.args]
        suffix, one = ("f", "1.0f") if dtype == F32 else ("", "1.0")
        kind = value_type(dtype)
        match name:
            case "rsqrt":
                return f"{one} / sqrt{suffix}({texts[0]})", 13
            case "rcp":
                return f"{one} / {self.expr(expr.args[0], 14)}", 13
            case "saturate":
                return f"saturate({texts[0]})", PRIMARY
            case "sinpi" | "cospi":
                return f"({kind}){name[:3]}_pi({texts[0]})", UNARY
            case "erfinv":
                return f"({kind})inverse_erf({texts[0]})", UNARY
            case "normcdf":
                return f"({kind})(0.5 * erfc({self.expr(expr.args[0], UNARY)} * -0.7071067811865476))", UNARY
            case "ldexp":
                return f"ldexp{suffix}({texts[0]}, (int)({texts[1]}))", PRIMARY
        if name in _MATH:
            return f"{_MATH[name]}{suffix}({', '.join(texts)})", PRIMARY
        raise Refusal("unsupported-function", f"there is no C++ form of the function '{name}'", expr.range)

    def _int_call(self, expr: Call) -> str:
        name = expr.function
        texts = [self._typed(a) for a in expr.args]
        joined = ", ".join(texts)
        wide = "ll" if expr.args[0].dtype.bits == 64 else ""
        unsigned = expr.args[0].dtype.kind is Kind.UINT
        match name:
            case "abs":
                return f"__builtin_{'ll' if wide else ''}abs({joined})"
            case "mulhi":
                return f"multiply_high({joined})"
            case "mul24":
                return f"multiply_24({joined})"
            case "popc":
                kind = "uint64_t" if wide else "uint32_t"
                return f"__builtin_popcount{wide}(({kind})({joined}))"
            case "clz":
                return f"count_leading_zeros({joined})"
            case "ffs":
                return f"__builtin_ffs{wide}({joined})"
            case "brev":
                return f"reverse_bits({joined})"
            case "byte_perm":
                return f"byte_permute({joined})"
            case "funnelshift_l":
                return f"funnel_shift_left({joined})"
            case "funnelshift_r":
                return f"funnel_shift_right({joined})"
            case "dp4a":
                byte, word = ("uint8_t", "uint32_t") if unsigned else ("int8_t", "int")
                return f"dot_4_bytes<{byte}, {word}>({joined})"
            case "sad":
                return f"sum_abs_difference({joined})"
        raise Refusal("unsupported-function", f"there is no C++ form of the function '{name}'", expr.range)

    # -------------------------------------------------------------------------------------- memory

    def declare_global(self, decl: Decl) -> None:
        """A `__constant__` or `__device__` variable: a plain static array under its own name."""
        name = self.name(decl.name)
        self._taken.add(decl.name)
        if not decl.shape:
            return
        kind = storage_type(decl.dtype)
        pointer = self.fresh(f"{decl.name}_values")
        self.names[decl.name] = pointer
        self.line(f"{kind} *const {pointer} = ({kind} *)&{name};")
        self.arrays[decl.name] = ArrayInfo(decl.dtype, decl.shape)

    def flat_index(self, load: Load) -> str:
        """The row-major position, in elements of the access's own type."""
        info = self.arrays.get(load.array, ArrayInfo(load.dtype))
        if len(load.index) <= 1 or not info.shape:
            return self.expr(load.index[0]) if load.index else "0"
        text = self.expr(load.index[0], 13)
        for position, extent in zip(load.index[1:], info.shape[1:], strict=True):
            text = f"{text} * {self.expr(extent, 14)} + {self.expr(position, 12)}"
            if position is not load.index[-1]:
                text = f"({text})"
        return text

    def base(self, array: str) -> str:
        """A pointer to the first element."""
        info = self.arrays.get(array)
        name = self.name(array)
        if info is not None and info.nested and len(info.shape) > 1:
            return f"(&{name}{'[0]' * len(info.shape)})"
        return name

    def place(self, load: Load) -> str:
        """The element as an lvalue (same element type)."""
        info = self.arrays.get(load.array, ArrayInfo(load.dtype))
        if info.nested and len(load.index) == len(info.shape):
            return self.name(load.array) + "".join(f"[{self.expr(i)}]" for i in load.index)
        return f"{self.base(load.array)}[{self.flat_index(load)}]"

    def reinterprets(self, load: Load) -> bool:
        info = self.arrays.get(load.array)
        return info is not None and info.dtype != load.dtype

    def load(self, load: Load) -> tuple[str, int]:
        if self.reinterprets(load):
            raw = f"load_as<{storage_type(load.dtype)}>({self.base(load.array)}, {self.flat_index(load)})"
        else:
            raw = self.place(load)
        return self.from_storage(raw, load.dtype), PRIMARY

    def from_storage(self, text: str, dtype: DType) -> str:
        if dtype == F16:
            return f"half_to_float({text})"
        if dtype == BF16:
            return f"bfloat16_to_float({text})"
        return text

    def to_storage(self, value: Expr) -> str:
        """The value as it lies in memory: 16-bit floats narrowed, without rounding twice."""
        if not is_half_width(value.dtype):
            return self.converted(value, value.dtype)
        function = "float_to_half" if value.dtype == F16 else "float_to_bfloat16"
        if isinstance(value, Load) and not self.reinterprets(value):
            return self.place(value)
        text = self.expr(value)
        rounding = f"{self._round(value.dtype)}("
        if text.startswith(rounding) and _closes_at_end(text, len(rounding)):
            text = text[len(rounding) : -1]
        return f"{function}({text})"


def wrapped(line: str) -> str:
    """A long line of code on several: broken at the comma least deep in parentheses, else after the `=`."""
    if '"' in line or "//" in line:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    lines = [line]
    while len(lines[-1]) > LINE_LENGTH:
        at = _place_to_break(lines[-1], len(indent))
        if at is None:
            break
        lines[-1:] = [lines[-1][:at], indent + lines[-1][at:].lstrip()]
    return "\n".join(lines)


def _place_to_break(line: str, start: int) -> int | None:
    """The best offset within the line's length; the first one behind it if there is none."""
    depth = 0
    within: list[tuple[int, int]] = []
    for at in range(start, len(line)):
        depth += {"(": 1, ")": -1}.get(line[at], 0)
        if at >= LINE_LENGTH and within:
            break
        if line[at : at + 2] == ", ":
            within.append((depth, -at))
        elif line[at : at + 2] == "= " and depth == 0:
            within.append((LINE_LENGTH, -at))
    return -min(within)[1] + 1 if within else None


def _is_negative(number: Const) -> bool:
    """Whether it is an integer below zero that has a positive counterpart."""
    dtype = number.dtype
    return dtype.is_integer and dtype.is_signed and -(1 << (dtype.bits - 1)) < number.value < 0


def _count_in_range(count: Expr, bits: int) -> bool:
    match count:
        case Const(value=value):
            return 0 <= value < bits
        case Binary(op="&", right=Const(value=value)) | Binary(op="&", left=Const(value=value)):
            return 0 <= value < bits
        case Binary(op="%", right=Const(value=value)) if count.dtype.kind is Kind.UINT:
            return 0 < value <= bits
        case Cast(operand=operand) if operand.dtype.is_integer:
            return _count_in_range(operand, bits)
    return False


def _closes_at_end(text: str, opened: int) -> bool:
    """Whether the parenthesis opened just before `opened` closes at the very end of the text."""
    depth = 1
    for at in range(opened, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return at == len(text) - 1
    return False
