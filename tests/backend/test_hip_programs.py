"""Whole files: HIP's own compiler accepts them; on the emulators they compute what the CUDA text computes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.backend.emulated import run
from xpiler.backend.hip import to_hip

CUDA = Path(__file__).parent / "cuda"
GOLDEN = Path(__file__).parent.parent / "golden" / "hip"
LIBRARIES = frozenset({"library_calls"})
"""Files whose headers (hipBLAS, hipRAND, hipCUB, rocThrust) come in packages of their own."""


def translated(name: str) -> str:
    file = CUDA / f"{name}.cu"
    return to_hip(file.read_bytes().decode(), str(file)).text


@pytest.mark.parametrize("name", sorted(f.stem for f in CUDA.glob("*.cu") if f.stem not in LIBRARIES))
def test_hipcc_accepts_the_translation(name: str, tmp_path: Path) -> None:
    source = tmp_path / f"{name}.hip"
    source.write_bytes(translated(name).encode())
    done = subprocess.run(
        ["hipcc", "--offload-arch=gfx90a", "-std=c++17", "-fsyntax-only", "-w", str(source)],
        env={**os.environ, "HIP_PLATFORM": "amd"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, "\n".join(x for x in done.stderr.splitlines() if "error" in x)


@pytest.mark.parametrize(
    "name",
    [
        "vector_add",
        "softmax_warp",
        "warp_votes",
        "half2_members",
        "macros_crlf",
        "symbols_streams",
        "library_calls",
    ],
)
def test_the_translation_is_the_reviewed_text(name: str) -> None:
    golden = GOLDEN / f"{name}.hip"
    if os.environ.get("XPILER_UPDATE_GOLDEN"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_bytes(translated(name).encode())
    assert translated(name).encode() == golden.read_bytes()


_HALF_MATRIX = (
    "auto {0} = input<half>({1}, [](int) {{ return __float2half((driver_random() % 17 - 8) * 0.25f); }});"
)
_A_B = _HALF_MATRIX.format("a", "80 * 64") + _HALF_MATRIX.format("b", "80 * 64")

PROGRAMS = {
    "block a row": (
        "layernorm_block",
        """auto x = input<float>(3 * 200, [](int) { return driver_random() % 100 * 0.1f; });
        auto g = input<float>(200, [](int i) { return 1 + i * 0.01f; });
        auto y = output<float>(3 * 200);
        layernorm(x, g, g, y, 3, 200);
        emit(y);""",
        np.float32,
    ),
    "votes and masks": (
        "warp_votes",
        """auto in = input<int>(200, [](int) { return driver_random() % 9 - 3; });
        auto out = output<int>(200), count = output<int>(1);
        auto same = output<int>(256), big = output<int>(256), sums = output<int>(256);
        auto peers = output<unsigned>(256), ors = output<unsigned>(256);
        votes(in, out, count, peers, same, big, sums, ors, 200);
        emit(count); emit(peers); emit(same); emit(big); emit(sums); emit(ors);""",
        np.int32,
    ),
    "half and its atomics": (
        "half_gelu",
        """auto x = input<half2>(100, [](int i) { return __floats2half2_rn(i % 32 * .125f, -i % 8 * .5f); });
        auto y = output<half2>(100), pair = output<half2>(1);
        auto rows = input<half>(400, [](int i) { return __float2half(i % 50 * 0.25f - 3.0f); });
        auto out = output<half>(4), total = output<half>(1);
        run(x, y, rows, out, total, pair, 50);
        emit(y); emit(out); emit(total); emit(pair);""",
        np.float16,
    ),
    "bfloat16 training step": (
        "bf16_adamw",
        """auto p = input<floatX>(256, [](int) { return floatX(driver_random() % 100 * 0.03f); });
        auto g = input<floatX>(256, [](int) { return floatX((driver_random() % 64 - 32) * 0.125f); });
        auto m = output<float>(256), v = output<float>(256);
        auto d = output<floatX>(8);
        step(p, m, v, g, d, 256, 77);
        emit(p); emit(m); emit(v); emit(d);""",
        np.uint16,
    ),
    "scans and rotations": (
        "scan_shuffles",
        """auto in = input<int>(300, [](int) { return driver_random() % 100; });
        auto out = output<int>(320), segments = output<int>(320), rotated = output<int>(320);
        run(in, out, segments, rotated, 300);
        emit(out); emit(segments); emit(rotated);""",
        np.int32,
    ),
    "packed training kernels": (
        "packed_training",
        """auto logits = input<floatX>(6 * 72, [](int) { return floatX(driver_random() % 64 * 0.0625f); });
        auto losses = output<float>(6);
        auto targets = input<int>(6, [](int i) { return i * 11; });
        auto grad = output<floatX>(72 * 8);
        auto dout = input<floatX>(6 * 8, [](int i) { return floatX(i * 0.5f); });
        run(logits, losses, targets, 2, 3, 70, 72, grad, dout, 8);
        emit(logits); emit(grad);""",
        np.uint16,
    ),
    "cooperative groups": (
        "cooperative_tiles",
        """auto in = input<float>(350, [](int) { return driver_random() % 100 * 0.05f; });
        auto out = output<float>(350);
        auto x = input<int>(192, [](int) { return driver_random() % 9 - 2; });
        auto b = output<unsigned>(192);
        auto s = output<int>(12);
        run(out, in, 7, 50, b, s, x);
        emit(out); emit(b); emit(s);""",
        np.float32,
    ),
    "tiles with odd pairs of warps": (
        "wmma_gemm_sample",
        _A_B
        + """auto c = input<float>(80 * 48, [](int i) { return i % 7 - 3.0f; });
        gemm(a, b, c, 80, 48, 64, 1.5f, 0.5f);
        emit(c);""",
        np.float32,
    ),
    "tiles under divergence": (
        "wmma_divergent",
        _A_B
        + """auto s = output<float>(80 * 80);
        auto o = output<half>(5 * 256);
        run(a, b, s, o, 5, 32);
        emit(s); emit(o);""",
        np.float32,
    ),
    "tiles of every shape and type": (
        "wmma_one_warp",
        _A_B
        + """auto c1 = output<half>(64 * 16), c2 = output<half>(0);
        auto c3 = output<float>(16 * 64), c4 = output<float>(32 * 32), c5 = output<float>(32 * 32);
        auto s = input<signed char>(32 * 48, [](int) { return (signed char)driver_random(); });
        auto i1 = output<int>(32 * 32), i2 = output<int>(32 * 32);
        auto f = input<float>(32 * 48, [](int) { return driver_random() % 1000 * 0.001f; });
        auto w = input<__nv_bfloat16>(32 * 48, [](int i) { return __nv_bfloat16(i % 19 * 0.25f - 2.0f); });
        gemm_half_32x8(a, b, c1, 64, 16, 32);
        gemm_half_8x32(a, b, c3, 16, 64, 32);
        gemm_bf16(w, w, c4, 32, 32, 48);
        gemm_s8(s, s, i1, 32, 32, 48);
        gemm_u8((uint8_t*)s.p, (uint8_t*)s.p, i2, 32, 32, 48);
        gemm_tf32(f, f, c5, 32, 32, 16);
        for (int i = 0; i < 64 * 16; ++i) c3.p[i] += __half2float(c1.p[i]);
        for (int i = 0; i < 32 * 32; ++i) c4.p[i] += c5.p[i] + (float)i1.p[i] + (float)i2.p[i];
        emit(c3); emit(c4);""",
        np.float32,
    ),
}


@pytest.mark.parametrize("title", PROGRAMS)
def test_the_translation_computes_what_the_source_computes(title: str, tmp_path: Path) -> None:
    name, driver, dtype = PROGRAMS[title]
    file = str(CUDA / f"{name}.cu")
    before = run((CUDA / f"{name}.cu").read_bytes().decode(), file, "cuda", driver, tmp_path)
    hip_driver = driver.replace("__nv_bfloat16", "hip_bf16")
    after = run(translated(name), file, "hip", hip_driver, tmp_path)
    expected, got = np.frombuffer(before, dtype), np.frombuffer(after, dtype)
    if dtype == np.float32:
        np.testing.assert_allclose(got, expected, rtol=2e-6, atol=1e-6)
    else:
        np.testing.assert_array_equal(got, expected)
    assert np.count_nonzero(expected) > expected.size // 16
