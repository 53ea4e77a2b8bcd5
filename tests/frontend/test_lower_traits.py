"""What types are decides at compile time which code there is."""

from __future__ import annotations

import re

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show

KERNEL = """
#include <type_traits>
enum Mode { FIRST };
%s
template <typename T> __global__ void k(T *o) { o[0] = %s ? 1 : 2; }
void run(%s *o) { k<<<1, 32>>>(o); }
"""


def chosen(condition: str, kind: str, before: str = "") -> int:
    unit = parse(KERNEL % (before, condition, kind), "traits.cu")
    assert not unit.refusals, [str(d) for d in unit.refusals.values()]
    told = re.search(r"o\[0\] = \(?(?:\w+\))?(\d)", show(unit.program.kernels[0]))
    assert told is not None, show(unit.program.kernels[0])
    return int(told[1])


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        ("std::is_same_v<T, float>", "float", "double"),
        ("std::is_same<T, unsigned int>::value", "unsigned", "int"),
        ("std::is_floating_point<T>::value", "double", "__half"),
        ("std::is_integral_v<T>", "unsigned char", "float"),
        ("std::is_signed<T>::value", "float", "unsigned short"),
        ("std::is_same_v<typename std::conditional<sizeof(T) == 8, T, int>::type, T>", "double", "float"),
        ("std::is_same<T, float>()", "float", "int"),
    ],
)
def test_traits_are_constants(condition: str, yes: str, no: str) -> None:
    assert chosen(condition, yes) == 1
    assert chosen(condition, no) == 2


def test_an_overload_whose_condition_does_not_hold_is_none() -> None:
    before = """
    template <typename T, typename std::enable_if<std::is_integral<T>::value, int>::type = 0>
    __device__ bool whole(T) { return true; }
    template <typename T, std::enable_if_t<!std::is_integral_v<T>, int> = 0>
    __device__ bool whole(T) { return false; }
    """
    assert chosen("whole(o[0])", "int", before) == 1
    assert chosen("whole(o[0])", "float", before) == 2


def test_a_const_that_types_have_lost_is_not_guessed_at() -> None:
    text = KERNEL % ("", "std::is_same_v<T, const float>", "float")
    (refusal,) = parse(text, "traits.cu").refusals.values()
    assert refusal.code == "type-trait"
