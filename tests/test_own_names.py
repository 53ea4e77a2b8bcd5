"""Any name of the user's is safe: generated helpers have others."""

from __future__ import annotations

from xpiler.translate import translate_text

DOUBLED = """
static int check(int n) { return n > 0; }
extern "C" void blocks(const float *x, float *y, int n) {
    if (!check(n)) return;
    for (int i = 0; i < n; ++i) y[i] = 2.0f * x[i];
}
"""


def test_a_function_may_be_called_as_a_helper_of_ours() -> None:
    result = translate_text(DOUBLED, "blocks.cpp", "cuda")
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert 'extern "C" void blocks(const float *x, float *y, int n) {' in result.text
    assert "static unsigned blocks_(int64_t count) {" in result.text
    assert "= blocks_((n + 255) / 256);" in result.text


TABLE = """
#define all_cores(n) ((n + 127) / 128)
__constant__ float on_device[4];
__global__ void minimum(const float *x, float *y, int n, int k) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float least = 1e30f;
    for (int j = 0; j < k; ++j) least = fminf(least, x[i * k + j]);
    y[i] = least * on_device[i & 3];
}
extern "C" void default_queue(const float *x, float *y, int n, int k) {
    float table[4] = {1, 2, 3, 4};
    cudaMemcpyToSymbol(on_device, table, sizeof(table));
    minimum<<<all_cores(n), 128>>>(x, y, n, k);
}
"""


def test_so_may_variables_macros_and_kernels() -> None:
    for to in ("vnni", "bang"):
        result = translate_text(TABLE, "table.cu", to)
        assert result.status == "verified", result.evidence
        assert result.text is not None
        assert "#define all_cores(n) ((n + 127) / 128)" in result.text
        assert "float on_device[4];" in result.text
