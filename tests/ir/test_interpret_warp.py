"""Shuffles, votes, atomics and fragments against one lane at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.ir.kernels import kernel
from xpiler.frontend import parse
from xpiler.ir import build as b
from xpiler.ir.interpret import run
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Block,
    Collective,
    Decl,
    Expr,
    If,
    Instr,
    Load,
    Param,
    Ref,
    Space,
    Stmt,
    While,
)
from xpiler.ir.types import BF16, F16, F32, F64, I8, I32, U32, U64, DType

TX = b.cast(b.thread_index(), I32)
THREADS = 70  # two whole warps and a part


def per_lane(
    dtype: DType, operation: list[Stmt], result: Expr, inputs: np.ndarray, source: DType, warp_size: int = 32
) -> np.ndarray:
    """Run on one block; `v` holds the thread's input, `result` is written out."""
    out = np.zeros(
        THREADS, np.dtype({"i32": "i4", "u32": "u4", "u64": "u8", "f32": "f4", "i64": "i8"}[dtype.name])
    )
    params = [Param("data", source, True), Param("out", dtype, True)]
    body = [Decl("v", source, init=b.load("data", source, TX)), Decl("r", dtype), *operation]
    function = kernel(params, *body, Assign(b.load("out", dtype, TX), result))
    function = replace(function, warp_size=warp_size)
    outcome = run(function, {"data": inputs, "out": out}, (1, 1, 1), (THREADS, 1, 1))
    assert not [f for f in outcome.findings if f.code not in ("shuffle-inactive", "collective-mask")]
    return out


def shuffle(kind: str, width: int, amount: int, lane: int) -> int:
    """The lane that is read, after the pseudo-code of the PTX manual."""
    segment = lane & ~(width - 1)
    last = segment + width - 1
    amount &= 31
    match kind:
        case "shfl":
            return segment + (amount & (width - 1))
        case "shfl_up":
            return lane - amount if lane - amount >= segment else lane
        case "shfl_down":
            return lane + amount if lane + amount <= last else lane
    return lane ^ amount if lane ^ amount <= last else lane


@pytest.mark.parametrize("kind", ["shfl", "shfl_up", "shfl_down", "shfl_xor"])
@pytest.mark.parametrize("width", [32, 8])
@pytest.mark.parametrize("amount", [0, 1, 5, 16, 33])
def test_shuffles_read_the_lane_that_the_manual_says(kind: str, width: int, amount: int) -> None:
    v, r = b.var("v", F32), b.var("r", F32)
    data = np.arange(THREADS, dtype=np.float32) * 1.5
    operation = Collective(kind, r, (v, b.const(amount), b.const(width)))
    out = per_lane(F32, [operation], r, data, F32)
    for thread in range(64):
        warp, lane = divmod(thread, 32)
        assert out[thread] == data[warp * 32 + shuffle(kind, width, amount, lane)]


def test_a_shuffle_reduction_sums_each_warp() -> None:
    v = b.var("v", F32)
    t = b.var("t", F32)
    steps: list[Stmt] = [Decl("t", F32)]
    for offset in (16, 8, 4, 2, 1):
        steps += [Collective("shfl_xor", t, (v, b.const(offset), b.const(32))), Assign(v, t, "+")]
    data = np.arange(THREADS, dtype=np.float32)
    out = per_lane(F32, steps, v, data, F32)
    assert out[0] == data[:32].sum() and out[40] == data[32:64].sum()


def test_votes_match_and_reductions() -> None:
    data = (np.arange(THREADS, dtype=np.int32) * 7) % 5
    v = b.var("v")
    warps = [range(32), range(32, 64), range(64, THREADS)]

    def collect(kind: str, dtype: DType, arg: Expr) -> list[int]:
        r = b.var("r", dtype)
        return [int(x) for x in per_lane(dtype, [Collective(kind, r, (arg,))], r, data, I32)]

    ballot, everyone, anyone = (
        collect(k, t, b.lt(v, 3)) for k, t in (("ballot", U32), ("all", I32), ("any", I32))
    )
    match, total = collect("match_any", U32, v), collect("reduce_add", I32, v)
    least, greatest = collect("reduce_min", I32, v), collect("reduce_max", I32, v)
    for warp in warps:
        values = [int(data[t]) for t in warp]
        for thread in warp:
            assert ballot[thread] == sum(1 << i for i, x in enumerate(values) if x < 3)
            assert match[thread] == sum(1 << i for i, x in enumerate(values) if x == data[thread])
            assert (everyone[thread], anyone[thread]) == (
                all(x < 3 for x in values),
                any(x < 3 for x in values),
            )
            assert (total[thread], least[thread], greatest[thread]) == (sum(values), min(values), max(values))


def test_wavefronts_of_64_lanes_vote_with_64_bits() -> None:
    data = np.arange(THREADS, dtype=np.int32)
    r = b.var("r", U64)
    out = per_lane(U64, [Collective("ballot", r, (b.eq(b.mod(b.var("v"), 3), 0),))], r, data, I32, 64)
    assert int(out[0]) == sum(1 << i for i in range(0, 64, 3))


def test_lanes_of_a_branch_vote_among_themselves() -> None:
    data = np.arange(THREADS, dtype=np.int32)
    r = b.var("r", U32)
    active = If(
        b.lt(b.mod(TX, 32), 10),
        Block((Collective("activemask", r, ()),)),
        Block((Assign(r, b.const(0, U32)),)),
    )
    out = per_lane(U32, [active], r, data, I32)
    assert int(out[3]) == (1 << 10) - 1 and int(out[20]) == 0
    assert int(out[65]) == (1 << 6) - 1


def test_the_block_counts() -> None:
    data = np.arange(THREADS, dtype=np.int32)
    r = b.var("r")
    for kind, expected in (("syncthreads_count", 30), ("syncthreads_and", 0), ("syncthreads_or", 1)):
        out = per_lane(I32, [Collective(kind, r, (b.ge(b.var("v"), 40),), scope="block")], r, data, I32)
        assert set(out.tolist()) == {expected}


def atomics(op: str, dtype: DType, initial: object, *args: Expr, slots: int = 3) -> tuple[list, list]:  # type: ignore[type-arg]
    """Every thread works on element thread % slots; the elements in the end and the old values."""
    kind = np.dtype(
        {"i32": "i4", "u32": "u4", "f32": "f4", "i64": "i8", "f16": "f2", "f64": "f8"}[dtype.name]
    )
    memory, old = np.full(slots, initial, kind), np.zeros(20, kind)
    place = b.load("m", dtype, b.mod(TX, slots))
    params = [Param("m", dtype, True), Param("old", dtype, True)]
    function = kernel(
        params,
        Decl("o", dtype),
        Atomic(op, place, args, b.var("o", dtype)),
        Assign(b.load("old", dtype, TX), b.var("o", dtype)),
    )
    run(function, {"m": memory, "old": old}, (1, 1, 1), (20, 1, 1))
    silent = np.full(slots, initial, kind)
    run(kernel(params, Atomic(op, place, args)), {"m": silent, "old": old.copy()}, (1, 1, 1), (20, 1, 1))
    assert np.array_equal(memory, silent), "with and without a target"
    return memory.tolist(), old.tolist()


SERIAL = {
    "add": lambda m, v: m + v,
    "sub": lambda m, v: m - v,
    "min": min,
    "max": max,
    "and": lambda m, v: m & v,
    "or": lambda m, v: m | v,
    "xor": lambda m, v: m ^ v,
    "exch": lambda m, v: v,
    "inc": lambda m, v: 0 if m >= v else m + 1,
    "dec": lambda m, v: v if m == 0 or m > v else m - 1,
}


@pytest.mark.parametrize("op", sorted(SERIAL))
def test_atomics_happen_one_after_the_other(op: str) -> None:
    memory, old = atomics(op, U32, 6, b.cast(b.add(TX, 3), U32))
    expected, seen = [6] * 3, []
    for thread in range(20):
        slot = thread % 3
        seen.append(expected[slot])
        expected[slot] = SERIAL[op](expected[slot], thread + 3) % 2**32
    assert (memory, old) == (expected, seen)


def test_atomics_of_floats() -> None:
    memory, old = atomics("add", F32, 0.5, b.cast(TX, F32), slots=2)
    assert memory == [90.5, 100.5] and old[:4] == [0.5, 0.5, 0.5, 1.5]
    assert atomics("add", F16, 0.5, b.cast(TX, F16), slots=1)[0] == [190.5]


def test_a_maximum_by_compare_and_swap() -> None:
    """The usual loop: try to replace the old value until nobody else was faster."""
    old, seen = b.var("old"), b.var("seen")
    cas = Atomic("cas", b.load("m", I32, 0), (seen, b.maximum(seen, TX)), old)
    attempt = Block((Assign(seen, old), cas))
    body = (
        Decl("old", I32, init=b.load("m", I32, 0)),
        Decl("seen", I32, init=b.const(0)),
        While(b.ne(seen, old), attempt, do_while=True),
    )
    memory = np.zeros(1, np.int32)
    run(kernel([Param("m", I32, True)], *body), {"m": memory}, (2, 1, 1), (40, 1, 1), step_limit=1000)
    assert memory.tolist() == [39]


# ------------------------------------------------------------------------------------------ fragments


def reference(name: str, dtype: DType, offset: Expr | int = 0) -> Ref:
    return Ref(dtype, name, b.as_expr(offset))


def wmma_gemm(a_type: DType, c_type: DType, a_layout: str, b_layout: str, c_layout: str) -> Stmt:
    tile = b.const(16)
    shape = (tile, tile)
    steps: list[Stmt] = [
        Decl("fa", a_type, shape, Space.FRAGMENT),
        Decl("fb", a_type, shape, Space.FRAGMENT),
        Decl("fc", c_type, shape, Space.FRAGMENT),
        Instr("wmma.fill_fragment", (reference("fc", c_type), b.const(1, c_type))),
    ]
    warp = b.div(TX, 32)
    for k in range(2):
        a_offset = 16 * k if a_layout == "row_major" else 16 * k * 16
        a_ldm = 32 if a_layout == "row_major" else 16
        b_place = (
            b.add(b.mul(warp, 16), 16 * k * 32)
            if b_layout == "row_major"
            else b.add(b.mul(warp, 16 * 32), 16 * k)
        )
        steps += [
            Instr(
                "wmma.load_matrix_sync",
                (reference("fa", a_type), reference("A", a_type, a_offset), b.const(a_ldm)),
                (("layout", a_layout), ("use", "matrix_a")),
            ),
            Instr(
                "wmma.load_matrix_sync",
                (reference("fb", a_type), reference("B", a_type, b_place), b.const(32)),
                (("layout", b_layout), ("use", "matrix_b")),
            ),
            Instr(
                "wmma.mma_sync",
                tuple(
                    reference(n, t)
                    for n, t in zip(("fc", "fa", "fb", "fc"), (c_type, a_type, a_type, c_type), strict=True)
                ),
            ),
        ]
    c_place = b.mul(warp, 16 if c_layout == "mem_row_major" else 16 * 16)
    c_ldm = 32 if c_layout == "mem_row_major" else 16
    steps.append(
        Instr(
            "wmma.store_matrix_sync",
            (reference("C", c_type, c_place), reference("fc", c_type), b.const(c_ldm)),
            (("layout", c_layout),),
        )
    )
    return Block(tuple(steps))


@pytest.mark.parametrize("a_layout", ["row_major", "col_major"])
@pytest.mark.parametrize("b_layout", ["row_major", "col_major"])
@pytest.mark.parametrize("c_layout", ["mem_row_major", "mem_col_major"])
@pytest.mark.parametrize(("a_type", "c_type"), [(F16, F32), (I8, I32), (BF16, F32)])
def test_two_warps_multiply_matrices(
    a_layout: str, b_layout: str, c_layout: str, a_type: DType, c_type: DType
) -> None:
    """C[16][32] = 1 + A[16][32] B[32][32], a warp for each half of the columns."""
    rng = np.random.default_rng(2)
    a, bb = rng.integers(-4, 5, (16, 32)), rng.integers(-4, 5, (32, 32))
    kind = {"f16": np.float16, "i8": np.int8, "bf16": np.float32}[a_type.name]
    a_memory = np.ascontiguousarray((a if a_layout == "row_major" else a.T).astype(kind))
    b_memory = np.ascontiguousarray((bb if b_layout == "row_major" else bb.T).astype(kind))
    c = np.zeros(
        (16, 32) if c_layout == "mem_row_major" else (32, 16), np.float32 if c_type == F32 else np.int32
    )
    params = [Param("A", a_type, True), Param("B", a_type, True), Param("C", c_type, True)]
    function = kernel(params, wmma_gemm(a_type, c_type, a_layout, b_layout, c_layout))
    result = run(function, {"A": a_memory, "B": b_memory, "C": c}, (1, 1, 1), (64, 1, 1))
    assert not result.errors
    assert np.array_equal(c if c_layout == "mem_row_major" else c.T, a @ bb + 1)


def test_fragment_instructions_of_a_part_of_a_warp_are_found() -> None:
    fill = Instr("wmma.fill_fragment", (reference("f", F32), b.const(1.0, F32)))
    function = kernel(
        [], Decl("f", F32, (b.const(16), b.const(16)), Space.FRAGMENT), If(b.lt(TX, 31), Block((fill,)))
    )
    assert [f.code for f in run(function, {}, (1, 1, 1), (32, 1, 1)).findings] == ["warp-divergence"]


@pytest.mark.parametrize(
    ("offset", "ldm", "severity"), [(4, 16, "error"), (0, 20, "error"), (8, 16, "warning")]
)
def test_tiles_have_to_be_aligned(offset: int, ldm: int, severity: str) -> None:
    load = Instr(
        "wmma.load_matrix_sync",
        (reference("f", F16), reference("m", F16, offset), b.const(ldm)),
        (("layout", "row_major"), ("use", "matrix_a")),
    )
    function = kernel(
        [Param("m", F16, True)], Decl("f", F16, (b.const(16), b.const(16)), Space.FRAGMENT), load
    )
    result = run(function, {"m": np.zeros(512, np.float16)}, (1, 1, 1), (32, 1, 1))
    assert [(f.code, f.severity) for f in result.findings] == [("misaligned-fragment", severity)]


def test_memory_is_read_as_another_type() -> None:
    """`((unsigned*)x)[i]` of halves and `((float*)d)[i]` of doubles."""
    x = np.array([1.0, 2.0, -3.5, 0.25], np.float16)
    d = np.zeros(2, np.float64)
    out = np.zeros(2, np.uint32)
    params = [Param("x", F16, True), Param("d", F64, True), Param("out", U32, True)]
    body = (
        Assign(b.load("out", U32, TX), Load(U32, "x", (TX,))),
        Assign(Load(F32, "d", (b.mul(TX, 2),)), b.cast(TX, F32)),
    )
    result = run(kernel(params, *body), {"x": x, "d": d, "out": out}, (1, 1, 1), (2, 1, 1))
    assert not result.findings
    assert out.tolist() == x.view(np.uint32).tolist()
    assert d.view(np.float32).tolist() == [0, 0, 1, 0]
    assert result.usage["x"].read.all() and result.usage["d"].written.all()


def test_a_lane_may_offer_a_register_without_a_value_that_nobody_reads() -> None:
    text = (
        "__global__ void k(int *x) {{ int v; if (threadIdx.x == 3) v = 7;"
        " x[threadIdx.x] = __shfl_sync(0xffffffff, v, {}); }}"
    )
    x = np.zeros(32, np.int32)
    good = parse(text.format(3), "k.cu").program.kernels[0]
    assert run(good, {"x": x}, (1, 1, 1), (32, 1, 1)).findings == ()
    assert (x == 7).all()
    bad = parse(text.format(4), "k.cu").program.kernels[0]
    found = run(bad, {"x": x}, (1, 1, 1), (32, 1, 1)).findings
    assert [f.code for f in found] == ["uninitialised-read"]
