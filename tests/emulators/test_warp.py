"""Shuffles, votes, match and reduce against the published rules, on random operands."""

import random
import struct
from pathlib import Path

import pytest

from tests.emulators.running import run_program

SHUFFLES = """
#include <RUNTIME>
#include <cstdio>
__global__ void k(const int* v, const int* operand, int* out, int width) {
    int l = threadIdx.x;
    out[l] = SHFL(v[l], operand[0], width);
    out[64 + l] = SHFL_UP(v[l], operand[1], width);
    out[128 + l] = SHFL_DOWN(v[l], operand[2], width);
    out[192 + l] = SHFL_XOR(v[l], operand[3], width);
    out[256 + l] = SHFL(v[l], operand[4 + l], width);
    out[320 + l] = (int)SHFL_XOR((double)v[l], 1, 2);
}
int main() {
    int width, in[4 + 64 + 64];
    while (fread(&width, 4, 1, stdin) == 1 && fread(in, 4, 132, stdin) == 132) {
        int *d, *o, result[384];
        PREFIXMalloc(&d, sizeof in); PREFIXMalloc(&o, sizeof result);
        PREFIXMemcpy(d, in, sizeof in, PREFIXMemcpyHostToDevice);
        k<<<1, WARP>>>(d + 68, d, o, width);
        PREFIXMemcpy(result, o, sizeof result, PREFIXMemcpyDeviceToHost);
        for (int x : result) printf("%d ", x);
        puts("");
        PREFIXFree(d); PREFIXFree(o);
    }
}
"""


def shuffles(platform: str) -> str:
    text = SHUFFLES
    for form in ("SHFL_UP", "SHFL_DOWN", "SHFL_XOR", "SHFL"):
        name = "__" + form.lower()
        text = text.replace(form + "(", f"{name}_sync(0xffffffffu, " if platform == "cuda" else f"{name}(")
    header = "cuda_runtime.h" if platform == "cuda" else "hip/hip_runtime.h"
    return (
        text.replace("RUNTIME", header)
        .replace("PREFIX", platform)
        .replace("WARP", "32" if platform == "cuda" else "64")
    )


def cuda_source(form: str, lane: int, operand: int, width: int) -> int:
    """Source lane of a CUDA shuffle: PTX's pseudo-code with the clamp and segment mask spelled out."""
    operand &= 31
    segment = (32 - width) & 0x1F
    clamp = 0 if form == "up" else 0x1F
    largest = (lane & segment) | (clamp & ~segment)
    match form:
        case "idx":
            source = (lane & segment) | (operand & ~segment)
            in_range = source <= largest
        case "up":
            source, in_range = lane - operand, lane - operand >= largest
        case "down":
            source, in_range = lane + operand, lane + operand <= largest
        case _:
            source, in_range = lane ^ operand, lane ^ operand <= largest
    return source if in_range else lane


def hip_source(form: str, lane: int, operand: int, width: int) -> int:
    """Source lane of HIP 5.2's shuffles, as its header computes the index of ds_bpermute, modulo 64."""
    match form:
        case "idx":
            source = operand + (lane & ~(width - 1))
        case "up":
            source = lane - operand
            source = lane if source < (lane & ~(width - 1)) else source
        case "down":
            source = lane + operand
            source = lane if (lane & (width - 1)) + operand >= width else source
        case _:
            source = lane ^ operand
            source = lane if source >= ((lane + width) & ~(width - 1)) else source
    return source % 64


@pytest.mark.parametrize("platform", ["cuda", "hip"])
def test_shuffles_read_the_lane_that_the_platform_says(tmp_path: Path, platform: str) -> None:
    warp, rule = (32, cuda_source) if platform == "cuda" else (64, hip_source)
    random.seed(7)
    data, expected = b"", []
    for _ in range(60):
        width = 2 ** random.randint(1, warp.bit_length() - 1)
        # CUDA reduces any operand; HIP only has meaning for lanes that exist.
        operands = [random.randrange(40 if platform == "cuda" else width) for _ in range(4)]
        indices = [random.randrange(width) for _ in range(64)]
        values = [random.randrange(-(2**31), 2**31) for _ in range(64)]
        data += struct.pack("<133i", width, *operands, *indices, *values)
        row = [
            values[rule(form, lane, operand, width)]
            for form, operand in zip(("idx", "up", "down", "xor"), operands, strict=True)
            for lane in range(warp)
        ]
        row += [values[rule("idx", lane, indices[lane], width)] for lane in range(warp)]
        row += [values[lane ^ 1] for lane in range(warp)]
        expected.append(row)
    outcome = run_program(shuffles(platform), tmp_path, platform, stdin=data)
    assert outcome.status == 0 and not outcome.events
    for line, row in zip(outcome.output.splitlines(), expected, strict=True):
        numbers = [int(word) for word in line.split()]
        assert [numbers[64 * block + lane] for block in range(6) for lane in range(warp)] == row


VOTES = """
#include <cuda_runtime.h>
#include <cstdio>
__global__ void k(const int* v, unsigned mask, unsigned* out) {
    int l = threadIdx.x, p;
    if (!(mask >> l & 1)) return;
    unsigned* o = out + l * 12;
    o[0] = __ballot_sync(mask, v[l] & 1);
    o[1] = __any_sync(mask, v[l] > 5);
    o[2] = __all_sync(mask, v[l] > 0);
    o[3] = __match_any_sync(mask, v[l]);
    o[4] = __match_all_sync(mask, v[l] >> 3, &p);
    o[5] = p;
    o[6] = __reduce_add_sync(mask, v[l]);
    o[7] = __reduce_min_sync(mask, v[l]);
    o[8] = __reduce_max_sync(mask, v[l]);
    o[9] = __reduce_xor_sync(mask, (unsigned)v[l]);
    if (v[l] & 1) o[10] = __activemask(); else o[10] = ~__activemask();
    o[11] = __popc(__ballot_sync(mask, 1));
}
int main() {
    unsigned mask; int v[32];
    while (fread(&mask, 4, 1, stdin) == 1 && fread(v, 4, 32, stdin) == 32) {
        int* d; unsigned* o; unsigned r[384];
        cudaMalloc(&d, 128); cudaMalloc(&o, sizeof r);
        cudaMemcpy(d, v, 128, cudaMemcpyHostToDevice); cudaMemset(o, 0, sizeof r);
        k<<<1, 32>>>(d, mask, o);
        cudaMemcpy(r, o, sizeof r, cudaMemcpyDeviceToHost);
        for (unsigned x : r) printf("%u ", x);
        puts("");
        cudaFree(d); cudaFree(o);
    }
}
"""


def test_votes_match_and_reduce_over_the_lanes_of_the_mask(tmp_path: Path) -> None:
    random.seed(11)
    data, cases = b"", []
    for _ in range(40):
        mask = random.choice([0xFFFFFFFF, random.randrange(1, 2**32)])
        values = [random.randrange(0, random.choice([2, 9])) for _ in range(32)]
        cases.append((mask, values))
        data += struct.pack("<I32i", mask, *values)
    outcome = run_program(VOTES, tmp_path, stdin=data)
    assert outcome.status == 0
    for line, (mask, values) in zip(outcome.output.splitlines(), cases, strict=True):
        numbers = [int(word) for word in line.split()]
        lanes = [lane for lane in range(32) if mask >> lane & 1]

        def bits(test, lanes=lanes):  # type: ignore[no-untyped-def]
            return sum(1 << lane for lane in lanes if test(lane))

        members = [values[lane] for lane in lanes]
        odd = bits(lambda lane, v=values: v[lane] & 1)
        same = len({value >> 3 for value in members}) == 1
        parity = 0
        for value in members:
            parity ^= value
        for lane in lanes:
            active = odd if values[lane] & 1 else 0xFFFFFFFF ^ (mask & ~odd)
            assert numbers[12 * lane : 12 * lane + 12] == [
                odd,
                any(value > 5 for value in members),
                all(value > 0 for value in members),
                bits(lambda other, v=values, mine=values[lane]: v[other] == mine),
                mask if same else 0,
                same,
                sum(members),
                min(members),
                max(members),
                parity,
                active,
                len(lanes),
            ]


WAVE = """
#include <hip/hip_runtime.h>
#include <cstdio>
__device__ int lanes_here() { return __popcll(__ballot(1)); }
__global__ void k(unsigned long long* out) {
    int l = threadIdx.x;
    unsigned long long o = 0;
    if (l % 3 == 0) {
        o = __ballot(l & 1);
        for (int i = 0; i < l / 3; ++i) o += __popcll(__ballot(1)) == 21 - i;  // trip counts differ
    } else {
        o = lanes_here();
    }
    out[l] = o;
    out[64 + l] = __ballot(1);  // everybody is back
}
int main() {
    unsigned long long *o, r[128];
    hipMalloc(&o, sizeof r);
    k<<<1, 64>>>(o);
    hipMemcpy(r, o, sizeof r, hipMemcpyDeviceToHost);
    for (auto x : r) printf("%llu ", x);
}
"""


def test_operations_without_a_mask_meet_the_lanes_that_reach_them(tmp_path: Path) -> None:
    outcome = run_program(WAVE, tmp_path, "hip")
    numbers = [int(word) for word in outcome.output.split()]
    odd_thirds = sum(1 << lane for lane in range(0, 64, 3) if lane & 1)
    for lane in range(64):
        if lane % 3:
            assert numbers[lane] == 42
        else:  # lane 3i runs i rounds, so round i has the 21 - i lanes that run more
            assert numbers[lane] == odd_thirds + lane // 3
    assert set(numbers[64:]) == {2**64 - 1}


GROUPS = """
#include <cuda_runtime.h>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
#include <cstdio>
namespace cg = cooperative_groups;
__global__ void k(const int* v, int* out) {
    auto block = cg::this_thread_block();
    auto tile = cg::tiled_partition<8>(block);
    auto quad = cg::tiled_partition<4>(tile);
    int t = block.thread_rank();
    int* o = out + t * 10;
    o[0] = cg::reduce(tile, v[t], cg::plus<int>());
    o[1] = cg::inclusive_scan(tile, v[t]);
    o[2] = cg::exclusive_scan(tile, v[t], cg::plus<int>());
    o[3] = tile.shfl_down(v[t], 3) + 1000 * tile.shfl_up(v[t], 2);
    o[4] = tile.shfl(v[t], 5) + 1000 * tile.shfl_xor(v[t], 4);
    o[5] = tile.ballot(v[t] & 1);
    o[6] = tile.meta_group_rank() * 100 + tile.meta_group_size();
    o[7] = quad.thread_rank() + 10 * quad.meta_group_rank() + 100 * (int)quad.size();
    o[8] = o[9] = 0;
    if (v[t] & 1) {
        auto active = cg::coalesced_threads();
        o[8] = active.size() * 100 + active.thread_rank();
        o[9] = cg::reduce(active, v[t], [](int a, int b) { return a > b ? a : b; });
    }
}
int main() {
    int v[64]; fread(v, 4, 64, stdin);
    int *d, *o, r[640];
    cudaMalloc(&d, sizeof v); cudaMalloc(&o, sizeof r);
    cudaMemcpy(d, v, sizeof v, cudaMemcpyHostToDevice);
    k<<<1, 64>>>(d, o);
    cudaMemcpy(r, o, sizeof r, cudaMemcpyDeviceToHost);
    for (int x : r) printf("%d ", x);
}
"""


def test_cooperative_groups(tmp_path: Path) -> None:
    random.seed(3)
    v = [random.randrange(100) for _ in range(64)]
    outcome = run_program(GROUPS, tmp_path, stdin=struct.pack("<64i", *v))
    numbers = [int(word) for word in outcome.output.split()]
    for t in range(64):
        base, rank = t // 8 * 8, t % 8
        tile = v[base : base + 8]
        odd = [lane for lane in range(t // 32 * 32, t // 32 * 32 + 32) if v[lane] & 1]
        assert numbers[10 * t : 10 * t + 10] == [
            sum(tile),
            sum(tile[: rank + 1]),
            sum(tile[:rank]),
            tile[rank + 3 if rank + 3 < 8 else rank] + 1000 * tile[rank - 2 if rank >= 2 else rank],
            tile[5] + 1000 * tile[rank ^ 4],
            sum((value & 1) << lane for lane, value in enumerate(tile)),
            t // 8 * 100 + 8,
            t % 4 + 10 * (rank // 4) + 400,
            100 * len(odd) + odd.index(t) if v[t] & 1 else 0,
            max(v[lane] for lane in odd) if v[t] & 1 else 0,
        ]
