"""Files that take part in a program and that no run begins in by themselves.

    utils/helper.cu    host code without a kernel, which main.cu calls
    main.cpp           plain host code, left as it is, whose `main` calls what kernels.cu defines

What shows something of them is the programs that they are linked into.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from xpiler.errors import Diagnostic, Refusal
from xpiler.files import read_source
from xpiler.gate import program_files
from xpiler.gate.contract import Contract
from xpiler.gate.elsewhere import told
from xpiler.gate.evidence import Evidence, Rung
from xpiler.gate.execute import build
from xpiler.gate.program_files import OtherFile
from xpiler.gate.toolchain import compile_check
from xpiler.gate.verify import compare_programs
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler.translate import EntryResult, Result, host_text

_MAIN = re.compile(r"\bmain\s*\(")
ALONE = "host code without a kernel: nothing of it was run, as no program that was compared is linked with it"


def translate_host_code(text: str, file: str, to: str) -> Result:
    """The translation of a device file without kernels, compiled; `with_users` says more once the programs
    that it belongs to were run. Raises Refusal."""
    start = time.monotonic()
    _, made, notes = host_text(text, file, to)
    rungs = (
        Rung("parsed", True, "tree-sitter", "host code without a kernel", time.monotonic() - start),
        *compile_check(made, str(program_files.translated_path(file, to)), to),
        Rung("executed", False, "none", ALONE, 0.0),
    )
    entry = EntryResult(Path(file).name, "host", "unverified", ALONE)
    said = tuple(Diagnostic("note", note, None, "note") for note in notes)
    return Result("unverified", made, None, (entry,), rungs, said, seconds=time.monotonic() - start)


def with_users(path: Path, to: str, result: Result, results: Mapping[Path, Result]) -> Result:
    """The result of a file without kernels, when the programs that its translation is linked into are
    verified, and something of them calls each of its functions."""
    if result.text is None or not any(rung.detail == ALONE for rung in result.evidence):
        return result
    source = read_source(path)
    linked = program_files.users_of(path, to, result.text)
    users = [p for p in results if program_files.translated_path(p, to) in linked or p.resolve() in linked]
    verified = [p for p in users if results[p].status == "verified"]
    if not verified:
        return result
    words = {word for p in results if p != path for word in re.findall(r"\b\w+\b", read_source(p))}
    other = OtherFile(str(path), source, platform_of(str(path), source))
    uncalled = sorted((other.functions() | other.device_functions()) - words)
    names = ", ".join(p.name for p in verified)
    detail = f"linked into the programs of {names}, which were run and compared"
    if uncalled:
        detail += f"; nobody calls {', '.join(f'`{name}`' for name in uncalled)}"
    ran = Rung("executed", not uncalled, "linked", detail, 0.0)
    rungs = tuple(ran if rung.detail == ALONE else rung for rung in result.evidence)
    status = "verified" if Evidence(rungs).verified else "unverified"
    entries = tuple(replace(entry, status=status, detail=detail) for entry in result.entries)
    return replace(result, status=status, evidence=rungs, entries=entries)


def verify_main(path: Path, sources: Sequence[Path], to: str) -> Result | None:
    """What a `main` of plain host code does with the files of the program as they are, and with their
    translations. None if there is none, or if it needs nothing of them."""
    start = time.monotonic()
    text = read_source(path)
    platforms = {platform_of(str(p), read_source(p)) for p in sources}
    emulated = [p for p in platforms if PLATFORMS[p].emulated]
    if not _MAIN.search(text) or len(emulated) != 1:
        return None
    contract = Contract("main", "main")
    try:
        source = build(text, str(path), emulated[0], contract)
        if not source.ok or not any(other.platform for other in source.others):
            return None
        target = build(text, str(path), to, contract)
    except Refusal:
        return None
    parsed = Rung("parsed", True, "none", "plain host code, left as it is", 0.0)
    compiled = Rung(
        "compiled", target.ok, target.tool, target.error or "with the translations", target.seconds
    )
    rungs = [parsed, compiled]
    if target.ok:
        others = told(source.others, target.others)
        rungs += [replace(r, detail=r.detail + others) for r in compare_programs(source, target)]
    evidence = Evidence(tuple(rungs))
    entry = EntryResult("main", "main", evidence.status, evidence.why_unverified())
    return Result(evidence.status, None, None, (entry,), evidence.rungs, seconds=time.monotonic() - start)
