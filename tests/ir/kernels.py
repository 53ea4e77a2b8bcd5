"""Small kernels in IR, as a frontend would build them."""

from __future__ import annotations

from xpiler.ir import build as b
from xpiler.ir.nodes import (
    Assign,
    Barrier,
    Block,
    Decl,
    For,
    Function,
    If,
    Param,
    Space,
    Stmt,
)
from xpiler.ir.types import F32, I32


def array(name: str, const: bool = False) -> Param:
    return Param(name, F32, True, const)


def integer(name: str) -> Param:
    return Param(name, I32, False)


def kernel(params: list[Param], *body: Stmt, name: str = "kernel") -> Function:
    return Function(name, tuple(params), Block(body))


def index(name: str, axis: str = "x") -> Decl:
    """`int name = blockIdx.x * blockDim.x + threadIdx.x;`"""
    launch = b.add(b.mul(b.block_index(axis), b.block_dim(axis)), b.thread_index(axis))
    return Decl(name, I32, init=b.cast(launch, I32))


def tiled_gemm(tile: int = 16, *, first_barrier: bool = True, second_barrier: bool = True) -> Function:
    """C[m][n] = A[m][k] B[k][n] with tiles of A and B in shared memory, edges guarded."""
    row, col, t, k = b.var("row"), b.var("col"), b.var("t"), b.var("k")
    m, n, depth = b.var("m"), b.var("n"), b.var("depth")
    tx, ty = b.cast(b.thread_index("x"), I32), b.cast(b.thread_index("y"), I32)
    a_col, b_row = b.add(b.mul(t, tile), tx), b.add(b.mul(t, tile), ty)
    zero = b.const(0.0, F32)
    load_a = b.select(
        b.and_(b.lt(row, m), b.lt(a_col, depth)), b.load("A", F32, b.add(b.mul(row, depth), a_col)), zero
    )
    load_b = b.select(
        b.and_(b.lt(b_row, depth), b.lt(col, n)), b.load("B", F32, b.add(b.mul(b_row, n), col)), zero
    )
    inner = Assign(b.var("sum", F32), b.mul(b.load("As", F32, ty, k), b.load("Bs", F32, k, tx)), "+")
    barrier = (Barrier(),)
    steps = Block(
        (
            Assign(b.load("As", F32, ty, tx), load_a),
            Assign(b.load("Bs", F32, ty, tx), load_b),
            *(barrier if first_barrier else ()),
            For("k", I32, b.const(0), b.const(tile), b.const(1), Block((inner,))),
            *(barrier if second_barrier else ()),
        )
    )
    shape = (b.const(tile), b.const(tile))
    return kernel(
        [array("A", True), array("B", True), array("C"), integer("m"), integer("n"), integer("depth")],
        Decl("As", F32, shape, Space.SHARED),
        Decl("Bs", F32, shape, Space.SHARED),
        index("row", "y"),
        index("col", "x"),
        Decl("sum", F32, init=zero),
        For("t", I32, b.const(0), b.ceil_div(depth, tile), b.const(1), steps),
        If(
            b.and_(b.lt(row, m), b.lt(col, n)),
            Block((Assign(b.load("C", F32, b.add(b.mul(row, n), col)), b.var("sum", F32)),)),
        ),
    )
