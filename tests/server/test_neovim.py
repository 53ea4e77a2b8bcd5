"""The server in a real editor that is not VS Code: Neovim, without any plugin."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.server.conftest import SERVER
from tests.server.test_reading import RACE


@pytest.mark.skipif(shutil.which("nvim") is None, reason="Neovim is not installed")
def test_open_see_the_race_and_apply_the_fix(tmp_path: Path) -> None:
    kernel = tmp_path / "turn.cu"
    kernel.write_text(RACE)
    script = Path(__file__).with_name("nvim_check.lua")
    ran = subprocess.run(
        ["nvim", "--headless", "--clean", "-n", "-c", f"luafile {script}"],
        env={**os.environ, "XPILER_LSP": json.dumps(SERVER), "XPILER_FILE": str(kernel)},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert ran.returncode == 0, ran.stderr
    assert "XP-RACE: thread 63 reads s[0] while thread 0 writes it" in ran.stdout + ran.stderr
    assert "Insert `__syncthreads();` before line 6" in ran.stdout + ran.stderr
    assert kernel.read_text().count("__syncthreads();") == 1
