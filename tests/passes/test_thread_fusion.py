"""Loops over the threads of a block that become one."""

from __future__ import annotations

from collections.abc import Sequence

from xpiler.frontend import parse
from xpiler.ir.nodes import EMPTY, Block, Decl, For, Function, If, Stmt, While
from xpiler.ir.rewrite import uses
from xpiler.passes.canonical import canonicalise

RELAX = """
__global__ void relax(float *x, int steps, int n) {
    __shared__ float s[64], t[64];
    int i = threadIdx.x;
    s[i] = x[i];
    __syncthreads();
    int left = i - 1;
    left = left < 0 ? n : left;
    for (int step = 0; step < steps; step++) {
        t[i] = 0.5f * (s[i] + s[left]);
        __syncthreads();
        if (step == steps - 1) break;
        s[i] = t[i];
        __syncthreads();
    }
    x[i] = t[i];
}
"""


def canonical(text: str) -> Function:
    return canonicalise(parse(text, "k.cu").program.kernels[0], (64, 1, 1), (1, 1, 1)).function


def unseen(stmts: Sequence[Stmt], known: frozenset[str]) -> set[str]:
    """Scalars that are read where no declaration of them is in scope."""
    missing: set[str] = set()
    for stmt in stmts:
        match stmt:
            case Block(body=body):
                missing |= unseen(body, known)
            case For(var=var, body=body):
                missing |= unseen(body.body, known | {var})
            case While(condition=condition, body=body):
                missing |= uses(If(condition, EMPTY)).vars_read - known
                missing |= unseen(body.body, known)
            case If(condition=condition, then=then, otherwise=otherwise):
                missing |= uses(If(condition, EMPTY)).vars_read - known
                missing |= unseen(then.body, known) | unseen(otherwise.body, known)
            case _:
                missing |= uses(stmt).vars_read - known
        if isinstance(stmt, Decl):
            known |= {stmt.name}
    return missing


def test_what_is_declared_between_fused_loops_and_read_after_them_is_still_seen() -> None:
    """The flag of the `break` and the counter belong to the block, not to the threads that go before."""
    function = canonical(RELAX)
    params = frozenset(param.name for param in function.params)
    assert unseen(function.body.body, params) == set()
