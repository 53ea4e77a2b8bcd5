"""Devices of other machines, on Dask distributed: a scheduler, a worker a device, and tuners that hand them
programs.

Texts and contracts travel, as JSON, over TLS in both directions; Python does not (`pickles.py`). What arrives
is compiled and run by the worker in the gate's sandbox, like anything else. `docs/fleet.md` tells how to run
a fleet.
"""

from __future__ import annotations

import importlib.util

from xpiler.errors import Refusal


def required() -> None:
    """Raises Refusal where the libraries for fleets are not installed."""
    missing = [
        name for name in ("distributed", "cryptography", "cattrs") if not importlib.util.find_spec(name)
    ]
    if missing:
        raise Refusal(
            "fleet-not-installed",
            f"a fleet needs {', '.join(missing)}, which are not installed",
            remedy="pip install 'xpiler[fleet]'",
        )
