"""What compilers build in means what the functions of those names do."""

from __future__ import annotations

import numpy as np

from xpiler.frontend import parse
from xpiler.ir.interpret import run

TEXT = """
extern "C" void f(const float *x, const unsigned *m, float *y, int *n) {
    const float *p = (const float *)__builtin_assume_aligned(x, 64);
    y[0] = __builtin_floorf(p[0]);
    y[1] = __builtin_fmaxf(p[0], __builtin_fabsf(p[1]));
    y[2] = __builtin_sqrtf(p[2]);
    n[0] = __builtin_popcount(m[0]);
    n[1] = __builtin_ctz(m[0]);
    n[2] = __builtin_clz(m[0]);
    n[3] = __builtin_ctzll((unsigned long long)m[0] << 32);
}
"""


def test_functions_of_the_compiler() -> None:
    unit = parse(TEXT, "f.cpp", platform="vnni")
    assert not unit.refusals
    y, n = np.zeros(3, np.float32), np.zeros(4, np.int32)
    x = np.array([2.5, -3.5, 6.25], np.float32)
    result = run(unit.program.kernels[0], {"x": x, "m": np.array([0b10110000], np.uint32), "y": y, "n": n})
    assert not result.errors
    assert y.tolist() == [2.0, 3.5, 2.5]
    assert n.tolist() == [3, 4, 24, 36]


def test_members_of_an_unnamed_union_are_the_same_bits() -> None:
    text = """
    extern "C" void f(const float *x, unsigned *n, float *y) {
        union { float f; unsigned u; } v;
        v.f = x[0];
        n[0] = v.u;
        v.u ^= 0x80000000u;
        y[0] = v.f;
    }
    """
    unit = parse(text, "f.cpp", platform="vnni")
    assert not unit.refusals
    n, y = np.zeros(1, np.uint32), np.zeros(1, np.float32)
    x = np.array([2.5], np.float32)
    result = run(unit.program.kernels[0], {"x": x, "n": n, "y": y})
    assert not result.errors
    assert n[0] == x.view(np.uint32)[0] and y[0] == -2.5
