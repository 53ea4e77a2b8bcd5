"""HIP to platforms that take kernels through the IR: host code is CUDA's first, as the backends know it."""

from __future__ import annotations

from dataclasses import replace

from xpiler.backend.cuda import host_as_cuda
from xpiler.backend.cuda_drop import without_device_types
from xpiler.frontend import parse
from xpiler.frontend.unit import Unit
from xpiler.routes import to_bang, to_vnni
from xpiler.routes.job import EntryJob, Produced


def to_vnni_code(unit: Unit, entries: list[EntryJob]) -> Produced:
    return plain(to_vnni.produce(with_cuda_host(unit), entries), unit)


def to_bang_code(unit: Unit, entries: list[EntryJob]) -> Produced:
    return plain(to_bang.produce(with_cuda_host(unit), entries), unit)


def plain(produced: Produced, unit: Unit) -> Produced:
    """What was produced without the types that only the old kernels used."""
    return replace(produced, text=without_device_types(produced.text, unit.file))


def with_cuda_host(unit: Unit) -> Unit:
    """The unit with CUDA's names around its kernels; their meaning stays that of HIP (waves of 64 lanes)."""
    return parse(host_as_cuda(unit.text, unit.file), unit.file, platform=unit.platform)
