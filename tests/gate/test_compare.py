"""A right translation passes whatever the order of its sums; a wrong one fails, and the report says where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.gate.programs import build_loop, gemm_contract, vector_contract
from xpiler.gate.arrays import Array, encode, poison, storage
from xpiler.gate.compare import Comparison, agree, compare
from xpiler.gate.contract import Argument, Case, Contract, FillKind, Role, make_case
from xpiler.gate.execute import BOTH_ENDS, RunResult, Variant, build
from xpiler.gate.overrides import from_flags
from xpiler.ir.types import BF16, F16, F32, I8, I32, I64, DType
from xpiler.translate import Trusted, verify_text


def result(case: Case, **buffers: Array) -> RunResult:
    return RunResult(case, Variant(), buffers)


def compare_arrays(
    expected: Array, actual: Array, dtype: DType = F32, shape: tuple[int, ...] = (), length: int = 1
) -> Comparison:
    contract = Contract("f", "host", (Argument("y", dtype, True, Role.OUT),), reduction_length=length)
    case = make_case({}, {"y": expected.size}, shapes={"y": shape or (expected.size,)})
    return compare(contract, result(case, y=expected), result(case, y=actual))


# ------------------------------------------------------------------------------------------------ verdicts


def test_equal_bits_are_exact() -> None:
    values = np.array([1, np.nan, np.inf, -0.0], np.float32)
    assert compare_arrays(values, values.copy()).exact


def test_integers_must_be_equal() -> None:
    outcome = compare_arrays(np.array([3, 4, 5], np.int32), np.array([3, 4, 6], np.int32), I32)
    assert not outcome.ok and str(outcome.mismatch) == "y[2]: expected 5, got 6"


def test_nan_matches_only_nan_and_infinity_only_itself() -> None:
    nan, inf = np.nan, np.inf
    good = np.array([nan, inf, -inf, 0.0], np.float32)
    assert compare_arrays(good, np.array([-nan, inf, -inf, -0.0], np.float32)).ok
    for wrong in ([1, inf, -inf, 0], [nan, 3e38, -inf, 0], [nan, inf, inf, 0], [nan, inf, -inf, nan]):
        assert not compare_arrays(good, np.array(wrong, np.float32)).ok


def test_whole_results_are_exact_as_far_as_the_type_tells_neighbours_apart() -> None:
    contract = Contract("f", "host", (Argument("y", F32, True, Role.OUT),), reduction_length=1)
    case = make_case({}, {"y": 1}, fill="integers")

    def agree_on(expected: float, actual: float) -> bool:
        one, other = (result(case, y=np.array([v], np.float32)) for v in (expected, actual))
        return compare(contract, one, other).ok

    assert not agree_on(1000, 1001)
    assert agree_on(1.3783448e23, 1.3783452e23)  # rounded all the way, as floats are


def test_a_half_may_differ_by_one_unit_in_the_last_place() -> None:
    for dtype, ulp in ((F16, 2.0**-10), (BF16, 2.0**-7)):
        one, next_one, far = (encode([v], dtype) for v in (1.0, 1 + ulp, 1 + 3 * ulp))
        assert compare_arrays(one, next_one, dtype).ok
        assert not compare_arrays(one, far, dtype).ok


def test_without_a_measured_spread_only_a_relative_error_passes() -> None:
    one = np.full(8, 1.0, np.float32)
    assert compare_arrays(one, one * np.float32(1 + 1e-7)).ok
    assert not compare_arrays(one, one * np.float32(1 + 1e-4)).ok


# ------------------------------------------------------------------------------------------------ words


def unwritten(rows: slice, columns: slice) -> tuple[Array, Array]:
    expected = np.arange(1, 41, dtype=np.float32).reshape(8, 5)
    actual = expected.copy()
    actual[rows, columns] = np.frombuffer(poison(F32), storage(F32))[0]
    return expected.ravel(), actual.ravel()


def test_a_number_that_is_no_size_does_not_widen_the_bound() -> None:
    """A seed among the arguments is no length of a sum; the size of an array may be one."""
    contract = Contract("f", "host", (Argument("y", F32, True, Role.OUT),))
    good = np.full(1 << 20, 1.0, np.float32)

    def passes(error: float, **scalars: int) -> bool:
        case = make_case(scalars, {"y": good.size})
        return compare(contract, result(case, y=good), result(case, y=good * np.float32(1 + error))).ok

    assert passes(1e-6, seed=2**31 - 1)
    assert not passes(5e-5, seed=2**31 - 1)
    assert passes(5e-5, n=1 << 20)


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        (slice(6, 8), slice(None), "y: rows 6-7 never written"),
        (slice(7, 8), slice(None), "y: row 7 never written"),
        (slice(None), slice(2, 4), "y: columns 2-3 never written"),
        (slice(None), slice(None), "y: all elements never written"),
        (slice(1, 3), slice(1, 3), "y: 4 elements never written"),
    ],
)
def test_what_was_never_written_is_said_in_rows_and_columns(rows: slice, columns: slice, words: str) -> None:
    assert compare_arrays(*unwritten(rows, columns), shape=(8, 5)).summary == words


def test_writing_what_the_source_leaves_alone_is_an_error() -> None:
    expected, actual = unwritten(slice(2, 3), slice(None))
    outcome = compare_arrays(actual, expected, shape=(8, 5))
    assert outcome.summary == "y: row 2 written, but the source leaves it alone"


def test_a_wrong_element_is_named_by_its_coordinates() -> None:
    expected = np.arange(40, dtype=np.float32)
    actual = expected.copy()
    actual[13] += 1
    summary = compare_arrays(expected, actual, shape=(8, 5)).summary
    assert summary.startswith("y[2][3]: expected 13, got 14") and "1 of 40 elements wrong" in summary


def test_agreement_on_nothing_is_not_informative() -> None:
    nothing = np.full(8, np.nan, np.float32)
    assert compare_arrays(nothing, nothing).informative == 0


@pytest.mark.parametrize(("written", "informative"), [(64, 1.0), (8, 8 / 10_000)])
def test_of_a_long_array_the_written_part_counts_where_there_is_enough_of_it(
    written: int, informative: float
) -> None:
    cache = np.full(10_000, np.frombuffer(poison(F32), np.float32)[0], np.float32)
    cache[:written] = 1.0
    assert compare_arrays(cache, cache).informative == informative
    cache[:written] = np.nan
    assert compare_arrays(cache, cache).informative == 0


# ------------------------------------------------------------------------------------------------ mutations
# Programs in plain C++: C = A B, a softmax over rows, a row normalisation; right and wrong variants of each.

GEMM = """extern "C" void launch(const float* A, const float* B, float* C, int m, int n, int k) {
  for (int i = 0; i < m; ++i) for (int j = 0; j < n; ++j) {
    float s = 0;
    for (int p = 0; p < k; ++p) s += A[i * k + p] * B[p * n + j];
    C[i * n + j] = s;
  }
}"""
INNER = "for (int p = 0; p < k; ++p) s += A[i * k + p] * B[p * n + j];"


def judge_gemm(body: str, fill: FillKind, k: int) -> Comparison:
    contract = gemm_contract(fill, m=9, n=11, k=k)
    source = build(GEMM, "gemm.cpp", "vnni", contract)
    target = build(GEMM.replace(INNER, body), "gemm.cpp", "vnni", contract)
    (expected,), (actual,) = source.run(contract.cases), target.run(contract.cases)
    assert expected.ok and actual.ok
    return agree(contract, source, expected, actual)


REASSOCIATED = [
    "for (int p = k - 1; p >= 0; --p) s += A[i * k + p] * B[p * n + j];",
    "float t[7] = {}; for (int p = 0; p < k; ++p) t[p % 7] += A[i * k + p] * B[p * n + j];"
    "for (float v : t) s += v;",
    "double d = 0; for (int p = 0; p < k; ++p) d += (double)A[i * k + p] * B[p * n + j]; s = d;",
    "for (int p = 0; p < k; ++p) s = __builtin_fmaf(A[i * k + p], B[p * n + j], s);",
]
WRONG = [
    "for (int p = 0; p < k - 1; ++p) s += A[i * k + p] * B[p * n + j];",
    "for (int p = 0; p < k; ++p) if (p != k / 2) s += A[i * k + p] * B[p * n + j];",
    INNER + "s += A[i * k] * B[j];",
    "for (int p = 0; p < k; ++p) s += A[i * k + (p ? p : 1)] * B[p * n + j];",
    "for (int p = 0; p < k; ++p) s += A[i * k + p] * B[p * n + (j + 1) % n];",
    INNER + "if (i == 3 && j == 4) s += 1;",
]
FILLS: list[FillKind] = ["integers", "normal", "positive", "boundary"]


@pytest.mark.parametrize("k", [37, 4096])
def test_another_order_of_summation_passes(k: int) -> None:
    for body in REASSOCIATED:
        for fill in FILLS:
            outcome = judge_gemm(body, fill, k)
            assert outcome.ok, (body, fill, outcome.summary)
            assert outcome.exact or fill != "integers", (body, outcome.summary)


@pytest.mark.parametrize("k", [37, 4096])
def test_a_dropped_added_or_displaced_term_fails(k: int) -> None:
    for body in WRONG:
        for fill in FILLS[:2]:
            assert not judge_gemm(body, fill, k).ok, (body, fill)


ROWS = 20


def row_contract(fill: FillKind, length: int = 50) -> Contract:
    contract = vector_contract(ROWS * length, fill=fill)
    case = replace(contract.cases[0], scalars=(("n", length),))
    return replace(contract, cases=(case,), reduction_length=length)


def judge_rows(source_body: str, target_body: str, fill: FillKind, fast_math: bool = False) -> Comparison:
    contract = replace(row_contract(fill), fast_math=fast_math)
    prelude = "#include <cmath>"
    frame = f"for (int row = 0; row < {ROWS}; ++row, x += n, y += n) {{ %s }}"
    source = build_loop(frame % source_body, contract, prelude)
    target = build_loop(frame % target_body, contract, prelude)
    (expected,), (actual,) = source.run(contract.cases), target.run(contract.cases)
    assert expected.ok and actual.ok, (expected.describe(), actual.describe())
    return agree(contract, source, expected, actual)


SOFTMAX = """float m = x[0], s = 0; for (int i = 1; i < n; ++i) m = fmaxf(m, x[i]);
  for (int i = 0; i < n; ++i) s += expf(x[i] - m); for (int i = 0; i < n; ++i) y[i] = expf(x[i] - m) / s;"""
ONLINE_SOFTMAX = """float m = x[0], s = 1; for (int i = 1; i < n; ++i) { float o = m; m = fmaxf(m, x[i]);
  s = s * expf(o - m) + expf(x[i] - m); } float q = 1 / s;
  for (int i = 0; i < n; ++i) y[i] = expf(x[i] - m) * q;"""
EXP2_SOFTMAX = """float m = x[0], s = 0, l = 1.44269504f; for (int i = 1; i < n; ++i) m = fmaxf(m, x[i]);
  for (int i = n; i-- > 0;) s += exp2f((x[i] - m) * l);
  for (int i = 0; i < n; ++i) y[i] = exp2f((x[i] - m) * l) / s;"""


@pytest.mark.parametrize("fill", ["integers", "normal", "boundary"])
def test_softmax_in_other_forms_passes_and_wrong_ones_fail(fill: FillKind) -> None:
    assert judge_rows(SOFTMAX, ONLINE_SOFTMAX, fill).ok
    assert judge_rows(SOFTMAX, EXP2_SOFTMAX, fill).ok
    no_rescale = ONLINE_SOFTMAX.replace("s * expf(o - m)", "s")
    assert not judge_rows(SOFTMAX, no_rescale, fill).ok
    short = SOFTMAX.replace("for (int i = 0; i < n; ++i) s +=", "for (int i = 0; i < n - 1; ++i) s +=")
    assert not judge_rows(SOFTMAX, short, "normal").ok


NORM = """float s = 0, v = 0; for (int i = 0; i < n; ++i) s += x[i]; float m = s / n;
  for (int i = 0; i < n; ++i) v += (x[i] - m) * (x[i] - m); float r = 1 / sqrtf(v / n + 1e-5f);
  for (int i = 0; i < n; ++i) y[i] = (x[i] - m) * r;"""
ONE_PASS_NORM = """float s = 0, v = 0; for (int i = 0; i < n; ++i) s += x[i], v += x[i] * x[i];
  float m = s / n; float r = 1 / sqrtf(v / n - m * m + 1e-5f);
  for (int i = 0; i < n; ++i) y[i] = (x[i] - m) * r;"""


@pytest.mark.parametrize("fill", ["normal", "positive"])
def test_normalisation_in_one_pass_or_two_passes_and_a_wrong_divisor_fails(fill: FillKind) -> None:
    assert judge_rows(NORM, ONE_PASS_NORM, fill).ok
    assert judge_rows(ONE_PASS_NORM, NORM, fill).ok
    assert not judge_rows(NORM, NORM.replace("v / n +", "v / (n - 1) +"), fill).ok
    assert not judge_rows(NORM, NORM.replace("1e-5f", "1e-3f"), fill).ok


NEAR_ONE = """float s = 1; for (int i = 0; i < n; ++i) s += expf(x[i] - 8);
  for (int i = 0; i < n; ++i) y[i] = i == n - 1 ? 0.75f : 1 / s - 1;"""


def test_what_is_left_of_a_sum_after_a_subtraction_may_differ_by_the_rounding_of_the_sum() -> None:
    """As the gradient of a cross entropy: p - 1, where p is near 1."""
    other_order = NEAR_ONE.replace("s = 1;", "s = 0;").replace("1 / s - 1", "1 / (1 + s) - 1")
    assert judge_rows(NEAR_ONE, other_order, "normal").ok
    one_off = other_order.replace("i = 0; i < n", "i = 1; i < n", 1)
    assert not judge_rows(NEAR_ONE, one_off, "normal").ok
    assert not judge_rows(NEAR_ONE, other_order.replace("- 1;", "- 1 + 5e-6f;"), "normal").ok


def test_a_function_near_its_limit_may_be_off_by_two_units_in_the_last_place() -> None:
    """`1 + tanh(x)` near 0, as in the tail of a GELU."""
    gelu = "for (int i = 0; i < n; ++i) { float v = x[i] - 3.5f; y[i] = 0.5f * v * (1 + tanhf(v)); }"
    rough = gelu.replace("tanhf(v)", "(1 - 2 / (expf(2 * v) + 1))")
    assert judge_rows(gelu, rough, "normal").ok
    assert not judge_rows(gelu, gelu.replace("tanhf(v)", "tanhf(v) * (1 - 1e-5f)"), "normal").ok


def test_what_vanishes_in_the_source_may_be_what_it_is_with_contracted_products() -> None:
    """A variance of one element, and its inverse."""
    text = """__global__ void k(const float* x, float* y, int n) {
  int i = threadIdx.x, count = n / 50;
  if (i >= n) return;
  float sum = 0, squares = 0;
  for (int j = 0; j < count; ++j) sum += x[i + j], squares += x[i + j] * x[i + j];
  float mean = sum / count;
  y[i] = (squares / count - mean * mean) / 0.0f;
}
void f(const float* x, float* y, int n) { k<<<1, 64>>>(x, y, n); }
"""
    contract = vector_contract(50)
    source = build(text, "f.cu", "cuda", contract)
    (expected,) = source.run(contract.cases)

    def passes(value: str) -> bool:
        target = build_loop(f"for (int i = 0; i < n; ++i) y[i] = {value};", contract, "#include <cmath>")
        (actual,) = target.run(contract.cases)
        return agree(contract, source, expected, actual).ok

    assert expected.ok and np.isnan(expected.buffers["y"]).all()
    assert passes("fmaf(-x[i], x[i], x[i] * x[i]) / 0.0f")
    assert not passes("0") and not passes("INFINITY")


def test_fast_math_widens_the_bound_but_not_beyond_reason() -> None:
    source = "for (int i = 0; i < n; ++i) y[i] = expf(x[i]);"
    rough = "for (int i = 0; i < n; ++i) y[i] = expf(x[i]) * (1 + 2e-6f);"
    wrong = "for (int i = 0; i < n; ++i) y[i] = expf(x[i]) * (1 + 2e-3f);"
    assert judge_rows(source, rough, "normal", fast_math=True).ok
    assert not judge_rows(source, rough.replace("2e-6", "2e-5"), "normal").ok
    assert not judge_rows(source, wrong, "normal", fast_math=True).ok


def test_an_integer_may_change_only_where_rounding_noise_changes_it_in_the_source() -> None:
    contract = Contract("f", "host", (Argument("q", I32, True, Role.OUT),))
    case = make_case({}, {"q": 3})
    want, got = np.array([3, 7, 9], np.int32), np.array([3, 8, 9], np.int32)
    at_the_edge = {"q": np.array([0.0, 1.0, 0.0])}
    assert compare(contract, result(case, q=want), result(case, q=got), at_the_edge).ok
    assert not compare(contract, result(case, q=want), result(case, q=got + 1), at_the_edge).ok
    wide = Contract("f", "host", (Argument("q", I64, True, Role.OUT),))
    huge = np.array([2**62], np.int64)
    case = make_case({}, {"q": 1})
    assert not compare(wide, result(case, q=huge), result(case, q=huge + 1), {"q": np.zeros(1)}).ok


def test_an_integer_of_the_pattern_is_a_result_and_leaving_it_out_is_wrong() -> None:
    contract = Contract("f", "host", (Argument("y", I8, True, Role.OUT), Argument("n", I32, False, Role.IN)))
    contract = replace(contract, cases=(make_case({"n": 64}, {"y": 64}),))
    text = 'extern "C" void f(signed char* y, int n) {{ for (int i = 0; i < {}; ++i) y[i] = -91; }}'
    both = [build(text.format(n), "f.cpp", "vnni", contract) for n in ("n", "n - 1")]
    whole, short = (one.run(contract.cases, variants=BOTH_ENDS) for one in both)
    assert [compare(contract, whole[0], run).informative for run in whole] == [1.0, 1.0]
    for run in short:
        assert compare(contract, whole[0], run).summary == "y: elements 63 never written"


ABOVE = """
__global__ void above(const float *x, int *y, float t, int n) {
  __shared__ float row[128];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  row[threadIdx.x] = i < n ? x[i] : 0.0f;
  __syncthreads();
  if (i < n) y[i] = SAID;
}
void run(const float *x, int *y, float t, int n) { above<<<(n + 127) / 128, 128>>>(x, y, t, n); }
"""


@pytest.mark.parametrize(
    ("said", "changed", "verified"),
    [
        ("row[threadIdx.x] > t", "row[threadIdx.x] >= t", False),  # nothing is rounded: there is one answer
        ("row[threadIdx.x] / 3.0f > t", "row[threadIdx.x] * (1 / 3.0f) > t", True),
    ],
)
def test_an_integer_may_differ_only_where_something_is_rounded(
    said: str, changed: str, verified: bool
) -> None:
    trusted = Trusted.of(ABOVE.replace("SAID", said), "above.cu")
    assert (trusted.verify(ABOVE.replace("SAID", changed), "above.cu").status == "verified") == verified


def test_an_infinity_of_contracted_products_may_be_no_number_of_others() -> None:
    source = """
void scan(const float *a, const float *b, float *y, int n) {
  for (int i = 0; i < n; ++i) {
    float p = 0x1p63f * a[i], q = 0x1p63f * b[i];
    y[i] = p * p - q * q;
  }
}
"""
    target = """
__global__ void scanned(const float *a, const float *b, float *y, int n) {
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= n) return;
  float p = 0x1p63f * a[i], q = 0x1p63f * b[i];
  y[i] = p * p - q * q;
}
void scan(const float *a, const float *b, float *y, int n) { scanned<<<(n + 255) / 256, 256>>>(a, b, y, n); }
"""
    trusted = Trusted.of(source, "scan.c")
    assert trusted.verify(target, "scan.cu").status == "verified"
    assert trusted.verify(target.replace("- q * q", "- p * q"), "scan.cu").status == "unverified"


NEAREST = """
__global__ void nearest(const float *x, signed char *q, float s, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) q[i] = (signed char)fminf(fmaxf(SAID, -128.0f), 127.0f);
}
void run(const float *x, signed char *q, float s, int n) { nearest<<<(n + 127) / 128, 128>>>(x, q, s, n); }
"""


@pytest.mark.parametrize(
    "said", ["rintf(x[i] / 1.7f)", "nearbyintf(x[i] / 1.7f)", "__float2int_rn(x[i] / 1.7f)"]
)
def test_the_nearest_integer_is_no_rounding_error(said: str) -> None:
    contract = Contract(
        "run",
        "host",
        (
            Argument("x", F32, True, Role.IN),
            Argument("q", I8, True, Role.OUT),
            Argument("s", F32, False, Role.IN),
            Argument("n", I32, False, Role.IN),
        ),
    )
    case = make_case({"s": 1.0, "n": 500}, {"x": 500, "q": 500})
    contract = replace(contract, cases=(case,))
    source = build(NEAREST.replace("SAID", said), "nearest.cu", "cuda", contract)
    near, up, down = (
        source.run([case], variants=(Variant(rounding=r),))[0] for r in ("nearest", "up", "down")
    )
    changed = [np.count_nonzero(near.buffers["q"] != run.buffers["q"]) for run in (up, down)]
    assert max(changed) <= 2


@pytest.mark.parametrize(
    ("said", "changed", "verified"),
    [
        ("rintf(x[i] * (1 / 1.2f))", "rintf(x[i] / 1.2f)", True),  # a third of the data lies at an edge
        ("rintf(x[i] * (1 / 1.2f))", "truncf(x[i] / 1.2f)", False),
        ("rintf(x[i] * 0.5f)", "floorf(x[i] * 0.5f + 0.5f)", False),  # an exact tie has one answer
    ],
)
def test_many_integers_at_an_edge_may_be_what_other_rounding_makes_of_them(
    said: str, changed: str, verified: bool
) -> None:
    trusted = Trusted.of(NEAREST.replace("SAID", said), "nearest.cu")
    status = trusted.verify(NEAREST.replace("SAID", changed), "nearest.cu").status
    assert (status == "verified") == verified


QUANTIZED = """
__global__ void scaled(const float *x, signed char *y, float scale, int n) {
  const float *row = x + blockIdx.x * n;
  float sum = 0.0f, squares = 0.0f;
  for (int i = FIRST; STILL; STEP) { sum += row[i]; squares += row[i] * row[i]; }
  float mean = sum / n, inverse = rsqrtf(squares / n - mean * mean + 0.25f);
  for (int i = threadIdx.x; i < n; i += 32)
    y[blockIdx.x * n + i] = min(127, max(-128, __float2int_rn((row[i] - mean) * inverse * scale)));
}
void quantize(const float *x, signed char *y, float scale, int rows, int n) {
  scaled<<<rows, 32>>>(x, y, scale, n);
}
"""


def quantized(first: str, still: str, step: str) -> str:
    return QUANTIZED.replace("FIRST", first).replace("STILL", still).replace("STEP", step)


@pytest.mark.parametrize(("changed", "status"), [("", "verified"), ("sum / n", "unverified")])
def test_bytes_that_cancelled_sums_decide_say_nothing_and_others_all(changed: str, status: str) -> None:
    """Of floats near one another `squares / n - mean * mean` leaves rounding alone."""
    target = quantized("n - 1", "i >= 0", "--i")
    if changed:
        target = target.replace(changed, "sum / (n + 1)")
    overrides = from_flags(arg=["scale=40"])
    result = verify_text(quantized("0", "i < n", "++i"), "forwards.cu", target, "backwards.cu", overrides)
    assert result.status == status, result.evidence
