"""Every intrinsic of BANG C twice: the loops that it means, by the interpreter, and the call, emulated.

One kernel makes all calls, each on its own part of `x`, `y` and `out`: the same text goes both ways. A call
sees `a`, `b` and `c` (operands from x, y and z) and `dst` in NRAM, and `w` in WRAM.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from xpiler.frontend import parse
from xpiler.gate.contract import Argument, Contract, Launch, Role, make_case
from xpiler.gate.execute import build
from xpiler.ir.interpret import run
from xpiler.ir.types import I32
from xpiler.platforms.bang_elementwise import ACTIVE, BINARY, UNARY
from xpiler.platforms.bang_meaning import MEANINGS

WORDS = 1280  # of each operand of a call
NUMPY = {
    "float": np.float32, "half": np.float16, "int": np.int32, "short": np.int16, "int8_t": np.int8,
    "unsigned": np.uint32, "unsigned short": np.uint16,
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """`text` with operands of type `source` and a result of type `result`; `fill` says what they hold."""

    text: str
    source: str = "float"
    result: str = ""
    fill: str = "mixed"

    @property
    def target(self) -> str:
        return self.result or self.source


def elementwise() -> list[Call]:
    calls = []
    for name in BINARY:
        integers = (
            ["int", "short"] if name not in ("maximum", "minimum", "nan_maximum", "nan_minimum") else []
        )
        for t in ["float", "half", *integers]:
            calls.append(Call(f"__bang_{name}(dst, a, b, 95)", t))
        calls.append(Call(f"__bang_{name}_scalar(dst, a, (float)2, 95)"))
        calls.append(Call(f"__bang_cycle_{name}(dst, a, b, 96, 32)"))
    for name in UNARY:
        fill = "positive" if name in ("recip", "sqrt", "rsqrt", "log", "log2") else "mixed"
        calls.append(Call(f"__bang_{name}(dst, a, 95)", fill=fill))
    calls += [Call(f"__bang_{name}(dst, a, 95)", "int") for name in ("abs", "neg", "square", "relu", "not")]
    for name in ACTIVE:
        fill = "positive" if name.startswith(("recip", "sqrt", "rsqrt", "log")) else "small"
        calls.append(Call(f"__bang_active_{name}(dst, a, 95)", fill=fill))
        if name in ("abs", "relu", "sign", "exp", "tanh"):
            calls.append(Call(f"__bang_active_{name}(dst, a, 95)", "half", fill="small"))
    for name in ("sin", "cos", "tanh", "sigmoid", "softplus"):
        calls += [Call(f"__bang_taylor{d}_{name}(dst, a, b, c, 95)", fill="small") for d in (3, 4)]
    for code in ("FMA", "FMS", "FAM", "FSM", "FAA", "FAS", "FSS", "FSA"):
        calls.append(Call(f"__bang_fusion(FUSION_{code}, dst, a, b, c, 96, 96)"))
    calls += [
        Call("__bang_fusion(FUSION_FMA, dst, a, 2.0f, 0.5f, 95)"),
        Call("__bang_fusion(FUSION_FSA, dst, a, b, 0.5f, 96, 32)"),
        Call("__bang_add_const(dst, a, 2.0f, 95)"),
        Call("__bang_sub_const(dst, a, 2.0f, 95)"),
        Call("__bang_mul_const(dst, a, 2.0f, 95)"),
        Call("__bang_maxeq_scalar(dst, a, 0.5f, 95)"),
        Call("__bang_mineq_scalar(dst, a, 0.5f, 95)"),
        Call("__bang_div(dst, a, b, 95)", fill="positive"),
        Call("__bang_div(dst, a, b, c, 95)", fill="positive"),
        Call("__bang_div(dst, a, 3, 95)"),
        Call("__bang_rem(dst, a, b, 95)", "int", fill="positive"),
        Call("__bang_relun(dst, a, 95, 1.5f)"),
        *(
            Call(f"__bang_{name}(dst, a, b, 95)", t, fill="extreme")
            for name in ("adds", "subs", "mulh")
            for t in ("int", "short", "int8_t", "unsigned")
        ),
        Call("__bang_sll(dst, a, 3u, 95)", "int"),
        Call("__bang_sra(dst, a, 2u, 95)", "int"),
        Call("__bang_srl(dst, a, 2u, 95)", "unsigned"),
        Call("__bang_square(dst, a, 95)", "short", "int"),
        Call("__cn_vector_sin_f32(95, dst, a)"),
        Call("__cn_vector_cos_f32(95, dst, a)"),
        Call("__cn_vector_hypot_f32(95, dst, a, b)"),
        Call("__bang_band((char *)dst, (char *)a, (char *)b, 95 * 4)", "int"),
        Call("__bang_bor((char *)dst, (char *)a, (char *)b, 95 * 4)", "int"),
        Call("__bang_bxor((char *)dst, (char *)a, (char *)b, 93)", "int"),
        Call("__bang_bnot((char *)dst, (char *)a, 95 * 4)", "int"),
        Call("__bang_band_scalar(dst, a, 6, 95)", "int"),
        Call("__bang_bor_scalar(dst, a, 6, 95)", "int"),
        Call("__bang_cycle_band((char *)dst, (char *)a, (char *)b, 96, 32)", "int"),
    ]
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        calls.append(Call(f"__bang_{name}_bitindex(dst, a, b, 96)", result="unsigned"))
    return calls


def conversions() -> list[Call]:
    calls = []
    for mode in ("tz", "oz", "up", "dn", "rd", "rn"):
        calls += [
            Call(f"__bang_float2half_{mode}(dst, a, 95)", "float", "half"),
            Call(f"__bang_float2int32_{mode}(dst, a, 95, 0)", "float", "int"),
            Call(f"__bang_float2int8_{mode}(dst, a, 95, 0)", "float", "int8_t"),
            Call(f"__bang_half2int16_{mode}(dst, a, 95, 1)", "half", "short"),
        ]
    return [
        *calls,
        Call("__bang_half2float(dst, a, 95)", "half", "float"),
        Call("__bang_half2float(dst, a, 10, 64, 32, 3)", "half", "float"),
        Call("__bang_float2half_rn(dst, a, 10, 32, 64, 3)", "float", "half"),
        Call("__bang_float2int32(dst, a, 95, -1)", "float", "int"),
        Call("__bang_int322float(dst, a, 95, 0)", "int", "float"),
        Call("__bang_int162float(dst, a, 95, 2)", "short", "float"),
        Call("__bang_int82half(dst, a, 95, -1)", "int8_t", "half"),
        Call("__bang_int322int16(dst, a, 95, 0, 0)", "int", "short"),
        Call("__bang_int162int8(dst, a, 95, 1, 0)", "short", "int8_t"),
        Call("__bang_int82int32(dst, a, 95, 0, 0)", "int8_t", "int"),
        Call("__bang_float2tf32(dst, a, 95)"),
        Call("__cn_vector_cast_f32_to_s32(95, dst, a)", "float", "int"),
    ]


_PLACES = "for (int i = 0; i < 96; ++i) ((unsigned *)b)[i] = i * 5 % 6; "  # in windows of 2 x 3


def reductions() -> list[Call]:
    calls = []
    for kind in ("sumpool", "maxpool", "minpool", "avgpool"):
        calls += [
            Call(f"__bang_{kind}(dst, a, 1, 1, 95, 1, 95, 1, 1)"),
            Call(f"__bang_{kind}(dst, a, 5, 7, 9, 3, 2, 1, 2)"),  # strides: width 1, height 2
            Call(f"__bang_{kind}(dst, a, 4, 6, 6, 2, 3)", "half"),
        ]
    return [
        *calls,
        Call("__bang_maxpool(dst, a, 3, 8, 8, 2, 2, 1, 2, 2, 3, 1, 1)"),
        Call("__bang_maxpool_index(dst, a, 3, 6, 8, 2, 3, 2, 1)", "float", "unsigned"),
        Call("__bang_maxpool_value_index(dst, a, 3, 6, 8, 2, 3, 2, 1, 1024)"),
        Call("__bang_maxpool_value_index(dst, a, 2, 5, 9, 2, 3, 2, 2, 512)", "half"),
        Call("__bang_sumpool_bp(dst, a, 3, 6, 8, 2, 3, 2, 1)"),
        Call("__bang_sumpool_bp(dst, a, 3, 6, 8, 2, 3, 2, 1, OVERLAP_COVER)"),
        Call(_PLACES + "__bang_maxpool_bp(dst, a, (unsigned *)b, 3, 6, 8, 2, 3, 1, 1)"),
        Call(_PLACES + "__bang_unpool(dst, a, 3, 6, 8, 2, 3, 3, 2, (unsigned *)b)"),
        Call("__bang_reduce_sum(dst, a, 96)"),
        Call("__bang_reduce_sum(dst, a, 128)", "half"),
        Call("__bang_argmax(dst, a, 95)"),
        Call("__bang_argmin(dst, a, 95)"),
        Call("__bang_max(dst, a, 95)", "half"),
        Call("__bang_min(dst, a, 95)"),
        Call("dst[0] = __bang_sum(a, 95)"),
        Call("dst[0] = (float)__bang_count(a, 95)"),
        Call("dst[0] = (float)__bang_findfirst1(a, 95)"),
        Call("dst[0] = (float)__bang_findlast1(a, 95)"),
        Call("dst[0] = (float)__bang_popcnt(a, 95)", "int", "float"),
    ]


def shapes() -> list[Call]:
    turns = ("transpose", "mirror", "rotate90", "rotate180", "rotate270")
    return [
        *(Call(f"__bang_{name}(dst, a, 7, 12)", t) for name in turns for t in ("float", "half")),
        Call("__bang_pad(dst, a, 3, 4, 5, 1, 2, 3, 1)"),
        Call("__bang_pad(dst, a, 3, 4, 5, 1, 2)"),
        Call("__bang_pad(dst, a, 3, 4, 5, 1, 2, 3, 1, 7.5f)"),
        Call("__bang_reshape_nchw2nhwc(dst, a, 2, 3, 4, 5)"),
        Call("__bang_reshape_nhwc2nchw(dst, a, 2, 3, 4, 5)"),
        Call("__bang_reshape_filter(dst, a, 128, 1, 1, 8)"),
        Call("__bang_incseq(dst, 95)"),
        Call("__bang_expand_channel_mul(dst, a, (void *)w, b, 6, 16)"),
        Call("__bang_expand_channel_mul_add(dst, a, (void *)w, b, c, 6, 16)"),
        Call("__bang_move(dst, a, 95 * 4)"),
        Call("__bang_move(dst, a, 128, 160, 144, 5)"),
        Call("__memcpy(dst, a, 8, NRAM2NRAM, 20, 1, 60, 2, 12, 2, 48, 1)"),
        Call("__bang_write_value(dst, 95, 2.5f)"),
        Call("__nramset(dst, 5, 2.5f, 24, 3)"),
        Call("__memset_nram(dst, 95, (half)2.5f)", "half"),
        Call("__bang_write_zero(dst, 95)"),
    ]


def selections() -> list[Call]:
    return [
        Call("dst[0] = 0; __bang_filter(dst, a, b, 95)"),
        Call("__bang_collect(dst, a, b, 95)"),
        Call("__bang_filter_bitindex(dst, a, b, 96)"),
        Call("__bang_select(dst, a, b, 96)"),
        Call("__bang_fcmpfilter(CMP_GT, dst, a, b, 95)"),
        Call("__bang_fcmpfilter(CMP_LE, dst, a, 0.5f, 95)"),
        Call("__bang_maskmove((void *)dst, (void *)a, (void *)b, 96 * 4)"),
        Call("__bang_lut(dst, (unsigned *)a, b, 95, 64)", "int", fill="index"),
        Call("__bang_histogram(dst, a, 95, 64)", "int", "unsigned", fill="index"),
    ]


def products() -> list[Call]:
    to_wram = "__memcpy(w, b, 1024 * sizeof(*w), NRAM2WRAM); "
    return [
        Call(to_wram + "__bang_matmul(dst, a, w, 5, 16, 64)", "float"),
        Call(to_wram + "__bang_matmul(dst, a, w, 3, 32, 24)", "half", "float"),
        Call(to_wram + "__bang_matmul(dst, a, w, 2, 8, 128, 0)", "int8_t", "float"),
        Call(to_wram + "__bang_matmul(dst, a, w, 2, 16, 64, -3)", "short", "float"),
        Call(to_wram + "__bang_matmul(dst, a, w, dst, 2, 16, 64, 0)", "int8_t", "float"),
        Call(to_wram + "__bang_mlp(dst, a, w, 64, 16)", "float"),
        Call(to_wram + "__bang_mlp(dst, a, (float *)c, w, 64, 16, 1)", "int8_t", "float"),
        Call(to_wram + "__bang_conv(dst, a, w, 4, 5, 6, 2, 2, 2, 1, 64)", "float"),
        Call(to_wram + "__bang_conv(dst, a, w, 4, 5, 6, 2, 2, 1, 1, 64, 0, 2, 1)", "int8_t", "float"),
    ]


FAMILIES = {
    "elementwise": elementwise(),
    "conversions": conversions(),
    "reductions": reductions(),
    "shapes": shapes(),
    "selections": selections(),
    "products": products(),
}


def program(calls: list[Call]) -> str:
    blocks = []
    for k, call in enumerate(calls):
        source, result = call.source, call.target
        blocks.append(f"""    {{
        {source} *a = ({source} *)room, *b = ({source} *)(room + {WORDS * 4});
        {source} *c = ({source} *)(room + {WORDS * 8});
        {result} *dst = ({result} *)(room + {WORDS * 12});
        {source} *w = ({source} *)weights;
        __memcpy(a, x + {k * WORDS}, {WORDS * 4}, GDRAM2NRAM);
        __memcpy(b, y + {k * WORDS}, {WORDS * 4}, GDRAM2NRAM);
        __memcpy(c, z + {k * WORDS}, {WORDS * 4}, GDRAM2NRAM);
        __memcpy(dst, z + {k * WORDS}, {WORDS * 4}, GDRAM2NRAM);
        (void)w;
        {call.text};
        __memcpy(out + {k * WORDS}, dst, {WORDS * 4}, NRAM2GDRAM);
    }}""")
    body = "\n".join(blocks)
    return f"""#include <bang.h>
__nram__ char room[{WORDS * 16}];
__wram__ char weights[{WORDS * 4}];
__mlu_entry__ void all(const int *x, const int *y, const int *z, int *out) {{
{body}
}}
"""


def operand(call: Call, seed: int, dtype: str) -> npt.NDArray[np.int32]:
    """The words of one operand, full of values of its type."""
    random = np.random.default_rng(seed)
    kind = NUMPY[dtype]
    count = WORDS * 4 // np.dtype(kind).itemsize
    if call.fill == "index":
        values = random.integers(0, 80, count).astype(np.float64)
    elif call.fill == "extreme":
        bounds = np.iinfo(kind)
        values = random.integers(bounds.min, bounds.max, count, endpoint=True).astype(np.float64)
    elif call.fill == "positive":
        values = random.uniform(0.5, 9, count).round(1)
        values = values if np.dtype(kind).kind == "f" else np.ceil(values)
    else:
        span = 3 if call.fill == "small" else 9
        values = random.uniform(-span, span, count).round(1)
        values[::5] = np.round(values[::5]) + 0.5  # halfway between two integers
        values[::7] = 0
        values[::11] = 2
    if np.dtype(kind).kind == "u":
        values = np.abs(values)
    return values.astype(kind).view(np.int32)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_meaning_is_what_the_emulator_does(family: str) -> None:
    calls = FAMILIES[family]
    text = program(calls)
    given = {
        name: np.concatenate(
            [operand(c, 3 * k + j, c.target if name == "z" else c.source) for k, c in enumerate(calls)]
        )
        for j, name in enumerate("xyz")
    }
    unit = parse(text, "all.mlu", platform="bang")
    assert not unit.refusals, unit.refusals
    (kernel,) = unit.program.kernels
    meant = np.zeros(WORDS * len(calls), np.int32)
    result = run(kernel, {**{n: v.copy() for n, v in given.items()}, "out": meant})
    assert not result.errors, result.errors
    arguments = [Argument(name, I32, True, Role.IN) for name in "xyz"]
    contract = Contract("all", "kernel", (*arguments, Argument("out", I32, True, Role.OUT)))
    built = build(text, "all.mlu", "bang", contract)
    assert built.ok, built.error
    case = make_case({}, dict.fromkeys((*"xyz", "out"), meant.size), Launch((1, 1, 1), (1, 1, 1)))
    (done,) = built.run([case], inputs=[{**given, "out": np.zeros_like(meant)}])
    assert done.ok, done.describe()
    emulated = done.buffers["out"].reshape(len(calls), WORDS)
    wrong = []
    for call, got, wanted in zip(calls, meant.reshape(len(calls), WORDS), emulated, strict=True):
        kind = NUMPY[call.target]
        if np.array_equal(got, wanted):
            continue
        tolerance = 2e-3 if "half" in (call.source, call.target) else 1e-5
        tolerance = tolerance if np.dtype(kind).kind == "f" else 0
        a, b = got.view(kind).astype(np.float64), wanted.view(kind).astype(np.float64)
        if not np.allclose(a, b, tolerance, tolerance, equal_nan=True):
            at = int(np.argmax(~np.isclose(a, b, tolerance, tolerance, equal_nan=True)))
            wrong.append(f"{call.text} on {call.source}: [{at}] means {a[at]}, emulator {b[at]}")
    assert not wrong, "\n".join(wrong)


def test_every_intrinsic_is_called() -> None:
    texts = " ".join(call.text for calls in FAMILIES.values() for call in calls)
    modes = ("_tz", "_oz", "_up", "_dn", "_rd", "_rn", "_rm", "_sr", "_async")
    missing = [n for n in MEANINGS if f"{n}(" not in texts and not n.endswith(modes) and "2" not in n]
    assert sorted(missing) == sorted(NOT_CALLED & set(missing)), sorted(set(missing) - NOT_CALLED)


# Covered with the whole program, as they need device memory, or one more spelling of what is called.
NOT_CALLED = {n for n in MEANINGS if "atomic" in n or "gather" in n or "scatter" in n} | {
    "__bang_bxor_scalar", "__bang_cycle_bor", "__bang_cycle_bxor", "__bang_cycle_div", "__bang_div_scalar",
    "__bang_collect_bitindex", "__bang_select_bitindex", "__bang_conv_partial", "__bang_conv_tf32",
}  # fmt: skip
