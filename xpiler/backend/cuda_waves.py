"""Waves in a CUDA text: shuffles and votes on warps of 32 lanes, or on waves of 64 put together of two warps.

What a text does with its waves is one of three things: nothing; groups of at most 32 lanes that it names
itself; or whole waves. Whole waves are taken as warps where the text asks for `warpSize` (`native`), and as
pairs of warps everywhere (`not native`): slower, and right for every text that is right on AMD.
"""

from __future__ import annotations

import re

from xpiler.backend.hip_edits import EditList
from xpiler.backend.hip_source import Call, SourceText
from xpiler.platforms.hip_mfma import INSTRUCTIONS, PREFIX, Mfma

_SHUFFLES = {name: name.strip("_") for name in ("__shfl", "__shfl_up", "__shfl_down", "__shfl_xor")}
_SHUFFLES |= {f"{name}_sync": base for name, base in list(_SHUFFLES.items())}
_VOTES = {name: name.strip("_") for name in ("__ballot", "__any", "__all")}
_VOTES |= {f"{name}_sync": base for name, base in list(_VOTES.items())}
_SIZES = frozenset(
    {
        "warpSize",
        "__AMDGCN_WAVEFRONT_SIZE",
        "__AMDGCN_WAVEFRONT_SIZE__",
        "ROCM_WARP_SIZE",
        "rocprim::warp_size",
    }
)
_LANES = frozenset(
    """__lane_id __builtin_amdgcn_mbcnt_lo __builtin_amdgcn_mbcnt_hi __builtin_amdgcn_readfirstlane
    __builtin_amdgcn_readlane __builtin_amdgcn_ds_bpermute __activemask __builtin_amdgcn_wave_barrier
    __builtin_amdgcn_update_dpp __builtin_amdgcn_mov_dpp __builtin_amdgcn_ds_swizzle
    __syncwarp __match_any_sync __match_all_sync __builtin_amdgcn_wavefrontsize""".split()
)
_ELEMENTS = {"f32": "float", "f16": "__half", "bf16": "short", "i8": "signed char", "f64": "double"}
_ALL = "0xffffffffu"


def uses_waves(source: SourceText) -> bool:
    """Whether anything in the text depends on how many lanes a wave has."""
    for i, token in source.names():
        name = token.text
        if name in source.defined and name != "rocwmma" and not _is_size(source, name):
            continue
        if _is_size(source, name) or name in _LANES or name in _VOTES or _mfma_of(name):
            return True
        if name in _SHUFFLES and not _is_narrow(source.call(i), name):
            return True
        if name in ("coalesced_threads", "rocwmma") or _wide_tile(source, i):
            return True
    return False


def _is_size(source: SourceText, name: str) -> bool:
    """The number of lanes of a wave, unless the text has a variable or macro of that name."""
    return name in _SIZES and not re.search(rf"\b(?:int|unsigned|auto|size_t|define)\s+{name}\b", source.text)


def uses_matrices(source: SourceText) -> bool:
    """Whether the text has matrix instructions or fragments of whole waves."""
    return any(_mfma_of(t.text) or t.text == "rocwmma" for _, t in source.names())


def _mfma_of(name: str) -> Mfma | None:
    return INSTRUCTIONS.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None


def _wide_tile(source: SourceText, i: int) -> bool:
    token, after = source.tokens[i], source.tokens[i + 1 : i + 3]
    return token.text in ("tiled_partition", "thread_block_tile") and [t.text for t in after] == ["<", "64"]


def _is_narrow(call: Call | None, name: str) -> bool:
    """A shuffle that names its own group of at most 32 lanes."""
    if call is None:
        return False
    position = 3 if name.endswith("_sync") else 2
    width = call.arguments[position].text if len(call.arguments) > position else ""
    return width.isdigit() and int(width) <= 32


def translate_waves(source: SourceText, edits: EditList, native: bool) -> None:
    """`__shfl_down(v, d)` --> `__shfl_down_sync(0xffffffffu, v, d)` or `wave_shfl_down(v, d)`."""
    for i, token in source.names():
        name = token.text
        own = name in source.defined and name != "rocwmma" and not _is_size(source, name)
        if own or source.is_member(i):
            continue
        call = source.call(i)
        if _is_size(source, name):
            if not native:
                edits.replace(token.start, token.end, "wave_size", "64 lanes, as the text was written for")
                edits.need("wave")
            elif name != "warpSize":
                edits.replace(token.start, token.end, "32", "lanes of a warp")
        elif name in ("rocwmma", "coalesced_threads") or _wide_tile(source, i):
            raise source.refuse("wave-64", f"{name} on waves of 64 lanes has no twin in place", token)
        elif call is None:
            continue
        elif name in _SHUFFLES:
            _shuffle(source, edits, call, native or _is_narrow(call, name))
        elif name in _VOTES:
            _vote(source, edits, call, native)
        elif found := _mfma_of(name):
            _mfma(source, edits, call, found)
        elif name in _LANES:
            _lane(source, edits, call, native)


_SYNC = "CUDA's shuffles and votes name the lanes that take part"
_PAIR = "a wave of 64 lanes is two warps"


def _shuffle(source: SourceText, edits: EditList, call: Call, native: bool) -> None:
    name, base = call.name.text, _SHUFFLES[call.name.text]
    masked = name.endswith("_sync")
    if native:
        edits.replace(call.name.start, call.name.end, f"__{base}_sync", _SYNC)
        if masked:
            mask = call.arguments[0]
            edits.replace(mask.start, mask.end, _narrowed(mask.text), "CUDA's masks have 32 bits")
        else:
            edits.insert(call.open + 1, f"{_ALL}, ", _SYNC)
        return
    edits.replace(call.name.start, call.name.end, f"wave_{base}", _PAIR)
    edits.need(f"wave_{base}")
    if masked:
        edits.replace(call.arguments[0].start, call.arguments[1].start, "", _PAIR)


def _narrowed(mask: str) -> str:
    full = re.fullmatch(r"0x[fF]{8,16}(?:[uU]?[lL]{0,2})|~0[uU]?[lL]{0,2}|-1|\(?uint64_t\)?\(?-1\)?", mask)
    return _ALL if full else f"(unsigned)({mask})"


def _vote(source: SourceText, edits: EditList, call: Call, native: bool) -> None:
    base = _VOTES[call.name.text]
    masked = call.name.text.endswith("_sync")
    if native:
        edits.replace(call.name.start, call.name.end, f"__{base}_sync", _SYNC)
        if masked:
            mask = call.arguments[0]
            edits.replace(mask.start, mask.end, _narrowed(mask.text), "CUDA's masks have 32 bits")
        else:
            edits.insert(call.open + 1, f"{_ALL}, ", _SYNC)
        return
    edits.replace(call.name.start, call.name.end, f"wave_{base}", _PAIR)
    edits.need(f"wave_{base}")
    if masked:
        edits.replace(call.arguments[0].start, call.arguments[1].start, "", _PAIR)


def _mfma(source: SourceText, edits: EditList, call: Call, found: Mfma) -> None:
    """`..._mfma_f32_16x16x16f16(a, b, c, 0, 0, 0)` --> `wave_mfma<16, 16, 1, __half>(a, b, c)`."""
    if len(call.arguments) != 6 or any(a.text not in ("0", "0u", "0U") for a in call.arguments[3:]):
        raise source.refuse("mfma-modifier", f"{call.name.text} with modifiers has no CUDA twin", call.name)
    text = f"wave_mfma<{found.m}, {found.k}, {found.blocks}, {_ELEMENTS[found.element]}>"
    edits.replace(call.name.start, call.name.end, text, "AMD's matrix instruction, by two warps")
    edits.replace(call.arguments[2].end, call.close, "", "no modifiers")
    edits.need("wave_mfma")


def _lane(source: SourceText, edits: EditList, call: Call, native: bool) -> None:
    name, args = call.name.text, call.arguments
    start, end = call.name.start, call.name.end
    whole = call.close + 1
    if name in ("__builtin_amdgcn_wave_barrier", "__syncwarp"):
        edits.replace(start, whole, "__syncwarp()" if native else "wave_meet()", _PAIR)
        if not native:
            edits.need("wave")
    elif name == "__builtin_amdgcn_wavefrontsize":
        edits.replace(start, whole, "32" if native else "64", "lanes of a wave")
    elif name == "__lane_id":
        edits.replace(start, end, "lane_number" if native else "wave_lane", "CUDA has no such function")
        edits.need("lane_number" if native else "wave")
    elif name == "__activemask":
        if not native:
            edits.replace(start, call.open + 1, "wave_ballot(1", _PAIR)
            edits.need("wave_ballot")
    elif name.endswith(("mbcnt_lo", "mbcnt_hi")):
        high = name.endswith("hi")
        if native and high:
            edits.replace(start, args[1].start, "(", "a warp has no upper half")
        elif native:
            edits.replace(start, end, "lanes_before", "CUDA has no such function")
            edits.need("lanes_before")
        else:
            edits.replace(start, end, "wave_lanes_before", "CUDA has no such function")
            edits.close(call.close, ", 32" if high else ", 0", start, "which half of the wave")
            edits.need("wave_lanes_before")
    elif name.endswith(("readfirstlane", "readlane")):
        _broadcast(edits, call, native)
    elif name.endswith("ds_bpermute"):
        address, value = args
        lane = re.fullmatch(r"(.+?)\s*(?:<<\s*2|\*\s*4)", address.text)
        source_lane = lane[1] if lane else f"({address.text}) >> 2"
        head = f"__shfl_sync({_ALL}, " if native else "wave_shfl("
        edits.replace(start, whole, f"{head}{value.text}, {source_lane})", "CUDA shuffles by lane")
        if not native:
            edits.need("wave_shfl")
    elif name.endswith(("update_dpp", "mov_dpp", "ds_swizzle")):
        if native:
            raise source.refuse("wave-64", f"{name} moves registers of a wave of 64 lanes", call.name)
        helper = "wave_swizzle" if name.endswith("swizzle") else "wave_dpp"
        edits.replace(start, end, helper, "CUDA has no such function")
        edits.need(helper)
        if name.endswith("mov_dpp"):
            edits.insert(call.open + 1, "0, ", "the old value")
    elif name.startswith("__match") and not native:
        raise source.refuse("wave-64", f"{name} on waves of 64 lanes has no twin in place", call.name)


def _broadcast(edits: EditList, call: Call, native: bool) -> None:
    edits.replace(
        call.name.start, call.name.end, "__shfl_sync" if native else "wave_shfl", "a value of one lane"
    )
    if native:
        edits.insert(call.open + 1, f"{_ALL}, ", _SYNC)
    else:
        edits.need("wave_shfl")
    if call.name.text.endswith("readfirstlane"):
        edits.close(call.close, ", 0", call.name.start, "of the first lane")
