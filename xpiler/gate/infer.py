"""The contract of an entry, found by asking the program.

The search that fits the platform and the kind of entry (`infer_host`, `infer_program`, `infer_kernel`) finds
sizes with which it runs; from them come the roles of the arguments and the cases. If no sizes are digested
the first finding is reported as what it is: a bug of the source, with its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend.unit import Unit
from xpiler.gate.contract import Case, Contract, Role, Scalar, Values
from xpiler.gate.entries import Entry
from xpiler.gate.extents import extent_value
from xpiler.gate.host_fault import stopped_in_host_code
from xpiler.gate.infer_arguments import (
    argument_of,
    is_cooperative,
    provisional_contract,
    variable_of,
    variables_of,
)
from xpiler.gate.infer_function import FunctionSearch
from xpiler.gate.infer_further import Elsewhere
from xpiler.gate.infer_host import HostSearch
from xpiler.gate.infer_kernel import KernelSearch
from xpiler.gate.infer_launch import LaunchFormula
from xpiler.gate.infer_program import ProgramSearch
from xpiler.gate.infer_room import Room, room_for
from xpiler.gate.infer_search import Builder, Question, Search, Trial, badness, endless_loop
from xpiler.gate.infer_tasks import TaskSearch
from xpiler.gate.largest_index import largest_elements
from xpiler.gate.launched import spellings
from xpiler.gate.observe import extent_of
from xpiler.gate.overrides import Overrides
from xpiler.gate.trace import Trace
from xpiler.gate.unguarded_blocks import unguarded_blocks
from xpiler.ir.interpret_state import Finding
from xpiler.ir.nodes import Call, Const, Decl, Expr, Function, Param
from xpiler.ir.rewrite import walk
from xpiler.ir.types import BF16, F16, DType
from xpiler.platforms.registry import PLATFORMS
from xpiler.symbolic.settings import Setting

__all__ = ["Inference", "infer_contract", "provisional_contract"]

_MOST_OF_MAIN = 2  # calls by `main` at whose sizes an entry is run

_Found = tuple[Search, list[Trial]]


@dataclass(frozen=True)
class Inference:
    """`contract.cases` is empty if no sizes were digested; `findings` are then the reasons.

    `formula` is the launch of a bare kernel; `checked` says whether the kernels' IR was run; `assumed` is
    what the user has to be asked for where the launch becomes part of the translation (the grid of a kernel
    that works with any), None if nothing. `extents`: elements of the arrays of a plain function as formulas
    over its scalar parameters, where one was found. `unlaunched`: kernels that the entry launches under some
    condition, but in none of the cases, those without IR among them. `settings`: by kernel, the launches at
    which its IR was run.
    `made_up`: the findings were shown by data that the file's program may never hand the kernel; `doubts` are
    findings of such data that the program's own do not show. `further`: cases that are part of the contract
    if the source takes them, which only running it shows; `at`: such a case with other scalars, see
    `Elsewhere.at`. `warnings`: what is right for some callers only.
    """

    contract: Contract
    formula: LaunchFormula | None
    findings: tuple[Finding, ...]
    checked: bool
    assumed: Diagnostic | None = None
    extents: Mapping[str, Expr] = field(default_factory=dict)
    unlaunched: tuple[str, ...] = ()
    settings: Mapping[str, tuple[Setting, ...]] = field(default_factory=dict)
    made_up: bool = False
    further: tuple[Case, ...] = ()
    doubts: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    at: Callable[..., Case | None] = lambda changes, kept="": None


def _search_host(question: Question) -> _Found:
    search = HostSearch(question)
    return search, search.run()


def _search_kernel(question: Question) -> _Found:
    """The launches that the file's program makes; where none of them is clean, the kernel alone."""
    search = ProgramSearch(question)
    found = search.run()
    if found and (search.recorded or badness(found[0])[:2] == (False, False)):
        return search, found
    try:
        alone = TaskSearch(question) if _is_of_tasks(question) else KernelSearch(question)
        others = alone.run()
    except Refusal:
        if not found:
            raise
        return search, found
    if not found or (others and badness(others[0]) < badness(found[0])):
        return alone, others
    return search, found


def _is_of_tasks(question: Question) -> bool:
    return PLATFORMS[question.unit.platform].model == "tasks"


def _search_function(question: Question) -> _Found:
    search = FunctionSearch(question)
    return search, search.run()


# By the model of the file's platform and the kind of the entry; a further search is a file and a line here.
_SEARCHES: dict[tuple[str, str], Callable[[Question], _Found]] = {
    ("simt", "host"): _search_host,
    ("simt", "kernel"): _search_kernel,
    ("tasks", "host"): _search_host,
    ("tasks", "kernel"): _search_kernel,
    ("serial", "host"): _search_function,
}


def infer_contract(
    unit: Unit, entry: Entry, overrides: Overrides, builder: Builder, program: Callable[[], Trace | None]
) -> Inference:
    """The contract of `entry`. `builder` and `program` are those of `Question`.

    Raises Refusal for what only the user can tell (a grid that no guard bounds), naming the flag to add.
    """
    question = Question(unit, entry, overrides, builder, program)
    ask = _SEARCHES.get((PLATFORMS[unit.platform].model, entry.kind))
    if ask is None:
        raise Refusal(
            "contract-kind",
            f"nobody knows yet how to call a {unit.platform} {entry.kind} function",
            entry.range,
        )
    search, found = ask(question)
    kernels = [k for k in unit.program.kernels if k.name in entry.kernels]
    usable = [trial for trial in found if not trial.findings and not trial.fault]
    arguments = tuple(argument_of(p, _role(p, usable, overrides)) for p in entry.params)
    variables = variables_of(kernels, arguments)
    contract = Contract(
        entry=entry.name,
        kind=entry.kind,
        arguments=arguments,
        cases=tuple(search.typed(_with_variables(case, variables)) for case in _cases(usable)),
        kernel_spelling=entry.spelling,
        fast_math=_flag(overrides.fast_math, any(_uses_fast_math(k) for k in kernels)),
        reduction_length=overrides.reduction_length or 0,
        accumulator=_accumulator(kernels),
        notes=tuple(search.notes),
        globals=tuple(variable_of(decl) for decl in variables),
        before=entry.before,
        handed=entry.handed,
        signature=entry.signature,
        cooperative=is_cooperative(entry, kernels),
    )
    if contract.globals and not builder(contract).ok:  # not visible at the end: in a namespace or a class
        contract = replace(contract, globals=())
    if not usable:
        _refuse_unset(entry)
        first = found[0] if found else None
        loop = endless_loop(found)
        if loop is not None:
            raise never_ends(entry, loop)
        if first is not None and all(trial.host_fault for trial in found):
            raise stopped_in_host_code(entry, first.host_fault, first.fault)
        if first is None or (first.fault and not first.findings):
            why = f": {first.fault}" if first and first.fault else ""
            raise Refusal(
                "contract-sizes",
                f"no sizes were found with which {entry.name} runs{why}",
                entry.range,
                "state them, for example --arg n=1024",
            )
        made_up = isinstance(search, ProgramSearch) and search.made_up
        return Inference(contract, search.formula, first.findings, True, search.assumed, made_up=made_up)
    wrong = [trial for trial in found if trial.stated and (trial.findings or trial.fault)]
    if wrong and not wrong[0].findings:
        sizes = ", ".join(f"{name}={value}" for name, value in wrong[0].sizes.items())
        why = f"{entry.name} does not run at {sizes}: {wrong[0].fault}"
        raise Refusal("contract-sizes", why, entry.range, "state other sizes")
    findings = wrong[0].findings if wrong else ()
    extents = search.formulas() if isinstance(search, FunctionSearch) else {}
    wholes = search.wholes() if isinstance(search, FunctionSearch) else {}
    contract = replace(contract, cases=tuple(_with_extents(case, extents, wholes) for case in contract.cases))
    own = isinstance(search, ProgramSearch) and search.recorded  # arrays are those of the program
    room = Room()
    if not extents and not own:
        known = search.checked and not _host_code_looks(unit, entry)
        contract, room = room_for(contract, builder, kernels, dict(overrides.shapes), known)
    missed = search.unlaunched if isinstance(search, HostSearch) else []
    settings = _settings(search, usable)
    elsewhere = Elsewhere(search, usable, overrides, extents)

    def given(case: Case) -> Case | None:
        if any(case.extent(name) > _product(case, factors) for name, factors in wholes.items()):
            return None  # a window larger than the image: sizes that are not meant
        made = room.given(_with_variables(_with_extents(case, {}, wholes), variables))
        return made if made is None else search.typed(made)

    stated = [case for numbers in _of_main(unit, entry, search.sizes) if (case := elsewhere.at(numbers))]
    return Inference(
        contract,
        search.formula,
        findings,
        search.checked,
        search.assumed,
        extents,
        spellings(unit, missed),
        settings,
        further=tuple(made for c in (*stated, *elsewhere.cases()) if (made := given(c)) is not None),
        at=lambda changes, kept="": None if (case := elsewhere.at(changes, kept)) is None else given(case),
        doubts=tuple(search.doubts) if isinstance(search, ProgramSearch) else (),
        warnings=unguarded_blocks(entry, contract, kernels, settings)
        if isinstance(search, HostSearch)
        else (),
    )


def _of_main(unit: Unit, entry: Entry, sizes: Sequence[str]) -> Iterator[dict[str, Scalar]]:
    """The sizes with which the file's own `main` calls the entry."""
    handed = entry.handed or tuple(p.name for p in entry.params)
    calls = [c for c in unit.calls if c.name == entry.function and len(c.numbers) == len(handed)]
    for call in calls[:_MOST_OF_MAIN]:
        numbers = dict(zip(handed, call.numbers, strict=True))
        found: dict[str, Scalar] = {n: int(v) for n, v in numbers.items() if v is not None and n in sizes}
        if found:
            yield found


def _host_code_looks(unit: Unit, entry: Entry) -> bool:
    """Whether host code reads or writes elements of the arrays that it is handed (`kept[count++] = i`)."""
    pointers = "|".join(re.escape(p.name) for p in entry.params if p.is_pointer and p.name)
    accesses = rf"\b(?:{pointers})\s*\[|(?:^|[;{{}}(=])\s*\*\s*(?:{pointers})\b"
    return bool(pointers) and any(
        re.search(accesses, f.body) for f in unit.host_functions if f.name == entry.function
    )


def _settings(search: Search, trials: Sequence[Trial]) -> dict[str, tuple[Setting, ...]]:
    """By kernel: the launches of the trials."""
    found: dict[str, list[Setting]] = {}
    for sizes in dict.fromkeys(frozenset(trial.sizes.items()) for trial in trials):
        for kernel, settings in search.ran.get(sizes, {}).items():
            found.setdefault(kernel, []).extend(settings)
    return {kernel: tuple(settings) for kernel, settings in found.items()}


def never_ends(entry: Entry, loop: Finding) -> Refusal:
    rounds = loop.values["rounds"]
    what = (
        f"this loop of {entry.name} went round {rounds} times and did not end, at all sizes that were tried"
        if rounds
        else f"this loop of {entry.name} never ends once it is entered: nothing in it changes its condition"
    )
    return Refusal("endless-loop", what, loop.range, "mend the condition that ends it")


def _refuse_unset(entry: Entry) -> None:
    """A function that needs others before it is not wrong because it does not run as it was tried."""
    if entry.unset:
        what = ", ".join(f"`{name}`" for name in entry.unset)
        raise Refusal(
            "contract-state",
            f"{entry.name} uses {what}, and no function of this file sets that up before it",
            entry.range,
            "add a function that does, or name another entry with --entry",
        )
    if entry.before:
        calls = ", ".join(setup.callee for setup in entry.before)
        raise Refusal(
            "contract-state",
            f"{entry.name} needs {calls} before it, and no sizes were found with which they go together",
            entry.range,
            "state them, for example --arg n=1024",
        )


def _with_extents(case: Case, formulas: Mapping[str, Expr], wholes: Mapping[str, Sequence[str]]) -> Case:
    """The case with arrays as large as their formulas say, or as their whole rows are, where a run uses
    less."""
    sizes = {name: int(value) for name, value in case.scalars if isinstance(value, int)}
    sizes |= largest_elements(dict(case.values), dict(case.extents))
    extents = []
    for name, extent in case.extents:
        stated = extent_value(formulas[name], sizes) if name in formulas else None
        whole = _product(case, wholes[name]) if name in wholes else 0
        extents.append((name, max(extent, stated or 0, whole)))
    return replace(case, extents=tuple(extents))


def _product(case: Case, names: Sequence[str]) -> int:
    return prod(int(case.scalar(name)) for name in names)


def _with_variables(case: Case, variables: Sequence[Decl]) -> Case:
    extents = tuple((decl.name, extent_of(decl)) for decl in variables)
    shapes = tuple(
        (decl.name, tuple(int(e.value) for e in decl.shape if isinstance(e, Const))) for decl in variables
    )
    # An integer may be an index or a counter: 0, what it is before anybody sets it.
    known = dict(case.values)
    zeros = tuple(
        (decl.name, Values("constant", 0))
        for decl in variables
        if not decl.dtype.is_float and decl.name not in known
    )
    return replace(
        case, extents=case.extents + extents, shapes=case.shapes + shapes, values=case.values + zeros
    )


def _flag(stated_value: bool | None, inferred: bool) -> bool:
    return inferred if stated_value is None else stated_value


def _role(param: Param, usable: Sequence[Trial], overrides: Overrides) -> Role:
    if not param.is_pointer:
        return Role.SCALAR
    given = dict(overrides.roles).get(param.name)
    if given is not None:
        return given
    roles = {trial.roles[param.name] for trial in usable if param.name in trial.roles}
    if not roles:
        return Role.IN if param.is_const else Role.INOUT
    return roles.pop() if len(roles) == 1 else Role.INOUT


def _cases(trials: Sequence[Trial]) -> Iterator[Case]:
    """Exact data and ordinary data at the first sizes; other seeds, other data at the others; what is given
    is the same in all."""
    for number, trial in enumerate(trials):
        if trial.case.all_given:
            yield trial.case
            continue
        fills: tuple[str, ...] = ("normal", "integers") if number == 0 else ("normal", "boundary")
        for seed, fill in enumerate(fills):
            yield replace(trial.case, seed=10 * number + seed + 1, fill=fill)  # type: ignore[arg-type]


def _uses_fast_math(kernel: Function) -> bool:
    return any(isinstance(node, Call) and node.fast for node in walk(kernel.body))


def _accumulator(kernels: Sequence[Function]) -> DType | None:
    """The narrowest float type that a kernel computes in (not merely loads)."""
    narrow = {F16, BF16}
    for kernel in kernels:
        for node in walk(kernel.body):
            dtype = getattr(node, "dtype", None)
            if dtype in narrow and type(node).__name__ in ("Binary", "Call"):
                return dtype if isinstance(dtype, DType) else None
    return None
