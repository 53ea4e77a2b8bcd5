"""What the pragmas of a text's parallel loops may have said, or what one lacks.

#pragma omp parallel for                           #pragma omp parallel for reduction(+ : t)
for (...) {                                        for (...) {
  sums[id[i]] += w[i];                -->            #pragma omp atomic
  t += w[i] * w[i];                                  sums[id[i]] += w[i];
}                                                    t += w[i] * w[i];
                                                   }
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xpiler.symbolic.findings import Edit

_PRAGMA = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+omp\b(?P<words>(?:[^\n]*\\\n)*[^\n]*)\n", re.M)
_LOOP = re.compile(r"\s*(?:#[^\n]*\n\s*)*for\s*\(")
_UPDATE = re.compile(
    r"(?<=[;{})\n])[ \t]*(?P<left>(?P<star>\*?)(?P<name>[A-Za-z_]\w*)"
    r"(?P<index>(?:\[(?:[^\[\];=]|\[[^\[\];=]*\])+\])*))"
    r"\s*(?:(?P<operator>[-+*&|^])=(?!=)|(?P<one>\+\+|--))[^;]*;"
)
_EXTREME = re.compile(
    r"\b(?P<name>[A-Za-z_]\w*)\s*=\s*(?:std::)?f?(?P<which>max|min)f?\s*(?:<\w+>)?\(\s*(?P=name)\s*,"
)
_TERNARY = re.compile(
    r"\b(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<other>[^;?=<>]+?)\s*(?P<which>[<>])\s*(?P=name)\s*\?"
)
_BRANCH = re.compile(
    r"\bif\s*\(\s*(?P<other>[^;=<>]+?)\s*(?P<which>[<>])\s*(?P<name>[A-Za-z_]\w*)\s*\)\s*\{?\s*(?P=name)\s*=[^=]"
)
_TYPE = r"\b(?:float|double|int|long|unsigned|short|char|bool|auto|\w+_t)\b"
_DECLARES = rf"{_TYPE}(?:\s|[*&]|\b\w+\s*(?:=[^,;]*)?,)*?(?P<star>\*?)\s*\b"
_SIGNS = {"-": "+", ">": "max", "<": "min", "++": "+", "--": "+"}  # of clauses, where they differ
_LACKS, _TOO_MUCH = 1.2, 1.8  # costs


def openmp_changes(text: str) -> Iterator[tuple[Edit, float, str]]:
    """The changes with their costs and titles."""
    for pragma in _PRAGMA.finditer(text):
        words = pragma["words"]
        if not re.search(r"\b(?:for|parallel)\b", words):
            continue
        loop = text[pragma.end() : _end_of_loop(text, pragma.end())]
        for name, sign in _folded(loop):
            if (
                not _is_own(name, loop)
                and name not in _named_in_clauses(words)
                and _is_scalar(name, text, pragma)
            ):
                clause = f" reduction({sign} : {name})"
                edit = Edit(pragma.end() - 1, pragma.end() - 1, clause)
                yield edit, _LACKS, f"what is folded in `{name}` needs a reduction"
        yield from _atomics(text, pragma, loop)
        if loop_around(text, pragma.start()) is not None:
            yield Edit(*pragma.span(), ""), _TOO_MUCH, "this loop should not be made parallel"


def _atomics(text: str, pragma: re.Match[str], loop: str) -> Iterator[tuple[Edit, float, str]]:
    """Updates of what all iterations see: each may have to be atomic."""
    indent = re.match(r"[ \t]*", pragma[0])
    for update in _UPDATE.finditer(loop):
        name, is_element = update["name"], bool(update["star"] or update["index"])
        before = loop[: update.start()].rstrip().rsplit("\n", 1)[-1]
        if (
            _is_own(name, loop)
            or "omp atomic" in before
            or (not is_element and _is_scalar(name, text, pragma))
        ):
            continue  # for a scalar there are reductions
        start = pragma.end() + update.start()
        line = f"{indent[0] if indent else ''}#pragma omp atomic\n"
        line = line if text[start - 1] == "\n" else f"\n{line}"
        yield Edit(start, start, line), _LACKS, f"`{update['left']}` should be added to by an atomic"


def _folded(loop: str) -> Iterator[tuple[str, str]]:
    """Scalars that a loop folds something in, with the sign of a reduction that does so."""
    found: dict[str, str] = {}
    for update in _UPDATE.finditer(loop):
        if not update["star"] and not update["index"]:
            sign = update["operator"] or update["one"]
            found.setdefault(update["name"], _SIGNS.get(sign, sign))
    for pattern in (_EXTREME, _TERNARY, _BRANCH):
        for match in pattern.finditer(loop):
            found.setdefault(match["name"], _SIGNS.get(match["which"], match["which"]))
    yield from found.items()


def _is_own(name: str, loop: str) -> bool:
    """Whether the loop declares it."""
    return re.search(rf"{_DECLARES}{name}\b\s*[=;,\[]", loop) is not None


def _is_scalar(name: str, text: str, pragma: re.Match[str]) -> bool:
    """Whether what was declared last before the pragma by that name is a variable of a number."""
    before = text[: pragma.start()]
    declared = list(re.finditer(rf"{_DECLARES}{name}\b\s*(?P<end>[=;,\[)])", before))
    return bool(declared) and not declared[-1]["star"] and declared[-1]["end"] not in "[)"


def _named_in_clauses(words: str) -> set[str]:
    clauses = re.findall(r"\b(?:reduction|(?:first|last)?private)\s*\(([^()]*)\)", words)
    return {name for clause in clauses for name in re.findall(r"\w+", clause)}


def _end_of_loop(text: str, start: int) -> int:
    """Where the loop that begins there ends; `start` where none does."""
    head = _LOOP.match(text, start)
    if head is None:
        return start
    depth, inside = 1, False
    for at in range(head.end(), len(text)):
        depth += (text[at] in "({[") - (text[at] in ")}]")
        if not depth and inside and text[at] in ";}":
            return at + 1
        inside = inside or not depth
    return len(text)


def loop_around(text: str, at: int) -> int | None:
    """Where the loop begins that a place lies in."""
    depth = 0
    for place in range(at - 1, -1, -1):
        depth += (text[place] == "}") - (text[place] == "{")
        if depth < 0:
            head = text.rfind("for", 0, place)
            return head if head >= 0 and ";" in text[head:place] and "{" not in text[head:place] else None
    return None
