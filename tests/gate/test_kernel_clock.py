"""Where host code calls what were kernels, those alone are timed."""

from dataclasses import replace

from tests.hardware import timed_with_avx512
from xpiler.gate.contract import Argument, Contract, Role, make_case
from xpiler.gate.kernel_clock import clocked
from xpiler.gate.timing import Program, run_time
from xpiler.ir.types import F32, I32

TEXT = """#include <unistd.h>
static void twice(float *y, int n) {
    for (int i = 0; i < n; ++i) y[i] *= 2;
}
extern "C" void f(float *y, int n) {
    usleep(3000);
    twice(y, n);
}
"""
CALL = Contract(
    "f",
    "host",
    (Argument("y", F32, True, Role.INOUT), Argument("n", I32, False, Role.SCALAR)),
    (make_case({"n": 64}, {"y": 64}),),
)


def test_only_calls_are_clocked() -> None:
    text = clocked(TEXT, ["twice"])
    assert text is not None
    assert "xpiler_clocked([&] { twice(y, n); });" in text
    assert text.count("xpiler_clocked(") == 2  # its definition, and the call


def test_without_calls_of_kernels_the_whole_call_is_timed() -> None:
    assert clocked(TEXT, ["f"]) is None
    assert clocked(TEXT, []) is None


@timed_with_avx512
def test_what_host_code_does_besides_is_not_counted() -> None:
    whole = run_time(Program(TEXT, "f.cpp", (CALL,)), samples=3)
    kernel = Program(TEXT, "f.cpp", (CALL,), ("twice",))
    assert not kernel.whole_calls
    alone = run_time(kernel, samples=3, least=1e-6)
    assert min(whole.samples) > 3e-3
    assert 0 <= min(alone.samples) < min(whole.samples) / 10
    assert replace(kernel, kernels=()).whole_calls
