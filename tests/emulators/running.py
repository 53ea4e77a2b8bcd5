"""Compiles a CUDA, HIP or BANG C program with the emulator and runs it: the shared part of these tests."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpiler.emulators import host

CACHE = Path(os.environ.get("XPILER_TEST_CACHE") or Path(tempfile.gettempdir()) / "xpiler-emulator-tests")


@dataclass(frozen=True)
class Outcome:
    """`events` are the JSON lines, in order; 86 as `status` means that the emulator stopped the program."""

    status: int
    output: str
    events: list[dict[str, Any]]

    def event(self, name: str) -> dict[str, Any]:
        return next(event for event in self.events if event["event"] == name)


def run_program(
    text: str,
    folder: Path,
    platform: str = "cuda",
    compiler: str = "g++",
    stdin: bytes = b"",
    **environment: str,
) -> Outcome:
    return run_built(compile_program(text, folder, platform, compiler), folder, stdin, **environment)


def run_built(program: Path, folder: Path, stdin: bytes = b"", **environment: str) -> Outcome:
    log = folder / "events.jsonl"
    log.unlink(missing_ok=True)
    done = subprocess.run(
        [program],
        input=stdin,
        capture_output=True,
        timeout=60,
        env={**os.environ, "XPILER_EVENTS": str(log), **environment},
    )
    lines = log.read_text().splitlines() if log.exists() else []
    return Outcome(done.returncode, done.stdout.decode(), [json.loads(line) for line in lines])


def compile_program(text: str, folder: Path, platform: str = "cuda", compiler: str = "g++") -> Path:
    flags = host.precompiled_header(platform, compiler, CACHE)
    source = folder / "program.cpp"
    source.write_text(host.prepare(text, "program.cu", platform))
    program = folder / "program"
    done = subprocess.run([compiler, *flags, source, "-o", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]
    return program
