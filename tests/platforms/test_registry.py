"""Which platform a file is of."""

from __future__ import annotations

import pytest

from xpiler.errors import Refusal
from xpiler.platforms.registry import platform_of


@pytest.mark.parametrize(
    ("file", "text", "platform"),
    [
        ("a.cu", "", "cuda"),
        ("a.hip", "", "hip"),
        ("a.hip", "#include <cuda_runtime.h>", "hip"),
        ("dir.cu/a.mlu", "", "bang"),
        ("a.c", "void f(float *x);", "vnni"),
        ("a.cpp", "#include <immintrin.h>\n", "vnni"),
        ("a.cpp", "// kernels\n#include <hip/hip_runtime.h>\n", "hip"),
        ("a.cc", '# include "cuda_runtime.h"', "cuda"),
        ("a.cpp", "// see bang.h\n", "vnni"),
    ],
)
def test_the_extension_tells_and_in_c_plus_plus_the_headers(file: str, text: str, platform: str) -> None:
    assert platform_of(file, text) == platform


def test_other_files_are_refused_with_what_there_is() -> None:
    with pytest.raises(Refusal, match=r"not a kernel file"):
        platform_of("notes.txt")
