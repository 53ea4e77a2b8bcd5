"""The sizes of a BANG C kernel without host code, and how many tasks it is launched with.

A kernel that shares its work out among as many tasks as there are does the same with one: that is tried.
Where the text fixes the number (a stride of 16, a guard `taskId < 8`) it is taken from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from xpiler.gate.contract import Case, Values
from xpiler.gate.infer_kernel import KernelSearch
from xpiler.gate.infer_launch import LaunchFormula, infer_grid, single_definitions
from xpiler.gate.infer_search import Question, Trial
from xpiler.gate.tasks import launched
from xpiler.ir.affine import stride
from xpiler.ir.build import const
from xpiler.ir.nodes import Const, Expr, For, Var
from xpiler.ir.rewrite import free_vars, substitute, walk
from xpiler.ir.types import I64

_CHIP = 16  # tasks of a job on all clusters
_FEW = 4


class TaskSearch(KernelSearch):
    """Interprets the kernel with a number of tasks that its text suggests."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self.cores = self.kernel.block_size[0] or 1
        used = {n.name for n in walk(self.kernel.body) if isinstance(n, Var)}
        self.asks = any(name.startswith("gridDim.") for name in used)

    def run(self) -> list[Trial]:
        found = super().run()
        is_clean = found and not found[0].findings and not found[0].fault
        if is_clean and self.overrides.grid is None:
            self._with_one_task(found[0])
        return found

    def _formula(self, block: tuple[int, int, int]) -> LaunchFormula:
        if self.overrides.grid is not None:
            return super()._formula(block)
        one = const(1, I64)
        return LaunchFormula((self._blocks_of_tasks(), one, one), block)

    def _assume_grid(self) -> None:
        """The number of tasks is never asked for: any is right, or the text tells it."""

    def _grid_note(self) -> str:
        return ""

    def _blocks_of_tasks(self) -> Expr:
        if self.asks:
            return const(max(1, _FEW // self.cores), I64)
        step = self._fixed_stride()
        if step is not None:
            return const(step, I64)
        guarded = infer_grid(self.kernel, (self.cores, 1, 1)).grid[0]
        if guarded is not None:
            return guarded
        self.notes.append(f"{_CHIP} tasks: the text does not tell how many")
        return const(_CHIP // self.cores, I64)

    def _fixed_stride(self) -> int | None:
        """Blocks for `for (i = taskId; i < n; i += 16)`."""
        definitions = single_definitions(self.kernel, first_values=True)
        for node in walk(self.kernel.body):
            if isinstance(node, For) and isinstance(node.step, Const):
                start = substitute(node.start, definitions)
                per_block = stride(start, "blockIdx.x") if "blockIdx.x" in free_vars(start) else None
                if per_block and int(node.step.value) > per_block and int(node.step.value) % per_block == 0:
                    return int(node.step.value) // per_block
        return None

    def _with_one_task(self, trial: Trial) -> None:
        """One task (or cluster) instead of several, if it does the same."""
        assert self.formula is not None
        if not self.asks:
            return
        one = const(1, I64)
        several, self.formula = self.formula, replace(self.formula, grid=(one, one, one))
        clean = (t for t in self.attempt(trial.sizes) if not t.findings and not t.fault)
        alone = next(clean, None)
        same = alone is not None and alone.case.extents == trial.case.extents and alone.roles == trial.roles
        if not same:
            self.formula = several

    def case_at(
        self, sizes: Mapping[str, int], extents: Mapping[str, int], values: Mapping[str, Values]
    ) -> Case | None:
        case = super().case_at(sizes, extents, values)
        if case is None or case.launch is None:
            return None
        return replace(case, launch=launched(self.kernel, case.launch))

    def attempt(self, sizes: Mapping[str, int]) -> Iterator[Trial]:
        for trial in super().attempt(sizes):
            launch = trial.case.launch
            if launch is not None:
                trial = replace(trial, case=replace(trial.case, launch=launched(self.kernel, launch)))
            yield trial
