"""The one truth about proof: what is known of each kernel and each target, and whether it still holds.

    none      nothing is known                     pending   a job is at it
    tested    compiled, run and compared           proved    and shown for all inputs besides
    failed    refused, or a check failed

Each also *stale*: it was so of a text that has changed since. Gutter, lens, hover, status and report all ask
here. The absence of a record is `none`, never success, and a record counts only for the very texts it is
about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xpiler.gate.evidence import READ_BACK
from xpiler_server.store import Store, digest, fingerprint

NONE, PENDING, PROVED, TESTED, FAILED = "none", "pending", "proved", "tested", "failed"


@dataclass(frozen=True)
class State:
    """The state of one kernel on one target."""

    state: str = NONE
    stale: bool = False
    message: str = ""


@dataclass(frozen=True)
class Record:
    """The outcome of a translation or verification. `print`: of the source that it is about; `target_print`:
    of the target's text; `result` is the engine's; `unrun`: why nothing was executed, "" if something was."""

    uri: str
    to: str
    print: str
    target_print: str
    result: dict[str, Any]
    job: str = ""
    unrun: str = ""

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


class Proofs:
    """Records by source and target platform, jobs that are at one, and which file is whose target."""

    def __init__(self, text_of: Callable[[str], str | None]) -> None:
        self._text_of = text_of
        self._records: dict[tuple[str, str], Record] = {}
        self._pending: dict[tuple[str, str], tuple[str, str]] = {}  # job and fingerprint
        self._pairs: dict[str, tuple[str, str]] = {}  # by target: source and the target's platform
        self._store: Store | None = None

    def remember(self, store: Store) -> None:
        """Takes over what earlier servers of this workspace found out."""
        self._store = store
        for saved in store.all("records"):
            record = _record(saved)
            if record is not None:
                self._records[record.uri, record.to] = record
        for saved in store.all("pairs"):
            if saved.get("source"):
                self._pairs[saved["target"]] = (saved["source"], saved["to"])

    # ------------------------------------------------------------------------------------------- what happens

    def begins(self, uri: str, to: str, job: str, print_: str) -> None:
        self._pending[uri, to] = (job, print_)

    def ends(self, uri: str, to: str, job: str) -> None:
        """The job is no longer at it; a later job's claim stays."""
        if self._pending.get((uri, to), ("", ""))[0] == job:
            del self._pending[uri, to]

    def found(self, record: Record) -> None:
        self._records[record.uri, record.to] = record
        if self._store is not None:
            self._store.save("records", f"{record.uri}\n{record.to}", record.to_json())

    def pair(self, source: str, target: str, to: str) -> None:
        """`target` is the translation of `source` from now on."""
        for other, known in list(self._pairs.items()):
            if known == (source, to) and other != target:
                self.unpair(other)
        self._pairs[target] = (source, to)
        if self._store is not None:
            self._store.save("pairs", target, {"target": target, "source": source, "to": to})

    def unpair(self, target: str) -> None:
        if self._pairs.pop(target, None) is not None and self._store is not None:
            self._store.save("pairs", target, {"target": target})

    # -------------------------------------------------------------------------------------------- what is so

    def source_of(self, target: str) -> tuple[str, str] | None:
        """The source of a target, and the target's platform."""
        return self._pairs.get(target)

    def targets_of(self, source: str) -> list[tuple[str, str]]:
        """Targets of a source, each with its platform."""
        return [(target, to) for target, (of, to) in self._pairs.items() if of == source]

    def record(self, uri: str, to: str) -> Record | None:
        return self._records.get((uri, to))

    def is_pending(self, uri: str, to: str) -> bool:
        return (uri, to) in self._pending

    def holds(self, record: Record, text: str, file: str) -> bool:
        """Whether the record is about this text of the source, and its target as it is."""
        return self.is_current(record, fingerprint(text, file))

    def is_current(self, record: Record, print_: str) -> bool:
        """Whether source and target are still the texts that the record is about."""
        if record.print != print_:
            return False
        target = next((t for t, to in self.targets_of(record.uri) if to == record.to), None)
        text = self._text_of(target) if target is not None else None
        return text is None or digest(text) == record.target_print

    def state(self, uri: str, to: str, entries: Iterable[str], print_: str) -> State:
        """The state of a kernel that these entries run, for the source with this fingerprint."""
        pending = self._pending.get((uri, to))
        if pending is not None:
            return State(PENDING, pending[1] != print_, "under way")
        record = self._records.get((uri, to))
        if record is None:
            return State()
        state = _state(record, list(entries))
        return replace(state, stale=state.state != NONE and not self.is_current(record, print_))


def _state(record: Record, entries: list[str]) -> State:
    result = record.result
    if result["status"] == "refused":
        first = next((d["message"] for d in result["diagnostics"] if d["severity"] == "error"), "refused")
        return State(FAILED, message=first)
    if record.unrun:
        return State(NONE, message=record.unrun)
    known = [entry for entry in result["entries"] if entry["name"] in entries]
    if not known:
        return State()  # what was looked at does not run this kernel
    wrong = next((e for e in known if e["status"] != "verified"), None)
    if wrong is not None:
        return State(FAILED, message=wrong["detail"] or f"{wrong['name']} is not verified")
    if result["status"] != "verified" and not _all_hold(result, known):
        failed = next((rung for rung in result["evidence"] if not rung["ok"]), None)
        return State(FAILED, message=f"{failed['rung']}: {failed['detail']}" if failed else "not verified")
    proofs = [rung for rung in result["evidence"] if _is_of_the_text(rung)]
    if proofs and all(any(_is_about(rung, entry["name"]) for rung in proofs) for entry in known):
        return State(PROVED, message="; ".join(dict.fromkeys(rung["detail"] for rung in proofs)))
    executed = [r["detail"] for r in result["evidence"] if r["rung"] == "executed" and r["ok"]]
    mine = [text for text in executed if any(text.startswith(f"{e['name']}:") for e in known)]
    return State(TESTED, message="; ".join(mine or executed))


def _all_hold(result: dict[str, Any], known: list[dict[str, Any]]) -> bool:
    """Whether everything that was checked of these entries and of the whole file holds."""
    others = {e["name"] for e in result["entries"]} - {e["name"] for e in known}
    return all(rung["ok"] or any(_is_about(rung, name) for name in others) for rung in result["evidence"])


def _is_of_the_text(rung: dict[str, Any]) -> bool:
    """Whether the delivered text itself is proved for all inputs: other proofs are about steps on the way to
    it, or for the sizes that they name."""
    is_proof = rung["rung"] == "proved" and rung["tool"] == READ_BACK and not rung.get("undecided", False)
    return is_proof and "for all sizes" in rung["detail"]


def _is_about(rung: dict[str, Any], entry: str) -> bool:
    return str(rung["detail"]).startswith((f"{entry}:", f"{entry} "))


def _record(saved: dict[str, Any]) -> Record | None:
    try:
        return Record(**saved)
    except TypeError:
        return None  # of another version


def read_file(path: str) -> str | None:
    """A file's text as the editor would show it; None if it cannot be read."""
    try:
        return Path(path).read_bytes().decode("utf-8-sig", "replace")
    except (OSError, ValueError):
        return None
