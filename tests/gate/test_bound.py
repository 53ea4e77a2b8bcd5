"""Traced arguments of a launch, one for each parameter: structs by value come apart."""

from __future__ import annotations

import struct

from xpiler.frontend import parse
from xpiler.gate.bound import bind
from xpiler.gate.trace import Memory, Structure

SOURCE = """
struct Step { const float* x; int n; float weights[2]; };
struct Twice { __device__ float operator()(float v) const { return 2.0f * v; } };
template <typename F> __global__ void k(Step s, F f, double scale) {
    int i = threadIdx.x;
    if (i < s.n) ((float*)s.x)[i] = f(s.weights[1]) * scale;
}
void run(Step s) { k<<<1, 32>>>(s, Twice(), 0.5); }
"""


def test_members_are_taken_out_of_the_bytes_of_a_struct() -> None:
    (kernel,) = parse(SOURCE, "bound.cu").program.kernels
    x = Memory("x", "x", 16, 4096)
    whole = Structure(struct.pack("<QiffI", 0xDEAD, 20, 0.25, 0.75, 0), ((0, x),))
    functor = Structure(b"\0")
    assert [p.member for p in kernel.params] == ["x", "n", "weights[0]", "weights[1]", ""]
    assert bind(kernel, (whole, functor, 0.5)) == (x, 20, 0.25, 0.75, 0.5)


def test_a_launch_of_another_kernel_does_not_bind() -> None:
    (kernel,) = parse(SOURCE, "bound.cu").program.kernels
    whole = Structure(bytes(24))
    assert bind(kernel, (whole, Structure(b"\0"))) is None
    assert bind(kernel, (whole, 3, 0.5)) is None
    assert bind(kernel, (3, Structure(b"\0"), 0.5)) is None
