"""oneDNN beside a translated program: builds `onednn.cpp`, and runs a case in it.

oneDNN is a dependency of this benchmark alone. One thread, and the processor time of that thread, or several
and wall time, where a sample counts if the process had its processors; the buffers are the same for every
sample, so what fits into a cache is in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xpiler.bench.operators import Operator, Shape
from xpiler.bench.speed.kernel_timer import with_clock
from xpiler.errors import Refusal
from xpiler.gate import cache
from xpiler.gate.avx512 import missing_parts
from xpiler.gate.compilers import host_compiler
from xpiler.gate.contract import Role
from xpiler.gate.execute import vnni_flags
from xpiler.gate.inputs import inputs_of

_SOURCE = Path(__file__).with_name("onednn.cpp")
_NICENESS = -5  # of the process that is timed, where that is allowed
_HAD = 0.97  # share of its processors from which on a sample of several threads counts


@dataclass(frozen=True)
class Times:
    """Seconds of one run, a sample each. `vendor` has the samples of every way that the library has, by the
    name of its implementation; `difference` is the largest of the two results, None if they differ by
    what they compute. `shared`: other processes took processors away from every sample of one of the two."""

    ours: tuple[float, ...]
    vendor: tuple[tuple[str, tuple[float, ...]], ...]
    difference: float | None
    shared: bool = False


def harness() -> Path:
    """The program that runs both. Raises Refusal where oneDNN is not installed."""
    compiler = host_compiler()
    name = cache.key(_SOURCE.read_bytes(), *compiler.command, compiler.version)
    failed: list[str] = []

    def make(path: Path) -> bool:
        done = subprocess.run(
            [
                *compiler.command,
                "-std=c++17",
                "-O2",
                "-fopenmp",
                str(_SOURCE),
                "-o",
                str(path),
                "-ldnnl",
                "-ldl",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        failed.append(done.stderr)
        return done.returncode == 0

    made = cache.fetch("vendor", name, make)
    if made is None:
        reason = next((line for line in failed[-1].splitlines() if "error" in line), "it does not link")
        raise Refusal(
            "no-onednn",
            f"oneDNN, which translations are measured against, cannot be used: {reason}",
            remedy="apt install libdnnl-dev (oneDNN 2)",
        )
    return made


def library(text: str, kernels: Sequence[str], operator: Operator, folder: Path) -> Path:
    """The delivered text with a clock around its kernels, as a shared library in `folder`."""
    compiler = host_compiler()
    source, built = folder / "timed.cpp", folder / "timed.so"
    source.write_text(with_clock(text, kernels, operator.entry, operator.arguments), encoding="utf-8")
    if lacking := missing_parts(text):
        needs = f"{operator.name} needs {', '.join(lacking)}"
        raise Refusal("no-device", f"{needs}, which this processor has not: an emulator's time says nothing")
    flags = vnni_flags(compiler, text, "-O3", shows_faults=False)
    done = compiler.compile([*flags, "-shared", "-fPIC", source.name, "-o", built.name], folder)
    if not done.ok:
        raise Refusal("bench-build", f"{operator.name} does not compile: {done.stderr[:2000]}")
    return built


def race(
    program: Path,
    built: Path,
    operator: Operator,
    shape: Shape,
    *,
    samples: int,
    least: float,
    processors: Sequence[int],
) -> Times:
    """Both in turn on the shape, `samples` times, `least` seconds long at least, a thread a processor."""
    contract, case = operator.contract(), operator.case(shape)
    data = inputs_of(contract, case)
    with tempfile.TemporaryDirectory(prefix="xpiler-speed-") as name:
        folder = Path(name)
        lines = [f"operator {operator.name}", f"samples {samples} {least}"]
        lines.append(f"threads {len(processors)}")
        lines += [f"size {size} {value}" for size, value in shape.sizes]
        for argument in operator.arguments:
            if argument.is_pointer:
                file = "-"
                if argument.role is not Role.OUT:
                    file = str(folder / argument.name)
                    data[argument.name].tofile(file)
                size = case.extent(argument.name) * argument.dtype.bytes
                lines.append(f"array {argument.name} {size} {file}")
        lines.append("order " + " ".join(argument.name for argument in operator.arguments))
        (folder / "case").write_text("\n".join(lines) + "\n")
        done = subprocess.run(
            [str(program), str(built), str(folder / "case")],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            env={**os.environ, **_threads(len(processors))},
            preexec_fn=_alone(processors),
        )
    if done.returncode != 0:
        raise Refusal("bench-run", f"{operator.name} at {shape.describe()}: {done.stderr.strip()[-500:]}")
    told = json.loads(done.stdout)
    off = told["difference"]
    one = len(processors) == 1
    counted = {
        name: _counted(way, one)
        for name, way in (("", told["ours"]), *((w["name"], w) for w in told["vendor"]))
    }
    return Times(
        counted[""] or tuple(told["ours"]["samples"]),
        tuple((w["name"], counted[w["name"]] or tuple(w["samples"])) for w in told["vendor"]),
        None if off < 0 else off,
        not all(counted.values()),
    )


def _counted(way: Mapping[str, Sequence[float]], one: bool) -> tuple[float, ...]:
    """The samples that say something: all processor times, and wall times of threads that all ran."""
    pairs = zip(way["samples"], way["had"], strict=True)
    return tuple(seconds for seconds, had in pairs if one or had >= _HAD)


def _threads(count: int) -> dict[str, str]:
    """What OpenMP, which both sides use, is told. Threads stay where they are, and wait busily."""
    if count == 1:
        return {"OMP_NUM_THREADS": "1"}
    return {
        "OMP_NUM_THREADS": str(count),
        "OMP_DYNAMIC": "false",
        "OMP_PROC_BIND": "true",
        "OMP_PLACES": "threads",
        "OMP_WAIT_POLICY": "active",
    }


def _alone(processors: Sequence[int]) -> Callable[[], None]:
    def prepare() -> None:
        os.sched_setaffinity(0, processors)
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)

    return prepare


def vendor_version() -> str:
    """As the installed header says it; empty if there is none."""
    header = Path("/usr/include/oneapi/dnnl/dnnl_version.h")
    if not header.exists() or shutil.which("g++") is None:
        return ""
    defined = re.findall(r"#define DNNL_VERSION_(MAJOR|MINOR|PATCH) (\d+)", header.read_text())
    numbers = dict(defined)
    return ".".join(numbers[part] for part in ("MAJOR", "MINOR", "PATCH"))
