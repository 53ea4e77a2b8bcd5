"""How well estimates order programs, held against times on this machine. Not a test: times are noise.

    python -m tests.tuning.order_of_estimates snippets/cuda/gemm_tiled.cu 20 M=128 N=128 K=128

Draws so many programs from the space of a file's translation to C++ and prints, for each, the estimated and
the measured microseconds on one thread; then the rank correlation, and how the best program of the quarter
that the estimates put first compares with the best of all.
"""

import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from xpiler.gate import execute
from xpiler.gate.overrides import Overrides
from xpiler.gate.timing import run_time
from xpiler.translate import writer
from xpiler.tuning import cost
from xpiler.tuning.space import space_of


def main(file: str, count: str, *sizes: str) -> None:
    execute.program_threads = lambda: 1
    cost.PROCESSOR = replace(cost.PROCESSOR, threads=1)
    stated = [(name, (int(value),)) for name, value in (size.split("=") for size in sizes)]
    text = Path(file).read_text(encoding="utf-8")
    trusted, write = writer(text, file, "vnni", Overrides(args=tuple(stated)))
    space = space_of(write)
    default, *others = space.points()
    random.Random(1).shuffle(others)
    found: dict[str, tuple[float, float]] = {}
    for one in (default, *others):
        made = space.make(one)
        if made is None or made.program in found or len(found) == int(count):
            continue
        program = trusted.program(made.text, "kernel.cpp")
        timing = run_time(program, 60, 0.0005)
        if timing.samples:
            found[made.program] = cost.estimated(program) * 1e6, min(timing.samples) * 1e6
            print("{:9.1f} {:9.1f}".format(*found[made.program]), dict(one), flush=True)
    pairs = np.array(sorted(found.values()))
    ranks = [column.argsort().argsort() for column in pairs.T]
    print(f"rank correlation {np.corrcoef(*ranks)[0, 1]:.2f} over {len(pairs)} programs")
    first = pairs[: max(1, len(pairs) // 4), 1]
    print(f"best of the first quarter: {first.min() / pairs[:, 1].min():.2f} times the best of all")


if __name__ == "__main__":
    main(*sys.argv[1:])
