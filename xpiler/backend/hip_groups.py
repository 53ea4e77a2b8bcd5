"""Cooperative groups: HIP 5.2 has blocks, grids, tiles and shuffles; votes and reductions of tiles are
defined."""

from __future__ import annotations

from xpiler.backend.hip_edits import EditList
from xpiler.backend.hip_half_parts import postfix_start
from xpiler.backend.hip_source import SourceText

_VOTES = {
    "ballot": "tile_ballot",
    "any": "tile_any",
    "all": "tile_all",
    "match_any": "tile_match_any",
    "meta_group_rank": "tile_meta_group_rank",
    "meta_group_size": "tile_meta_group_size",
}
_OPERATORS = frozenset("plus less greater bit_and bit_or bit_xor".split())
_ABSENT = frozenset(
    "memcpy_async wait wait_prior labeled_partition binary_partition invoke_one this_cluster".split()
)


def translate_groups(source: SourceText, edits: EditList) -> None:
    """`cg::reduce(tile, v, cg::plus<T>())` --> `tile_reduce(tile, v, tile_plus<T>())`, members likewise.

    `tile.any(p)` --> `tile_any(tile, p)`, `block.num_threads()` --> `block.size()`.
    """
    if not any(t.text == "cooperative_groups" for _, t in source.names()):
        return
    tokens = source.tokens
    spaces = _namespace_names(source)
    for i, token in source.names():
        if source.is_member(i):
            _member(source, edits, i)
            continue
        qualified = i >= 2 and tokens[i - 1].text == "::" and tokens[i - 2].text in spaces
        if not qualified and not (
            "" in spaces and token.text not in source.defined and tokens[i - 1].text != "::"
        ):
            continue
        start = tokens[i - 2].start if qualified else token.start
        if token.text == "reduce" and source.call(i):
            edits.replace(start, token.end, "tile_reduce", "HIP's cooperative groups have no reduce")
            edits.need("tile_reduce")
        elif token.text in _OPERATORS and tokens[i + 1].text in ("<", "{", "("):
            edits.replace(
                start, token.end, f"tile_{token.text}", "HIP's cooperative groups have no operators"
            )
            edits.need("tile_operators")
        elif token.text in _ABSENT and qualified:
            raise source.refuse(
                "hip-no-twin",
                f"{token.text} of cooperative groups has no HIP twin",
                token,
                "write it with plain loops",
            )


def _namespace_names(source: SourceText) -> set[str]:
    """Names that stand for the namespace, with "" where it is opened by `using namespace`."""
    tokens, names = source.tokens, {"cooperative_groups"}
    for i, token in source.names():
        if token.text != "cooperative_groups":
            continue
        if tokens[i - 1].text == "=" and tokens[i - 3].text == "namespace":
            names.add(tokens[i - 2].text)
        elif tokens[i - 1].text == "namespace" and tokens[i - 2].text == "using":
            names.add("")
    return names


def _member(source: SourceText, edits: EditList, i: int) -> None:
    tokens, token = source.tokens, source.tokens[i]
    call = source.call(i)
    if call is None:
        return
    if token.text == "num_threads" and not call.arguments:
        edits.replace(token.start, token.end, "size", "HIP's name")
    elif token.text in ("dim_threads", "group_dim") and not call.arguments:
        start = postfix_start(source, i - 2)
        if start is not None:
            edits.replace(
                tokens[start].start,
                call.close + 1,
                "dim3(blockDim.x, blockDim.y, blockDim.z)",
                "HIP has none",
            )
    elif token.text in _VOTES and tokens[i - 1].text == ".":
        start = postfix_start(source, i - 2)
        if start is None:
            return
        if _is_coalesced(source, tokens[start].text):
            raise source.refuse(
                "hip-coalesced-group",
                f"{token.text} of a coalesced group has no HIP twin",
                token,
                "use a tile of 32 threads",
            )
        helper = _VOTES[token.text]
        edits.open(tokens[start].start, f"{helper}(", call.close + 1, "HIP 5.2 has no such member")
        edits.replace(
            tokens[i - 1].start, call.open + 1, ", " if call.arguments else "", "HIP 5.2 has no such member"
        )
        edits.need(helper)


def _is_coalesced(source: SourceText, name: str) -> bool:
    """Is the object declared by `... name = coalesced_threads()` or as a coalesced_group?"""
    tokens = source.tokens
    for i, token in source.names():
        if token.text == "coalesced_group" and tokens[i + 1].text == name:
            return True
        if token.text == "coalesced_threads":
            return any(t.text == name for t in tokens[max(0, i - 5) : i])
    return False
