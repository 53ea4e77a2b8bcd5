"""Runs at the values of scalar parameters at which decisions of a text turn (`thresholds.py`).

if (alpha == 1.0f) copy(x, y); else scale(alpha, x, y);    -->  runs with alpha=1, 0.99999994, 1.0000001 ...
if (n >= 4096) wide(x, y, n); else narrow(x, y, n);        -->  runs with n=4096, n=4095, n=4097
for (; i + 16 <= n; i += 16) ...                           -->  runs with n=16, n=17 ... (`rests.py`)
for (short i = 0; i < n; ++i) ...                          -->  runs with n=36867 (`narrow_counters.py`)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from math import prod

from xpiler.errors import Refusal
from xpiler.frontend.syntax import analyse
from xpiler.gate.contract import Case, Scalar
from xpiler.gate.infer import Inference
from xpiler.gate.kept_orders import keeping_orders
from xpiler.gate.narrow_counters import narrow_counters
from xpiler.gate.rests import rests
from xpiler.gate.thresholds import Thresholds, Turn
from xpiler.ir.types import F64

_MOST = 64  # runs
_MUCH = 8  # times the work of an ordinary call
_TRIED = 400  # turns of a text that are looked at


def threshold_cases(
    inference: Inference, text: str, file: str, platform: str, entry: str, *, tails: bool = False
) -> Iterator[Case]:
    """Cases that the contract does not have yet, the least work first; none where nobody knows how to call
    the entry with other scalars. `entry`: what the function is called in the text. `tails`: also at the
    rests of its loops, which others may treat each by itself, and beyond what counters of few bits hold."""
    contract = inference.contract
    first = next((case for case in contract.cases if not case.all_given), None)
    if first is None:
        return
    base = dict(first.scalars)
    doubles = frozenset(a.name for a in contract.arguments if a.dtype == F64)
    params = [name if (name := argument.name) in base else "" for argument in contract.arguments]
    try:
        unit = analyse(text, file, platform=platform)
        found = Thresholds(unit, entry, params)
        others = chain(rests(found, base), narrow_counters(unit, base)) if tails else ()
        all_turns = chain(others, found.turns(base, doubles))
        turns = [turn for _, turn in zip(range(_TRIED), all_turns, strict=False)]
    except (Refusal, RecursionError):
        return
    known = {case.scalars for case in contract.cases}
    several = {name: [v for c in contract.cases if (v := c.scalar(name)) > 1] for name in base}
    least = {name: min(values) for name, values in several.items() if values}  # of one element nothing shows
    ran = [_sizes(dict(case.scalars)) for case in contract.cases if not case.all_given]
    made: list[Case] = []
    for changes in sorted(
        (_changes(base, least, turn) for turn in turns), key=lambda c: _work({**base, **c})
    ):
        sizes = _sizes({**base, **changes})
        raised = [(name, {name: value}) for name, value in keeping_orders(sizes, list(sizes), ran)]
        for kept, more in (("", {}), *raised):
            case = inference.at({**changes, **more}, kept)
            if case is not None and case.scalars not in known:
                known.add(case.scalars)
                made.append(case)
        if len(made) >= _MOST:
            break
    yield from made


def _changes(base: Mapping[str, Scalar], least: Mapping[str, Scalar], turn: Turn) -> dict[str, Scalar]:
    """The values to try; where they make the call much larger, sizes that do not matter are the least."""
    changes = dict(turn.values)
    if _work({**base, **changes}) <= _MUCH * _work(base):
        return changes
    small = {n: v for n, v in least.items() if _is_size(base[n]) and _is_size(v) and n not in turn.others}
    return {**small, **changes}


def _sizes(scalars: Mapping[str, Scalar]) -> dict[str, int]:
    return {n: v for n, v in scalars.items() if isinstance(v, int) and not isinstance(v, bool)}


def _is_size(value: Scalar) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _work(scalars: Mapping[str, Scalar]) -> int:
    return prod(int(value) for value in scalars.values() if _is_size(value))
