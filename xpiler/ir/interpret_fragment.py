"""Matrix fragments: `wmma.fill_fragment`, `load_matrix_sync`, `store_matrix_sync`, `mma_sync`, once a warp.

A fragment is an array of shape (..., rows, columns) in FRAGMENT space. Element (r, c) of a tile in memory
lies at `r*ldm + c` in row-major and at `c*ldm + r` in column-major layout, for all three uses.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xpiler.errors import Refusal
from xpiler.ir.interpret_expressions import Expressions, ReachOf
from xpiler.ir.interpret_native import Native
from xpiler.ir.interpret_state import Lanes, Run, State
from xpiler.ir.nodes import Expr, Instr, Ref
from xpiler.ir.types import DType, Kind


def instruction(stmt: Instr, expressions: Expressions) -> Run:
    operation = stmt.name.removeprefix("wmma.").removesuffix("_sync")
    site = expressions.site_of(stmt)
    column_major = dict(stmt.attributes).get("layout", "row_major").endswith("col_major")

    def place(index: int) -> ReachOf:
        operand = stmt.operands[index]
        if not isinstance(operand, Ref):
            raise Refusal(
                "instruction-operand", f"operand {index} of {stmt.name} is not an array", stmt.range
            )
        return expressions.place(operand)

    match operation:
        case "fill_fragment" | "fill":
            step = _fill(place(0), stmt.operands[1], expressions)
        case "load_matrix":
            step = _copy(place(0), place(1), 0, stmt.operands[2], column_major, expressions)
        case "store_matrix":
            step = _copy(place(0), place(1), 1, stmt.operands[2], column_major, expressions)
        case "mma":
            places = [place(i) for i in range(4)]
            saturate = dict(stmt.attributes).get("satf", "false") == "true"
            step = _multiply(places, [o.dtype for o in stmt.operands], saturate, expressions.numeric)
        case _:
            raise Refusal("unsupported-instruction", f"the interpreter has no {stmt.name}", stmt.range)

    def run(state: State, lanes: Lanes) -> Lanes:
        warp = state.of_lanes("@slot", lanes) // state.launch.warp_size
        first = np.flatnonzero(np.r_[True, warp[1:] != warp[:-1]])
        present = np.diff(np.r_[first, warp.size])
        whole = np.bincount(state.of_lanes("@slot", None) // state.launch.warp_size)
        partial = present < whole[warp[first]]
        numbers = state.numbers(lanes)
        if partial.any():
            lane = int(numbers[first[int(np.argmax(partial))]])
            state.report(site, "warp-divergence", lane, f"not all threads of the warp reach {stmt.name}", {})
        step(state, numbers[first])
        return lanes

    return run


def _tile(place: ReachOf, state: State) -> tuple[int, int]:
    memory = state.memories[place.site.array]
    return memory.shape[-2], memory.shape[-1]


def _fill(fragment: ReachOf, value: Expr, expressions: Expressions) -> Any:
    evaluate = expressions.compile(value)
    change = expressions.numeric.cast(value.dtype, fragment.dtype)

    def step(state: State, warps: Any) -> None:
        rows, columns = _tile(fragment, state)
        content = np.broadcast_to(change(evaluate(state, warps)), (warps.size,))
        _write(fragment, state, warps, np.arange(rows * columns), np.repeat(content, rows * columns))

    return step


def _copy(
    target: ReachOf, source: ReachOf, fragment: int, ldm: Expr, column_major: bool, expressions: Expressions
) -> Any:
    """Between a fragment (operand 0 or 1) and memory."""
    distance = expressions.compile(ldm)
    change = expressions.numeric.cast(source.dtype, target.dtype)

    matrix = (source, target)[fragment]

    def step(state: State, warps: Any) -> None:
        rows, columns = _tile((target, source)[fragment], state)
        row, column = np.divmod(np.arange(rows * columns), columns)
        pitch = np.broadcast_to(distance(state, warps), (warps.size,)).astype(np.int64)[:, None]
        memory = (column * pitch + row) if column_major else (row * pitch + column)
        _check_alignment(matrix, state, warps, pitch[:, 0])
        inside = np.arange(rows * columns)
        offsets = (inside, memory) if fragment == 0 else (memory, inside)
        _write(target, state, warps, offsets[0], change(_read(source, state, warps, offsets[1])))

    return step


def _check_alignment(matrix: ReachOf, state: State, warps: Any, pitch: Any) -> None:
    """The pointer has to be a multiple of 32 bytes (16 do in practice), the distance of rows or columns of
    16."""
    index = np.broadcast_to(matrix.flat(state, warps, state.memories[matrix.site.array]), (warps.size,))
    start, distance = index.astype(np.int64) * matrix.dtype.bytes, pitch * matrix.dtype.bytes
    for wrong, message, severity in (
        (start % 16 != 0, "the tile does not begin at a multiple of 16 bytes", "error"),
        (distance % 16 != 0, "the leading dimension is no multiple of 16 bytes", "error"),
        (start % 32 != 0, "the tile does not begin at a multiple of 32 bytes", "warning"),
    ):
        if wrong.any():
            row = int(np.argmax(wrong))
            values = {"index": int(index[row]), "ldm": int(pitch[row])}
            state.report(matrix.site, "misaligned-fragment", int(warps[row]), message, values, severity)


def _read(place: ReachOf, state: State, warps: Any, offset: Any) -> Any:
    lanes, offsets = _each(warps, offset)
    return place.load(state, lanes, place.reach(state, lanes, offsets))


def _write(place: ReachOf, state: State, warps: Any, offset: Any, value: Any) -> None:
    lanes, offsets = _each(warps, offset)
    place.store(state, lanes, place.reach(state, lanes, offsets), value)


def _each(warps: Any, offset: Any) -> tuple[Any, Any]:
    """The warp's first lane, once for each element of its tile."""
    count = offset.shape[-1]
    return np.repeat(warps, count), np.broadcast_to(offset, (warps.size, count)).reshape(-1)


def _multiply(places: list[ReachOf], dtypes: list[DType], saturate: bool, numeric: Native) -> Any:
    target, left, right, addend = places

    def step(state: State, warps: Any) -> None:
        tiles = []
        for place in (left, right, addend):
            rows, columns = _tile(place, state)
            values = _read(place, state, warps, np.arange(rows * columns))
            tiles.append(values.reshape(warps.size, rows, columns))
        result = numeric.matrix_product(tiles[0], tiles[1], tiles[2], dtypes[1], dtypes[3], dtypes[0])
        if saturate and dtypes[0].kind is Kind.INT:
            wide = tiles[0].astype(np.int64) @ tiles[1].astype(np.int64) + tiles[2].astype(np.int64)
            result = np.clip(wide, -(2**31), 2**31 - 1).astype(np.int32)
        rows, columns = result.shape[1:]
        _write(target, state, warps, np.arange(rows * columns), result.reshape(-1))

    return step
