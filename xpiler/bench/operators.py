"""The operators of the benchmark, read from `snippets/operators.toml`: entry, arguments, shapes.

    [gemv]
    signature = "gemv(const float *A, const float *x, float *y, int rows, int cols)"
    arrays = { A = ["rows", "cols"], x = ["cols"], y = ["rows"] }
    shapes = [{ network = "BERT: classifier", rows = 3, cols = 768 }]

An operator's snippet for a platform is `snippets/<platform>/<operator>.<extension>`. In a checkout the folder
lies beside the package; an installed package has it under the prefix of its environment.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from xpiler.files import data_folder
from xpiler.gate.contract import Argument, Case, Contract, Role, Values, make_case
from xpiler.gate.overrides import Extent, Overrides, evaluate
from xpiler.ir.types import BY_NAME, DType
from xpiler.platforms.registry import PLATFORMS

_PARAMETER = re.compile(r"(const\s+)?(\w+)\s*(\*?)\s*(\w+)$")
_C_TYPES = {"float": "f32", "int": "i32", "half": "f16", "int8_t": "i8", "uint8_t": "u8"}


@dataclass(frozen=True)
class Operator:
    """One operator. `arrays` are the extents of its pointer arguments, `derived` names for longer ones;
    `large` are shapes at the size that networks have, to measure speed at."""

    name: str
    entry: str
    arguments: tuple[Argument, ...]
    arrays: tuple[tuple[str, tuple[Extent, ...]], ...]
    derived: tuple[tuple[str, Extent], ...]
    values: tuple[tuple[str, Values], ...]
    shapes: tuple[Shape, ...]
    large: tuple[Shape, ...] = ()

    def extents(self, shape: Shape) -> dict[str, tuple[int, ...]]:
        """The extents of every array in this shape."""
        known = dict(shape.sizes)
        for name, formula in self.derived:
            known[name] = evaluate(formula, known, name)
        return {name: tuple(evaluate(e, known, name) for e in extents) for name, extents in self.arrays}

    def case(self, shape: Shape, seed: int = 0) -> Case:
        """The shape with random data."""
        extents = self.extents(shape)
        counts = {name: prod(extent) for name, extent in extents.items()}
        return make_case(dict(shape.sizes), counts, shapes=extents, values=dict(self.values), seed=seed)

    def contract(self) -> Contract:
        """How the entry is called, as the file of operators says it."""
        return Contract(self.entry, "host", self.arguments)

    def overrides(self, shapes: Sequence[Shape]) -> Overrides:
        """What is stated to a translation: the sizes of all shapes, and what the contents of arrays mean."""
        names = [argument.name for argument in self.arguments if not argument.is_pointer]
        args = tuple((name, tuple(shape.size(name) for shape in shapes)) for name in names)
        return Overrides(entry=self.entry, args=args, values=self.values)


@dataclass(frozen=True)
class Shape:
    """One set of sizes, and the network that it was taken from."""

    network: str
    sizes: tuple[tuple[str, int], ...]

    def size(self, name: str) -> int:
        return dict(self.sizes)[name]

    def describe(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.sizes)


def snippets_folder() -> Path:
    """The folder of snippets. Raises Refusal if there is none."""
    return data_folder("snippets")


def load_operators(folder: Path | None = None) -> dict[str, Operator]:
    """All operators, in the order of the file."""
    text = ((folder or snippets_folder()) / "operators.toml").read_text(encoding="utf-8")
    return {name: _operator(name, table) for name, table in tomllib.loads(text).items()}


def snippet(operator: str, platform: str, folder: Path | None = None) -> Path:
    """The operator's text in the language of `platform`."""
    return (folder or snippets_folder()) / platform / f"{operator}{PLATFORMS[platform].extension}"


def _operator(name: str, table: Mapping[str, Any]) -> Operator:
    entry, _, parameters = table["signature"].rstrip(")").partition("(")
    arguments = tuple(_argument(text.strip()) for text in parameters.split(","))
    scalars = [argument.name for argument in arguments if not argument.is_pointer]
    return Operator(
        name,
        entry,
        arguments,
        tuple((array, tuple(extents)) for array, extents in table["arrays"].items()),
        tuple(table.get("derived", {}).items()),
        tuple((array, Values(**value)) for array, value in table.get("values", {}).items()),
        _shapes(table["shapes"], scalars),
        _shapes(table.get("large", ()), scalars),
    )


def _shapes(tables: Sequence[Mapping[str, Any]], scalars: Sequence[str]) -> tuple[Shape, ...]:
    return tuple(Shape(s["network"], tuple((name, s[name]) for name in scalars)) for s in tables)


def _argument(text: str) -> Argument:
    match = _PARAMETER.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no parameter")
    const, spelling, star, name = match.groups()
    role = Role.SCALAR if not star else Role.IN if const else Role.OUT
    return Argument(name, _dtype(spelling), bool(star), role)


def _dtype(spelling: str) -> DType:
    return BY_NAME[_C_TYPES[spelling]]
