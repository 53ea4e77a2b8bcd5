"""Runs one CUDA kernel three ways: text on the emulator, IR in the interpreter, generated C++;
and compares what they leave in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xpiler.backend.vnni import assemble, generate
from xpiler.frontend import parse
from xpiler.gate.arrays import bits, decode, storage
from xpiler.gate.contract import Argument, Contract, Launch, Role, make_case
from xpiler.gate.execute import build
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Expr, Function
from xpiler.ir.types import DType
from xpiler.passes.canonical import canonicalise

Array = npt.NDArray[Any]
Shape = tuple[int, int, int]

HEADERS = "".join(
    f"#include <{name}>\n"
    for name in (
        "cuda_runtime.h",
        "cuda_fp16.h",
        "cuda_bf16.h",
        "cuComplex.h",
        "mma.h",
        "cooperative_groups.h",
    )
)


@dataclass(frozen=True)
class Program:
    """A file with one kernel, and how it is launched."""

    text: str
    block: Shape
    grid: Shape = (1, 1, 1)
    shared_bytes: int = 0
    platform: str = "cuda"

    def kernel(self) -> Function:
        unit = parse(self.text, "cross.cu", platform=self.platform)
        assert not unit.refusals, "; ".join(str(reason) for reason in unit.refusals.values())
        (kernel,) = unit.program.kernels
        return kernel

    def contract(self, kernel: Function) -> Contract:
        arguments = tuple(
            Argument(p.name, p.dtype, p.is_pointer, _role(p.is_pointer, p.is_const)) for p in kernel.params
        )
        return Contract(kernel.name, "kernel", arguments, kernel_spelling=kernel.name)


def _role(is_pointer: bool, is_const: bool) -> Role:
    return Role.SCALAR if not is_pointer else Role.IN if is_const else Role.INOUT


def interpreted(program: Program, inputs: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays after a run of the IR."""
    kernel = program.kernel()
    arguments = {
        name: np.array(value) if isinstance(value, np.ndarray) else value for name, value in inputs.items()
    }
    result = run(kernel, arguments, program.grid, program.block, program.shared_bytes, checks=False)
    assert not result.errors, result.errors[0]
    return {p.name: arguments[p.name] for p in kernel.params if p.is_pointer and not p.is_const}


def emulated(program: Program, inputs: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays after a run of the text on the emulator."""
    return _executed(program, program.text, program.platform, inputs)


def generated(program: Program, inputs: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays after a run of the C++ with AVX-512 that is made of the kernel."""
    kernel = program.kernel()
    launch: dict[str, Expr | int] = {
        f"{kind}.{axis}": extent
        for kind, extents in (("blockDim", program.block), ("gridDim", program.grid))
        for axis, extent in zip("xyz", extents, strict=True)
    }
    canonical = canonicalise(kernel, program.block)
    text = assemble([generate(canonical.function, name=kernel.name, extern_c=True, launch=launch)])
    return _executed(program, text, "vnni", inputs)


def _executed(program: Program, text: str, platform: str, inputs: Mapping[str, Any]) -> dict[str, Array]:
    contract = program.contract(program.kernel())
    built = build(text, "cross.cu" if platform == "cuda" else "cross.cpp", platform, contract)
    assert built.ok, built.error
    arrays = {name: value for name, value in inputs.items() if isinstance(value, np.ndarray)}
    scalars = {name: value for name, value in inputs.items() if name not in arrays}
    launch = Launch(program.grid, program.block, program.shared_bytes)
    case = make_case(scalars, {name: array.size for name, array in arrays.items()}, launch)
    (result,) = built.run([case], inputs=[arrays])
    assert result.ok, result.describe()
    return result.buffers


def distance(first: Array, second: Array, dtype: DType) -> npt.NDArray[np.float64]:
    """How far apart elements are: in units of the last place of a float, else 0 or infinity.

    NaN is equal to NaN whatever its payload, and 0.0 to -0.0.
    """
    first, second = (np.asarray(a).astype(storage(dtype), copy=False) for a in (first, second))
    if not dtype.is_float:
        return np.where(first == second, 0.0, np.inf)
    patterns = [bits(array).astype(np.uint64) for array in (first, second)]
    sign = np.uint64(1 << (dtype.bits - 1))
    magnitudes = [(pattern & (sign - np.uint64(1))).astype(np.int64) for pattern in patterns]
    same_sign = (patterns[0] ^ patterns[1]) & sign == 0
    apart = np.where(
        same_sign, np.abs(magnitudes[0] - magnitudes[1]), magnitudes[0].astype(float) + magnitudes[1]
    )
    with np.errstate(invalid="ignore"):  # signalling NaNs
        is_nan = [np.isnan(decode(array, dtype)) for array in (first, second)]
    return np.where(is_nan[0] & is_nan[1], 0.0, np.where(is_nan[0] | is_nan[1], np.inf, apart))
