"""Builtins of AMD's compiler: the emulator and the IR agree on waves of 64 lanes with random inputs."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.cross.functions import families
from tests.cross.running import Program, emulated, interpreted

FLOATS = {
    "__builtin_amdgcn_exp2f": "{f}(x[i])",
    "__builtin_amdgcn_logf": "{f}(fabsf(x[i]) + 0.1f)",
    "__builtin_amdgcn_rcpf": "{f}(x[i] + 4.0f)",
    "__builtin_amdgcn_rsqf": "{f}(fabsf(x[i]) + 0.1f)",
    "__builtin_amdgcn_sqrtf": "{f}(fabsf(x[i]))",
    "__builtin_amdgcn_fmed3f": "{f}(x[i], x[63 - i], 0.25f)",
    "__builtin_amdgcn_fdot2": "{f}(pair{{(_Float16)x[i], (_Float16)x[5]}}, pair{{3, 2}}, x[1], false)",
    "__builtin_nontemporal_load": "{f}(&x[63 - i])",
}
INTEGERS = {
    "__builtin_amdgcn_sdot4": "{f}(v[i], v[63 - i], v[5], false)",
    "__builtin_amdgcn_udot4": "(int){f}((unsigned)v[i], (unsigned)v[63 - i], 7u, false)",
    "__builtin_amdgcn_readfirstlane": "{f}(v[i])",
    "__builtin_amdgcn_readlane": "{f}(v[i], 17)",
    "__builtin_amdgcn_ds_bpermute": "{f}((i * 7 % 64) * 4, v[i])",
    "__builtin_amdgcn_mbcnt_lo": "(int){f}(0xF0F0F0F1u, i)",
    "__builtin_amdgcn_mbcnt_hi": "(int){f}(0x0FF00FF1u, i)",
    "__builtin_amdgcn_ballot_w64": "(int)({f}(v[i] > 0) >> (i % 33))",
    "__builtin_amdgcn_uballot": "(int){f}(v[i] > 0)",
    "__builtin_amdgcn_ds_swizzle": "{f}(v[i], 0x041F)",
    "__builtin_amdgcn_mov_dpp": "{f}(v[i], 0x1B, 0xf, 0xf, true)",
    "__builtin_amdgcn_update_dpp": "{f}(3, v[i], 0x112, 0xf, 0xf, false)",
    "__builtin_amdgcn_wavefrontsize": "(int){f}()",
    "__builtin_amdgcn_workitem_id_x": "(int){f}()",
    "__builtin_amdgcn_workitem_id_y": "(int){f}()",
    "__builtin_amdgcn_workitem_id_z": "(int){f}()",
    "__builtin_amdgcn_workgroup_id_x": "(int){f}()",
    "__builtin_amdgcn_workgroup_id_y": "(int){f}()",
    "__builtin_amdgcn_workgroup_id_z": "(int){f}()",
}
# Matrix instructions: tests/passes/test_mfma.py.
_ELSEWHERE = re.compile(r"__builtin_amdgcn_mfma_\w+")
_WITHOUT_VALUE = re.compile(
    r"__builtin_amdgcn_(fence|iglp_opt|s_\w+|sched_\w+|wave_barrier)|__builtin_nontemporal_store"
)


def of(name: str) -> Program:
    kind, calls = ("float", FLOATS) if name in FLOATS else ("int", INTEGERS)
    text = f"""#include <hip/hip_runtime.h>
    typedef _Float16 pair __attribute__((ext_vector_type(2)));
    __global__ void k(const float *x, const int *v, {kind} *out) {{
        const int i = threadIdx.x;
        {kind} value = {calls[name].format(f=name)};
        __builtin_nontemporal_store(value, &out[blockIdx.x * 64 + i]);
    }}
    """
    return Program(text, (64, 1, 1), (2, 1, 1), platform="hip")


@pytest.mark.parametrize("name", [*FLOATS, *INTEGERS])
def test_the_emulator_agrees_with_the_meaning_in_the_ir(name: str) -> None:
    rng = np.random.default_rng(len(name))
    kind = np.float32 if name in FLOATS else np.int32
    data = {
        "x": rng.normal(size=64).astype(np.float32),
        "v": rng.integers(-(2**31), 2**31, 64).astype(np.int32),
        "out": np.full(128, 99, kind),
    }
    one, other = interpreted(of(name), data)["out"], emulated(of(name), data)["out"]
    assert (other != 99).any()
    np.testing.assert_allclose(one, other, rtol=2e-6 if kind is np.float32 else 0)


def test_every_builtin_is_among_them() -> None:
    names = {n for family in families().values() for n in family if n.startswith("__builtin_")}
    of_amd = {n for n in names if "amdgcn" in n or "nontemporal" in n}
    left = {n for n in of_amd if not _ELSEWHERE.fullmatch(n) and not _WITHOUT_VALUE.fullmatch(n)}
    assert left == {*FLOATS, *INTEGERS}


def test_a_vector_is_chosen_as_a_whole_and_its_elements_are_converted() -> None:
    text = """#include <hip/hip_runtime.h>
    typedef float four __attribute__((ext_vector_type(4)));
    typedef int whole __attribute__((ext_vector_type(4)));
    __global__ void k(const float *x, const int *v, int *out) {
        const four none = {0.5f, 1.5f, 2.5f, 3.5f};
        const four found = v[threadIdx.x] > 0 ? *(const four *)&x[4 * threadIdx.x] : none;
        *(whole *)&out[4 * threadIdx.x] = __builtin_convertvector(found, whole);
    }
    """
    rng = np.random.default_rng(5)
    data = {
        "x": (rng.normal(size=256) * 9).astype(np.float32),
        "v": rng.integers(-3, 3, 64).astype(np.int32),
        "out": np.full(256, 99, np.int32),
    }
    program = Program(text, (64, 1, 1), (1, 1, 1), platform="hip")
    one, other = interpreted(program, data)["out"], emulated(program, data)["out"]
    rows = np.where(data["v"][:, None] > 0, data["x"].reshape(64, 4), [0.5, 1.5, 2.5, 3.5])
    np.testing.assert_array_equal(one, np.trunc(rows).astype(np.int32).ravel())
    np.testing.assert_array_equal(one, other)
