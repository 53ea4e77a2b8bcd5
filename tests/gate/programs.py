"""Small programs to build, run and break."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.gate.contract import Argument, Contract, FillKind, Role, make_case
from xpiler.gate.entries import entries_of
from xpiler.gate.execute import Build, RunResult, Variant, build
from xpiler.gate.infer import Inference, infer_contract
from xpiler.gate.overrides import Overrides
from xpiler.gate.sandbox import Limits
from xpiler.ir.types import F32, I32, DType
from xpiler.platforms.registry import platform_of


def vector_contract(n: int = 1000, dtype: DType = F32, fill: FillKind = "normal") -> Contract:
    """`f(const T* x, T* y, int n)`: x is an input and y an output, both of n elements."""
    arguments = (
        Argument("x", dtype, True, Role.IN),
        Argument("y", dtype, True, Role.OUT),
        Argument("n", I32, False, Role.SCALAR),
    )
    case = make_case({"n": n}, {"x": n, "y": n}, fill=fill)
    return Contract("f", "host", arguments, (case,), reduction_length=1)


def build_loop(body: str, contract: Contract, prelude: str = "") -> Build:
    """A host function `f` with this body, in plain C++."""
    text = f'{prelude}\nextern "C" void f(const float* x, float* y, int n) {{\n{body}\n}}\n'
    built = build(text, "f.cpp", "vnni", contract)
    assert built.ok, built.error
    return built


def run_loop(body: str, *, layout: str = "end", wall: float = 10, prelude: str = "") -> RunResult:
    """Builds `f` with a body and runs it once on 1000 elements."""
    contract = vector_contract()
    built = build_loop(body, contract, prelude)
    limits = Limits(wall=wall, cpu=wall + 1)
    (result,) = built.run(contract.cases, variants=(Variant(layout),), limits=limits)
    return result


# A shared-memory GEMM, C[m,n] = A[m,k] B[k,n], for any sizes.
TILED_GEMM = """#include <cuda_runtime.h>
template <int T>
__global__ void gemm(const float* A, const float* B, float* C, int m, int n, int k) {
  __shared__ float a[T][T], b[T][T];
  int r = blockIdx.y * T + threadIdx.y, c = blockIdx.x * T + threadIdx.x;
  float s = 0;
  for (int t = 0; t < k; t += T) {
    a[threadIdx.y][threadIdx.x] = r < m && t + threadIdx.x < k ? A[r * k + t + threadIdx.x] : 0;
    b[threadIdx.y][threadIdx.x] = c < n && t + threadIdx.y < k ? B[(t + threadIdx.y) * n + c] : 0;
    __syncthreads();
    for (int i = 0; i < T; ++i) s += a[threadIdx.y][i] * b[i][threadIdx.x];
    __syncthreads();
  }
  if (r < m && c < n) C[r * n + c] = s;
}
extern "C" void launch(const float* A, const float* B, float* C, int m, int n, int k) {
  gemm<16><<<dim3((n + 15) / 16, (m + 15) / 16), dim3(16, 16)>>>(A, B, C, m, n, k);
}
int main() { return 0; }
"""


def gemm_contract(fill: FillKind = "normal", m: int = 40, n: int = 35, k: int = 50) -> Contract:
    arguments = (
        Argument("A", F32, True, Role.IN),
        Argument("B", F32, True, Role.IN),
        Argument("C", F32, True, Role.OUT),
        *(Argument(name, I32, False, Role.SCALAR) for name in "mnk"),
    )
    case = make_case(
        {"m": m, "n": n, "k": k}, {"A": m * k, "B": k * n, "C": m * n}, shapes={"C": (m, n)}, fill=fill
    )
    return Contract("launch", "host", arguments, (case,), reduction_length=k)


def inferred(text: str, overrides: Overrides | None = None, file: str = "kernel.cu") -> Inference:
    """What is found out about the only entry of a text."""
    platform = platform_of(file)
    unit = parse(text, file, platform=platform)
    (entry,) = entries_of(unit)

    def builder(contract: Contract) -> Build:
        return build(text, file, platform, contract)

    return infer_contract(unit, entry, overrides or Overrides(), builder, lambda: None)
