"""Kernels that write only where data say so: what they may write is compared, if some run writes it."""

from __future__ import annotations

from xpiler.gate.contract import Role
from xpiler.translate import Trusted, translate_text

LEVEL = """__global__ void level(const int *row, const int *col, int *dist, int *changed, int now, int n) {
    int v = blockIdx.x * blockDim.x + threadIdx.x;
    if (v >= n || dist[v] != now) return;
    for (int e = row[v]; e < row[v + 1]; e++) {
        int u = col[e];
        if (dist[u] < 0) {  // several threads may find it, and write the same
            dist[u] = now + 1;
            *changed = 1;
        }
    }
}
"""
NEVER = """__global__ void mark(int *y, const int *x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && x[i] * x[i] == 1000003 * x[i] + 17) y[i] = 1;
}
"""


def test_what_some_data_write_is_an_output() -> None:
    trusted = Trusted.of(LEVEL, "level.cu")
    (item,) = trusted.entries
    assert item.refused is None and item.inference is not None and item.runs is not None
    roles = {a.name: a.role for a in item.inference.contract.pointers}
    assert roles == {"row": Role.IN, "col": Role.IN, "dist": Role.INOUT, "changed": Role.INOUT}
    assert not item.runs.fault and not item.runs.order
    assert trusted.verify(LEVEL, "level.cu").status == "verified"
    other = trusted.verify(LEVEL.replace("now + 1", "now + 2"), "level.cu")
    assert other.status == "unverified"


def test_nothing_is_shown_where_no_run_writes() -> None:
    result = translate_text(NEVER, "mark.cu", "hip")
    assert result.status == "unverified"
    assert any("mark: no run changes `y`, so equality says nothing" in r.detail for r in result.evidence)
