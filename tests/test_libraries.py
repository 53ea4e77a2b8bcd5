"""Files that call vendors' libraries: the rest of them is translated and held against its source."""

from __future__ import annotations

import pytest

from xpiler.errors import Refusal
from xpiler.repair.engine import repair
from xpiler.repair.result import NOTHING_WRONG, REPAIRED
from xpiler.translate import translate_text

FILE = """#include <cublas_v2.h>
__global__ void bias(float* y, const float* b, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += b[i];
}
__global__ void twice(float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] *= 2;
}
void dense(cublasHandle_t h, const float* a, const float* x, const float* b, float* y, int m, int n) {
  const float one = 1, zero = 0;
  cublasSgemv(h, CUBLAS_OP_T, n, m, &one, a, n, x, 1, &zero, y, 1);
  bias<<<(m + 255) / 256, 256>>>(y, b, m);
}
void doubled(float* y, int n) { twice<<<(n + 127) / 128, 128>>>(y, n); }
"""


@pytest.mark.parametrize(("to", "code"), [("hip", "missing-header"), ("vnni", "library")])
def test_what_needs_none_is_verified_and_the_others_are_named(to: str, code: str) -> None:
    result = translate_text(FILE, "dense.cu", to)
    assert {e.name: e.status for e in result.entries} == {
        "dense": "refused",
        "doubled": "verified",
        "bias": "verified",
    }
    assert result.status == "unverified"
    told = [d for d in result.diagnostics if d.severity == "error"]
    assert [(d.code, d.range.line if d.range else 0) for d in told] == [(code, 10)]
    assert ("hipblasSgemv" in (result.text or "")) == (to == "hip")


EXTENSION = """#include <torch/extension.h>
#define CHECK(x) TORCH_CHECK(x.is_cuda(), #x)
template <typename scalar_t>
__global__ void halve_kernel(const scalar_t* x, scalar_t* y, size_t n) {
  const size_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] * scalar_t(0.5);
}
torch::Tensor halve(torch::Tensor x, std::string mode) {
  CHECK(x);
  auto y = torch::empty_like(x);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "halve", ([&] {
    halve_kernel<scalar_t><<<(x.numel() + 255) / 256, 256>>>(
        x.data_ptr<scalar_t>(), y.data_ptr<scalar_t>(), x.numel());
  }));
  return y;
}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("halve", &halve); }
"""


@pytest.mark.parametrize("to", ["hip", "vnni"])
def test_a_function_that_launches_nothing_is_not_lost_silently(to: str) -> None:
    text = (
        FILE[FILE.index("__global__ void twice") : FILE.index("void dense")]
        + FILE[FILE.index("void doubled") :]
    )
    lost = "#include <thrust/sort.h>\nvoid sorted(float* x, int n) { thrust::sort(x, x + n); }\n"
    result = translate_text(lost + text, "sorted.cu", to)
    assert {e.name: e.status for e in result.entries} == {"doubled": "verified", "sorted": "refused"}
    assert result.status == "unverified"


def test_what_could_not_be_run_is_not_repaired() -> None:
    text = FILE.replace("cublasSgemv", "hipblasSgemv").replace("cublasHandle_t", "hipblasHandle_t")
    text = "#include <hip/hip_runtime.h>\n" + text.replace("cublas_v2", "hipblas/hipblas").replace(
        "CUBLAS", "HIPBLAS"
    )
    assert repair(FILE, "dense.cu", text, "dense.hip").status == NOTHING_WRONG
    found = repair(FILE, "dense.cu", text.replace("*= 2", "*= 3"), "dense.hip")
    assert found.status == REPAIRED and "+  if (i < n) y[i] *= 2;" in found.diff


def test_kernels_of_an_extension_are_instances_for_the_types_that_it_dispatches_to() -> None:
    result = translate_text(EXTENSION, "halve.cu", "vnni")
    assert {e.name: e.status for e in result.entries} == {
        "halve": "refused",
        "PYBIND11_MODULE": "refused",
        "halve_kernel_float": "verified",
        "halve_kernel_double": "verified",
    }
    text = result.text or ""
    assert "torch" not in text and "\n/* halve: needs a library */\n" in text


def test_where_all_needs_one_it_is_said() -> None:
    text = (
        FILE[: FILE.index("__global__ void bias")]
        + FILE[FILE.index("void dense") : FILE.index("void doubled")]
    )
    kernel = "__global__ void bias(float* y, const float* b, int n) { cub::BlockReduce<float, 128> r; }\n"
    with pytest.raises(Refusal, match="`dense` needs a library that has no form on the target"):
        translate_text(text.replace("void dense", f"{kernel}void dense"), "dense.cu", "bang")
