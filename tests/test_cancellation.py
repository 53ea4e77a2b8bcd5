"""Work that was called off ends in all threads, not in the main one alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from xpiler import cancellation
from xpiler.frontend import parse
from xpiler.gate import sandbox
from xpiler.ir.interpret import run

ENDLESS = "__global__ void wait(int *x) { while (x[0] == 0) { x[1] += 1; } }"


@pytest.fixture(autouse=True)
def _begun_again() -> Iterator[None]:
    yield
    cancellation.begin()


def test_a_thread_that_interprets_ends_when_it_is_called_off() -> None:
    (kernel,) = parse(ENDLESS, "wait.cu").program.kernels
    data = np.zeros(2, np.int32)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, kernel, {"x": data}, (1, 1, 1), (1, 1, 1), step_limit=1 << 40, seconds=1e6)
        while not data[1]:
            pass
        cancellation.call_off()
        assert isinstance(running.exception(), KeyboardInterrupt)


def test_no_program_is_started_for_nobody(tmp_path: Path) -> None:
    cancellation.call_off()
    with pytest.raises(KeyboardInterrupt):
        sandbox.run(["touch", "made"], cwd=tmp_path)
    assert not (tmp_path / "made").exists()
    cancellation.begin()
    assert sandbox.run(["touch", "made"], cwd=tmp_path).ok
