"""The sizes and the launch of a kernel without host code: its guards tell the grid, its text the block."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from xpiler.errors import Diagnostic
from xpiler.gate import overrides as stated
from xpiler.gate.contract import Case, Launch, Values, make_case
from xpiler.gate.infer_arguments import roles_of
from xpiler.gate.infer_launch import LaunchFormula, block_candidates, evaluate_grid, infer_grid, stated_extent
from xpiler.gate.infer_search import MAX_THREADS, MOST_THREADS, Question, Search, Trial, in_modes
from xpiler.gate.infer_telling import Started
from xpiler.gate.observe import Step
from xpiler.ir.build import const
from xpiler.ir.index_arrays import index_arrays
from xpiler.ir.nodes import Const, Expr, Function, Var
from xpiler.ir.rewrite import walk
from xpiler.ir.types import I64

_FEW_BLOCKS = (5, 3, 2)
_DEFAULT_SHARED = 48 * 1024  # dynamic shared memory of a kernel without a launch: what every device has


class KernelSearch(Search):
    """Interprets the kernel under launches that its text suggests."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self.kernel = self.kernels[self.entry.kernels[0]]
        self.block = (1, 1, 1)

    def index_uses(self) -> dict[str, str]:
        return dict(index_arrays(self.kernel))

    def run(self) -> list[Trial]:
        best: list[Trial] = []
        for block in self._blocks():
            self.block = block
            self.formula = self._formula(block)
            self._assume_grid()
            found = self.two_sizes()
            if found and not found[0].findings and not found[0].fault:
                self.notes.append(f"block {','.join(map(str, block))}" + self._grid_note())
                return found
            best = best or found
            if time.thread_time() > self.deadline:
                break
        return best

    def _formula(self, block: tuple[int, int, int]) -> LaunchFormula:
        shared: Expr | int = _DEFAULT_SHARED if _has_dynamic_shared(self.kernel) else 0
        if self.overrides.shared_bytes is not None:
            shared = stated_extent(self.overrides.shared_bytes, self.kernel)
        if self.overrides.grid is None:
            inferred = infer_grid(self.kernel, block)
            x, y, z = (  # where all launches of the file agree, the translation is for that grid
                extent if known is None else const(known, I64)
                for extent, known in zip(inferred.grid, self.kernel.grid_size, strict=True)
            )
            return replace(inferred, grid=(x, y, z), shared=shared)
        x, y, z = (stated_extent(e, self.kernel) for e in (*self.overrides.grid, 1, 1)[:3])
        return LaunchFormula((x, y, z), block, shared)

    def _blocks(self) -> list[tuple[int, int, int]]:
        if self.overrides.block is not None:
            scalars = {**self.fixed, **self.numbers}
            extents = [stated.evaluate(e, scalars, "--block") for e in self.overrides.block]
            x, y, z = (*extents, 1, 1)[:3]
            return [(x, y, z)]
        return block_candidates(self.kernel)

    def _assume_grid(self) -> None:
        """A few blocks along the axes that nothing bounds: the kernel works with any number of them."""
        assert self.formula is not None
        self.assumed = None
        missing = [axis for axis, extent in zip("xyz", self.formula.grid, strict=True) if extent is None]
        if self.overrides.grid is not None or not missing:
            return
        x, y, z = (
            const(few) if extent is None else extent
            for extent, few in zip(self.formula.grid, _FEW_BLOCKS, strict=True)
        )
        self.formula = replace(self.formula, grid=(x, y, z))
        axes = ", ".join(f"blockIdx.{axis}" for axis in missing)
        self.assumed = Diagnostic(
            "contract-grid",
            f"how many blocks {self.kernel.name} is launched with cannot be inferred: no guard bounds {axes}",
            self.kernel.range,
            remedy="state the launch, for example --grid 64 --block 256; expressions over scalar parameters "
            "are allowed",
        )

    def _grid_note(self) -> str:
        if self.assumed is not None and self.formula is not None:
            extents = ",".join(str(e.value) if isinstance(e, Const) else "?" for e in self.formula.grid)
            return f", grid {extents} (? from the guards; the rest assumed, any works)"
        return "" if self.overrides.grid is not None else ", grid from the guards"

    def _is_set(self) -> bool:
        """Whether the grid is that of all launches of the file, whatever the sizes."""
        return self.formula is not None and all(isinstance(extent, Const) for extent in self.formula.grid)

    def launch(self, sizes: Mapping[str, int]) -> Launch | None:
        scalars = {**sizes, **self.numbers}
        assert self.formula is not None
        grid = evaluate_grid(self.formula, scalars)
        if any(extent < 1 for extent in grid):
            return None
        shared = _DEFAULT_SHARED if _has_dynamic_shared(self.kernel) else 0
        if self.overrides.shared_bytes is not None:
            shared = stated.evaluate(self.overrides.shared_bytes, scalars, "--shared")
        return Launch(grid, self.block, shared)

    def case_at(
        self, sizes: Mapping[str, int], extents: Mapping[str, int], values: Mapping[str, Values]
    ) -> Case | None:
        launch = self.launch(sizes)
        case = super().case_at(sizes, extents, values)
        return replace(case, launch=launch) if case is not None and launch is not None else None

    def started_at(self, candidates: Sequence[Mapping[str, int]]) -> Iterator[list[Started] | None]:
        for sizes in candidates:
            launch = self.launch(sizes)
            most = MOST_THREADS if self._is_set() else MAX_THREADS
            fits = launch is not None and launch.threads <= most
            scalars = {**self.numbers, **sizes}
            yield (
                [Started(self.kernel.name, self.kernel, scalars, launch.grid, launch.block)]
                if launch is not None and fits
                else None
            )

    def attempt(self, sizes: Mapping[str, int]) -> Iterator[Trial]:
        launch = self.launch(sizes)
        if launch is None or launch.threads > (MOST_THREADS if self._is_set() else MAX_THREADS):
            yield Trial(sizes, make_case({}, {}), {}, (), 0, "the launch would be empty or huge")
            return
        uses = self.index_uses()
        yield from in_modes(uses, lambda mode: self._observed(sizes, launch, mode))

    def _observed(self, sizes: Mapping[str, int], launch: Launch, mode: int) -> Trial:
        scalars = {**self.numbers, **sizes}
        values = self.values(mode)
        buffers, arguments = self.memory(self.kernel, scalars, values)
        reach = self._settled([Step(self.kernel, launch, arguments)], buffers, values, sizes, {})
        extents, shapes = self.extents(reach, sizes)
        roles = roles_of(self.kernel, {name: used.role for name, used in reach.reach.items()})
        case = make_case(scalars, extents, launch, shapes=shapes, values=values)
        why = reach.unfinished
        flaws = int(not any(used.written for used in reach.reach.values()))  # nothing to do at these sizes
        flaws += reach.stale
        return Trial(
            sizes, case, roles, reach.findings, flaws, why, unfinished=bool(why), endless=reach.endless
        )


def _has_dynamic_shared(kernel: Function) -> bool:
    return any(isinstance(node, Var) and node.name == "dynamicShared.bytes" for node in walk(kernel.body))
