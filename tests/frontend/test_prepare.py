"""Masking: what the grammar cannot take is blanked, nothing moves."""

from __future__ import annotations

import pytest

from xpiler.frontend.prepare import closing, prepare


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("struct __align__(16) S { };", "__align__(16)"),
        ("struct alignas(sizeof(T) * (N)) S { };", "alignas(sizeof(T) * (N))"),
        ("float __attribute__((aligned(8))) x;", "__attribute__((aligned(8)))"),
        ("void __launch_bounds__(BS, 2) k();", "__launch_bounds__(BS, 2)"),
        ("void __cluster_dims__(2, 1, 1) k();", "__cluster_dims__(2, 1, 1)"),
        ("void k(const __grid_constant__ P p);", "__grid_constant__"),
        ("[[nodiscard]] int f();", "[[nodiscard]]"),
        ("auto f = [=] __device__ (int i) {};", " __device__"),
        ("int x;\ntemplate class Runner<half>;\nint y;", "template class Runner<half>;"),
    ],
)
def test_decorations_are_blanked(text: str, hidden: str) -> None:
    assert prepare(text) == text.replace(hidden, " " * len(hidden))


@pytest.mark.parametrize(
    "text",
    [
        "__global__ void k(float *a) { __shared__ float s[32]; }",
        "__device__ __forceinline__ float f(float a[3]);",
        'asm volatile("mov.u32 %0, %laneid;" : "=r"(x));',
        "template <> struct S<int> { };",
        "x = a[b[0]];",
    ],
)
def test_everything_else_stays(text: str) -> None:
    assert prepare(text) == text


def test_text_becomes_ascii_of_the_same_length() -> None:
    text = 'printf("größer ✓ \U0001f600");\nint ä __align__(\n8);'
    prepared = prepare(text)
    assert prepared.isascii()
    assert len(prepared) == len(text)
    assert prepared.count("\n") == text.count("\n")


def test_unclosed_decorations_stay() -> None:
    assert prepare("struct __align__(16 S") == "struct __align__(16 S"


def test_closing_skips_strings() -> None:
    text = "f(a, \")\", ')', (b)) + (c)"
    assert closing(text, 1) == text.index(" +")
    assert closing("((a)", 0) is None
