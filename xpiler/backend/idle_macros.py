"""Macros that only the old kernels used leave a text whose kernels are written anew.

#define UNARY(op) __mlu_global__ void k_##op(float *y, float *x, int n) { ... __bang_##op(...) ... }    -->
"""

from __future__ import annotations

import re

from xpiler.backend.hip_source import SourceText

_DEVICE_WORD = re.compile(
    r"\b(?:__mlu_\w+__|__memcpy(?:_async)?|__bang_|__sync\w*|__(?:n|w|ld)ram__|__is_[im]pu)"
)
_HEAD = re.compile(r"#\s*define\s+(\w+)")


def without_idle_macros(text: str, file: str) -> str:
    """The text without definitions that need an MLU's words and that nothing in it names any more."""
    while True:
        for directive in SourceText(text, file).directives:
            definition = text[directive.start : directive.end]
            head = _HEAD.match(definition)
            if head is None or not _DEVICE_WORD.search(definition):
                continue
            rest = text[: directive.start] + text[directive.end :]
            if not re.search(rf"\b{head[1]}\b", rest):
                text = rest
                break
        else:
            return text
