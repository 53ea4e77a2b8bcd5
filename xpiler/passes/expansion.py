"""Values that live across a meeting point of the threads become arrays over the threads of the team.

    float acc = 0;              float acc[16][16];
    [region 1: acc += a]   -->  [region 1: acc[ty][tx] += a]
    [region 2: c = acc]         [region 2: c = acc[ty][tx]]

Not everything has to: index arithmetic of thread and block indices is computed again in every region
that uses it, and a variable that every region sets before it reads it is declared anew in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from xpiler.ir.build import add, const, mul
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Block,
    Call,
    Cast,
    Collective,
    Const,
    Decl,
    Expr,
    For,
    If,
    Load,
    Ref,
    Select,
    Space,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import map_expr, uses, walk, walk_exprs, walk_stmts
from xpiler.ir.types import DType
from xpiler.passes.names import Names
from xpiler.passes.regions import Item, Nest, Once, Region, regions, team_expressions
from xpiler.passes.targets import with_plain_targets

_CHEAP_NODES = 40


@dataclass(frozen=True)
class Member:
    """How one thread of the team is addressed in an expanded array."""

    shape: tuple[Expr, ...]
    index: tuple[Expr, ...]

    @property
    def first(self) -> tuple[Expr, ...]:
        """The index of the first thread."""
        return tuple(const(0) for _ in self.shape)


@dataclass
class Expansion:
    """Decides for every private variable of the items what becomes of it, and rewrites them."""

    threads: Member
    fragments: Member  # FRAGMENT arrays: one a warp
    team_scalars: set[str]
    names: Names
    private: dict[str, Decl] = field(default_factory=dict)
    expanded: dict[str, Member] = field(default_factory=dict)
    _flat: set[str] = field(default_factory=set)

    def apply(self, items: list[Item], is_team: set[str]) -> list[Item]:
        """`is_team`: accumulators and arrays of the team, which stay as they are."""
        parts = list(regions(items))
        home: dict[str, Region] = {}
        for region in parts:
            for stmt in region.stmts:
                if isinstance(stmt, Decl) and stmt.name not in is_team:
                    self.private[stmt.name] = stmt
                    home[stmt.name] = region
        accessed = [_names(Block(tuple(r.stmts))) for r in parts]
        by_team = [_names(s) for s in team_expressions(items)]
        counts = _assignment_counts(items)
        again = self._recomputable(counts)
        for name, decl in self.private.items():
            users = [r for r, names in zip(parts, accessed, strict=True) if name in names]
            if decl.init is None:
                users = [r for r in users if r is not home[name] or name in _names(_without(r, decl))]
            team_reads = any(name in names for names in by_team)
            if not team_reads and all(r is home[name] for r in users):
                continue
            if name in again and not team_reads:
                continue
            if not team_reads and not decl.shape and self._set_first(name, users, home[name], decl):
                self._redeclare(decl, users, home[name])
                continue
            self.expanded[name] = self.fragments if decl.space is Space.FRAGMENT else self.threads
        self._recompute(parts, again, home)
        self._find_flat(items)
        return self._rewrite(items)

    # ------------------------------------------------------------------ computed again

    def _recomputable(self, counts: dict[str, int]) -> dict[str, Decl]:
        """Scalars set once by cheap arithmetic on what never changes, in order of declaration."""
        found: dict[str, Decl] = {}
        for name, decl in self.private.items():
            if (
                decl.shape
                or not isinstance(decl.init, Expr)
                or counts[name] != 1
                or not decl.dtype.is_integer
            ):
                continue
            if not _cheap(decl.init):
                continue
            operands = {e.name for e in walk_exprs(decl.init) if isinstance(e, Var)}
            if all(self._stable(o, counts, found) for o in operands):
                found[name] = decl
        return found

    def _stable(self, name: str, counts: dict[str, int], found: dict[str, Decl]) -> bool:
        if name in found:
            return True
        if name in self.private:
            return False
        return counts.get(name, 0) <= (1 if name in self.team_scalars else 0)

    def _recompute(self, parts: Sequence[Region], again: dict[str, Decl], home: dict[str, Region]) -> None:
        for region in parts:
            wanted = {n for n in _names(Block(tuple(region.stmts))) if n in again}
            closed: set[str] = set()
            while wanted:
                name = wanted.pop()
                if name in closed or name in self.expanded:
                    continue
                closed.add(name)
                init = again[name].init
                assert isinstance(init, Expr)
                wanted |= {n for n in _names(Assign(Var(init.dtype, name), init)) if n in again}
            copies = [d for n, d in again.items() if n in closed and home[n] is not region]
            region.stmts[:0] = copies

    # ------------------------------------------------------------------ set before read

    def _set_first(self, name: str, users: Sequence[Region], home: Region, decl: Decl) -> bool:
        return not any(
            _exposed(r.stmts, name, r is home and decl.init is not None)[0] for r in users if r is not home
        ) and (decl.init is not None or not _exposed(_without(home, decl).body, name, False)[0])

    def _redeclare(self, decl: Decl, users: Sequence[Region], home: Region) -> None:
        bare = Decl(decl.name, decl.dtype, range=decl.range)
        if home not in users:
            home.stmts[:] = [s for s in home.stmts if s is not decl]
        for region in users:
            if region is not home:
                region.stmts.insert(0, bare)

    # ------------------------------------------------------------------ rewriting

    def _find_flat(self, items: Sequence[Item]) -> None:
        """Expanded arrays that some access addresses by a flat or reinterpreting index."""
        for stmt in _all_stmts(items):
            for node in walk(stmt):
                match node:
                    case Load(array=array, index=index) if array in self.expanded:
                        decl = self.private[array]
                        if len(index) != len(decl.shape) or node.dtype != decl.dtype:
                            self._flat.add(array)
                    case Ref(array=array) if array in self.expanded:
                        self._flat.add(array)

    def _rewrite(self, items: Sequence[Item]) -> list[Item]:
        out: list[Item] = []
        for item in items:
            match item:
                case Region(stmts=stmts):
                    own = [s for s in stmts if isinstance(s, Decl) and s.name in self.expanded]
                    out.extend(Once(self._declaration(d)) for d in own)
                    body = [r for s in stmts for r in self._in_region(s)]
                    if body:
                        out.append(Region(body))
                case Once(stmt=stmt):
                    out.append(Once(self._members(stmt, first=True)))
                case Nest(stmt=stmt, body=body_items, otherwise=otherwise):
                    head = self._members(_headless(stmt), first=True)
                    assert isinstance(head, (If, For, While))
                    out.append(Nest(head, self._rewrite(body_items), self._rewrite(otherwise)))
        return out

    def _declaration(self, decl: Decl) -> Decl:
        member = self.expanded[decl.name]
        shape = decl.shape
        if decl.name in self._flat and len(shape) > 1 and decl.space is not Space.FRAGMENT:
            shape = (_product(shape),)
        space = Space.LOCAL if decl.space is not Space.FRAGMENT else Space.FRAGMENT
        return replace(decl, shape=(*member.shape, *shape), init=None, space=space)

    def _in_region(self, stmt: Stmt) -> tuple[Stmt, ...]:
        if isinstance(stmt, Decl) and stmt.name in self.expanded:
            return self._initial(stmt)
        plain = with_plain_targets(stmt, self.expanded, self.names)
        parts = plain.body if isinstance(plain, Block) else (plain,)
        return tuple(self._members(s, first=False) for s in parts)

    def _initial(self, decl: Decl) -> tuple[Stmt, ...]:
        if decl.init is None:
            return ()
        if isinstance(decl.init, Expr):
            target = Var(decl.dtype, decl.name)
            return (self._members(Assign(target, decl.init, range=decl.range), first=False),)
        return tuple(self._members(s, first=False) for s in _array_init(decl))

    def _members(self, stmt: Stmt, first: bool) -> Stmt:
        if not self.expanded:
            return stmt

        def value(expr: Expr) -> Expr:
            match expr:
                case Var(name=name) if name in self.expanded and not self.private[name].shape:
                    member = self.expanded[name]
                    return Load(expr.dtype, name, member.first if first else member.index, range=expr.range)
                case Load(array=array, index=index) if array in self.expanded and self.private[array].shape:
                    return self._element(expr, index, first)
                case Ref(array=array, offset=offset) if array in self.expanded:
                    base = self._base(array, first, expr.dtype)
                    return replace(expr, offset=add(base, offset))
            return expr

        def place(target: Var | Load) -> Var | Load:
            new = value(target)
            assert isinstance(new, (Var, Load))
            return new

        return map_expr(stmt, value, place)

    def _element(self, load: Load, index: tuple[Expr, ...], first: bool) -> Load:
        member = self.expanded[load.array]
        if load.array not in self._flat:
            return replace(load, index=(*(member.first if first else member.index), *index))
        flat = index[0] if len(index) == 1 else flatten(index, self.private[load.array].shape)
        return replace(load, index=(add(self._base(load.array, first, load.dtype), flat),))

    def _base(self, array: str, first: bool, dtype: DType) -> Expr:
        """Flat offset of the thread's copy, in units of `dtype`."""
        decl, member = self.private[array], self.expanded[array]
        size = mul(_product(decl.shape), decl.dtype.bytes)
        units = const(int(size.value) // dtype.bytes) if isinstance(size, Const) else _product(decl.shape)
        return mul(flatten(member.first if first else member.index, member.shape), units)


def flatten(index: Sequence[Expr], shape: Sequence[Expr]) -> Expr:
    """Row-major offset."""
    offset: Expr = const(0)
    for i, extent in zip(index, shape, strict=True):
        offset = add(mul(offset, extent), i)
    return offset


def _product(shape: Sequence[Expr]) -> Expr:
    total: Expr = const(1)
    for extent in shape:
        total = mul(total, extent)
    return total


def _array_init(decl: Decl) -> tuple[Stmt, ...]:
    """The leading elements of an initialised array, then zeros, as assignments."""
    assert isinstance(decl.init, tuple)
    total = _product(decl.shape)
    assert isinstance(total, Const)
    zero = const(0, decl.dtype)
    values = [*decl.init, *[zero] * (int(total.value) - len(decl.init))]
    extents = [int(e.value) if isinstance(e, Const) else 0 for e in decl.shape]
    out: list[Stmt] = []
    for n, value in enumerate(values):
        digits: list[Expr] = []
        for extent in reversed(extents):
            digits.insert(0, const(n % extent))
            n //= extent
        out.append(Assign(Load(decl.dtype, decl.name, tuple(digits)), value))
    return tuple(out)


def _headless(stmt: If | For | While) -> If | For | While:
    empty = Block(())
    if isinstance(stmt, If):
        return replace(stmt, then=empty, otherwise=empty)
    return replace(stmt, body=empty)


def _all_stmts(items: Sequence[Item]) -> list[Stmt]:
    return [s for r in regions(items) for s in r.stmts] + list(team_expressions(items))


def _names(stmt: Stmt) -> set[str]:
    """Every scalar and array that is mentioned, declarations apart."""
    found = uses(stmt)
    refs = {n.array for n in walk(stmt) if isinstance(n, Ref)}
    return set(found.vars_read | found.vars_assigned | found.arrays_read | found.arrays_written | refs)


def _without(region: Region, decl: Decl) -> Block:
    return Block(tuple(s for s in region.stmts if s is not decl))


def _assignment_counts(items: Sequence[Item]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for stmt in _all_stmts(items):
        for inner in walk_stmts(stmt):
            name = None
            match inner:
                case Decl(name=declared, shape=()) if inner.init is not None:
                    name = declared
                case Assign(target=Var(name=target)) | Collective(target=Var(name=target)):
                    name = target
                case Atomic(target=Var(name=target)):
                    name = target
                case For(var=target):
                    name = target
            if name is not None:
                counts[name] = counts.get(name, 0) + 1
    return counts


def _cheap(init: Expr) -> bool:
    nodes = list(walk_exprs(init))
    return len(nodes) <= _CHEAP_NODES and all(
        isinstance(e, (Const, Var, Unary, Binary, Cast, Select))
        or (isinstance(e, Call) and e.function in ("min", "max"))
        for e in nodes
    )


def _exposed(stmts: Sequence[Stmt], name: str, assigned: bool) -> tuple[bool, bool]:
    """Whether `name` may be read before it is set in `stmts`, and whether it is certainly set afterwards."""
    for stmt in stmts:
        if assigned:
            return False, True
        match stmt:
            case Block(body=body):
                exposed, assigned = _exposed(body, name, False)
                if exposed:
                    return True, False
            case Assign(target=Var(name=target), value=value, reduce=None) if target == name:
                if _reads(value, name):
                    return True, False
                assigned = True
            case Decl(name=declared, init=Expr() as init) if declared == name:
                assigned = True
                if _reads(init, name):
                    return True, False
            case Collective(target=Var(name=target)) | Atomic(target=Var(name=target)) if target == name:
                if name in uses(stmt).vars_read:
                    return True, False
                assigned = True
            case If(condition=condition, then=then, otherwise=otherwise):
                if _reads(condition, name):
                    return True, False
                one, first = _exposed(then.body, name, False)
                two, second = _exposed(otherwise.body, name, False)
                if one or two:
                    return True, False
                assigned = first and second
            case For(start=start, stop=stop, step=step, body=body_block):
                if any(_reads(e, name) for e in (start, stop, step)):
                    return True, False
                if _exposed(body_block.body, name, False)[0]:
                    return True, False
            case While(condition=condition, body=body_block, advance=advance):
                if _reads(condition, name):
                    return True, False
                if _exposed((*body_block.body, *advance.body), name, False)[0]:
                    return True, False
            case _:
                if name in uses(stmt).vars_read or _reduces(stmt, name):
                    return True, False
    return False, assigned


def _reads(expr: Expr, name: str) -> bool:
    return any(isinstance(e, Var) and e.name == name for e in walk_exprs(expr))


def _reduces(stmt: Stmt, name: str) -> bool:
    return (
        isinstance(stmt, Assign)
        and stmt.reduce is not None
        and isinstance(stmt.target, Var)
        and stmt.target.name == name
    )
