"""One translation, from text to text with evidence. `translate_text` reads top to bottom:

    parse the source -> infer the contracts of its entries -> produce the target text -> compile it with
    the platform's
    own compilers while source and target run on the same inputs -> collect the evidence.

Nothing here touches the disk except through the gate's sandbox; the command line writes the result.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from xpiler.errors import Diagnostic, Refusal
from xpiler.events import Event
from xpiler.frontend import parse
from xpiler.frontend.launchers import with_launchers
from xpiler.frontend.lower_calls import FUNCTION_ELSEWHERE
from xpiler.frontend.lower_launches import NOT_LAUNCHED
from xpiler.frontend.own_headers import OneText, with_own_headers
from xpiler.frontend.tensor_callers import with_callers, without_callers
from xpiler.frontend.unit import Unit
from xpiler.gate import program_files
from xpiler.gate.absent_headers import reduced_text
from xpiler.gate.contract import Case, Contract
from xpiler.gate.device_borders import with_device_functions
from xpiler.gate.entries import Entry, entries_of, left_out, offered
from xpiler.gate.evidence import Evidence, Rung
from xpiler.gate.execute import complaints
from xpiler.gate.overrides import Overrides, load_beside
from xpiler.gate.program_files import OtherFile
from xpiler.gate.shim import inline_includes
from xpiler.gate.timing import Program, run_time
from xpiler.gate.toolchain import compile_check
from xpiler.ir.interpret_state import Finding
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler.preparation import NOT_RUN, prepare_entries, prepare_unrun
from xpiler.routes import ROUTES
from xpiler.routes.job import EntryJob
from xpiler.routes.validated import Known, remembered, unchecked
from xpiler.verification import MADE_UP, at_landmarks, at_turns, called_as, verify_entries

Progress = Callable[[str], None]


@dataclass(frozen=True)
class EntryResult:
    """What is known of one function that can be called from outside. `status`: verified, unverified or
    refused."""

    name: str
    kind: str
    status: str
    detail: str

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "kind": self.kind, "status": self.status, "detail": self.detail}


@dataclass(frozen=True)
class Result:
    """A translation with its evidence. `text` is None if nothing was produced; `output` is where it was
    written."""

    status: str
    text: str | None = None
    output: str | None = None
    entries: tuple[EntryResult, ...] = ()
    evidence: tuple[Rung, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    seconds: float = 0.0
    events: tuple[Event, ...] = ()

    def at(self, output: str) -> Result:
        return replace(self, output=output)


def translate_text(
    text: str,
    file: str,
    to: str,
    overrides: Overrides | None = None,
    progress: Progress = lambda step: None,
    *,
    run: bool = True,
) -> Result:
    """Translates `text` (of the file named `file`) to the platform `to`, and verifies the result.

    Raises Refusal where nothing can be produced; a result that is not verified says why in its evidence.
    Without `run` nothing is compiled or executed, so that nothing is verified.
    """
    one = _one_text(text, file, to)
    called = _called_on_arrays(one, to) if run else one
    try:
        try:
            result = _translated(called, to, overrides, progress, run=run)
        except _NoTensorsThere:
            result = _translated(one, to, overrides, progress, run=run)
    except Refusal as refusal:
        raise one.refusal(refusal) from refusal
    notes = tuple(
        Diagnostic("own-header", f"{header} is in the text: it needs the source's compiler", None, "note")
        for header in one.headers
    )
    return replace(result, diagnostics=(*map(one.original, result.diagnostics), *notes))


def _one_text(text: str, file: str, to: str) -> OneText:
    """The text as it is translated: with headers that the target cannot include, and where launches are
    written anew with what macros make of them."""
    platform = platform_of(file, text)
    one = with_own_headers(text, file, platform)
    route = ROUTES.get((platform, to))
    if route is None or not route.needs_ir:
        return one
    return with_launchers(with_device_functions(one, platform))


def _called_on_arrays(one: OneText, to: str) -> OneText:
    """The text with callers of its functions that take tensors, if those can be run."""
    platform = platform_of(one.file, one.text)
    if to not in ("hip", "cuda", "vnni"):  # no other platform has tensors
        return one
    whole = with_callers(one.text, parse(one.text, one.file, platform=platform))
    if whole == one.text or complaints(inline_includes(whole, one.file), one.file, platform):
        return one
    return replace(one, text=whole)


class _NoTensorsThere(Exception):
    """The translation of functions that take tensors does not compile with what stands in for PyTorch."""


def _translated(
    one: OneText, to: str, overrides: Overrides | None, progress: Progress, *, run: bool
) -> Result:
    start = time.monotonic()
    text, file = one.text, one.file
    platform = platform_of(file, text)
    route = ROUTES.get((platform, to))
    if route is None:
        raise _no_direction(platform, to)
    stated = load_beside(file).merged(overrides or Overrides())
    progress("parsing")
    unit, parsed = _parse(one, platform)
    unit = _reduced(unit) if run else unit
    entries = [EntryJob(entry) for entry in entries_of(unit, stated.entry)]
    if run and not stated.entry:
        entries += [EntryJob(e, offered=True) for e in offered(unit, [item.entry for item in entries])]
    stated.require_known(_parameters(unit, entries))
    if not run:
        whole, unit = unit, route.admit(unit, entries)
        progress(f"writing {to}")
        prepare_unrun(entries, unit, stated)
        produced = route.produce(unit, entries)
        rungs = [parsed, *produced.rungs, Rung("executed", False, "none", NOT_RUN, 0.0)]
        remarks = () if stated.entry else left_out(whole, [item.entry for item in entries])
        return _result(whole, entries, produced.text, rungs, produced.notes, start, remarks)
    with ThreadPoolExecutor(2) as pool:
        progress("running the source")
        whole, unit = unit, route.admit(unit, entries)
        prepare_entries(entries, unit, unit.text, file, platform, stated, pool, needs_ir=route.needs_ir)
        entries = [item for item in entries if item.counts]
        progress(f"writing {to}")
        produced = route.produce(unit, entries)
        progress("compiling and comparing")
        delivered = without_callers(produced.text)
        if delivered != produced.text and complaints(produced.text, _target_file(file, to), to):
            raise _NoTensorsThere
        compiled = pool.submit(compile_check, delivered, _target_file(file, to), to)
        also = _translate_others(entries, to, progress)
        target = produced.text, _target_file(file, to), to
        verify_entries(whole, entries, *target, pool, produced.calls, route.spell, own=True)
        checked = [rung for entry in entries for rung in entry.rungs]
        rungs = [parsed, *compiled.result(), *checked, *produced.rungs]
    remarks = () if stated.entry else left_out(whole, [item.entry for item in entries])
    return _result(whole, entries, delivered, rungs, (*produced.notes, *also), start, remarks)


def verify_text(
    source: str,
    source_file: str,
    target: str,
    target_file: str,
    overrides: Overrides | None = None,
    progress: Progress = lambda step: None,
) -> Result:
    """Whether the program `target` computes what `source` computes; the contract is that of the source."""
    start = time.monotonic()
    result = Trusted.of(source, source_file, overrides, progress).verify(target, target_file, progress)
    return replace(result, seconds=time.monotonic() - start)


def writer(
    text: str, file: str, to: str, overrides: Overrides | None = None, progress: Progress = lambda step: None
) -> tuple[Trusted, Callable[[], str]]:
    """The source as it was run, and a function that writes its translation, again whenever it is called.

    Raises Refusal as `translate_text` does.
    """
    platform = platform_of(file, text)
    route = ROUTES.get((platform, to))
    if route is None:
        raise _no_direction(platform, to)
    one = _one_text(text, file, to)
    try:
        trusted = Trusted.of_one(one, overrides, progress, admit=route.admit, needs_ir=route.needs_ir)
    except Refusal as refusal:
        raise one.refusal(refusal) from refusal
    known: Known = {}

    def write() -> str:
        entries = [replace(item, rungs=[]) for item in trusted.entries]
        with remembered(known):
            return route.produce(trusted.unit, entries).text

    return trusted, write


@dataclass(frozen=True)
class Trusted:
    """A source program with the contracts of its entries and its results: what targets are held against."""

    unit: Unit
    parsed: Rung
    entries: tuple[EntryJob, ...]
    platform: str

    @classmethod
    def of(
        cls,
        text: str,
        file: str,
        overrides: Overrides | None = None,
        progress: Progress = lambda step: None,
    ) -> Trusted:
        return cls.of_one(OneText(text, file), overrides, progress)

    @classmethod
    def of_one(
        cls,
        one: OneText,
        overrides: Overrides | None = None,
        progress: Progress = lambda step: None,
        *,
        admit: Callable[[Unit, list[EntryJob]], Unit] = lambda unit, entries: unit,
        needs_ir: bool = False,
    ) -> Trusted:
        """Of a text with headers in it; `admit` is that of the route which translates it."""
        text, file = one.text, one.file
        platform = platform_of(file, text)
        stated = load_beside(file).merged(overrides or Overrides())
        progress("parsing")
        unit, parsed = _parse(one, platform)
        unit = _reduced(unit)
        entries = [EntryJob(entry) for entry in entries_of(unit, stated.entry)]
        stated.require_known(_parameters(unit, entries))
        unit = admit(unit, entries)
        progress("running the source")
        with ThreadPoolExecutor(2) as pool:
            prepare_entries(entries, unit, unit.text, file, platform, stated, pool, needs_ir=needs_ir)
        return cls(unit, parsed, tuple(entries), platform)

    def verify(
        self,
        target: str,
        file: str,
        progress: Progress = lambda step: None,
        *,
        until_wrong: bool = False,
        own: bool = False,
    ) -> Result:
        """The target, compiled, run and compared. `until_wrong`: its platform's compilers are not asked
        about a target that does not run, or whose results are wrong, nor is it run at further sizes. `own`:
        the engine wrote it."""
        start = time.monotonic()
        to = platform_of(file, target)
        entries = [replace(item, rungs=[]) for item in self.entries]
        progress("compiling and comparing")
        with ThreadPoolExecutor(2) as pool:
            compiled = None if until_wrong else pool.submit(compile_check, target, file, to)
            calls, spell = self._calls(target, to)
            verify_entries(
                self.unit, entries, target, file, to, pool, calls, spell, own=own, doubted=until_wrong
            )
            ran = [rung for item in entries for rung in item.rungs]
            checked: Sequence[Rung] = ()
            if compiled is not None:
                checked = compiled.result()
            elif all(rung.ok for rung in ran):
                checked = compile_check(target, file, to)
            rungs = [self.parsed, *checked, *ran]
        return _result(self.unit, entries, target, rungs, (), start)

    def translation(self, to: str) -> str | None:
        """The text that the engine itself writes for the platform, which nothing has checked; the source's
        own text for its own platform, None where there is none."""
        if to == self.platform:
            return self.unit.text
        route = ROUTES.get((self.platform, to))
        if route is None:
            return None
        entries = [replace(item, rungs=[]) for item in self.entries]
        try:
            with unchecked():
                return route.produce(route.admit(self.unit, entries), entries).text
        except Refusal:
            return None

    def against(self, target: str, file: str) -> Trusted:
        """The same with runs on data among which the target's own numbers are."""
        entries = [replace(item) for item in self.entries]
        for item in entries:
            if item.refused is None and item.runs is not None and not (item.runs.fault or item.runs.order):
                at_landmarks(item, target, self.unit.text)
                named = self.contract_of(item, target, file)
                called = named.kernel_spelling or named.entry
                at_turns(item, target, file, platform_of(file, target), called, tails=True)
        return replace(self, entries=tuple(entries))

    def run_time(self, target: str, file: str, samples: int = 5, least: float = 0.002) -> list[float]:
        """Seconds of one round of the entries' calls, each at its largest size: so many samples of `least`
        seconds or more. Empty for what does not build or run. Says something of speed only where the program
        runs on the machine that it is for."""
        return list(run_time(self.program(target, file), samples, least).samples)

    def program(self, target: str, file: str) -> Program:
        """A target with the calls of the entries in it, each at its largest size, to be timed anywhere."""
        calls = []
        for item in self.entries:
            largest = largest_case(item)
            if largest is not None:
                calls.append(replace(self.contract_of(item, target, file), cases=(largest,)))
        kernels = [n for k in self.unit.program.kernels for n in (k.name, k.template) if n]
        own = tuple(dict.fromkeys(kernels)) if self.platform != "vnni" else ()
        return Program(inline_includes(target, file), file, tuple(calls), own)

    def contract_of(self, item: EntryJob, target: str, file: str) -> Contract:
        """How an entry is called in the target."""
        assert item.inference is not None
        return called_as(item.inference.contract, *self._calls(target, platform_of(file, target)))

    def _calls(self, target: str, to: str) -> tuple[Mapping[str, str], Callable[[str], str]]:
        route = ROUTES.get((self.platform, to))
        return _names_in(target, to, self.unit), route.spell if route else str


def largest_case(item: EntryJob) -> Case | None:
    """The case at which an entry is timed; None for one that is not."""
    if item.inference is None or item.refused is not None:
        return None
    cases = item.inference.contract.cases
    return max(cases, key=lambda case: sum(size for _, size in case.extents), default=None)


def show_ir(text: str, file: str) -> tuple[str, tuple[Diagnostic, ...]]:
    """The IR of every kernel as written, and why others have none."""
    unit = parse(text, file, platform=platform_of(file, text))
    return "\n\n".join(show(kernel) for kernel in unit.program.kernels), tuple(unit.refusals.values())


def show_canonical(
    text: str, file: str, seen: Callable[[Function], Function] = lambda function: function
) -> tuple[str, tuple[Diagnostic, ...]]:
    """The canonical serial form of every kernel, as `seen` shows it, and why others have none."""
    unit = parse(text, file, platform=platform_of(file, text))
    shown, refused = [], list(unit.refusals.values())
    for kernel in unit.program.kernels:
        try:
            canonical = canonicalise(kernel, kernel.block_size, kernel.grid_size).function
            shown.append(show(seen(canonical)))
        except Refusal as refusal:
            refused.append(refusal.diagnostic)
    return "\n\n".join(shown), tuple(refused)


_KERNEL = re.compile(r"\b__(?:global|mlu_entry|mlu_global)__\b")


def _no_direction(platform: str, to: str) -> Refusal:
    return Refusal("direction", f"{platform} to {to} is not supported", remedy=f"supported: {_directions()}")


def _directions() -> str:
    return ", ".join(f"{source} to {target}" for source, target in sorted(ROUTES))


def _parameters(unit: Unit, entries: Iterable[EntryJob]) -> list[str]:
    """The names that statements may be about: parameters of entries, and variables that kernels read."""
    params = [param.name for item in entries for param in item.entry.params]
    return params + [decl.name for kernel in unit.program.kernels for decl in kernel.globals]


def _names_in(target: str, to: str, unit: Unit) -> dict[str, str]:
    """What instances of template kernels are called in a text. A C++ text calls one by the template's name if
    there is such a function; elsewhere one is spelled with its arguments where its template is."""
    names = {k.name: k.template for k in unit.program.kernels if k.template}
    if to != "vnni":
        words = set(re.findall(r"\w+", re.sub(r"//[^\n]*|/\*.*?\*/", " ", target, flags=re.DOTALL)))
        return {name: name for name, template in names.items() if name in words and template not in words}
    return {
        name: template if re.search(rf"\b{template}\s*\(", target) else name
        for name, template in names.items()
    }


# ------------------------------------------------------------------------------------------------ the steps


def _parse(one: OneText, platform: str) -> tuple[Unit, Rung]:
    """The unit, without the templates that a header offers and the file does not launch."""
    start = time.monotonic()
    unit = _with_others_meaning(parse(one.text, one.file, platform=platform), one)
    refusals = {
        name: refusal
        for name, refusal in unit.refusals.items()
        if refusal.code != NOT_LAUNCHED or one.is_of_main(refusal)
    }
    unit = replace(unit, refusals=refusals)
    names = ", ".join(kernel.spelling or kernel.name for kernel in unit.program.kernels)
    detail = f"kernels: {names or 'none'}"
    return unit, Rung("parsed", True, "tree-sitter", detail, time.monotonic() - start)


def _with_others_meaning(unit: Unit, one: OneText) -> Unit:
    """The unit of a text that stays as it is, with kernels that call device functions of other files as what
    they mean with these."""
    if not any(refusal.code == FUNCTION_ELSEWHERE for refusal in unit.refusals.values()):
        return unit
    whole = with_device_functions(one, unit.platform)
    if whole.text == one.text:
        return unit
    known = parse(whole.text, one.file, platform=unit.platform)
    launches = tuple(
        replace(meant, span=site.span, range=site.range)
        for site, meant in zip(unit.launches, known.launches, strict=False)
    )
    if len(known.launches) != len(unit.launches):
        return unit
    return replace(unit, program=known.program, refusals=known.refusals, launches=launches)


def _reduced(unit: Unit) -> Unit:
    """The unit that knows what a compiler misses headers for."""
    return replace(unit, reduced=reduced_text(unit.text, unit.file, unit.platform))


def _translated_apart(other: OtherFile, to: str, progress: Progress) -> str:
    """The translation of a file, as it is without those that call it."""
    if has_no_kernel(other.text, other.path, to):
        return host_text(other.text, other.path, to)[1]
    _, write = writer(other.text, other.path, to, progress=progress)
    return write()


def has_no_kernel(text: str, file: str, to: str) -> bool:
    """Whether a file for devices has host code alone, for other files of its program, or device functions for
    their kernels, where the platform `to` links these."""
    platform = platform_of(file, text)
    if PLATFORMS[platform].model == "serial" or _KERNEL.search(inline_includes(text, file)):
        return False
    other = OtherFile(file, text, platform)
    links = PLATFORMS[to].model == PLATFORMS[platform].model == "simt"
    return bool(other.functions() or other.variables() or (links and other.device_functions()))


def host_text(text: str, file: str, to: str) -> tuple[Unit, str, tuple[str, ...]]:
    """The translation of a file without kernels, and notes on it: the parts of its host code that the target
    has otherwise."""
    one = _one_text(text, file, to)
    platform = platform_of(file, text)
    route = ROUTES.get((platform, to))
    if route is None:
        raise _no_direction(platform, to)
    try:
        unit, _ = _parse(one, platform)
        whole = EntryJob(Entry(PurePath(file).name, "main", (), (), (), None))
        produced = route.produce(route.admit(unit, [whole]), [whole])
    except Refusal as refusal:
        raise one.refusal(refusal) from refusal
    return unit, produced.text, produced.notes


def _translate_others(entries: Iterable[EntryJob], to: str, progress: Progress) -> list[str]:
    """Device code of other files that the source's programs were linked with, and that has no translation
    yet: translated as it would be by itself, to be linked with the target's. Notes of which they are."""
    notes = []
    others = [other for item in entries if item.build is not None for other in item.build.others]
    for other in dict.fromkeys(o for o in others if o.platform):
        if program_files.has_translation(other, to):
            continue
        with suppress(Refusal):  # then the target's programs lack what it defines, and say so
            text = _translated_apart(other, to, progress)
            program_files.keep_translation(other.path, other.text, to, text)
            if not program_files.is_stated(other.path):
                notes.append(f"{other.path} is translated to be linked, and not written: translate it, too")
    return notes


def _told_once(found: Sequence[tuple[str, Diagnostic]]) -> list[Diagnostic]:
    """What several entries have at one place, as the instances of a template do, is told of the first of
    them, and the others are named."""
    by_place: dict[tuple[object, ...], list[tuple[str, Diagnostic]]] = {}
    for number, (entry, told) in enumerate(found):
        key = (told.code, told.range, told.severity) if told.range is not None else (number,)
        by_place.setdefault(key, []).append((entry, told))
    result: list[Diagnostic] = []
    for (first, told), *rest in by_place.values():
        others = ", ".join(dict.fromkeys(entry for entry, _ in rest if entry != first))
        also = f"; so it is in {others}" if others else ""
        result.append(replace(told, message=f"{told.message}{also}"))
        result += [again for entry, again in rest if entry == first]
    return result


def _target_file(file: str, to: str) -> str:
    return str(PurePath(file).with_suffix(PLATFORMS[to].extension))


def _result(
    unit: Unit,
    entries: list[EntryJob],
    text: str,
    rungs: list[Rung],
    notes: tuple[str, ...],
    start: float,
    remarks: tuple[Diagnostic, ...] = (),
) -> Result:
    evidence = Evidence(tuple(rungs))
    shared = [rung for rung in rungs if rung.rung in ("parsed", "compiled")]
    results = []
    diagnostics: list[Diagnostic] = []
    found: list[tuple[str, Diagnostic]] = []
    for item in entries:
        if item.refused is not None:
            diagnostics.append(item.refused)
            results.append(EntryResult(item.entry.name, item.entry.kind, "refused", str(item.refused)))
            continue
        own = Evidence((*shared, *item.rungs))
        results.append(EntryResult(item.entry.name, item.entry.kind, own.status, own.why_unverified()))
        if item.inference is not None:
            made_up = item.inference.made_up
            told = [(f, made_up) for f in item.inference.findings]
            told += [(f, True) for f in item.inference.doubts]
            told += [(f, False) for f in item.inference.warnings]
            found += [(item.entry.name, _diagnostic(*finding)) for finding in told]
        if item.doubt:
            what = f"{item.entry.name}: {item.doubt}; {MADE_UP}"
            diagnostics.append(Diagnostic("made-up-data", what, item.entry.range, "note"))
        diagnostics += [finding for rung in item.rungs for finding in rung.findings]
    diagnostics = [*_told_once(found), *diagnostics]
    known = {d.range for d in diagnostics}
    # Where an entry was verified all the same, what the IR does not know of a kernel is a remark.
    severity = "error" if any(r.status == "refused" for r in results) else "warning"
    diagnostics += [replace(d, severity=severity) for d in unit.refusals.values() if d.range not in known]
    diagnostics += remarks
    diagnostics += [Diagnostic("note", note, None, "note") for note in dict.fromkeys(notes)]
    if all(result.status == "refused" for result in results):
        first = next(d for d in diagnostics if d.severity == "error")
        raise Refusal.of(first)
    verified = evidence.verified and all(result.status == "verified" for result in results)
    return Result(
        "verified" if verified else "unverified",
        text,
        None,
        tuple(results),
        tuple(rungs),
        tuple(diagnostics),
        time.monotonic() - start,
    )


def _diagnostic(finding: Finding, made_up: bool) -> Diagnostic:
    """The finding; of data made up it is a remark: the program may never hand the kernel such data."""
    values = ", ".join(f"{name}={value}" for name, value in finding.values.items())
    message = finding.message + (f" ({values})" if values else "")
    if made_up:
        message += f"; {MADE_UP}"
    return Diagnostic(finding.code, message, finding.range, "note" if made_up else finding.severity)
