"""What the packages hold, and that the wheel works outside of a checkout.

    python scripts/check_package.py WHEEL VSIX

A file that no pattern below allows, or one that must be there and is not, fails the check; so does a library
for another processor than the package's. Then the wheel is installed into an environment of its own, and
translates a kernel.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What libraries begin with, and the processor that their headers name: of ELF, of Mach-O, and of PE behind
# one of DOS.
ELF, MACH, PE = b"\x7fELF", b"\xcf\xfa\xed\xfe", b"MZ"
UNIVERSAL = b"\xca\xfe\xba\xbe"  # Mach-O for several processors
MACHINES = {
    "linux-x64": (ELF, 62),
    "linux-arm64": (ELF, 183),
    "darwin-x64": (MACH, 0x01000007),
    "darwin-arm64": (MACH, 0x0100000C),
    "win32-x64": (PE, 0x8664),
    "win32-arm64": (PE, 0xAA64),
}
SOLVER = {ELF: "libz3.so", MACH: "libz3.dylib", PE: "libz3.dll"}

IN_WHEEL = re.compile(
    r"xpiler/(\w+/)*\w+\.py|xpiler/py\.typed|xpiler/emulators/(\w+/)*[\w.]+\.(hpp|cpp|h)"
    r"|xpiler/(gate|bench/speed|tuning)/\w+\.cpp|xpiler/neural/prompts/\w+\.md|xpiler_server/(\w+/)*\w+\.py"
    r"|xpiler-[\w.]+\.data/data/share/xpiler/snippets/(operators\.toml|\w+/\w+\.(cu|hip|mlu|cpp))"
    r"|xpiler-[\w.]+\.data/data/share/xpiler/(docs|manuals)/[\w/-]+\.md"
    r"|xpiler-[\w.]+\.dist-info/(METADATA|RECORD|WHEEL|entry_points\.txt|top_level\.txt|licenses/LICENSE)"
)
IN_VSIX = re.compile(
    r"\[Content_Types\]\.xml|extension\.vsixmanifest|extension/(package\.json|readme\.md|LICENSE\.txt)"
    r"|extension/(dist/main\.js|language-configuration\.json|syntaxes/\w+\.tmLanguage\.json)"
    r"|extension/images/[\w-]+\.(svg|png)|extension/walkthrough/\w+\.md"
    r"|extension/bundled/(libs|cp\d+)/(?!.*(__pycache__|/tests/|\.pyi$)).+"
)
REQUIRED_IN_WHEEL = (
    "xpiler/py.typed",
    "xpiler_server/main.py",
    *(
        str(path.relative_to(ROOT))
        for pattern in ("*.h", "*.hpp", "*.cpp", "*.md")
        for path in sorted((ROOT / "xpiler").rglob(pattern))
    ),
)
REQUIRED_IN_VSIX = (
    "extension/dist/main.js",
    "extension/bundled/libs/xpiler/cli.py",
    "extension/bundled/libs/xpiler_server/main.py",
    "extension/bundled/libs/pygls/__init__.py",
    "extension/bundled/libs/z3/z3.py",
    "extension/bundled/libs/snippets/cuda/gemm_tiled.cu",
    "extension/bundled/libs/manuals/bang/memory.md",
    "extension/bundled/libs/docs/checks/XP-RACE.md",
    *(f"extension/bundled/cp{v}/{p}/__init__.py" for v in (311, 312, 313) for p in ("numpy", "tree_sitter")),
    *(f"extension/bundled/libs/{path}" for path in REQUIRED_IN_WHEEL),
)


def main(wheel: Path, vsix: Path) -> None:
    """Fails with the first things that are wrong."""
    target = next((name for name in MACHINES if vsix.stem.endswith(name)), None)
    if target is None:
        sys.exit(f"{vsix.name}: not the name of a package for a platform")
    kind, machine = MACHINES[target]
    solver = f"extension/bundled/libs/z3/lib/{SOLVER[kind]}"
    problems = _check(wheel, IN_WHEEL, REQUIRED_IN_WHEEL) + _check(vsix, IN_VSIX, (*REQUIRED_IN_VSIX, solver))
    problems += _foreign(vsix, kind, machine)
    if problems:
        sys.exit("\n".join(problems[:20]))
    _translate_with(wheel)
    for package in (wheel, vsix):
        print(f"{package}: {package.stat().st_size / 1e6:.1f} MB, contents as they should be")


def _check(package: Path, allowed: re.Pattern[str], required: tuple[str, ...]) -> list[str]:
    with zipfile.ZipFile(package) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    unexpected = [
        f"{package.name}: not allowed: {name}" for name in sorted(names) if not allowed.fullmatch(name)
    ]
    return unexpected + [f"{package.name}: missing: {name}" for name in required if name not in names]


def _foreign(vsix: Path, kind: bytes, machine: int) -> list[str]:
    """Libraries for another system or processor than the package's, by their headers."""
    wrong = []
    with zipfile.ZipFile(vsix) as archive:
        for name in archive.namelist():
            if re.search(r"\.(so(\.[\d.]+)?|dylib|dll|pyd)$", name):
                with archive.open(name) as library:
                    if not _is_for(library.read(4096), kind, machine):
                        wrong.append(f"{vsix.name}: for another processor: {name}")
    return wrong


def _is_for(head: bytes, kind: bytes, machine: int) -> bool:
    if head.startswith(UNIVERSAL) and kind == MACH:
        count = int.from_bytes(head[4:8], "big")
        return machine in (int.from_bytes(head[8 + 20 * i : 12 + 20 * i], "big") for i in range(count))
    if not head.startswith(kind):
        return False
    if kind == ELF:
        return int.from_bytes(head[18:20], "little") == machine
    if kind == MACH:
        return int.from_bytes(head[4:8], "little") == machine
    start = int.from_bytes(head[60:64], "little")
    return (
        head[start : start + 4] == b"PE\0\0"
        and int.from_bytes(head[start + 4 : start + 6], "little") == machine
    )


def _translate_with(wheel: Path) -> None:
    """Installs the wheel beside the dependencies of this Python, and has it translate a kernel."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "env", with_pip=False)
        python = folder / "env" / "bin" / "python"
        install = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(python),
            "install",
            "-q",
            "--no-deps",
            str(wheel),
        ]
        subprocess.run(install, check=True)
        packages = next((folder / "env" / "lib").glob("python*/site-packages"))
        # The dependencies, behind what was just installed.
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        kernel = folder / "add.cu"
        kernel.write_bytes((ROOT / "snippets" / "cuda" / "add.cu").read_bytes())
        program = [python, "-P", "-c", f"import xpiler; assert xpiler.__file__.startswith({str(packages)!r})"]
        subprocess.run(program, check=True, cwd=folder)
        command = [
            folder / "env" / "bin" / "xpiler",
            "translate",
            kernel,
            "--to",
            "vnni",
            "-o",
            folder / "add.cpp",
        ]
        subprocess.run(command, check=True, cwd=folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
