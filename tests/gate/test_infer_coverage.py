"""Which arguments are tried to reach the other launches of host code."""

from __future__ import annotations

from xpiler.gate.infer_coverage import other_arguments


def test_a_template_for_each_power_of_two_is_reached() -> None:
    tried = {sizes["n"] for sizes in other_arguments({"rows": 37, "n": 53}, ["rows", "n"], [], [])}
    for k in range(14):  # ceil(log2(n)) chooses the instance
        assert any(2 ** (k - 1) < n <= 2**k for n in tried if n > 0), k
