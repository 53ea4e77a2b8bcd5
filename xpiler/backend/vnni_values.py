"""Expressions over lanes, evaluated into `Value`s: operators, comparisons, selections."""

from __future__ import annotations

from dataclasses import replace
from math import gcd

from xpiler.backend.c_expressions import COMPARISONS
from xpiler.backend.c_types import value_type
from xpiler.backend.vnni_forms import Value, atom
from xpiler.backend.vnni_functions import Functions
from xpiler.backend.vnni_lanes import NotVectorizable, is_real
from xpiler.backend.vnni_memory import Memory
from xpiler.ir.nodes import Binary, Bitcast, Call, Cast, Const, Expr, Load, Select, Unary, Var
from xpiler.ir.rewrite import walk
from xpiler.ir.types import BOOL, F32, I32, I64, U32, DType, Kind

COMPARE_FLOAT = {
    "<": "_CMP_LT_OQ",
    "<=": "_CMP_LE_OQ",
    ">": "_CMP_GT_OQ",
    ">=": "_CMP_GE_OQ",
    "==": "_CMP_EQ_OQ",
    "!=": "_CMP_NEQ_UQ",
}
COMPARE_INT = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "neq"}


class LaneValues(Functions, Memory):
    """Evaluates expressions into `Value`s, printing temporaries through `printer`."""

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
            return Value("vector", f"({lanes.mask})~{atom(self.vector(self._truth(value)))}", BOOL)
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
            text = f"{left.text} {op} {atom(right.text)}"
            multiple = gcd(left.multiple, right.multiple)
            if stride == 0:
                return Value("uniform", f"({text})", dtype, minus=minus)
            return Value("linear", f"({text})", dtype, stride, multiple, minus)
        if op == "*":
            if left.kind == "uniform":
                left, right = right, left
            if right.kind != "uniform":
                return None
            if left.kind == "uniform":
                return Value("uniform", f"({atom(left.text)} * {atom(right.text)})", dtype, minus=minus)
            stride = _scaled(left.stride, right.text)
            multiple = left.multiple * max(1, abs(right.multiple))
            return Value("linear", f"{atom(left.text)} * {atom(right.text)}", dtype, stride, multiple, minus)
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
            return Value("uniform", f"({atom(left.text)} / {amount})", dtype)
        return Value("linear", f"({atom(left.text)} % {amount})", dtype, 1, gcd(left.multiple, amount))

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
        if right.kind == "uniform" and dtype == I32 and digits.isdigit() and int(digits).bit_count() == 1:
            return self._by_power(op, left, int(digits))
        by_number = (
            right.kind == "uniform" and dtype == I32 and digits.isdigit() and 2 < int(digits) < 1 << 31
        )
        left = self.named(Value("vector", self.vector(left), dtype))
        if op == "%" or not by_number:
            right = self.named(Value("vector", self.vector(right), dtype))
        function = "divide_epu32" if dtype.kind is Kind.UINT else "divide_epi32"
        by = lanes.widen(dtype, right.text)
        if by_number:
            function, by = "divide_by_epi32", ", ".join(map(str, reciprocal(int(digits))))
        quotient = lanes.narrow(dtype, f"{function}({lanes.widen(dtype, left.text)}, {by})")
        if op == "/":
            return self._wrapped(dtype, quotient)
        return self.result(
            dtype, lanes.op("sub", dtype, left.text, lanes.op("mullo", dtype, quotient, right.text))
        )

    def _by_power(self, op: str, left: Value, amount: int) -> Value:
        """By a power of two, towards zero: negative numbers are moved up by one less than it first."""
        if amount == 1:
            return left if op == "/" else self.result(I32, self.lanes.set1(I32, "0"))
        lanes, bits = self.lanes, amount.bit_length() - 1
        number = self.named(Value("vector", self.vector(left), I32)).text
        less = lanes.op("srli", I32, lanes.op("srai", I32, number, "31"), str(32 - bits))
        moved = lanes.op("add", I32, number, less)
        if op == "/":
            return self.result(I32, lanes.op("srai", I32, moved, str(bits)))
        whole = lanes.bitwise("and", I32, moved, lanes.set1(I32, str(-amount)))
        return self.result(I32, lanes.op("sub", I32, number, whole))

    def _shift(self, op: str, left: Value, right: Value) -> Value:
        lanes, dtype = self.lanes, left.dtype
        count = self.convert(right, I64 if dtype.bits == 64 else I32)
        name = "sllv" if op == "<<" else "srlv" if dtype.kind is Kind.UINT else "srav"
        return self._wrapped(dtype, lanes.op(name, dtype, self.vector(left), self.vector(count)))

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
                    dtype, f"({atom(condition.text)} ? {self.vector(yes)} : {self.vector(no)})"
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
        active = self.mask_text() if self.mask is not None else ""
        if self._is_masked_load(expr):  # which is 0 where the mask is
            held = chosen.text if not active else f"({lanes.mask})({active} & {chosen.text})"
            if active:
                held = self.temporary(Value("vector", held, BOOL), "m").text
            return self.under(held, expr.then)
        active = active or lanes.all
        yes = self._side(expr.then, f"({lanes.mask})({active} & {chosen.text})")
        no = self._side(expr.otherwise, f"({lanes.mask})({active} & ~{chosen.text})")
        return self.result(dtype, lanes.blend(dtype, chosen.text, self.vector(no), self.vector(yes)))

    def _is_masked_load(self, expr: Select) -> bool:
        """Elements of lanes where a condition holds, else 0: what a load under a mask gives."""
        zero, load = expr.otherwise, expr.then
        if not isinstance(load, Load) or not isinstance(zero, Const) or str(zero.value) not in ("0", "0.0"):
            return False
        return (
            load.dtype == F32
            and load.array not in self.shapes.arrays
            and any(map(self.shapes.varies, load.index))
        )

    def _side(self, expr: Expr, active: str) -> Value:
        """One side of a selection; memory is touched only by the lanes that choose it."""
        if not any(isinstance(n, Load) for n in walk(expr)):
            return self.eval(expr)
        return self.under(self.temporary(Value("vector", active, BOOL), "m").text, expr)


def reciprocal(number: int) -> tuple[int, int]:
    """A factor m of 32 signed bits and a shift s such that n / number is (m * n >> 32), plus n if m is
    negative, shifted to the right by s, and one more for negative n (Warren, Hacker's Delight, 10-1)."""
    most = (1 << 31) - 1 - (1 << 31) % number
    power = 32
    while 1 << power <= most * (number - (1 << power) % number):
        power += 1
    factor = ((1 << power) + number - (1 << power) % number) // number
    return (factor - (1 << 32) if factor >= 1 << 31 else factor), power - 32


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
    return factor if stride == 1 else f"{atom(str(stride))} * {atom(factor)}"
