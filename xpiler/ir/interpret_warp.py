"""What threads do together: barriers, shuffles and votes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xpiler.errors import Refusal
from xpiler.ir.interpret_atomic import atomic
from xpiler.ir.interpret_expressions import Expressions
from xpiler.ir.interpret_fragment import instruction
from xpiler.ir.interpret_mfma import matrix_instruction
from xpiler.ir.interpret_state import (
    EPOCH_MASK,
    THREAD_BITS,
    Evaluate,
    Finding,
    Lanes,
    Origin,
    Run,
    Site,
    State,
)
from xpiler.ir.nodes import Atomic, Barrier, Collective, Const, Instr, Var
from xpiler.ir.types import DType

_REDUCTIONS: dict[str, Any] = {
    "reduce_add": np.add,
    "reduce_min": np.minimum,
    "reduce_max": np.maximum,
    "reduce_and": np.bitwise_and,
    "reduce_or": np.bitwise_or,
    "reduce_xor": np.bitwise_xor,
}


def block_barrier(state: State, lanes: Lanes, site: Site) -> None:
    """All threads of a block that have not ended must be here; then everything before is ordered before the
    rest."""
    launch = state.launch
    if state.log is not None:
        state.log.barrier(state, lanes, site)
    if lanes is not None:
        block = state.of_lanes("@block", None)
        here = np.bincount(block[lanes], minlength=launch.blocks)
        living = block if state.ended is None else block[~state.ended]
        alive = np.bincount(living, minlength=launch.blocks)
        wrong = (here > 0) & (here < alive)
        if wrong.any():
            number = int(np.argmax(wrong))
            present = np.zeros(state.count, np.bool_)
            present[lanes] = True
            absent = (block == number) & ~present & (True if state.ended is None else ~state.ended)
            values = {"arrived": int(here[number]), "expected": int(alive[number])}
            message = (
                f"only {values['arrived']} of {values['expected']} threads of the block reach this barrier; "
                "the thread named here does not"
            )
            state.report(site, "barrier-divergence", int(np.argmax(absent)), message, values)
    epoch = state.clock.next_epoch()
    code = state.of_lanes("@code", None)
    passed = (code & ~(EPOCH_MASK << THREAD_BITS)) | (epoch << THREAD_BITS)
    if lanes is not None:
        passed = np.where((here > 0)[block], passed, code)
    state.vars["@code"] = passed
    if state.log is not None:
        state.log.passed(state)


class Warps:
    """Compiler of the statements that concern several threads."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions

    def atomic(self, stmt: Atomic) -> Run:
        return atomic(stmt, self.expressions)

    def instruction(self, stmt: Instr) -> Run:
        if stmt.name.startswith("mfma."):
            return matrix_instruction(stmt, self.expressions)
        return instruction(stmt, self.expressions)

    def barrier(self, stmt: Barrier, site: Site) -> Run:
        mask = self.expressions.compile(stmt.mask) if stmt.mask is not None else None

        def run(state: State, lanes: Lanes) -> Lanes:
            members = mask(state, lanes) if mask is not None else None
            if state.log is not None:
                Group(state, lanes, members, site)  # reports who is missing
            self.synchronise(state, lanes, members)
            return lanes

        return run

    def synchronise(self, state: State, lanes: Lanes, mask: Any = None) -> None:
        """Order memory among the threads of the warps that are here."""
        epochs = state.of_lanes("@warp_epoch", None)
        if state.log is not None:
            state.log.meeting(state, lanes, mask)
        if lanes is None:
            state.vars["@warp_epoch"] = epochs + np.int32(1)
            return
        warp = state.of_lanes("@slot", None) // state.launch.warp_size
        present = np.zeros(int(warp.max()) + 1, np.int32)
        present[warp[lanes]] = 1
        state.vars["@warp_epoch"] = epochs + present[warp]

    def collective(self, stmt: Collective) -> Run:
        # A lane may offer a register without a value: it matters only to whom reads it.
        offered = stmt.args[0] if stmt.kind.startswith("shfl") and isinstance(stmt.args[0], Var) else None
        args = [
            _whatever_it_holds(a, self.expressions) if a is offered else self.expressions.compile(a)
            for a in stmt.args
        ]
        mask = self.expressions.compile(stmt.mask) if stmt.mask is not None else None
        site = self.expressions.site_of(stmt)
        result_type: Any = np.dtype(self.expressions.numeric.value_type(stmt.target.dtype)).type
        operation = _operation(stmt)

        def run(state: State, lanes: Lanes) -> Lanes:
            values = [a(state, lanes) for a in args]
            missing = state.undefined.get(offered.name) if offered is not None else None
            if stmt.scope == "block":
                block_barrier(state, lanes, site)
                result = _over_block(stmt.kind, state, lanes, values[0])
            else:
                group = Group(state, lanes, mask(state, lanes) if mask is not None else None, site)
                result = operation(group, values)
                if state.log is None or not state.log.whole_warps:  # CUDA's order no memory
                    self.synchronise(state, lanes)
            target = stmt.target.name
            state.assign(target, result.astype(result_type), lanes)
            if stmt.scope == "block":
                return lanes
            strays = list(group.strays)
            if missing is not None and missing.any():
                chosen: Any = slice(None) if lanes is None else lanes
                undefined = np.zeros(state.count, np.bool_)
                undefined[chosen] = operation(group, [missing[chosen], *values[1:]])
                state.undefined[target] = undefined
                if offered is not None and offered.name in state.origins:
                    state.origins[target] = state.origins[offered.name]
            if strays:
                state.mark_missing(target, strays)
            return lanes

        return run


def _whatever_it_holds(value: Var, expressions: Expressions) -> Evaluate:
    """The value of a variable, also where it has none."""
    nothing = expressions.numeric.const(0, value.dtype)

    def read(state: State, lanes: Lanes) -> Any:
        held = state.vars.get(value.name, nothing)
        return held[lanes] if lanes is not None and isinstance(held, np.ndarray) else held

    return read


def _over_block(kind: str, state: State, lanes: Lanes, predicate: Any) -> Any:
    block = state.of_lanes("@block", lanes)
    holds = np.broadcast_to(predicate != 0, block.shape)
    count = np.bincount(block, weights=holds, minlength=state.launch.blocks)
    total = np.bincount(block, minlength=state.launch.blocks)
    match kind:
        case "syncthreads_count":
            return count[block]
        case "syncthreads_and":
            return (count == total)[block]
        case "syncthreads_or":
            return (count > 0)[block]
    raise Refusal("unsupported-collective", f"the interpreter has no {kind}")


class Group:
    """The lanes that take part in a warp operation, as rows of `size` slots a warp; `bits` of a row as
    uint64. `strays`: lanes that read from one that does not take part, each with how to say so where the
    value comes to matter."""

    def __init__(self, state: State, lanes: Lanes, mask: Any, site: Site) -> None:
        self.state, self.lanes, self.site = state, lanes, site
        self.strays: list[tuple[Any, Origin]] = []
        self.size = state.launch.warp_size
        self.total = state.launch.slots * state.launch.blocks
        self.slots = state.of_lanes("@slot", lanes)
        self.lane = self.slots % self.size
        self.warp = self.slots // self.size
        self.valid = np.zeros(self.total, np.bool_)
        self.valid[self.slots] = True
        everyone = np.uint64((1 << self.size) - 1)
        masks = everyone if mask is None else np.asarray(mask).astype(np.uint64) & everyone
        self.mask = np.broadcast_to(masks, self.slots.shape)
        if mask is not None:
            self._check_mask()
        elif state.log is not None and state.log.whole_warps:
            self._check_everyone()

    def _check_everyone(self) -> None:
        """Without a mask all lanes are meant: those of the same segment, for shuffles within segments."""
        state, node = self.state, self.site.node
        if isinstance(node, Collective) and node.kind == "activemask":
            return
        alive = np.zeros(self.total, np.bool_)
        slots = state.of_lanes("@slot", None)
        alive[slots if state.ended is None else slots[~state.ended]] = True
        shuffle = isinstance(node, Collective) and node.kind.startswith("shfl")
        width = node.args[2] if isinstance(node, Collective) and shuffle and len(node.args) > 2 else None
        segment = int(width.value) if isinstance(width, Const) and 0 < width.value < self.size else self.size
        absent: Any = (alive & ~self.valid).reshape(-1, segment).any(axis=1)
        wrong = absent[self.slots // segment]
        if wrong.any():
            row = int(np.argmax(wrong))
            first = int(self.slots[row]) // segment * segment
            missing = int(np.argmax((alive & ~self.valid)[first : first + segment])) + first
            number = int(state.numbers(self.lanes)[row])
            text = (
                f"lane {missing % self.size} of the warp does not take part, though the mask names all lanes"
            )
            state.report(self.site, "collective-mask", number, text, {"lane": missing % self.size})

    def _check_mask(self) -> None:
        state = self.state
        alive = np.zeros(self.total, np.bool_)
        slots = state.of_lanes("@slot", None)
        alive[slots if state.ended is None else slots[~state.ended]] = True
        missing = self.mask & (self.bits(alive & ~self.valid))[self.warp]
        outside = (self.mask >> self.lane.astype(np.uint64)) & np.uint64(1) == 0
        for wrong, text in (
            (missing != 0, "the mask names lane {} of the warp, which does not take part"),
            (outside, "the mask does not name the calling lane {}"),
        ):
            if wrong.any():
                row = int(np.argmax(wrong))
                lane = int(self.lane[row])
                if text.startswith("the mask names"):
                    lane = (int(missing[row]) & -int(missing[row])).bit_length() - 1
                number = int(state.numbers(self.lanes)[row])
                state.report(self.site, "collective-mask", number, text.format(lane), {"lane": lane})

    def spread(self, value: Any, fill: Any = 0) -> Any:
        """One value a slot."""
        table = np.full(self.total, fill, np.asarray(value).dtype)
        table[self.slots] = value
        return table

    def bits(self, flags: Any) -> Any:
        """One word a warp."""
        weights = np.uint64(1) << np.arange(self.size, dtype=np.uint64)
        return (flags.reshape(-1, self.size).astype(np.uint64) * weights).sum(axis=1, dtype=np.uint64)


Operation = Callable[[Group, list[Any]], Any]


def _operation(stmt: Collective) -> Operation:
    kind = stmt.kind
    match kind:
        case "shfl" | "shfl_up" | "shfl_down" | "shfl_xor":
            return lambda group, values: _shuffle(kind, group, values)
        case "all" | "any" | "ballot":
            return lambda group, values: _vote(kind, group, values[0])
        case "activemask":
            return lambda group, values: group.bits(group.valid)[group.warp]
        case "match_any":
            return lambda group, values: _match(group, values[0])
    if kind in _REDUCTIONS:
        return lambda group, values: _reduce(kind, group, values[0], stmt.args[0].dtype)
    if kind.startswith("syncthreads"):
        return lambda group, values: None
    raise Refusal("unsupported-collective", f"the interpreter has no {kind}", stmt.range)


def _shuffle(kind: str, group: Group, values: list[Any]) -> Any:
    state = group.state
    table = group.spread(values[0])
    amount = np.asarray(values[1]).astype(np.int64) & (group.size - 1)
    width = np.asarray(values[2]).astype(np.int64) if len(values) > 2 else np.int64(group.size)
    lane = group.lane.astype(np.int64)
    base = lane & ~(width - 1)
    top = base + width - 1
    match kind:
        case "shfl":
            source = base + (amount & (width - 1))
        case "shfl_up":
            source = np.where(lane - amount < base, lane, lane - amount)
        case "shfl_down":
            source = np.where(lane + amount > top, lane, lane + amount)
        case _:
            source = np.where(lane ^ amount > top, lane, lane ^ amount)
    slots = group.slots - lane + source
    absent = ~group.valid[slots]
    if absent.any():
        row = int(np.argmax(absent))
        values_of = {"lane": int(lane[row]), "source": int(source[row])}
        message = f"lane {lane[row]} reads from lane {source[row]}, which does not take part"
        numbers = state.numbers(group.lanes)
        values_of |= state.at(int(numbers[row]), group.site.loops)
        finding = Finding("shuffle-inactive", message, group.site.range, values_of, group.site.array)
        group.strays.append((numbers[absent], (group.site.node, finding)))
        slots = np.where(absent, group.slots, slots)
    return table[slots]


def _vote(kind: str, group: Group, predicate: Any) -> Any:
    true = group.bits(group.spread(np.asarray(predicate) != 0, False))[group.warp] & group.mask
    active = group.bits(group.valid)[group.warp] & group.mask
    match kind:
        case "all":
            return true == active
        case "any":
            return true != 0
    return true


def _match(group: Group, value: Any) -> Any:
    bits = np.ascontiguousarray(np.broadcast_to(value, group.slots.shape))
    table = group.spread(bits.view(f"u{bits.dtype.itemsize}")).reshape(-1, group.size)
    result = np.zeros(table.shape, np.uint64)
    valid = group.valid.reshape(table.shape)
    for lane in range(group.size):
        result[:, lane] = group.bits((table == table[:, lane : lane + 1]) & valid)
    return result.reshape(-1)[group.slots] & group.mask


def _reduce(kind: str, group: Group, value: Any, dtype: DType) -> Any:
    """Over the lanes of each mask: threads of one group give the same mask."""
    if dtype.is_float:
        raise Refusal("unsupported-collective", f"the interpreter has no {kind} of {dtype}")
    table = group.spread(np.broadcast_to(value, group.slots.shape)).reshape(-1, group.size)
    valid = group.valid.reshape(table.shape)
    operation = _REDUCTIONS[kind]
    limits = np.iinfo(table.dtype)
    start = {
        "reduce_min": limits.max,
        "reduce_max": limits.min,
        "reduce_and": -1 if limits.min < 0 else limits.max,
    }
    result = np.zeros(group.slots.shape, table.dtype)
    for mask in np.unique(group.mask):
        members = (mask >> np.arange(group.size, dtype=np.uint64)) & np.uint64(1) != 0
        reduced = operation.reduce(
            table, axis=1, where=valid & members, initial=start.get(kind, 0), dtype=table.dtype
        )
        chosen = group.mask == mask
        result[chosen] = reduced[group.warp[chosen]]
    return result
