"""Every AVX-512 intrinsic as the frontend understands it against the instruction, on random operands.

The functions are run by the IR interpreter, and compiled for the processor (or for the portable intrinsics
where it has no AVX-512).
"""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.emulators.test_avx512 import HEADERS, NATIVE, cpu_has_all, expressions
from xpiler.frontend import parse
from xpiler.ir.interpret import run

ROUNDS = 3
PUTS = """
#include <immintrin.h>
static inline void put(float *o, __m512 v) { _mm512_storeu_ps(o, v); }
static inline void put(float *o, __m256 v) { _mm256_storeu_ps(o, v); }
static inline void put(float *o, __m128 v) { _mm_storeu_ps(o, v); }
static inline void put(float *o, __m512d v) { _mm512_storeu_pd((double *)o, v); }
static inline void put(float *o, __m256d v) { _mm256_storeu_pd((double *)o, v); }
static inline void put(float *o, __m128d v) { _mm_storeu_pd((double *)o, v); }
static inline void put(float *o, __m512i v) { _mm512_storeu_si512((__m512i *)o, v); }
static inline void put(float *o, __m256i v) { _mm256_storeu_si256((__m256i *)o, v); }
static inline void put(float *o, __m128i v) { _mm_storeu_si128((__m128i *)o, v); }
static inline void put(float *o, __mmask8 v) { *(unsigned *)o = v; }
static inline void put(float *o, __mmask16 v) { *(unsigned *)o = v; }
static inline void put(float *o, __mmask32 v) { *(unsigned *)o = v; }
static inline void put(float *o, __mmask64 v) { *(unsigned long long *)o = v; }
static inline void put(float *o, int v) { *(int *)o = v; }
static inline void put(float *o, long long v) { *(long long *)o = v; }
static inline void put(float *o, float v) { *o = v; }
static inline void put(float *o, double v) { *(double *)o = v; }
"""
KINDS = {"f": ("", "ps"), "d": ("d", "pd"), "i": ("i", "epi32")}
ARGUMENTS = (
    "const float *floats, const double *doubles, const int *integers, const unsigned long long *masks, "
    "const char *memory, float *out"
)
# Results that only have to be close: approximations, or sums in an order that is not fixed.
CLOSE = re.compile(r"rcp|rsqrt|reduce_(add|mul)|dpbf16|scalef|exp2")
# Not in the frontend's table.
UNKNOWN = re.compile(r"cvtps_ph\(\w+, [123]\)")


def function(number: int, expression: str) -> str:
    """A function that computes one expression from arrays; `names` are operands as in the emulator's test."""
    lines = []
    for kind, letter, width in sorted(set(re.findall(r"\b([fdi])([abc])(512|256|128)\b", expression))):
        ctype, suffix = KINDS[kind]
        array = {"f": "floats", "d": "doubles", "i": "integers"}[kind]
        prefix = {"512": "_mm512", "256": "_mm256", "128": "_mm"}[width]
        offset = "abc".index(letter) * 16
        load = f"{prefix}_loadu_{suffix}({array} + {offset})"
        if kind == "i":
            load = f"{prefix}_loadu_si{width}((const __m{width}i *)({array} + {offset}))"
        lines.append(f"    __m{width}{ctype} {kind}{letter}{width} = {load};")
    for bits in sorted(set(re.findall(r"\bk(8|16|32|64)\b", expression))):
        lines.append(f"    __mmask{bits} k{bits} = (__mmask{bits})masks[0];")
    body = "\n".join(lines)
    statement = expression if "_storeu_" in expression else f"put(out, {expression})"
    return f'extern "C" void f{number}({ARGUMENTS}) {{\n{body}\n    {statement};\n}}\n'


def operands(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    floats = (rng.normal(size=48) * 2.0 ** rng.integers(-8, 24, 48)).astype(np.float32)
    doubles = rng.normal(size=48) * 2.0 ** rng.integers(-8, 24, 48)
    edge = np.array([0, -0.0, 0.5, -1.5, 2.5, np.inf, -np.inf, np.nan, 3e9, -3e9, 1e-3, 1, -1])
    for array in (floats, doubles):
        chosen = rng.random(48) < 0.25
        array[chosen] = edge[rng.integers(0, 13, int(chosen.sum()))]
    integers = rng.integers(0, 256, 192, dtype=np.uint8)
    chosen = rng.random(192) < 0.2
    integers[chosen] = rng.choice([0x80, 0xFF], int(chosen.sum()))
    return {
        "floats": floats,
        "doubles": doubles,
        "integers": integers.view(np.int32),
        "masks": rng.integers(0, 1 << 63, 1, dtype=np.uint64),
        "memory": rng.integers(0, 128, 4096, dtype=np.uint8).view(np.int8),
    }


def native(cases: list[tuple[int, str]], folder: Path) -> np.ndarray:
    """out[round, case] of the compiled functions."""
    source = [PUTS, "#include <cstdio>\n#include <cstring>\n"]
    source += [function(number, text) for number, text in cases]
    calls = "".join(
        f"        memset(out, 0, 64); f{n}(floats, doubles, integers, masks, memory, out);\n"
        "        fwrite(out, 1, 64, to);\n"
        for n, _ in cases
    )
    source.append(
        "alignas(64) static float floats[48], out[16]; alignas(64) static double doubles[48];\n"
        "alignas(64) static int integers[48]; static unsigned long long masks[1];\n"
        "alignas(64) static char memory[4096];\n"
        'int main() {\n    FILE *from = fopen("in", "rb"), *to = fopen("out", "wb");\n'
        f"    for (int r = 0; r < {ROUNDS}; ++r) {{\n"
        "        if (fread(floats, 1, sizeof floats, from) + fread(doubles, 1, sizeof doubles, from)"
        " + fread(integers, 1, sizeof integers, from) + fread(masks, 1, sizeof masks, from)"
        " + fread(memory, 1, sizeof memory, from) == 0) return 1;\n"
        f"{calls}    }}\n    fclose(to);\n}}\n"
    )
    (folder / "all.cpp").write_text("".join(source))
    with (folder / "in").open("wb") as file:
        for seed in range(ROUNDS):
            for array in operands(seed).values():
                file.write(array.tobytes())
    flags = NATIVE if cpu_has_all() else ["-I", str(HEADERS)]
    command = ["g++", "-std=c++17", "-O0", "-w", "-ffp-contract=off", *flags, "all.cpp", "-o", "all"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]
    subprocess.run(["./all"], cwd=folder, check=True, timeout=60)
    return np.frombuffer((folder / "out").read_bytes(), np.uint8).reshape(ROUNDS, len(cases), 64)


def same(text: str, mine: np.ndarray, real: np.ndarray) -> bool:
    if np.array_equal(mine, real):
        return True
    for dtype in (np.float64, np.float32) if re.search(r"_pd|da|db", text) else (np.float32,):
        a, b = mine.view(dtype), real.view(dtype)
        with np.errstate(all="ignore"):
            nan = np.isnan(a) & np.isnan(b)
            close = (
                np.isclose(a, b, rtol=2e-3, atol=1e-6)
                if CLOSE.search(text)
                else a.view(f"u{a.itemsize}") == b.view(f"u{a.itemsize}")
            )
        if (nan | close).all():
            return True
    return False


def wrong_cases(cases: list[tuple[int, str]], real: np.ndarray) -> list[str]:
    """Expressions that the frontend does not understand, or understands otherwise than the processor."""
    wrong = []
    for position, (number, text) in enumerate(cases):
        unit = parse(PUTS + function(number, text), "f.cpp", platform="vnni")
        if not unit.program.kernels:
            wrong.append(f"{text}: {next(iter(unit.refusals.values())).message}")
            continue
        for seed in range(ROUNDS):
            out = np.zeros(16, np.float32)
            result = run(unit.program.kernels[0], {**operands(seed), "out": out})
            errors = [f.message for f in result.errors]
            if errors or not same(text, out.view(np.uint8), real[seed, position]):
                wrong.append(f"{text}: {errors[0] if errors else 'differs'}")
                break
    return wrong


GROUPS = 4


@pytest.mark.parametrize("group", range(GROUPS))
def test_intrinsics_mean_what_the_processor_does(tmp_path: Path, group: int) -> None:
    known = [(n, text) for n, (_, text) in enumerate(expressions()) if not UNKNOWN.search(text)]
    cases = [case for case in known if case[0] % GROUPS == group]
    wrong = wrong_cases(cases, native(cases, tmp_path))
    assert not wrong, "\n".join(wrong[:40]) + f"\n{len(wrong)} of {len(cases)}"


def test_narrowed_lanes_are_stored_as_the_processor_does(tmp_path: Path) -> None:
    stores = [
        f"{prefix}_mask_{form}{wide}_storeu_epi{narrow}(out, k{max(8, bits // wide)}, ia{bits})"
        for prefix, bits in (("_mm512", 512), ("_mm256", 256), ("_mm", 128))
        for form in ("cvtepi", "cvtsepi", "cvtusepi")
        for wide, narrow in ((16, 8), (32, 8), (32, 16), (64, 8), (64, 16), (64, 32))
    ]
    cases = list(enumerate(stores))
    wrong = wrong_cases(cases, native(cases, tmp_path))
    assert not wrong, "\n".join(wrong)
