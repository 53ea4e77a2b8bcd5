"""WMMA --> MFMA: the namespace changes, the operations are defined in the file; no index, no launch changes.

The decision and its reasons: `hip_mfma_helpers`.
"""

from __future__ import annotations

from xpiler.backend.hip_edits import EditList
from xpiler.backend.hip_source import SourceText
from xpiler.backend.hip_types import BFLOAT_NAMES

_BYTES = frozenset("char int8_t uint8_t uchar".split())
_REASON = "the tile operations for AMD's matrix cores"


def translate_wmma(source: SourceText, edits: EditList) -> None:
    """`nvcuda::wmma::` --> `amd::mfma::`."""
    names = {t.text for _, t in source.names()}
    if "wmma" not in names and "nvcuda" not in names:
        return
    tokens = source.tokens
    for i, token in source.names():
        neighbours = {tokens[i - 1].text, tokens[i + 1].text if i + 1 < len(tokens) else ""}
        of_cuda = i > 1 and [t.text for t in tokens[i - 2 : i]] == ["nvcuda", "::"]
        named = neighbours & {"::", "namespace"} and "wmma" not in source.defined
        if token.text == "wmma" and (of_cuda or named):
            edits.replace(token.start, token.end, "mfma", _REASON)
        elif token.text == "nvcuda":
            edits.replace(token.start, token.end, "amd", _REASON)
        elif token.text in ("experimental", "bmma_sync") and "::" in neighbours:
            raise source.refuse(
                "hip-wmma",
                "sub-byte and one-bit WMMA have no counterpart on CDNA",
                token,
                "use int8 fragments",
            )
        elif token.text == "fragment" and (name := _double_operand(source, i)):
            raise source.refuse(
                "hip-wmma", f"WMMA fragments of {name} are not translated", token, "use a plain loop"
            )
    edits.need("mfma")
    if names & BFLOAT_NAMES:
        edits.need("mfma_bf16")
    if names & _BYTES:
        edits.need("mfma_int8")
        edits.need("mfma_saturating")
    if "tf32" in names:
        edits.need("mfma_tf32")
    edits.note(
        "WMMA runs on the 4x4 MFMA instructions; blocks keep their size, a wave works for two CUDA warps"
    )


def _double_operand(source: SourceText, i: int) -> str:
    """`double` if the fragment's template arguments name it."""
    for token in source.tokens[i + 1 : i + 40]:
        if token.text in (">", ";"):
            return ""
        if token.text == "double":
            return "double"
    return ""
