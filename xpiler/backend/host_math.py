"""Mathematical functions that CUDA's headers give to host code, too, and C++ does not: `rsqrtf`, `max(a, b)`.

Only those that a text calls by their bare names, and does not define itself, are added to it.
"""

from __future__ import annotations

import re

_PI = "3.14159265358979323846"

_BODIES = {
    "rsqrt": "1 / sqrt(x)",
    "rcbrt": "1 / cbrt(x)",
    "exp10": "pow(10, x)",
    "sinpi": f"sin(fmod(x, 2) * {_PI})",
    "cospi": f"cos(fmod(x, 2) * {_PI})",
    "normcdf": "0.5 * erfc(x * -0.70710678118654752440)",
}
_EXTREMES = {"min": "a < b ? a : b", "max": "a < b ? b : a"}

FUNCTIONS: dict[str, str] = {
    **{f: f"static inline double {f}(double x) {{ return {body}; }}" for f, body in _BODIES.items()},
    **{
        f"{f}f": f"static inline float {f}f(double x) {{ return (float)({body}); }}"
        for f, body in _BODIES.items()
    },
    **{
        f: "template <class A, class B>\n"
        f"static inline decltype(A() + B()) {f}(A a, B b) {{\n    return {body};\n}}"
        for f, body in _EXTREMES.items()
    },
}


def called_in(code: str) -> list[str]:
    """The definitions of the functions above that a C++ text without comments calls and does not have."""
    has_std = re.search(r"\busing\s+namespace\s+std\b", code) is not None
    return [
        definition
        for name, definition in FUNCTIONS.items()
        if re.search(rf"(?<![\w:.>~]){name}\s*\(", code)
        and not _is_defined(name, code)
        and not (has_std and name in _EXTREMES)
    ]


def _is_defined(name: str, code: str) -> bool:
    """Whether a type stands before it (`float max(`), or a macro or using declaration gives it."""
    if re.search(rf"#\s*define\s+{name}\b|\busing\s+std::{name}\b", code):
        return True
    before = re.findall(rf"([A-Za-z_]\w*)\s*[*&>]*\s+{name}\s*\([^()]*\)\s*\{{", code)
    return any(word not in ("return", "else") for word in before)
