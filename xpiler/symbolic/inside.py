"""Arrays of a kernel that no access leaves, for all sizes at once, by z3 over the integers.

    __shared__ float s[66];
    s[threadIdx.x + 1] = ...;      -->    proved for every gridDim and n: no access leaves s

The block is that of the trial; the grid, parameters and loop counters are unknowns. An access whose index has
no form leaves its array open, a condition without one is not relied on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import z3

from xpiler.ir.affine import linear
from xpiler.ir.nodes import Const, Decl, Expr
from xpiler.ir.rewrite import substitute, walk
from xpiler.symbolic.interruption import interrupted_if
from xpiler.symbolic.proofs import QUERY_EFFORT, Question, Shared, Site, Thread, Unknown, sites_of


def proved_inside(question: Question) -> list[str]:
    """What is proved, in words. Raises `Cancelled`."""
    arrays = {decl.name: decl for decl in _declared(question)}
    if not arrays:
        return []
    try:
        sites = list(sites_of(question.kernel.body, (), (), set(arrays)))
    except Unknown:
        return []
    open_ones: set[str] = set()
    with interrupted_if(question.cancelled):
        for site in sites:
            name = site.place.array
            if name not in open_ones and not _stays(question, site, arrays[name]):
                open_ones.add(name)
    used = {site.place.array for site in sites}
    inside = [name for name in arrays if name in used - open_ones]
    where = question.free()
    return [f"proved for every {where}: no access leaves {', '.join(inside)}"] if inside and where else []


def _declared(question: Question) -> Iterator[Decl]:
    for node in walk(question.kernel.body):
        if isinstance(node, Decl) and node.shape and all(isinstance(e, Const) for e in node.shape):
            yield node


def _stays(question: Question, site: Site, decl: Decl) -> bool:
    place = site.place
    extents = [int(e.value) for e in decl.shape if isinstance(e, Const)]
    if place.dtype != decl.dtype:
        return False
    if len(place.index) != len(extents):
        total = 1
        for extent in extents:
            total *= extent
        extents = [total]
    return all(
        _is_below(question, site, index, extent) for index, extent in zip(place.index, extents, strict=True)
    )


def _is_below(question: Question, site: Site, index: Expr, extent: int) -> bool:
    """Whether 0 <= index < extent wherever the site is reached."""
    if question.cancelled() or time.thread_time() > question.deadline:
        return False
    form = linear(substitute(index, question.defined))
    if form is None:
        return False
    solver = z3.Solver()
    solver.set("rlimit", QUERY_EFFORT)
    shared = Shared(question.trial, question.scalars)
    thread = Thread("a", shared, question.defined)
    try:
        thread.reach(site)
        value = thread.form(form)
    except (Unknown, z3.Z3Exception):
        return False
    solver.add(*shared.constraints, *thread.constraints, z3.Or(value < 0, value >= extent))
    return bool(solver.check() == z3.unsat)
