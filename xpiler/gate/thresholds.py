"""Where a text's decisions about scalar parameters turn: the values at which a comparison changes its answer.

    if (alpha == 1.0f) ...                            -->  alpha: 1, and the floats beside it
    int blocks = (n + 255) / 256; if (blocks > 16)    -->  n: 4096, 4097, 4098
    if (alpha == 1.0f && beta == 0.0f)                -->  both at once, too
    for (; i + 16 <= n; i += 16)                      -->  n: 16, where it first turns, and what i ends at

A text may treat the very value of a factor or a size differently, in host code or in a kernel. Every
comparison that its syntax shows, also of extrema, remainders and cases of a switch, is taken as a formula
over the entry's scalars, through variables that have one value and the arguments of calls and launches.
What cannot be followed is left out: this only finds values to try, and the source says which it takes.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tree_sitter import Node

from xpiler.frontend.syntax import SyntaxUnit
from xpiler.frontend.syntax_model import FunctionDef
from xpiler.gate.contract import Scalar

_DEPTH = 6  # of variables and calls that one goes through
_MOST_COMPARISONS = 400
_MOST_ROOTS = 3  # of one comparison
_LARGEST = 1 << 20  # of whole numbers
_CLOSE = 40  # whole numbers that are tried one by one: remainders turn often
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_EXTREMA = re.compile(r"^(?:std::)?(?:f?(?:min|max)f?|fm(?:in|ax)[fl]?|clamp)$", re.I)
_NUMBER = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([fFlLuU]*)$")
_CASTS = ("static_cast", "int", "float", "double", "long", "unsigned", "size_t", "int64_t", "uint32_t")

_SIZES = {
    r"char|u?int8_t|bool": 1,
    r"short|u?int16_t|half|__half|bfloat16_t": 2,
    r"int|float|unsigned|signed|u?int32_t": 4,
    r"long|long long|double|u?int64_t|size_t": 8,
}
_WELL_BEYOND = 3 / 2  # of a whole number: what lies behind it shows in one element of that many

Value = int | float | bool
Scalars = Mapping[str, Scalar]


@dataclass(frozen=True)
class Formula:
    """A value as a function of the entry's scalars, and which of them it depends on."""

    names: frozenset[str]
    at: Callable[[Scalars], Value]


@dataclass(frozen=True)
class Turn:
    """Values of scalars at which a comparison turns: the point itself, or beside it. `others`: those that it
    depends on besides."""

    values: tuple[tuple[str, Scalar], ...]
    others: frozenset[str] = frozenset()


class Thresholds:
    """The comparisons of one text. `entry`: the function whose scalars are asked for, as it is called,
    `params` what they are called, by position (empty for one that is no scalar)."""

    def __init__(self, unit: SyntaxUnit, entry: str, params: Sequence[str]) -> None:
        self._unit = unit
        functions = (*unit.kernels, *unit.device_functions, *unit.host_functions)
        self.functions = [f for f in functions if f.body is not None]
        self._entry, self._params = entry.split("<")[0].split("::")[-1], params
        self._scalars = {name for name in params if name}
        self._calls = dict(self._arguments())
        self._globals = {g.name: g.init for g in unit.globals if g.init is not None}
        self._known: dict[tuple[int, str, bool], Formula | None] = {}
        self._at_start = False  # whether counters are what they begin at, not what they end at
        self._set: dict[int, dict[str, list[Node]]] = {}  # by the function's body

    def turns(self, base: Scalars, doubles: frozenset[str] = frozenset()) -> Iterator[Turn]:
        """What to try, comparison by comparison, all else as in `base`. `doubles`: parameters of 64 bits."""
        seen: set[Turn] = set()
        for number, (function, node) in enumerate(self._comparisons()):
            if number == _MOST_COMPARISONS:
                return
            for turn in self._turns_of(function, node, base, doubles):
                if turn not in seen:
                    seen.add(turn)
                    yield turn

    def _turns_of(
        self, function: FunctionDef, node: Node, base: Scalars, doubles: frozenset[str]
    ) -> Iterator[Turn]:
        if self._operator(node) == "&&":
            yield from self._together(function, node, base, doubles)
            return
        equal = self._operator(node) in ("==", "!=", "!")
        for side in self._sides(function, node):
            for name in sorted(side.names & base.keys()):
                for root in _roots(side, name, base, self._numbers(node), equal=equal):
                    for value in _beside(root, base[name], wide=name in doubles):
                        yield Turn(((name, value),), side.names - {name})

    def _together(
        self, function: FunctionDef, node: Node, base: Scalars, doubles: frozenset[str]
    ) -> Iterator[Turn]:
        """All conditions of a conjunction met at their edge, each by another parameter."""
        met: dict[str, Scalar] = {}
        for part in _conjuncts(node, self._operator):
            if self._operator(part) not in _COMPARISONS:
                continue
            for side in self._sides(function, part):
                free = sorted((side.names & base.keys()) - met.keys())
                roots = list(_roots(side, free[0], {**base, **met}, self._numbers(part))) if free else []
                if roots:
                    met[free[0]] = _beside(roots[0], base[free[0]], wide=free[0] in doubles)[0]
        if len(met) > 1:
            yield Turn(tuple(met.items()))

    def _comparisons(self) -> Iterator[tuple[FunctionDef, Node]]:
        for function in self.functions:
            assert function.body is not None
            for node in nodes_of(function.body):
                if node.type in (
                    "binary_expression",
                    "unary_expression",
                    "call_expression",
                    "case_statement",
                ):
                    yield function, node
                elif node.type == "condition_clause" and (value := node.child_by_field_name("value")):
                    yield function, value
                elif node.type == "conditional_expression" and (
                    condition := node.child_by_field_name("condition")
                ):
                    yield function, condition

    def _sides(self, function: FunctionDef, node: Node) -> Iterator[Formula]:
        """What is compared with 0: the difference of both sides."""
        pair: tuple[Node | None, Node | None] = (None, None)
        match node.type:
            case "binary_expression":
                if self._operator(node) in _COMPARISONS:
                    pair = node.child_by_field_name("left"), node.child_by_field_name("right")
                elif self._operator(node) in ("%", "&"):
                    pair = node, None
            case "unary_expression" if self._operator(node) == "!":
                pair = node.child_by_field_name("argument"), None
            case "case_statement":
                switch = node.parent.parent if node.parent else None
                clause = switch.child_by_field_name("condition") if switch else None
                if clause is not None and node.child_by_field_name("value") is not None:
                    pair = clause.child_by_field_name("value"), node.child_by_field_name("value")
            case "call_expression":
                called = self._unit.text_of(node.child_by_field_name("function"))
                arguments = node.child_by_field_name("arguments")
                given = arguments.named_children if arguments else []
                if _EXTREMA.match(called.partition("<")[0]) and len(given) >= 2:
                    for other in given[1:]:
                        yield from self._difference(function, given[0], other)
                return
            case "identifier" | "field_expression" | "parenthesized_expression":
                pair = node, None
        if pair[0] is not None:
            yield from self._difference(function, *pair)

    def _difference(self, function: FunctionDef, left: Node | None, right: Node | None) -> Iterator[Formula]:
        """Where counters are at their end; and at their start, if there are any."""
        one = self._between(function, left, right)
        if one is not None:
            yield one
        if any(self._is_counter(function, n) for side in (left, right) if side for n in nodes_of(side)):
            self._at_start = True
            first = self._between(function, left, right)
            self._at_start = False
            if first is not None:
                yield first

    def _between(self, function: FunctionDef, left: Node | None, right: Node | None) -> Formula | None:
        one = self._formula(function, left, 0) if left is not None else None
        other = self._formula(function, right, 0) if right is not None else Formula(frozenset(), lambda _: 0)
        if one is None or other is None or not one.names | other.names:
            return None
        left_at, right_at = one.at, other.at
        return Formula(one.names | other.names, lambda scalars: left_at(scalars) - right_at(scalars))

    def _is_counter(self, function: FunctionDef, node: Node) -> bool:
        """A variable that begins at a number and goes on to what it is compared with."""
        if node.type != "identifier" or function.body is None:
            return False
        name = self._unit.text_of(node)
        begins = self._definitions_of(function.body).get(name, [])
        is_plain = len(begins) == 1 and begins[0].type == "number_literal"
        return is_plain and self._bound(function, name, 0) is not None

    def _numbers(self, node: Node) -> list[float]:
        """The numbers that are written in a comparison, or near by."""
        texts = (self._unit.text_of(n) for n in nodes_of(node) if n.type == "number_literal")
        found = [value for value in map(_number, texts) if value is not None]
        return [float(value) for value in found]

    # ------------------------------------------------------------------------------------------- formulas

    def formula(self, function: FunctionDef, node: Node) -> Formula | None:
        """What stands there as a function of the entry's scalars, if it can be followed."""
        return self._formula(function, node, 0)

    def text_of(self, node: Node | None) -> str:
        return self._unit.text_of(node)

    def _formula(self, function: FunctionDef | None, node: Node, depth: int) -> Formula | None:
        if depth > _DEPTH * 4:
            return None
        text = self._unit.text_of(node)

        def of(child: str) -> Formula | None:
            inner = node.child_by_field_name(child)
            return None if inner is None else self._formula(function, inner, depth + 1)

        match node.type:
            case "number_literal":
                number = _number(text)
                return None if number is None else Formula(frozenset(), lambda _: number)
            case "true" | "false":
                return Formula(frozenset(), lambda _: node.type == "true")
            case "identifier":
                return self._variable(function, text, depth)
            case "field_expression":
                return self._member(function, text) or self._own(re.split(r"\.|->", text)[-1].strip())
            case "subscript_expression":
                return self._member(function, text)
            case "parenthesized_expression" | "condition_clause" if len(node.named_children) == 1:
                return self._formula(function, node.named_children[0], depth + 1)
            case "cast_expression":
                return _converted(of("value"), self._unit.text_of(node.child_by_field_name("type")))
            case "sizeof_expression":
                size = _size(text)
                return None if size is None else Formula(frozenset(), lambda _: size)
            case "unary_expression":
                return _unary(self._operator(node), of("argument"))
            case "binary_expression":
                return _binary(self._operator(node), of("left"), of("right"))
            case "call_expression":
                return self._call(function, node, depth)
            case "argument_list" | "initializer_list" if len(node.named_children) == 1:
                return self._formula(function, node.named_children[0], depth + 1)
        return None

    def _call(self, function: FunctionDef | None, node: Node, depth: int) -> Formula | None:
        name = self._unit.text_of(node.child_by_field_name("function"))
        arguments = node.child_by_field_name("arguments")
        given = [
            self._formula(function, a, depth + 1) for a in (arguments.named_children if arguments else [])
        ]
        short = name.partition("<")[0].removeprefix("std::").strip()
        match short, given:
            case (("abs" | "fabs" | "fabsf" | "labs"), [Formula() as one]):
                at = one.at
                return Formula(one.names, lambda scalars: abs(at(scalars)))
            case (
                ("min" | "max" | "fminf" | "fmaxf" | "fmin" | "fmax"),
                [Formula() as one, Formula() as two],
            ):
                pick = min if "min" in short else max
                first, second = one.at, two.at
                return Formula(one.names | two.names, lambda scalars: pick(first(scalars), second(scalars)))
            case _, [Formula() as one] if short in _CASTS:
                return _converted(one, name)
        return None

    def _variable(self, function: FunctionDef | None, name: str, depth: int) -> Formula | None:
        key = (id(function), name, self._at_start)
        if key not in self._known:
            self._known[key] = None  # one that depends on itself
            self._known[key] = self._found(function, name, depth)
        return self._known[key]

    def _found(self, function: FunctionDef | None, name: str, depth: int) -> Formula | None:
        if function is not None and function.body is not None:
            values = self._definitions_of(function.body).get(name, [])
            value = self._formula(function, values[0], depth + 1) if len(values) == 1 else None
            if value is not None and value.names:
                return value
            names = [param.name for param in function.params]
            bound = self._bound(function, name, depth)
            if self._at_start and bound is not None and value is not None:
                return value
            if bound is not None or (values and name not in names):
                return bound or value
            if name in names:
                place = names.index(name)
                if function.name == self._entry and len(names) == len(self._params):
                    return self._own(self._params[place])
                for caller, arguments in self._calls.get(function.name, ()):
                    if len(arguments) == len(names) and caller is not function:
                        return self._formula(caller, arguments[place], depth + 4)
                return self._own(name)
        if name in self._globals and (init := self._globals[name]) is not None:
            return self._formula(None, init, depth + 1)
        return self._own(name)

    def _member(self, function: FunctionDef | None, text: str, depth: int = _DEPTH) -> Formula | None:
        """`s.rows` of a struct that the entry is handed: its scalar `s_rows`."""
        object_, _, path = text.replace("->", ".").partition(".")
        if not path or not object_.strip("() ").isidentifier() or depth == 0:
            return None
        object_ = object_.strip("() ")
        names = [param.name for param in function.params] if function is not None else []
        if function is not None and function.name != self._entry and object_ in names:
            for caller, arguments in self._calls.get(function.name, ()):
                if len(arguments) == len(names) and caller is not function:
                    given = self._unit.text_of(arguments[names.index(object_)]).lstrip("&* ")
                    return self._member(caller, f"{given}.{path}", depth - 1)
        return self._own(re.sub(r"\W+", "_", f"{object_}.{path}").rstrip("_"))

    def _definitions_of(self, body: Node) -> dict[str, list[Node]]:
        if body.id not in self._set:
            self._set[body.id] = _definitions(body, self._unit)
        return self._set[body.id]

    def _bound(self, function: FunctionDef, name: str, depth: int) -> Formula | None:
        """What a counter or a thread's index stays below: it takes every value up to there."""
        assert function.body is not None
        if any(param.name == name for param in function.params):
            return None
        for node in nodes_of(function.body):
            if node.type != "binary_expression" or self._operator(node) not in ("<", ">=", "<=", "!="):
                continue
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if left is not None and right is not None and self._unit.text_of(left).strip("() ") == name:
                known = self._formula(function, right, depth + 1)
                if known is not None and known.names:
                    return known
        return None

    def _own(self, name: str) -> Formula | None:
        return Formula(frozenset({name}), lambda scalars: scalars[name]) if name in self._scalars else None

    def _arguments(self) -> Iterator[tuple[str, list[tuple[FunctionDef | None, Sequence[Node]]]]]:
        """By function: the arguments of its calls and launches, with the function that they stand in."""
        found: dict[str, list[tuple[FunctionDef | None, Sequence[Node]]]] = {}
        for launch in self._unit.launches:
            found.setdefault(launch.name, []).append((launch.host_function, launch.arguments))
        names = {f.name for f in self.functions}
        for function in self.functions:
            assert function.body is not None
            for node in nodes_of(function.body):
                if node.type == "call_expression":
                    called = self._unit.text_of(node.child_by_field_name("function"))
                    name = called.partition("<")[0].split("::")[-1].strip()
                    arguments = node.child_by_field_name("arguments")
                    if name in names and arguments is not None:
                        found.setdefault(name, []).append((function, arguments.named_children))
        yield from found.items()

    def _operator(self, node: Node) -> str:
        return self._unit.text_of(node.child_by_field_name("operator"))


# ------------------------------------------------------------------------------------------------ syntax


def nodes_of(root: Node) -> Iterator[Node]:
    todo = [root]
    while todo:
        node = todo.pop()
        yield node
        todo.extend(reversed(node.named_children))


def _conjuncts(node: Node, operator_of: Callable[[Node], str]) -> Iterator[Node]:
    while node.type == "parenthesized_expression" and len(node.named_children) == 1:
        node = node.named_children[0]
    if node.type == "binary_expression" and operator_of(node) == "&&":
        for side in ("left", "right"):
            inner = node.child_by_field_name(side)
            if inner is not None:
                yield from _conjuncts(inner, operator_of)
    else:
        yield node


def _definitions(body: Node, unit: SyntaxUnit) -> dict[str, list[Node]]:
    """What a function sets its variables to."""
    found: dict[str, list[Node]] = {}
    for node in nodes_of(body):
        if node.type == "init_declarator":
            name, value = node.child_by_field_name("declarator"), node.child_by_field_name("value")
        elif node.type == "assignment_expression":
            if unit.text_of(node.child_by_field_name("operator")) != "=":
                continue
            name, value = node.child_by_field_name("left"), node.child_by_field_name("right")
        else:
            continue
        if name is not None and value is not None:
            found.setdefault(unit.text_of(name), []).append(value)
    return found


def _size(text: str) -> int | None:
    """Bytes of a type that is named: `sizeof(float)`."""
    inside = text.removeprefix("sizeof").strip("() ")
    sizes = [size for name, size in _SIZES.items() if re.fullmatch(rf"(?:(?:un)?signed )?(?:{name})", inside)]
    return sizes[0] if sizes else None


def _number(text: str) -> Value | None:
    match = _NUMBER.match(text.replace("'", ""))
    if match is None:
        return None
    sign, digits, suffix = match.groups()
    value: Value
    if digits[:2] in ("0x", "0X"):
        value = int(digits, 16)
    elif re.search("[fF]", suffix):
        value = float(np.float32(digits))
    else:
        value = int(digits) if digits.isdigit() else float(digits)
    return -value if sign == "-" else value


# ------------------------------------------------------------------------------------------------ arithmetic


def _quotient(one: Value, other: Value) -> Value:
    if isinstance(one, int) and isinstance(other, int):
        return int(math.copysign(abs(one) // abs(other), one * other))
    return one / other


def _remainder(one: Value, other: Value) -> Value:
    return one - other * int(math.copysign(abs(one) // abs(other), one * other))


_BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "%": _remainder,
    "&": lambda a, b: int(a) & int(b),
    "|": lambda a, b: int(a) | int(b),
    "<<": lambda a, b: int(a) << min(int(b), 62),
    ">>": lambda a, b: int(a) >> min(int(b), 62),
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "&&": lambda a, b: bool(a) and bool(b),
    "||": lambda a, b: bool(a) or bool(b),
}


def _binary(op: str, left: Formula | None, right: Formula | None) -> Formula | None:
    if left is None or right is None or op not in _BINARY:
        return None
    apply, one, other = _BINARY[op], left.at, right.at
    return Formula(left.names | right.names, lambda scalars: apply(one(scalars), other(scalars)))


def _unary(op: str, inner: Formula | None) -> Formula | None:
    if inner is None or op not in ("-", "+", "!", "~"):
        return None
    at = inner.at
    if op == "~":
        return Formula(inner.names, lambda scalars: ~int(at(scalars)))
    if op == "!":
        return Formula(inner.names, lambda scalars: not at(scalars))
    return Formula(inner.names, lambda scalars: -at(scalars)) if op == "-" else inner


def _converted(inner: Formula | None, to: str) -> Formula | None:
    if inner is None:
        return None
    at = inner.at
    if re.search(r"\b(?:float|double)\b", to):
        return Formula(inner.names, lambda scalars: float(at(scalars)))
    return Formula(inner.names, lambda scalars: int(at(scalars)))


# ------------------------------------------------------------------------------------------------ roots


def _roots(
    formula: Formula, name: str, base: Scalars, numbers: Sequence[float], *, equal: bool = False
) -> Iterator[float]:
    """Values of a parameter at which the sign of the formula changes, or where it is 0, a few of them. Whole
    numbers of 1 or less only where the text asks if it is `equal`: as sizes they say nothing."""
    whole = isinstance(base[name], int) and not isinstance(base[name], bool)
    if isinstance(base[name], bool):
        return

    def sign(value: float) -> int | None:
        try:
            result = formula.at({**base, name: int(value) if whole else float(np.float32(value))})
        except (ArithmeticError, ValueError):
            return None
        return int(result > 0) - int(result < 0)

    def between(low: float, high: float) -> bool:
        return high - low > 1 if whole else np.nextafter(np.float32(low), np.float32(high)) < np.float32(high)

    written = [n for number in numbers for n in (number, -number) if equal or not whole or n > 0]
    found = 0
    before: tuple[float, int] | None = None
    met = math.nan  # a point at which it is 0: what follows leaves it again
    around = [n + beside for n in written for beside in (-1, 1)] if equal and whole else []
    for point in sorted({*_grid(whole), *written, *around}):
        now = sign(point)
        if before is not None and now is not None and now != before[1] and (equal or not whole or point > 1):
            low, high = before[0], point
            while between(low, high):
                middle = (low + high) // 2 if whole else (low + high) / 2
                low, high = (middle, high) if sign(middle) == before[1] else (low, middle)
            root = low if before[1] == 0 else high
            if root != met:
                yield root
                found += 1
            met = root
            if found == _MOST_ROOTS:
                return
        before = None if now is None else (point, now)


def _grid(whole: bool) -> list[float]:
    powers = [float(1 << k) for k in range(20)]
    if whole:
        return [float(n) for n in range(_CLOSE)] + [p for p in powers if p > _CLOSE] + [float(_LARGEST)]
    small = [1 / p for p in powers[1:12]]
    return [0.0, *powers, *small, *(-p for p in powers), *(-p for p in small)]


def _beside(root: float, like: Scalar, *, wide: bool) -> list[Scalar]:
    """The point itself, what is next to it, and what is well on either side."""
    if isinstance(like, int):
        step = max(1, like & -like)  # it may have to be a multiple of that
        whole = int(root) // step * step
        tried = [int(root), int(root) + 1, int(root) - 1, whole, whole - step, whole + step]
        tried += [int(root * _WELL_BEYOND) // step * step] if root > _CLOSE else []
        return [*dict.fromkeys(tried)]
    kind = np.float64 if wide else np.float32
    at = kind(root)
    apart = 0.375 * max(abs(root), 1.0)
    near = [at, np.nextafter(at, kind(-np.inf)), np.nextafter(at, kind(np.inf))]
    least = float(np.finfo(kind).tiny)  # what is smaller is zero on some devices, and has no reciprocal
    normal = [math.copysign(least, n) if 0 < abs(n) < least else float(n) for n in near]
    return [*normal, root - apart, root + apart]
