"""Whether two programs compute the same: proved, refuted by an input, or undecided.

    for i in 0..n: y[i] = x[i] * s        for i in 0..n step 16: for l in 0..min(16, n - i): y[i + l] = ...

Real arithmetic is meant: sums may be in another order, products fused or not. Two things can prove it:

* their *forms* are the same (`forms.py`): what each element becomes, as a formula, for all sizes and data;
* they *run* the same at given sizes (`equivalence_runs.py`). The record of all operations is the same for
  each element: the same operations in the same order, on any data. Or the residues are the same at random
  points of a prime field: the same rational functions, but for an error of probability (degree / 2^31)^2.
  Either holds for all data only where no data decide what is done; whole numbers are no symbols, so that
  they are compared as polynomials at the few random points that the runs were at, or not at all.

Anything else that agrees is undecided, and says how far it was seen to agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xpiler.ir.nodes import Function
from xpiler.symbolic.decisions import computes_whole_numbers, decisions, is_polynomial
from xpiler.symbolic.equivalence_runs import Agreement, Level, Refuted, Undecided, compared
from xpiler.symbolic.forms import Unknown, formula
from xpiler.symbolic.settings import Setting

__all__ = ["Proved", "Refuted", "Undecided", "Verdict", "equivalent"]


@dataclass(frozen=True)
class Proved:
    """`scope`: for which sizes; `how`: by what; `assumed`: what it rests on besides."""

    scope: str
    how: str
    assumed: tuple[str, ...] = ()

    def __str__(self) -> str:
        rest = f"; assuming {', '.join(self.assumed)}" if self.assumed else ""
        return f"proved for {self.scope}: {self.how}{rest}"


Verdict = Proved | Refuted | Undecided
SAME_FORMULAS = "each element is given by the same formula over the reals"
ASSUMED = ("index arithmetic does not overflow", "array arguments do not overlap")


def same_formulas(source: Function, target: Function) -> bool:
    """Whether the formulas of all arrays are the same; False also where there are none."""
    try:
        return formula(source) == formula(target)
    except Unknown:
        return False


def equivalent(
    source: Function,
    target: Function,
    settings: Iterable[Setting] = (),
    *,
    threads: bool | None = None,
) -> Verdict:
    """Whether `target` leaves the arrays of `source` as `source` does.

    `settings`: where both are run; `threads`: whether the source is a kernel that runs with the setting's
    threads (None: if it speaks of them). A refutation is a run that anybody can repeat.
    """
    if source == target:
        return Proved("all sizes", "they are the same program")
    if same_formulas(source, target):
        return Proved("all sizes and all data", SAME_FORMULAS, ASSUMED)
    found = compared(source, target, settings, threads=threads)
    if isinstance(found, Refuted):
        return found
    return judged(found, (source, target))


def judged(found: Sequence[Agreement] | Undecided, programs: Iterable[Function]) -> Verdict:
    """What agreement at some settings shows of programs that consist of these functions."""
    programs = list(programs)
    if isinstance(found, Undecided):
        return found
    if not found:
        return Undecided("there are no sizes to run them at")
    level = min(a.level for a in found)
    sizes = " and ".join(dict.fromkeys(a.setting.describe() for a in found))
    decided = sorted(set().union(*map(decisions, programs)))
    if level is Level.SAMPLES:
        return Undecided(f"{found[0].doubt}; they agree on random data at {sizes}")
    if decided:
        why = f"{_and(decided)} decide what is computed"
        return Undecided(f"{why}; on random data they agree at {sizes}, {level.words}")
    whole = [p for p in programs if computes_whole_numbers(p)]
    if not all(map(is_polynomial, whole)):
        why = "whole numbers of data go through more than sums and products"
        return Undecided(f"{why}; on random data they agree at {sizes}, {level.words}")
    return Proved(sizes, level.words + (_whole(min(a.points for a in found)) if whole else ""))


def _whole(points: int) -> str:
    """Bytes have 256 values: a polynomial of degree d that is not zero is so for at most d of them."""
    where, chance = (
        ("a random point", "d/2^8") if points == 1 else (f"{points} random points", f"(d/2^8)^{points}")
    )
    return f"; whole numbers agree at {where} (an element's difference of degree d escapes with {chance})"


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
