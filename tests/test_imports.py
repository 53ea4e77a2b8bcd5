"""A translation waits for what it needs: other backends, provers, models and servers are not loaded."""

from __future__ import annotations

import subprocess
import sys

LOADED = "import sys, xpiler.translate; print(*sorted(sys.modules))"
NEVER = {"z3", "openai", "httpx", "lsprotocol", "pygls", "distributed", "rich"}
BACKENDS = {"xpiler.backend.bang", "xpiler.backend.simt", "xpiler.backend.vnni", "xpiler.backend.hip"}


def test_the_engine_loads_no_backend_before_it_is_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert (NEVER | BACKENDS) & set(done.stdout.split()) == set()
