"""Every family of BANG C intrinsics against NumPy: one program, one kernel a case."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.emulators.running import run_program

Array = npt.NDArray[Any]
C_NAMES = {
    "float32": "float",
    "float16": "half",
    "int32": "int",
    "int16": "short",
    "int8": "int8_t",
    "uint8": "unsigned char",
    "uint32": "unsigned",
    "uint16": "unsigned short",
}


@dataclass(frozen=True)
class Case:
    """`call` works on `dst` and `in0`, `in1`, ... in NRAM (`w0`, ... in WRAM for names in `weights`)."""

    call: str
    inputs: tuple[Array, ...]
    expected: Array
    tolerance: float = 0.0
    initial: Array | None = None  # dst before the call; zeros unless given
    weights: tuple[int, ...] = ()


def kernel(index: int, case: Case) -> str:
    names = [C_NAMES[a.dtype.name] for a in case.inputs]
    out = C_NAMES[case.expected.dtype.name]
    parameters = ", ".join(f"{t}* g{i}" for i, t in enumerate(names))
    lines = [f"__mlu_global__ void case_{index}({out}* out, {parameters}) {{"]
    lines.append(f"  __nram__ {out} dst[{case.expected.size}];")
    lines.append("  __memcpy(dst, out, sizeof(dst), GDRAM2NRAM);")
    for i, (t, a) in enumerate(zip(names, case.inputs, strict=True)):
        space, name, way = (
            ("__wram__", f"w{i}", "GDRAM2WRAM") if i in case.weights else ("__nram__", f"in{i}", "GDRAM2NRAM")
        )
        lines.append(f"  {space} {t} {name}[{a.size}]; __memcpy({name}, g{i}, sizeof({name}), {way});")
    lines += [f"  {case.call};", "  __memcpy(out, dst, sizeof(dst), NRAM2GDRAM);", "}"]
    return "\n".join(lines)


HOST = """
static FILE* result;
template <class T> T* input(size_t n) {
  std::vector<T> host(n);
  if (fread(host.data(), sizeof(T), n, stdin) != n) exit(3);
  T* device; cnrtMalloc((void**)&device, n * sizeof(T));
  cnrtMemcpy(device, host.data(), n * sizeof(T), cnrtMemcpyHostToDev);
  return device;
}
template <class T> void output(T* device, size_t n) {
  std::vector<T> host(n);
  cnrtMemcpy(host.data(), device, n * sizeof(T), cnrtMemcpyDevToHost);
  fwrite(host.data(), sizeof(T), n, result);
}
"""


def run_cases(cases: list[Case], folder: Path, **environment: str) -> list[Array]:
    main = ["int main() {", '  result = fopen(getenv("RESULT"), "wb");', "  cnrtDim3_t dim = {1, 1, 1};"]
    data = b""
    for index, case in enumerate(cases):
        initial = case.initial if case.initial is not None else np.zeros_like(case.expected)
        out = C_NAMES[case.expected.dtype.name]
        main.append(f"  {{ {out}* out = input<{out}>({case.expected.size});")
        data += np.ascontiguousarray(initial, case.expected.dtype).tobytes()
        for i, a in enumerate(case.inputs):
            t = C_NAMES[a.dtype.name]
            main.append(f"    {t}* g{i} = input<{t}>({a.size});")
            data += np.ascontiguousarray(a).tobytes()
        arguments = ", ".join(["out", *(f"g{i}" for i in range(len(case.inputs)))])
        main.append(f"    case_{index}<<<dim, cnrtFuncTypeBlock, nullptr>>>({arguments});")
        main.append(f"    output(out, {case.expected.size}); }}")
    text = "\n".join([HOST, *(kernel(i, c) for i, c in enumerate(cases)), *main, "  fclose(result);", "}"])
    path = folder / "result.bin"
    outcome = run_program(text, folder, "bang", stdin=data, RESULT=str(path), **environment)
    assert outcome.status == 0, outcome.events
    raw = path.read_bytes()
    results: list[Array] = []
    for case in cases:
        size = case.expected.nbytes
        results.append(np.frombuffer(raw[:size], case.expected.dtype).reshape(case.expected.shape))
        raw = raw[size:]
    return results


def check(cases: list[Case], folder: Path) -> None:
    for case, got in zip(cases, run_cases(cases, folder), strict=True):
        if case.tolerance:
            np.testing.assert_allclose(
                got.astype(np.float64),
                case.expected.astype(np.float64),
                case.tolerance,
                case.tolerance,
                err_msg=case.call,
            )
        else:
            np.testing.assert_array_equal(got, case.expected, err_msg=case.call)


rng = np.random.default_rng(7)


def floats(*shape: int, dtype: str = "float32", low: float = -3, high: float = 3) -> Array:
    return rng.uniform(low, high, shape).astype(dtype)


def integers(*shape: int, dtype: str = "int32", low: int = -50, high: int = 50) -> Array:
    return rng.integers(low, high, shape).astype(dtype)


def elementwise_cases() -> list[Case]:
    cases: list[Case] = []
    binary: dict[str, Callable[[Array, Array], Array]] = {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "maxequal": np.maximum,
        "minequal": np.minimum,
    }
    compare: dict[str, Callable[[Array, Array], Array]] = {
        "eq": np.equal,
        "ne": np.not_equal,
        "lt": np.less,
        "le": np.less_equal,
        "gt": np.greater,
        "ge": np.greater_equal,
        "and": np.logical_and,
        "or": np.logical_or,
        "xor": np.logical_xor,
    }
    for dtype in ("float32", "float16", "int32", "int16", "int8"):
        n = 131  # no multiple of anything
        make = floats if dtype.startswith("float") else integers
        a, b = make(n, dtype=dtype), make(n, dtype=dtype)
        b[::5] = a[::5]
        a[3:9] = 0
        for name, f in (binary | compare).items():
            with np.errstate(over="ignore"):
                cases.append(Case(f"__bang_{name}(dst, in0, in1, {n})", (a, b), f(a, b).astype(dtype)))
        scalar = np.array([2], dtype)
        cases.append(Case(f"__bang_mul_scalar(dst, in0, 2, {n})", (a,), (a * scalar).astype(dtype)))
        seg = make(8, dtype=dtype)
        long = make(96, dtype=dtype)
        cyc = (long.reshape(12, 8) + seg).reshape(-1).astype(dtype)
        cases.append(Case("__bang_cycle_add(dst, in0, in1, 96, 8)", (long, seg), cyc))
        cases.append(Case(f"__bang_lt_scalar(dst, in0, 1, {n})", (a,), (a < 1).astype(dtype)))
    x = floats(200, low=0.1, high=6)
    unary: dict[str, Array] = {
        "__bang_active_exp": np.exp(x),
        "__bang_active_exphp": np.exp(x),
        "__bang_log": np.log2(x),  # base 2
        "__bang_log2": np.log2(x),
        "__bang_active_loghp": np.log(x),
        "__bang_pow2": np.exp2(x),
        "__bang_sqrt": np.sqrt(x),
        "__bang_rsqrt": 1 / np.sqrt(x),
        "__bang_recip": 1 / x,
        "__bang_active_sigmoid": 1 / (1 + np.exp(-x)),
        "__bang_active_tanh": np.tanh(x),
        "__bang_sin": np.sin(x),
        "__bang_active_cos": np.cos(x),
        "__bang_square": x * x,
        "__bang_floor": np.floor(x),
        "__bang_nearbyint": np.rint(x),
    }
    cases += [Case(f"{name}(dst, in0, 200)", (x,), y.astype("float32"), 1e-5) for name, y in unary.items()]
    gelu = np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x], "float32")
    cases.append(Case("__bang_active_gelu(dst, in0, 200)", (x,), gelu, 1e-5))
    z = np.array([-2, -0.5, 0.0, -0.0, 0.5, 7], "float32")
    cases.append(Case("__bang_active_sign(dst, in0, 6)", (z,), np.array([-1, -1, 1, 1, 1, 1], "float32")))
    cases.append(Case("__bang_active_relu(dst, in0, 6)", (z,), np.maximum(z, 0)))
    cases.append(Case("__bang_relun(dst, in0, 6, 0.25)", (z,), np.clip(z, 0, 0.25).astype("float32")))
    cases.append(Case("__bang_not(dst, in0, 6)", (z,), (z == 0).astype("float32")))
    cases.append(Case("__bang_div(dst, in0, in1, 200)", (x, x[::-1].copy()), x / x[::-1]))
    cases.append(Case("__bang_div(dst, in0, in1, in2, 200)", (x, x[::-1].copy(), x), x / x[::-1]))
    cases.append(Case("__bang_div(dst, in0, sqrt(16.0), 200)", (x,), x / np.float32(4)))
    cases.append(Case("__bang_mul_const(dst, in0, 0.5, 200)", (x,), x * np.float32(0.5)))
    cases.append(Case("__bang_sigmoid(dst, in0, 200)", (x,), (1 / (1 + np.exp(-x))).astype("float32"), 1e-5))
    nans = np.array([np.nan, 1, np.nan, 2], "float32")
    ones = np.array([1, np.nan, np.nan, 1], "float32")
    cases.append(
        Case("__bang_maxequal(dst, in0, in1, 4)", (nans, ones), np.array([np.nan, 1, np.nan, 2], "float32"))
    )
    cases.append(
        Case("__bang_maximum(dst, in0, in1, 4)", (nans, ones), np.array([1, 1, np.nan, 2], "float32"))
    )
    i = integers(64)
    u = integers(64, dtype="uint8", low=0, high=255)
    v = integers(64, dtype="uint8", low=0, high=255)
    cases.append(Case("__bang_band((char*)dst, (char*)in0, (char*)in1, 64)", (u, v), u & v))
    cases.append(Case("__bang_bxor((char*)dst, (char*)in0, (char*)in1, 64)", (u, v), u ^ v))
    cases.append(Case("__bang_bnot((char*)dst, (char*)in0, 64)", (u,), ~u))
    cases.append(Case("__bang_band_scalar(dst, in0, 0xff, 64)", (i,), i & 0xFF))
    cases.append(Case("__bang_sll(dst, in0, 3, 64)", (i,), i << 3))
    cases.append(Case("__bang_sra(dst, in0, 2, 64)", (i,), i >> 2))
    cases.append(Case("__bang_srl(dst, in0, 2, 64)", (i.astype("uint32"),), i.astype("uint32") >> 2))
    p, q, r = floats(64), floats(64), floats(16)
    cases.append(
        Case("__bang_fusion(FUSION_FMA, dst, in0, 2.0f, 1.0f, 64)", (p,), p * np.float32(2) + np.float32(1))
    )
    fsm = ((p - q).reshape(4, 16) * np.float32(3)).reshape(-1)
    cases.append(Case("__bang_fusion(FUSION_FSM, dst, in0, in1, 3.0f, 64, 64)", (p, q), fsm))
    faa = (p.reshape(4, 16) + r + r).reshape(-1)
    cases.append(Case("__bang_fusion(FUSION_FAA, dst, in0, in1, in1, 64, 16)", (p, r), faa))
    return cases


def reduction_cases() -> list[Case]:
    x = floats(256)
    sums = x.reshape(8, 32).sum(1, dtype="float64").astype("float32")
    touched = np.full((8, 32), 9, "float32")
    touched[:, 0] = sums
    image = floats(6, 8, 4)  # H, W, C
    windows = np.stack([image[i : i + 5 : 2, j : j + 6 : 3] for i in range(2) for j in range(3)])
    h = floats(64, dtype="float16")
    marks = (rng.random(96) < 0.4).astype("float32")
    y = floats(96)
    packed = np.zeros(96, "float32")
    packed[: int(marks.sum())] = y[marks != 0]
    selected = np.zeros(128, "float32")
    selected[32 : 32 + int(marks.sum())] = y[marks != 0]
    selected[0] = np.array([int(marks.sum())], "uint32").view("float32")[0]
    best = np.zeros(2, "float32")
    best[0] = y.max()
    best[1] = np.array([y.argmax()], "uint32").view("float32")[0]
    half_best = np.array([h.min().view("uint16"), h.argmin(), 0], "uint16")
    bits = np.packbits((y[:64] > x[:64]), bitorder="little")
    index = (windows[:, :, :, :] == windows.max(0)).argmax(0).astype("uint32")
    mask = integers(8, dtype="uint8", low=0, high=255)
    old = integers(64, dtype="uint8", low=0, high=255)
    new = integers(64, dtype="uint8", low=0, high=255)
    moved = np.where(np.unpackbits(mask, bitorder="little").astype(bool), new, old)
    table = integers(64, dtype="int16")
    at = integers(40, dtype="uint16", low=0, high=64)
    pool = "4, 6, 8, 2, 3, 3, 2"  # width stride 3, height stride 2
    return [
        Case("__bang_reduce_sum(dst, in0, 256)", (x,), touched.reshape(-1), 1e-5, np.full(256, 9, "float32")),
        Case("__bang_sumpool(dst, in0, 1, 1, 256, 1, 256, 1, 1)", (x,), x.sum(keepdims=True), 1e-4),
        Case(f"__bang_sumpool(dst, in0, {pool})", (image,), windows.sum(0), 1e-5),
        Case(f"__bang_maxpool(dst, in0, {pool})", (image,), windows.max(0)),
        Case(f"__bang_minpool(dst, in0, {pool})", (image,), windows.min(0)),
        Case(f"__bang_avgpool(dst, in0, {pool})", (image,), windows.mean(0), 1e-5),
        Case(f"__bang_maxpool_index(dst, in0, {pool})", (image,), index),
        Case("__bang_argmax(dst, in0, 96)", (y,), best),
        Case("__bang_argmin((half*)dst, in0, 64)", (h,), half_best),
        Case("dst[0] = __bang_count(in0, 96)", (marks,), marks.sum(keepdims=True).astype("uint32")),
        Case("dst[0] = __bang_findfirst1(in0, 96)", (marks,), np.array([marks.argmax()], "uint32")),
        Case("dst[0] = __bang_sum(in0, 256)", (x,), x.sum(keepdims=True), 1e-4),
        Case("__bang_filter(dst, in0, in1, 96)", (y, marks), packed),
        Case("__bang_select(dst, in0, in1, 96)", (y, marks), selected),
        Case("__bang_gt_bitindex(dst, in0, in1, 64)", (y[:64], x[:64]), bits),
        Case("__bang_maskmove((void*)dst, (void*)in0, (void*)in1, 64)", (new, mask), moved, initial=old),
        Case("__bang_lut(dst, in0, in1, 40, 64)", (at, table), table[at]),
    ]


def shape_cases() -> list[Case]:
    a = floats(5, 7)
    image = floats(2, 3, 4)
    weights = floats(128, 8)
    lanes = weights.reshape(2, 64, 8).transpose(1, 0, 2).reshape(-1)
    batch = floats(2, 4, 4, 16)  # n, h, w, c
    rows = floats(4, 8)
    segments = np.zeros((4, 10), "float32")
    segments[:, :8] = rows
    return [
        Case("__bang_transpose(dst, in0, 5, 7)", (a,), a.T.copy()),
        Case("__bang_mirror(dst, in0, 5, 7)", (a,), a[:, ::-1].copy()),
        Case("__bang_rotate90(dst, in0, 5, 7)", (a,), np.rot90(a, -1).copy()),
        Case("__bang_rotate180(dst, in0, 5, 7)", (a,), np.rot90(a, 2).copy()),
        Case("__bang_rotate270(dst, in0, 5, 7)", (a,), np.rot90(a).copy()),
        Case("__bang_pad(dst, in0, 4, 2, 3, 1, 2, 1, 0)", (image,), np.pad(image, ((1, 2), (1, 0), (0, 0)))),
        Case("__bang_reshape_filter(dst, in0, 128, 1, 1, 8)", (weights,), lanes),
        Case("__bang_reshape_nhwc2nchw(dst, in0, 2, 4, 4, 16)", (batch,), batch.transpose(0, 3, 1, 2).copy()),
        Case("__bang_incseq(dst, 40)", (a,), np.arange(40, dtype="int32")),
        Case("__memcpy(dst, in0, 32, NRAM2NRAM, 40, 32, 3)", (rows,), segments),
        Case("__memcpy(dst, in0, 32, NRAM2NRAM, 32, 0, 3)", (rows,), np.tile(rows[0], (4, 1))),
        Case(
            "__bang_move(dst + 4, dst, 60 * 4)",
            (a,),
            np.r_[0:4, 0:60].astype("float32"),
            initial=np.arange(64.0),
        ),
        Case("__bang_write_value(dst, 6, (half)1.5f)", (a,), np.full(6, 1.5, "float16")),
        Case("__memset_nram(dst, 6, 7)", (a,), np.full(6, 7, "int32")),
        Case("__nramset(dst, 2, 3.0f, 16, 2)", (a,), np.tile(np.array([3, 3, 0, 0], "float32"), 3)),
        Case(  # the source's 4 x 3 segments, column by column
            "__memcpy(dst, in0, 8, NRAM2NRAM, 8, 3, 32, 2, 24, 3, 8, 2)",
            (np.arange(24, dtype="float32"),),
            np.arange(24, dtype="float32").reshape(4, 3, 2).transpose(1, 0, 2).copy(),
        ),
    ]


def conversion_cases() -> list[Case]:
    x = np.array([-2.5, -1.5, -0.4, 0.5, 1.5, 2.5, 3.7, 300.0], "float32")
    wide = floats(64, low=-9, high=9)
    away = np.sign(x) * np.floor(np.abs(x) + 0.5)
    modes = {
        "tz": np.trunc(x),
        "up": np.ceil(x),
        "dn": np.floor(x),
        "rn": np.rint(x),
        "rd": away,
        "oz": np.sign(x) * np.ceil(np.abs(x)),
    }
    cases = [
        Case(f"__bang_float2int32_{m}(dst, in0, 8, 0)", (x,), y.astype("int32")) for m, y in modes.items()
    ]
    h = wide.astype("float16")
    down = np.where(h.astype("float32") > wide, np.nextafter(h, np.float16(-np.inf)), h)
    return [
        *cases,
        Case("__bang_float2int8_rn(dst, in0, 8, 0)", (x,), np.clip(np.rint(x), -128, 127).astype("int8")),
        Case("__bang_float2int16_rn(dst, in0, 8, 1)", (x,), np.rint(x / 2).astype("int16")),
        Case(
            "__bang_int162float(dst, in0, 5, 2)",
            (np.arange(5, dtype="int16"),),
            np.arange(5, dtype="float32") * 4,
        ),
        Case(
            "__bang_int322float(dst, in0, 5)", (np.arange(5, dtype="int32"),), np.arange(5, dtype="float32")
        ),
        Case("__bang_float2half_rn(dst, in0, 64)", (wide,), h),
        Case("__bang_float2half(dst, in0, 64)", (wide,), h),
        Case("__bang_float2half_dn(dst, in0, 64)", (wide,), down),
        Case("__bang_half2float(dst, in0, 64)", (h,), h.astype("float32")),
    ]


def matrix_cases() -> list[Case]:
    def lanes(rows: Array) -> Array:
        return rows.reshape(len(rows) // 64, 64, -1).transpose(1, 0, 2).copy()

    a, b = floats(5, 32), floats(128, 32)  # b is N x K
    ha, hb = a.astype("float16"), b.astype("float16")
    ia, ib = integers(5, 64, dtype="int8"), integers(128, 64, dtype="int8")
    product = ia.astype("float64") @ ib.T.astype("float64")
    image, filters = floats(6, 7, 16), floats(64, 2, 3, 16)
    conv = np.zeros((3, 5, 64), "float32")  # stride 2 in height, 1 in width
    for y in range(3):
        for x in range(5):
            conv[y, x] = (
                np.einsum("hwc,ohwc->o", image[2 * y : 2 * y + 2, x : x + 3], filters)[:64]
                if 2 * y + 2 <= 6
                else 0
            )
    bias = floats(128)
    return [
        Case("__bang_matmul(dst, in0, w1, 5, 32, 128)", (a, lanes(b)), a @ b.T, 1e-4, weights=(1,)),
        Case(
            "__bang_matmul(dst, in0, w1, 5, 32, 128)",
            (ha, lanes(hb)),
            ha.astype("float32") @ hb.T.astype("float32"),
            1e-4,
            weights=(1,),
        ),
        Case(
            "__bang_matmul(dst, in0, w1, 5, 64, 128, -2)",
            (ia, lanes(ib)),
            (product / 4).astype("float32"),
            weights=(1,),
        ),
        Case(
            "__bang_matmul(dst, in0, w1, in2, 5, 64, 128, 0)",
            (ia, lanes(ib), np.ones((5, 128), "float32")),
            (product + 1).astype("float32"),
            weights=(1,),
        ),
        Case("__bang_mlp(dst, in0, w1, 128, 32)", (a[0], lanes(b)), a[0] @ b.T, 1e-4, weights=(1,)),
        Case(
            "__bang_mlp(dst, in0, in2, w1, 128, 64, 0)",
            (ia[0], lanes(ib), bias),
            (product[0] + bias).astype("float32"),
            1e-5,
            weights=(1,),
        ),
        Case(
            "__bang_conv(dst, in0, w1, 16, 6, 7, 2, 3, 1, 2, 64)", (image, filters), conv, 1e-4, weights=(1,)
        ),
    ]


def atomic_cases() -> list[Case]:
    x = integers(8)
    y = integers(8)
    return [
        # The kernel's first input in device memory is updated; the old values come back.
        Case("__bang_atomic_add(dst, g0, in1, 8)", (x, y), x),
        Case("__bang_atomic_reduce_add(g0, in1, 8); __memcpy(dst, g0, 32, GDRAM2NRAM)", (x, y), x + y),
        Case(
            "__bang_atomic_reduce_max(g0, in1, 8); __memcpy(dst, g0, 32, GDRAM2NRAM)",
            (x, y),
            np.maximum(x, y),
        ),
        Case("__bang_atomic_cas(dst, g0, g0[0], 5); dst[1] = g0[0]", (x,), np.array([x[0], 5], "int32")),
        Case(
            "__gather(dst, in0, in1, 8, NRAM2NRAM, 8, 4)",
            (np.arange(32, dtype="float32"), np.array([8, 64, 0, 24], "uint32")),
            np.array([2, 3, 16, 17, 0, 1, 6, 7], "float32"),
        ),
        Case(
            "__scatter(dst, in0, in1, 4, NRAM2NRAM, 4, 3)",
            (np.array([1, 2, 3], "float32"), np.array([12, 0, 4], "uint32")),
            np.array([2, 3, 0, 1], "float32"),
        ),
    ]


FAMILIES: dict[str, Callable[[], list[Case]]] = {
    "elementwise": elementwise_cases,
    "reductions": reduction_cases,
    "shapes": shape_cases,
    "conversions": conversion_cases,
    "matrices": matrix_cases,
    "atomics": atomic_cases,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_what_numpy_computes(family: str, tmp_path: Path) -> None:
    check(FAMILIES[family](), tmp_path)
