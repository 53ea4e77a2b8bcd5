"""Votes on what lanes gathered hear of it where it is found."""

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.gathered_votes import tell_votes
from xpiler.passes.serial import serial_form


def function(start: str, found: str, vote: str, then: str = "") -> Function:
    text = (
        "void looked(const float *x, int *o, int n) {\n"
        f"    int some = {start};\n"
        "    for (int lane = 0; lane < 8; ++lane) {\n"
        f"        int own = {start};\n"
        f"        for (int c = lane; c < n; c += 8) {found}\n"
        f"        {vote} {then}\n"
        "    }\n"
        "    o[0] = some;\n"
        "}\n"
    )
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    return serial_form(kernel)


@pytest.mark.parametrize(
    ("start", "found", "vote"),
    [
        ("0", "own |= x[c] < 0;", "some |= own != 0;"),
        ("0", "own |= (int)x[c] & 6;", "some = some | (own != 0);"),
        ("1", "own &= x[c] < 3;", "some &= own != 0;"),
    ],
)
def test_votes_are_told_what_lanes_find(start: str, found: str, vote: str) -> None:
    before = function(start, found, vote)
    after = tell_votes(before)
    assert "own" not in show(after)
    for n in (0, 5, 8, 21):
        for seed in range(6):
            x = np.random.default_rng(seed).integers(-1, 4, n + 1).astype(np.float32) * (seed > 1)
            results = []
            for each in (before, after):
                o = np.full(1, 9, np.int32)
                run(each, {"x": x, "o": o, "n": n})
                results.append(int(o[0]))
            assert results[0] == results[1]


@pytest.mark.parametrize(
    ("start", "found", "vote", "then"),
    [
        ("1", "own &= (int)x[c];", "some &= own != 0;", ""),
        ("0", "own |= x[c] < 0;", "some |= own != 0;", "o[lane + 1] = own;"),
        ("0", "own |= x[c] < 0;", "some |= own;", ""),
        ("0", "own |= some | (x[c] < 0);", "some |= own != 0;", ""),
        ("3", "own &= x[c] < 0;", "some &= own != 0;", ""),
    ],
    ids=["bits of several", "a lane's own is stored", "no vote", "reads the vote", "more than a truth"],
)
def test_other_accumulations_stay(start: str, found: str, vote: str, then: str) -> None:
    before = function(start, found, vote, then)
    assert tell_votes(before) is before
