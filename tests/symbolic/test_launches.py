"""What the launches of host code tell about other ones."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.symbolic.hosts import Hosts, as_launched
from xpiler.symbolic.trial import Trial

ONE = (1, 1, 1)


def launched(*sizes: tuple[int, int, int], is_launched: bool = True) -> list[Trial]:
    names = ("rows", "columns", "stride")
    return [Trial(ONE, ONE, dict(zip(names, s, strict=True)), is_launched=is_launched) for s in sizes]


def test_numbers_that_host_code_hands_over_as_one_stay_one() -> None:
    launches = launched((64, 64, 64), (100, 37, 37), (37, 100, 100))
    (tried,) = launched((4, 5, 2), is_launched=False)
    assert as_launched(launches, tried).scalars == {"rows": 4, "columns": 5, "stride": 5}


def test_equal_numbers_of_trials_that_nobody_launches_tell_nothing() -> None:
    trials = launched((64, 64, 64), (100, 37, 37), (37, 100, 100), is_launched=False)
    (tried,) = launched((4, 5, 2), is_launched=False)
    assert as_launched(trials, tried) == tried


def test_as_many_tasks_as_a_device_has_cores_are_a_cluster() -> None:
    text = """
static cnrtDim3_t all_cores();
__mlu_entry__ void rows(float *x, int S, int H, int blocks) {
  for (int b = taskId; b < blocks; b += taskDim) x[b * H] = S;
}
void run(float *x, int S, int H, cnrtQueue_t queue) {
  rows<<<all_cores(), cnrtFuncTypeUnion1, queue>>>(x, S, H, S);
}
"""
    unit = parse(text, "rows.mlu", platform="bang")
    (kernel,) = unit.program.kernels
    trials = Hosts.of(unit).trials(unit, kernel, {})
    assert {(t.grid, t.block) for t in trials} == {((4, 1, 1), (1, 1, 1))}
    assert trials and all(t.scalars["blocks"] == t.scalars["S"] for t in trials)
