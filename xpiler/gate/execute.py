"""Builds the delivered text with a call of its entry and runs it on cases, in the sandbox, between guard
zones.

`build` compiles; `Build.run` calls the entry once a case and layout. Both return what happened, also when the
program does not compile, crashes or hangs; only a machine without a C++ compiler is an exception (`Refusal`).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from xpiler.gate import cache, sandbox
from xpiler.gate.absent_headers import reduced_text
from xpiler.gate.arrays import Array, is_poison, poison, scalar_bytes, storage
from xpiler.gate.avx512 import flags_here
from xpiler.gate.compilers import Compiler, host_compiler, openmp_flag
from xpiler.gate.contract import Argument, Case, Contract, Role
from xpiler.gate.elsewhere import Linked, Unlinked, compiled_alone, known_unlinked, lacks_bodies_only, linked
from xpiler.gate.events import Event, parse_events
from xpiler.gate.inputs import inputs_of
from xpiler.gate.program_files import OtherFile
from xpiler.gate.sandbox import Completed, Limits
from xpiler.gate.shim import call_name, inline_includes, translation_unit, with_prologue
from xpiler.platforms.registry import PLATFORMS

_RUNNER = Path(__file__).with_name("runner.cpp")
_AVX512 = Path(__file__).parent.parent / "emulators" / "avx512"
_TORCH = re.compile(r"^[ \t]*#[ \t]*include[ \t]*[<\"](?:torch|ATen|c10)/", re.MULTILINE)
_NOT_RUN = "not run"
_REPORTED = 86  # exit code: the reason is in the events file
SLOW = 20.0  # seconds of processor time after which a program need not run further cases
_NUDGED = ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tanh", "erf", "erfc")
_NEAREST = ("rint", "nearbyint", "lrint", "llrint")


@dataclass(frozen=True)
class Variant:
    """How a case is run: which end of each buffer touches a guard page, in which order threads run, and how
    floats are rounded ("up" and "down" show how much rounding there is). `trapped`: it ends where a float
    operation has no number for a result, as a conversion to integers that do not hold it, or where one rounds
    ("exact"). `again`: the result is that of a second call on the same data."""

    layout: str = "end"
    schedule: str = "forward"
    rounding: str = "nearest"
    trapped: Literal["", "number", "exact"] = ""
    again: bool = False

    @property
    def has_second_poison(self) -> bool:
        """Whether what nobody has written holds the second pattern: see `arrays.poison`."""
        return self.layout == "start"


BOTH_ENDS = (Variant("end", "forward"), Variant("start", "reverse"))


@dataclass(frozen=True)
class RunResult:
    """One call: the pointer arguments afterwards (those the entry may write), what was reported, how it
    ended. `seconds` by the clock, `processor` of processor time. `records`: files of memory
    at launches, by name, where the run was asked for them. `unwritten`: which elements of outputs were left
    alone, where two runs tell; `buffers` hold the first pattern there. `left_out`: it was not run, as those
    before took long.
    """

    case: Case
    variant: Variant
    buffers: dict[str, Array] = field(compare=False)
    events: tuple[Event, ...] = ()
    crash: str | None = None
    seconds: float = 0.0
    stdout: str = ""
    exit_code: int = 0
    samples: tuple[float, ...] = ()
    processor: float = 0.0
    records: Mapping[str, bytes] = field(default_factory=dict, compare=False, repr=False)
    unwritten: Mapping[str, Array] = field(default_factory=dict, compare=False, repr=False)
    left_out: bool = False

    def left_alone(self, argument: Argument) -> Array:
        """Which elements of an output were never written; of integers in one run alone, which may be."""
        if argument.name in self.unwritten:
            return self.unwritten[argument.name]
        second = self.variant.has_second_poison
        return is_poison(self.buffers[argument.name], argument.dtype, second=second)

    @property
    def ok(self) -> bool:
        """It ended well and nothing was reported."""
        return self.crash is None and not self.faults

    @property
    def faults(self) -> tuple[Event, ...]:
        return tuple(event for event in self.events if not event.is_trace)

    @property
    def took_too_long(self) -> bool:
        """It was ended from outside, by the clock or by the limit of processor time."""
        return (self.crash or "").startswith(("stopped", "killed by SIGKILL", "killed by SIGXCPU"))

    @property
    def was_run(self) -> bool:
        """Whether it was begun before the process of all cases ended."""
        return not (self.crash or "").startswith(_NOT_RUN)

    def describe(self) -> str:
        """What went wrong, in words; empty if nothing did."""
        return self.crash or (self.faults[0].message if self.faults else "")


@dataclass(frozen=True)
class Build:
    """A program ready to run, or the compiler's `error`, the first of all that it said (`log`). `together`:
    it holds other entries besides. `file` and `text` are those of the program. `measured`: how far its
    results move and round, once `compare.py` has asked for that. `without`: the headers of libraries that are
    not here, and so neither is what uses them. `others`: the files of its program that it is linked with."""

    contract: Contract
    platform: str
    program: Path | None
    tool: str
    error: str = ""
    seconds: float = 0.0
    together: bool = False
    file: str = ""
    text: str = field(default="", compare=False, repr=False)
    log: str = field(default="", compare=False, repr=False)
    measured: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)
    without: tuple[str, ...] = ()
    others: tuple[OtherFile, ...] = ()

    @property
    def ok(self) -> bool:
        return self.program is not None

    def run(
        self,
        cases: Iterable[Case],
        *,
        variants: Sequence[Variant] = (Variant(),),
        inputs: Sequence[Mapping[str, Array]] | None = None,
        limits: Limits | None = None,
        env: Mapping[str, str] | None = None,
        until_fault: bool = False,
        needed: int | None = None,
    ) -> list[RunResult]:
        """Every case in every variant, case by case. `inputs` replaces the drawn test data, one mapping a
        case. `until_fault`: none after the first that does not end well; those count as not run. `needed`:
        of so many cases at least; the others are left out once all have taken `SLOW` seconds.
        """
        if self.program is None:
            raise ValueError(f"the program was not built: {self.error}")
        cases = tuple(cases)
        drawn = list(inputs) if inputs is not None else [inputs_of(self.contract, case) for case in cases]
        with tempfile.TemporaryDirectory(prefix="xpiler-run-") as name:
            scratch = Path(name)
            program = scratch / "program"
            try:
                os.link(self.program, program)
            except OSError:
                shutil.copy2(self.program, program)
            jobs = [(case, data, v) for case, data in zip(cases, drawn, strict=True) for v in variants]
            manifest = manifest_of(self.contract, self.platform, jobs, scratch)
            if needed is not None:
                manifest = f"needed {needed * len(variants)} {SLOW}\n{manifest}"
            (scratch / "manifest").write_text("until-fault\n" * until_fault + manifest)
            done = sandbox.run(
                [str(program), "manifest"],
                cwd=scratch,
                limits=limits or Limits(),
                env={"OMP_NUM_THREADS": str(program_threads()), **(env or {})},
            )
            results = [_result(self.contract, job, number, scratch, done) for number, job in enumerate(jobs)]
        groups = [results[i : i + len(variants)] for i in range(0, len(results), len(variants))]
        return [result for group in groups for result in _told_apart(self.contract, group)]

    def run_program(
        self,
        arguments: Sequence[str] = (),
        *,
        stdin: bytes = b"",
        schedule: str = "forward",
        limits: Limits | None = None,
        env: Mapping[str, str] | None = None,
        recorded: bool = False,
    ) -> RunResult:
        """The whole program, for a contract of kind `main`; `recorded`: with the memory of its launches."""
        if self.program is None:
            raise ValueError(f"the program was not built: {self.error}")
        variant = Variant(schedule=schedule)
        with tempfile.TemporaryDirectory(prefix="xpiler-run-") as name:
            scratch = Path(name)
            program = scratch / "program"
            shutil.copy2(self.program, program)
            environment = {
                "XPILER_EVENTS": str(scratch / "events"),
                "XPILER_SCHEDULE": schedule,
                **({"XPILER_RECORD": str(scratch)} if recorded else {}),
                **(env or {}),
            }
            done = sandbox.run(
                [str(program), *arguments], cwd=scratch, limits=limits, stdin=stdin, env=environment
            )
            events = parse_events(_read(scratch / "events"), self.contract)
            crash = None
            if done.timed_out or done.signal is not None or done.reason:
                crash = done.describe()
            elif done.returncode == _REPORTED and events:
                crash = events[-1].message
            names = [str(event.fields["record"]) for event in events if "record" in event.fields]
            records = {name: (scratch / name).read_bytes() for name in names if (scratch / name).is_file()}
            return RunResult(
                Case(),
                variant,
                {},
                events,
                crash,
                done.seconds,
                done.stdout,
                done.returncode or 0,
                records=records,
            )


def program_threads() -> int:
    """How many threads a program is given."""
    return min(4, os.cpu_count() or 1)


# ------------------------------------------------------------------------------------------------ building


def build(
    text: str,
    file: str,
    platform: str,
    contract: Contract,
    *,
    compiler: str | None = None,
    beside: Sequence[Contract] = (),
    recontracted: bool = False,
    quick: bool = False,
    timed: bool = False,
    converting: bool = False,
) -> Build:
    """Compiles `text` as it is delivered, together with a call of `contract.entry`.

    `beside`: other entries of the text, compiled in the same go, so that a program of many entries is
    compiled once. If one of them does not compile, the entry is compiled alone. `recontracted`: products
    and sums of an emulated program are contracted, as a GPU's compiler may (it rounds after each by
    itself); those of others, which are contracted where the processor can, are not. `quick`: it is
    compiled to be run a few times only. `timed`: as fast as it can be, without what makes faults show.
    `converting`: it ends where a float is converted to an integer type that does not hold it, and where a
    signed integer overflows.
    """

    def one(text: str, together: Sequence[Contract]) -> Build:
        built = _build(
            text, file, platform, contract, together, compiler, recontracted, quick, timed, converting
        )
        return replace(built, together=len(together) > 1)

    reduced = reduced_text(inline_includes(text, file), file, platform)
    if reduced is not None and contract.entry not in reduced.names:
        beside = [other for other in beside if other.entry not in reduced.names]
        left = build(
            reduced.text,
            file,
            platform,
            contract,
            compiler=compiler,
            beside=beside,
            recontracted=recontracted,
            quick=quick,
            timed=timed,
            converting=converting,
        )
        return replace(left, text=text, without=reduced.headers)
    together = _together(contract, beside)
    built = one(text, together)
    return built if built.ok or len(together) == 1 else one(text, (contract,))


def complaints(text: str, file: str, platform: str) -> str:
    """What the compiler says of a text by itself, "" where it compiles, whether or not it links."""
    alone = Contract("", "main")
    built = _build(text, file, platform, alone, (alone,), None, False, True, False, False)
    return built.log if "error:" in re.sub(r".*(?:ld returned|linker command).*", "", built.log) else ""


def _together(contract: Contract, beside: Sequence[Contract]) -> tuple[Contract, ...]:
    """The contracts to compile in one go: all of `beside` if this one is among them, else it alone."""

    def key(one: Contract) -> tuple[object, ...]:
        globals_ = tuple(g.name for g in one.globals)
        return call_name(one), globals_, tuple((a.is_pointer, a.dtype) for a in one.arguments)

    keys = [key(other) for other in beside]
    return tuple(beside) if contract.kind != "main" and key(contract) in keys else (contract,)


def _build(
    text: str,
    file: str,
    platform: str,
    contract: Contract,
    together: Sequence[Contract],
    compiler: str | None,
    recontracted: bool,
    quick: bool,
    timed: bool,
    converting: bool,
) -> Build:
    start = time.monotonic()
    chosen = host_compiler(compiler)
    unit = translation_unit(inline_includes(text, file), together, platform)
    if PLATFORMS[platform].emulated:
        from xpiler.emulators import host

        unit = host.prepare(unit, file, platform)
        try:
            headers = cache.folder() / "headers"
            level = "-O0" if quick else "-O1"
            flags = host.precompiled_header(platform, chosen.path, headers, contract.arch, level)
        except host.EmulatorError as unusable:
            return Build(contract, platform, None, f"emulator ({chosen.name})", str(unusable))
        tool = f"emulator ({chosen.name})"
    else:
        optimisation = "-O3" if timed else "-O0" if quick else "-O2"
        flags = list(vnni_flags(chosen, unit, optimisation, shows_faults=not timed))
        tool = chosen.name if flags_here(unit) else f"emulator ({chosen.name})"
    if recontracted and "-ffp-contract=off" in flags:
        flags = [*(flag for flag in flags if flag != "-ffp-contract=off"), "-ffp-contract=fast"]
        flags += ["-fexpensive-optimizations"]  # without it g++ contracts nothing at -O1
    elif recontracted:
        flags = [*flags, "-ffp-contract=off"]
    if converting:
        asked = "float-cast-overflow,signed-integer-overflow,shift-exponent,bounds"
        flags = [*flags, "-fno-wrapv", f"-fsanitize={asked}", "-fsanitize-undefined-trap-on-error"]
    source = with_prologue(unit, file, contract)
    compile_flags = [flag for flag in flags if not _is_link_input(flag)]
    link_inputs = [flag for flag in flags if _is_link_input(flag)]
    name = cache.key(source, *flags, *chosen.command, chosen.version, _RUNNER.read_bytes(), contract.kind)
    failure: list[Completed] = []
    parts = [*link_inputs]
    if contract.kind != "main":
        parts += [str(runner_object(chosen)), *(_wrapped() if not timed else ())]

    def make(path: Path) -> bool:
        with tempfile.TemporaryDirectory(prefix="xpiler-build-") as folder:
            scratch = Path(folder)
            (scratch / "unit.cpp").write_text(source, encoding="utf-8", errors="surrogateescape")
            done = chosen.compile([*compile_flags, "unit.cpp", *parts, "-o", "program"], scratch)
            if not done.ok:
                failure.append(done)
                return False
            shutil.copy2(scratch / "program", path)
            return True

    def with_others(unlinked: Unlinked) -> Linked | None:
        return linked(chosen, unlinked, file, platform, name, unit, compile_flags, parts)

    known = known_unlinked(name)
    whole = with_others(known) if known else None
    program = None if known else cache.fetch("programs", name, make)
    if failure and lacks_bodies_only(failure[0].stderr):
        unlinked = compiled_alone(chosen, name, source, compile_flags, parts)
        whole = with_others(unlinked) if unlinked else None
    program = whole.program if whole else program
    error = "" if program else _first_errors(failure[0], file) if failure else "it does not link"
    seconds = time.monotonic() - start
    log = failure[0].stderr if failure else ""
    others = whole.others if whole else ()
    return Build(
        contract, platform, program, tool, error, seconds, file=file, text=text, log=log, others=others
    )


def vnni_flags(
    compiler: Compiler, text: str, optimisation: str = "-O2", *, shows_faults: bool = True
) -> tuple[str, ...]:
    """Flags for C++ with AVX-512; on a CPU without what the text uses of it the emulator's header stands in
    for the intrinsics'."""
    purpose = "-ftrivial-auto-var-init=pattern" if shows_faults else "-march=native"
    common = ("-std=c++17", optimisation, openmp_flag(compiler), purpose)
    here = flags_here(text)
    flags = (*common, *here) if here else (*common, "-I", str(_AVX512))
    if _TORCH.search(text):
        flags = (*flags, "-I", str(torch_headers()))
    return (*flags, *_precompiled_intrinsics(compiler, flags)) if compiler.name == "g++" else flags


def torch_headers() -> Path:
    """The folder with what stands in for PyTorch's headers in programs of the processor."""
    from xpiler.emulators import host

    source = Path(host.__file__)

    def make(path: Path) -> bool:
        host.tensors_on_processor(path)
        return True

    name = cache.key("torch", source.read_bytes(), (source.parent / "simt" / "torch.hpp").read_bytes())
    made = cache.fetch("headers", name, make)
    assert made is not None
    return made


def _precompiled_intrinsics(compiler: Compiler, flags: tuple[str, ...]) -> tuple[str, ...]:
    """Reading `immintrin.h` is most of a compilation, so it is read once. (That a program includes what it
    needs is shown by `toolchain.compile_check`, which compiles it alone.)"""
    emulator = [header.read_bytes() for header in sorted(_AVX512.glob("*.h"))]
    name = cache.key("immintrin", *flags, *compiler.command, compiler.version, *emulator)

    def make(path: Path) -> bool:
        path.mkdir()
        (path / "intrinsics.hpp").write_text(
            "#include <immintrin.h>\n#include <type_traits>\n#include <utility>\n"
        )
        with tempfile.TemporaryDirectory(prefix="xpiler-build-") as folder:
            header = str(path / "intrinsics.hpp")
            done = compiler.compile([*flags, "-x", "c++-header", header, "-o", "header.gch"], Path(folder))
            if done.ok:
                shutil.copy2(Path(folder) / "header.gch", path / "intrinsics.hpp.gch")
        return done.ok

    made = cache.fetch("headers", name, make)
    return ("-include", str(made / "intrinsics.hpp")) if made else ()


def runner_object(compiler: Compiler) -> Path:
    """The compiled runner: the same for all programs, so built once."""
    name = cache.key(_RUNNER.read_bytes(), *compiler.command, compiler.version) + ".o"

    def make(path: Path) -> bool:
        with tempfile.TemporaryDirectory(prefix="xpiler-build-") as folder:
            scratch = Path(folder)
            done = compiler.compile(["-std=c++17", "-O2", "-c", str(_RUNNER), "-o", "runner.o"], scratch)
            if not done.ok:
                raise RuntimeError(f"the runner does not compile: {done.stderr[:2000]}")
            shutil.copy2(scratch / "runner.o", path)
            return True

    made = cache.fetch("runners", name, make)
    assert made is not None
    return made


def _wrapped() -> list[str]:
    """The linker has the program call the runner's functions in the place of the C library's."""
    both = [f"-Wl,--wrap={name}{suffix}" for name in (*_NUDGED, *_NEAREST) for suffix in ("", "f")]
    return both if sys.platform == "linux" else []


def _is_link_input(flag: str) -> bool:
    return flag.endswith((".o", ".a", ".so")) or flag.startswith("-l")


def _first_errors(done: Completed, file: str) -> str:
    """The compiler's first error, in the user's text if there is one there, and how many more there are."""
    if done.reason:
        return f"the compiler was {done.reason}"
    errors = [line for line in done.stderr.splitlines() if "error" in line or "undefined reference" in line]
    if not errors:
        return (done.stderr.strip().splitlines() or [done.describe()])[-1]
    own = [line for line in errors if line.startswith(f"{file}:")]
    own = [
        line for line in own if "declared void" not in line
    ] or own  # follows from a type that nobody knows
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return (own or errors)[0].strip() + more


# ------------------------------------------------------------------------------------------------ running

Job = tuple[Case, Mapping[str, Array], Variant]


def manifest_of(
    contract: Contract,
    platform: str,
    jobs: Sequence[Job],
    scratch: Path,
    more: Callable[[int], Sequence[str]] = lambda number: (),
) -> str:
    """What the runner is told of the jobs; `more`: further lines for the job of that number."""
    lines: list[str] = []
    files: dict[int, dict[str, str]] = {}
    for number, (case, data, variant) in enumerate(jobs):
        lines += [f"case {number} {len(contract.arguments)}"]
        lines += [f"entry {call_name(contract)}"]
        lines += [f"schedule {variant.schedule}", f"layout {variant.layout}"]
        lines += [f"rounding {variant.rounding}"] if variant.rounding != "nearest" else []
        lines += [f"trapped {variant.trapped}"] if variant.trapped else []
        lines += ["again 1"] if variant.again else []
        if case.launch:
            numbers = (*case.launch.grid, *case.launch.block, case.launch.shared_bytes)
            lines.append("launch " + " ".join(map(str, numbers)))
        written = files.setdefault(id(data), {})
        for slot, argument in enumerate((*contract.arguments, *contract.globals)):
            if not argument.is_pointer:
                value = dict(case.scalars).get(argument.name, 0)
                lines.append(f"scalar {slot} {scalar_bytes(value, argument.dtype).hex()}")
                continue
            if argument.name in case.missing:
                continue
            size = case.extent(argument.name) * argument.dtype.bytes
            file = "-"
            if argument.role is not Role.OUT:
                file = written.get(argument.name) or f"in-{number}-{slot}"
                if argument.name not in written:
                    contents = np.ascontiguousarray(
                        data[argument.name], dtype=storage(argument.dtype)
                    ).tobytes()
                    if len(contents) != size:
                        raise ValueError(f"{argument.name}: {len(contents)} bytes of data for {size} bytes")
                    (scratch / file).write_bytes(contents)
                    written[argument.name] = file
            # Device memory is aligned; a host pointer is only as aligned as its element.
            natural = argument.dtype.bytes * argument.lanes
            alignment = max(16, natural) if PLATFORMS[platform].emulated else natural
            lines.append(
                f"buffer {slot} {argument.name} {size} {alignment} {argument.role.value} {file} "
                f"{poison(argument.dtype, second=variant.has_second_poison).hex()}"
            )
        lines += [*more(number), "run"]
    return "\n".join(lines) + "\n"


def _result(contract: Contract, job: Job, number: int, scratch: Path, done: Completed) -> RunResult:
    case, _, variant = job
    events = parse_events(_read(scratch / f"events-{number}.jsonl"), contract)
    finished = _read(scratch / f"done-{number}")
    if not finished and (scratch / "left-out").exists() and not (scratch / f"status-{number}").exists():
        return RunResult(case, variant, {}, left_out=True)
    if not finished:
        return RunResult(case, variant, {}, events, _how_it_ended(events, number, scratch, done))
    buffers = {}
    for slot, argument in enumerate((*contract.arguments, *contract.globals)):
        if argument.is_pointer and argument.role is not Role.IN:
            raw = (scratch / f"out-{number}-{slot}").read_bytes()
            buffers[argument.name] = np.frombuffer(raw, dtype=storage(argument.dtype))
    seconds, processor, *samples = (float(line) for line in finished.split())
    return RunResult(
        case,
        variant,
        buffers,
        events,
        None,
        seconds,
        done.stdout,
        samples=tuple(samples),
        processor=processor,
    )


def _told_apart(contract: Contract, runs: Sequence[RunResult]) -> list[RunResult]:
    """Runs of one case, with what all of them left alone, if they began with both patterns."""
    if (
        not all(run.ok and not run.left_out for run in runs)
        or len({run.variant.has_second_poison for run in runs}) < 2
    ):
        return list(runs)
    outputs = [a for a in contract.outputs if a.role is Role.OUT and a.name in runs[0].buffers]
    unwritten = {a.name: np.logical_and.reduce([run.left_alone(a) for run in runs]) for a in outputs}
    told = []
    for run in runs:
        buffers = dict(run.buffers)
        for a in outputs:
            if run.variant.has_second_poison and unwritten[a.name].any():
                buffers[a.name] = buffers[a.name].copy()
                buffers[a.name][unwritten[a.name]] = np.frombuffer(poison(a.dtype), storage(a.dtype))[0]
        told.append(replace(run, buffers=buffers, unwritten=unwritten))
    return told


def _how_it_ended(events: tuple[Event, ...], number: int, scratch: Path, done: Completed) -> str:
    status = _read(scratch / f"status-{number}").split()
    if not status:  # the runner itself was stopped, in this case or in one before
        said = f"{_NOT_RUN}: {done.stderr.strip()[:500]}"
        return done.describe() if done.reason or done.signal else said
    kind, code = status[0], int(status[1])
    said = _said(number, done.stderr)
    words = f": {said}" if said else ""
    if kind == "signal":
        return f"killed by {sandbox.signal_name(code)}{words}"
    if code == _REPORTED and events:
        return events[-1].message + (words if events[-1].name in ("trap", "crash") else "")
    return f"the program ended itself with exit code {code}{words}"


def _said(number: int, stderr: str) -> str:
    """The last line that a case wrote to standard error; the runner writes a mark before each case."""
    of_case = stderr.partition(f"\x1e{number}\n")[2].partition("\x1e")[0]
    return (of_case.strip().splitlines() or [""])[-1].strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
