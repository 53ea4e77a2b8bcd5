"""What is proved for all sizes holds for each of many; what is suggested is a race when it is run."""

from __future__ import annotations

import os
import random
import time
from dataclasses import replace

import pytest

from xpiler.frontend import parse
from xpiler.ir.nodes import Function
from xpiler.symbolic.check import Options, check_unit
from xpiler.symbolic.dependence import Dependence
from xpiler.symbolic.inside import proved_inside
from xpiler.symbolic.judge import Judge
from xpiler.symbolic.proofs import Outcome, Question
from xpiler.symbolic.shape import definitions
from xpiler.symbolic.shared_races import proved_shared
from xpiler.symbolic.trial import Frame, Trial, observe

ROUNDS = int(os.environ.get("XPILER_RANDOM_PROOFS", "40"))


def ask(kernel: Function, *bounds: str, block: tuple[int, int, int] = (4, 1, 1)) -> Outcome:
    scalars = {p.name: 8 for p in kernel.params if not p.is_pointer}
    trial = Trial((2, 2 if block[1] > 1 else 1, 1), block, scalars)
    return Question(kernel, definitions(kernel), trial, frozenset(bounds), time.monotonic() + 20).answer()


def races(kernel: Function, trial: Trial) -> bool:
    judge = Judge.of(kernel, Dependence.of(kernel))
    found = judge.judge(observe(kernel, trial, Frame.of(kernel), time.monotonic() + 10))
    return any(f.code in ("XP-RACE", "XP-SYNCWARP", "XP-SAME-VALUE") for f in found)


def one_kernel(text: str) -> Function:
    (kernel,) = parse(text, "k.cu").program.kernels
    return kernel


def test_rows_and_columns_of_any_size() -> None:
    text = """__global__ void f(float* a, int rows, int cols) {
      int r = blockIdx.y * blockDim.y + threadIdx.y, c = blockIdx.x * blockDim.x + threadIdx.x;
      if (r < rows && c < cols) a[r * cols + c] = r;
    }"""
    found = ask(one_kernel(text), "rows", "cols", block=(4, 4, 1))
    assert found.proved == ["proved for every gridDim and rows and cols: no two threads conflict on a"]
    wrong = ask(one_kernel(text.replace("r * cols", "r * rows")), "rows", "cols", block=(4, 4, 1))
    assert not wrong.proved and wrong.suggested
    assert races(one_kernel(text.replace("r * cols", "r * rows")), wrong.suggested[0])


def test_a_fault_of_large_sizes_is_found_by_the_solver() -> None:
    text = """__global__ void f(float* a, int n) {
      int i = blockIdx.x * blockDim.x + threadIdx.x;
      if (i < n) a[n > 5000 ? i / 2 : i] = i;
    }"""
    unit = parse(text, "k.cu")
    assert check_unit(unit).kernels[0].status == "clean"
    report = check_unit(unit, Options(prove=True))
    assert report.kernels[0].status == "bugs"
    assert report.findings[0].counterexample["n"] > 5000


def random_kernel(rng: random.Random) -> str:
    n, m = "n", "m"
    index = rng.choice(
        [
            "i",
            "i",
            "2 * i",
            "i / 2",
            f"i % {n}",
            f"i / {m} * {m} + i % {m}",
            f"i % {m} * {n} + i / {m}",
            "blockIdx.x * 4 + threadIdx.x",
            "threadIdx.x",
            f"i * {m}",
            f"i + {m}",
            "i - 1 + 1",
        ]
    )
    guard = rng.choice(
        [f"i < {n}", f"i < {n} * {m}", f"i <= {n}", f"i < {n} && i % 2 == 0", "true", f"i < {m}"]
    )
    read = rng.choice(["", "", "x = a[i];", "x = a[i + 1];", f"x = a[i + {n}];", f"x = a[{index}];"])
    return f"""__global__ void f(float* a, int n, int m) {{
      int i = blockIdx.x * blockDim.x + threadIdx.x;
      float x = 0;
      if ({guard}) {{ {read} a[{index}] = x + i; }}
    }}"""


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_proofs_agree_with_running(seed: int) -> None:
    kernel = one_kernel(text := random_kernel(random.Random(seed)))
    found = ask(kernel, "n", "m")
    for trial in found.suggested:
        assert races(kernel, trial), (text, trial.scalars)
    if found.proved:
        for grid in (1, 2, 3) if "gridDim" in found.proved[0] else (2,):
            for n in (1, 2, 3, 5, 8, 13):
                for m in (1, 2, 3, 4, 7):
                    trial = Trial((grid, 1, 1), (4, 1, 1), {"n": n, "m": m})
                    assert not races(kernel, trial), (text, grid, n, m)


TILE = """__global__ void f(const float* a, float* b, int n) {
  __shared__ float s[6];
  int t = threadIdx.x;
  for (int i = blockIdx.x * 4; i < n; i += gridDim.x * 4) {
    s[t + 1] = a[i];
    if (t == 0) { s[0] = 0; s[5] = 0; }
    __syncthreads();
    if (i + t < n) b[i + t] = s[t] + s[t + 1] + s[t + 2];
    __syncthreads();
  }
}"""


@pytest.mark.parametrize(
    ("text", "is_inside"),
    [
        (TILE, True),
        (TILE.replace("s[t + 2]", "s[t + 3]"), False),
        (TILE.replace("s[t + 2]", "s[(t + n) % 6]"), True),
        (TILE.replace("s[t + 2]", "s[n % 7]"), False),
        (TILE.replace("s[t + 2]", "s[(int)a[0]]"), False),
    ],
)
def test_no_access_leaves_an_array_for_any_size(text: str, is_inside: bool) -> None:
    kernel = one_kernel(text)
    trial = Trial((2, 1, 1), (4, 1, 1), {"n": 8})
    question = Question(kernel, definitions(kernel), trial, frozenset(["n"]), time.monotonic() + 20)
    expected = ["proved for every gridDim and n: no access leaves s"] if is_inside else []
    assert proved_inside(question) == expected


STRIDED = """__global__ void f(const float* a, float* b, int n) {
  __shared__ float s[4];
  for (int i = threadIdx.x; i < n * 4; i += 4) {
    s[i % 4] = a[i];
    __syncthreads();
    b[i] = s[3 - i % 4];
    __syncthreads();
  }
}"""


@pytest.mark.parametrize(
    ("text", "is_safe"),
    [
        (TILE, True),
        (TILE.replace("s[t + 2];\n    __syncthreads();", "s[t + 2];"), False),  # the next turn writes
        (TILE.replace("s[5] = 0; }\n    __syncthreads();", "s[5] = 0; }"), False),
        (TILE.replace("s[t + 1] = a[i]", "s[t / 2] = a[i]"), False),
        (STRIDED, True),
        (STRIDED.replace("s[i % 4] = a", "s[i % 4 * n % 4] = a"), False),
        (STRIDED.replace("    __syncthreads();\n  }", "  }"), False),
    ],
)
def test_no_two_threads_of_a_block_conflict_for_any_size(text: str, is_safe: bool) -> None:
    kernel = one_kernel(text)
    trial = Trial((2, 1, 1), (4, 1, 1), {"n": 8})
    question = Question(kernel, definitions(kernel), trial, frozenset(["n"]), time.monotonic() + 20)
    expected = ["proved for every gridDim and n: no two threads of a block conflict on s"] if is_safe else []
    assert proved_shared(question) == expected
    judge = Judge.of(kernel, Dependence.of(kernel))
    larger = replace(trial, scalars={"n": 64})  # several turns
    found = judge.judge(observe(kernel, larger, Frame.of(kernel), time.monotonic() + 10))
    assert any(f.array == "s" for f in found) == (not is_safe)
