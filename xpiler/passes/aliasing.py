"""Which pointer parameters may be the same array.

The rule: two pointer parameters are disjoint arrays or the very same one, as in `relu(x, x)`. The second is
ruled out where one of them is `__restrict__` or their elements have different types. In a call in place the
threads of one block may only touch elements of their own block, or the kernel would race: so an access
through one pointer and one through the other can only meet if their indices depend on the block in the same
way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from xpiler.ir.nodes import Param

Aliases = Mapping[str, frozenset[str]]


def may_be_same(params: Iterable[Param]) -> Aliases:
    """By pointer parameter: the others that a call may give the same array."""
    found: dict[str, set[str]] = {}
    for one, two in combinations([p for p in params if p.is_pointer], 2):
        restricted = one.is_restrict or two.is_restrict
        if one.dtype == two.dtype and not restricted and not (one.is_const and two.is_const):
            found.setdefault(one.name, set()).add(two.name)
            found.setdefault(two.name, set()).add(one.name)
    return {name: frozenset(others) for name, others in found.items()}


def with_aliases(arrays: Iterable[str], aliases: Aliases) -> frozenset[str]:
    """The arrays and all that may be one of them."""
    names = frozenset(arrays)
    return names.union(*(aliases.get(name, frozenset()) for name in names))
