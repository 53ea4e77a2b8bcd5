"""Loops that are shared out to threads only when there is enough to do, and their copies for one thread.

    if (rows >= 4096) {                                      if (true) {
        #pragma omp parallel for                   -->           #pragma omp parallel for
        for (...) ...                                            for (...) ...
    } else { for (...) ... }                                 } else ...

The sizes that a target is run with seldom reach such a threshold, so one of the copies would never be run.
Where both read back as the same loops nothing is left to ask; where they differ, the program runs again as
if there always were enough to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from xpiler.frontend.unit import Unit
from xpiler.gate.contract import Contract
from xpiler.gate.evidence import Rung
from xpiler.gate.execute import Build
from xpiler.gate.verify import SourceRuns, compare_target
from xpiler.ir.nodes import Block, For, If, LoopKind
from xpiler.ir.rewrite import walk
from xpiler.passes.twin_branches import merge_twins

_IF = re.compile(r"\bif\s*\(")
_THRESHOLD = re.compile(r">=?\s*\(?\s*(\d[\d']*)")
_LEAST = 256  # a smaller number may be more than a question of speed
_PRAGMA = re.compile(r"\{\s*#[ \t]*pragma[ \t]+omp[ \t]+parallel\b")


def thread_twins(
    contract: Contract,
    source: Build,
    runs: SourceRuns,
    text: str,
    read_back: Callable[[], Unit],
    build: Callable[[str], Build],
) -> list[Rung]:
    """The rung for copies that differ; none where there are none. `build`: a text, as the target is built."""
    forced = as_if_enough(text)
    if forced == text or not _differ(read_back()):
        return []
    target = build(forced)
    if not target.ok:
        detail = f"{contract.entry}: undecided: copies of loops for threads: {target.error}"
        return [Rung("executed", True, target.tool, detail, target.seconds, undecided=True)]
    rungs = compare_target(contract, source, runs, target)
    wrong = next((rung for rung in rungs if not rung.ok), None)
    where = "as if there were enough to do for threads"
    if wrong is not None:
        return [replace(wrong, detail=f"{wrong.detail}; {where}")]
    return [replace(rungs[0], detail=f"{contract.entry}: alike {where}, too")]


def as_if_enough(text: str) -> str:
    """The text with the thresholds reached that stand before loops for threads and have another branch."""
    out, at = "", 0
    for match in _IF.finditer(text):
        opening = match.end() - 1
        closing = _matching(text, opening, "()")
        if closing is None or match.start() < at:
            continue
        condition = text[opening + 1 : closing]
        numbers = [int(n.replace("'", "")) for n in _THRESHOLD.findall(condition)]
        behind = text[closing + 1 :].lstrip()
        brace = text.find("{", closing)
        if not numbers or max(numbers) < _LEAST or not _PRAGMA.match(behind):
            continue
        end = _matching(text, brace, "{}")
        if end is None or not re.match(r"\s*else\b", text[end + 1 :]):
            continue
        out += text[at : opening + 1] + "true"
        at = closing
    return out + text[at:]


def _matching(text: str, opening: int, pair: str) -> int | None:
    depth = 0
    for at in range(opening, len(text)):
        depth += (text[at] == pair[0]) - (text[at] == pair[1])
        if depth == 0:
            return at
    return None


def _differ(unit: Unit) -> bool:
    """Whether some branch with a loop for threads is no copy of the other one, or may be none, as it is not
    read."""
    if unit.refusals:
        return True
    merged = [merge_twins(function).body for function in unit.program.kernels]
    branches = [n for body in merged for n in walk(body) if isinstance(n, If) and n.otherwise.body]
    return any(
        _starts_threads(branch.then) or _is_shared_out(branch.then) != _is_shared_out(branch.otherwise)
        for branch in branches
    )


def _starts_threads(block: Block) -> bool:
    """Whether a loop for threads is all that a branch is, as behind the thresholds of `as_if_enough`."""
    match block.body:
        case (For(kind=LoopKind.PARALLEL),):
            return True
    return False


def _is_shared_out(block: Block) -> bool:
    return any(isinstance(n, For) and n.kind is LoopKind.PARALLEL for n in walk(block))
