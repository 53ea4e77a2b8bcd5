"""Kernels that ask data for one of their arguments: what they write then is seen."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.gate.contract import Launch
from xpiler.gate.equal_data import where_equal
from xpiler.gate.observe import Buffer, Pointer, Step, observe

KERNEL = """__global__ void pick(const int *label, float *out, int wanted, int n) {
  int i = blockIdx.x * 64 + threadIdx.x;
  if (i < n && label[i] == wanted) out[i] = 1;
}"""


def test_data_among_the_arguments_show_what_is_written() -> None:
    kernel = parse(KERNEL, "pick.cu").program.kernels[0]
    arguments = (Pointer("label"), Pointer("out"), 12345, 300)
    steps = [Step(kernel, Launch((5, 1, 1), (64, 1, 1)), arguments)]
    buffers = {name: Buffer(name, None) for name in ("label", "out")}
    seen = observe(steps, buffers)
    assert not seen.reach["out"].written
    shown = where_equal(steps, buffers, seen).reach["out"]
    assert shown.written and 200 * 4 < shown.high <= 300 * 4
