"""How long a program's calls take, on the machine that this runs on.

A `Program` is all that is needed for it, and nothing of the folder that its text came from: it can be timed
on another machine as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from xpiler.gate.avx512 import missing_parts
from xpiler.gate.contract import Contract
from xpiler.gate.execute import RunResult, build
from xpiler.gate.kernel_clock import clocked
from xpiler.platforms.registry import PLATFORMS, platform_of

_KILLED = "killed by SIGKILL"
_TRIES = 3  # of a program that somebody else killed: an operator, or the system for want of memory


@dataclass(frozen=True)
class Program:
    """A text with its own headers in place, and how its entries are called in it: each with the one case at
    which it is timed. `kernels`: functions that were kernels; where others call them they alone are timed."""

    text: str
    file: str
    calls: tuple[Contract, ...]
    kernels: tuple[str, ...] = ()

    @property
    def whole_calls(self) -> bool:
        """Whether all that an entry does is timed, for want of kernels that it calls."""
        return clocked(self.text, self.kernels) is None


@dataclass(frozen=True)
class Timing:
    """Seconds of one round of all calls, a number a sample; none where it does not hold, and `why`."""

    samples: tuple[float, ...] = ()
    why: str = ""


def run_time(program: Program, samples: int = 5, least: float = 0.002) -> Timing:
    """So many samples, each of `least` seconds or more. None of a program that only an emulator runs here:
    that would say nothing of its speed."""
    if not program.calls:
        return Timing(why="there are no sizes to run with")
    rounds = [0.0] * samples
    platform = platform_of(program.file, program.text)
    if lacking := missing_parts(program.text) if platform == "vnni" else ():
        return Timing(why=f"this processor has no {', '.join(lacking)}: an emulator's time says nothing")
    if PLATFORMS[platform].emulated:
        return Timing(why=f"{PLATFORMS[platform].title} runs in an emulator here, whose time says nothing")
    text = clocked(program.text, program.kernels) or program.text
    for call in program.calls:
        built = build(text, program.file, platform, call, timed=True)
        if not built.ok:
            return Timing(why=f"it does not build: {built.error}")
        for _ in range(_TRIES):
            (result,) = built.run(call.cases, env={"XPILER_SAMPLES": f"{samples},{least}"})
            if not (result.crash or "").startswith(_KILLED):
                break
        if len(result.samples) != samples:
            return Timing(why=f"it does not run: {_fault(result)}")
        rounds = [whole + own for whole, own in zip(rounds, result.samples, strict=True)]
    return Timing(tuple(rounds)) if any(rounds) else Timing(why="it takes no time")


def _fault(result: RunResult) -> str:
    return result.describe() or f"{len(result.samples)} samples were taken"
