"""The C++ library of CUDA: `cuda::atomic_ref`, and `cuda::barrier` of all threads of a block; and the atomics
of HIP that are told their scope.

    cuda::atomic_ref<int, cuda::thread_scope_device> bin(bins[i]);  bin.fetch_add(1);   -->   atomic
    bar.arrive_and_wait();                                                              -->   barrier

Memory orders ask for no more than an atomic of the IR has. A barrier in two halves with something between
them is refused: what stands there is ordered with neither side.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import number
from xpiler.frontend.lower_groups import block_threads, group_value
from xpiler.frontend.lower_memory import deref, load, place_of, pointer_of, store
from xpiler.frontend.lower_registry import builtin, method
from xpiler.frontend.lower_simt import atomic
from xpiler.frontend.lower_streams import fenced, mark_copies
from xpiler.frontend.lower_types import Group
from xpiler.frontend.lower_values import VOID_VALUE, AddressOf, AtomicRefValue, GroupValue, Value
from xpiler.ir import build
from xpiler.ir.nodes import Atomic, Barrier, Collective, Expr, Instr, Load, Ref, Stmt, Trap
from xpiler.ir.rewrite import walk

_UPDATES = {
    "fetch_add": "add", "fetch_sub": "sub", "fetch_min": "min", "fetch_max": "max", "fetch_and": "and",
    "fetch_or": "or", "fetch_xor": "xor", "exchange": "exch",
}  # fmt: skip


def _place(call: Invocation) -> tuple[Load, bool]:
    """The element that a reference is of, and whether it is atomic within the block alone."""
    assert isinstance(call.receiver, AtomicRefValue)
    place = place_of(call.ctx, call.receiver.target)
    if not isinstance(place, Load):
        call.ctx.refuse("atomic-place", "an atomic operation on a variable that is no memory", call.node)
    return place, call.receiver.type.of_block


def _ordered(call: Invocation) -> None:
    """An operation that is not told to be relaxed is a fence to what comes before."""
    if "relaxed" not in call.ctx.text(call.node).lower():
        fenced(call.ctx, call.node)


@method("atomicref", *_UPDATES)
def _update(call: Invocation) -> Value:
    place, of_block = _place(call)
    _ordered(call)
    return atomic(call, _UPDATES[call.name], place, (call.number_as(0, place.dtype),), of_block)


@method("atomicref", "load")
def _load(call: Invocation) -> Value:
    place, of_block = _place(call)
    if place.dtype.is_float:
        call.ctx.refuse(
            "atomic-load", "an atomic load of a floating-point number is not supported", call.node
        )
    return atomic(call, "or", place, (build.const(0, place.dtype),), of_block)


@method("atomicref", "store")
def _store(call: Invocation) -> Value:
    place, of_block = _place(call)
    atomic(call, "exch", place, (call.number_as(0, place.dtype),), of_block)
    return VOID_VALUE


@method("atomicref", "compare_exchange_strong", "compare_exchange_weak")
def _compare_exchange(call: Invocation) -> Value:
    """`expected` gets the old value; it was exchanged if the two are equal."""
    call.need(2)
    place, of_block = _place(call)
    wanted = call.ctx.temporary(call.number_as(0, place.dtype), "wanted")
    old = load(call.ctx, atomic(call, "cas", place, (wanted, call.number_as(1, place.dtype)), of_block, True))
    store(call.ctx, call.args[0], old)
    return number(build.eq(old, wanted))


_HIP = "__hip_atomic_"


@builtin(*(_HIP + name for name in _UPDATES))
def _hip_update(call: Invocation) -> Value:
    """`__hip_atomic_fetch_add(pointer, value, order, scope)`."""
    call.need(4)
    place = place_of(call.ctx, deref(call.ctx, pointer_of(call.ctx, call.args[0])))
    if not isinstance(place, Load):
        call.ctx.refuse("atomic-place", "an atomic operation on a variable that is no memory", call.node)
    of_block = call.ctx.text(call.node).rstrip(") \n").endswith("_WORKGROUP")
    _ordered(call)
    return atomic(
        call, _UPDATES[call.name.removeprefix(_HIP)], place, (call.number_as(1, place.dtype),), of_block
    )


# ------------------------------------------------------------------------------------------ barriers


@builtin("init")
def _init(call: Invocation) -> Value:
    """`init(&bar, count)`: all threads of the block have to come."""
    call.need(2)
    barrier = call.args[0]
    if not (isinstance(barrier, AddressOf) and _is_barrier(barrier.target)):
        call.ctx.refuse("group", "`init` needs a `cuda::barrier`", call.node)
    count = call.number(1)
    whole: Expr = build.eq(build.cast(count, block_threads().dtype), block_threads())
    call.ctx.emit(Trap("assert", whole, "a barrier of all threads of the block"))
    return VOID_VALUE


def _is_barrier(value: Value | None) -> bool:
    return isinstance(value, GroupValue) and value.type.kind == "barrier"


def _barrier_of(call: Invocation) -> None:
    if not _is_barrier(call.receiver):
        group_value(call)
        call.ctx.refuse("group", f"`{call.name}` of cooperative groups is not supported", call.node)


@method("group", "arrive_and_wait")
def _arrive_and_wait(call: Invocation) -> Value:
    _barrier_of(call)
    mark_copies(call.ctx, "wait all", call.node)
    call.ctx.emit(Barrier("block"))
    return VOID_VALUE


@dataclass(frozen=True, eq=False)
class Token(GroupValue):
    """What `arrive` gives back: it was called in the block of statements `out`, before the one at `place`."""

    out: list[Stmt] = field(default_factory=list)
    place: int = 0


@method("group", "arrive")
def _arrive(call: Invocation) -> Value:
    _barrier_of(call)
    return Token(Group("token"), None, call.ctx.out, len(call.ctx.out))


@method("group", "wait")
def _wait(call: Invocation) -> Value:
    _barrier_of(call)
    call.need(1)
    token = call.args[0]
    if (
        not isinstance(token, Token)
        or token.out is not call.ctx.out
        or any(_is_seen(node) for stmt in token.out[token.place :] for node in walk(stmt))
    ):
        call.ctx.refuse(
            "split-barrier",
            "what is used between `arrive` and `wait` of a barrier is ordered with neither side: that is not "
            "followed",
            call.node,
        )
    mark_copies(call.ctx, "wait all", call.node)
    call.ctx.emit(Barrier("block"))
    return VOID_VALUE


def _is_seen(node: object) -> bool:
    """Whether it matters to other threads when this is done."""
    return isinstance(node, (Load, Ref, Atomic, Collective, Barrier, Instr))
