"""Pointers that walk become numbers of the loop's counter, so that their rounds are seen to be apart."""

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.counting import counted_loops
from xpiler.passes.inductions import without_inductions
from xpiler.passes.serial import serial_form

NESTED = """
void pack(const float *__restrict__ a, float *__restrict__ o, int rows, int columns) {
    float *at = o + 1;
    for (int r = 0; r < rows; r += 2) {
        at[0] = 0.5f;
        at += 1;
        for (int c = 0; c < columns; ++c) {
            *at = a[r * columns + c];
            ++at;
        }
        at += 2;
    }
    o[0] = at - o;
}
"""
TILES = """
#define T 4
__global__ void product(const float *A, const float *B, float *C, int n) {
    __shared__ float a[T][T], b[T][T];
    A += blockIdx.y * T * n;
    B += blockIdx.x * T;
    float sum = 0;
    for (int k = 0; k < n; k += T) {
        a[threadIdx.y][threadIdx.x] = A[threadIdx.y * n + threadIdx.x];
        b[threadIdx.y][threadIdx.x] = B[threadIdx.y * n + threadIdx.x];
        __syncthreads();
        A += T;
        B += T * n;
        for (int i = 0; i < T; ++i) sum += a[threadIdx.y][i] * b[i][threadIdx.x];
        __syncthreads();
    }
    C[(blockIdx.y * T + threadIdx.y) * n + blockIdx.x * T + threadIdx.x] = sum;
}
"""
LEFT_ALONE = {
    "an amount that changes": "at += c;",
    "an amount from memory": "at += (int)a[c];",
    "an amount under a condition": "if (a[c] > 0) at += 1;",
    "a loop that ends early": "if (a[c] > 0) break; at += 1;",
    "another assignment": "at += 1; if (c == 2) at = 0;",
    "an even amount and another one": "at += 2; int odd = c % 3; at += odd;",
}


def serial(text: str) -> Function:
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    return counted_loops(serial_form(kernel))


@pytest.mark.parametrize("rows", [0, 1, 5])
@pytest.mark.parametrize("columns", [0, 3])
def test_places_are_those_of_the_pointer(rows: int, columns: int) -> None:
    before = serial(NESTED)
    after = without_inductions(before)
    a, room = np.arange(rows * columns + 1, dtype=np.float32), 2 + (rows + 1) // 2 * (3 + columns)
    results = []
    for function in (before, after):
        o = np.full(room, -1, np.float32)
        run(function, {"a": a, "o": o, "rows": rows, "columns": columns})
        results.append(o)
    assert np.array_equal(*results)
    assert "+=" in show(before).split("for")[-1]


@pytest.mark.parametrize(
    ("condition", "stop"),
    [
        ("j < 16 && b * 16 + j < n", "min(16, n - b * 16)"),
        ("b * 16 + j < n && j < 16", "min(n - b * 16, 16)"),
        ("2 + j <= n", "n - 2 + 1"),
        ("j < 16 && j < (int)a[j]", ""),
        ("j < 16 && a[j] > 0", ""),
        ("j < 16 || j < n", ""),
    ],
)
def test_a_loop_with_two_ends_ends_at_the_first(condition: str, stop: str) -> None:
    text = f"""
    void f(const float *__restrict__ a, float *__restrict__ o, int n, int b) {{
        for (int j = 0; {condition}; ++j) o[j] = 2 * a[b * 16 + j];
    }}"""
    shown = show(serial(text))
    assert (f"in 0 .. {stop} {{" in shown) if stop else ("while" in shown), shown


def test_rounds_of_a_walking_pointer_are_independent() -> None:
    text = NESTED.replace("    o[0] = at - o;\n", "")
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    shown = show(canonicalise(kernel).function)
    assert "parallel for i32 c in" in shown and "+=" not in shown


def test_panels_that_a_pointer_walks_through_are_independent() -> None:
    """Rows that are not there are zeros, so that every column of a panel moves it by as much."""
    text = """
    #include <algorithm>
    #include <cstdint>
    constexpr int64_t MR = 6;
    static void pack(const float *A, int64_t lda, int64_t m, int64_t k, float *dst) {
      for (int64_t i = 0; i < m; i += MR) {
        const int64_t mb = std::min(MR, m - i);
        for (int64_t p = 0; p < k; ++p) {
          int64_t r = 0;
          for (; r < mb; ++r) *dst++ = A[(i + r) * lda + p];
          for (; r < MR; ++r) *dst++ = 0.f;
        }
      }
    }
    static void rows(const float *A, int64_t lda, int64_t m, int64_t k, float *dst) {
      for (int64_t i = 0; i < m; i += 16)
        for (int64_t p = 0; p < k; ++p, dst += (int64_t)16)
          for (int64_t r = 0; r < 16; ++r) dst[r] = i + r < m ? A[(i + r) * lda + p] : 0;
    }
    void pack_parts(const float *__restrict__ a, float *__restrict__ o, int m, int n) {
      for (int q = 0; q < n; q += 256) {
        const int64_t part = std::min<int64_t>(256, n - q);
        PACK(a + q, n, m, part, o);
      }
    }
    """
    for pack in ("pack", "rows"):
        (kernel,) = parse(text.replace("PACK", pack), "f.cpp", platform="vnni").program.kernels
        lines = show(canonicalise(kernel).function).splitlines()
        loops = [line.strip() for line in lines if " for " in line]
        assert loops[0].startswith("for i32 q") and "offset" not in "".join(lines)
        assert all(line.startswith(("parallel", "threads")) for line in loops[1:]), lines


def test_tiles_at_walking_pointers_are_found_in_the_arrays() -> None:
    (kernel,) = parse(TILES, "f.cu").program.kernels
    shown = show(canonicalise(kernel, (4, 4, 1)).function)
    assert "a[" not in shown and "A_offset" not in shown


@pytest.mark.parametrize("body", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_what_does_not_grow_evenly_stays(body: str) -> None:
    function = serial(
        "void f(const float *a, float *o, int n) {\n"
        "    int at = 0;\n"
        f"    for (int c = 0; c < n; ++c) {{ o[at] = a[c]; {body} }}\n"
        "}\n"
    )
    assert without_inductions(function) is function
