"""The C++ compilers of this machine that build what is run: g++, clang++, or the ziglang wheel."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from xpiler.errors import Refusal

VNNI_FLAGS = (
    *("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512cd", "-mavx512vnni", "-mavx512bf16"),
    *("-mavx2", "-mfma", "-mf16c"),
)
_NEEDED_ON_CPU = ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd", "avx512_vnni", "avx512_bf16")


@dataclass(frozen=True)
class Compiler:
    """A host C++ compiler: `name` (`g++`, `clang++`, `zig c++`), how to call it, what it says of itself."""

    name: str
    command: tuple[str, ...]
    version: str

    @property
    def path(self) -> str:
        return self.command[0]


@functools.cache
def host_compilers() -> tuple[Compiler, ...]:
    """All that are here, best first."""
    found = []
    for name in ("g++", "clang++"):
        path = shutil.which(name)
        version = first_line([path, "--version"]) if path else ""
        if path and version:
            found.append(Compiler(name, (path,), version))
    if importlib.util.find_spec("ziglang"):
        command = (sys.executable, "-m", "ziglang", "c++")
        version = first_line([*command, "--version"])
        if version:
            found.append(Compiler("zig c++", command, version))
    return tuple(found)


def host_compiler(name: str | None = None) -> Compiler:
    """The compiler called `name`, or the best one. Raises `Refusal` if there is none."""
    for compiler in host_compilers():
        if name in (None, compiler.name):
            return compiler
    raise Refusal(
        "no-compiler",
        f"no C++ compiler found{f' called {name}' if name else ''}, so nothing can be run",
        remedy="install g++ or clang++, or `pip install xpiler[compiler]`",
    )


def first_line(argv: list[str]) -> str:
    """What a tool prints first, or nothing if it does not run."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout or done.stderr).strip().splitlines() if done.returncode == 0 else []
    return lines[0] if lines else ""


@functools.cache
def cpu_features() -> frozenset[str]:
    """The feature names of /proc/cpuinfo; empty where there is none."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return frozenset(line.split(":", 1)[1].split())
    except OSError:
        pass
    return frozenset()


def cpu_runs_vnni() -> bool:
    """Whether programs built with `VNNI_FLAGS` run here as they are."""
    return set(_NEEDED_ON_CPU) <= cpu_features()
