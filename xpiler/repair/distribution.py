"""A term that stands inside of a product and belongs outside, or the other way round.

(acc + bias[c]) * a * w[c]    -->    acc * a * w[c] + bias[c]
row * n + first               -->    (row + first) * n
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from xpiler.repair.walk import Walker

_SUMS, _PRODUCTS = ("+", "-"), ("*", "/")


def distributed(walker: Walker, node: Node) -> Iterator[str]:
    """Expressions with the same parts as a product or a sum, and other brackets."""
    operator = walker.operator(node)
    if operator in _PRODUCTS:
        factors = list(_factors(walker, node))
        for place, (sign, factor) in enumerate(factors):
            inner = factor.named_children[0] if factor.type == "parenthesized_expression" else None
            if inner is None or sign == "/" or walker.operator(inner) not in _SUMS:
                continue
            if factors[place + 1 : place + 2] and _rounds_up(walker, inner, *factors[place + 1]):
                continue
            left, right = (walker.written(inner.child_by_field_name(side)) for side in ("left", "right"))
            texts = [walker.written(one) for _, one in factors]
            signs = [one for one, _ in factors]
            scaled = (_product(signs, [*texts[:place], part, *texts[place + 1 :]]) for part in (left, right))
            outside, inside = scaled
            yield f"{outside} {walker.operator(inner)} {right}"
            yield f"{left} {walker.operator(inner)} {inside}"
    elif operator in _SUMS:
        product, term = (node.child_by_field_name(side) for side in ("left", "right"))
        if product is None or term is None or walker.operator(product) not in _PRODUCTS:
            return
        factors = list(_factors(walker, product))
        signs, texts = [one for one, _ in factors], [walker.written(one) for _, one in factors]
        for place in range(len(factors)):
            if signs[place] != "/":
                summed = f"({texts[place]} {operator} {walker.written(term)})"
                yield _product(signs, [*texts[:place], summed, *texts[place + 1 :]])


def _rounds_up(walker: Walker, summed: Node, sign: str, divisor: Node) -> bool:
    """`(n + 63) / 64`, `(n + b - 1) / b`: the brackets belong there."""
    added, by = re.sub(r"\s", "", walker.written(summed)), walker.written(divisor).strip()
    less = str(int(by) - 1) if by.isdecimal() else f"{by}-1"
    return sign == "/" and (
        added.endswith((f"+{less}", f"+{by}-1", f"-1+{by}")) or added.startswith(f"{by}-1+")
    )


def _factors(walker: Walker, node: Node) -> Iterator[tuple[str, Node]]:
    """The factors of a product from left to right, each with the operator before it."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None:
        return
    if walker.operator(left) in _PRODUCTS:
        yield from _factors(walker, left)
    else:
        yield "", left
    yield walker.operator(node), right


def _product(signs: list[str], texts: list[str]) -> str:
    return "".join(f" {sign} {text}" if sign else text for sign, text in zip(signs, texts, strict=True))
