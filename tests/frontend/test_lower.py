"""Lowering: a small kernel, the IR expected, as `xpiler show --ir` prints it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from xpiler.frontend import parse
from xpiler.ir.nodes import Decl, Function, Space
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk

GOLDEN = Path(__file__).parent.parent / "golden" / "frontend"


def lowered(text: str) -> Function:
    unit = parse(dedent(text), "test.cu")
    assert not unit.refusals, [str(d) for d in unit.refusals.values()]
    return unit.program.kernels[-1]


def body(statements: str, params: str = "float *o, const float *a, int n", before: str = "") -> str:
    """The IR of the statements of a kernel, without its head and indentation."""
    kernel = lowered(f"{before}\n__global__ void k({params}) {{ {statements} }}")
    lines = show(kernel).strip().split("\n")
    return dedent("\n".join(lines[1:-1]))


@pytest.mark.parametrize("name", sorted(p.stem for p in GOLDEN.glob("*.cu")))
def test_golden(name: str) -> None:
    """To accept a change: python -m tests.frontend.accept_goldens, and read the difference."""
    unit = parse((GOLDEN / f"{name}.cu").read_text(), f"{name}.cu")
    assert not unit.refusals
    assert (
        "\n".join(show(k).rstrip() + "\n" for k in unit.program.kernels)
        == (GOLDEN / f"{name}.ir").read_text()
    )


# ------------------------------------------------------------------------------------------ expressions


@pytest.mark.parametrize(
    ("text", "ir"),
    [
        ("o[0] = 7 / 2 + 0x10u;", "o[0] = 19.0f;"),
        ("o[0] = n * -16 + (n - 0x10u > -3u);", "o[0] = (f32)(n * -16 + (i32)((u32)n - 16u > 4294967293u));"),
        ("o[n] = a[n] * 2;", "o[n] = a[n] * 2.0f;"),
        ("o[0] = a[0] + 1.0;", "o[0] = (f32)((f64)a[0] + 1.0);"),
        (
            "unsigned char c = n; c += 200; o[0] = c;",
            "u8 c = (u8)n;\nc = (u8)((i32)c + 200);\no[0] = (f32)c;",
        ),
        ("o[0] = n > 0 ? 1 : a[0];", "o[0] = n > 0 ? 1.0f : a[0];"),
        ("o[0] -= a[0];", "o[0] += -a[0];"),
        ("o[0] = expf(a[0]) + __expf(a[1]);", "o[0] = exp(a[0]) + exp.fast(a[1]);"),
        ("long long i = n; o[i] = sizeof(float4);", "i64 i = (i64)n;\no[i] = 16.0f;"),
        ("o[0] = (n & 3) == 1 || !n;", "o[0] = (f32)((n & 3) == 1 || n == 0);"),
        ("o[0] = max(1, n) + fmaxf(a[0], 2);", "o[0] = (f32)max(1, n) + max(a[0], 2.0f);"),
        ("o[0] = __float_as_int(a[0]);", "o[0] = (f32)bits<i32>(a[0]);"),
    ],
)
def test_expressions(text: str, ir: str) -> None:
    assert body(text) == ir


def test_a_value_keeps_what_it_was_before_a_later_effect() -> None:
    assert (
        body("int i = n; o[i] = i + i++;")
        == "i32 i = n;\ni32 t_1 = i;\ni32 t = i;\ni += 1;\no[i] = (f32)(t_1 + t);"
    )


def test_effects_of_one_side_of_a_condition_run_only_there() -> None:
    assert body("int i = 0; if (n > 1 && i++ < n) o[i] = 1;") == dedent("""\
        i32 i = 0;
        bool t_1 = n > 1;
        if (t_1) {
          i32 t = i;
          i += 1;
          t_1 = t < n;
        }
        if (t_1) {
          o[i] = 1.0f;
        }""")


def test_a_variable_that_a_condition_declares_has_its_value() -> None:
    assert body("if (int left = n - 4) o[0] = left;") == dedent("""\
        i32 left = n - 4;
        if (left != 0) {
          o[0] = (f32)left;
        }""")


def test_a_statement_before_a_condition_is_done_first() -> None:
    assert body("if (int left = n - 4; left > 2) o[0] = left;") == dedent("""\
        i32 left = n - 4;
        if (left > 2) {
          o[0] = (f32)left;
        }""")
    assert body("switch (int rest = n % 2; rest) { case 1: o[0] = rest; }") == dedent("""\
        i32 rest = n % 2;
        if (rest == 1) {
          o[0] = (f32)rest;
        }""")


# ------------------------------------------------------------------------------------------ loops


def test_a_loop_whose_variable_the_body_changes_is_a_while() -> None:
    assert body("for (int i = 0; i < n; i++) { i += 2; o[i] = 0; }").startswith("i32 i = 0;\nwhile (i < n) {")


def test_a_loop_whose_bound_the_body_changes_is_a_while() -> None:
    assert "while (i < m)" in body("int m = n; for (int i = 0; i < m; i++) m -= 1;")


def test_a_signed_variable_below_an_unsigned_bound_counts_only_from_zero_up() -> None:
    assert body("for (int i = threadIdx.x; i < gridDim.x; i++) o[i] = 0;").startswith("for i32 i in")
    assert "while" in body("for (int i = n; i < gridDim.x; i++) o[i] = 0;")


def test_a_variable_declared_before_its_loops_counts() -> None:
    assert (
        body("int i; for (i = 0; i < n; i++) o[i] = 1; for (i = 0; i < 4; i++) o[i] = 2;").count("for i32")
        == 2
    )


def test_a_variable_used_after_its_loop_is_no_counter() -> None:
    assert "while" in body("int i; for (i = 0; i < n; i++) o[i] = 1; o[i] = 2;")


def test_unroll_pragmas_mark_the_loop() -> None:
    kernel = lowered("""
        __global__ void k(float *o) {
        #pragma unroll 4
            for (int i = 0; i < 8; i++) o[i] = 0;
        }""")
    loop = kernel.body.body[0]
    assert (loop.kind.value, loop.unroll) == ("unrolled", 4)  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------ memory


@pytest.mark.parametrize(
    ("text", "ir"),
    [
        ("const float *p = a + n; o[0] = p[3];", "o[0] = a[(i64)n + 3l];"),
        ("const float *p = a; while (n > *p++) o[0] = 1;", "a["),
        ("o[0] = ((const float2 *)a)[n].y;", "o[0] = a[(i64)n * 2l + 1l];"),
        ("o[0] = *(const int *)(a + n);", "o[0] = (f32)((i32*)a)[n];"),
        (
            "float t[2][3] = {{1, 2}, {3}}; o[0] = (&t[0][0])[n];",
            "f32 t[2][3] = {1.0f, 2.0f, 0.0f, 3.0f};\no[0] = t[0][n];",
        ),
    ],
)
def test_pointers(text: str, ir: str) -> None:
    assert ir in body(text)


def test_shared_memory_of_a_helper_exists_once() -> None:
    text = "__device__ float get(int i) { __shared__ float s[4]; s[i] = i; return s[i]; }"
    assert body("o[0] = get(1) + get(2);", before=text).count("shared f32 s[4]") == 1


def test_dynamic_shared_memory_gets_the_type_it_is_used_with() -> None:
    ir = body("extern __shared__ char raw[]; float *s = (float *)raw; float *t = s + n; t[1] = s[0];")
    assert ir.startswith("shared f32 raw[dynamicShared.bytes / 4u];")
    assert "raw[n + 1] = raw[0];" in ir


def test_constant_memory_is_a_global_of_the_function() -> None:
    kernel = lowered("__constant__ float w[4] = {1, 2};\n__global__ void k(float *o) { o[0] = w[1]; }")
    (weights,) = kernel.globals
    assert (weights.name, weights.space) == ("w", Space.CONSTANT)


def test_a_pointer_may_move_to_another_array_between_two_uses() -> None:
    assert "o[1] = o[" in body("const float *p = a; o[0] = p[n]; p = o; o[1] = p[n];")


# ------------------------------------------------------------------------------------------ threads


def test_a_full_mask_is_no_mask() -> None:
    assert "warp.shfl_xor(x, 16, 32);" in body("float x = a[n]; o[0] = __shfl_xor_sync(0xffffffff, x, 16);")


def test_an_atomic_whose_result_is_not_used_has_no_target() -> None:
    assert body("atomicAdd(&o[n], 1.0f);") == "atomic.add(o[n], 1.0f);"


def test_a_tile_of_a_warp_reduces_by_shuffles() -> None:
    group = "auto t = cg::tiled_partition<4>(cg::this_thread_block());"
    ir = body(f"{group} o[0] = cg::reduce(t, a[n], cg::plus<float>());")
    assert ir.count("warp.shfl_xor") == 2


# ------------------------------------------------------------------------------------ every node has a place


def test_every_node_has_a_range() -> None:
    for path in GOLDEN.glob("*.cu"):
        for kernel in parse(path.read_text(), path.name).program.kernels:
            missing = [
                n
                for n in walk(kernel.body)
                if n.range is None and n.__class__.__name__ not in ("Block", "Const")
            ]
            assert not missing, (path.name, missing[:3])


# ------------------------------------------------------------------------------------------ one of two arrays


def test_a_pointer_to_one_of_two_arrays_selects_what_is_loaded_and_branches_where_it_stores() -> None:
    ir = body("float *p = n > 2 ? o : q; p[n] = p[0];", params="float *o, float *q, int n")
    assert ir == dedent("""\
        bool which = n > 2;
        if (which) {
          o[n] = which ? o[0] : q[0];
        } else {
          q[n] = which ? o[0] : q[0];
        }""")


def test_instantiations_of_a_template_have_shared_arrays_of_their_own() -> None:
    kernel = parse(
        "typedef float (*Combine)(float, float);\n"
        "__device__ float least(float a, float b) { return fminf(a, b); }\n"
        "__device__ float most(float a, float b) { return fmaxf(a, b); }\n"
        "template <Combine f> __device__ float over(float v) {\n"
        "    __shared__ float s[32];\n"
        "    s[threadIdx.x] = v; __syncthreads();\n"
        "    return f(s[threadIdx.x], s[31 - threadIdx.x]);\n"
        "}\n"
        "__global__ void k(float *x) {\n"
        "    float v = x[threadIdx.x];\n"
        "    x[threadIdx.x] = over<least>(v) + over<most>(v) + over<most>(v + 1);\n"
        "}\n",
        "k.cu",
    ).program.kernels[0]
    shared = [s for s in walk(kernel.body) if isinstance(s, Decl) and s.space is Space.SHARED]
    assert len(shared) == 2


def test_a_variable_in_parentheses_before_and_is_no_cast() -> None:
    """Macros put their parameters in parentheses; `(low) && (x)` looks like a cast of a label's address."""
    kernel = lowered(
        "#define IN_RANGE(x, low, high) ((x) >= (low) && (x) <= (high))\n"
        "__global__ void k(float *o, int low, int high) {\n"
        "    int x = threadIdx.x, first = low + 1;\n"
        "    if (IN_RANGE(x, low, high) && IN_RANGE(x, first, high)) o[x] = 1;\n"
        "}"
    )
    text = show(kernel)
    assert "x >= low && x <= high && (x >= first && x <= high)" in text


def test_a_result_may_be_of_the_type_of_an_expression_of_the_parameters() -> None:
    helper = "template <typename A, typename B> __device__ auto less(A a, B b) -> decltype(a + b) "
    helper += "{ typedef decltype(a + b) T; return (T)a < (T)b ? (T)a : (T)b; }"
    assert body("o[0] = less(n, 2l);", before=helper) == "o[0] = (f32)((i64)n < 2l ? (i64)n : 2l);"
