"""Every device function that the frontend knows: the emulator and the IR's meaning agree on random inputs.

The names are those of the frontend's own table, so that a function without agreement, or one that nothing
here says how to call, fails.
"""

from __future__ import annotations

import re

import pytest

from tests.cross.elementwise import differences
from tests.cross.functions import (
    ELSEWHERE,
    REFUSED,
    WITHOUT_VALUE,
    Check,
    checks_of,
    families,
    is_refused,
    is_tested_elsewhere,
)
from tests.cross.running import HEADERS, emulated, generated, interpreted
from xpiler.frontend import parse

FAMILIES = families()
COMPARED = [family for family, names in FAMILIES.items() if any(checks_of(name) for name in names)]


def _checks(family: str) -> list[Check]:
    return [check for name in FAMILIES[family] for check in checks_of(name)]


def test_every_function_of_the_table_is_compared() -> None:
    unknown = [
        n for names in FAMILIES.values() for n in names if not checks_of(n) and not is_tested_elsewhere(n)
    ]
    assert not unknown, f"say in functions.py how to call {unknown}"


def test_no_exception_is_stale() -> None:
    names = {name for names in FAMILIES.values() for name in names}
    assert not (REFUSED | WITHOUT_VALUE) - names
    assert len([name for name in names if ELSEWHERE.fullmatch(name)]) > 70


def test_what_counts_as_refused_is_refused() -> None:
    names = sorted(n for family in ("lower_math", "lower_half") for n in FAMILIES[family] if is_refused(n))
    kernels = "".join(
        f"__global__ void k{number}(float* x) {{ x[0] = {name}({_operands(name)}); }}\n"
        for number, name in enumerate(names)
    )
    unit = parse(HEADERS + kernels, "refused.cu")
    assert sorted(unit.refusals, key=lambda kernel: int(kernel[1:])) == [
        f"k{number}" for number in range(len(names))
    ]


def _operands(name: str) -> str:
    return ", ".join(["1"] * (3 if name.startswith("__dp2a") else 2 if re.match("modf|frexp", name) else 1))


@pytest.mark.parametrize("family", COMPARED)
def test_the_emulator_agrees_with_the_meaning_in_the_ir(family: str) -> None:
    found = differences(_checks(family), interpreted, emulated)
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize("family", COMPARED)
def test_generated_cpp_agrees_with_the_meaning_in_the_ir(family: str) -> None:
    checks = [check for check in _checks(family) if not check.may_fuse]
    found = differences(checks, interpreted, generated, slack=1)
    assert not found, "\n".join(map(str, found))
