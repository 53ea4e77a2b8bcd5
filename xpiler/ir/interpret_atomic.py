"""Atomic operations: serialised in the order of the lanes, so that a run can be repeated."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from xpiler.errors import Refusal
from xpiler.ir.interpret_checks import locate, note_atomic
from xpiler.ir.interpret_expressions import Expressions, in_bounds, watched
from xpiler.ir.interpret_log import AccessKind
from xpiler.ir.interpret_native import Native
from xpiler.ir.interpret_state import Lanes, Run, State
from xpiler.ir.nodes import Atomic
from xpiler.ir.types import DType

Update = Callable[..., Any]

_UFUNCS: dict[str, Any] = {
    "add": np.add,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}


def atomic(stmt: Atomic, expressions: Expressions) -> Run:
    """`target = place; place = op(place, args)`, one lane after the other."""
    numeric = expressions.numeric
    place = expressions.place(stmt.place)
    dtype = stmt.place.dtype
    args = [expressions.compile(a) for a in stmt.args]
    update = _update(stmt.op, dtype, numeric)
    direct = _UFUNCS.get(stmt.op) if _is_plain(dtype, numeric) and stmt.target is None else None
    if direct is not None and dtype.is_float and stmt.op in ("min", "max"):
        direct = np.fmin if stmt.op == "min" else np.fmax

    def run(state: State, lanes: Lanes) -> Lanes:
        values = [np.broadcast_to(a(state, lanes), (state.size(lanes),)) for a in args]
        reached = place.reach(state, lanes)
        kept, address = in_bounds(state, lanes, reached)
        if reached.valid is not None:
            values = [v[reached.valid] for v in values]
        memory = reached.memory
        if memory.parts is not None:
            raise Refusal("field-conversion", f"{place.site.array} holds several types", place.site.range)
        count = state.size(kept)
        if count:
            if state.checks and watched(memory, state):
                note_atomic(locate(state, memory, kept, address, place.width, place.site))
            data: Any = memory.view(numeric.storage_type(dtype))
            if state.log is not None:
                state.log.access(
                    state,
                    memory,
                    kept,
                    address,
                    place.width,
                    place.site,
                    AccessKind.ATOMIC,
                    of_block=stmt.of_block,
                )
            where = np.broadcast_to(address % data.size if memory.wrap else address, (count,))
            if direct is not None:
                direct.at(data, where, values[0])
            else:
                old = _serialised(data, where, values, update, numeric, dtype)
                if state.log is not None and stmt.op in ("cas", "exch"):
                    old = state.log.lock(
                        state, stmt, memory, kept, np.broadcast_to(address, (count,)), values, old
                    )
                if stmt.target is not None:
                    state.assign(stmt.target.name, old, kept)
        return lanes

    return run


def _is_plain(dtype: DType, numeric: Native) -> bool:
    """Whether NumPy's own operation on the elements in memory is the right one."""
    return numeric.loaded(dtype) is None and np.dtype(numeric.storage_type(dtype)).kind == (
        "f" if dtype.is_float else np.dtype(numeric.storage_type(dtype)).kind
    )


def _serialised(
    data: Any, address: Any, values: list[Any], update: Update, numeric: Native, dtype: DType
) -> Any:
    """Old values. In round r the r-th access of each element takes place; all those are of different
    elements."""
    loaded, stored = numeric.loaded(dtype), numeric.stored(dtype)
    old = np.zeros(address.size, numeric.value_type(dtype))
    for chosen in _rounds(address):
        where = address[chosen]
        before = data[where]
        before = loaded(before) if loaded is not None else before
        after = update(before, *(v[chosen] for v in values))
        data[where] = stored(after) if stored is not None else after
        old[chosen] = before
    return old


def _rounds(address: Any) -> list[Any]:
    order = np.argsort(address, kind="stable")
    ordered = address[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, ordered.size])
    rank = np.arange(ordered.size) - np.repeat(starts, lengths)
    by_rank = np.argsort(rank, kind="stable")
    limits = np.searchsorted(rank[by_rank], np.arange(int(rank.max()) + 2))
    return [order[by_rank[a:b]] for a, b in pairwise(limits)]


def _update(op: str, dtype: DType, numeric: Native) -> Update:
    match op:
        case "add" | "sub":
            return numeric.binary("+" if op == "add" else "-", dtype)
        case "min" | "max":
            return numeric.reduction(op, dtype)
        case "and" | "or" | "xor":
            return numeric.binary({"and": "&", "or": "|", "xor": "^"}[op], dtype)
        case "exch":
            return lambda old, value: value
        case "cas":
            return lambda old, expected, value: np.where(old == expected, value, old)
        case "inc":
            return lambda old, limit: np.where(old >= limit, np.zeros_like(old), old + old.dtype.type(1))
        case "dec":
            return lambda old, limit: np.where((old == 0) | (old > limit), limit, old - old.dtype.type(1))
    raise Refusal("unsupported-atomic", f"the interpreter has no atomic {op}")
