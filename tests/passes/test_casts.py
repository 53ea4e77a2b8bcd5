"""Conversions go inward where the arithmetic stays in the range of its type."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.casts import push_casts

KERNEL = """
__global__ void k(const unsigned *a, int *y, unsigned stride) {
    y[0] = VALUE;
}
"""


def pushed(value: str) -> str:
    (kernel,) = parse(KERNEL.replace("VALUE", value), "k.cu").program.kernels
    return show(push_casts(kernel.body)).split("y[0] = ")[1].split(";")[0]


def test_places_become_signed_at_their_leaves() -> None:
    assert pushed("(int)(blockIdx.x * stride + threadIdx.x)") == (
        "(i32)blockIdx.x * (i32)stride + (i32)threadIdx.x"
    )


@pytest.mark.parametrize("value", ["threadIdx.x * 2654435761u", "a[0] + a[1]", "a[0] * stride - 1u"])
def test_what_is_meant_modulo_two_to_the_32_stays_unsigned(value: str) -> None:
    assert pushed(f"(int)({value})") == f"(i32)({value})"
