"""Kernels that no run of the source launches, those among them that have no IR: nothing is shown of them."""

from __future__ import annotations

from xpiler.translate import translate_text

_KERNELS = (
    "__device__ int depth(int n) { return n < 2 ? 1 : depth(n / 2) + depth(n / 3); }\n"
    "__global__ void plain(const float *x, float *y, int n) {\n"
    "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "    if (i < n) y[i] = 2.0f * x[i];\n"
    "}\n"
    "__global__ void deep(const float *x, float *y, int n) {\n"
    "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "    if (i < n) y[i] = x[i] + depth(i % 17);\n"
    "}\n"
)


def _told(condition: str) -> tuple[str, list[str]]:
    source = (
        f"{_KERNELS}void run(const float *x, float *y, int n) {{\n"
        f"    if ({condition}) deep<<<(n + 63) / 64, 64>>>(x, y, n);\n"
        "    else plain<<<(n + 63) / 64, 64>>>(x, y, n);\n"
        "}\n"
    )
    result = translate_text(source, "odd.cu", "hip")
    return result.status, [rung.detail for rung in result.evidence if not rung.ok]


def test_a_kernel_without_meaning_that_no_run_launches_is_not_verified() -> None:
    status, failed = _told("n > 40000 && n % 1117 == 5")
    assert status == "unverified"
    assert any("none of the runs launched deep" in detail for detail in failed)


def test_runs_look_for_the_branch_of_a_kernel_without_meaning() -> None:
    status, failed = _told("n % 64 == 0")
    assert (status, failed) == ("verified", [])


def test_what_data_decide_is_told_by_the_runs_themselves() -> None:
    """Where sizes are looked for, no kernel is run, and a flag in memory may be anything."""
    source = (
        f"{_KERNELS}void run(const float *x, float *y, int n) {{\n"
        "    float first;\n"
        "    cudaMemcpy(&first, x, 4, cudaMemcpyDeviceToHost);\n"
        "    plain<<<(n + 63) / 64, 64>>>(x, y, n);\n"
        "    if (first * 3.0f == 7.77f + n * 0.37f)\n"
        "        deep<<<(n + 63) / 64, 64>>>(x, y, n);\n"
        "}\n"
    )
    result = translate_text(source, "odd.cu", "hip")
    assert result.status == "unverified"
    assert any("none of the runs launched deep" in rung.detail for rung in result.evidence if not rung.ok)
