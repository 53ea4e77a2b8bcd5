"""Changes of the text that remove a finding, each tried before it is offered.

    s[t] = in[t];                                  s[t] = in[t];
    out[t] = s[63 - t];       XP-RACE   -->        __syncthreads();
                                                   out[t] = s[63 - t];

A candidate is an edit at a place where it is usually right; it is offered if the edited text, checked
again, no longer has the finding and has no other one instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from xpiler.ir.nodes import Block, For, Function, If, Stmt, While
from xpiler.ir.source import SourceRange
from xpiler.symbolic.findings import Edit, Fix, Found
from xpiler.symbolic.positions import Lines

Recheck = Callable[[str], list[Found] | None]  # findings of the kernel in an edited text; None if it fails
_BARRIERS = {"XP-RACE": ("__syncthreads();",), "XP-SYNCWARP": ("__syncwarp();",)}
_CORES = ("__sync_cluster();", "__sync_all();")  # of BANG C, the smallest first
_WITHOUT_MEMORY_CORE = ("__sync_all_ipu_within_cluster();", "__sync_all_ipu();")  # it has returned
_MEMORY_CORE_RETURNS = re.compile(r"if\s*\(\s*(__is_mpu\(\)|coreId\s*==\s*0x80)\s*\)\s*\{?\s*return\b")
_UPDATE = re.compile(r"[\w.\[\]\->+*()% ]*?(?:[-+*/&|^]=|<<=|>>=|\+\+|--)")  # one that OpenMP has atomically
_MOST = 4  # candidates of a finding


def fix_of(found: Found, all_found: list[Found], kernel: Function, text: str, recheck: Recheck) -> Fix | None:
    """The first candidate that does what it should."""
    before = {_key(f) for f in all_found if f.severity == "error"}
    for number, fix in enumerate(_candidates(found, kernel, text)):
        if number >= _MOST:
            return None
        after = recheck(apply(text, fix.edits))
        if after is None:
            continue
        errors = [f for f in after if f.severity == "error"]
        same = [f for f in errors if (f.code, f.array) == (found.code, found.array) and _moved(f, found, fix)]
        codes = {code for code, _, _ in before}
        if not same and len(errors) < len(before) and {f.code for f in errors} <= codes:
            return fix
    return None


def apply(text: str, edits: tuple[Edit, ...]) -> str:
    for edit in sorted(edits, key=lambda e: -e.start):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _key(found: Found) -> tuple[str, str, object]:
    return found.code, found.array, found.range


def _moved(after: Found, before: Found, fix: Fix) -> bool:
    """Whether a finding of the edited text is the old one: on the line where that stands now."""
    if after.range is None or before.range is None:
        return after.range == before.range
    added = sum(e.text.count("\n") for e in fix.edits)
    return after.range.line - before.range.line in (0, added)


def _candidates(found: Found, kernel: Function, text: str) -> Iterator[Fix]:
    if found.range is None:
        return
    lines = Lines(text)
    if found.code in _BARRIERS:
        other = found.related[0].range if found.related else found.range
        if (
            kernel.is_serial
        ):  # iterations have no barrier: what two of them update is updated by one at a time
            if other == found.range and _UPDATE.match(lines.text, lines.offset(other.line, other.column)):
                yield _before(other, lines, "#pragma omp atomic")
        elif other is not None and other.file == found.range.file:
            for barrier in _barriers_of(found.code, kernel, lines):
                yield from _places(found.range, other, kernel, lines, barrier)
    elif found.code == "XP-BOUNDS" and "lets it" in found.message:
        yield from _tighter(found, kernel, lines)
    elif found.code == "XP-DIVERGENCE":
        yield from _hoisted(found.range, kernel, lines)


def _barriers_of(code: str, kernel: Function, lines: Lines) -> tuple[str, ...]:
    """What orders the two accesses in the language of the kernel."""
    if not kernel.tasks:
        return _BARRIERS[code]
    if kernel.body.range is None:
        return _CORES
    start = lines.offset(kernel.body.range.line, kernel.body.range.column)
    end = lines.offset(kernel.body.range.end_line, kernel.body.range.end_column)
    return _WITHOUT_MEMORY_CORE if _MEMORY_CORE_RETURNS.search(lines.text[start:end]) else _CORES


# ------------------------------------------------------------------------------------------ barriers


def _places(
    one: SourceRange, other: SourceRange, kernel: Function, lines: Lines, barrier: str
) -> Iterator[Fix]:
    first, second = sorted((one, other))
    paths = _path(kernel.body, first), _path(kernel.body, second)
    common = 0
    while common < min(map(len, paths)) and paths[0][common] is paths[1][common]:
        common += 1
    if common < len(paths[1]) and isinstance(paths[1][common - 1], Block):
        at = paths[1][common]
        if at.range is not None:
            yield _before(at.range, lines, barrier)
    for node in reversed(paths[0][:common]):
        if isinstance(node, (For, While)) and node.body.range is not None:
            end = _at_end(node.body.range, lines, barrier)
            if end is not None:
                yield end


def _path(block: Block, place: SourceRange) -> list[Stmt]:
    """Statements around a place, outermost first."""
    path: list[Stmt] = [block]
    here: Stmt | None = block
    while here is not None:
        inner: list[Stmt]
        match here:
            case Block(body=body):
                inner = list(body)
            case If():
                inner = [here.then, here.otherwise]
            case For():
                inner = [here.body]
            case While():
                inner = [here.body, here.advance]
            case _:
                inner = []
        here = next((s for s in inner if s.range is not None and _contains(s.range, place)), None)
        if here is not None:
            path.append(here)
    return path


def _contains(outer: SourceRange, inner: SourceRange) -> bool:
    return (outer.line, outer.column) <= (inner.line, inner.column) and (
        (inner.end_line, inner.end_column) <= (outer.end_line, outer.end_column)
    )


def _before(place: SourceRange, lines: Lines, barrier: str) -> Fix:
    start = lines.offset(place.line, place.column)
    line_start = lines.starts[place.line - 1]
    if lines.text[line_start:start].strip():  # after other code, or after a declared type
        start = line_start + len(lines.indentation(place.line))
    text = f"{barrier}\n{lines.indentation(place.line)}"
    return Fix(f"insert `{barrier}` before line {place.line}", (Edit(start, start, text),))


def _at_end(body: SourceRange, lines: Lines, barrier: str) -> Fix | None:
    """Before the closing brace; None for a body without braces."""
    end = lines.offset(body.end_line, body.end_column) - 1
    if lines.text[lines.offset(body.line, body.column)] != "{" or lines.text[end] != "}":
        return None
    line_start = lines.starts[body.end_line - 1]
    title = f"insert `{barrier}` at the end of the loop"
    if lines.text[line_start:end].strip():
        return Fix(title, (Edit(end, end, f"{barrier} "),))
    indentation = lines.indentation(body.end_line)
    return Fix(title, (Edit(line_start, line_start, f"{indentation}  {barrier}\n"),))


# ------------------------------------------------------------------------------------------ others


def _tighter(found: Found, kernel: Function, lines: Lines) -> Iterator[Fix]:
    """`<=` becomes `<` in the guard, `>` becomes `>=` in one that leaves."""
    assert found.range is not None
    path = _path(kernel.body, found.range)
    enclosing = [s.range for s in path if isinstance(s, (If, For, While)) and s.range is not None]
    for block in (s for s in path if isinstance(s, Block)):
        before = (s.range for s in block.body if isinstance(s, If))
        enclosing += [r for r in before if r is not None and r < found.range]
    access = lines.offset(found.range.line, found.range.column)
    for place in reversed(enclosing):
        start = lines.offset(place.line, place.column)
        end = min(access, lines.offset(place.end_line, place.end_column))
        for match in re.finditer(r"<=|(?<![->])>(?![=>])", lines.text[start:end]):
            new = "<" if match[0] == "<=" else ">="
            edit = Edit(start + match.start(), start + match.end(), new)
            yield Fix(f"compare with `{new}` in line {lines.place(edit.start)[0]}", (edit,))


def _hoisted(barrier: SourceRange, kernel: Function, lines: Lines) -> Iterator[Fix]:
    """A barrier that ends a branch moves behind it."""
    for outer, stmt in pairwise(_path(kernel.body, barrier)):
        if not (isinstance(stmt, If) and isinstance(outer, Block)) or stmt.otherwise.body:
            continue
        if stmt.range is None:
            continue
        start = lines.offset(barrier.line, barrier.column)
        end = lines.offset(barrier.end_line, barrier.end_column)
        after = lines.offset(stmt.range.end_line, stmt.range.end_column)
        if lines.text[end:after].lstrip(";").strip() != "}":
            continue
        semicolon = end + (lines.text[end : end + 1] == ";")
        line_start = lines.starts[barrier.line - 1]
        alone = not lines.text[line_start:start].strip() and lines.text[semicolon : semicolon + 1] == "\n"
        removed = Edit(line_start, semicolon + 1, "") if alone else Edit(start, semicolon, "")
        call = lines.text[start:end].rstrip("; ")
        added = Edit(after, after, f"\n{lines.indentation(stmt.range.line)}{call};")
        yield Fix(f"move the barrier behind the `if` of line {stmt.range.line}", (removed, added))
