"""Functions of the IR on lanes: instructions, vector helpers, or the scalar function for each lane."""

from __future__ import annotations

from xpiler.backend.c_types import is_half_width, value_type
from xpiler.backend.vnni_forms import Forms, Value
from xpiler.backend.vnni_lanes import NotVectorizable, is_real
from xpiler.ir.nodes import Call, Cast, Var
from xpiler.ir.types import BOOL, F32, DType, Kind

ROUNDINGS = {"floor": 9, "ceil": 10, "trunc": 11, "rint": 8}
VECTOR_FUNCTIONS = frozenset("exp exp2 log tanh erf sin cos rsqrt saturate".split())


class Functions(Forms):
    """Calls."""

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
        if name == "ldexp":
            if is_half_width(dtype):
                raise NotVectorizable("ldexp")
            power = self.vector(self.eval(Cast(dtype, expr.args[1])))
            return self.result(dtype, lanes.op("scalef", dtype, texts[0], power))
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
