"""Conversions between types, lane by lane, with the GPU's rules."""

from __future__ import annotations

from dataclasses import replace

from xpiler.backend.c_types import is_half_width, value_type
from xpiler.backend.vnni_forms import Forms, Value, atom
from xpiler.backend.vnni_lanes import NeedsEightLanes, NotVectorizable
from xpiler.ir.nodes import Cast, Var
from xpiler.ir.types import BOOL, F16, F32, F64, I32, DType, Kind


class Conversions(Forms):
    """Casts and bit casts."""

    def convert(self, value: Value, dtype: DType) -> Value:
        source = value.dtype
        if source == dtype:
            return value
        if value.kind == "uniform":
            inner = Var(source, "\0")
            self.printer.names["\0"] = atom(value.text)
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
            stride = f"({value_type(dtype)}){atom(stride)}"
        return replace(value, text=f"({value_type(dtype)}){atom(value.text)}", dtype=dtype, stride=stride)

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
