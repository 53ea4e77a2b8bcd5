"""The textual preparation: launches and shared declarations become C++, everything else stays as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpiler.emulators.host import prepare


def prepared(text: str) -> str:
    return prepare(text, "t.cu", "cuda")


@pytest.mark.parametrize(
    ("launch", "kernel"),
    [
        ("k<<<1, 2>>>(a);", "k"),
        ("k<float, 16><<<grid, dim3(4, 4), 0, s>>>(a, b);", "k<float, 16>"),
        ("ns::k<std::vector<T>><<<1, 2>>>();", "ns::k<std::vector<T>>"),
        ("k<T, (N > 4)><<<n >> 2, 2>>>(a);", "k<T, (N > 4)>"),
        ("this->kernel_<<<1, 2>>>(a);", "this->kernel_"),
    ],
)
def test_a_launch_becomes_a_call_of_its_kernel(launch: str, kernel: str) -> None:
    out = prepared(launch)
    assert "<<<" not in out and ">>>" not in out
    assert f'launcher("{kernel}", __LINE__, [&](auto&... xpemu_a) {{ {kernel}(xpemu_a...); }}' in out


def test_an_instance_that_a_generic_lambda_launches_is_told_by_its_address() -> None:
    kernel = "template <class T, int N> __global__ void k(T *x) {}\n"
    launch = "void f(float *x) { auto run = [&](auto n) { k<float, n.value><<<1, 2>>>(x); }; }"
    named = "function_name([&] { return reinterpret_cast<const void*>(&k<float, n.value>); }()"
    assert named in prepared(kernel + launch)
    assert named not in prepared(kernel + launch.replace("auto n", "Two n"))
    alias = "void f(float *x, int t) { switch (t) { case 0: { using T = float; k<T, 2><<<1, 2>>>(x); } } }"
    assert "function_name([&] { return reinterpret_cast<const void*>(&k<T, 2>); }()" in prepared(
        kernel + alias
    )
    deduced = launch.replace("k<float, n.value>", "k<float>")  # has no address by these arguments alone
    assert "function_name" not in prepared(kernel + deduced)
    overloaded = kernel + "template <class T, int N> __global__ void k(T *x, int n) {}\n"
    assert "function_name" not in prepared(overloaded + launch)


def test_a_launch_in_a_macro_body_names_the_kernel_after_expansion() -> None:
    out = prepared("#define RUN(K, n) \\\n  K<n><<<1, 32>>>(p)\n")
    assert "XPEMU_TEXT(K<n>)" in out
    assert out.count("\n") == 2


@pytest.mark.parametrize(
    "text",
    [
        "// k<<<1, 2>>>(a);",
        "/* __shared__ float a[4]; */",
        'const char* s = "k<<<1, 2>>>(a); __shared__";',
        'auto s = R"x(k<<<1, 2>>>(a))x";',
        "#error k<<<1, 2>>>",
        "int a = 1 << 2, b = x >> 3;",
    ],
)
def test_comments_strings_and_shifts_are_left_alone(text: str) -> None:
    assert prepared(text) == text


@pytest.mark.parametrize(
    ("declaration", "members"),
    [
        ("__shared__ float a[16][17];", ["float a[16][17]"]),
        ("__shared__ T a[N], b, *c;", ["T a[N]", "T b", "T *c"]),
        ("static __shared__ volatile int a[4];", ["volatile int a[4]"]),
        ("__shared__ __align__(16) half a[2][8];", ["__align__(16) half a[2][8]"]),
        ("alignas(16) __shared__ float a[4];", ["alignas(16) float a[4]"]),
        ("float __shared__ a[4];", ["float a[4]"]),
        ("__shared__ typename B<T, 4>::Temp temp;", ["typename B<T,4>::Temp temp"]),
    ],
)
def test_every_shared_declarator_gets_its_own_storage(declaration: str, members: list[str]) -> None:
    out = prepared(f"void k() {{ {declaration} }}")
    for member in members:
        assert member.replace(" ", "") in out.replace(" ", "")
    assert out.count("XpemuShared {") == len(members)


def test_dynamic_shared_memory_becomes_a_pointer() -> None:
    assert "float *s = ::xpemu::DynamicShared();" in prepared("void k() { extern __shared__ float s[]; }")
    assert "float (*s)[8] = ::xpemu" in prepared("void k() { extern __shared__ float s[][8]; }")
    aligned = prepared("void k() { extern __shared__ __align__(16) unsigned char s[]; }")
    assert "unsigned char *s = ::xpemu::DynamicShared();" in aligned
    assert "DynamicSharedArray<int > s;" in prepared("extern __shared__ int s[];")


def test_a_macro_that_stands_for_shared_is_followed() -> None:
    out = prepared("#define LOCAL __shared__\nvoid k() { LOCAL float a[4]; }")
    assert "struct XpemuShared { float a[4]; }" in out


def test_vector_attributes_name_the_vector_class() -> None:
    assert (
        prepared("typedef float f4 __attribute__((ext_vector_type(4)));")
        == "typedef ::xpemu::vector<float, (4)> f4;"
    )
    assert (
        prepared("using h4 = __attribute__((ext_vector_type(4))) _Float16;")
        == "using h4 = ::xpemu::vector<_Float16, (4)>;"
    )
    assert "vector_of_bytes<float, (16)> x;" in prepared("float __attribute__((vector_size(16))) x;")


@given(st.text(alphabet="ak<>()[]{};,#\"'/*\\\n _=1:R", max_size=80))
def test_no_text_breaks_it_and_lines_stay_where_they_are(text: str) -> None:
    pieces = ["__shared__", "extern ", "k<<<1,2>>>(a)", "#define A "]
    for piece in ["", *pieces]:
        assert prepared(text + piece + text).count("\n") == (text + piece + text).count("\n")


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("__device__ __forceinline__ int f(int a) {}", "__device__ inline int f(int a) {}"),
        ("static inline __forceinline__ int f() {}", ""),
        ("#define HD __host__ __forceinline__\nHD int f() {}", "#define HD __host__ inline\nHD int f() {}"),
        (
            "#define H __forceinline__\n#define H inline\nH int f();",
            "#define H inline\n#define H inline\nH int f();",
        ),
        ("#define HD __forceinline__\ninline HD int f() {}", ""),
        (
            "#define HD __forceinline__\nHD __forceinline__ int f() {}",
            "#define HD inline\nHD __forceinline__ int f() {}",
        ),
        (
            "auto f = [] __device__ __forceinline__ (int i) {}",
            "auto f = ::xpemu::lambda_at<__LINE__ * 16 + 0>([] __device__ __forceinline__ (int i) {})",
        ),
    ],
)
def test_functions_that_are_always_inline_may_be_in_several_files(text: str, out: str) -> None:
    assert prepared(text) == (out or text)
