"""Which programs the files and folders of a command line are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from xpiler.errors import Refusal
from xpiler.platforms.registry import PLATFORMS, extensions, platform_of


def programs(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The files to translate, and those of a folder that are left as they are: plain C and C++ beside device
    code is its host code. Raises Refusal for a folder without kernels."""
    files: list[Path] = []
    left: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = _sources(path)
        host = [p for p in found if _is_host_code(p)]
        has_device_code = any(PLATFORMS[platform_of(str(p), _text(p))].emulated for p in found)
        kept = [p for p in found if not (p in host and has_device_code)]
        files += kept
        left += [p for p in found if p not in kept]
        if not kept:
            known = ", ".join(sorted(extensions()))
            raise Refusal("no-input", f"{path}: no kernel files ({known}) in this folder")
    return files, left


def _sources(folder: Path) -> list[Path]:
    """Headers are read where they are included."""
    sources = [extension for extension in extensions() if not extension.endswith("h")]
    return sorted(p for p in folder.rglob("*") if p.suffix in sources and p.is_file())


def _is_host_code(path: Path) -> bool:
    text = _text(path)
    platform = PLATFORMS[platform_of(str(path), text)]
    return not platform.emulated and re.search(platform.words, text) is None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""  # whoever translates it says so
