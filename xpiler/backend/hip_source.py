"""The CUDA text as the HIP backend sees it: tokens with their places, calls with their arguments.

No preprocessing and no parsing: macro bodies, both sides of an `#if` and templates that nobody instantiates
are translated like everything else. Comments and literals are tokens of their own, so that no rule can
touch them.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from xpiler.backend.hip_branches import dead_spans
from xpiler.errors import Refusal
from xpiler.ir.source import SourceRange
from xpiler.platforms import cuda

_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\f\v]+ | \\\r?\n)
    | (?P<newline>\r\n|\n|\r)
    | (?P<comment>//(?:\\\r?\n|[^\n])* | /\*.*?(?:\*/|\Z))
    | (?P<string>(?:u8|[uUL])?R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)"
               | (?:u8|[uUL])?"(?:\\.|[^"\\\n])*(?:"|(?=\n)|\Z)
               | (?:u8|[uUL])?'(?:\\.|[^'\\\n])*(?:'|(?=\n)|\Z))
    | (?P<number>\.?[0-9](?:[eEpP][+-]|'(?=[0-9a-zA-Z])|[\w.])*)
    | (?P<name>[A-Za-z_$][\w$]*)
    | (?P<punct><<<|>>>|::|->|\#\#|[-+*/%&|^=!<>]=|&&|\|\||\+\+|--|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPEN = {"(": ")", "[": "]", "{": "}"}
_CLOSE = frozenset(_OPEN.values())


@dataclass(frozen=True)
class Token:
    """One token of the text: `kind` is name, number, string, comment, punct, header or newline."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Argument:
    """One argument of a call, without the blanks around it."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Call:
    """`name<template arguments>(arguments)`: places of the name and of the parentheses, and each argument."""

    name: Token
    open: int
    close: int  # offset of the closing parenthesis
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Directive:
    """A preprocessor line: its word, the tokens after it, and how many `#if` enclose it."""

    word: str
    tokens: tuple[Token, ...]
    start: int  # of the '#'
    end: int  # after the newline
    depth: int


class SourceText:
    """A CUDA text and the questions that the rules ask of it.

    `arch` is the compute capability (times 100) whose branches count; what `#if` leaves out is not seen. A
    text of another platform has its own `known` macros instead.
    """

    def __init__(
        self, text: str, file: str, arch: int = cuda.ARCHS[0], known: Mapping[str, int] | None = None
    ) -> None:
        self._known = known
        self.arch = arch
        self.text = text
        self.file = file
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.all_tokens = tuple(_scan(text))
        end = Token("end", "", len(text), len(text))  # a few, so that rules may look ahead
        self.tokens = (*(t for t in self.all_tokens if t.kind not in ("comment", "newline")), *[end] * 8)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0] + [m.end() for m in re.finditer(r"\r\n|\n|\r", self.text)]

    def range(self, start: int, end: int) -> SourceRange:
        """The place of text[start:end], for messages."""
        first, last = (bisect_right(self._line_starts, o) - 1 for o in (start, end))
        column, end_column = start - self._line_starts[first] + 1, end - self._line_starts[last] + 1
        return SourceRange(self.file, first + 1, column, last + 1, end_column)

    def refuse(self, code: str, message: str, token: Token | Argument, remedy: str = "") -> Refusal:
        """The refusal to raise for something at `token`."""
        return Refusal(code, message, self.range(token.start, token.end), remedy)

    @cached_property
    def directives(self) -> tuple[Directive, ...]:
        """Every preprocessor line, in order. An include guard around the file does not count as depth."""
        found = tuple(self._directives())
        words = [d.word for d in found[:2]] + [d.word for d in found[-1:]]
        names = {t.text for d in found[:2] for t in d.tokens[:1]}
        if words == ["ifndef", "define", "endif"] and len(names) == 1:
            return (found[0], *(replace(d, depth=max(d.depth - 1, 0)) for d in found[1:]))
        return found

    @cached_property
    def _dead(self) -> tuple[tuple[int, int], ...]:
        if self._known is not None:
            return dead_spans(self.directives, self._known)
        known = {"__CUDA_ARCH__": self.arch, "__CUDACC__": 1}
        known |= {"CUDART_VERSION": cuda.TOOLKIT, "CUDA_VERSION": cuda.TOOLKIT}
        known |= {"__CUDACC_VER_MAJOR__": cuda.TOOLKIT // 1000}
        return dead_spans(self.directives, known)

    def is_dead(self, offset: int) -> bool:
        """Does an `#if` of the text leave this place out?"""
        i = bisect_right(self._dead, (offset, len(self.text) + 1)) - 1
        return any(start <= offset < end for start, end in self._dead[: i + 1])

    def _directives(self) -> Iterator[Directive]:
        depth, at_line_start, i = 0, True, 0
        tokens = self.all_tokens
        while i < len(tokens):
            token = tokens[i]
            if token.text != "#" or not at_line_start:
                at_line_start = token.kind == "newline" or (at_line_start and token.kind == "comment")
                i += 1
                continue
            j = i + 1
            while j < len(tokens) and tokens[j].kind != "newline":
                j += 1
            body = tuple(t for t in tokens[i + 1 : j] if t.kind != "comment")
            word = body[0].text if body else ""
            if word in ("endif", "else", "elif"):
                depth = max(depth - 1, 0)
            end = tokens[j].end if j < len(tokens) else len(self.text)
            yield Directive(word, body[1:], token.start, end, depth)
            if word in ("if", "ifdef", "ifndef", "else", "elif"):
                depth += 1
            i = j

    @cached_property
    def _directive_spans(self) -> list[tuple[int, int]]:
        return [(d.start, d.end) for d in self.directives]

    def directive_at(self, offset: int) -> Directive | None:
        """The preprocessor line that holds the offset, if any."""
        i = bisect_right(self._directive_spans, (offset, len(self.text) + 1)) - 1
        if i >= 0 and self.directives[i].start <= offset < self.directives[i].end:
            return self.directives[i]
        return None

    @cached_property
    def defined(self) -> frozenset[str]:
        """Names that this file itself defines: macros, functions, types, variables, enumerators."""
        names = {d.tokens[0].text for d in self.directives if d.word == "define" and d.tokens}
        tokens = self.tokens
        for i, token in enumerate(tokens):
            if token.kind != "name" or i == 0 or i + 1 >= len(tokens):
                continue
            before, after = tokens[i - 1], tokens[i + 1]
            if before.text in ("struct", "class", "union", "enum", "namespace", "using", "typename"):
                if after.text in ("{", ":", "=", ";", ","):
                    names.add(token.text)
            elif self._declares(i):
                names.add(token.text)
        return frozenset(names)

    def _declares(self, i: int) -> bool:
        """Does token i stand where a declaration introduces its name (`type name =`, `type name(...) {`)?"""
        tokens = self.tokens
        before, after = tokens[i - 1], tokens[i + 1]
        if before.kind == "name" and before.text in _NOT_TYPES:
            return False
        if before.kind != "name" and before.text not in ("*", "&", ">", "&&"):
            return False
        if before.text in ("*", "&", ">", "&&") and not self._type_before(i - 1):
            return False
        if after.text in ("=", ";", "[", ",", ")", "{") or (after.text == ":" and before.kind == "name"):
            return True
        if after.text != "(":
            return False
        close = self.match(i + 1)
        if close is None or close + 1 >= len(tokens):
            return False
        return tokens[close + 1].text in ("{", "const", "noexcept", "->") or (
            tokens[close + 1].text == ";" and before.kind == "name"
        )

    def _type_before(self, i: int) -> bool:
        """Is the operator at i part of a declarator: a type, and before it the start of a declaration?"""
        tokens = self.tokens
        while i >= 0 and tokens[i].text in ("*", "&", "&&", "const", "__restrict__"):
            i -= 1
        if i < 0:
            return False
        if tokens[i].text == ">":
            return True
        if tokens[i].kind != "name" or tokens[i].text in _NOT_TYPES:
            return False
        return (
            i == 0
            or tokens[i - 1].kind == "name"
            or tokens[i - 1].text in ("{", "}", ";", "(", ",", "::", ">")
        )

    @cached_property
    def _device_bodies(self) -> tuple[tuple[int, int], ...]:
        spans: list[tuple[int, int]] = []
        for i, token in self._names:
            if token.text not in ("__global__", "__device__") or (spans and token.start < spans[-1][1]):
                continue
            j = i
            while j < len(self.tokens) and self.tokens[j].text not in ("{", ";", "="):
                j = (self.match(j) or j) + 1 if self.tokens[j].text == "(" else j + 1
            if j < len(self.tokens) and self.tokens[j].text == "{" and (end := self.match(j)):
                spans.append((token.start, self.tokens[end].end))
        return tuple(spans)

    def in_device_function(self, offset: int) -> bool:
        """Is this place in the definition of a kernel or of a device function?"""
        i = bisect_right(self._device_bodies, (offset, len(self.text) + 1)) - 1
        return i >= 0 and offset < self._device_bodies[i][1]

    @cached_property
    def first_body(self) -> int:
        """Where the first function body of the file begins; the end of the text if there is none."""
        for before, token in pairwise(self.tokens):
            body = token.text == "{" and before.text in (")", "const", "noexcept")
            if body and self.directive_at(token.start) is None:
                return token.start
        return len(self.text)

    def match(self, i: int) -> int | None:
        """Index of the token that closes the bracket at token index i."""
        depth = 0
        for j in range(i, len(self.tokens)):
            text = self.tokens[j].text
            if text in _OPEN and self.tokens[j].kind == "punct":
                depth += 1
            elif text in _CLOSE and self.tokens[j].kind == "punct":
                depth -= 1
                if depth == 0:
                    return j
        return None

    def call(self, i: int) -> Call | None:
        """The call whose name is token i; None if no complete parenthesised list follows."""
        if i + 1 >= len(self.tokens) or self.tokens[i + 1].text != "(":
            return None
        close = self.match(i + 1)
        if close is None:
            return None
        cuts, depth, angle = [i + 1], 0, 0
        for j in range(i + 2, close):
            text = self.tokens[j].text
            if self.tokens[j].kind != "punct":
                continue
            if text in _OPEN:
                depth += 1
            elif text in _CLOSE:
                depth -= 1
            elif text == "<" and depth == 0 and self._opens_template(j, close):
                angle += 1
            elif text == ">" and angle:
                angle -= 1
            elif text == "," and depth == 0 and angle == 0:
                cuts.append(j)
        cuts.append(close)
        arguments = []
        for a, b in pairwise(cuts):
            if b > a + 1:
                start, end = self.tokens[a + 1].start, self.tokens[b - 1].end
                arguments.append(Argument(self.text[start:end], start, end))
        return Call(self.tokens[i], self.tokens[i + 1].start, self.tokens[close].start, tuple(arguments))

    def _opens_template(self, j: int, close: int) -> bool:
        """Does the `<` at j open template arguments: names, numbers, `,`, `::`, `*` up to `>` and `(`?"""
        if self.tokens[j - 1].kind != "name":
            return False
        depth = 0
        for k in range(j, close):
            token = self.tokens[k]
            if token.text == "<":
                depth += 1
            elif token.text == ">":
                depth -= 1
                if depth == 0:
                    return self.tokens[k + 1].text in ("(", "::", "{", ")", ",")
            elif token.kind == "punct" and token.text not in (",", "::", "*", "&"):
                return False
        return False

    @cached_property
    def _token_starts(self) -> list[int]:
        return [t.start for t in self.tokens]

    def tokens_of(self, argument: Argument) -> Iterator[tuple[int, Token]]:
        """Index and token of everything in an argument."""
        first = bisect_left(self._token_starts, argument.start)
        last = bisect_left(self._token_starts, argument.end)
        return ((i, self.tokens[i]) for i in range(first, last))

    def names(self) -> Iterator[tuple[int, Token]]:
        """Index and token of every identifier that no `#if` leaves out."""
        if not self._dead:
            return iter(self._names)
        return ((i, t) for i, t in self._names if not self.is_dead(t.start))

    @cached_property
    def _names(self) -> tuple[tuple[int, Token], ...]:
        return tuple((i, t) for i, t in enumerate(self.tokens) if t.kind == "name")

    def is_member(self, i: int) -> bool:
        """Is token i the member in `x.member` or `x->member`?"""
        return i > 0 and self.tokens[i - 1].text in (".", "->")


_NOT_TYPES = frozenset(
    [
        "return",
        "else",
        "case",
        "goto",
        "new",
        "delete",
        "throw",
        "sizeof",
        "typename",
        "operator",
        "using",
        "namespace",
        "define",
        "undef",
        "ifdef",
        "ifndef",
        "if",
        "include",
        "co_return",
        "co_yield",
        "and",
        "or",
        "not",
        "do",
        "defined",
        "elif",
        "error",
        "pragma",
    ]
)


def _scan(text: str) -> Iterator[Token]:
    line_tokens = 0
    header_next = ""
    position = 0
    while position < len(text):
        if header_next == "include" and (m := re.compile(r"<[^>\n]*>").match(text, position)):
            yield Token("header", m.group(), position, m.end())
            header_next, position = "", m.end()
            continue
        m = _TOKEN.match(text, position)
        assert m is not None  # the last alternative takes any character
        kind = m.lastgroup if m.lastgroup != "delimiter" else "string"
        position = m.end()
        if kind == "space":
            continue
        assert kind is not None
        if kind == "newline":
            line_tokens, header_next = 0, ""
        elif kind != "comment":
            if m.group() == "#" and line_tokens == 0:
                header_next = "#"
            elif header_next == "#" and m.group() in ("include", "include_next"):
                header_next = "include"
            else:
                if header_next == "include" and kind == "string":
                    kind = "header"
                header_next = ""
            line_tokens += 1
        yield Token(kind, m.group(), m.start(), m.end())
