"""BANG C to C++ with AVX-512/VNNI: the host code becomes CUDA's first, then it goes the way of CUDA's."""

from __future__ import annotations

from dataclasses import replace

from xpiler.backend.cuda_from_cnrt import to_cuda_host
from xpiler.frontend import parse
from xpiler.frontend.unit import Unit
from xpiler.routes import to_vnni
from xpiler.routes.job import EntryJob, Produced


def produce(unit: Unit, entries: list[EntryJob]) -> Produced:
    has_host = any(item.entry.kind != "kernel" for item in entries) or bool(unit.launches)
    return to_vnni.produce(with_cuda_host(unit) if has_host else unit, entries)


def with_cuda_host(unit: Unit) -> Unit:
    """The unit of the text whose host code is CUDA's, with the kernels as they were read first."""
    hub = parse(to_cuda_host(unit), unit.file, platform=unit.platform)
    launches = tuple(
        replace(there, kernel=here.kernel, spelling=here.spelling)
        for there, here in zip(hub.launches, unit.launches, strict=True)
    )
    return replace(hub, program=unit.program, refusals=unit.refusals, launches=launches)
