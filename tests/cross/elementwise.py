"""Many functions in one kernel: thread `i` applies each to element `i` of random inputs with edge values."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.cross.functions import SPELLING, Check
from tests.cross.running import HEADERS, Array, Program, distance
from xpiler.gate.arrays import decode, encode, storage
from xpiler.ir.types import BF16, BOOL, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, DType, Kind

TYPES = {t.name: t for t in (BOOL, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64)}
ELEMENTS = 1024
_BLOCK = 256
_EDGES = {
    "f16": (65504.0, 6.1e-5, 6e-8, 0.0999755859375, 11.0, -17.0),
    "bf16": (3.39e38, 1.2e-38, 1e-40, 0.1, 88.0, -104.0),
    "f32": (
        3.4e38,
        1.2e-38,
        1e-45,
        0.1,
        88.7,
        -104.0,
        16777217.0,
        2147483520.0,
        -2147483648.0,
        4294967296.0,
        1e19,
    ),
    "f64": (1.79e308, 2.3e-308, 5e-324, 0.1, 709.7, -745.0, 2147483647.5, -2147483648.5, 9.3e18, 1.9e19),
}


@dataclass(frozen=True)
class Difference:
    """One function whose two results are not the same: the worst element."""

    check: Check
    operands: tuple[object, ...]
    first: object
    second: object
    ulp: float
    count: int

    def __str__(self) -> str:
        return (
            f"{self.check.function} [{self.check.expression}] of {self.operands}: "
            f"{self.first!r} or {self.second!r} "
            f"({self.ulp:g} ulp; {self.count} of {ELEMENTS} elements)"
        )


def values(name: str) -> Array:
    """Contents of the input `x_f32`: all pairs of edge values of `x` and `y` occur, then random numbers."""
    variable, dtype = name[0], TYPES[name[2:]]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    edges = _float_edges(dtype) if dtype.is_float else _integer_edges(dtype)
    drawn = _random_floats(rng) if dtype.is_float else _random_integers(dtype, rng)
    stored = encode(drawn, dtype) if dtype.is_float else drawn.astype(storage(dtype))
    number = np.arange(edges.size**2)
    chosen = {"x": number % edges.size, "y": number // edges.size, "z": rng.permutation(number) % edges.size}[
        variable
    ]
    head = min(number.size, ELEMENTS - 128)
    stored[:head] = edges[chosen[:head]]
    return stored


def _float_edges(dtype: DType) -> Array:
    common = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 2.0, 3.0, 127.0, np.inf, -np.inf, np.nan)
    special = _EDGES[dtype.name]
    return encode(np.array([*common, *special, *(-v for v in special)]), dtype)


def _integer_edges(dtype: DType) -> Array:
    low, high = (
        (-(1 << dtype.bits - 1), (1 << dtype.bits - 1) - 1)
        if dtype.kind is Kind.INT
        else (0, (1 << dtype.bits) - 1)
    )
    chosen = [0, 1, 2, 3, 7, 31, 32, 33, 0x55, high, high - 1, low, low + 1, high // 2, high // 3]
    chosen += [-1, -2, -32] if low < 0 else [high // 2 + 1]
    return np.array(chosen, dtype=object).astype(storage(dtype))


def _random_floats(rng: np.random.Generator) -> Array:
    scale = rng.choice([0.01, 1.0, 1.0, 10.0, 1e4], ELEMENTS)
    drawn = rng.standard_normal(ELEMENTS) * scale
    return np.where(rng.random(ELEMENTS) < 0.2, np.round(drawn * 2) / 2, drawn)


def _random_integers(dtype: DType, rng: np.random.Generator) -> Array:
    raw = rng.integers(0, 1 << 63, ELEMENTS, np.uint64) << np.uint64(1) | rng.integers(
        0, 2, ELEMENTS, np.uint64
    )
    return raw >> rng.integers(0, 64, ELEMENTS).astype(np.uint64)


def program(checks: Sequence[Check]) -> Program:
    """A kernel that applies every check; results of one type lie one check after the other."""
    inputs = sorted({name for check in checks for name in check.operands})
    outputs = sorted({check.dtype for check in checks})
    parameters = [f"const {SPELLING[name[2:]]}* {name.upper()}" for name in inputs]
    parameters += [f"{SPELLING[dtype]}* out_{dtype}" for dtype in outputs]
    lines = [f"    {SPELLING[name[2:]]} {name} = {name.upper()}[i];" for name in inputs]
    for check, slot in zip(checks, _slots(checks), strict=True):
        place = f"out_{check.dtype}[{slot * ELEMENTS} + i]"
        statement = check.statement.replace("OUT", place).replace("VALUE", check.expression)
        lines.append("    " + statement.replace("SLOT", str(slot * ELEMENTS)))
    body = "\n".join(lines)
    text = (
        f"{HEADERS}__global__ void apply({', '.join(parameters)}) {{\n"
        f"    int i = blockIdx.x * blockDim.x + threadIdx.x;\n{body}\n}}\n"
    )
    return Program(text, (_BLOCK, 1, 1), (ELEMENTS // _BLOCK, 1, 1))


def _slots(checks: Iterable[Check]) -> list[int]:
    used: dict[str, int] = {}
    slots = []
    for check in checks:
        slots.append(used.get(check.dtype, 0))
        used[check.dtype] = slots[-1] + 1
    return slots


Runner = Callable[[Program, Mapping[str, Array]], dict[str, Array]]


def differences(checks: Sequence[Check], one: Runner, other: Runner, slack: float = 0) -> list[Difference]:
    """The checks for which the runners disagree by more than allowed; `slack`: more ulp for inexact ones."""
    test = program(checks)
    operands = {name: values(name) for check in checks for name in check.operands}
    inputs: dict[str, Array] = {name.upper(): operands[name] for name in sorted(operands)}
    for dtype in {check.dtype for check in checks}:
        count = sum(check.dtype == dtype for check in checks)
        inputs[f"out_{dtype}"] = encode(np.arange(count * ELEMENTS) % 5 + 1, TYPES[dtype])
    first, second = one(test, inputs), other(test, inputs)
    found = []
    for check, slot in zip(checks, _slots(checks), strict=True):
        part = slice(slot * ELEMENTS, (slot + 1) * ELEMENTS)
        name = f"out_{check.dtype}"
        a, b = first[name].reshape(-1)[part], second[name].reshape(-1)[part]
        apart = distance(a, b, TYPES[check.dtype])
        allowed = check.ulp + slack if check.ulp else 0
        with np.errstate(invalid="ignore"):
            near = np.abs(decode(a, TYPES[check.dtype]) - decode(b, TYPES[check.dtype])) < check.absolute
        if (wrong := (apart > allowed) & ~near).any():
            at = int(np.argmax(np.where(wrong, apart, -1)))
            shown = tuple(operands[operand][at].item() for operand in check.operands)
            found.append(
                Difference(check, shown, a[at].item(), b[at].item(), float(apart[at]), int(wrong.sum()))
            )
    return found
