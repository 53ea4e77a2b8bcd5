"""Arrays of every IR type in NumPy. NumPy has no bfloat16: such arrays are `uint16` with the bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xpiler.ir.types import BF16, DType, Kind

Array = npt.NDArray[Any]
Float64Array = npt.NDArray[np.float64]

# Quiet NaNs with a payload that no arithmetic makes; 0xA5 bytes for integers.
_POISON = {
    "f16": 0x7EA5,
    "bf16": 0x7FE5,
    "f32": 0x7FE5A5A5,
    "f64": 0x7FF9A5A5A5A5A5A5,
}
_DEVICE_POISON = (0x7FFFDEAD).to_bytes(4, "little")  # of the emulators, see `poison_word` there


def storage(dtype: DType) -> np.dtype[Any]:
    """The NumPy type that holds `dtype` bit for bit."""
    if dtype == BF16:
        return np.dtype(np.uint16)
    match dtype.kind:
        case Kind.FLOAT:
            return np.dtype(f"f{dtype.bytes}")
        case Kind.INT:
            return np.dtype(f"i{dtype.bytes}")
        case _:  # a bool read as uint8 shows values other than 0 and 1
            return np.dtype(f"u{dtype.bytes}")


def encode(values: npt.ArrayLike, dtype: DType) -> Array:
    """Values to storage, rounded to nearest even; integers wrap."""
    if dtype == BF16:
        with np.errstate(over="ignore"):
            single = np.asarray(values, dtype=np.float32)
        bits = single.view(np.uint32).astype(np.uint64)
        rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
        quieted = ((bits >> 16) | 0x40).astype(np.uint16)
        return np.asarray(np.where(np.isnan(single), quieted, rounded), dtype=np.uint16)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(values).astype(storage(dtype))


def decode(array: Array, dtype: DType) -> Float64Array:
    """Storage to double precision. Integers of 64 bits may lose low bits: compare those as stored."""
    if dtype == BF16:
        return (array.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return array.astype(np.float64)


def bits(array: Array) -> Array:
    """The same storage as unsigned integers."""
    return array.view(np.dtype(f"u{array.dtype.itemsize}"))


def poison(dtype: DType, *, second: bool = False) -> bytes:
    """The pattern of one element that nobody has written. An integer of any pattern may be a result: what is
    left alone shows in two runs, one of them with the `second` pattern."""
    if dtype.name in _POISON:
        return _POISON[dtype.name].to_bytes(dtype.bytes, "little")
    return (b"\x5a" if second else b"\xa5") * dtype.bytes


def is_poison(array: Array, dtype: DType, *, second: bool = False) -> npt.NDArray[np.bool_]:
    """Which elements still hold the pattern, that is, were never written."""
    return np.asarray(bits(array) == int.from_bytes(poison(dtype, second=second), "little"))


def is_device_poison(array: Array) -> npt.NDArray[np.bool_]:
    """Which elements come from device memory that nobody has written, as the emulators fill it; elements
    narrower than the pattern are not told apart from others."""
    width = array.dtype.itemsize
    if width < 4:
        return np.zeros(array.shape, np.bool_)
    return np.asarray(bits(array) == int.from_bytes(_DEVICE_POISON * (width // 4), "little"))


def unit_roundoff(dtype: DType) -> float:
    """Half the distance from 1 to the next number; 0 for integers."""
    return {"f16": 2.0**-11, "bf16": 2.0**-8, "f32": 2.0**-24, "f64": 2.0**-53}.get(dtype.name, 0.0)


def smallest_normal(dtype: DType) -> float:
    return {"f16": 2.0**-14, "bf16": 2.0**-126, "f32": 2.0**-126, "f64": 2.0**-1022}.get(dtype.name, 0.0)


def scalar_bytes(value: float | int | bool, dtype: DType) -> bytes:
    """A by-value argument as it lies in memory."""
    if dtype.is_integer:
        return (int(value) & ((1 << dtype.bits) - 1)).to_bytes(dtype.bytes, "little")
    return encode([value], dtype).tobytes()
