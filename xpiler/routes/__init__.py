"""How each direction gets its target text: one module a route, and the table of them.

A route takes a parsed unit and its entries with their contracts and gives the target's text. It believes
nothing: `xpiler.translate` has the gate look at what comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from xpiler.frontend.unit import Unit
from xpiler.routes.job import EntryJob, Produced, without_refused


@dataclass(frozen=True)
class Route:
    """`admit` takes out the kernels that have no form on the target and refuses their entries; `produce`
    writes the text. `needs_ir`: an entry whose kernel has no IR cannot go this way. `spell` gives the types
    of a host function as they are called in the target's text."""

    admit: Callable[[Unit, list[EntryJob]], Unit]
    produce: Callable[[Unit, list[EntryJob]], Produced]
    needs_ir: bool = True
    spell: Callable[[str], str] = str


def _of(module: str, name: str) -> Callable[..., Any]:
    """A function of a route's module, which is imported when the function is called: nobody waits for the
    backends of other directions."""

    def call(*arguments: Any) -> Any:
        return getattr(import_module(f"{__name__}.{module}"), name)(*arguments)

    return call


def _written(module: str, name: str) -> Callable[..., Any]:
    """The same of kernels that are written anew, beside the file's own names."""

    def call(unit: Unit, entries: list[EntryJob]) -> Any:
        return _of("own_names", "beside_own_names")(_of(module, name))(unit, entries)

    return call


def _with_hub(module: str, name: str) -> Callable[..., Any]:
    """The same where host code becomes CUDA's first."""

    def call(unit: Unit, entries: list[EntryJob]) -> Any:
        through_hub = _of("hub", "from_any_host")(_of(module, name))
        return _of("own_names", "beside_own_names")(through_hub)(unit, entries)

    return call


ROUTES: dict[tuple[str, str], Route] = {
    ("cuda", "hip"): Route(
        _of("cuda_to_hip", "admit"),
        _of("cuda_to_hip", "produce"),
        needs_ir=False,
        spell=_of("cuda_to_hip", "spell"),
    ),
    ("cuda", "vnni"): Route(_of("libraries", "admit"), _with_hub("to_vnni", "produce")),
    ("cuda", "bang"): Route(_of("libraries", "admit"), _with_hub("to_bang", "produce")),
    ("hip", "cuda"): Route(_of("hip_to_cuda", "admit"), _of("hip_to_cuda", "produce"), needs_ir=False),
    ("hip", "vnni"): Route(_of("libraries", "admit"), _with_hub("to_vnni", "produce")),
    ("hip", "bang"): Route(_of("libraries", "admit"), _with_hub("to_bang", "produce")),
    ("bang", "vnni"): Route(without_refused, _with_hub("to_vnni", "produce")),
    ("bang", "cuda"): Route(without_refused, _with_hub("to_simt", "produce")),
    ("bang", "hip"): Route(without_refused, _with_hub("to_simt", "produce_hip")),
    ("vnni", "bang"): Route(without_refused, _written("from_serial", "to_bang")),
    ("vnni", "cuda"): Route(without_refused, _written("from_serial", "to_cuda")),
    ("vnni", "hip"): Route(without_refused, _written("from_serial", "to_hip_code")),
}
