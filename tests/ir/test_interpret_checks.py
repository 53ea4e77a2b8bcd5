"""Each kind of finding, by the smallest kernel that has the fault."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ir.kernels import array, index, integer, kernel, tiled_gemm
from xpiler.errors import Refusal
from xpiler.frontend import parse
from xpiler.ir import build as b
from xpiler.ir.interpret import Finding, Result, run
from xpiler.ir.nodes import (
    TRUE,
    Assign,
    Atomic,
    Barrier,
    Block,
    Collective,
    Continue,
    Decl,
    For,
    Function,
    If,
    LoopKind,
    Ref,
    Return,
    Space,
    Stmt,
    Trap,
    While,
)
from xpiler.ir.types import BOOL, F32, I32, U32

TX = b.cast(b.thread_index(), I32)
I, N = b.var("i"), b.var("n")  # noqa: E741
ZERO = b.const(0.0, F32)


def only(result: Result, code: str) -> Finding:
    assert [f.code for f in result.findings] == [code]
    return result.findings[0]


def on_buffer(*body: Stmt, size: int = 64, threads: int = 64, blocks: int = 1, n: int = 0) -> Result:
    buffer = np.zeros(size, np.float32)
    function = kernel([array("x"), integer("n")], *body)
    return run(function, {"x": buffer, "n": n}, (blocks, 1, 1), (threads, 1, 1))


def shared(name: str = "s", size: int = 64) -> Decl:
    return Decl(name, F32, (b.const(size),), Space.SHARED)


def put(array_name: str, where: object, value: object = ZERO) -> Assign:
    return Assign(b.load(array_name, F32, where), value)  # type: ignore[arg-type]


def get(array_name: str, where: object) -> object:
    return b.load(array_name, F32, where)  # type: ignore[arg-type]


def test_an_access_out_of_bounds_names_block_thread_and_index() -> None:
    body = (index("i"), put("x", b.add(I, 1)))
    found = only(on_buffer(*body, size=64, threads=32, blocks=2), "out-of-bounds")
    assert found.values == {"blockIdx.x": 1, "threadIdx.x": 31, "index": 64, "extent": 64}
    assert found.array == "x"


def test_accesses_out_of_bounds_do_not_happen_and_the_rest_goes_on() -> None:
    x = np.zeros(4, np.float32)
    function = kernel([array("x")], put("x", b.sub(TX, 2), b.cast(TX, F32)))
    result = run(function, {"x": x}, (1, 1, 1), (8, 1, 1))
    assert x.tolist() == [2, 3, 4, 5]
    assert (result.usage["x"].low, result.usage["x"].high) == (-2, 5)


def test_reading_shared_memory_before_it_is_written() -> None:
    found = only(on_buffer(shared(), put("x", TX, get("s", TX))), "uninitialised-read")
    assert found.values == {"blockIdx.x": 0, "threadIdx.x": 0, "index": 0}


def test_reading_a_scalar_that_has_a_value_in_some_threads_only() -> None:
    y = b.var("y", F32)
    body = (Decl("y", F32), If(b.lt(TX, 60), Block((Assign(y, ZERO),))), put("x", TX, y))
    assert only(on_buffer(*body), "uninitialised-read").values["threadIdx.x"] == 60


def test_a_missing_barrier_is_a_race() -> None:
    body = (shared(), put("s", TX), put("x", TX, get("s", b.sub(63, TX))))
    found = only(on_buffer(*body), "race")
    assert found.values["threadIdx.x"] != found.values["other.threadIdx.x"]
    body = (shared(), put("s", TX), Barrier(), put("x", TX, get("s", b.sub(63, TX))))
    assert not on_buffer(*body).findings


@pytest.mark.parametrize("missing", ["first_barrier", "second_barrier"])
def test_a_tiled_gemm_needs_both_barriers(missing: str) -> None:
    rng = np.random.default_rng(1)
    a, bb = rng.integers(-4, 5, (20, 37)).astype(np.float32), rng.integers(-4, 5, (37, 18)).astype(np.float32)
    c = np.full((20, 18), np.nan, np.float32)
    arguments = {"A": a, "B": bb, "C": c, "m": 20, "n": 18, "depth": 37}
    result = run(tiled_gemm(), arguments, (2, 2, 1), (16, 16, 1))
    assert not result.findings and np.array_equal(c, a @ bb)
    result = run(tiled_gemm(**{missing: False}), arguments, (2, 2, 1), (16, 16, 1))
    assert {f.code for f in result.findings} == {"race"} and {f.array for f in result.findings} == {
        "As",
        "Bs",
    }


def test_threads_of_a_warp_are_ordered_by_a_warp_barrier_only_within_the_warp() -> None:
    near = get("s", b.binary("^", TX, 1))
    assert not on_buffer(shared(), put("s", TX), Barrier("warp"), put("x", TX, near)).findings
    far = get("s", b.binary("^", TX, 32))
    only(on_buffer(shared(), put("s", TX), Barrier("warp"), put("x", TX, far)), "race")


def test_a_write_after_several_have_read_is_a_race() -> None:
    body = (
        shared(),
        put("s", TX),
        Barrier(),
        put("x", TX, get("s", 0)),
        If(b.eq(TX, 0), Block((put("s", 0),))),
    )
    assert only(on_buffer(*body), "race").array == "s"


def test_two_blocks_writing_one_element_race_whatever_barriers_there_are() -> None:
    body = (Barrier(), put("x", TX, b.cast(b.block_index(), F32)))
    found = only(on_buffer(*body, blocks=2), "race")
    assert {found.values["blockIdx.x"], found.values["other.blockIdx.x"]} == {0, 1}
    only(on_buffer(put("x", TX), blocks=2), "same-value-race")


def test_equal_values_written_by_all_threads_are_a_warning() -> None:
    found = only(on_buffer(put("x", 0)), "same-value-race")
    assert found.severity == "warning"


def test_atomics_do_not_race_with_each_other_but_with_plain_accesses() -> None:
    add = Atomic("add", b.load("x", F32, 0), (b.const(1.0, F32),))
    assert not on_buffer(add, blocks=3).findings
    body = (shared(), put("s", TX), Atomic("add", b.load("s", F32, 5), (b.const(1.0, F32),)))
    assert only(on_buffer(*body), "race").array == "s"


def test_a_barrier_in_divergent_code() -> None:
    found = only(on_buffer(If(b.lt(TX, 48), Block((Barrier(),)))), "barrier-divergence")
    assert found.values == {"blockIdx.x": 0, "threadIdx.x": 48, "arrived": 48, "expected": 64}


def test_a_barrier_after_some_threads_have_ended_is_fine() -> None:
    assert not on_buffer(If(b.ge(TX, 48), Block((Return(),))), Barrier()).findings


def test_a_barrier_that_whole_blocks_skip_is_fine() -> None:
    assert not on_buffer(If(b.eq(b.block_index(), 0), Block((Barrier(),))), blocks=2).findings


def test_a_shuffle_from_a_lane_that_is_not_there() -> None:
    v = b.var("v", F32)
    shuffle = Collective("shfl_down", v, (v, b.const(4), b.const(32)), b.const(2**32 - 1, U32))
    body = (Decl("v", F32, init=ZERO), If(b.lt(TX, 16), Block((shuffle, put("x", TX, v)))))
    codes = {f.code for f in on_buffer(*body, threads=32).findings}
    assert codes == {"shuffle-inactive", "collective-mask"}


def test_what_such_a_shuffle_brings_is_no_fault_where_nobody_looks_at_it() -> None:
    v = b.var("v", F32)
    shuffle = Collective("shfl_down", v, (v, b.const(4), b.const(32)), b.const(0xFF, U32))
    first = If(b.eq(TX, 0), Block((put("x", b.const(0), v),)))
    body = (Decl("v", F32, init=ZERO), If(b.lt(TX, 8), Block((shuffle, first))))
    assert not on_buffer(*body, threads=32).findings


def test_a_failed_assertion_stops_the_thread() -> None:
    x = np.zeros(4, np.float32)
    function = kernel([array("x")], Trap("assert", b.lt(TX, 2), "small"), put("x", TX, b.const(1.0, F32)))
    found = only(run(function, {"x": x}, (1, 1, 1), (4, 1, 1)), "assertion")
    assert found.values["threadIdx.x"] == 2 and "small" in found.message
    assert x.tolist() == [1, 1, 0, 0]


def test_a_division_by_zero_is_found() -> None:
    result = on_buffer(put("x", TX, b.cast(b.div(7, TX), F32)))
    assert only(result, "division-by-zero").values["threadIdx.x"] == 0


def test_a_program_that_does_not_end_is_stopped() -> None:
    counting = Block((Decl("i", I32, init=b.const(0)), While(b.ge(I, 0), Block((Assign(I, b.add(I, 1)),)))))
    function = kernel([], counting)
    assert "1000 loop iterations" in only(run(function, {}, step_limit=1000), "step-limit").message
    assert "the time allowed" in only(run(function, {}, seconds=0.05), "step-limit").message


def test_a_loop_that_nothing_could_end_is_not_tried_for_long() -> None:
    result = run(kernel([], While(TRUE, Block(()))), {}, step_limit=1000)
    assert result.steps == 0 and "any number of rounds" in only(result, "step-limit").message


def test_the_loop_that_does_not_end_is_the_one_that_goes_round() -> None:
    """The inner loop ends each time; the interpreter is stopped in it all the same."""
    text = "__global__ void k(int n) {\n  int i = 0;\n  while (n > 0) { while (i < 2) i++; i = 0; n++; }\n}\n"
    (function,) = parse(text, "k.cu").program.kernels
    found = only(run(function, {"n": 1}, step_limit=30_000), "step-limit")
    assert found.range is not None and (found.range.line, found.range.column) == (3, 3)
    assert 9_900 < found.values["rounds"] < 10_100


def test_a_parameter_may_have_the_name_of_a_launch_dimension() -> None:
    """Canonical programs take the launch as parameters."""
    function = kernel([array("x"), integer("blockDim.x")], put("x", 0, b.cast(b.var("blockDim.x"), F32)))
    x = np.zeros(1, np.float32)
    run(function, {"x": x, "blockDim.x": 128})
    assert x[0] == 128


def test_usage_tells_what_was_read_and_written() -> None:
    x, y = np.zeros(10, np.float32), np.zeros(10, np.float32)
    body = (put("y", b.add(TX, 2), get("x", b.mul(TX, 2))), put("x", TX, get("y", b.add(TX, 2))))
    result = run(kernel([array("x"), array("y")], *body), {"x": x, "y": y}, (1, 1, 1), (4, 1, 1))
    usage = result.usage
    assert usage["x"].read.nonzero()[0].tolist() == [0, 2, 4, 6]
    assert usage["y"].written.nonzero()[0].tolist() == [2, 3, 4, 5]
    assert not usage["y"].read_first.any(), "every element of y is written before it is read"
    assert (usage["x"].low, usage["x"].high) == (0, 6)


def loop(var: str, stop: int, kind: LoopKind, *body: Stmt) -> For:
    return For(var, I32, b.const(0), b.const(stop), b.const(1), Block(body), kind)


def test_a_loop_wrongly_said_to_be_parallel_is_a_race() -> None:
    shift = put("x", b.add(I, 1), get("x", I))
    only(on_buffer(loop("i", 60, LoopKind.PARALLEL, shift), threads=1), "race")
    assert not on_buffer(loop("i", 60, LoopKind.SERIAL, shift), threads=1).findings


def test_an_iteration_of_a_parallel_loop_may_go_on_to_the_next() -> None:
    skip = If(b.lt(I, 3), Block((Continue(),)))
    x = np.zeros(6, np.float32)
    result = run(
        kernel([array("x")], loop("i", 6, LoopKind.PARALLEL, skip, put("x", I, b.const(1.0, F32)))), {"x": x}
    )
    assert not result.findings
    assert x.tolist() == [0, 0, 0, 1, 1, 1]


def test_loops_over_threads_are_phases_between_barriers() -> None:
    t, j = b.var("t"), b.var("j")
    tile = Decl("s", F32, (b.const(16),), Space.LOCAL)
    first = loop("t", 16, LoopKind.THREADS, put("s", t, b.cast(b.add(t, b.var("blk")), F32)))
    second = loop(
        "j", 16, LoopKind.THREADS, put("x", b.add(b.mul(b.var("blk"), 16), j), get("s", b.sub(15, j)))
    )
    phases = kernel([array("x")], loop("blk", 4, LoopKind.PARALLEL, tile, first, second))
    x = np.zeros(64, np.float32)
    assert not run(phases, {"x": x}).findings
    assert x.tolist() == [float(15 - j + block) for block in range(4) for j in range(16)]
    fused = loop("t", 16, LoopKind.THREADS, *first.body.body, put("x", t, get("s", b.sub(15, t))))
    result = run(kernel([array("x")], loop("blk", 1, LoopKind.PARALLEL, tile, fused)), {"x": x})
    assert {f.code for f in result.findings} == {"race"}


def test_serial_loops_around_parallel_ones_order_them() -> None:
    t = b.var("t")
    step = b.var("step")
    mirror = loop("t", 16, LoopKind.PARALLEL, put("x", t, b.add(get("x", b.sub(15, t)), 1.0)))
    swap = loop("t", 16, LoopKind.PARALLEL, put("y", t, get("x", b.mod(b.add(t, step), 16))))
    back = loop("t", 16, LoopKind.PARALLEL, put("x", t, get("y", t)))
    function = kernel([array("x"), array("y")], loop("step", 3, LoopKind.SERIAL, swap, back))
    arrays = {"x": np.arange(16, dtype=np.float32), "y": np.zeros(16, np.float32)}
    assert not run(function, arrays).findings
    assert arrays["x"].tolist() == [(i + 3) % 16 for i in range(16)]
    only(run(kernel([array("x")], mirror), {"x": arrays["x"]}), "race")


def test_findings_are_the_first_of_each_statement() -> None:
    body = loop("i", 5, LoopKind.SERIAL, put("x", b.add(I, 64)), put("x", b.sub(I, 9)))
    result = on_buffer(body, threads=1)
    assert [(f.values["i"], f.values["index"]) for f in result.findings] == [(0, 64), (0, -9)]


def test_an_argument_of_another_type_is_refused() -> None:
    function: Function = kernel([array("x")], put("x", 0))
    with pytest.raises(Refusal, match="argument x has to be of float32"):
        run(function, {"x": np.zeros(4)})
    with pytest.raises(Refusal, match="needs an argument x"):
        run(function, {})


def test_the_last_block_is_found_by_a_counter() -> None:
    """`__device__` variables are zero at first and outlive chunks of blocks; atomics order the blocks."""
    counter, weights = (
        Decl("counter", U32, (b.const(1),), Space.GLOBAL),
        Decl("w", F32, (b.const(4),), Space.CONSTANT, init=(b.const(1.0, F32), b.const(2.0, F32))),
    )
    old = b.var("old", U32)
    last = Atomic("inc", b.load("counter", U32, 0), (b.grid_dim(),), old)
    partial = b.load("partial", F32, b.block_index())
    body = Block((Assign(b.load("total", F32, 0), b.add(get("partial", I), get("w", b.mod(I, 4))), "+"),))
    function = Function(
        "last_block",
        (array("partial"), array("total")),
        Block(
            (
                Assign(partial, b.cast(b.block_index(), F32)),
                Decl("old", U32),
                last,
                If(
                    b.eq(old, b.sub(b.grid_dim(), 1)),
                    Block((For("i", I32, b.const(0), b.const(5), b.const(1), body),)),
                ),
            )
        ),
        globals=(counter, weights),
    )
    partials, total = np.zeros(5, np.float32), np.zeros(1, np.float32)
    result = run(function, {"partial": partials, "total": total}, (5, 1, 1), lanes=2)
    assert total[0] == 0 + 1 + 2 + 3 + 4 + (1 + 2 + 0 + 0 + 1)
    assert {f.severity for f in result.findings} == {"warning"}
    given = {
        "partial": partials,
        "total": total,
        "w": np.full(4, 10, np.float32),
        "counter": np.zeros(1, np.uint32),
    }
    total[:] = 0
    run(function, given, (5, 1, 1))
    assert total[0] == 60 and given["counter"][0] == 5 % 6


def test_a_null_pointer_may_be_asked_for_but_not_read() -> None:
    """`if (bias != NULL) x[i] += bias[i];`"""
    missing = b.call("is_null", BOOL, Ref(F32, "bias", b.const(0)))
    body = (If(b.not_(missing), Block((put("x", TX, get("bias", TX)),))),)
    x = np.zeros(4, np.float32)
    guarded, bare = (kernel([array("x"), array("bias")], *s) for s in (body, body[0].then.body))
    assert not run(guarded, {"x": x, "bias": None}, (1, 1, 1), (4, 1, 1)).findings
    assert not run(guarded, {"x": x, "bias": np.ones(4, np.float32)}, (1, 1, 1), (4, 1, 1)).findings
    assert x.tolist() == [1, 1, 1, 1]
    assert (
        only(run(bare, {"x": x, "bias": None}, (1, 1, 1), (4, 1, 1)), "out-of-bounds").values["extent"] == 0
    )


def lowered(text: str) -> Function:
    return parse(text, "kernel.cu").program.kernels[0]


def test_an_array_of_a_size_that_no_run_needs_is_not_made() -> None:
    function = kernel([integer("n")], Block((Decl("a", F32, (N,)),)))
    result = run(function, {"n": 1 << 28})
    assert "256 MiB for `a`" in only(result, "step-limit").message


def test_a_vector_at_an_odd_row_is_misaligned() -> None:
    """Rows of 6 floats: only every second one begins at a multiple of 16 bytes."""
    twice = lowered(
        "__global__ void twice(float *x, int k) {"
        " float4 *row = (float4 *)(x + blockIdx.x * k); float4 v = row[0]; v.x *= 2; row[0] = v; }"
    )
    x = np.ones(64, np.float32)
    assert run(twice, {"x": x, "k": 8}, (3, 1, 1), (1, 1, 1)).findings == ()
    findings = run(twice, {"x": x, "k": 6}, (3, 1, 1), (1, 1, 1)).findings
    assert [f.code for f in findings] == ["misaligned", "misaligned"]
    assert findings[0].values == {"blockIdx.x": 1, "threadIdx.x": 0, "index": 6, "alignment": 16}


def test_words_of_bytes_at_an_odd_row_are_misaligned_only_where_they_are_read() -> None:
    word = lowered(
        "__global__ void word(const signed char *a, int *y, int k) {"
        " const int *row = reinterpret_cast<const int *>(a + threadIdx.x * k);"
        " if (k % 4 == 0 || threadIdx.x == 3) y[threadIdx.x] = row[1]; }"
    )
    a, y = np.ones(64, np.int8), np.zeros(4, np.int32)
    assert run(word, {"a": a, "y": y, "k": 12}, (1, 1, 1), (4, 1, 1)).findings == ()
    finding = only(run(word, {"a": a, "y": y, "k": 6}, (1, 1, 1), (4, 1, 1)), "misaligned")
    assert (finding.values["threadIdx.x"], finding.values["offset"]) == (3, 18)


def test_an_array_that_begins_inside_another_is_as_aligned_as_its_begin() -> None:
    copy = lowered("__global__ void copy(const float4 *x, float4 *y) { y[0] = x[0]; }")
    whole, y = np.ones(12, np.float32), np.zeros(4, np.float32)
    assert run(copy, {"x": whole[4:], "y": y}).findings == ()
    only(run(copy, {"x": whole[2:10], "y": y}), "misaligned")


def test_a_flag_that_is_read_while_others_set_it_is_a_warning() -> None:
    """`if (!seen[0]) seen[0] = 1`: the same is stored whoever comes first; another value makes it a race."""
    unseen = b.eq(get("x", 0), ZERO)  # type: ignore[arg-type]
    one = b.const(1.0, F32)
    found = on_buffer(If(unseen, Block((put("x", 0, one),))), threads=64, blocks=2).findings
    assert found and {f.severity for f in found} == {"warning"}
    numbered = If(unseen, Block((put("x", 0, b.cast(b.thread_index(), F32)),)))
    assert on_buffer(numbered, threads=64, blocks=2).errors


def test_values_that_were_never_given_may_be_moved_but_not_used() -> None:
    """Threads at the border shift registers that they never filled: only what they store matters."""
    text = (
        "__global__ void shift(const float* x, float* y, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    float queue[2], sum;\n"
        "    if (i < n) { queue[0] = x[i]; queue[1] = 1.0f; sum = 0.0f; }\n"
        "    for (int k = 0; k < 3; k++) { sum += queue[1]; queue[1] = queue[0] * 2.0f; }\n"
        "    if (i < LIMIT) y[i] = sum;\n"
        "}\n"
    )
    (kernel,) = parse(text.replace("LIMIT", "n"), "shift.cu").program.kernels
    x, y = np.ones(40, np.float32), np.zeros(64, np.float32)
    assert not run(kernel, {"x": x, "y": y, "n": 40}, (2, 1, 1), (32, 1, 1)).findings
    (kernel,) = parse(text.replace("LIMIT", "n + 1"), "shift.cu").program.kernels
    (finding,) = run(kernel, {"x": x, "y": y, "n": 40}, (2, 1, 1), (32, 1, 1)).findings
    assert finding.code == "uninitialised-read"
    assert finding.range is not None and finding.range.line == 5
    assert finding.values["threadIdx.x"] == 8


def test_loops_within_what_counts_as_a_thread_are_run_at_once() -> None:
    r, t, lane = (b.var(name) for name in ("r", "t", "lane"))
    place = b.add(b.mul(b.add(b.mul(r, 16), t), 16), lane)
    lanes = loop("lane", 16, LoopKind.THREADS, put("x", place, b.cast(place, F32)))
    steps = loop("step", 8, LoopKind.SERIAL, lanes)
    rows = loop("r", 4, LoopKind.PARALLEL, loop("t", 16, LoopKind.PARALLEL, steps))
    x = np.zeros(1024, np.float32)
    assert not run(kernel([array("x")], rows), {"x": x}, step_limit=32).findings
    assert x.tolist() == list(map(float, range(1024)))


def test_the_lanes_of_two_threads_that_meet_are_a_race() -> None:
    t, lane = b.var("t"), b.var("lane")
    lanes = loop("lane", 16, LoopKind.THREADS, put("x", b.add(b.mul(t, 15), lane), b.cast(t, F32)))
    threads = loop("r", 1, LoopKind.PARALLEL, loop("t", 2, LoopKind.PARALLEL, lanes))
    found = run(kernel([array("x")], threads), {"x": np.zeros(64, np.float32)}).findings
    assert [f.code for f in found] == ["race"]
