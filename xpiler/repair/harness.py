"""One program that holds many changes of a text, each to be switched on at run time.

    s += a[i];    -->    s += a[(xpiler_on[4] == 0 ? (i) : xpiler_on[4] == 1 ? xpiler_as<...>(i + 1) : ...)];

So thousands of changes cost one compilation. A change that does not compile is left out: each stands on
a line of its own, by which the compiler names it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from xpiler.gate.contract import Contract
from xpiler.gate.execute import Build, build
from xpiler.gate.trials import Selection
from xpiler.repair.changes import Form, Site

_SUPPORT = (
    'extern "C" { unsigned short xpiler_on[%d]; } '
    "template <class T, class U, class D = std::decay_t<T>, "
    "class = std::enable_if_t<std::is_convertible<U, D>::value>> "
    "inline D xpiler_as(U&& value) { return static_cast<D>(value); }\n"
)
_PRAGMA = re.compile(r"^([ \t]*)#[ \t]*pragma[ \t]+omp\b(?:[^\n]*\\\n)*[^\n]*", re.M)
_ROUNDS = 10  # of compiling without what did not compile
_PARTS = 12  # of changes that are compiled apart, where no line of an error says which are wrong


@dataclass(frozen=True)
class Harness:
    """`sites`: those that are in the program, with the numbers by which it knows them; choices count from 1.
    `parts`: of choices, those that are switched on with them. `build` is not ok if the program does not
    compile whatever is left out."""

    build: Build
    sites: dict[int, Site]
    choices: dict[int, tuple[int, ...]]
    parts: dict[tuple[int, int], tuple[tuple[int, int], ...]] = field(default_factory=dict)

    def singles(self) -> list[tuple[int, int]]:
        """Every change alone, the most plausible first."""
        found = [(site, choice) for site, choices in self.choices.items() for choice in choices]
        return sorted(found, key=lambda pair: self.cost(*pair))

    def cost(self, site: int, choice: int) -> float:
        return self.sites[site].alternatives[choice - 1].cost

    def switched(self, selection: Selection) -> Selection:
        """What has to be switched on for these changes: choices with those that are a part of them."""
        return tuple(itertools.chain.from_iterable((*self.parts.get(one, ()), one) for one in selection))


def harness(
    text: str,
    file: str,
    platform: str,
    contract: Contract,
    sites: Sequence[Site],
    choices: Iterable[tuple[int, int]],
) -> Harness:
    """The program with these choices of these sites, as far as they compile."""
    parts = _parts(sites, choices := list(choices))
    chosen = _by_site(dict.fromkeys((*choices, *itertools.chain.from_iterable(parts.values()))))
    for _ in range(_ROUNDS):
        written, lines = _written(text, sites, chosen)
        built = build(written, file, platform, contract, quick=True)
        if built.ok:
            return _of(built, sites, chosen, parts)
        wrong = set(_blamed(built.log, file, lines)) or _around(built.log, file, lines, chosen)
        wrong |= set(_unlinked(built.log, sites, chosen)) | _undeclared(built.log, text, sites, chosen)
        if not wrong:
            break
        for number, choice in wrong:
            if choice in chosen.get(number, ()):
                chosen[number].remove(choice)
        chosen = {number: c for number, c in chosen.items() if c}
    halves = _halved(
        [(number, choice) for number, c in chosen.items() for choice in c],
        lambda one: sites[one[0]].alternatives[one[1] - 1].cost,
        lambda some: build(_written(text, sites, some)[0], file, platform, contract, quick=True),
    )
    if halves is not None:
        return _of(halves[0], sites, halves[1], parts)
    return Harness(replace(built, program=None), {}, {})


_One = tuple[int, int]
_Chosen = dict[int, list[int]]


def _halved(
    ones: Sequence[_One], cost: Callable[[_One], float], attempt: Callable[[_Chosen], Build]
) -> tuple[Build, _Chosen] | None:
    """The program with as many of the changes as compile together, the most plausible first: halves that do
    not are halved again. None where no change compiles."""
    if not ones or not attempt({}).ok:
        return None
    best: Build | None = None
    kept: list[_One] = []
    ordered = sorted(ones, key=cost)
    waiting = [ordered[: len(ones) // 2], ordered[len(ones) // 2 :]]
    for _ in range(_PARTS):
        part = waiting.pop(0) if waiting else []
        if not part:
            break
        built = attempt(_by_site([*kept, *part]))
        if built.ok:
            best, kept = built, [*kept, *part]
        elif len(part) > 1:
            half = len(part) // 2
            waiting = [part[:half], part[half:], *waiting]
    return None if best is None else (best, _by_site(kept))


def _by_site(ones: Iterable[_One]) -> _Chosen:
    chosen: _Chosen = {}
    for number, choice in ones:
        chosen.setdefault(number, []).append(choice)
    return chosen


def _of(built: Build, sites: Sequence[Site], chosen: _Chosen, parts: _Parts) -> Harness:
    """The program that was built, with those of its changes that are in it whole."""
    whole = {
        number: tuple(sorted(choice for choice in c if _is_whole((number, choice), parts, chosen)))
        for number, c in chosen.items()
    }
    kept = {number: c for number, c in whole.items() if c}
    return Harness(built, {n: sites[n] for n in kept}, kept, parts)


_Parts = dict[tuple[int, int], tuple[tuple[int, int], ...]]


def _parts(sites: Sequence[Site], choices: Sequence[tuple[int, int]]) -> _Parts:
    numbers = {id(site): number for number, site in enumerate(sites)}
    found: _Parts = {}
    for number, choice in choices:
        also = sites[number].alternatives[choice - 1].also
        if also:
            found[number, choice] = tuple((numbers[id(site)], other) for site, other in also)
    return found


def _is_whole(one: tuple[int, int], parts: _Parts, chosen: dict[int, list[int]]) -> bool:
    return all(choice in chosen.get(number, ()) for number, choice in parts.get(one, ()))


def _blamed(log: str, file: str, lines: dict[int, tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """The changes that the compiler complains about; of an error inside a template, those that ask for it."""
    place = re.compile(rf"^{re.escape(file)}:(\d+):\d+: ", re.M)
    for match in re.finditer(
        rf"^{re.escape(file)}:(\d+):\d+:\s+(?:fatal )?(?:error|required from)", log, re.M
    ):
        if int(match[1]) in lines:
            yield lines[int(match[1])]
    for match in re.finditer(r"error: [^\n]*\n(?:[^\n]*\n){0,3}", log):
        for inner in place.finditer(match[0]):
            if int(inner[1]) in lines:
                yield lines[int(inner[1])]


def _unlinked(log: str, sites: Sequence[Site], chosen: dict[int, list[int]]) -> Iterable[tuple[int, int]]:
    """The changes that call functions which are declared and nowhere else."""
    missing = set(re.findall(r"undefined (?:reference to|symbol:) [`'\"]?(\w+)", log))
    for number, choices in chosen.items() if missing else ():
        for choice in choices:
            if missing & set(re.findall(r"\w+", sites[number].alternatives[choice - 1].text)):
                yield number, choice


def _undeclared(
    log: str, text: str, sites: Sequence[Site], chosen: dict[int, list[int]]
) -> set[tuple[int, int]]:
    """The changes with a name that nobody declares and the text does not have: the compiler tells of such a
    name once a function."""
    missing = set(re.findall(r"error: ‘(\w+)’ was not declared", log)) - set(re.findall(r"\w+", text))
    return {
        (number, choice)
        for number, choices in chosen.items()
        if missing
        for choice in choices
        if missing & set(re.findall(r"\w+", sites[number].alternatives[choice - 1].text))
    }


def _around(
    log: str, file: str, lines: dict[int, tuple[int, int]], chosen: dict[int, list[int]]
) -> set[tuple[int, int]]:
    """Of errors elsewhere, which a choice brings with it: all changes of the site before the place."""
    found: set[tuple[int, int]] = set()
    told = rf"^{re.escape(file)}:(\d+):\d+: (?:(?:fatal )?error|note: in expansion of macro| +required from)"
    for match in re.finditer(told, log, re.M):
        before = max((line for line in lines if line <= int(match[1])), default=None)
        after = min((line for line in lines if line > int(match[1])), default=None)
        for site in (lines[line][0] for line in (before, after) if line is not None):
            found |= {(site, choice) for choice in chosen.get(site, ())}
    return found


def _written(
    text: str, sites: Sequence[Site], chosen: dict[int, list[int]]
) -> tuple[str, dict[int, tuple[int, int]]]:
    """The program, and which change stands on which of its lines."""
    used = sorted(chosen)
    position = 0

    def part(start: int, end: int) -> str:
        """The text of [start, end) with the choices in it."""
        nonlocal position
        pieces: list[str] = []
        at = start
        while position < len(used):
            site = sites[used[position]]
            if site.start >= end and not (site.start == site.end == end and end == len(text)):
                break
            number = used[position]
            position += 1
            pieces.append(text[at : site.start])
            inner = part(site.start, site.end) if site.end > site.start else ""
            pieces.append(_choice(text, site, number, chosen[number], inner))
            at = site.end
        pieces.append(text[at:end])
        return "".join(pieces)

    body = part(0, len(text))
    body = _PRAGMA.sub(lambda m: "\n" * m[0].count("\n"), body)
    whole = _SUPPORT % (max(used, default=0) + 1) + body
    lines: dict[int, tuple[int, int]] = {}
    for line, words in enumerate(whole.split("\n"), 1):
        tag = _TAG.search(words)
        if tag:
            lines[line] = int(tag[1]), int(tag[2])
    return _TAG.sub("", whole), lines


_TAG = re.compile("\x00(\\d+),(\\d+)\x00")


def _choice(text: str, site: Site, number: int, choices: Sequence[int], inner: str) -> str:
    """A site with its choices; `inner` is its text with the choices of sites inside."""
    on, original = f"xpiler_on[{number}]", text[site.start : site.end]

    def own(choice: int, before: str = "", after: str = "") -> str:
        alternative = site.alternatives[choice - 1].text
        return f"\n\x00{number},{choice}\x00{before}{_flat(alternative)}{after}\n"

    match site.form:
        case Form.VALUE:
            flat = _flat(original)
            dtype = site.dtype or f"decltype(({flat}))"
            kept = "".join(f"{on}=={c}?{own(c, f'xpiler_as<{dtype}>(', ')')}:" for c in choices)
            return f"({on}==0?({inner}):{kept}({flat}))"
        case Form.CALL:
            kept = "".join(f"else if({on}=={c}){{{own(c, '', ';')}}}" for c in choices)
            return f"do{{if({on}==0){{{inner};}}{kept}}}while(0)"  # a macro may be a statement itself
        case Form.STATEMENT:
            kept = "".join(f"else if({on}=={c}){{{own(c)}}}" for c in choices)
            return f"{{if({on}==0){{{inner}}}{kept}}}"
        case Form.GUARD:
            kept = "".join(f"{on}=={c}?{own(c, '(', ')')}:" for c in choices)
            return f"{{if({on}==0||({kept}true)){{{inner}}}}}"
        case Form.INSERT:
            kept = "".join(f"{'else ' * (i > 0)}if({on}=={c}){{{own(c)}}}" for i, c in enumerate(choices))
            return f"{{{kept}}}"


def _flat(text: str) -> str:
    return re.sub(r"//[^\n]*\n|\n", " ", text) if "\n" in text else text
