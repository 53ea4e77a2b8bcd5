"""Scalars from outside a vector loop into which its iterations fold values."""

from __future__ import annotations

import math
from dataclasses import dataclass

from xpiler.backend.vnni_lanes import NotVectorizable
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Block,
    Const,
    Decl,
    For,
    Var,
)
from xpiler.ir.rewrite import walk
from xpiler.ir.types import DType
from xpiler.passes.folds import folded


@dataclass(frozen=True)
class Accumulator:
    """A scalar from outside the loop into which iterations fold a value with `op`."""

    name: str
    dtype: DType
    op: str


def accumulators(body: Block) -> dict[str, Accumulator]:
    """Scalars from outside that the body only folds into, all with one operator."""
    declared = {s.name for s in walk(body) if isinstance(s, Decl)} | {
        s.var for s in walk(body) if isinstance(s, For)
    }
    found: dict[str, Accumulator] = {}
    for stmt in walk(body):
        if isinstance(stmt, Assign) and isinstance(stmt.target, Var) and stmt.target.name not in declared:
            fold = folded(stmt)
            name = stmt.target.name
            if fold is None or (name in found and found[name].op != fold[0]):
                raise NotVectorizable(f"'{name}' is carried from one iteration to the next")
            found[name] = Accumulator(name, stmt.target.dtype, fold[0])
    folds = {
        id(s)
        for s in walk(body)
        if isinstance(s, Assign) and isinstance(s.target, Var) and s.target.name in found
    }
    for name in found:
        reads = sum(isinstance(n, Var) and n.name == name for n in walk(body))
        own = 0
        for stmt in walk(body):
            if id(stmt) in folds and isinstance(stmt, Assign) and stmt.target.name == name:  # type: ignore[union-attr]
                own += 1 if stmt.reduce is not None else 2
        if reads != own:
            raise NotVectorizable(f"'{name}' is read while it is accumulated")
    return found


def accumulators_that_vary(loop: For) -> dict[str, Accumulator]:
    """Accumulators of the loop; scalars that all iterations set to the same value are none."""
    try:
        return accumulators(loop.body)
    except NotVectorizable:
        return {}


def numbers_in(body: Block) -> frozenset[str]:
    """Variables that are never NaN: they start as a number, and are only replaced by larger or smaller ones
    (of a number and a NaN that is the number)."""
    starts = {
        s.name
        for s in walk(body)
        if isinstance(s, Decl) and isinstance(s.init, Const) and not math.isnan(s.init.value)
        if s.dtype.is_float
    }
    for stmt in walk(body):
        match stmt:
            case Assign(target=Var(name=name)):
                fold = folded(stmt)
                if fold is None or fold[0] not in ("min", "max"):
                    starts.discard(name)
            case Atomic(target=Var(name=name)):
                starts.discard(name)
    return frozenset(starts)
