"""The C++ compilers of this machine that build what is run: g++, clang++, or the ziglang wheel."""

from __future__ import annotations

import functools
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xpiler.errors import Refusal
from xpiler.gate import cache, sandbox
from xpiler.gate.sandbox import Completed, Limits

_LIMITS = Limits(cpu=180, wall=240, memory=8192, processes=128, file=512)


@dataclass(frozen=True)
class Compiler:
    """A host C++ compiler: `name` (`g++`, `clang++`, `zig c++`), how to call it, what it says of itself."""

    name: str
    command: tuple[str, ...]
    version: str

    @property
    def path(self) -> str:
        return self.command[0]

    def compile(self, arguments: Sequence[str], cwd: Path) -> Completed:
        """Runs it in the sandbox, in the folder `cwd`: the texts it is given are not trusted."""
        if self.name != "zig c++":
            return sandbox.run([*self.command, *arguments], cwd=cwd, limits=_LIMITS)
        # It builds its own C++ library once, and keeps it.
        home = cache.folder() / "zig"
        home.mkdir(exist_ok=True)
        env = {"ZIG_GLOBAL_CACHE_DIR": str(home), "ZIG_LOCAL_CACHE_DIR": str(home)}
        return sandbox.run([*self.command, *arguments], cwd=cwd, limits=_LIMITS, env=env, writable=[home])


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
def openmp_flag(compiler: Compiler) -> str:
    """`-fopenmp` where the compiler has OpenMP's header and runtime, else the flag for SIMD pragmas alone."""

    def probe(path: Path) -> bool:
        with tempfile.TemporaryDirectory(prefix="xpiler-probe-") as folder:
            program = "#include <omp.h>\nint main() { return omp_in_parallel(); }\n"
            (Path(folder) / "probe.cpp").write_text(program)
            done = compiler.compile(["-fopenmp", "probe.cpp", "-o", "probe"], Path(folder))
        path.write_text("-fopenmp" if done.ok else "-fopenmp-simd")
        return not done.reason

    known = cache.fetch("answers", cache.key("openmp", *compiler.command, compiler.version), probe)
    return known.read_text() if known else "-fopenmp-simd"
