"""Length-preserving masking: blank what the grammar cannot take and the syntax does not need.

What is blanked here is still in `SyntaxUnit.expanded`, at the same offsets, for whoever wants to know it: the
alignment of a struct, the launch bounds of a kernel.
"""

from __future__ import annotations

import re

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_NOT_NEWLINE = re.compile(r"[^\n]")

# Decorations with a parenthesized argument, which the grammar takes in some places only, or not at all.
_WITH_ARGUMENT = re.compile(
    r"\b(?:__align__|alignas|_Alignas|__attribute__|__attribute|__declspec|__launch_bounds__|__cluster_dims__"
    r"|__maxnreg__|__block_size__|__nv_pure__)\s*(?=\()"
)
_PLAIN = re.compile(
    r"\b(?:__grid_constant__|__extension__|__nv_pure__|__cdecl|__stdcall|CUDARTAPI|CUDAAPI|CUDA_CB|WINAPI|__tile__)\b"
    r"|\bexplicit\b(?:\s*\([^()]*\)(?=\s*\w))?"  # after `__host__ __device__` it is a type to the grammar
    r"|\[\[[^\[\]]*\]\]"  # [[nodiscard]]
    r"|^[ \t]*(?:extern\s+)?template\s+(?:class|struct)\s[^;{}()]*;"  # explicit instantiation of a class
    r"|(?<=[^\]]\])(?:\s*__(?:device|host|forceinline)__\b)+",  # [=] __device__ (int i) { }
    re.MULTILINE,
)


def prepare(text: str) -> str:
    """Text of the same length, in ASCII, that the grammar can parse; offsets do not move."""
    if not text.isascii():
        text = _NOT_ASCII.sub("_", text)
    pieces: list[str] = []
    done = 0
    for match in _WITH_ARGUMENT.finditer(text):
        if match.start() < done:
            continue
        end = closing(text, match.end())
        if end is None:
            continue
        pieces += (text[done : match.start()], _NOT_NEWLINE.sub(" ", text[match.start() : end]))
        done = end
    pieces.append(text[done:])
    return _PLAIN.sub(lambda m: _NOT_NEWLINE.sub(" ", m[0]), "".join(pieces))


_FAR = 4_000  # characters; no argument list of a decoration is longer
_PARENTHESES = re.compile(r'[()]|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')


def closing(text: str, start: int) -> int | None:
    """The offset after the parenthesis that closes the one at `start`, None if there is none nearby."""
    depth = 0
    for match in _PARENTHESES.finditer(text, start, start + _FAR):
        if match[0] == "(":
            depth += 1
        elif match[0] == ")":
            depth -= 1
            if depth == 0:
                return match.end()
    return None
