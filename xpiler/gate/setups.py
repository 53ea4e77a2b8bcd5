"""Which functions of a file have to be called before an entry: those that set up the state that it uses.

    static float *weights;                                       run(x, y, n) uses `weights`,
    void load(const float *w, int n) { cudaMalloc(&weights...) }   -->   null until load(w, n) was called:
    void run(const float *x, float *y, int n) { k<<<...>>>(x, weights, y, n); }    call load, then run

State is a variable of file scope that begins empty, or an object that the entry is handed (`run(ctx, x, y)`
after `ctx = create(n)`). What a function sets and uses is read off its text and that of those that it calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from xpiler.frontend.unit import HostFunction, Record, Unit
from xpiler.gate.contract import Setup
from xpiler.ir.nodes import Param

_ADDRESS = r"(?:[(,=?:]|\*\s*\)|\breturn\b)\s*&\s*(?:\w+\s*(?:\.|->)\s*)*"  # not a bitwise and
_COPY = r"\w*(?:Memcpy|Memset)\w*\s*\(\s*[^,;]*"
_NOTHING = r"(?:nullptr|NULL|0|\{\s*\}|false)\s*[;,)]"
_MOST = 8  # calls before an entry; more are no set-up

# `table[i](x)`, `table[i].run(x)`, `(*run)(x)`, `auto run = table[i]; run(x)`
_CALLED_VALUE = re.compile(
    r"\]\s*\(|(?:\.|->)\s*\w+\s*\(|\(\s*\*[^()]+\)\s*\(|\b(\w+)\s*(?:=(?!=)|\{)[^;]*;.*\b\1\s*\(", re.S
)


@dataclass(frozen=True)
class Plan:
    """`before`: the calls, in order; `handed`: what the entry is given, by name; `params`: everything that
    has to be made up. `functions` are those of `before`; `missing` says what nobody sets up."""

    before: tuple[Setup, ...]
    handed: tuple[str, ...]
    params: tuple[Param, ...]
    functions: tuple[HostFunction, ...]
    missing: tuple[str, ...]


class Setups:
    """What the host functions of a file do to its state."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.empty = {v.name for v in unit.variables if v.begins_empty}
        self.empty |= {f"*{v.name}" for v in unit.variables if v.begins_empty and v.is_pointer}
        self.records = {record.name: record for record in unit.records}

    def plan(self, entry: HostFunction) -> Plan:
        """How `entry` is called so that what it uses is there."""
        return _Order(self, entry).plan()

    # ------------------------------------------------------------------------------ what a function does

    def reached(self, function: HostFunction) -> tuple[HostFunction, ...]:
        """The function and those of the file that it calls, directly or through others, also by tables."""
        found = [function]
        for current in found:
            called = re.findall(r"\b(\w+)\s*(?:<[^;{}()]*>)?\s*\(", current.body)
            for word in dict.fromkeys([*called, *self._taken_by(current)]):
                found += [f for f in self._named.get(word, ()) if f not in found]
        return tuple(found)

    def _taken_by(self, function: HostFunction) -> Iterator[str]:
        """Functions that it takes as values, and those in variables of which it calls something."""
        calls = _CALLED_VALUE.search(function.body) is not None
        for taken in self.unit.taken:
            named = calls and taken.variable and re.search(rf"\b{taken.variable}\b", function.body)
            if taken.inside == function.name or (named and not taken.inside):
                yield taken.name

    def reached_by_name(self, name: str) -> tuple[HostFunction, ...]:
        """The functions of that name, and those that they call."""
        return tuple(f for named in self._named.get(name, ()) for f in self.reached(named))

    @cached_property
    def _named(self) -> dict[str, list[HostFunction]]:
        named: dict[str, list[HostFunction]] = {}
        for function in self.unit.host_functions:
            named.setdefault(function.name, []).append(function)
        return named

    def uses(self, function: HostFunction, names: Iterable[str]) -> set[str]:
        """Which variables or members (`*name`: what they point to) the function mentions."""
        text = " ".join(f.body for f in self.reached(function))
        return {name for name in names if re.search(rf"\b{name.lstrip('*')}\b", text)}

    def sets(self, function: HostFunction, names: Iterable[str]) -> set[str]:
        """Which of them it gives a value to; contents by copying to them."""
        return {name for name in names if any(self._gives(f, name) for f in self.reached(function))}

    def _gives(self, function: HostFunction, name: str) -> bool:
        """Whether the text gives the variable or member `name` a value, or hands out its address for that."""
        if name.startswith("*"):
            return re.search(rf"{_COPY}\b{name[1:]}\b", function.body) is not None
        place = rf"(?<![\w]){name}\s*(?:\[[^\]]*\]\s*)*(?:(?:\.|->)\s*\w+\s*(?:\[[^\]]*\]\s*)*)*"
        for match in re.finditer(rf"{place}=(?!=)\s*", function.body):
            if not re.match(_NOTHING, function.body[match.end() :]):
                return True
        if re.search(rf"{_ADDRESS}{name}\b(?!\s*\()", function.body):
            return True
        return any(
            "&" in parameter.spelling and "const" not in parameter.spelling and argument == name
            for callee, arguments in _calls(function.body)
            for f in self._named.get(callee, ())
            for parameter, argument in zip(f.params, arguments, strict=False)
        )

    def record_of(self, param: Param) -> Record | None:
        """The struct with pointers in it (or handle) that a parameter hands over, None for plain data."""
        return self.records.get(_bare(param.spelling))


class _Order:
    """The calls before one entry, found from the last to the first."""

    def __init__(self, setups: Setups, entry: HostFunction) -> None:
        self.setups, self.entry = setups, entry
        self.objects = {p.name: record for p in entry.params if (record := setups.record_of(p))}
        self.chosen: list[HostFunction] = []

    def plan(self) -> Plan:
        missing = self._prepare(self.entry)
        creators: dict[str, HostFunction] = {}
        for name, record in self.objects.items():
            creator = self._creator(record)
            if creator is None:
                missing.add(name)
            else:
                creators[name] = creator
                missing |= self._prepare(creator)
        return self._written_out(creators, missing)

    def _needs(self, function: HostFunction) -> set[str]:
        """The empty variables that the function uses and that it does not set itself."""
        used = self.setups.uses(function, self.setups.empty)
        return used - self.setups.sets(function, used)

    def _prepare(self, function: HostFunction, on_the_way: frozenset[str] = frozenset()) -> set[str]:
        """Chooses what has to come before `function`; what nobody sets is returned."""
        needed = self._needs(function) - on_the_way - self._set_so_far()
        missing: set[str] = set()
        while needed and len(self.chosen) < _MOST:
            candidate = self._best(needed)
            if candidate is None:
                return missing | {name for name in needed if not name.startswith("*")}
            missing |= self._prepare(candidate, on_the_way | self.setups.sets(candidate, needed))
            if candidate not in self.chosen:
                self.chosen.append(candidate)
            needed -= self._set_so_far()
        return missing

    def _set_so_far(self) -> set[str]:
        return {name for f in self.chosen for name in self.setups.sets(f, self.setups.empty)}

    def _best(self, needed: set[str]) -> HostFunction | None:
        """The function that sets most of what is needed, the first one of them."""
        return max(
            (f for f in self._callable() if self.setups.sets(f, needed)),
            key=lambda f: len(self.setups.sets(f, needed)),
            default=None,
        )

    def _callable(self) -> list[HostFunction]:
        """Functions that can be called from outside: complete by themselves, not a part of the entry."""
        inner = self.setups.reached(self.entry)
        found = [
            f
            for f in self.setups.unit.host_functions
            if f.name != "main" and f not in inner and f not in self.chosen and not f.is_template
        ]
        parts = {g for f in found for g in self.setups.reached(f)[1:]}
        return [f for f in found if f not in parts] or found

    # ------------------------------------------------------------------------------ objects

    def _creator(self, record: Record) -> HostFunction | None:
        """The function that makes an object of the type: returns one, fills one, or hands one out."""
        for fits in (_returns, _hands_out, self._fills):
            for function in self._callable():
                if fits(function, record):
                    return function
        return None

    def _fills(self, function: HostFunction, record: Record) -> bool:
        position = _object_position(function, record)
        if position is None or "const" in function.params[position].spelling:
            return False
        return bool(self.setups.sets(function, _and_contents(record)))

    def _fillers(self, record: Record, creator: HostFunction) -> list[HostFunction]:
        """Further functions that set members which the entry uses and the creator leaves unset."""
        used = self.setups.uses(self.entry, _and_contents(record))
        needed = used - self.setups.sets(self.entry, used) - self.setups.sets(creator, used)
        found: list[HostFunction] = []
        for function in self._callable():
            given = self.setups.sets(function, needed) if self._fills(function, record) else set()
            if given and function is not creator and len(found) < _MOST:
                found.append(function)
                needed -= given
        return found

    # ------------------------------------------------------------------------------ calls

    def _written_out(self, creators: dict[str, HostFunction], missing: set[str]) -> Plan:
        params = [p for p in self.entry.params if p.name not in creators]
        handed = tuple(p.name for p in self.entry.params)
        before = [self._call(f, params, "") for f in self.chosen]
        functions = list(self.chosen)
        made: dict[HostFunction, str] = {}
        for name, creator in creators.items():
            record = self.objects[name]
            if creator in made:
                handed = tuple(made[creator] if a == name else a for a in handed)
                continue
            made[creator] = name
            fillers = self._fillers(record, creator)
            before.append(self._call(creator, params, name, record))
            before += [self._call(f, params, name, record, again=True) for f in fillers]
            functions += [creator, *fillers]
        return Plan(tuple(before), handed, tuple(params), tuple(functions), tuple(sorted(missing)))

    def _call(
        self,
        function: HostFunction,
        params: list[Param],
        made: str,
        record: Record | None = None,
        *,
        again: bool = False,
    ) -> Setup:
        """The call of `function`; its parameters are added to `params`, sizes of the same name are shared."""
        own: int | None = None
        form = ""
        if record is None:
            pass
        elif not again and _returns(function, record):
            form = "returned"
        elif not again and _hands_out(function, record):
            form, own = "out", next(i for i, p in enumerate(function.params) if _points_out(p, record))
        else:
            form, own = "again" if again else "place", _object_position(function, record)
        names: list[str] = []
        for position, param in enumerate(function.params):
            if position == own:
                names.append("")
                continue
            same = next((p for p in params if p.name == param.name), None)
            if (
                same is not None
                and not same.is_pointer
                and same.dtype == param.dtype
                and not param.is_pointer
            ):
                names.append(param.name)
                continue
            named = param if same is None else replace(param, name=f"{function.name}.{param.name}")
            params.append(named)
            names.append(named.name)
        return Setup(function.callee, tuple(names), made, form)


def _and_contents(record: Record) -> list[str]:
    return [*record.members, *(f"*{member}" for member in record.members)]


def _bare(spelling: str) -> str:
    """The name of a type: no qualifiers, pointers, references."""
    words = re.sub(
        r"\b(?:const|struct|class|volatile|__restrict__|__restrict|restrict)\b|[*&]", " ", spelling
    )
    return " ".join(words.split())


def _returns(function: HostFunction, record: Record) -> bool:
    return _bare(function.returns) == record.name


def _points_out(param: Param, record: Record) -> bool:
    """`Net **out`, or `Handle *out` of an opaque handle: where a function leaves the object that it made."""
    if _bare(param.spelling) != record.name:
        return False
    return param.spelling.count("*") + param.spelling.count("&") + record.is_handle == 2


def _hands_out(function: HostFunction, record: Record) -> bool:
    return any(_points_out(p, record) for p in function.params)


def _object_position(function: HostFunction, record: Record) -> int | None:
    return next((i for i, p in enumerate(function.params) if _bare(p.spelling) == record.name), None)


def _calls(text: str) -> list[tuple[str, list[str]]]:
    """Calls with arguments that hold no parentheses: enough to see a variable handed over as it is."""
    return [
        (callee, [a.strip() for a in arguments.split(",")])
        for callee, arguments in re.findall(r"\b(\w+)\s*\(([^()]*)\)", text)
    ]
