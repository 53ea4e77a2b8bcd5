"""The launch of a kernel without host code, as the gate inferred it, in the terms of the passes."""

from __future__ import annotations

from xpiler.gate.infer_launch import LaunchFormula
from xpiler.ir.nodes import Expr


def launch_of(formula: LaunchFormula) -> tuple[dict[str, Expr | int], tuple[int, int, int]]:
    """The dimensions of an inferred launch by name, and the size of its block."""
    launch: dict[str, Expr | int] = {
        f"blockDim.{axis}": size for axis, size in zip("xyz", formula.block, strict=True)
    }
    launch |= {f"gridDim.{a}": e for a, e in zip("xyz", formula.grid, strict=True) if e is not None}
    launch["shared_bytes"] = formula.shared
    return launch, formula.block
