"""Streams of an MLU core: what is copied while it is still computed on, or used before it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from xpiler.frontend import parse
from xpiler.symbolic.check import Options, check_unit

SNIPPETS = sorted((Path(__file__).parents[2] / "snippets" / "bang").glob("*.mlu"))
ASYNCHRONOUS = [path for path in SNIPPETS if "_async(" in path.read_text()]
KERNEL = """
__nram__ float a[256];
__nram__ float b[256];
__mlu_entry__ void f(float* y, const float* x) {{
  __memcpy(a, x, 1024, GDRAM2NRAM);
  {0}
}}
"""


def findings(body: str) -> list[tuple[str, int]]:
    report = check_unit(parse(KERNEL.format(body), "k.mlu", platform="bang", tells_streams=True), Options())
    return [(f.code, f.range.line if f.range else 0) for f in report.findings]


ADD = "__bang_add(b, a, a, 256);"
STORE = "__memcpy_async(y, b, 1024, NRAM2GDRAM);"
WRONG = {
    "stored before it is computed": ADD + STORE,
    "loaded over what is still read": ADD + "__memcpy_async(a, x, 1024, GDRAM2NRAM);",
    "read one by one before it is there": "__memcpy_async(b, x, 1024, GDRAM2NRAM); y[0] = b[0];",
    "moved in pieces, and used": "__memcpy_async(b, a, 64, NRAM2NRAM, 128, 128, 7); __bang_not(b, b, 256);",
    "moved as one piece, and stored": "__memcpy_async(b, a, 1024, NRAM2NRAM);" + STORE,
}
RIGHT = {
    "the computation is waited for": ADD + "__sync_compute();" + STORE,
    "a copy waits": ADD + "__memcpy(y, b, 1024, NRAM2GDRAM); __memcpy_async(a, x, 1024, GDRAM2NRAM);",
    "a copy within NRAM waits": "__memcpy(b, a, 1024, NRAM2NRAM);" + STORE,
    "moved as one piece, and used": "__memcpy_async(b, a, 1024, NRAM2NRAM); __bang_not(b, b, 256);",
}


@pytest.mark.parametrize("what", WRONG)
def test_streams_that_do_not_wait_for_each_other_are_named(what: str) -> None:
    assert findings(WRONG[what]) == [("XP-ASYNC", 6)]


@pytest.mark.parametrize("what", RIGHT)
def test_streams_that_wait_for_each_other_are_clean(what: str) -> None:
    assert findings(RIGHT[what]) == []


@pytest.mark.parametrize("path", ASYNCHRONOUS, ids=lambda path: path.stem)
def test_worked_kernels_wait_for_their_streams(path: Path) -> None:
    report = check_unit(parse(path.read_text(), path.name, platform="bang", tells_streams=True), Options())
    assert not [f for f in report.findings if f.code == "XP-ASYNC"]
