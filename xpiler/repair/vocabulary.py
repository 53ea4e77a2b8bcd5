"""The words that a repair is made of: what source and target themselves are written with, and what their
platform has."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import xpiler.emulators
from xpiler.gate.compilers import host_compilers, output_of
from xpiler.platforms.bang_meaning import MEANINGS
from xpiler.platforms.cuda_names import WITH_REGULAR_TWIN, WITHOUT_TWIN
from xpiler.platforms.registry import PLATFORMS

_NUMBER = re.compile(
    r"(?<![\w.])(?:0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)([uUlLfF]*)(?![\w.])"
)
_CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
_AXES = re.compile(r"\b(threadIdx|blockIdx|blockDim|gridDim)\s*\.\s*([xyz])\b")
_TASKS = (
    "taskId",
    "taskDim",
    "clusterId",
    "clusterDim",
    "coreId",
    "coreDim",
    "taskIdX",
    "taskIdY",
    "taskIdZ",
)
# Words that stand for one another as an argument.
FAMILIES: tuple[tuple[str, ...], ...] = (
    ("cudaMemcpyHostToDevice", "cudaMemcpyDeviceToHost", "cudaMemcpyDeviceToDevice"),
    ("hipMemcpyHostToDevice", "hipMemcpyDeviceToHost", "hipMemcpyDeviceToDevice"),
    ("cnrtMemcpyHostToDev", "cnrtMemcpyDevToHost", "cnrtMemcpyDevToDev"),
    ("CNRT_MEM_TRANS_DIR_HOST2DEV", "CNRT_MEM_TRANS_DIR_DEV2HOST", "CNRT_MEM_TRANS_DIR_DEV2DEV"),
    (*("cnrtFuncTypeBlock", "cnrtFuncTypeUnion1", "cnrtFuncTypeUnion2", "cnrtFuncTypeUnion4"),),
    (
        *("GDRAM2NRAM", "NRAM2GDRAM", "GDRAM2WRAM", "NRAM2WRAM", "WRAM2NRAM", "NRAM2NRAM", "GDRAM2SRAM"),
        *("SRAM2GDRAM", "SRAM2NRAM", "NRAM2SRAM", "SRAM2WRAM", "GDRAM2GDRAM", "SRAM2SRAM"),
    ),
    tuple(f"FUSION_F{first}{second}" for first in "AMS" for second in "AMS" if first + second != "MM"),
    ("wmma::mem_row_major", "wmma::mem_col_major"),
    ("wmma::row_major", "wmma::col_major"),
    (
        *("_CMP_LT_OS", "_CMP_LE_OS", "_CMP_GT_OS", "_CMP_GE_OS", "_CMP_EQ_OQ"),
        *("_CMP_LT_OQ", "_CMP_LE_OQ", "_CMP_GT_OQ", "_CMP_GE_OQ"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Vocabulary:
    """`integers` and `floats`: literals, most used first. `axes`: builtin indices. `called`: names of
    functions called, most used first. `known`: what the platform has. `casts`: types that either text
    converts to, `own_casts` the target. `extremes`: how they say what is below and above all floats."""

    integers: tuple[str, ...]
    floats: tuple[str, ...]
    axes: tuple[str, ...]
    tasks: tuple[str, ...]
    called: tuple[str, ...]
    known: frozenset[str]
    library: frozenset[str]
    casts: frozenset[str]
    own_casts: frozenset[str]
    extremes: tuple[str, str]


def vocabulary(source: str, target: str, platform: str) -> Vocabulary:
    texts = [
        re.sub(r"//[^\n]*|/\*.*?\*/|^[ \t]*#[ \t]*include[^\n]*", " ", text, flags=re.S | re.M)
        for text in (target, source)
    ]
    integers: Counter[str] = Counter()
    floats: Counter[str] = Counter()
    called: Counter[str] = Counter()
    for text in texts:
        for match in _NUMBER.finditer(text):
            literal = match[0]
            is_hex = literal[:2].lower() == "0x"
            is_float = not is_hex and re.search(r"[.eEfF]", literal) is not None
            (floats if is_float else integers)[literal] += 1
        called.update(_CALL.findall(text))
    is_simt = PLATFORMS[platform].model == "simt"
    axes = dict.fromkeys(f"{name}.{axis}" for text in texts for name, axis in _AXES.findall(text) if is_simt)
    axes |= dict.fromkeys(("threadIdx.x", "blockIdx.x") if is_simt else ())
    bases, letters = ({axis.split(".")[part]: None for axis in axes} for part in (0, 1))
    axes |= dict.fromkeys(f"{base}.{letter}" for base in bases for letter in letters)
    tasks = tuple(t for t in _TASKS if re.search(rf"\b{t}\b", target)) if platform == "bang" else ()
    return Vocabulary(
        tuple(word for word, _ in integers.most_common(14)),
        tuple(word for word, _ in floats.most_common(8)),
        tuple(axes),
        tuple(dict.fromkeys((*tasks, *(("taskId", "taskDim") if platform == "bang" else ())))),
        tuple(word for word, _ in called.most_common(60)),
        known_names(platform),
        library(target, platform),
        frozenset().union(*map(_casts, texts)),
        _casts(texts[0]),
        _extremes(texts),
    )


_CASTS = re.compile(
    r"\(\s*((?:unsigned |signed )?\w+)\s*\)\s*[\w(]|\b(float|double|int)\s*\(|static_cast<\s*([\w ]+?)\s*>"
)


def _casts(text: str) -> frozenset[str]:
    """The types that a text converts to."""
    return frozenset(word for found in _CASTS.findall(text) for word in found if word)


def _extremes(texts: Iterable[str]) -> tuple[str, str]:
    """The target's own way to say them, or else the source's."""
    for text in texts:
        for word in ("INFINITY", "FLT_MAX"):
            if re.search(rf"\b{word}\b", text):
                return f"-{word}", word
    return "-INFINITY", "INFINITY"


_INNER = re.compile(r"\bxpemu::(\w+)")  # what the emulator alone calls


_WARPS = tuple(f"__shfl{way}{end}" for way in ("", "_up", "_down", "_xor") for end in ("", "_sync"))


@functools.cache
def known_names(platform: str) -> frozenset[str]:
    """The functions that programs of a platform may call."""
    names: set[str] = set(MEANINGS) if platform == "bang" else set()
    if PLATFORMS[platform].model == "simt":
        names |= {*WITH_REGULAR_TWIN, *WITHOUT_TWIN, *_WARPS}
    for text in _headers(platform):
        names.update(_CALL.findall(text))
        names.update(re.findall(r"#\s*define\s+(\w+)\(", text))
    if PLATFORMS[platform].model == "serial":
        return frozenset(n for n in names if n.startswith("_mm"))
    inner = () if platform == "bang" else _INNER.findall("".join(_headers(platform)))
    own = ("xpemu", "XPEMU", "_mm", "__builtin")
    return frozenset(n for n in names if not n.startswith(own) and n not in inner)


def _headers(platform: str) -> Iterable[str]:
    model = PLATFORMS[platform].model
    if model != "serial":
        folder = Path(xpiler.emulators.__file__).parent / ("bang" if model == "tasks" else "simt")
        yield from (path.read_text() for path in sorted(folder.glob("*.hpp")))
        return
    for compiler in host_compilers():
        if compiler.name == "g++":
            folder = Path(output_of([compiler.path, "-print-file-name=include"]).strip())
            for path in sorted(folder.glob("*intrin.h")):
                if path.name.startswith(
                    ("avx512", "avx2", "avx", "fma", "f16c", "emm", "smm", "tmm", "pmm", "xmm")
                ):
                    yield path.read_text(errors="replace")


# Parts of names that stand for one another, those of a line rather than others.
_GROUPS = tuple(
    frozenset(line.split())
    for line in (
        "add sub mul div",
        "max min maxequal minequal argmax argmin",
        "gt lt ge le eq ne cmpgt cmplt cmpge cmple cmpeq",
        "fmadd fmsub fnmadd fnmsub fmaddsub fmsubadd",
        "sumpool maxpool minpool avgpool",
        "loadu storeu load store",
        "epi8 epu8 epi16 epu16 epi32 epu32 ps pd",
        "unpacklo unpackhi lo hi low high",
        "dpbusd dpbusds dpwssd dpwssds dpbf16",
        "up down xor",
        "and or any all",
        "relu abs gelu sigmoid tanh",
        "exp log sqrt rsqrt recip square",
        "scalar const cycle",
        "mask maskz",
        "cvtepi8 cvtepu8 cvtepi16 cvtepu16",
    )
)


_FAR = 20  # of names that have nothing in common but their form


def _alike(one: set[str], other: set[str]) -> int:
    different = one ^ other
    if any(different <= group for group in _GROUPS):
        return 0
    if len(different) == 2 and _is_one_letter_apart(*sorted(different, key=len)):
        return 1
    return 3 if different <= frozenset().union(*_GROUPS) else _FAR


def _is_one_letter_apart(short: str, long: str) -> bool:
    """`cvtps` and `cvttps`: words that are easily taken for one another."""
    return len(long) > 4 and any(long[:i] + long[i + 1 :] == short for i in range(len(long)))


@functools.lru_cache(maxsize=1024)  # a text calls the same instructions in many places
def relatives(name: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Functions whose names differ in one part from `name`, those that the programs call first."""
    parts = name.split("_")
    found: dict[str, int] = {}
    used = set(vocabulary.called)
    for other in vocabulary.known | used:
        if other == name:
            continue
        others = other.split("_")
        distance = _parts_apart(parts, others)
        if distance is not None and (other in used or _alike(set(parts), set(others)) < _FAR):
            found[other] = (0 if other in used else 2) + distance + _alike(set(parts), set(others))
    return tuple(sorted(found, key=lambda other: (found[other], other)))


def _parts_apart(one: list[str], other: list[str]) -> int | None:
    """1: one part is another; 2: one is missing or added; None: more than that."""
    if len(one) == len(other):
        different = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
        if len(different) != 1 or len([p for p in one if p]) < 2:
            return None
        return 1
    short, long = sorted((one, other), key=len)
    if len(long) != len(short) + 1 or len([p for p in short if p]) < 2:
        return None
    return 2 if any(long[:i] + long[i + 1 :] == short for i in range(len(long))) else None


# Functions of a name in one piece, by what they are given.
_UNARY = (
    "exp",
    "log",
    "sqrt",
    "rsqrt",
    "tanh",
    "fabs",
    "exp2",
    "log2",
    "sin",
    "cos",
    "erf",
    "floor",
    "ceil",
    "rint",
)
_BINARY = ("fmax", "fmin", "max", "min", "pow", "fmod")
_ATOMIC = ("atomicAdd", "atomicMax", "atomicMin", "atomicSub", "atomicExch")


_MATHEMATICS = re.compile(r"#\s*include\s*<(?:c?math|math\.h)>")
_NOT_OF_C = ("rsqrt", "rsqrtf", "min", "max", "minf", "maxf", *_ATOMIC)


def library(text: str, platform: str) -> frozenset[str]:
    """The functions of floats that a text may call, for all that it includes."""
    every = {f"{name}{ending}" for name in (*_UNARY, *_BINARY) for ending in ("", "f")}
    if PLATFORMS[platform].model == "simt":
        return frozenset((*every, *_ATOMIC))
    if PLATFORMS[platform].model == "serial" and not _MATHEMATICS.search(text):
        return frozenset()
    return frozenset(every.difference(_NOT_OF_C))


def siblings(name: str, vocabulary: Vocabulary) -> list[str]:
    """Functions that could have been meant where `name` is called."""
    for family in (_UNARY, _BINARY):
        for ending in ("f", ""):
            stem = name[: -len(ending)] if ending else name
            if (not ending or name.endswith(ending)) and stem.lstrip("_") in family:
                prefix = name[: len(name) - len(name.lstrip("_"))]
                ordinary = [
                    f"{other}{ending}"
                    for other in family
                    if other != stem.lstrip("_") and not (ending and other in ("max", "min"))
                ]
                used = [n for n in ordinary if n in vocabulary.called]
                rest = [n for n in ordinary[:6] if n not in used]
                return used + (
                    rest if not prefix else [f"__{n}" for n in rest if f"__{n}" in vocabulary.known]
                )
    if name in _ATOMIC:
        return [other for other in _ATOMIC if other != name]
    if "_" in name.strip("_"):
        return list(relatives(name, vocabulary)[:14])
    return []
