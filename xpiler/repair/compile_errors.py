"""Texts that do not compile: from what the compiler says to the change that it needs.

    sum += A[m * K + k] * B[k * N + n_];        error: 'n_' was not declared; did you mean 'n'?    -->    n
    float x = a[i]                              error: expected ',' or ';' before 'y'              -->    ;

One error is mended after the other, each by the first suggestion that leaves fewer of them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from xpiler.ir.source import SourceRange
from xpiler.repair.changes import apply
from xpiler.repair.openmp import loop_around
from xpiler.repair.statics import smaller_shared_arrays
from xpiler.repair.vocabulary import FAMILIES, known_names
from xpiler.symbolic.findings import Edit
from xpiler.symbolic.positions import Lines

_STEPS = 8
_SUGGESTIONS = 14
_ERROR = re.compile(
    r"^(?P<file>[^\n:]+):(?P<line>\d+):(?:(?P<column>\d+):)? (?:fatal )?error: (?P<text>[^\n]*)", re.M
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_QUOTED = r"[‘'\"`]([^’'\"`]+)[’'\"`]"
_MISSING = re.compile(
    rf"{_QUOTED} (?:was not declared|does not name a type|has not been declared)|unknown type name {_QUOTED}|"
    rf"use of undeclared identifier {_QUOTED}|identifier {_QUOTED} is undefined|no member named {_QUOTED}"
)
_HEADERS = (
    (r"_mm\d*_\w+|__m(?:128|256|512)\w*|__mmask\d+", "immintrin.h"),
    (r"u?int(?:8|16|32|64)_t", "stdint.h"),
    (r"expf?|sqrtf?|tanhf?|fmaxf?|fminf?|logf?|erff?|powf?|INFINITY|fabsf?|isnan", "math.h"),
    (r"malloc|free|exit|abs|atoi", "stdlib.h"),
    (r"mem(?:cpy|set|move)", "string.h"),
    (r"FLT_\w+|DBL_\w+", "float.h"),
    (r"(?:f|s|sn)?printf|stderr|stdout", "stdio.h"),
)


@dataclass(frozen=True)
class CompilerError:
    line: int
    column: int
    text: str


@dataclass(frozen=True)
class Mended:
    """A change that removed an error, at its place in the text as it was then."""

    range: SourceRange
    message: str


_UNPLACED = re.compile(r"^(?:fatal )?error: (?P<text>[^\n]*)", re.M)
_NO_ROOM = re.compile(r"(?:local memory|shared data).*exceeds|too much shared data")
_COLLAPSE = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+omp\b[^\n]*\bcollapse\s*\(\s*(\d+)\s*\)[^\n]*\n?", re.M)

Compile = Callable[[str], list[CompilerError]]


def errors_in(log: str, file: str) -> list[CompilerError]:
    """The errors that a compiler named in the file, in its order; others are told at line 0."""
    found = []
    for match in _ERROR.finditer(log):
        own = match["file"] == file
        found.append(
            CompilerError(int(match["line"]) if own else 0, int(match["column"] or 1), match["text"])
        )
    found += [CompilerError(0, 1, match["text"]) for match in _UNPLACED.finditer(log)]
    return found


def without_errors(
    text: str, file: str, platform: str, source: str, compile: Compile, late: Callable[[], bool]
) -> tuple[str, list[Mended], list[CompilerError]]:
    """The text with as many errors mended as could be, what was done, and the errors that are left."""
    done: list[Mended] = []
    errors = compile(text)
    for _ in range(_STEPS):
        step = _step(text, platform, source, errors, compile, late) if errors else None
        if step is None:
            break
        lines = Lines(text)
        first = lines.place(min(step.edit.start, len(text) - 1))[0]
        code = text[lines.starts[first - 1] :].split("\n", 1)[0]
        indent = len(code) - len(code.lstrip())
        at = SourceRange(file, first, indent + 1, first, len(code.rstrip()) + 1)
        done.append(Mended(at, f"{step.title}: {step.error.text}"))
        text, errors = step.text, step.left
    return text, done, errors


@dataclass(frozen=True)
class _Step:
    """A suggestion taken: the text then, the errors that are left, and the one that it was for."""

    text: str
    edit: Edit
    title: str
    left: list[CompilerError]
    error: CompilerError


def _step(
    text: str,
    platform: str,
    source: str,
    errors: list[CompilerError],
    compile: Compile,
    late: Callable[[], bool],
) -> _Step | None:
    """The suggestion that leaves no error, else the one that leaves fewest; or one after which the compiler
    gets further."""
    best: _Step | None = None
    further: _Step | None = None
    seen: set[str] = set()
    for error in errors[:3]:
        for title, edits in suggestions(error, text, platform, source):
            changed = apply(text, edits)
            if changed in seen or len(seen) == _SUGGESTIONS or late():
                continue
            seen.add(changed)
            step = _Step(changed, edits[0], title, compile(changed), error)
            if not step.left:
                return step
            if len(step.left) < len(best.left if best else errors):
                best = step
            elif further is None and _place(step.left[0]) > _place(error) == _place(errors[0]):
                further = step
        if best is not None or further is not None:
            break
    return best or further


def _place(error: CompilerError) -> tuple[int, int]:
    return error.line, error.column


# ------------------------------------------------------------------------------------------ suggestions


def suggestions(
    error: CompilerError, text: str, platform: str, source: str
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Changes that may remove the error, the most plausible first, each with words for it."""
    if _NO_ROOM.search(error.text):
        yield from ((static.title, (static.edit,)) for static in smaller_shared_arrays(text))
    lines = Lines(text)
    if not 0 < error.line <= len(lines.starts):
        return
    missing = _MISSING.search(error.text)
    if missing:
        yield from _unknown(next(g for g in missing.groups() if g), error, text, lines, platform, source)
    expected = re.search(rf"expected {_QUOTED}(?: or {_QUOTED})?", error.text) or re.search(
        r"expected (?:a|an) ([;)}\]])", error.text.replace('"', "")
    )
    if expected:
        wanted = [g for g in expected.groups() if g]
        yield from _punctuation(";" if ";" in wanted else wanted[0], error, text, lines)
    if re.search(r"invalid conversion from [‘'\"](?:int|unsigned|long)[^’'\"]*[’'\"] to [^*]*\*", error.text):
        yield from _pointer_missing(error, text, lines)
    if re.search(r"too few arguments|no matching function|no instance of", error.text):
        yield from _argument_missing(error, text, lines, source)
    if re.search(r"too many arguments|no matching function", error.text):
        yield from _argument_extra(error, text, lines)
    if re.search(
        r"expected (?:primary-expression|expression|unqualified-id|declaration|initializer)", error.text
    ):
        for wanted_ in (";", ")", "}"):
            yield from _punctuation(wanted_, error, text, lines)
    if re.search(r"at end of input|expected [‘'\"]}", error.text):
        yield "`}` is missing", (Edit(len(text.rstrip()), len(text.rstrip()), "\n}"),)
    if re.search(r"loops? to collapse|perfectly nested|expected \d+ for loops", error.text):
        yield from _nest_missing(error, text, lines)
    redeclared = re.search(rf"(?:redeclaration|redefinition) of {_QUOTED}", error.text)
    if redeclared:
        name = (_WORD.findall(redeclared[1]) or [""])[-1]
        start, end = _line(lines, error.line)
        match = re.search(rf"\b(?:const\s+)?(?:unsigned\s+)?\w+\s*\*?\s+(?={name}\b)", text[start:end])
        if match:
            yield f"`{name}` is there already", (Edit(start + match.start(), start + match.end(), ""),)


def _line(lines: Lines, number: int) -> tuple[int, int]:
    start = lines.starts[number - 1]
    end = lines.starts[number] - 1 if number < len(lines.starts) else len(lines.text)
    return start, end


def _unknown(
    name: str, error: CompilerError, text: str, lines: Lines, platform: str, source: str
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    name = name.split("::")[-1].split("(")[0].split("<")[0].strip()
    places = [m.span() for m in re.finditer(rf"\b{re.escape(name)}\b", text)]
    here = [span for span in places if lines.place(span[0])[0] == error.line] or places[:1]
    for other in _spellings(name, error, text, platform, source):
        title = f"`{name}` should be `{other}`"
        yield title, tuple(Edit(*span, other) for span in here)
        if len(places) > len(here):
            yield title, tuple(Edit(*span, other) for span in places)
    yield from _declarations(name, error, text, lines, source)
    for pattern, header in _HEADERS:
        if re.fullmatch(pattern, name) and f"<{header}>" not in text:
            yield f"`#include <{header}>` is missing", (Edit(0, 0, f"#include <{header}>\n"),)


def _spellings(name: str, error: CompilerError, text: str, platform: str, source: str) -> list[str]:
    hint = re.search(rf"did you mean {_QUOTED}", error.text)
    words = {w for w in _WORD.findall(text) if w != name}
    known = words | known_names(platform) | set(_TYPES) | set(_WORD.findall(source))
    stems = sorted((w for w in known if _is_stem(w, name)), key=lambda w: (w not in words, -len(w)))
    near = difflib.get_close_matches(name, sorted(words), 3, 0.7)
    near += difflib.get_close_matches(name, sorted(known - words), 4, 0.75)
    return list(dict.fromkeys([*stems[:3], *([hint[1]] if hint else []), *near]))


_TYPES = (
    "float",
    "double",
    "int",
    "unsigned",
    "short",
    "char",
    "long",
    "size_t",
    "int8_t",
    "uint8_t",
    "int32_t",
)


def _is_stem(word: str, name: str) -> bool:
    """`n` of `n_`, `cudaMemcpy` of `cudaMemcpy_v2`, `float` of `float32`."""
    rest = name[len(word) :] if name.startswith(word) else ""
    return bool(rest) and re.fullmatch(r"_\w{0,3}|\d+(?:_t)?|_v\d+|s|f", rest) is not None


def _declarations(
    name: str, error: CompilerError, text: str, lines: Lines, source: str
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """A declaration like one in the source or elsewhere in the text, or of a loop's variable."""
    start, end = _line(lines, error.line)
    loop = re.search(rf"\bfor\s*\(\s*(?={re.escape(name)}\s*=)", text[start:end])
    if loop:
        yield f"`{name}` is declared nowhere", (Edit(start + loop.end(), start + loop.end(), "int "),)
    word = re.escape(name)
    macro = rf"#[ \t]*define[ \t]+{word}\b[^\n]*"
    declaration = rf"[A-Za-z_][\w:<> \t*]*[\s*]{word}\s*(?:\[[^\]]*\]\s*)*(?:=[^;{{}}]*)?;"
    pattern = rf"^[ \t]*({macro}|{declaration})"
    indent = lines.indentation(error.line)
    declared = list(dict.fromkeys(m[1] for t in (source, text) for m in re.finditer(pattern, t, re.M)))
    line = text[start:end].strip()
    for found in declared:
        type_ = found.removesuffix(line)
        if line.startswith(name) and type_ != found:  # only the type is missing
            yield f"`{name}` is declared nowhere", (Edit(start, end, f"{indent}{type_}{line}"),)
    for found in declared:
        if re.match(r"(?:return|delete|else|goto)\b", found):
            continue
        at_top = found.startswith(("#", "constexpr", "static", "__constant__", "const"))
        at = _top(text) if (at_top and name.isupper()) or found.startswith("#") else start
        new = f"{found}\n" if at != start else f"{indent}{found}\n"
        yield f"`{name}` is declared nowhere", (Edit(at, at, new),)
    assigned = re.match(rf"[ \t]*(?={word}\s*=)", text[start:end])
    if assigned:
        for type_ in ("int", "float", "auto"):
            at = start + assigned.end()
            yield f"`{name}` is declared nowhere", (Edit(at, at, f"{type_} "),)
    yield f"`{name}` is declared nowhere", (Edit(start, start, f"{indent}int {name} = 0;\n"),)


def _top(text: str) -> int:
    """Behind the includes."""
    last = max((m.end() for m in re.finditer(r"^[ \t]*#[ \t]*include[^\n]*\n", text, re.M)), default=0)
    return last


def _punctuation(
    wanted: str, error: CompilerError, text: str, lines: Lines
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    start, end = _line(lines, error.line)
    before = re.search(rf"before {_QUOTED}", error.text)
    at = start + min(error.column - 1, end - start)
    token = before[1] if before else ""
    places = [at]
    if token and not text.startswith(token, at):
        places = [start + m.start() for m in re.finditer(re.escape(token), text[start:end])] or [at]
    for place in [*places, end]:
        behind = place
        while behind > 0 and text[behind - 1].isspace():
            behind -= 1
        comment = text.rfind("\n", 0, behind) + 1
        slashes = text.find("//", comment, behind)
        if slashes >= 0:
            behind = slashes
            while behind > 0 and text[behind - 1].isspace():
                behind -= 1
        yield f"`{wanted}` is missing", (Edit(behind, behind, wanted),)


def _nest_missing(error: CompilerError, text: str, lines: Lines) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """`collapse(n)` over fewer loops than n: it belongs to the loop around, or it says too many."""
    pragma = [m for m in _COLLAPSE.finditer(text) if lines.place(m.start())[0] <= error.line][-1:]
    for match in pragma:
        outer = loop_around(text, match.start())
        if outer is not None:
            at = text.rfind("\n", 0, outer) + 1
            line = match[0] if match[0].endswith("\n") else f"{match[0]}\n"
            yield "the pragma belongs to the loop around", (Edit(at, at, line), Edit(*match.span(), ""))
        for fewer in range(int(match[1]) - 1, 0, -1):
            clause = f"collapse({fewer})"
            title = f"`collapse({match[1]})` should be `{clause}`"
            yield title, (Edit(*match.span(), re.sub(r"\bcollapse\s*\(\s*\d+\s*\)", clause, match[0])),)


def _pointer_missing(error: CompilerError, text: str, lines: Lines) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """An offset where a pointer should be: the pointer is missing."""
    at = _line(lines, error.line)[0] + error.column - 1
    word = _WORD.match(text, at)
    if word is None:
        return
    names = re.findall(r"\*\s*(?:__restrict__\s*)?(\w+)\s*[=,;)]", text[max(0, at - 4000) : at])
    names += re.findall(r"\b(?:float|half|int|char)\s+(\w+)\s*\[", text[:at])
    for name in list(dict.fromkeys(reversed(names)))[:10]:
        yield f"`{name} +` is missing", (Edit(at, at, f"{name} + "),)


def _calls_at(error: CompilerError, text: str, lines: Lines) -> Iterator[tuple[str, int, int, list[str]]]:
    """Calls that begin on the error's line or the one before: name, span of the arguments, arguments."""
    start, end = _line(lines, error.line)
    named = re.search(r"[‘'\"](?:[^‘'\"]*?[\s*&:])?(\w+)\(", error.text)
    for match in re.finditer(r"\b([A-Za-z_]\w*)\s*(?:<<<[^;]*?>>>)?\s*\(", text[start:end]):
        if named and match[1] != named[1]:
            continue
        inner = start + match.end()
        last = _closing(text, inner)
        if last is not None:
            yield match[1], inner, last, _split(text[inner:last])


def _closing(text: str, start: int) -> int | None:
    depth = 1
    for at in range(start, min(len(text), start + 4000)):
        depth += (text[at] in "([{") - (text[at] in ")]}")
        if depth == 0:
            return at
    return None


def _split(text: str) -> list[str]:
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [p.strip() for p in parts if p.strip()]


def _argument_missing(
    error: CompilerError, text: str, lines: Lines, source: str
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    for name, _, last, given in _calls_at(error, text, lines):
        others = [
            _split(t[m.end() : closing])
            for t in (text, source)
            for m in re.finditer(rf"\b{name}\s*(?:<<<[^;]*?>>>)?\s*\(", t)
            if (closing := _closing(t, m.end())) is not None
        ]
        more = [o[len(given)] for o in others if len(o) == len(given) + 1]
        words = [w for family in FAMILIES for w in family if _belongs(w, name)]
        tail = re.findall(r"\b[A-Za-z_]\w*\b", " ".join(given))
        for value in dict.fromkeys([*more, *words, *tail[::-1], "1", "0"]):
            yield f"`{value}` is missing", (Edit(last, last, f", {value}" if given else value),)


def _belongs(word: str, function: str) -> bool:
    if function.startswith("__memcpy"):
        return re.fullmatch(r"(?:GDRAM|NRAM|WRAM|SRAM)2(?:GDRAM|NRAM|WRAM|SRAM)", word) is not None
    return "emcpy" in function and word.startswith(function.split("emcpy")[0])


def _argument_extra(error: CompilerError, text: str, lines: Lines) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    for _, first, last, given in _calls_at(error, text, lines):
        for i in reversed(range(len(given))):
            rest = ", ".join(given[:i] + given[i + 1 :])
            yield f"`{given[i]}` should not be there", (Edit(first, last, rest),)
