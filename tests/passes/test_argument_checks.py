"""What arguments alone decide a plain function to return is told apart from what it computes."""

from xpiler.frontend import parse
from xpiler.ir.nodes import If
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.passes.argument_checks import Checked, with_checks_apart

COPY = """
extern "C" int copy(const float *x, float *y, int rows, int cols) {
    BEFORE
    for (int i = 0; i < rows * cols; ++i) INSIDE
    return RESULT;
}
"""


def checked(before: str, *, inside: str = "y[i] = x[i];", result: str = "0") -> Checked:
    text = COPY.replace("BEFORE", before).replace("INSIDE", inside).replace("RESULT", result)
    (function,) = parse(text, "f.cpp", platform="vnni").program.kernels
    return with_checks_apart(function)


def told(before: str, **parts: str) -> list[tuple[str, str]]:
    return [(show(c.condition), show(c.value)) for c in checked(before, **parts).checks if c.value]


def conditions(found: Checked) -> list[str]:
    return [show(s.condition) for s in walk(found.function.body) if isinstance(s, If)]


def test_checks_are_told_and_what_they_say_of_numbers_stays() -> None:
    found = checked("if (!x || !y) return -1; const int n = rows * cols; if (n < 1) return -2;")
    assert [(show(c.condition), show(c.value)) for c in found.checks if c.value] == [
        ("is_null(&x[0]) || is_null(&y[0])", "-1"),
        ("rows * cols < 1", "-2"),
    ]
    assert found.result is not None
    assert show(found.result) == "0"
    assert [p.name for p in found.function.params] == ["x", "y", "rows", "cols"]
    assert conditions(found) == ["n < 1"]


def test_one_check_of_arrays_and_numbers_keeps_the_numbers() -> None:
    assert conditions(checked("if (!x || rows > 64) return -1;")) == ["rows > 64"]


def test_a_result_of_scalar_arguments_is_told() -> None:
    assert show(checked("", result="rows * cols").result) == "rows * cols"


def test_a_result_that_data_decide_is_stored_by_the_function() -> None:
    found = checked("if (rows < 1) return -1;", inside="if (x[i] > 0.f) return i;")
    assert found.result is None
    assert "return" in [p.name for p in found.function.params]
    assert len(found.checks) == 1


def test_conditions_on_data_and_on_changed_scalars_are_no_checks() -> None:
    assert told("if (x[0] > 0.f) return -1;") == []
    assert told("rows = rows + 1; if (rows < 1) return -1;") == []


def test_nothing_is_a_check_behind_what_has_been_written() -> None:
    assert told("y[0] = 1.0f; if (rows < 1) return -1;") == []
