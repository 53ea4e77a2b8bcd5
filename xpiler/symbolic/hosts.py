"""Launches as the host code of a text makes them: sizes of the wrapper's parameters are tried, the rest
follows.

    cudaMalloc(&d, n * sizeof(float));                    n = 512, 1000, 1, 257:
    scale<<<(n + 127) / 128, 128>>>(d, 2.0f, n);   -->    grid 4, 8, 1, 3; d has n elements
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from xpiler.frontend import Unit
from xpiler.frontend.host_formulas import Formula
from xpiler.frontend.host_model import HostModel, LaunchModel, model_host
from xpiler.frontend.syntax import SyntaxUnit, analyse
from xpiler.ir.nodes import Function, Param
from xpiler.platforms.bang_tasks import blocks_of
from xpiler.symbolic.pitches import Pitch, pitches
from xpiler.symbolic.scalars import TRIPS, roles
from xpiler.symbolic.shape import LaunchShape, Shape, definitions, loads_tiles
from xpiler.symbolic.trial import ENDLESS, Trial

_ONE = (512, 1000, 1, 257)
_TURNS = (20, 37, 1, 2)  # of loops that every thread goes through
_TWO = ((64, 64), (100, 37), (37, 100), (3, 1))
_THREE = ((20, 40, 33), (1, 2, 3), (37, 35, 39), (64, 64, 64))
_LARGE = 40
_BLOCKS = (256, 128, 64, 512)
_MOST_THREADS = 1024
_CORES = 4  # of a device whose host code asks for them: a cluster
_MOST_BEYOND = 1 << 13  # threads of a launch whose loops are followed further
_MOST_SHARED = 227 << 10  # bytes, where the launch's are unknown


@dataclass(frozen=True)
class Hosts:
    """The host functions of a text, read once."""

    syntax: SyntaxUnit | None

    @staticmethod
    def of(unit: Unit) -> Hosts:
        if not unit.launches:
            return Hosts(None)
        return Hosts(analyse(unit.text, unit.file, platform=unit.platform))

    def trials(self, unit: Unit, kernel: Function, given: Mapping[str, int | float]) -> list[Trial]:
        """Empty if no launch of the kernel can be put into numbers."""
        if self.syntax is None:
            return []
        found: list[Trial] = []
        functions = {s.host_function for s in unit.launches if s.kernel == kernel.name}
        for definition in self.syntax.host_functions:
            if definition.name not in functions or definition.body is None:
                continue
            model = model_host(self.syntax, definition)
            wrappers = (f for f in unit.host_functions if f.name == definition.name)
            params = (p for f in wrappers for p in f.params)
            names = [p.name for p in params if not p.is_pointer and p.dtype.is_integer]
            names += [name for name in model.inputs if name not in names]
            for launch in model.launches:
                kernels = {site.kernel for site in unit.launches if site.span == launch.span}
                if kernel.name in kernels:
                    found += _of_launch(kernel, model, launch, names, given)
        return found


def _of_launch(
    kernel: Function,
    model: HostModel,
    launch: LaunchModel,
    names: list[str],
    given: Mapping[str, int | float],
) -> list[Trial]:
    formulas = [*launch.grid, *launch.values, *launch.conditions]
    if not kernel.tasks:
        formulas += [*launch.block, launch.shared]
    for _, text, value, start in _arguments(kernel, launch):
        formulas += [_bytes(model, launch, _pointer(text)), value, start]
    free = [n for n in names if any(re.search(rf"\b{n}\b", f) for f in formulas if f)]
    found: list[Trial] = []
    present = [f for f in formulas if f]
    blocks = [n for n in free if any(f and re.search(rf"\b{n}\b", f) for f in launch.block)]
    tiled = loads_tiles(kernel)
    tried = _sizes(free, given, present, blocks, 16 if tiled else 1, _turns(kernel, launch, free))
    rows = pitches(kernel, definitions(kernel))
    for sizes in [*tried, *_beyond(launch, [n for n in free if n not in given], tried)]:
        trial = _trial(kernel, model, launch, sizes)
        apart = _with_rows_apart(
            kernel, launch, rows, trial, {n: v for n, v in sizes.items() if n not in given}
        )
        if apart:
            trial = _trial(kernel, model, launch, {**sizes, **apart})
        if trial is not None and trial not in found:
            found.append(trial)
    return found


def _with_rows_apart(
    kernel: Function,
    launch: LaunchModel,
    rows: Sequence[Pitch],
    trial: Trial | None,
    sizes: Mapping[str, int],
) -> dict[str, int]:
    """The distances of rows that are less than a row is long, and what to hand over for them: where they are
    that alone for the host code, too."""
    if trial is None or not rows:
        return {}
    numbers = [(p.name, text, value) for p, text, value, _ in _arguments(kernel, launch) if not p.is_pointer]
    handed = {param: text for param, text, _ in numbers}
    found: dict[str, int] = {}
    for pitch in rows:
        least, name = pitch.least(trial.scalars), handed.get(pitch.name, "")
        if least is None or name not in sizes or sizes[name] >= least:
            continue
        others = [value for param, _, value in numbers if handed[param] != name]
        others += [*launch.grid, *launch.block, *launch.conditions]
        if not any(re.search(rf"\b{name}\b", formula) for formula in others if formula):
            found[name] = max(found.get(name, 0), least)
    return found


def _sizes(
    free: list[str],
    given: Mapping[str, int | float],
    formulas: list[Formula],
    blocks: list[str],
    unit: int,
    alone: tuple[int, ...],
) -> list[dict[str, int]]:
    """Values for the wrapper's parameters: few parameters with sizes about a few blocks; of many all small
    but one, each in its turn. `blocks`: parameters that are threads of a block; sizes are multiples of
    `unit`; `alone`: those of a parameter that is the only one."""
    fixed = {n: int(given[n]) for n in free if n in given}
    threads = [n for n in blocks if n not in given]
    names = [n for n in free if n not in given and n not in blocks]
    rows: list[tuple[int, ...]]
    if not names:
        rows = [()]
    elif len(names) == 1:
        rows = [(value,) for value in alone]
    elif len(names) == 2:
        rows = [*_TWO]
    elif len(names) == 3:
        rows = [*_THREE]
    else:
        small = tuple((4, 3, 5, 2, 3)[i % 5] for i in range(len(names)))
        rows = [(4,) * len(names), small, tuple(4 - i % 3 for i in range(len(names)))]
        rows += [tuple(_LARGE if i == j else s for i, s in enumerate(small)) for j in range(len(names))]
    tried: list[dict[str, int]] = []
    for row in rows:
        rounded = [-(-value // unit) * unit for value in row]
        sizes = {**fixed, **dict(zip(names, rounded, strict=True))}
        tried += [{**sizes, **dict.fromkeys(threads, count)} for count in (_BLOCKS if threads else (0,))]
    return [sizes for sizes in tried if all(_is_natural(f, sizes) for f in formulas)]


def _turns(kernel: Function, launch: LaunchModel, free: list[str]) -> tuple[int, ...]:
    """What to try for the one size of a launch: turns beyond a few show nothing new of loops that it is the
    end of, if it is nothing else."""
    arguments = _arguments(kernel, launch)
    others = [*launch.grid, *launch.block, launch.shared, *launch.conditions]
    others += [value for param, _, value, _ in arguments if param.is_pointer]
    known = roles(kernel, definitions(kernel), LaunchShape((1, 1, 1), (1, 1, 1)))
    for param, _, value, _ in arguments:
        if param.is_pointer or not value or not any(re.search(rf"\b{n}\b", value) for n in free):
            continue
        role = known.get(param.name)
        if role is None or role.kinds != {TRIPS} or role.shared_out or 2 * role.wraps >= _TURNS[0]:
            return _ONE
    is_apart = not any(re.search(rf"\b{n}\b", f) for n in free for f in others if f)
    return _TURNS if is_apart else _ONE


def _beyond(launch: LaunchModel, names: list[str], tried: list[dict[str, int]]) -> list[dict[str, int]]:
    """Sizes that the threads of a launch with a fixed grid go over more than once."""
    threads = 1
    for formula in (*launch.grid, *launch.block):
        threads *= _number(formula, {}) or 0
    if not tried or not 0 < threads <= _MOST_BEYOND or len(names) not in (1, 2):
        return []
    return [{**tried[0], **{name: 2 * threads // (1, 32)[i] + 3 for i, name in enumerate(names)}}]


def _is_natural(formula: Formula, sizes: Mapping[str, int]) -> bool:
    """No difference is negative on the way: `(height - kernel) / stride + 1` needs a kernel that fits."""
    try:
        tree = ast.parse(formula, mode="eval")
    except SyntaxError:
        return True
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            value = _number(ast.unparse(node), sizes)
            if value is not None and value < 0:
                return False
    return True


def _trial(kernel: Function, model: HostModel, launch: LaunchModel, sizes: Mapping[str, int]) -> Trial | None:
    conditions = [_number(c, sizes) for c in launch.conditions]
    if any(c == 0 for c in conditions):
        return None
    shape = _shape(kernel, launch, sizes)
    shared = _number(launch.shared, sizes) if not kernel.tasks else 0
    if shape is None:
        return None
    unsure = {"the condition of the launch"} if any(c is None for c in conditions) else set()
    scalars: dict[str, int | float] = {}
    extents: dict[str, int] = {}
    aliases: dict[str, str] = {}
    starts: dict[str, int] = {}
    first: dict[str, str] = {}
    for param, text, value, start in _arguments(kernel, launch):
        if param.is_pointer:
            pointer = _pointer(text)
            bytes_, begin = _number(_bytes(model, launch, pointer), sizes), _number(start, sizes)
            if bytes_ is not None and begin is not None:
                extents[param.name] = max(0, bytes_ - begin) // param.dtype.bytes
            if begin:
                starts[param.name] = begin // param.dtype.bytes
            if re.fullmatch(r"[\w.]+", pointer) and begin is not None:
                if pointer in first:
                    aliases[param.name] = first[pointer]
                first.setdefault(pointer, param.name)
        elif param.dtype.is_integer:
            number = _number(value, sizes)
            if number is None:
                return None
            scalars[param.name] = number
        else:
            scalars[param.name] = 1.5
    if len(scalars) + sum(p.is_pointer for p in kernel.params) < len(kernel.params):
        return None
    return Trial(
        *shape,
        scalars,
        shared if shared is not None else _MOST_SHARED,
        extents,
        aliases,
        starts,
        strained=frozenset(unsure),
        host={n: v for n, v in sizes.items() if n not in scalars},
        is_launched=True,
    )


def _shape(kernel: Function, launch: LaunchModel, sizes: Mapping[str, int]) -> tuple[Shape, Shape] | None:
    """Grid and block, if they are numbers that a device takes."""
    unknown = (_CORES, 1, 1) if kernel.tasks else (0, 0, 0)  # as many as the device has cores
    said = [_number(f, sizes) for f in launch.grid]
    grid = [other if number is None else number for number, other in zip(said, unknown, strict=False)]
    block = [1, 1, 1] if kernel.tasks else [_number(f, sizes) or 0 for f in launch.block]
    if min(*grid, *block) < 1 or block[0] * block[1] * block[2] > _MOST_THREADS:
        return None
    if kernel.tasks:
        return blocks_of(kernel, (grid[0], grid[1], grid[2]))
    return (grid[0], grid[1], grid[2]), (block[0], block[1], block[2])


def _arguments(
    kernel: Function, launch: LaunchModel
) -> list[tuple[Param, str, Formula | None, Formula | None]]:
    """Each parameter with what is passed: the pointer, the number, the byte that the pointer begins at."""
    found: list[tuple[Param, str, Formula | None, Formula | None]] = []
    for position, param in enumerate(kernel.params):
        at = param.argument if param.argument >= 0 else position
        if at >= len(launch.arguments):
            continue
        if param.member:
            place = f"{launch.arguments[at]}.{param.member}"
            found.append((param, launch.held.get(place, place), launch.members.get(place), "0"))
        else:
            pointer, start = launch.starts[at] if launch.starts else (launch.arguments[at], "0")
            found.append((param, pointer, launch.values[at], start))
    return found


def _bytes(model: HostModel, launch: LaunchModel, pointer: str) -> Formula | None:
    """Of an array as it was last allocated before the launch; else as the function tells elsewhere."""
    return launch.bytes.get(pointer) or model.bytes.get(pointer)


def _pointer(text: str) -> str:
    """The variable that is passed, casts left out: `(float4 *)d_a` is `d_a`."""
    text = re.sub(r"^\s*(static_cast|reinterpret_cast)<[^<>]*>\s*\((.*)\)\s*$", r"\2", text)
    text = re.sub(r"^\s*\([\w\s:]+[*\s]*\)\s*(?=\w)", "", text)
    return text.strip()


def _number(formula: Formula | None, sizes: Mapping[str, int]) -> int | None:
    if formula is None:
        return None
    try:
        return int(eval(formula, {"__builtins__": {}}, dict(sizes)))
    except (ArithmeticError, NameError, SyntaxError, TypeError, ValueError):
        return None


def as_launched(launches: Sequence[Trial], trial: Trial) -> Trial:
    """The trial with the numbers equal that the host code hands over as one (`rows, columns, columns`): those
    that are the same in all its launches, whatever the sizes; and with those that it never changes. How long
    arrays are then nobody tells."""
    values = dict(trial.scalars)
    made = [t for t in launches if t.is_launched]
    for name in values if made else ():
        handed = {t.scalars.get(name) for t in made}
        if len(handed) == 1 and (only := next(iter(handed))) is not None:
            values[name] = only
    for first, second in itertools.combinations([n for n, v in values.items() if isinstance(v, int)], 2):
        pairs = {(t.scalars.get(first), t.scalars.get(second)) for t in made}
        if len(pairs) > 2 and all(a == b for a, b in pairs):
            values[first] = values[second] = max(values[first], values[second])
    of_these = next((t.extents for t in made if t.scalars == values), dict.fromkeys(trial.extents, ENDLESS))
    return replace(trial, scalars=values, extents=of_these if made else trial.extents)
