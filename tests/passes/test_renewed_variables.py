"""What a thread had before threads met, and what it has from then on, are two variables."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.late_declarations import declare_late
from xpiler.passes.renewed_variables import renew_variables


def kernel_of(body: str) -> str:
    text = f"__global__ void k(float *x, float *y, int n) {{ __shared__ float s[64]; {body} }}"
    (kernel,) = parse(text, "k.cu").program.kernels
    return show(renew_variables(declare_late(kernel)))


def test_a_variable_is_declared_behind_the_barrier_and_renewed() -> None:
    shown = kernel_of(
        """int t = threadIdx.x; float top = x[t], sum = 0;
        s[t] = top; __syncthreads(); top = s[0]; sum += top; y[t] = top + sum;"""
    )
    assert shown.index("barrier") < shown.index("f32 top_1 = s[0];") < shown.index("f32 sum = 0.0f;"), shown
    assert "y[t] = top_1 + sum;" in shown


def test_without_a_barrier_nothing_moves() -> None:
    shown = kernel_of(
        "int t = threadIdx.x; float sum = 0, top = x[t]; top = x[t + 1]; sum += top; y[t] = sum;"
    )
    assert shown.index("f32 sum = 0.0f;") < shown.index("f32 top") and "top_1" not in shown, shown


def test_what_is_set_under_a_condition_or_from_itself_stays_one() -> None:
    shown = kernel_of(
        """int t = threadIdx.x; float top = x[t]; s[t] = top; __syncthreads();
        if (t < n) top = s[0]; top = top * 2; y[t] = top;"""
    )
    assert "top_1" not in shown
