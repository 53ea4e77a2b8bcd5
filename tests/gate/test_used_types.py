"""Arrays without a type: data, and the comparison, are of the type that the launches of a call use."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from xpiler.gate.arrays import Array
from xpiler.gate.compare import compare
from xpiler.gate.contract import Argument, Case, Contract, Role, make_case
from xpiler.gate.execute import RunResult, Variant
from xpiler.gate.inputs import draw
from xpiler.ir.types import BF16, F16, F32, I32, U8, DType
from xpiler.translate import translate_text, verify_text

TANH = """
#include <cuda_fp16.h>
typedef enum { AS_FLOAT, AS_HALF } kind_t;
template <typename T> __global__ void squash(const T *x, T *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = (T)tanhf((float)x[i]);
}
int run(const void *x, void *y, int n, kind_t kind) {
    int blocks = (n + 127) / 128;
    switch (kind) {
        case AS_FLOAT: squash<<<blocks, 128>>>((const float *)x, (float *)y, n); return 0;
        case AS_HALF: squash<<<blocks, 128>>>((const half *)x, (half *)y, n); return 0;
    }
    return 1;
}
"""
BY_NAME = """
#include <cuda_fp16.h>
enum Kind { AS_FLOAT, AS_HALF };
template <typename T> __global__ void twice(const void *x, void *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) ((T *)y)[i] = ((const T *)x)[i] + ((const T *)x)[i];
}
#define WITH(kind, ...)                                             \\
    switch (kind) {                                                 \\
        case AS_FLOAT: { using T = float; __VA_ARGS__(); break; }   \\
        case AS_HALF: { using T = half; __VA_ARGS__(); break; }     \\
    }
void run(const void *x, void *y, int n, Kind kind) {
    WITH(kind, [&] { twice<T><<<(n + 127) / 128, 128>>>(x, y, n); });
}
"""


@pytest.mark.parametrize("source", [TANH, BY_NAME])
@pytest.mark.parametrize("to", ["hip", "vnni", "bang"])
def test_each_type_is_tried_and_compared_as_that_type(source: str, to: str) -> None:
    result = translate_text(source, "run.cu", to)
    (entry,) = result.entries
    assert entry.status == "verified", result.evidence
    executed = next(rung.detail for rung in result.evidence if "runs at" in rung.detail)
    assert "kind=0" in executed and "kind=1" in executed


def test_a_wrong_text_for_one_of_the_types_is_found() -> None:
    right = translate_text(TANH, "run.cu", "vnni")
    wrong = re.sub(r"(case AS_HALF: squash\w*\([^;]*), n\)", r"\1, n - 1)", right.text or "")
    assert wrong != right.text
    result = verify_text(TANH, "run.cu", wrong, "run.cpp")
    assert any(not rung.ok and "kind=1" in rung.detail for rung in result.evidence)


def _contract(types: dict[str, DType]) -> tuple[Contract, Case]:
    arguments = tuple(Argument(name, U8, True, Role.OUT) for name in types)
    case = replace(make_case({}, dict.fromkeys(types, 64)), types=tuple(types.items()))
    return Contract("run", "host", arguments, (case,)), case


def _result(case: Case, **buffers: Array) -> RunResult:
    return RunResult(case, Variant(), {name: data.view(np.uint8) for name, data in buffers.items()})


def test_data_are_drawn_as_numbers_of_the_type() -> None:
    contract, case = _contract({"x": F16, "i": I32})
    halves = draw(contract.arguments[0], case).view(np.float16)
    assert halves.size == 32 and np.isfinite(halves).all() and np.abs(halves).max() < 10
    whole = draw(contract.arguments[1], case).view(np.int32)
    assert whole.size == 16 and np.abs(whole).max() <= 100


def test_floats_are_compared_as_floats() -> None:
    contract, case = _contract({"x": F32})
    one = np.linspace(1, 2, 16, dtype=np.float32)
    next_to_it = np.nextafter(one, np.float32(3))
    assert compare(contract, _result(case, x=one), _result(case, x=next_to_it)).ok
    far = one.copy()
    far[3] *= np.float32(1.001)
    outcome = compare(contract, _result(case, x=one), _result(case, x=far))
    assert not outcome.ok and outcome.mismatch is not None and outcome.mismatch.coordinates == (3,)


def test_any_nan_is_as_good_as_another() -> None:
    contract, case = _contract({"x": BF16})
    one, other = np.full(32, 0x7FC0, np.uint16), np.full(32, 0xFFC1, np.uint16)
    assert compare(contract, _result(case, x=one), _result(case, x=other)).ok
    other[0] = 0x3F80
    assert not compare(contract, _result(case, x=one), _result(case, x=other)).ok
