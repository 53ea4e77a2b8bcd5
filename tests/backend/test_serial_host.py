"""Files of plain functions that keep their `main`: its calls fit what stands in the functions' places."""

from xpiler.backend.serial_host import as_passed
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
