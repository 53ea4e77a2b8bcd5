"""Structs among the parameters of functions, in the file's own words."""

from xpiler.frontend import parse
from xpiler.frontend.unit import Signature

FILE = """
#include <stdint.h>
#define MOST 4
enum { AXES = 2 };
typedef int32_t index_t;
struct unrelated { float f; };
namespace ops {
// rows, then columns
struct Shape { index_t of[AXES]; };
}
typedef struct { float lr; int step[MOST]; } config_t;
extern "C" void f(const float *x, float *y, ops::Shape s, const config_t *c) {
    for (int i = 0; i < s.of[0]; ++i) y[i] = x[i] * c->lr;
}
extern "C" void g(const float *x, float *y, int n) {
    for (int i = 0; i < n; ++i) y[i] = x[i];
}
"""


def signatures(text: str, file: str = "f.cpp") -> tuple[Signature, ...]:
    return parse(text, file, platform="vnni").signatures


def test_structs_come_with_the_definitions_that_they_need() -> None:
    (signature,) = signatures(FILE)
    assert signature.name == "f"
    assert signature.structs == ((2, "s", "ops::Shape s"), (3, "c", "const config_t *c"))
    assert [text for _, text in signature.definitions] == [
        "#define MOST 4",
        "enum { AXES = 2 };",
        "typedef int32_t index_t;",
        "namespace ops {\nstruct Shape { index_t of[AXES]; };\n}",
        "typedef struct { float lr; int step[MOST]; } config_t;",
    ]


def test_structs_of_c_keep_their_word() -> None:
    text = "struct shape { int n; };\n"
    text += "void f(float *x, struct shape s) { for (int i = 0; i < s.n; i++) x[i] = 1; }"
    (signature,) = signatures(text, "f.c")
    assert signature.structs == ((1, "s", "struct shape s"),)
    assert signature.definitions == ((0, "struct shape { int n; };"),)


def test_functions_of_numbers_and_arrays_have_none() -> None:
    assert signatures(FILE[FILE.index('extern "C" void g') :]) == ()
