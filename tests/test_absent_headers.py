"""Files whose headers are not here: what needs none of them is translated and held against its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpiler.errors import Refusal
from xpiler.gate.absent_headers import reduced_text
from xpiler.translate import translate_text

FILE = """#include <cuda_runtime.h>
#include "common.h"
#include <own/packed.cuh>
#define LAUNCHED(x) cudaCheck(x)
__global__ void scale(float* y, const float* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 3 * x[i];
}
__global__ void copy(Packed* y, const Packed* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i];
}
void scale_checked(float* y, const float* x, int n) {
  scale<<<ceil_div(n, 64), 64>>>(y, x, n);
  LAUNCHED(cudaGetLastError());
}
void scale_plain(float* y, const float* x, int n) { scale<<<(n + 127) / 128, 128>>>(y, x, n); }
"""


@pytest.mark.parametrize("to", ["hip", "vnni", "bang"])
def test_what_needs_no_absent_header_is_verified_and_the_others_are_named(to: str) -> None:
    result = translate_text(FILE, "scale.cu", to)
    statuses = {e.name: e.status for e in result.entries}
    assert statuses.pop("scale_plain") == "verified"
    assert statuses and set(statuses.values()) == {"refused"}
    assert result.status == "unverified"
    told = " ".join(d.message for d in result.diagnostics if d.severity == "error")
    assert "scale_checked" in told or "common.h" in told


def test_a_header_that_nothing_needs_keeps_nothing_back() -> None:
    text = '#include "unused.h"\n' + FILE[FILE.index("__global__") : FILE.index("__global__ void copy")]
    assert translate_text(text, "scale.cu", "hip").status == "verified"


def test_offsets_are_kept() -> None:
    reduced = reduced_text(FILE, "scale.cu", "cuda")
    assert reduced is not None
    assert reduced.headers == ("common.h", "own/packed.cuh")
    assert {"copy", "scale_checked", "LAUNCHED"} <= reduced.names and "scale_plain" not in reduced.names
    assert len(reduced.text) == len(FILE) and reduced.text.index("scale_plain") == FILE.index("scale_plain")


def test_headers_that_are_here_take_nothing_out(tmp_path: Path) -> None:
    (tmp_path / "common.h").write_text("inline int ceil_div(int a, int b) { return (a + b - 1) / b; }\n")
    text = FILE.replace(
        '#include "common.h"\n', '#include "common.h"\n#include <vector>\n#include <stdio.h>\n'
    )
    reduced = reduced_text(text, str(tmp_path / "scale.cu"), "cuda")
    assert reduced is not None and reduced.headers == ("own/packed.cuh",)


def test_a_condition_on_what_a_header_may_define_is_not_decided() -> None:
    text = FILE.replace("y[i] = 3 * x[i];", "y[i] =\n#ifdef FAST\n 2 *\n#endif\n x[i];")
    assert reduced_text(text, "scale.cu", "cuda") is None
    with pytest.raises(Refusal, match=r"common.h is not here|own/packed.cuh is not here"):
        translate_text(text, "scale.cu", "hip")


def test_errors_that_no_header_explains_are_told_as_they_are() -> None:
    text = FILE.replace('#include "common.h"\n#include <own/packed.cuh>\n', "\n\n")
    assert reduced_text(text, "scale.cu", "cuda") is None


def test_a_header_that_comes_later_is_seen(tmp_path: Path) -> None:
    text, file = FILE.replace("#include <own/packed.cuh>\n", ""), str(tmp_path / "scale.cu")
    reduced = reduced_text(text, file, "cuda")
    assert reduced is not None and "scale_checked" in reduced.names
    (tmp_path / "common.h").write_text(
        "#define cudaCheck(x) (x)\ninline int ceil_div(int a, int b) { return (a + b - 1) / b; }\n"
        "typedef float Packed;\n"
    )
    assert reduced_text(text, file, "cuda") is None
