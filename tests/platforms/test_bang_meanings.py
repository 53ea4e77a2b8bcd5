"""Every elementwise intrinsic of the table, twice: its meaning by the interpreter, the call by the emulator.

One program runs them all: the i-th has `n` words of x, y and out for its operands, of whatever type.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from xpiler.backend.bang import _type
from xpiler.backend.bang_host import ALL_CORES, DEFAULT_QUEUE
from xpiler.gate.contract import Argument, Contract, Role, make_case
from xpiler.gate.execute import build
from xpiler.ir.build import const
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Block, Expr, Function, Instr, Load, Param, Ref, Var
from xpiler.ir.rewrite import walk
from xpiler.ir.types import BF16, F16, F32, I8, I16, I32, U32, DType
from xpiler.platforms.bang import ARCHITECTURES, ELEMENTWISE, Elementwise
from xpiler.platforms.bang_instructions import meaning

COUNT = 96
NUMPY = {
    F32: np.float32, F16: np.float16, BF16: np.uint16,
    I32: np.int32, U32: np.uint32, I16: np.int16, I8: np.int8,
}  # fmt: skip


def operand_type(intrinsic: Elementwise, dtype: DType) -> DType:
    """Of the vectors: the template says, where it converts."""
    (first, *_) = [n for n in walk(intrinsic.template(dtype)) if isinstance(n, Load)]
    return first.dtype


def vectors(intrinsic: Elementwise, dtype: DType) -> list[str]:
    names = {n.array for n in walk(intrinsic.template(dtype)) if isinstance(n, Load)}
    return sorted(names)


def scalar_type(intrinsic: Elementwise, dtype: DType) -> DType | None:
    """Of its scalar, if it takes one."""
    found = (n for n in walk(intrinsic.template(dtype)) if isinstance(n, Var) and n.name == "s")
    return next((n.dtype for n in found), None)


def program(intrinsics: list[tuple[Elementwise, DType]]) -> str:
    lines = []
    for i, (intrinsic, dtype) in enumerate(intrinsics):
        source, kind = _type(operand_type(intrinsic, dtype)), _type(dtype)
        refs = ["dst", *vectors(intrinsic, dtype)]
        if intrinsic.suffix == "bytes":
            refs = [f"(char *){r}" for r in refs]
        n = "n * 4" if intrinsic.suffix == "bytes" else "n"
        scalar = ["s"] if scalar_type(intrinsic, dtype) is not None else []
        extra = ["0"] if intrinsic.suffix == "0" else []
        lines.append(f"""    {{
        {source} *a = ({source} *)room, *b = a + n;
        {kind} *dst = ({kind} *)(b + n);
        {source} s = ({source})3;
        __memcpy(a, x + {i} * n, n * sizeof({source}), GDRAM2NRAM);
        __memcpy(b, y + {i} * n, n * sizeof({source}), GDRAM2NRAM);
        {intrinsic.name}({", ".join([*refs, *scalar, n, *extra])});
        __memcpy(out + {i} * n, dst, n * sizeof({kind}), NRAM2GDRAM);
    }}""")
    body = "\n".join(lines)
    return f"""#include <bang.h>
#include <cnrt.h>
__nram__ char room[65536];
{ALL_CORES}
{DEFAULT_QUEUE}
__mlu_entry__ void kernel(const int *x, const int *y, int *out, int n) {{
    if (taskId != 0) return;
{body}
}}
extern "C" void all(const int *x, const int *y, int *out, int n) {{
    kernel<<<all_cores(), cnrtFuncTypeUnion1, default_queue()>>>(x, y, out, n);
    cnrtQueueSync(default_queue());
}}
"""


def by_meaning(
    intrinsic: Elementwise, dtype: DType, given: dict[str, npt.NDArray[np.generic]]
) -> npt.NDArray[np.generic]:
    """What the loop nest of the instruction computes."""
    source = operand_type(intrinsic, dtype)
    names = vectors(intrinsic, dtype)
    refs: list[Expr] = [Ref(source, name, const(0)) for name in names]
    kind = scalar_type(intrinsic, dtype)
    scalar: list[Expr] = [] if kind is None else [const(3, kind)]
    operands = (Ref(dtype, "out", const(0)), *refs, *scalar, const(COUNT))
    nest = meaning(Instr(intrinsic.name, operands))
    params = (*(Param(name, source, True) for name in names), Param("out", dtype, True))
    out = np.zeros(COUNT, NUMPY[dtype])
    result = run(Function("meaning", params, Block((nest,))), {**{n: given[n] for n in names}, "out": out})
    assert not result.errors
    return out


def drawn(intrinsic: Elementwise, dtype: DType, seed: int) -> dict[str, npt.NDArray[np.generic]]:
    source = operand_type(intrinsic, dtype)
    random = np.random.default_rng(seed)
    values = random.uniform(-8, 8, (2, COUNT)).round(1)
    if any(word in intrinsic.name for word in ("recip", "sqrt", "log", "div")):
        values = np.abs(values) + 0.1
    values[1, ::4] = values[0, ::4]
    if source == BF16:  # its bits
        a, b = (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    elif source == U32:
        a, b = values.astype(np.int32).view(np.uint32)
    else:
        a, b = values.astype(NUMPY[source])
    return {"a": a, "b": b}


def words(values: list[npt.NDArray[np.generic]]) -> npt.NDArray[np.int32]:
    """Arrays of any type, each in COUNT words."""
    room = np.zeros((len(values), COUNT * 4), np.uint8)
    for row, array in zip(room, values, strict=True):
        row[: array.nbytes] = array.view(np.uint8)
    return room.view(np.int32).reshape(-1)


@pytest.mark.parametrize("architecture", ("mtp_372", "mtp_592"))
def test_every_intrinsic_does_what_its_meaning_says(architecture: str) -> None:
    number = ARCHITECTURES[architecture].number
    all_ = [(e, t) for e in ELEMENTWISE for t in e.dtypes if e.since <= number]
    given = [drawn(e, t, seed) for seed, (e, t) in enumerate(all_)]
    contract = Contract(
        "all",
        "host",
        (
            Argument("x", I32, True, Role.IN),
            Argument("y", I32, True, Role.IN),
            Argument("out", I32, True, Role.OUT),
            Argument("n", I32, False, Role.SCALAR),
        ),
        arch=architecture,
    )
    built = build(program(all_), "all.mlu", "bang", contract)
    assert built.ok, built.error
    case = make_case({"n": COUNT}, dict.fromkeys(("x", "y", "out"), COUNT * len(all_)))
    inputs = {"x": words([g["a"] for g in given]), "y": words([g["b"] for g in given])}
    inputs["out"] = np.zeros(COUNT * len(all_), np.int32)
    (result,) = built.run([case], inputs=[inputs])
    assert result.ok, result.describe()
    rows = result.buffers["out"].reshape(len(all_), COUNT)
    for (e, t), row, operands in zip(all_, rows, given, strict=True):
        got = row.view(NUMPY[t])[:COUNT].astype(np.float64)
        expected = by_meaning(e, t, operands).astype(np.float64)
        tolerance = 2e-3 if t == F16 else 1e-6 if t == F32 else 0
        np.testing.assert_allclose(got, expected, tolerance, tolerance, err_msg=f"{e.name} on {t}")
