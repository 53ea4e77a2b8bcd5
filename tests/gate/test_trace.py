"""What the log of a call tells of its host code."""

from __future__ import annotations

from xpiler.gate.contract import Case
from xpiler.gate.events import Event
from xpiler.gate.execute import RunResult, Variant
from xpiler.gate.trace import Memory, read_trace


def test_a_call_that_used_up_its_time_hung() -> None:
    trace = read_trace(RunResult(Case(), Variant(), {}, (), "killed by SIGKILL"))
    assert trace.hung and "endless loop" in trace.fault
    assert not read_trace(RunResult(Case(), Variant(), {}, (), "killed by SIGSEGV")).hung


def test_a_copy_to_a_variable_of_the_file_says_to_which() -> None:
    fields = {"direction": "variable", "bytes": 4, "data": "01000000"}
    to = {"variable": "ns::table", "offset": 8, "size": 32}
    trace = read_trace(RunResult(Case(), Variant(), {}, (Event("memcpy", "", {**fields, "to": to}),)))
    (copy,) = trace.copies
    assert copy.to == Memory.of_variable("table", 8, 32) and copy.to.variable == "table"


def test_numbers_that_host_code_sets_are_kept_with_their_place_among_the_launches() -> None:
    memory = {"allocation": 3, "offset": 4, "size": 64}
    launch = Event("launch", "", {"kernel": "k", "grid": [1, 1, 1], "block_size": [1, 1, 1], "arguments": []})
    events = (
        Event("memcpy", "", {"direction": "set", "bytes": 8, "to": memory, "value": 255}),
        launch,
        Event("memcpy", "", {"direction": "to_device", "bytes": 4, "to": memory, "data": "01000000"}),
    )
    trace = read_trace(RunResult(Case(), Variant(), {}, events))
    assert [(c.data, c.size, c.after) for c in trace.copies] == [(b"\xff", 8, 0), (b"\1\0\0\0", 4, 1)]
