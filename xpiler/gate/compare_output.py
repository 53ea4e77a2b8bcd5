"""Do two runs of a whole program print the same? Words exactly, numbers within rounding.

Programs print times and speeds, which differ from run to run. Those are told by the source itself: a
number that differs
between two runs of the source is not compared, and the report says how many there were.
"""

from __future__ import annotations

import math
import re

from xpiler.gate.execute import RunResult

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:inf|nan)\b")
_RELATIVE = 1e-4


def compare_output(expected: RunResult, again: RunResult, actual: RunResult) -> tuple[bool, str]:
    """Whether `actual` prints and exits as the source did in `expected` and `again`; and the verdict in
    words."""
    if expected.exit_code != actual.exit_code:
        return False, f"exit code {actual.exit_code}, the source's is {expected.exit_code}"
    lines = [run.stdout.splitlines() for run in (expected, again, actual)]
    if len(lines[0]) != len(lines[2]):
        return False, f"{len(lines[2])} lines of output, the source prints {len(lines[0])}"
    varying = compared = 0
    for number, (want, got) in enumerate(zip(lines[0], lines[2], strict=True), 1):
        other = lines[1][number - 1] if len(lines[1]) == len(lines[0]) else want
        if _NUMBER.split(want) != _NUMBER.split(got):
            return False, f"line {number} of the output: expected {want!r}, got {got!r}"
        seconds = _NUMBER.findall(other)
        for i, (one, two) in enumerate(zip(_NUMBER.findall(want), _NUMBER.findall(got), strict=True)):
            if i < len(seconds) and seconds[i] != one:
                varying += 1
            elif not _close(one, two):
                return False, f"line {number} of the output: expected {one}, got {two} in {got!r}"
            else:
                compared += 1
    times = f"; {varying} numbers vary from run to run of the source and were not compared" if varying else ""
    return True, f"same exit code and output ({len(lines[0])} lines, {compared} numbers compared{times})"


def _close(one: str, two: str) -> bool:
    if one == two:
        return True
    first, second = float(one), float(two)
    if one.lstrip("+-").isdigit() and two.lstrip("+-").isdigit():
        return False
    return math.isclose(first, second, rel_tol=_RELATIVE, abs_tol=1e-6)
