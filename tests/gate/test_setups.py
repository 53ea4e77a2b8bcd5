"""Which functions are called before an entry, so that what it uses is there."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.gate.contract import Setup
from xpiler.gate.entries import Entry, entries_of

_KERNEL = (
    "__global__ void k(const float *w, float *y, int n) { int i = threadIdx.x; if (i < n) y[i] = w[i]; }\n"
)


def entry(host: str, name: str = "run") -> Entry:
    found = {e.name: e for e in entries_of(parse(_KERNEL + host, "kernel.cu"))}
    return found[name]


def test_what_a_variable_of_the_file_is_set_by_comes_first_and_shares_sizes() -> None:
    run = entry(
        "static float *w;\n"
        "static int count;\n"
        "void load(const float *from, int n) {\n"
        "    count = n; cudaMalloc(&w, n * 4); cudaMemcpy(w, from, n * 4, cudaMemcpyHostToDevice); }\n"
        "void run(float *y, int n) { k<<<1, 64>>>(w, y, n < count ? n : count); }\n"
        "void release() { cudaFree(w); w = nullptr; }\n"
    )
    assert run.before == (Setup("load", ("from", "n")),)
    assert run.handed == ("y", "n")
    assert [p.name for p in run.params] == ["y", "n", "from"]


def test_calls_come_in_the_order_of_what_they_need() -> None:
    """`upload` copies into what `reserve` allocates; `y` of both is not the same array."""
    run = entry(
        "static float *w = nullptr;\n"
        "void upload(const float *y, int n) { cudaMemcpy(w, y, n * 4, cudaMemcpyHostToDevice); }\n"
        "void reserve(int n) { cudaMalloc((void **)&w, n * 4); }\n"
        "void run(float *y, int n) { k<<<1, 64>>>(w, y, n); }\n"
    )
    assert [setup.callee for setup in run.before] == ["reserve", "upload"]
    assert run.before[1].arguments == ("upload.y", "n")


def test_an_object_is_made_and_filled() -> None:
    run = entry(
        "struct Net { float *w; int n; };\n"
        "Net *make(int n) { Net *net = new Net; net->n = n; cudaMalloc(&net->w, 4 * n); return net; }\n"
        "void load(Net *net, const float *w) { cudaMemcpy(net->w, w, 4 * net->n, cudaMemcpyHostToDevice); }\n"
        "void run(Net *net, float *y) { k<<<1, 64>>>(net->w, y, net->n); }\n"
        "void drop(Net *net) { cudaFree(net->w); delete net; }\n"
    )
    assert run.before == (
        Setup("make", ("n",), "net", "returned"),
        Setup("load", ("", "w"), "net", "again"),
    )
    assert run.handed == ("net", "y")


def test_what_an_entry_sets_itself_needs_nobody() -> None:
    run = entry(
        "static float *w = nullptr; static size_t room = 0;\n"
        "static void ensure(size_t n) { if (n > room) { cudaMalloc(&w, 4 * n); room = n; } }\n"
        "void warm(int n) { cudaMalloc(&w, 4 * n); }\n"
        "void run(float *y, int n) { ensure(n); k<<<1, 64>>>(w, y, n); }\n"
    )
    assert run.before == () and run.unset == ()


def test_a_function_that_only_main_sets_up_is_run_by_main() -> None:
    names = [
        e.name
        for e in entries_of(
            parse(
                _KERNEL + "static float *w;\n"
                "void run(float *y, int n) { k<<<1, 64>>>(w, y, n); }\n"
                "int main() { cudaMalloc(&w, 256); run(w, 64); }\n",
                "kernel.cu",
            )
        )
    ]
    assert names == ["k", "main"]


def test_overloads_are_told_apart_by_their_types() -> None:
    text = (
        "template <class T> __global__ void twice(T *x) { x[threadIdx.x] *= 2; }\n"
        "void run(float *x) { twice<float><<<1, 32>>>(x); }\n"
        "void run(double *x, cudaStream_t s) { twice<double><<<1, 32, 0, s>>>(x); }\n"
    )
    first, second = entries_of(parse(text, "kernel.cu"))
    assert (first.signature, first.kernels) == ("void (*)(float *)", ("twice_float",))
    assert (second.signature, second.kernels) == ("void (*)(double *, cudaStream_t)", ("twice_double",))
