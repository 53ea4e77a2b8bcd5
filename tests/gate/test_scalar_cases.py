"""Flags, enumerations and factors beyond those of the first sizes, and the faults that only they show."""

from __future__ import annotations

import pytest

from xpiler.gate.contract import Case
from xpiler.gate.overrides import Overrides
from xpiler.gate.scalar_cases import scalar_cases
from xpiler.translate import Trusted

ACTIVATION = """
enum Kind { NONE, RELU, SQUARE };
__device__ float activated(float v, int kind) {
  switch (kind) { case RELU: return fmaxf(v, 0.0f); case SQUARE: return v * v; default: return v; }
}
__global__ void apply(const float *x, const float *b, float *y, int n, int k, bool bias, float low,
                      float high) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float v = x[i] + high + 0.5f;
  if (low == 0.0f) v = 7.0f;
  if (bias) v += b[i]; else v -= 2.0f;
  y[i] = activated(v, k);
}
void run(const float *x, const float *b, float *y, int n, int activation, bool bias, float low, float high) {
  apply<<<(n + 255) / 256, 256>>>(x, b, y, n, activation, bias, low, high);
}
"""


def test_one_parameter_at_a_time() -> None:
    case = Case((("n", 37), ("mode", 53), ("flag", True), ("low", 0.75), ("high", 0.5)))
    made = scalar_cases(case, {"flag": True, "low": 0.75, "high": 0.5}, {"mode": (2, 53), "n": (64,)})
    assert [{k: v for k, v in m.scalars if dict(case.scalars)[k] != v} for m in made] == [
        {"mode": 2},
        {"n": 64},
        {"flag": False},
        {"low": 0.25, "high": 1.375},
        {"low": 0.0},
        {"high": 0.0},
    ]


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ("return v * v;", "return v + v;"),
        ("v -= 2.0f", "v -= 3.0f"),
        ("high + 0.5f", "high * 1.8f"),
        ("v = 7.0f", "v = 8.0f"),
    ],
)
def test_change_of_a_branch_that_sizes_do_not_choose_is_found(said: str, changed: str) -> None:
    trusted = Trusted.of(ACTIVATION, "apply.cu")
    assert said in ACTIVATION
    assert trusted.verify(ACTIVATION.replace(said, changed), "apply.cu").status != "verified"


def test_what_is_stated_stays() -> None:
    stated = Overrides(args=(("activation", (1,)), ("bias", (True,)), ("low", (0.5,))))
    (item,) = Trusted.of(ACTIVATION, "apply.cu", stated).entries
    assert item.inference is not None
    for case in item.inference.contract.cases:
        assert (case.scalar("activation"), case.scalar("bias"), case.scalar("low")) == (1, True, 0.5)
    assert len({case.scalar("high") for case in item.inference.contract.cases}) == 3


WORDS = """
__device__ unsigned mixed(unsigned long long seed, unsigned i) {
  unsigned low = (unsigned)seed, high = (unsigned)(seed >> 32);
  return (i * 2654435761u ^ low) + high * 40503u;
}
__global__ void fill(unsigned *y, int n, unsigned long long seed) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = mixed(seed, i);
}
void run(unsigned *y, int n, unsigned long long seed) { fill<<<(n + 255) / 256, 256>>>(y, n, seed); }
"""


def test_the_upper_word_of_a_seed_is_not_always_zero() -> None:
    trusted = Trusted.of(WORDS, "words.cu")
    assert trusted.verify(WORDS, "words.cu").status == "verified"
    assert trusted.verify(WORDS.replace("(unsigned)(seed >> 32)", "0"), "words.cu").status != "verified"


def test_seeds_of_all_bits_are_tried() -> None:
    source = """
__global__ void draw(unsigned *y, int n, unsigned long long seed, int first) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  unsigned long long z = (seed + first + i) * 0x9E3779B97F4A7C15ull;
  y[i] = (unsigned)(z >> 40);
}
void run(unsigned *y, int n, unsigned long long seed, int first) {
  draw<<<(n + 255) / 256, 256>>>(y, n, seed, first);
}
"""
    trusted = Trusted.of(source, "draw.cu")
    assert trusted.verify(source, "draw.cu").status == "verified"
    assert trusted.verify(source.replace("(seed +", "((unsigned)seed +"), "draw.cu").status == "unverified"
    assert trusted.verify(source.replace("+ first", "+ (short)first"), "draw.cu").status == "unverified"


def test_limits_of_sums_are_reached() -> None:
    source = """
__global__ void clipped(const float *x, float *y, int n, float most) {
  __shared__ float sums[256];
  float sum = 0.0f;
  for (int i = threadIdx.x; i < n; i += 256) sum += x[i] * x[i];
  sums[threadIdx.x] = sum;
  __syncthreads();
  for (int s = 128; s > 0; s /= 2) {
    if (threadIdx.x < s) sums[threadIdx.x] += sums[threadIdx.x + s];
    __syncthreads();
  }
  float norm = sqrtf(sums[0]);
  float scale = norm > most ? most / norm : 1.0f;
  for (int i = threadIdx.x; i < n; i += 256) y[i] = scale * x[i];
}
void run(const float *x, float *y, int n, float most) { clipped<<<1, 256>>>(x, y, n, most); }
"""
    trusted = Trusted.of(source, "clipped.cu")
    assert trusted.verify(source, "clipped.cu").status == "verified"
    assert (
        trusted.verify(source.replace("norm > most", "norm > 2 * most"), "clipped.cu").status == "unverified"
    )


LIMITED = """
__global__ void limited(const float *x, float *y, int n, long long limit) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = i < limit ? x[i] : 0.0f;
}
void run(const float *x, float *y, int n, long long limit) {
  limited<<<(n + 255) / 256, 256>>>(x, y, n, limit);
}
"""


def test_a_limit_of_64_bits_is_not_always_a_small_one() -> None:
    trusted = Trusted.of(LIMITED, "limited.cu")
    assert trusted.verify(LIMITED, "limited.cu").status == "verified"
    assert trusted.verify(LIMITED.replace("i < limit", "i < (int)limit"), "limited.cu").status != "verified"
