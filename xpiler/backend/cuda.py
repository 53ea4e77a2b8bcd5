"""HIP text to CUDA text, by edits in place: the mirror of `backend/hip.py`.

Macros, templates, comments and formatting survive; only what differs in substance is edited. What AMD's
compiler has built in and CUDA has not is defined in the file itself (`cuda_helpers`), or refused.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from xpiler.backend.cuda_fragments import with_wmma, without_holes
from xpiler.backend.cuda_helpers import definitions
from xpiler.backend.cuda_host import rename_api, rename_headers, rename_matrix_types
from xpiler.backend.cuda_kernel import refuse_what_is_amds, translate_intrinsics
from xpiler.backend.cuda_shared import ask_for_shared_memory
from xpiler.backend.cuda_vectors import translate_operators, translate_vectors
from xpiler.backend.cuda_waves import translate_waves, uses_matrices, uses_waves
from xpiler.backend.hip_edits import Edit, EditList, apply
from xpiler.backend.hip_source import SourceText
from xpiler.platforms import hip_names

__all__ = [
    "CudaTranslation",
    "has_matrices",
    "host_as_cuda",
    "to_cuda",
    "waves_matter",
]


@dataclass(frozen=True)
class CudaTranslation:
    """The CUDA text, the edits that made it (places in the HIP text) and what the user should know."""

    text: str
    edits: tuple[Edit, ...]
    notes: tuple[str, ...]


def has_matrices(text: str, file: str) -> bool:
    """Whether the text has matrix instructions or fragments of whole waves."""
    return uses_matrices(_source(text, file))


def waves_matter(text: str, file: str) -> bool:
    """Whether anything in the text depends on how many lanes a wave has."""
    return uses_waves(_source(text, file))


def to_cuda(
    text: str, file: str, *, native: bool = False, operators: Collection[str] = ()
) -> CudaTranslation:
    """The CUDA text of a HIP file. Raises `Refusal` at the first thing that has no CUDA twin.

    `native`: whole waves are taken as warps of 32 lanes; else two warps stand for a wave of 64. `operators`:
    the vector types whose operators the kernels are known to use.
    """
    source, edits = _source(text, file), EditList()
    rename_headers(source, edits)
    rename_api(source, edits)
    ask_for_shared_memory(source, edits)
    translate_vectors(source, edits)
    translate_operators(source, edits, operators)
    translate_waves(source, edits, native)
    translate_intrinsics(source, edits)
    refuse_what_is_amds(source, edits)
    if edits.helpers:
        _insert_helpers(source, edits)
    settled = edits.settled()
    made = apply(source.text, settled)
    if source.text != text:
        made = without_holes(made)
    return CudaTranslation(made, settled, tuple(edits.notes))


def host_as_cuda(text: str, file: str) -> str:
    """The text with CUDA's host names; kernels stay as they are. Lines do not move."""
    source, edits = SourceText(text, file, known=hip_names.KNOWN_MACROS), EditList()
    rename_headers(source, edits)
    rename_api(source, edits)
    rename_matrix_types(source, edits)
    return apply(source.text, edits.settled())


def _source(text: str, file: str) -> SourceText:
    return SourceText(with_wmma(text, file), file, known=hip_names.KNOWN_MACROS)


def _insert_helpers(source: SourceText, edits: EditList) -> None:
    """Puts the definitions after the includes."""
    at = 0
    for directive in source.directives:
        if directive.word == "include" and directive.depth == 0 and directive.start < source.first_body:
            at = directive.end
    body = definitions(edits.helpers).replace("\n", source.newline)
    edits.insert(
        at, f"{source.newline}{body}{source.newline}", "what this file uses of HIP that CUDA has not"
    )
