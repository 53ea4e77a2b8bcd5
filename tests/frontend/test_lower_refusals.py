"""What cannot be lowered is refused with its place, the reason and what to do; the rest still lowers."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("unsupported-ptx", 'asm("mov.u32 %0, %%laneid;" : "=r"(n));'),
        ("unsupported-goto", "goto end; o[0] = 1; end: ;"),
        ("device-malloc", "int *p = (int *)malloc(4); o[0] = *p;"),
        ("clock", "o[0] = clock64();"),
        ("unsupported-texture", "o[0] = tex2D<float>(n, 1, 2);"),
        ("recursion", "o[0] = even(n);"),
        ("dynamic-parallelism", "other<<<1, 1>>>(o);"),
        ("pointer-base", "float *p = o; for (int i = 0; i < n; i++) { p[i] = 1; p = q; }"),
        ("unknown-function", "o[0] = nowhere(n);"),
        ("unknown-name", "o[0] = nothing;"),
        ("host-variable", "o[0] = host;"),
        ("not-constant", "float t[n]; o[0] = t[0];"),
        ("static-local", "static int c; o[0] = c;"),
        ("no-member", "float4 v = make_float4(1, 2, 3, 4); o[0] = v.q;"),
        ("read-only", "const int c = n; c = 2;"),
        (
            "split-barrier",
            "__shared__ cuda::barrier<cuda::thread_scope_block> b; auto t = b.arrive(); o[0] = n; b.wait(t);",
        ),
        ("rounding-mode", "o[0] = __float2half_rz(n);"),
    ],
)
def test_refusals_name_code_and_line(code: str, text: str) -> None:
    source = f"""\
float host;
__device__ int odd(int n);
__device__ int even(int n) {{ return n == 0 ? 1 : odd(n - 1); }}
__device__ int odd(int n) {{ return n == 0 ? 0 : even(n - 1); }}
__global__ void other(float *o) {{ o[threadIdx.x] = 0; }}
__global__ void bad(float *o, float *q, int n) {{
    {text}
}}
"""
    unit = parse(source, "bad.cu")
    assert [k.name for k in unit.program.kernels] == ["other"]
    diagnostic = unit.refusals["bad"]
    assert diagnostic.code == code, str(diagnostic)
    assert diagnostic.range is not None
    assert diagnostic.range.line == (4 if code == "recursion" else 7)


def test_recursion_names_the_cycle() -> None:
    text = "__device__ int f(int n) { return n ? f(n - 1) : 0; }\n__global__ void k(int *o) { o[0] = f(3); }"
    assert "f -> f" in str(parse(text, "f.cu").refusals["k"])


def test_a_template_that_is_never_launched_asks_for_its_arguments() -> None:
    unit = parse("template <typename T> __global__ void k(T *o) { o[0] = 1; }", "k.cu")
    assert "never launched" in unit.refusals["k"].message
    assert "add a launch" in unit.refusals["k"].remedy


def test_a_syntax_error_in_one_kernel_spares_the_others() -> None:
    unit = parse("__global__ void a(int *o) { o[0] = ; }\n__global__ void b(int *o) { o[0] = 1; }", "x.cu")
    assert [k.name for k in unit.program.kernels] == ["b"]
    assert unit.refusals["a"].code == "syntax"


def test_the_number_of_the_thread_that_runs_an_iteration_is_not_known() -> None:
    text = """\
#pragma omp parallel for
for (int i = 0; i < n; ++i) y[omp_get_thread_num()] += x[i];
"""
    unit = parse(f'extern "C" void f(const float *x, float *y, int n) {{\n{text}}}', "f.cpp", platform="vnni")
    assert unit.refusals["f"].code == "openmp"
