"""What threads do together, as checks like those of functions of one thread."""

from __future__ import annotations

from collections.abc import Iterator

from tests.cross.functions import SPELLING, Check

_ALL = "0xffffffffu"
_LANE = "(threadIdx.x & 31)"
_SHUFFLED = ("i32", "u32", "i64", "u64", "f32", "f64", "f16", "bf16")


def shuffles() -> Iterator[Check]:
    lanes = {
        "": (f"({_LANE} * 7 + 3)", "5"),
        "_up": ("3", "1"),
        "_down": ("2", "9"),
        "_xor": ("1", "6", "16"),
    }
    for variant, operands in lanes.items():
        name = f"__shfl{variant}_sync"
        for dtype in _SHUFFLED:
            for operand in operands:
                yield Check(name, f"{name}({_ALL}, x_{dtype}, {operand})", dtype)
        for width in (2, 4, 8, 16, 32):
            for operand in operands:
                if variant != "_xor" or int(operand) < width:
                    yield Check(name, f"{name}({_ALL}, x_i32, {operand}, {width})", "i32")
    for name, operand in (
        ("__shfl_sync", f"({_LANE} * 5 % 24)"),
        ("__shfl_up_sync", "3"),
        ("__shfl_xor_sync", "1"),
    ):
        # Only 24 lanes take part; each reads one of them.
        guarded = f"if ({_LANE} < 24) OUT = VALUE; else OUT = 0;"
        yield Check(name, f"{name}(0x00ffffffu, x_i32, {operand})", "i32", statement=guarded)


def votes() -> Iterator[Check]:
    for name in ("__all_sync", "__any_sync"):
        for predicate in ("x_i32 > 0", "x_i32 != x_i32", "x_i32 == x_i32"):
            yield Check(name, f"({name}({_ALL}, {predicate}) != 0 ? 1 : 0)", "i32")
    yield Check("__ballot_sync", f"__ballot_sync({_ALL}, x_f32 > 0.5f)", "u32")
    some = f"if ({_LANE} % 3 == 1) OUT = VALUE; else OUT = 7;"
    third = sum(1 << lane for lane in range(32) if lane % 3 == 1)
    yield Check("__ballot_sync", f"__ballot_sync({third:#x}u, x_f32 > 0.5f)", "u32", statement=some)
    yield Check("__activemask", "__activemask()", "u32", statement=some)
    for name in ("__syncthreads_count", "__syncthreads_and", "__syncthreads_or"):
        for predicate in ("x_i32 > 0", "x_i32 == x_i32"):
            value = f"{name}({predicate})"
            yield Check(name, value if "count" in name else f"({value} != 0 ? 1 : 0)", "i32")


def matches() -> Iterator[Check]:
    for value in ("x_i32 & 3", "x_u64 & 1ull", "(float)(x_i32 & 1)"):
        yield Check("__match_any_sync", f"__match_any_sync({_ALL}, {value})", "u32")
    code = f"{{ int same; unsigned m = __match_all_sync({_ALL}, VALUE, &same); OUT = m + (same ? 1u : 0u); }}"
    for value in ("x_i32 & 1", "x_i32 & 0", "(unsigned long long)(threadIdx.x >> 5)"):
        yield Check("__match_all_sync", value, "u32", statement=code)


def reductions() -> Iterator[Check]:
    for operation in ("add", "min", "max", "and", "or", "xor"):
        name = f"__reduce_{operation}_sync"
        for dtype in ("u32",) if operation in ("and", "or", "xor") else ("i32", "u32"):
            yield Check(name, f"{name}({_ALL}, x_{dtype})", dtype)
            low = f"if ({_LANE} < 12) OUT = VALUE; else OUT = 0;"
            yield Check(name, f"{name}(0xfffu, x_{dtype})", dtype, statement=low)


_ATOMIC_TYPES = {
    "Add": ("i32", "u32", "u64", "f32", "f64"),
    "Sub": ("i32", "u32"),
    "Min": ("i32", "u32", "i64", "u64"),
    "Max": ("i32", "u32", "i64", "u64"),
    "And": ("i32", "u32", "u64"),
    "Or": ("i32", "u32", "u64"),
    "Xor": ("i32", "u32", "u64"),
    "Inc": ("u32",),
    "Dec": ("u32",),
    "Exch": ("i32", "u32", "u64", "f32"),
    "CAS": ("i32", "u32", "u64"),
}


def atomics() -> Iterator[Check]:
    """The old value, each thread at a place of its own; and what remains where many threads meet."""
    for operation, dtypes in _ATOMIC_TYPES.items():
        for dtype in dtypes:
            kind = SPELLING[dtype]
            for scope in ("", "_block", "_system") if dtype == dtypes[0] else ("",):
                name = f"atomic{operation}{scope}"
                # Sums of small integers are exact in any order.
                value = f"({kind})(x_i32 & 15)" if dtype.startswith("f") else f"x_{dtype}"
                operands = f"({kind})(y_i32 & 3), {value}" if operation == "CAS" else value
                place = f"out_{dtype}[SLOT + i]"
                own = f"{{ {place} = ({kind})(y_i32 & 3); {kind} old = {name}(&{place}, {operands}); "
                for result in ("old", f"old + {place}"):
                    yield Check(name, "x_i32 + y_i32", dtype, statement=f"{own}{place} = {result}; }}")
                if operation not in ("Exch", "CAS") and scope != "_block":
                    shared = f"{name}(&out_{dtype}[SLOT + (i & 7)], VALUE);"
                    yield Check(name, value, dtype, statement=shared)


def groups() -> Iterator[Check]:
    tile = "auto tile = cooperative_groups::tiled_partition<{}>(cooperative_groups::this_thread_block()); "
    for size in (4, 16, 32):
        start = "{ " + tile.format(size)
        for expression, dtype in (
            ("tile.shfl(x_i32, 1)", "i32"),
            ("tile.shfl_down(x_f32, 2)", "f32"),
            ("tile.shfl_up(x_f32, 1)", "f32"),
            ("tile.shfl_xor(x_i32, 2)", "i32"),
            ("tile.ballot(x_i32 > 0)", "u32"),
            ("tile.thread_rank()", "u32"),
            ("tile.meta_group_rank()", "u32"),
            ("(tile.any(x_i32 > 0) ? 1 : 0)", "i32"),
            ("(tile.all(x_i32 > 0) ? 1 : 0)", "i32"),
            ("cooperative_groups::reduce(tile, x_i32, cooperative_groups::plus<int>())", "i32"),
            ("cooperative_groups::reduce(tile, x_i32, cooperative_groups::greater<int>())", "i32"),
            ("cooperative_groups::reduce(tile, x_i32, cooperative_groups::less<int>())", "i32"),
            ("cooperative_groups::reduce(tile, x_u32, cooperative_groups::bit_xor<unsigned>())", "u32"),
        ):
            yield Check("tiled_partition", expression, dtype, statement=f"{start}OUT = VALUE; }}")
    some = f"if ({_LANE} % 3 == 1) {{ auto some = cooperative_groups::coalesced_threads(); OUT = VALUE; }} "
    for expression, dtype in (
        ("some.thread_rank()", "u32"),
        ("some.size()", "u32"),
        ("some.shfl(x_i32, 0)", "i32"),
        ("some.shfl(x_f32, some.size() - 1 - some.thread_rank())", "f32"),
        ("(some.any(x_i32 > 0) ? 1 : 0)", "i32"),
        ("(some.all(x_i32 > 0) ? 1 : 0)", "i32"),
    ):
        yield Check("coalesced_threads", expression, dtype, statement=f"{some} else OUT = 0;")
    block = "{ auto block = cooperative_groups::this_thread_block(); block.sync(); OUT = VALUE; }"
    for expression in ("block.thread_rank()", "block.size()", "block.group_index().x"):
        yield Check("this_thread_block", f"(unsigned)({expression})", "u32", statement=block)
    grid = "{ auto grid = cooperative_groups::this_grid(); OUT = VALUE; }"
    for expression in ("grid.thread_rank()", "grid.size()"):
        yield Check("this_grid", f"(unsigned)({expression}) + (x_u32 & 0u)", "u32", statement=grid)


FAMILIES = {
    "shuffles": tuple(shuffles()),
    "votes": tuple(votes()),
    "matches": tuple(matches()),
    "reductions": tuple(reductions()),
    "atomics": tuple(atomics()),
    "groups": tuple(groups()),
}
