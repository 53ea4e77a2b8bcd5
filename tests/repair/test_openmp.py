"""What pragmas of parallel loops lack."""

import pytest

from xpiler.repair.changes import apply
from xpiler.repair.openmp import openmp_changes


def changed(text: str) -> list[str]:
    return [apply(text, [edit]) for edit, _, _ in openmp_changes(text)]


LOOP = """void f(const int* id, const float* w, float* sums, float* best, int n) {
  float t = 0.0f, m = 0.0f;
#pragma omp parallel for reduction(+ : t)
  for (int i = 0; i < n; ++i) {
    float v = w[i];
    v *= 2.0f;
    if (v > m) m = v;
    t += v;
#pragma omp atomic
    sums[id[i]] += v;
  }
  *best = t + m;
}
"""


@pytest.mark.parametrize(
    "lost",
    ["#pragma omp atomic\n", " reduction(+ : t)"],
)
def test_what_all_iterations_see_is_added_to_by_an_atomic_or_a_reduction(lost: str) -> None:
    assert LOOP in changed(LOOP.replace(lost, ""))


def test_an_extreme_is_reduced_too_and_what_the_loop_declares_is_not() -> None:
    right = LOOP.replace("(+ : t)", "(+ : t) reduction(max : m)")
    assert changed(LOOP) == [right]


def test_an_update_behind_other_words_has_the_pragma_on_a_line_of_its_own() -> None:
    text = "#pragma omp parallel for\nfor (int i = 0; i < n; ++i) { c[k[i]]++; }\nd[0] += 1;\n"
    assert changed(text) == [text.replace(" c[", "\n#pragma omp atomic\n c[")]
