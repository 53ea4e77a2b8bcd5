"""The rewriting of CUDA and HIP text into C++ for the host emulator. Line numbers never change.

kernel<T><<<grid, block>>>(a, n)   -->  a launcher object called with (a, n)
__shared__ float tile[16][17];     -->  auto& tile = storage of this declaration, guarded and poisoned
extern __shared__ float buffer[];  -->  float *buffer = the launch's dynamic shared memory
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from xpiler.emulators.edits import Edit, apply
from xpiler.emulators.rewrite_lambdas import lambdas
from xpiler.emulators.scan import Stretch, Token, closing, opening, stretches


def prepare(text: str, file: str, platform: str) -> str:
    """`text` as C++ for the emulator, on the same lines. Text that is no program passes through."""
    del file, platform  # nothing depends on them yet
    text = text.replace("\r\n", "\n")
    edits: list[Edit] = []
    parts = stretches(text)
    shared = {"__shared__"} | {
        part.macro
        for part in parts
        if part.is_macro_body
        and "__shared__" in {t.text for t in part.tokens[:4]}
        and not any(t.text in (";", "[") for t in part.tokens)
    }
    kernels = None if any(_defines_kernels(part) for part in parts) else _kernel_names(text)
    for part in parts:
        edits += launches(text, part, kernels)
        if not (part.is_macro_body and part.macro in shared):
            edits += _shared_declarations(text, part, shared)
        edits += _words(text, part)
        edits += _forced_inlines(part, parts)
        edits += fixed_width_typedefs(text, part)
        edits += _vector_attributes(text, part)
        edits += _launch_by_pointer(part)
        edits += lambdas(text, part)
        edits += _untyped_kernels(part, kernels or frozenset())
    return apply(text, edits)


def quoted(text: str) -> str:
    return '"' + " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"') + '"'


def one_line(text: str) -> str:
    return text.replace("\\\n", " ").replace("\n", " ")


# ------------------------------------------------------------------------------------------------ launches


_GENERIC_LAMBDA = re.compile(r"\]\s*\([^(){};]*\bauto\b")
# `case F16: { using T = half; return f(); }`
_LOCAL_ALIAS = re.compile(r"\{\s*(?:using\s+\w+\s*=|typedef\b)")
_TEMPLATE_KERNEL = re.compile(r"\btemplate\s*<([^<>]*)>\s*(?:static\s+)?__global__\b([^;{}]*)")
_ATTRIBUTE = re.compile(r"\b__(?:launch_bounds|attribute)__\s*\(")


def _defines_kernels(part: Stretch) -> bool:
    return part.is_macro_body and any(t.text == "__global__" for t in part.tokens)


def _without_attributes(text: str) -> str:
    """`void __launch_bounds__(f(1024), g(h(2))) k(` --> `void  k(`"""
    while found := _ATTRIBUTE.search(text):
        depth, at = 1, found.end()
        while depth and at < len(text):
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        text = text[: found.start()] + text[at:]
    return text


def _kernel_names(text: str) -> frozenset[str]:
    """The functions that the text declares as kernels."""
    declared = (_declared_name(match[1]) for match in re.finditer(r"\b__global__\b([^;{}]*)", text))
    return frozenset(name for name in declared if name)


def _declared_name(declaration: str) -> str:
    name = re.search(r"(\w+)\s*(?:<[^()]*>\s*)?\(", _without_attributes(declaration))
    return name[1] if name else ""


def _told_by_address(text: str) -> dict[str, int]:
    """The kernel templates that are alone of their name, by the number of their parameters: with so many
    arguments each has an address. Only where a generic lambda may launch them, or what stands under a name
    that each branch gives another meaning: neither the words of the launch nor the function around say which
    instance it is."""
    if not (_GENERIC_LAMBDA.search(text) or _LOCAL_ALIAS.search(text)):
        return {}
    names = [_declared_name(match[1]) for match in re.finditer(r"\b__global__\b([^;{}]*)", text)]
    return {
        name: match[1].count(",") + 1
        for match in _TEMPLATE_KERNEL.finditer(text)
        if names.count(name := _declared_name(match[2])) == 1 and "..." not in match[1]
    }


def launches(text: str, part: Stretch, kernels: frozenset[str] | None = None) -> list[Edit]:
    """The launches of a stretch. `kernels`: all names of kernels; any other callee is a pointer to one. None
    if that is not known."""
    tokens = part.tokens
    edits: list[Edit] = []
    sized = _told_by_address(text)
    before, after = ("::xpemu::captured(", ")))") if "StreamBeginCapture" in text else ("", "))")
    for index, token in enumerate(tokens):
        if token.text != "<<<" or index == 0:
            continue
        begin = _kernel_start(tokens, index - 1)
        end = _launch_end(tokens, index)
        if begin is None or end is None:
            continue
        kernel = text[tokens[begin].start : tokens[index - 1].end]
        name = f"XPEMU_TEXT({one_line(kernel)})" if part.is_macro_body else quoted(kernel)
        named = re.fullmatch(r"(?:\w*\s*::\s*)*(\w+)\s*(<.*>)?", kernel, re.S)
        if kernels and not part.is_macro_body and not (named and (named[2] or named[1] in kernels)):
            edits.append(
                Edit(tokens[begin].start, tokens[begin].start, f"{before}::xpemu::pointer_launcher(")
            )
            edits.append(Edit(token.start, token.end, f", {name}, __LINE__, ::xpemu::Config("))
        else:
            if named and not part.is_macro_body and sized.get(named[1]) == _count(named[2] or ""):
                address = f"reinterpret_cast<const void*>(&{one_line(kernel)})"
                name = f"::xpemu::function_name([&] {{ return {address}; }}(), {name})"
            head = f"{before}::xpemu::launcher({name}, __LINE__, [&](auto&... xpemu_a) {{ "
            edits.append(Edit(tokens[begin].start, tokens[begin].start, head))
            edits.append(Edit(token.start, token.end, "(xpemu_a...); }, ::xpemu::Config("))
        edits.append(Edit(tokens[end].start, tokens[end].end, after))
        edits += _null_arguments(tokens, end + 1)
    return edits


def _count(arguments: str) -> int:
    """How many template arguments `<a, b<c>>` has."""
    depth, commas = 0, 0
    for character in arguments:
        depth += (character in "<(") - (character in ">)")
        commas += character == "," and depth == 1
    return commas + 1 if arguments else 0


def _kernel_start(tokens: tuple[Token, ...], last: int) -> int | None:
    """First token of the kernel expression ending at `last`: names, `::`, `.`, `->`, template arguments."""
    index = last
    while True:
        if tokens[index].text in (">", ">>>", ")", "]"):
            begin = opening(tokens, index)
            if begin is None:
                return None
            if tokens[index].text == ")" and (begin == 0 or tokens[begin - 1].kind != "word"):
                return begin
            index = begin - 1
            if index < 0:
                return None
        if tokens[index].kind != "word":
            return None
        if index >= 1 and tokens[index - 1].text in ("::", "->", ".", "template", "##"):
            index -= 1
            while index >= 1 and tokens[index].text == "template":
                index -= 1
            if index == 0 or (
                tokens[index - 1].kind != "word" and tokens[index - 1].text not in (">", ">>>", ")", "]")
            ):
                return index  # ::kernel
            if tokens[index - 1].text in ("return", "else", "do"):
                return index
            index -= 1
            continue
        return index


def _launch_end(tokens: tuple[Token, ...], start: int) -> int | None:
    depth = 0
    for index in range(start + 1, len(tokens)):
        match tokens[index].text:
            case "(" | "[" | "{":
                depth += 1
            case ")" | "]" | "}":
                depth -= 1
                if depth < 0:
                    return None
            case ">>>" if depth == 0:
                return index
            case ";" if depth == 0:
                return None
    return None


def _null_arguments(tokens: tuple[Token, ...], at: int) -> list[Edit]:
    """NULL passed to a pointer parameter: the forwarding call keeps only its integer type, so name it."""
    if at >= len(tokens) or tokens[at].text != "(":
        return []
    end = closing(tokens, at)
    if end is None:
        return []
    return [
        Edit(token.start, token.end, "nullptr")
        for index, token in enumerate(tokens[at + 1 : end], at + 1)
        if token.text == "NULL" and tokens[index - 1].text in "(," and tokens[index + 1].text in "),"
    ]


_BY_POINTER = ("LaunchKernel", "LaunchCooperativeKernel")


def _launch_by_pointer(part: Stretch) -> list[Edit]:
    """`cudaLaunchKernel((void*)kernel, ...)`: without the cast the emulator sees the parameter types."""
    edits: list[Edit] = []
    tokens = part.tokens
    for index, token in enumerate(tokens):
        if token.kind != "word" or not token.text.endswith(_BY_POINTER):
            continue
        rest = tokens[index + 1 : index + 8]
        words = [t.text for t in rest]
        if (
            words[:2] == ["(", "("]
            and "*" in words
            and ")" in words
            and set(words[2 : words.index(")")]) <= {"const", "void", "*"}
        ):
            close = words.index(")")
            edits.append(Edit(rest[1].start, rest[close].end, ""))
        elif (
            len(words) > 3
            and words[0] == "("
            and words[1] == "reinterpret_cast"
            and words[2] == "<"
            and ">" in words
        ):
            edits.append(Edit(rest[1].start, rest[words.index(">")].end, ""))
    return edits


def _angle_close(tokens: tuple[Token, ...], at: int) -> int:
    """Index of the `>` that closes the template arguments which begin at the `<` at `at`."""
    depth = 0
    for index in range(at, len(tokens)):
        depth += {"<": 1, ">": -1, ">>": -2}.get(tokens[index].text, 0)
        if depth <= 0:
            return index
    return at


def _untyped_kernels(part: Stretch, kernels: frozenset[str]) -> list[Edit]:
    """`f = (const void *)kernel;`: the emulator notes with which parameters that address is to be called."""
    edits: list[Edit] = []
    tokens = part.tokens
    for index, token in enumerate(tokens):
        if token.text != "void":
            continue
        first = index - 1 - (tokens[index - 1].text == "const")
        at = index + 1
        while at < len(tokens) and tokens[at].text in ("*", "const"):
            at += 1
        if first < 0 or at >= len(tokens):
            continue
        if (tokens[first].text, tokens[at].text) == ("(", ")"):
            at += 1
        elif (tokens[first - 1].text, tokens[first].text, tokens[at].text) == ("reinterpret_cast", "<", ">"):
            first, at = first - 1, at + 2  # its parenthesis stays
        else:
            continue
        if first > 1 and tokens[first - 1].text == "(" and tokens[first - 2].text.endswith(_BY_POINTER):
            continue  # without the cast, see `_launch_by_pointer`
        begin = at
        while at + 1 < len(tokens) and (tokens[at].text in ("&", "::") or tokens[at + 1].text == "::"):
            at += 1
        if at >= len(tokens) or tokens[at].text not in kernels:
            continue
        last = at
        if at + 1 < len(tokens) and tokens[at + 1].text == "<":
            last = _angle_close(tokens, at + 1)
        is_new_style = tokens[first].text == "reinterpret_cast"
        edits.append(Edit(tokens[first].start, tokens[begin].start, f"::xpemu::untyped({'(' * is_new_style}"))
        edits.append(Edit(tokens[last].end, tokens[last].end, ")"))
    return edits


# --------------------------------------------------------------------------------------------------- shared


def _shared_declarations(text: str, part: Stretch, words: set[str]) -> list[Edit]:
    tokens = part.tokens
    edits: list[Edit] = []
    scopes: list[bool] = []  # for every open brace: is it a namespace?
    parentheses = 0
    for index, token in enumerate(tokens):
        if token.kind == "punct":
            if token.text == "{":
                scopes.append(opens_namespace(tokens, index))
            elif token.text == "}" and scopes:
                scopes.pop()
            elif token.text == "(":
                parentheses += 1
            elif token.text == ")":
                parentheses -= 1
        if token.kind == "word" and token.text in words and parentheses <= 0:
            at_namespace = not part.is_macro_body and all(scopes)
            edit = _declaration(text, tokens, index, words, at_namespace)
            if edit is not None:
                edits.append(edit)
    return edits


def opens_namespace(tokens: tuple[Token, ...], brace: int) -> bool:
    for index in range(brace - 1, max(-1, brace - 6), -1):
        token = tokens[index]
        if token.text == "namespace":
            return True
        if token.kind == "string":
            return index > 0 and tokens[index - 1].text == "extern"
        if token.kind != "word" and token.text not in ("::",):
            return False
    return False


@dataclass(frozen=True)
class _Declarator:
    prefix: str  # pointer stars
    name: str
    suffix: str  # array extents
    unsized: bool


def declaration_span(tokens: tuple[Token, ...], at: int) -> tuple[int, int] | None:
    """First token of the declaration that the word at `at` belongs to, and the index of its semicolon."""
    start = at
    while start > 0 and tokens[start - 1].text not in (";", "{", "}", ":", ")"):
        start -= 1
    while start < at and tokens[start].text in ("(", "else", "do", "public", "private"):
        start += 1
    if start > 1 and tokens[start - 1].text == ")":  # alignas(16) __shared__ ...
        begin = opening(tokens, start - 1)
        if (
            begin is not None
            and begin > 0
            and tokens[begin - 1].text in ("alignas", "__align__", "__attribute__")
        ):
            start = begin - 1
            while start > 0 and tokens[start - 1].kind == "word":
                start -= 1
    end = at
    while end < len(tokens) and tokens[end].text != ";":
        if tokens[end].text in ("(", "[", "{"):
            close = closing(tokens, end)
            if close is None:
                return None
            end = close
        end += 1
    return start, end


def _declaration(
    text: str, tokens: tuple[Token, ...], at: int, words: set[str], at_namespace: bool
) -> Edit | None:
    span = declaration_span(tokens, at)
    if span is None:
        return None
    start, end = span
    body = [t for t in tokens[start:end] if t.text not in words]
    if len(body) < 2:
        return None
    external = any(t.text == "extern" for t in body)
    body = [t for t in body if t.text not in ("extern", "static")]
    first, pieces = split_declarators(body)
    if first is None:
        return None
    specifiers = body[:first]
    last = tokens[end - 1].end
    whole = text[tokens[start].start : last]
    if external:
        result = _external(text, specifiers, pieces, at_namespace)
    elif at_namespace:
        return None
    else:
        result = _sites(text, specifiers, pieces)
    if result is None:
        return None
    continued = "\\\n" if "\\\n" in whole else "\n"
    return Edit(tokens[start].start, last, result + continued * whole.count("\n"))


def split_declarators(body: list[Token]) -> tuple[int | None, list[list[Token]]]:
    """Index of the first declarator's first token and the tokens of every declarator."""
    angle = depth = 0
    stop = len(body)
    for index, token in enumerate(body):
        if token.text in ("(", "{"):
            depth += 1
        elif token.text in (")", "}"):
            depth -= 1
        elif depth == 0 and token.text == "<":
            angle += 1
        elif depth == 0 and token.text in (">", ">>>"):
            angle -= len(token.text)
        elif depth == 0 and angle <= 0 and token.text in ("[", ",", "="):
            stop = index
            break
    name = next((i for i in range(stop - 1, -1, -1) if body[i].kind == "word" or body[i].text == ")"), None)
    if name is None or body[name].text == ")" or name == 0:
        return None, []
    first = name
    while first >= 2 and body[first - 1].text == "##":  # name##suffix in a macro
        first -= 2
    while first > 0 and body[first - 1].text in ("*", "&"):
        first -= 1
    if first == 0:
        return None, []
    pieces: list[list[Token]] = [[]]
    depth = 0
    for token in body[first:]:
        if token.text in ("(", "[", "{"):
            depth += 1
        elif token.text in (")", "]", "}"):
            depth -= 1
        if token.text == "," and depth == 0:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return first, pieces


def parse_declarator(text: str, piece: list[Token]) -> _Declarator | None:
    words = [i for i, t in enumerate(piece) if t.kind == "word"]
    if not words:
        return None
    at = words[0]
    last = at
    while last + 2 < len(piece) and piece[last + 1].text == "##":
        last += 2
    suffix = one_line(text[piece[last].end : piece[-1].end])
    unsized = len(piece) > last + 2 and piece[last + 1].text == "[" and piece[last + 2].text == "]"
    name = one_line(text[piece[at].start : piece[last].end])
    return _Declarator("".join(t.text for t in piece[:at]), name, suffix, unsized)


def _sites(text: str, specifiers: list[Token], pieces: list[list[Token]]) -> str | None:
    """One storage site for each declarator, so that each has its own redzones."""
    kind = " ".join(t.text for t in specifiers)
    out: list[str] = []
    for piece in pieces:
        declarator = parse_declarator(text, piece)
        if declarator is None or declarator.unsized:
            return None
        member = f"{kind} {declarator.prefix}{declarator.name}{declarator.suffix}"
        out.append(
            f"auto& {declarator.name} = []() -> auto& {{ struct XpemuShared {{ {member}; }}; "
            f"static ::xpemu::SharedSite xpemu_site{{{quoted(declarator.name)}, __LINE__, "
            f"sizeof(XpemuShared), alignof(XpemuShared), nullptr, 0}}; "
            f"return ::xpemu::shared<XpemuShared>(xpemu_site).{declarator.name}; }}()"
        )
    return "; ".join(out)


ALIGNMENT = {"alignas", "__align__", "__attribute__", "__builtin_align__"}


def _external(
    text: str, specifiers: list[Token], pieces: list[list[Token]], at_namespace: bool
) -> str | None:
    kind: list[str] = []
    index = 0
    while index < len(specifiers):
        token = specifiers[index]
        if token.text in ALIGNMENT and index + 1 < len(specifiers) and specifiers[index + 1].text == "(":
            index = (closing(tuple(specifiers), index + 1) or index + 1) + 1
            continue
        kind.append(token.text)
        index += 1
    out: list[str] = []
    for piece in pieces:
        declarator = parse_declarator(text, piece)
        if declarator is None or not declarator.unsized:
            return None
        rest = declarator.suffix[declarator.suffix.index("]") + 1 :].strip()
        type_name = " ".join(kind) + " " + declarator.prefix
        if at_namespace:
            if rest:
                return None
            out.append(f"static ::xpemu::DynamicSharedArray<{type_name}> {declarator.name}")
        elif rest:
            out.append(f"{type_name}(*{declarator.name}){rest} = ::xpemu::DynamicShared()")
        else:
            out.append(f"{type_name}*{declarator.name} = ::xpemu::DynamicShared()")
    return "; ".join(out)


# ---------------------------------------------------------------------------------------------- small words

_FIXED_WIDTH = {f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)} | {
    "size_t",
    "uintptr_t",
}


def fixed_width_typedefs(text: str, part: Stretch) -> list[Edit]:
    """`typedef unsigned long long uint64_t;` of texts for the runtime compiler: the host has these names."""
    edits: list[Edit] = []
    tokens = part.tokens
    for index, token in enumerate(tokens):
        if token.text != "typedef":
            continue
        end = next((i for i in range(index, min(index + 8, len(tokens))) if tokens[i].text == ";"), None)
        if end is not None and tokens[end - 1].text in _FIXED_WIDTH:
            edits.append(_blank(text, token.start, tokens[end].end))
    return edits


def _blank(text: str, start: int, end: int) -> Edit:
    return Edit(start, end, "\n" * text[start:end].count("\n"))


def _words(text: str, part: Stretch) -> list[Edit]:
    """`__noinline__` cannot be a macro: the system's headers use that word inside attributes."""
    return [
        Edit(token.start, token.end, "__attribute__((noinline))")
        for index, token in enumerate(part.tokens)
        if token.text == "__noinline__" and (index == 0 or part.tokens[index - 1].text != "(")
    ]


_INLINE = frozenset(("inline", "__inline__", "__inline"))


def _forced_inlines(part: Stretch, parts: Sequence[Stretch]) -> list[Edit]:
    """`__forceinline__` is `inline`, so that files which include a function may be linked, but where a
    declaration says that besides: C++ takes it once. (Those and lambdas keep the macro, which is nothing.)"""
    macros = [(p.macro, {t.text for t in p.tokens}) for p in parts if p.is_macro_body]
    known = _INLINE | {name for name, words in macros if _INLINE & words and name != part.macro}
    forced = {name for name, words in macros if "__forceinline__" in words and name != part.macro}
    if part.is_macro_body and any(
        known & _beside(other.tokens, at)
        for other in parts
        for at, token in enumerate(other.tokens)
        if token.text == part.macro
    ):
        return []
    return [
        Edit(token.start, token.end, "inline")
        for at, token in enumerate(part.tokens)
        if token.text == "__forceinline__" and not ({*known, *forced, "]", ")"} & _beside(part.tokens, at))
    ]


def _beside(tokens: Sequence[Token], at: int) -> set[str]:
    """The words in one row with a token, with what stands before them; one like it is told of the first."""
    first, last = at, at + 1
    while first > 0 and tokens[first - 1].kind == "word":
        first -= 1
    while last < len(tokens) and tokens[last].kind == "word":
        last += 1
    row = [token.text for token in tokens[max(first - 1, 0) : last]]
    again = {"inline"} if tokens[at].text in row[: at - max(first - 1, 0)] else set[str]()
    return {*row} | again


_VECTOR_ATTRIBUTES = {
    "ext_vector_type": "vector",
    "__ext_vector_type__": "vector",
    "vector_size": "vector_of_bytes",
    "__vector_size__": "vector_of_bytes",
}


def _vector_attributes(text: str, part: Stretch) -> list[Edit]:
    """`typedef float f4 __attribute__((ext_vector_type(4)))` names the emulator's vector class instead."""
    tokens = part.tokens
    edits: list[Edit] = []
    for index, token in enumerate(tokens):
        if token.text not in _VECTOR_ATTRIBUTES or index < 3 or tokens[index - 1].text != "(":
            continue
        attribute = index - 3
        if tokens[attribute].text not in ("__attribute__", "__attribute"):
            continue
        count_end = closing(tokens, index + 1)
        end = closing(tokens, attribute + 1)
        if count_end is None or end is None:
            continue
        count = one_line(text[tokens[index + 1].start : tokens[count_end].end])
        start = attribute
        while start > 0 and tokens[start - 1].text not in (";", "{", "}", "=", "(", ","):
            start -= 1
        stop = end + 1
        before = tokens[start:attribute]
        template = _VECTOR_ATTRIBUTES[token.text]
        if before and before[0].text == "typedef":
            while stop < len(tokens) and tokens[stop].text != ";":
                stop += 1
            words = [t.text for t in (*before[1:], *tokens[end + 1 : stop])]
            new = f"typedef ::xpemu::{template}<{' '.join(words[:-1])}, {count}> {words[-1]}"
        elif start > 0 and tokens[start - 1].text == "=":  # using name = float __attribute__(...)
            while stop < len(tokens) and tokens[stop].text != ";":
                stop += 1
            words = [t.text for t in (*before, *tokens[end + 1 : stop])]
            new = f"::xpemu::{template}<{' '.join(words)}, {count}>"
        else:  # float __attribute__(...) name
            new = f"::xpemu::{template}<{' '.join(t.text for t in before)}, {count}>"
        whole = text[tokens[start].start : tokens[stop - 1].end]
        edits.append(Edit(tokens[start].start, tokens[stop - 1].end, new + "\n" * whole.count("\n")))
    return edits
