"""Templates that a text never launches, with arguments that are as good as any. Those of its headers are for
whoever launches them.

template <typename T, int N>                      template __global__ void f<float, 32>();
__global__ void f(T *a) { ... }            -->    (behind the text)
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.frontend import Unit, parse
from xpiler.frontend.lower_launches import NOT_LAUNCHED
from xpiler.frontend.syntax import analyse

_ARGUMENTS = {"type": "float", "int": "32", "bool": "true"}


def parse_with_templates(text: str, file: str, platform: str) -> tuple[Unit, tuple[str, ...]]:
    """The unit, and the instantiations that were chosen for it. Raises `Refusal`."""
    unit = _without_offers(parse(text, file, platform=platform, tells_streams=True))
    if not any(refusal.code == NOT_LAUNCHED for refusal in unit.refusals.values()):
        return unit, ()
    chosen: list[str] = []
    for kernel in analyse(text, file, platform=platform).kernels:
        refusal = unit.refusals.get(kernel.name)
        if refusal is None or refusal.code != NOT_LAUNCHED or not kernel.template:
            continue
        arguments = [p.default_text or _ARGUMENTS.get(p.kind, "") for p in kernel.template]
        if all(arguments):
            chosen.append(f"{kernel.name}<{', '.join(arguments)}>")
    if not chosen:
        return unit, ()
    lines = "".join(f"\ntemplate __global__ void {name}();" for name in dict.fromkeys(chosen))
    whole = parse(text + lines, file, platform=platform, tells_streams=True)
    return _without_offers(whole), tuple(dict.fromkeys(chosen))


def _without_offers(unit: Unit) -> Unit:
    """Without the refusals of templates in headers that the text does not launch."""
    refusals = {
        name: refusal
        for name, refusal in unit.refusals.items()
        if refusal.code != NOT_LAUNCHED or refusal.range is None or refusal.range.file == unit.file
    }
    return replace(unit, refusals=refusals)
