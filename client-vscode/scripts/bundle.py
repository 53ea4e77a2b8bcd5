"""Fills `bundled/` with the server and all that it needs, for each version of Python that is supported.

    python scripts/bundle.py WHEEL TARGET

`bundled/libs` has what is the same for every Python, with the engine, the server, and the snippets;
`bundled/cp311` and so on have what is compiled for one. Versions and hashes are those of `requirements.lock`.
The result is for TARGET, wherever it is made: wheels of its processor are taken, and nothing is compiled.
"""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement

CLIENT = Path(__file__).resolve().parents[1]
ROOT = CLIENT.parent
PYTHONS = ("3.11", "3.12", "3.13")
LEFT_OUT = ("**/tests", "**/__pycache__", "**/*.pyi", "**/*.a", "**/*.lib", "bin", "share", "z3/include")


def _manylinux(processor: str, glibc: int) -> list[str]:
    """Wheels that ask for this glibc 2 or an older one, the newest first."""
    return [
        *(f"manylinux_2_{minor}_{processor}" for minor in range(glibc, 4, -1)),
        f"manylinux2014_{processor}",
    ]


def _macos(processor: str, newest: int) -> list[str]:
    """Wheels for this macOS or an older one; up to 10.15 the version was counted by its second number."""
    later = [
        f"macosx_{major}_0_{what}" for major in range(newest, 10, -1) for what in (processor, "universal2")
    ]
    return later + [
        f"macosx_10_{minor}_{what}" for minor in range(15, 8, -1) for what in (processor, "universal2")
    ]


# Targets of `vsce package` by the tags of their wheels. Ubuntu 22.04 and Debian 12 have glibc 2.35 and 2.36;
# on ARM the solver's wheel asks for 2.38 (Ubuntu 24.04, Debian 13).
TARGETS = {
    "linux-x64": _manylinux("x86_64", 34),
    "linux-arm64": _manylinux("aarch64", 38),
    "darwin-x64": _macos("x86_64", 14),
    "darwin-arm64": _macos("arm64", 14),
    "win32-x64": ["win_amd64"],
    "win32-arm64": ["win_arm64"],
}


def main(wheel: Path, system: str) -> None:
    """Makes `bundled/` anew from the wheel of this project and the lock file."""
    if system not in TARGETS:
        sys.exit(f"there are no packages for {system}, only for {', '.join(TARGETS)}")
    target = CLIENT / "bundled"
    shutil.rmtree(target, ignore_errors=True)
    libs = target / "libs"
    libs.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        folder, wanted = Path(name), _closure()
        for python in PYTHONS:
            pins = folder / f"{python}.txt"
            pins.write_text(_pins(wanted))
            _install(pins, folder / python, python, TARGETS[system])
            # What is the same for every Python is there after the first.
            wanted = _sort(folder / python, libs, target / f"cp{python.replace('.', '')}")
        _unpack(wheel, libs, folder)
    # The solver's wheel for macOS has the libraries for Windows, too.
    for pattern in LEFT_OUT if system.startswith("win32") else (*LEFT_OUT, "**/*.dll"):
        for path in [*target.glob(f"libs/{pattern}"), *target.glob(f"cp*/{pattern}")]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _closure() -> set[str]:
    """The project's dependencies and theirs, by their normal names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting, found = list(project["dependencies"]), set()
    while waiting:
        requirement = Requirement(waiting.pop())
        name = _normal(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += importlib.metadata.requires(name) or []
    return found


def _pins(names: set[str]) -> str:
    """The lines of the lock file about these packages, hashes included."""
    lock = (ROOT / "requirements.lock").read_text()
    texts = {_normal(m[1]): m[0] for m in re.finditer(r"^([^\s#=]+)==.*(?:\n[ ]+--hash.*)*", lock, re.M)}
    missing = names - texts.keys()
    if missing:
        sys.exit(f"not in requirements.lock: {', '.join(sorted(missing))}")
    return "\n".join(texts[name] for name in sorted(names)) + "\n"


def _install(pins: Path, target: Path, python: str, tags: list[str]) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"),
            *("--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile"),
            *("--python-version", python, "--target", str(target), "-r", str(pins)),
            *(word for tag in tags for word in ("--platform", tag)),
        ],
        check=True,
    )


def _sort(installed: Path, libs: Path, native: Path) -> set[str]:
    """Moves packages that are compiled for one version of Python to `native`, the others to `libs`. The names
    of the former."""
    compiled = set()
    for information in sorted(installed.glob("*.dist-info")):
        tags = re.findall(r"^Tag: (\S+)", (information / "WHEEL").read_text(), re.M)
        own = all(re.match(r"cp\d+-cp\d+", tag) for tag in tags)
        destination = native if own else libs
        if own:
            compiled.add(_normal(information.name.split("-")[0]))
        for name in _owned(information):
            if (installed / name).exists() and not (destination / name).exists():
                destination.mkdir(exist_ok=True)
                shutil.move(installed / name, destination / name)
    return compiled


def _owned(information: Path) -> set[str]:
    """The first parts of the paths of an installed package's files."""
    paths = [line.split(",")[0] for line in (information / "RECORD").read_text().splitlines()]
    return {Path(path).parts[0] for path in paths if not path.startswith("..")}


def _unpack(wheel: Path, libs: Path, folder: Path) -> None:
    """The engine, the server and the snippets, as the wheel has them."""
    contents = folder / "wheel"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(contents)
    for data in contents.glob("*.data/data/share/xpiler/*"):
        shutil.copytree(data, libs / data.name)
    for path in contents.iterdir():
        if path.suffix != ".data":
            shutil.copytree(path, libs / path.name)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
