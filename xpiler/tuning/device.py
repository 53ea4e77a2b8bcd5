"""The devices of this machine, by a fingerprint under which measurements are kept."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from xpiler.gate.avx512 import missing_parts
from xpiler.platforms.registry import PLATFORMS


@dataclass(frozen=True)
class Device:
    """`runs`: the platforms whose programs the gate runs on it; `name`: as the maker calls it."""

    kind: str
    name: str
    runs: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        return f"{self.kind}: {self.name}"

    def is_called(self, name: str) -> bool:
        """Whether `name` is its kind, or a part of its name."""
        return name == self.kind or name.lower() in self.name.lower()


def devices() -> list[Device]:
    """What is here: the CPU, which runs C++ if it has AVX-512, and GPUs that a vendor's tool lists. On those
    the gate runs nothing yet: the time of an emulator would say nothing of them."""
    host = tuple(p.name for p in PLATFORMS.values() if not p.emulated and not missing_parts(""))
    found = [Device("cpu", f"{_cpu_name()}, {len(os.sched_getaffinity(0))} processors", host)]
    found += [
        Device("cuda", name, ())
        for name in _listed("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    ]
    found += [Device("hip", name, ()) for name in _listed("rocm-smi", "--showproductname", "--csv")[1:]]
    return found


def device_for(target: str, name: str | None = None) -> Device | None:
    """The first device of this machine that runs programs of a platform, and is so named; None if there is
    none."""
    return next((d for d in devices() if target in d.runs and (not name or d.is_called(name))), None)


def _listed(*command: str) -> list[str]:
    if shutil.which(command[0]) is None:
        return []
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
