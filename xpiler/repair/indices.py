"""Indices made anew of their coordinates: the same ones in another order, in rows of another length.

    b[col * k + row]    -->    b[row * n + col], b[row * k + col], b[col * n + row]

A row-major index is a number whose digits are coordinates and whose radices are sizes. One that is read as
the transposed array's is wrong in both, so that no change of a single name makes it right.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

Product = tuple[str, ...]  # names, as they are written
Form = Counter[Product]  # factors of products
_CAST = re.compile(r"\(\s*(?:const\s+)?(?:unsigned|size_t|u?int(?:\d+_t)?|long(?:\s+long)?|ptrdiff_t)\s*\)")
_LONGEST = 120
_MOST_SIZES = 6
_FEW = 3  # coordinates that are put together in all ways


def recombined(written: str, sizes: Sequence[str], likely: frozenset[str]) -> Iterator[tuple[str, float]]:
    """Other indices of the same coordinates, with costs. `sizes`: names that may be lengths of rows;
    `likely`: those that the source makes indices of this array with."""
    form = _form(written) if len(written) <= _LONGEST else None
    found = _digits(form, frozenset(sizes)) if form is not None else {}
    digits = list(found.values())
    if len(digits) > _FEW:
        yield from _axes_exchanged(found)
    if not 2 <= len(digits) <= _FEW:
        return
    said = [s for s in sizes if re.search(rf"\b{re.escape(s)}\b", written)]
    lengths = [s for s in sizes if s in likely or s in said] if len(digits) > 2 else list(sizes)
    for radices in itertools.permutations(lengths[:_MOST_SIZES], len(digits) - 1):
        for order in itertools.permutations(digits):
            text = order[0]
            for radix, digit in zip(radices, order[1:], strict=True):
                text = f"{_factor(text)} * {radix} + {digit}"
            yield text, 1.4 if set(radices) <= likely else 1.9


def _axes_exchanged(digits: Mapping[Product, str]) -> Iterator[tuple[str, float]]:
    """Two coordinates exchanged, each with the length of its own axis.

    ((n * w + x) * h + y) * c + z    -->    ((n * h + y) * w + x) * c + z, ...
    """
    strides = list(digits)
    lengths = [
        list((Counter(long) - Counter(short)).elements()) for long, short in itertools.pairwise(strides)
    ]
    if any(len(names) != 1 for names in lengths):
        return
    first, *rest = digits.values()
    axes = [(names[0], digit) for names, digit in zip(lengths, rest, strict=True)]
    for one, other in itertools.combinations(range(len(axes)), 2):
        order = list(axes)
        order[one], order[other] = order[other], order[one]
        text = first
        for length, digit in order:
            text = f"{_factor(text)} * {length} + {digit}"
        yield text, 1.4


def _digits(form: Form, sizes: frozenset[str]) -> dict[Product, str]:
    """The coordinates of an index by their strides, the longest first; none of what is no such index."""
    found: dict[Product, Form] = {}
    for product, factor in form.items():
        stride = tuple(sorted(name for name in product if name in sizes))
        found.setdefault(stride, Counter())[tuple(n for n in product if n not in sizes)] += factor
    strides = sorted(found, key=lambda s: (-len(s), s))
    if any(not any(found[s]) for s in strides):
        return {}
    return {stride: _spelled(found[stride]) for stride in strides}


def _spelled(form: Form) -> str:
    terms = []
    for product, factor in form.items():
        number = [str(factor)] if factor != 1 or not product else []
        terms.append(" * ".join([*product, *number]))
    return " + ".join(terms)


def _factor(text: str) -> str:
    return f"({text})" if " + " in text else text


def _form(written: str) -> Form | None:
    """An index as a sum of products, None if it is none."""
    try:
        tree = ast.parse(_CAST.sub("", " ".join(written.split())), mode="eval")
    except SyntaxError:
        return None
    return _of(tree.body)


def _of(node: ast.expr) -> Form | None:
    match node:
        case ast.Constant(value=int(value)):
            return Counter({(): value})
        case ast.Name(id=name):
            return Counter({(name,): 1})
        case ast.Attribute(value=ast.Name(id=name), attr=axis):
            return Counter({(f"{name}.{axis}",): 1})
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, other = _of(left), _of(right)
            return None if one is None or other is None else one + other
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            one, other = _of(left), _of(right)
            return None if one is None or other is None else _times(one, other)
    return None


def _times(one: Form, other: Form) -> Form:
    found: Form = Counter()
    for (first, a), (second, b) in itertools.product(one.items(), other.items()):
        found[*first, *second] += a * b
    return found
