"""Which statements of a translation stand for which of its source.

    acc += As[ty][k] * Bs[k][tx];       __bang_matmul(acc, a, b, ...);
    C[row * n + col] = acc;        ~    __memcpy(C + ..., acc, ..., NRAM2GDRAM);

Both texts are read into IR. A statement is known by what it computes from: the arrays of the kernel that flow
into it, also through scratchpads and registers, the operations, the constants, and the array that it writes.
The most alike belong together; loops belong together if the statements inside do. It needs no trace of the
translation, so that it also works for texts that somebody edited, or wrote. Texts of one programming model
are edited in place and compared line by line.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from xpiler.errors import Refusal
from xpiler.frontend import Unit, parse
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Block,
    Call,
    Collective,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    Ref,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import walk
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler.symbolic.positions import Lines

Span = tuple[int, int]
_ENOUGH = 0.6  # likeness of two statements that belong together
_MOST = 400  # statements of a text that are compared


@dataclass(frozen=True)
class Match:
    """Places of the source and the target, as offsets, that stand for each other."""

    source: Span
    target: Span


def correspondence(source: str, source_file: str, target: str, target_file: str) -> tuple[Match, ...]:
    """All matches, in the order of the target; none where one of the texts cannot be read."""
    platforms = platform_of(source_file, source), platform_of(target_file, target)
    if all(PLATFORMS[platform].model == "simt" for platform in platforms):
        return tuple(_lines(Lines(source), Lines(target)))
    try:
        one = _parsed(source, source_file, platforms[0])
        other = _parsed(target, target_file, platforms[1])
    except Refusal:
        return ()
    found = [*_statements(_Text(one), _Text(other)), *_outside(one, other)]
    return tuple(dict.fromkeys(sorted(found, key=lambda match: (match.target, match.source))))


def _parsed(text: str, file: str, platform: str) -> Unit:
    """The text read; where kernels are plain functions, those that only the file itself calls are read
    too."""
    if PLATFORMS[platform].model == "serial":
        text = re.sub(r"^static\b", "      ", text, flags=re.M)
    return parse(text, file, platform=platform)


# ------------------------------------------------------------------------------------------------ lines


def _lines(source: Lines, target: Lines) -> Iterator[Match]:
    """Lines that are the same, and changed ones in between as long as they come in equal numbers."""
    rows, others = _rows(source), _rows(target)
    mine = [source.text[a:b] for a, b in rows]
    theirs = [target.text[a:b] for a, b in others]
    for tag, a, b, c, d in difflib.SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        if tag == "equal" or (tag == "replace" and b - a == d - c):
            for i, j in zip(range(a, b), range(c, d), strict=True):
                if re.search(r"\w", mine[i]) and re.search(r"\w", theirs[j]):
                    yield Match(rows[i], others[j])


def _rows(lines: Lines) -> list[Span]:
    """Each line without the blanks around it."""
    found = []
    for start, end in zip(lines.starts, [*lines.starts[1:], len(lines.text)], strict=True):
        row = lines.text[start:end]
        first = start + len(row) - len(row.lstrip())
        found.append((first, max(first, start + len(row.rstrip()))))
    return found


def _outside(source: Unit, target: Unit) -> Iterator[Match]:
    """Host code is edited in place: its lines are compared."""
    names = {k.name for unit in (source, target) if not _is_serial(unit) for k in unit.kernels}
    inside = [
        [k.span for k in (*unit.kernels, *unit.device_functions) if k.name in names or not _is_serial(unit)]
        for unit in (source, target)
    ]
    for match in _lines(Lines(source.text), Lines(target.text)):
        if not any(_meet(match.source, span) for span in inside[0]) and not any(
            _meet(match.target, span) for span in inside[1]
        ):
            yield match


def _is_serial(unit: Unit) -> bool:
    return PLATFORMS[unit.platform].model == "serial"


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


# ------------------------------------------------------------------------------------------------ statements


@dataclass(frozen=True)
class _Leaf:
    """A statement by what it computes. `place` is how far into the kernel it stands, from 0 to 1."""

    span: Span
    kernel: str
    writes: str
    reads: frozenset[str]
    operations: frozenset[str]
    constants: frozenset[float]
    place: float

    def joined(self, other: _Leaf) -> _Leaf:
        """An instruction that was read as several statements, or the same text read for several callers."""
        return replace(
            self,
            writes=self.writes or other.writes,
            reads=self.reads | other.reads,
            operations=self.operations | other.operations,
            constants=self.constants | other.constants,
        )


class _Text:
    """One of the texts, read."""

    def __init__(self, unit: Unit) -> None:
        self.unit, self.lines = unit, Lines(unit.text)

    @cached_property
    def leaves(self) -> list[_Leaf]:
        found: dict[Span, _Leaf] = {}
        for kernel in self.unit.program.kernels:
            for leaf in self._leaves_of(kernel):
                known = found.get(leaf.span)
                found[leaf.span] = leaf if known is None else known.joined(leaf)
        return list(found.values())[:_MOST]

    def _leaves_of(self, kernel: Function) -> Iterator[_Leaf]:
        flows = _flows(kernel)
        stmts = [n for n in walk(kernel.body) if isinstance(n, (Assign, Atomic, Decl, Collective, Instr))]
        for number, stmt in enumerate(stmts):
            span = self.span(stmt)
            written, values = _parts(stmt)
            if span is None or not values:
                continue
            nodes = [n for value in values for n in walk(value)]
            leaf = _Leaf(
                span,
                kernel.template or kernel.name,
                written if written in _arrays(kernel) else "",
                _origins(nodes, flows),
                frozenset(_operations(stmt, nodes)),
                frozenset(float(n.value) for n in nodes if isinstance(n, Const) and n.dtype.is_float),
                number / len(stmts),
            )
            if leaf.writes or leaf.reads or leaf.constants:  # others count and address
                yield leaf

    def span(self, node: Stmt) -> Span | None:
        place = node.range
        if place is None or place.file != self.unit.file or place.end_line > len(self.lines.starts):
            return None
        start = self.lines.offset(place.line, place.column)
        return start, max(start, self.lines.offset(place.end_line, place.end_column))

    def loops(self) -> Iterator[Span]:
        seen: set[Span] = set()
        for kernel in self.unit.program.kernels:
            for node in walk(kernel.body):
                span = self.span(node) if isinstance(node, (For, While)) else None
                if span is not None and span not in seen and self.unit.text.startswith("for", span[0]):
                    seen.add(span)
                    yield span

    def header(self, loop: Span) -> Span:
        depth = 0
        for offset in range(*loop):
            depth += {"(": 1, ")": -1}.get(self.unit.text[offset], 0)
            if depth == 0 and self.unit.text[offset] == ")":
                return loop[0], offset + 1
        return loop


def _statements(source: _Text, target: _Text) -> Iterator[Match]:
    of: dict[Span, Span] = {}  # by target: the source
    for leaf in target.leaves:
        best = max(source.leaves, key=lambda other: _likeness(other, leaf), default=None)
        if best is not None and _likeness(best, leaf) >= _ENOUGH:
            of[leaf.span] = best.span
            yield Match(best.span, leaf.span)
    for loop in target.loops():
        inside = {of[span] for span in of if loop[0] <= span[0] and span[1] <= loop[1]}
        like = [
            (_overlap(inside, _within(source, other)), -i, other) for i, other in enumerate(source.loops())
        ]
        best_loop = max(like, default=None)
        if inside and best_loop is not None and best_loop[0] >= 0.5:
            yield Match(source.header(best_loop[2]), target.header(loop))


def _within(source: _Text, loop: Span) -> set[Span]:
    return {leaf.span for leaf in source.leaves if loop[0] <= leaf.span[0] and leaf.span[1] <= loop[1]}


def _likeness(one: _Leaf, other: _Leaf) -> float:
    """From 0 to 1; where two are equally like, the one at the same place in its kernel is more so."""
    if bool(one.reads) != bool(other.reads) or (one.writes and other.writes and one.writes != other.writes):
        return 0.0
    parts = (
        (3.0, _overlap(one.reads, other.reads)),
        (2.0, 1.0 if one.writes == other.writes else 0.0),
        (2.0, _overlap(one.operations, other.operations)),
        (1.0, _overlap(one.constants, other.constants)),
    )
    alike = sum(weight * value for weight, value in parts) / sum(weight for weight, _ in parts)
    return alike - 0.02 * abs(one.place - other.place) - (0.1 if one.kernel != other.kernel else 0.0)


def _overlap(one: Iterable[object], other: Iterable[object]) -> float:
    first, second = set(one), set(other)
    return len(first & second) / len(first | second) if first or second else 1.0


# ------------------------------------------------------------------------------------------------ what flows


def _parts(stmt: Stmt) -> tuple[str, tuple[Expr, ...]]:
    """What a statement writes, and the values that go into it."""
    match stmt:
        case Assign(target=Var(name=name), value=value):
            return name, (value,)
        case Assign(target=Load(array=name), value=value):
            return name, (value,)
        case Atomic(place=Load(array=name), args=args):
            return name, args
        case Collective(target=Var(name=name), args=args):
            return name, args
        case Instr(operands=(Ref(array=name), *others)):
            return name, tuple(others)
        case Decl(name=name, init=tuple() as values):
            return name, values
        case Decl(name=name, init=Expr() as value):
            return name, (value,)
    return "", ()


def _arrays(kernel: Function) -> set[str]:
    return {p.name for p in kernel.params if p.is_pointer} | {d.name for d in kernel.globals}


def _flows(kernel: Function) -> dict[str, set[str]]:
    """The arrays of the kernel that flow into each variable and scratchpad."""
    flows: dict[str, set[str]] = {name: {name} for name in _arrays(kernel)}
    stmts = [_parts(n) for n in walk(kernel.body) if isinstance(n, Stmt) and not isinstance(n, (Block, If))]
    for _ in range(8):
        before = sum(map(len, flows.values()))
        for written, values in stmts:
            if written and written not in _arrays(kernel):
                nodes = [n for value in values for n in walk(value)]
                flows.setdefault(written, set()).update(_origins(nodes, flows))
        if sum(map(len, flows.values())) == before:
            break
    return flows


def _origins(nodes: Iterable[object], flows: dict[str, set[str]]) -> frozenset[str]:
    names = [
        n.array if isinstance(n, (Load, Ref)) else n.name for n in nodes if isinstance(n, (Load, Ref, Var))
    ]
    return frozenset(origin for name in names for origin in flows.get(name, ()))


def _operations(stmt: Stmt, nodes: Iterable[object]) -> Iterator[str]:
    """Operations on floats; those on integers are addresses."""
    if isinstance(stmt, Assign) and stmt.reduce and stmt.target.dtype.is_float:
        yield stmt.reduce
    if isinstance(stmt, Atomic):
        yield {"add": "+"}.get(stmt.op, stmt.op)
    if isinstance(stmt, Collective):
        yield "exchange"
    for node in nodes:
        if (isinstance(node, Binary) and node.left.dtype.is_float) or (
            isinstance(node, Unary) and node.dtype.is_float
        ):
            yield node.op
        elif isinstance(node, Call) and node.dtype.is_float:
            yield from ("*", "+") if node.function == "fma" else (node.function,)
