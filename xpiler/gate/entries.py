"""Which functions of a file can be called from outside, and which kernels each of them runs.

The `extern "C"` host wrappers if there are any, else the other host functions that launch; a kernel that
no such
function launches is an entry of its own; a `main` is run as a whole program besides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend.unit import HostFunction, LaunchSite, Unit
from xpiler.gate.contract import EntryKind, Setup
from xpiler.gate.setups import Plan, Setups
from xpiler.ir.nodes import RETURN, Atomic, Function, Param
from xpiler.ir.rewrite import walk
from xpiler.ir.source import SourceRange
from xpiler.ir.types import BOOL, F32, F64, I32, I64, U32, U64, DType
from xpiler.platforms.registry import PLATFORMS


@dataclass(frozen=True)
class Entry:
    """`kernels` are the names of the IR functions that a call runs; `missing` those that were refused,
    with why.

    `params` is everything that test data is made for; `before`, `handed` and `signature` are those of the
    contract. `unset` is state of the file that the entry uses and that nothing sets up before it.
    """

    name: str
    kind: EntryKind
    params: tuple[Param, ...]
    kernels: tuple[str, ...]
    missing: tuple[str, ...]
    range: SourceRange | None
    spelling: str = ""
    before: tuple[Setup, ...] = ()
    handed: tuple[str, ...] = ()
    signature: str = ""
    unset: tuple[str, ...] = ()

    @property
    def function(self) -> str:
        """The name of the function, of which the entry may be an instance."""
        return self.name.split("<")[0]


def entries_of(unit: Unit, only: str | None = None) -> tuple[Entry, ...]:
    """All entries of a file, or the one named `only`. Raises `Refusal` if there is none."""
    setups = Setups(unit)
    functions = (*unit.host_functions, *unit.instances)
    reached = {function: _reached(unit, setups, function) for function in functions}
    launching = [f for f in functions if reached[f] and f.name != "main" and not f.is_template]
    wrappers = [f for f in launching if f.is_extern_c and not _takes_pointers_to_pointers(setups, f)]
    wrappers = wrappers or [f for f in launching if _callable(setups, f)]
    inner = {called for f in wrappers for called in setups.reached(f)[1:]}
    hosts = [f for f in wrappers if f.is_extern_c or f not in inner]
    plans = {f: setups.plan(f) for f in hosts}
    main = next((f for f in unit.host_functions if f.name == "main"), None)
    run_by_main = set(setups.reached(main)) if main is not None else set()
    found = [
        _host_entry(unit, f, reached, plans[f])
        for f in hosts
        if not _is_part_of_another(f, plans, main is not None, f in run_by_main)
    ]
    gone = unit.reduced.names if unit.reduced is not None else frozenset()  # nobody can run these
    covered = {n for entry in found if entry.name not in gone for n in (*entry.kernels, *entry.missing)}
    for kernel in unit.program.kernels:
        if kernel.name not in covered and not _HAS_LAMBDA.search(kernel.spelling):
            found.append(_kernel_entry(kernel))
    for name, diagnostic in unit.refusals.items():
        if name not in covered:
            found.append(Entry(name, "kernel", (), (), (name,), diagnostic.range))
    if main is not None:
        found.append(Entry("main", "main", (), (), (), main.range))
    if only is not None:
        named = [entry for entry in found if only in (entry.name, entry.spelling, entry.function)]
        named = named or [
            _host_entry(unit, f, reached, setups.plan(f))
            for f in launching
            if only in (f.name, f.name + f.instance)
        ]
        named = named or [
            _kernel_entry(k) for k in unit.program.kernels if only in (k.name, k.spelling, k.template)
        ]
        if not named:
            names = ", ".join(entry.name for entry in found) or "none"
            raise Refusal(
                "contract-entry", f"{unit.file} has no entry named {only!r}", remedy=f"entries: {names}"
            )
        return tuple(named)
    if not found:
        missing = f"there is no {_kernel_word(unit)} in this file"
        raise Refusal(
            "no-kernel",
            missing if unit.text.strip() else "this file is empty",
            SourceRange(unit.file, 1, 1, 1, 1),
            "name a file that defines a kernel",
        )
    return tuple(found)


def offered(unit: Unit, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Functions that launch kernels and that no entry is or calls, as entries of their own. Beside `extern
    "C"` wrappers nobody says that they are called from outside: they count where they run by themselves."""
    setups = Setups(unit)
    functions = [f for f in unit.host_functions if f.name != "main" and not f.is_template]
    reached = {f: _reached(unit, setups, f) for f in functions}
    called = _called(setups, entries)
    found = [
        f
        for f in functions
        if reached[f]
        and f not in called
        and _callable(setups, f)
        and not _takes_pointers_to_pointers(setups, f)
        and any(p.is_pointer and not p.is_const for p in f.params)
    ]
    inner = {function for f in found for function in setups.reached(f)[1:]}
    plans = {f: setups.plan(f) for f in found if f not in inner}
    return tuple(
        _host_entry(unit, f, reached, plan)
        for f, plan in plans.items()
        if not plan.missing and not plan.before
    )[:_MOST_OFFERED]


def _called(setups: Setups, entries: Sequence[Entry]) -> set[HostFunction]:
    """The functions that entries are, set up or call."""
    run = [name for e in entries if e.kind == "host" for name in (e.function, *(s.callee for s in e.before))]
    return {f for name in run for f in setups.reached_by_name(name)}


def left_out(unit: Unit, entries: Sequence[Entry]) -> tuple[Diagnostic, ...]:
    """Remarks on the functions that launch kernels and that no entry is or calls."""
    setups = Setups(unit)
    called = _called(setups, entries)
    by_main = set(setups.reached_by_name("main"))
    found: list[Diagnostic] = []
    for function in unit.host_functions:
        if function.name == "main" or function in called or function.is_template:
            continue
        if not _reached(unit, setups, function):
            continue
        who = "only `main` does" if function in by_main else "nothing that is compared does"
        why = (
            ""
            if _callable(setups, function)
            else ": nobody can make up what it takes or what it needs before"
        )
        what = f"`{function.name}` launches kernels and is not called by itself, {who}{why}"
        found.append(Diagnostic("not-called", what, function.range, "note"))
    return tuple(found)


def _kernel_word(unit: Unit) -> str:
    if PLATFORMS[unit.platform].model == "serial":
        return "function with external linkage that takes an array"
    return "__global__ kernel"


def _is_part_of_another(
    function: HostFunction, plans: Mapping[HostFunction, Plan], has_main: bool, run_by_main: bool
) -> bool:
    """A function that is run with another entry: one that sets it up and shows nothing of its own, or one
    that only `main` sets up, or that does all of its work on memory of its own, which only `main` shows."""
    sets_up = any(function in plan.functions for other, plan in plans.items() if other is not function)
    shows_nothing = not any(p.is_pointer and not p.is_const for p in function.params)
    needs_main = has_main and not function.is_extern_c and bool(plans[function].missing)
    is_inner = run_by_main and shows_nothing and not _returned(function)
    return (sets_up and shows_nothing) or needs_main or is_inner


def _host_entry(
    unit: Unit, function: HostFunction, reached: Mapping[HostFunction, tuple[LaunchSite, ...]], plan: Plan
) -> Entry:
    launches = [site for f in (*plan.functions, function) for site in reached[f]]
    kernels = tuple(dict.fromkeys(site.kernel for site in launches if site.kernel))
    missing = tuple(dict.fromkeys(_refused_name(unit, site) for site in launches if not site.kernel))
    owners = (function, *plan.functions)
    parts = _parts(unit, function, plan)
    params = tuple(
        part
        for p in plan.params
        for part in [q for q in parts if q.range == p.range]
        or [_typed(unit, next(f for f in owners if _has(f, p)), p)]
    )
    returned = _returned(function)
    return Entry(
        function.name + function.instance,
        "host",
        (*params, *returned),
        kernels,
        missing,
        function.range,
        function.callee if function.namespace else "",
        plan.before,
        plan.handed if plan.before or (returned and not parts) else (),
        _signature(unit, function),
        plan.missing,
    )


_MOST_OFFERED = 6
_OF_POINTERS = re.compile(r"\*\s*(?:const\b|__restrict__\b|\s)*[*\[]")  # `float **`, `float *[2]`
_HAS_LAMBDA = re.compile(r"\blambda_\d+\b")  # only the function that it stands in can launch such a kernel
_RESULTS = {
    "bool": BOOL,
    "float": F32,
    "double": F64,
    "int": I32,
    "int32_t": I32,
    "unsigned": U32,
    "unsigned int": U32,
    "uint32_t": U32,
    "long": I64,
    "long long": I64,
    "int64_t": I64,
    "size_t": U64,
    "std::size_t": U64,
    "unsigned long": U64,
    "unsigned long long": U64,
    "uint64_t": U64,
}
_STATUS = re.compile(
    r"(?:\(int\)\s*|static_cast<int>\()?"
    r"(?:-?\d+|true|false|EXIT_\w+|(?:cuda|hip|cnrt)\w+(?:\(.*\))?|\w*(?:err|status|ret|rc|ok|success|res)\w*)\)?"
    r"(?:\s*[!=]=\s*(?:\d+|\w*success\w*)(?:\s*\?\s*[-\w]+\s*:\s*[-\w]+)?)?",
    re.I | re.S,
)
_CLOCKS = re.compile(r"elapsed|chrono|clock|timer|gettimeofday|wtime|get_?time|\bseconds|milli", re.I)


def _returned(function: HostFunction) -> tuple[Param, ...]:
    """The result of a function as one more array for the contract: a number, not a status code, which
    platforms have others of, nor what a clock said."""
    returns = re.sub(r"\b(?:static|inline|extern|const|\"C\")\s*", "", function.returns).strip()
    dtype = _RESULTS.get(returns)
    values = re.findall(r"\breturn\s+([^;]+);", function.body)
    if dtype is None or all(_STATUS.fullmatch(value.strip()) for value in values):
        return ()
    if dtype.is_float and _CLOCKS.search(function.body):
        return ()
    return (Param(RETURN, dtype, True),)


def _has(function: HostFunction, param: Param) -> bool:
    return any(p.range == param.range for p in function.params)


def _signature(unit: Unit, function: HostFunction) -> str:
    """The type of an overloaded function, to tell it from the others; "" for a function alone of its name,
    or an instance, which is named by its arguments."""
    same = [f for f in unit.host_functions if (f.namespace, f.name) == (function.namespace, function.name)]
    if len(same) < 2 or function.instance:
        return ""
    return f"{function.returns} (*)({', '.join(p.spelling for p in function.params)})"


def _typed(unit: Unit, function: HostFunction, param: Param) -> Param:
    """A `void *` holds what the kernels that it is passed to take it for."""
    if not param.is_pointer or not re.search(r"\bvoid\b", param.spelling):
        return param
    kernels = {kernel.name: kernel for kernel in unit.program.kernels}
    taken: set[tuple[DType, int]] = set()
    for site in unit.launches:
        kernel = kernels.get(site.kernel)
        if kernel is None or site.host_function != function.name:
            continue
        if len(kernel.params) != len(site.arguments):
            continue
        for inner, argument in zip(kernel.params, site.arguments, strict=True):
            if inner.is_pointer and re.fullmatch(
                rf"(?:\(.*\)|\w+<.*>\()?\s*{param.name}\s*\)?", argument, re.S
            ):
                taken.add((inner.dtype, inner.lanes))
    if len(taken) != 1:
        return param
    dtype, lanes = taken.pop()
    return replace(param, dtype=dtype, lanes=lanes)


def _kernel_entry(kernel: Function) -> Entry:
    spelling = kernel.namespace + kernel.spelling
    kind: EntryKind = "host" if kernel.is_serial else "kernel"
    taken = tuple(p.name for p in kernel.params if p.name != RETURN)
    handed = taken if len(taken) < len(kernel.params) else ()
    return Entry(kernel.name, kind, kernel.params, (kernel.name,), (), kernel.range, spelling, handed=handed)


def _refused_name(unit: Unit, site: LaunchSite) -> str:
    base = re.split(r"[<:]", site.spelling)[0] if "::" not in site.spelling else site.spelling.split("::")[-1]
    base = base.split("<")[0]
    return next((name for name in unit.refusals if name in (site.spelling, base)), site.spelling)


def _takes_pointers_to_pointers(setups: Setups, function: HostFunction) -> bool:
    """Whether it needs arrays of arrays, for which no test data can be made."""
    return any(_OF_POINTERS.search(p.spelling) and not setups.record_of(p) for p in function.params)


def _callable(setups: Setups, function: HostFunction) -> bool:
    """Whether its parameters can be made: pointers to numbers, numbers, and objects that the file makes. What
    has no type is no function: `TEST(sums, small) { ... }`, of which a macro makes something."""
    if not function.returns:
        return False
    plan = setups.plan(function)
    in_parts = {part.argument for part in _parts(setups.unit, function, plan)}
    return bool(function.params or plan.before) and all(
        p.name not in plan.missing
        if setups.record_of(p)
        else not _OF_POINTERS.search(p.spelling) and (p.is_pointer or p.lanes == 1 or place in in_parts)
        for place, p in enumerate(function.params)
    )


def _parts(unit: Unit, function: HostFunction, plan: Plan) -> tuple[Param, ...]:
    """The members that stand for structs by value, where it is called with nothing before."""
    names = [p.name for p in (*function.params, *function.parts)]
    is_plain = not plan.before and not _signature(unit, function)
    return function.parts if is_plain and len(set(names)) == len(names) else ()


def _reached(unit: Unit, setups: Setups, function: HostFunction) -> tuple[LaunchSite, ...]:
    functions = setups.reached(function)
    return tuple(
        site
        for site in unit.launches
        if any(f.name == site.host_function and f.span[0] <= site.span[0] < f.span[1] for f in functions)
        and (not function.instance or site.spelling in function.launched)
    )


def deciding_atomic(unit: Unit, entry: Entry) -> SourceRange | None:
    """Where the entry's kernels use an atomic, one whose old value they go by first: its order may decide
    what they compute."""
    kernels = [k for k in unit.program.kernels if k.name in entry.kernels]
    atomics = [n for k in kernels for n in walk(k.body) if isinstance(n, Atomic)]
    return next((n.range for n in sorted(atomics, key=lambda n: n.target is None)), None)
