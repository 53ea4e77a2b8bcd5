"""The extents of launches that are constants."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse

COVER = "__global__ void cover(float *x, int w, int h) { x[blockIdx.y * w + threadIdx.y] = h; }\n"


@pytest.mark.parametrize(
    ("before", "body", "known"),
    [
        (
            "dim3 g2(int w, int h) { return dim3(w, h); }",
            "cover<<<g2(w, h), dim3(16, 16)>>>(x, w, h);",
            False,
        ),
        ("struct C { dim3 g, b; }; C of(int);", "C c = of(w); cover<<<c.g, c.b>>>(x, w, h);", False),
        ("struct C { dim3 g, b; }; C of(int);", "auto c = of(w); cover<<<c.g, c.b>>>(x, w, h);", False),
        ("", "dim3 b[2] = {dim3(4, 4), dim3(8)}; cover<<<b[0], b[1]>>>(x, w, h);", False),
        ("std::pair<dim3, dim3> of(int);", "auto [g, b] = of(w); cover<<<g, b>>>(x, w, h);", False),
        ("using Grid = dim3; Grid of(int);", "cover<<<of(w), of(h)>>>(x, w, h);", False),
        ("int blocks(int);", "cover<<<blocks(w), 256>>>(x, w, h);", True),
        ("struct C { int g, b; };", "C c{w, h}; cover<<<c.g, c.b>>>(x, w, h);", True),
        ("", "cover<<<p.multiProcessorCount, 256>>>(x, w, h);", True),
    ],
)
def test_what_may_be_a_dim3_has_all_three_extents(before: str, body: str, known: bool) -> None:
    unit = parse(f"{COVER}{before}\nvoid f(float *x, int w, int h) {{ {body} }}\n", "f.cu")
    (kernel,) = unit.program.kernels
    assert (kernel.grid_size == (None, 1, 1)) == known
