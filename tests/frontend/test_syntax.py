"""What a text defines, as syntax."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.pace import paces
from xpiler.errors import Refusal
from xpiler.frontend.syntax import SyntaxUnit, analyse
from xpiler.frontend.syntax_collect import walk_nodes
from xpiler.frontend.syntax_model import FunctionDef

FILES = Path(__file__).parent / "files"


def load(name: str) -> SyntaxUnit:
    path = FILES / f"{name}.cu"
    return analyse(path.read_text(), str(path))


def named(functions: tuple[FunctionDef, ...], name: str) -> FunctionDef:
    (found,) = [f for f in functions if f.name == name]
    return found


def nodes(unit: SyntaxUnit, kind: str) -> list[str]:
    return [unit.text_of(n) for n in walk_nodes(unit.root) if n.type == kind]


# ------------------------------------------------------------------------------------------ files


@pytest.mark.parametrize("path", sorted(FILES.glob("*.cu")), ids=lambda p: p.stem)
def test_real_files_parse_without_errors(path: Path) -> None:
    unit = analyse(path.read_text(), str(path))
    assert unit.kernels
    if path.stem != "broken_outside":
        assert unit.errors == ()


@pytest.mark.parametrize("path", sorted(FILES.glob("*.cu")), ids=lambda p: p.stem)
def test_spans_cover_whole_definitions(path: Path) -> None:
    text = path.read_text()
    unit = analyse(text, str(path))
    for function in unit.kernels + unit.device_functions + unit.host_functions:
        if not function.is_local:
            continue
        written = text[slice(*function.span)]
        assert written.endswith(("}", ")"))  # a macro's use ends in a parenthesis
        if written.endswith("}") and path.stem != "conditionals":
            assert function.name in written
            before = text[: function.span[0]].rstrip()
            assert (
                not before
                or before[-1] in ';{}/>)"'
                or any(mark in before.splitlines()[-1] for mark in ("#", "//"))
            )


def test_an_error_spoils_only_the_function_it_is_in() -> None:
    unit = load("broken_outside")
    assert {k.name: bool(k.errors) for k in unit.kernels} == {
        "fine": False,
        "also_fine": False,
        "spoiled": True,
        "fine_again": False,
    }
    assert [(e.range.line, e.text) for e in unit.errors] == [(5, "="), (10, ";")]
    assert [launch.name for launch in unit.launches] == ["fine"]


# ------------------------------------------------------------------------------------------ functions


def test_kernels_know_their_template_bounds_and_parameters() -> None:
    unit = load("attention_online")
    kernel = named(unit.kernels, "attention")
    assert kernel.template is not None
    assert [(p.name, p.kind, p.type_text, p.default_text) for p in kernel.template] == [
        ("D", "int", "int", ""),
        ("BLOCK_KV", "int", "int", "32"),
        ("CAUSAL", "bool", "bool", "(D > 32)"),
    ]
    assert [(p.name, p.text) for p in kernel.params][:2] == [("q", "const float *q"), ("k", "const float *k")]
    gemm = named(load("gemm_tiled").kernels, "gemm_tiled")
    assert gemm.launch_bounds == ("16 *16",)
    assert gemm.template is None
    assert str(gemm.range).endswith("gemm_tiled.cu:20:1")


def test_decorations_are_found_wherever_they_stand() -> None:
    unit = load("decorations")
    assert [(k.name, k.launch_bounds) for k in unit.kernels] == [
        ("late_word", ()),
        ("early_static", ("256", "2")),
        ("bounds_first", ("128",)),
        ("clustered", ()),
        ("visible", ()),
        ("by_value", ()),
        ("with_lambda", ()),
    ]
    assert named(unit.kernels, "visible").is_extern_c
    assert {f.name for f in unit.device_functions} == {"scale", "add", "div_up", "slow", "lane"}
    assert unit.text[slice(*named(unit.kernels, "bounds_first").span)].startswith(
        "__launch_bounds__(128) __global__"
    )
    assert {s.name: s.alignment for s in unit.structs} == {
        "vec4_t": "16",
        "Pair": "8",
        "Quad": "16",
        "Pun": "16",
        "Packed": "",
    }


def test_specialisations_overloads_and_instantiations() -> None:
    unit = load("reduce_templates")
    general, special = [f for f in unit.device_functions if f.name == "warpReduceSum"]
    assert general.template and not general.specialises
    assert special.template == () and [unit.text_of(n) for n in special.specialises] == ["int"]
    plain, double = [s for s in unit.structs if s.name == "SharedMemory"]
    assert [m.name for m in plain.methods] == ["operator T *", "operator const T *"]
    assert [unit.text_of(n) for n in double.specialises] == ["double"]
    assert [(i.name, [unit.text_of(a) for a in i.arguments]) for i in unit.instantiations] == [
        ("reduce", ["int"]),
        ("reduce7", ["float", "64", "false"]),
    ]


def test_methods_fields_and_members_of_structs() -> None:
    unit = load("histogram_constants")
    array = next(s for s in unit.structs if s.name == "Array")
    assert [(f.name, unit.text_of(f.declarator), unit.text_of(f.default)) for f in array.fields] == [
        ("data", "data[N]", ""),
        ("next", "*next", "nullptr"),
    ]
    assert [(g.name, unit.text_of(g.init)) for g in array.statics] == [("size", "N")]
    assert [m.name for m in array.methods] == ["Array", "operator[]", "sum"]
    assert [a.name for a in array.aliases] == ["value_type"]
    assert [e.name for enum in array.enums for e in enum.enumerators] == ["bytes"]
    outside = named(unit.device_functions, "sum")
    assert outside.owner == "Array"
    assert outside.template is not None and [p.name for p in outside.template] == ["T", "N"]


def test_header_functions_are_known_but_not_local() -> None:
    unit = load("layernorm_training")
    ceil_div = named(unit.device_functions, "ceil_div")
    assert not ceil_div.is_local
    assert str(ceil_div.range).endswith("layernorm_common.h:7:1")
    launch = unit.launches[0]
    assert launch.is_local and launch.host_function is not None
    assert launch.host_function.name == "layernorm_forward3"


def test_namespaces_and_linkage() -> None:
    unit = analyse(
        "namespace a { namespace b::c { namespace { __global__ void k() {} } } }\n"
        'extern "C" { namespace d { void f() {} } }\nextern "C" void g() {}\nvoid h() {}',
        "t.cu",
    )
    assert unit.kernels[0].qualified == "a::b::c::k"
    assert [(f.qualified, f.is_extern_c) for f in unit.host_functions] == [
        ("d::f", True),
        ("g", True),
        ("h", False),
    ]


def test_device_code_of_a_shared_macro_has_the_place_of_its_use() -> None:
    unit = load("macro_kernels")
    relu = named(unit.kernels, "relu_kernel")
    assert unit.text[slice(*relu.span)] == "UNARY_KERNEL(relu, x > 0.f ? x : 0.f)"
    assert relu.body is not None and "x > 0.f ? x : 0.f" in unit.text_of(relu.body)


# ------------------------------------------------------------------------------------------ launches


def launch_texts(unit: SyntaxUnit) -> list[tuple[str, list[str], list[str]]]:
    return [
        (la.spelling, [unit.text_of(n) for n in la.config], [unit.text_of(n) for n in la.arguments])
        for la in unit.launches
    ]


def test_launches_with_templates_shared_memory_and_streams() -> None:
    unit = load("attention_online")
    assert launch_texts(unit) == [
        (
            "attention<64>",
            ["grid", "block", "2 * 32 * 64 * sizeof(float)"],
            [*"qkv", "out", *"BHS", "1.f / sqrtf(64.f)"],
        ),
        (
            "attention<32, 16, false>",
            ["grid", "block", "2 * 16 * 32 * sizeof(float)", "0"],
            [*"qkv", "out", *"BHS", "0.5f"],
        ),
    ]
    first = unit.launches[0]
    assert [unit.text_of(n) for n in first.template_arguments] == ["64"]
    assert unit.text[slice(*first.span)].startswith("attention<64><<<grid") and not first.from_macro


def test_launches_inside_macros_lambdas_and_calls() -> None:
    unit = load("macro_kernels")
    hidden = unit.launches[1]
    assert hidden.from_macro and unit.text[slice(*hidden.span)] == "LAUNCH(saxpy, n, n, 2.f, in, out)"
    checked = analyse(
        "#define CHECK(x) do { auto e = (x); if (e) abort(); } while (0)\n"
        "void h() { CHECK((k<<<N, 32>>>(a))); auto f = [&] { ns::k<int, (3 > 2)> <<<1, 2>>> (b); };"
        " s.run<<<1, 2>>>(); }",
        "t.cu",
    )
    assert [(la.name, checked.text[slice(*la.span)], la.from_macro) for la in checked.launches] == [
        ("k", "k<<<N, 32>>>(a)", False),
        ("k", "ns::k<int, (3 > 2)> <<<1, 2>>> (b)", False),
        ("s.run", "s.run<<<1, 2>>>()", False),
    ]


def test_launches_by_the_runtime_function() -> None:
    (launch,) = load("histogram_constants").launches
    assert (launch.name, launch.api, launch.arguments) == ("histogram", "cudaLaunchKernel", ())
    unit = analyse(
        "void h() { cudaLaunchCooperativeKernel((void *)&k<float, 3>, g, b, args, 16, s); }", "t.cu"
    )
    assert launch_texts(unit) == [("k<float, 3>", ["g", "b", "16", "s"], [])]
    hip = analyse(
        "void h() { hipLaunchKernelGGL((k<float, 3>), dim3(g), dim3(b), 0, s, x, 2 * n); }",
        "t.hip",
        platform="hip",
    )
    assert launch_texts(hip) == [("k<float, 3>", ["dim3(g)", "dim3(b)", "0", "s"], ["x", "2 * n"])]


def test_a_launch_in_a_broken_function_is_still_found() -> None:
    unit = analyse("void h() { if (x { k<<<1, 2>>>(a);\n", "t.cu")
    assert [la.name for la in unit.launches] == ["k"]
    assert unit.errors


# ------------------------------------------------------------------------------------------ globals


def test_variables_types_and_enums() -> None:
    unit = load("histogram_constants")
    variables = {
        g.name: (set(g.qualifiers), unit.text_of(g.declarator), unit.text_of(g.init)) for g in unit.globals
    }
    assert variables["kThreads"] == ({"constexpr"}, "kThreads", "kWarps * 32")
    assert variables["c_filter"] == ({"__constant__"}, "c_filter[3][5]", "{{1, 2, 3, 4, 5}}")
    assert variables["g_pointer"] == ({"__device__"}, "*g_pointer", "")
    assert variables["g_managed"] == ({"__managed__"}, "g_managed", "")
    assert [(e.name, e.is_scoped) for e in unit.enums] == [("Mode", False), ("Layout", True)]
    assert [(m.name, unit.text_of(m.value)) for m in unit.enums[0].enumerators] == [
        ("MODE_ADD", ""),
        ("MODE_MAX", "4"),
        ("MODE_LAST", ""),
    ]
    assert [a.name for a in unit.aliases] == ["Word", "Ptr", "UnaryOp", "Range"]
    assert unit.macros == {"BINS": "256"}


def test_pragmas_and_comments_can_be_looked_up() -> None:
    unit = load("macro_kernels")
    kernel = named(unit.kernels, "unrolled")
    loops = [n for n in walk_nodes(kernel.node) if n.type == "for_statement"]
    assert [unit.pragma_before(n) for n in loops] == ["unroll", "unroll 128", ""]
    gemm = load("gemm_tiled")
    inside = gemm.comments_in(gemm.kernels[0].span)
    assert [c.text for c in inside] == ["// padded"]


# ------------------------------------------------------------------------------------------ ambiguities


def test_comparisons_are_no_templates() -> None:
    unit = load("comparisons")
    calls = [t for t in nodes(unit, "template_function") if not t.startswith("reinterpret_cast")]
    assert calls == ["pick<3>"]
    assert nodes(unit, "template_method") == []


def test_one_comparison_read_as_a_template_may_hide_another() -> None:
    text = """\
__global__ void windows(const float *x, const float *w, float *y, int H, int W, int C, int O, int K, int P) {
  int o = blockIdx.x * blockDim.x + threadIdx.x;
  if (o >= O || blockIdx.y >= H * W) return;
  float acc = 0;
  for (int i = 0; i < K; ++i) {
    int iy = blockIdx.y / W - P + i;
    for (int j = 0; j < K; ++j) {
      int ix = blockIdx.y % W - P + j;
      for (int c = 0; c < C; ++c) {
        float v = (iy < 0 || iy >= H || ix < 0 || ix >= W) ? 0.f : x[(iy * W + ix) * C + c];
        acc += v * w[((i * K + j) * C + c) * O + o];
      }
    }
  }
  y[blockIdx.y * O + o] = acc > 0.f ? acc : 0.f;
}
"""
    assert nodes(analyse(text, "kernel.cu"), "template_function") == []


def test_a_product_of_a_variable_is_no_cast() -> None:
    text = "void f(int *o, int a) { for (int j = 0; j < 3; j++) o[j] = (long)(j * (a * 2)) + ((long)a); }"
    unit = analyse(text, "f.cpp", platform="vnni")
    assert [t for t in nodes(unit, "cast_expression") if not t.startswith("(long)")] == []


def test_casts_to_named_types_are_no_subtractions() -> None:
    unit = load("comparisons")
    casts = nodes(unit, "cast_expression")
    assert "(const T)-1" in casts and "(const T)(3)" in casts and "(const T)-i" in casts
    other = named(unit.kernels, "other")
    assert other.body is not None
    assert unit.text_of(other.body).split() == "{ o[0] = (T)*C; o[1] = (T)-1; }".split()


def test_pointers_to_arrays_are_declarations() -> None:
    unit = load("comparisons")
    declared = nodes(unit, "declaration")
    for name in ("(*tile)[33]", "(*rows)[4]", "(&row)[4]"):
        assert any(name in d for d in declared)


def test_inserted_words_do_not_move_places() -> None:
    unit = load("comparisons")
    for node in walk_nodes(unit.root):
        if node.type == "identifier":
            start, end = unit.span_of(node)
            assert unit.text[start:end] == unit.text_of(node)


# ------------------------------------------------------------------------------------------ repairs


@pytest.mark.parametrize(
    "text",
    [
        "template <class K> __global__ void k(float *a) { a[0] = typename K::T(-1.f); }",
        "template <class S> __global__ void k(S s, int o) { s.template store<3>(o); s\n.template load(o); }",
        "struct G { int x; }; __device__ int f(int a, G g = {}) { return a; } __global__ void k() { f(1); }",
        "__global__ void k(int *a, unsigned d) { a[0] = (unsigned(d) >> (d ? 1 : 2)); }",
        "template <class B> struct D : B { using typename B::T; T x; };\n__global__ void k() {}",
        "REGISTER(x)\n__global__ void k() {}\nREGISTER(y)\n\nvoid h() { SETUP(3)\n int x; TEARDOWN(4)\n }",
        "void h(int n EXTRA_PARAMS) { }\n__global__ void k() {}",
    ],
)
def test_errors_inside_kernels_are_mended(text: str) -> None:
    unit = analyse(text, "t.cu")
    assert [k.errors for k in unit.kernels] == [()]


def test_an_unknown_word_in_a_kernel_counts_as_an_error_of_it() -> None:
    unit = analyse("__global__ void k(int *a) { SOME_UNROLL for (int i = 0; i < 3; i++) a[i] = 0; }", "t.cu")
    assert [e.text for e in unit.kernels[0].errors] == ["SOME_UNROLL"]


# ------------------------------------------------------------------------------------------ robustness


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "// only a comment",
        "}}}}{{{{",
        "__global__ void k(",
        "__global__ void k(float *a) { if (a) { a[0] = 1;",
        "template <typename T",
        "#define F(x) F(x) F(x)\nF(F(F(1)))",
        "k<<<",
        "((((((((((" * 50,
        "\ufeffint x;\r\n\f\tint y;",
        "int \u00e4\u4e2d = 1; // \U0001f600",
        "<<<>>>(a)",
        "operator",
        "struct S : { struct { union { ",
    ],
)
def test_any_text_is_taken_or_refused(text: str) -> None:
    unit = analyse(text, "t.cu")
    for problem in unit.errors:
        assert problem.range.file == "t.cu"


def test_binary_files_are_refused() -> None:
    data = bytes(range(256)) * 4
    with pytest.raises(Refusal, match=r"t\.cu:1:1: error: this is not a text file"):
        analyse(data.decode("utf-8", errors="replace"), "t.cu")


def test_damaged_files_never_crash_the_analysis() -> None:
    generator = random.Random(7)
    for path in sorted(FILES.glob("*.cu")):
        text = path.read_text()
        for _ in range(12):
            start = generator.randrange(len(text))
            end = start + generator.randrange(40)
            noise = "".join(generator.choice("(){}<>#\"'\\/*;,\n xT0") for _ in range(generator.randrange(4)))
            try:
                unit = analyse(text[:start] + noise + text[end:], str(path))
            except Refusal as refusal:
                assert refusal.diagnostic.range is not None
            else:
                for function in unit.kernels + unit.host_functions:
                    assert function.span[0] < function.span[1]


def test_ten_times_the_lines_take_about_ten_times_as_long() -> None:
    text = (FILES / "gemm_tiled.cu").read_text() + (FILES / "attention_online.cu").read_text()
    few = 500 // text.count("\n") + 1
    short, long = (min(_seconds(text * n) for _ in range(3)) for n in (few, 10 * few))
    assert long < 20 * short


def _seconds(text: str) -> float:
    start = time.process_time()
    unit = analyse(text, "t.cu")
    elapsed = time.process_time() - start
    assert len(unit.kernels) >= 10
    return elapsed


@pytest.mark.parametrize(
    "text",
    [
        "namespace a {" * 3000,
        "template <" + "a>" * 5000,
        "__attribute__((" * 500,
        "__global__ void k(int n) { int a = 1; /*" + "x" * 20000 + "*/ if (a < n && b > (3)) { } }",
        "void f() {" + "a < " * 5000 + "}",
        "x = ;\n" * 1000,
        "typedef int " * 2000,
        "int a[" + "1+" * 20000 + "1];",
        "void f() {" + "if (a) b; else " * 3000 + "c; }",
    ],
    ids=lambda text: text[:12],
)
def test_hostile_text_takes_about_a_second_at_most(text: str) -> None:
    assert paces(lambda: analyse(text, "t.cu")) < 150


def test_scopes_nested_beyond_reason_are_refused() -> None:
    with pytest.raises(Refusal, match="nested more than 100 deep"):
        analyse("namespace a {" * 150 + "}" * 150, "t.cu")


def test_a_product_in_parentheses_before_a_sign_is_no_cast() -> None:
    text = "int f(int n, int m, int k) { return (n * (m + 1)) - (k) + ((long)(n * (m)) + ((long)k)); }\n"
    assert nodes(analyse(text, "f.cpp"), "cast_expression") == ["(long)((n * (m)))", "(long)k"]


@pytest.mark.parametrize(
    "text",
    [
        "(*(&cores) = 4, done);",
        "int status = (at[i] <<= 2, done);",
        "if ((cores = count(x, y)) > 2) return (cores += 1, cores >= 3);",
    ],
)
def test_assignments_before_a_comma_are_operands(text: str) -> None:
    unit = analyse(f"int f(int *at, int i) {{ int cores; {text} return 0; }}", "f.cpp", platform="vnni")
    assert not unit.root.has_error
