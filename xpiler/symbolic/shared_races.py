"""Shared arrays on which no two threads of a block conflict, for all sizes at once, by z3 over the integers.

    s[t] = a[i]; __syncthreads(); x = s[t + 1]; __syncthreads();
                                                   -->    proved for every gridDim and n: ... conflict on s

Pairs of accesses that barriers keep apart are left out (`phases.py`); of the others none may reach the same
element from two threads. The block is that of the trial; that barriers are reached by all threads is shown by
other checks.
"""

from __future__ import annotations

import time
from typing import Any

import z3

from xpiler.ir.affine import linear
from xpiler.ir.nodes import Assign, Barrier, Block, Const, Decl, Function, Load, Space
from xpiler.ir.rewrite import substitute, walk
from xpiler.symbolic.interruption import interrupted_if
from xpiler.symbolic.phases import Irregular, Phases
from xpiler.symbolic.proofs import QUERY_EFFORT, Question, Shared, Site, Thread, Unknown, sites_of
from xpiler.symbolic.shape import AXES


def proved_shared(question: Question) -> list[str]:
    """What is proved, in words. Raises `Cancelled`."""
    found = (n for n in walk(question.kernel.body) if isinstance(n, Decl) and n.space is Space.SHARED)
    arrays = {decl.name: decl for decl in found}
    if not arrays:
        return []
    try:
        phases = Phases.of(question.kernel)
        sites = list(sites_of(question.kernel.body, (), (), set(arrays)))
    except (Unknown, Irregular):
        return []
    arrays = {name: decl for name, decl in arrays.items() if name not in _copied_later(question.kernel)}
    safe: list[str] = []
    with interrupted_if(question.cancelled):
        for name, decl in arrays.items():
            mine = [site for site in sites if site.place.array == name]
            if any(site.kind != "read" for site in mine) and _is_safe(question, phases, mine, decl):
                safe.append(name)
    where = question.free()
    text = f"proved for every {where}: no two threads of a block conflict on {', '.join(safe)}"
    return [text] if safe and where else []


def _copied_later(kernel: Function) -> set[str]:
    """Arrays that asynchronous copies write, which barriers alone order with nothing."""
    found: set[str] = set()
    for block in (n for n in walk(kernel.body) if isinstance(n, Block)):
        is_copying = False
        for stmt in block.body:
            if isinstance(stmt, Barrier) and stmt.scope.startswith("copies "):
                is_copying = stmt.scope.endswith("begin")
            elif is_copying:
                found |= {
                    n.target.array for n in walk(stmt) if isinstance(n, Assign) and isinstance(n.target, Load)
                }
    return found


def _is_safe(question: Question, phases: Phases, sites: list[Site], decl: Decl) -> bool:
    for number, first in enumerate(sites):
        for second in sites[number:]:
            if first.kind == second.kind and first.kind in ("read", "atomic"):
                continue
            one, other = phases.segments.get(id(first.stmt)), phases.segments.get(id(second.stmt))
            if one is None or other is None or not _is_apart(question, phases, first, second, decl):
                return False
    return True


def _is_apart(question: Question, phases: Phases, first: Site, second: Site, decl: Decl) -> bool:
    """Whether the two never reach one element from two threads between the same barriers."""
    one, other = phases.segments[id(first.stmt)], phases.segments[id(second.stmt)]
    if not phases.together(one, other):
        return True
    if question.cancelled() or time.thread_time() > question.deadline:
        return False
    solver = z3.Solver()
    solver.set("rlimit", QUERY_EFFORT)
    shared = Shared(question.trial, question.scalars)
    a, b = Thread("a", shared, question.defined), Thread("b", shared, question.defined)
    try:
        a.reach(first)
        b.reach(second)
        equal = _element(question, first, a, decl) == _element(question, second, b, decl)
    except (Unknown, z3.Z3Exception):
        return False
    solver.add(*shared.constraints, *a.constraints, *b.constraints, equal)
    solver.add(*(a.names[f"blockIdx.{axis}"] == b.names[f"blockIdx.{axis}"] for axis in AXES))
    solver.add(z3.Or(*(a.names[f"threadIdx.{axis}"] != b.names[f"threadIdx.{axis}"] for axis in AXES)))
    if one == other:
        solver.add(*(z3.Int(f"a.{var}.turns") == z3.Int(f"b.{var}.turns") for var in phases.turns[one]))
    return bool(solver.check() == z3.unsat)


def _element(question: Question, site: Site, thread: Thread, decl: Decl) -> Any:
    """The number of the element, row-major."""
    place = site.place
    extents = [e.value for e in decl.shape if isinstance(e, Const)]
    if place.dtype != decl.dtype or (len(place.index) > 1 and len(extents) != len(place.index)):
        raise Unknown("elements of another type")
    total: Any = z3.IntVal(0)
    for position, index in enumerate(place.index):
        form = linear(substitute(index, question.defined))
        if form is None:
            raise Unknown("no form")
        total = total * (int(extents[position]) if position else 1) + thread.form(form)
    return total
