"""Launches of which nobody can tell what they start: the reason, the place, and what to write instead."""

from __future__ import annotations

from xpiler.errors import Diagnostic
from xpiler.frontend import parse

CONV = """template <class T, class U> __global__ void conv(T *y, const U *x, int n) {
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) y[i] = (T)x[i];
}
"""


def refusals(text: str) -> dict[str, Diagnostic]:
    return parse(CONV + text, "conv.cu").refusals


def test_arguments_whose_types_are_not_known_are_named() -> None:
    found = refusals(
        "struct Buf;\nvoid run(Buf &y, Buf &x, int n) { conv<<<n, 256>>>(y.data(), x.data(), n); }\n"
    )
    assert str(found["conv"]) == (
        "conv.cu:6:35: error: the template arguments of kernel `conv` cannot be told from this launch: what "
        "`y.data()` and `x.data()` are is not known here; write them out: `conv<...><<<...>>>` "
        "[template-arguments]"
    )


def test_a_launch_in_a_template_that_nobody_calls_says_so() -> None:
    found = refusals("template <class T> void run(T *y, T *x, int n) { conv<T, T><<<n, 256>>>(y, x, n); }\n")
    assert "is launched in the template `run` only, which nothing in this file calls" in found["conv"].message
    assert found["conv"].remedy == "add a call, or `template void run<...>(...);`"


def test_other_launches_of_the_template_go_on() -> None:
    good = "void good(float *y, int *x, int n) { conv<<<n, 256>>>(y, x, n); }\n"
    found = refusals(
        good + "struct Buf;\nvoid run(Buf &y, Buf &x, int n) { conv<<<n, 256>>>(y.p, x.p, n); }\n"
    )
    assert [(name, d.code, d.range.line) for name, d in found.items() if d.range] == [
        ("conv", "template-arguments", 7)
    ]


def test_a_kernel_that_is_declared_only_is_in_another_file() -> None:
    found = refusals("__global__ void far(int *y);\nvoid run(int *y) { far<<<1, 1>>>(y); }\n")
    assert str(found["far"]).startswith(
        "conv.cu:6:20: error: kernel `far` is launched here and defined in another"
    )
