"""What plain functions use of the C++ library: algorithms on ranges, containers, threads, aligned memory."""

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise


def kernel(text: str) -> Function:
    unit = parse("#include <algorithm>\n#include <thread>\n" + text, "f.cpp", platform="vnni")
    assert not unit.refusals, [d.message for d in unit.refusals.values()]
    return unit.program.kernels[0]


def results(text: str, n: int = 7) -> np.ndarray:
    """`y` of `f(x, y, n)`; the canonical form gives the same."""
    found = []
    function = kernel(text)
    for one in (function, canonicalise(function).function):
        x = np.array([3, 1, 4, 1, 5, 9, 2, 6][:n], np.float32)
        y = np.full(8, -1, np.float32)
        done = run(one, {"x": x, "y": y, "n": n})
        assert not done.errors, [e.message for e in done.errors]
        found.append(y)
    assert (found[0] == found[1]).all()
    return found[0]


def test_algorithms_are_the_loops_that_they_mean() -> None:
    y = results("""
    void f(const float *x, float *y, int n) {
        std::fill(y, y + n, 0.5f);
        std::copy(x, x + 3, y);
        std::transform(x, x + 2, x + 3, y + 3, [](float a, float b) { return 10 * a + b; });
        y[5] = std::accumulate(x, x + n, 1.0f);
        y[6] = std::inner_product(x, x + n, x, 0.0f);
        y[7] = std::max_element(x, x + n) - x;
    }
    """)
    assert y.tolist() == [3, 1, 4, 31, 15, 26, 137, 5]


def test_algorithms_by_counts_and_with_functions() -> None:
    y = results("""
    void f(const float *x, float *y, int n) {
        std::fill_n(y, n, 0.5f);
        std::copy_n(x, 2, y);
        std::iota(y + 2, y + 5, 7.0f);
        y[5] = std::min_element(x, x + n) - x;
        std::for_each(y, y + 2, [](float &v) { v *= 10; });
    }
    """)
    assert y.tolist() == [30, 10, 7, 8, 9, 1, 0.5, -1]


def test_the_largest_of_no_elements_is_the_end() -> None:
    assert results("void f(const float *x, float *y, int n) { y[0] = std::max_element(x, x) - x; }")[0] == 0


def test_ranges_are_gone_through_by_reference_or_by_value() -> None:
    y = results(
        """
    void f(const float *x, float *y, int n) {
        std::array<float, 3> few;
        few.fill(2.0f);
        std::vector<float> all(n);
        for (float &v : all) v = few.back();
        all[0] = x[0];
        float sum = 0;
        for (const float v : all) sum += v;
        y[0] = sum;
        y[1] = all.size() + few.size();
        std::copy(all.begin(), all.end(), y + 2);
    }
    """,
        6,
    )
    assert y.tolist() == [13, 9, 3, 2, 2, 2, 2, 2]


THREADS = """
static void scale(const float *x, float *y, int from, int to) {
    for (int i = from; i < to; ++i) y[i] = 2 * x[i];
}
void f(const float *x, float *y, int n) {
    std::vector<std::thread> pool;
    const int part = (n + 2) / 3;
    for (int t = 0; t < 2; ++t) {
        pool.emplace_back([=]() { scale(x, y, t * part, std::min(n, (t + 1) * part)); });
    }
    std::thread last(scale, x, y, 2 * part, n);
    for (auto &one : pool) one.join();
    last.join();
}
"""


def test_threads_run_where_they_are_started() -> None:
    assert results(THREADS).tolist() == [6, 2, 8, 2, 10, 18, 4, -1]


def test_arguments_of_threads_by_reference_and_as_many_threads_as_there_may_be() -> None:
    y = results("""
    static void add(const float *x, int n, float &sum) { for (int i = 0; i < n; ++i) sum += x[i]; }
    void f(const float *x, float *y, int n) {
        float sum = 0.0f;
        std::jthread one(add, x, n, std::ref(sum));
        one.join();
        const int most = std::thread::hardware_concurrency();
        y[0] = most >= 0 ? sum : 0.0f;
    }
    """)
    assert y[0] == 25


def test_aligned_memory_through_a_pointer_is_a_local_array() -> None:
    text = """
    void f(const float *x, float *y, int n) {
        float *own = NULL;
        if (posix_memalign((void **)&own, 64, n * sizeof(float))) return;
        for (int i = 0; i < n; ++i) own[i] = x[i] + 1;
        for (int i = 0; i < n; ++i) y[i] = own[n - 1 - i];
        free(own);
    }
    """
    assert results(text).tolist() == [3, 10, 6, 2, 5, 2, 4, -1]
    assert "return" not in show(kernel(text))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("for (float v : x) y[0] += v;", "extent"),
        ("y[0] = *std::max_element(x, x + n, [](float a, float b) { return b < a; });", "order of its own"),
    ],
)
def test_what_is_not_known_is_refused(body: str, message: str) -> None:
    unit = parse(f"void f(const float *x, float *y, int n) {{ {body} }}", "f.cpp", platform="vnni")
    assert message in next(iter(unit.refusals.values())).message


def test_a_row_is_as_long_as_it_is() -> None:
    function = kernel("""
    void f(float *y, int m, int n) {
        for (int r = 0; r < m; ++r) std::fill(y + (size_t)r * n, y + (size_t)(r + 1) * n, 0.0f);
    }
    """)
    assert show(canonicalise(function).function).count("parallel for") == 2
