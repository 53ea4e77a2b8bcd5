"""Arrays that host code hands on as memory without a type, in the types that the kernels of a call use.

    int gelu(const void *x, void *y, int n, DType t) { switch (t) { case F16: gelu_kernel<half><<<...>>>(...

A contract counts such arrays in bytes (`Argument.dtype`); `Case.types` says what a call takes them for, as
its launches show. Data are drawn as such numbers, and results compared as such: the bytes of a float say
nothing of how near two floats are, and those of NaN are anybody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from xpiler.gate.arrays import storage
from xpiler.gate.bound import bind
from xpiler.gate.contract import Argument, Case, Contract
from xpiler.gate.execute import RunResult
from xpiler.gate.launched import LaunchedKernels
from xpiler.gate.trace import Memory, Trace
from xpiler.ir.index_arrays import BITS, index_arrays
from xpiler.ir.nodes import Param
from xpiler.ir.types import BF16, F16, F32, F64, DType

_FLOATS: Mapping[str, DType] = {"bf16": BF16, "f16": F16, "f32": F32, "f64": F64}


def used_types(trace: Trace, launched: LaunchedKernels, params: Iterable[Param]) -> dict[str, DType]:
    """The one type of elements as which the launches of a call use an array of integers or bytes, where that
    is another one than its own. None for arrays that are also used by a kernel that is not known."""
    names: dict[str, str] = {}  # allocations by the array that they are copied from, or to
    for copy in trace.copies:
        if copy.to is not None and copy.source is not None:
            for one, other in ((copy.to, copy.source), (copy.source, copy.to)):
                if other.name and not one.name:
                    names[one.key] = other.name
    found: dict[str, set[DType | None]] = {}
    for launch in trace.launches:
        kernels = launched.fitting(launch)
        if not kernels:
            for memory in launch.memories():
                found.setdefault(memory.name or names.get(memory.key, ""), set()).add(None)
        for kernel in kernels:
            uses = index_arrays(kernel)
            for param, place in zip(kernel.params, bind(kernel, launch.arguments) or (), strict=False):
                if isinstance(place, Memory):
                    use = uses.get(param.name, "")
                    dtype = _FLOATS[use] if use in BITS else param.dtype
                    found.setdefault(place.name or names.get(place.key, ""), set()).add(dtype)
    types: dict[str, DType] = {}
    for param in params:
        kinds = found.get(param.name, set())
        used = next(iter(kinds)) if len(kinds) == 1 else None
        if param.is_pointer and param.dtype.is_integer and used is not None and used != param.dtype:
            types[param.name] = used
    return types


def contract_in(contract: Contract, case: Case) -> Contract:
    """The contract with the types that the case gives its arrays. Sums are kept in a narrow type only where
    an array is of that type."""
    if not case.types:
        return contract
    types = dict(case.types)
    arguments = tuple(_typed(argument, types) for argument in contract.arguments)
    floats = {a.dtype for a in arguments if a.is_pointer}
    accumulator = contract.accumulator if contract.accumulator in floats else None
    return replace(contract, arguments=arguments, accumulator=accumulator)


def case_in(contract: Contract, case: Case) -> Case:
    """The case with extents that count elements of those types."""
    if not case.types:
        return case
    types = dict(case.types)
    own = {argument.name: argument.dtype.bytes for argument in contract.pointers}
    extents = tuple((n, e * own[n] // types[n].bytes if n in types else e) for n, e in case.extents)
    shapes = tuple((name, shape) for name, shape in case.shapes if name not in types)
    return replace(case, extents=extents, shapes=shapes, types=())


def result_in(contract: Contract, result: RunResult) -> RunResult:
    """The result with its arrays in those types. An element is left alone if all its bytes are."""
    if not result.case.types:
        return result
    types = dict(result.case.types)
    buffers, unwritten = dict(result.buffers), dict(result.unwritten)
    for argument in contract.outputs:
        used = types.get(argument.name)
        if used is None or argument.name not in buffers:
            continue
        alone, data = result.left_alone(argument), buffers[argument.name]
        count = data.nbytes // used.bytes
        buffers[argument.name] = data.view("u1")[: count * used.bytes].view(storage(used))
        each = used.bytes // argument.dtype.bytes
        unwritten[argument.name] = np.all(alone[: count * each].reshape(count, each), axis=1)
    return replace(result, case=case_in(contract, result.case), buffers=buffers, unwritten=unwritten)


def _typed(argument: Argument, types: Mapping[str, DType]) -> Argument:
    used = types.get(argument.name)
    return argument if used is None else replace(argument, dtype=used, lanes=1)
