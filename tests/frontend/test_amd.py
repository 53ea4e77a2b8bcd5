"""AMD's builtins that move registers between lanes: the interpreter against the manual's words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.printer import show


def moved(call: str) -> list[int]:
    """What each lane of a wave holds after `call` on its own number plus 100."""
    text = f"""
    __global__ void k(int* out) {{
      int v = threadIdx.x + 100;
      out[threadIdx.x] = {call};
    }}
    void launch(int* out) {{ k<<<1, 64>>>(out); }}
    """
    unit = parse(text, "k.hip", platform="hip")
    assert not unit.refusals
    out = np.zeros(64, np.int32)
    assert not run(unit.program.kernels[0], {"out": out}, (1, 1, 1), (64, 1, 1)).errors
    return out.tolist()


@pytest.mark.parametrize(
    ("control", "source"),
    [
        ("0x1B", lambda n: n // 4 * 4 + 3 - n % 4),  # quad_perm 3 2 1 0
        ("0x102", lambda n: n + 2 if n % 16 < 14 else None),  # row_shl
        ("0x113", lambda n: n - 3 if n % 16 >= 3 else None),  # row_shr
        ("0x121", lambda n: n // 16 * 16 + (n - 1) % 16),  # row_ror
        ("0x138", lambda n: n - 1 if n else None),  # wave_shr
        ("0x140", lambda n: n // 16 * 16 + 15 - n % 16),  # row_mirror
        ("0x141", lambda n: n // 8 * 8 + 7 - n % 8),  # row_half_mirror
        ("0x142", lambda n: n // 16 * 16 - 1 if n >= 16 else None),  # row_bcast 15
        ("0x143", lambda n: 31 if n >= 32 else None),  # row_bcast 31
    ],
)
@pytest.mark.parametrize("bound", ["true", "false"])
def test_dpp(control: str, source: Callable[[int], int | None], bound: str) -> None:
    without = 0 if bound == "true" else 7
    expected = [without if source(n) is None else source(n) + 100 for n in range(64)]  # type: ignore[operator]
    assert moved(f"__builtin_amdgcn_update_dpp(7, v, {control}, 0xf, 0xf, {bound})") == expected


def test_dpp_on_some_rows_only() -> None:
    rows = moved("__builtin_amdgcn_update_dpp(7, v, 0x142, 0xa, 0xf, false)")
    assert rows == [n // 16 * 16 + 99 if n // 16 in (1, 3) else 7 for n in range(64)]


@pytest.mark.parametrize(
    ("pattern", "source"),
    [
        ("0x041F", lambda n: n ^ 1),
        ("0x401F", lambda n: n ^ 16),
        ("0x0018", lambda n: n & ~7),
        ("0x8000", lambda n: n // 4 * 4),
    ],
)
def test_swizzle(pattern: str, source: Callable[[int], int]) -> None:
    expected = [source(n) + 100 for n in range(64)]
    assert moved(f"__builtin_amdgcn_ds_swizzle(v, {pattern})") == expected


def test_lane_numbers_and_exchange() -> None:
    lane = "__builtin_amdgcn_mbcnt_hi(~0u, __builtin_amdgcn_mbcnt_lo(~0u, 0u))"
    assert moved(lane) == list(range(64))
    assert moved("__lane_id()") == list(range(64))
    assert moved("__builtin_amdgcn_ds_bpermute((threadIdx.x ^ 33) << 2, v)") == [
        (n ^ 33) + 100 for n in range(64)
    ]
    assert moved("__builtin_amdgcn_readfirstlane(v)") == [100] * 64


def test_elements_of_vector_types() -> None:
    text = """
    typedef int int4v __attribute__((ext_vector_type(4)));
    __global__ void k(int* out) {
      int4v a = {1, 2, 3}, b = 5;
      a += b * 2;
      a.w = -a.x;
      b[1] = a[2];
      out[0] = a.x + 100 * a.w + 10000 * b.y;
    }
    void launch(int* out) { k<<<1, 1>>>(out); }
    """
    (kernel,) = parse(text, "k.hip", platform="hip").program.kernels
    out = np.zeros(1, np.int32)
    run(kernel, {"out": out}, (1, 1, 1), (1, 1, 1))
    assert out[0] == 11 + 100 * -11 + 10000 * 13


def test_a_file_may_give_a_librarys_name_to_a_vector_of_its_own() -> None:
    text = """
using float16_t = __attribute__((ext_vector_type(16))) float;
__global__ void k(float *o) {
    float16_t v = {0};
    for (int i = 0; i < 16; ++i) o[i] = v[i];
}
"""
    (kernel,) = parse(text, "f.hip", platform="hip").program.kernels
    assert "f32 v[16]" in show(kernel)


def test_waves_of_rocwmma_are_those_of_the_device() -> None:
    text = """
__global__ void k(int *o) { o[threadIdx.x] = threadIdx.x / rocwmma::Constants::AMDGCN_WAVE_SIZE; }
"""
    (kernel,) = parse(text, "f.hip", platform="hip").program.kernels
    assert "threadIdx.x / 64" in show(kernel)
