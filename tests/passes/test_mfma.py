"""Matrix instructions of AMD: the interpreter on registers against the tiles of the canonical form."""

from __future__ import annotations

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.platforms.hip_mfma import INSTRUCTIONS, Mfma

_C = {"f32": "float", "f16": "_Float16", "bf16": "short", "i8": "signed char", "f64": "double", "i32": "int"}
_NUMPY = {"f32": "f4", "f16": "f2", "bf16": "i2", "i8": "i1", "f64": "f8", "i32": "i4"}


def _operand(name: str, what: Mfma) -> str:
    """Code that fills the operand `name` of a lane from its elements in memory."""
    count, element = what.per_lane, _C[what.element]
    if what.element == "i8":
        packed = "int" if count == 4 else "long"
        return f"{packed} {name} = *(const {packed}*)({name.upper()} + {count} * threadIdx.x);"
    if count == 1:
        return f"{element} {name} = {name.upper()}[threadIdx.x];"
    return (
        f"{element}_in {name};\n"
        f"  for (int e = 0; e < {count}; ++e) {name}[e] = {name.upper()}[{count} * threadIdx.x + e];"
    )


def _kernel(name: str, what: Mfma) -> str:
    element, result, outputs = _C[what.element], _C[what.result], what.outputs
    one = outputs == 1
    accumulator = result if one else "registers"
    load = (
        "c = C[threadIdx.x];"
        if one
        else f"for (int r = 0; r < {outputs}; ++r) c[r] = C[{outputs} * threadIdx.x + r];"
    )
    store = (
        "D[threadIdx.x] = c;"
        if one
        else f"for (int r = 0; r < {outputs}; ++r) D[{outputs} * threadIdx.x + r] = c[r];"
    )
    return f"""
typedef {element} {element.replace(" ", "_")}_in __attribute__((ext_vector_type({what.per_lane})));
typedef {result} registers __attribute__((ext_vector_type({outputs})));
__global__ void k(const {element}* A, const {element}* B, const {result}* C, {result}* D) {{
  {_operand("a", what)}
  {_operand("b", what)}
  {accumulator} c;
  {load}
  c = __builtin_amdgcn_mfma_{name}(a, b, c, 0, 0, 0);
  {store}
}}
void run(const {element}* A, const {element}* B, const {result}* C, {result}* D) {{
  k<<<1, 64>>>(A, B, C, D);
}}
"""


@pytest.mark.parametrize("name", sorted(INSTRUCTIONS))
def test_tiles_mean_what_registers_mean(name: str) -> None:
    what = INSTRUCTIONS[name]
    (kernel,) = parse(_kernel(name, what), "k.hip", platform="hip").program.kernels
    rng = np.random.default_rng(1)
    inputs = [rng.integers(-3, 4, 64 * what.per_lane).astype(_NUMPY[what.element]) for _ in "ab"]
    if what.element == "bf16":  # the bits of small whole numbers
        inputs = [(x.astype("f4").view("u4") >> 16).astype("u2").view("i2") for x in inputs]
    start = rng.integers(-3, 4, 64 * what.outputs).astype(_NUMPY[what.result])
    results = []
    for function, block in ((kernel, (64, 1, 1)), (canonicalise(kernel, (64, 1, 1)).function, (1, 1, 1))):
        out = np.zeros_like(start)
        given = {"A": inputs[0], "B": inputs[1], "C": start, "D": out}
        given |= {p.name: 1 for p in function.params if p.name not in given}
        assert not run(function, given, (1, 1, 1), block).errors
        results.append(out)
    assert np.array_equal(*results)
    assert np.any(results[0] != start)


def test_a_gemm_on_registers_is_three_loops() -> None:
    text = """
    typedef _Float16 h4 __attribute__((ext_vector_type(4)));
    typedef float f4 __attribute__((ext_vector_type(4)));
    __global__ void gemm(const _Float16* A, const _Float16* B, float* D, int N, int K) {
      int lane = threadIdx.x;
      f4 acc = {0};
      for (int k = 0; k < K; k += 16) {
        h4 a = *(const h4*)(A + lane % 16 * K + k + 4 * (lane / 16)), b;
        for (int e = 0; e < 4; ++e) b[e] = B[(k + 4 * (lane / 16) + e) * N + lane % 16];
        acc = __builtin_amdgcn_mfma_f32_16x16x16f16(a, b, acc, 0, 0, 0);
      }
      for (int r = 0; r < 4; ++r) D[(4 * (lane / 16) + r) * N + lane % 16] = acc[r];
    }
    void run(const _Float16* A, const _Float16* B, float* D, int N, int K) { gemm<<<1, 64>>>(A, B, D, N, K); }
    """
    (kernel,) = parse(text, "k.hip", platform="hip").program.kernels
    shown = show(canonicalise(kernel, kernel.block_size, kernel.grid_size).function)
    (product,) = [line.strip() for line in shown.splitlines() if "+=" in line]
    assert product == (
        "acc[index][lane_1_column] += (f32)A[(i64)K * (i64)index + (i64)tile_k] * "
        "(f32)B[tile_k * N + lane_1_column];"
    )
