"""Half and bfloat16 against exact arithmetic: every result is the nearest value, ties to even."""

import random
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np

from tests.emulators.running import run_program

PROGRAM = """
#include <cuda_runtime.h>
#include <cuda_fp16.h>
#include <cuda_bf16.h>
#include <cstdio>
#include <vector>
int main() {
    for (unsigned i = 0; i < 65536; ++i) {  // every value survives the way through float
        __half h = __ushort_as_half((unsigned short)i);
        float f = __half2float(h);
        if (f == f && __half_as_ushort(__float2half(f)) != i) printf("half %u\\n", i);
        __nv_bfloat16 b = __ushort_as_bfloat16((unsigned short)i);
        f = b;
        if (f == f && __bfloat16_as_ushort(__float2bfloat16(f)) != i) printf("bfloat16 %u\\n", i);
    }
    unsigned n; fread(&n, 4, 1, stdin);
    std::vector<double> d(n); std::vector<unsigned short> abc(3 * n);
    fread(d.data(), 8, n, stdin); fread(abc.data(), 2, 3 * n, stdin);
    for (unsigned i = 0; i < n; ++i) {
        __half a = __ushort_as_half(abc[3 * i]), b = __ushort_as_half(abc[3 * i + 1]);
        __half c = __ushort_as_half(abc[3 * i + 2]);
        float f = (float)d[i];
        __half r[] = {__half(d[i]), __float2half_rz(f), __float2half_ru(f), __float2half_rd(f),
                      a + b, __hsub(a, b), __hmul(a, b), a / b, __hfma(a, b, c)};
        for (__half h : r) printf("%u ", __half_as_ushort(h));
        printf("%u\\n", __bfloat16_as_ushort(__nv_bfloat16(d[i])));
    }
}
"""


def nearest(value: Fraction, digits: int, smallest: int, largest_exponent: int) -> float:
    """`value` with `digits` significant bits, exponents from `smallest`; infinite beyond the largest."""
    if value == 0:
        return 0.0
    exponent = max(int(np.floor(np.log2(float(abs(value))))), smallest)
    while abs(value) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while exponent > smallest and abs(value) < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** (exponent - digits + 1)
    rounded = round(value / unit) * unit  # Python rounds ties to even
    if abs(rounded) >= Fraction(2) ** (largest_exponent + 1):
        return float("inf") if rounded > 0 else float("-inf")
    return float(rounded)


def half(value: Fraction) -> float:
    return nearest(value, 11, -14, 15)


def test_conversions_and_arithmetic_round_once(tmp_path: Path) -> None:
    random.seed(5)
    doubles = [random.uniform(-1, 1) * 2.0 ** random.randint(-30, 17) for _ in range(1500)]
    doubles += [
        65504.0,
        65519.99,
        65520.0,
        2.0**-25,
        2.0**-24 * 1.5,
        1 + 2.0**-11,
        1 + 2.0**-11 + 2.0**-40,
        -0.0,
    ]
    finite = [bits for bits in range(65536) if bits & 0x7C00 != 0x7C00]
    operands = [[random.choice(finite) for _ in range(3)] for _ in doubles]
    data = struct.pack("<I", len(doubles)) + struct.pack(f"<{len(doubles)}d", *doubles)
    data += np.array(operands, dtype="<u2").tobytes()
    outcome = run_program(PROGRAM, tmp_path, stdin=data)
    lines = outcome.output.splitlines()
    assert len(lines) == len(doubles), lines[:5]
    for line, double, raw in zip(lines, doubles, operands, strict=True):
        *halves, brain = (int(word) for word in line.split())
        results = np.array(halves, dtype=np.uint16).view(np.float16).astype(float)
        exact = Fraction(double)
        single = Fraction(float(np.float32(double)))
        a, b, c = (Fraction(float(x)) for x in np.array(raw, dtype=np.uint16).view(np.float16))
        assert results[0] == half(exact)
        toward, up, down = results[1:4]
        if abs(single) < 65504:
            assert abs(toward) <= abs(single) and down <= single <= up
            assert half(single) in (up, down) and toward in (up, down)
        assert results[4] == half(a + b)
        assert results[5] == half(a - b)
        assert results[6] == half(a * b)
        if b:
            assert results[7] == half(a / b)
        assert results[8] == half(a * b + c)
        found = struct.unpack("<f", struct.pack("<I", brain << 16))[0]
        assert found == nearest(exact, 8, -126, 127)
