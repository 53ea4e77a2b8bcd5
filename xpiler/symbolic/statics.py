"""What the text of a kernel shows without running it: on-chip memory, sizes that bound nothing, warps of
another size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xpiler.ir.affine import linear
from xpiler.ir.nodes import (
    Binary,
    Cast,
    Collective,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    Select,
    Space,
    Var,
    While,
)
from xpiler.ir.rewrite import free_vars, substitute, uses, walk
from xpiler.ir.types import BOOL
from xpiler.symbolic.findings import ERROR, WARNING, Found
from xpiler.symbolic.trial import Trial

_STATIC = {"cuda": 48 << 10, "hip": 64 << 10}  # bytes of shared memory that may be declared
_DYNAMIC = {"cuda": 227 << 10, "hip": 64 << 10}  # and with what a launch adds, at most
_SCRATCH = {Space.NRAM: ("NRAM", 768 << 10), Space.WRAM: ("WRAM", 1024 << 10)}
_BY_32 = frozenset({("%", 32), ("/", 32), ("&", 31), (">>", 5)})
_INDICES = frozenset(f"{kind}.{axis}" for kind in ("threadIdx", "blockIdx") for axis in "xyz")


def static_findings(kernel: Function, platform: str, shared_bytes: int) -> list[Found]:
    return [*_capacity(kernel, platform, shared_bytes), *_warp_size(kernel), *_cut_ballots(kernel)]


def _capacity(kernel: Function, platform: str, shared_bytes: int) -> Iterator[Found]:
    total = 0
    scratch: dict[Space, int] = {}
    for decl in (n for n in walk(kernel.body) if isinstance(n, Decl) and n.shape):
        size = _bytes(decl)
        if size is None:
            continue
        if decl.space is Space.SHARED:
            total += size
            if total > _STATIC.get(platform, total):
                yield _too_much(kernel, decl, total, _STATIC[platform], "of shared memory are declared")
                return
        elif decl.space in _SCRATCH:
            name, limit = _SCRATCH[decl.space]
            scratch[decl.space] = scratch.get(decl.space, 0) + size
            if scratch[decl.space] > limit:
                yield _too_much(kernel, decl, scratch[decl.space], limit, f"of {name} are declared")
                return
    if total + shared_bytes > _DYNAMIC.get(platform, total + shared_bytes):
        what = "of shared memory, declared and by the launch"
        yield _too_much(kernel, None, total + shared_bytes, _DYNAMIC[platform], what)


def _bytes(decl: Decl) -> int | None:
    total = decl.dtype.bytes
    for extent in decl.shape:
        form = linear(extent)
        if form is None or form.as_int is None:
            return None
        total *= form.as_int
    return total


def _too_much(kernel: Function, decl: Decl | None, total: int, limit: int, what: str) -> Found:
    return Found(
        "XP-CAPACITY",
        ERROR,
        f"{total} bytes {what}; there are {limit}",
        decl.range if decl is not None else kernel.range,
        kernel.spelling or kernel.name,
        {"bytes": total, "limit": limit},
        decl.name if decl is not None else "",
    )


def unguarded(kernel: Function, defined: dict[str, Expr], trials: Sequence[Trial] = ()) -> Found | None:
    """`void f(float *a, int n)` that never looks at `n` and lets every thread access `a`, unless `n` is how
    many threads or blocks host code launches, or it launches the kernel with numbers alone."""
    used = uses(kernel.body).vars_read
    scalars = (p for p in kernel.params if not p.is_pointer and p.dtype.is_integer and not p.member)
    idle = [p for p in scalars if p.name not in used and not _counts_launched(p.name, trials)]
    arrays = {p.name for p in kernel.params if p.is_pointer}
    numbers_alone = trials and all(t.is_launched and not t.host for t in trials)
    if not idle or has_guard(kernel, defined) or numbers_alone:
        return None
    for node in walk(kernel.body):
        if isinstance(node, Load) and node.array in arrays:
            moving = free_vars(substitute(node.index[0], defined)) & _INDICES
            if any(name.startswith("blockIdx") for name in moving):
                name = idle[0].name
                message = f"{name} bounds nothing: every thread accesses {node.array}"
                kernel_name = kernel.spelling or kernel.name
                return Found(
                    "XP-UNGUARDED",
                    WARNING,
                    message,
                    node.range,
                    kernel_name,
                    {},
                    node.array,
                    holds_if=f"{node.array} has fewer elements than there are threads",
                )
    return None


def _counts_launched(name: str, trials: Sequence[Trial]) -> bool:
    """Whether every trial is a launch of host code, of so many blocks or threads."""
    return bool(trials) and all(
        t.is_launched
        and t.scalars.get(name) in (*t.grid, *(g * b for g, b in zip(t.grid, t.block, strict=True)))
        for t in trials
    )


def has_guard(kernel: Function, defined: dict[str, Expr]) -> bool:
    """Whether anything is done depending on the thread."""
    for node in walk(kernel.body):
        if isinstance(node, (If, Select, While)):
            if free_vars(substitute(node.condition, defined)) & _INDICES:
                return True
        elif isinstance(node, For) and free_vars(substitute(node.start, defined)) & _INDICES:
            return True
    return False


def _warp_size(kernel: Function) -> Iterator[Found]:
    """Lanes counted by 32 where a wave has 64, in kernels that exchange values within one."""
    if kernel.warp_size == 32 or not any(isinstance(n, Collective) for n in walk(kernel.body)):
        return
    for node in walk(kernel.body):
        match node:
            case Binary(op=op, left=counted, right=Const(value=by)) if (op, by) in _BY_32:
                pass
            case _:
                continue
        if any(isinstance(n, Var) and n.name.startswith("threadIdx.") for n in walk(counted)):
            yield Found(
                "XP-WARP-SIZE",
                WARNING,
                f"threads are counted by 32, but a wave has {kernel.warp_size} lanes here",
                node.range or kernel.range,
                kernel.spelling or kernel.name,
            )
            return


def _cut_ballots(kernel: Function) -> Iterator[Found]:
    """The votes of 64 lanes kept in 32 bits, in kernels that never shift down those of the upper half."""
    votes = {n.target.name: n for n in walk(kernel.body) if isinstance(n, Collective) and n.kind == "ballot"}
    if kernel.warp_size != 64 or not votes or any(_is_upper_half(n) for n in walk(kernel.body)):
        return
    for node in walk(kernel.body):
        match node:
            case Cast(operand=Var(name=name), dtype=dtype) if (
                name in votes and dtype.is_integer and dtype != BOOL and dtype.bits < 64
            ):
                yield Found(
                    "XP-WARP-SIZE",
                    ERROR,
                    f"a wave has 64 lanes here, and {dtype.bits} bits do not hold their votes: "
                    "those of lanes 32 to 63 are lost",
                    node.range or votes[name].range or kernel.range,
                    kernel.spelling or kernel.name,
                    {"lane": 32, "bits": dtype.bits},
                )
                return


def _is_upper_half(node: object) -> bool:
    """`votes >> 32`, by whatever number is added or multiplied to it."""
    return isinstance(node, Binary) and node.op in (">>", ">>=") and node.left.dtype.bits == 64
