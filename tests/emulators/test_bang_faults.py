"""Faults in BANG C programs: each is named, with the line of the call that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulators.running import Outcome, compile_program, run_built, run_program

HOST = """
int main() {{
  float *x, *y;
  cnrtMalloc((void**)&x, 4096); cnrtMalloc((void**)&y, 4096);
  std::vector<float> host(1024, 1.0f);
  cnrtMemcpy(x, host.data(), 4096, cnrtMemcpyHostToDev);
  cnrtDim3_t dim = {{{tasks}, 1, 1}};
  k<<<dim, {kind}, nullptr>>>(y, x);
  cnrtMemcpy(host.data(), y, 4096, cnrtMemcpyDevToHost);
  printf("%g %g\\n", host[0], host[1023]);
}}
"""


def run(
    body: str,
    folder: Path,
    *,
    variables: str = "",
    tasks: int = 1,
    kind: str = "cnrtFuncTypeBlock",
    **environment: str,
) -> tuple[Outcome, list[int]]:
    """The outcome, and the lines of the text that hold the mark `// !`."""
    text = f"#include <bang.h>\n{variables}\n__mlu_entry__ void k(float* y, float* x) {{\n{body}\n}}\n"
    text += HOST.format(tasks=tasks, kind=kind)
    marked = [number for number, line in enumerate(text.splitlines(), 1) if "// !" in line]
    return run_program(text, folder, "bang", **environment), marked


ARRAYS = "__nram__ float a[1024];\n__nram__ float b[1024];\n__wram__ float w[1024];"
LOAD = "__memcpy(a, x, 4096, GDRAM2NRAM);\n__memcpy(b, x, 4096, GDRAM2NRAM);\n"

FAULTS = {
    "missing sync": (
        "__memcpy_async(a, x, 4096, GDRAM2NRAM);\n__bang_add(b, a, a, 1024); // !",
        "bang-sync",
        "a __sync_io() is missing",
    ),
    "sync of another stream": (
        "__memcpy_async(a, x, 4096, GDRAM2NRAM);\n__sync_move();\n__bang_active_relu(a, a, 1024); // !",
        "bang-sync",
        "a __sync_io() is missing",
    ),
    "a source that is overwritten under way": (
        LOAD + "__memcpy_async(y, a, 4096, NRAM2GDRAM);\n__bang_add(a, b, b, 1024); // !",
        "bang-sync",
        "out of it",
    ),
    "a destination that is walked backwards": (
        LOAD + "__memcpy(y + 1023, a, 4, NRAM2GDRAM, -4, 4, 1023); // !",
        "bang-size",
        "dst_stride is -4",
    ),
    "a result that is stored before it is computed": (
        LOAD + "__bang_add(b, a, a, 1024);\n__memcpy_async(y, b + 512, 2048, NRAM2GDRAM); // !",
        "bang-sync",
        "(b +2048 bytes, NRAM) is read while __bang_add of line",
    ),
    "a load into what is still computed on": (
        LOAD + "__bang_add(b, a, a, 1024);\n__memcpy_async(a, x, 4096, GDRAM2NRAM); // !",
        "bang-sync",
        "which reads it, may still be computing: a __sync_compute() is missing",
    ),
    "a load into weights that are still multiplied": (
        LOAD + "__memcpy(w, x, 4096, GDRAM2WRAM);\n__bang_matmul(b, a, w, 1, 16, 64);\n"
        "__memcpy_async(w, x, 4096, GDRAM2WRAM); // !",
        "bang-sync",
        "(w, WRAM) is written while __bang_matmul",
    ),
    "a wait for copies where one for the computation is needed": (
        LOAD + "__bang_add(b, a, a, 1024);\n__sync_io();\n__memcpy_async(y, b, 4096, NRAM2GDRAM); // !",
        "bang-sync",
        "a __sync_compute() is missing",
    ),
    "a wait on behalf of another stream": (
        LOAD + "__bang_add(b, a, a, 1024);\n"
        "__sync_io_move_compute(false, false, true, false, true, false);\n"
        "__memcpy_async(y, b, 4096, NRAM2GDRAM); // !",
        "bang-sync",
        "a __sync_compute() is missing",
    ),
    "a copy that only the stores wait for": (
        "__memcpy_async(a, x, 4096, GDRAM2NRAM);\n"
        "__sync_io_move_compute(true, false, false, false, true, false);\n"
        "__bang_add(b, a, a, 1024); // !",
        "bang-sync",
        "a __sync_io() is missing",
    ),
    "a scalar read of what is not there yet": (
        "__memcpy_async(a, x, 4096, GDRAM2NRAM);\ny[0] = a[3]; // !",
        "bang-sync",
        "(a +12 bytes, NRAM) is read while the asynchronous __memcpy_async",
    ),
    "a scalar write into what is still copied": (
        LOAD + "__memcpy_async(y, a, 4096, NRAM2GDRAM);\na[5] = 1.0f; // !",
        "bang-sync",
        "out of it",
    ),
    "array overrun by an instruction": (
        LOAD + "__bang_add(a, b, b, 1056); // !",
        "bang-capacity",
        "128 bytes past the end of the NRAM variable a of 4096 bytes",
    ),
    "wrong direction": (
        "__memcpy(a, x, 4096, NRAM2GDRAM); // !",
        "bang-direction",
        "the direction is NRAM2GDRAM",
    ),
    "wrong memory for weights": (
        LOAD + "__bang_matmul(a, b, b, 1, 16, 16); // !",
        "bang-space",
        "the weights (b, NRAM) must lie in WRAM",
    ),
    "operand in GDRAM": (LOAD + "__bang_mul(a, a, x, 128); // !", "bang-space", "must lie in NRAM"),
    "host pointer": (
        "static std::vector<float> v(8);\n__memcpy(a, v.data(), 32, GDRAM2NRAM); // !",
        "bang-space",
        "host memory",
    ),
    "overlapping operands": (LOAD + "__bang_add(a + 1, a, b, 512); // !", "bang-overlap", "overlaps"),
    "overlapping copy": (LOAD + "__memcpy(a + 8, a, 256, NRAM2NRAM); // !", "bang-overlap", "__bang_move"),
    "transpose in place": (LOAD + "__bang_transpose(a, a, 32, 32); // !", "bang-overlap", "apart"),
    "segment count off by one": (
        "__memcpy(a, x, 128, GDRAM2NRAM, 128, 128, 32); // !",
        "bang-capacity",
        "has 33 segments (segnum + 1); the last one ends 128 bytes past the end",
    ),
    "segment count off by one in device memory": (
        "__memcpy(a, x, 4096, GDRAM2NRAM);\n__memcpy(y + 32, a, 64, NRAM2GDRAM, 128, 128, 31); // !",
        "oob",
        "past the end",
    ),
    "segments that overlap": (
        "__memcpy(a, x, 128, GDRAM2NRAM, 64, 128, 3); // !",
        "bang-overlap",
        "dst_stride 64",
    ),
    "unaligned size into WRAM": ("__memcpy(w, x, 100, GDRAM2WRAM); // !", "bang-size", "no multiple of 16"),
    "unaligned WRAM address": (
        "__memcpy(w + 1, x, 64, GDRAM2WRAM); // !",
        "bang-alignment",
        "no multiple of 8",
    ),
    "group sum of part of a group": (
        LOAD + "__bang_reduce_sum(a, a, 33); // !",
        "bang-size",
        "no multiple of 128",
    ),
    "kernel larger than the image": (
        LOAD + "__bang_maxpool(a, b, 4, 2, 8, 3, 3, 1, 1); // !",
        "bang-size",
        "does not fit",
    ),
    "SRAM in a Block task": (
        "__mlu_shared__ float s[1024]; // !\n__memcpy(s, x, 4096, GDRAM2SRAM);",
        "bang-space",
        "launch a Union",
    ),
}


@pytest.fixture(scope="module")
def all_faults(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[int]]]:
    """One program with a kernel a fault, and the marked lines of each."""
    bodies = [body for body, _, _ in FAULTS.values()]
    kernels = [f"__mlu_entry__ void k{i}(float* y, float* x) {{\n{body}\n}}" for i, body in enumerate(bodies)]
    calls = [f"case {i}: k{i}<<<dim, kind, nullptr>>>(y, x); break;" for i in range(len(bodies))]
    text = "\n".join(
        [ARRAYS, *kernels, "void k(cnrtDim3_t dim, cnrtFunctionType_t kind, float* y, float* x) {"]
    )
    marked: list[list[int]] = [[] for _ in bodies]
    number = -1
    for at, line in enumerate(text.splitlines(), 1):
        number += line.startswith("__mlu_entry__")
        if "// !" in line:
            marked[number].append(at)
    text += '\nswitch (atoi(getenv("FAULT"))) {\n' + "\n".join(calls) + "\n}}\n"
    host = HOST.format(tasks=1, kind="").replace(
        "k<<<dim, , nullptr>>>(y, x)", "k(dim, cnrtFuncTypeBlock, y, x)"
    )
    return compile_program(text + host, tmp_path_factory.mktemp("faults"), "bang"), marked


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_line(
    fault: str, all_faults: tuple[Path, list[list[int]]], tmp_path: Path
) -> None:
    _, name, words = FAULTS[fault]
    program, marked = all_faults
    number = list(FAULTS).index(fault)
    outcome = run_built(program, tmp_path, FAULT=str(number))
    marked = marked[number]
    assert outcome.status == 86, outcome
    event = outcome.event(name)
    assert event["line"] in marked
    assert words in event["message"]
    assert event["task"] == [0, 0, 0]


def test_too_many_variables_for_the_nram(tmp_path: Path) -> None:
    outcome, _ = run(
        "", tmp_path, variables="__nram__ char big[700 * 1024];\n__nram__ char more[100 * 1024];"
    )
    message = outcome.event("bang-capacity")["message"]
    assert "the NRAM of mtp_372 holds 786432 bytes" in message
    assert "big (line 2) 716800, more (line 3) 102400" in message


STRICT = {
    "length": (
        LOAD + "__bang_add(a, b, b, 100); // !",
        "bang-size",
        "400 bytes, no multiple of 128, as mtp_270",
    ),
    "address": (LOAD + "__bang_add(a + 1, b, b, 64); // !", "bang-alignment", "not aligned to 64 bytes"),
}


@pytest.mark.parametrize("fault", STRICT)
def test_alignment_holds_on_the_second_generation_only(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, name, words = STRICT[fault]
    assert run(body, tmp_path, variables=ARRAYS)[0].status == 0
    monkeypatch.setenv("XPILER_BANG_ARCH", "mtp_270")
    outcome, marked = run(body, tmp_path, variables=ARRAYS)
    assert outcome.event(name)["line"] in marked
    assert words in outcome.event(name)["message"]


WAITED = {
    "streams one by one": (
        "__memcpy_async(a, x, 4096, GDRAM2NRAM);\n__sync_io();\n__bang_add(b, a, a, 1024);\n"
        "__sync_compute();\n__memcpy_async(y, b, 4096, NRAM2GDRAM);"
    ),
    "copies that wait for themselves": (
        "__memcpy(a, x, 4096, GDRAM2NRAM);\n__bang_add(b, a, a, 1024);\n__memcpy(y, b, 4096, NRAM2GDRAM);\n"
        "__memcpy_async(a, x, 4096, GDRAM2NRAM);"
    ),
    "stores for the computation, and it for the loads": (
        "__memcpy_async(a, x, 4096, GDRAM2NRAM);\n"
        "__sync_io_move_compute(true, false, false, false, false, true);\n__bang_add(b, a, a, 1024);\n"
        "__sync_io_move_compute(false, false, true, true, false, false);\n"
        "__memcpy_async(y, b, 4096, NRAM2GDRAM);"
    ),
    "a count that the store needs": (
        "__memcpy(a, x, 4096, GDRAM2NRAM);\nunsigned n = __bang_filter(b, a, a, 1024);\n"
        "__bang_add(b, b, b, 1024);\nn = __bang_count(b, 1024);\n__memcpy_async(y, b, n * 4, NRAM2GDRAM);"
    ),
    "a scalar read of the result": (
        "__memcpy(a, x, 4096, GDRAM2NRAM);\n__bang_add(b, a, a, 1024);\nif (b[0] == 2.0f)\n"
        "__memcpy_async(y, b, 4096, NRAM2GDRAM);"
    ),
    "the other half": (
        "__memcpy_async(a, x, 2048, GDRAM2NRAM);\n__sync();\n"
        "__memcpy_async(a + 512, x + 512, 2048, GDRAM2NRAM);\n__bang_add(b, a, a, 512);\n__sync();\n"
        "__memcpy_async(y, b, 2048, NRAM2GDRAM);\n__bang_add(b + 512, a + 512, a + 512, 512);\n__sync();\n"
        "__memcpy_async(y + 512, b + 512, 2048, NRAM2GDRAM);"
    ),
}


@pytest.mark.parametrize("what", WAITED)
def test_a_pipeline_that_waits_is_right(what: str, tmp_path: Path) -> None:
    outcome, _ = run(WAITED[what], tmp_path, variables=ARRAYS)
    assert (outcome.status, outcome.output) == (0, "2 2\n"), outcome.events


def test_fresh_scratchpads_are_garbage(tmp_path: Path) -> None:
    outcome, _ = run("__memcpy(y, a, 4096, NRAM2GDRAM);", tmp_path, variables=ARRAYS)
    assert outcome.output == "nan nan\n"


SHARED = ARRAYS + "\n__mlu_shared__ float s[1024];"


def test_sram_read_without_a_barrier(tmp_path: Path) -> None:
    body = "__memcpy(s, x, 4096, GDRAM2SRAM); // !\n__memcpy(a, s, 4096, SRAM2NRAM); // !"
    outcome, marked = run(body, tmp_path, variables=SHARED, tasks=4, kind="cnrtFuncTypeUnion1")
    event = outcome.event("bang-sync")
    assert event["line"] in marked
    assert "with no barrier between them" in event["message"]


def test_cores_that_wait_for_one_that_has_left(tmp_path: Path) -> None:
    body = "if (taskId == 2) return;\n__sync_cluster(); // !"
    outcome, marked = run(body, tmp_path, variables=SHARED, tasks=4, kind="cnrtFuncTypeUnion1")
    event = outcome.event("deadlock")
    assert "task 2 has returned" in event["message"]
    assert {w["line"] for w in event["waiting"]} == set(marked)


def test_a_union_needs_whole_clusters(tmp_path: Path) -> None:
    outcome, _ = run("", tmp_path, tasks=6, kind="cnrtFuncTypeUnion1")
    assert "taskDimX = 6 is no multiple" in outcome.event("bad_launch")["message"]


def test_loose_mode_goes_on(tmp_path: Path) -> None:
    body = "__memcpy(a, x, 4096, GDRAM2NRAM);\n__bang_add(a, a, x, 1024);\n__memcpy(y, a, 4096, NRAM2GDRAM);"
    outcome, _ = run(body, tmp_path, variables=ARRAYS, XPILER_BANG_MODE="loose")
    assert (outcome.status, outcome.output) == (0, "2 2\n")


QUEUE = """#include <bang.h>
__nram__ float a[64];
__mlu_entry__ void k(float* y, float* x) { __memcpy(a, x, 256, GDRAM2NRAM); __memcpy(y, a, 256, NRAM2GDRAM); }
int main() {
  float *x, *y, host[64] = {1};
  cnrtQueue_t queue;
  cnrtQueueCreate(&queue);
  cnrtMalloc((void**)&x, 256); cnrtMalloc((void**)&y, 256);
  cnrtMemcpy(x, host, 256, cnrtMemcpyHostToDev);
  k<<<cnrtDim3_t{1, 1, 1}, cnrtFuncTypeBlock, queue>>>(y, x);
  cnrtQueueSync(queue);
  cnrtMemcpy(host, y, 256, cnrtMemcpyDevToHost);
  printf("%g\\n", host[0]);
}
"""


def test_a_copy_to_the_host_needs_the_queue_to_be_waited_for(tmp_path: Path) -> None:
    assert run_program(QUEUE, tmp_path, "bang").output == "1\n"
    outcome = run_program(QUEUE.replace("cnrtQueueSync(queue);", ""), tmp_path, "bang")
    event = outcome.event("bang-sync")
    assert (event["line"], event["intrinsic"]) == (12, "cnrtMemcpy")
    assert "belongs to k, launched in line 10" in event["message"]


WITHOUT_BARRIER = {
    "a scalar read of SRAM": (
        "__mlu_shared__ float s[4];\n"
        "if (!__is_mpu()) s[coreId] = x[coreId] + coreId; // !\n"
        "{barrier}\n"
        "if (taskId == 0) y[0] = s[0] + s[1] + s[2] + s[3]; // !",
        "__sync_cluster();",
    ),
    "a copy of what other cores stored one by one": (
        "__nram__ float a[4];\n"
        "y[taskId] = x[taskId] + taskId; // !\n"
        "{barrier}\n"
        "if (taskId == 1) {{ __memcpy(a, y, 16, GDRAM2NRAM); // !\n"
        " __memcpy(x, a, 16, NRAM2GDRAM); }}",
        "__sync_all_ipu();",
    ),
    "a scalar read of partial results in device memory": (
        "__nram__ float a[64];\n"
        "__bang_write_value(a, 64, 1.0f + taskId);\n"
        "__memcpy(y + taskId * 64, a, 256, NRAM2GDRAM); // !\n"
        "{barrier}\n"
        "if (taskId == 0) for (int i = 1; i < 4; ++i)\n"
        "  x[0] += y[i * 64]; // !",
        "__sync_all();",
    ),
    "partial results in device memory, copied": (
        "__nram__ float a[64];\n"
        "__bang_write_value(a, 64, 1.0f + taskId);\n"
        "__memcpy(y + taskId * 64, a, 256, NRAM2GDRAM); // !\n"
        "{barrier}\n"
        "if (taskId == 0) __memcpy(a, y + 64, 256, GDRAM2NRAM); // !",
        "__sync_all();",
    ),
    "a plain store before atomic sums": (
        "if (taskId == 0) y[0] = 2.0f; // !\n{barrier}\n__bang_atomic_reduce_add(y, 1.0f, 1); // !",
        "__sync_all_ipu();",
    ),
}


@pytest.mark.parametrize("what", WITHOUT_BARRIER)
def test_cores_that_share_memory_without_a_barrier_are_named(what: str, tmp_path: Path) -> None:
    body, barrier = WITHOUT_BARRIER[what]
    union = {"tasks": 4, "kind": "cnrtFuncTypeUnion1"}
    for schedule in ("forward", "reverse"):
        outcome, lines = run(body.format(barrier=""), tmp_path, **union, XPILER_SCHEDULE=schedule)
        event = outcome.event("bang-sync")
        others = [line for line in lines if f"in line {line} (" in event["message"]]
        assert event["line"] in lines and others, event
        assert "is missing" in event["message"]
    outcome, _ = run(body.format(barrier=barrier), tmp_path, **union)
    assert outcome.status == 0, outcome.events


def test_what_cannot_change_a_result_is_no_race(tmp_path: Path) -> None:
    """Work that all cores do alike, and vectors with a margin that belongs to the next core."""
    body = (
        "__nram__ float a[128];\n"
        "__memcpy(a, x + taskId * 60, 256, GDRAM2NRAM);\n"  # four elements of the next core's
        "__bang_add_scalar(a, a, 1.0f, 64);\n"
        "__memcpy(x + taskId * 60, a, 240, NRAM2GDRAM);\n"
        "__bang_write_value(a, 64, 3.0f);\n"
        "__memcpy(y, a, 256, NRAM2GDRAM);\n"
        "__memcpy(a, y, 256, GDRAM2NRAM);\n"
        "y[100] = 7.0f;"
    )
    for schedule in ("forward", "reverse"):
        outcome, _ = run(body, tmp_path, tasks=4, kind="cnrtFuncTypeUnion1", XPILER_SCHEDULE=schedule)
        assert outcome.status == 0, outcome.events
        assert outcome.output.startswith("3 ")


def test_the_line_of_scalar_code_that_leaves_its_array_is_told(tmp_path: Path) -> None:
    outcome, lines = run("int far = 1 << 20;\ny[far / 4] = 1.0f; // !", tmp_path)
    assert outcome.event("oob")["line"] in lines
