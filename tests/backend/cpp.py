"""Builds generated C++ into a shared library once and calls its functions on NumPy arrays.

A processor without what a text uses of AVX-512 runs it through the emulator's header, as the gate does.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import xpiler
from xpiler.backend.vnni import CppFunction, assemble
from xpiler.gate.avx512 import VNNI_FLAGS, missing_parts
from xpiler.ir.build import as_expr
from xpiler.ir.nodes import Block, For, Function, LoopKind, Param, Stmt
from xpiler.ir.types import I32, DType

COMMON = (
    "-std=c++17 -O1 -fPIC -shared -mfma "
    "-ffp-contract=off -Wall -Wno-unused-function -Wno-unused-variable -Werror=return-type"
).split()

EMULATOR = Path(xpiler.__file__).parent / "emulators" / "avx512"

NUMPY = {
    "bool": np.bool_, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64, "u8": np.uint8,
    "u16": np.uint16, "u32": np.uint32, "u64": np.uint64, "f16": np.float16, "bf16": np.uint16,
    "f32": np.float32, "f64": np.float64,
}  # fmt: skip


class Library:
    """Functions by name; arguments are arrays (passed as pointers) and NumPy scalars."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))

    def call(self, name: str, *arguments: object) -> None:
        values: list[object] = []
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                values.append(argument.ctypes.data_as(ctypes.c_void_p))
            else:
                values.append(np.ctypeslib.as_ctypes_type(np.asarray(argument).dtype)(argument))  # type: ignore[arg-type]
        getattr(self._library, name)(*values)


def flags_for(text: str) -> list[str]:
    """The compiler's flags for a text that is to run here."""
    return [*COMMON, "-I", str(EMULATOR)] if missing_parts(text) else [*COMMON, *VNNI_FLAGS]


def build(functions: Iterable[CppFunction] | str, folder: Path, name: str, compiler: str = "g++") -> Library:
    """Compiles functions (or a text) to a shared library."""
    text = functions if isinstance(functions, str) else assemble(functions)
    source, library = folder / f"{name}.cpp", folder / f"{name}.so"
    source.write_text(text)
    openmp = ["-fopenmp"] if compiler == "g++" else []  # clang's OpenMP library is not always there
    done = subprocess.run(
        [compiler, *flags_for(text), *openmp, str(source), "-o", str(library)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[:3000]
    return Library(library)


def pointer(name: str, dtype: DType, const: bool = False) -> Param:
    return Param(name, dtype, True, const)


def scalar(name: str, dtype: DType = I32) -> Param:
    return Param(name, dtype, False)


def threads(var: str, stop: object, *body: Stmt) -> For:
    """A loop over the threads of a block."""
    return For(var, I32, as_expr(0), as_expr(stop), as_expr(1), Block(body), LoopKind.THREADS)  # type: ignore[arg-type]


def lanes(var: str, stop: object, *body: Stmt) -> For:
    """A loop that is to run in the lanes of a register, whatever a pass would choose."""
    return For(var, I32, as_expr(0), as_expr(stop), as_expr(1), Block(body), LoopKind.VECTOR)  # type: ignore[arg-type]


def serial(var: str, start: object, stop: object, *body: Stmt) -> For:
    return For(var, I32, as_expr(start), as_expr(stop), as_expr(1), Block(body))  # type: ignore[arg-type]


def function(name: str, params: tuple[Param, ...], *body: Stmt) -> Function:
    return Function(name, params, Block(body))
