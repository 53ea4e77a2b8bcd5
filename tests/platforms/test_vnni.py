"""The meaning of each instruction, run by the interpreter, against the instruction on random registers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backend.cpp import NUMPY, Library, build
from xpiler.ir.interpret import run
from xpiler.ir.types import BF16
from xpiler.platforms.vnni import DOT_INSTRUCTIONS, LANES, DotInstruction

ROUNDS = 200


@pytest.fixture(scope="module", params=["g++", "clang++"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    text = "#include <immintrin.h>\n"
    for instruction in DOT_INSTRUCTIONS:
        total = "_mm512_loadu_si512(acc)" if instruction.exact else "_mm512_loadu_ps(acc)"
        kind = "" if instruction.exact else "(__m512bh)"
        store = "_mm512_storeu_si512" if instruction.exact else "_mm512_storeu_ps"
        text += (
            f'extern "C" void native{instruction.name}(void *acc, const void *a, const void *b) {{\n'
            f"    {store}(acc, {instruction.name}({total}, {kind}_mm512_loadu_si512(a),"
            f" {kind}_mm512_loadu_si512(b)));\n}}\n"
        )
    return build(text, tmp_path_factory.mktemp("instructions"), "instructions", request.param)


def registers(instruction: DotInstruction, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """All bits random; bfloat16 away from subnormal numbers, where the instruction deviates as it says."""
    if instruction.left == BF16:
        floats = (rng.normal(size=(2, instruction.elements)) * 2.0 ** rng.integers(-30, 30)).astype(
            np.float32
        )
        a, b = (floats.view(np.uint32) >> 16).astype(np.uint16)
        return {"acc": rng.normal(size=LANES).astype(np.float32), "a": a, "b": b}
    made = {"acc": rng.integers(-(2**31), 2**31, LANES).astype(np.int32)}
    for name, dtype in (("a", instruction.left), ("b", instruction.right)):
        kind = NUMPY[dtype.name]
        low, high = np.iinfo(kind).min, np.iinfo(kind).max
        made[name] = rng.integers(low, high, instruction.elements, endpoint=True).astype(kind)
    return made


@pytest.mark.parametrize("instruction", DOT_INSTRUCTIONS, ids=lambda i: i.name)
def test_an_instruction_does_what_its_meaning_says(instruction: DotInstruction, library: Library) -> None:
    rng = np.random.default_rng(1)
    for _ in range(ROUNDS):
        data = registers(instruction, rng)
        native = data["acc"].copy()
        library.call(f"native{instruction.name}", native, data["a"], data["b"])
        run(instruction.meaning(), data)
        np.testing.assert_array_equal(data["acc"].view(np.uint32), native.view(np.uint32))
