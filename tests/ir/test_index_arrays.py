"""What the integers of arrays mean is told by where they go."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.index_arrays import index_arrays

HEAD = "#include <cuda_bf16.h>\n__global__ void k(const unsigned short *a, const int *i, float *y) {\n"


@pytest.mark.parametrize(
    ("body", "uses"),
    [
        ("y[i[0]] = a[0];", {"i": "index"}),
        ("for (int n = i[0]; n < i[1]; ++n) y[n] = 1;", {"i": "offsets"}),
        ("int s = i[2], n = i[3] - s; if (n > 1) y[s + 1] = 1;", {"i": "offsets"}),
        ("int s = i[2], n = i[4] - s; if (n > 1) y[s + 1] = 1;", {"i": "index"}),
        ("for (int n = 0; n < i[0]; ++n) y[n] = 1;", {"i": "lengths"}),
        ("for (int n = 0; n < i[0]; ++n) y[i[n]] = 1;", {"i": "index"}),
        ("y[0] = __uint_as_float((unsigned)a[1] << 16);", {"a": "bf16"}),
        ("unsigned v = (unsigned)a[1] << 16; y[0] = __uint_as_float(v);", {"a": "bf16"}),
        ("union { unsigned u; float f; } v; v.u = (unsigned)a[1] << 16; y[0] = v.f;", {"a": "bf16"}),
        ("union { unsigned u; float f; } v; v.u = a[1] | 0x3f800000; y[0] = v.f;", {}),
        ("y[0] = __half2float(__ushort_as_half(a[1]));", {"a": "f16"}),
        ("y[0] = __int_as_float((int)((unsigned)a[1] << 16));", {"a": "bf16"}),
        ("y[0] = a[1] << 16;", {}),
        ("y[0] = *(const float *)(i + 2);", {"i": "f32"}),
        ("y[0] = __int_as_float(i[3]);", {"i": "f32"}),
        ("y[0] = __int_as_float(i[3] | 0x3f800000);", {}),
        ("y[0] = ((const double *)i)[1] + ((const float *)i)[0];", {"i": "f32"}),
        ("if (*i) return; y[0] = 1;", {"i": "flags"}),
        ("const int stop = i[0]; if (!stop) y[0] = a[0] == 0 ? 1 : 2;", {"i": "flags", "a": "flags"}),
        ("if (i[0]) y[0] = i[0];", {}),
        ("if (i[0] == 1) y[0] = 1;", {}),
    ],
)
def test_uses_of_integers(body: str, uses: dict[str, str]) -> None:
    (kernel,) = parse(f"{HEAD} {body}\n}}", "k.cu").program.kernels
    assert index_arrays(kernel) == uses


def test_an_instruction_on_bits_reads_them_as_its_type() -> None:
    text = """
    #include <immintrin.h>
    extern "C" void dot(const unsigned short *a, const unsigned short *b, float *y) {
      const __m512bh u = (__m512bh)_mm512_loadu_si512(a), v = (__m512bh)_mm512_loadu_si512(b);
      _mm512_storeu_ps(y, _mm512_dpbf16_ps(_mm512_setzero_ps(), u, v));
    }"""
    (kernel,) = parse(text, "dot.cpp", platform="vnni").program.kernels
    assert index_arrays(kernel) == {"a": "bf16", "b": "bf16"}
