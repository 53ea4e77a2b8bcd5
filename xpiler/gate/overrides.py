"""What a person states about an entry: on the command line, or in `KERNEL.xpiler.toml` beside the file.

    entry = "launch_gemm"
    arch = "mtp_592"                  # of the MLU that BANG C is for
    reduction = 1024                  # longest sum behind an output element
    fast_math = false

    [args]                            # a list stands for several cases
    m = 1024
    n = [100, 257]

    [launch]
    grid = [16, "n / 16"]             # numbers or expressions over scalar arguments
    block = [16, 16]
    shared = 0

    [shapes]
    A = ["m", "k"]

    [roles]
    C = "out"

    [values]
    index = { kind = "index", low = 0, high = 100 }

Everything is optional. A flag on the command line wins over the file. A mistake is a `Refusal` with its
place.
"""

from __future__ import annotations

import ast
import operator
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from xpiler.errors import Refusal
from xpiler.gate.contract import Role, Scalar, ValueKind, Values
from xpiler.ir.source import SourceRange
from xpiler.platforms.bang import ARCHITECTURES

T = TypeVar("T")
Extent = int | str  # a number or an expression over scalar arguments
_NAME = re.compile(r"[A-Za-z_]\w*\Z")
_VALUE_KINDS = get_args(ValueKind)
_SECTIONS = ("entry", "arch", "reduction", "fast_math", "args", "launch", "shapes", "roles", "values")


@dataclass(frozen=True)
class Overrides:
    """What was stated; whatever is empty or None is left to inference."""

    entry: str | None = None
    args: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()
    grid: tuple[Extent, ...] | None = None
    block: tuple[Extent, ...] | None = None
    shared_bytes: Extent | None = None
    shapes: tuple[tuple[str, tuple[Extent, ...]], ...] = ()
    roles: tuple[tuple[str, Role], ...] = ()
    values: tuple[tuple[str, Values], ...] = ()
    reduction_length: int | None = None
    fast_math: bool | None = None
    arch: str | None = None

    def merged(self, stronger: Overrides) -> Overrides:
        """These, with what `stronger` states instead where it does."""
        return Overrides(
            stronger.entry or self.entry,
            _union(self.args, stronger.args),
            stronger.grid or self.grid,
            stronger.block or self.block,
            self.shared_bytes if stronger.shared_bytes is None else stronger.shared_bytes,
            _union(self.shapes, stronger.shapes),
            _union(self.roles, stronger.roles),
            _union(self.values, stronger.values),
            self.reduction_length if stronger.reduction_length is None else stronger.reduction_length,
            self.fast_math if stronger.fast_math is None else stronger.fast_math,
            stronger.arch or self.arch,
        )

    def require_known(self, parameters: Iterable[str]) -> None:
        """Refuses statements about what is no parameter: a slip of the pen must not pass for a statement."""
        known = list(dict.fromkeys(parameters))
        stated = [name for pairs in (self.args, self.shapes, self.roles, self.values) for name, _ in pairs]
        for name in stated:
            if name not in known:
                remedy = f"parameters: {', '.join(known) or 'none'}"
                raise Refusal(
                    "contract-name", f"{name!r} is stated, but no entry has such a parameter", remedy=remedy
                )

    def scalar_choices(self, name: str) -> tuple[Scalar, ...]:
        """The values stated for a scalar argument; empty if none were."""
        return dict(self.args).get(name, ())


def _union(weak: tuple[tuple[str, T], ...], strong: tuple[tuple[str, T], ...]) -> tuple[tuple[str, T], ...]:
    return tuple({**dict(weak), **dict(strong)}.items())


# ----------------------------------------------------------------------------------------------- command line


def from_flags(
    *,
    entry: str | None = None,
    arg: Iterable[str] = (),
    grid: str | None = None,
    block: str | None = None,
    shared: str | None = None,
    shape: Iterable[str] = (),
    arch: str | None = None,
) -> Overrides:
    """The flags `--entry F --arg NAME=VALUE --grid X,Y,Z --block X,Y,Z --shared BYTES --shape A=m,k
    --arch mtp_592`."""
    args = [_parse_arg(text) for text in arg]
    shapes = [_parse_shape(text) for text in shape]
    return Overrides(
        entry=entry,
        args=tuple(args),
        grid=_parse_dimensions("--grid", grid),
        block=_parse_dimensions("--block", block),
        shared_bytes=None if shared is None else _extent(shared.strip(), "--shared"),
        shapes=tuple(shapes),
        arch=_architecture(arch) if arch else None,
    )


def _architecture(name: str) -> str:
    known = name if name.startswith("mtp_") else f"mtp_{name}"
    if known not in ARCHITECTURES:
        raise Refusal("arch", f"unknown architecture {name}", remedy=f"known: {', '.join(ARCHITECTURES)}")
    return known


def _parse_arg(text: str) -> tuple[str, tuple[Scalar, ...]]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not _NAME.match(name) or not value:
        raise Refusal(
            "contract-arg", f"--arg {text!r} is not NAME=VALUE", remedy="write for example --arg m=1024"
        )
    return name, tuple(_scalar(part.strip(), text) for part in value.split(","))


def _scalar(text: str, whole: str) -> Scalar:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for convert in (lambda t: int(t, 0), float):
        try:
            return convert(text)
        except ValueError:
            continue
    raise Refusal("contract-arg", f"--arg {whole!r}: {text!r} is no number, true or false")


def _parse_shape(text: str) -> tuple[str, tuple[Extent, ...]]:
    name, equals, extents = (part.strip() for part in text.partition("="))
    if not equals or not _NAME.match(name) or not extents:
        raise Refusal(
            "contract-shape",
            f"--shape {text!r} is not NAME=EXTENT,...",
            remedy="write for example --shape A=m,k",
        )
    return name, tuple(_extent(part.strip(), f"--shape {text!r}") for part in extents.split(","))


def _parse_dimensions(flag: str, text: str | None) -> tuple[Extent, ...] | None:
    if text is None:
        return None
    extents = tuple(_extent(part.strip(), f"{flag} {text!r}") for part in text.split(","))
    if len(extents) > 3:
        raise Refusal("contract-launch", f"{flag} {text!r} has more than three dimensions")
    return extents


def _extent(text: str, where: str) -> Extent:
    """A positive number, or an expression that parses; names are looked up when the sizes are known."""
    try:
        number = int(text, 0)
    except ValueError:
        names_in(text, where)
        return text
    if number < 0:
        raise Refusal("contract-extent", f"{where}: {number} is negative")
    return number


# ------------------------------------------------------------------------------------------------ expressions

_OPERATORS: dict[type[ast.operator], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.floordiv,  # extents are integers: `n / 16` means what C means
    ast.Mod: operator.mod,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}


def evaluate(extent: Extent, scalars: Mapping[str, Scalar], where: str = "") -> int:
    """The number that `extent` stands for under these values of scalar arguments. Raises `Refusal`."""
    if isinstance(extent, int):
        return extent
    try:
        return _evaluate(_parse(extent, where), scalars)
    except KeyError as missing:
        raise Refusal(
            "contract-extent",
            f"{where or 'extent'}: {extent!r} uses {missing.args[0]!r}, no scalar argument with a value",
            remedy=f"state --arg {missing.args[0]}=VALUE",
        ) from None
    except (ZeroDivisionError, ValueError, OverflowError) as error:
        raise Refusal("contract-extent", f"{where or 'extent'}: {extent!r}: {error}") from None


def names_in(extent: Extent, where: str = "") -> frozenset[str]:
    """The scalar arguments that `extent` depends on. Raises `Refusal` if it is not an expression."""
    if isinstance(extent, int):
        return frozenset()
    return frozenset(node.id for node in ast.walk(_parse(extent, where)) if isinstance(node, ast.Name))


def _parse(text: str, where: str) -> ast.expr:
    try:
        if len(text) > 1000:
            raise ValueError
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Refusal("contract-extent", f"{where or 'extent'}: {text!r} is not an expression") from None
    for node in ast.walk(tree):
        known = isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS
        integer = isinstance(node, ast.Constant) and type(node.value) is int
        if not (known or integer or isinstance(node, ast.Name | ast.operator | ast.expr_context)):
            raise Refusal(
                "contract-extent",
                f"{where or 'extent'}: {text!r} may only use names, integers and + - * / % << >>",
            )
    return tree


def _evaluate(node: ast.expr, scalars: Mapping[str, Scalar]) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=name):
            return int(scalars[name])
        case ast.BinOp(left=left, op=op, right=right):
            one, other = _evaluate(left, scalars), _evaluate(right, scalars)
            if isinstance(op, ast.LShift) and other > 62:
                raise ValueError("shift by more than 62")
            return cast(int, _OPERATORS[type(op)](one, other))
    raise ValueError("not an expression")


# ------------------------------------------------------------------------------------------------ the file


def path_beside(file: str) -> Path:
    """Where the statements about `dir/gemm.cu` are looked for: `dir/gemm.xpiler.toml`."""
    return Path(file).with_suffix(".xpiler.toml")


def load_beside(file: str) -> Overrides:
    """What `KERNEL.xpiler.toml` states about `file`; nothing if there is no such file."""
    path = path_beside(file)
    try:
        return from_toml(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else Overrides()
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal("contract-file", f"{path} cannot be read: {error}") from None


def from_toml(text: str, path: str) -> Overrides:
    """The statements of a file's text; `path` is for messages."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+), column (\d+)", str(error))  # absent at the end of the document
        line, column = (int(at[1]), int(at[2])) if at else (text.count("\n") + 1, 1)
        place = SourceRange(path, line, column, line, column)
        raise Refusal("contract-file", f"not valid TOML: {error}", place) from None
    return _Table(text, path).overrides(table)


class _Table:
    """Reads one file's table; every complaint names the line of the key that it is about."""

    def __init__(self, text: str, path: str) -> None:
        self.text, self.path = text, path

    def overrides(self, table: dict[str, Any]) -> Overrides:
        for key in table:
            if key not in _SECTIONS:
                raise self.wrong(key, f"unknown key {key!r}", f"known are {', '.join(_SECTIONS)}")
        launch = self.section(table, "launch")
        for key in launch:
            if key not in ("grid", "block", "shared"):
                raise self.wrong(key, f"unknown key {key!r} in [launch]", "known are grid, block, shared")
        return replace(
            Overrides(),
            entry=self.typed(table, "entry", str),
            arch=self.architecture(table),
            reduction_length=self.typed(table, "reduction", int),
            fast_math=self.typed(table, "fast_math", bool),
            args=tuple((name, self.scalars(name, v)) for name, v in self.section(table, "args").items()),
            grid=self.dimensions(launch, "grid"),
            block=self.dimensions(launch, "block"),
            shared_bytes=self.extent("shared", launch["shared"]) if "shared" in launch else None,
            shapes=tuple((name, self.extents(name, v)) for name, v in self.section(table, "shapes").items()),
            roles=tuple((name, self.role(name, v)) for name, v in self.section(table, "roles").items()),
            values=tuple((name, self.values(name, v)) for name, v in self.section(table, "values").items()),
        )

    def wrong(self, key: str, message: str, remedy: str = "") -> Refusal:
        pattern = re.compile(rf"^\s*(?:\[\s*)?[\"']?{re.escape(key)}\b", re.MULTILINE)
        found = pattern.search(self.text)
        at = found.end() - len(key) if found else 0
        line = self.text.count("\n", 0, at) + 1
        column = at - (self.text.rfind("\n", 0, at) + 1) + 1
        place = SourceRange(self.path, line, column, line, column + len(key))
        return Refusal("contract-file", message, place, remedy)

    def architecture(self, table: dict[str, Any]) -> str | None:
        name = self.typed(table, "arch", str)
        try:
            return _architecture(name) if name else None
        except Refusal as refusal:
            raise self.wrong("arch", refusal.diagnostic.message, refusal.diagnostic.remedy) from None

    def section(self, table: dict[str, Any], key: str) -> dict[str, Any]:
        value = table.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, f"{key!r} must be a table", f"write [{key}] on a line of its own")
        return cast(dict[str, Any], value)

    def typed(self, table: dict[str, Any], key: str, kind: type[T]) -> T | None:
        if key not in table:
            return None
        if type(table[key]) is not kind:
            raise self.wrong(key, f"{key!r} must be of type {kind.__name__}")
        return cast(T, table[key])

    def scalars(self, name: str, value: object) -> tuple[Scalar, ...]:
        values: Sequence[object] = value if isinstance(value, list) else [value]
        for one in values:
            if not isinstance(one, int | float | bool):
                raise self.wrong(name, f"argument {name!r} must be a number, true, false or a list of those")
        if not values:
            raise self.wrong(name, f"argument {name!r} has an empty list of values")
        return cast(tuple[Scalar, ...], tuple(values))

    def extent(self, key: str, value: object) -> Extent:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        if isinstance(value, str):
            try:
                return _extent(value.strip(), repr(key))
            except Refusal as refusal:
                raise self.wrong(key, refusal.diagnostic.message) from None
        raise self.wrong(key, f"{key!r}: {value!r} is no extent", "write a number or an expression in quotes")

    def extents(self, key: str, value: object) -> tuple[Extent, ...]:
        if isinstance(value, str):
            value = value.split(",")
        values: Sequence[object] = value if isinstance(value, list) else [value]
        return tuple(self.extent(key, one) for one in values)

    def dimensions(self, table: dict[str, Any], key: str) -> tuple[Extent, ...] | None:
        if key not in table:
            return None
        extents = self.extents(key, table[key])
        if not 1 <= len(extents) <= 3:
            raise self.wrong(key, f"{key!r} must have one to three dimensions")
        return extents

    def role(self, name: str, value: object) -> Role:
        try:
            return Role(value)
        except ValueError:
            known = ", ".join(role.value for role in Role)
            raise self.wrong(name, f"{value!r} is no role of an argument", f"known are {known}") from None

    def values(self, name: str, value: object) -> Values:
        if not isinstance(value, dict) or value.get("kind", "index") not in _VALUE_KINDS:
            raise self.wrong(
                name,
                f"values of {name!r} must be a table with a kind of {', '.join(_VALUE_KINDS)}",
                "write for example { kind = 'index', low = 0, high = 100 }",
            )
        low, high = value.get("low", 0), value.get("high", 0)
        for one in (low, high):
            if not isinstance(one, int | float) or isinstance(one, bool):
                raise self.wrong(name, f"values of {name!r}: low and high must be numbers")
        return Values(value.get("kind", "index"), low, high)
