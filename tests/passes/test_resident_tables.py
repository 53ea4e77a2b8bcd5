"""Tables of constants that lanes look things up in, on an MLU."""

from __future__ import annotations

from xpiler.backend import bang
from xpiler.frontend import parse
from xpiler.passes.canonical import canonicalise

LOOKED_UP = """__constant__ float levels[16] = {0.0f, 1.0f, 2.0f, 4.0f};
__constant__ double wide[16];
__global__ void looked_up(const int *q, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = BODY;
}
void run(const int *q, float *y, int n) { looked_up<<<(n + 255) / 256, 256>>>(q, y, n); }
"""


def generated(body: str) -> str:
    (kernel,) = parse(LOOKED_UP.replace("BODY", body), "k.cu").program.kernels
    canonical = canonicalise(kernel, kernel.block_size).function
    return bang.generate(canonical, launch={"gridDim.y": 1, "gridDim.z": 1}).text


def test_a_table_of_constants_is_brought_once_and_looked_up() -> None:
    text = generated("levels[q[i] >> 4 & 15] + levels[q[i] & 15]")
    assert text.count("__memcpy(levels_copy, levels, 16 * sizeof(float), GDRAM2NRAM)") == 1
    assert text.count("__bang_lut(") == 2 and "count, 64)" in text
    assert "float *levels_copy = " in text and "lane" not in text


def test_a_table_whose_elements_lie_in_a_row_is_copied_like_any_other() -> None:
    assert "levels_copy" not in generated("levels[i] * q[i]")
    assert "levels_copy" not in generated("levels[3] * q[i]")
