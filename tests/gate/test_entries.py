"""Which functions of a file are run to compare it with its translation."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.gate.entries import entries_of, left_out, offered
from xpiler.translate import translate_text

STEPS = """
struct Params { float dt; int count; };
__global__ void move(float *x, const float *v, Params p) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < p.count) x[i] += p.dt * v[i];
}
static void step(float *x, const float *v, const Params &p) { move<<<(p.count + 63) / 64, 64>>>(x, v, p); }
int main() {
    float *x, *v;
    cudaMallocManaged(&x, 400);
    cudaMallocManaged(&v, 400);
    step(x, v, Params{0.5f, 100});
}
"""


def test_a_struct_of_numbers_by_value_is_made_up_member_by_member() -> None:
    step, main = entries_of(parse(STEPS, "steps.cu"))
    assert (step.kind, step.name, main.kind) == ("host", "step", "main")
    assert [(p.name, p.argument, p.member) for p in step.params] == [
        ("x", -1, ""),
        ("v", -1, ""),
        ("p_dt", 2, "dt"),
        ("p_count", 2, "count"),
    ]


def test_an_object_that_is_filled_in_or_holds_pointers_is_not_made_up() -> None:
    for changed in (
        STEPS.replace("const Params &p", "Params &p"),
        STEPS.replace("float dt", "float *by, dt"),
    ):
        entries = entries_of(parse(changed, "steps.cu"))
        assert [(entry.kind, entry.name) for entry in entries] == [("kernel", "move"), ("main", "main")]


def test_a_function_of_arrays_and_numbers_is_run_by_itself() -> None:
    plain = STEPS.replace("const Params &p", "int n").replace(
        "(p.count + 63) / 64, 64>>>(x, v, p)", "n, 64>>>(x, v, Params{1.0f, n})"
    )
    entries = entries_of(parse(plain.replace("Params{0.5f, 100}", "2"), "steps.cu"))
    assert [(entry.kind, entry.name) for entry in entries] == [("host", "step"), ("main", "main")]


def test_a_function_that_is_not_called_by_itself_is_told_of() -> None:
    unit = parse(STEPS.replace("const Params &p", "Params &p"), "steps.cu")
    (remark,) = left_out(unit, entries_of(unit))
    assert remark.severity == "note" and remark.range is not None and remark.range.line == 7
    assert "`step` launches kernels and is not called by itself, only `main` does" in remark.message
    unit = parse(STEPS.replace("const Params &p", "int n").replace("(p.count + 63) / 64", "n"), "steps.cu")
    assert left_out(unit, entries_of(unit)) == ()


LIBRARY = """
template <typename T, int STEP> __global__ void scale(const T *x, T *y, int n) {
    int i = (blockIdx.x * blockDim.x + threadIdx.x) * STEP;
    for (int k = 0; k < STEP; ++k) if (i + k < n) y[i + k] = x[i + k] * T(2);
}
namespace lib {
template <typename T, int STEP> void steps(const T *x, T *y, int n) {
    scale<T, STEP><<<(n + 64 * STEP - 1) / (64 * STEP), 64>>>(x, y, n);
}
template <typename T> T run(const T *x, T *y, int n) {
    if (n % 2) steps<T, 1>(x, y, n);
    else steps<T, 2>(x, y, n);
    return T(n);
}
template float run<float>(const float *, float *, int);
template double run(const double *, double *, int);
}
"""


def test_each_explicit_instantiation_of_a_host_template_is_an_entry() -> None:
    unit = parse(LIBRARY, "library.cu")
    entries = entries_of(unit)
    assert [(entry.kind, entry.spelling) for entry in entries] == [
        ("host", "lib::run<float>"),
        ("host", "lib::run<double>"),
    ]
    assert [[str(p.dtype) for p in entry.params] for entry in entries] == [
        ["f32", "f32", "i32", "f32"],  # and the result
        ["f64", "f64", "i32", "f64"],
    ]
    assert [entry.kernels for entry in entries] == [
        ("scale_float_1", "scale_float_2"),
        ("scale_double_1", "scale_double_2"),
    ]


def test_an_instance_is_named_with_its_arguments_or_by_its_function() -> None:
    unit = parse(LIBRARY, "library.cu")
    assert [entry.name for entry in entries_of(unit, "run<double>")] == ["run<double>"]
    assert [entry.name for entry in entries_of(unit, "run")] == ["run<float>", "run<double>"]


def test_tables_of_launchers_say_which_instances_there_are_and_who_launches_them() -> None:
    source = (
        "struct Op { const char *name; void (*launch)(const float *, float *, int); int flops; };\n"
        "template <int K> __global__ void scale(const float *x, float *y, int n) {\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[i] = x[i] * K;\n"
        "}\n"
        "template <int K> static void run(const float *x, float *y, int n) {\n"
        "    scale<K><<<(n + 63) / 64, 64>>>(x, y, n);\n"
        "}\n"
        'static const Op ops[2] = {{"two", run<2>, 1}, {"three", run<3>, 2}};\n'
        'extern "C" int flops_of(int op) { return ops[op & 1].flops; }\n'
        'extern "C" void apply(int op, const float *x, float *y, int n) { ops[op & 1].launch(x, y, n); }\n'
    )
    unit = parse(source, "ops.cu")
    assert [kernel.spelling for kernel in unit.program.kernels] == ["scale<2>", "scale<3>"]
    (entry,) = entries_of(unit)
    assert (entry.name, entry.kernels) == ("apply", ("scale_2", "scale_3"))


def test_what_a_clock_says_is_no_result() -> None:
    kernel = "__global__ void k(float *y) { y[threadIdx.x] = 1; }\n"
    timed = "float run(float *y) { Timer t; t.start(); k<<<1, 32>>>(y); return t.stop() / 1e3f; }\n"
    (entry,) = entries_of(parse("struct Timer { void start(); float stop(); };\n" + kernel + timed, "k.cu"))
    assert [p.name for p in entry.params] == ["y"]


UNCALLED = """
__global__ void add(float *x, float by, int n) {
    int i = blockIdx.x * 64 + threadIdx.x;
    if (i < n) x[i] += by;
}
static void launch(float *x, float by, int n) { add<<<(n + 63) / 64, 64>>>(x, by, n); }
extern "C" void plus_one(float *x, int n) { launch(x, 1, n); }
void plus_two(float *x, int n) { launch(x, 2, n); }
static void of_rows(float **rows, int n) { launch(rows[0], 3, n); }
"""


def test_what_launches_beside_the_interface_is_offered_as_an_entry() -> None:
    unit = parse(UNCALLED, "t.cu")
    entries = entries_of(unit)
    assert [entry.name for entry in entries] == ["plus_one"]
    assert [entry.name for entry in offered(unit, entries)] == ["plus_two"]


def test_what_is_offered_counts_where_it_runs_by_itself() -> None:
    result = translate_text(UNCALLED, "t.cu", "hip")
    assert [(entry.name, entry.status) for entry in result.entries] == [
        ("plus_one", "verified"),
        ("plus_two", "verified"),
    ]
    assert [d.message for d in result.diagnostics if d.code == "not-called"] == [
        "`of_rows` launches kernels and is not called by itself, nothing that is compared does: "
        "nobody can make up what it takes or what it needs before"
    ]
    beyond = UNCALLED.replace("launch(x, 2, n)", "launch(x, 2, n); launch(nullptr, 2, n)")
    result = translate_text(beyond, "t.cu", "hip")
    assert [(entry.name, entry.status) for entry in result.entries] == [("plus_one", "verified")]
    assert sum(d.code == "not-called" for d in result.diagnostics) == 2
