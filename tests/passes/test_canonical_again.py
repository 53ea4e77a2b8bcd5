"""The canonical form of a kernel is computed once; who has it checked is asked of every application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.ir.kernels import tiled_gemm
from xpiler.ir.nodes import Function
from xpiler.passes import canonical
from xpiler.passes.canonical import canonicalise

BLOCK = (16, 16, 1)


def test_a_pass_sees_each_form_of_a_kernel_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Function] = []

    def watching(function: Function) -> Function:
        seen.append(function)
        return function

    monkeypatch.setattr(canonical, "PASSES", (("watching", watching), *canonical.PASSES))
    kernel = tiled_gemm()
    first = canonicalise(kernel, BLOCK).function
    apart = replace(kernel, params=tuple(replace(p) for p in kernel.params))  # the same body
    assert canonicalise(apart, BLOCK).function is first
    assert len(seen) == 1
    canonicalise(kernel, (8, 8, 1))
    canonicalise(tiled_gemm(), BLOCK)  # equal, and perhaps written elsewhere
    assert len(seen) == 3


def test_what_is_known_is_checked_and_what_is_refuted_is_not_used() -> None:
    kernel = tiled_gemm()
    free = canonicalise(kernel, BLOCK)
    applied = [step.name for step in free.log if step.applied]
    refused = applied[-1]
    asked: list[str] = []

    def check(refusing: str) -> Callable[[Function, Function, str], str]:
        def answer(before: Function, after: Function, name: str) -> str:
            asked.append(name)
            return "wrong" if name == refusing else ""

        return answer

    assert canonicalise(kernel, BLOCK, check=check("")).function is free.function
    assert asked == applied
    checked = canonicalise(kernel, BLOCK, check=check(refused))
    assert [step.name for step in checked.log if step.reason == "wrong"] != []
    assert checked.function is not free.function
