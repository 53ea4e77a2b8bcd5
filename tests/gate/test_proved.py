"""What is said for all data of a delivered text as it is read back."""

from __future__ import annotations

import pytest

from xpiler.backend.vnni_helpers import HELPERS
from xpiler.gate.evidence import READ_BACK, Evidence, Rung
from xpiler.gate.overrides import from_flags
from xpiler.gate.proved import lifted
from xpiler.translate import translate_text, verify_text

SUMS = """
__global__ void row_sums(const float *x, float *y, int rows, int cols) {
    int r = blockIdx.x * blockDim.x + threadIdx.x;
    if (r >= rows) return;
    float sum = 0.0f;
    for (int c = 0; c < cols; ++c) sum += x[r * cols + c];
    y[r] = %s;
}
extern "C" void sums(const float *x, float *y, int rows, int cols) {
    float *d_x, *d_y;
    cudaMalloc(&d_x, rows * cols * sizeof(float));
    cudaMalloc(&d_y, rows * sizeof(float));
    cudaMemcpy(d_x, x, rows * cols * sizeof(float), cudaMemcpyHostToDevice);
    row_sums<<<(rows + 127) / 128, 128>>>(d_x, d_y, rows, cols);
    cudaMemcpy(y, d_y, rows * sizeof(float), cudaMemcpyDeviceToHost);
    cudaFree(d_x);
    cudaFree(d_y);
}
"""


def told(value: str, to: str) -> Rung:
    result = translate_text(SUMS % value, "sums.cu", to)
    assert result.status == "verified"
    (found,) = [r for r in result.evidence if r.detail.startswith("sums:") and r.rung == "proved"]
    return found


def test_steps_of_host_code_are_run_on_symbols() -> None:
    rung = told("sum", "hip")
    assert not rung.undecided
    assert "all data" in rung.detail


def test_sums_that_vectors_add_up_are_equal_over_the_reals() -> None:
    rung = told("expf(sum)", "vnni")
    assert not rung.undecided
    assert "all finite data" in rung.detail


def test_scratchpads_hold_numbers_of_several_types() -> None:
    rung = told("sum", "bang")
    assert not rung.undecided
    assert "all finite data" in rung.detail


def test_the_same_program_is_the_same_whatever_it_does() -> None:
    rung = told("sum > 0.0f ? (float)(int)sum : -sum", "hip")
    assert not rung.undecided
    assert "and all data: the same programs, launched alike" in rung.detail


def test_extrema_are_proved() -> None:
    rung = told("sum > 0.0f ? sum : 0.0f", "vnni")
    assert not rung.undecided
    assert "all finite data" in rung.detail


def test_what_data_decide_stays_open() -> None:
    rung = told("(float)(int)sum", "vnni")
    assert rung.ok and rung.undecided
    assert "undecided: a residue has no integer part" in rung.detail


def test_an_open_rung_is_shown_as_that_and_takes_nothing_away() -> None:
    rungs = [Rung(name, True, "tool", "fine", 0.0) for name in ("parsed", "compiled", "executed")]
    evidence = Evidence((*rungs, Rung("proved", True, "tool", "undecided: too hard", 0.0, undecided=True)))
    assert evidence.verified
    assert evidence.render().splitlines()[-1].startswith("  open  proved")
    assert evidence.to_json()["evidence"][-1]["undecided"] is True


def test_vector_functions_are_read_as_what_they_stand_for_only_word_by_word() -> None:
    own = HELPERS["exp_ps"]
    assert "expf(a[i])" in lifted(own)
    changed = own.replace("90.0f", "80.0f")
    assert lifted(changed) == changed


@pytest.mark.parametrize("returned", ["void", "cudaError_t"])
def test_a_stream_and_a_status_of_a_serial_function_keep_nothing_open(returned: str) -> None:
    text = """
__global__ void twice(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2.0f * x[i];
}
extern "C" void run(const float *x, float *y, int n, cudaStream_t stream) {
  twice<<<(n + 255) / 256, 256, 0, stream>>>(x, y, n);
  return;
}
"""
    if returned != "void":
        text = text.replace("void run", f"{returned} run").replace("return;", "return cudaGetLastError();")
    result = translate_text(text, "twice.cu", "vnni")
    (rung,) = [r for r in result.evidence if r.detail.startswith("run:") and r.rung == "proved"]
    assert not rung.undecided, rung.detail


def test_kernels_in_namespaces_are_found_again() -> None:
    text = """
struct Handle { float *data; };
namespace ops {
__global__ void twice(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2.0f * x[i];
}
}
void run(Handle &h, float *y, int n) { ops::twice<<<(n + 255) / 256, 256>>>(h.data, y, n); }
"""
    result = translate_text(text, "twice.cu", "vnni")
    (rung,) = [r for r in result.evidence if r.detail.startswith("twice:") and r.tool == "text read back"]
    assert not rung.undecided, rung.detail


def test_sizes_at_which_a_launch_wraps_are_not_asked_about() -> None:
    """At a ninth of `n` the wrapper would launch four thousand million threads."""
    windows = """
    __global__ void windows(const float *x, float *y, unsigned n, unsigned step) {
        unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i * step + 6 > n) return;
        float sum = 0.0f;
        for (int k = 0; k < 6; ++k) sum += x[i * step + k];
        y[i] = sum;
    }
    void run(const float *x, float *y, unsigned n, unsigned step) {
        unsigned count = (n - 6) / step + 1;
        windows<<<(count + 127) / 128, 128>>>(x, y, n, step);
    }
    """
    stated = from_flags(arg=["n=37", "step=53"])
    result = translate_text(windows, "windows.cu", "vnni", stated)
    (found,) = [r for r in result.evidence if r.rung == "proved" and r.detail.startswith("run:")]
    assert not found.undecided
    assert "the delivered text for n=37, step=53" in found.detail


def rungs_of(text: str, file: str, to: str) -> dict[str, Rung]:
    """What is proved by reading back, by entry, of a program that is verified."""
    result = translate_text(text, file, to)
    assert result.status == "verified", result.evidence
    return {r.detail.split(":")[0]: r for r in result.evidence if r.tool == READ_BACK}


STRUCTS = """
struct Params { float alpha; int n; const float *x; };
__global__ void scale(Params p, float *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < p.n) y[i] = p.alpha * p.x[i];
}
extern "C" void run(const float *x, float *y, float alpha, int n) {
  Params p = {alpha, n, x};
  scale<<<(n + 255) / 256, 256>>>(p, y);
}
"""


def test_structs_by_value_are_taken_apart() -> None:
    assert not rungs_of(STRUCTS, "scale.cu", "hip")["run"].undecided
    assert not rungs_of(STRUCTS, "scale.cu", "bang")["run"].undecided


PROGRAM = """
#include <cstdio>
__global__ void twice(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2.0f * x[i];
}
int main() {
  const int n = 1000;
  float *x, *y;
  cudaMallocManaged(&x, n * sizeof(float));
  cudaMallocManaged(&y, n * sizeof(float));
  for (int i = 0; i < n; ++i) x[i] = i;
  twice<<<(n + 255) / 256, 256>>>(x, y, n);
  cudaDeviceSynchronize();
  printf("%g\\n", y[n - 1]);
}
"""


def test_a_kernel_of_a_program_is_a_function_that_is_handed_its_launch() -> None:
    rung = rungs_of(PROGRAM, "twice.cu", "vnni")["twice"]
    assert not rung.undecided, rung.detail
    assert "for n=1000 and all finite data" in rung.detail


HOST_TEMPLATE = """
template <typename T, int SIZE>
__global__ void firsts(const T *x, T *y, int n) {
  __shared__ T tile[SIZE];
  int i = blockIdx.x * SIZE + threadIdx.x;
  tile[threadIdx.x] = i < n ? x[i] : T(0);
  __syncthreads();
  if (threadIdx.x == 0) y[blockIdx.x] = tile[0] + tile[SIZE - 1];
}
template <typename T> void launch(const T *x, T *y, int n) {
  constexpr int SIZE = 64;
  firsts<T, SIZE><<<(n + SIZE - 1) / SIZE, SIZE>>>(x, y, n);
}
extern "C" void floats(const float *x, float *y, int n) { launch<float>(x, y, n); }
extern "C" void ints(const int *x, int *y, int n) { launch<int>(x, y, n); }
"""


def test_the_template_around_a_launch_says_which_kernel_it_is() -> None:
    """Both have elements of four bytes, and the launch names them by the template's parameters."""
    rungs = rungs_of(HOST_TEMPLATE, "firsts.cu", "vnni")
    assert not any(rung.undecided for rung in rungs.values()), rungs
    assert {*rungs} == {"floats", "ints"}


TABLE = """
__constant__ float weights[3];
__global__ void filter(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i + 2 < n) y[i] = weights[0] * x[i] + weights[1] * x[i + 1] + weights[2] * x[i + 2];
}
extern "C" void run(const float *x, float *y, int n) {
  float *d_x, *d_y, table[3] = {0.25f, %s, 0.125f};
  cudaMalloc(&d_x, n * sizeof(float));
  cudaMalloc(&d_y, n * sizeof(float));
  cudaMemcpy(d_x, x, n * sizeof(float), cudaMemcpyHostToDevice);
  cudaMemset(d_y, 0, n * sizeof(float));
  cudaMemcpyToSymbol(weights, table, sizeof(table));
  filter<<<(n + 127) / 128, 128>>>(d_x, d_y, n);
  cudaMemcpy(y, d_y, n * sizeof(float), cudaMemcpyDeviceToHost);
}
"""


def test_numbers_of_the_host_are_numbers_of_the_call() -> None:
    assert not rungs_of(TABLE % "0.5f", "filter.cu", "bang")["run"].undecided


def test_numbers_that_host_code_makes_of_the_data_are_none() -> None:
    rung = rungs_of(TABLE % "x[0]", "filter.cu", "hip")["run"]
    assert rung.undecided
    assert "depends on the data" in rung.detail


def test_variables_that_no_call_fills_hold_the_data_of_the_case() -> None:
    text = """
__constant__ float weights[2];
__global__ void blend(const float *x, float *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = weights[0] * x[i] + weights[1];
}
extern "C" void run(const float *x, float *y, int n) { blend<<<(n + 127) / 128, 128>>>(x, y, n); }
"""
    assert not rungs_of(text, "blend.cu", "hip")["run"].undecided


TAPS = """
static float taps[4] = {0.1f, 0.2f, 0.3f, 0.4f};
extern "C" void smooth(const float *x, float *y, int n) {
    for (int i = 0; i < n; ++i) {
        float window[4], sum = 0.0f;
        for (int k = 0; k < FILLED; ++k) window[k] = i + k < n ? x[i + k] : 0.0f;
        for (int k = 0; k < USED; ++k) sum += taps[k] * (k < 4 ? window[k] : 0.0f);
        y[i] = sum;
    }
}
"""


@pytest.mark.parametrize(("filled", "used", "array"), [(4, 4, ""), (5, 4, "window[4]"), (4, 5, "taps[4]")])
def test_what_lies_behind_an_array_of_its_own_is_nothing_a_target_may_touch(
    filled: int, used: int, array: str
) -> None:
    """Executing shows neither: behind both there are bytes that nobody needs, zeros behind the second one."""
    target = TAPS.replace("FILLED", str(filled)).replace("USED", str(used))
    result = verify_text(
        TAPS.replace("FILLED", "4").replace("USED", "4"), "smooth.cpp", target, "smoothed.cpp"
    )
    wrong = [rung.detail for rung in result.evidence if not rung.ok]
    assert [f"{array} is out of bounds: it has 4 elements" in detail for detail in wrong] == [True] * bool(
        array
    )


def test_smaller_sizes_than_a_kernel_has_as_numbers_show_nothing() -> None:
    """`most` elements of memory of its own, of which the kernel writes 96 whatever `most` is."""
    text = """
__global__ void fill(const float *x, float *y) {
    int i = blockIdx.x * 32 + threadIdx.x;
    if (i < 96) y[i] = 2.0f * x[i];
}
extern "C" void doubled(const float *x, float *y, int most) {
    float *d_x, *d_y;
    cudaMalloc(&d_x, most * sizeof(float));
    cudaMalloc(&d_y, most * sizeof(float));
    cudaMemcpy(d_x, x, most * sizeof(float), cudaMemcpyHostToDevice);
    fill<<<(most + 31) / 32, 32>>>(d_x, d_y);
    cudaMemcpy(y, d_y, most * sizeof(float), cudaMemcpyDeviceToHost);
    cudaFree(d_x);
    cudaFree(d_y);
}
"""
    result = translate_text(text, "fill.cu", "vnni", from_flags(arg=["most=96"]))
    assert result.status == "verified", result.evidence
