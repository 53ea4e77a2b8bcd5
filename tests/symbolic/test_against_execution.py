"""The checker against an independent one that runs each thread alone, on random kernels.

The kernels are made in a small language of their own, printed as CUDA for the checker, and run here thread
by thread up to each barrier: all pairs of accesses are compared. Both must agree on which arrays race, are
left or read unset, and on whether a barrier is missed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations

import pytest

from xpiler.frontend import parse
from xpiler.symbolic.check import Options, check_unit

THREADS, BLOCKS, SHARED, GLOBAL = 6, 2, 12, 24
ROUNDS = int(os.environ.get("XPILER_RANDOM_KERNELS", "300"))

Env = dict[str, int]


@dataclass(frozen=True)
class Index:
    """`(a*t + b*u + c*k + d) op m`, all non-negative."""

    t: int
    u: int
    k: int
    d: int
    op: str = ""
    m: int = 1

    def text(self, loop: str) -> str:
        terms = [f"{n} * {name}" for n, name in ((self.t, "t"), (self.u, "u"), (self.k, loop)) if n and name]
        inner = " + ".join([*terms, str(self.d)])
        return f"(({inner}) {self.op} {self.m})" if self.op else f"({inner})"

    def value(self, env: Env, loop: str) -> int:
        inner = self.t * env["t"] + self.u * env["u"] + self.k * env.get(loop, 0) + self.d
        match self.op:
            case "%":
                return inner % self.m
            case "/":
                return inner // self.m
            case "^":
                return inner ^ self.m
            case "&":
                return inner & self.m
        return inner


@dataclass(frozen=True)
class Store:
    array: str
    index: Index
    number: int
    same: bool


@dataclass(frozen=True)
class Fetch:
    array: str
    index: Index


@dataclass(frozen=True)
class Bump:
    """`atomicAdd(&array[index], 1)`"""

    array: str
    index: Index


@dataclass(frozen=True)
class Wait:
    number: int


@dataclass(frozen=True)
class Branch:
    left: Index
    limit: int
    body: tuple[object, ...]


@dataclass(frozen=True)
class Repeat:
    name: str
    count: int
    body: tuple[object, ...]


def make(rng: random.Random) -> tuple[object, ...]:
    counter = iter(range(1000))
    atomics = rng.random() < 0.5

    def index(size: int) -> Index:
        op, m = rng.choice([("", 1), ("", 1), ("%", size), ("/", 2), ("^", 1), ("&", 7), ("%", 5)])
        t, u = rng.choice([1, 1, 1, 0, 2]), rng.choice([0, 0, THREADS, 1])
        return Index(t, u, rng.choice([0, 0, 1, THREADS]), rng.choice([0, 0, 0, 1, 2]), op, m)

    def statements(depth: int, loop: str) -> tuple[object, ...]:
        made: list[object] = []
        for _ in range(rng.randint(1, 4)):
            kind = rng.random()
            array = rng.choice(["s", "s", "g"])
            size = SHARED if array == "s" else GLOBAL
            if kind < 0.3:
                made.append(Store(array, index(size), next(counter), rng.random() < 0.15))
            elif kind < 0.36 and atomics:
                made.append(Bump(array, index(size)))
            elif kind < 0.5:
                made.append(Fetch(array, index(size)))
            elif kind < 0.75:
                made.append(Wait(next(counter)))
            elif kind < 0.87 and depth < 2:
                made.append(Branch(index(99), rng.randint(1, 8), statements(depth + 1, loop)))
            elif depth < 2 and not loop:
                name = f"k{next(counter)}"
                made.append(Repeat(name, rng.randint(1, 3), statements(depth + 1, name)))
        return tuple(made)

    start = () if rng.random() < 0.3 else (Store("s", Index(1, 0, 0, 0), 990, False), Wait(991))
    if start and rng.random() < 0.7:
        start = (Store("s", Index(1, 0, 0, THREADS), 989, False), *start)
    return (*start, *statements(0, ""))


def printed(body: tuple[object, ...], indent: str = "  ", loop: str = "") -> Iterator[str]:
    for stmt in body:
        match stmt:
            case Store():
                value = str(stmt.number) if stmt.same else f"{1000 * stmt.number} + 10 * t + 100 * u"
                yield f"{indent}{stmt.array}[{stmt.index.text(loop)}] = {value};"
            case Fetch():
                yield f"{indent}x += {stmt.array}[{stmt.index.text(loop)}];"
            case Bump():
                yield f"{indent}atomicAdd(&{stmt.array}[{stmt.index.text(loop)}], 1);"
            case Wait():
                yield f"{indent}__syncthreads();"
            case Branch():
                yield f"{indent}if ({stmt.left.text(loop)} < {stmt.limit}) {{"
                yield from printed(stmt.body, indent + "  ", loop)
                yield f"{indent}}}"
            case Repeat():
                yield f"{indent}for (int {stmt.name} = 0; {stmt.name} < {stmt.count}; {stmt.name}++) {{"
                yield from printed(stmt.body, indent + "  ", stmt.name)
                yield f"{indent}}}"


def text_of(body: tuple[object, ...]) -> str:
    lines = ["__global__ void k(int* g, int* out) {", f"  __shared__ int s[{SHARED}];"]
    lines += ["  int t = threadIdx.x, u = blockIdx.x, x = 0;", *printed(body)]
    return "\n".join([*lines, f"  out[u * {THREADS} + t] = x;", "}", ""])


@dataclass
class Seen:
    """One access: `value` of a store."""

    array: str
    element: int
    block: int
    thread: int
    epoch: int
    value: int | None
    order: int
    atomic: bool = False


@dataclass
class Oracle:
    seen: list[Seen] = field(default_factory=list)
    outside: set[str] = field(default_factory=set)
    diverged: bool = False
    unset: bool = False

    def run(self, body: tuple[object, ...]) -> None:
        for block in range(BLOCKS):
            epoch = 0
            threads = {t: self._thread(body, block, t) for t in range(THREADS)}
            while threads:
                places: dict[object, list[int]] = {}
                for t in sorted(threads):
                    self.now = epoch
                    places.setdefault(next(threads[t], None), []).append(t)
                if len(places) > 1:
                    self.diverged = True
                    return
                if None in places:
                    break
                epoch += 1

    def _thread(self, body: tuple[object, ...], block: int, thread: int) -> Iterator[object]:
        yield from self._steps(body, {"t": thread, "u": block}, "")

    def _steps(self, body: tuple[object, ...], env: Env, loop: str) -> Iterator[object]:
        for stmt in body:
            match stmt:
                case Store():
                    value = stmt.number if stmt.same else 1000 * stmt.number + 10 * env["t"] + 100 * env["u"]
                    self._access(stmt.array, stmt.index.value(env, loop), env, value)
                case Fetch():
                    self._access(stmt.array, stmt.index.value(env, loop), env, None)
                case Bump():
                    self._access(stmt.array, stmt.index.value(env, loop), env, None, atomic=True)
                case Wait():
                    yield stmt.number, env.get(loop, 0)
                case Branch():
                    if stmt.left.value(env, loop) < stmt.limit:
                        yield from self._steps(stmt.body, env, loop)
                case Repeat():
                    for k in range(stmt.count):
                        yield from self._steps(stmt.body, {**env, stmt.name: k}, stmt.name)

    def _access(self, array: str, element: int, env: Env, value: int | None, *, atomic: bool = False) -> None:
        if not 0 <= element < (SHARED if array == "s" else GLOBAL):
            self.outside.add(array)
            return
        self.seen.append(Seen(array, element, env["u"], env["t"], self.now, value, len(self.seen), atomic))

    def races(self) -> set[str]:
        found = set()
        groups: dict[tuple[str, int, int], list[Seen]] = {}
        for a in self.seen:
            groups.setdefault((a.array, a.element, a.block if a.array == "s" else -1), []).append(a)
        for (array, _, _), group in groups.items():
            for a, b in combinations(group, 2):
                if (a.block, a.thread) == (b.block, b.thread) or (a.atomic and b.atomic):
                    continue
                if a.value is None and b.value is None and not (a.atomic or b.atomic):
                    continue
                if a.block == b.block and a.epoch != b.epoch:
                    continue
                if a.value != b.value or a.atomic or b.atomic:
                    found.add(array)
        return found

    def reads_unset(self) -> bool:
        """Of shared elements, by the order of epochs and of the thread itself."""
        for read in (a for a in self.seen if a.array == "s" and a.value is None):
            if not any(
                w.array == "s"
                and (w.value is not None or w.atomic)
                and w.element == read.element
                and w.block == read.block
                and (w.epoch < read.epoch or (w.thread == read.thread and w.order < read.order))
                for w in self.seen
            ):
                return True
        return False


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_the_checker_agrees_with_running_each_thread(seed: int) -> None:
    body = make(random.Random(seed))
    text = text_of(body)
    oracle = Oracle()
    oracle.run(body)
    options = Options((BLOCKS, 1, 1), (THREADS, 1, 1), extents=(("g", GLOBAL), ("out", THREADS * BLOCKS)))
    report = check_unit(parse(text, "k.cu"), options)
    found = report.findings
    assert ("XP-DIVERGENCE" in {f.code for f in found}) == oracle.diverged, text
    if oracle.diverged:
        return
    errors = [f for f in found if f.severity == "error"]
    assert {f.array for f in errors if f.code == "XP-BOUNDS"} == oracle.outside, text
    races = {f.array for f in errors if f.code in ("XP-RACE", "XP-SYNCWARP")}
    assert races == oracle.races(), text
    if "s" not in races and "s" not in oracle.outside:
        assert ("XP-UNINIT" in {f.code for f in errors}) == oracle.reads_unset(), text
    assert report.kernels[0].status == ("bugs" if errors else "clean"), text
