"""The messages beyond the Language Server Protocol; described for writers of clients in `docs/protocol.md`.

Parameters are attrs classes, snake_case here and camelCase in JSON. What a client may leave out has a
default: a request whose parameters do not parse is answered with an error, and a field that only some
clients send must not cause one. Results go out through `document`, which keeps `null` where a value is not
known.
"""

from __future__ import annotations

import asyncio
import re
from enum import Enum
from functools import lru_cache
from typing import Any

import attrs
from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.protocol import LanguageServerProtocol

TRANSLATE = "xpiler/translate"
VERIFY = "xpiler/verify"
CHECK = "xpiler/check"
REPAIR = "xpiler/repair"
COUNTERPART = "xpiler/counterpart"
EVIDENCE = "xpiler/evidence"
SET_ARGUMENTS = "xpiler/setArguments"
CANCEL_JOB = "xpiler/cancelJob"
RETRY_JOB = "xpiler/retryJob"
RESULT = "xpiler/result"
PAIR = "xpiler/pair"
MODELS = "xpiler/models"
TRY_MODEL = "xpiler/tryModel"
TUNE = "xpiler/tune"
DEVICES = "xpiler/devices"
PAUSE_JOB = "xpiler/pauseJob"
RESUME_JOB = "xpiler/resumeJob"
COURSE = "xpiler/course"
TUNING = "xpiler/tuning"  # the notification that a search went on
COLLECT_DIAGNOSTICS = "xpiler/collectDiagnostics"
STATUS = "xpiler/status"
JOBS = "xpiler/jobs"  # a request for the list, and the notification that it changed

Token = int | str
_ID: Any = int | str


@attrs.define(kw_only=True)
class TextOf:
    """A document, with its text where the server may not have it open."""

    uri: str
    text: str | None = None


@attrs.define(kw_only=True)
class TranslateParams:
    uri: str
    to: str
    text: str | None = None
    entry: str | None = None
    arguments: dict[str, str] = attrs.Factory(dict)
    work_done_token: Token | None = None


@attrs.define(kw_only=True)
class VerifyParams:
    source: TextOf
    target: TextOf
    to: str | None = None
    entry: str | None = None
    arguments: dict[str, str] = attrs.Factory(dict)
    work_done_token: Token | None = None


@attrs.define(kw_only=True)
class TuneParams:
    """`minutes`: of work, else as the settings say; `trials`: programs to measure at most, 0 for no limit."""

    uri: str
    to: str
    arguments: dict[str, str] = attrs.Factory(dict)
    minutes: float | None = None
    trials: int = 0


@attrs.define(kw_only=True)
class ModelParams:
    """What differs from the settings."""

    name: str | None = None
    base_url: str | None = None


@attrs.define(kw_only=True)
class CheckParams:
    uri: str
    work_done_token: Token | None = None


@attrs.define(kw_only=True)
class RepairParams:
    source: TextOf
    target: TextOf
    work_done_token: Token | None = None


@attrs.define(kw_only=True)
class CounterpartParams:
    uri: str
    position: types.Position


@attrs.define(kw_only=True)
class EvidenceParams:
    uri: str
    to: str


@attrs.define(kw_only=True)
class SetArgumentsParams:
    uri: str
    arguments: dict[str, str]


@attrs.define(kw_only=True)
class JobParams:
    id: str


@attrs.define(kw_only=True)
class PairParams:
    source: str
    target: str | None = None


PARAMETERS: dict[str, type] = {
    TRANSLATE: TranslateParams,
    VERIFY: VerifyParams,
    CHECK: CheckParams,
    REPAIR: RepairParams,
    COUNTERPART: CounterpartParams,
    EVIDENCE: EvidenceParams,
    SET_ARGUMENTS: SetArgumentsParams,
    CANCEL_JOB: JobParams,
    RETRY_JOB: JobParams,
    RESULT: JobParams,
    PAIR: PairParams,
    MODELS: ModelParams,
    TRY_MODEL: ModelParams,
    TUNE: TuneParams,
    PAUSE_JOB: JobParams,
    RESUME_JOB: JobParams,
    COURSE: JobParams,
}


@attrs.define(kw_only=True)
class Missing:
    """A value of the contract that the user has to state; `kind`: argument, grid, block or shape."""

    name: str
    kind: str
    message: str
    flag: str


@attrs.define(kw_only=True)
class Link:
    """Places of the source and the target that stand for each other."""

    source: types.Range
    target: types.Range


@attrs.define(kw_only=True)
class Event:
    """What happened to a pass on the way: sketched, cached, failed, repaired, accepted, skipped, net,
    chosen."""

    step: str
    what: str
    detail: str


@attrs.define(kw_only=True)
class JobResult:
    """What a translation or a verification came to. `evidence`, `entries` and `diagnostics` are those of the
    engine's `--json`; `to` and `text` are null where there is none. It is about `source_text`; `current`:
    what else it depends on (headers, stated values, the engine) is now as it was then."""

    job_id: str
    source: str
    version: int | None
    to: str
    file_name: str
    source_text: str
    current: bool
    text: str | None
    status: str
    evidence: list[dict[str, Any]]
    entries: list[dict[str, Any]]
    diagnostics: list[dict[str, Any]]
    missing: list[Missing]
    links: list[Link]
    events: list[Event]
    seconds: float


@attrs.define(kw_only=True)
class CheckResult:
    status: str
    findings: int


@attrs.define(kw_only=True)
class Localized:
    """Where in the target a bug was found."""

    range: types.Range
    message: str


@attrs.define(kw_only=True)
class RepairResult:
    job_id: str
    status: str
    text: str | None
    edits: list[types.TextEdit] | None
    localized: Localized | None
    evidence: list[dict[str, Any]]
    message: str


@attrs.define(kw_only=True)
class JobItem:
    """A job as clients show it. `state`: queued, running, paused, done, failed or cancelled. `events`: of a
    language model's sketches, in order."""

    id: str
    kind: str
    title: str
    uri: str
    to: str | None
    state: str
    message: str
    percentage: int | None
    events: list[Event]
    started_at: float
    seconds: float | None


@attrs.define(kw_only=True)
class Trial:
    """One program that was tried. `seconds` is null for one that does not hold, and `why` says why; `best`:
    it was the fastest so far, and verified; `known`: it was measured before."""

    number: int
    knobs: dict[str, int]
    seconds: float | None
    why: str
    known: bool
    best: bool


@attrs.define(kw_only=True)
class Tuning:
    """The course of a search. `size`: points of its space; `limit`: seconds that the device could not be
    faster than, where that is known; `estimated`: there is no such device, and all times are a model's;
    `spent` and `budget`: seconds of work."""

    job_id: str
    source: str
    to: str
    title: str
    state: str
    message: str
    device: str
    size: int
    limit: float | None
    estimated: bool
    spent: float
    budget: float
    trials: list[Trial]
    has_result: bool


@attrs.define(kw_only=True)
class TargetStatus:
    to: str
    state: str
    stale: bool
    message: str


@attrs.define(kw_only=True)
class CheckStatus:
    state: str
    stale: bool
    message: str


@attrs.define(kw_only=True)
class KernelStatus:
    name: str
    range: types.Range
    selection_range: types.Range
    checked: CheckStatus
    targets: list[TargetStatus]


@attrs.define(kw_only=True)
class StatusParams:
    uri: str
    version: int | None
    kernels: list[KernelStatus]


def document(value: Any) -> Any:
    """A result as JSON: names in camelCase, nulls kept."""
    if attrs.has(type(value)):
        return {_camel(f.name): document(getattr(value, f.name)) for f in attrs.fields(type(value))}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [document(item) for item in value]
    if isinstance(value, dict):
        return {key: document(item) for key, item in value.items()}
    return value


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda letter: letter[1].upper(), name)


class Failed(JsonRpcException):
    """A request that was understood and could not be done, with words for the user."""

    CODE = types.LSPErrorCodes.RequestFailed.value
    MESSAGE = "Request failed"

    def __init__(self, message: str) -> None:
        super().__init__(message=message, code=self.CODE)


class XpilerProtocol(LanguageServerProtocol):
    """The protocol of pygls with the messages above, and an answer also to requests that do not parse."""

    @lru_cache  # noqa: B019  (one protocol object a process, as in the class above)
    def get_message_type(self, method: str) -> type[Any] | None:
        params = PARAMETERS.get(method)
        if params is None:
            return super().get_message_type(method)
        return attrs.make_class(
            f"{params.__name__}Request",
            {
                "id": attrs.field(type=_ID),
                "params": attrs.field(type=params),
                "method": attrs.field(type=str, default=method),
                "jsonrpc": attrs.field(type=str, default="2.0"),
            },
            kw_only=True,
        )

    def _handle_response(self, msg_id: Any, result: Any = None, error: Any = None) -> None:
        future = self._request_futures.get(msg_id)
        if future is not None and future.cancelled():
            self._request_futures.pop(msg_id)  # nobody waits for the answer any more
            return
        super()._handle_response(msg_id, result, error)

    def forget_requests(self) -> None:
        """Cancels what the server still waits for. The protocol's own shutdown stumbles over it."""
        current: Any = asyncio.current_task()
        for msg_id, future in list(self._request_futures.items()):
            if msg_id != self.msg_id and future is not current and not future.done():
                future.cancel()
                self._request_futures.pop(msg_id, None)

    def structure_message(self, data: dict[str, Any]) -> Any:
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" in data and "method" in data:
                wrong = JsonRpcInvalidParams(message=f"{data['method']}: parameters that do not parse")
                self._send_response(data["id"], error=wrong.to_response_error())
            raise error
