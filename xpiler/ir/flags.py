"""Arrays of flags: whoever finds something stores the same number (`if (!seen[v]) { seen[v] = 1; ... }`)."""

from __future__ import annotations

import functools

from xpiler.ir.nodes import Assign, Atomic, Const, Function, Load, Ref
from xpiler.ir.rewrite import walk


@functools.lru_cache(maxsize=64)  # a search runs a kernel many times
def flags(kernel: Function) -> frozenset[str]:
    """Pointer parameters that the kernel reads, and in which all it stores is one constant.

    Threads that race on them see the number or do not see it yet: where the results are the same in either
    case, as runs in several orders of the threads show, that is no fault.
    """
    stored: dict[str, set[object]] = {}
    for node in walk(kernel.body):
        match node:
            case Assign(target=Load(array=array), value=value, reduce=reduce):
                constant = isinstance(value, Const) and reduce is None
                stored.setdefault(array, set()).add(value if constant else node)
            case Atomic(place=Load(array=array)):
                stored.setdefault(array, set()).update((node, None))
            case Ref(array=array):  # an address: what happens there is not seen here
                stored.setdefault(array, set()).update((node, None))
    targets = {id(n.target) for n in walk(kernel.body) if isinstance(n, Assign)}
    read = {n.array for n in walk(kernel.body) if isinstance(n, Load) and id(n) not in targets}
    names = {p.name for p in kernel.params if p.is_pointer}
    return frozenset(
        name
        for name, values in stored.items()
        if name in names & read and len(values) == 1 and isinstance(next(iter(values)), Const)
    )
