"""What the instructions that are written do: each as a loop nest over its operands.

Counts and strides are elements. `bang_meaning.py` says the same of all instructions that are read.
"""

from __future__ import annotations

from collections.abc import Callable

from xpiler.ir.build import add, and_, cast, const, div, le, lt, mod, mul, sub
from xpiler.ir.nodes import Assign, Binary, Block, Decl, Expr, For, If, Instr, Load, Ref, Stmt, Var
from xpiler.ir.rewrite import map_expr
from xpiler.ir.types import BOOL, I32, U32
from xpiler.platforms.bang import BY_NAME, WEIGHT_LANES


def meaning(instr: Instr) -> Stmt:
    """The loop nest that the instruction does, over its operands. Counts are elements, strides too."""
    name, operands = instr.name, instr.operands
    i = Var(I32, f"i_{abs(hash(instr)) % 10**8}")
    if name in BY_NAME:
        intrinsic = BY_NAME[name]
        dst, *rest, n = operands
        assert isinstance(dst, Ref)
        body = intrinsic.template(dst.dtype)
        refs = [r for r in rest if isinstance(r, Ref)]
        scalars = [r for r in rest if not isinstance(r, Ref)]
        values: dict[str, Expr] = {"s": scalars[0]} if scalars else {}
        body = _with_operands(body, dict(zip("ab", refs, strict=False)), values, i)
        return _loop(i, n, Assign(at(dst, i), body))
    match name:
        case "__memcpy" | "__memcpy_async":
            return _copy(operands, i)
        case "__sync" | "__sync_compute":
            return Block(())
        case "__bang_write_value":
            dst, n, value = operands
            assert isinstance(dst, Ref)
            return _loop(i, n, Assign(at(dst, i), value))
        case "__bang_sumpool" | "__bang_maxpool" | "__bang_minpool":
            return _pool(name, operands, i)
        case "__bang_argmax" | "__bang_argmin":
            dst, src, n = operands
            assert isinstance(dst, Ref) and isinstance(src, Ref)
            which = "max" if name.endswith("max") else "min"
            value, place = Var(dst.dtype, f"best_{i.name}"), Var(I32, f"place_{i.name}")
            sign = ">" if which == "max" else "<"
            better = Binary(BOOL, sign, at(src, i), value)
            here = Block((Assign(value, at(src, i)), Assign(place, i)))
            index = add(div(mul(dst.offset, dst.dtype.bytes), U32.bytes), 1)
            return Block(
                (
                    Decl(value.name, value.dtype, init=at(src, const(0))),
                    Decl(place.name, I32, init=const(0)),
                    _loop(i, n, If(better, here)),
                    Assign(at(dst, const(0)), value),
                    Assign(Load(U32, dst.array, (index,)), cast(place, U32)),  # behind the value
                )
            )
        case "__bang_lut":
            dst, index, table, n, length = operands
            assert isinstance(dst, Ref) and isinstance(index, Ref) and isinstance(table, Ref)
            entry = cast(at(index, i), I32)
            inside = and_(le(const(0), entry), lt(entry, length))
            return _loop(i, n, If(inside, Block((Assign(at(dst, i), at(table, entry)),))))
        case "__bang_transpose":
            dst, src, height, width = operands
            sides = (("h", height), ("w", width))
            return _each(sides, i, lambda h, w: _moved(dst, w, height, h, src, h, width, w))
        case "__bang_reshape_filter":
            dst, src, rows, high, wide, deep = operands
            inner, groups = mul(mul(high, wide), deep), div(rows, WEIGHT_LANES)
            return _each(
                (("r", rows), ("c", inner)),
                i,
                lambda r, c: _moved(dst, _lane_row(r, groups), inner, c, src, r, inner, c),
            )
        case "__bang_matmul":
            return _product(operands, i)
        case "__bang_conv":
            return _convolution(operands, i)
    raise ValueError(f"no meaning of {name} is known")


def _pool(name: str, operands: tuple[Expr, ...], i: Var) -> Stmt:
    """dst[y][x][c] = all of src[y*sh + p][x*sw + q][c] together, over the window's p and q."""
    dst, src, channels, height, width, kh, kw, sw, sh = operands
    assert isinstance(dst, Ref) and isinstance(src, Ref)
    high, wide = (add(div(sub(size, k), by), 1) for size, k, by in ((height, kh, sh), (width, kw, sw)))

    def pixel(y: Expr, x: Expr, c: Expr) -> Expr:
        return add(mul(add(mul(y, width), x), channels), c)

    def window(y: Expr, x: Expr, c: Expr) -> Stmt:
        place = at(dst, add(mul(add(mul(y, wide), x), channels), c))
        y, x = mul(y, sh), mul(x, sw)
        first = const(0, dst.dtype) if name == "__bang_sumpool" else at(src, pixel(y, x, c))
        fold = {"sum": "+", "max": "max", "min": "min"}[name[7:10]]
        step = _each(
            (("p", kh), ("q", kw)),
            i,
            lambda p, q: Assign(place, at(src, pixel(add(y, p), add(x, q), c)), fold),
        )
        return Block((Assign(place, first), step))

    return _each((("y", high), ("x", wide), ("c", channels)), i, window)


def _lane_row(row: Expr, groups: Expr) -> Expr:
    """Where a weight's row lies in WRAM: lane after lane."""
    return add(mul(mod(row, WEIGHT_LANES), groups), div(row, WEIGHT_LANES))


def _each(loops: tuple[tuple[str, Expr], ...], i: Var, body: Callable[..., Stmt]) -> Stmt:
    counters = [Var(I32, f"{name}_{i.name}") for name, _ in loops]
    nest = body(*counters)
    for counter, (_, extent) in reversed(list(zip(counters, loops, strict=True))):
        nest = _loop(counter, extent, nest)
    return nest


def _moved(dst: Expr, r: Expr, wide: Expr, c: Expr, src: Expr, row: Expr, width: Expr, column: Expr) -> Stmt:
    """dst[r][c] = src[row][column]"""
    assert isinstance(dst, Ref) and isinstance(src, Ref)
    return Assign(at(dst, add(mul(r, wide), c)), at(src, add(mul(row, width), column)))


def _product(operands: tuple[Expr, ...], i: Var) -> Stmt:
    """dst[m][n] = sum over k of src0[m][k] * src1[n][k], rows of src1 in the order of lanes."""
    dst, left, right, rows, depth, columns = operands
    assert isinstance(dst, Ref) and isinstance(left, Ref) and isinstance(right, Ref)
    groups = div(add(columns, WEIGHT_LANES - 1), WEIGHT_LANES)

    def clear(m: Expr, n: Expr) -> Stmt:
        return Assign(at(dst, add(mul(m, columns), n)), const(0, dst.dtype))

    def step(m: Expr, n: Expr, k: Expr) -> Stmt:
        weight = at(right, add(mul(_lane_row(n, groups), depth), k))
        factor = at(left, add(mul(m, depth), k))
        value = mul(cast(factor, dst.dtype), cast(weight, dst.dtype))
        return Assign(at(dst, add(mul(m, columns), n)), value, "+")

    sizes = (("m", rows), ("n", columns))
    return Block((_each(sizes, i, clear), _each((*sizes, ("k", depth)), i, step)))


def _convolution(operands: tuple[Expr, ...], i: Var) -> Stmt:
    """dst[y][x][o] = sum over the window's p, q, c of src[y*sh + p][x*sw + q][c] * weights[o][p][q][c]."""
    dst, src, weights, ci, height, width, kh, kw, sw, sh, co = operands
    assert isinstance(dst, Ref) and isinstance(src, Ref) and isinstance(weights, Ref)
    high, wide = (add(div(sub(size, k), by), 1) for size, k, by in ((height, kh, sh), (width, kw, sw)))
    groups = div(add(co, WEIGHT_LANES - 1), WEIGHT_LANES)

    def result(y: Expr, x: Expr, o: Expr) -> Load:
        return at(dst, add(mul(add(mul(y, wide), x), co), o))

    def clear(y: Expr, x: Expr, o: Expr) -> Stmt:
        return Assign(result(y, x, o), const(0, dst.dtype))

    def step(y: Expr, x: Expr, o: Expr, p: Expr, q: Expr, c: Expr) -> Stmt:
        row, column = add(mul(y, sh), p), add(mul(x, sw), q)
        pixel = at(src, add(mul(add(mul(row, width), column), ci), c))
        inner = add(mul(add(mul(p, kw), q), ci), c)
        weight = at(weights, add(mul(_lane_row(o, groups), mul(mul(kh, kw), ci)), inner))
        return Assign(result(y, x, o), mul(cast(pixel, dst.dtype), cast(weight, dst.dtype)), "+")

    sizes = (("y", high), ("x", wide), ("o", co))
    window = (("p", kh), ("q", kw), ("c", ci))
    return Block((_each(sizes, i, clear), _each((*sizes, *window), i, step)))


def at(ref: Ref, i: Expr) -> Load:
    return Load(ref.dtype, ref.array, (add(ref.offset, i),))


def _with_operands(body: Expr, refs: dict[str, Ref], values: dict[str, Expr], i: Var) -> Expr:
    def place(e: Expr) -> Expr:
        if isinstance(e, Load) and e.array in refs:
            return at(refs[e.array], i)
        return values.get(e.name, e) if isinstance(e, Var) else e

    return map_expr(body, place)


def _loop(i: Var, n: Expr, *body: Stmt) -> For:
    return For(i.name, i.dtype, const(0), n, const(1), Block(body))


def _copy(operands: tuple[Expr, ...], i: Var) -> Stmt:
    dst, src, size = operands[:3]
    assert isinstance(dst, Ref) and isinstance(src, Ref)
    if len(operands) == 3:
        return _loop(i, size, Assign(at(dst, i), at(src, i)))
    dst_stride, src_stride, segments = operands[3:6]
    j = Var(I32, f"j{i.name}")
    inner = _loop(i, size, Assign(at(dst, add(mul(j, dst_stride), i)), at(src, add(mul(j, src_stride), i))))
    return _loop(j, add(segments, 1), inner)
