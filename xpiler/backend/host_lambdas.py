"""Lambdas that host code hands to kernels, as structs of what they capture.

    for_each(n, [=] __device__ (int i) { y[i] += bias; });
    -->
    struct lambda_794 { float *y; float bias; };          (before the kernels)
    for_each(n, lambda_794{y, bias});

What a kernel does with it is in the kernel that was made for it; a lambda has no name, which that needs.
"""

from __future__ import annotations

from collections.abc import Iterable

from xpiler.frontend.unit import Unit


def lambda_edits(unit: Unit) -> Iterable[tuple[int, int, str]]:
    """Start, end, text. A lambda in a launch itself is not there any more: its captures are passed."""
    for one in unit.lambdas:
        members = " ".join(f"{kind}{'' if kind.endswith('*') else ' '}{name};" for kind, name in one.captures)
        yield one.before, one.before, f"struct {one.name} {{ {members} }};\n"
        if not any(site.span[0] <= one.span[0] and one.span[1] <= site.span[1] for site in unit.launches):
            yield *one.span, f"{one.name}{{{', '.join(name for _, name in one.captures)}}}"
