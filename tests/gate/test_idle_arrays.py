"""Arrays that make no difference in any run are not said to be checked."""

from __future__ import annotations

import pytest

from xpiler.gate.overrides import from_flags
from xpiler.translate import translate_text

SOURCE = """
__global__ void mix(const float *x, const float *w, float *y, int n, int pad) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = CONDITION ? x[i] * w[i] : 2 * x[i];
}
"""


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("pad > 2000000000 && n > 1500000000", "unverified"),
        ("pad > 100", "verified"),
        ("i % 3 == 1", "verified"),
    ],
)
def test_what_no_run_depends_on_is_told(condition: str, status: str) -> None:
    result = translate_text(SOURCE.replace("CONDITION", condition), "mix.cu", "hip")
    assert result.status == status
    told = [rung.detail for rung in result.evidence if "`w`" in rung.detail]
    assert bool(told) == (status == "unverified")
    if told:
        assert "whatever `w` holds" in told[0] and "--arg pad=..." in told[0]


def test_stated_arguments_are_meant() -> None:
    text = SOURCE.replace("CONDITION", "pad > 100")
    assert translate_text(text, "mix.cu", "hip", from_flags(arg=["n=300", "pad=3"])).status == "verified"
