"""Random kernels with barriers, warp operations, divergent branches, loops and early exits."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.passes.kernels import integer, kernel, loop, pointer, scalar, when
from tests.passes.test_loop_recovery import same
from xpiler.ir.build import add, cast, const, div, eq, load, lt, mod, mul, ne, sub, var
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Barrier,
    Block,
    Break,
    Collective,
    Continue,
    Decl,
    Expr,
    Return,
    Space,
    Stmt,
    Var,
    While,
)  # fmt: skip
from xpiler.ir.printer import show
from xpiler.ir.types import I32, U32

VARS = ("a", "b", "c")
BLOCKS = [(40, 1, 1), (32, 2, 1), (8, 5, 1), (4, 4, 2), (64, 1, 1)]
tid, flat = var("tid"), var("flat")


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> Expr:
    if depth == 0 or draw(st.booleans()):
        leaves = [tid, flat, const(3), const(-2), var("n"), load("input", I32, tid), *map(var, VARS)]
        return draw(st.sampled_from(leaves))
    left, right = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    op = draw(st.sampled_from([add, sub, mul]))
    return op(left, right)


@st.composite
def conditions(draw: st.DrawFn, uniform: bool) -> Expr:
    if uniform:
        return draw(
            st.sampled_from(
                [lt(var("n"), 5), eq(cast(Var(U32, "blockIdx.x"), I32), 0), lt(const(0), var("n"))]
            )
        )
    left = draw(expressions(1))
    return draw(
        st.sampled_from([lt(left, 9), eq(mod(left, 2), 0), ne(mod(tid, 3), 1), lt(tid, 20), lt(left, tid)])
    )


class Builder:
    def __init__(self, draw: st.DrawFn, threads: int) -> None:
        self.draw, self.threads, self.count = draw, threads, 0

    def name(self, base: str) -> str:
        self.count += 1
        return f"{base}{self.count}"

    def body(self, depth: int, uniform: bool, in_loop: bool) -> tuple[Stmt, ...]:
        count = self.draw(st.integers(1, 4))
        return tuple(s for _ in range(count) for s in self.statement(depth, uniform, in_loop))

    def statement(self, depth: int, uniform: bool, in_loop: bool) -> tuple[Stmt, ...]:
        kinds = ["assign", "assign", "vote", "array"]
        if uniform:
            kinds += ["exchange", "shuffle", "count"]
        if depth:
            kinds += ["if", "uniform if", "for", "while"]
            kinds += ["temporary"]
        if uniform and depth == 3:
            kinds += ["return"]
        if in_loop and uniform:
            kinds += ["break", "continue"]
        target = var(self.draw(st.sampled_from(VARS)))
        value = self.draw(expressions())
        match self.draw(st.sampled_from(kinds)):
            case "assign":
                return (Assign(target, value, self.draw(st.sampled_from([None, "+", "max"]))),)
            case "array":
                k = self.draw(st.integers(0, 3))
                return (
                    Assign(load("p", I32, const(k)), value),
                    Assign(target, load("p", I32, const((k + 1) % 4))),
                )
            case "temporary":
                name = self.name("t")
                inner = self.body(depth - 1, uniform, in_loop)
                return (Decl(name, I32, init=value), *inner, Assign(target, var(name), "+"))
            case "exchange":
                k = self.draw(st.integers(0, self.threads))
                source = mod(add(flat, k), self.threads)
                return (
                    Assign(load("s", I32, flat), value),
                    Barrier(),
                    Assign(target, load("s", I32, source), "+"),
                    Barrier(),
                )
            case "shuffle":
                kind = self.draw(st.sampled_from(["shfl", "shfl_up", "shfl_down", "shfl_xor"]))
                width = self.draw(st.sampled_from([8, 32]))
                lane = self.draw(st.sampled_from([const(1), const(5), var("n"), tid]))
                return (Collective(kind, target, (value, lane, const(width))),)
            case "vote":
                kind = self.draw(
                    st.sampled_from(["any", "all", "ballot", "reduce_add", "reduce_max", "match_any"])
                )
                dtype = U32 if kind in ("ballot", "match_any") else I32
                result = var(self.name("w"), dtype)
                predicate = (
                    cast(self.draw(conditions(False)), I32) if kind in ("any", "all", "ballot") else value
                )
                mask = self.draw(st.sampled_from([None, const(0xFFFFFFFF, U32), const(0x00F0FFFF, U32)]))
                if kind.startswith("reduce") or kind == "match_any":
                    mask = None
                return (
                    Decl(result.name, dtype),
                    Collective(kind, result, (predicate,), mask),
                    Assign(target, cast(result, I32)),
                )
            case "count":
                kind = self.draw(st.sampled_from(["count", "and", "or"]))
                predicate = cast(self.draw(conditions(False)), I32)
                return (Collective(f"syncthreads_{kind}", target, (predicate,), scope="block"),)
            case "if":
                condition = self.draw(conditions(False))
                return (
                    when(
                        condition,
                        *self.body(depth - 1, False, False),
                        otherwise=Block(self.body(depth - 1, False, False)),
                    ),
                )
            case "uniform if":
                return (when(self.draw(conditions(True)), *self.body(depth - 1, uniform, in_loop)),)
            case "for":
                stop = self.draw(st.sampled_from([const(2), var("n")]))
                if self.draw(st.booleans()):
                    stop = add(mod(self.draw(st.sampled_from([tid, flat])), 3), 1)
                    uniform = False
                return (loop(self.name("i"), 0, stop, *self.body(depth - 1, uniform, uniform)),)
            case "while":
                counter = self.name("k")
                limit = const(2) if uniform else add(mod(tid, 3), 1)
                step = Assign(var(counter), add(var(counter), 1))
                inner = Block((*self.body(depth - 1, uniform, False), step))
                return (
                    Decl(counter, I32, init=const(0)),
                    While(lt(var(counter), limit), inner, self.draw(st.booleans())),
                )
            case "return":
                # Whole warps leave, or the later warp operations would name lanes that are gone.
                return (when(eq(div(flat, 32), self.draw(st.integers(0, 1))), Return()),)
            case "break":
                return (when(self.draw(conditions(True)), Break()),)
            case "continue":
                return (when(self.draw(conditions(True)), Continue()),)
        raise AssertionError


@settings(
    max_examples=10,
    phases=(Phase.explicit, Phase.generate),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.data())
def test_any_kernel_keeps_its_meaning(data: st.DataObject) -> None:
    block = data.draw(st.sampled_from(BLOCKS))
    threads = block[0] * block[1] * block[2]
    builder = Builder(data.draw, threads)
    index = add(Var(U32, "threadIdx.x"), mul(add(Var(U32, "threadIdx.y"), mul(
        Var(U32, "threadIdx.z"), const(block[1], U32))), const(block[0], U32)))  # fmt: skip
    place = add(mul(cast(Var(U32, "blockIdx.x"), I32), threads), flat)
    function = kernel(
        "random",
        (pointer("input", I32), pointer("output", I32), pointer("total", I32), scalar("n")),
        Decl("s", I32, (const(threads),), Space.SHARED),
        Decl("p", I32, (const(4),), init=(const(1), const(2))),
        integer("tid", Var(U32, "threadIdx.x")),
        integer("flat", index),
        *(Decl(v, I32, init=const(n)) for n, v in enumerate(VARS)),
        Assign(load("s", I32, flat), tid),
        Barrier(),
        *builder.body(3, True, False),
        *(
            Assign(load("output", I32, add(mul(place, len(VARS)), n)), var(v))
            for n, v in enumerate(VARS)
        ),
        Atomic("add", load("total", I32, const(0)), (var("a"),)),
    )  # fmt: skip
    arguments = {
        "input": [(7 * i) % 11 - 3 for i in range(threads)],
        "output": [None] * (2 * threads * len(VARS)),
        "total": [0],
        "n": data.draw(st.integers(0, 7)),
    }
    note(show(function))
    known = data.draw(st.booleans())
    same(function, arguments, (2, 1, 1), block, known=known, canonical=known)
