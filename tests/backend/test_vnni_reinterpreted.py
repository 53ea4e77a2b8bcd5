"""Lanes of memory that holds another type: words that are bfloats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backend.cpp import build, function, lanes, pointer, scalar
from xpiler.backend.vnni import generate
from xpiler.ir.build import cast, const, load, mul, var
from xpiler.ir.nodes import Assign
from xpiler.ir.types import BF16, F32, I16

T, N = var("t"), var("n")


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_words_that_are_bfloats_are_loaded_and_stored_in_lanes(compiler: str, tmp_path: Path) -> None:
    params = (pointer("x", I16, True), pointer("y", I16), scalar("n"))
    twice = cast(mul(cast(load("x", BF16, T), F32), const(2.0, F32)), BF16)
    made = generate(
        function("twice", params, lanes("t", N, Assign(load("y", BF16, T), twice))), extern_c=True, launch={}
    )
    assert not made.notes and "epi16" in made.text
    library = build([made], tmp_path, "twice", compiler)
    for n in (1, 16, 37):
        values = np.random.default_rng(n).normal(size=n).astype(np.float32)
        x, y = (values.view(np.uint32) >> 16).astype(np.uint16), np.zeros(n, np.uint16)
        library.call("twice", x.view(np.int16), y.view(np.int16), n)
        exact = (x.astype(np.uint32) << 16).view(np.float32) * 2
        np.testing.assert_array_equal((y.astype(np.uint32) << 16).view(np.float32), exact)
