"""Names of AVX-512 types and intrinsics for 16 lanes (32-bit values) or 8 lanes (with 64-bit values).

Values live in registers as 32- or 64-bit numbers: narrower integers are widened and kept within their
range, 16-bit floats
are floats, booleans are masks.
"""

from __future__ import annotations

from dataclasses import dataclass

from xpiler.backend.c_types import is_half_width
from xpiler.ir.types import BF16, BOOL, F16, F32, F64, DType, Kind

LANE_NUMBERS = "15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0"


class NeedsEightLanes(Exception):
    """A 64-bit value varies over the lanes: 16 of them do not fit into one register."""


class NotVectorizable(Exception):
    """Something has no vector form; the loop is printed as a scalar loop. The text says what."""


def is_real(dtype: DType) -> bool:
    """Kept as `__m512` (f32 and the 16-bit floats)."""
    return dtype == F32 or is_half_width(dtype)


@dataclass(frozen=True)
class Lanes:
    """A vector width."""

    count: int

    @property
    def mask(self) -> str:
        return f"__mmask{self.count}"

    @property
    def all(self) -> str:
        return "0xffff" if self.count == 16 else "0xff"

    def bits(self, dtype: DType) -> int:
        """Width of the register that holds a value of `dtype`."""
        wide = dtype.bits == 64
        if wide and self.count == 16:
            raise NeedsEightLanes
        return self.count * (64 if wide else 32)

    def register(self, dtype: DType) -> str:
        if dtype == BOOL:
            return self.mask
        suffix = "" if is_real(dtype) else "d" if dtype == F64 else "i"
        return f"__m{self.bits(dtype)}{suffix}"

    def prefix(self, dtype: DType) -> str:
        return f"_mm{'' if self.bits(dtype) == 128 else self.bits(dtype)}"

    def suffix(self, dtype: DType, *, signed: bool = True) -> str:
        """`ps`, `pd`, `epi32`, `epi64`; `epu` for unsigned types unless `signed`."""
        if is_real(dtype):
            return "ps"
        if dtype == F64:
            return "pd"
        kind = "epu" if not signed and dtype.kind is Kind.UINT else "epi"
        return f"{kind}{64 if dtype.bits == 64 else 32}"

    def op(self, name: str, dtype: DType, *args: str, signed: bool = True) -> str:
        """A call of `_mm512_NAME_suffix`."""
        return f"{self.prefix(dtype)}_{name}_{self.suffix(dtype, signed=signed)}({', '.join(args)})"

    def bitwise(self, name: str, dtype: DType, *args: str) -> str:
        return f"{self.prefix(dtype)}_{name}_si{self.bits(dtype)}({', '.join(args)})"

    def set1(self, dtype: DType, text: str) -> str:
        if dtype == BOOL:
            return f"({self.mask})({text} ? {self.all} : 0)"
        if dtype.is_integer and dtype.bits == 64:
            return f"{self.prefix(dtype)}_set1_epi64({text})"
        return self.op("set1", dtype, text)

    def zero(self, dtype: DType) -> str:
        if dtype == BOOL:
            return f"({self.mask})0"
        if dtype.is_float:
            return f"{self.prefix(dtype)}_setzero_{self.suffix(dtype)}()"
        return f"{self.prefix(dtype)}_setzero_si{self.bits(dtype)}()"

    def iota(self, dtype: DType) -> str:
        """0, 1, 2 ... in 32- or 64-bit lanes."""
        numbers = ", ".join(str(i) for i in reversed(range(self.count)))
        if dtype.bits == 64:
            return f"_mm512_set_epi64({numbers})"
        return f"{'_mm512' if self.count == 16 else '_mm256'}_set_epi32({numbers})"

    def widen(self, dtype: DType, text: str) -> str:
        """An 8-lane register of 32-bit values as the low half of a 512-bit one, for helpers that take
        those."""
        if self.count == 16 or dtype.bits == 64:
            return text
        return f"_mm512_castps256_ps512({text})" if is_real(dtype) else f"_mm512_castsi256_si512({text})"

    def narrow(self, dtype: DType, text: str) -> str:
        if self.count == 16 or dtype.bits == 64:
            return text
        return f"_mm512_castps512_ps256({text})" if is_real(dtype) else f"_mm512_castsi512_si256({text})"

    def blend(self, dtype: DType, mask: str, otherwise: str, then: str) -> str:
        if dtype == BOOL:
            return f"({self.mask})(({otherwise} & ~{mask}) | ({then} & {mask}))"
        return self.op("mask_mov", dtype, otherwise, mask, then)

    # -------------------------------------------------------------------------------------- memory

    def load(self, dtype: DType, pointer: str, mask: str | None) -> str:
        """Consecutive elements as values; masked-off lanes are 0 and not touched."""
        n = self.count
        if dtype in (F16, BF16):
            raw = self._raw("epi16", 16 * n, pointer, mask)
            if dtype == F16:
                return f"_mm512_cvtph_ps({raw})" if n == 16 else f"_mm256_maskz_cvtph_ps(0xff, {raw})"
            if n == 16:
                return f"bfloat16_to_float_ps({raw})"
            return self.narrow(dtype, f"bfloat16_to_float_ps(_mm256_castsi128_si256({raw}))")
        if dtype.bits >= 32:
            suffix = self.suffix(dtype)
            if mask is not None:
                return f"{self.prefix(dtype)}_maskz_loadu_{suffix}({mask}, {pointer})"
            if dtype.is_float:
                return f"{self.prefix(dtype)}_loadu_{suffix}({pointer})"
            return f"{self.prefix(dtype)}_loadu_si{self.bits(dtype)}((const void *)({pointer}))".replace(
                "(const void *)", f"(const {self.register(dtype)} *)"
            )
        raw = self._raw(f"epi{dtype.bits}", dtype.bits * n, pointer, mask)
        kind = "epi" if dtype.kind is Kind.INT else "epu"
        prefix = "_mm512" if n == 16 else "_mm256"
        value = f"{prefix}_cvt{kind}{dtype.bits}_epi32({raw})"
        if dtype == BOOL:
            return f"{prefix}_test_epi32_mask({value}, {prefix}_set1_epi32(255))"
        return value

    def _raw(self, suffix: str, bits: int, pointer: str, mask: str | None) -> str:
        if bits == 64:  # eight bytes
            return f"_mm_maskz_loadu_{suffix}({mask or '0xff'}, {pointer})"
        prefix = "_mm" if bits == 128 else f"_mm{bits}"
        if mask is not None:
            return f"{prefix}_maskz_loadu_{suffix}({mask}, {pointer})"
        return f"{prefix}_loadu_si{bits}((const __m{bits}i *)({pointer}))"

    def store(self, dtype: DType, pointer: str, value: str, mask: str | None) -> str:
        n = self.count
        if dtype in (F16, BF16):
            function = "float_to_half_ps" if dtype == F16 else "float_to_bfloat16_ps"
            raw = f"{function}({self.widen(dtype, value)})"
            if n == 8:
                raw = f"_mm256_castsi256_si128({raw})"
            prefix = "_mm256" if n == 16 else "_mm"
            return f"{prefix}_mask_storeu_epi16({pointer}, {mask or self.all}, {raw})"
        if dtype.bits >= 32:
            suffix = self.suffix(dtype)
            if mask is not None:
                return f"{self.prefix(dtype)}_mask_storeu_{suffix}({pointer}, {mask}, {value})"
            if dtype.is_float:
                return f"{self.prefix(dtype)}_storeu_{suffix}({pointer}, {value})"
            place = f"({self.register(dtype)} *)({pointer})"
            return f"{self.prefix(dtype)}_storeu_si{self.bits(dtype)}({place}, {value})"
        prefix = "_mm512" if n == 16 else "_mm256"
        if dtype == BOOL:
            value = f"{prefix}_maskz_set1_epi32({value}, 1)"
        return f"{prefix}_mask_cvtepi32_storeu_epi{dtype.bits}({pointer}, {mask or self.all}, {value})"

    def gather(self, dtype: DType, pointer: str, index: str, index_type: DType, mask: str | None) -> str:
        """Elements at pointer[index]; masked-off lanes are 0 and not touched. `index`: a register of
        `index_type`."""
        if dtype.bits < 32:
            if index_type.bits == 64:
                raise NotVectorizable("narrow elements at 64-bit positions")
            index = self.widen(index_type, index)
            kind = {"bool": "uint8_t", "f16": "uint16_t", "bf16": "uint16_t"}.get(
                dtype.name, f"{'u' if dtype.kind is Kind.UINT else ''}int{dtype.bits}_t"
            )
            raw = f"gather_narrow({mask or self.all}, {index}, (const {kind} *)({pointer}))"
            if dtype == F16:
                return self.narrow(dtype, f"_mm512_cvtph_ps(_mm512_cvtepi32_epi16({raw}))")
            if dtype == BF16:
                return self.narrow(dtype, f"_mm512_castsi512_ps(_mm512_slli_epi32({raw}, 16))")
            if dtype == BOOL:
                return f"({self.mask})_mm512_test_epi32_mask({raw}, {raw})"
            return self.narrow(dtype, raw)
        wide = "64" if index_type.bits == 64 else "32"
        bits, suffix = self.bits(dtype), self.suffix(dtype)
        use = mask or self.all
        if bits == 512:
            call = f"_mm512_mask_i{wide}gather_{suffix}"
        elif wide == "64":
            call = f"_mm512_mask_i64gather_{suffix}"
        else:
            call = f"_mm256_mmask_i32gather_{suffix}"
        return f"{call}({self.zero(dtype)}, {use}, {index}, {pointer}, {dtype.bytes})"

    def scatter(
        self, dtype: DType, pointer: str, index: str, index_type: DType, value: str, mask: str | None
    ) -> str:
        use = mask or self.all
        if dtype.bits < 32:
            if index_type.bits == 64:
                raise NotVectorizable("narrow elements at 64-bit positions")
            index = self.widen(index_type, index)
            if dtype == BOOL:
                value = f"_mm512_maskz_set1_epi32({value}, 1)"
            elif dtype == F16:
                value = f"_mm512_cvtepu16_epi32(float_to_half_ps({self.widen(dtype, value)}))"
            elif dtype == BF16:
                value = f"_mm512_cvtepu16_epi32(float_to_bfloat16_ps({self.widen(dtype, value)}))"
            else:
                value = self.widen(dtype, value)
            kind = "uint8_t" if dtype.bits == 8 else "uint16_t"
            return f"scatter_narrow(({kind} *)({pointer}), {use}, {index}, {value})"
        wide = "64" if index_type.bits == 64 else "32"
        prefix = "_mm512" if self.bits(dtype) == 512 or wide == "64" else "_mm256"
        call = f"{prefix}_mask_i{wide}scatter_{self.suffix(dtype)}"
        return f"{call}({pointer}, {use}, {index}, {value}, {dtype.bytes})"
