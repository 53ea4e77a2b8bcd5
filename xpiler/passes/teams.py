"""The teams of a launch in numbers: how a thread is addressed within its warp, its block and the grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xpiler.ir.build import add, cast, const, div, is_const, minimum, mod, mul, sub, var
from xpiler.ir.nodes import Cast, Const, Expr, Var
from xpiler.ir.types import I32, U32

AXES = ("z", "y", "x")  # slowest first, as arrays are laid out


@dataclass(frozen=True)
class Launch:
    """Dimensions of a launch: constants where known, variables (`blockDim.x`, `gridDim.x`, dtype i32)
    where not."""

    block: Mapping[str, Expr]
    grid: Mapping[str, Expr]
    warp: int = 32  # lanes of a warp

    @property
    def threads(self) -> Expr:
        """Threads of one block."""
        return mul(mul(self.block["x"], self.block["y"]), self.block["z"])

    @property
    def warps(self) -> Expr:
        return div(add(self.threads, self.warp - 1), self.warp)

    @property
    def whole_warps(self) -> bool:
        """Whether every warp is known to have all its lanes."""
        return isinstance(self.threads, Const) and int(self.threads.value) % self.warp == 0

    def flat_thread(self) -> Expr:
        """Index of a thread in its block, x fastest."""
        index: Expr = const(0)
        for axis in AXES:
            index = add(mul(index, self.block[axis]), thread(axis))
        return index

    def lanes(self, warp: Expr) -> Expr:
        """Number of lanes of a warp: the last one may be partial."""
        if self.whole_warps:
            return const(self.warp)
        return minimum(self.warp, sub(self.threads, mul(warp, self.warp)))

    def thread_of(self, warp: Expr, lane: Expr) -> dict[str, Expr]:
        """`threadIdx.*` (u32) of a lane of a warp."""
        return {f"threadIdx.{a}": cast(e, U32) for a, e in self._digits(warp, lane).items()}

    def _digits(self, warp: Expr, lane: Expr) -> dict[str, Expr]:
        """The digits of `warp * 32 + lane` in the mixed radix of the block: exact where 32 and
        blockDim.x divide."""
        size = self.warp
        bx, by, bz = (self.block[a] for a in "xyz")
        if is_const(by, 1) and is_const(bz, 1):
            return {"x": add(mul(warp, size), lane), "y": const(0), "z": const(0)}
        x: Expr
        if isinstance(bx, Const) and int(bx.value) % size == 0:
            per_row = int(bx.value) // size
            x = add(mul(mod(warp, per_row), size), lane)
            row = div(warp, per_row)
        elif isinstance(bx, Const) and size % int(bx.value) == 0:
            x = mod(lane, bx)
            row = add(mul(warp, size // int(bx.value)), div(lane, bx))
        else:
            flat = add(mul(warp, size), lane)
            x, row = mod(flat, bx), div(flat, bx)
        if is_const(bz, 1):
            return {"x": x, "y": row, "z": const(0)}
        return {"x": x, "y": mod(row, by), "z": div(row, by)}


def launch(
    block_size: tuple[int | None, ...], grid_size: tuple[int | None, ...] = (), warp: int = 32
) -> Launch:
    return Launch(_dimensions("blockDim", block_size), _dimensions("gridDim", grid_size), warp)


def _dimensions(name: str, sizes: tuple[int | None, ...]) -> dict[str, Expr]:
    padded = (*sizes, *(None,) * 3)[:3]
    return {a: var(f"{name}.{a}", I32) if n is None else const(n) for a, n in zip("xyz", padded, strict=True)}


def thread(axis: str) -> Expr:
    """`threadIdx` as an int."""
    return Cast(I32, Var(U32, f"threadIdx.{axis}"))


def block(axis: str) -> Expr:
    return Cast(I32, Var(U32, f"blockIdx.{axis}"))


THREAD_NAMES = frozenset(f"threadIdx.{a}" for a in "xyz")
BLOCK_NAMES = frozenset(f"blockIdx.{a}" for a in "xyz")
