"""Threads whose number is taken apart where they store their results are counted in two dimensions.

    float acc[256];                                float acc[16][16];
    for t in 0..256: acc[t] = 0                    for y in 0..16: for x in 0..16: acc[y][x] = 0
    for t in 0..256:                         -->   for y in 0..16: for x in 0..16:
      c[(t / 16) * n + t % 16] = acc[t]              c[y * n + x] = acc[y][x]

So that a thread's place in the result is its counters, as in a kernel with two-dimensional blocks. The order
of the threads is the same. A loop of which only digits are used, as of warps and their lanes, is split alone.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import simplify
from xpiler.ir.build import add, const, div, is_const, mod, mul
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Const,
    Decl,
    Expr,
    For,
    Function,
    Load,
    LoopKind,
    Ref,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import map_body, map_expr, substitute, walk
from xpiler.passes.names import Names


def split_thread_digits(function: Function) -> Function:
    """The kernel's threads along x, if one constant takes their number apart in all stores to memory; and
    each loop over threads of which only digits are used."""
    return _of_digits(_of_stores(function))


def _of_digits(function: Function) -> Function:
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For) or stmt.kind is not LoopKind.THREADS:
            return stmt
        divided = replace(stmt, body=map_expr(stmt.body, lambda e: _divided(e, stmt)))
        extent, radix = _extent(stmt), _only_radix(divided)
        if radix < 2 or extent <= radix or extent % radix:  # 0: it is not known
            return stmt
        y, x = (Var(stmt.dtype, names.fresh(f"{stmt.var}_{digit}")) for digit in ("high", "low"))
        ranges = {x.name: (0, radix - 1), y.name: (0, extent // radix - 1)}
        body = map_expr(divided.body, lambda e: _of_two(_digit(e, stmt.var, radix, y, x), ranges))
        inner = replace(stmt, var=x.name, stop=const(radix, stmt.dtype), body=body)
        return change(
            replace(stmt, var=y.name, stop=const(extent // radix, stmt.dtype), body=Block((inner,)))
        )

    return map_body(function, change)


def _divided(expr: Expr, loop: For) -> Expr:
    """`t & 31` as `t % 32`, `t >> 5` as `t / 32`: the counter is not negative."""
    match expr:
        case Binary(op="&", left=Var(name=loop.var) as t, right=Const(value=mask)) if (
            int(mask) > 0 and int(mask) & (int(mask) + 1) == 0
        ):
            return mod(t, const(int(mask) + 1, t.dtype))
        case Binary(op=">>", left=Var(name=loop.var) as t, right=Const(value=bits)) if 0 <= int(bits) < 31:
            return div(t, const(1 << int(bits), t.dtype))
    return expr


def _only_radix(loop: For) -> int:
    """The smallest constant by which the counter is taken apart wherever it is used, all others are multiples
    of it; 0 if there is none. (The upper digit is taken apart by those next.)"""
    nodes = list(walk(loop.body))
    digits = [
        n
        for n in nodes
        if isinstance(n, Binary) and n.op in ("/", "%") and n.left == Var(loop.dtype, loop.var)
    ]
    radices = {int(n.right.value) if isinstance(n.right, Const) else 0 for n in digits}
    smallest = min(radices, default=0)
    if smallest < 1 or any(radix % smallest for radix in radices):
        return 0
    uses_of_counter = sum(n == Var(loop.dtype, loop.var) for n in nodes)
    return smallest if uses_of_counter == len(digits) else 0


def _of_stores(function: Function) -> Function:
    memory = {p.name for p in function.params if p.is_pointer}
    loops = [n for n in walk(function.body) if isinstance(n, For) and n.kind is LoopKind.THREADS]
    found = {(_extent(loop), radix) for loop in loops for radix in _radices(loop, memory)}
    if len(found) != 1:
        return function
    extent, radix = found.pop()
    if radix < 2 or extent <= radix or extent % radix:
        return function
    threads = {loop.var for loop in loops if _extent(loop) == extent}
    if any(_extent(loop) != extent for loop in loops if loop.var in threads):
        return function
    counters = _counters(loops, threads, Names(function))
    arrays = [d for d in walk(function.body) if isinstance(d, Decl) and d.shape]
    split = {d.name for d in arrays if _is_of_threads(d, function, threads, extent)}

    def change(stmt: Stmt) -> Stmt:
        match stmt:
            case For(var=name) if name in threads and stmt.kind is LoopKind.THREADS:
                high, low = counters[name]
                y, x = Var(stmt.dtype, high), Var(stmt.dtype, low)
                whole = add(mul(y, const(radix, stmt.dtype)), x)
                body = substitute(map_expr(stmt.body, lambda e: _digit(e, name, radix, y, x)), {name: whole})
                inner = replace(stmt, var=low, stop=const(radix, stmt.dtype), body=body)
                return replace(stmt, var=high, stop=const(extent // radix, stmt.dtype), body=Block((inner,)))
            case Decl(name=name, shape=(first, *rest)) if name in split:
                sides = (const(extent // radix, first.dtype), const(radix, first.dtype))
                return replace(stmt, shape=(*sides, *rest))
        return stmt

    def digit(load: Load) -> Load:
        index = load.index[0]
        parts = (div(index, const(radix, index.dtype)), mod(index, const(radix, index.dtype)))
        return replace(load, index=(*parts, *load.index[1:]))

    def place(expr: Expr) -> Expr:
        return digit(expr) if isinstance(expr, Load) and expr.array in split else expr

    def target(expr: Var | Load) -> Var | Load:
        return digit(expr) if isinstance(expr, Load) and expr.array in split else expr

    body = map_expr(function.body, place, target)
    assert isinstance(body, Block)
    return map_body(replace(function, body=body), change)


def _counters(loops: list[For], threads: set[str], names: Names) -> dict[str, tuple[str, str]]:
    """What the two counters of each of the loops are called: alike, but where one loop is inside another, as
    of four warps and four rows of each."""
    nested = any(
        isinstance(inner, For) and inner.var in threads
        for loop in loops
        if loop.var in threads
        for inner in walk(loop.body)
    )
    common = names.fresh("thread_y"), names.fresh("thread_x")
    if not nested:
        return dict.fromkeys(threads, common)
    first = next(loop.var for loop in loops if loop.var in threads)
    others = sorted(threads - {first})
    return {first: common} | {o: (names.fresh(f"{o}_high"), names.fresh(f"{o}_low")) for o in others}


def _extent(loop: For) -> int:
    plain = is_const(loop.start, 0) and is_const(loop.step, 1) and isinstance(loop.stop, Const)
    return int(loop.stop.value) if plain and isinstance(loop.stop, Const) else 0


def _radices(loop: For, memory: set[str]) -> set[int]:
    """The constants that take the counter apart in places of memory that are written; 0: other divisors."""
    values: dict[str, Expr] = {}
    found: set[int] = set()
    for node in walk(loop.body):
        match node:
            case Decl(shape=(), init=Expr() as init, name=name):
                values[name] = substitute(init, values)
            case Assign(target=Load(array=array, index=index)) if array in memory:
                for part in (n for each in index for n in walk(substitute(each, values))):
                    match part:
                        case Binary(op="/" | "%", left=Var(name=loop.var), right=right):
                            found.add(int(right.value) if isinstance(right, Const) else 0)
    return found


def _digit(expr: Expr, name: str, radix: int, high: Var, low: Var) -> Expr:
    match expr:
        case Binary(op="/" | "%" as op, left=Var(name=left), right=Const(value=value)) if left == name and (
            int(value) % radix == 0
        ):
            if is_const(expr.right, radix):
                return high if op == "/" else low
            more = const(int(value) // radix, high.dtype)
            return div(high, more) if op == "/" else add(mul(mod(high, more), radix), low)
    return expr


def _of_two(expr: Expr, ranges: dict[str, tuple[int, int]]) -> Expr:
    """What is taken apart further, as digits of the two."""
    if isinstance(expr, Binary) and expr.op in ("/", "%", ">>", "&") and expr.dtype.is_integer:
        return simplify(expr, ranges)
    return expr


def _is_of_threads(decl: Decl, function: Function, threads: set[str], extent: int) -> bool:
    """Whether it is an array with an element for every thread, which no other touches."""
    if not is_const(decl.shape[0], extent):
        return False
    for node in walk(function.body):
        match node:
            case Ref(array=decl.name):
                return False
            case Load(array=decl.name, index=(first, *rest)):
                if not (isinstance(first, Var) and first.name in threads) or len(rest) + 1 != len(decl.shape):
                    return False
                if node.dtype != decl.dtype:
                    return False
    return True
