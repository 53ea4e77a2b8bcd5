"""The record of trials: what was measured once is there after whatever happened."""

import json
import multiprocessing
import os
import resource
import signal
import sqlite3
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path

from xpiler.errors import Refusal
from xpiler.tuning.record import Question, Record, Trial
from xpiler.tuning.space import point

ABOUT = Question("source", "sizes", "cpu: x", "vnni")


def trial(rows: int, seconds: float | None = 1e-3) -> Trial:
    return Trial(point({"rows": rows}), f"program {rows}", seconds is not None, seconds, (1e-3, 2e-3), "")


def test_trials_come_back_as_they_were(tmp_path: Path) -> None:
    wrong = Trial(point({"rows": 3}), "", False, None, why="it does not build")
    with Record(tmp_path / "record") as record:
        record.add(ABOUT, trial(8))
        record.add(ABOUT, wrong)
    with Record(tmp_path / "record") as record:
        assert record.trials(ABOUT) == [trial(8), wrong]
        assert record.trials(Question("other", "sizes", "cpu: x", "vnni")) == []


def test_a_trial_that_is_known_stays_as_it_was(tmp_path: Path) -> None:
    with Record(tmp_path / "record") as record:
        record.add(ABOUT, trial(8, 1e-3))
        record.add(ABOUT, trial(8, 5e-3))
        assert record.trials(ABOUT) == [trial(8, 1e-3)]


def test_the_best_points_at_other_sizes_come_first(tmp_path: Path) -> None:
    larger = Question("source", "larger", "cpu: x", "vnni")
    with Record(tmp_path / "record") as record:
        for rows, seconds in ((4, 3e-3), (8, 1e-3), (12, 2e-3)):
            record.add(ABOUT, trial(rows, seconds))
        record.add(larger, trial(2, 9e-3))
        assert record.similar(larger) == [point({"rows": 8})]


def test_the_record_is_exported_as_json_lines(tmp_path: Path) -> None:
    with Record(tmp_path / "record") as record:
        record.add(ABOUT, trial(8))
        (line,) = record.lines()
    assert json.loads(line)["platform"] == "vnni"


def write_for_ever(file: Path, ready: Event | None) -> None:
    with Record(file) as record:
        for rows in range(1_000_000):
            record.add(ABOUT, trial(rows))
            if rows == 20 and ready is not None:
                ready.set()


def test_a_killed_writer_leaves_whole_trials(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=write_for_ever, args=(tmp_path / "record", ready))
    process.start()
    assert ready.wait(60)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with Record(tmp_path / "record") as record:
        kept = record.trials(ABOUT)
    assert len(kept) > 20
    assert kept == [trial(rows) for rows in range(len(kept))]


def write_until_full(file: Path, told: str) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
    try:
        write_for_ever(file, None)
    except Refusal as refusal:
        Path(told).write_text(str(refusal))


def test_a_full_disk_is_told_and_what_was_written_is_kept(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=write_until_full, args=(tmp_path / "record", str(tmp_path / "told")))
    process.start()
    process.join(60)
    assert "takes no more trials" in (tmp_path / "told").read_text()
    assert "--resume" in (tmp_path / "told").read_text()
    with Record(tmp_path / "record") as record:
        kept = record.trials(ABOUT)
        assert len(kept) > 20
        assert kept == [trial(rows) for rows in range(len(kept))]
        record.add(ABOUT, trial(len(kept)))  # once there is room


def written(file: Path, number: int) -> None:
    with Record(file) as record:
        for rows in range(number):
            record.add(ABOUT, trial(rows))


def test_a_trial_that_the_disk_changed_is_measured_anew(tmp_path: Path) -> None:
    file = tmp_path / "record"
    written(file, 4)
    data = file.read_bytes()
    last = data.rindex(b"[0.001, 0.002]") if data.count(b"program 3") == 1 else -1
    spoilt = data.index(b"program 3") + len(b"program 3")
    assert last > 0
    file.write_bytes(data[:spoilt] + data[spoilt:].replace(b"[0.001, 0.002]", b"[0.001, 0.009]", 1))
    with Record(file) as record:
        assert len(list(record.lines())) == 3
        kept = record.trials(ABOUT)
        assert len(kept) == 3
        record.add(ABOUT, trial(3))
        assert trial(3) in record.trials(ABOUT)


def test_a_file_that_was_cut_off_goes_on_with_what_is_left(tmp_path: Path) -> None:
    file = tmp_path / "record"
    written(file, 200)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) - 4096])
    with Record(file) as record:
        kept = record.trials(ABOUT)
        assert 100 < len(kept) < 200
        assert all(one == trial(dict(one.point)["rows"]) for one in kept)
        record.add(ABOUT, trial(1000))
    with Record(file) as record:
        assert len(record.trials(ABOUT)) == len(kept) + 1
    assert list(tmp_path.glob("record.damaged-*"))


def test_a_trial_of_an_older_engines_program_is_replaced(tmp_path: Path) -> None:
    with Record(tmp_path / "record") as record:
        record.add(ABOUT, trial(8))
        newer = replace(trial(8), program="program of a newer engine", seconds=5e-4)
        record.add(ABOUT, newer)
        assert record.trials(ABOUT) == [newer]


def test_several_processes_write_one_record(tmp_path: Path) -> None:
    with Record(tmp_path / "record") as one, Record(tmp_path / "record") as other:
        one.add(ABOUT, trial(1))
        other.add(ABOUT, trial(2))
        assert one.trials(ABOUT) == other.trials(ABOUT) == [trial(1), trial(2)]


def test_a_torn_last_page_of_the_journal_loses_only_what_was_in_it(tmp_path: Path) -> None:
    file = tmp_path / "record"
    with Record(file) as record:
        record.add(ABOUT, trial(1))
    with Record(file) as record:
        record.add(ABOUT, trial(2))
        journal = Path(f"{file}-wal").read_bytes()
        stored = file.read_bytes()
    copy = tmp_path / "copy"
    copy.write_bytes(stored)
    Path(f"{copy}-wal").write_bytes(journal[: len(journal) - 100])
    with Record(copy) as record:
        assert trial(1) in record.trials(ABOUT)
    assert sqlite3.connect(copy).execute("PRAGMA integrity_check").fetchone() == ("ok",)
