"""How a serial function is laid out on an MLU: explicit reductions, vector loops, tasks, scratchpad tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from xpiler.ir.build import binary, eq
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Block,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    LoopKind,
    Stmt,
)
from xpiler.ir.rewrite import free_vars, map_body, map_expr, walk
from xpiler.ir.types import BOOL
from xpiler.passes.apart_lanes import with_apart_lanes
from xpiler.passes.arg_extremes import mark_searches, with_best_values
from xpiler.passes.arranged_products import arrange_products
from xpiler.passes.byte_products import spread_bytes
from xpiler.passes.common_sizes import name_sizes
from xpiler.passes.contraction import contract, match
from xpiler.passes.exact_sums import sum_exactly
from xpiler.passes.folds import with_reductions
from xpiler.passes.guards import fold_guards
from xpiler.passes.index_fusion import fuse_indices
from xpiler.passes.joint_products import separate_products
from xpiler.passes.lane_arrays import lane_arrays
from xpiler.passes.promote_arrays import Promoted, promote_arrays
from xpiler.passes.reroll import reroll
from xpiler.passes.resident_tables import resident_tables
from xpiler.passes.signed_tests import signed_tests
from xpiler.passes.split_digits import split_digits
from xpiler.passes.stride_phases import with_phases
from xpiler.passes.strided_sums import interchange_sums
from xpiler.passes.task_split import split_over_tasks
from xpiler.passes.tidy import tidy
from xpiler.passes.tile_scratchpad import tile_vectors
from xpiler.passes.transposition import transpose_tiles, turns
from xpiler.passes.vectorize import vectorize
from xpiler.passes.window_nests import match_windows
from xpiler.passes.window_pools import match_pool, pool_rows, pool_windows
from xpiler.passes.window_products import convolve_windows
from xpiler.passes.window_rows import mark_rows
from xpiler.platforms.bang import TASK, TASKS, Architecture

VECTOR = LoopKind.VECTOR


@dataclass(frozen=True)
class Scheduled:
    """`single_task`: nothing was found to share out. `promoted`: local arrays in the scratchpad. `pipelines`:
    the variables of loops that are software pipelines."""

    function: Function
    notes: tuple[str, ...]
    single_task: bool
    promoted: Promoted
    pipelines: frozenset[str]


def schedule(function: Function, architecture: Architecture) -> Scheduled:
    shared = {p.name for p in function.params} | {d.name for d in function.globals}
    function = map_body(function, _PlainAtomics(frozenset(shared)))
    function = spread_bytes(replace(function, body=with_reductions(function.body)))
    function = interchange_sums(reroll(with_best_values(function)))
    function = signed_tests(_without_digits(function))
    function = arrange_products(separate_products(function))
    function = pool_rows(tidy(with_phases(function)))
    kept = frozenset() if architecture.padded else lane_arrays(function)
    scheduled = _laid_out(function, architecture, kept)
    while left := kept & {d.name for d in walk(scheduled.function.body) if isinstance(d, Decl) and d.shape}:
        kept -= left  # no lanes have them: whole arrays in the scratchpad
        scheduled = _laid_out(function, architecture, kept)
    return scheduled


def _laid_out(function: Function, architecture: Architecture, kept: frozenset[str]) -> Scheduled:
    """`kept`: arrays of single lanes, as far as their loops become vectors."""
    promoted = promote_arrays(function, architecture, kept)
    named = name_sizes(promoted.function)
    split = split_over_tasks(named, TASK, TASKS, _keeps(named), _parts(named))
    shaped, taken = _with_tensors(split.function, architecture, promoted.bytes)
    exact = shaped if architecture.padded else sum_exactly(shaped)
    chosen = vectorize(mark_rows(mark_searches(exact)))
    gathered = replace(chosen.function, body=with_apart_lanes(chosen.function.body))
    tabled = resident_tables(gathered, architecture)
    tiled = tile_vectors(tabled.function, architecture, taken + tabled.bytes)
    notes = [*chosen.notes, *tiled.notes]
    if not any(isinstance(n, Instr) for n in walk(tiled.function.body)):
        notes.append(f"{function.name}: scalar code throughout, as no loop runs over consecutive elements")
    if split.loop is None:
        notes.append("one task does all the work: no outer loop is known to be independent")
    body = map_expr(tiled.function.body, _folded)
    final = replace(tiled.function, body=body)
    if split.loop is None:
        final = map_body(final, _PlainAtomics(frozenset()))
    return Scheduled(final, tuple(notes), split.loop is None, promoted, tiled.pipelines)


def _without_digits(function: Function) -> Function:
    """Counters that are taken apart as loops over their digits, joined with the loops that go on from there:
    rows and columns of the tiles that blocks compute become rows and columns of the result."""
    split = split_digits(function)
    if split.body == function.body:
        return tidy(function)
    return tidy(fold_guards(fuse_indices(tidy(split))))


def _with_tensors(function: Function, architecture: Architecture, taken: int) -> tuple[Function, int]:
    """Convolutions, products of matrices, pools and transpositions by their instructions, and the bytes of
    NRAM taken then. The second generation has them for channels in whole groups only: there loops stay."""
    if architecture.padded:
        return function, taken
    convolved = convolve_windows(function, architecture, taken)
    taken += convolved.bytes
    rest = replace(architecture, wram=architecture.wram - convolved.wram)
    contracted = contract(convolved.function, rest, taken)
    taken += contracted.reserved
    pooled = pool_windows(contracted.function, architecture, taken)
    taken += pooled.bytes
    turned = transpose_tiles(pooled.function, architecture, taken)
    return turned.function, taken + turned.bytes


def _keeps(function: Function) -> Callable[[For], bool]:
    """Whether a loop is the outer one of two that a pass wants to see together."""
    memory = {p.name: p.dtype for p in function.params if p.is_pointer}

    def keeps(loop: For) -> bool:
        windows = match_windows(loop, memory)
        if windows is not None and not windows.outer:
            return True
        return match(loop) is not None or turns(loop, memory) or match_pool(loop, memory) is not None

    return keeps


def _parts(function: Function) -> Callable[[For], bool]:
    """Whether tasks may take parts of a loop that a pass wants to see: not of a convolution, whose weights
    stay in WRAM for all rows of pixels."""
    memory = {p.name: p.dtype for p in function.params if p.is_pointer}

    def parts(loop: For) -> bool:
        if match_windows(loop, memory) is not None or match_pool(loop, memory) is not None:
            return False
        return match(loop) is not None or turns(loop, memory)

    return parts


def _folded(expr: Expr) -> Expr:
    """Integer arithmetic with constants put in, done."""
    if isinstance(expr, Binary) and expr.dtype.is_integer and expr.dtype != BOOL:
        return binary(expr.op, expr.left, expr.right)
    return expr


@dataclass(frozen=True)
class _PlainAtomics:
    """Atomic operations on memory of a core's own are plain ones: its threads are loops. `shared`: arrays
    that other cores may change."""

    shared: frozenset[str]

    def __call__(self, stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        match stmt:
            case Atomic(place=place) if place.array in self.shared:
                return stmt
            case Atomic(op=op, place=place, args=(value,), target=target) if op in _REDUCES:
                changed: Stmt = Assign(place, value, _REDUCES[op], range=stmt.range)
            case Atomic(op="cas", place=place, args=(known, value), target=target):
                changed = If(eq(place, known), Block((Assign(place, value, range=stmt.range),)))
            case _:
                return stmt
        if target is None:
            return changed
        if target.name in set().union(*(free_vars(argument) for argument in (place, *stmt.args))):
            return stmt
        return (Assign(target, place, range=stmt.range), changed)


_REDUCES = {"add": "+", "min": "min", "max": "max", "and": "&", "or": "|", "xor": "^", "exch": None}
