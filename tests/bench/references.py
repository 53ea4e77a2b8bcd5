"""What each operator of the benchmark computes, in NumPy and in double precision.

These serve to test the snippets, and nothing else: a translation is always held against its source program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Arrays = Mapping[str, Array]
Sizes = Mapping[str, int]


def expected(operator: str, arrays: Arrays, sizes: Sizes) -> Array:
    """The one output of the operator for these inputs, each in its shape."""
    return REFERENCES[operator](arrays, sizes)


def windows(image: Array, kernel: int, stride: int) -> Array:
    """[n, h, w, c] to [n, out_h, out_w, c, ky, kx]."""
    every = np.lib.stride_tricks.sliding_window_view(image, (kernel, kernel), axis=(1, 2))
    return every[:, ::stride, ::stride]


def padded(image: Array, pad: int) -> Array:
    return np.pad(image, ((0, 0), (pad, pad), (pad, pad), (0, 0)))


def conv1d(a: Arrays, s: Sizes) -> Array:
    every = np.lib.stride_tricks.sliding_window_view(a["input"], s["kernel"], axis=2)[:, :, :: s["stride"]]
    return np.einsum("bclk,ock->bol", every, a["weight"])


def conv2d_nhwc(a: Arrays, s: Sizes) -> Array:
    patches = windows(padded(a["input"], s["pad"]), s["kernel"], s["stride"])
    return np.einsum("nhwcyx,oyxc->nhwo", patches, a["weight"])


def conv2d_nchw(a: Arrays, s: Sizes) -> Array:
    patches = windows(padded(a["input"].transpose(0, 2, 3, 1), s["pad"]), s["kernel"], s["stride"])
    return np.einsum("nhwcyx,ocyx->nohw", patches, a["weight"])


def depthwise_conv(a: Arrays, s: Sizes) -> Array:
    patches = windows(padded(a["input"], s["pad"]), s["kernel"], s["stride"])
    return np.einsum("nhwcyx,yxc->nhwc", patches, a["weight"])


def pool(reduce: Callable[..., Any]) -> Callable[[Arrays, Sizes], Array]:
    return lambda a, s: np.asarray(reduce(windows(a["in"], s["kernel"], s["stride"]), axis=(4, 5)))


def softmax_of(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def layernorm(a: Arrays, s: Sizes) -> Array:
    x = a["x"]
    centred = x - x.mean(-1, keepdims=True)
    return np.asarray(centred / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * a["gamma"] + a["beta"])


def rmsnorm(a: Arrays, s: Sizes) -> Array:
    x = a["x"]
    return np.asarray(x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * a["weight"])


def self_attention(a: Arrays, s: Sizes) -> Array:
    scores = np.einsum("hqd,hkd->hqk", a["Q"], a["K"]) / np.sqrt(s["dim"])
    return np.asarray(softmax_of(scores) @ a["V"])


def deformable_attention(a: Arrays, s: Sizes) -> Array:
    """Zeros around the map make the corners outside of it count as zero."""
    value = np.pad(a["value"], ((0, 0), (2, 2), (2, 2), (0, 0), (0, 0)))
    x = a["locations"][..., 0] * s["width"] - 0.5
    y = a["locations"][..., 1] * s["height"] - 0.5
    inside = (y > -1) & (x > -1) & (y < s["height"]) & (x < s["width"])
    x, y = np.where(inside, x, 0), np.where(inside, y, 0)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    batch = np.arange(s["batch"])[:, None, None, None]
    head = np.arange(s["heads"])[None, None, :, None]
    total = np.zeros((*x.shape, s["dim"]))
    for dy in (0, 1):
        for dx in (0, 1):
            share = (1 - abs(y - y0 - dy)) * (1 - abs(x - x0 - dx)) * inside * a["weights"]
            total += share[..., None] * value[batch, y0 + dy + 2, x0 + dx + 2, head]
    return np.asarray(total.sum(3))


def gelu(a: Arrays, s: Sizes) -> Array:
    x = a["x"]
    return np.asarray(0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))))


REFERENCES: dict[str, Callable[[Arrays, Sizes], Array]] = {
    "gemm": lambda a, s: a["A"] @ a["B"],
    "gemv": lambda a, s: a["A"] @ a["x"],
    "batched_gemm": lambda a, s: a["A"] @ a["B"],
    "conv1d": conv1d,
    "conv2d_nhwc": conv2d_nhwc,
    "conv2d_nchw": conv2d_nchw,
    "depthwise_conv": depthwise_conv,
    "relu": lambda a, s: np.maximum(a["x"], 0),
    "gelu": gelu,
    "sigmoid": lambda a, s: 1 / (1 + np.exp(-a["x"])),
    "sign": lambda a, s: np.sign(a["x"]),
    "add": lambda a, s: a["a"] + a["b"],
    "softmax": lambda a, s: softmax_of(a["x"]),
    "layernorm": layernorm,
    "rmsnorm": rmsnorm,
    "maxpool": pool(np.max),
    "avgpool": pool(np.mean),
    "minpool": pool(np.min),
    "sumpool": pool(np.sum),
    "self_attention": self_attention,
    "deformable_attention": deformable_attention,
}
