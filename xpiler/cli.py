"""The command line: `xpiler translate | verify | repair | check | show | ...`, all in `_COMMANDS`.

Exit codes: 0 verified, 1 translated but not verified, 2 refused. This module parses words and prints
results; the work is in `translate.py`. Modules that only one command needs are loaded by that command.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Console
from rich.status import Status

from xpiler import __version__, cancellation
from xpiler.build_options import add_build_options, state_build
from xpiler.errors import Diagnostic, Refusal, internal_error
from xpiler.events import Event
from xpiler.files import read_source, write_atomically
from xpiler.gate import program_files
from xpiler.gate.evidence import Evidence
from xpiler.gate.overrides import Overrides, from_flags
from xpiler.inputs import programs
from xpiler.platforms.registry import PLATFORMS

if TYPE_CHECKING:
    from xpiler.translate import Result

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
EXIT_VERIFIED, EXIT_UNVERIFIED, EXIT_REFUSED = 0, 1, 2
EXIT_NO_READER = 141  # as shells tell of SIGPIPE
EXIT_BY_STATUS = {"verified": EXIT_VERIFIED, "unverified": EXIT_UNVERIFIED, "refused": EXIT_REFUSED}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. SIGTERM cancels it like an interrupt from the keyboard."""
    words = sys.argv[1:] if argv is None else argv
    arguments = _parser(words).parse_args(words)
    console = Console(stderr=True, highlight=False)
    try:
        state_build(arguments)
        with _signals_cancel():
            code = int(arguments.run(arguments, console))
            sys.stdout.flush()
            return code
    except Refusal as refusal:
        return _tell(refusal, arguments, console)
    except KeyboardInterrupt:
        console.print("cancelled; nothing was written", style="yellow")
        return 130
    except BrokenPipeError:  # whoever reads what is printed has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_NO_READER
    except Exception as error:
        return _tell(internal_error(error), arguments, console)


def _tell(refusal: Refusal, arguments: argparse.Namespace, console: Console) -> int:
    if getattr(arguments, "json", False) is True:
        print(json.dumps(_refused(refusal.diagnostic)))
    else:
        _print_diagnostic(refusal.diagnostic, console)
    return EXIT_REFUSED


@contextlib.contextmanager
def _signals_cancel() -> Iterator[None]:
    """A program that is told to end has threads and processes of its own to end first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def cancel(number: int, frame: FrameType | None) -> None:
        cancellation.call_off()
        signal.default_int_handler(number, frame)

    cancellation.begin()
    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the command that `argv` names, of all commands if it names none: what the others need is
    not loaded."""
    parser = argparse.ArgumentParser(
        prog="xpiler",
        description="Translate tensor kernels between platforms, with evidence that the result is right.",
    )
    parser.add_argument("--version", action="version", version=f"xpiler {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    named = argv[0] if argv else ""
    for add in [_COMMANDS[named]] if named in _COMMANDS else _COMMANDS.values():
        add(commands)
    return parser


def _add_translate(commands: Commands) -> None:
    from xpiler.neural.options import add_model_options

    translate = commands.add_parser(
        "translate",
        help="translate files and verify the results",
        description="Translate files, then compile, run and compare each result with its source. "
        "Exit 0: verified; 1: translated but not verified (OUT.unverified is written); 2: refused.",
    )
    translate.add_argument(
        "files", nargs="+", metavar="FILE", type=Path, help="source files, or folders of them"
    )
    translate.add_argument("--to", required=True, choices=tuple(PLATFORMS), help="the target platform")
    translate.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="output file; a folder for several files"
    )
    translate.add_argument("--json", action="store_true", help="print the result as JSON")
    _add_contract_options(translate)
    add_build_options(translate)
    add_model_options(translate)
    translate.set_defaults(run=_translate)


def _add_verify(commands: Commands) -> None:
    verify = commands.add_parser(
        "verify",
        help="check that DST computes what SRC computes",
        description="Compile and run both programs on the same inputs and compare. "
        "Exit 0: verified; 1: not; 2: refused.",
    )
    verify.add_argument("source", type=Path, metavar="SRC")
    verify.add_argument("target", type=Path, metavar="DST")
    verify.add_argument("--json", action="store_true", help="print the result as JSON")
    verify.add_argument(
        "--seconds",
        type=float,
        default=20.0,
        help="time to find the wrong statement in (default 20; 0: none)",
    )
    _add_contract_options(verify)
    add_build_options(verify)
    verify.set_defaults(run=_verify)


def _add_repair(commands: Commands) -> None:
    mend = commands.add_parser(
        "repair",
        help="find and mend what is wrong in DST, held against SRC",
        description="Find the statements of DST that make it differ from SRC, and the smallest change that "
        "makes it right. Exit 0: repaired, or nothing wrong; 1: not repaired; 2: refused.",
    )
    mend.add_argument("source", type=Path, metavar="SRC")
    mend.add_argument("target", type=Path, metavar="DST")
    mend.add_argument("-o", "--output", type=Path, metavar="OUT", help="where the repaired text goes")
    mend.add_argument("--seconds", type=float, default=30.0, help="time allowed for the search (default 30)")
    mend.add_argument("--json", action="store_true", help="print the result as JSON")
    _add_contract_options(mend)
    add_build_options(mend)
    mend.set_defaults(run=_repair)


def _add_check(commands: Commands) -> None:
    from xpiler.check_command import add_check

    add_check(commands)


def _add_show(commands: Commands) -> None:
    show = commands.add_parser(
        "show", help="print what the engine sees", description="Print the IR of a file's kernels."
    )
    form = show.add_mutually_exclusive_group(required=True)
    form.add_argument("--ir", action="store_true", help="the IR as written")
    form.add_argument("--canonical", action="store_true", help="the canonical serial form")
    form.add_argument(
        "--annotated", choices=tuple(PLATFORMS), help="the serial form, with what may do it on a platform"
    )
    show.add_argument("file", type=Path, metavar="FILE")
    add_build_options(show)
    show.set_defaults(run=_show)


def _add_tune(commands: Commands) -> None:
    from xpiler.tuning.command import add_tune_options, run_tune

    tuning = commands.add_parser(
        "tune",
        help="search for the fastest verified translation",
        description="Translate a file, then try other choices of the passes, measure them on this machine, "
        "and keep the fastest that the gate verifies. What was measured is kept, and a search goes on where "
        "it was stopped. State the sizes that matter with --arg.",
    )
    add_tune_options(tuning)
    _add_contract_options(tuning)
    add_build_options(tuning)
    tuning.set_defaults(run=lambda a, console: run_tune(a, _overrides(a), console))


def _add_devices(commands: Commands) -> None:
    from xpiler.tuning.command import add_devices

    add_devices(commands)


def _add_explain(commands: Commands) -> None:
    from xpiler.neural.command import add_explain

    add_explain(commands)


def _add_scheduler(commands: Commands) -> None:
    from xpiler.tuning.fleet.command import add_scheduler

    add_scheduler(commands)


def _add_worker(commands: Commands) -> None:
    from xpiler.tuning.fleet.command import add_worker

    add_worker(commands)


def _add_certificate(commands: Commands) -> None:
    from xpiler.tuning.fleet.command import add_certificate

    add_certificate(commands)


def _add_models(commands: Commands) -> None:
    from xpiler.neural.options import add_models

    add_models(commands)


def _add_bench(commands: Commands) -> None:
    from xpiler.bench import command

    command.add_parser(commands)


def _add_doctor(commands: Commands) -> None:
    doctor = commands.add_parser("doctor", help="say which compilers and tools were found")
    doctor.add_argument("--json", action="store_true", help="print the result as JSON")
    doctor.set_defaults(run=_doctor)


_COMMANDS: dict[str, Callable[[Commands], None]] = {
    "translate": _add_translate,
    "verify": _add_verify,
    "repair": _add_repair,
    "check": _add_check,
    "show": _add_show,
    "tune": _add_tune,
    "devices": _add_devices,
    "scheduler": _add_scheduler,
    "worker": _add_worker,
    "certificate": _add_certificate,
    "explain": _add_explain,
    "models": _add_models,
    "bench": _add_bench,
    "doctor": _add_doctor,
}


def _add_contract_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the contract", "what is inferred from the text can be overridden")
    group.add_argument("--entry", metavar="F", help="the function that is called from outside")
    group.add_argument(
        "--arg", action="append", default=[], metavar="NAME=VALUE", help="a scalar argument's value"
    )
    group.add_argument(
        "--shape", action="append", default=[], metavar="NAME=A,B", help="an array argument's extents"
    )
    group.add_argument("--grid", metavar="X,Y,Z", help="launch dimensions in blocks")
    group.add_argument("--block", metavar="X,Y,Z", help="threads of a block")
    group.add_argument("--shared", metavar="BYTES", help="bytes of dynamic shared memory")
    group.add_argument("--arch", metavar="A", help="the MLU that BANG C is for: mtp_270, 290, 372 or 592")


def _overrides(arguments: argparse.Namespace) -> Overrides:
    return from_flags(
        entry=arguments.entry,
        arg=arguments.arg,
        grid=arguments.grid,
        block=arguments.block,
        shared=arguments.shared,
        shape=arguments.shape,
        arch=arguments.arch,
    )


# ------------------------------------------------------------------------------------------------ translate


def _translate(arguments: argparse.Namespace, console: Console) -> int:
    from xpiler.whole_program import verify_main, with_users

    files, left = programs(arguments.files)
    overrides = _overrides(arguments)
    several = len(files) > 1 or any(path.is_dir() for path in arguments.files)
    if several and arguments.output and arguments.output.is_file():
        raise Refusal(
            "output", f"{arguments.output} is a file; several inputs need a folder", remedy="pass -o DIR"
        )
    program_files.state([*files, *left], _output_folder(arguments, several))
    done: dict[Path, Result] = {}
    later: list[Path] = []  # files that others' programs show something of

    def translate(path: Path) -> None:
        done[path] = _translate_file(path, arguments, overrides, console, several)
        if path not in later:
            finish(path)

    def finish(path: Path) -> None:
        done[path] = _write(done[path], path, arguments, several)
        if not arguments.json:
            _print_result(done[path], path, console)

    for path in program_files.callees_first(files):
        if several and _is_part(path, arguments.to):
            later.append(path)
        translate(path)
    for path in [path for path in files if program_files.is_outdated(path, arguments.to)]:
        translate(path)
    for path in left:
        result = verify_main(path, files, arguments.to) if several else None
        if result is None:
            console.print(f"{path}: host code in C or C++, left as it is", highlight=False, markup=False)
            continue
        done[path] = result
        if not arguments.json:
            _print_result(result, path, console)
    for path in later:
        done[path] = with_users(path, arguments.to, done[path], done)
        finish(path)
    files += [path for path in left if path in done]
    results = [(path, done[path]) for path in files]
    if arguments.json:
        documents = [_document(result) for _, result in results]
        print(json.dumps(documents if several else documents[0]))
    if several and not arguments.json:
        _print_summary(results)
    return max(EXIT_BY_STATUS[result.status] for _, result in results)


def _translate_file(
    path: Path, arguments: argparse.Namespace, overrides: Overrides, console: Console, several: bool
) -> Result:
    from xpiler.neural.options import chosen_model
    from xpiler.translate import Result, translate_text
    from xpiler.whole_program import translate_host_code

    output = _output_path(path, arguments, several)
    if output.exists() and output.samefile(path):
        raise Refusal("output", f"{output} is the source itself", remedy="name another file with -o OUT")
    try:
        text = read_source(path)
        with _progress(console, arguments.json, f"{path.name} to {arguments.to}") as step:
            model = chosen_model(arguments)
            if _is_part(path, arguments.to):
                result = translate_host_code(text, str(path), arguments.to)
            elif model is None:
                result = translate_text(text, str(path), arguments.to, overrides, progress=step)
            else:
                from xpiler.neural.loop import translate_with_model

                translation = translate_with_model(
                    text, str(path), arguments.to, model, overrides, progress=step, on_event=step.tell
                )
                result = translation.result
    except Exception as error:
        refusal = error if isinstance(error, Refusal) else internal_error(error, str(path))
        if not several:
            raise refusal from error
        return Result(status="refused", diagnostics=(refusal.diagnostic,))
    if result.text is not None:
        program_files.keep_translation(path, text, arguments.to, result.text)
    return result


def _is_part(path: Path, to: str) -> bool:
    """Whether a file is one that is run in other files' programs only."""
    from xpiler.translate import has_no_kernel

    try:
        return has_no_kernel(read_source(path), str(path), to)
    except Refusal:  # whoever translates it says so
        return False


def _write(result: Result, path: Path, arguments: argparse.Namespace, several: bool) -> Result:
    if result.text is None:
        return result
    output = _output_path(path, arguments, several)
    written = output if result.status == "verified" else output.with_name(output.name + ".unverified")
    write_atomically(written, result.text)
    return result.at(str(written))


def _output_folder(arguments: argparse.Namespace, several: bool) -> Path | None:
    output: Path | None = arguments.output
    return output if output is None or several or output.is_dir() else output.parent


def _output_path(path: Path, arguments: argparse.Namespace, several: bool) -> Path:
    suffix = PLATFORMS[arguments.to].extension
    output: Path | None = arguments.output
    if output is None:
        return path.with_suffix(suffix)
    if several or output.is_dir():
        roots = [root for root in arguments.files if root.is_dir() and path.is_relative_to(root)]
        relative = path.relative_to(roots[0]) if roots else Path(path.name)
        return output / relative.with_suffix(suffix)
    return output


# ------------------------------------------------------------------------------------------------ the others


def _verify(arguments: argparse.Namespace, console: Console) -> int:
    from xpiler.repair_command import located, print_located
    from xpiler.translate import Trusted

    source, target = read_source(arguments.source), read_source(arguments.target)
    title = f"{arguments.target.name} against {arguments.source.name}"
    with _progress(console, arguments.json, title) as step:
        trusted = Trusted.of(source, str(arguments.source), _overrides(arguments), step)
        result = trusted.verify(target, str(arguments.target), step).at(str(arguments.target))
        found = None
        if Evidence(result.evidence).failed is not None and arguments.seconds > 0:
            found = located(trusted, source, target, arguments, result, step)
    if arguments.json:
        told = {"localized": [place.to_json() for place in found.localized] if found else []}
        print(json.dumps(_document(result) | told | {"diff": found.diff if found else ""}))
    else:
        _print_result(result, arguments.source, console)
        if found is not None:
            print_located(found, arguments)
    return EXIT_BY_STATUS[result.status]


def _repair(arguments: argparse.Namespace, console: Console) -> int:
    from xpiler.repair_command import run_repair

    title = f"{arguments.target.name} against {arguments.source.name}"
    return run_repair(arguments, _overrides(arguments), _progress(console, arguments.json, title), console)


def _show(arguments: argparse.Namespace, console: Console) -> int:
    from xpiler.neural.annotate import annotated
    from xpiler.translate import show_canonical, show_ir

    text, file = read_source(arguments.file), str(arguments.file)
    if arguments.annotated:
        printed, diagnostics = show_canonical(text, file, lambda f: annotated(f, arguments.annotated))
    else:
        printed, diagnostics = (show_ir if arguments.ir else show_canonical)(text, file)
    if printed:
        print(printed)
    for diagnostic in diagnostics:
        _print_diagnostic(diagnostic, console)
    return EXIT_REFUSED if diagnostics and not printed else EXIT_VERIFIED


def _doctor(arguments: argparse.Namespace, console: Console) -> int:
    from xpiler.gate.toolchain import doctor, render_doctor

    tools = doctor()
    if arguments.json:
        print(json.dumps([asdict(tool) for tool in tools]))
    else:
        print(render_doctor(tools))
    return EXIT_VERIFIED if any(tool.found for tool in tools[:3]) else EXIT_REFUSED


# ------------------------------------------------------------------------------------------------ printing


def _progress(console: Console, quiet: bool, title: str) -> _Progress:
    return _Progress(console if console.is_terminal and not quiet else None, title)


class _Progress:
    """A status line on a terminal, silence in a pipe. Entering yields the function that announces a step."""

    def __init__(self, console: Console | None, title: str) -> None:
        self._title = title
        self._status: Status | None = console.status(title) if console else None

    def __enter__(self) -> _Progress:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def __call__(self, step: str) -> None:
        if self._status:
            self._status.update(f"{self._title}: {step}")

    def tell(self, event: Event) -> None:
        """A line that stays."""
        if self._status:
            self._status.console.print(f"  {event}", markup=False, soft_wrap=True)


def _print_diagnostic(diagnostic: Diagnostic, console: Console) -> None:
    styles = {"error": "red", "warning": "yellow"}
    console.print(str(diagnostic), style=styles.get(diagnostic.severity), markup=False, soft_wrap=True)


def _print_result(result: Result, path: Path, console: Console) -> None:
    out = Console(highlight=False)
    for diagnostic in result.diagnostics:
        _print_diagnostic(diagnostic, console)
    styles = {"verified": "bold green", "unverified": "bold yellow", "refused": "bold red"}
    where = f" -> {result.output}" if result.output else ""
    out.print(
        f"{path}{where}: {result.status.upper()} ({result.seconds:.1f} s)",
        style=styles[result.status],
        markup=False,
        soft_wrap=True,
    )
    out.print(Evidence(result.evidence).render(), markup=False, soft_wrap=True)


def _print_summary(results: Sequence[tuple[Path, Result]]) -> None:
    counts = {status: sum(1 for _, r in results if r.status == status) for status in EXIT_BY_STATUS}
    kernels = {
        status: sum(sum(1 for e in r.entries if e.status == status) for _, r in results) for status in counts
    }
    print(
        f"{len(results)} files: {counts['verified']} verified, {counts['unverified']} unverified, "
        f"{counts['refused']} refused; entries: {kernels['verified']} verified, "
        f"{kernels['unverified']} unverified, {kernels['refused']} refused"
    )


def _document(result: Result) -> dict[str, object]:
    return {
        "status": result.status,
        "output": result.output,
        "entries": [entry.to_json() for entry in result.entries],
        "evidence": [rung.to_json() for rung in result.evidence],
        "diagnostics": [_diagnostic_document(diagnostic) for diagnostic in result.diagnostics],
        "seconds": round(result.seconds, 3),
        **({"events": [event.to_json() for event in result.events]} if result.events else {}),
    }


def _diagnostic_document(diagnostic: Diagnostic) -> dict[str, object]:
    place = diagnostic.range
    return {
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message + (f"; {diagnostic.remedy}" if diagnostic.remedy else ""),
    }


def _refused(diagnostic: Diagnostic) -> dict[str, object]:
    from xpiler.translate import Result

    return _document(Result(status="refused", diagnostics=(diagnostic,)))


if __name__ == "__main__":
    sys.exit(main())
