"""Where programs are not run, on macOS and Windows, kernels are read, checked and translated all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from xpiler_server.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
_WITHOUT = """
import json, os, signal, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "resource", "pwd", "grp", "termios"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
for name in ("nice", "killpg", "getpgid", "setsid", "fork", "sched_getaffinity", "getuid", "mkfifo"):
    delattr(os, name)
for name in ("SIGKILL", "SIGSTOP", "SIGCONT", "SIGXCPU"):
    delattr(signal, name)
from xpiler_server.engine.asking import Ask
from xpiler_server.engine.work import WORK
import xpiler_server.engine.__main__, xpiler_server.setup

given = {"text": sys.stdin.read(), "file": "k.cu", "seconds": 5.0}
told = {"kernels": [k["name"] for k in WORK["outline"](Ask(given))["kernels"]]}
told["checked"] = [k["status"] for k in WORK["check"](Ask(given))["kernels"]]
for to in ("hip", "bang", "vnni"):
    ask = Ask({**given, "to": to, "arguments": {}, "run": False, "model": None})
    told[to] = WORK["translate"](ask)["status"]
print(json.dumps(told))
"""


def test_reading_checking_and_translating_need_nothing_that_only_linux_has() -> None:
    kernel = (ROOT / "snippets" / "cuda" / "add.cu").read_text()
    ran = subprocess.run([sys.executable, "-c", _WITHOUT], input=kernel, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    translated = dict.fromkeys(("hip", "bang", "vnni"), "unverified")
    assert json.loads(ran.stdout) == {"kernels": ["add_kernel"], "checked": ["clean"], **translated}


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_nothing_is_run_where_there_is_no_sandbox(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().unrun == ""
    monkeypatch.setattr(sys, "platform", system)
    assert Settings().unrun == "not run: programs are compiled and run on Linux only"
    assert Settings().model is None
