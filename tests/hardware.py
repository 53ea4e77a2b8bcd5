"""What tests need of the processor that they run on, and no package can give."""

from __future__ import annotations

import pytest

from xpiler.gate.avx512 import cpu_features

# Programs are timed as they are delivered, not in an emulator.
timed_with_avx512 = pytest.mark.skipif(
    "avx512f" not in cpu_features(), reason="this processor has no AVX-512, so nothing can be timed"
)
