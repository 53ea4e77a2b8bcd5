"""Annotation: what loops compute, in words of no platform, and which instructions may do it.

    for k: sum += A[i][k] * B[k][j]     -->     matrix product over k; bang: __bang_matmul (src1 WRAM)

After algorithm 1 of QiMeng-Xpiler (arXiv 2505.02146): each computation is named, looked up in the target's
manual, and the candidates are written at the loop, with the memory that their operands need. The recogniser
below names them; its names are what prompts show, and what searches the manual.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Block,
    Call,
    Const,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import walk
from xpiler.neural.manual import Entry
from xpiler.neural.search import lookup, tokens

CANDIDATES = 3
_WORDS = {
    "exp": "exponential", "log": "natural logarithm", "log2": "logarithm to base two", "sqrt": "square root",
    "rsqrt": "reciprocal square root", "tanh": "hyperbolic tangent", "erf": "error function gelu",
    "max": "maximum of two", "min": "minimum of two", "abs": "absolute value", "floor": "floor rounding",
    "fma": "fused multiply add", "pow": "power", "sin": "sine", "cos": "cosine",
    "exp2": "exponential base two", "round": "rounding",
}  # fmt: skip
_OPERATORS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "<": "compare", ">": "compare"}
_REDUCED = {"+": "sum", "max": "maximum", "min": "minimum", "*": "product", "&": "and", "|": "or", "^": "xor"}


@dataclass(frozen=True)
class Computation:
    """One thing that a loop does: in words, and as a question to a manual."""

    words: str
    query: str


def annotated(function: Function, target: str) -> Function:
    """The function with a note at each loop that computes something recognisable."""
    return replace(function, body=_annotated(function.body, (), target))


def notes_of(function: Function, target: str) -> list[str]:
    """All notes of a function, for a prompt: each once, in the order of the program."""
    found = (
        note for node in walk(annotated(function, target)) if isinstance(node, Stmt) for note in node.notes
    )
    return list(dict.fromkeys(found))


def entries_for(function: Function, target: str, count: int = 8) -> list[Entry]:
    """The manual's entries that the computations of a function call for, those of more computations first."""
    votes: dict[str, int] = {}
    entries: dict[str, Entry] = {}
    for computation in dict.fromkeys(_all(function.body, ())):
        for entry in _candidates(computation, target):
            entries[entry.title] = entry
            votes[entry.title] = votes.get(entry.title, 0) + 1
    return [entries[title] for title in sorted(votes, key=lambda title: -votes[title])[:count]]


def _annotated(block: Block, outer: tuple[str, ...], target: str) -> Block:
    return replace(block, body=tuple(_statement(stmt, outer, target) for stmt in block.body))


def _statement(stmt: Stmt, outer: tuple[str, ...], target: str) -> Stmt:
    match stmt:
        case For():
            inner = (*outer, stmt.var)
            notes = tuple(
                dict.fromkeys(
                    _note(c, target) for c in _computations(stmt, inner) if stmt.kind is not LoopKind.THREADS
                )
            )
            return replace(stmt, body=_annotated(stmt.body, inner, target), notes=notes)
        case If():
            then, otherwise = (_annotated(b, outer, target) for b in (stmt.then, stmt.otherwise))
            return replace(stmt, then=then, otherwise=otherwise)
        case While():
            return replace(stmt, body=_annotated(stmt.body, outer, target))
        case Block():
            return _annotated(stmt, outer, target)
    return stmt


def _all(block: Block, outer: tuple[str, ...]) -> Iterator[Computation]:
    for stmt in block.body:
        match stmt:
            case For():
                yield from _computations(stmt, (*outer, stmt.var))
                yield from _all(stmt.body, (*outer, stmt.var))
            case If():
                yield from _all(stmt.then, outer)
                yield from _all(stmt.otherwise, outer)
            case While():
                yield from _all(stmt.body, outer)
            case Block():
                yield from _all(stmt, outer)


def _note(computation: Computation, target: str) -> str:
    names = []
    for entry in _candidates(computation, target):
        memory = f" ({entry.facts['memory']})" if entry.names and "memory" in entry.facts else ""
        names.append(_name_for(computation, entry) + memory)
    return f"{computation.words}; {target}: {', '.join(names) or 'no candidate'}"


def _name_for(computation: Computation, entry: Entry) -> str:
    """The name in an entry that the computation is closest to; its title if it has none."""
    wanted = set(tokens(computation.query))
    fitting = sorted(entry.names, key=lambda name: -len(wanted & set(tokens(name))))
    return fitting[0] if fitting else entry.title.replace("`", "")


def _candidates(computation: Computation, target: str) -> list[Entry]:
    return [hit.entry for hit in lookup(computation.query, target, CANDIDATES)]


# ---------------------------------------------------------------------------------------------- recognition


def _computations(loop: For, loops: tuple[str, ...]) -> Iterator[Computation]:
    """What the statements directly in a loop do with each of its iterations."""
    for stmt in _own(loop.body):
        if isinstance(stmt, Atomic):
            yield Computation(f"atomic {stmt.op} to {stmt.place.array}", f"atomic {stmt.op}")
        elif isinstance(stmt, Assign):
            yield from _assignment(stmt, loop.var, loops)


def _own(block: Block) -> Iterator[Stmt]:
    """The statements of a block that no further loop repeats."""
    for stmt in block.body:
        match stmt:
            case If():
                yield from _own(stmt.then)
                yield from _own(stmt.otherwise)
            case Block():
                yield from _own(stmt)
            case For() | While():
                pass
            case _:
                yield stmt


def _assignment(stmt: Assign, var: str, loops: tuple[str, ...]) -> Iterator[Computation]:
    loads = [node for node in walk(stmt.value) if isinstance(node, Load)]
    if stmt.reduce and var not in _variables(stmt.target):
        yield _reduction(stmt, var, loops, loads)
        return
    if any(isinstance(node, Load) for load in loads for index in load.index for node in walk(index)):
        yield Computation("indexed load", "gather by index")
    if isinstance(stmt.target, Load) and isinstance(stmt.value, Load):
        order, own = (_fastest(place, loops) for place in (stmt.value, stmt.target))
        if order != own and order and own:
            yield Computation(f"transposition of {stmt.value.array}", "transpose a matrix")
        else:
            yield Computation(
                f"copy of {stmt.value.array} to {stmt.target.array}", "contiguous copy load store"
            )
    elif isinstance(stmt.target, Load) and isinstance(stmt.value, Const):
        yield Computation(f"fill of {stmt.target.array}", "fill with a value")
    else:
        for word in _operations(stmt.value):
            yield Computation(f"elementwise {word}", word)


def _reduction(stmt: Assign, var: str, loops: tuple[str, ...], loads: list[Load]) -> Computation:
    factors = [load for load in loads if var in _variables(load)]
    is_product = stmt.reduce == "+" and any(getattr(n, "op", "") == "*" for n in walk(stmt.value))
    if is_product and len({load.array for load in factors}) == 2:
        first, second = factors[0], factors[1]
        others = [set(loops) & _variables(load) - {var} for load in (first, second)]
        if others[0] - others[1] and others[1] - others[0]:
            return Computation(f"matrix product over {var}", "matrix multiplication")
        if others[0] or others[1]:
            return Computation(f"matrix-vector product over {var}", "matrix vector product")
        return Computation(f"dot product over {var}", "dot product")
    kind = _REDUCED.get(stmt.reduce or "", "reduction")
    return Computation(f"{kind} over {var}", f"{kind} of a row reduction")


def _operations(value: Expr) -> Iterator[str]:
    for node in walk(value):
        if isinstance(node, Call):
            yield _WORDS.get(node.function, node.function)
        elif getattr(node, "op", None) in _OPERATORS and node.dtype.is_float:  # type: ignore[union-attr]
            yield _OPERATORS[node.op]  # type: ignore[union-attr]


def _variables(expr: Expr) -> set[str]:
    return {node.name for node in walk(expr) if isinstance(node, Var)}


def _fastest(place: Load, loops: tuple[str, ...]) -> str:
    """The loop variable that moves a place by one element; "" if none does so plainly."""
    last = place.index[-1]
    plain = [name for name in loops if isinstance(last, Var) and last.name == name]
    terms = [node.name for node in _summands(last) if isinstance(node, Var) and node.name in loops]
    return (plain or terms or [""])[0]


def _summands(expr: Expr) -> Iterator[Expr]:
    if getattr(expr, "op", "") == "+":
        yield from _summands(expr.left)  # type: ignore[attr-defined]
        yield from _summands(expr.right)  # type: ignore[attr-defined]
    else:
        yield expr
