"""What is known of names: a constant is one whose value the compiler knows."""

from __future__ import annotations

from xpiler.frontend.syntax import analyse
from xpiler.repair.walk import Walker

TEXT = """#define T 16
__global__ void f(const float *x, int n) {
  const int row = blockIdx.x * T;
  const int left = n - row;
  const int half = T / 2;
  constexpr int wide = 2 * T;
  float tile[half];
  x[row];
}
"""


def test_what_depends_on_a_thread_or_a_size_is_no_constant() -> None:
    places = Walker(analyse(TEXT, "f.cu", platform="cuda")).run()
    names = places[-1].scope.names
    assert {name: known.constant for name, known in names.items() if known.kind == "int"} == {
        "T": True,
        "n": False,
        "row": False,
        "left": False,
        "half": True,
        "wide": True,
    }
