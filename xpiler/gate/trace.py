"""What a host wrapper does when it is called: its launches and copies, as the emulator logs them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xpiler.gate.contract import Case, Launch
from xpiler.gate.events import ABSENT
from xpiler.gate.execute import Build, RunResult
from xpiler.gate.sandbox import Limits

TRACE = {"XPILER_TRACE": "1"}
TRACE_ONLY = {**TRACE, "XPILER_TRACE_ONLY": "1"}
VARIABLE = "variable "  # before the name of one, which an argument may have, too
_LIMITS = Limits(cpu=2)  # for host code alone, which does next to nothing


@dataclass(frozen=True)
class Memory:
    """A pointer as traced: an allocation of the wrapper, a variable of the file, or (with `name`) an
    argument of the entry. In bytes. `width`: of what it points to, 0 if that is not known."""

    key: str
    name: str
    offset: int
    size: int
    width: int = field(default=0, compare=False)

    @property
    def variable(self) -> str:
        """The variable of the file that this is, "" if it is none."""
        return self.key.removeprefix(VARIABLE) if self.key.startswith(VARIABLE) else ""

    @classmethod
    def of_variable(cls, name: str, offset: int, size: int) -> Memory:
        return cls(f"{VARIABLE}{name}", "", offset, size)


@dataclass(frozen=True)
class Structure:
    """A struct by value: its bytes, and the memory that its pointers point to, by where they lie in it.
    `written`: where it is written if it is a lambda (`emulators/rewrite_lambdas.py`), 0 if nobody says."""

    data: bytes
    pointers: tuple[tuple[int, Memory], ...] = ()
    written: int = field(default=0, compare=False)


Argument = Memory | Structure | int | float | None


@dataclass(frozen=True)
class TracedLaunch:
    """One launch; `arguments` are numbers, memory or structs (None: a null pointer). `line`: where it stands,
    0 if that is not known. `inside`: the function that launches, with its template arguments. `contents`:
    what allocations and variables held then, by key or name, if that was recorded."""

    kernel: str
    launch: Launch
    arguments: tuple[Argument, ...]
    line: int = 0
    inside: str = field(default="", compare=False)
    contents: Mapping[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    def memories(self) -> Iterator[Memory]:
        for argument in self.arguments:
            if isinstance(argument, Structure):
                yield from (memory for _, memory in argument.pointers)
            elif isinstance(argument, Memory):
                yield argument


@dataclass(frozen=True)
class TracedCopy:
    """A copy, or memory that is set (`data` is one byte then). `data`: what is copied, if it is a number of
    the host's; `after`: how many launches came before it."""

    direction: str
    to: Memory | None
    source: Memory | None
    size: int
    data: bytes = b""
    after: int = 0


@dataclass(frozen=True)
class Trace:
    """`fault` says in words what went wrong, "" if nothing did; `hung`: that it was stopped. `mapped`: the
    entry's arguments that the device was given to use as they are. `cut`: what ended it, of the things that
    other files define."""

    launches: tuple[TracedLaunch, ...]
    copies: tuple[TracedCopy, ...]
    fault: str
    hung: bool = False
    mapped: frozenset[str] = frozenset()
    cut: str = ""


def trace_host(build: Build, cases: Sequence[Case]) -> list[Trace]:
    """Calls the entry once a case without running its kernels."""
    return [read_trace(result) for result in build.run(cases, limits=_LIMITS, env=TRACE_ONLY)]


def read_trace(result: RunResult) -> Trace:
    launches, copies = [], []
    mapped: set[str] = set()
    for event in result.events:
        if event.name == "launch":
            launches.append(_launch(event.fields, result.records))
        elif event.name == "memcpy" and event.fields.get("direction") == "mapped":
            memory = _memory(event.fields.get("to"))
            mapped |= {memory.name} if memory is not None else set()
        elif event.name == "memcpy":
            sides = (_memory(event.fields.get("to")), _memory(event.fields.get("from")))
            copies.append(
                TracedCopy(
                    str(event.fields.get("direction")),
                    *sides,
                    int(event.fields.get("bytes", 0)),
                    _data(event.fields),
                    len(launches),
                )
            )
    cut = next((event.message for event in result.events if event.name == ABSENT), "")
    fault = "" if cut else result.describe()  # what came before counts
    if fault.startswith(("killed by SIGXCPU", "killed by SIGKILL")):
        fault = f"an endless loop: it used {_LIMITS.cpu:g} s of processor time"
    if fault.startswith("endless: "):
        fault = fault.replace("endless", "an endless loop", 1)
    hung = fault.startswith(("stopped after", "an endless loop"))
    return Trace(tuple(launches), tuple(copies), fault, hung, frozenset(mapped), cut)


def _data(fields: Mapping[str, Any]) -> bytes:
    return bytes([int(fields["value"])]) if "value" in fields else bytes.fromhex(fields.get("data", ""))


def _launch(fields: Mapping[str, Any], records: Mapping[str, bytes]) -> TracedLaunch:
    grid = fields["grid"]
    block = fields["block_size"] if "block_size" in fields else (fields["job"], 1, 1)  # see `gate/tasks.py`
    launch = Launch((grid[0], grid[1], grid[2]), (block[0], block[1], block[2]), int(fields.get("shared", 0)))
    kernel = str(fields.get("kernel", "")).strip()
    if kernel.startswith("(") and kernel.endswith(")"):  # `(k<a, b>)` keeps a macro from splitting it
        kernel = kernel[1:-1]
    arguments = tuple(_argument(a) for a in fields["arguments"])
    contents = _contents(records.get(str(fields.get("record")), b""))
    line, inside = int(fields.get("launch_line", 0)), str(fields.get("inside", ""))
    around = re.split("::(?:<lambda|{lambda)", inside)[0]
    return TracedLaunch(kernel, launch, arguments, line, around, contents)


def _contents(record: bytes) -> dict[str, bytes]:
    """The parts of a file that `record_memory` of the emulators wrote."""
    index, _, data = record.partition(b"\n")
    places = json.loads(index) if index else {}
    return {key: data[offset : offset + size] for key, (offset, size) in places.items()}


def _argument(fields: Mapping[str, Any]) -> Argument:
    match fields.get("kind"):
        case "struct":
            places = [(int(p["at"]), _memory(p)) for p in fields.get("pointers", ())]
            pointers = tuple((at, memory) for at, memory in places if memory is not None)
            return Structure(bytes.fromhex(fields.get("data", "")), pointers, int(fields.get("lambda", 0)))
        case "pointer":
            return _memory(fields)
        case "float":
            return float(fields["value"])
        case "int" | "uint" | "bool":
            return int(fields["value"])
    return None


def _memory(fields: Mapping[str, Any] | None) -> Memory | None:
    if fields and "variable" in fields:
        name = str(fields["variable"]).split("::")[-1]
        return Memory.of_variable(name, int(fields["offset"]), int(fields["size"])) if name else None
    if not fields or "allocation" not in fields:
        return None
    name = str(fields.get("name", ""))
    place, size, width = int(fields["offset"]), int(fields["size"]), int(fields.get("pointee", 0))
    return Memory(name or f"#{fields['allocation']}", name, place, size, width)


def squeezed(spelling: str) -> str:
    """A kernel's name as launched, without its spaces: to be compared with the one in the trace."""
    return "".join(spelling.split())
