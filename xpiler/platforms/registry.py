"""The platforms that there are: their names, their files, and how their programs run on this machine.

Every layer keeps what it knows of a platform in a table by the platform's name (`frontend`, `gate`,
`routes`); this one is the first of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from xpiler.errors import Refusal


@dataclass(frozen=True)
class Platform:
    """One language of kernels.

    `extension` is that of files written in it; `others` are read as it, too. `emulated`: its programs need
    an emulator's headers to run on the host; others are plain C++ for the host's compiler. `model`: kernels
    are run by threads of a grid (`simt`), by the cores of a chip (`tasks`), or are plain functions
    (`serial`). `header`: a pattern of the header without which nothing is written in it. `words`: a
    pattern of what only its compiler takes.
    """

    name: str
    title: str
    extension: str
    others: tuple[str, ...] = ()
    model: Literal["simt", "tasks", "serial"] = "simt"
    emulated: bool = True
    header: str = ""
    words: str = r"(?!)"


_SIMT_WORDS = (
    r"\b__(?:global|device|host|shared|constant|managed|forceinline|launch_bounds)__|\bdim3\b|\b__half"
)

PLATFORMS: dict[str, Platform] = {
    platform.name: platform
    for platform in (
        Platform(
            "cuda",
            "CUDA C++",
            ".cu",
            (".cuh",),
            header=r"cuda_runtime(_api)?\.h",
            words=rf"{_SIMT_WORDS}|<(?:cuda|cooperative_groups|mma)|\b(?:cuda[A-Z]|CUDA_|cublas|cudnn)\w*",
        ),
        Platform(
            "hip",
            "HIP C++",
            ".hip",
            header=r"hip/hip_runtime(_api)?\.h",
            words=rf"{_SIMT_WORDS}|<hip/|\b(?:hip[A-Z]|HIP_|rocblas|hipblas)\w*",
        ),
        Platform(
            "bang",
            "BANG C",
            ".mlu",
            (".mluh",),
            model="tasks",
            header=r"bang\.h",
            words=r"\b__(?:mlu|bang|nram|wram|ldram|sync|memcpy|is_[im]pu|MLU|BANG)|<(?:bang|mlu|cnrt|cndrv)|"
            r"\b(?:cnrt[A-Z]|CNRT_|cn[A-Z]|CN_)\w*|\btask(?:Id|Dim)",
        ),
        Platform(
            "vnni",
            "C++ with AVX-512/VNNI",
            ".cpp",
            (".cc", ".cxx", ".c"),
            model="serial",
            emulated=False,
            words=r"<\w*intrin\.h>|\b_mm\d*_|\b__m\d+",
        ),
    )
}


def register(platform: Platform) -> None:
    """Adds a platform. Raises ValueError if its name or one of its extensions is taken."""
    taken = set(extensions()) & {platform.extension, *platform.others}
    if platform.name in PLATFORMS or taken:
        raise ValueError(f"{platform.name}: {', '.join(sorted(taken)) or 'the name'} is taken")
    PLATFORMS[platform.name] = platform


def extensions() -> dict[str, str]:
    """Platforms' names by the extensions of their files."""
    return {ext: p.name for p in PLATFORMS.values() for ext in (p.extension, *p.others)}


def platform_of(file: str, text: str = "") -> str:
    """The platform of a file by its extension; C++ that includes another platform's header is of that one.

    Raises Refusal for other extensions.
    """
    known = extensions()
    platform = known.get(PurePath(file).suffix)
    if platform is None:
        remedy = f"known extensions: {', '.join(known)}"
        raise Refusal("extension", f"{file}: not a kernel file", remedy=remedy)
    if not PLATFORMS[platform].emulated:
        for other in PLATFORMS.values():
            if other.header and re.search(rf"^[ \t]*#\s*include\s*[<\"]{other.header}[>\"]", text, re.M):
                return other.name
    return platform
