"""Loops whose iterations are the lanes of a register: SPMD code on AVX-512, in the manner of ispc."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from xpiler.backend.c import PLAIN, CPrinter
from xpiler.backend.c_expressions import ArrayInfo
from xpiler.backend.c_types import value_type
from xpiler.backend.vnni_lanes import Lanes, NeedsEightLanes, NotVectorizable
from xpiler.backend.vnni_region import Region
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Const,
    Decl,
    Expr,
    For,
    If,
    Instr,
    Load,
    LoopKind,
    Param,
    Ref,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import walk
from xpiler.passes.inside_ranges import parts_of
from xpiler.passes.knobs import Knob
from xpiler.passes.register_tile import tile_candidate, tiled, widened
from xpiler.passes.turned_panels import TURN
from xpiler.passes.window_bounds import operands_of

ENOUGH_WORK = Knob(
    "vnni.parallel_work", (32768, 262144, 2097152), 262144, "iterations below which no threads are started"
)
TWICE = Knob(
    "vnni.written_twice",
    (0, 160, 500, 1500),
    500,
    "lines of a loop that is written twice at most, with and without threads",
)


class _NoTile(Exception):
    """A tile needs what 16 lanes cannot do: the loop is printed without tiles."""


@dataclass(frozen=True)
class _State:
    """What a printer had before an attempt that may fail."""

    lines: int
    depth: int
    names: dict[str, str]
    arrays: dict[str, ArrayInfo]
    taken: set[str]
    comments: dict[int, str]


class VectorPrinter(CPrinter):
    """The C printer with vector loops, and OpenMP over parallel ones."""

    def __init__(
        self,
        params: Iterable[Param] = (),
        comments: Mapping[int, str] | None = None,
        notes: list[str] | None = None,
        parallel: frozenset[str] = frozenset(),
        numbers: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(params, comments)
        self.notes = notes if notes is not None else []
        self.parallel = parallel
        self.numbers = numbers  # variables that are never NaN
        self.tiling: set[str] = set()  # loops that are being printed as tiles
        self.in_parallel = False
        self.own: dict[str, bool] = {}  # arrays of the function, by whether each thread has its own

    def declare_array(self, decl: Decl, name: str) -> None:
        self.own[decl.name] = self.in_parallel
        super().declare_array(decl, name)

    def updates_alone(self, stmt: Atomic) -> bool:
        dtype = stmt.place.dtype
        if (
            stmt.target is not None
            or stmt.op not in PLAIN
            or dtype.bits < 32
            or self.reinterprets(stmt.place)
        ):
            return False
        if dtype.is_float and stmt.op not in ("add", "sub"):
            return False
        return self.own.get(stmt.place.array) is self.in_parallel

    def stmt(self, stmt: Stmt) -> None:
        match stmt:
            case Instr(name=name, operands=(Ref() as to, Ref() as source, *numbers)) if name == TURN:
                ends = ", ".join(
                    f"{self.base(ref.array)} + {self.expr(ref.offset, 12)}" for ref in (to, source)
                )
                self.line(f"{name}({ends}, {', '.join(self.expr(n) for n in numbers)});")
            case _:
                super().stmt(stmt)

    def conditional(self, stmt: If) -> None:
        match stmt.then.body:
            case (For(kind=LoopKind.PARALLEL) as loop,) if (
                stmt.otherwise.body and not self.in_parallel and _asks_for_work(stmt.condition)
            ):
                shared = self.parallel_pragma(loop)
            case _:
                shared = None
        if shared is None:
            super().conditional(stmt)
            return
        self.line(f"if ({self.expr(stmt.condition)}) {{")
        self.depth += 1
        self.in_parallel = True
        self._loop(loop, shared[0])
        self.in_parallel = False
        self.depth -= 1
        self.line("} else {")
        self.depth += 1
        self.block(stmt.otherwise)
        self.depth -= 1
        self.line("}")

    def loop(self, loop: For) -> None:
        if loop.var not in self.tiling and tile_candidate(loop) is not None and self._tiled_loop(loop):
            return
        parallel = loop.kind is LoopKind.PARALLEL or (
            loop.kind is LoopKind.VECTOR and loop.var in self.parallel
        )
        if parallel and not self.in_parallel:
            loop = self._bounded(loop)
            shared = self.parallel_pragma(loop)
        else:
            shared = None
        if shared is None:
            self._loop(loop, "")
            return
        self.in_parallel = True
        self._shared_loop(loop, *shared)
        self.in_parallel = False

    def _bounded(self, loop: For) -> For:
        """The loop with a name for where it ends, if that is computed."""
        if isinstance(loop.stop, (Const, Var)) or loop.step != Const(loop.step.dtype, 1):
            return loop
        end = self.fresh(f"{loop.var}_end")
        self.names[end] = end
        self.line(f"const {value_type(loop.dtype)} {end} = {self.converted(loop.stop, loop.dtype)};")
        return replace(loop, stop=Var(loop.dtype, end))

    def _shared_loop(self, loop: For, pragma: str, worth: str) -> None:
        """The loop for several threads. Starting even one costs more than a short loop does, so that one is
        written a second time, without; a long text is written once."""
        if not worth:
            self._loop(loop, pragma)
            return
        before, lines = self._saved(), len(self.lines)
        self.line(f"if ({worth}) {{")
        self.depth += 1
        self._loop(loop, pragma)
        self.depth -= 1
        if len(self.lines) - lines > TWICE.value or not any("#pragma omp" in t for t in self.lines[lines:]):
            self._restore(before)
            self._loop(loop, f"{pragma} if ({worth})")
            return
        self.line("} else {")
        self.depth += 1
        self._loop(loop, "")
        self.depth -= 1
        self.line("}")

    def _tiled_loop(self, loop: For) -> bool:
        """Print as register tiles; False (and nothing printed) if that cannot be."""
        return self._instead(loop, tiled(loop, columns_first=self.in_parallel))

    def _instead(self, loop: For, loops: tuple[Stmt, ...] | None) -> bool:
        """Print these for the loop; False (and nothing printed) if that cannot be."""
        if loops is None:
            return False
        saved = self._saved()
        before, notes = self.in_parallel, len(self.notes)
        self.tiling.add(loop.var)
        try:
            for stmt in loops:
                self.stmt(stmt)
            return True
        except _NoTile:
            self._restore(saved)
            self.in_parallel = before
            del self.notes[notes:]
            return False
        finally:
            self.tiling.discard(loop.var)

    def _loop(self, loop: For, pragma: str) -> None:
        if not pragma and loop.var not in self.tiling and self._instead(loop, widened(loop)):
            return
        if loop.kind is LoopKind.VECTOR and self._vector_loop(loop, pragma):
            return
        if pragma:
            self.pragma(pragma)
        super().loop(loop)

    def _vector_loop(self, loop: For, pragma: str) -> bool:
        """Print with 16 lanes, else 8; False (and nothing printed) if there is no vector form."""
        for lanes in (Lanes(16), Lanes(8)):
            saved = self._saved()
            whole = loop.step != Const(loop.step.dtype, 1)
            try:
                Region(self, loop, lanes).run(pragma)
                return True
            except NeedsEightLanes:
                self._restore(saved)
                if whole:
                    raise _NoTile from None
            except NotVectorizable as reason:
                self._restore(saved)
                if whole:
                    raise _NoTile from None
                self.notes.append(f"the loop over {loop.var} stays scalar: {reason}")
                return False
        return False

    def _saved(self) -> _State:
        return _State(
            len(self.lines),
            self.depth,
            dict(self.names),
            dict(self.arrays),
            set(self._taken),
            dict(self.comments.left),
        )

    def _restore(self, saved: _State) -> None:
        del self.lines[saved.lines :]
        self.depth, self.names, self.arrays = saved.depth, saved.names, saved.arrays
        self._taken, self.comments.left = saved.taken, saved.comments

    def parallel_pragma(self, loop: For) -> tuple[str, str] | None:
        """OpenMP over the loop and those directly inside it, and when it is worth it ("": always); None if
        there is not enough work for it."""
        depth, current = 1, loop
        variables = {loop.var}
        while loop.kind is LoopKind.PARALLEL and len(current.body.body) == 1:
            inner = current.body.body[0]
            if not isinstance(inner, For) or inner.kind is not LoopKind.PARALLEL or tile_candidate(inner):
                break
            bounds = [
                n.name for e in (inner.start, inner.stop, inner.step) for n in walk(e) if isinstance(n, Var)
            ]
            if variables & set(bounds):
                break
            variables.add(inner.var)
            depth, current = depth + 1, inner
        collapse = f" collapse({depth})" if depth > 1 else ""
        worth = self._enough_work(loop)
        return None if worth is None else (f"#pragma omp parallel for{collapse}", worth)

    def _enough_work(self, loop: For) -> str | None:
        """A condition on the iterations of the nest that are known before it starts; None if they are too
        few."""
        inside = {s.name for s in walk(loop) if isinstance(s, Decl)} | {
            s.var for s in walk(loop) if isinstance(s, For)
        }
        inside |= {
            s.target.name for s in walk(loop) if isinstance(s, (Assign, Atomic)) and isinstance(s.target, Var)
        }
        factors, count, current = [], 1, loop
        while True:
            ends = operands_of(current.stop, "min") if isinstance(current.start, Const) else [current.stop]
            known = [
                e  # the last ones of a row may be cut off
                for e in ends
                if not any((isinstance(n, Var) and n.name in inside) or isinstance(n, Load) for n in walk(e))
            ]
            if isinstance(current.stop, Const):
                count *= max(1, int(current.stop.value))
            elif known:
                end = current.stop if len(known) == len(ends) else known[0]
                factors.append(f"(int64_t){self.expr(end, 15)}")
            loops = [s for s in walk(current.body) if isinstance(s, For)]
            if not loops:
                break
            current = loops[0]
        if not factors:
            return "" if count >= ENOUGH_WORK.value else None
        least = max(1, ENOUGH_WORK.value // count)
        return f"{' * '.join(factors)} >= {least}"


def _asks_for_work(condition: Expr) -> bool:
    """Whether a condition on sizes says that there is enough to do for threads."""
    least = 1
    for part in parts_of(condition):
        match part:
            case Binary(op=">=", right=Const(value=number)):
                least *= int(number)
    return least >= ENOUGH_WORK.value
