"""The same text has the same findings in every process, whatever order its sets and tables have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SUITE = Path(__file__).parent / "suite"
RUNS = 10
FILES = ("scopes.hip", "twins.hip", "tasks.mlu")
_PROGRAM = f"""
import json, sys
from pathlib import Path
from xpiler.frontend import parse
from xpiler.platforms.registry import platform_of
from xpiler.symbolic.check import Options, check_unit
from xpiler.symbolic.render import document

options = Options((4, 1, 1), (64, 1, 1))
for file in sys.argv[1:]:
    unit = parse(Path(file).read_text(), file, platform=platform_of(file))
    said = set()
    for _ in range({RUNS}):
        report = document(check_unit(unit, options if file.endswith("hip") else Options()))
        for part in (report, *report["kernels"]):
            del part["seconds"]
        said.add(json.dumps(report))
    print(*said)
    assert len(said) == 1
"""


def test_twenty_runs_in_two_processes_say_the_same() -> None:
    said = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *(str(SUITE / name) for name in FILES)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "12345")
    ]
    first, second = (process.communicate()[0] for process in said)
    assert all(process.returncode == 0 for process in said)
    assert first.count("counterexample") > 9 and first == second
