"""The canonical serial form of a kernel: what every target starts from.

    SIMT kernel  --loop recovery-->  serial loops  --nice-making passes-->  the loops one would have written

A plain function has its loops already; the lanes of its vectors are loops over independent threads.
Recovery always applies; every later pass applies only where it shows that the meaning stays, and says so
in the log. Whoever asks for the form may have every application checked: what a pass made that does not pass
the check is not used.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from xpiler.ir.affine import forget
from xpiler.ir.nodes import Block, Expr, Function, Load, Var
from xpiler.ir.rewrite import map_expr
from xpiler.passes.aligned_threads import align_threads
from xpiler.passes.apart_rows import part_rows
from xpiler.passes.array_sinking import sink_arrays
from xpiler.passes.array_views import with_elements_as_meant
from xpiler.passes.bit_views import with_bits_as_meant
from xpiler.passes.buffer_split import split_buffers
from xpiler.passes.cache_removal import remove_caches
from xpiler.passes.carried_loads import read_carried
from xpiler.passes.chosen_places import join_places
from xpiler.passes.chunks import merge_chunks
from xpiler.passes.column_sums import sum_columns
from xpiler.passes.counting import counted_loops
from xpiler.passes.covered import without_covers
from xpiler.passes.dynamic_parts import split_dynamic
from xpiler.passes.extrema import name_extrema
from xpiler.passes.first_threads import first_threads_last
from xpiler.passes.folds import with_chained_dots, with_summed_dots
from xpiler.passes.gathered_votes import tell_votes
from xpiler.passes.guards import fold_guards
from xpiler.passes.index_fusion import fuse_indices, name_hints
from xpiler.passes.inductions import without_inductions
from xpiler.passes.invariants import hoist_invariants
from xpiler.passes.jammed_copies import separate_copies
from xpiler.passes.joined_conditions import join_conditions
from xpiler.passes.lane_masks import masked_steps, plain_masks
from xpiler.passes.lane_totals import join_lane_totals
from xpiler.passes.lane_votes import drop_votes
from xpiler.passes.late_declarations import declare_late
from xpiler.passes.loop_distribution import distribute_loops
from xpiler.passes.loop_recovery import recover_loops
from xpiler.passes.merged_peaks import split_merged_peaks
from xpiler.passes.needless_guards import drop_needless
from xpiler.passes.padded_fills import join_fills
from xpiler.passes.panel_sums import join_panels
from xpiler.passes.parallel import mark_parallel
from xpiler.passes.partial_tiles import join_tiles
from xpiler.passes.peeled_stages import join_peeled
from xpiler.passes.pipeline_removal import remove_pipelines
from xpiler.passes.powers import powers_of_two
from xpiler.passes.prefix_sums import join_prefixes
from xpiler.passes.race_aliases import restrict_racing
from xpiler.passes.reduction_merging import merge_reductions
from xpiler.passes.reductions import recover_reductions
from xpiler.passes.register_threads import spread_registers
from xpiler.passes.renewed_variables import renew_variables
from xpiler.passes.repeated_conditions import join_repeated
from xpiler.passes.reroll import reroll
from xpiler.passes.rescaled_sums import split_rescaled_sums
from xpiler.passes.rolled_fills import roll_fills
from xpiler.passes.rounded_counts import drop_rounding
from xpiler.passes.same_numbers import name_once
from xpiler.passes.serial import serial_form
from xpiler.passes.shaped_indices import shape_indices
from xpiler.passes.signed_tests import plain_numbers
from xpiler.passes.single_assignment import single_assignments
from xpiler.passes.single_elements import drop_single
from xpiler.passes.special_cases import drop_special_cases
from xpiler.passes.split_digits import split_serial_digits
from xpiler.passes.spread_tiles import spread_tiles
from xpiler.passes.staged_rows import use_rows
from xpiler.passes.strips import join_rests, merge_strips
from xpiler.passes.structured import without_continues
from xpiler.passes.sum_starts import start_sums
from xpiler.passes.sums_of_parts import join_parts
from xpiler.passes.thread_digits import split_thread_digits
from xpiler.passes.thread_fusion import fuse_threads
from xpiler.passes.thread_strips import widen_threads
from xpiler.passes.tidy import tidy
from xpiler.passes.tile_order import order_tiles
from xpiler.passes.tile_rows import go_by_rows
from xpiler.passes.tile_threads import turn_tiles
from xpiler.passes.twin_branches import merge_twins
from xpiler.passes.uniform_starts import uniform_starts
from xpiler.passes.unrolled_strips import roll_strips
from xpiler.passes.whole_parts import plain_parts
from xpiler.passes.word_pieces import take_pieces
from xpiler.passes.zeroed_arrays import with_filled_arrays


@dataclass(frozen=True)
class Step:
    """One pass: what it did, or why it did not apply."""

    name: str
    applied: bool
    reason: str = ""


@dataclass(frozen=True)
class Canonical:
    function: Function
    log: tuple[Step, ...]


Made = TypeVar("Made")


@dataclass
class _Applications:
    """What was made of the forms of one kernel, by the pass and the form: who asks for its canonical form
    again gets the very same objects."""

    kernel: Function
    made: dict[tuple[object, int], tuple[object, Any]] = field(default_factory=dict)

    def of(self, run: Callable[..., Made], form: Function, *more: object) -> Made:
        known = self.made.get((run, id(form)))
        if known is None:
            known = self.made[run, id(form)] = form, run(form, *more)
        result: Made = known[1]
        return result


@functools.lru_cache(maxsize=4)  # kernels; a search for sizes asks for what the route asks for again
def _applications(kernel: Function, body: int, *sizes: object) -> _Applications:
    """Of a kernel whose body is the object of this identity: forms name places of the text."""
    return _Applications(kernel)


def _loops(kernel: Function, *sizes: Any) -> Function:
    """The kernel as loops, before any other pass."""
    if kernel.is_serial:
        return without_inductions(counted_loops(with_filled_arrays(serial_form(kernel))))
    between = renew_variables(declare_late(uniform_starts(with_bits_as_meant(with_filled_arrays(kernel)))))
    recovered = recover_loops(without_inductions(counted_loops(between)), *sizes)
    return restrict_racing(_of_single_elements(recovered))


Check = Callable[[Function, Function, str], str]  # before, after, pass name: why not, "" if they are equal


def canonicalise(
    kernel: Function,
    block_size: tuple[int | None, ...] | None = None,
    grid_size: tuple[int | None, ...] = (None, None, None),
    check: Check | None = None,
    shared_bytes: int | None = None,
) -> Canonical:
    """The kernel as a serial function. `check` is asked about every application of a pass: what it has
    something against is not used, but for loop recovery, without which there is no serial function."""
    forget()
    sizes = block_size, grid_size, shared_bytes
    known = _applications(kernel, id(kernel.body), *sizes)
    applied = known.of
    function = applied(_loops, known.kernel, *sizes)
    hints = applied(name_hints, function)
    recovered = check(kernel, function, "loop recovery") if check is not None and not kernel.is_serial else ""
    log = [Step("loop recovery", not kernel.is_serial, recovered)]

    def settle(name: str, before: Function, after: Function, reason: str = "") -> Function:
        """What is used of an application: its result, unless the check has something against it."""
        wrong = check(before, after, name) if check is not None and after is not before else ""
        log.append(Step(name, after is not before and not wrong, wrong or reason))
        return before if wrong else after

    settled: dict[object, Function] = {}  # by pass: where it found nothing to do
    for name, run in (*(TILES if kernel.tasks else ()), *PASSES):
        if settled.get(run) == function:
            log.append(Step(name, False))
            continue
        try:
            changed = applied(run, function, *((hints,) if run is fuse_indices else ()))
        except (RecursionError, ValueError, KeyError, IndexError, AssertionError) as error:
            log.append(Step(name, False, f"internal error: {type(error).__name__}: {error}"))
            continue
        if changed is function:
            settled[run] = function
        function = settle(name, function, changed)
    marked = applied(mark_parallel, function)
    function = settle("parallel loops", function, marked.function, "; ".join(marked.reasons))
    function = settle("rows that are apart", function, applied(part_rows, function))
    function = settle("starts of sums", function, applied(start_sums, function))
    function = settle("digits of loops", function, applied(split_serial_digits, function))
    function = settle("rerolling", function, applied(reroll, function))
    joined = settle("joining of rests", function, applied(join_rests, function))
    if joined is not function:  # what was a chunk and its rest may be a chunk of more
        joined = settle("chunks", joined, applied(merge_chunks, joined))
        function = applied(mark_parallel, joined).function
    return Canonical(function, tuple(log))


def _of_single_elements(function: Function) -> Function:
    """That an address is a multiple of 16 was asked of the source's wide accesses, not of their elements."""

    def plain(expr: Expr) -> Expr:
        return replace(expr, alignment=0) if isinstance(expr, Load) and expr.alignment else expr

    def place(target: Var | Load) -> Var | Load:
        return replace(target, alignment=0) if isinstance(target, Load) and target.alignment else target

    body = map_expr(function.body, plain, place)
    assert isinstance(body, Block)
    return replace(function, body=body)


def _counted_in_threads(function: Function) -> Function:
    """Of plain functions they are counted from the start."""
    return function if function.is_serial else counted_loops(function)


def _moving_in_threads(function: Function) -> Function:
    return function if function.is_serial else without_inductions(function)


def _with_plain_masks(function: Function) -> Function:
    return plain_masks(function) if function.is_serial else function


def _with_plain_extrema(function: Function) -> Function:
    """As loops of plain functions have them for ends."""
    return name_extrema(function) if function.is_serial else function


def _without_votes(function: Function) -> Function:
    """Masks are what plain functions ask of lanes."""
    return drop_votes(function) if function.is_serial else function


# What the tiles of a scratchpad ask for first, see `platforms/bang_tasks.py`.
TILES: tuple[tuple[str, Callable[[Function], Function]], ...] = (
    ("peeled stages", join_peeled),
    ("invariants", hoist_invariants),
    ("tidy", tidy),
    ("extrema", name_extrema),
    ("pipeline removal", remove_pipelines),
    ("repeated conditions", join_repeated),
    ("buffer splitting", split_buffers),
    ("tidy", tidy),
    ("same numbers", name_once),
    ("rounded counts", drop_rounding),
    ("rows of tiles", go_by_rows),
    ("alignment of threads", align_threads),
    ("thread fusion", fuse_threads),
    ("rounded counts", drop_rounding),
    ("thread fusion", fuse_threads),
    ("array sinking", sink_arrays),
    ("buffer splitting", split_buffers),
    ("array sinking", sink_arrays),
    ("thread fusion", fuse_threads),
    ("tidy", tidy),
    ("needless guards", drop_needless),
)


PASSES: tuple[tuple[str, Callable[[Function], Function]], ...] = (
    ("twin branches", merge_twins),
    ("lane votes", _without_votes),
    ("structured control flow", without_continues),
    ("single assignment", single_assignments),
    ("invariants", hoist_invariants),
    ("tidy", tidy),
    ("single elements", drop_single),
    ("joined conditions", join_conditions),
    ("covers", without_covers),
    ("counted loops", _counted_in_threads),
    ("moving places", _moving_in_threads),
    ("carried loads", read_carried),
    ("whole parts", plain_parts),
    ("masked steps", masked_steps),
    ("strips of threads", widen_threads),
    ("parts of dynamic memory", split_dynamic),
    ("fills part by part", join_fills),
    ("fills of tiles", roll_fills),
    ("shaped indices", shape_indices),
    ("pieces of words", take_pieces),
    ("elements as meant", with_elements_as_meant),
    ("cache removal", remove_caches),
    ("chosen places", join_places),
    ("threads of tiles", turn_tiles),
    ("elements as meant", with_elements_as_meant),
    ("totals of lanes", join_lane_totals),
    ("reductions", recover_reductions),
    ("prefix sums", join_prefixes),
    ("merged peaks", split_merged_peaks),
    ("tidy", tidy),
    ("rescaled sums", split_rescaled_sums),
    ("tidy", tidy),
    ("cache removal", remove_caches),
    ("sums of packed products", with_summed_dots),
    ("gathered votes", tell_votes),
    ("totals of lanes", join_lane_totals),
    ("merging of reductions", merge_reductions),
    ("sums of columns", sum_columns),
    ("sums of parts", join_parts),
    ("tidy", tidy),
    ("rescaled sums", split_rescaled_sums),
    ("merging of reductions", merge_reductions),
    ("tidy", tidy),
    ("buffer splitting", split_buffers),
    ("copies in step", separate_copies),
    ("digits of threads", split_thread_digits),
    ("thread fusion", fuse_threads),
    ("registers as threads", spread_registers),
    ("masks", _with_plain_masks),
    ("extrema", _with_plain_extrema),
    ("tidy", tidy),
    ("fills part by part", join_fills),
    ("cache removal", remove_caches),
    ("staged rows", use_rows),
    ("register tiles", spread_tiles),
    ("tidy", tidy),
    ("unrolled strips", roll_strips),
    ("special cases", drop_special_cases),
    ("sums of parts", join_parts),
    ("strips", merge_strips),
    ("first threads", first_threads_last),
    ("invariants", hoist_invariants),
    ("index fusion", fuse_indices),
    ("partial tiles", join_tiles),
    ("numbers", plain_numbers),
    ("invariants", hoist_invariants),
    ("merging of reductions", merge_reductions),
    ("tidy", tidy),
    ("index fusion", fuse_indices),
    ("guards", fold_guards),
    ("loop distribution", distribute_loops),
    ("order of tiles", order_tiles),
    ("index fusion", fuse_indices),
    ("guards", fold_guards),
    ("numbers", plain_numbers),
    ("tidy", tidy),
    ("order of tiles", order_tiles),
    ("strips", merge_strips),
    ("order of tiles", order_tiles),
    ("strips", merge_strips),
    ("sums over panels", join_panels),
    ("order of tiles", order_tiles),
    ("strips", merge_strips),
    ("chunks", merge_chunks),
    ("powers of two", powers_of_two),
    ("chained packed products", with_chained_dots),
    ("tidy", tidy),
)
