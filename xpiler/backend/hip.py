"""CUDA text to HIP text, by edits in place.

CUDA and HIP share the programming model, so the text is kept: macros, templates, comments and formatting
survive byte for byte, and only what differs in substance is edited. Each rule is one function over the
tokens of the file; what HIP 5.2 has no twin for is defined in the file itself (`hip_helpers`), or refused
with its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xpiler.backend.hip_edits import Edit, EditList, apply
from xpiler.backend.hip_groups import translate_groups
from xpiler.backend.hip_half import translate_small_floats
from xpiler.backend.hip_half_parts import translate_half_parts
from xpiler.backend.hip_helpers import definitions
from xpiler.backend.hip_host import rename_api, rename_headers, rename_versions
from xpiler.backend.hip_kernel import convert_launch_bounds, translate_intrinsics
from xpiler.backend.hip_limits import refuse_beyond_hardware
from xpiler.backend.hip_math import translate_arithmetic
from xpiler.backend.hip_mfma import translate_wmma
from xpiler.backend.hip_source import SourceText
from xpiler.backend.hip_vectors import drop_vector_operators
from xpiler.backend.hip_warp import drop_inline_assembly, translate_warps
from xpiler.errors import Refusal
from xpiler.platforms import cuda

if TYPE_CHECKING:
    from xpiler.frontend.unit import Unit

__all__ = ["Edit", "HipTranslation", "to_hip"]


@dataclass(frozen=True)
class HipTranslation:
    """The HIP text, the edits that made it (places in the CUDA text) and what the user should know."""

    text: str
    edits: tuple[Edit, ...]
    notes: tuple[str, ...]


def to_hip(text: str, file: str, unit: Unit | None = None) -> HipTranslation:
    """The HIP text of a CUDA file. Raises `Refusal` at the first thing that has no HIP twin.

    `unit` is accepted for the common interface of the backends; the tokens of the file suffice here.
    """
    del unit
    first: Refusal | None = None
    for arch in cuda.ARCHS:  # an older branch of the text may do without what HIP does not have
        try:
            return _translate(SourceText(text, file, arch))
        except Refusal as refusal:
            first = first or refusal
        if "__CUDA_ARCH__" not in text:
            break
    assert first is not None
    raise first


def _translate(source: SourceText) -> HipTranslation:
    edits = EditList()
    drop_inline_assembly(source)
    refuse_beyond_hardware(source)
    rename_headers(source, edits)
    rename_api(source, edits)
    rename_versions(source, edits)
    translate_warps(source, edits)
    translate_intrinsics(source, edits)
    translate_arithmetic(source, edits)
    translate_small_floats(source, edits)
    translate_half_parts(source, edits)
    drop_vector_operators(source, edits)
    translate_groups(source, edits)
    translate_wmma(source, edits)
    convert_launch_bounds(source, edits)
    if edits.helpers:
        _insert_helpers(source, edits)
    settled = edits.settled()
    return HipTranslation(apply(source.text, settled), settled, tuple(edits.notes))


_OF_HELPERS = re.compile(r"\b(warp32|tile|hip|half2?|unfused|amd|mfma|min_of|max_of|dot_4|saturate)(_|\b)")


def _insert_helpers(source: SourceText, edits: EditList) -> None:
    """Puts the definitions after the includes, before the first code that can use them."""
    uses = (e.span[0] for e in edits.edits if _OF_HELPERS.match(e.replacement))
    limit = min([source.first_body, *(at for at in uses if source.directive_at(at) is None)])
    at = 0
    for directive in source.directives:
        if directive.word in ("include", "include_next") and directive.depth == 0 and directive.start < limit:
            at = directive.end
    if at == 0:
        at = next((e.span[0] for e in edits.edits if e.replacement.startswith("#include")), 0)
    newline = source.newline
    body = definitions(edits.helpers).replace("\n", newline)
    edits.insert(at, f"{newline}{body}{newline}", "what this file uses of CUDA that ROCm 5.2 has not")
