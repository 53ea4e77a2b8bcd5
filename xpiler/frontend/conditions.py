"""The value of an `#if` expression: C's integer constant expressions on 64 bits."""

from __future__ import annotations

import re
from dataclasses import dataclass

from xpiler.frontend.macros import Token


class ConditionError(Exception):
    """The expression has no value; the message is for the user."""


@dataclass(frozen=True)
class _Value:
    number: int
    unsigned: bool = False


_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", ">", "<=", ">="), ("<<", ">>"), ("+", "-"),
    ("*", "/", "%"),
)  # fmt: skip
_PRECEDENCE = {operator: level for level, operators in enumerate(_LEVELS) for operator in operators}
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)([uUlLzZ]*)")
_ESCAPES = {"n": 10, "t": 9, "r": 13, "0": 0, "a": 7, "b": 8, "f": 12, "v": 11}
_MAX_DEPTH = 60


def evaluate(tokens: list[Token]) -> bool:
    """Whether the expression is not zero. Names are macros no more: `true` is 1, all others are 0."""
    return integer(tokens) != 0


def integer(tokens: list[Token]) -> int:
    """The value of a constant expression of integers, in which names are as they are for `evaluate`."""
    parser = _Parser([t.text for t in tokens])
    value = parser.conditional()
    if parser.position < len(parser.tokens):
        raise ConditionError(f"unexpected '{parser.tokens[parser.position]}'")
    return value.number


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self, text: str) -> bool:
        if self.peek() != text:
            return False
        self.position += 1
        return True

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise ConditionError(f"'{text}' is missing")

    def conditional(self) -> _Value:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ConditionError("the expression is nested too deeply")
        condition = self.binary(0)
        if self.take("?"):
            yes = self.conditional()
            self.expect(":")
            no = self.conditional()
            condition = yes if condition.number else no
        self.depth -= 1
        return condition

    def binary(self, minimum: int) -> _Value:
        """Operators of at least a precedence, by climbing: deep nesting costs few frames."""
        left = self.unary()
        while (operator := self.peek()) in _PRECEDENCE and _PRECEDENCE[operator] >= minimum:
            self.position += 1
            left = _apply(operator, left, self.binary(_PRECEDENCE[operator] + 1))
        return left

    def unary(self) -> _Value:
        operator = self.peek()
        if operator and operator in "!~-+":
            self.position += 1
            self.depth += 1
            if self.depth > _MAX_DEPTH:
                raise ConditionError("the expression is nested too deeply")
            value = self.unary()
            self.depth -= 1
            match operator:
                case "!":
                    return _Value(int(not value.number))
                case "~":
                    return _wrap(~value.number, value.unsigned)
                case "-":
                    return _wrap(-value.number, value.unsigned)
                case _:
                    return value
        return self.primary()

    def primary(self) -> _Value:
        token = self.peek()
        if not token:
            raise ConditionError("the expression ends too early")
        self.position += 1
        if token == "(":
            value = self.conditional()
            self.expect(")")
            return value
        plain = token.replace("'", "") if token[0].isdigit() else token
        if match := _NUMBER.fullmatch(plain):
            digits = match[1]
            is_octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
            try:
                number = int(digits, 8) if is_octal else int(digits, 0)
            except ValueError as error:
                raise ConditionError(f"'{token}' is no integer") from error
            return _wrap(number, "u" in match[2].lower() or number >= 1 << 63)
        if token[0] == "'" and len(token) >= 3:
            return _Value(_ESCAPES.get(token[2], ord(token[2])) if token[1] == "\\" else ord(token[1]))
        if token[0].isalpha() or token[0] in "_$":
            self.skip_scoped_call()
            return _Value(int(token == "true"))
        raise ConditionError(f"unexpected '{token}'")

    def skip_scoped_call(self) -> None:
        """`UNKNOWN(1, 2)`: a function-like macro of a header that is not here is 0, with its arguments."""
        if self.peek() != "(":
            return
        depth = 0
        while token := self.peek():
            self.position += 1
            depth += {"(": 1, ")": -1}.get(token, 0)
            if depth == 0:
                return
        raise ConditionError("')' is missing")


def _wrap(number: int, unsigned: bool) -> _Value:
    number &= (1 << 64) - 1
    if not unsigned and number >= 1 << 63:
        number -= 1 << 64
    return _Value(number, unsigned)


def _apply(operator: str, left: _Value, right: _Value) -> _Value:
    unsigned = left.unsigned or right.unsigned
    a, b = left.number, right.number
    if unsigned and operator not in ("<<", ">>", "&&", "||"):
        a, b = a & ((1 << 64) - 1), b & ((1 << 64) - 1)
    match operator:
        case "||":
            return _Value(int(bool(a) or bool(b)))
        case "&&":
            return _Value(int(bool(a) and bool(b)))
        case "==" | "!=":
            return _Value(int((a == b) == (operator == "==")))
        case "<":
            return _Value(int(a < b))
        case ">":
            return _Value(int(a > b))
        case "<=":
            return _Value(int(a <= b))
        case ">=":
            return _Value(int(a >= b))
        case "<<" | ">>":
            if not 0 <= b < 64:
                return _Value(0, left.unsigned)
            return _wrap(a << b if operator == "<<" else a >> b, left.unsigned)
        case "/" | "%":
            if b == 0:
                return _Value(0, unsigned)
            quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
            return _wrap(quotient if operator == "/" else a - quotient * b, unsigned)
        case "|":
            return _wrap(a | b, unsigned)
        case "^":
            return _wrap(a ^ b, unsigned)
        case "&":
            return _wrap(a & b, unsigned)
        case "+":
            return _wrap(a + b, unsigned)
        case "-":
            return _wrap(a - b, unsigned)
        case _:
            return _wrap(a * b, unsigned)
