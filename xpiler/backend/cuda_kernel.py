"""Device code beside the waves: AMD's builtins and HIP's own functions as CUDA spells them."""

from __future__ import annotations

from xpiler.backend.hip_edits import EditList
from xpiler.backend.hip_source import Call, SourceText
from xpiler.platforms import hip

_RENAMED = {
    "unsafeAtomicAdd": "atomicAdd",
    "safeAtomicAdd": "atomicAdd",
    "atomicAddNoRet": "atomicAdd",
    "wall_clock64": "clock64",
    "__builtin_amdgcn_s_barrier": "__syncthreads",
    "__builtin_amdgcn_exp2f": "exp2f",
    "__builtin_amdgcn_logf": "log2f",
    "__builtin_amdgcn_sqrtf": "sqrtf",
    "__builtin_amdgcn_rsqf": "rsqrtf",
    "__builtin_amdgcn_rcpf": "__frcp_rn",
    "__builtin_amdgcn_fmed3f": "median_of",
    "__builtin_amdgcn_fdot2": "dot_2_halves",
    "__builtin_amdgcn_sdot4": "__dp4a",
    "__builtin_amdgcn_udot4": "__dp4a",
    "__builtin_nontemporal_load": "__ldcs",
    "__builtin_trap": "__trap",
    "__builtin_amdgcn_s_memtime": "clock64",
    "__builtin_amdgcn_s_memrealtime": "clock64",
}
_HELPERS = {"median_of", "dot_2_halves"}
_NO_MEANING = frozenset(
    """__builtin_amdgcn_sched_barrier __builtin_amdgcn_sched_group_barrier __builtin_amdgcn_s_waitcnt
    __builtin_amdgcn_s_setprio __builtin_amdgcn_iglp_opt __builtin_amdgcn_s_sleep __builtin_amdgcn_s_nop
    __builtin_amdgcn_buffer_wbinvl1""".split()
)
_INDICES = {
    f"__builtin_amdgcn_{work}_id_{axis}": f"{name}.{axis}"
    for work, name in (("workitem", "threadIdx"), ("workgroup", "blockIdx"))
    for axis in "xyz"
}
_CAST_AWAY = {"__builtin_amdgcn_fdot2": 3, "__builtin_amdgcn_sdot4": 3, "__builtin_amdgcn_udot4": 3}
_REASON = "CUDA's name"


def translate_intrinsics(source: SourceText, edits: EditList) -> None:
    """`__builtin_amdgcn_sdot4(a, b, c, false)` --> `__dp4a(a, b, c)`, hints to the scheduler go."""
    for i, token in source.names():
        name = token.text
        if name in source.defined or source.is_member(i):
            continue
        call = source.call(i)
        if name in _RENAMED:
            edits.replace(token.start, token.end, _RENAMED[name], _REASON)
            if _RENAMED[name] in _HELPERS:
                edits.need(_RENAMED[name])
            if call is not None and name in _CAST_AWAY:
                _without_clamp(source, edits, call)
        elif name in _NO_MEANING and call is not None:
            edits.replace(token.start, call.close + 1, "(void)0", "a hint to AMD's scheduler")
        elif name in _INDICES and call is not None:
            edits.replace(token.start, call.close + 1, _INDICES[name], _REASON)
        elif name == "__builtin_amdgcn_fence" and call is not None:
            edits.replace(token.start, call.close + 1, "__threadfence_block()", _REASON)
        elif name == "__builtin_nontemporal_store" and call is not None and len(call.arguments) == 2:
            value, place = call.arguments
            text = f"__stcs({place.text}, {value.text})"
            edits.replace(token.start, call.close + 1, text, "CUDA takes the place first")
        elif name == "__launch_bounds__" and call is not None and len(call.arguments) == 2:
            _bounds(call, edits)


def _without_clamp(source: SourceText, edits: EditList, call: Call) -> None:
    last = _CAST_AWAY[call.name.text]
    if len(call.arguments) <= last:
        return
    if call.arguments[last].text not in ("false", "0"):
        raise source.refuse("cuda-no-twin", f"{call.name.text} that clamps has no CUDA twin", call.name)
    edits.replace(call.arguments[last - 1].end, call.arguments[last].end, "", "it does not clamp")


def _bounds(call: Call, edits: EditList) -> None:
    """`__launch_bounds__(T, W)`: W waves a SIMD unit --> the blocks a multiprocessor that they are."""
    threads, waves = (a.text for a in call.arguments)
    reason = "HIP counts waves per SIMD unit, CUDA blocks per multiprocessor"
    if threads.isdigit() and waves.isdigit():
        blocks = int(waves) * hip.SIMDS_PER_UNIT // -(-int(threads) // hip.WAVE_SIZE)
        edits.replace(call.arguments[1].start, call.arguments[1].end, str(max(1, blocks)), reason)
    else:
        edits.replace(call.arguments[0].end, call.arguments[1].end, "", reason)


def refuse_what_is_amds(source: SourceText, edits: EditList) -> None:
    """Builtins and assembly of AMD that no rule has taken are refused at their place."""
    done = {e.span for e in edits.edits}
    for i, token in source.names():
        if token.text.startswith("__builtin_amdgcn_") and token.text not in source.defined:
            if not any(start <= token.start < end for start, end in done):
                raise source.refuse("cuda-no-twin", f"{token.text} has no CUDA twin", token)
        elif token.text in ("asm", "__asm__", "__asm") and source.call(i) is not None:
            close = source.call(i)
            assert close is not None
            code = "".join(a.text for a in close.arguments[:1]).strip('" ')
            if code and not code.startswith(("s_nop", "s_waitcnt", ";")):
                raise source.refuse("inline-assembly", "AMD's assembly has no meaning on NVIDIA's", token)
