"""Warp operations: 32 lanes stay 32 lanes, as the two halves of a 64-lane wave.

A wave of gfx9 is two CUDA warps side by side: threads are linearised alike, so lanes 0..31 are an even warp
and lanes 32..63 the odd one after it. Shuffles get the width 32 (or the smaller one given), votes are cut
to the caller's half, `warpSize` keeps meaning 32. No index of the kernel and no launch needs to change.
"""

from __future__ import annotations

import re

from xpiler.backend.hip_edits import EditList
from xpiler.backend.hip_source import Argument, Call, SourceText, Token
from xpiler.backend.hip_types import is_plain, uses_small_floats
from xpiler.platforms import cuda

_VOTES = {
    "__ballot_sync": "warp32_ballot",
    "__any_sync": "warp32_any",
    "__all_sync": "warp32_all",
    "__uni_sync": "warp32_uni",
    "__match_any_sync": "warp32_match_any",
    "__match_all_sync": "warp32_match_all",
    "__reduce_add_sync": "warp32_reduce_add",
    "__reduce_min_sync": "warp32_reduce_min",
    "__reduce_max_sync": "warp32_reduce_max",
    "__reduce_and_sync": "warp32_reduce_and",
    "__reduce_or_sync": "warp32_reduce_or",
    "__reduce_xor_sync": "warp32_reduce_xor",
    "__activemask": "warp32_activemask",
    "__syncwarp": "warp32_sync",
}
_LEGACY_VOTES = {"__ballot": "warp32_ballot", "__any": "warp32_any", "__all": "warp32_all"}


def translate_warps(source: SourceText, edits: EditList) -> None:
    """Shuffles, votes, `__syncwarp`, barriers of two warps and `warpSize`."""
    for i, token in source.names():
        name = token.text
        if name in source.defined or source.is_member(i):
            continue
        call = source.call(i)
        if name == "warpSize":
            edits.replace(token.start, token.end, "warp32_size", "the kernel works in groups of 32 lanes")
            edits.need("warp32_size")
        elif name in _VOTES:
            edits.replace(token.start, token.end, _VOTES[name], "votes of the caller's 32 lanes")
            edits.need(_VOTES[name])
        elif name in _LEGACY_VOTES and call:
            edits.replace(token.start, token.end, _LEGACY_VOTES[name], "votes of the caller's 32 lanes")
            edits.open(call.open + 1, "0xffffffffu, ", call.close, "every lane of the warp votes")
            edits.need(_LEGACY_VOTES[name])
        elif name == "__barrier_sync_count" and call:
            edits.replace(token.start, token.end, "warp32_barrier", "the two warps of a wave are in step")
            edits.need("warp32_barrier")
            edits.note(
                "a barrier of a part of a block: AMD hardware has none for threads of several waves; "
                "warp32_barrier traps where they are not lanes of one"
            )
        elif name in ("atomicCAS", "atomicExch") and call and _spins(source, i):
            edits.note(
                "a thread waits for another in a loop around an atomic: if both can be in one wave of 64, "
                "AMD hardware, which runs a wave in lockstep, waits forever"
            )
        elif name in cuda.SHUFFLES and call:
            _shuffle(source, edits, call)
        elif name in ("WarpReduce", "WarpScan") and source.tokens[i - 2].text == "cub":
            _logical_warp(source, edits, i)


def _spins(source: SourceText, i: int) -> bool:
    """Is the atomic in the condition of a `while` without a body of its own?"""
    tokens = source.tokens
    opening = next((j for j in range(i - 1, max(0, i - 5), -1) if tokens[j].text == "while"), -1) + 1
    end = source.match(opening) if opening > 0 else None
    return end is not None and [t.text for t in tokens[end + 1 : end + 3]] in (
        [";", tokens[end + 2].text],
        ["{", "}"],
    )


def _logical_warp(source: SourceText, edits: EditList, i: int) -> None:
    """`cub::WarpReduce<T>` --> `hipcub::WarpReduce<T, 32>`: its default width is the wave's."""
    depth, commas = 0, 0
    for token in source.tokens[i + 1 :]:
        depth += (token.text == "<") - (token.text == ">")
        commas += token.text == "," and depth == 1
        if depth == 0:
            if token.text == ">" and commas == 0:
                edits.insert(token.start, ", 32", "groups of 32 lanes, also in a wave of 64")
            return


def _shuffle(source: SourceText, edits: EditList, call: Call) -> None:
    """`__shfl_down_sync(mask, v, d)` --> `__shfl_down(v, d, 32)`."""
    name = call.name.text
    masked = name.endswith("_sync")
    arguments = call.arguments[1:] if masked else call.arguments
    if len(arguments) not in (2, 3):
        raise source.refuse(
            "hip-shuffle",
            f"{name} with {len(call.arguments)} arguments cannot be read",
            call.name,
            "write it out",
        )
    value, lane = arguments[:2]
    width = arguments[2] if len(arguments) == 3 else None
    base = name.removesuffix("_sync")
    if uses_small_floats(source) and not is_plain(source, value):
        base = base.replace("__shfl", "warp32_shfl")
        edits.need(base)
    if base != name:
        edits.replace(call.name.start, call.name.end, base, "HIP 5.2 has no _sync shuffles")
    if masked:
        edits.replace(call.arguments[0].start, arguments[0].start, "", "HIP 5.2 shuffles take no mask")
    if cuda.SHUFFLES[name] == "idx" and not _in_range(lane, width):
        last = "31" if width is None else _last_lane(width)
        reason = "HIP does not reduce the source lane modulo the width"
        edits.wrap(lane.start, lane.end, "(", f") & {last}", reason)
    if width is None:
        edits.close(call.close, ", 32", call.name.start, "groups of 32 lanes, also in a wave of 64")


def _last_lane(width: Argument) -> str:
    if re.fullmatch(r"\d+", width.text):
        return str(int(width.text) - 1)
    return f"(({width.text.replace('warpSize', 'warp32_size')}) - 1)"


def _in_range(lane: Argument, width: Argument | None) -> bool:
    """Is the source lane below the width by its text alone: a small literal, `x & 31`, `x % 32`?"""
    lanes = 32 if width is None else int(width.text) if width.text.isdigit() else 0
    if re.fullmatch(r"\d+", lane.text):
        return int(lane.text) < lanes
    if m := re.fullmatch(r"[\w.\s]+&\s*(0x[0-9a-fA-F]+|\d+)[uU]?", lane.text):
        return int(m.group(1), 0) < lanes
    return False


def drop_inline_assembly(source: SourceText) -> None:
    """Raises a refusal for PTX; an empty `asm("")`, a compiler barrier, is fine on both platforms."""
    for i, token in source.names():
        if token.text not in ("asm", "__asm__", "__asm") or token.text in source.defined:
            continue
        strings: list[Token] = []
        j = i + 1
        while j < len(source.tokens) and source.tokens[j].text in ("volatile", "__volatile__", "("):
            j += 1
        while j < len(source.tokens) and source.tokens[j].kind == "string":
            strings.append(source.tokens[j])
            j += 1
        code = " ".join(s.text.strip('"') for s in strings).strip()
        if strings and not code:
            continue
        what = next((w for w in ("mma.sync", "ldmatrix", "cp.async", "wgmma") if w in code), "inline PTX")
        raise source.refuse(
            "unsupported-ptx",
            f"{what} cannot be translated: PTX is NVIDIA's assembly"
            if what != "inline PTX"
            else "inline PTX cannot be translated",
            token,
            "use the CUDA C intrinsic that stands for it (WMMA for matrix units)",
        )
