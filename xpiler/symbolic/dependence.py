"""Where values come from: which indices and conditions depend on the contents of memory.

    int j = idx[i];
    if (in[i] > 0)  out[j] = 1;      -->   index of out: {idx},  reached by: {in}

Sources are names of global arrays and `@atomic`, the old value that an atomic gave back. The analysis does
not follow the order of statements.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Block,
    Break,
    Collective,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    Ref,
    Return,
    Stmt,
    Trap,
    Var,
    While,
)
from xpiler.ir.rewrite import children, walk

Sources = frozenset[str]
NOTHING: Sources = frozenset()
ATOMIC = "@atomic"


@dataclass
class Dependence:
    """`reached`: by identity of a statement or access, what the conditions on the way to it depend on.
    `scalars`: parameters that are sources too. `by_values`: only by what values are computed from, not by
    what decides whether they are."""

    declared: frozenset[str]
    scalars: frozenset[str] = NOTHING
    by_values: bool = False
    names: dict[str, Sources] = field(default_factory=dict)
    loaded: dict[str, Sources] = field(default_factory=dict)  # scalars computed from loads alone
    reached: dict[int, Sources] = field(default_factory=dict)
    _changed: bool = True
    _ambient: Sources = NOTHING  # of returns further up

    @staticmethod
    def of(function: Function, scalars: Sources = NOTHING, *, by_values: bool = False) -> Dependence:
        declared = frozenset(n.name for n in walk(function.body) if isinstance(n, Decl) and n.shape)
        found = Dependence(declared, scalars, by_values)
        while found._changed:
            found._changed = False
            found._ambient = NOTHING
            found._block(function.body, NOTHING)
        return found

    def of_expr(self, expr: Expr) -> Sources:
        total = NOTHING
        for node in walk(expr):
            match node:
                case Var(name=name):
                    total |= self.names.get(name, NOTHING)
                    if name in self.scalars:
                        total |= {name}
                case Load(array=array) | Ref(array=array):
                    total |= self.names.get(array, NOTHING)
                    if array not in self.declared:
                        total |= {array}
        return total

    def of_index(self, place: Load | Ref) -> Sources:
        parts = place.index if isinstance(place, Load) else (place.offset,)
        total = NOTHING
        for part in parts:
            total |= self.of_expr(part)
        return total

    def fetched(self, place: Load | Ref) -> Sources:
        """Arrays whose elements are the index, perhaps after arithmetic: `out[perm[i] * n]`; not an index
        that threads worked out together, as the sum of what others keep."""
        parts = place.index if isinstance(place, Load) else (place.offset,)
        return NOTHING.union(*(self._fetched(part) for part in parts))

    def _fetched(self, expr: Expr) -> Sources:
        total = NOTHING
        for node in walk(expr):
            match node:
                case Var(name=name):
                    total |= self.loaded.get(name, NOTHING)
                case Load(array=array) if array not in self.declared:
                    total |= {array}
        return total

    def _load(self, name: str, value: Expr) -> None:
        old = self.loaded.get(name, NOTHING)
        new = old | self._fetched(value)
        if new != old:
            self.loaded[name] = new
            self._changed = True

    def data(self) -> Sources:
        """Arrays whose contents decide where or whether something is accessed."""
        total = NOTHING
        for sources in self.reached.values():
            total |= sources
        return total

    # ------------------------------------------------------------------------------------------ statements

    def _give(self, name: str, sources: Sources) -> None:
        old = self.names.get(name, NOTHING)
        if not sources <= old:
            self.names[name] = old | sources
            self._changed = True

    def _way(self, sources: Sources) -> Sources:
        """Sources of what decides that something happens, or where."""
        return NOTHING if self.by_values else sources

    def _note(self, stmt: Stmt, control: Sources) -> None:
        """Remember the way to a statement and to the accesses in its own expressions."""
        stack: list[object] = [stmt]
        self.reached[id(stmt)] = self.reached.get(id(stmt), NOTHING) | control
        while stack:
            node = stack.pop()
            for child in children(node):  # type: ignore[arg-type]
                if not isinstance(child, Stmt):
                    stack.append(child)
                    if isinstance(child, (Load, Ref)):
                        known = self.reached.get(id(child), NOTHING)
                        self.reached[id(child)] = known | control | self.of_index(child)

    def _block(self, block: Block, control: Sources) -> Sources:
        """Returns what leaving this block early (`break`, `continue`) depends on."""
        leaving = NOTHING
        for stmt in block.body:
            leaving |= self._statement(stmt, control | leaving | self._ambient)
        return leaving

    def _statement(self, stmt: Stmt, control: Sources) -> Sources:
        self._note(stmt, control)
        match stmt:
            case Block():
                return self._block(stmt, control)
            case Decl(name=name, init=init):
                values = (init,) if isinstance(init, Expr) else (init or ())
                for value in values:
                    self._give(name, self.of_expr(value) | self._way(control))
                    self._load(name, value)
            case Assign(target=Var(name=name), value=value):
                self._load(name, value)
                self._give(name, self.of_expr(value) | self._way(control))
            case Assign(target=Load(array=array) as place, value=value):
                self._give(array, self.of_expr(value) | self._way(control | self.of_index(place)))
            case Atomic(place=place, args=args, target=target):
                sources = self._way(control | self.of_index(place))
                for arg in args:
                    sources |= self.of_expr(arg)
                self._give(place.array, sources)
                if target is not None:
                    self._give(target.name, sources | {ATOMIC})
            case Collective(target=target, args=args):
                sources = self._way(control)
                for arg in args:
                    sources |= self.of_expr(arg)
                self._give(target.name, sources)
            case Instr(operands=operands):
                sources = self._way(control)
                for operand in operands:
                    sources |= self.of_expr(operand)
                if operands and isinstance(operands[0], Ref):
                    self._give(operands[0].array, sources)
            case If(condition=condition):
                inner = control | self.of_expr(condition)
                leaving = self._block(stmt.then, inner) | self._block(stmt.otherwise, inner)
                return leaving | self._leaves(stmt, inner)
            case For():
                ends = NOTHING.union(*(self.of_expr(end) for end in (stmt.start, stmt.stop, stmt.step)))
                self._give(stmt.var, ends)
                self._turns(stmt.body, control | ends)
            case While(condition=condition):
                inner = self._turns(stmt.body, control | self.of_expr(condition))
                self._block(stmt.advance, inner)
            case Trap():
                pass
        return NOTHING

    def _turns(self, body: Block, control: Sources) -> Sources:
        """The body of a loop: whether there is another turn depends on what leaves it early, too."""
        inner = control | self._block(body, control)
        if inner != control:
            self._block(body, inner)
        return inner

    def _leaves(self, stmt: If, inner: Sources) -> Sources:
        inside = list(walk(stmt))
        if any(isinstance(n, Return) for n in inside):
            self._ambient |= inner
        return inner if any(isinstance(n, (Break, Continue)) for n in inside) else NOTHING


def counts_by_data(function: Function) -> bool:
    """Whether data say how often a loop turns: `while (e < ends[row]) ++e`."""
    values = Dependence.of(function, by_values=True)
    for node in walk(function.body):
        match node:
            case For():
                if any(values.of_expr(end) for end in (node.start, node.stop, node.step)):
                    return True
            case While():
                stepped = {
                    n.target.name
                    for part in (node.body, node.advance)
                    for n in walk(part)
                    if isinstance(n, Assign) and isinstance(n.target, Var)
                }
                for test in walk(node.condition):
                    sides = (test.left, test.right) if isinstance(test, Binary) else ()
                    for one, other in (sides, sides[::-1]) if sides else ():
                        if isinstance(one, Var) and one.name in stepped and values.of_expr(other):
                            return True
    return False
