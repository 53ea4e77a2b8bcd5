"""Kernels generated from serial functions: the same results as the source, by many threads."""

from pathlib import Path

from xpiler.backend.simt import CudaFunction, generate
from xpiler.backend.simt_host import with_host
from xpiler.frontend import parse
from xpiler.passes.canonical import canonicalise
from xpiler.translate import verify_text

SERIAL = Path(__file__).parent / "serial"


def generated(text: str) -> tuple[str, dict[str, CudaFunction]]:
    """The text with its kernels replaced by kernels made from their serial form."""
    unit = parse(text, "serial.cu", platform="cuda")
    kernels = {k.name: canonicalise(k, k.block_size, k.grid_size) for k in unit.program.kernels}
    functions = {name: generate(c.function) for name, c in kernels.items()}
    return with_host(unit, functions), functions


def kernel(source: str) -> str:
    """The one kernel that a serial function becomes."""
    unit = parse(source, "serial.cu", platform="cuda")
    (function,) = unit.program.kernels
    made = generate(canonicalise(function, (1, 1, 1), (1, 1, 1)).function)
    assert len(made.kernels) == 1, made.kernels
    return made.kernels[0]


def test_rows_are_shared_out_and_computed_alike():
    text = (SERIAL / "rows.cu").read_text()
    target, functions = generated(text)
    result = verify_text(text, "serial.cu", target, "parallel.cu")
    assert result.status == "verified", [e for e in result.entries if e.status != "verified"]
    assert all(f.plan.native for f in functions.values())


def test_the_loop_along_memory_becomes_threadidx_x():
    made = kernel(
        "__global__ void f(const float *x, const float *b, float *__restrict__ y, int rows, int cols) {\n"
        "  for (int c = 0; c < cols; ++c)\n"
        "    for (int r = 0; r < rows; ++r) y[r * cols + c] = x[r * cols + c] + b[c];\n}\n"
    )
    assert made == (
        "__global__ __launch_bounds__(256)\n"
        "void f(const float *x, const float *b, float *__restrict__ y, int rows, int cols) {\n"
        "    int c = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (c >= cols) return;\n"
        "    for (int r = blockIdx.y * blockDim.y + threadIdx.y; r < rows; "
        "r += (int)(gridDim.y * blockDim.y)) {\n"
        "        y[r * cols + c] = x[r * cols + c] + b[c];\n"
        "    }\n"
        "}"
    )


def test_a_block_takes_a_row_with_reductions():
    made = kernel(
        "__global__ void f(const float *x, float *y, int rows, int cols) {\n"
        "  for (int r = 0; r < rows; ++r) {\n"
        "    float s = 0;\n"
        "    for (int c = 0; c < cols; ++c) s += x[r * cols + c];\n"
        "    for (int c = 0; c < cols; ++c) y[r * cols + c] = x[r * cols + c] / s;\n"
        "  }\n}\n"
    )
    assert made == (
        "__global__ __launch_bounds__(256)\n"
        "void f(const float *x, float *y, int cols) {\n"
        "    int r = blockIdx.x;\n"
        "    int thread = threadIdx.x;\n"
        "    float s = 0.0f;\n"
        "    for (int c = thread; c < cols; c += 256) {\n"
        "        s += x[r * cols + c];\n"
        "    }\n"
        "    s = block_sum(s);\n"
        "    for (int c_1 = thread; c_1 < cols; c_1 += 256) {\n"
        "        y[r * cols + c_1] = x[r * cols + c_1] / s;\n"
        "    }\n"
        "}"
    )


def test_a_loop_with_an_order_stays_with_one_thread_and_says_so():
    unit = parse(
        "__global__ void f(const float *x, float *y, int n) {\n"
        "  for (int i = 1; i < n; ++i) y[i] = 0.5f * y[i - 1] + x[i];\n}\n",
        "serial.cu",
        platform="cuda",
    )
    made = generate(canonicalise(unit.program.kernels[0], (1, 1, 1), (1, 1, 1)).function)
    assert made.plan.launches[0].block == (1, 1, 1)
    assert not made.plan.native
    assert made.notes == ("f: one thread does all the work, as no loop is known to be parallel",)


def test_products_go_through_shared_tiles_and_tensor_cores():
    text = (SERIAL / "products.cu").read_text()
    target, functions = generated(text)
    result = verify_text(text, "serial.cu", target, "parallel.cu")
    assert result.status == "verified", [e for e in result.entries if e.status != "verified"]
    by_rows, in_half, of_bytes = (functions[n].kernels for n in ("by_rows", "in_half", "of_bytes"))
    assert len(by_rows) == 1 and "__shared__ float x_tile[16][65];" in by_rows[0]
    assert "wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> x;" in in_half[0]
    assert "x_tile[k_2 / 16][m_1][k_2 % 16] = (int)value - 128;" in of_bytes[0]


def test_a_sum_with_padding_is_a_product_too():
    made = kernel(
        "__global__ void f(const float *x, const float *w, float *__restrict__ y) {\n"
        "  for (int o = 0; o < 32; ++o)\n"
        "    for (int h = 0; h < 14; ++h)\n"
        "      for (int v = 0; v < 14; ++v) {\n"
        "        float s = 0;\n"
        "        for (int c = 0; c < 8; ++c)\n"
        "          for (int r = 0; r < 3; ++r)\n"
        "            if (h + r > 0 && h + r < 15)\n"
        "              s += x[(c * 14 + h + r - 1) * 14 + v] * w[(o * 8 + c) * 3 + r];\n"
        "        y[(o * 14 + h) * 14 + v] = s;\n"
        "      }\n}\n"
    )
    assert "if (column < 196 && term_1 < 24) {" in made
    assert "value_1 = h + r > 0 && h + r < 15 ? x[(c * 14 + h + r - 1) * 14 + v] : 0.0f;" in made


def test_counts_at_places_that_the_data_choose_are_atomic():
    made = kernel(
        "__global__ void f(const int *__restrict__ x, int *__restrict__ h, int n) {\n"
        "  for (int i = 0; i < n; ++i) {\n"
        "    int bin = x[i];\n"
        "    if (bin >= 0 && bin < 10) h[bin] += 1;\n"
        "  }\n}\n"
    )
    assert made.endswith(
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i >= n) return;\n"
        "    int bin = x[i];\n"
        "    if (bin >= 0 && bin < 10) {\n"
        "        atomicAdd(&h[bin], 1);\n"
        "    }\n"
        "}"
    )


def test_extremes_of_wide_numbers_are_of_one_type():
    made = kernel(
        "#include <stdint.h>\n"
        "__global__ void shift(const float *x, float *y, uint64_t n) {\n"
        "  for (uint64_t i = 0; i < n; ++i) y[i] = x[max(i + 3, n)];\n"
        "}\n"
    )
    assert "max((uint64_t)(i + 3ull), n)" in made


def test_rounds_of_one_step_of_a_block_are_one_kernel():
    made = kernel(
        "__global__ void f(const float *__restrict__ x, float *__restrict__ y, int n) {\n"
        "  float last = 0;\n"
        "  for (int i = 0; i < n; i += 16) {\n"
        "    for (int lane = 0; lane < 16; ++lane) y[i + lane] = x[i + lane] * last;\n"
        "    last = y[i + 15];\n"
        "  }\n}\n"
    )
    assert "for (int i = 0; i < n; i += 16) {" in made
    assert "if (thread < 16) {" in made
