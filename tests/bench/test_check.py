"""`xpiler bench check` on a text of two kernels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from xpiler.cli import main

TEXT = """
__global__ void right(float *a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) a[i] = 1.0f;
}
__global__ void wrong(float *a) { a[0] = threadIdx.x; }
"""


def test_times_and_verdicts_of_a_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, out = tmp_path / "k.cu", tmp_path / "out.json"
    text.write_text(TEXT)
    assert main(["bench", "check", str(text), "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "100 % of 1 texts up to 200 lines in under a second" in printed
    (found,) = json.loads(out.read_text())
    assert found["statuses"] == ["clean", "bugs"] and found["platform"] == "cuda"
    assert 0 < found["trials"] < 1
