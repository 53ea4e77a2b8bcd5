"""Expressions over lanes: every value is uniform (one scalar), linear (base + lane * stride) or a vector."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd

from xpiler.backend.c import CPrinter
from xpiler.backend.c_expressions import COMPARISONS
from xpiler.backend.c_types import is_half_width, value_type
from xpiler.backend.vnni_lanes import Lanes, NeedsEightLanes, NotVectorizable, is_real
from xpiler.backend.vnni_shapes import Shapes
from xpiler.ir.nodes import Binary, Bitcast, Call, Cast, Const, Expr, Load, Select, Unary, Var
from xpiler.ir.rewrite import walk
from xpiler.ir.types import BOOL, F16, F32, F64, I32, I64, U32, DType, Kind


@dataclass(frozen=True)
class Value:
    """`text`: of a uniform value the scalar, of a linear one the scalar of lane 0, of a vector the register.

    `stride` (linear): per lane, a number or C text. `multiple` (linear): lane 0's value is a multiple of
    it. `minus`: a
    subtraction took part, so an unsigned value may have wrapped.
    """

    kind: str
    text: str
    dtype: DType
    stride: int | str = 0
    multiple: int = 1
    minus: bool = False


COMPARE_FLOAT = {
    "<": "_CMP_LT_OQ",
    "<=": "_CMP_LE_OQ",
    ">": "_CMP_GT_OQ",
    ">=": "_CMP_GE_OQ",
    "==": "_CMP_EQ_OQ",
    "!=": "_CMP_NEQ_UQ",
}
COMPARE_INT = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "neq"}
ROUNDINGS = {"floor": 9, "ceil": 10, "trunc": 11, "rint": 8}
VECTOR_FUNCTIONS = frozenset("exp exp2 log tanh erf sin cos rsqrt saturate".split())
LONG = 90  # longer vector texts get a name of their own


class LaneValues:
    """Evaluates expressions into `Value`s, printing temporaries through `printer`.

    `mask` is the name of the mask of active lanes, None where all are. `guarded`: it may be empty here.
    """

    def __init__(self, printer: CPrinter, lanes: Lanes, shapes: Shapes) -> None:
        self.printer = printer
        self.lanes = lanes
        self.shapes = shapes
        self.mask: str | None = None
        self.guarded = False
        self.linear: dict[str, Value] = {}
        self.lane_names: dict[bool, str] = {}

    # -------------------------------------------------------------------------------------- forms of a value

    def vector(self, value: Value) -> str:
        """The value as a register (a mask for bool)."""
        lanes, dtype = self.lanes, value.dtype
        if value.kind == "vector":
            return value.text
        if value.kind == "uniform":
            return lanes.set1(dtype, value.text)
        offsets = self.offsets(dtype, value.stride)
        return lanes.op("add", dtype, lanes.set1(dtype, value.text), offsets)

    def offsets(self, dtype: DType, stride: int | str) -> str:
        """lane * stride as a register."""
        lanes = self.lanes
        numbers = self.lane_numbers(dtype)
        if stride == 1:
            return numbers
        return lanes.op("mullo", dtype, numbers, lanes.set1(dtype, str(stride)))

    def lane_numbers(self, dtype: DType) -> str:
        """A register with 0, 1, 2 ...; declared before the loop by whoever prints it (`lane_names`)."""
        wide = dtype.bits == 64
        if wide not in self.lane_names:
            self.lanes.bits(dtype)
            self.lane_names[wide] = self.printer.fresh("lane_64" if wide else "lane")
        return self.lane_names[wide]

    def named(self, value: Value) -> Value:
        """The value with a short text."""
        if value.kind != "vector" or len(value.text) < 24:
            return value
        return self.temporary(value)

    def temporary(self, value: Value, wish: str = "t") -> Value:
        name = self.printer.fresh(wish)
        kind = self.lanes.register(value.dtype) if value.kind == "vector" else value_type(value.dtype)
        self.printer.line(f"const {kind} {name} = {value.text};")
        return replace(value, text=name)

    def short(self, value: Value) -> Value:
        return self.temporary(value) if value.kind == "vector" and len(value.text) > LONG else value

    def result(self, dtype: DType, text: str) -> Value:
        return self.short(Value("vector", text, dtype))

    def mask_text(self) -> str:
        return self.mask or self.lanes.all

    # -------------------------------------------------------------------------------------- expressions

    def eval(self, expr: Expr) -> Value:
        if not self.shapes.varies(expr):
            return self._uniform(expr)
        match expr:
            case Var(name=name):
                found = self.linear.get(name)
                return found or Value("vector", self.printer.name(name), expr.dtype)
            case Load():
                return self.load(expr)
            case Unary(op=op, operand=operand):
                return self._unary(expr.dtype, op, self.eval(operand))
            case Binary(op="&&" | "||"):
                return self._logical(expr)
            case Binary():
                return self._binary(expr)
            case Select():
                return self._select(expr)
            case Cast(operand=operand):
                return self.convert(self.eval(operand), expr.dtype)
            case Bitcast(operand=operand):
                return self._bitcast(self.eval(operand), expr.dtype)
            case Call():
                return self._call(expr)
        raise NotVectorizable(type(expr).__name__)

    def _uniform(self, expr: Expr) -> Value:
        minus = isinstance(expr, Const) and not expr.dtype.is_float and expr.value < 0
        multiple = int(expr.value) if isinstance(expr, Const) and expr.dtype.is_integer else 1
        text = self.printer.expr(expr)
        if self.guarded and any(isinstance(n, Load) for n in walk(expr)):
            zero = "0" if expr.dtype != BOOL else "false"
            text = f"({self.mask_text()} ? {text} : {zero})"
        return Value("uniform", text, expr.dtype, multiple=multiple, minus=minus)

    def under(self, mask: str, expr: Expr) -> Value:
        """`expr` evaluated where `mask` holds; other lanes have any value."""
        saved = self.mask, self.guarded
        self.mask, self.guarded = mask, True
        value = self.eval(expr)
        self.mask, self.guarded = saved
        return value

    def condition(self, expr: Expr) -> Value:
        """A bool: uniform, or a mask in which inactive lanes are 0."""
        value = self.eval(expr)
        if value.kind == "uniform" or self.mask is None:
            return value
        return Value("vector", f"({self.lanes.mask})({self.mask} & {value.text})", BOOL)

    def _logical(self, expr: Binary) -> Value:
        left = self.eval(expr.left)
        touches = any(isinstance(n, Load) for n in walk(expr.right))
        kind = self.lanes.mask
        if expr.op == "&&":
            if not touches:
                right = self.eval(expr.right)
                return self.result(BOOL, f"({kind})({self.vector(left)} & {self.vector(right)})")
            active = self.vector(left) if self.mask is None else f"({self.mask} & {self.vector(left)})"
            taken = self.temporary(Value("vector", active, BOOL), "m")
            right = self.under(taken.text, expr.right)
            return self.result(BOOL, f"({kind})({taken.text} & {self.vector(right)})")
        if not touches:
            right = self.eval(expr.right)
            return self.result(BOOL, f"({kind})({self.vector(left)} | {self.vector(right)})")
        first = self.temporary(Value("vector", self.vector(left), BOOL), "m")
        rest = self.temporary(Value("vector", f"({kind})({self.mask_text()} & ~{first.text})", BOOL), "m")
        right = self.under(rest.text, expr.right)
        return self.result(BOOL, f"({kind})({first.text} | ({rest.text} & {self.vector(right)}))")

    def _unary(self, dtype: DType, op: str, value: Value) -> Value:
        lanes = self.lanes
        if value.kind == "uniform":
            return replace(value, text=f"{op}({value.text})", dtype=dtype)
        if op == "!":
            return Value("vector", f"({lanes.mask})~{_atom(self.vector(self._truth(value)))}", BOOL)
        if op == "-" and value.kind == "linear" and isinstance(value.stride, int):
            return replace(value, text=f"-({value.text})", stride=-value.stride, minus=True)
        text = self.vector(value)
        if op == "-":
            if dtype.is_float:
                return self.result(
                    dtype,
                    lanes.op("xor", dtype, text, lanes.set1(dtype, "-0.0f" if is_real(dtype) else "-0.0")),
                )
            return self._wrapped(dtype, lanes.op("sub", dtype, lanes.zero(dtype), text))
        if op == "~":
            return self._wrapped(dtype, lanes.bitwise("xor", dtype, text, lanes.set1(dtype, "-1")))
        raise NotVectorizable(f"operator {op}")

    def _truth(self, value: Value) -> Value:
        return value if value.dtype == BOOL else self.convert(value, BOOL)

    def _binary(self, expr: Binary) -> Value:
        left, right = self.eval(expr.left), self.eval(expr.right)
        op, dtype = expr.op, expr.left.dtype
        if op in COMPARISONS:
            return self._compare(op, left, right)
        if dtype.is_integer:
            linear = self._linear(op, left, right)
            if linear is not None:
                return linear
            if op in ("<<", ">>"):
                return self._shift(op, left, right)
            return self._integer(op, left, right)
        return self._float(op, dtype, left, right)

    def _float(self, op: str, dtype: DType, left: Value, right: Value) -> Value:
        name = {"+": "add", "-": "sub", "*": "mul", "/": "div"}.get(op)
        if name is None:
            raise NotVectorizable(f"operator {op} on floats")
        text = self.lanes.op(name, dtype, self.vector(left), self.vector(right))
        return self.rounded(dtype, text)

    def rounded(self, dtype: DType, text: str) -> Value:
        """A float result of `dtype`, 16-bit types rounded."""
        if is_half_width(dtype):
            function = "round_to_half_ps" if dtype == F16 else "round_to_bfloat16_ps"
            text = self.lanes.narrow(dtype, f"{function}({self.lanes.widen(dtype, text)})")
        return self.result(dtype, text)

    def _linear(self, op: str, left: Value, right: Value) -> Value | None:
        """Integer arithmetic that keeps base + lane * stride; None if it does not."""
        dtype, count = left.dtype, self.lanes.count
        kinds = {left.kind, right.kind}
        if dtype.bits < 32 or "vector" in kinds:
            return None
        minus = left.minus or right.minus or op == "-"
        if op in ("+", "-"):
            sign = 1 if op == "+" else -1
            stride = _combine(left.stride, right.stride, sign)
            if stride is None:
                return None
            text = f"{left.text} {op} {_atom(right.text)}"
            multiple = gcd(left.multiple, right.multiple)
            if stride == 0:
                return Value("uniform", f"({text})", dtype, minus=minus)
            return Value("linear", f"({text})", dtype, stride, multiple, minus)
        if op == "*":
            if left.kind == "uniform":
                left, right = right, left
            if right.kind != "uniform":
                return None
            stride = _scaled(left.stride, right.text)
            multiple = left.multiple * max(1, abs(right.multiple))
            return Value(
                "linear", f"{_atom(left.text)} * {_atom(right.text)}", dtype, stride, multiple, minus
            )
        exact = left.kind == "linear" and left.stride == 1 and not left.minus and right.kind == "uniform"
        if not exact or not right.text.rstrip("ul").isdigit():
            return None
        amount = int(right.text.rstrip("ul"))
        if op == "<<" and amount < 32:
            return replace(
                left, text=f"({left.text} << {amount})", stride=1 << amount, multiple=left.multiple << amount
            )
        amount = 1 << amount if op == ">>" else amount + 1 if op == "&" else amount
        if op not in ("/", "%", ">>", "&") or amount <= 0 or (op == "&" and amount & (amount - 1)):
            return None
        if amount % count or left.multiple % count:
            return None
        if op in ("/", ">>"):
            return Value("uniform", f"({_atom(left.text)} / {amount})", dtype)
        return Value("linear", f"({_atom(left.text)} % {amount})", dtype, 1, gcd(left.multiple, amount))

    def _integer(self, op: str, left: Value, right: Value) -> Value:
        lanes, dtype = self.lanes, left.dtype
        a, b = self.vector(left), self.vector(right)
        if dtype == BOOL:
            symbol = {"&": "&", "|": "|", "^": "^"}.get(op)
            if symbol is None:
                raise NotVectorizable(f"operator {op} on bool")
            return self.result(BOOL, f"({lanes.mask})({a} {symbol} {b})")
        match op:
            case "+" | "-":
                return self._wrapped(dtype, lanes.op("add" if op == "+" else "sub", dtype, a, b))
            case "*":
                return self._wrapped(dtype, lanes.op("mullo", dtype, a, b))
            case "&" | "|" | "^":
                return self.result(dtype, lanes.bitwise({"&": "and", "|": "or", "^": "xor"}[op], dtype, a, b))
            case "/" | "%":
                return self._divide(op, left, right)
        raise NotVectorizable(f"operator {op} on integers")

    def _divide(self, op: str, left: Value, right: Value) -> Value:
        lanes, dtype = self.lanes, left.dtype
        if dtype.bits == 64:
            kind = value_type(dtype)
            text = f"map_lanes_int_2<{kind}>([]({kind} x, {kind} y) {{ return y ? x {op} y : 0; }}, "
            return self.result(dtype, text + f"{self.vector(left)}, {self.vector(right)})")
        digits = right.text.rstrip("u")
        if right.kind == "uniform" and dtype == U32 and digits.isdigit():
            amount = int(digits)
            if amount > 0 and amount & (amount - 1) == 0:
                if op == "/":
                    return self.result(
                        dtype, lanes.op("srli", I32, self.vector(left), str(amount.bit_length() - 1))
                    )
                return self.result(
                    dtype, lanes.bitwise("and", dtype, self.vector(left), lanes.set1(dtype, str(amount - 1)))
                )
        left = self.named(Value("vector", self.vector(left), dtype))
        right = self.named(Value("vector", self.vector(right), dtype))
        function = "divide_epu32" if dtype.kind is Kind.UINT else "divide_epi32"
        quotient = lanes.narrow(
            dtype, f"{function}({lanes.widen(dtype, left.text)}, {lanes.widen(dtype, right.text)})"
        )
        if op == "/":
            return self._wrapped(dtype, quotient)
        return self.result(
            dtype, lanes.op("sub", dtype, left.text, lanes.op("mullo", dtype, quotient, right.text))
        )

    def _shift(self, op: str, left: Value, right: Value) -> Value:
        lanes, dtype = self.lanes, left.dtype
        count = self.convert(right, I64 if dtype.bits == 64 else I32)
        name = "sllv" if op == "<<" else "srlv" if dtype.kind is Kind.UINT else "srav"
        return self._wrapped(dtype, lanes.op(name, dtype, self.vector(left), self.vector(count)))

    def _wrapped(self, dtype: DType, text: str) -> Value:
        """An integer result brought into the range of a narrow type."""
        lanes = self.lanes
        if dtype.bits >= 32:
            return self.result(dtype, text)
        if dtype.kind is Kind.UINT:
            return self.result(
                dtype, lanes.bitwise("and", dtype, text, lanes.set1(dtype, str((1 << dtype.bits) - 1)))
            )
        shift = str(32 - dtype.bits)
        return self.result(dtype, lanes.op("srai", dtype, lanes.op("slli", dtype, text, shift), shift))

    def _compare(self, op: str, left: Value, right: Value) -> Value:
        lanes, dtype = self.lanes, left.dtype
        a, b = self.vector(left), self.vector(right)
        if dtype == BOOL:
            text = {"==": f"~({a} ^ {b})", "!=": f"({a} ^ {b})"}.get(op)
            if text is None:
                raise NotVectorizable(f"comparison {op} of bools")
            return self.result(BOOL, f"({lanes.mask}){text}")
        if dtype.is_float:
            text = f"{lanes.prefix(dtype)}_cmp_{lanes.suffix(dtype)}_mask({a}, {b}, {COMPARE_FLOAT[op]})"
        else:
            suffix = lanes.suffix(dtype, signed=False)
            text = f"{lanes.prefix(dtype)}_cmp{COMPARE_INT[op]}_{suffix}_mask({a}, {b})"
        return self.result(BOOL, text)

    def _select(self, expr: Select) -> Value:
        touches = any(isinstance(n, Load) for side in (expr.then, expr.otherwise) for n in walk(side))
        dtype, lanes, printer = expr.dtype, self.lanes, self.printer
        condition = self.eval(expr.condition)
        if condition.kind == "uniform":
            if not touches:
                yes, no = self.eval(expr.then), self.eval(expr.otherwise)
                return self.result(
                    dtype, f"({_atom(condition.text)} ? {self.vector(yes)} : {self.vector(no)})"
                )
            name = printer.fresh("t")
            printer.line(f"{lanes.register(dtype)} {name};")
            for head, side in ((f"if ({condition.text}) {{", expr.then), ("} else {", expr.otherwise)):
                printer.line(head)
                printer.depth += 1
                value = self.vector(self.eval(side))
                printer.line(f"{name} = {value};")
                printer.depth -= 1
            printer.line("}")
            return Value("vector", name, dtype)
        chosen = self.named(condition)
        active = self.mask_text()
        yes = self._side(expr.then, f"({lanes.mask})({active} & {chosen.text})")
        no = self._side(expr.otherwise, f"({lanes.mask})({active} & ~{chosen.text})")
        return self.result(dtype, lanes.blend(dtype, chosen.text, self.vector(no), self.vector(yes)))

    def _side(self, expr: Expr, active: str) -> Value:
        """One side of a selection; memory is touched only by the lanes that choose it."""
        if not any(isinstance(n, Load) for n in walk(expr)):
            return self.eval(expr)
        return self.under(self.temporary(Value("vector", active, BOOL), "m").text, expr)

    # -------------------------------------------------------------------------------------- conversions

    def convert(self, value: Value, dtype: DType) -> Value:
        source = value.dtype
        if source == dtype:
            return value
        if value.kind == "uniform":
            inner = Var(source, "\0")
            self.printer.names["\0"] = _atom(value.text)
            return replace(value, text=self.printer.expr(Cast(dtype, inner)), dtype=dtype)
        if value.kind == "linear":
            kept = self._linear_cast(value, dtype)
            if kept is not None:
                return kept
        return self._vector_cast(self.vector(value), source, dtype)

    def _linear_cast(self, value: Value, dtype: DType) -> Value | None:
        source = value.dtype
        if (
            not dtype.is_integer
            or dtype.bits < 32
            or (source.kind is Kind.UINT and value.minus and dtype.bits == 64)
        ):
            return None
        stride = value.stride
        if isinstance(stride, str) and dtype.bits != source.bits:
            stride = f"({value_type(dtype)}){_atom(stride)}"
        return replace(value, text=f"({value_type(dtype)}){_atom(value.text)}", dtype=dtype, stride=stride)

    def _vector_cast(self, text: str, source: DType, dtype: DType) -> Value:
        lanes = self.lanes
        if dtype == BOOL:
            if source.is_float:
                zero = lanes.zero(source)
                return self.result(
                    BOOL,
                    f"{lanes.prefix(source)}_cmp_{lanes.suffix(source)}_mask({text}, {zero}, _CMP_NEQ_UQ)",
                )
            suffix = lanes.suffix(source)
            return self.result(
                BOOL, f"{lanes.prefix(source)}_cmpneq_{suffix}_mask({text}, {lanes.zero(source)})"
            )
        if source == BOOL:
            if dtype.is_float:
                one = lanes.set1(dtype, "1.0" if dtype == F64 else "1.0f")
                return self.result(dtype, lanes.op("maskz_mov", dtype, text, one))
            return self.result(dtype, lanes.op("maskz_set1", dtype, text, "1"))
        if source.is_float and dtype.is_float:
            return self._float_to_float(text, source, dtype)
        if dtype.is_float:
            return self._int_to_float(text, source, dtype)
        if source.is_float:
            return self._float_to_int(text, source, dtype)
        if dtype.bits == 64 and source.bits < 64:
            kind = "epu" if source.kind is Kind.UINT else "epi"
            lanes.bits(dtype)
            return self.result(dtype, f"_mm512_cvt{kind}32_epi64({text})")
        if source.bits == 64 and dtype.bits < 64:
            text = f"_mm512_cvtepi64_epi32({text})"
        if dtype.bits < 32 and (source.bits > dtype.bits or source.kind is not dtype.kind):
            return self._wrapped(dtype, text)
        return self.result(dtype, text)

    def _float_to_float(self, text: str, source: DType, dtype: DType) -> Value:
        lanes = self.lanes
        if source == F64:
            lanes.bits(source)
            if is_half_width(dtype):
                return self.rounded(dtype, f"round_to_odd_pd({text})")
            return self.result(dtype, f"_mm512_cvtpd_ps({text})")
        if dtype == F64:
            lanes.bits(dtype)
            return self.result(dtype, f"_mm512_cvtps_pd({text})")
        return self.rounded(dtype, text) if is_half_width(dtype) else self.result(dtype, text)

    def _int_to_float(self, text: str, source: DType, dtype: DType) -> Value:
        lanes = self.lanes
        kind = "epu" if source.kind is Kind.UINT and source.bits >= 32 else "epi"
        if dtype == F64:
            lanes.bits(dtype)
            return self.result(dtype, f"_mm512_cvt{kind}{64 if source.bits == 64 else 32}_pd({text})")
        if is_half_width(dtype) and source.bits >= 32:
            if lanes.count == 16:
                if dtype == F16:  # beyond 2^24 everything is infinite
                    return self.rounded(dtype, f"_mm512_cvt{kind}32_ps({text})")
                raise NeedsEightLanes
            return self.rounded(dtype, f"round_to_odd_pd(_mm512_cvt{kind}{source.bits}_pd({text}))")
        if source.bits == 64:
            return self.result(dtype, f"_mm512_cvt{kind}64_ps({text})")
        value = f"{'_mm512' if lanes.count == 16 else '_mm256'}_cvt{kind}32_ps({text})"
        return self.rounded(dtype, value) if is_half_width(dtype) else self.result(dtype, value)

    def _float_to_int(self, text: str, source: DType, dtype: DType) -> Value:
        lanes = self.lanes
        unsigned = dtype.kind is Kind.UINT and dtype.bits >= 32
        if dtype.bits == 64:
            if source != F64:
                text = f"_mm512_cvtps_pd({text})"
            lanes.bits(dtype)
            return self.result(dtype, f"truncate_pd_ep{'u' if unsigned else 'i'}64({text})")
        if source == F64:
            result = f"truncate_pd_ep{'u' if unsigned else 'i'}32({text})"
        else:
            result = lanes.narrow(
                I32, f"truncate_ep{'u' if unsigned else 'i'}32({lanes.widen(source, text)})"
            )
        if dtype.bits < 32:
            low = -(1 << (dtype.bits - 1)) if dtype.kind is Kind.INT else 0
            high = (1 << (dtype.bits - (dtype.kind is Kind.INT))) - 1
            inner = lanes.op("max", I32, result, lanes.set1(I32, str(low)))
            result = lanes.op("min", I32, inner, lanes.set1(I32, str(high)))
        return self.result(dtype, result)

    def _bitcast(self, value: Value, dtype: DType) -> Value:
        source, lanes = value.dtype, self.lanes
        text = self.vector(value)
        if source.bits < 32 or dtype.bits < 32:
            raise NotVectorizable("bits of narrow types")
        if source.is_integer and dtype.is_integer:
            return Value("vector", text, dtype)
        prefix, width = lanes.prefix(dtype), lanes.bits(dtype)
        letters = {F32: "ps", F64: "pd"}
        return self.result(
            dtype,
            f"{prefix}_cast{letters.get(source, f'si{width}')}_{letters.get(dtype, f'si{width}')}({text})",
        )

    # -------------------------------------------------------------------------------------- functions

    def _call(self, expr: Call) -> Value:
        args = [self.eval(a) for a in expr.args]
        source = args[0].dtype
        if source.is_float:
            return self._float_call(expr, args)
        return self._int_call(expr, args)

    def _float_call(self, expr: Call, args: list[Value]) -> Value:
        lanes, name, dtype = self.lanes, expr.function, expr.args[0].dtype
        texts = [self.vector(a) for a in args]
        if name in ("isnan", "isinf", "isfinite", "signbit"):
            classes = {"isnan": 0x81, "isinf": 0x18, "isfinite": 0x99, "signbit": 0}[name]
            if name == "signbit":
                raise NotVectorizable("signbit")
            test = f"{lanes.prefix(dtype)}_fpclass_{lanes.suffix(dtype)}_mask({texts[0]}, {classes:#x})"
            return self.result(BOOL, f"({lanes.mask})~{test}" if name == "isfinite" else test)
        if name in ("min", "max"):
            suffix = lanes.suffix(dtype)
            wide = [lanes.widen(dtype, t) for t in texts]
            return self.result(dtype, lanes.narrow(dtype, f"{name}_number_{suffix}({', '.join(wide)})"))
        if name == "fma" and not is_half_width(dtype):
            return self.result(dtype, lanes.op("fmadd", dtype, *texts))
        if name == "fma":
            factors = ", ".join(lanes.widen(dtype, t) for t in texts)
            return self.rounded(dtype, lanes.narrow(dtype, f"fma_narrow_ps({factors})"))
        if name == "sqrt":
            return self.rounded(dtype, lanes.op("sqrt", dtype, texts[0]))
        if name == "abs":
            sign = lanes.set1(dtype, "-0.0f")
            return self.result(dtype, lanes.op("andnot", dtype, sign, texts[0]))
        if name == "rcp":
            one = lanes.set1(dtype, "1.0f")
            return self.rounded(dtype, lanes.op("div", dtype, one, texts[0]))
        if name in ROUNDINGS:
            return self.result(dtype, lanes.op("roundscale", dtype, texts[0], str(ROUNDINGS[name])))
        if name in VECTOR_FUNCTIONS and is_real(dtype):
            return self.rounded(dtype, lanes.narrow(dtype, f"{name}_ps({lanes.widen(dtype, texts[0])})"))
        return self._mapped(expr, texts, dtype)

    def _mapped(self, expr: Call, texts: list[str], dtype: DType) -> Value:
        """A function of math.h, lane by lane."""
        if len(texts) > 2 or (is_half_width(dtype) and len(texts) > 1):
            raise NotVectorizable(f"function {expr.function}")
        scalar = F32 if is_real(dtype) else dtype
        kind = value_type(scalar)
        for parameter in ("x", "y"):
            self.printer.names[f"\0{parameter}"] = parameter
        call = Call(scalar, expr.function, tuple(Var(scalar, f"\0{p}") for p in ("x", "y")[: len(texts)]))
        body = self.printer.expr(call)
        names = ", ".join(f"{kind} {p}" for p in ("x", "y")[: len(texts)])
        function = ("map_lanes" if is_real(dtype) else "map_lanes_pd") + ("_2" if len(texts) == 2 else "")
        wide = ", ".join(self.lanes.widen(dtype, t) for t in texts)
        text = f"{function}([]({names}) {{ return {body}; }}, {wide})"
        return self.rounded(dtype, self.lanes.narrow(dtype, text))

    def _int_call(self, expr: Call, args: list[Value]) -> Value:
        lanes, name, dtype = self.lanes, expr.function, args[0].dtype
        texts = [self.vector(a) for a in args]
        if name in ("min", "max") and dtype != BOOL:
            return self.result(dtype, lanes.op(name, dtype, *texts, signed=dtype.bits < 32))
        if name == "abs" and dtype.bits >= 32:
            return self.result(dtype, lanes.op("abs", dtype, texts[0]))
        if dtype.bits < 32 or expr.dtype.bits != dtype.bits:
            raise NotVectorizable(f"function {name}")
        if name == "dp4a":
            function = "dot_4_bytes_epu32" if dtype.kind is Kind.UINT else "dot_4_bytes_epi32"
            wide = ", ".join(lanes.widen(dtype, t) for t in texts)
            return self.result(dtype, lanes.narrow(dtype, f"{function}({wide})"))
        kind = value_type(dtype)
        letters = ("x", "y", "z")[: len(texts)]
        for parameter in letters:
            self.printer.names[f"\0{parameter}"] = parameter
        call = Call(
            expr.dtype, name, tuple(Var(a.dtype, f"\0{p}") for a, p in zip(args, letters, strict=True))
        )
        names = ", ".join(f"{value_type(a.dtype)} {p}" for a, p in zip(args, letters, strict=True))
        suffix = f"_{len(texts)}" if len(texts) > 1 else ""
        wide = ", ".join(lanes.widen(dtype, t) for t in texts)
        body = self.printer.expr(call)
        text = f"map_lanes_int{suffix}<{kind}>([]({names}) {{ return {body}; }}, {wide})"
        return self.result(expr.dtype, lanes.narrow(dtype, text))

    # -------------------------------------------------------------------------------------- memory

    def position(self, load: Load) -> Value:
        """The flat index of an access."""
        info = self.printer.arrays.get(load.array)
        index = load.index
        if len(index) == 1 or info is None or not info.shape:
            return self.eval(index[0])
        # a value of its own: the row-major sum, in 64 bits only where the indices are
        total = index[0]
        for extent, part in zip(info.shape[1:], index[1:], strict=True):
            total = _plus(_times(total, extent), part)
        return self.eval(total)

    def load(self, load: Load) -> Value:
        if load.array in self.shapes.arrays:
            return self._private(load)
        base = self._base(load)
        at = self.position(load)
        lanes, dtype = self.lanes, load.dtype
        wraps = at.minus and at.dtype == U32
        if at.kind == "linear" and not wraps:
            if at.stride == 1:
                return self.result(dtype, lanes.load(dtype, f"{base} + {at.text}", self.mask))
            pointer = f"{base} + {at.text}"
            index = self.offsets(I32, self._int_stride(at))
            return self.result(dtype, lanes.gather(dtype, pointer, index, I32, self.mask))
        return self.result(dtype, lanes.gather(dtype, base, self.vector(at), at.dtype, self.mask))

    def _base(self, place: Load) -> str:
        """A pointer to elements of the access's own type: the intrinsics may read any memory."""
        base = self.printer.base(place.array)
        if not self.printer.reinterprets(place):
            return base
        if place.dtype.bits < 32:
            raise NotVectorizable("reinterpreted memory")
        return f"(({value_type(place.dtype)} *){base})"

    def _int_stride(self, at: Value) -> int | str:
        if isinstance(at.stride, str) and at.dtype.bits == 64:
            return f"(int){_atom(at.stride)}"
        return at.stride

    def store(self, target: Load, value: Value) -> None:
        """Store the lanes of the current mask."""
        if target.array in self.shapes.arrays:
            self._store_private(target, value)
            return
        base = self._base(target)
        at = self.position(target)
        lanes, dtype, printer = self.lanes, target.dtype, self.printer
        if at.kind == "uniform" and printer.reinterprets(target):
            raise NotVectorizable("lanes that write the same element of reinterpreted memory")
        if at.kind == "uniform":
            self._store_uniform(base, at, value)
        elif at.kind == "linear" and not (at.minus and at.dtype == U32):
            pointer, text = f"{base} + {at.text}", self.vector(value)
            if at.stride == 1:
                printer.line(f"{lanes.store(dtype, pointer, text, self.mask)};")
            else:
                index = self.offsets(I32, self._int_stride(at))
                printer.line(f"{lanes.scatter(dtype, pointer, index, I32, text, self.mask)};")
        else:
            text = lanes.scatter(dtype, base, self.vector(at), at.dtype, self.vector(value), self.mask)
            printer.line(f"{text};")

    def _store_uniform(self, base: str, at: Value, value: Value) -> None:
        """All active lanes write one element: the last one's value stays."""
        if value.kind != "uniform":
            raise NotVectorizable("lanes that write the same element")
        guard = f"if ({self.mask}) " if self.mask is not None else ""
        self.printer.names["\0"] = _atom(value.text)
        stored = self.printer.to_storage(Var(value.dtype, "\0"))
        self.printer.line(f"{guard}{base}[{at.text}] = {stored};")

    def _private(self, load: Load) -> Value:
        """An element of an array with one copy a lane: registers, or a gather from them."""
        at = self.position(load)
        name, dtype = self.printer.name(load.array), load.dtype
        if at.kind == "uniform":
            return Value("vector", f"{name}[{at.text}]", dtype)
        if dtype.bits < 32:
            raise NotVectorizable("narrow private arrays at varying positions")
        at = self.convert(at, I64 if dtype.bits == 64 else I32)
        index = self._private_index(at, dtype)
        kind = "double" if dtype == F64 else "float" if is_real(dtype) else value_type(dtype)
        return self.result(
            dtype, self.lanes.gather(dtype, f"(const {kind} *){name}", index, at.dtype, self.mask)
        )

    def _private_index(self, at: Value, dtype: DType) -> str:
        lanes = self.lanes
        scaled = lanes.op("mullo", at.dtype, self.vector(at), lanes.set1(at.dtype, str(lanes.count)))
        return lanes.op("add", at.dtype, scaled, self.lane_numbers(at.dtype))

    def _store_private(self, target: Load, value: Value) -> None:
        at = self.position(target)
        lanes, dtype, name = self.lanes, target.dtype, self.printer.name(target.array)
        text = self.vector(value)
        if at.kind == "uniform":
            place = f"{name}[{at.text}]"
            if self.mask is not None:
                text = lanes.blend(dtype, self.mask, place, text)
            self.printer.line(f"{place} = {text};")
            return
        if dtype.bits < 32:
            raise NotVectorizable("narrow private arrays at varying positions")
        at = self.convert(at, I64 if dtype.bits == 64 else I32)
        index = self._private_index(at, dtype)
        kind = "double" if dtype == F64 else "float" if is_real(dtype) else value_type(dtype)
        self.printer.line(f"{lanes.scatter(dtype, f'({kind} *){name}', index, at.dtype, text, self.mask)};")


# ---------------------------------------------------------------------------------------------- small parts


def _atom(text: str) -> str:
    """In parentheses unless it is one word, number or call."""
    if text.replace("_", "").replace(".", "").isalnum() or (text.startswith("(") and _encloses(text)):
        return text
    return f"({text})"


def _encloses(text: str) -> bool:
    depth = 0
    for i, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0:
            return i == len(text) - 1
    return False


def _combine(left: int | str, right: int | str, sign: int) -> int | str | None:
    if isinstance(left, int) and isinstance(right, int):
        return left + sign * right
    if right == 0:
        return left
    if left == 0 and sign > 0:
        return right
    return None


def _scaled(stride: int | str, factor: str) -> int | str:
    digits = factor.rstrip("ul").strip("()")
    if isinstance(stride, int) and digits.lstrip("-").isdigit():
        return stride * int(digits)
    return factor if stride == 1 else f"{_atom(str(stride))} * {_atom(factor)}"


def _times(left: Expr, right: Expr) -> Expr:
    return Binary(left.dtype, "*", left, _to(right, left.dtype))


def _plus(left: Expr, right: Expr) -> Expr:
    if right.dtype.bits > left.dtype.bits:
        left = _to(left, right.dtype)
    return Binary(left.dtype, "+", left, _to(right, left.dtype))


def _to(expr: Expr, dtype: DType) -> Expr:
    if expr.dtype == dtype:
        return expr
    if isinstance(expr, Const):
        return Const(dtype, expr.value)
    return Cast(dtype, expr)
