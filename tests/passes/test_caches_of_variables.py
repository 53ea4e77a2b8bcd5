"""Registers filled with a number that was found before are that number."""

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.cache_removal import remove_caches
from xpiler.passes.serial import serial_form


def function(then: str, place: str = "") -> Function:
    outside, inside = ("float v[4];", "") if place == "outside" else ("", "float v[4];")
    text = (
        "void centred(const float *__restrict__ x, float *__restrict__ y, int rows) {\n"
        f"    {outside}\n"
        "    for (int r = 0; r < rows; ++r) {\n"
        f"        {inside}\n"
        "        float mean = 0;\n"
        "        for (int i = 0; i < 4; ++i) mean += x[r * 4 + i];\n"
        "        for (int lane = 0; lane < 4; ++lane) v[lane] = mean;\n"
        f"        {then}\n"
        "    }\n"
        "}\n"
    )
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    return serial_form(kernel)


def test_a_register_of_one_number_is_removed() -> None:
    before = function("for (int i = 0; i < 4; ++i) y[r * 4 + i] = x[r * 4 + i] - v[i];")
    after = remove_caches(before)
    assert "v[" not in show(after)
    x = np.arange(12, dtype=np.float32)
    results = []
    for each in (before, after):
        y = np.zeros(12, np.float32)
        run(each, {"x": x, "y": y, "rows": 3})
        results.append(y)
    assert np.array_equal(*results)


@pytest.mark.parametrize(
    ("then", "place"),
    [
        ("mean = 1; for (int i = 0; i < 4; ++i) y[r * 4 + i] = v[i];", ""),
        ("for (int i = 0; i < 4; ++i) { y[r * 4 + i] = v[i]; mean += 1; }", ""),
        ("for (int i = 0; i < 4; ++i) y[r * 4 + i] = v[i];", "outside"),
    ],
    ids=["set afterwards", "moved by its readers", "kept over rounds"],
)
def test_a_register_of_what_the_number_was_stays(then: str, place: str) -> None:
    assert "v[" in show(remove_caches(function(then, place)))
