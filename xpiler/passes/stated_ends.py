"""Proofs of `0 <= form` that ask more of what loops say of their counters than one end for each.

    for p in 0..min(128, k - c): ...      p < 128, p < k - c, so 16 * p + 15 < 16 * min(128, k - c)

Ranges hold one upper end of a variable; the others are among the facts. A smaller of two numbers is as large
as something where both are.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import linear, prove_le
from xpiler.ir.affine_form import Affine, split_by_var
from xpiler.ir.nodes import Call, Var
from xpiler.passes.facts import Facts

_DEPTH = 3  # of choices in one form


def shown_natural(form: Affine, facts: Facts, depth: int = _DEPTH) -> bool:
    """Whether it is shown that the form is not negative."""
    if prove_le(0, form, facts.ranges):
        return True
    for atom in form.atoms() if depth > 0 else ():
        if not isinstance(atom, Call) or atom.function not in ("min", "max"):
            continue
        parts = split_by_var(form, atom)
        sides = [linear(side, facts.ranges) for side in atom.args]
        if parts is None or any(s is None for s in sides):
            return False
        factor, rest = parts
        forms = [rest + factor * s for s in sides if s is not None]
        if prove_le(0, factor, facts.ranges):
            smaller = atom.function == "min"
        elif prove_le(factor, 0, facts.ranges):
            smaller = atom.function == "max"
        else:
            return False
        choose = all if smaller else any
        return choose(shown_natural(f, facts, depth - 1) for f in forms)
    atoms = {atom.name: atom for atom in form.atoms() if isinstance(atom, Var)}
    for name, end in sorted(facts.below, key=str) if depth > 0 else ():
        parts = split_by_var(form, atoms[name]) if name in atoms else None
        last = linear(end, facts.ranges)
        if parts is None or last is None or not prove_le(parts[0], 0, facts.ranges):
            continue
        known = replace(facts, below=facts.below - {(name, end)})
        if shown_natural(parts[1] + parts[0] * (last - 1), known, depth - 1):
            return True
    return False
