"""Clang's vectors are read at multiples of their size, or of what their type says."""

import pytest

from xpiler.frontend import parse
from xpiler.ir.nodes import Load
from xpiler.ir.rewrite import walk

KERNEL = """
typedef float vector __attribute__((ext_vector_type(4)ALIGNED));
__global__ void k(const float *a, float *b, int n) {
    const vector v = *reinterpret_cast<const vector *>(a + n * threadIdx.x);
    for (int i = 0; i < 4; ++i) b[4 * threadIdx.x + i] = v[i];
}
"""


@pytest.mark.parametrize(("said", "bytes_"), [("", 16), (", aligned(8)", 8), (", aligned(4)", 0)])
def test_a_vector_is_read_at_multiples_of_its_alignment(said: str, bytes_: int) -> None:
    (kernel,) = parse(KERNEL.replace("ALIGNED", said), "k.hip", platform="hip").program.kernels
    asked = [load.alignment for load in walk(kernel) if isinstance(load, Load) and load.array == "a"]
    assert max(asked) == bytes_
