"""What of AVX-512 the processor of this machine has, and what a text asks of it.

Processors have AVX-512 in parts, and the later ones are rare: a text is asked for those alone that it uses,
so that it runs as it is wherever it can.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

# The compiler's flag for each part, and the name of the part in /proc/cpuinfo.
_BASE = {
    "-mavx512f": "avx512f",
    "-mavx512bw": "avx512bw",
    "-mavx512dq": "avx512dq",
    "-mavx512vl": "avx512vl",
    "-mavx512cd": "avx512cd",
    "-mavx2": "avx2",
    "-mfma": "fma",
    "-mf16c": "f16c",
}
_BITS = ("-mbmi", "-mbmi2", "-mlzcnt", "-mpopcnt")  # masks are counted with; older than AVX-512
_VNNI, _BF16 = ("-mavx512vnni", "avx512_vnni"), ("-mavx512bf16", "avx512_bf16")
_VBMI, _VBMI2 = ("-mavx512vbmi", "avx512_vbmi"), ("-mavx512vbmi2", "avx512_vbmi2")
_BITALG, _POPCNT = ("-mavx512bitalg", "avx512_bitalg"), ("-mavx512vpopcntdq", "avx512_vpopcntdq")
_PARTS = (_VNNI, _BF16, _VBMI, _VBMI2, _BITALG, _POPCNT)
VNNI_FLAGS = (*_BASE, *_BITS, *(flag for flag, _ in _PARTS))  # of all that the platform has

# By a part that not every text needs: what a text says that does.
_USES = {
    _VNNI: re.compile(r"dpbusd|dpwssd"),
    _BF16: re.compile(r"_dpbf16_|cvtne2?ps_?p?bh|(?:\b|_)cvtp?bh_|__m\d+bh|__bf16|\w_(?:pbh|sbh)\b"),
    _VBMI: re.compile(r"permutex2?var_epi8|multishift_"),
    _VBMI2: re.compile(r"(?:compress|expand)(?:storeu|loadu)?_epi(?:8|16)|_sh[lr]dv?i?_epi"),
    _BITALG: re.compile(r"popcnt_epi(?:8|16)|bitshuffle_"),
    _POPCNT: re.compile(r"popcnt_epi(?:32|64)"),
}


@functools.cache
def cpu_features() -> frozenset[str]:
    """The feature names of /proc/cpuinfo; empty where there is none."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return frozenset(line.split(":", 1)[1].split())
    except OSError:
        pass
    return frozenset()


def missing_parts(text: str | None = None) -> tuple[str, ...]:
    """What the processor lacks of what the text uses, by name; without a text of all parts."""
    needed = [*_BASE.values()]
    needed += [part for (_, part), uses in _USES.items() if text is None or uses.search(text)]
    return tuple(part for part in needed if part not in cpu_features())


def flags_here(text: str) -> tuple[str, ...] | None:
    """The compiler's flags for a text that runs here as it is: without parts that the processor lacks, for a
    compiler uses those that it is told of. None where the text needs such a part."""
    if missing_parts(text):
        return None
    present = [flag for flag, part in _PARTS if part in cpu_features()]
    return (*_BASE, *_BITS, *present)
