"""Arrays that make no difference in any run are not said to be checked."""

from __future__ import annotations

import pytest

from xpiler.gate.overrides import from_flags
from xpiler.translate import translate_text

SOURCE = """
__global__ void mix(const float *x, const float *w, float *y, int n, int pad) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = CONDITION ? x[i] * w[i] : 2 * x[i];
}
"""


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("pad > 2000000000 && n > 1500000000", "unverified"),
        ("pad > 100", "verified"),
        ("i % 3 == 1", "verified"),
    ],
)
def test_what_no_run_depends_on_is_told(condition: str, status: str) -> None:
    result = translate_text(SOURCE.replace("CONDITION", condition), "mix.cu", "hip")
    assert result.status == status
    told = [rung.detail for rung in result.evidence if "`w`" in rung.detail]
    assert bool(told) == (status == "unverified")
    if told:
        assert "whatever `w` holds" in told[0] and "--arg pad=..." in told[0]


def test_stated_arguments_are_meant() -> None:
    text = SOURCE.replace("CONDITION", "pad > 100")
    assert translate_text(text, "mix.cu", "hip", from_flags(arg=["n=300", "pad=3"])).status == "verified"


def test_a_parameter_that_nothing_uses_is_not_asked_about() -> None:
    text = (
        SOURCE.replace("CONDITION", "i % 3 == 1")
        + """
void run(const float *a, const float *b, float *w, float *c, int n) {
    float *d_a, *d_b, *d_c;
    for (float **d : {&d_a, &d_b, &d_c}) cudaMalloc(d, n * sizeof(float));
    cudaMemcpy(d_a, a, n * sizeof(float), cudaMemcpyHostToDevice);
    cudaMemcpy(d_b, b, n * sizeof(float), cudaMemcpyHostToDevice);
    mix<<<(n + 255) / 256, 256>>>(d_a, d_b, d_c, n, 0);
    cudaMemcpy(c, d_c, n * sizeof(float), cudaMemcpyDeviceToHost);
    cudaFree(d_a); cudaFree(d_b); cudaFree(d_c);
}
"""
    )
    result = translate_text(text, "mix.cu", "hip")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]


MEANS = """
__global__ void means(float *mean, const float *data, int rows, int n) {
    int j = blockIdx.x * blockDim.x + threadIdx.x;
    if (j >= n) return;
    mean[j] = 0.0f;
    for (int i = 0; i < rows; ++i) mean[j] += data[i * n + j];
    mean[j] /= rows;
}
void run(float *mean, const float *data, float *out, int rows, int n) {
    float *d_mean, *d_data;
    cudaMalloc(&d_mean, n * sizeof(float));
    cudaMalloc(&d_data, rows * n * sizeof(float));
    cudaMemcpy(d_mean, mean, n * sizeof(float), cudaMemcpyHostToDevice);
    cudaMemcpy(d_data, data, rows * n * sizeof(float), cudaMemcpyHostToDevice);
    means<<<(n + 255) / 256, 256>>>(d_mean, d_data, rows, n);
    cudaMemcpy(out, d_mean, n * sizeof(float), cudaMemcpyDeviceToHost);
    cudaFree(d_mean);
    cudaFree(d_data);
}
"""


def test_what_a_kernel_makes_before_it_reads_it_is_not_asked_about() -> None:
    result = translate_text(MEANS, "means.cu", "hip")
    assert result.status == "verified", [rung.detail for rung in result.evidence if not rung.ok]
