"""Random expressions for property tests."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from xpiler.ir import build
from xpiler.ir.nodes import Expr
from xpiler.ir.types import I32, I64, U32, DType

RANGES: dict[str, tuple[int, int]] = {"a": (0, 3), "b": (0, 7), "c": (0, 4), "d": (-3, 5)}
TYPES: dict[str, DType] = {"a": I32, "b": U32, "c": I64, "d": I32}


def index_expressions(types: Mapping[str, DType] = TYPES) -> st.SearchStrategy[Expr]:
    """Index arithmetic as kernels do it: sums, scalings, divisions and remainders by small constants."""
    leaves = st.one_of(
        st.sampled_from([build.var(name, dtype) for name, dtype in types.items()]),
        st.integers(0, 40).map(lambda v: build.const(v, I32)),
    )
    scales = st.sampled_from([1, 2, 3, 4, 5, 8, 12, 16, 32])

    def grow(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        return st.one_of(
            st.builds(build.add, inner, inner),
            st.builds(build.sub, inner, inner),
            st.builds(build.mul, inner, scales),
            st.builds(build.mul, inner, inner),
            st.builds(build.div, inner, scales),
            st.builds(build.mod, inner, scales),
            st.builds(lambda x, s: build.binary(">>", x, s), inner, st.integers(0, 5)),
            st.builds(lambda x, s: build.binary("&", x, 2**s - 1), inner, st.integers(1, 5)),
            st.builds(lambda x, y: build.binary("|", x, y), inner, inner),
            st.builds(build.minimum, inner, inner),
            st.builds(build.cast, inner, st.sampled_from([I32, I64, U32])),
            st.builds(lambda p, q, x, y: build.select(build.lt(p, q), x, y), inner, inner, inner, inner),
        )

    return st.recursive(leaves, grow, max_leaves=10)
