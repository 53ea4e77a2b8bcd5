"""The record of trials: an SQLite database that survives a kill, is shared by processes, and warms later
searches.

A trial is known by what it depends on: the source's text, the sizes that were measured, the device, the
target and the values of the knobs. What was measured once is not measured again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from xpiler.errors import Refusal
from xpiler.gate import cache
from xpiler.tuning.space import Point, point

_SCHEMA = """
CREATE TABLE IF NOT EXISTS trials (
    source TEXT NOT NULL, sizes TEXT NOT NULL, device TEXT NOT NULL, platform TEXT NOT NULL,
    knobs TEXT NOT NULL, program TEXT NOT NULL, verified INTEGER NOT NULL, seconds REAL,
    samples TEXT NOT NULL, why TEXT NOT NULL, at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (source, sizes, device, platform, knobs)
)
"""


@dataclass(frozen=True)
class Question:
    """What a search is about: hashes of the source and of its sizes, the device and the target's platform."""

    source: str
    sizes: str
    device: str
    platform: str


@dataclass(frozen=True)
class Trial:
    """One point, tried. `seconds`: the best sample, None for what does not hold; `why`: then the reason.
    `verified`: the gate has seen the program and has no objection; it is asked about the fastest only."""

    point: Point
    program: str
    verified: bool
    seconds: float | None
    samples: tuple[float, ...] = ()
    why: str = ""


def default_file() -> Path:
    return cache.folder() / "tuning.sqlite"


class Record:
    """The database, open while the `with` block lasts. Each trial is written at once, whole or not at all."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or default_file()

    def __enter__(self) -> Record:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self._file, timeout=30)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            with self._database:
                self._database.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise Refusal(
                "tune-record", f"{self._file} cannot be used as a record: {error}", remedy="--record DB"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def add(self, about: Question, trial: Trial) -> None:
        """Writes a trial. One that is known already stays as it is: it was measured first."""
        row = (
            *asdict(about).values(),
            json.dumps(trial.point),
            trial.program,
            int(trial.verified),
            trial.seconds,
            json.dumps(trial.samples),
            trial.why,
        )
        with self._database:
            self._database.execute(
                "INSERT OR IGNORE INTO trials (source, sizes, device, platform, knobs, program, verified, "
                "seconds, samples, why) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    def trials(self, about: Question) -> list[Trial]:
        """All trials of a question, in the order in which they were made."""
        rows = self._database.execute(
            "SELECT knobs, program, verified, seconds, samples, why FROM trials "
            "WHERE source = ? AND sizes = ? AND device = ? AND platform = ? ORDER BY rowid",
            tuple(asdict(about).values()),
        )
        return [_trial(*row) for row in rows]

    def similar(self, about: Question) -> list[Point]:
        """Points that were best for the same source at other sizes, the fastest of each first."""
        rows = self._database.execute(
            "SELECT sizes, knobs, MIN(seconds) FROM trials WHERE source = ? AND platform = ? AND device = ? "
            "AND sizes != ? AND verified GROUP BY sizes ORDER BY sizes",
            (about.source, about.platform, about.device, about.sizes),
        )
        return list(dict.fromkeys(_point(knobs) for _, knobs, _ in rows))

    def lines(self) -> Iterator[str]:
        """Everything, as JSON lines."""
        cursor = self._database.execute("SELECT * FROM trials ORDER BY rowid")
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield json.dumps(dict(zip(names, row, strict=True)))


def _point(text: str) -> Point:
    return point({str(name): int(value) for name, value in json.loads(text)})


def _trial(knobs: str, program: str, verified: int, seconds: float | None, samples: str, why: str) -> Trial:
    return Trial(_point(knobs), program, bool(verified), seconds, tuple(json.loads(samples)), why)
