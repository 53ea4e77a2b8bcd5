"""BANG C programs to CUDA and HIP, verified: the tasks' tiles are gone, the threads of a grid do the work."""

from __future__ import annotations

import pytest

from tests.test_bang_to_vnni import ADD, HOST
from xpiler.translate import translate_text

HEADERS = "#include <bang.h>\n#include <cnrt.h>\n#include <stdio.h>\n#include <stdlib.h>\n"


@pytest.mark.parametrize("to", ["cuda", "hip"])
def test_a_program_with_host_code(to: str) -> None:
    result = translate_text(HEADERS + ADD + HOST, "add.mlu", to)
    assert result.status == "verified", result
    assert result.text is not None
    assert "cnrt" not in result.text and "__nram__" not in result.text
    assert "for (int i = begin + index; i < end; i += 16384) {" in result.text


def test_a_kernel_alone_becomes_a_function_that_launches() -> None:
    result = translate_text(ADD, "add.mlu", "cuda")
    assert result.status == "verified", result
    assert result.text is not None
    assert (
        'extern "C" void add_kernel(const float *a, const float *b, float *c, int n) {\n'
        "    const dim3 grid_1 = blocks((n + 255) / 256);\n"
        "    if (grid_1.x) add_kernel_kernel<<<grid_1, 256>>>(a, b, c, n);\n"
        "    cudaDeviceSynchronize();\n"
        "}" in result.text
    )
