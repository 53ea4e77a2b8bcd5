"""Test data: reproducible from the case's seed, never all ones or zeros.

`integers`: small integers, whose sums and products are exact in any order. `normal`: floats of N(0, 1),
integers over their usual range. `positive`: away from zero and negative numbers. `boundary`: zeros of both
signs, large, tiny and subnormal numbers, the ends of the narrow integer types; `edges` the same without the
subnormal ones. `special`: normal values with infinities and NaN among them. `landmarks`: normal values, and
the case's landmarks of both signs and just beside them; `magnitudes` the same among floats alone, `sizes`
their absolute values. `wide`: integers of all magnitudes up to the case's landmark; `spread` floats of all
magnitudes up to it, else normal values. `powers`: powers of two, else normal values. `below`, `above`: all on
one side of zero, floats far from it. `faint`: floats near zero. `offset`: floats near one another and far
from it. `full`: bytes near the upper end of their type.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xpiler.gate.arrays import Array, decode, encode, storage, unit_roundoff
from xpiler.gate.contract import Argument, Case, Contract, Role, Values
from xpiler.ir.types import BF16, F16, F32, F64, DType, Kind

FLOAT_BITS: dict[str, DType] = {"bf16": BF16, "f16": F16, "f32": F32, "f64": F64}
_LARGE = {"f16": 100.0, "bf16": 1e3, "f32": 1e3, "f64": 1e6}
_BESIDE = 2.0**-10  # of a landmark, as a share of it
_FARTHEST = {"f16": 1e3}  # more than that times itself is infinite
_FAR = {"f16": 2.0**7, "bf16": 2.0**20, "f32": 2.0**20, "f64": 2.0**20}  # products of a few are finite
_FAINT = 2.0**-12  # its square is far below one, and no subnormal number of 16 bits
_OFFSET = {
    "f16": 16.0,
    "bf16": 64.0,
    "f32": 1024.0,
    "f64": 2.0**20,
}  # its square leaves few digits for the rest
_SHARE = 1 / 8  # of an array of indices: those that mark that there is none; of pieces: those from anywhere
_SHORTEST_PIECE, _LONGEST_PIECE, _FARTHEST_SHIFT = 6, 25, 20
_SUBNORMAL = {"f16": 2.0**-20, "bf16": 2.0**-130, "f32": 2.0**-130, "f64": 2.0**-1040}
_TINY = {"f16": 2.0**-11, "bf16": 2.0**-100, "f32": 2.0**-100, "f64": 2.0**-900}  # well above subnormal ones


def inputs_of(contract: Contract, case: Case) -> dict[str, Array]:
    """What every pointer argument that the entry reads holds before the call, in storage form."""
    return {a.name: draw(a, case) for a in contract.pointers if a.role in (Role.IN, Role.INOUT)}


def draw(argument: Argument, case: Case) -> Array:
    """The contents of one argument. Each argument has its own stream of random numbers."""
    if (used := dict(case.types).get(argument.name)) is not None:
        return _as_used(argument, case, used)
    rng = np.random.default_rng([case.seed, zlib.crc32(argument.name.encode())])
    count = case.extent(argument.name)
    numbers = case.landmarks
    special = dict(case.values).get(argument.name)
    if special and special.kind == "given":
        return np.frombuffer(special.data, storage(argument.dtype), count)
    if special and special.kind == "pieces":
        sequence = np.random.default_rng(case.seed).integers(int(special.low), int(special.high), count)
        return encode(_in_pieces(sequence, rng), argument.dtype)
    if special and special.kind in FLOAT_BITS:
        read_as = FLOAT_BITS[special.kind]
        floats = -(-count * argument.dtype.bytes // read_as.bytes)
        drawn = encode(_draw_floats(read_as, case.fill, floats, rng), read_as)
        return drawn.view(storage(argument.dtype))[:count]
    if special and special.kind != "flags":
        return encode(_draw_values(special, count, rng), argument.dtype)
    if argument.dtype.is_float and case.fill == "spread":
        farthest = min(max(numbers, default=1.0), _FARTHEST.get(argument.dtype.name, np.inf))
        return encode(_of_all_magnitudes(-1.0, farthest, count, rng), argument.dtype)
    if argument.dtype.is_float:
        drawn = _draw_floats(argument.dtype, case.fill, count, rng)
        drawn = _with_landmarks(drawn, argument.dtype, numbers, rng)
        return encode(np.abs(drawn) if case.fill == "sizes" else drawn, argument.dtype)
    if case.fill == "wide":
        return _draw_wide(argument.dtype, max(case.landmarks, default=2.0**17), count, rng)
    whole = _draw_integers(argument.dtype, case.fill, count, rng)
    numbers = numbers if case.fill == "landmarks" else ()
    whole = _with_landmarks(whole, argument.dtype, numbers, rng).astype(whole.dtype)
    return np.where(rng.random(count) < 0.5, whole, 0).astype(whole.dtype) if special else whole


def _as_used(argument: Argument, case: Case, used: DType) -> Array:
    """Numbers of the type that the call takes the array for, as they are stored; zeros in bytes at its end
    that make no element."""
    width = argument.dtype.bytes
    count = case.extent(argument.name) * width // used.bytes
    extents = tuple((n, count if n == argument.name else e) for n, e in case.extents)
    drawn = draw(replace(argument, dtype=used, lanes=1), replace(case, extents=extents, types=()))
    rest = bytes(case.extent(argument.name) * width - drawn.nbytes)
    return np.frombuffer(drawn.tobytes() + rest, storage(argument.dtype))


def _draw_values(values: Values, count: int, rng: np.random.Generator) -> Array:
    low, high = values.low, values.high
    match values.kind:
        case "index" | "spread":
            if values.kind == "spread":
                drawn = _of_all_magnitudes(0.0, int(high), count, rng).astype(np.int64)
            else:
                drawn = rng.integers(int(low), max(int(high), int(low) + 1), count)
            drawn[: min(count, 2)] = [int(low), max(int(high) - 1, int(low))][:count]  # both ends occur
            if values.beyond:
                drawn = np.where(rng.random(count) < _SHARE, rng.choice(values.beyond, count), drawn)
            return rng.permutation(drawn)
        case "offsets":
            inner = rng.integers(int(low), int(high) + 1, max(count - 2, 0))
            if len(inner) > (high - low) / 2:  # else nearly all parts are empty, the rest of one element
                inner = rng.choice(inner[: int(high - low) // 4 + 1], len(inner))
            inner = np.sort(inner)
            return np.concatenate([[int(low)], inner, [int(high)]])[:count]
        case "growing" | "lengths":  # the first ones do not depend on how many follow
            steps = rng.integers(1, int(high) + 1, count)
            counted = steps if values.kind == "lengths" else steps[1:]
            if values.beyond:
                _empty_some(counted, rng)
            return counted if values.kind == "lengths" else int(low) + np.r_[0, np.cumsum(counted)][:count]
        case "permutation":
            return rng.permutation(count) + int(low)
        case "uniform":
            return rng.uniform(low, high, count)
        case "halves":
            halves: Array = rng.integers(int(low), int(high), count) + 0.5
            return np.asarray(halves * rng.choice([0.5, 1.0, 2.0], count))
        case "constant":
            return np.full(count, low)
        case "given" | "flags" | "pieces" | "bf16" | "f16" | "f32" | "f64":
            raise ValueError(f"{values.kind}: not drawn as numbers")


def _empty_some(steps: Array, rng: np.random.Generator) -> None:
    """Make some of the steps 0 and the next ones longer by them: they are as many elements together."""
    most = max(steps.size - 1, 0)
    for at in np.sort(rng.choice(most, -(-most // 4), replace=False)):
        steps[at + 1] += steps[at]
        steps[at] = 0


def _in_pieces(sequence: Array, rng: np.random.Generator) -> Array:
    """Pieces of the sequence one after the other: half of them in their own place, the others from one that
    wanders, or jumps, near it."""
    places: list[Array] = [np.arange(0)]
    wandering, done = 0, 0
    while done < sequence.size:
        length = int(rng.integers(_SHORTEST_PIECE, _LONGEST_PIECE))
        wandering += int(rng.integers(-1, 2))
        if rng.random() < _SHARE:
            wandering = int(rng.integers(-_FARTHEST_SHIFT, _FARTHEST_SHIFT + 1))
        places.append(np.arange(done, done + length) + wandering * int(rng.integers(2)))
        done += length
    taken: Array = np.take(sequence, np.concatenate(places)[: sequence.size], mode="wrap")
    return taken


def _of_all_magnitudes(low: float, high: float, count: int, rng: np.random.Generator) -> Array:
    """Numbers in [low, high): as many between 1 and 2 more than `low` as between 2 and 4 more, and so on."""
    return np.expm1(rng.uniform(0.0, np.log1p(high - low), count)) + low


def _draw_floats(dtype: DType, fill: str, count: int, rng: np.random.Generator) -> Array:
    match fill:
        case "integers":
            return rng.integers(-4, 5, count).astype(np.float64)
        case "positive":
            return np.abs(rng.standard_normal(count)) + 0.125
        case "boundary" | "edges":
            large, tiny = _LARGE[dtype.name], _SUBNORMAL[dtype.name]
            tiny = tiny if fill == "boundary" else _TINY[dtype.name]
            pool = np.array(
                [0.0, -0.0, 1.0, -1.0, large, -large, 1 / large, -1 / large, tiny, -tiny, 0.5, -2.0]
            )
            picked = rng.choice(pool, count)
            return np.where(rng.random(count) < 0.5, picked, rng.standard_normal(count))
        case "below" | "above":
            far = _FAR[dtype.name] * (1 + np.abs(rng.standard_normal(count)))
            return far if fill == "above" else -far
        case "faint":
            return rng.standard_normal(count) * _FAINT
        case "offset":
            return _OFFSET[dtype.name] + rng.standard_normal(count)
        case "powers":
            return rng.choice([0.5, 1.0, 2.0], count)
        case "special":
            # A few are enough: one a row would turn every sum into NaN, and all programs would agree.
            drawn = rng.standard_normal(count)
            places = rng.choice(count, min(3, count), replace=False)
            drawn[places] = rng.permutation([np.inf, -np.inf, np.nan])[: places.size]
            return drawn
        case _:
            return rng.standard_normal(count)


def _draw_integers(dtype: DType, fill: str, count: int, rng: np.random.Generator) -> Array:
    signed = dtype.kind is Kind.INT
    if dtype.kind is Kind.BOOL:
        return rng.integers(0, 2, count).astype(np.uint8)
    # Wide integers stay small enough that sums of products do not overflow: that is undefined in the source.
    widest = 1 << min(dtype.bits, 16)
    match fill:
        case "integers" | "special":
            low, high = (-4, 4) if signed else (0, 8)
        case "positive" | "above":
            low, high = 1, 100
        case "full" if dtype.bits == 8:
            low, high = (124, 127) if signed else (252, 255)
        case "below":
            low, high = (-100, -1) if signed else (1, 100)
        case "boundary" | "edges":
            low, high = (-widest // 2, widest // 2 - 1) if signed else (0, widest - 1)
            ends = rng.choice(np.array([low, high, 0, 1, -1 if signed else 2]), count)
            drawn = np.where(rng.random(count) < 0.5, ends, rng.integers(low, high + 1, count))
            return drawn.astype(np.int64).astype(f"{'i' if signed else 'u'}{dtype.bytes}")
        case _:
            narrow = dtype.bits == 8
            low, high = (-128, 127) if signed and narrow else (-100, 100) if signed else (0, 255)
    return rng.integers(low, high + 1, count).astype(f"{'i' if signed else 'u'}{dtype.bytes}")


def _draw_wide(dtype: DType, most: float, count: int, rng: np.random.Generator) -> Array:
    """Integers whose magnitudes are as often small as large, up to `most` or what the type holds."""
    signed = dtype.kind is Kind.INT
    if dtype.kind is Kind.BOOL:
        return rng.integers(0, 2, count).astype(np.uint8)
    bits = min(dtype.bits - signed, int(np.log2(most)))
    drawn = rng.integers(0, 1 << bits, count, dtype=np.uint64) >> rng.integers(
        0, bits, count, dtype=np.uint64
    )
    kind = np.dtype(f"{'i' if signed else 'u'}{dtype.bytes}")
    signs = rng.choice([-1, 1], count).astype(kind) if signed else kind.type(1)
    wide: Array = drawn.astype(kind) * signs
    return wide


def _with_landmarks(
    drawn: Array, dtype: DType, landmarks: Sequence[float], rng: np.random.Generator
) -> Array:
    """What was drawn with some elements replaced by landmarks that the type can hold: all of them, if that
    leaves half of what was drawn, else themselves before their neighbours."""
    numbers = np.array([number for number in landmarks if dtype.is_float or number.is_integer()])
    step = numbers * _BESIDE if dtype.is_float else np.ones_like(numbers)
    nearest_first = (numbers, numbers + step, numbers - step)
    pool = np.concatenate([rng.permutation(np.concatenate([near, -near])) for near in nearest_first])
    if dtype.is_float:
        pool = pool[np.abs(pool) <= _FARTHEST.get(dtype.name, np.inf)]
    else:
        half = 1 << dtype.bits - 1
        low, high = (0, 2 * half) if dtype.kind is Kind.UINT else (-half, half)
        pool = pool[(low <= pool) & (pool < high)]
    if not pool.size or dtype.kind is Kind.BOOL:
        return drawn
    places = rng.permutation(drawn.size)[: max(drawn.size // 8, min(drawn.size // 2, pool.size))]
    mixed = drawn.copy()
    mixed[places] = np.resize(pool, places.size)
    return mixed


def perturbed(
    contract: Contract, case: Case, inputs: dict[str, Array], round: int, strength: float = 1.0
) -> tuple[dict[str, Array], float]:
    """The inputs with every ordinary float moved by up to three times `strength` rounding units, up or down
    at random; and the relative size of one.

    The unit is that of f32 at the least, or of the narrowest input type: only what it can store is a
    perturbation. Arrays whose contents have a declared meaning are left alone; numbers of a declared range
    move within it.
    """
    rng = np.random.default_rng([case.seed, round, 0x9E37])
    used = dict(case.types)
    types = {a.name: used.get(a.name, a.dtype) for a in contract.pointers}
    types = {name: dtype for name, dtype in types.items() if dtype.is_float}
    types |= {name: FLOAT_BITS[values.kind] for name, values in case.values if values.kind in FLOAT_BITS}
    meant = {n for n, values in case.values if values.kind not in ("uniform", "given", *FLOAT_BITS)}
    ranges = {name: (values.low, values.high) for name, values in case.values if values.kind == "uniform"}
    floats = {name: dtype for name, dtype in types.items() if name in inputs and name not in meant}
    unit = max(map(unit_roundoff, floats.values()), default=0.0)
    moved = dict(inputs)
    for name, dtype in floats.items():
        wide = np.dtype(storage(dtype)).itemsize  # of bits in narrower integers a part of a float may be left
        bits = inputs[name][: inputs[name].nbytes // wide * wide // inputs[name].itemsize]
        values = decode(bits.view(storage(dtype)), dtype)
        steps = rng.choice([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0], values.shape)
        with np.errstate(invalid="ignore", over="ignore"):
            stepped = encode(values * (1 + 2 * unit * strength * steps), dtype)
        if name in ranges:
            low, high = ranges[name]
            after = decode(stepped, dtype)
            stepped = np.where((low <= after) & (after < high), stepped, inputs[name])
        rest = inputs[name][bits.size :]
        moved[name] = np.concatenate([stepped.view(inputs[name].dtype), rest])
    return moved, 2 * unit
