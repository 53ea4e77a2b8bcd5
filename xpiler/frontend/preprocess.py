"""Directives and macros: from the text as written to the text that is parsed, with a map back.

Stands in for the compiler's preprocessor: conditionals are decided (on the device side), files named in
`#include "..."` are read if they lie there, system headers are skipped and their well-known constants
predefined.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend.build_flags import flags_of
from xpiler.frontend.comments import Comment, blank_comments
from xpiler.frontend.conditions import ConditionError, evaluate
from xpiler.frontend.header_search import find_angled, find_header
from xpiler.frontend.macros import (
    Expander,
    Macro,
    MacroError,
    MacroLimit,
    Token,
    needs_space,
    parse_define,
    tokens_of,
)
from xpiler.frontend.predefined import predefined
from xpiler.frontend.sourcemap import Origin, SourceFile, SourceMap
from xpiler.frontend.syntax_model import Pragma

_DIRECTIVE = re.compile(r"^[ \t]*#((?:\\[ \t\r]*\n|[^\n])*)", re.MULTILINE)
_CONTINUED = re.compile(r"\\[ \t\r]*\n")
_INTERESTING = re.compile(
    r'[A-Za-z_$\u0080-\U0010ffff][\w$]*|\.?\d(?:[eEpP][+-]|\'?[\w.])*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
    re.DOTALL,
)
_BRACKETS = re.compile(r'[()]|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
_INCLUDE = re.compile(r'\s*(?:"([^"\n]+)"|<([^>\n]+)>)')
_SPECIAL = frozenset({"__LINE__", "__FILE__", "__COUNTER__", "_Pragma"})
_MAX_INCLUDE_DEPTH = 50
_MAX_INCLUDE_BYTES = 4_000_000
_MAX_UNCLOSED = 100  # after so many the text is no program, and looking on would take long
_MAX_EXPANDED = 20_000_000


@dataclass(frozen=True)
class Include:
    """An `#include`; `found` says whether its text was read (system headers never are)."""

    name: str
    is_system: bool
    found: bool


@dataclass(frozen=True)
class Expanded:
    """The text after preprocessing. `macros` are those defined by the text (and the caller) at its end."""

    text: str
    map: SourceMap
    pragmas: tuple[Pragma, ...]
    comments: tuple[Comment, ...]
    macros: dict[str, Macro]
    includes: tuple[Include, ...]
    warnings: tuple[Diagnostic, ...]


def preprocess(
    text: str, file: str, defines: dict[str, str] | None = None, *, platform: str = "cuda"
) -> Expanded:
    """The expanded text. `defines` are macros beside those of its build: name (or `name(params)`) -> body.

    Raises Refusal for text that has no meaning: binary, unterminated comments and conditionals, malformed
    macros.
    """
    macros = flags_of(Path(file)).macros
    preprocessor = _Preprocessor(text, file, platform, {**macros, **(defines or {})})
    preprocessor.run()
    return preprocessor.result()


@cache
def _predefined_macros(platform: str) -> dict[str, Macro]:
    macros = (parse_define(f"{name} {body}") for name, body in predefined(platform).items())
    return {macro.name: macro for macro in macros}


@dataclass
class _Conditional:
    """One open `#if`. `taken`: some branch was chosen already; `active`: the current one is read."""

    start: int
    outer_active: bool
    taken: bool
    active: bool
    has_else: bool = False


@dataclass
class _Preprocessor:
    main_text: str
    main_file: str
    platform: str
    defines: dict[str, str]
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    pragmas: list[Pragma] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    includes: list[Include] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)
    once: set[Path] = field(default_factory=set)
    depth: int = 0
    counter: int = 0
    unclosed: int = 0  # uses of macros whose arguments never end

    def __post_init__(self) -> None:
        self.map = SourceMap()
        predefined_macros = (
            parse_define(f"{name} {body}") for name, body in predefined(self.platform).items()
        )
        self.predefined = {macro.name: macro for macro in predefined_macros}
        self.macros: dict[str, Macro] = dict(self.predefined)
        self.flat: dict[str, str] = {}  # object-like macros whose expansion is their body as it stands
        self.source = SourceFile.of(self.main_file, self.main_text)
        self.index = 0
        self.clean = ""
        self.at = 0  # where __LINE__ is asked for
        self.expander = Expander(self.macros, self.special)

    def run(self) -> None:
        for name, body in self.defines.items():
            try:
                macro = parse_define(f"{name} {body}")
            except MacroError as error:
                raise Refusal("preprocess-define", f"bad definition of {name}: {error}") from error
            self.macros[macro.name] = macro
        self.file(self.source)

    def result(self) -> Expanded:
        own = {n: m for n, m in self.macros.items() if self.predefined.get(n) is not m}
        if not self.map.begins:
            self.map.add(0, Origin(0, 0, 0))
        return Expanded(
            "".join(self.pieces),
            self.map,
            tuple(self.pragmas),
            tuple(self.comments),
            own,
            tuple(self.includes),
            tuple(self.warnings),
        )

    # -------------------------------------------------------------------------------------------- files

    def file(self, source: SourceFile) -> None:
        """Reads one file through, the included ones on the way."""
        outer = self.source, self.index, self.clean
        self.source, self.index = source, len(self.map.files)
        self.map.files.append(source)
        self.clean, comments = blank_comments(source)
        if self.index == 0:
            self.comments = comments
        clean = self.clean
        stack: list[_Conditional] = []
        active = True
        done = 0
        for match in _DIRECTIVE.finditer(clean):
            if active:
                self.chunk(done, match.start())
            done = match.end()
            body = _CONTINUED.sub(lambda m: " " * len(m[0]), match[1])
            words = body.split(None, 1)
            name = words[0] if words else ""
            at = match.start(1) + body.find(name)
            keyword = re.match(r"\w*", name)[0] if name else ""  # type: ignore[index]
            rest = body[body.find(name) + len(keyword) :] if name else ""
            if keyword in ("if", "ifdef", "ifndef"):
                chosen = active and self.opens(keyword, rest, at)
                stack.append(_Conditional(match.start(), active, chosen, chosen))
                active = chosen
            elif keyword in ("elif", "else", "endif", "elifdef", "elifndef"):
                if not stack:
                    raise self.refuse("preprocess-unbalanced", f"#{keyword} without #if", at, len(keyword))
                active = self.continues(stack, keyword, rest, at)
            elif active:
                self.directive(keyword, rest, at, match)
        if stack:
            raise self.refuse(
                "preprocess-unbalanced", "this conditional is never closed", stack[-1].start, 1, "add #endif"
            )
        self.chunk(done, len(clean))
        self.source, self.index, self.clean = outer

    def refuse(self, code: str, message: str, at: int, length: int = 1, remedy: str = "") -> Refusal:
        return Refusal(code, message, self.source.range(at, at + length), remedy)

    # --------------------------------------------------------------------------------------------
    # conditionals

    def opens(self, keyword: str, rest: str, at: int) -> bool:
        if keyword == "if":
            return self.condition(rest, at)
        name = rest.split()[0] if rest.split() else ""
        if not name:
            raise self.refuse("preprocess-if", f"#{keyword} needs a name", at, len(keyword))
        return (re.split(r"\W", name)[0] in self.macros) == (keyword == "ifdef")

    def continues(self, stack: list[_Conditional], keyword: str, rest: str, at: int) -> bool:
        top = stack[-1]
        if keyword == "endif":
            stack.pop()
            return top.outer_active
        if top.has_else:
            raise self.refuse("preprocess-unbalanced", f"#{keyword} after #else", at, len(keyword))
        if keyword == "else":
            top.has_else = True
            top.active = top.outer_active and not top.taken
        elif not top.outer_active or top.taken:
            top.active = False
        elif keyword == "elif":
            top.active = self.condition(rest, at)
        else:
            top.active = self.opens(keyword[2:], rest, at)
        top.taken = top.taken or top.active
        return top.active

    def condition(self, text: str, at: int) -> bool:
        tokens = tokens_of(text)
        plain: list[Token] = []
        index = 0
        while index < len(tokens):
            token = tokens[index]
            if token.text == "defined":
                step = 1 if index + 1 < len(tokens) and tokens[index + 1].text == "(" else 0
                name = tokens[index + 1 + step].text if index + 1 + step < len(tokens) else ""
                plain.append(Token("1" if name in self.macros else "0", True))
                index += 2 + 2 * step
                continue
            if token.text.startswith("__has_") and index + 1 < len(tokens):
                index += 1
                depth = 0
                while index < len(tokens):
                    depth += {"(": 1, ")": -1}.get(tokens[index].text, 0)
                    index += 1
                    if depth == 0:
                        break
                plain.append(Token("0", True))
                continue
            plain.append(token)
            index += 1
        self.at = at
        try:
            return evaluate(self.expander.expand(plain))
        except (ConditionError, MacroError) as error:
            raise self.refuse("preprocess-if", f"this #if has no value: {error}", at, 2) from error

    # -------------------------------------------------------------------------------------------- directives

    def directive(self, keyword: str, rest: str, at: int, match: re.Match[str]) -> None:
        match keyword:
            case "define":
                try:
                    macro = parse_define(rest)
                except MacroError as error:
                    raise self.refuse("preprocess-define", str(error), at, len(keyword)) from error
                self.macros[macro.name] = macro
                self.flat.clear()
            case "undef":
                self.macros.pop(rest.strip().split(" ")[0], None)
                self.flat.clear()
            case "pragma":
                self.pragma(rest, match.start(), match.end())
            case "include" | "include_next" | "import":
                self.include(rest, at, len(keyword))
            case "error":
                place = self.source.range(at, match.end())
                self.warnings.append(
                    Diagnostic("preprocess-error", f"the text says #error {rest.strip()}", place, "warning")
                )
            case _:
                pass  # #line, #warning, #ident and a lone # mean nothing here

    def pragma(self, rest: str, start: int, end: int) -> None:
        words = rest.strip()
        if words == "once":
            self.once.add(Path(self.source.name))
            return
        self.at = start
        try:
            expanded = self.expander.expand(tokens_of(words))
        except MacroError:
            expanded = tokens_of(words)
        text = _join(expanded)
        self.pragmas.append(Pragma(text, self.length, self.source.range(start, end)))

    def include(self, rest: str, at: int, length: int) -> None:
        match = _INCLUDE.match(rest)
        if match is None:
            try:
                match = _INCLUDE.match(_join(self.expander.expand(tokens_of(rest))))
            except MacroError:
                match = None
        if match is None:  # a macro that the build would define
            self.includes.append(Include(rest.strip(), False, False))
            return
        includer, name = Path(self.source.name), match[1] or match[2]
        path = find_header(includer, name) if match[1] else find_angled(includer, name)
        if path is None:
            self.includes.append(Include(name, True, False))
            return
        text = _read(path)
        self.includes.append(Include(name, False, text is not None))
        if text is None or path in self.once:
            return
        if self.depth >= _MAX_INCLUDE_DEPTH:
            raise self.refuse(
                "include-cycle",
                f"files include each other more than {_MAX_INCLUDE_DEPTH} deep",
                at,
                length,
                'add "#pragma once" to the included file',
            )
        self.depth += 1
        self.file(SourceFile.of(str(path), text))
        self.depth -= 1

    # -------------------------------------------------------------------------------------------- text

    def copy(self, start: int, end: int) -> None:
        """Text of the current file, as it stands."""
        if end > start:
            self.map.add(self.length, Origin(self.index, start, end))
            self.pieces.append(self.clean[start:end])
            self.length += end - start

    def chunk(self, start: int, end: int) -> None:
        """Text between two directives."""
        clean = self.clean
        macros, flat = self.macros, self.flat
        done = position = start
        scan = _INTERESTING.finditer
        again = True
        while again:
            again = False
            for match in scan(clean, position, end):
                name = match[0]
                if name not in macros and name not in _SPECIAL:
                    continue
                use, after = match.span()
                found: str | list[Token] | None = flat.get(name)
                if found is None:
                    found, after = self.use(name, use, after, end)
                    if found is None:
                        continue
                self.copy(done, use)
                if isinstance(found, str):
                    self.map.add(self.length, Origin(self.index, use, after, is_macro=True))
                    self.pieces.append(found)
                    self.length += len(found)
                else:
                    self.emit(found, use, after)
                done = after
                if after > match.end():
                    position, again = after, True
                    break
                if self.length > _MAX_EXPANDED:
                    raise self.refuse("preprocess-macro", "the text grows without bound", use, len(name))
        self.copy(done, end)

    def use(self, name: str, use: int, after: int, end: int) -> tuple[str | list[Token] | None, int]:
        """The expansion of the macro use at [use, after), with its arguments up to the offset returned."""
        macro = self.macros.get(name)
        if macro is not None and macro.params is None and not macro.has_names:
            self.flat[name] = body = f" {macro.text} " if macro.text[:1] in "-+&" else macro.text
            return body, after
        if macro is None and name != "_Pragma":
            special = self.special_at(name, use)
            return special, after
        if macro is None or macro.params is not None:
            close = self.closing(after, end)
            if close is None:
                return None, after
            after = close
        self.at = use
        tokens = tokens_of(self.clean, use, after, keep_origin=True)
        while True:
            try:
                expanded = self.expander.expand_use(tokens)
            except MacroLimit as limit:
                place = self.source.range(use, use + len(name))
                message = f"macro {name} is left as it is: {limit}"
                self.warnings.append(Diagnostic("preprocess-macro", message, place, "warning"))
                return tokens, after
            except MacroError as error:
                raise self.refuse("preprocess-macro", str(error), use, len(name)) from error
            # an expansion may end in the name of a function-like macro whose arguments come next
            last = self.macros.get(expanded[-1].text) if expanded else None
            if last is None or last.params is None or last.name in expanded[-1].hide:
                return expanded, after
            close = self.closing(after, end)
            if close is None:
                return expanded, after
            tokens = tokens_of(self.clean, use, close, keep_origin=True)
            after = close

    def closing(self, start: int, end: int) -> int | None:
        """The offset after the `)` of the argument list at `start`, None if there is none."""
        if self.unclosed > _MAX_UNCLOSED:
            return None
        depth = 0
        for match in _BRACKETS.finditer(self.clean, start, end):
            if depth == 0 and self.clean[start : match.start()].strip():
                return None
            if match[0] == "(":
                depth += 1
            elif match[0] == ")":
                depth -= 1
                if depth <= 0:
                    return match.end() if depth == 0 else None
            elif depth == 0:
                return None
        self.unclosed += depth > 0
        return None

    def emit(self, tokens: list[Token], use: int, after: int) -> None:
        """The tokens of an expansion; those of arguments keep their own places."""
        body_origin = Origin(self.index, use, after, is_macro=True)
        pieces = self.pieces
        previous: Token | None = None
        expected = -2
        index = -1
        while (index := index + 1) < len(tokens):
            token = tokens[index]
            if token.text == "_Pragma" and index + 3 < len(tokens):
                # _Pragma("unroll"): recorded where it stands
                words = tokens[index + 2].text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
                place = self.source.range(use, after)
                self.pragmas.append(Pragma(words.strip(), self.length, place))
                index += 3
                continue
            if previous is not None and needs_space(previous, token):
                pieces.append(" ")
                self.length += 1
                if token.origin != expected + 1:
                    expected = -2
                else:
                    expected += 1
            if token.origin < 0:
                if expected != -1:
                    self.map.add(self.length, body_origin)
                expected = -1
            else:
                if token.origin != expected:
                    self.map.add(
                        self.length, Origin(self.index, token.origin, token.origin + len(token.text))
                    )
                expected = token.origin + len(token.text)
            pieces.append(token.text)
            self.length += len(token.text)
            previous = token
        if self.length > _MAX_EXPANDED:
            raise self.refuse("preprocess-macro", "the text grows without bound", use)

    def special(self, name: str) -> str | None:
        return self.special_at(name, self.at)

    def special_at(self, name: str, at: int) -> str | None:
        match name:
            case "__LINE__":
                return str(self.source.place(at)[0])
            case "__FILE__":
                return '"' + self.source.name.replace("\\", "\\\\").replace('"', '\\"') + '"'
            case "__COUNTER__":
                self.counter += 1
                return str(self.counter - 1)
            case _:
                return None


def _join(tokens: list[Token]) -> str:
    return "".join((" " if t.space and i else "") + t.text for i, t in enumerate(tokens)).strip()


def _read(path: Path) -> str | None:
    try:
        if not path.is_file() or path.stat().st_size > _MAX_INCLUDE_BYTES:
            return None
        return path.read_bytes().decode("utf-8", errors="replace")
    except (OSError, ValueError):
        return None
