"""Nothing is called verified that was not parsed, compiled and executed, all with success."""

from __future__ import annotations

from xpiler.gate.evidence import Evidence, Rung

PARSED = Rung("parsed", True, "tree-sitter", "1 kernel", 0.01)
COMPILED = Rung("compiled", True, "g++", "12.2", 0.3)
EXECUTED = Rung("executed", True, "native", "12 cases, equal in every bit", 0.2)
FAILED = Rung("executed", False, "native", "C[2][3]: expected 5, got 6", 0.2)


def test_all_required_rungs_make_it_verified() -> None:
    evidence = Evidence((PARSED, COMPILED, EXECUTED))
    assert evidence.verified and evidence.status == "verified" and evidence.why_unverified() == ""


def test_a_missing_rung_leaves_it_unverified() -> None:
    evidence = Evidence((PARSED, COMPILED))
    assert not evidence.verified and evidence.why_unverified() == "never executed"


def test_a_failed_rung_leaves_it_unverified_and_says_why() -> None:
    evidence = Evidence((PARSED, COMPILED, EXECUTED, FAILED))
    assert not evidence.verified and evidence.failed == FAILED
    assert evidence.why_unverified() == "executed: C[2][3]: expected 5, got 6"


def test_json_holds_every_rung() -> None:
    assert Evidence((PARSED, FAILED)).to_json() == {
        "status": "unverified",
        "evidence": [
            {"rung": "parsed", "ok": True, "tool": "tree-sitter", "detail": "1 kernel", "seconds": 0.01},
            {
                "rung": "executed",
                "ok": False,
                "tool": "native",
                "detail": "C[2][3]: expected 5, got 6",
                "seconds": 0.2,
            },
        ],
    }


def test_the_terminal_shows_a_line_a_rung() -> None:
    lines = Evidence((PARSED, FAILED)).render().splitlines()
    assert lines[0].split()[:3] == ["ok", "parsed", "tree-sitter"]
    assert lines[1].split()[:3] == ["FAIL", "executed", "native"]
    assert "\x1b[31mFAIL" in Evidence((FAILED,)).render(colour=True)
