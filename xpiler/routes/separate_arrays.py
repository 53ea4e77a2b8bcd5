"""Arrays of a kernel that every launch takes from allocations of their own are not one another.

    cudaMalloc(&d_x, bytes); cudaMalloc(&d_y, bytes);
    scale<<<32, 256>>>(d_x, d_y, n);      -->   scale(float *__restrict__ x, float *__restrict__ y, int n)

Said of the arguments only where each is the name of a local variable that gets its value from one allocation
and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from xpiler.frontend.unit import HostFunction, LaunchSite, Unit
from xpiler.ir.nodes import Function

_ALLOCATION = (
    r"\b(?:cuda|hip|cnrt)Malloc(?:Managed|Async)?\s*\(\s*(?:\(\s*void\s*\*\s*\*\s*\)\s*)?&\s*{name}\b"
)
_OTHER_LAUNCHES = re.compile(r"\bcnrtInvoke|\b(?:cuda|hip)\w*Launch\w*Kernel\w*\s*\(|\bGraph\w*Launch")
_REFERENCES = re.compile(r"\*\s*(?:const\s*)?&(?!&)|\bauto\s*&")  # by which a pointer could be set
_NAME = re.compile(r"[A-Za-z_]\w*")
_STRINGS = re.compile(r'"(?:\\.|[^"\\\n])*"')


def with_separate_arrays(unit: Unit, kernel: Function) -> Function:
    """The kernel with `__restrict__` at its arrays, if all of its launches are seen to give separate ones."""
    launches = [launch for launch in unit.launches if launch.kernel == kernel.name]
    if not launches or _OTHER_LAUNCHES.search(unit.text) or _REFERENCES.search(unit.text):
        return kernel
    hosts = {function.name: function for function in unit.host_functions}
    if not all(_gives_separate_arrays(launch, kernel, hosts) for launch in launches):
        return kernel
    params = tuple(replace(p, is_restrict=True) if p.is_pointer else p for p in kernel.params)
    return replace(kernel, params=params)


def _gives_separate_arrays(launch: LaunchSite, kernel: Function, hosts: Mapping[str, HostFunction]) -> bool:
    host = hosts.get(launch.host_function)
    own = [p for p in kernel.params if "." not in p.name]
    if host is None or len(own) != len(launch.arguments):
        return False
    arrays = [a.strip() for p, a in zip(own, launch.arguments, strict=True) if p.is_pointer]
    body = _STRINGS.sub('""', host.body)
    taken = {p.name for p in host.params}
    return len(set(arrays)) == len(arrays) and all(
        bool(_NAME.fullmatch(name)) and name not in taken and _is_allocated_once(name, body)
        for name in arrays
    )


def _is_allocated_once(name: str, body: str) -> bool:
    """Whether the variable is declared in the function, allocated at one place and never set otherwise."""
    declared = re.findall(rf"[\w>]\s*\*\s*{name}\s*[,;=]|,\s*\*\s*{name}\s*[,;=]", body)
    allocated = re.findall(_ALLOCATION.format(name=name), body)
    addressed = re.findall(rf"&\s*{name}\b", body)
    empty = re.sub(rf"\*\s*{name}\s*=\s*(?:nullptr|NULL|0)\s*([,;])", r"\1", body)
    changed = re.search(rf"\b{name}\s*(?:=(?!=)|[-+]=|\+\+|--)|(?:\+\+|--)\s*{name}\b", empty)
    return len(declared) == len(allocated) == len(addressed) == 1 and changed is None
