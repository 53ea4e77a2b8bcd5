"""A platform is added from outside, as docs/platforms.md tells: C with OpenMP and no intrinsics.

Nothing in the engine names it: its loops are printed by the shared C printer, its files are read by the
shared C frontend, and what it computes is checked like any translation.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from xpiler.backend.c import CPrinter
from xpiler.ir.nodes import For, LoopKind
from xpiler.platforms.registry import PLATFORMS, Platform, register
from xpiler.routes import ROUTES, Route, to_vnni
from xpiler.routes.hub import HOSTS, from_any_host
from xpiler.routes.job import without_refused
from xpiler.translate import translate_text

SNIPPETS = Path(__file__).parents[2] / "snippets"


class OpenMPPrinter(CPrinter):
    """Parallel loops for OpenMP: the outermost ones, since teams inside teams help nobody."""

    inside = False

    def loop(self, loop: For) -> None:
        if loop.kind is not LoopKind.PARALLEL or self.inside:
            return super().loop(loop)
        self.line("#pragma omp parallel for")
        self.inside = True
        super().loop(loop)
        self.inside = False
        return None


@pytest.fixture
def openmp() -> Iterator[None]:
    """The whole platform: its entry in the registry, the routes to it, and those from it."""
    register(Platform("openmp", "C with OpenMP", ".omp", model="serial", emulated=False))
    to_openmp = from_any_host(partial(to_vnni.produce, scalar=OpenMPPrinter))
    ROUTES.update({(source, "openmp"): Route(without_refused, to_openmp) for source in HOSTS})
    ROUTES.update({("openmp", to): route for (source, to), route in ROUTES.items() if source == "vnni"})
    yield
    del PLATFORMS["openmp"]
    for pair in [pair for pair in ROUTES if "openmp" in pair]:
        del ROUTES[pair]


@pytest.mark.usefixtures("openmp")
@pytest.mark.parametrize("source", ["cuda/softmax.cu", "hip/relu.hip", "bang/add.mlu"])
def test_kernels_of_every_platform_become_loops_for_openmp(source: str) -> None:
    file = SNIPPETS / source
    result = translate_text(file.read_text(), str(file), "openmp")
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert "#pragma omp parallel for" in result.text
    assert "_mm512" not in result.text


@pytest.mark.usefixtures("openmp")
def test_its_files_are_read_too() -> None:
    text = (
        'extern "C" void scale(const float *x, float *y, int n) {\n'
        "#pragma omp parallel for\n"
        "    for (int i = 0; i < n; ++i) y[i] = 3.0f * x[i];\n"
        "}\n"
    )
    result = translate_text(text, "scale.omp", "bang")
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert "__bang_mul_scalar" in result.text
