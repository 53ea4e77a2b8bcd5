"""Variables without initialiser are inputs: filled before the call, compared after it if written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.gate.contract import Contract, Role
from xpiler.gate.entries import entries_of
from xpiler.gate.execute import Build, build
from xpiler.gate.infer import infer_contract
from xpiler.gate.overrides import Overrides
from xpiler.translate import translate_text, verify_text

CONVOLUTION = """
#define R 4
__constant__ float c_filter[2 * R + 1];
__device__ unsigned int calls;
__global__ void convolve(float* out, const float* in, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float sum = 0.0f;
    for (int j = -R; j <= R; ++j)
        if (i + j >= 0 && i + j < n) sum += in[i + j] * c_filter[R - j];
    out[i] = sum;
    if (i == 0) atomicAdd(&calls, 1u);
}
extern "C" void set_filter(const float* h) { cudaMemcpyToSymbol(c_filter, h, (2 * R + 1) * sizeof(float)); }
extern "C" void convolution(float* out, const float* in, int n) {
    convolve<<<(n + 127) / 128, 128>>>(out, in, n);
}
"""


def contract_of(text: str) -> Contract:
    unit = parse(text, "globals.cu")
    (entry,) = entries_of(unit)

    def builder(contract: Contract) -> Build:
        return build(text, "globals.cu", "cuda", contract)

    return infer_contract(unit, entry, Overrides(), builder, lambda: None).contract


def test_the_contract_names_them_with_their_roles() -> None:
    contract = contract_of(CONVOLUTION)
    assert [(g.name, g.role) for g in contract.globals] == [("c_filter", Role.IN), ("calls", Role.INOUT)]
    assert contract.cases[0].extent("c_filter") == 9
    assert [a.name for a in contract.outputs] == ["out", "calls"]


@pytest.mark.parametrize("platform", ["cuda", "hip"])
def test_they_are_filled_before_the_call_and_read_after_it(platform: str) -> None:
    contract = contract_of(CONVOLUTION)
    text = CONVOLUTION.replace("cudaMemcpy", f"{'hip' if platform == 'hip' else 'cuda'}Memcpy")
    header = '#include "hip/hip_runtime.h"\n' if platform == "hip" else ""
    case = contract.cases[0]
    data = {
        "in": np.ones(case.extent("in"), np.float32),
        "c_filter": np.arange(9, dtype=np.float32),
        "calls": np.array([41], np.uint32),
    }
    built = build(header + text, f"globals.{platform}", platform, contract)
    assert built.ok, built.error
    (result,) = built.run([case], inputs=[data])
    assert result.ok, result.describe()
    assert result.buffers["calls"].tolist() == [42]
    assert result.buffers["out"][4] == sum(range(9))


@pytest.mark.parametrize("target", ["vnni", "hip"])
def test_a_translation_with_another_filter_or_count_is_not_verified(target: str) -> None:
    translated = translate_text(CONVOLUTION, "globals.cu", target)
    assert translated.status == "verified" and translated.text
    for right, wrong in (
        ("[8 - j]", "[8 + j]") if target == "vnni" else ("[R - j]", "[R + j]"),
        ("[0], 1u", "[0], 2u") if target == "vnni" else ("&calls, 1u", "&calls, 2u"),
    ):
        broken = translated.text.replace(right, wrong).replace("[4 - j]", "[4 + j]")
        assert broken != translated.text
        file = "globals.cpp" if target == "vnni" else "globals.hip"
        assert verify_text(CONVOLUTION, "globals.cu", broken, file).status == "unverified"


def test_variables_of_a_namespace_are_left_alone() -> None:
    inside = CONVOLUTION.replace("__constant__", "namespace filters { __constant__").replace(
        "+ 1];", "+ 1]; }"
    )
    inside = inside.replace("__global__", "using namespace filters;\n__global__")
    assert contract_of(inside).globals  # found through the using-directive
    hidden = inside.replace("using namespace filters;\n", "").replace("c_filter[R", "filters::c_filter[R")
    hidden = hidden.replace("Symbol(c_", "Symbol(filters::c_")
    assert contract_of(hidden).globals == ()


def test_a_variable_of_another_size_is_reported() -> None:
    contract = contract_of(CONVOLUTION)
    built = build(CONVOLUTION.replace("2 * R + 1", "2 * R + 2"), "globals.cu", "cuda", contract)
    (result,) = built.run([replace(contract.cases[0])])
    assert "c_filter has 40 bytes in the program, 36 in the contract" in result.describe()


TABLE = """
struct Tap { float weight; int offset; bool on; };
__constant__ Tap fixed[2] = {{0.5f, -1, true}, {1.5f, 1}};
__constant__ Tap taps[3];
__global__ void filter(const float *x, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float sum = fixed[1].on ? 1.0f : fixed[0].weight * fixed[0].offset;
    for (int t = 0; t < 3; ++t) {
        int j = i + taps[t].offset;
        if (taps[t].on && j >= 0 && j < n) sum += taps[t].weight * x[j];
    }
    y[i] = sum;
}
extern "C" void run(const float *x, float *y, int n) {
    Tap own[3] = {{0.25f, -2, true}, {9.0f, 0, false}, {0.75f, 3, true}};
    cudaMemcpyToSymbol(taps, own, sizeof(own));
    filter<<<(n + 127) / 128, 128>>>(x, y, n);
}
"""


@pytest.mark.parametrize("to", ["vnni", "bang"])
def test_arrays_of_structs_keep_the_bits_of_their_members(to: str) -> None:
    result = translate_text(TABLE, "table.cu", to)
    assert result.status == "verified", result.evidence
    assert result.text is not None
    wrong = TABLE.replace("{0.75f, 3, true}", "{0.75f, 4, true}")
    file = {"vnni": "table.cpp", "bang": "table.mlu"}[to]
    assert verify_text(wrong, "table.cu", result.text, file).status == "unverified"
