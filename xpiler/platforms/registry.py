"""The platforms that there are: their names, their files, and how their programs run on this machine.

Every layer keeps what it knows of a platform in a table by the platform's name (`frontend`, `gate`,
`routes`); this one is the first of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from xpiler.errors import Refusal


@dataclass(frozen=True)
class Platform:
    """One language of kernels.

    `extension` is that of files written in it; `others` are read as it, too. `emulated`: its programs need
    an emulator's headers to run on the host; others are plain C++ for the host's compiler.
    """

    name: str
    title: str
    extension: str
    others: tuple[str, ...] = ()
    emulated: bool = True


PLATFORMS: dict[str, Platform] = {
    platform.name: platform
    for platform in (
        Platform("cuda", "CUDA C++", ".cu"),
        Platform("hip", "HIP C++", ".hip"),
        Platform("bang", "BANG C", ".mlu"),
        Platform("vnni", "C++ with AVX-512/VNNI", ".cpp", (".cc", ".cxx", ".c"), emulated=False),
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


def platform_of(file: str) -> str:
    """The platform of a file by its extension. Raises Refusal for others."""
    known = extensions()
    platform = known.get(PurePath(file).suffix)
    if platform is None:
        raise Refusal(
            "extension", f"{file}: not a kernel file", remedy=f"known extensions: {', '.join(known)}"
        )
    return platform
