"""Runs at the values of scalar parameters at which decisions of a text turn (`thresholds.py`).

if (alpha == 1.0f) copy(x, y); else scale(alpha, x, y);    -->  runs with alpha=1, 0.99999994, 1.0000001 ...
if (n >= 4096) wide(x, y, n); else narrow(x, y, n);        -->  runs with n=4096, n=4095, n=4097
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

from xpiler.errors import Refusal
from xpiler.frontend.syntax import analyse
from xpiler.gate.contract import Case
from xpiler.gate.infer import Inference
from xpiler.gate.thresholds import Thresholds, Turn
from xpiler.ir.types import F64

_MOST = 48  # runs
_TRIED = 400  # turns of a text that are looked at


def threshold_cases(inference: Inference, text: str, file: str, platform: str, entry: str) -> Iterator[Case]:
    """Cases that the contract does not have yet, the least work first; none where nobody knows how to call
    the entry with other scalars. `entry`: what the function is called in the text."""
    contract = inference.contract
    first = next((case for case in contract.cases if not case.all_given), None)
    if first is None:
        return
    base = dict(first.scalars)
    doubles = frozenset(a.name for a in contract.arguments if a.dtype == F64)
    params = [name if (name := argument.name) in base else "" for argument in contract.arguments]
    try:
        found = Thresholds(analyse(text, file, platform=platform), entry, params)
        turns = [turn for _, turn in zip(range(_TRIED), found.turns(base, doubles), strict=False)]
    except (Refusal, RecursionError):
        return
    known = {case.scalars for case in contract.cases}
    made: list[Case] = []
    for turn in sorted(turns, key=lambda turn: _work(base, turn)):
        case = inference.at(dict(turn.values))
        if case is not None and case.scalars not in known:
            known.add(case.scalars)
            made.append(case)
        if len(made) == _MOST:
            break
    yield from made


def _work(base: Mapping[str, object], turn: Turn) -> int:
    sizes = {name: value for name, value in {**base, **dict(turn.values)}.items() if isinstance(value, int)}
    return prod(max(1, abs(size)) for size in sizes.values())
