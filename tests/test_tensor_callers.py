"""Extensions of PyTorch: functions that take tensors are run on made-up ones."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.frontend.tensor_callers import with_callers, without_callers
from xpiler.translate import translate_text

KERNEL = """
__global__ void scale_rows(const float* x, const float* by, float* y, int rows, int columns) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < rows * columns) y[i] = x[i] * by[i / columns];
}
"""
SCALED = f"""#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAGuard.h>
#define CHECK_INPUT(x) TORCH_CHECK(x.is_cuda(), #x " must be on the device")
{KERNEL}
torch::Tensor scaled(const torch::Tensor& x, torch::Tensor by) {{
  CHECK_INPUT(x);
  const int rows = x.size(0), columns = x.size(1);
  TORCH_CHECK(by.dim() == 1 && by.numel() == rows, "a factor for each of ", rows, " rows");
  const at::cuda::OptionalCUDAGuard guard(device_of(x));
  auto y = torch::empty_like(x);
  scale_rows<<<(rows * columns + 127) / 128, 128, 0, at::cuda::getCurrentCUDAStream()>>>(
      x.data_ptr<float>(), by.data_ptr<float>(), y.data_ptr<float>(), rows, columns);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return y;
}}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {{ m.def("scaled", &scaled, "rows times their factors"); }}
"""


def _caller(text: str) -> str:
    return with_callers(text, parse(text, "extension.cu", platform="cuda"))[len(text) :]


def test_a_caller_makes_tensors_of_arrays_and_extents() -> None:
    assert _caller(SCALED).splitlines()[2:] == [
        "void scaled_on_arrays(float *x, int x_0, int x_1, float *by, float *result_0) {",
        "  auto x_tensor = at::xpiler_tensor(x, {x_0, x_1});",
        "  auto by_tensor = at::xpiler_tensor(by, {x_0});",
        "  at::xpiler_give(result_0, scaled(x_tensor, by_tensor));",
        "}",
    ]


def test_a_type_that_is_dispatched_to_has_a_caller_each() -> None:
    text = """#include <torch/extension.h>
template <typename T> __global__ void twice(T* x, int64_t n) { if (threadIdx.x < n) x[threadIdx.x] *= 2; }
void doubled(at::Tensor x) {
  AT_DISPATCH_FLOATING_TYPES_AND_HALF(x.scalar_type(), "doubled", [&] {
    twice<scalar_t><<<1, 256>>>(x.data_ptr<scalar_t>(), x.numel());
  });
}
"""
    heads = [line for line in _caller(text).splitlines() if line.startswith("void")]
    assert heads == [
        "void doubled_on_float(float *x, int x_0) {",
        "void doubled_on_double(double *x, int x_0) {",
        "void doubled_on_half(__half *x, int x_0) {",
    ]


@pytest.mark.parametrize(
    "head",
    ["void all(std::vector<at::Tensor> xs, at::Tensor x)", "void named(at::Tensor x, std::string mode)"],
)
def test_what_cannot_be_made_up_has_none(head: str) -> None:
    launch = "scale_rows<<<1, 128>>>(x.data_ptr<float>(), x.data_ptr<float>(), x.data_ptr<float>(), 1, 9);"
    assert _caller(f"#include <torch/extension.h>\n{KERNEL}{head} {{ {launch} }}\n") == ""


def test_an_extension_is_verified_on_hip_and_back() -> None:
    result = translate_text(SCALED, "extension.cu", "hip")
    assert [(e.name, e.status) for e in result.entries] == [("scaled_on_arrays", "verified")]
    assert result.status == "verified" and result.text is not None
    assert "xpiler_" not in result.text and without_callers(result.text) == result.text
    for line in (
        "#include <ATen/hip/HIPContext.h>",
        "#include <ATen/hip/impl/HIPGuardImplMasqueradingAsCUDA.h>",
        "  const at::hip::OptionalHIPGuardMasqueradingAsCUDA guard(device_of(x));",
        "  C10_HIP_KERNEL_LAUNCH_CHECK();",
    ):
        assert line in result.text.splitlines()
    assert "128, 0, at::hip::getCurrentHIPStreamMasqueradingAsCUDA()>>>" in result.text
    back = translate_text(result.text, "extension.hip", "cuda")
    assert back.status == "verified" and back.text is not None
    assert (
        back.text.split("#include <torch/extension.h>")[1] == SCALED.split("#include <torch/extension.h>")[1]
    )


def test_an_extension_of_the_processor_takes_tensors_of_the_processor() -> None:
    result = translate_text(SCALED, "extension.cu", "vnni")
    assert [(e.name, e.status) for e in result.entries] == [("scaled_on_arrays", "verified")]
    assert result.status == "verified" and result.text is not None
    host = result.text.split("torch::Tensor scaled(")[1]
    assert "xpiler_" not in host and "cuda" not in host and "CUDA" not in host
    assert 'TORCH_CHECK(x.is_cpu(), #x " must be on the device")' in result.text
    assert "_mm512_mul_ps" in result.text and "PYBIND11_MODULE(TORCH_EXTENSION_NAME, m)" in host


def test_what_has_no_tensors_on_the_platform_is_left_to_its_kernels() -> None:
    result = translate_text(SCALED, "extension.cu", "bang")
    assert {e.name: e.status for e in result.entries} == {
        "scaled": "refused",
        "PYBIND11_MODULE": "refused",
        "scale_rows": "verified",
    }
