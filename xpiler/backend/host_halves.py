"""16-bit floats that host code computes with: values that convert from and to `float`, as on the platforms.

    struct half {                      struct half {
        uint16_t bits;        -->          uint16_t bits;
    };                                     half() = default;
                                           half(double x);
                                           operator float() const;
                                       };

Kernels convert by name (`half_to_float`), so the plain form does for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TYPES = {"half": "half", "__half": "half", "bfloat16": "bfloat16", "__nv_bfloat16": "bfloat16"}
_VALUES = re.compile(r"(?<![\w.])(__half|half|__nv_bfloat16|bfloat16)(?![\w]|\s*[*&]\s*|\s+\w+_bits\b)")


def converted(body: str) -> frozenset[str]:
    """The types that the text has values of, and not only pointers to."""
    return frozenset(_TYPES[name] for name in _VALUES.findall(body))


def with_conversions(helpers: Iterable[str], types: frozenset[str]) -> list[str]:
    """The helpers, those of `types` such that their values convert."""
    out = [_converting(text, types) for text in helpers]
    for name in sorted(types):
        if f"struct {name} {{" in "\n".join(out):
            out.append(_MEMBERS.replace("half", name))
    return out


def needed(types: frozenset[str]) -> set[str]:
    """The helpers that the conversions call."""
    return {h for t in types for h in (f"{t}_to_float", f"float_to_{t}", "round_to_odd")}


def _converting(text: str, types: frozenset[str]) -> str:
    match = re.fullmatch(r"struct (half|bfloat16) \{\n    uint16_t bits;\n\};", text)
    if match is None or match[1] not in types:
        return text
    name = match[1]
    members = f"    {name}() = default;\n    {name}(double x);\n    operator float() const;\n"
    return text.replace("};", members + "};")


_MEMBERS = """\
inline half::half(double x) : half(float_to_half(round_to_odd(x))) {}
inline half::operator float() const { return half_to_float(*this); }"""
