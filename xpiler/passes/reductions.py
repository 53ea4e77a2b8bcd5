"""Reductions over threads get back their serial meaning.

    for t in 0..256: { s[t] = 0; for i in t..n step 256: s[t] += f(i) }         float sum = 0;
    <shuffles, or a tree in shared memory, until s[0] holds the total>    -->   for t.. for i in t..n
    step 256: sum += f(i)
    y = s[0]                                                                    y = sum

The steps are run symbolically (`reduction_steps.py`): if every element that is still wanted afterwards
turns out to be one
operator over a whole range of start values, the steps are replaced by one loop. Sums are reassociated:
the threads' order of adding is one of many, and so is the loop's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from xpiler.ir.affine import bounds
from xpiler.ir.build import add, const, mul, var
from xpiler.ir.nodes import (
    EMPTY,
    Assign,
    Atomic,
    Binary,
    Block,
    Call,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    LoopKind,
    Ref,
    Stmt,
    Trap,
    Var,
    While,
)
from xpiler.ir.rewrite import children, map_expr, rebuild, uses, walk, walk_stmts
from xpiler.ir.types import I32, DType
from xpiler.passes.fission import split_loop
from xpiler.passes.leading_threads import leading
from xpiler.passes.names import Names
from xpiler.passes.neutral_elements import NAMES, neutral
from xpiler.passes.reduction_columns import columns_of
from xpiler.passes.reduction_reads import elements_read, elements_written
from xpiler.passes.reduction_steps import Machine, Opaque, Place, Reduced, Result, State, Unknown, Value
from xpiler.passes.structured import spliced

_BUDGET = 200_000  # symbolic steps that may go into attempts that fail
_MOST_STORES = 64
_MOST_READS = 8  # of an element, for different results
_NO_STEPS = 3  # ends of a run that are tried
_UNKNOWN = 1 << 30  # stands for an extent that is not known
_LARGEST_TILE = 1 << 11  # elements of a tile in a scratchpad of BANG C
_LARGEST = 1 << 16  # elements of an array that is looked at


def recover_reductions(function: Function) -> Function:
    """In every list of statements where it is shown to be right."""
    return with_steps_replaced(function, Reductions)


def with_steps_replaced(function: Function, kind: type[Reductions]) -> Function:
    """The function after a walk of that kind over all of it."""
    small = {
        s.name: s
        for s in walk_stmts(function.body)
        if isinstance(s, Decl) and s.shape and _is_small(s) and (s.init is None or s.init == ())
    }
    if function.tasks:  # tiles of a scratchpad: trees over lanes are short, whole matrices take long
        small = {name: decl for name, decl in small.items() if (_size(decl) or 0) <= _LARGEST_TILE}
    if not small:
        return function
    outside = frozenset(p.name for p in function.params) | {d.name for d in function.globals}
    body = kind(function, small, Names(function)).block(function.body, outside)
    return function if body == function.body else replace(function, body=body)


def _is_small(decl: Decl) -> bool:
    """Of few elements, or one-dimensional (dynamic shared memory): then only elements that are named
    count."""
    size = _size(decl)
    return len(decl.shape) == 1 if size is None else size <= _LARGEST


def _size(decl: Decl) -> int | None:
    total = 1
    for extent in decl.shape:
        if not isinstance(extent, Const):
            return None
        total *= int(extent.value)
    return total


class _Unbounded(Exception):
    """Any element of an array of unknown size may be read."""


@dataclass
class Reductions:
    """A walk over a function that executes runs of steps and replaces those whose results are known."""

    function: Function
    small: dict[str, Decl]
    names: Names
    budget: int = _BUDGET
    here: Block | None = None  # the block whose list is at hand

    def block(self, block: Block, unknown: frozenset[str]) -> Block:
        """`unknown`: scalars whose values are not known numbers here."""
        body = tuple(spliced(block.body))
        around, self.here = self.here, block
        new = self._list(body, unknown)
        self.here = around
        stmts = new or body
        own = {s.name for s in stmts if isinstance(s, Decl)}
        out: list[Stmt] = []
        for n, stmt in enumerate(stmts):
            over = own - set().union(*(uses(s).arrays_read for s in stmts[n + 1 :]))
            out.append(self._below(self._by_rows(stmt, over, unknown), unknown))
        return Block(tuple(out), range=block.range)

    def _by_rows(self, stmt: Stmt, over: Set[str], unknown: frozenset[str]) -> Stmt:
        """A loop over threads each of which has a row of an array that nobody reads afterwards: to its body
        the row is an array of its own. `over`: the arrays that are this list's and not read behind it."""
        if not isinstance(stmt, For) or stmt.kind is not LoopKind.THREADS:
            return stmt
        rows: dict[str, str] = {}
        for array in uses(stmt.body).arrays_read & self.small.keys() & over:
            decl, loads = self.small[array], _every_load(stmt.body, array)
            counter = Var(stmt.dtype, stmt.var)
            if len(decl.shape) == 2 and loads and all(n.index[0] == counter for n in loads):
                rows[array] = self.names.fresh(f"{array}_row")
                self.small[rows[array]] = replace(decl, name=rows[array], shape=decl.shape[1:])
        if not rows:
            return stmt
        body = self.block(_renamed_rows(stmt.body, rows), unknown | {stmt.var})
        back = {row: (array, Var(stmt.dtype, stmt.var)) for array, row in rows.items()}
        return replace(stmt, body=_as_rows(body, back))

    @property
    def outside(self) -> tuple[Stmt, ...]:
        """What may run before or after the list at hand."""
        return () if self.here is None else _outside(self.function.body, self.here)

    def _below(self, stmt: Stmt, unknown: frozenset[str]) -> Stmt:
        more = unknown | {stmt.var} if isinstance(stmt, For) else unknown

        def change(child: object, field: str) -> object:
            return self.block(child, more) if isinstance(child, Block) else child

        result: Stmt = rebuild(stmt, change)
        return result

    def _list(self, body: tuple[Stmt, ...], unknown: frozenset[str]) -> tuple[Stmt, ...] | None:
        """The list with its runs of reduction steps replaced; None if there is none."""
        parts = [p for s in body for p in self._separated(s, unknown)]
        out: list[Stmt] = []
        found = False
        n = 0
        while n < len(parts):
            end, replaced = self._first_replaced(parts, n, unknown, out)
            if replaced is None:
                out.extend(parts[n:end])
            else:
                found = True
                new, later = replaced
                out.extend(new)
                parts = [*parts[:end], *later]
            n = end
        if not found:
            return None
        return tuple(out)

    def _first_replaced(
        self, parts: Sequence[Stmt], start: int, unknown: frozenset[str], before: Sequence[Stmt]
    ) -> tuple[int, tuple[list[Stmt], list[Stmt]] | None]:
        """The end of the run that starts there and what replaces it. What lanes do next, each with a value
        of its own, may look like a step: then the run ends before it."""
        known = _constants(parts[:start])
        machine, whole = self._executed(parts, start, self._run_end(parts, start, unknown), known)
        for end in range(whole, max(start, whole - _NO_STEPS), -1):
            if end < whole:
                machine, _ = self._executed(parts, start, end, known)
            replaced = self._replaced(parts, start, end, before, machine)
            if replaced is not None:
                return end, replaced
        return max(whole, start + 1), None

    def _executed(
        self, parts: Sequence[Stmt], start: int, end: int, known: Mapping[str, Value]
    ) -> tuple[State, int]:
        """The symbolic state after parts[start:end], or up to the first that cannot be executed."""
        if self.budget < 0:
            return self._machine(), start
        while True:
            machine = self._machine()
            machine.scalars |= known
            machine.accumulated = _accumulated(parts[start:end])
            n = start
            try:
                while n < end:
                    machine.step(parts[n])
                    n += 1
                return machine, end
            except Unknown:
                self.budget -= machine.steps
                end = n  # once more without the statement that stopped half-way

    # ------------------------------------------------------------------ taking apart

    def _separated(self, stmt: Stmt, unknown: frozenset[str]) -> tuple[Stmt, ...]:
        """Thread loops split into reduction steps at the front, the rest, and reduction steps at the end."""
        if not isinstance(stmt, For) or stmt.kind is not LoopKind.THREADS or self._is_step(stmt, unknown):
            return (stmt,)
        trimmed = leading(stmt)
        if trimmed != (stmt,):
            return tuple(p for s in trimmed for p in self._separated(s, unknown))
        inner = [p for s in spliced(stmt.body.body) for p in self._separated(s, unknown)]
        others = [n for n, s in enumerate(inner) if not self._is_step(s, unknown)]
        if not others:
            return (stmt,)
        cuts = [0, len(inner)]
        threads = (LoopKind.THREADS,)
        if any(
            isinstance(s, (Decl, Assign)) or (isinstance(s, For) and s.kind in threads)
            for s in inner[: others[0]]
            if self._reads_small(s)
        ):
            cuts.insert(1, others[0])
        if any(not isinstance(s, Decl) for s in inner[others[-1] + 1 :]):
            cuts.insert(-1, others[-1] + 1)
        out: tuple[Stmt, ...] = ()
        rest: Stmt = replace(stmt, body=Block(tuple(inner)))
        if len(cuts) == 2:
            return (stmt,)
        for cut in cuts[1:-1]:
            assert isinstance(rest, For)
            body = spliced(rest.body.body)
            at = len(body) - (len(inner) - cut)  # idle declarations may have moved, but not past a cut
            parts = split_loop(rest, self._with_values_assigned(body[:at]), body[at:])
            if parts is None:
                return (*out, rest)
            for part in parts:
                if isinstance(part, Decl):
                    self.small[part.name] = part
            out, rest = (*out, *parts[:-1]), parts[-1]
        last = self._separated(rest, unknown) if leading(rest) != (rest,) else (rest,)
        return (*out, *last)

    def _with_values_assigned(self, stmts: Sequence[Stmt]) -> list[Stmt]:
        """`float x = s[t];` as `float x; x = s[t];`: a step, and no declaration that may go elsewhere."""
        out: list[Stmt] = []
        for stmt in stmts:
            if isinstance(stmt, Decl) and isinstance(stmt.init, Expr) and self._reads_small(stmt):
                out += [
                    replace(stmt, init=None),
                    Assign(Var(stmt.dtype, stmt.name), stmt.init, range=stmt.range),
                ]
            else:
                out.append(stmt)
        return out

    def _reads_small(self, stmt: Stmt) -> bool:
        return any(isinstance(n, Load) and n.array in self.small for n in walk(stmt))

    def _is_step(self, stmt: Stmt, unknown: frozenset[str]) -> bool:
        """Whether a statement looks like a reduction step: only small arrays and known numbers."""
        for node in walk(stmt):
            match node:
                case Load(array=array):
                    if array not in self.small:
                        return False
                case Var(name=name):
                    if name in unknown:
                        return False
                case Binary(op="/" | "-" | "*" as op, left=left, right=right, dtype=dtype):
                    product_of_one = op == "*" and (
                        left == right or isinstance(left, Var) or isinstance(right, Var)
                    )
                    if dtype.is_float and not product_of_one:
                        return False
                case Call(function=function):
                    if function not in ("max", "min"):
                        return False
                case Atomic() | Instr() | Ref() | Trap():
                    return False
        return True

    def _run_end(self, parts: Sequence[Stmt], start: int, unknown: frozenset[str]) -> int:
        end = start
        while end < len(parts) and self._is_step(parts[end], unknown):
            end += 1
        while end > start and not self._reads_small(
            parts[end - 1]
        ):  # what only sets start values belongs to the next
            end -= 1
        return end

    # ------------------------------------------------------------------ replacing

    def _replaced(
        self, parts: Sequence[Stmt], start: int, end: int, before: Sequence[Stmt], machine: State
    ) -> tuple[list[Stmt], list[Stmt]] | None:
        """Statements in place of parts[start:end] and those after it; None if they are no reduction."""
        run = parts[start:end]
        if not any(isinstance(s, (For, While)) for s in run):
            return None
        if not any(map(self._is_result, (*machine.arrays.values(), *machine.scalars.values()))):
            return None  # what is read later need not be known
        after = list(parts[end:])
        try:
            live = self._live(run, before, after)
        except _Unbounded:
            return None
        if live is None:
            return None
        wanted: dict[Place, Result] = {}
        kept: set[str] = set()  # arrays of which elements are read later that stay as they are
        for place in live:
            value = machine.arrays.get(place)
            if value is None or value == Reduced("", place[0], 1 << place[1]):
                kept.add(place[0])
                continue
            if isinstance(value, Opaque):
                return None
            wanted[place] = value
        scalars = [s for s in run if isinstance(s, Decl) and not s.shape]
        later_reads = set().union(*(uses(s).vars_read for s in after)) if after else set()
        for decl in scalars:
            if decl.name in later_reads:
                value = machine.scalars[decl.name]
                if isinstance(value, Opaque):
                    return None
                wanted[decl.name, -1] = value
        if not any(self._is_result(v) for v in wanted.values()):
            return None
        return self._emitted(run, wanted, kept, before, after)

    def _is_result(self, value: Result) -> bool:
        """Whether it takes a loop to have it."""
        return isinstance(value, Reduced) and value.members.bit_count() > 1

    def _live(self, run: Sequence[Stmt], before: Sequence[Stmt], after: Sequence[Stmt]) -> list[Place] | None:
        """Elements that the run writes and that may be read later."""
        written = set().union(*(uses(s).arrays_written for s in run))
        own = {s.name for s in (*before, *run, *after) if isinstance(s, Decl)}
        assigned = set().union(*(uses(s).vars_assigned for s in run))
        declared = {
            s.name if isinstance(s, Decl) else s.var
            for r in run
            for s in walk_stmts(r)
            if isinstance(s, (Decl, For))
        }
        if assigned - declared:
            here = {s.name for s in before if isinstance(s, Decl)}
            later = set().union(*(uses(s).vars_read for s in after)) if after else set()
            if not assigned - declared <= here - later:
                return None
        soon = self._needed(after, written)
        again = self._needed((*after, *before), written)  # once more around a loop
        places: list[Place] = []
        for array in written:
            if array in own:
                places.extend(p for p in soon if p[0] == array)
            elif array not in declared:  # what is declared further inside ends there
                elsewhere = {(array, n) for n in _elements_read(self.outside, self.small[array])}
                places.extend({p for p in soon | again if p[0] == array} | elsewhere)
        return sorted(places)

    def _needed(self, stmts: Sequence[Stmt], arrays: Set[str]) -> set[Place]:
        """Elements of the arrays whose values at the start may be read by the statements in this order."""
        needed: set[Place] = set()
        killed: set[Place] = set()
        machine = self._machine()
        for stmt in stmts:
            if isinstance(stmt, Decl) and stmt.shape:
                continue
            try:
                machine.step(stmt)
                needed |= machine.read - killed
                killed |= machine.written - needed
            except Unknown:
                machine = self._machine()
                for array in uses(stmt).arrays_read & arrays:
                    decl = self.small[array]
                    needed |= {(array, n) for n in _elements_read((stmt,), decl)} - killed
                killed |= elements_written(stmt, machine.shapes) - needed
        return needed

    def _machine(self) -> Machine:
        return Machine({n: tuple(_extents(d)) for n, d in self.small.items()})

    def _emitted(
        self,
        run: Sequence[Stmt],
        wanted: dict[Place, Result],
        kept: Set[str],
        before: Sequence[Stmt],
        after: list[Stmt],
    ) -> tuple[list[Stmt], list[Stmt]] | None:
        columns = self._columns(wanted)
        if columns is not None:
            return [*(s for s in run if isinstance(s, Decl) and s.shape), columns], after
        made = self._results(tuple(dict.fromkeys(wanted.values())), kept, before)
        if made is None:
            return None
        results, loops = made
        out: list[Stmt] = [*(s for s in run if isinstance(s, Decl) and s.shape), *loops]
        stores: list[Stmt] = []
        arrays: dict[str, dict[int, Result]] = {}
        for (name, index), value in wanted.items():
            if index >= 0:
                arrays.setdefault(name, {})[index] = value
                continue
            decl = next(s for s in run if isinstance(s, Decl) and s.name == name)
            expr = self._expr(value, results, decl.dtype)
            stores.append(replace(decl, init=expr))
        for name, values in arrays.items():
            decl = self.small[name]
            distinct = set(values.values())
            if len(distinct) == 1:
                expr = self._expr(next(iter(distinct)), results, decl.dtype)
                if isinstance(expr, (Var, Const)):
                    after, stored = self._forwarded(name, values.keys(), expr, after)
                    if not stored:
                        continue
            if len(values) > _MOST_STORES:
                return None
            for index, value in sorted(values.items()):
                expr = self._expr(value, results, decl.dtype)
                stores.append(Assign(Load(decl.dtype, name, (const(index),)), expr))
        return [*out, *stores], after

    def _columns(self, wanted: Mapping[Place, Result]) -> Stmt | None:
        """The loop over sums of columns, if that is all that is wanted: `s[0][x] = + over s[..][x]`."""
        found = columns_of(wanted)
        if found is None:
            return None
        decl, into = self.small[found.array], self.small[found.into]
        start = neutral(found.op, decl.dtype)
        if start is None or into.dtype != decl.dtype:
            return None
        x, k = var(self.names.fresh("column"), I32), var(self.names.fresh("part"), I32)
        total = var(self.names.fresh(f"{decl.name}_{NAMES[found.op]}"), decl.dtype)
        at: tuple[Expr, ...] = (add(mul(k, const(found.step)), add(x, const(found.first))),)
        if _extents(decl)[1:] == [found.step] and found.first + found.count <= found.step:
            at = (k, add(x, const(found.first)))
        to: tuple[Expr, ...] = (add(x, const(found.to)),)
        if len(into.shape) == 2:
            row, first = divmod(found.to, _extents(into)[1])
            if first + found.count <= _extents(into)[1]:
                to = (const(row), add(x, const(first)))
        adding = Assign(total, Load(decl.dtype, decl.name, at), found.op)
        body = (
            Decl(total.name, total.dtype, init=start),
            For(k.name, I32, const(0), const(found.rows), const(1), Block((adding,))),
            Assign(Load(into.dtype, into.name, to), total),
        )
        return For(x.name, I32, const(0), const(found.count), const(1), Block(body), kind=LoopKind.THREADS)

    def _forwarded(
        self, name: str, indices: Iterable[int], by: Expr, after: list[Stmt]
    ) -> tuple[list[Stmt], bool]:
        """Reads of elements that all have one value, up to the next write of the array, replaced by it;
        and whether the elements have to be stored all the same."""
        decl = self.small[name]
        end = next((n for n, s in enumerate(after) if name in uses(s).arrays_written), len(after))
        if not _only_these(after[:end], decl, indices):
            return after, True
        rest = after[end:]
        elsewhere = any(name in uses(s).arrays_read for s in self.outside)
        stored = elsewhere or any(place[0] == name for place in self._needed(rest, {name}))
        return [*(_replaced_loads(s, name, by) for s in after[:end]), *rest], stored

    def _results(
        self, values: Sequence[Result], kept: Set[str], before: Sequence[Stmt]
    ) -> tuple[dict[Result, Var], list[Stmt]] | None:
        """Scalars that hold those of the values which take a loop, and the loops that they come from. Start
        elements of `kept` are wanted as they are."""
        results: dict[Result, Var] = {}
        loops: list[Stmt] = []
        folds = [v for v in values if isinstance(v, Reduced) and self._is_result(v)]
        if _read_often([fold.members for fold in folds]):
            return None
        for value in folds:
            made = self._loop(value)
            if made is None:
                return None
            results[value], stmts = made
            loops.extend(stmts)
        return results, loops

    def _expr(self, value: Result, results: dict[Result, Var], dtype: DType) -> Expr:
        if value in results:
            return results[value]
        if isinstance(value, Reduced):
            index = value.members.bit_length() - 1
            return Load(self.small[value.array].dtype, value.array, (const(index),))
        assert isinstance(value, (int, float))
        return const(value, dtype)

    def _loop(self, value: Reduced) -> tuple[Var, list[Stmt]] | None:
        """A scalar and the loop that reduces a range of elements into it."""
        decl = self.small[value.array]
        start = neutral(value.op, decl.dtype)
        if start is None:
            return None
        total = var(self.names.fresh(f"{value.array}_{NAMES[value.op]}"), decl.dtype)
        low = (value.members & -value.members).bit_length() - 1
        high = value.members.bit_length()
        if value.members != (1 << high) - (1 << low):
            return None
        counters: list[Var]
        if low == 0 and high == _size(decl):
            counters = [var(self.names.fresh("part"), I32) for _ in decl.shape]
            ends = [(const(0), e) for e in decl.shape]
        else:
            counters, ends = [var(self.names.fresh("part"), I32)], [(const(low), const(high))]
        element = Load(decl.dtype, decl.name, tuple(counters))
        body: Stmt = Assign(total, element, value.op)
        for counter, (first, last) in zip(reversed(counters), reversed(ends), strict=True):
            body = For(counter.name, I32, first, last, const(1), Block((body,)))
        stmts = [Decl(total.name, total.dtype, init=start), body]
        stmts.extend(Assign(total, const(c, decl.dtype), value.op) for c in value.constants)
        return total, stmts


def _read_often(members: Sequence[int]) -> bool:
    """Whether sums of their own would read each element again and again, as those of a scan: its steps are
    better as they are."""
    everything = 0
    for each in members:
        everything |= each
    return sum(each.bit_count() for each in members) > _MOST_READS * everything.bit_count()


def _outside(body: Block, block: Block) -> tuple[Stmt, ...]:
    """Plain statements, and heads of others, that are not in `block`."""
    found: list[Stmt] = []
    stack: list[Stmt] = [body]
    while stack:
        stmt = stack.pop()
        if stmt is block:
            continue
        inner = [c for c in children(stmt) if isinstance(c, Stmt)]
        if not inner:
            found.append(stmt)
        else:
            found.append(_head(stmt))
            stack.extend(inner)
    return tuple(found)


def _head(stmt: Stmt) -> Stmt:
    match stmt:
        case If():
            return replace(stmt, then=EMPTY, otherwise=EMPTY)
        case For():
            return replace(stmt, body=EMPTY)
        case While():
            return replace(stmt, body=EMPTY, advance=EMPTY)
    return EMPTY


def _constants(before: Sequence[Stmt]) -> dict[str, Value]:
    """Scalars that hold a known number after these statements."""
    known: dict[str, Value] = {}
    for stmt in before:
        for name in uses(stmt).vars_assigned & known.keys():
            del known[name]
        if isinstance(stmt, Decl) and not stmt.shape and isinstance(stmt.init, Const):
            known[stmt.name] = stmt.init.value
    return known


def _extents(decl: Decl) -> list[int]:
    return [int(e.value) if isinstance(e, Const) else _UNKNOWN for e in decl.shape]


def _every_load(body: Block, array: str) -> list[Load]:
    """All accesses of an array, places included; none where it is handed on as a whole or read flat."""
    found = [n for n in walk(body) if isinstance(n, Load) and n.array == array]
    whole = any(isinstance(n, Ref) and n.array == array for n in walk(body))
    return [] if whole or any(len(n.index) != 2 for n in found) else found


def _renamed_rows(body: Block, rows: Mapping[str, str]) -> Block:
    """`a[t][i]` as `row[i]`."""

    def change(load: Load) -> Load:
        return replace(load, array=rows[load.array], index=load.index[1:]) if load.array in rows else load

    return _at_loads(body, change)


def _as_rows(body: Block, rows: Mapping[str, tuple[str, Var]]) -> Block:
    """`row[i]` as `a[t][i]`."""

    def change(load: Load) -> Load:
        if load.array not in rows:
            return load
        array, counter = rows[load.array]
        return replace(load, array=array, index=(counter, *load.index))

    return _at_loads(body, change)


def _at_loads(body: Block, change: Callable[[Load], Load]) -> Block:
    result = map_expr(
        body,
        lambda e: change(e) if isinstance(e, Load) else e,
        lambda place: change(place) if isinstance(place, Load) else place,
    )
    assert isinstance(result, Block)
    return result


def _elements_read(stmts: Sequence[Stmt], decl: Decl) -> set[int]:
    """Flat indices of the elements that the statements may read."""
    found: set[int] = set()
    extents = _extents(decl)
    for stmt in stmts:
        exact = elements_read(stmt, {decl.name: tuple(extents)})
        if exact is not None:
            found |= {element for _, element in exact}
            continue
        ranges = _counters(stmt)
        for node in _read_loads(stmt, decl.name):
            flat: Expr = node.index[0]
            for i, extent in zip(node.index[1:], extents[1:], strict=False):
                flat = add(mul(flat, extent), i)
            low, high = bounds(flat, ranges)
            size = _size(decl)
            if size is None and (low is None or high is None or high >= _LARGEST):
                raise _Unbounded(decl.name)
            last = size if size is not None else _LARGEST
            found |= set(range(max(low or 0, 0), last if high is None else min(high + 1, last)))
    return found


def _counters(stmt: Stmt) -> dict[str, tuple[int, int]]:
    """Ranges of loop variables with constant bounds; of a name that two loops count, both."""
    ranges: dict[str, tuple[int, int]] = {}
    for loop in walk_stmts(stmt):
        if isinstance(loop, For) and isinstance(loop.start, Const) and isinstance(loop.stop, Const):
            low, high = int(loop.start.value), int(loop.stop.value) - 1
            if loop.var in ranges:
                low, high = min(low, ranges[loop.var][0]), max(high, ranges[loop.var][1])
            ranges[loop.var] = (low, high)
    varying = {s.var for s in walk_stmts(stmt) if isinstance(s, For) and not isinstance(s.stop, Const)}
    return {name: ends for name, ends in ranges.items() if name not in varying}


def _read_loads(stmt: Stmt, array: str) -> list[Load]:
    """Loads whose value is taken: places that are only written do not count."""
    found: list[Load] = []

    def value(expr: Expr) -> Expr:
        if isinstance(expr, Load) and expr.array == array:
            found.append(expr)
        return expr

    map_expr(stmt, value)
    for inner in walk_stmts(stmt):
        match inner:
            case Assign(target=Load(array=name) as target, reduce=str()) if name == array:
                found.append(target)
            case Atomic(place=Load(array=name) as target) if name == array:
                found.append(target)
    return found


def _only_these(stmts: Sequence[Stmt], decl: Decl, indices: Iterable[int]) -> bool:
    return _elements_read(stmts, decl) <= set(indices)


def _replaced_loads(stmt: Stmt, array: str, by: Expr) -> Stmt:
    return map_expr(stmt, lambda e: by if isinstance(e, Load) and e.array == array else e)


def _accumulated(stmts: Sequence[Stmt]) -> frozenset[str]:
    """Arrays that the statements change by `+=` and its kind alone."""
    changed: set[str] = set()
    renewed: set[str] = set()
    for stmt in stmts:
        for node in walk(stmt):
            match node:
                case Assign(target=Load(array=array), reduce=reduce):
                    (renewed if reduce is None else changed).add(array)
                case Decl(name=name):
                    renewed.add(name)
    return frozenset(changed - renewed)
