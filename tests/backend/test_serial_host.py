"""Files of plain functions that keep their `main`: its calls fit what stands in the functions' places."""

from xpiler.backend.serial_host import as_passed, with_functions
from xpiler.frontend import parse

TEXT = """
struct block { float d; signed char q[4]; };
void f(float a[][3][72], const float (*b)[9], const block *q, const float *x, int n) {
    for (int i = 0; i < n; ++i) a[i][1][2] = b[i][3] + q[i].d + x[i];
}
"""


def test_rows_and_structs_are_passed_as_they_are() -> None:
    (kernel,) = parse(TEXT, "f.cpp", platform="vnni").program.kernels
    assert [as_passed(p, p.name) for p in kernel.params] == [
        "float (*a)[3][72]",
        "const float (*b)[9]",
        "const block *q",
        "",
        "",
    ]


def test_what_main_calls_and_nothing_replaces_stays() -> None:
    text = """
static void scale(float *x, int n) { for (int i = 0; i < n; ++i) x[i] *= 2; }
static float first(const float *x) { return x[0]; }
static void show(const float *x) { printf("%f", first(x)); }
int main() { float x[4] = {1, 2, 3, 4}; scale(x, 4); show(x); }
"""
    unit = parse(text, "f.cpp", platform="vnni")
    assert [k.name for k in unit.kernels] == ["scale"]
    body = with_functions(unit, {"scale": "void scale(float *x, int n);"}, whole=True)
    assert "void scale(float *x, int n);" in body and "*= 2" not in body
    assert "static void show" in body and "static float first" in body
