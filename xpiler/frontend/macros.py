"""Macro definitions and their expansion, after D. Prosser's algorithm (the C standard's).

Every token carries the names it must not expand to again (its hide set), so recursion ends as the standard
says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

TOKEN = re.compile(
    r"""
      (?P<ident>[A-Za-z_$\u0080-\U0010ffff][\w$]*)
    | (?P<number>\.?\d(?:[eEpP][+-]|'?[\w.])*)
    | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    | (?P<space>\s+)
    | (?P<operator><<<|>>>|<<=|>>=|\.\.\.|->\*|->|::|\#\#|%:%:|\+\+|--|&&|\|\||<<|>>|[-+*/%&|^!<>=]=|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_NO_HIDE: frozenset[str] = frozenset()
_MAX_TOKENS = 300_000  # of one macro use; dispatch macros nested four deep stay below
_MAX_DEPTH = 100
_NEVER_GLUED = frozenset("()[]{};,\"'")


class MacroError(Exception):
    """A macro use that cannot be expanded; the message is for the user."""


class MacroLimit(MacroError):
    """An expansion that would grow beyond all bounds."""


class Token(NamedTuple):
    """`origin` is its offset in the source text, -1 in a macro's body. `space`: a blank stood before it."""

    text: str
    space: bool
    origin: int = -1
    hide: frozenset[str] = _NO_HIDE

    @property
    def is_name(self) -> bool:
        first = self.text[0]
        return first.isalpha() or first in "_$"


@dataclass(frozen=True)
class Macro:
    """`params` is None for an object-like macro. `variadic` names the rest parameter, "" if there is none."""

    name: str
    params: tuple[str, ...] | None
    variadic: str
    body: tuple[Token, ...]
    text: str  # the body as written

    @property
    def has_names(self) -> bool:
        return any(t.is_name or t.text in ("#", "##") for t in self.body)


def tokens_of(text: str, start: int = 0, end: int | None = None, *, keep_origin: bool = False) -> list[Token]:
    """The tokens of a stretch of text without comments."""
    found = []
    space = False
    for match in TOKEN.finditer(text, start, len(text) if end is None else end):
        if match.lastgroup == "space":
            space = True
            continue
        found.append(Token(match[0], space, match.start() if keep_origin else -1))
        space = False
    return found


_DEFINE = re.compile(r"\s*([A-Za-z_$][\w$]*)(\(([^()]*)\))?(.*)", re.DOTALL)


def parse_define(text: str) -> Macro:
    """The macro of `NAME body` or `NAME(a, b, ...) body`. Raises MacroError if it is malformed."""
    match = _DEFINE.match(text)
    if match is None:
        raise MacroError("a macro needs a name")
    name, parenthesized, names, body = match.groups()
    params: tuple[str, ...] | None = None
    variadic = ""
    if parenthesized is not None:
        listed = [n.strip() for n in names.split(",")] if names.strip() else []
        if listed and listed[-1].endswith("..."):
            variadic = listed.pop()[:-3].strip() or "__VA_ARGS__"
        if any(not n.isidentifier() for n in listed):
            raise MacroError(f"the parameters of macro {name} are no names")
        params = tuple(listed)
    body = body.strip()
    return Macro(name, params, variadic, tuple(tokens_of(body)), body)


def stringify(tokens: list[Token]) -> str:
    """What `#parameter` makes of an argument."""
    text = "".join((" " if t.space and i else "") + t.text for i, t in enumerate(tokens))
    escaped = re.sub(
        r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'',
        lambda m: m[0].replace("\\", "\\\\").replace('"', '\\"'),
        text,
    )
    return f'"{escaped}"'


class Expander:
    """Expands tokens by a table of macros. `special(name)` is the text of `__LINE__` and so on, or None."""

    def __init__(self, macros: dict[str, Macro], special: Callable[[str], str | None]) -> None:
        self.macros = macros
        self.special = special
        self.budget = _MAX_TOKENS
        self.depth = 0

    def expand_use(self, tokens: list[Token]) -> list[Token]:
        """`expand` for a use in the text. Raises MacroLimit when it grows beyond bounds."""
        self.budget = _MAX_TOKENS
        return self.expand(tokens)

    def expand(self, tokens: list[Token]) -> list[Token]:
        """Fully macro-expanded tokens. Raises MacroError when expansion does not end within sane bounds."""
        self.depth += 1
        try:
            if self.depth > _MAX_DEPTH:
                raise MacroLimit(f"macro uses are nested more than {_MAX_DEPTH} deep")
            return self.rescan(tokens)
        finally:
            self.depth -= 1

    def rescan(self, tokens: list[Token]) -> list[Token]:
        macros = self.macros
        done: list[Token] = []
        stack = tokens[::-1]
        while stack:
            token = stack.pop()
            name = token.text
            macro = macros.get(name)
            if macro is None or name in token.hide:
                text = self.special(name) if name[:2] == "__" else None
                done.append(token if text is None else Token(text, token.space, -1))
                continue
            if macro.params is None:
                hide = token.hide | {name}
                body = self.substitute(macro, {}, hide) if macro.has_names else list(macro.body)
            else:
                if not stack or stack[-1].text != "(":
                    done.append(token)
                    continue
                arguments, close = _arguments(stack)
                if arguments is None:
                    done.append(token)
                    continue
                hide = (token.hide & close.hide) | {name}
                body = self.substitute(macro, self.bind(macro, arguments), hide)
            if body:
                first = body[0]
                body[0] = Token(first.text, token.space, first.origin, first.hide)
            self.budget -= len(body)
            if self.budget < 0:
                raise MacroLimit("its expansion grows beyond all bounds")
            stack.extend(reversed(body))
        return done

    def bind(self, macro: Macro, arguments: list[list[Token]]) -> dict[str, list[Token]]:
        params = macro.params or ()
        count = len(params)
        if not macro.variadic and count == 0 and len(arguments) == 1 and not arguments[0]:
            return {}
        if len(arguments) < count or (len(arguments) > count and not macro.variadic):
            if len(arguments) == count - 1 and not macro.variadic and count == 1:
                arguments = [[]]
            else:
                raise MacroError(f"macro {macro.name} takes {count} arguments, {len(arguments)} given")
        bound = dict(zip(params, arguments, strict=False))
        if macro.variadic:
            rest: list[Token] = []
            for i, argument in enumerate(arguments[count:]):
                if i:
                    rest.append(Token(",", False))
                rest.extend(argument)
            bound[macro.variadic] = rest
        return bound

    def substitute(self, macro: Macro, bound: dict[str, list[Token]], hide: frozenset[str]) -> list[Token]:
        body = self.without_va_opt(macro, bound)
        expanded: dict[str, list[Token]] = {}
        out: list[Token] = []
        index, size = 0, len(body)
        while index < size:
            token = body[index]
            following = body[index + 1].text if index + 1 < size else ""
            if token.text == "#" and following in bound and macro.params is not None:
                out.append(Token(stringify(bound[following]), token.space))
                index += 2
                continue
            if token.text == "##" and out and index + 1 < size:
                index += 1
                right_name = body[index].text
                right = bound.get(right_name, [body[index]])
                if right_name == macro.variadic and out[-1].text == "," and right_name:
                    # GNU: `, ## __VA_ARGS__` drops the comma if there are no arguments
                    if right:
                        out.extend(right)
                    else:
                        out.pop()
                elif right:
                    left = out.pop()
                    out.append(Token(left.text + right[0].text, left.space))
                    out.extend(right[1:])
                index += 1
                continue
            argument = bound.get(token.text)
            if argument is None:
                out.append(token)
            else:
                if following == "##":
                    chosen = argument
                    if not argument and index + 2 < size:
                        # an empty left side: the right side stands alone
                        right_name = body[index + 2].text
                        out.extend(bound.get(right_name, [body[index + 2]]))
                        index += 3
                        continue
                else:
                    if token.text not in expanded:
                        expanded[token.text] = self.expand(argument)
                    chosen = expanded[token.text]
                if chosen:
                    first = chosen[0]
                    out.append(Token(first.text, token.space, first.origin, first.hide))
                    out.extend(chosen[1:])
            index += 1
        macros = self.macros  # only what might be expanded later needs to know what it must not expand to
        return [
            Token(t.text, t.space, t.origin, t.hide | hide) if t.text in macros or t.text == ")" else t
            for t in out
        ]

    def without_va_opt(self, macro: Macro, bound: dict[str, list[Token]]) -> list[Token]:
        body = list(macro.body)
        if not macro.variadic or not any(t.text == "__VA_OPT__" for t in body):
            return body
        out: list[Token] = []
        index = 0
        while index < len(body):
            if body[index].text == "__VA_OPT__" and index + 1 < len(body) and body[index + 1].text == "(":
                depth, end = 0, index + 1
                while end < len(body):
                    depth += {"(": 1, ")": -1}.get(body[end].text, 0)
                    if depth == 0:
                        break
                    end += 1
                if bound.get(macro.variadic):
                    out.extend(body[index + 2 : end])
                index = end + 1
                continue
            out.append(body[index])
            index += 1
        return out


def _arguments(stack: list[Token]) -> tuple[list[list[Token]] | None, Token]:
    """Takes `( a, b )` off the stack; None, and the stack unchanged, if it is not closed."""
    depth = 0
    arguments: list[list[Token]] = [[]]
    for back in range(1, len(stack) + 1):
        token = stack[-back]
        text = token.text
        if text == "(":
            depth += 1
            if depth == 1:
                continue
        elif text == ")":
            depth -= 1
            if depth == 0:
                del stack[-back:]
                return arguments, token
        elif text == "," and depth == 1:
            arguments.append([])
            continue
        arguments[-1].append(token)
    return None, stack[-1]


def needs_space(left: Token, right: Token) -> bool:
    """Whether two tokens of an expansion must not touch: they did not, or would merge."""
    if right.space:
        return True
    if left.text[-1] in _NEVER_GLUED or right.text[0] in _NEVER_GLUED:
        return False
    if left.origin >= 0 and left.origin + len(left.text) == right.origin:
        return False
    return _is_word(left.text[-1]) == _is_word(right.text[0])


def _is_word(character: str) -> bool:
    return character.isalnum() or character in "_$"
