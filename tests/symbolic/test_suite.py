"""The checker on kernels with known faults and on right ones like them."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.symbolic.suite_runner import Case, cases


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_verdict(case: Case) -> None:
    report = case.check()
    assert case.is_met(report), [(f.code, f.severity, f.message) for f in report.findings]
    for finding in report.findings:
        if finding.severity == "error" and finding.code != "XP-CAPACITY":
            assert finding.counterexample, finding


def test_the_suite_is_large_and_mixed() -> None:
    expected = Counter(case.expected for case in cases())
    assert expected["clean"] >= 40 and expected["XP-RACE"] >= 30
    assert {"XP-BOUNDS", "XP-DIVERGENCE", "XP-UNINIT", "XP-MASK", "XP-ALIGN"} <= set(expected)


def test_the_same_text_has_the_same_findings() -> None:
    some = [case for case in cases() if case.expected not in ("clean", "undecided")][::6]
    for case in some:
        assert case.check().findings == case.check().findings
