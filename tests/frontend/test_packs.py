"""Parameter packs of templates: instantiated where they are called, as other templates are."""

from xpiler.frontend import parse
from xpiler.ir.printer import show


def body_of(helpers: str, value: str) -> list[str]:
    """The statements of `y[0] = value` in a kernel behind some helpers."""
    text = f"{helpers}\n__global__ void k(const float *x, float *y) {{ y[0] = {value}; }}"
    unit = parse(text, "k.cu", platform="cuda")
    assert not unit.refusals, unit.refusals
    return [line.strip() for line in show(unit.program.kernels[0]).splitlines()[1:-1]]


def test_folds_from_either_side_keep_their_order() -> None:
    right = "template <class... T> __device__ float sub(T... a) { return (a - ... - 1.0f); }"
    assert body_of(right, "sub(x[0], x[1])")[-1] == "y[0] = term - (term_1 - 1.0f);"
    left = "template <class... T> __device__ float sub(T... a) { return (1.0f - ... - a); }"
    assert body_of(left, "sub(x[0], x[1])")[-1] == "y[0] = 1.0f - term - term_1;"


def test_the_rest_of_a_pack_goes_to_the_next_call() -> None:
    helpers = """
    template <class T> __device__ T top(T a) { return a; }
    template <class T, class... R> __device__ T top(T a, R... rest) {
        T b = top(rest...);
        return a > b ? a : b;
    }
    """
    lines = body_of(helpers, "top(x[0], x[1], 2.0f)")
    assert lines[-1] == "y[0] = a > b_1 ? a : b_1;"


def test_a_pack_of_numbers_and_its_length() -> None:
    helpers = """
    template <int... I> __device__ float taps(const float *p) {
        float s = 0;
        ((s += p[I]), ...);
        return s / sizeof...(I);
    }
    """
    lines = body_of(helpers, "taps<0, 2, 5>(x)")
    assert lines[-4:] == ["s += x[0];", "s += x[2];", "s += x[5];", "y[0] = s / 3.0f;"]


def test_a_functor_is_called_with_what_was_handed_over() -> None:
    helpers = """
    template <class F, class... A> __device__ float apply(F f, const A &...a) { return f(a..., 2.0f); }
    struct Mul { __device__ float operator()(float a, float b) const { return a * b; } };
    """
    assert body_of(helpers, "apply(Mul(), x[3])")[-1] == "y[0] = a * 2.0f;"


def test_a_kernel_takes_a_pack_of_parameters() -> None:
    text = """
    template <class... T> __global__ void sum(float *y, T... terms) { y[threadIdx.x] = (terms + ...); }
    void run(float *y, float a, int b) { sum<<<1, 32>>>(y, a, b); }
    """
    unit = parse(text, "k.cu", platform="cuda")
    (kernel,) = unit.program.kernels
    assert kernel.spelling == "sum<float, int>"
    assert [(p.name, p.dtype.name) for p in kernel.params[1:]] == [("terms_0", "f32"), ("terms_1", "i32")]


def test_an_empty_pack_has_no_sum() -> None:
    text = """
    template <class... T> __device__ float sum(T... a) { return (a + ...); }
    __global__ void k(float *y) { y[0] = sum(); }
    """
    unit = parse(text, "k.cu", platform="cuda")
    assert [(d.code, d.range and d.range.line) for d in unit.refusals.values()] == [("pack", 2)]
