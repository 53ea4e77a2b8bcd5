"""The instructions of x86 on the bits of an integer: the processor, the portable headers and the IR agree."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.emulators.test_avx512 import HEADERS
from xpiler.frontend import parse
from xpiler.ir.interpret import run

CALLS = """
    _bzhi_u32(x, c)  _bzhi_u64(w, c)  _blsr_u32(x)  _blsr_u64(w)  _blsi_u32(x)  _blsi_u64(w)
    _blsmsk_u32(x)  _blsmsk_u64(w)  _andn_u32(x, c)  _andn_u64(w, c)  _tzcnt_u32(x)  _tzcnt_u64(w)
    _lzcnt_u32(x)  _lzcnt_u64(w)  _mm_popcnt_u32(x)  _mm_popcnt_u64(w)
    _popcnt32(x)  _popcnt64(w)
""".replace(") ", ")\n").split("\n")
NAMES = [call.strip() for call in CALLS if call.strip()]
FUNCTION = (
    "#include <immintrin.h>\n"
    'extern "C" void f(const unsigned long long *in, const unsigned *counts, unsigned long long *out,\n'
    "                  int n) {\n"
    "    for (int i = 0; i < n; ++i) {\n"
    "        unsigned x = (unsigned)in[i], c = counts[i];\n        unsigned long long w = in[i];\n"
    + "".join(
        f"        out[i * {len(NAMES)} + {k}] = (unsigned long long){call};\n" for k, call in enumerate(NAMES)
    )
    + "    }\n}\n"
)
INPUT = np.array(
    [0, 1, 6, 0x80000000, 0xFFFFFFFF, 1 << 63, 0x123456789ABCDEF0, ~0 & (1 << 64) - 1], np.uint64
)
COUNTS = np.array([0, 1, 31, 32, 40, 63, 64, 256 + 5], np.uint32)


def compiled(folder: Path, name: str, *flags: str) -> np.ndarray:
    (folder / "f.cpp").write_text(FUNCTION)
    library = folder / f"{name}.so"
    command = [
        "g++",
        "-std=c++17",
        "-O1",
        "-shared",
        "-fPIC",
        *flags,
        str(folder / "f.cpp"),
        "-o",
        str(library),
    ]
    subprocess.run(command, check=True, capture_output=True)
    inputs, counts = np.tile(INPUT, len(COUNTS)), np.repeat(COUNTS, len(INPUT))
    out = np.zeros((len(inputs), len(NAMES)), np.uint64)
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (inputs, counts, out)]
    ctypes.CDLL(str(library)).f(*pointers, len(inputs))
    return out


def interpreted() -> np.ndarray:
    unit = parse(FUNCTION, "f.cpp", platform="vnni")
    assert not unit.refusals, unit.refusals
    inputs, counts = np.tile(INPUT, len(COUNTS)), np.repeat(COUNTS, len(INPUT))
    out = np.zeros(len(inputs) * len(NAMES), np.uint64)
    result = run(unit.program.kernels[0], {"in": inputs, "counts": counts, "out": out, "n": len(inputs)})
    assert not result.errors, result.errors
    return out.reshape(len(inputs), len(NAMES))


def test_bits_are_those_of_the_processor(tmp_path: Path) -> None:
    meant = interpreted()
    portable = compiled(tmp_path, "portable", f"-I{HEADERS}")
    wrong = [NAMES[k] for k in np.flatnonzero((meant != portable).any(axis=0))]
    assert not wrong
    flags = set(Path("/proc/cpuinfo").read_text().split())
    if not {"bmi1", "bmi2", "abm", "popcnt"} <= flags:
        pytest.skip("this processor has no BMI")
    native = compiled(tmp_path, "native", "-mbmi", "-mbmi2", "-mlzcnt", "-mpopcnt")
    wrong = [NAMES[k] for k in np.flatnonzero((meant != native).any(axis=0))]
    assert not wrong
