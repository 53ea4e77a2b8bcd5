"""Host code on its way: that of every platform becomes CUDA's first, which the backends know how to edit."""

from __future__ import annotations

from collections.abc import Callable

from xpiler.frontend.unit import Unit
from xpiler.routes import bang_to_vnni, hip_kernels
from xpiler.routes.job import EntryJob, Produced

Produce = Callable[[Unit, list[EntryJob]], Produced]

HOSTS: dict[str, Callable[[Unit], Unit]] = {
    "cuda": lambda unit: unit,
    "hip": hip_kernels.with_cuda_host,
    "bang": bang_to_vnni.with_cuda_host,
}


def from_any_host(produce: Produce) -> Produce:
    """A route from CUDA's host code as one from any platform's with host code of its own."""

    def through_hub(unit: Unit, entries: list[EntryJob]) -> Produced:
        has_host = any(item.entry.kind != "kernel" for item in entries) or bool(unit.launches)
        return produce(HOSTS[unit.platform](unit) if has_host else unit, entries)

    return through_hub
