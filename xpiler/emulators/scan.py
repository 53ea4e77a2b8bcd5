"""A small C++ token scanner: enough to find launches and declarations, never to understand the program.

It knows comments, string, character and raw-string literals, line continuations and preprocessor directives,
so that a rewrite never touches text inside them. Offsets are positions in the text as given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<comment>//(?:[^\\\n]|\\\r?\n|\\.)*|/\*.*?(?:\*/|\Z))
    | (?P<raw>(?:u8|[uUL])?R"(?P<delimiter>[^()\\\s]{0,16})\(.*?(?:\)(?P=delimiter)"|\Z))
    | (?P<string>(?:u8|[uUL])?"(?:[^"\\\n]|\\.)*(?:"|(?=\n)|\Z))
    | (?P<char>(?:u8|[uUL])?'(?:[^'\\\n]|\\.)*(?:'|(?=\n)|\Z))
    | (?P<newline>\n)
    | (?P<space>(?:[^\S\n]|\\\r?\n)+)
    | (?P<number>\.?[0-9](?:[eEpP][+-]|'(?=[0-9a-fA-F])|[\w.])*)
    | (?P<word>[^\W\d]\w*)
    | (?P<punct><<<|>>>|::|->|\#\#|.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """`kind` is word, number, string, char or punct; `text` is `source[start:end]`."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Stretch:
    """Tokens that belong together: the program outside directives, or the body of one `#define`."""

    tokens: tuple[Token, ...]
    is_macro_body: bool
    macro: str = ""


def stretches(text: str) -> list[Stretch]:
    """Splits `text` into the program proper (first) and the macro bodies; other directives are left out."""
    program: list[Token] = []
    bodies: list[Stretch] = []
    line: list[Token] = []  # tokens of the directive being read
    in_directive = False
    at_line_start = True

    def end_directive() -> None:
        body = _macro_body(line)
        if body is not None:
            bodies.append(Stretch(tuple(body[1]), True, body[0]))
        line.clear()

    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "punct"
        if kind == "delimiter":
            kind = "raw"
        if kind == "newline":
            if in_directive:
                end_directive()
            in_directive, at_line_start = False, True
            continue
        if kind in ("space", "comment"):
            continue
        token = Token("string" if kind == "raw" else kind, match.group(), match.start(), match.end())
        if at_line_start and token.text == "#":
            in_directive = True
        at_line_start = False
        (line if in_directive else program).append(token)
    if in_directive:
        end_directive()
    return [Stretch(tuple(program), False), *bodies]


def _macro_body(line: list[Token]) -> tuple[str, list[Token]] | None:
    if len(line) < 3 or line[1].text != "define":
        return None
    name = line[2]
    body = line[3:]
    if body and body[0].text == "(" and body[0].start == name.end:
        closing = next((i for i, token in enumerate(body) if token.text == ")"), None)
        if closing is None:
            return None
        body = body[closing + 1 :]
    return name.text, body


def closing(tokens: tuple[Token, ...], opening: int) -> int | None:
    """Index of the bracket that closes the one at `opening`, counting round, square and curly ones."""
    depth = 0
    for index in range(opening, len(tokens)):
        if tokens[index].kind == "punct":
            if tokens[index].text in "([{":
                depth += 1
            elif tokens[index].text in ")]}":
                depth -= 1
                if depth == 0:
                    return index
    return None


def opening(tokens: tuple[Token, ...], close: int) -> int | None:
    """Index of the bracket that opens the one at `close`; also for `>` of a template argument list."""
    angle = tokens[close].text in (">", ">>>")
    depth = 0
    angles = 0
    for index in range(close, -1, -1):
        token = tokens[index]
        if token.kind != "punct":
            continue
        if token.text in (")", "]", "}"):
            depth += 1
        elif token.text in ("(", "[", "{"):
            depth -= 1
            if depth < 0:
                return None
            if depth == 0 and not angle:
                return index
        elif angle and depth == 0:
            if token.text in (">", ">>>"):
                angles += len(token.text)
            elif token.text == "<":
                angles -= 1
                if angles == 0:
                    return index
            elif token.text == ";":
                return None
    return None
