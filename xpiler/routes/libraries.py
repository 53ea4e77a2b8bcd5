"""Units on their way to a platform that has no twins of the libraries of GPUs: without what needs one."""

from __future__ import annotations

from dataclasses import replace

from xpiler.backend.omit import base_name
from xpiler.errors import Diagnostic
from xpiler.frontend.libraries import NEEDS_LIBRARY, Reduced
from xpiler.frontend.unit import Unit
from xpiler.gate.entries import Entry
from xpiler.routes.job import EntryJob, without_refused


def admit(unit: Unit, entries: list[EntryJob]) -> Unit:
    """The unit without its kernels that have no IR and without what needs a library; their entries are
    refused, and so are functions that the target's text will not have, whether or not they are entries."""
    reduced = unit.reduced
    if reduced is not None:
        entries += unrun(unit, entries)
        headers = ", ".join(reduced.headers)
        for item in entries:
            if item.entry.name in reduced.names or base_name(item.entry.spelling) in reduced.names:
                no_form = " that has no form on the target" if reduced.why == NEEDS_LIBRARY else ""
                what = f"`{item.entry.name}` {reduced.why}{no_form}: {headers}"
                item.refused = Diagnostic("library", what, item.entry.range)
        unit = _reduced(unit, reduced)
    return without_refused(unit, entries)


def unrun(unit: Unit, entries: list[EntryJob]) -> list[EntryJob]:
    """The functions that need a library and are no entries, as entries that are refused."""
    reduced = unit.reduced
    if reduced is None:
        return []
    known = {item.entry.name for item in entries}
    headers = ", ".join(reduced.headers)
    return [
        EntryJob(
            Entry(f.name, "host", (), (), (), f.range),
            refused=Diagnostic("library", f"`{f.name}` {reduced.why} and was not run: {headers}", f.range),
        )
        for f in unit.host_functions
        if f.name in reduced.names and f.name not in known
    ]


def _reduced(unit: Unit, reduced: Reduced) -> Unit:
    """The rest of a unit, as it was understood with the whole: launches that are gone say which instances of
    templates there are."""

    def stays(name: str) -> bool:
        return base_name(name) not in reduced.names

    def stands(span: tuple[int, int]) -> bool:
        return not any(start <= span[0] < end for start, end in reduced.spans)

    kernels = tuple(k for k in unit.program.kernels if stays(k.name) and stays(k.template))
    return replace(
        unit,
        text=reduced.text,
        reduced=None,
        program=replace(unit.program, kernels=kernels),
        refusals={name: told for name, told in unit.refusals.items() if stays(name)},
        launches=tuple(site for site in unit.launches if stands(site.span)),
        host_functions=tuple(f for f in unit.host_functions if stands(f.span)),
        kernels=tuple(k for k in unit.kernels if stands(k.span)),
        device_functions=tuple(f for f in unit.device_functions if stands(f.span)),
        device_methods=tuple(f for f in unit.device_methods if stands(f.span)),
        variables=tuple(v for v in unit.variables if stays(v.name)),
        records=tuple(r for r in unit.records if stays(r.name)),
        lambdas=tuple(handed for handed in unit.lambdas if stands(handed.span)),
        kernel_values=tuple(span for span in unit.kernel_values if stands(span)),
        signatures=tuple(s for s in unit.signatures if stays(s.name)),
    )
