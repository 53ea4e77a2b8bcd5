"""Host code on its way: that of every platform becomes CUDA's first, which the backends know how to edit.

    hipMalloc(&a, n); k<<<g, b>>>(a)            -->  cudaMalloc(&a, n); k<<<g, b>>>(a)
    cnrtMalloc((void **)&a, n); k<<<d, t, q>>>  -->  cudaMalloc(&a, n); k<<<d, 1, 0, q>>>

The kernels stay what they were read as: waves of 64 lanes, tasks of an MLU.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from xpiler.backend.cuda import host_as_cuda
from xpiler.backend.cuda_drop import without_device_types
from xpiler.backend.cuda_from_cnrt import to_cuda_host
from xpiler.backend.idle_macros import without_idle_macros
from xpiler.backend.plain_host import plain_host
from xpiler.frontend import parse
from xpiler.frontend.unit import Unit
from xpiler.routes.job import EntryJob, Produced

Produce = Callable[[Unit, list[EntryJob]], Produced]


@dataclass(frozen=True)
class Host:
    """`to_cuda` gives the unit with CUDA's host code; `finish` the target's text without what only the old
    kernels used. `even_bare`: a file of kernels alone is changed, too."""

    to_cuda: Callable[[Unit], Unit]
    finish: Callable[[str, str], str] = lambda text, file: text
    even_bare: bool = False


_BLANK = re.compile(r"[ \t]+$", re.MULTILINE)  # where something is left out


def from_any_host(produce: Produce) -> Produce:
    """A route from CUDA's host code as one from that of any platform in `HOSTS`."""

    def through_hub(unit: Unit, entries: list[EntryJob]) -> Produced:
        host = HOSTS[unit.platform]
        has_host = any(item.entry.kind != "kernel" for item in entries) or bool(unit.launches)
        made = produce(host.to_cuda(unit) if has_host or host.even_bare else unit, entries)
        return replace(made, text=_BLANK.sub("", host.finish(made.text, unit.file)))

    return through_hub


def _plain(unit: Unit) -> Unit:
    text = plain_host(unit.text, unit.file, {kernel.name for kernel in unit.kernels})
    return unit if text == unit.text else parse(text, unit.file, platform=unit.platform)


def _from_hip(unit: Unit) -> Unit:
    return _plain(parse(host_as_cuda(unit.text, unit.file), unit.file, platform=unit.platform))


def _from_cnrt(unit: Unit) -> Unit:
    """With the kernels, and the comments in them, as they were read first."""
    hub = parse(to_cuda_host(unit), unit.file, platform=unit.platform)
    launches = tuple(
        replace(there, kernel=here.kernel, spelling=here.spelling)
        for there, here in zip(hub.launches, unit.launches, strict=True)
    )
    return replace(
        hub, program=unit.program, refusals=unit.refusals, comments=unit.comments, launches=launches
    )


HOSTS: dict[str, Host] = {
    "cuda": Host(_plain),
    "hip": Host(_from_hip, without_device_types, even_bare=True),
    "bang": Host(_from_cnrt, without_idle_macros),
}
