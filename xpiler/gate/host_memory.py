"""Memory of the host that a target hands to its kernels. On the host, where devices are emulated, all memory
is one and such a program computes what it should; on a device it does not run.

    source:  cudaMemcpy(y, d_y, n, cudaMemcpyDeviceToHost)      so `y` is the host's
    target:  scale<<<...>>>(d_x, y)                             the copy back was forgotten
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from xpiler.gate.contract import Contract
from xpiler.gate.evidence import Rung
from xpiler.gate.execute import Build
from xpiler.gate.trace import Memory, Trace, trace_host

_FROM_HOST, _TO_HOST = {"host-to-device", "h2d"}, {"device-to-host", "d2h"}


def host_memory(contract: Contract, source: Build, target: Build) -> list[Rung]:
    """What is wrong with a host function's launches, a failed rung; nothing if all is well."""
    start = time.perf_counter()
    case = contract.cases[:1]
    for name, kernel in _misused(*(trace_host(build, case)[0] for build in (source, target))):
        detail = (
            f"{contract.entry}: the kernel {kernel} is launched on `{name}`, which the source has in the "
            "memory of the host: the emulator takes both alike, a device does not"
        )
        return [Rung("sanitized", False, target.tool, detail, time.perf_counter() - start)]
    return []


def _misused(source: Trace, target: Trace) -> list[tuple[str, str]]:
    """Arguments of the entry that are the host's in the source, and kernels of the target that have them."""
    of_host = _named(c.source for c in source.copies if c.direction in _FROM_HOST)
    of_host |= _named(c.to for c in source.copies if c.direction in _TO_HOST)
    for launch in source.launches:
        of_host -= _named(launch.memories())
    of_host -= target.mapped
    return [
        (name, launch.kernel)
        for launch in target.launches
        for name in sorted(of_host & _named(launch.memories()))
    ]


def _named(memories: Iterable[Memory | None]) -> set[str]:
    return {memory.name for memory in memories if memory is not None and memory.name}
