"""What may arrive in a pickle, and what may not."""

import os
import pickle
from pathlib import Path

import pytest
from distributed.core import Status
from distributed.protocol.pickle import dumps
from distributed.scheduler import KilledWorker, WorkerState

from xpiler.tuning.fleet import work
from xpiler.tuning.fleet.pickles import loads
from xpiler.tuning.fleet.work import measure


@pytest.mark.parametrize("what", [os.system, Path.home, lambda: 1, eval, pickle.loads, Path("x")])
def test_nothing_else_than_the_fleets_task_is_read(what: object) -> None:
    with pytest.raises(pickle.UnpicklingError, match="nothing that a fleet sends"):
        loads(dumps(what))


def test_the_fleets_task_is_read() -> None:
    assert loads(dumps(measure)) is measure


def test_the_task_does_nothing_where_no_worker_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_measure", None)
    with pytest.raises(RuntimeError, match="no worker"):
        measure(b"{}")


def test_the_loss_of_a_task_can_be_told() -> None:
    last = WorkerState(
        address="tls://host:1",
        status=Status.running,
        pid=0,
        name="gpu7",
        nthreads=1,
        memory_limit=0,
        local_directory="",
        nanny="",
        server_id="gpu7",
    )
    last._occupancy_cache = 1.0
    assert "all those workers died" in str(loads(dumps(KilledWorker("measure-1", last.clean(), 10))))
