"""What a BANG C text finds defined: the compiler's macros, and qualifiers and types by the word of the
grammar that means the same.

    __mlu_entry__ void k(...)    is    __global__ void k(...)
    __nram__ float tile[64];     is    thread_local float tile[64];      a task's own, for as long as it runs
    __wram__ float w[64];        is    register float w[64];
"""

from __future__ import annotations

from xpiler.platforms.bang import DEFAULT

# In the order of the toolkit's enumeration.
DIRECTIONS = (
    "GDRAM2NRAM", "NRAM2GDRAM", "LDRAM2NRAM", "NRAM2LDRAM", "GDRAM2WRAM", "WRAM2GDRAM", "LDRAM2WRAM",
    "WRAM2LDRAM", "NRAM2NRAM", "NRAM2WRAM", "WRAM2NRAM", "GDRAM2SRAM", "SRAM2GDRAM", "LDRAM2SRAM",
    "SRAM2LDRAM", "SRAM2NRAM", "NRAM2SRAM", "SRAM2WRAM", "WRAM2SRAM", "GDRAM2GDRAM", "GDRAM2LDRAM",
    "LDRAM2GDRAM", "LDRAM2LDRAM", "SRAM2SRAM",
)  # fmt: skip
COMPARISONS = ("CMP_EQ", "CMP_NE", "CMP_LT", "CMP_LE", "CMP_GT", "CMP_GE")
FUSIONS = (
    "FUSION_FMA", "FUSION_FMS", "FUSION_FAM", "FUSION_FSM", "FUSION_FAA", "FUSION_FAS", "FUSION_FSS",
    "FUSION_FSA",
)  # fmt: skip
OVERLAPS = ("OVERLAP_ACC", "OVERLAP_COVER")

NRAM, WRAM = "thread_local", "register"  # the words that stand for the spaces

BANG = {
    "__BANG__": "1",
    "__MLU__": "1",
    "__CNCC__": "1",
    "__BANG_ARCH__": str(DEFAULT.number),
    "__MLU_NRAM_SIZE__": str(DEFAULT.nram // 1024),
    "__MLU_WRAM_SIZE__": str(DEFAULT.wram // 1024),
    "__MLU_SRAM_SIZE__": str(DEFAULT.sram // 1024),
    "__mlu_entry__": "__global__",
    "__mlu_global__": "__global__",
    "__mlu_func__": "__device__",
    "__mlu_device__": "__device__",
    "__mlu_builtin__": "__device__",
    "__mlu_host__": "__host__",
    "__nram__": NRAM,
    "__ldram__": NRAM,
    "__wram__": WRAM,
    "__mlu_shared__": "__shared__",
    "__mlu_const__": "__constant__",
    "MAX_HALF_VALUE": "65504.0f",
    "bfloat16_t": "__nv_bfloat16",
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "uint8": "uint8_t",
    "uint16": "uint16_t",
    "uint32": "uint32_t",
    "fix8": "int8_t",
    "mluMemcpyDirection_t": "int",
    "CompareMode": "int",
    "mluFusionOpCode": "int",
    "mluPoolBPOverlap": "int",
    "cnrtDim3_t": "dim3",
    "cnrtQueue_t": "cudaStream_t",
    "cnrtNotifier_t": "cudaEvent_t",
    "cnrtFunctionType_t": "int",
    "cnrtJobType_t": "int",
    "cnrtRet_t": "int",
    **{name: str(number) for number, name in enumerate(DIRECTIONS)},
    **{name: str(number) for number, name in enumerate(COMPARISONS)},
    **{name: str(number) for number, name in enumerate(FUSIONS)},
    **{name: str(number) for number, name in enumerate(OVERLAPS)},
}
