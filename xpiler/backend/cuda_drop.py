"""What only kernels used leaves a text whose kernels are written anew: vector types, structs of builtins."""

from __future__ import annotations

from xpiler.backend.cuda_fragments import without_fragments
from xpiler.backend.cuda_vectors import ATTRIBUTES, statement_end, statement_start
from xpiler.backend.hip_edits import EditList, apply
from xpiler.backend.hip_source import SourceText, Token


def without_device_types(text: str, file: str) -> str:
    """The text without the types that only the old kernels used."""
    text = without_fragments(text, file)
    for drop in (drop_structs, drop_vectors):
        source, edits = SourceText(text, file), EditList()
        drop(source, edits)
        text = apply(source.text, edits.settled())
    return text


def drop_structs(source: SourceText, edits: EditList) -> None:
    """`template <> struct mfma<32> { ... builtin ... };` goes, with the declarations of its name."""
    tokens = source.tokens
    device: set[str] = set()
    found: list[tuple[int, int, str]] = []
    for i, token in source.names():
        if token.text not in ("struct", "class") or tokens[i + 1].kind != "name":
            continue
        at = i + 2
        while tokens[at].kind != "end" and tokens[at].text not in ("{", ";", "(", ")", "="):
            at += 1
        close = source.match(at) if tokens[at].text == "{" else at if tokens[at].text == ";" else None
        if close is None:
            continue
        end = close + 1 if tokens[close].text == "}" and tokens[close + 1].text == ";" else close
        found.append((_template(source, i), end, tokens[i + 1].text))
        if any(t.text.startswith("__builtin_amdgcn_") for t in tokens[at:close]):
            device.add(tokens[i + 1].text)
    for first, end, name in found:
        if name in device:
            text = source.text[tokens[first].start : tokens[end].end]
            edits.replace(
                tokens[first].start, tokens[end].end, "\n" * text.count("\n"), "a type of the kernels"
            )


def drop_vectors(source: SourceText, edits: EditList) -> None:
    """The names of vector types go, where only kernels are told in them and those are written anew."""
    tokens = source.tokens
    for i, token in source.names():
        if token.text in ("__attribute__", "__attribute") and tokens[i + 3].text in ATTRIBUTES:
            first, last = statement_start(tokens, i), statement_end(tokens, i)
            outside = [t for t in tokens[first:last] if t.kind == "name" and t.text not in ATTRIBUTES]
            if tokens[first].text not in ("typedef", "using") or source.in_device_function(token.start):
                continue
            name = outside[1].text if tokens[first].text == "using" else outside[-1].text
            if name.startswith("__attribute"):  # the attribute came last
                name = [t.text for t in outside if t.start < token.start][-1]
            if not any(t.text == name and _is_used_by_host(source, t, last) for _, t in source.names()):
                first = _template(source, first)
                text = source.text[tokens[first].start : tokens[last].end]
                edits.replace(
                    tokens[first].start, tokens[last].end, "\n" * text.count("\n"), "a type of the kernels"
                )


def _is_used_by_host(source: SourceText, token: Token, last: int) -> bool:
    return token.start > source.tokens[last].start and not source.in_device_function(token.start)


def _template(source: SourceText, first: int) -> int:
    """Where `template <...>` before a declaration begins."""
    tokens = source.tokens
    if tokens[first - 1].text != ">":
        return first
    i = first - 1
    while i > 0 and tokens[i].text not in ("template", ";", "{", "}"):
        i -= 1
    return i if tokens[i].text == "template" else first
