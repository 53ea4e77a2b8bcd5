"""The list of what a package may hold knows every file of the engine, before one is built."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHECK = runpy.run_path(str(ROOT / "client-vscode" / "scripts" / "check_package.py"))


def test_every_file_of_engine_and_server_is_allowed_in_the_wheel() -> None:
    places = {"xpiler": ROOT / "xpiler", "xpiler_server": ROOT / "server" / "xpiler_server"}
    files = [
        f"{package}/{path.relative_to(folder)}"
        for package, folder in places.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert len(files) > 300
    assert [name for name in files if not CHECK["IN_WHEEL"].fullmatch(name)] == []


def test_files_that_are_no_python_have_to_be_there() -> None:
    assert {"xpiler/tuning/peaks.cpp", "xpiler/emulators/common/process.hpp"} <= set(
        CHECK["REQUIRED_IN_WHEEL"]
    )
