"""Which kernel a traced launch starts.

    template <class T> void run(...) { constexpr int B = 128; sum<T, B><<<n / B, B>>>(x, y, n); }

    traced: `sum<T, B>`, launched inside `run<float>`  -->  sum<float, 128>

A trace has the words of the launch. In a host template these are its parameters: then the line tells, the
template arguments of the function around, and the arguments of the launch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from xpiler.emulators.rewrite_lambdas import place_of
from xpiler.errors import Refusal
from xpiler.frontend import parse
from xpiler.frontend.unit import Unit
from xpiler.gate.bound import bind
from xpiler.gate.program_files import OtherFile
from xpiler.gate.trace import Memory, Structure, TracedLaunch, squeezed
from xpiler.ir.nodes import Function
from xpiler.platforms.registry import PLATFORMS

_LAMBDAS = re.compile(r"\blambda_\d+\b")


class LaunchedKernels:
    """The kernels of a unit by the launches that start them."""

    def __init__(self, unit: Unit, kernels: Mapping[str, Function], others: Sequence[OtherFile] = ()) -> None:
        """`others`: files that the program is linked with, whose kernels have other names."""
        self.kernels = kernels
        self.named: dict[str, dict[str, Function]] = {}  # kernels by what launches may call them
        self.at_line: dict[int, set[str]] = {}  # kernels launched there
        self.lambdas = {handed.name: place_of(unit.text, handed.span[0]) for handed in unit.lambdas}
        self.refused = {squeezed(name).split("::")[-1] for name in unit.refusals}  # that have no IR
        for site in unit.launches:
            if site.kernel in kernels:
                self.at_line.setdefault(site.range.line, set()).add(site.kernel)
                for key in {squeezed(site.spelling), squeezed(site.spelling).split("<")[0]}:
                    self._add(key, kernels[site.kernel])
        for kernel in kernels.values():
            for key in {kernel.name, squeezed(kernel.spelling)} - {""}:
                self._add(key, kernel)
        own = set(self.named)
        for kernel in (k for other in others for k in _kernels(other) if k.name not in kernels):
            for key in {kernel.name, squeezed(kernel.spelling)} - {"", *own}:
                self._add(key, kernel)

    def _add(self, key: str, kernel: Function) -> None:
        self.named.setdefault(key, {})[kernel.name] = kernel

    def kernel(self, launch: TracedLaunch) -> Function | None:
        """The kernel that fits best; None if none does."""
        return next(iter(self.fitting(launch)), None)

    def fitting(self, launch: TracedLaunch) -> list[Function]:
        """The kernels that fit best: several where the trace does not tell them apart."""
        name = squeezed(launch.kernel)
        here = self.at_line.get(launch.line, set())
        if name.endswith("bypointer"):  # the trace has no name, the line has
            return self._binding([self.kernels[k] for k in sorted(here)], launch)
        if self._has_no_ir(name.split("::")[-1]):
            return []
        for key in (name, name.split("::")[-1]):
            if found := self._binding(self.named.get(key, {}).values(), launch):
                return _best(found, launch, here if "<" not in name else set())
        base = name.split("<")[0]
        based = {**self.named.get(base, {}), **self.named.get(base.split("::")[-1], {})}
        found = self._binding(based.values(), launch)
        if not found:  # launched through a variable
            found = self._binding([self.kernels[k] for k in sorted(here)], launch)
        return _best([k for k in found if k.name in here] or found, launch, set())

    def _binding(self, kernels: Iterable[Function], launch: TracedLaunch) -> list[Function]:
        """Those that take the launch's arguments, its lambdas among them."""
        seen = {a.written for a in launch.arguments if isinstance(a, Structure) and a.written}
        taking = [kernel for kernel in kernels if bind(kernel, launch.arguments) is not None]
        return [kernel for kernel in taking if not seen or self._written(kernel) <= seen]

    def _written(self, kernel: Function) -> set[int]:
        """Where the lambdas of an instance are written."""
        return {self.lambdas[name] for name in _LAMBDAS.findall(kernel.spelling) if name in self.lambdas}

    def _has_no_ir(self, name: str) -> bool:
        """Whether a launch names a kernel, or an instance, that was refused: no other stands for it."""
        return bool({name, name.split("<")[0]} & self.refused) and name not in self.named

    def waiting(self, names: Sequence[str], launches: Iterable[TracedLaunch]) -> list[str]:
        """Those of the names, of functions of the IR or of kernels without any, that no launch starts.

        A launch that a host template makes of a kernel without IR may be of any of its instances.
        """
        left = list(names)
        for launch in launches:
            kernel = self.kernel(launch)
            started = {kernel.name} if kernel is not None else _meant(launch, left, self.kernels)
            left = [name for name in left if name not in started]
        return left


def spellings(unit: Unit, names: Iterable[str]) -> tuple[str, ...]:
    """Kernels as launches spell them."""
    known = {kernel.name: kernel.spelling or kernel.name for kernel in unit.program.kernels}
    return tuple(known.get(name, name) for name in names)


def _meant(launch: TracedLaunch, names: Sequence[str], known: Mapping[str, Function]) -> set[str]:
    """Kernels without IR that a launch may be of."""
    spelling = squeezed(launch.kernel).split("::")[-1]
    same = {n for n in names if n not in known and _last(n).split("<")[0] == spelling.split("<")[0]}
    exact = {name for name in same if _last(name) in (spelling, spelling.split("<")[0])}
    return exact or same


def _last(name: str) -> str:
    return squeezed(name).split("::")[-1]


@lru_cache(maxsize=64)
def _kernels(other: OtherFile) -> tuple[Function, ...]:
    if not other.platform or not PLATFORMS[other.platform].emulated:
        return ()
    try:
        return parse(other.text, other.path, platform=other.platform).program.kernels
    except Refusal:
        return ()


def _best(kernels: list[Function], launch: TracedLaunch, here: set[str]) -> list[Function]:
    marks = [(kernel.name in here, _likeness(kernel, launch)) for kernel in kernels]
    return [kernel for kernel, mark in zip(kernels, marks, strict=True) if mark == max(marks)]


def _likeness(kernel: Function, launch: TracedLaunch) -> tuple[int, int, int]:
    """How well a kernel fits a launch that may name it by the parameters of a host template: template
    arguments that are the same, those that the host template has too, and pointers to elements of the size
    seen."""
    spelling = squeezed(kernel.spelling)
    around = re.split(r"[<>,]|::", squeezed(launch.inside).partition("(")[0])
    shared = sum(a in around for a in spelling.partition("<")[2].rstrip(">").split(",") if a)
    bound = bind(kernel, launch.arguments) or ()
    widths = [
        (a.width, p.dtype.bytes * p.lanes)
        for p, a in zip(kernel.params, bound, strict=False)
        if isinstance(a, Memory) and a.width
    ]
    same = _same_arguments(squeezed(launch.kernel), spelling)
    return same, shared, sum(seen == own for seen, own in widths)


def _same_arguments(one: str, other: str) -> int:
    """How many template arguments two names have in common, place by place."""
    pairs = zip(_arguments(one), _arguments(other), strict=False)
    return sum(a == b for a, b in pairs)


_SPELLED = {"true": "1", "false": "0", "__half": "half"}  # as kernels of a unit are spelled


def _arguments(name: str) -> list[str]:
    return [_SPELLED.get(a, a) for a in name.partition("<")[2].removesuffix(">").split(",")]
