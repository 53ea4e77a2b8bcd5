"""How each direction gets its target text: one module a route, and the table of them.

A route takes a parsed unit and its entries with their contracts and gives the target's text. It believes
nothing: `xpiler.translate` has the gate look at what comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xpiler.frontend.unit import Unit
from xpiler.routes import (
    cuda_to_hip,
    from_serial,
    hip_to_cuda,
    to_bang,
    to_simt,
    to_vnni,
)
from xpiler.routes.hub import from_any_host
from xpiler.routes.job import EntryJob, Produced, without_refused
from xpiler.routes.own_names import beside_own_names


@dataclass(frozen=True)
class Route:
    """`admit` takes out the kernels that have no form on the target and refuses their entries; `produce`
    writes the text. `needs_ir`: an entry whose kernel has no IR cannot go this way. `spell` gives the types
    of a host function as they are called in the target's text."""

    admit: Callable[[Unit, list[EntryJob]], Unit]
    produce: Callable[[Unit, list[EntryJob]], Produced]
    needs_ir: bool = True
    spell: Callable[[str], str] = str


ROUTES: dict[tuple[str, str], Route] = {
    ("cuda", "hip"): Route(cuda_to_hip.admit, cuda_to_hip.produce, needs_ir=False, spell=cuda_to_hip.spell),
    ("cuda", "vnni"): Route(without_refused, beside_own_names(from_any_host(to_vnni.produce))),
    ("cuda", "bang"): Route(without_refused, beside_own_names(from_any_host(to_bang.produce))),
    ("hip", "cuda"): Route(hip_to_cuda.admit, hip_to_cuda.produce, needs_ir=False),
    ("hip", "vnni"): Route(without_refused, beside_own_names(from_any_host(to_vnni.produce))),
    ("hip", "bang"): Route(without_refused, beside_own_names(from_any_host(to_bang.produce))),
    ("bang", "vnni"): Route(without_refused, beside_own_names(from_any_host(to_vnni.produce))),
    ("bang", "cuda"): Route(without_refused, beside_own_names(from_any_host(to_simt.produce))),
    ("bang", "hip"): Route(without_refused, beside_own_names(from_any_host(to_simt.produce_hip))),
    ("vnni", "bang"): Route(without_refused, beside_own_names(from_serial.to_bang)),
    ("vnni", "cuda"): Route(without_refused, beside_own_names(from_serial.to_cuda)),
    ("vnni", "hip"): Route(without_refused, beside_own_names(from_serial.to_hip_code)),
}
