"""What goes out of a text with a vendor's library, and what stays."""

from __future__ import annotations

import pytest

from xpiler.frontend.libraries import without_libraries

KERNEL = "__global__ void k(float* y) { y[threadIdx.x] *= 2; }"
INCLUDE = "#include <cublas_v2.h>\n"


@pytest.mark.parametrize(
    ("definition", "gone"),
    [
        ("void f(cublasHandle_t h) { cublasSetStream(h, 0); }", {"f"}),
        ("#define CHECK(x) if (x != CUBLAS_STATUS_SUCCESS) return\nvoid f() { CHECK(g()); }", {"CHECK", "f"}),
        (
            "struct Owner { cublasHandle_t handle; };\nint users(Owner* o) { return o->n; }",
            {"Owner", "users"},
        ),
        ("static cublasHandle_t handle;\nvoid f() { run(handle); }\nvoid g() { f(); }", {"handle", "f", "g"}),
        ("using Handle = cublasHandle_t;\nvoid f(Handle h);", {"Handle", "f"}),
        ('extern "C" {\nvoid f(float* y) { total(cublasSasum, y); }\n}', {"f"}),
        ("template <int N> __global__ void s(float* x) { using R = cub::BlockReduce<float, N>; }", {"s"}),
        ("__global__ void __launch_bounds__(64) s(float* x) { cub::BlockLoad<float, 64>(); }", {"s"}),
        ("int s(int n) { return n; }\nint s(cublasHandle_t h) { return 1; }\nvoid f() { s(2); }", {"s", "f"}),
        (
            "namespace o {\nint s(int* x) { return thrust::reduce(x, x + 4); }\nvoid g() { s(0); }\n}",
            {"s", "g"},
        ),
    ],
)
def test_what_names_a_library_goes_with_all_that_uses_it(definition: str, gone: set[str]) -> None:
    reduced = without_libraries(f"{INCLUDE}{definition}\n{KERNEL}\n", "t.cu")
    assert reduced is not None and reduced.names == gone
    assert reduced.text.rstrip().endswith(KERNEL) and "cublas" not in reduced.text
    assert reduced.text.count("\n") == f"{INCLUDE}{definition}\n{KERNEL}\n".count("\n")


@pytest.mark.parametrize(
    "text",
    [
        KERNEL,  # nothing to leave out
        f"#include <cub/cub.cuh>\nusing namespace cub;\n{KERNEL}",  # any name may be one of the library's
        f"{INCLUDE}#if CUBLAS_VER_MAJOR > 11\n#define N 4\n#endif\n{KERNEL}",  # depends on the library
        f"{INCLUDE}V operator+(V a, cublasHandle_t h) {{ return a; }}\n{KERNEL}",  # nobody writes its name
    ],
)
def test_where_names_do_not_tell_the_text_is_left_as_it_is(text: str) -> None:
    assert without_libraries(text, "t.cu") is None


def test_words_that_only_begin_alike_stay() -> None:
    text = f"{INCLUDE}int cube(int x) {{ return x * cubic_root(x); }}\nvoid nccl() {{}}\n{KERNEL}\n"
    reduced = without_libraries(text, "t.cu")
    assert reduced is not None and not reduced.names and reduced.text.lstrip(" ") == text[len(INCLUDE) - 1 :]
