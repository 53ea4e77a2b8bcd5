"""Generated lines stay within the length that people read."""

from __future__ import annotations

from xpiler.backend.c import CPrinter
from xpiler.backend.c_expressions import LINE_LENGTH, wrapped
from xpiler.ir.build import binary, const, mul
from xpiler.ir.nodes import Var
from xpiler.ir.types import I32


def test_a_long_call_is_broken_at_its_outermost_commas() -> None:
    one, two = f"f({'a' * 40}, 1)", f"g({'b' * 50}, 2)"
    assert wrapped(f"    x = call({one}, {two});") == f"    x = call({one},\n        {two});"


def test_without_a_comma_a_line_is_broken_after_the_equals_sign_or_left() -> None:
    name = "a" * (LINE_LENGTH - 20)
    assert wrapped(f"    const int64_t value = {name};") == f"    const int64_t value =\n        {name};"
    assert wrapped(f"    {name}{name};") == f"    {name}{name};"


def test_strings_are_never_broken() -> None:
    line = f'    abort_unless(x > 0, "{"a, " * 50}");'
    assert wrapped(line) == line


def test_the_condition_of_a_long_pragma_stands_on_a_line_of_its_own() -> None:
    printer = CPrinter()
    printer.pragma(f"#pragma omp parallel for if ({'n' * 100} >= 4)")
    assert printer.text() == f"#pragma omp parallel for \\\n    if ({'n' * 100} >= 4)"


def test_a_negative_number_is_not_subtracted() -> None:
    n = Var(I32, "n")
    assert CPrinter().expr(binary("-", n, const(-1))) == "n + 1"
    assert CPrinter().expr(mul(2, binary("+", n, const(-3)))) == "2 * (n - 3)"
