"""Shuffles, votes, matches, reductions, atomics, groups, matrix fragments: the emulator and the IR agree."""

from __future__ import annotations

import re

import pytest

from tests.cross import fragments
from tests.cross.elementwise import differences, program
from tests.cross.functions import ELSEWHERE, families
from tests.cross.running import distance, emulated, interpreted
from tests.cross.warps import FAMILIES
from xpiler.ir.types import DType

# Without _sync, and of HIP alone: no functions of the CUDA that the emulator runs. Copies: tests of programs.
_NOT_OF_CUDA = re.compile(
    r"__(shfl|shfl_\w+|all|any|ballot)(?<!_sync)|unsafeAtomicAdd\w*|atomicAddNoRet\w*|"
    r"__builtin_amdgcn_\w+|__builtin_nontemporal_\w+|"  # test_amd.py
    r"__builtin_(ctz(l|ll)?|assume_aligned)|"  # tests/frontend/test_gnu.py
    r"_(tzcnt|lzcnt|blsr|blsi|blsmsk|andn)_u\d+|"  # test_x86_bits.py
    r"(m|c|aligned_)alloc|(__builtin_)?alloca|free|omp_\w+|"  # of plain functions
    r"make_pipeline|pipeline_consumer_wait_prior|init|__hip_atomic_\w+"  # read for checks alone
)
_COPIES = re.compile(r"mem(cpy|set|move)(_async)?|__builtin_mem\w+|__pipeline_memcpy_async")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_emulator_agrees_with_the_meaning_in_the_ir(family: str) -> None:
    found = differences(FAMILIES[family], interpreted, emulated)
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize(("operand", "accumulator"), [c[:2] for c in fragments.COMBINATIONS], ids=str)
def test_matrix_fragments_agree(operand: DType, accumulator: DType) -> None:
    test, data = fragments.program(operand, accumulator), fragments.inputs(operand, accumulator)
    one, other = interpreted(test, data)["out"], emulated(test, data)["out"]
    assert other.any()
    assert not distance(one, other, accumulator).any()


def test_every_function_of_warps_and_blocks_is_among_them() -> None:
    texts = [program(checks).text for checks in FAMILIES.values()]
    texts += [fragments.program(operand, total).text for operand, total, _ in fragments.COMBINATIONS]
    called = set(re.findall(r"\w+", " ".join(texts)))
    known = {name for names in families().values() for name in names if ELSEWHERE.fullmatch(name)}
    assert not {n for n in known - called if not _NOT_OF_CUDA.fullmatch(n) and not _COPIES.fullmatch(n)}
