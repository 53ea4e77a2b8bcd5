"""How a target differs from another text that should compute the same, by statements and their tokens.

    x[i] = y[i * 4 + t];      against      out[i] = in[i * 8 + t];      -->      `4` should be `8`

The other text is the engine's own translation of the source. Names that only one of the two has are matched
first, by the statements that are alike but for them. Where the texts are alike on the whole, what is left is
a fault or a matter of style; which of them is for runs to say. Where they are not, nothing is said.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xpiler.symbolic.findings import Edit

_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|(?P<line>^[ \t]*#(?:[^\n]*\\\n)*[^\n]*)|"
    r"(?P<token>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|(?:\d|\.\d)(?:[eEpP][-+]|[\w.'])*|[A-Za-z_]\w*|"
    r"<<<|>>>|<<=|>>=|->|\+\+|--|&&|\|\||::|[-+*/%&|^<>=!]=|<<|>>|\S)",
    re.S | re.M,
)
_NAME = re.compile(r"[A-Za-z_]\w*")
_ALIKE = 0.5  # share of common tokens from which on two statements are one that was changed
_LARGEST = 60  # statements of a stretch without any that are equal, within which none are matched
_FOREIGN = "$"


@dataclass(frozen=True)
class Difference:
    """Edits of the target that make one statement, or one stretch of them, like the other text's. `title`
    says what it is in words."""

    edits: tuple[Edit, ...]
    title: str


@dataclass(frozen=True)
class _Unit:
    """A statement, the head of one, a bracket or a line of the preprocessor: `tokens` with their spans."""

    tokens: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]

    @property
    def start(self) -> int:
        return self.spans[0][0]

    @property
    def end(self) -> int:
        return self.spans[-1][1]


def differences(text: str, other: str) -> tuple[list[Difference], float]:
    """What makes `text` like `other`, in the text's order; and which share of it that leaves as it is:
    less than nothing where more than all of it is new."""
    other = _renamed(text, other)
    mine, theirs = _units(text), _units(other)
    found: list[list[Edit]] = []
    gone = new = 0
    matcher = difflib.SequenceMatcher(None, [u.tokens for u in mine], [u.tokens for u in theirs], False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag != "equal":
            pairs = _matched(mine, theirs, range(a, b), range(c, d))
            edits = _edits((text, mine), (other, theirs), pairs, mine[a - 1].end if a else 0)
            found += edits
            gone += sum(_tokens(text[e.start : e.end]) for part in edits for e in part)
            new += sum(_tokens(e.text) for part in edits for e in part)
    made = [Difference(tuple(edits), _title(text, edits)) for edits in _balanced(text, found)]
    return made, 1 - max(gone, new) / max(1, _tokens(text))


def is_same_code(text: str, other: str) -> bool:
    """Whether two texts differ in comments and spaces alone."""
    return [unit.tokens for unit in _units(text)] == [unit.tokens for unit in _units(other)]


def _tokens(text: str) -> int:
    return sum(match.lastgroup is not None for match in _TOKEN.finditer(text))


# ------------------------------------------------------------------------------------------ taking apart


def _units(text: str) -> list[_Unit]:
    units: list[_Unit] = []
    tokens: list[str] = []
    spans: list[tuple[int, int]] = []
    depth = 0

    def close() -> None:
        if tokens:
            units.append(_Unit(tuple(tokens), tuple(spans)))
            tokens.clear()
            spans.clear()

    for match in _TOKEN.finditer(text):
        if match["line"] is not None:
            close()
            units.append(_Unit((" ".join(match["line"].split()),), (match.span("line"),)))
        elif match["token"] is not None:
            token = match["token"]
            depth = max(0, depth + (token in "([") - (token in ")]"))
            if token == "}":
                close()
            tokens.append(token)
            spans.append(match.span("token"))
            if token in "{}" or (token == ";" and depth == 0):
                depth = 0
                close()
    close()
    return units


def _renamed(text: str, other: str) -> str:
    """The other text with its own names exchanged for those that the text has in their place. Whatever is
    declared is said twice or more; a name that is said once is of the platform, or a mistake."""
    mine, theirs = Counter(_NAME.findall(text)), Counter(_NAME.findall(other))
    own = {name for name, count in mine.items() if count > 1 and name not in theirs}
    foreign = {name for name, count in theirs.items() if count > 1 and name not in mine}
    if not own or not foreign:
        return other

    def key(unit: _Unit, names: set[str]) -> tuple[str, ...]:
        return tuple(_FOREIGN if token in names else token for token in unit.tokens)

    ours, others = _units(text), _units(other)
    votes: Counter[tuple[str, str]] = Counter()
    matcher = difflib.SequenceMatcher(
        None, [key(u, own) for u in ours], [key(u, foreign) for u in others], autojunk=False
    )
    for i, j, size in matcher.get_matching_blocks():
        for one, two in zip(ours[i : i + size], others[j : j + size], strict=True):
            votes.update((b, a) for a, b in zip(one.tokens, two.tokens, strict=True) if b in foreign)
    chosen: dict[str, str] = {}
    for (theirs_, mine_), _ in votes.most_common():
        if theirs_ not in chosen and mine_ not in chosen.values():
            chosen[theirs_] = mine_
    return _NAME.sub(lambda m: chosen.get(m[0], m[0]), other) if chosen else other


# ------------------------------------------------------------------------------------------ matching

_Pair = tuple[int | None, int | None]


def _matched(mine: Sequence[_Unit], theirs: Sequence[_Unit], ours: range, others: range) -> list[_Pair]:
    """The pairing, in order on both sides, in which pairs are most alike."""
    if len(ours) > _LARGEST or len(others) > _LARGEST:
        return [*((i, None) for i in ours), *((None, j) for j in others)]
    alike = {(i, j): _alike(mine[i], theirs[j]) for i in ours for j in others}
    best = {
        (i, j): 0.0 for i in range(ours.start, ours.stop + 1) for j in range(others.start, others.stop + 1)
    }
    for i in reversed(ours):
        for j in reversed(others):
            both = alike[i, j] + best[i + 1, j + 1] if alike[i, j] >= _ALIKE else 0.0
            best[i, j] = max(both, best[i + 1, j], best[i, j + 1])
    pairs: list[_Pair] = []
    i, j = ours.start, others.start
    while i < ours.stop and j < others.stop:
        if alike[i, j] >= _ALIKE and best[i, j] == alike[i, j] + best[i + 1, j + 1]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i, j] == best[i + 1, j]:
            pairs.append((i, None))
            i += 1
        else:
            pairs.append((None, j))
            j += 1
    return [*pairs, *((k, None) for k in range(i, ours.stop)), *((None, k) for k in range(j, others.stop))]


def _alike(one: _Unit, other: _Unit) -> float:
    if one.tokens[-1] != other.tokens[-1]:
        return 0.0
    if one.tokens == (";",):
        return _ALIKE  # an empty statement stands in the place of any other one
    common = sum((Counter(one.tokens) & Counter(other.tokens)).values())
    return 2 * common / (len(one.tokens) + len(other.tokens))


# ------------------------------------------------------------------------------------------ edits


def _edits(
    own: tuple[str, Sequence[_Unit]], others: tuple[str, Sequence[_Unit]], pairs: Sequence[_Pair], at: int
) -> list[list[Edit]]:
    """The edits of each pair. `at`: where the stretch begins."""
    (text, mine), (other, theirs) = own, others
    found: list[list[Edit]] = []
    for i, j in pairs:
        if i is None and j is not None:
            begin = theirs[j - 1].end if j else 0
            found.append([Edit(at, at, other[begin : theirs[j].end])])
        elif i is not None and j is None:
            unit = mine[i]
            begin = mine[i - 1].end if i else 0
            start = begin if not text[begin : unit.start].strip() else unit.start
            found.append([Edit(start, unit.end, "")])
            at = unit.end
        elif i is not None and j is not None:
            found.append(list(_inside(text, other, mine[i], theirs[j])))
            at = mine[i].end
    return found


def _inside(text: str, other: str, one: _Unit, two: _Unit) -> Iterator[Edit]:
    """What differs within a statement."""
    matcher = difflib.SequenceMatcher(None, one.tokens, two.tokens, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            continue
        start = one.spans[a][0] if a < b else one.spans[a - 1][1] if a else one.start
        end = one.spans[b - 1][1] if a < b else start
        put = other[two.spans[c][0] : two.spans[d - 1][1]] if c < d else ""
        if a == b and c > 0:
            put = other[two.spans[c - 1][1] : two.spans[c][0]] + put
        if c == d and a > 0 and b < len(one.spans):
            start = one.spans[a - 1][1]  # with the space before it
            between = text[one.spans[b - 1][1] : one.spans[b][0]]
            put = "" if between or not _sticks(text[start - 1], text[end : end + 1]) else " "
        yield Edit(start, end, put)


def _sticks(before: str, after: str) -> bool:
    return bool(re.match(r"\w\w", before + after))


def _balanced(text: str, found: Sequence[list[Edit]]) -> Iterator[list[Edit]]:
    """Those that open and close brackets between them together."""
    held: list[Edit] = []
    level = 0
    for edits in found:
        held += edits
        level += sum(_level(edit.text) - _level(text[edit.start : edit.end]) for edit in edits)
        if level == 0:
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _level(text: str) -> int:
    return text.count("{") - text.count("}")


def _joined(edits: Sequence[Edit]) -> list[Edit]:
    """Insertions at one place as one."""
    joined: list[Edit] = []
    for edit in edits:
        if joined and edit.start == edit.end == joined[-1].start == joined[-1].end:
            joined[-1] = Edit(edit.start, edit.end, joined[-1].text + edit.text)
        else:
            joined.append(edit)
    return joined


def _title(text: str, edits: Sequence[Edit]) -> str:
    said = []
    for edit in edits:
        before, after = (" ".join(part.split()) for part in (text[edit.start : edit.end], edit.text))
        if not before:
            said.append(f"`{after}` is missing")
        elif not after:
            said.append(f"`{before}` should not be there")
        else:
            said.append(f"`{before}` should be `{after}`")
    return ", ".join(said)
