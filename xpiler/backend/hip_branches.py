"""Which parts of a text its own `#if` lines leave out, for a given compute capability."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xpiler.backend.hip_source import Directive


def dead_spans(directives: tuple[Directive, ...], known: Mapping[str, int]) -> tuple[tuple[int, int], ...]:
    """Spans of the text under an `#if`, `#elif` or `#else` that the `known` macros decide against.

    A condition with any other name is undecided: its branches all count as live.
    """
    spans: list[tuple[int, int]] = []
    stack: list[
        tuple[int, int, bool | None, bool]
    ] = []  # start, depth, this branch live, an earlier branch taken
    for directive in directives:
        word = directive.word
        if word in ("if", "ifdef", "ifndef"):
            live = _condition(directive, known)
            stack.append((directive.end, directive.depth, live, live is True))
        elif word in ("elif", "else", "endif") and stack:
            start, depth, live, taken = stack.pop()
            if live is False:
                spans.append((start, directive.start))
            if word == "endif":
                continue
            if taken:
                now: bool | None = False
            else:
                now = _condition(directive, known) if word == "elif" else None
            stack.append((directive.end, depth, now, taken or now is True))
    return tuple(sorted(spans))


def _condition(directive: Directive, known: Mapping[str, int]) -> bool | None:
    """The value of the condition if it is the same in the device and in the host pass, else None."""
    tokens = directive.tokens
    text = " ".join(t.text for t in tokens)
    if directive.word in ("ifdef", "ifndef"):
        text = f"{'!' if directive.word == 'ifndef' else ''} defined {tokens[0].text if tokens else ''}"
    device, host = (_value(text, known, known.keys() - without) for without in (set(), {"__CUDA_ARCH__"}))
    return device if device == host else None


def _value(text: str, known: Mapping[str, int], defined: Set[str]) -> bool | None:
    def asked(match: re.Match[str]) -> str:
        name = match.group(1) or match.group(2)
        return "unknown" if name not in known else str(int(name in defined))

    text = re.sub(r"defined \( (\w+) \)|defined (\w+)", asked, text)
    text = re.sub(r"\b[A-Za-z_]\w*\b", lambda m: str(known.get(m.group(), m.group())), text)
    text = re.sub(r"\b(\d+)[uUlL]+\b", r"\1", text)
    if not re.fullmatch(r"[\d\s()<>=!&|+\-*/%]*", text) or not text.strip():
        return None
    text = re.sub(r"!(?!=)", " not ", text.replace("&&", " and ").replace("||", " or "))
    try:
        return bool(eval(text, {"__builtins__": {}}))  # digits and operators only, by the check above
    except (SyntaxError, ZeroDivisionError, TypeError):
        return None
