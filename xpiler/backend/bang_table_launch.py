"""A launch by the runtime's function, with a table of arguments, for an MLU.

    void *args[] = {&x, &n};
    cudaError_t e = cudaLaunchKernel((void *)k, grid, block, args, 0, stream);
    -->
    cnrtRet_t e = (k<<<all_cores(), cnrtFuncTypeUnion1, stream>>>(*(float **)((args)[0]), ...), cnrtSuccess);

It stays an expression. Where a value says which kernel starts, each that it may be is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xpiler.backend.bang_memory import is_managed
from xpiler.backend.hip_source import SourceText
from xpiler.backend.host_cpp import _argument_table, _instances, _kernel, _several_instances
from xpiler.backend.host_dispatch import split, unpacked
from xpiler.backend.host_values import chosen
from xpiler.frontend.unit import LaunchSite, Unit
from xpiler.ir.nodes import Function

_NONE = frozenset(("", "0", "nullptr", "NULL", "cudaStreamDefault"))

# The kernel's start with its configuration (grid, block, shared), its values and its queue.
Start = Callable[[Function, Sequence[str], Sequence[str], str], str]


def launch_by_table(
    unit: Unit, source: SourceText, span: tuple[int, int], group: list[LaunchSite], start: Start
) -> str | None:
    """The expression for a launch, None where it has no table of arguments."""
    table = _argument_table(source, span)
    if table is None:
        return None
    site = group[0]
    if not site.value and len(_instances(group)) > 1:
        raise _several_instances(group)
    text = source.text[slice(*span)]
    stream = dict(enumerate(split(text[text.index("(") + 1 : text.rindex(")")]))).get(5, "").strip()
    queue = "default_queue()" if stream in _NONE else stream
    configuration = [site.grid, site.block, site.shared or "0"]

    def started(kernel: Function) -> str:
        values = [unpacked(p, table, n) for n, p in enumerate(kernel.params)]
        return start(kernel, configuration, values, queue)

    if site.value:
        *some, (last, _) = chosen(unit, group)
        asked = "".join(f"{question} ? {kernel.namespace}{started(kernel)} : " for kernel, question in some)
        call = asked + last.namespace + started(last)
        call = f"({call})" if some else call
    else:
        call = started(_kernel(unit, site.kernel))
    if is_managed(unit.text):
        return f"(to_device(), {call}, cnrtQueueSync({queue}), from_device(), cnrtSuccess)"
    return f"({call}, {'cnrtSuccess' if stream == queue else f'cnrtQueueSync({queue})'})"
