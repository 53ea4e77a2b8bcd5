"""Structs that are derived from others: the members of a base are their own."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.translate import translate_text

TEXT = """
struct Range { int low, high; __device__ bool has(int i) const { return low <= i && i < high; } };
struct Scaled { float by = 2; __host__ __device__ float scaled(float x) const { return by * x; } };
struct Window : public Range, Scaled {
    float shift;
    __device__ float operator()(int i, float x) const { return has(i) ? scaled(x) + shift : x; }
};
struct Double : Scaled {
    __host__ __device__ explicit Double(float s) : Scaled{s}, twice(2 * s) {}
    float twice;
};
__global__ void apply(const float *x, float *y, int n, Window w) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = w(i, x[i]);
}
__global__ void more(const float *x, float *y, int n) {
    Double d(3.0f);
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = d.scaled(x[i]) + d.twice;
}
void run(const float *x, float *y, int n, int low, float shift) {
    Window w;
    w.low = low; w.high = n - 2; w.shift = shift;
    apply<<<(n + 63) / 64, 64>>>(x, y, n, w);
}
void run_more(const float *x, float *y, int n) { more<<<(n + 63) / 64, 64>>>(x, y, n); }
"""


def test_members_of_bases_come_first() -> None:
    apply = next(k for k in parse(TEXT, "k.cu").program.kernels if k.name == "apply")
    parts = [(p.member, p.offset) for p in apply.params if p.member]
    assert parts == [("low", 0), ("high", 4), ("by", 8), ("shift", 12)]


@pytest.mark.parametrize("to", ["hip", "vnni", "bang"])
def test_derived_functors_are_translated(to: str) -> None:
    result = translate_text(TEXT, "k.cu", to)
    assert {e.name: e.status for e in result.entries} == {"run": "verified", "run_more": "verified"}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("__device__ bool has", "virtual __device__ bool has", "virtual functions are not supported"),
        ("public Range", "public Unknown", "or is defined nowhere"),
        ("struct Scaled {", "template <int N> struct Scaled {", "template argument `N` is missing"),
        ("float by = 2;", "double by = 2; float pad;", "which ends in padding"),
        ("float shift;", "float shift, low;", "are called like those of its base"),
        ("float by = 2;", "float by; __host__ __device__ Scaled() : by(2) {}", "runs by itself"),
    ],
)
def test_what_is_more_than_members_is_refused(old: str, new: str, why: str) -> None:
    text = (
        TEXT[: TEXT.index("struct Double")]
        + """
__global__ void k(float *y, int n) {
    Window w;
    w.low = 0; w.high = n; w.shift = 1;
    y[threadIdx.x] = w(0, 1.0f);
}
"""
    )
    unit = parse(text.replace(old, new, 1), "k.cu")
    assert why in unit.refusals["k"].message


CURIOUS = """
template <typename Derived, typename T>
struct Op {
    __device__ T operator()(T x) const { return self().apply(x); }
    __device__ T scaled(T x) const { return apply(x) * T(2.5f); }
    __device__ T apply(T x) const { return x + T(1); }
    __device__ const Derived &self() const { return *static_cast<const Derived *>(this); }
};
template <typename T>
struct Relu : Op<Relu<T>, T> {
    __device__ T apply(T x) const { return x > T(0) ? x : T(0); }
};
template <typename T>
struct Whole : public Op<Whole<T>, int> {
    T slope;
    __host__ __device__ explicit Whole(T s) : slope(s) {}
    __device__ int apply(int x) const { return int(slope * T(x)); }
};
template <typename T, typename F>
__global__ void map(const T *x, T *y, int n, F f) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = f(x[i]) + f.scaled(x[i]);
}
void relu(const float *x, float *y, int n) {
    map<float><<<(n + 63) / 64, 64>>>(x, y, n, Relu<float>{});
}
void whole(const float *x, float *y, int n, float slope) {
    map<float><<<(n + 63) / 64, 64>>>(x, y, n, Whole<float>(slope));
}
"""


@pytest.mark.parametrize("to", ["hip", "vnni", "bang"])
def test_bases_that_know_what_is_derived_from_them(to: str) -> None:
    """A name means in a base's method what it means there: `T` is its own, and `apply` of `scaled`, too."""
    result = translate_text(CURIOUS, "k.cu", to)
    assert {e.name: e.status for e in result.entries} == {"relu": "verified", "whole": "verified"}


@pytest.mark.parametrize(
    "cast",
    ["static_cast<const Derived &>(*this)", "*(const Derived *)this", "(*static_cast<const Derived*>(this))"],
)
def test_ways_to_the_derived_object(cast: str) -> None:
    unit = parse(CURIOUS.replace("*static_cast<const Derived *>(this)", cast), "k.cu")
    assert not unit.refusals
    assert len(unit.program.kernels) == 2


def test_a_method_of_the_derived_object_is_called_through_a_cast() -> None:
    direct = CURIOUS.replace("self().apply(x)", "static_cast<const Derived *>(this)->apply(x)", 1)
    assert parse(direct, "k.cu").program.kernels[0].body == parse(CURIOUS, "k.cu").program.kernels[0].body


def test_members_of_a_base_that_is_a_template() -> None:
    """Their defaults are read with the base's own arguments."""
    text = """
template <typename T> struct Scale { T by = T(7) / T(2); };
template <typename T> struct Shift : Scale<int> {
    T shift;
    __device__ T operator()(T x) const { return x * T(by) + shift; }
};
__global__ void k(const float *x, float *y, int n, float shift) {
    Shift<float> f;
    f.shift = shift;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = f(x[i]);
}
void run(const float *x, float *y, int n, float shift) { k<<<(n + 63) / 64, 64>>>(x, y, n, shift); }
"""
    result = translate_text(text, "k.cu", "vnni")
    assert [e.status for e in result.entries] == ["verified"]
    assert "3.5" not in result.text
