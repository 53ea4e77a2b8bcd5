"""The C++ compilers of this machine that build what is run: g++, clang++, or the ziglang wheel."""

from __future__ import annotations

import functools
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xpiler.errors import Refusal
from xpiler.gate import cache

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
        wrapper = _zig_wrapper()
        version = first_line([str(wrapper), "--version"])
        if version:
            found.append(Compiler("zig c++", (str(wrapper),), version))
    return tuple(found)


def _zig_wrapper() -> Path:
    """The ziglang wheel's compiler as one program, with a name that says that it takes clang's flags."""
    path = cache.folder() / "zig-clang++"
    script = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m ziglang c++ "$@"\n'
    if not path.exists() or path.read_text() != script:
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_text(script)
        fresh.chmod(0o755)
        fresh.replace(path)
    return path


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


def first_line(argv: list[str], env: Mapping[str, str] | None = None) -> str:
    """What a tool prints first, or nothing if it does not run."""
    return (output_of(argv, env).strip().splitlines() or [""])[0]


def output_of(argv: list[str], env: Mapping[str, str] | None = None) -> str:
    """What a tool of this machine says, or nothing if it fails. Not for untrusted programs."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env={**os.environ, **(env or {})},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr) if done.returncode == 0 else ""


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
