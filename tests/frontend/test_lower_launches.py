"""Launches: which instantiations a file wants, and what is known of their blocks."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.ir.printer import show

TEMPLATE = "template <typename T, int N = 4> __global__ void k(T *o, int n) { o[threadIdx.x % N] = n; }\n"


def kernels(text: str) -> list[tuple[str, str, tuple[int | None, ...]]]:
    unit = parse(text, "launch.cu")
    assert not unit.refusals, [str(d) for d in unit.refusals.values()]
    return [(k.name, k.spelling, k.block_size) for k in unit.program.kernels]


def test_a_template_is_instantiated_once_for_each_set_of_arguments() -> None:
    host = """
        void run(float *f, int *i) {
            k<float, 8><<<1, 32>>>(f, 1); k<<<1, 64>>>(i, 2); k<float, 8><<<2, 32>>>(f, 3);
        }
    """
    assert kernels(TEMPLATE + host) == [
        ("k_float_8", "k<float, 8>", (32, 1, 1)),
        ("k_int_4", "k<int, 4>", (64, 1, 1)),
    ]


def test_an_instance_has_no_name_that_the_file_gives_to_something_else() -> None:
    host = "void k_float_8(float *f) { k<float, 8><<<1, 32>>>(f, 1); }"
    assert [name for name, _, _ in kernels(TEMPLATE + host)] == ["k_float_8_1"]


def test_launches_in_a_template_host_function_follow_its_calls() -> None:
    host = """
        template <typename T> void run(T *o, int n) {
            const int threads = 2 * 64;
            k<T><<<n, threads>>>(o, n);
        }
        int main() { double *d; run(d, 3); run<float>(nullptr, 4); }
    """
    assert {name for name, _, _ in kernels(TEMPLATE + host)} == {"k_double_4", "k_float_4"}
    assert kernels(TEMPLATE + host)[0][2] == (128, 1, 1)


def test_block_sizes_come_from_dim3_macros_and_constants() -> None:
    text = """
        #define TILE 16
        #define LAUNCH(kernel, ...) kernel<<<grid, block>>>(__VA_ARGS__)
        __global__ void k(float *o) { o[0] = 1; }
        void run(float *o, int n) { dim3 grid(n, n), block(TILE, TILE / 2); LAUNCH(k, o); }
    """
    assert kernels(text)[0][2] == (16, 8, 1)


def test_functions_that_a_macro_defines_launch_the_instances_of_their_arguments() -> None:
    host = """
        #define LAUNCHER(T) void run_##T(T *o, int n) { k<T, 2><<<1, 32>>>(o, n); }
        LAUNCHER(float)
        LAUNCHER(int)
    """
    assert [name for name, _, _ in kernels(TEMPLATE + host)] == ["k_float_2", "k_int_2"]


def test_launches_that_disagree_leave_the_dimension_open() -> None:
    text = """
        __global__ void k(float *o) { o[0] = 1; }
        void run(float *o) { k<<<1, 32>>>(o); k<<<1, dim3(64, 1)>>>(o); }
    """
    assert kernels(text)[0][2] == (None, 1, 1)


def test_a_block_size_that_the_host_changes_is_not_constant() -> None:
    text = """
        __global__ void k(float *o) { o[0] = 1; }
        void run(float *o, int n) { int threads = 256; if (n < 256) threads = n; k<<<1, threads>>>(o); }
    """
    assert kernels(text)[0][2] == (None, 1, 1)


def test_launch_sites_name_the_kernel_and_its_arguments() -> None:
    text = TEMPLATE + "void run(float *o) { k<float><<<1, 32, 64>>>(o, 2 + 3); }"
    (site,) = parse(text, "launch.cu").launches
    assert (site.kernel, site.host_function, site.shared, site.arguments) == (
        "k_float_4",
        "run",
        "64",
        ("o", "2 + 3"),
    )
    assert text[slice(*site.span)] == "k<float><<<1, 32, 64>>>(o, 2 + 3)"


def test_functors_and_templates_as_arguments() -> None:
    text = """
        template <typename T> struct Add { __device__ T operator()(T a, T b) const { return a + b; } };
        struct Scale { float by; __device__ float operator()(float x) const { return x * by; } };
        template <typename T, template <typename> class Op> __global__ void two(T *o) {
            Op<T> op;
            o[0] = op(o[1], o[2]);
        }
        template <typename F> __global__ void one(float *o, F f) { o[0] = f(o[1]); }
        void run(float *o) { two<float, Add><<<1, 1>>>(o); one<<<1, 1>>>(o, Scale{2.0f}); }
    """
    assert {name for name, _, _ in kernels(text)} == {"two_float_Add", "one_Scale"}


def test_traits_by_specialisation_give_types_and_constants() -> None:
    text = """
        template <typename T> struct Traits;
        template <> struct Traits<float> { using acc = double; static constexpr int width = 4; };
        template <> struct Traits<__half> { using acc = float; static constexpr int width = 8; };
        template <typename T> struct Traits<T *> { using acc = T; static constexpr int width = 1; };
        template <typename T> __global__ void k(T *o) {
            typename Traits<T>::acc sum = Traits<T>::width + Traits<T *>::width;
            o[0] = sum;
        }
        void run(float *f, __half *h) { k<<<1, 1>>>(f); k<<<1, 1>>>(h); }
    """
    first, second = (show(k) for k in parse(text, "traits.cu").program.kernels)
    assert "f64 sum = 5.0" in first
    assert "f32 sum = 9.0f" in second


def test_functors_of_a_namespace_are_spelled_with_it() -> None:
    """What calls an instance from outside has to name its arguments in full."""
    text = (
        "namespace ops {\n"
        "struct Sum { __device__ float operator()(float a, float b) const { return a + b; } };\n"
        "template <class T> struct Scale { T by; }; }\n"
        "template <class Op, class S> __global__ void fold(float *x) { x[0] = Op()(x[0], S().by); }\n"
        "void run(float *x) { fold<ops::Sum, ops::Scale<float>><<<1, 1>>>(x); }\n"
    )
    assert kernels(text) == [("fold_ops_Sum_ops_Scale_float", "fold<ops::Sum, ops::Scale<float>>", (1, 1, 1))]


def test_a_name_of_a_block_is_that_of_its_own_launches() -> None:
    text = """
        #define ON_TYPE(TYPE, NAME, ...)                            \\
            switch (TYPE) {                                         \\
            case 0: { using NAME = float; __VA_ARGS__(); break; }   \\
            case 1: { using NAME = __half; __VA_ARGS__(); break; }  \\
            default: { using NAME = double; __VA_ARGS__(); }        \\
            }
        template <typename T> __global__ void k(T *o) { o[threadIdx.x] = T(0); }
        void run(int type, void *o) { ON_TYPE(type, scalar, [&] { k<scalar><<<1, 64>>>((scalar *)o); }); }
    """
    assert [name for name, _, _ in kernels(text)] == ["k_float", "k_half", "k_double"]


def test_a_generic_lambda_launches_what_it_is_called_with() -> None:
    host = """
        void run(float *o, int n) {
            auto launch = [&](auto items) {
                constexpr int N = decltype(items)::value;
                k<float, N><<<1, 32>>>(o, n);
            };
            if (n > 64) launch(std::integral_constant<int, 2>{});
            else launch(std::integral_constant<int, 1>{});
        }
    """
    assert [name for name, _, _ in kernels(TEMPLATE + host)] == ["k_float_2", "k_float_1"]


def test_a_lambda_that_is_handed_on_launches_what_it_gets_there() -> None:
    host = """
        template <typename T> struct Tag { using type = T; };
        template <typename F> void by_size(int n, F f) {
            if (n > 64) f(std::integral_constant<int, 8>{}); else f(std::integral_constant<int, 2>{});
        }
        template <typename F> void by_type(bool wide, F &&f) {
            if (wide) f(Tag<double>{}); else f(Tag<float>{});
        }
        void run(void *o, int n, bool wide) {
            by_size(n, [&](auto size) {
                by_type(wide, [&](auto tag) {
                    using T = typename decltype(tag)::type;
                    k<T, size.value><<<1, 32>>>((T *)o, n);
                });
            });
        }
    """
    assert {name for name, _, _ in kernels(TEMPLATE + host)} == {
        "k_double_8",
        "k_float_8",
        "k_double_2",
        "k_float_2",
    }


def test_a_lambda_with_template_parameters_launches_what_it_is_called_with() -> None:
    host = """
        template <typename F> void by_size(bool wide, F &&f) {
            if (wide) f.template operator()<8>(); else f.template operator()<2>();
        }
        void run(float *o, int n, bool wide) {
            by_size(wide, [&]<int N>() { k<float, N><<<1, 32>>>(o, n); });
            auto launch = [&]<typename T>(T *p) { k<T, 4><<<1, 32>>>(p, n); };
            launch((double *)o);
        }
    """
    assert {name for name, _, _ in kernels(TEMPLATE + host)} == {"k_float_8", "k_float_2", "k_double_4"}


def test_each_specialisation_has_its_own_methods() -> None:
    text = """
        enum class Op { Neg, Twice };
        template <Op O> struct Apply;
        template <> struct Apply<Op::Neg> { static __device__ float f(float x) { return -x; } };
        template <> struct Apply<Op::Twice> { static __device__ float f(float x) { return 2.0f * x; } };
        template <Op O> __global__ void k(float *x) { x[0] = Apply<O>::f(x[0]); }
        void run(float *x) { k<Op::Neg><<<1, 1>>>(x); k<Op::Twice><<<1, 1>>>(x); }
    """
    first, second = (show(k) for k in parse(text, "methods.cu").program.kernels)
    assert "2.0f" not in first
    assert "2.0f * " in second


def test_a_constant_of_an_inner_block_does_not_hide_that_of_the_function_before_it() -> None:
    host = """
        void run(float *o, int n) {
            constexpr int N = 4;
            k<float, N><<<1, 32>>>(o, n);
            if (n > 9) { constexpr int N = 8; k<float, N><<<1, 32>>>(o, n); }
        }
    """
    assert [name for name, _, _ in kernels(TEMPLATE + host)] == ["k_float_4", "k_float_8"]


def test_the_numbers_that_main_calls_functions_with_are_known() -> None:
    text = """
        #define COLS 768
        __global__ void k(float *x, int rows, int cols, float by) { x[threadIdx.x] = by; }
        void run(float *x, int rows, int cols, float by) { k<<<rows, 32>>>(x, rows, cols, by); }
        int main(int argc, char **argv) {
            float *x;
            const int rows = 4 * 256;
            run(x, rows, COLS, 0.5f);
            if (argc > 1) { int rows = 3; run(x, rows, atoi(argv[1]), 2.0f); }
        }
    """
    calls = [(call.name, call.numbers) for call in parse(text, "k.cu").calls]
    assert calls == [("run", (None, 1024, 768, 0.5)), ("run", (None, 3, None, 2.0))]


def test_an_enumeration_that_a_typedef_names_is_an_int() -> None:
    text = (
        "typedef enum { A, B = 7 } kind_t;\n__global__ void k(float *x);\nvoid f(float *x, kind_t kind) {}\n"
    )
    (function,) = parse(text, "f.cu").host_functions
    assert [(p.dtype.name, p.spelling) for p in function.params if not p.is_pointer] == [("i32", "kind_t")]
