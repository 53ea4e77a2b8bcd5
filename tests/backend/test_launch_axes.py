"""One extent of a grid or a block, as text."""

from __future__ import annotations

import pytest

from xpiler.backend.launch_axes import axis_of


@pytest.mark.parametrize(
    ("extents", "axis", "said"),
    [
        ("dim3(S, H)", "x", "S"),
        ("dim3(S, f(H, 2))", "y", "f(H, 2)"),
        ("{S, H}", "z", "1"),
        ("dim3{S, H, n + 1}", "z", "n + 1"),
        ("n / 256", "x", "dim3(n / 256).x"),
        ("dim3(n / 256)", "x", "dim3(n / 256).x"),
        ("dim3(other)", "y", "dim3(other).y"),
        ("dim3(a) + dim3(b, c)", "x", "dim3(dim3(a) + dim3(b, c)).x"),
        ("dim3(up<4, 2>(n), m)", "x", "dim3(up<4, 2>(n), m).x"),
    ],
)
def test_extent_of_an_axis(extents: str, axis: str, said: str) -> None:
    assert axis_of(extents, axis) == said
