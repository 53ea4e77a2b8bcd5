"""What travels between tuners and workers, as JSON: a job, and what became of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from cattrs.errors import BaseValidationError
from cattrs.preconf.json import make_converter

import xpiler
from xpiler.errors import Refusal
from xpiler.gate.timing import Timing
from xpiler.ir.types import DType, Kind
from xpiler.tuning.measure import Job

PROTOCOL = 2
"""Of this module's messages and the scheduler's; raised with every change of them."""


@dataclass(frozen=True)
class Asked:
    """A job with the version of the tuner that asks; without a job it asks what the device can do at most."""

    version: str
    protocol: int
    job: Job | None


@dataclass(frozen=True)
class Told:
    """A worker's answer. `failed`: it could not measure, which says nothing of the program; `mismatch`: it is
    of another version; `peaks`: the limits of its device, where those were asked for."""

    timing: Timing = field(default_factory=Timing)
    failed: str = ""
    mismatch: str = ""
    peaks: dict[str, Any] | None = None


_CONVERTER = make_converter(forbid_extra_keys=True)
_CONVERTER.register_unstructure_hook(DType, lambda dtype: [dtype.name, dtype.kind.value, dtype.bits])
_CONVERTER.register_structure_hook(DType, lambda data, _: DType(str(data[0]), Kind(data[1]), int(data[2])))


def asked(job: Job | None) -> bytes:
    """The job for another machine: files by their names alone."""
    if job is None:
        return _CONVERTER.dumps(Asked(xpiler.__version__, PROTOCOL, None)).encode()
    program = replace(job.program, file=PurePath(job.program.file).name)
    best = job.best and replace(job.best, file=PurePath(job.best.file).name)
    own = Asked(xpiler.__version__, PROTOCOL, replace(job, program=program, best=best))
    return _CONVERTER.dumps(own).encode()


def job_in(data: bytes) -> Job | Told | None:
    """The job of a message, None if it asks for the device's limits, or the answer to one that cannot be
    understood."""
    try:
        document = json.loads(data)
        whose = f"{document['version']}, protocol {document['protocol']}"
    except (ValueError, TypeError, KeyError) as error:
        return Told(failed=f"the message is no job: {error}")
    mismatch = mismatch_with(document["version"], document["protocol"])
    if mismatch:
        return Told(mismatch=f"the tuner has {whose}, the worker {own_version()}")
    try:
        return _CONVERTER.structure(document, Asked).job
    except (BaseValidationError, ValueError, TypeError, KeyError, IndexError) as error:
        return Told(failed=f"the message is no job: {error}")


def told(answer: Told) -> bytes:
    return _CONVERTER.dumps(answer).encode()


def answer_in(data: bytes) -> Told:
    """Raises Refusal for what is no answer."""
    try:
        return _CONVERTER.loads(data, Told)
    except (BaseValidationError, ValueError, TypeError, KeyError, IndexError) as error:
        raise Refusal("fleet-message", f"a worker's answer cannot be read: {error}") from error


def own_version() -> str:
    return f"Xpiler {xpiler.__version__}, protocol {PROTOCOL}"


def mismatch_with(version: Any, protocol: Any) -> str:
    """How another side differs; "" if it does not."""
    if (version, protocol) == (xpiler.__version__, PROTOCOL):
        return ""
    return f"Xpiler {version}, protocol {protocol}"
