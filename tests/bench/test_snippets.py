"""Every snippet of every language computes its operator: random data, against NumPy.

One shape of each, all eight with XPILER_ALL_SHAPES=1 in the environment.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.bench.references import REFERENCES, expected
from xpiler.bench.operators import load_operators, snippet
from xpiler.files import read_source
from xpiler.gate.execute import BOTH_ENDS, build
from xpiler.gate.inputs import inputs_of
from xpiler.platforms.registry import PLATFORMS

OPERATORS = load_operators()


def test_every_operator_has_a_reference_and_eight_shapes_whose_extents_differ() -> None:
    assert set(OPERATORS) == set(REFERENCES)
    for operator in OPERATORS.values():
        assert len({shape.sizes for shape in operator.shapes}) == 8, operator.name


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_snippet_computes_its_operator(platform: str, name: str) -> None:
    operator = OPERATORS[name]
    path = snippet(name, platform)
    contract = operator.contract()
    built = build(read_source(path), str(path), platform, contract)
    assert built.ok, built.error
    shapes = operator.shapes if os.environ.get("XPILER_ALL_SHAPES") else operator.shapes[:1]
    for seed, shape in enumerate(shapes):
        case = operator.case(shape, seed)
        inputs = inputs_of(contract, case)
        extents = operator.extents(shape)
        arrays = {n: data.astype(np.float64).reshape(extents[n]) for n, data in inputs.items()}
        (output,) = contract.outputs
        wanted = expected(name, arrays, dict(shape.sizes))
        for result in built.run([case], variants=BOTH_ENDS, inputs=[inputs]):
            assert result.ok, f"{shape.describe()}: {result.describe()}"
            got = result.buffers[output.name].reshape(extents[output.name])
            scale = np.abs(wanted).max()
            np.testing.assert_allclose(got, wanted, 2e-5, 2e-5 * scale, err_msg=shape.describe())
