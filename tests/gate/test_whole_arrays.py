"""Arrays of plain functions as they are meant: whole rows that are read in part, rows of whole steps."""

from __future__ import annotations

from xpiler.gate.whole_arrays import overruns, whole_rows
from xpiler.translate import Trusted

POOL = """
void pool(const float *in, float *out, int n, int c) {
  int on = (n - 2) / 3 + 1;
  for (int ch = 0; ch < c; ++ch)
    for (int i = 0; i < on; ++i) {
      float a = in[ch * n + i * 3], b = in[ch * n + i * 3 + 1];
      out[ch * on + i] = a > b ? a : b;
    }
}
"""
POOL_ON_DEVICE = """
__global__ void pool_kernel(const float *in, float *out, int n, int c, int on) {
  int t = blockIdx.x * blockDim.x + threadIdx.x;
  if (t < c * on) out[t] = fmaxf(in[t / on * n + t % on * 3], in[t / on * n + t % on * 3 + 1]);
}
void pool(const float *in, float *out, int n, int c) {
  int on = (n - 2) / 3 + 1;
  float *a, *b;
  cudaMalloc(&a, sizeof(float) * n * c);
  cudaMalloc(&b, sizeof(float) * on * c);
  cudaMemcpy(a, in, sizeof(float) * n * c, cudaMemcpyHostToDevice);
  pool_kernel<<<(on * c + 127) / 128, 128>>>(a, b, n, c, on);
  cudaMemcpy(out, b, sizeof(float) * on * c, cudaMemcpyDeviceToHost);
  cudaFree(a);
  cudaFree(b);
}
"""
STEPS = """
void add_rows(const float *x, float *y, int M, int N) {
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; j += 32)
      for (int l = 0; l < 32; ++l) y[i * N + j + l] = x[i * N + j + l] + i;
}
"""
SIZES = [{"m": m, "n": n} for m, n in ((3, 10), (4, 7), (5, 13), (2, 25))]


def test_rows_that_are_read_in_part() -> None:
    used = [(sizes, sizes["m"] * sizes["n"] - (sizes["n"] - 2) % 3) for sizes in SIZES]
    assert whole_rows(used, ["m", "n"]) == ("m", "n")
    last_row_unread = [(sizes, (sizes["m"] - 1) * sizes["n"]) for sizes in SIZES]
    assert whole_rows(last_row_unread, ["m", "n"]) is None
    assert whole_rows([(sizes, sizes["m"] * sizes["n"]) for sizes in SIZES], ["m", "n"]) is None


def test_rows_that_are_written_over_into_the_next_are_told_from_padded_ones() -> None:
    whole = [({"m": m, "n": n}, m * n) for m, n in ((3, 32), (4, 96), (5, 64))]
    over = [(s, (s["m"] - 1) * s["n"] + -(-s["n"] // 32) * 32) for s in SIZES]
    padded = [(s, s["m"] * -(-s["n"] // 32) * 32) for s in SIZES]
    assert overruns(over, whole, {"n": 32}, ["m", "n"])
    assert not overruns(padded, whole, {"n": 32}, ["m", "n"])


def test_port_that_copies_whole_rows_is_taken() -> None:
    verdict = Trusted.of(POOL, "pool.cpp").verify(POOL_ON_DEVICE, "pool.cu", until_wrong=True)
    assert verdict.status == "verified"
    more = POOL_ON_DEVICE.replace("a, in, sizeof(float) * n * c", "a, in, sizeof(float) * n * (c + 1)")
    more = more.replace("&a, sizeof(float) * n * c", "&a, sizeof(float) * n * (c + 1)")
    assert Trusted.of(POOL, "pool.cpp").verify(more, "pool.cu", until_wrong=True).status == "unverified"


def test_rows_of_whole_steps_are_what_is_meant() -> None:
    (item,) = Trusted.of(STEPS, "add.cpp").entries
    assert item.inference is not None
    assert all(int(case.scalar("N")) % 32 == 0 for case in item.inference.contract.cases)
    assert len({case.scalar("M") for case in item.inference.contract.cases}) > 2
