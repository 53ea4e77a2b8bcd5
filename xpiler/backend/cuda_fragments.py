"""Fragments that a HIP text made from CUDA carries itself, as `nvcuda::wmma` again.

    namespace amd { namespace mfma { ... } }          #include <mma.h>
    mfma::fragment<mfma::matrix_a, ...> a;       -->  wmma::fragment<wmma::matrix_a, ...> a;

The definitions that `backend/hip_mfma.py` puts into a text stand for CUDA's fragments of 32 lanes.
"""

from __future__ import annotations

import re

from xpiler.backend.hip_edits import EditList, apply
from xpiler.backend.hip_source import SourceText

_REASON = "CUDA has these fragments"


def with_wmma(text: str, file: str) -> str:
    """The text with `nvcuda::wmma` in place of definitions of the same; lines do not move."""
    source = SourceText(text, file, known={})
    found = _definitions(source)
    if found is None:
        return text
    first, last = found
    edits = EditList()
    edits.replace(first, last, "#include <mma.h>" + "\n" * text.count("\n", first, last), _REASON)
    for i, token in source.names():
        if first <= token.start < last:
            continue
        if token.text == "mfma" and source.tokens[i + 1].text == "::":
            edits.replace(token.start, token.end, "wmma", _REASON)
        elif token.text == "amd":
            edits.replace(token.start, token.end, "nvcuda", _REASON)
    return apply(text, edits.settled())


def without_fragments(text: str, file: str) -> str:
    """The text without such definitions, for targets whose kernels are written anew."""
    source = SourceText(text, file, known={})
    found = _definitions(source)
    if found is None:
        return text
    edits = EditList()
    edits.replace(*found, "", _REASON)
    for i, token in source.names():
        if token.text == "using" and [t.text for t in source.tokens[i + 1 : i + 4]] == [
            "namespace",
            "amd",
            ";",
        ]:
            edits.replace(token.start, source.tokens[i + 3].end, "", _REASON)
    return apply(text, edits.settled())


def _definitions(source: SourceText) -> tuple[int, int] | None:
    """Where they stand."""
    tokens = source.tokens
    for i, token in source.names():
        if (
            token.text == "amd"
            and tokens[i - 1].text == "namespace"
            and [t.text for t in tokens[i + 1 : i + 4]] == ["{", "namespace", "mfma"]
        ):
            close = source.match(i + 1)
            if close is not None:
                end = tokens[close].end
                after = next((t for t in source.all_tokens if t.start >= end), None)
                if after is not None and after.text.startswith("//"):  # `} // namespace amd`
                    end = after.end
                return _with_comment(source, tokens[i - 1].start), end
    return None


def without_holes(text: str) -> str:
    """Where definitions were taken out, one blank line is left."""
    return re.sub(r"\n{8,}", "\n\n", text)


def _with_comment(source: SourceText, at: int) -> int:
    """Where the comment directly above a place begins."""
    for token in reversed([t for t in source.all_tokens if t.start < at]):
        if token.kind == "comment":
            at = token.start
        elif token.kind != "newline":
            break
    return at
