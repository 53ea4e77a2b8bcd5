"""AMD's matrix instructions: `mfma.<name>` on the registers of all lanes of a wave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xpiler.ir.interpret_expressions import Expressions, ReachOf
from xpiler.ir.interpret_state import Lanes, Run, State
from xpiler.ir.nodes import Instr, Ref


def matrix_instruction(stmt: Instr, expressions: Expressions) -> Run:
    """`D = C + A * B`: elements are collected from the lanes, and those of D given back to them."""
    m, k, blocks = (int(value) for _, value in stmt.attributes)
    what = _Shape(m, k, blocks, stmt.operands[1].dtype.bits == 64)
    site, numeric = expressions.site_of(stmt), expressions.numeric
    places = [expressions.place(o) for o in stmt.operands if isinstance(o, Ref)]
    target, left, right, addend = places
    dtypes = [o.dtype for o in stmt.operands]
    inputs, outputs = what.inputs(), what.outputs()

    def run(state: State, lanes: Lanes) -> Lanes:
        slots = state.of_lanes("@slot", lanes)
        lane, wave = slots % 64, slots // 64
        waves, of = np.unique(wave, return_inverse=True)
        numbers = state.numbers(lanes)
        if numbers.size < 64 * waves.size:
            missing = int(numbers[0])
            state.report(site, "warp-divergence", missing, f"not all lanes of the wave reach {stmt.name}", {})
        a = _collected(left, state, lanes, of, lane, inputs, (waves.size, what.blocks, what.m, what.k))
        b = _collected(right, state, lanes, of, lane, inputs, (waves.size, what.blocks, what.m, what.k))
        c = _collected(addend, state, lanes, of, lane, outputs, (waves.size, what.blocks, what.m, what.m))
        one, two, three = (t.reshape(-1, *t.shape[2:]) for t in (a, b.swapaxes(2, 3), c))
        result = numeric.matrix_product(one, two, three, dtypes[1], dtypes[3], dtypes[0]).reshape(c.shape)
        for e in range(outputs[0].shape[1]):
            block, row, column = (part[lane, e] for part in outputs)
            _store(target, state, lanes, e, result[of, block, row, column])
        return lanes

    return run


_Map = tuple[Any, Any, Any]  # block, row and column by lane and element


@dataclass(frozen=True)
class _Shape:
    """Of one instruction, and which lane holds which element; `wide`: of doubles, which lie otherwise."""

    m: int
    k: int
    blocks: int
    wide: bool

    def inputs(self) -> _Map:
        """Of A; of B with the column in place of the row."""
        count = self.m * self.k * self.blocks // 64
        lane, e = np.meshgrid(np.arange(64), np.arange(count), indexing="ij")
        zero = np.zeros_like(lane)
        if self.wide:
            return (zero, lane % 16, lane // 16) if self.m == 16 else (lane // 4 % 4, lane % 4, lane // 16)
        if self.blocks == 1:
            return zero, lane % self.m, count * (lane // self.m) + e
        return lane // self.m, lane % self.m, e

    def outputs(self) -> _Map:
        count = self.m * self.m * self.blocks // 64
        lane, r = np.meshgrid(np.arange(64), np.arange(count), indexing="ij")
        if self.wide:
            if self.m == 16:
                return np.zeros_like(lane), 4 * r + lane // 16, lane % 16
            return lane // 4 % 4, lane // 16, lane % 4
        if self.m == 32:
            return r // 16, 8 * (r // 4 % 4) + 4 * (lane // 32) + r % 4, lane % 32
        if self.m == 16:
            return r // 4, 4 * (lane // 16) + r % 4, lane % 16
        return lane // 4, r, lane % 4


def _collected(
    place: ReachOf, state: State, lanes: Lanes, of: Any, lane: Any, where: _Map, shape: tuple[int, ...]
) -> Any:
    tile: Any = None
    for e in range(where[0].shape[1]):
        values = np.broadcast_to(
            place.load(state, lanes, place.reach(state, lanes, _at(lane, e))), lane.shape
        )
        if tile is None:
            tile = np.zeros(shape, values.dtype)
        block, row, column = (part[lane, e] for part in where)
        tile[of, block, row, column] = values
    return tile


def _store(place: ReachOf, state: State, lanes: Lanes, e: int, values: Any) -> None:
    place.store(state, lanes, place.reach(state, lanes, _at(values, e)), values)


def _at(like: Any, e: int) -> Any:
    return np.full(like.shape, e, np.int64)
