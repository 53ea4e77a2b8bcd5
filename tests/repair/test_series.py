"""Steps that a series of statements lacks."""

import pytest

from xpiler.frontend.syntax import analyse
from xpiler.repair.series import missing_steps
from xpiler.repair.walk import Walker


def steps(body: str) -> list[tuple[int, str]]:
    """The steps that are missing in a device function, with the lines before which they are."""
    text = f"__device__ void f(float s, float *x, int t) {{\n{body}\n}}\n"
    walker = Walker(analyse(text, "a.cu", platform="cuda"))
    found = []
    for place in walker.run():
        if place.role in ("before", "end"):
            line = text.count("\n", 0, place.start)
            found += [(line, step) for step, _ in missing_steps(walker, place)]
    return found


@pytest.mark.parametrize(
    ("body", "line", "step"),
    [
        ("s += down(s, 16);\ns += down(s, 8);\ns += down(s, 2);\ns += down(s, 1);", 3, "s += down(s, 4);"),
        ("s += down(s, 8);\ns += down(s, 4);\ns += down(s, 2);", 4, "s += down(s, 1);"),
        ("s += down(s, 8);\ns += down(s, 4);\ns += down(s, 2);", 1, "s += down(s, 16);"),
        ("x[0] = s;\nx[1] = s;\nx[3] = s;", 3, "x[2] = s;"),
        ("x[t + 32] = s;\nx[t + 64] = s;\nx[t + 96] = s;", 4, "x[t + 128] = s;"),
        (
            "if (t < 64) x[t] += x[t + 64];\n__syncthreads();\nif (t < 16) x[t] += x[t + 16];\n"
            "__syncthreads();\nif (t < 8) x[t] += x[t + 8];\n__syncthreads();",
            3,
            "if (t < 32) x[t] += x[t + 32]; __syncthreads();",
        ),
    ],
)
def test_a_step_amid_others_or_at_an_end(body: str, line: int, step: str) -> None:
    assert (line, step) in steps(body)


def test_statements_that_are_no_series_have_no_steps() -> None:
    assert steps("x[0] = s;\nx[7] = s;\nx[8] = s;\ns = 1;\nt = 2;") == []
