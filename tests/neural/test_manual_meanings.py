"""What the manuals say that an instruction does, run against what the platforms say.

An entry's `means` is C. The frontend reads it in place of the call that the entry's signature makes, and both
run in the interpreter on the same random data.
"""

import re
from collections.abc import Iterator

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.neural.manual import Entry, load_manual

NUMBERS = {
    "n": 96, "src_n": 96, "seg_n": 32, "size": 384, "segnum": 3, "dst_stride": 96, "src_stride": 96,
    "channel": 4, "height": 6, "width": 8, "kernel_h": 3, "kernel_w": 2, "stride_h": 1, "stride_w": 2,
    "bits": 3, "delta": 3, "lane": 5, "lane_mask": 6,
}  # fmt: skip
ROOM = 512
NUMPY = {
    "float": np.float32, "int": np.int32, "char": np.int8, "signed char": np.int8, "unsigned char": np.uint8,
    "short": np.int16, "unsigned": np.uint32,
}  # fmt: skip


def stated(platform: str) -> Iterator[tuple[str, Entry]]:
    """The instructions of a manual whose meaning it gives."""
    for entry in load_manual(platform):
        for name in entry.means if entry.means.keys() != {""} else entry.names:
            yield name, entry


def signature(entry: Entry) -> tuple[str, list[tuple[str, str]]]:
    """What an entry's first signature returns, and its parameters: type and name."""
    found = re.match(r"`?([\w ]+?[\s*]+)\w+\((.*?)\)", entry.facts["signature"])
    assert found, entry.place
    parameters = []
    for parameter in found[2].split(","):
        words = re.match(r"(.*?)(\w+)$", parameter.strip())
        assert words, entry.place
        parameters.append((words[1].strip(), words[2]))
    return found[1].strip(), parameters


def drawn(dtype: str, seed: int, positive: bool) -> np.ndarray:
    random = np.random.default_rng(seed)
    if dtype == "float":
        values = random.uniform(-4, 4, ROOM).round(1)
        values[::5] = 0
        return (np.abs(values) + 0.5 if positive else values).astype(np.float32)
    return random.integers(-100, 100, ROOM).astype(NUMPY[dtype])


# ------------------------------------------------------------------------------------------------- BANG C


def element(entry: Entry) -> str:
    """The type that T stands for in the trial."""
    types = entry.facts.get("types", "float")
    return "float" if "float" in types else "int" if "int" in types else "char"


def bang_kernel(name: str, entry: Entry, body: str) -> str:
    """A kernel that has the arguments of the call in NRAM, under the names of the signature."""
    t = element(entry)
    _, parameters = signature(entry)
    arrays = [(kind, p) for kind, p in parameters if "*" in kind]
    declared = "\n".join(f"    __nram__ {t} {p}[{ROOM}];" for _, p in arrays)
    loads = "\n".join(
        f"    __memcpy({p}, in + {k * ROOM}, {ROOM} * sizeof({t}), GDRAM2NRAM);"
        for k, (_, p) in enumerate(arrays)
    )
    numbers = [p for kind, p in parameters if "*" not in kind and p not in ("value", "dir")]
    scalars = "\n".join(f"    const unsigned {p} = {NUMBERS[p]};" for p in numbers)
    value = f"    const {t} value = 2;" if ("T", "value") in parameters else ""
    return f"""__mlu_entry__ void k(const {t} *in, {t} *out) {{
{declared}
{loads}
{scalars}
{value}
    {body}
    __memcpy(out, dst, {ROOM} * sizeof({t}), NRAM2GDRAM);
}}
"""


def bang_result(text: str, t: str, positive: bool) -> np.ndarray:
    unit = parse(text, "k.mlu", platform="bang")
    assert not unit.refusals, unit.refusals
    (function,) = unit.program.kernels
    out = np.zeros(ROOM, NUMPY[t])
    data = {"in": np.concatenate([drawn(t, seed, positive) for seed in range(3)]), "out": out}
    result = run(function, data)
    assert not [e for e in result.errors if "uninitialised" not in str(e)], result.errors
    return out


@pytest.mark.parametrize(
    ("name", "entry"), [pytest.param(n, e, id=n) for n, e in stated("bang") if not n.startswith("__memcpy")]
)
def test_bang_c_means_what_its_manual_says(name: str, entry: Entry) -> None:
    t = element(entry)
    _, parameters = signature(entry)
    positive = any(word in name for word in ("log", "sqrt", "recip", "div"))
    called = f"{name}({', '.join(p for _, p in parameters)});"
    means = entry.meaning(name)
    if not means.startswith(("for", "{")):
        means = f"for (int i = 0; i < n; ++i) {means};"
    means = re.sub(r"\bT\b", t, means)
    by_call = bang_result(bang_kernel(name, entry, called), t, positive)
    by_manual = bang_result(bang_kernel(name, entry, means), t, positive)
    count = 1 if "arg" in name else ROOM
    np.testing.assert_allclose(by_call[:count], by_manual[:count], rtol=2e-5, atol=1e-6)


# ------------------------------------------------------------------------------------------------ AVX-512


def lanes(entry: Entry) -> dict[str, str]:
    """What the registers of an entry consist of, by their names; `r` is the result."""
    stated = (words.strip().rsplit(" ", 1) for words in entry.facts["lanes"].split(","))
    pairs = [re.match(r"(\w+) (.*)", f"{a} {b}") for a, b in stated]
    return {found[1]: found[2] for found in pairs if found}


def x86_result(text: str, operands: dict[str, np.ndarray], result: str) -> np.ndarray:
    unit = parse(text, "k.cpp", platform="vnni")
    assert not unit.refusals, unit.refusals
    (function,) = unit.program.kernels
    out = np.zeros(16, NUMPY[result])
    done = run(function, {**operands, "r": out})
    assert not done.errors, done.errors
    return out


LOADS = {"__m512": "_mm512_loadu_ps({})", "__m512i": "_mm512_loadu_si512({})", "float": "{}[0]"}
STORES = {"__m512": "_mm512_storeu_ps(r, {})", "__m512i": "_mm512_storeu_si512(r, {})"}


@pytest.mark.parametrize(("name", "entry"), [pytest.param(n, e, id=n) for n, e in stated("vnni")])
def test_avx512_means_what_its_manual_says(name: str, entry: Entry) -> None:
    result, parameters = signature(entry)
    kinds = {p: kind for kind, p in parameters}
    arrays = ", ".join(f"const {lanes(entry).get(p, 'float')} *{p}" for p in kinds)
    head = (
        f'#include <immintrin.h>\n#include <math.h>\nextern "C" void k({arrays}, {lanes(entry)["r"]} *r) {{\n'
    )
    operands = ", ".join(LOADS[kind].format(p) for p, kind in kinds.items())
    by_call = f"{head}    {STORES[result].format(f'{name}({operands})')};\n}}\n"
    means = entry.meaning(name)
    for p, kind in kinds.items():
        if kind == "float":
            means = re.sub(rf"\b{p}\b", f"{p}[0]", means)
    by_manual = f"{head}    for (int i = 0; i < 16; ++i) {means};\n}}\n"
    for seed in (1, 5):
        data = {p: drawn(lanes(entry).get(p, "float"), seed + k, False) for k, p in enumerate(kinds)}
        got, expected = (x86_result(text, data, lanes(entry)["r"]) for text in (by_call, by_manual))
        np.testing.assert_allclose(got, expected, rtol=1e-6)


# ---------------------------------------------------------------------------------------------- CUDA, HIP


def simt_result(text: str, platform: str, result: str) -> np.ndarray:
    unit = parse(text, "k", platform=platform)
    assert not unit.refusals, unit.refusals
    (function,) = unit.program.kernels
    out = np.zeros(64, NUMPY[result])
    values = {
        p.name: drawn("float", k, "log" in text) for k, p in enumerate(function.params) if p.name != "out"
    }
    given = run(function, {**values, "out": out}, (1, 1, 1), (64, 1, 1))
    assert not given.errors, given.errors
    return out


SIMT = [(platform, *pair) for platform in ("cuda", "hip") for pair in stated(platform)]


@pytest.mark.parametrize(
    ("platform", "name", "entry"), [pytest.param(*one, id=f"{one[0]}-{one[1]}") for one in SIMT]
)
def test_cuda_and_hip_mean_what_their_manuals_say(platform: str, name: str, entry: Entry) -> None:
    returned, parameters = signature(entry)
    result = "float" if returned == "T" else returned
    moves = [p for kind, p in parameters if p == "value"]  # a shuffle: the value of another lane
    if name in ("__shfl_xor", "__shfl_xor_sync"):
        parameters = [(k, "lane_mask" if p == "delta" else p) for k, p in parameters]
    arrays = ["values"] if moves else [p for _, p in parameters]
    given = {"mask": "0xffffffffu", "value": "values[threadIdx.x]", "width": "16"}
    call = ", ".join(given.get(p, str(NUMBERS.get(p, f"{p}[threadIdx.x]"))) for _, p in parameters)
    means = entry.meaning(name)
    for p in [] if moves else arrays:
        means = re.sub(rf"\b{p}\b", f"{p}[threadIdx.x]", means)
    setting = (
        "const int width = 16, delta = 3, lane = 5, lane_mask = 6;\n"
        "    const int position = threadIdx.x % width, base = threadIdx.x - position;"
    )
    texts = []
    for value in (f"{name}({call})", means):
        arguments = "".join(f"const float *{p}, " for p in arrays)
        body = f"    {setting}\n    out[threadIdx.x] = {value};"
        texts.append(f"__global__ void k({arguments}{result} *out) {{\n{body}\n}}\n")
    got, expected = (simt_result(text, platform, result) for text in texts)
    np.testing.assert_allclose(got, expected, rtol=3e-6, atol=1e-6)
