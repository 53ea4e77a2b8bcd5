"""A kernel that is launched on memory of the host, and barriers that threads pass by."""

import pytest

from xpiler.translate import Trusted

SCALE = """
__global__ void scale(const float *x, float *y, float a, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i];
}
extern "C" void scaled(const float *x, float *y, float a, int n) {
    float *d_x, *d_y;
    cudaMalloc(&d_x, n * sizeof(float));
    cudaMalloc(&d_y, n * sizeof(float));
    cudaMemcpy(d_x, x, n * sizeof(float), cudaMemcpyHostToDevice);
    scale<<<(n + 127) / 128, 128>>>(d_x, d_y, a, n);
    cudaMemcpy(y, d_y, n * sizeof(float), cudaMemcpyDeviceToHost);
    cudaFree(d_x);
    cudaFree(d_y);
}
"""
TOTAL = """
__global__ void total(const float *x, float *y, int n) {
    __shared__ float part[256];
    float sum = 0.0f;
    for (int i = threadIdx.x; i < n; i += 256) sum += x[i];
    part[threadIdx.x] = sum;
    __syncthreads();
    for (int half = 128; half; half /= 2) {
        if (threadIdx.x < half) {
            part[threadIdx.x] += part[threadIdx.x + half];
        }
        __syncthreads();
    }
    if (threadIdx.x == 0) *y = part[0];
}
extern "C" void totalled(const float *x, float *y, int n) { total<<<1, 256>>>(x, y, n); }
"""


def verified(source: str, target: str) -> tuple[str, str]:
    """The status, and the failed rung in words."""
    verdict = Trusted.of(source, "a.cu", None, lambda unit: None).verify(target, "a.hip")
    return verdict.status, "; ".join(r.detail for r in verdict.evidence if not r.ok)


def as_hip(text: str) -> str:
    return "#include <hip/hip_runtime.h>\n" + text.replace("cuda", "hip")


def test_an_array_of_the_host_is_no_kernels_argument() -> None:
    right = as_hip(SCALE)
    assert verified(SCALE, right) == ("verified", "")
    wrong = right.replace("(d_x, d_y, a, n)", "(d_x, y, a, n)").replace(
        "    hipMemcpy(y, d_y", "    // (y, d_y"
    )
    status, why = verified(SCALE, wrong)
    assert status == "unverified"
    assert "the kernel scale is launched on `y`" in why


def test_memory_of_the_host_that_is_mapped_for_the_device_may_be() -> None:
    mapped = (
        as_hip(SCALE)
        .replace("(d_x, d_y, a, n)", "(d_x, y, a, n)")
        .replace(
            "    hipMemcpy(y, d_y, n * sizeof(float), hipMemcpyDeviceToHost);",
            "    hipDeviceSynchronize();\n    hipHostUnregister(y);",
        )
    )
    mapped = mapped.replace(
        "    scale<<<", "    hipHostRegister(y, n * sizeof(float), hipHostRegisterMapped);\n    scale<<<"
    )
    assert verified(SCALE, mapped) == ("verified", "")


@pytest.mark.parametrize("moved", [False, True])
def test_a_barrier_that_half_of_the_threads_pass_by_is_no_barrier(moved: bool) -> None:
    target = as_hip(TOTAL)
    if moved:
        target = target.replace(
            "        }\n        __syncthreads();\n", "        __syncthreads();\n        }\n"
        )
    status, why = verified(TOTAL, target)
    assert status == ("unverified" if moved else "verified")
    assert ("only 128 of 256 threads of the block reach this barrier" in why) == moved
