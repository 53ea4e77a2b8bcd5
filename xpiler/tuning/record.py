"""The record of trials: an SQLite database that survives a kill, is shared by processes, and warms later
searches.

A trial is known by what it depends on: the source's text, the sizes that were measured, the device, the
target and the values of the knobs. What was measured once is not measured again.

Every row has a seal, a hash of all that it says: what a failing disk made of a trial is measured anew, and
never believed. A file that is damaged as a whole is put aside, and what can be read of it goes on.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from xpiler.errors import Refusal
from xpiler.gate import cache
from xpiler.tuning.peaks import Peaks
from xpiler.tuning.space import Point, point

_SCHEMA = """
CREATE TABLE IF NOT EXISTS trials (
    source TEXT NOT NULL, sizes TEXT NOT NULL, device TEXT NOT NULL, platform TEXT NOT NULL,
    knobs TEXT NOT NULL, program TEXT NOT NULL, verified INTEGER NOT NULL, seconds REAL,
    samples TEXT NOT NULL, why TEXT NOT NULL, at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, seal TEXT,
    PRIMARY KEY (source, sizes, device, platform, knobs)
)
"""
_PEAKS = """
CREATE TABLE IF NOT EXISTS peaks (device TEXT PRIMARY KEY, peaks TEXT NOT NULL, seal TEXT NOT NULL)
"""
_COLUMNS = "source, sizes, device, platform, knobs, program, verified, seconds, samples, why"
_FORMAT = b"SQLite format 3\0"
_GAP = 10_000  # rows in a row that are lost, after which there are no more


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
            try:
                self._open()
            except sqlite3.DatabaseError as error:
                if not _is_damaged(self._file, error):
                    raise
                _mend(self._file)
                self._open()
        except (OSError, sqlite3.Error) as error:
            raise Refusal(
                "tune-record", f"{self._file} cannot be used as a record: {error}", remedy="--record DB"
            ) from error
        return self

    def _open(self) -> None:
        self._database = sqlite3.connect(self._file, timeout=30)
        try:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            (verdict,) = self._database.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(f"malformed: {verdict}")
            with self._database:
                self._database.execute(_SCHEMA)
                self._database.execute(_PEAKS)
                if "seal" not in (row[1] for row in self._database.execute("PRAGMA table_info(trials)")):
                    self._database.execute("ALTER TABLE trials ADD COLUMN seal TEXT")
        except BaseException:
            self._database.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def add(self, about: Question, trial: Trial) -> None:
        """Writes a trial. One that is known already stays as it is: it was measured first. Raises Refusal
        where there is no room for it."""
        row = (
            *asdict(about).values(),
            json.dumps(trial.point),
            trial.program,
            int(trial.verified),
            trial.seconds,
            json.dumps(trial.samples),
            trial.why,
        )
        try:
            with self._database:
                self._database.execute(_INSERT, (*row, _seal(row)))
        except sqlite3.Error as error:
            raise Refusal(
                "tune-record",
                f"{self._file} takes no more trials: {error}; those written before are kept",
                remedy="make room, then tune with --resume",
            ) from error

    def trials(self, about: Question) -> list[Trial]:
        """All trials of a question, in the order in which they were made."""
        rows = self._database.execute(
            f"SELECT rowid, seal, {_COLUMNS} FROM trials "
            "WHERE source = ? AND sizes = ? AND device = ? AND platform = ? ORDER BY rowid",
            tuple(asdict(about).values()),
        ).fetchall()
        whole = [row[2:] for row in rows if _is_whole(row[2:], row[1])]
        if len(whole) < len(rows):
            damaged = [(row[0],) for row in rows if not _is_whole(row[2:], row[1])]
            with self._database:
                self._database.executemany("DELETE FROM trials WHERE rowid = ?", damaged)
        return [_trial(*row[4:]) for row in whole]

    def similar(self, about: Question) -> list[Point]:
        """Points that were best for the same source at other sizes, the fastest of each first."""
        rows = self._database.execute(
            "SELECT sizes, knobs, MIN(seconds) FROM trials WHERE source = ? AND platform = ? AND device = ? "
            "AND sizes != ? AND verified GROUP BY sizes ORDER BY sizes",
            (about.source, about.platform, about.device, about.sizes),
        )
        return list(dict.fromkeys(_point(knobs) for _, knobs, _ in rows))

    def peaks(self, device: str) -> Peaks | None:
        """The limits of a device by its fingerprint, if they were measured."""
        row = self._database.execute("SELECT peaks, seal FROM peaks WHERE device = ?", (device,)).fetchone()
        if row is None or row[1] != cache.key(device, row[0]):
            return None
        return Peaks.of_json(json.loads(row[0]))

    def learn(self, device: str, peaks: Peaks) -> Peaks:
        """Keeps the limits of a device: the greater of what was measured now and before. Returns those."""
        known = self.peaks(device)
        if known is not None and known.threads == peaks.threads:
            peaks = known.raised(peaks)
        text = json.dumps(peaks.to_json())
        with suppress(sqlite3.Error), self._database:  # a full disk: they are measured again next time
            row = (device, text, cache.key(device, text))
            self._database.execute("INSERT OR REPLACE INTO peaks VALUES (?, ?, ?)", row)
        return peaks

    def lines(self) -> Iterator[str]:
        """Everything, as JSON lines."""
        cursor = self._database.execute("SELECT * FROM trials ORDER BY rowid")
        names = [column[0] for column in cursor.description]
        for row in cursor:
            told = dict(zip(names, row, strict=True))
            seal = told.pop("seal")
            if _is_whole(tuple(told[name] for name in _COLUMNS.split(", ")), seal):
                yield json.dumps(told)


# A trial of another program under the same knobs is one of an older engine's.
_INSERT = f"""
INSERT INTO trials ({_COLUMNS}, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET program = excluded.program, verified = excluded.verified,
    seconds = excluded.seconds, samples = excluded.samples, why = excluded.why, seal = excluded.seal
    WHERE trials.program != excluded.program
"""


def _seal(row: tuple[object, ...]) -> str:
    return cache.key(json.dumps(row))


def _is_whole(row: tuple[object, ...], seal: str | None) -> bool:
    """Whether a row says what was written. Rows of before there were seals have none."""
    return seal is None or seal == _seal(row)


def _is_damaged(file: Path, error: sqlite3.DatabaseError) -> bool:
    """Whether a file is a database that was damaged: neither something else nor one that is only busy."""
    if isinstance(error, sqlite3.OperationalError):
        return False
    with file.open("rb") as opened:
        return opened.read(len(_FORMAT)) == _FORMAT


def _mend(file: Path) -> None:
    """Puts a damaged database aside, and what can be read of it into a new one in its place."""
    aside = file.with_name(f"{file.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    for end in ("-wal", ""):
        with suppress(FileNotFoundError):
            Path(f"{file}{end}").replace(f"{aside}{end}")
    Path(f"{file}-shm").unlink(missing_ok=True)
    _fill_up(aside)
    rows = list(_salvaged(aside))
    fresh = sqlite3.connect(file)
    with closing(fresh), fresh:
        fresh.execute(_SCHEMA)
        fresh.executemany(_INSERT, rows)


def _fill_up(file: Path) -> None:
    """Gives a file that was cut off the size that its head tells, without which nothing of it is read."""
    with file.open("r+b") as opened:
        head = opened.read(32)
        size = int.from_bytes(head[16:18]) * int.from_bytes(head[28:32])
        if opened.seek(0, os.SEEK_END) < size:
            opened.truncate(size)


def _salvaged(file: Path) -> Iterator[tuple[object, ...]]:
    """The sealed rows of a damaged database, one by one: those on a damaged page are lost."""
    with closing(sqlite3.connect(file)) as damaged:
        number = lost = 0
        while lost < _GAP:
            number += 1
            try:
                query = f"SELECT {_COLUMNS}, seal FROM trials WHERE rowid = ?"
                row = damaged.execute(query, (number,)).fetchone()
            except sqlite3.DatabaseError:
                row = None
            lost = 0 if row else lost + 1
            if row and row[-1] == _seal(row[:-1]):
                yield row


def _point(text: str) -> Point:
    return point({str(name): int(value) for name, value in json.loads(text)})


def _trial(knobs: str, program: str, verified: int, seconds: float | None, samples: str, why: str) -> Trial:
    return Trial(_point(knobs), program, bool(verified), seconds, tuple(json.loads(samples)), why)
