"""Kernels written as IR, as the frontend makes them."""

from __future__ import annotations

from xpiler.ir.build import (
    add,
    and_,
    as_expr,
    block_dim,
    block_index,
    cast,
    const,
    div,
    ge,
    load,
    lt,
    mod,
    mul,
    select,
    sub,
    thread_index,
    var,
)  # fmt: skip
from xpiler.ir.nodes import (
    EMPTY,
    Assign,
    Barrier,
    Block,
    Call,
    Collective,
    Decl,
    Expr,
    For,
    Function,
    If,
    Param,
    Return,
    Space,
    Stmt,
)  # fmt: skip
from xpiler.ir.types import F32, I32, U32, DType


def pointer(name: str, dtype: DType = F32) -> Param:
    return Param(name, dtype, is_pointer=True)


def scalar(name: str, dtype: DType = I32) -> Param:
    return Param(name, dtype, is_pointer=False)


def loop(name: str, start: Expr | int, stop: Expr | int, *body: Stmt, step: Expr | int = 1) -> For:
    return For(name, I32, as_expr(start), as_expr(stop), as_expr(step), Block(body))


def when(condition: Expr, *body: Stmt, otherwise: Block = EMPTY) -> If:
    return If(condition, Block(body), otherwise)


def integer(name: str, init: Expr) -> Decl:
    return Decl(name, I32, init=cast(init, I32))


def kernel(name: str, params: tuple[Param, ...], *body: Stmt) -> Function:
    return Function(name, params, Block(body))


def global_id(axis: str = "x") -> Expr:
    return add(mul(block_index(axis), block_dim(axis)), thread_index(axis))


def gemm(tile: int = 4) -> Function:
    """Tiled matrix product with shared memory, guarded by the classic zero fill; any M, N, K."""
    row, col, m, n, k, t, p = (var(v) for v in ("row", "col", "M", "N", "K", "t", "p"))
    tx, ty = cast(thread_index("x"), I32), cast(thread_index("y"), I32)
    acc = var("acc", F32)
    zero = const(0.0, F32)
    ka, kb = add(mul(t, tile), tx), add(mul(t, tile), ty)
    fill_a = select(and_(lt(row, m), lt(ka, k)), load("A", F32, add(mul(row, k), ka)), zero)
    fill_b = select(and_(lt(kb, k), lt(col, n)), load("B", F32, add(mul(kb, n), col)), zero)
    shape = (const(tile), const(tile))
    return kernel(
        "gemm",
        (pointer("A"), pointer("B"), pointer("C"), scalar("M"), scalar("N"), scalar("K")),
        Decl("As", F32, shape, Space.SHARED),
        Decl("Bs", F32, shape, Space.SHARED),
        integer("row", add(mul(block_index("y"), tile), thread_index("y"))),
        integer("col", add(mul(block_index("x"), tile), thread_index("x"))),
        Decl("acc", F32, init=zero),
        loop("t", 0, div(sub(add(k, tile), 1), tile),
            Assign(load("As", F32, ty, tx), fill_a),
            Assign(load("Bs", F32, ty, tx), fill_b),
            Barrier(),
            loop("p", 0, tile,
                Assign(acc, mul(load("As", F32, ty, p), load("Bs", F32, p, tx)), "+")),
            Barrier()),
        when(and_(lt(row, m), lt(col, n)), Assign(load("C", F32, add(mul(row, n), col)), acc)),
    )  # fmt: skip


def shuffle(kind: str, target: str, value: Expr, lane: int, dtype: DType = F32) -> Collective:
    return Collective(kind, var(target, dtype), (value, const(lane), const(32)), const(0xFFFFFFFF, U32))


def fmax(a: Expr, b: Expr) -> Expr:
    return Call(F32, "max", (a, b))


def _block_reduce(value: str, shared: str, combine: str, neutral: Expr) -> tuple[Stmt, ...]:
    """The usual block reduction: warp shuffles, warp results in shared memory, the first warp reduces
    those."""
    v, s = var(value, F32), var("other_" + value, F32)
    tid, lane, wid = cast(thread_index(), I32), var("lane"), var("wid")

    def tree(kind: str) -> tuple[Stmt, ...]:
        steps: list[Stmt] = []
        for offset in (16, 8, 4, 2, 1):
            steps.append(shuffle(kind, s.name, v, offset))
            steps.append(Assign(v, fmax(v, s) if combine == "max" else add(v, s)))
        return tuple(steps)

    warps = div(add(cast(block_dim(), I32), 31), 32)
    return (
        Decl(s.name, F32),
        *tree("shfl_down"),
        when(lt(lane, 1), Assign(load(shared, F32, wid), v)),
        Barrier(),
        Assign(v, select(lt(tid, warps), load(shared, F32, lane), neutral)),
        when(lt(wid, 1), *tree("shfl_xor"), when(lt(lane, 1), Assign(load(shared, F32, const(0)), v))),
        Barrier(),
        Assign(v, load(shared, F32, const(0))),
    )


def softmax() -> Function:
    """A block a row; maximum and sum by shuffles and shared memory; early return of blocks beyond the
    last row."""
    row, n, i = var("row"), var("n"), var("i")
    tid, dim = cast(thread_index(), I32), cast(block_dim(), I32)
    at = add(mul(row, n), i)
    x = load("x", F32, at)
    peak, total = var("peak", F32), var("total", F32)
    lowest = const(-float("inf"), F32)
    return kernel(
        "softmax",
        (pointer("x"), pointer("y"), scalar("rows"), scalar("n")),
        Decl("peaks", F32, (const(32),), Space.SHARED),
        Decl("totals", F32, (const(32),), Space.SHARED),
        integer("row", block_index()),
        when(ge(row, var("rows")), Return()),
        integer("lane", mod(tid, 32)),
        integer("wid", div(tid, 32)),
        Decl("peak", F32, init=lowest),
        loop("i", tid, n, Assign(peak, fmax(peak, x)), step=dim),
        *_block_reduce("peak", "peaks", "max", lowest),
        Decl("total", F32, init=const(0.0, F32)),
        loop("j", tid, n,
            Decl("e", F32, init=Call(F32, "exp", (sub(load("x", F32, add(mul(row, n), var("j"))), peak),))),
            Assign(load("y", F32, add(mul(row, n), var("j"))), var("e", F32)),
            Assign(total, var("e", F32), "+"), step=dim),
        *_block_reduce("total", "totals", "sum", const(0.0, F32)),
        loop("k", tid, n,
            Assign(load("y", F32, add(mul(row, n), var("k"))),
                   div(load("y", F32, add(mul(row, n), var("k"))), total)), step=dim),
    )  # fmt: skip
