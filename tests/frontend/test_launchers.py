"""Macros that launch kernels, in the form that they stand for."""

from __future__ import annotations

import pytest

from xpiler.errors import Diagnostic
from xpiler.frontend.launchers import with_launchers
from xpiler.frontend.own_headers import OneText
from xpiler.ir.source import SourceRange

KERNEL = "template <class T> __global__ void k(T* y, int n) { y[0] = n; }\n"
LAUNCHER = """#define LAUNCHER(T, name) \\
  void run_##T(T* y, int n) { \\
    say(#name);                \\
    k<T><<<1, 32>>>(y, n);      \\
  }
"""


def written(text: str) -> str:
    return with_launchers(OneText(text, "k.cu")).text


def test_a_call_becomes_what_it_stands_for_line_by_line() -> None:
    assert written(f"{KERNEL}{LAUNCHER}LAUNCHER(float, of floats)\nint last;\n") == (
        f"{KERNEL}{chr(10) * 5}"
        "void run_float(float* y, int n) {\n"
        '  say("of floats");\n'
        "  k<float><<<1, 32>>>(y, n);\n"
        "}\n"
        "int last;\n"
    )


def test_cases_of_a_switch_and_launches_of_any_kernel() -> None:
    case = "#define CASE(N) case N: k<N><<<1, N>>>(y); break;\n"
    launch = "#define RUN(kernel, block, ...) kernel<<<1, block>>>(__VA_ARGS__)\n"
    assert "(y)" in written("#define GO(k, ...) k<<<1, 2>>>(y, ##__VA_ARGS__)\nGO(f);\n")
    host = "void f(int n) {\n  switch (n) {\n    CASE(32)\n    default: RUN((k<2>), 64, y, n);\n  }\n}\n"
    assert written(f"{case}{launch}{host}") == (
        "\n\nvoid f(int n) {\n  switch (n) {\n    case 32: k<32><<<1, 32>>>(y); break;\n"
        "    default: (k<2>)<<<1, 64>>>(y, n);\n  }\n}\n"
    )


def test_what_takes_several_lines_is_indented_like_the_call() -> None:
    text = written(f"{LAUNCHER}namespace a {{\n    LAUNCHER(int, x)\n}}\n")
    assert '    void run_int(int* y, int n) {\n      say("x");\n' in text


def test_macros_that_use_macros_are_written_out_too() -> None:
    one = "#define ONE(T) void f(T* y) { k<T><<<1, 1>>>(y, 1); }\n"
    both = "#define BOTH(S, T) \\\n  ONE(S) \\\n  ONE(T)\n"
    assert (
        written(f"{one}{both}BOTH(int, float)\n").split()
        == (
            "void f(int* y) { k<int><<<1, 1>>>(y, 1); } void f(float* y) { k<float><<<1, 1>>>(y, 1); }"
        ).split()
    )


@pytest.mark.parametrize(
    "text",
    [
        "#define CHECK(x) if (x) return\nCHECK(1)\n",  # launches nothing
        f"{LAUNCHER}LAUNCHER(float, x)\n#undef LAUNCHER\n#define LAUNCHER(T, name)\nLAUNCHER(int, x)\n",
        f"{LAUNCHER}void f() {{ CHECK(LAUNCHER(float, x)); }}\n",  # commas of <<<...>>> would part arguments
        f"{LAUNCHER}LAUNCHER(float)\n",  # of other arguments
        f"{LAUNCHER}// LAUNCHER(float, x)\n",
        f"/*\n{LAUNCHER}*/\nLAUNCHER(float, x)\n",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert written(text) == text


def test_places_are_those_that_the_user_wrote() -> None:
    one = with_launchers(
        OneText(f"{LAUNCHER}namespace a {{\nLAUNCHER(int, x)\nLAUNCHER(float, x)\n}}\nint last;\n", "k.cu")
    )
    lines = one.text.split("\n")

    def place(what: str) -> int:
        number = next(i for i, line in enumerate(lines, 1) if what in line)
        told = one.original(Diagnostic("c", "m", SourceRange("k.cu", number, 1, number, 2)))
        assert told.range is not None
        return told.range.line

    assert [place(t) for t in ("run_int", "k<int>", "run_float", "k<float>", "last")] == [7, 7, 8, 8, 10]
