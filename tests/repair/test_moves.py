"""Statements are tried in other places: where they depend on what they are moved across."""

from __future__ import annotations

import pytest

from tests.repair.changed import changed

RIGHT = """void f(float *y, const float *x, int n) {
  float m = x[0];
  float l = 0.0f;
  l = 1.0f;
  for (int i = 0; i < n; ++i) {
    const float next = x[i];
    const float fix = m - next;
    l = l * fix;
    m = next;
  }
  y[0] = l;
}
"""
AROUND = "    const float fix = m - next;\n    l = l * fix;\n    m = next;\n"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (AROUND, "    m = next;\n    const float fix = m - next;\n    l = l * fix;\n"),
        (
            "  l = 1.0f;\n  for (int i = 0; i < n; ++i) {\n",
            "  for (int i = 0; i < n; ++i) {\n    l = 1.0f;\n",
        ),
        ("  }\n  y[0] = l;\n", "    y[0] = l;\n  }\n"),
    ],
)
def test_a_statement_goes_back_to_its_place(right: str, wrong: str) -> None:
    assert right in RIGHT
    made = changed(RIGHT.replace(right, wrong), "f.cpp")
    assert {" ".join(text.split()): kind for text, kind in made.items()}[" ".join(RIGHT.split())] == "order"


def test_what_does_not_depend_on_its_neighbours_stays() -> None:
    text = """void f(float *y, float *z) {
  y[0] = 1.0f;
  z[0] = 2.0f;
}
"""
    assert "order" not in changed(text, "f.cpp").values()
