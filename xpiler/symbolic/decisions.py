"""What of the data decides which operations a program does: runs on symbols say nothing of other data then.

    int at = x[i] > best ? i : at;     -->  nothing, unless `at` is used
    if (x[i] > limit) break;           -->  comparisons of data

Extrema, and choices that stand for themselves (`comparisons.py`), are operations like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xpiler.ir.build import COMPARISONS
from xpiler.ir.index_arrays import index_arrays
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Call,
    Cast,
    Collective,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    Select,
    Var,
    While,
)
from xpiler.ir.rewrite import walk
from xpiler.symbolic.comparisons import without_choices


def decisions(function: Function) -> frozenset[str]:
    """In words; empty if nothing does."""
    function = without_choices(function)
    found: set[str] = set()
    indices = index_arrays(function)
    if indices:
        found.add(f"the contents of {', '.join(sorted(indices))}")
    if any(isinstance(n, Cast) and n.operand.dtype.is_float and not n.dtype.is_float for n in _all(function)):
        found.add("conversions of data to integers")
    decided = _flow(function, frozenset(), compares=True)
    loaded = frozenset(p.name for p in function.params if p.is_pointer and p.dtype.is_integer)
    read = _flow(function, loaded, compares=False)
    results = {p.name for p in function.params if p.is_pointer} | {d.name for d in function.globals}
    if (
        decided & results
        or any(_depends(part, decided, compares=True) for part in _using(function))
        or any(_depends(part, read, compares=False) for part in _deciding(function))
    ):
        found.add("comparisons of data")
    return frozenset(found)


def _all(function: Function) -> Iterator[Any]:
    return walk(function.body)


def _flow(function: Function, found: frozenset[str], *, compares: bool) -> frozenset[str]:
    """Variables and arrays of whole numbers that depend on comparisons of floats, or on those in `found`."""
    while True:
        more = set(found)
        for node in _all(function):
            match node:
                case Decl(name=name, init=Expr() as value) | Assign(target=Var(name=name), value=value):
                    pass
                case Assign(target=Load(array=name), value=value):
                    pass
                case Atomic(target=Var(name=name), place=value):
                    pass
                case Collective(target=Var(name=name), args=(value, *_)):
                    pass
                case _:
                    continue
            if not value.dtype.is_float and _depends(value, found, compares=compares):
                more.add(name)
        if more == found:
            return found
        found = frozenset(more)


def _depends(expr: Any, names: frozenset[str], *, compares: bool) -> bool:
    """Whether whole numbers of these names are in it, or comparisons of floats."""
    return any(
        (isinstance(n, Load) and n.array in names and not n.dtype.is_float)
        or (isinstance(n, Var) and n.name in names and not n.dtype.is_float)
        or (compares and _compares(n))
        for n in walk(expr)
    )


def _compares(node: Any) -> bool:
    return (isinstance(node, Binary) and node.op in COMPARISONS and node.left.dtype.is_float) or (
        isinstance(node, Call) and node.function == "signbit"
    )


def _using(function: Function) -> Iterator[Any]:
    """All that is computed but whole numbers that are only assigned; of those, places that are read."""
    for node in _all(function):
        match node:
            case Decl(init=Expr() as value) | Assign(value=value) if not value.dtype.is_float:
                yield from (i for n in walk(value) if isinstance(n, Load) for i in n.index)
            case Decl(init=init):
                yield from (init,) if isinstance(init, Expr) else init or ()
            case Assign(value=value):
                yield value
        match node:
            case Assign(target=Load(index=index)):
                yield from index
            case If(condition=test) | While(condition=test):
                yield test
            case For(start=start, stop=stop, step=step):
                yield from (start, stop, step)
            case Atomic(place=place, args=args):
                yield from (*place.index, *args)
            case Collective(args=args):
                yield from args
            case Instr(operands=operands):
                yield from operands


def _deciding(function: Function) -> Iterator[Any]:
    for node in _all(function):
        match node:
            case If(condition=test) | Select(condition=test) | While(condition=test):
                yield test
            case For(start=start, stop=stop):
                yield from (start, stop)


_RING = ("+", "-", "*")
_PRODUCTS = ("dp4a", "dp2a")


def computes_whole_numbers(function: Function) -> bool:
    """Whether it computes with whole numbers out of arrays: they are run as such, not as symbols."""
    read = _read(function)
    return any(_depends(node.value, read, compares=False) for node in _assignments(function))


def is_polynomial(function: Function) -> bool:
    """Whether all that it does to the bytes of such numbers are sums and products, so that a random point
    tells much."""
    read = _read(function)
    bytes_ = _bytes(function, read)
    for node in _all(function):
        if _is_byte(node, bytes_):
            continue
        match node:
            case Binary(op=op, left=left) if not left.dtype.is_float:
                if op not in _RING and _depends(node, read, compares=False):
                    return False
            case Cast(operand=operand, dtype=dtype) if not operand.dtype.is_float and not dtype.is_float:
                if dtype.bits < operand.dtype.bits and _depends(operand, read, compares=False):
                    return False
            case Call(function=name, args=args) if name not in _PRODUCTS:
                if any(not a.dtype.is_float and _depends(a, read, compares=False) for a in args):
                    return False
    return True


def _bytes(function: Function, read: frozenset[str]) -> frozenset[str]:
    """Variables and arrays that only hold bytes as they were handed in: `(char)(word >> 8 * i)`."""
    found = read
    while True:
        other = set()
        for node in _all(function):
            match node:
                case Decl(name=name, init=Expr() as value):
                    plain = True
                case Assign(target=Var(name=name) | Load(array=name), value=value, reduce=reduce):
                    plain = reduce is None
                case Atomic(place=Load(array=name)):
                    other.add(name)
                    continue
                case _:
                    continue
            known = not _depends(value, read, compares=False)
            if not plain or not (known or _is_byte(value, found)):
                other.add(name)
        if not other & found:
            return found
        found -= other


def _is_byte(expr: Any, names: frozenset[str]) -> bool:
    """Whether it is one or several of their bytes, perhaps with the signs flipped."""
    match expr:
        case Load(array=name) | Var(name=name):
            return name in names
        case Cast(operand=operand) if not expr.dtype.is_float:
            return _is_byte(operand, names)
        case Select(then=then, otherwise=otherwise) if not expr.dtype.is_float:
            return all(isinstance(side, Const) or _is_byte(side, names) for side in (then, otherwise))
        case Binary(op=">>" | "<<", left=left, right=right):
            return _is_multiple(right) and _is_byte(left, names)
        case Binary(op="^", left=left, right=Const(value=int(flips))):
            size = left.dtype.bytes
            return flips % 256**size == int.from_bytes(b"\x80" * size, "little") and _is_byte(left, names)
    return False


def _is_multiple(shift: Expr) -> bool:
    match shift:
        case Const(value=int(value)):
            return value % 8 == 0
        case Cast(operand=operand):
            return _is_multiple(operand)
        case Binary(op="*", left=left, right=right):
            return _is_multiple(left) or _is_multiple(right)
    return False


def _read(function: Function) -> frozenset[str]:
    loaded = frozenset(p.name for p in function.params if p.is_pointer and p.dtype.is_integer)
    return _flow(function, loaded - index_arrays(function).keys(), compares=False)


def _assignments(function: Function) -> Iterator[Assign]:
    return (n for n in _all(function) if isinstance(n, Assign))
