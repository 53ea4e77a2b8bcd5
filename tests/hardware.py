"""What tests need of the processor that they run on, and no package can give."""

from __future__ import annotations

import pytest

from xpiler.gate.avx512 import cpu_features

HAS_AVX512 = "avx512f" in cpu_features()

# Programs are timed as they are delivered, not in an emulator.
timed_with_avx512 = pytest.mark.skipif(
    not HAS_AVX512, reason="this processor has no AVX-512, so nothing can be timed"
)
