"""What OpenMP's clauses say of scalars: each thread's own, summed up, ordered by a critical section."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.symbolic.check import check_unit
from xpiler.symbolic.openmp import not_followed, shared_scalars


def shared(loop: str) -> list[tuple[str, str]]:
    text = f'extern "C" void f(const float *x, float *y, int n) {{\n  float s = 0, t; int j;\n{loop}\n}}\n'
    return [(found.code, found.array) for found in shared_scalars(text, "f.cpp", "vnni")]


def test_a_sum_needs_a_clause() -> None:
    assert shared("#pragma omp parallel for\nfor (int i = 0; i < n; i++) s += x[i];") == [("XP-RACE", "s")]
    assert shared("#pragma omp parallel for reduction(+ : s)\nfor (int i = 0; i < n; i++) s += x[i];") == []
    assert shared("for (int i = 0; i < n; i++) s += x[i];") == []


def test_an_inner_counter_is_shared_unless_it_is_declared_inside_or_collapsed() -> None:
    inner = "for (j = 0; j < n; j++) y[i * n + j] = x[i];"
    assert shared(f"#pragma omp parallel for\nfor (int i = 0; i < n; i++) {inner}") == [("XP-RACE", "j")]
    assert shared(f"#pragma omp parallel for private(j)\nfor (int i = 0; i < n; i++) {inner}") == []
    assert shared(f"#pragma omp parallel for collapse(2)\nfor (int i = 0; i < n; i++) {inner}") == []


def test_each_thread_of_a_region_has_what_is_declared_there() -> None:
    loop = "#pragma omp for\nfor (int i = 0; i < n; i++) mine += x[i];\n"
    region = "#pragma omp parallel\n{ float mine = 0;\n" + loop
    assert shared(region + "#pragma omp critical\ns += mine; }") == []


def test_what_every_thread_of_a_region_adds_to_needs_an_atomic() -> None:
    region = "#pragma omp parallel\n{ float mine[4] = {0};\n#pragma omp for\n"
    region += "for (int i = 0; i < n; i++) mine[i % 4] += x[i];\n"
    added = "for (int k = 0; k < 4; k++) {\n%s y[k] += mine[k];\n} }"
    assert shared(region + added % "") == [("XP-RACE", "y")]
    assert shared(region + added % "\n#pragma omp atomic\n") == []
    own = "#pragma omp parallel\n{ const int t = omp_get_thread_num(); y[t] += x[t]; }"
    assert shared(own) == []
    single = "#pragma omp parallel\n{\n#pragma omp single\n  for (int k = 0; k < 4; k++) y[k] += x[k]; }"
    assert shared(single) == []


def test_ordered_writes_and_equal_values_are_no_bug() -> None:
    atomic = "#pragma omp parallel for\nfor (int i = 0; i < n; i++) {\n#pragma omp atomic\n  s += x[i];\n}"
    assert shared(atomic) == []
    flag = "#pragma omp parallel for\nfor (int i = 0; i < n; i++) if (x[i] > 0) j = 1;"
    assert shared(flag) == [("XP-SAME-VALUE", "j")]


def followed(body: str) -> bool:
    text = f'extern "C" void f(const float *x, float *y, int n) {{\n{body}\n}}\n'
    return not not_followed(text, "f.cpp", "vnni", "f")


def test_what_threads_do_beside_sharing_out_loops_is_named() -> None:
    loop = "#pragma omp for\nfor (int i = 0; i < n; i++) y[i] = x[i];\n"
    assert followed("#pragma omp parallel\n{ float mine = 0;\n" + loop + "}")
    assert not followed("#pragma omp parallel\n{ y[0] += 1;\n" + loop + "}")
    sections = "{\n#pragma omp section\ny[0] = 1;\n#pragma omp section\ny[1] = 2;\n}"
    assert not followed("#pragma omp parallel sections\n" + sections)


PARTIAL = """#include <omp.h>
void total(const float *x, float *part, int n) {
    #pragma omp parallel
    {
        int t = THREAD;
        #pragma omp for
        for (int i = 0; i < n; i++) part[t * 16] += x[i];
    }
}
"""


def test_elements_that_threads_have_for_themselves_are_not_called_shared() -> None:
    def status(thread: str) -> str:
        unit = parse(PARTIAL.replace("THREAD", thread), "k.cpp", platform="vnni")
        return check_unit(unit).kernels[0].status

    assert (status("omp_get_thread_num()"), status("0")) == ("undecided", "bugs")
