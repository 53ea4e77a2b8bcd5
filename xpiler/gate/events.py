"""What went wrong while a program ran, as the emulators and the runner report it: one JSON object a line."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from xpiler.gate.contract import Contract

ABSENT = "absent"  # a function or variable that no file here defines was used: see `elsewhere.py`


@dataclass(frozen=True)
class Event:
    """`name` as reported (`oob`, `crash`, `divergence`...), `message` in words for people, `fields` as
    they came.
    """

    name: str
    message: str
    fields: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def is_trace(self) -> bool:
        """Tells what the program did, not that it did something wrong."""
        return self.name in ("launch", "malloc", "memcpy", "free", "memset", "trace")


def parse_events(text: str, contract: Contract) -> tuple[Event, ...]:
    """The events of a file of JSON lines; a line cut off by a crash is dropped."""
    events = []
    for line in text.splitlines():
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        if isinstance(fields, dict):
            events.append(Event(str(fields.get("event", "event")), _words(fields, contract), fields))
    return tuple(events)


def _words(fields: dict[str, Any], contract: Contract) -> str:
    if fields.get("event") == "oob":
        what = _out_of_bounds(fields, contract)
    elif fields.get("event") == "crash":
        reason = fields.get("message")
        what = f"{fields.get('signal', 'crash')}{f': {reason}' if reason else ''}"
    elif fields.get("event") == ABSENT:
        name = fields.get("function")
        used = f"`{name}` is called" if name else f"`{fields.get('variable')}` is used"
        what = f"{used}, which another file defines; translate that file with this one"
    else:
        message = fields.get("message") or ", ".join(
            f"{name}={value}"
            for name, value in fields.items()
            if name not in ("event", "kernel", "launch_line")
        )
        what = f"{fields.get('event')}: {message}"
    return what + _place(fields)


def _out_of_bounds(fields: dict[str, Any], contract: Contract) -> str:
    access = fields.get("access", "access")
    if not isinstance(fields.get("offset"), int) or not isinstance(fields.get("size"), int):
        return f"out-of-bounds {access}: {fields.get('message', '')}"
    name, offset, size = str(fields.get("array") or ""), fields["offset"], fields["size"]
    bytes_each = next((a.dtype.bytes for a in contract.pointers if a.name == name), 1)
    unit = "elements" if bytes_each > 1 or name in {a.name for a in contract.pointers} else "bytes"
    shown = name or f"a {fields.get('kind', 'device')} allocation"
    if 0 <= offset < size:
        if fields.get("message") == "use after free":
            return f"{access} of {shown} after it was freed"
        return f"{access} to {shown}[{offset // bytes_each}], an input that must not be written"
    return (
        f"out-of-bounds {access} of {shown}[{offset // bytes_each}] ({shown} has {size // bytes_each} {unit})"
    )


def _place(fields: dict[str, Any]) -> str:
    if "block" not in fields or "thread" not in fields:
        return f" in {fields['kernel']}" if fields.get("kernel") else ""
    block, thread = (tuple(fields[name]) for name in ("block", "thread"))
    return f" by block {block}, thread {thread}" + (f" of {fields['kernel']}" if fields.get("kernel") else "")
