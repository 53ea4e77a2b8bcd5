"""Findings at sizes that may not be meant: what only some of the tried ones show is weaker.

for (k = 0; k < n; k++) sum += s[k];          s has 64 elements: n = 100 may never be passed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from xpiler.ir.nodes import Binary, Const, Expr, Function, Load, Ref
from xpiler.ir.rewrite import free_vars, substitute, walk
from xpiler.ir.source import SourceRange
from xpiler.symbolic.dependence import Dependence
from xpiler.symbolic.findings import ERROR, WARNING, Found
from xpiler.symbolic.reached import Reached
from xpiler.symbolic.scalars import GUARD, roles
from xpiler.symbolic.shape import Dims, launch_shape
from xpiler.symbolic.statics import has_guard
from xpiler.symbolic.trial import MADE_UP, Trial

_Mark = tuple[str, str, SourceRange | None]  # the code of a finding, its array and place


def of_free_sizes(
    kernel: Function,
    defined: dict[str, Expr],
    grid: Dims | None,
    block: Dims | None,
    given: Mapping[str, object],
    judged: list[tuple[Trial, list[Found]]],
) -> list[tuple[Trial, list[Found]]]:
    """An array that is too small for some values of a parameter is a bug if a guard relates the parameter to
    the threads; where it merely counts turns (`for (k = 0; k < n; k++) s[k]`) small values may be meant."""
    bare = [trial for trial, _ in judged if not trial.is_launched and not trial.extents]
    counts = _counting(kernel, defined, grid, block, given)
    if len(bare) < 2 or not counts:
        return judged
    depends, named = Dependence.of(kernel, counts), _named(kernel, defined)
    places = [n for n in walk(kernel.body) if isinstance(n, (Load, Ref))]
    everywhere = [{mark[1:] for mark in marks if mark[0] == "XP-BOUNDS"} for _, marks in _by_trial(judged)]

    def weaker(found: Found) -> Found:
        if found.code != "XP-BOUNDS" or found.severity != ERROR or found.holds_if:
            return found
        if all((found.array, found.range) in seen for seen in everywhere):
            return found
        mine = [p for p in places if p.array == found.array and p.range == found.range]
        sources = frozenset[str]().union(*(depends.of_index(p) for p in mine)) & counts
        sources -= {name for name in sources if (name, found.counterexample.get(name)) in named}
        if not sources:
            return found
        values = " and ".join(f"{name} = {found.counterexample.get(name)}" for name in sorted(sources))
        return replace(found, severity=WARNING, holds_if=f"{values} is meant")

    return [(trial, more if trial.data in MADE_UP else [weaker(f) for f in more]) for trial, more in judged]


def of_some_sizes(
    kernel: Function,
    defined: Mapping[str, Expr],
    reached: Reached,
    judged: list[tuple[Trial, list[Found]]],
) -> list[tuple[Trial, list[Found]]]:
    """Alignment, operands that overlap, a bound that only a guard suggests: a right run says that some sizes
    are meant. Of rows as long as a parameter whose rest is asked for (`n & 1`), all lengths are. A run says
    nothing of addresses that it never came to, nor one of a single row of those of other rows."""
    any_length = {name for name, role in reached.roles.items() if role.tails and not role.divides}
    places = [n for n in walk(kernel.body) if isinstance(n, (Load, Ref))]

    def is_any(found: Found) -> bool:
        mine = (p for p in places if p.array == found.array and p.range == found.range)
        indices = (i for p in mine for i in (p.index if isinstance(p, Load) else (p.offset,)))
        return any(free_vars(substitute(i, dict(defined))) & any_length for i in indices)

    if len({tuple(sorted({**t.scalars, **t.host}.items())) for t, _ in judged}) < 2:
        return judged
    everywhere = _by_trial(judged)

    def tells(right: Trial, wrong: Trial, found: Found) -> bool:
        if found.code == "XP-BOUNDS":
            return True
        line = found.range.line if found.range is not None else 0
        return reached.was_at(right, line) and not _is_single(right, wrong)

    def weaker(trial: Trial, found: Found) -> Found:
        suggested = found.code == "XP-BOUNDS" and bool(found.holds_if)
        if found.severity != ERROR or not (suggested or found.code in ("XP-ALIGN", "XP-OVERLAP")):
            return found
        if found.code == "XP-BOUNDS" and "does not keep it below" not in found.message:
            return found
        mark = (found.code, found.array, found.range)
        if all(mark in seen for other, seen in everywhere if mark in seen or tells(other, trial, found)):
            return found
        if found.code == "XP-ALIGN" and is_any(found):
            return found
        return replace(found, severity=WARNING, holds_if=found.holds_if or "such sizes are meant")

    return [(trial, [weaker(trial, f) for f in more]) for trial, more in judged]


def _by_trial(judged: list[tuple[Trial, list[Found]]]) -> list[tuple[Trial, set[_Mark]]]:
    """What each run showed: several parts judge it."""
    found: dict[int, tuple[Trial, set[_Mark]]] = {}
    for trial, more in judged:
        found.setdefault(id(trial), (trial, set()))[1].update((f.code, f.array, f.range) for f in more)
    return list(found.values())


def _is_single(right: Trial, wrong: Trial) -> bool:
    """Whether one has a single block, or a size of one, where the other has several."""
    own, other = ({**t.scalars, **t.host} for t in (right, wrong))
    numbers = [(own[name], other[name]) for name in own.keys() & other.keys()]
    return any(one <= 1 < several for one, several in (*numbers, *zip(right.grid, wrong.grid, strict=True)))


def _counting(
    kernel: Function,
    defined: dict[str, Expr],
    grid: Dims | None,
    block: Dims | None,
    given: Mapping[str, object],
) -> frozenset[str]:
    """Parameters that are given by nobody and bound no thread's index."""
    shape = launch_shape(kernel, defined, grid, block)
    known = roles(kernel, defined, shape)
    return frozenset(n for n, r in known.items() if n not in given and (GUARD not in r.kinds or r.strides))


def _named(kernel: Function, defined: Mapping[str, Expr]) -> set[tuple[str, int | None]]:
    """Parameters with values that the text names, `case 1:` or `kind == 1`: such are passed."""
    found: set[tuple[str, int | None]] = set()
    for node in walk(kernel.body):
        match node:
            case Binary(op="==" | "!=", left=left, right=Const(value=value)) if left.dtype.is_integer:
                found |= {(name, int(value)) for name in free_vars(substitute(left, defined))}
    return found


def is_for_sizes(kernel: Function, defined: dict[str, Expr], judged: list[tuple[Trial, list[Found]]]) -> bool:
    """Whether the arrays of the trials are those of the kernel: one that is told no sizes may be for a single
    one, and then no other says anything."""
    if any(p.dtype.is_integer and not p.is_pointer for p in kernel.params):
        return True
    sized = [(t, found) for t, found in judged if t.host and t.extents]
    if sized and has_guard(kernel, defined):
        return False
    return not sized or any(all(f.code != "XP-BOUNDS" for f in found) for _, found in sized)
