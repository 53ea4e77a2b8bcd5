"""The state of a kernel is what was shown of its very text, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from xpiler_server.proofs import Proofs, Record, State
from xpiler_server.settings import Settings, read
from xpiler_server.sidecar import with_values
from xpiler_server.store import Store, digest, fingerprint

from xpiler.errors import Refusal
from xpiler.gate.evidence import READ_BACK


def rung(name: str, detail: str, ok: bool = True, tool: str = "emulator") -> dict[str, Any]:
    return {"rung": name, "ok": ok, "tool": tool, "detail": detail, "seconds": 0.0}


def result(status: str, *evidence: dict[str, Any], entry: str = "verified", **more: Any) -> dict[str, Any]:
    entries = [
        {"name": "gemm", "kind": "host", "status": entry, "detail": "" if entry == "verified" else "differs"}
    ]
    return {"status": status, "evidence": list(evidence), "entries": entries, "diagnostics": [], **more}


EXECUTED = rung("executed", "gemm: 4 runs")


def state(
    found: dict[str, Any], print_: str = "P", unrun: str = "", entries: tuple[str, ...] = ("gemm",)
) -> State:
    proofs = Proofs(lambda uri: None)
    proofs.found(Record("k.cu", "hip", "P", "T", found, "job", unrun))
    return proofs.state("k.cu", "hip", entries, print_)


def test_nothing_known_is_never_success() -> None:
    assert Proofs(lambda uri: None).state("k.cu", "hip", ["gemm"], "P") == State("none", False, "")
    assert state(result("verified", EXECUTED), entries=("another",)) == State()


def test_runs_that_agree_are_tested_and_only_a_proof_of_the_text_is_proved() -> None:
    assert state(result("verified", EXECUTED)) == State("tested", False, "gemm: 4 runs")
    on_the_way = rung("proved", "gemm: every pass", tool="translation validation")
    assert state(result("verified", EXECUTED, on_the_way)).state == "tested"
    of_another = rung("proved", "other: equal for all sizes", tool=READ_BACK)
    assert state(result("verified", EXECUTED, of_another)).state == "tested"
    of_the_text = rung("proved", "gemm: equal for all sizes", tool=READ_BACK)
    assert state(result("verified", EXECUTED, of_the_text)).state == "proved"


def test_a_failed_check_and_a_refusal_fail() -> None:
    failed = rung("executed", "gemm: differs at C[3]", ok=False)
    assert state(result("unverified", failed, entry="unverified")).state == "failed"
    told = [{"severity": "error", "message": "inline assembly"}]
    refused = {"status": "refused", "evidence": [], "entries": [], "diagnostics": told}
    assert state(refused) == State("failed", False, "inline assembly")


def test_one_entry_does_not_fail_for_another() -> None:
    both = result("unverified", EXECUTED, rung("executed", "other: differs", ok=False))
    both["entries"].append({"name": "other", "kind": "host", "status": "unverified", "detail": "differs"})
    assert state(both).state == "tested"


def test_another_text_makes_it_stale_and_no_run_makes_it_nothing() -> None:
    assert state(result("verified", EXECUTED), print_="Q") == State("tested", True, "gemm: 4 runs")
    failed = result("unverified", rung("executed", "not run", ok=False), entry="unverified")
    unrun = state(failed, unrun="not run: for a reason")
    assert (unrun.state, unrun.message) == ("none", "not run: for a reason")


def test_an_edited_target_is_no_longer_what_was_compared() -> None:
    texts = {"k.hip": "T"}
    proofs = Proofs(texts.get)
    proofs.pair("k.cu", "k.hip", "hip")
    proofs.found(Record("k.cu", "hip", "P", digest("T"), result("verified", EXECUTED)))
    assert not proofs.state("k.cu", "hip", ["gemm"], "P").stale
    texts["k.hip"] = "edited"
    assert proofs.state("k.cu", "hip", ["gemm"], "P").stale


def test_work_under_way_is_pending_until_it_ends() -> None:
    proofs = Proofs(lambda uri: None)
    proofs.begins("k.cu", "hip", "first", "P")
    proofs.begins("k.cu", "hip", "second", "P")
    proofs.ends("k.cu", "hip", "first")
    assert proofs.state("k.cu", "hip", ["gemm"], "P").state == "pending"
    proofs.ends("k.cu", "hip", "second")
    assert proofs.state("k.cu", "hip", ["gemm"], "P").state == "none"


def test_records_and_pairs_are_kept_for_the_workspace() -> None:
    proofs = Proofs(lambda uri: None)
    proofs.remember(Store("here"))
    proofs.found(Record("k.cu", "hip", "P", "T", result("verified", EXECUTED)))
    proofs.pair("k.cu", "k.hip", "hip")
    later, elsewhere = Proofs(lambda uri: None), Proofs(lambda uri: None)
    later.remember(Store("here"))
    elsewhere.remember(Store("there"))
    assert later.state("k.cu", "hip", ["gemm"], "P").state == "tested"
    assert later.source_of("k.hip") == ("k.cu", "hip")
    assert elsewhere.record("k.cu", "hip") is None


def test_a_fingerprint_covers_contract_and_headers(tmp_path: Path) -> None:
    file, text = str(tmp_path / "k.cu"), '#include "tile.h"\n'
    seen = {fingerprint(text, file)}
    for name, contents in (("tile.h", "#define TILE 16\n"), ("k.xpiler.toml", "[args]\nn = 8\n")):
        (tmp_path / name).write_text(contents)
        seen.add(fingerprint(text, file))
    assert len(seen) == 3


def test_settings_take_what_is_right_and_tell_of_the_rest() -> None:
    assert read({"jobs": {"maxParallel": 3}, "check.onType": False}) == (
        Settings(max_parallel=3, check_on_type=False),
        [],
    )
    settings, problems = read({"compile": {"bangArch": "mtp_1"}, "check": {"debounceMs": 1.5}, "mine": 1})
    assert settings == Settings()
    assert len(problems) == 2 and "mtp_592" in problems[1]
    assert read([])[1] == ["xpiler: the settings must be an object"]


def test_values_go_into_the_contract_and_what_is_there_stays() -> None:
    text = with_values(
        'entry = "f"\n\n[args]\nn = 1  # one\n\n[roles]\ny = "out"\n', {"m": "4,5", "n": "2"}, "k"
    )
    assert text == 'entry = "f"\n\n[args]\nn = 2  # one\nm = [4, 5]\n\n[roles]\ny = "out"\n'
    assert with_values("", {"arch": "mtp_592", "grid": "n / 16,2"}, "k") == (
        'arch = "mtp_592"\n\n[launch]\ngrid = ["n / 16", 2]\n'
    )
    lists = '[shapes]\nx = [  # rows\n  "n",\n  4, # "four\n]  # of x\ny = ["#n"] # [y]\n'
    assert with_values(lists, {"shape:x": "n,8", "shape:y": "n"}, "k") == (
        '[shapes]\nx = ["n", 8]  # of x\ny = ["n"] # [y]\n'
    )
    with pytest.raises(Refusal):
        with_values("", {"n": "many"}, "k")
    with pytest.raises(Refusal):
        with_values("not toml", {"n": "1"}, "k")
