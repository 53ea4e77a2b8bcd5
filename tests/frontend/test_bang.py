"""BANG C to IR: tasks as blocks, scratchpads, copies and intrinsics as the loops that they mean."""

from __future__ import annotations

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.frontend.unit import Unit
from xpiler.ir.interpret import run
from xpiler.ir.nodes import For, Function, LoopKind
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk


def unit_of(text: str) -> Unit:
    return parse(text, "kernel.mlu", platform="bang")


def kernel_of(text: str) -> Function:
    unit = unit_of(text)
    assert not unit.refusals, unit.refusals
    return unit.program.kernels[0]


def test_an_intrinsic_becomes_its_loop() -> None:
    kernel = kernel_of("""
        #define TILE 64
        __nram__ float x_nram[TILE];
        __mlu_entry__ void scale(const float *x, float *y, int n) {
            if (__is_mpu()) return;
            for (int i = taskId * TILE; i < n; i += taskDim * TILE) {
                int count = n - i < TILE ? n - i : TILE;
                __memcpy(x_nram, x + i, count * sizeof(float), GDRAM2NRAM);
                __bang_mul_scalar(x_nram, x_nram, 2.0f, count);
                __memcpy(y + i, x_nram, count * sizeof(float), NRAM2GDRAM);
            }
        }""")
    assert """\
    vector for i32 i_2 in 0 .. count {
      x_nram[i_2] = x_nram[i_2] * 2.0f;
    }
""" in show(kernel)
    x = np.arange(150, dtype=np.float32)
    y = np.zeros(150, np.float32)
    result = run(kernel, {"x": x, "y": y, "n": 150}, grid=(2, 1, 1))
    assert not result.errors
    np.testing.assert_array_equal(y, 2 * x)


def test_cores_of_a_cluster_are_threads_of_a_block() -> None:
    kernel = kernel_of("""
        __mlu_shared__ float sums[4];
        __mlu_global__ void total(const float *x, float *y) {
            __nram__ float part[32];
            if (__is_ipu()) {
                __memcpy(part, x + taskId * 32, 32 * sizeof(float), GDRAM2NRAM);
                __bang_reduce_sum(part, part, 32);
                __memcpy(sums + coreId, part, sizeof(float), NRAM2SRAM);
            }
            __sync_cluster();
            if (coreId == 0) y[clusterId] = sums[0] + sums[1] + sums[2] + sums[3];
        }""")
    assert kernel.block_size == (4, 1, 1)
    x = np.arange(256, dtype=np.float32)
    y = np.zeros(2, np.float32)
    result = run(kernel, {"x": x, "y": y}, grid=(2, 1, 1), block=(4, 1, 1))
    assert not result.errors
    np.testing.assert_array_equal(y, x.reshape(2, 128).sum(1))


def test_the_memory_core_fills_sram_once() -> None:
    kernel = kernel_of("""
        __mlu_shared__ int table[8];
        __mlu_entry__ void spread(const int *x, int *y) {
            __memcpy(table, x, 8 * sizeof(int), GDRAM2SRAM);
            __sync_cluster();
            if (__is_mpu()) return;
            __nram__ int own[8];
            __memcpy(own, table, 8 * sizeof(int), SRAM2NRAM);
            __memcpy(y + taskId * 8, own, 8 * sizeof(int), NRAM2GDRAM);
        }""")
    x = np.arange(8, dtype=np.int32)
    y = np.zeros(64, np.int32)
    result = run(kernel, {"x": x, "y": y}, grid=(2, 1, 1), block=(4, 1, 1))
    assert not result.errors
    np.testing.assert_array_equal(y, np.tile(x, 8))


def test_strides_of_a_copy_are_in_bytes_and_counts_less_one() -> None:
    kernel = kernel_of("""
        __mlu_entry__ void gather(const float *x, float *y) {
            __nram__ float tile[3 * 4];
            __memcpy(tile, x, 2 * sizeof(float), GDRAM2NRAM, 4 * sizeof(float), 5 * sizeof(float), 2);
            for (int i = 0; i < 3; ++i) __memcpy(y + 2 * i, tile + 4 * i, 8, NRAM2GDRAM);
        }""")
    x = np.arange(15, dtype=np.float32)
    y = np.zeros(6, np.float32)
    assert not run(kernel, {"x": x, "y": y}).errors
    np.testing.assert_array_equal(y, x.reshape(3, 5)[:, :2].reshape(-1))


def test_a_pointer_that_is_one_of_two_buffers() -> None:
    kernel = kernel_of("""
        __nram__ float ping[4], pong[4];
        __mlu_entry__ void copy(const float *x, float *y, int n) {
            for (int i = 0; i < n; ++i) {
                float *tile = i % 2 ? ping : pong;
                __memcpy_async(tile, x + 4 * i, 16, GDRAM2NRAM);
                __sync();
                __memcpy_async(y + 4 * i, tile, 16, NRAM2GDRAM);
                __sync();
            }
        }""")
    x = np.arange(20, dtype=np.float32)
    y = np.zeros(20, np.float32)
    assert not run(kernel, {"x": x, "y": y, "n": 5}).errors
    np.testing.assert_array_equal(y, x)


def test_a_pointer_that_a_branch_makes_point_elsewhere() -> None:
    kernel = kernel_of("""
        __nram__ float line[8], packed[8];
        __mlu_entry__ void every(const float *x, float *y, int stride) {
            __memcpy(line, x, 32, GDRAM2NRAM);
            float *from = line;
            if (stride > 1) {
                for (int i = 0; i < 4; ++i) packed[i] = line[2 * i];
                from = packed;
            }
            for (int k = 0; k < 2; ++k) __memcpy(y + 2 * k, from + 2 * k, 8, NRAM2GDRAM);
        }""")
    x = np.arange(8, dtype=np.float32)
    for stride, expected in ((1, [0, 1, 2, 3]), (2, [0, 2, 4, 6])):
        y = np.zeros(4, np.float32)
        assert not run(kernel, {"x": x, "y": y, "stride": stride}).errors
        np.testing.assert_array_equal(y, expected)


def test_a_window_that_does_not_fit_is_found() -> None:
    kernel = kernel_of("""
        __mlu_entry__ void pool(const float *x, float *y, int width, int window) {
            __nram__ float in[64], out[64];
            __memcpy(in, x, width * sizeof(float), GDRAM2NRAM);
            __bang_maxpool(out, in, 1, 1, width, 1, window, 1, 1);
            __memcpy(y, out, sizeof(float), NRAM2GDRAM);
        }""")
    x, y = np.arange(64, dtype=np.float32), np.zeros(64, np.float32)
    assert not run(kernel, {"x": x, "y": y, "width": 9, "window": 3}).errors
    (finding,) = run(kernel, {"x": x, "y": y, "width": 9, "window": 10}).errors
    assert "a window no wider than its input" in finding.message


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("__float2int32_rd(2.5f)", 3),  # to nearest, away from zero: down is `dn` here
        ("__float2int32(-2.7f)", -2),
        ("(int)__is_nram(room)", 1),
        ("(int)__is_dram(room)", 0),
    ],
)
def test_scalar_functions_have_the_meaning_of_bang(call: str, expected: int) -> None:
    kernel = kernel_of(f"""
        __nram__ char room[64];
        __mlu_entry__ void k(int *y) {{ y[0] = {call}; room[0] = 0; }}""")
    y = np.zeros(1, np.int32)
    run(kernel, {"y": y})
    assert y[0] == expected


def test_a_move_within_an_array_is_no_work_of_independent_lanes() -> None:
    """Lanes that do it at the same time would read what another one has written."""
    kernel = kernel_of("""
        __nram__ float a[64];
        __mlu_entry__ void shift(float *y, const float *x, int k) {
            __memcpy(a, x, 64 * sizeof(float), GDRAM2NRAM);
            __bang_move(a, a + 1, 60 * sizeof(float));
            __bang_move(a + 3, a, 60 * sizeof(float));
            __bang_move(a + k, a, 30 * sizeof(float));
            __memcpy(y, a, 64 * sizeof(float), NRAM2GDRAM);
        }""")
    assert """\
  for i32 i_1 in 0 .. 60 {
    a[i_1] = a[1 + i_1];
  }
  for i32 i_2 in 0 .. 60 {
    a[3 + (59 - i_2)] = a[59 - i_2];
  }
  if (k <= 0) {
    for i32 i_3 in 0 .. 30 {
      a[k + i_3] = a[i_3];
    }
  } else {
    for i32 i_3 in 0 .. 30 {
      a[k + (29 - i_3)] = a[29 - i_3];
    }
  }
""" in show(kernel)
    x = np.arange(64, dtype=np.float32)
    y = np.zeros(64, np.float32)
    assert not run(kernel, {"x": x, "y": y, "k": 4}, grid=(1, 1, 1)).errors
    expected = x.copy()
    expected[:60] = expected[1:61].copy()
    expected[3:63] = expected[:60].copy()
    expected[4:34] = expected[:30].copy()
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(
    "room",
    ["half *h = (half *)(b + 32) + pad;", "half *h = (half *)(b + 32) + 64;", "half *h = (half *)b + 256;"],
)
def test_halves_in_the_upper_half_of_their_floats_are_widened_in_an_order(room: str) -> None:
    kernel = kernel_of(
        "__nram__ float b[256];\n__mlu_entry__ void f(const half *x, float *y, int n) {\n"
        "  int len = n < 64 ? n : 64;\n  int pad = (len + 31) / 32 * 32;\n"
        f"  {room}\n  __memcpy(h, x, len * sizeof(half), GDRAM2NRAM);\n"
        f"  __bang_half2float(b + 32, h, {'pad' if 'pad' in room else 'len'});\n"
        "  __memcpy(y, b + 32, len * sizeof(float), NRAM2GDRAM);\n}"
    )
    (widened,) = [n for n in walk(kernel.body) if isinstance(n, For) and "(f32)b" in show(n)]
    assert (widened.kind is LoopKind.SERIAL) == ("256" not in room)


@pytest.mark.parametrize(
    ("call", "index"),
    [
        ("__bang_float2half_rn((half *)a, a, 64)", "a[i_1]"),
        ("__bang_half2float(a, (half *)a, 64)", "a[63 - i_1]"),
        ("__bang_half2float(a, (half *)a + 64, 64)", "a[64 + i_1]"),
    ],
)
def test_a_conversion_in_place_goes_in_an_order(call: str, index: str) -> None:
    kernel = kernel_of(
        "__nram__ float a[64];\n__mlu_entry__ void f(const float *x, float *y) {\n"
        f"  __memcpy(a, x, 256, GDRAM2NRAM);\n  {call};\n  __memcpy(y, a, 256, NRAM2GDRAM);\n}}"
    )
    text = show(kernel)
    assert "\n  for i32 i_1 in 0 .. 64 {" in text
    assert index in text


@pytest.mark.parametrize("word", ["__syncthreads();", "y[threadIdx.x] = x[0];", "atomicAdd(y, x[0]);"])
def test_words_of_other_platforms_are_not_known(word: str) -> None:
    text = f"__mlu_entry__ void f(const float *x, float *y) {{ {word} }}"
    (refused,) = parse(text, "k.mlu", platform="bang").refusals.values()
    assert refused.code in ("unknown-function", "unknown-name"), refused


def test_what_a_program_says_of_itself_is_known_everywhere() -> None:
    kernel = kernel_of(
        "__mlu_entry__ void f(const float *x, float *y, int n) {\n"
        '  assert(n <= 1024 && "one tile");\n  printf("%d", n);\n  if (taskId == 0) y[0] = x[0];\n}'
    )
    text = show(kernel)
    assert "assert(n <= 1024, " in text
    assert "printf" in text


def test_what_the_memory_core_sets_for_itself_is_not_the_first_cores() -> None:
    kernel = kernel_of("""
        __mlu_global__ void fill(float *y, int n) {
            int count = n;
            if (__is_mpu()) count = 0;
            __sync_cluster();
            if (__is_ipu()) {
                for (int i = coreId; i < count; i += coreDim) y[i] = 1.0f;
            }
        }""")
    y = np.zeros(10, np.float32)
    result = run(kernel, {"y": y, "n": 10}, grid=(1, 1, 1), block=(4, 1, 1))
    assert not result.errors
    np.testing.assert_array_equal(y, 1)


def test_what_the_memory_core_copies_by_stays_its_own() -> None:
    kernel = kernel_of("""
        __mlu_shared__ float row[8];
        __mlu_global__ void fill(const float *x, float *y) {
            int from = 0;
            if (__is_mpu()) {
                from = 8;
                __memcpy(row, x + from, 8 * sizeof(float), GDRAM2SRAM);
            }
            __sync_cluster();
            if (__is_ipu() && coreId == 3) {
                for (int i = 0; i < 8; ++i) y[i] = row[i];
            }
        }""")
    x, y = np.arange(16, dtype=np.float32), np.zeros(8, np.float32)
    result = run(kernel, {"x": x, "y": y}, grid=(1, 1, 1), block=(4, 1, 1))
    assert not result.errors
    np.testing.assert_array_equal(y, x[8:])


def test_copies_of_bytes_are_of_the_words_that_they_are_used_as() -> None:
    """What an operator library writes: `void *` and a scratchpad carved by bytes."""
    kernel = kernel_of("""
        __nram__ char room[4096];
        __mlu_entry__ void twice(const void *x, void *y, int n) {
            int half = 512 * sizeof(float);
            const char *from = (const char *)x + taskId * n * sizeof(float);
            for (int i = 0; i < n / 512; i++) {
                char *now = room + i % 2 * half;
                __memcpy(now, from + i * 512 * sizeof(float), 512 * sizeof(float), GDRAM2NRAM);
                __bang_add((float *)now, (float *)now, (float *)now, 512);
                __memcpy((char *)y + (taskId * n + i * 512) * sizeof(float), now, half, NRAM2GDRAM);
            }
        }""")
    assert [(p.name, str(p.dtype)) for p in kernel.params if p.is_pointer] == [("x", "f32"), ("y", "f32")]
    assert "nram f32 room[1024];" in show(kernel)
    x = np.arange(4096, dtype=np.float32)
    y = np.zeros(4096, np.float32)
    result = run(kernel, {"x": x, "y": y, "n": 2048}, grid=(2, 1, 1))
    assert not result.errors
    np.testing.assert_array_equal(y, 2 * x)


@pytest.mark.parametrize("length", ["3 * n", "4 * n + 2", "n"])
def test_a_copy_that_may_end_within_a_word_stays_one_of_bytes(length: str) -> None:
    kernel = kernel_of(f"""
        __nram__ char room[4096];
        __mlu_entry__ void k(const void *x, void *y, int n) {{
            __memcpy(room, x, {length}, GDRAM2NRAM);
            __bang_add((float *)room, (float *)room, (float *)room, 512);
            __memcpy(y, room, 2048, NRAM2GDRAM);
        }}""")
    assert "nram i8 room[4096];" in show(kernel)
