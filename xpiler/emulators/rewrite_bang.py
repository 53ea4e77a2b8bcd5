"""The rewriting of BANG C text into C++ for the host emulator. Line numbers never change.

kernel<<<dim, type, queue>>>(a, n)   -->  a launcher object called with (a, n)
__nram__ float tile[256];            -->  a reference to the storage of this variable, guarded and poisoned
__asm__ volatile("sync;");           -->  __sync();
"""

from __future__ import annotations

import re

from xpiler.emulators.edits import Edit, apply
from xpiler.emulators.rewrite import (
    ALIGNMENT,
    declaration_span,
    fixed_width_typedefs,
    launches,
    one_line,
    opens_namespace,
    parse_declarator,
    quoted,
    split_declarators,
)
from xpiler.emulators.scan import Stretch, Token, closing, stretches

_SPACES = {"__nram__": "nram", "__wram__": "wram", "__mlu_shared__": "sram", "__ldram__": "ldram"}

# What shows that a program gives the memory core something to do.
_MEMORY_CORE = {
    "GDRAM2SRAM",
    "SRAM2GDRAM",
    "LDRAM2SRAM",
    "SRAM2LDRAM",
    "SRAM2SRAM",
    "__is_mpu",
    "__is_ipu",
    "__sramset",
    "__sramset_async",
    "__sync_all_mpu",
    "0x80",
}


def prepare_bang(text: str) -> str:
    """`text` as C++ for the emulator, on the same lines. Text that is no program passes through."""
    text = text.replace("\r\n", "\n")
    parts = stretches(text)
    spaces = dict(_SPACES)
    for part in parts:  # #define NRAM __nram__
        words = [t.text for t in part.tokens]
        if part.is_macro_body and 0 < len(words) <= 2 and set(words) & _SPACES.keys():
            spaces[part.macro] = _SPACES[(set(words) & _SPACES.keys()).pop()]
    edits: list[Edit] = []
    for part in parts:
        edits += launches(text, part)
        edits += fixed_width_typedefs(text, part)
        edits += _kernels_by_pointer(part)
        edits += _assembly(part)
        if part.macro not in spaces:
            edits += _declarations(text, part, spaces)
    result = apply(text, edits)
    if any(token.text in _MEMORY_CORE for part in parts for token in part.tokens):
        result += "\nstatic ::xpemu::UsesMemoryCore xpemu_uses_memory_core;\n"
    return result


def _declarations(text: str, part: Stretch, spaces: dict[str, str]) -> list[Edit]:
    tokens = part.tokens
    edits: list[Edit] = []
    scopes: list[bool] = []  # for every open brace: is it a namespace?
    parentheses = 0
    for index, token in enumerate(tokens):
        match token.text:
            case "{":
                scopes.append(opens_namespace(tokens, index))
            case "}" if scopes:
                scopes.pop()
            case "(":
                parentheses += 1
            case ")":
                parentheses -= 1
            case word if word in spaces and parentheses <= 0:
                at_namespace = not part.is_macro_body and all(scopes)
                edit = _declaration(text, tokens, index, spaces, at_namespace, part.is_macro_body)
                edits += [edit] if edit else []
    return edits


def _declaration(
    text: str,
    tokens: tuple[Token, ...],
    at: int,
    spaces: dict[str, str],
    at_namespace: bool,
    in_macro: bool,
) -> Edit | None:
    span = declaration_span(tokens, at)
    if span is None:
        return None
    start, end = span
    body = [
        t
        for t in tokens[start:end]
        if t.text not in spaces and t.text not in ("static", "extern", "volatile")
    ]
    body = _without_alignment(body)
    first, pieces = split_declarators(body)
    if first is None:
        return None
    kind = " ".join(t.text for t in body[:first])
    space = spaces[tokens[at].text]
    out = [_variable(text, kind, piece, space, at_namespace, in_macro) for piece in pieces]
    if any(o is None for o in out):
        return None
    last = tokens[end - 1].end
    whole = text[tokens[start].start : last]
    continued = "\\\n" if "\\\n" in whole else "\n"
    return Edit(tokens[start].start, last, "; ".join(o for o in out if o) + continued * whole.count("\n"))


def _without_alignment(body: list[Token]) -> list[Token]:
    kept: list[Token] = []
    index = 0
    while index < len(body):
        if body[index].text in ALIGNMENT and index + 1 < len(body) and body[index + 1].text == "(":
            index = (closing(tuple(body), index + 1) or index + 1) + 1
            continue
        kept.append(body[index])
        index += 1
    return kept


def _variable(
    text: str, kind: str, piece: list[Token], space: str, at_namespace: bool, in_macro: bool
) -> str | None:
    """One variable as a reference to its storage; None for what stays as it is (pointers to a scratchpad)."""
    equals = next((i for i, t in enumerate(piece) if t.text == "="), None)
    d = parse_declarator(text, piece[:equals])
    if d is None or d.unsized or (d.prefix and not d.suffix):
        return None
    value = one_line(text[piece[equals].end : piece[-1].end]) if equals is not None else ""
    name, extent = d.name, d.suffix
    # A name of its own for the type: an extent that is known at run time only makes a new type each time.
    glue = "##" if in_macro else ""  # the name may be a parameter
    own = f"xpemu_type_of_{glue}{name}"
    type_name = f"typedef {kind} {d.prefix}{own}{extent}"
    shown = f"XPEMU_TEXT({name})" if in_macro else quoted(name)
    where = f"{shown}, __LINE__, ::xpemu::Space::{space}"
    if at_namespace:
        initial = f", &xpemu_initial_{glue}{name}" if value else ""
        source = f"::xpemu::file_scope({where}, sizeof({own}){initial})"
    else:
        variable = f"static ::xpemu::Variable xpemu_variable{{{where}}}; return xpemu_variable;"
        source = f"::xpemu::storage([]() -> ::xpemu::Variable& {{ {variable} }}(), sizeof({own}))"
    result = f"{own} &{name} = *({own} *){source}"
    if value and at_namespace:
        return f"{type_name}; static {own} xpemu_initial_{glue}{name} = {value}; static {result}"
    if value and extent:
        copied = f"std::memcpy(&{name}, &xpemu_initial_{glue}{name}, sizeof({own}))"
        return f"{type_name}; {own} xpemu_initial_{glue}{name} = {value}; {result}; {copied}"
    if value:
        return f"{type_name}; {result}; {name} = {value}"
    return f"{type_name}; {'static ' if at_namespace else ''}{result}"


def _kernels_by_pointer(part: Stretch) -> list[Edit]:
    """`cnrtInvokeKernel_V2((void *)&kernel, ...)`: without the cast the emulator sees the parameter types."""
    edits: list[Edit] = []
    tokens = part.tokens
    for index, token in enumerate(tokens):
        if not token.text.startswith("cnrtInvokeKernel"):
            continue
        words = [t.text for t in tokens[index + 1 : index + 8]]
        if (
            words[:2] == ["(", "("]
            and ")" in words
            and set(words[2 : words.index(")")]) <= {"const", "void", "*"}
        ):
            edits.append(Edit(tokens[index + 2].start, tokens[index + 1 + words.index(")")].end, ""))
    return edits


def _assembly(part: Stretch) -> list[Edit]:
    """Barriers of the assembler that kernels write inline; other assembly cannot be run."""
    edits: list[Edit] = []
    tokens = part.tokens
    for index, token in enumerate(tokens):
        if token.text not in ("__asm__", "asm", "__asm"):
            continue
        start = index + 1
        while start < len(tokens) and tokens[start].text in ("volatile", "__volatile__"):
            start += 1
        end = closing(tokens, start) if start < len(tokens) and tokens[start].text == "(" else None
        if end is None or start + 1 >= end or tokens[start + 1].kind != "string":
            continue
        code = re.sub(r"\\[nt]|\s", "", tokens[start + 1].text.strip('"'))
        if set(filter(None, code.split(";"))) == {"sync"}:
            edits.append(Edit(token.start, tokens[end].end, "__sync()"))
    return edits
