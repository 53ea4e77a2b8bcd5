"""Scatters of every width: the portable headers store where the IR does, the highest lane last."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.emulators.test_avx512 import HEADERS
from xpiler.frontend import parse
from xpiler.ir.interpret import run

WIDTHS = [
    ("_mm", "_mm_loadu_si128((const __m128i *)at)", "_mm_loadu_ps(x)", "float"),
    ("_mm256", "_mm256_loadu_si256((const __m256i *)at)", "_mm256_loadu_ps(x)", "float"),
    ("_mm512", "_mm512_loadu_si512(at)", "_mm512_loadu_ps(x)", "float"),
    ("_mm256", "_mm_loadu_si128((const __m128i *)at)", "_mm256_loadu_pd(x)", "double"),
    ("_mm512", "_mm256_loadu_si256((const __m256i *)at)", "_mm512_loadu_pd(x)", "double"),
]


@pytest.mark.parametrize(("prefix", "index", "value", "kind"), WIDTHS)
def test_scatters_store_where_they_mean_to(
    prefix: str, index: str, value: str, kind: str, tmp_path: Path
) -> None:
    suffix = "ps" if kind == "float" else "pd"
    text = f"""
    #include <immintrin.h>
    extern "C" void f(const {kind} *x, const int *at, {kind} *all, {kind} *some) {{
        {prefix}_i32scatter_{suffix}(all, {index}, {value}, sizeof({kind}));
        {prefix}_mask_i32scatter_{suffix}(some, 0x5a, {index}, {value}, sizeof({kind}));
    }}
    """
    dtype = np.float32 if kind == "float" else np.float64
    x, at = (
        np.arange(1, 17, dtype=dtype),
        np.array([5, 2, 2, 9, 0, 31, 7, 7, 1, 3, 4, 8, 8, 20, 30, 6], np.int32),
    )
    meant = [np.zeros(32, dtype) for _ in range(2)]
    unit = parse(text, "f.cpp", platform="vnni")
    assert not unit.refusals, unit.refusals
    inputs = {"x": x, "at": at, "all": meant[0], "some": meant[1]}
    assert not run(unit.program.kernels[0], inputs).errors
    (tmp_path / "f.cpp").write_text(text)
    command = ["g++", "-std=c++17", "-shared", "-fPIC", f"-I{HEADERS}", "f.cpp", "-o", "f.so"]
    subprocess.run(command, check=True, cwd=tmp_path)
    found = [np.zeros(32, dtype) for _ in range(2)]
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (x, at, *found)]
    ctypes.CDLL(str(tmp_path / "f.so")).f(*pointers)
    for one, other in zip(meant, found, strict=True):
        assert one.any() and (one == other).all()
