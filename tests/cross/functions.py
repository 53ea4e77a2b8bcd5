"""What is called to compare a device function: expressions in `x_f32`, `y_i32`..., derived from names.

The names come from the frontend's own table. A name for which nothing here says how to call it has no checks,
and a test fails: whoever adds a function also says how it is called, and thereby has it compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import xpiler.frontend  # noqa: F401  (fills the table)
from xpiler.frontend.lower_registry import BUILTINS
from xpiler.ir.functions import FLOAT_BINARY, FLOAT_PREDICATES, FLOAT_UNARY

SPELLING = {
    "bool": "bool", "i8": "signed char", "u8": "unsigned char", "i16": "short", "u16": "unsigned short",
    "i32": "int", "u32": "unsigned", "i64": "long long", "u64": "unsigned long long", "f16": "__half",
    "bf16": "__nv_bfloat16", "f32": "float", "f64": "double",
}  # fmt: skip

# Functions without a value of their own; each is part of the programs of another test.
WITHOUT_VALUE = frozenset("""
    __assume __builtin_assume __builtin_unreachable __builtin_trap __trap __brkpt
    abort exit _Exit quick_exit assert printf fprintf puts fputs perror fflush __prefetch
    __nanosleep __threadfence __threadfence_block __threadfence_system atomic_thread_fence
    __syncthreads __syncwarp
    __pipeline_commit __pipeline_wait_prior sync wait wait_prior
    swap move forward as_const launder bit_and bit_or bit_xor plus less greater
""".split())  # fmt: skip
# Refused by the frontend, under their names.
REFUSED = frozenset("""
    modf modff frexp frexpf __lane_id __laneid inclusive_scan exclusive_scan labeled_partition
    binary_partition invoke_one __dp2a_lo __dp2a_hi
    __float2half_rz __float2half_rd __float2half_ru __float2bfloat16_rz __float2bfloat16_rd
    __fsqrt_rz __frcp_rz
""".split())  # fmt: skip
_REFUSED_ROUNDING = re.compile(r"__(u?int|u?ll|double)2float_r[zud]|__u?ll2double_r[zud]")
# In the programs of test_warps.py, unless another test is named.
ELSEWHERE = re.compile(
    r"__(shfl|all|any|ballot|activemask|match|reduce)\w*|__syncthreads_\w+|(unsafeA|a)tomic[A-Z]\w*|"
    r"this_\w+|tiled_partition|reduce|mem(cpy|set|move)(_async)?|__builtin_mem\w+|__pipeline_memcpy_async|"
    r"(fill_fragment|load_matrix_sync|store_matrix_sync|mma_sync)|"
    r"__builtin_amdgcn_\w+|__builtin_nontemporal_\w+|"  # test_amd.py
    r"coalesced_threads|init|__hip_atomic_\w+|omp_\w+|"  # tests/symbolic/suite/library.cu and its like
    r"__builtin_(ctz(l|ll)?|assume_aligned)|"  # tests/frontend/test_gnu.py
    r"_(tzcnt|lzcnt|blsr|blsi|blsmsk|andn)_u\d+|"  # test_x86_bits.py
    r"(m|c|aligned_)alloc|(__builtin_)?alloca|free|"  # of plain functions: tests/frontend/test_serial.py
    r"make_pipeline|pipeline_consumer_wait_prior"  # tests/symbolic/suite/copies.cu
)
# In the programs of tests/frontend/test_host_library.py.
OF_HOST_LIBRARY = re.compile(
    r"accumulate|copy(_n)?|fill(_n)?|for_each|inner_product|iota|(max|min)_element|transform|"
    r"c?ref|j?thread|hardware_concurrency|posix_memalign"
)


@dataclass(frozen=True)
class Check:
    """`expression` yields a value of type `dtype`, which may differ by `ulp` units in the last place, or by
    `absolute`.

    `statement` stores it: `OUT` is the place, `VALUE` the expression, `SLOT` the number of the
    check's first element in its output.
    """

    function: str
    expression: str
    dtype: str
    ulp: float = 0
    statement: str = "OUT = VALUE;"
    absolute: float = 0

    @property
    def may_fuse(self) -> bool:
        """Has products and sums that a compiler may fuse: bit for bit only where contraction is off."""
        return self.function.startswith("cuCmul")

    @property
    def operands(self) -> tuple[str, ...]:
        return tuple(sorted(set(re.findall(r"\b[xyz]_[a-z]+\d*\b", self.expression.lower()))))


# Bounds of CUDA's math library, in ulp of f32; two implementations may differ by the sum.
_ULP = {
    "exp": 2, "exp2": 2, "exp10": 2, "expm1": 1, "log": 1, "log2": 1, "log1p": 1, "log10": 2, "sin": 2,
    "cos": 2,
    "sinpi": 2, "cospi": 2, "tan": 4, "tanh": 2, "erf": 2, "sinh": 3, "pow": 4, "cosh": 2,
    "asin": 2, "atan": 2,
    "acos": 2, "asinh": 3, "acosh": 4, "atanh": 3, "erfc": 4, "lgamma": 6, "tgamma": 5, "cbrt": 1, "rcbrt": 2,
    "hypot": 3, "rhypot": 2, "rsqrt": 2, "atan2": 3, "normcdf": 5, "erfinv": 5, "norm3d": 3, "norm4d": 3,
    "rnorm3d": 3, "j0": 9, "j1": 9,
}  # fmt: skip
_ABSOLUTE = {
    ("j0", "f32"): 2.2e-6, ("j1", "f32"): 2.2e-6, ("j0", "f64"): 5e-12, ("j1", "f64"): 5e-12,
    ("lgamma", "f32"): 1e-6, ("lgamma", "f64"): 1e-14, ("sinpi", "f64"): 2e-15, ("cospi", "f64"): 2e-15,
    ("erfinv", "f64"): 1e-15,
}  # fmt: skip
_INT = {"int": "i32", "uint": "u32", "ll": "i64", "ull": "u64", "short": "i16", "ushort": "u16"}
_FLOAT = {"float": "f32", "double": "f64", "half": "f16", "bfloat16": "bf16"}
_NAMED = {**_INT, **_FLOAT, "longlong": "i64", "ulonglong": "u64"}


def families() -> dict[str, tuple[str, ...]]:
    """The names of the table by the module that defines them; AVX-512 has a test of its own."""
    found: dict[str, list[str]] = {}
    for name, handler in sorted(BUILTINS.items()):
        if name.lstrip("_").startswith(("mm", "k", "cvt", "bzhi", "builtin_prefetch")):
            continue
        function = handler.func if isinstance(handler, partial) else handler
        found.setdefault(function.__module__.rpartition(".")[2], []).append(name)
    return {family: tuple(names) for family, names in found.items()}


def is_tested_elsewhere(name: str) -> bool:
    if name in WITHOUT_VALUE or is_refused(name):
        return True
    return any(pattern.fullmatch(name) for pattern in (ELSEWHERE, OF_HOST_LIBRARY))


def is_refused(name: str) -> bool:
    return name in REFUSED or _REFUSED_ROUNDING.fullmatch(name) is not None


def checks_of(name: str) -> tuple[Check, ...]:
    """The ways in which a function is called; empty if that is not known, or it is refused."""
    if is_refused(name):
        return ()
    for rule in (_math, _integers, _conversions, _small_floats, _pairs, _vectors, _constants, _accesses):
        found = tuple(rule(name))
        if found:
            return found
    return ()


def _called(name: str, dtype: str, *operands: str, result: str = "", ulp: float = 0) -> Check:
    return Check(name, f"{name}({', '.join(operands)})", result or dtype, ulp)


def _math(name: str) -> Iterator[Check]:
    stem = name.removeprefix("__").removesuffix("f") if name != "erf" else name
    for base in (name, stem):
        if base in FLOAT_UNARY | {"fabs", "nearbyint", "rcbrt", "normcdf"} and base not in (
            "abs",
            "rcp",
            "saturate",
        ):
            single = base != name
            for dtype in ("f32",) if single else ("f64", "f32"):
                # Near their zeros, and in the tail of the normal distribution, an ulp says little.
                absolute = _ABSOLUTE.get((base, dtype), 0)
                ulp = 400 if (base, dtype) == ("normcdf", "f64") else 2 * _ULP.get(base, 0)
                yield replace(_called(name, dtype, f"x_{dtype}", ulp=ulp), absolute=absolute)
            return
        if base in FLOAT_BINARY | {"fmin", "fmax", "rhypot"} and base not in ("ldexp", "min", "max"):
            for dtype in ("f32",) if base != name else ("f64", "f32"):
                yield _called(name, dtype, f"x_{dtype}", f"y_{dtype}", ulp=2 * _ULP.get(base, 0))
            return
        if base in ("norm3d", "norm4d", "rnorm3d"):
            operands = ("x_f32", "y_f32", "z_f32", "1.5f")[: 4 if "4" in base else 3]
            yield _called(name, "f32", *operands, ulp=2 * _ULP[base])
            return
    if name in ("fma", "fmaf", "__fmaf_rn", "__fma_rn", "__fmaf_ieee_rn"):
        for dtype in ("f64", "f32") if name == "fma" else ("f64",) if name == "__fma_rn" else ("f32",):
            yield _called(name, dtype, *(f"{v}_{dtype}" for v in "xyz"))
    elif match := re.fullmatch(r"__([fd])(add|sub|mul|div|rcp|sqrt|rsqrt)_r([nz])", name):
        dtype = "f32" if match[1] == "f" else "f64"
        count = 1 if match[2] in ("rcp", "sqrt", "rsqrt") else 2
        yield _called(
            name, dtype, *(f"{v}_{dtype}" for v in "xyz"[:count]), ulp=2 if match[2] == "rsqrt" else 0
        )
    elif name in ("__fdividef", "fdividef", "fdivide"):
        dtype = "f64" if name == "fdivide" else "f32"
        yield _called(name, dtype, f"x_{dtype}", f"y_{dtype}")
    elif name == "__saturatef":
        yield _called(name, "f32", "x_f32")
    elif name in ("ldexp", "ldexpf", "scalbn", "scalbnf"):
        for dtype in ("f32",) if name.endswith("f") else ("f64", "f32"):
            yield _called(name, dtype, f"x_{dtype}", "(y_i32 % 300)")
    elif FLOAT_PREDICATES & {name.strip("_"), name.strip("_").removesuffix("f")} or name == "__finitef":
        for dtype in ("f32",) if name.endswith(("ff", "nf", "ef")) else ("f64", "f32"):
            yield Check(name, f"({name}(x_{dtype}) ? 1 : 0)", "i32")
    elif match := re.fullmatch(r"(__)?sincos(pi)?(f?)", name):
        dtype = "f32" if match[3] else "f64"
        for part in ("s", "c"):
            code = f"{{ {SPELLING[dtype]} s, c; {name}(VALUE, &s, &c); OUT = {part}; }}"
            yield Check(name, f"x_{dtype}", dtype, 4, code, 2e-15 if dtype == "f64" else 0)
    elif match := re.fullmatch(r"l?l(rint|round)f?", name):
        for dtype in ("f32",) if name.endswith("f") else ("f64",):
            yield Check(name, f"{name}(fmod(x_{dtype}, ({SPELLING[dtype]})1e6))", "i64")


def _integers(name: str) -> Iterator[Check]:
    if match := re.fullmatch(r"__(popc|clz|ffs|brev)(ll)?", name):
        operand = ("i" if match[1] in ("clz", "ffs") else "u") + ("64" if match[2] else "32")
        yield _called(name, operand, f"x_{operand}", result=operand if match[1] == "brev" else "i32")
    elif match := re.fullmatch(r"__(u?)mul(24|64hi|hi)", name):
        dtype = ("u" if match[1] else "i") + ("64" if match[2] == "64hi" else "32")
        yield _called(name, dtype, f"x_{dtype}", f"y_{dtype}")
    elif name in ("__byte_perm", "__funnelshift_l", "__funnelshift_r"):
        yield _called(name, "u32", "x_u32", "y_u32", "z_u32")
    elif name == "__dp4a":
        for dtype in ("i32", "u32"):
            yield _called(name, dtype, *(f"{v}_{dtype}" for v in "xyz"))
    elif name in ("__sad", "__usad"):
        dtype = "i32" if name == "__sad" else "u32"
        yield _called(name, "u32", f"x_{dtype}", f"y_{dtype}", "z_u32")
    elif name in ("abs", "labs", "llabs"):
        for dtype in ("i32", "f32", "f64", "i64") if name == "abs" else ("i64",):
            yield _called(name, dtype, f"x_{dtype}")
    elif match := re.fullmatch(r"(u|ll|ull)?(min|max)", name):
        one = {"u": ("u32",), "ll": ("i64",), "ull": ("u64",)}.get(match[1])
        for dtype in one or ("i32", "u32", "i64", "u64", "f32", "f64"):
            yield _called(name, dtype, f"x_{dtype}", f"y_{dtype}")
        if not one:
            yield _called(name, "u32", "x_i32", "y_u32")
            yield _called(name, "u64", "x_u64", "y_i64")
    elif name == "clamp":  # (of HIP and of user headers)
        yield Check(name, "min(max(x_i32, -5), 5)", "i32")
    elif name in ("popcount", "countl_zero"):  # (of <bit>, which CUDA has since C++20)
        yield Check(name, f"{'__popc' if name == 'popcount' else '__clz'}(x_u32)", "i32")


def _conversions(name: str) -> Iterator[Check]:
    if match := re.fullmatch(r"__(\w+?)_as_(\w+)", name):
        source, target = _NAMED[match[1]], _NAMED[match[2]]
        yield _called(name, target, f"x_{source}")
    elif match := re.fullmatch(r"__(float|double|u?int|u?ll)2(float|double|u?int|u?ll)_(r[nzud])", name):
        yield _called(name, _NAMED[match[2]], f"x_{_NAMED[match[1]]}")
    elif name == "__float_to_tf32":
        yield Check(name, f"nvcuda::wmma::{name}(x_f32)", "f32")


def _small_floats(name: str) -> Iterator[Check]:
    both = ("f16", "bf16")
    number = "float|double|half|bfloat16|u?int|u?short|u?ll"
    if match := re.fullmatch(rf"__({number})2({number})(_r[nzud])?", name):
        yield _called(name, _NAMED[match[2]], f"x_{_NAMED[match[1]]}")
    elif match := re.fullmatch(r"__h(add|sub|mul|div|fma|min|max|neg|abs)(_rn|_sat|_relu)?", name):
        count = {"fma": 3, "neg": 1, "abs": 1}.get(match[1], 2)
        for dtype in both:
            yield _called(name, dtype, *(f"{v}_{dtype}" for v in "xyz"[:count]))
    elif name in ("__heq", "__hne", "__hlt", "__hle", "__hgt", "__hge"):
        for dtype in both:
            yield Check(name, f"({name}(x_{dtype}, y_{dtype}) ? 1 : 0)", "i32")
    elif name in ("__hisnan", "__hisinf"):
        for dtype in both:
            yield Check(name, f"({name}(x_{dtype}) ? 1 : 0)", "i32")
    elif match := re.fullmatch(
        r"h(exp|exp2|exp10|log|log2|log10|sqrt|rsqrt|rcp|sin|cos|tanh|floor|ceil|trunc|rint)", name
    ):
        for dtype in both:
            yield _called(name, dtype, f"x_{dtype}", ulp=1 if match[1] in _ULP else 0)


def _pair(dtype: str, first: str, second: str) -> str:
    return (
        f"__halves2half2({first}, {second})" if dtype == "f16" else f"__halves2bfloat162({first}, {second})"
    )


def _lanes(name: str, dtype: str, expression: str, ulp: float = 0) -> Iterator[Check]:
    yield Check(name, f"({expression}).x", dtype, ulp)
    yield Check(name, f"({expression}).y", dtype, ulp)


def _pairs(name: str) -> Iterator[Check]:
    both = ("f16", "bf16")
    operands = {
        d: (_pair(d, f"x_{d}", f"y_{d}"), _pair(d, f"y_{d}", f"z_{d}"), _pair(d, f"z_{d}", f"x_{d}"))
        for d in both
    }
    mine = "bf16" if "bfloat16" in name else "f16"
    scalars = (f"x_{mine}", f"y_{mine}")
    if match := re.fullmatch(
        r"__h(add|sub|mul|div|fma|min|max|neg|abs)2(_rn|_sat|_relu)?|__h2div|h2(\w+)", name
    ):
        count = {"fma": 3, "neg": 1, "abs": 1, None: 1 if match[3] else 2}.get(match[1], 2)
        for dtype in both:
            expression = f"{name}({', '.join(operands[dtype][:count])})"
            yield from _lanes(name, dtype, expression, 1 if match[3] in _ULP else 0)
    elif re.fullmatch(r"__h(eq|ne|lt|le|gt|ge)2", name):
        for dtype in both:
            yield from _lanes(name, dtype, f"{name}({', '.join(operands[dtype][:2])})")
    elif re.fullmatch(r"__hb(eq|ne|lt|le|gt|ge)2", name):
        for dtype in both:
            yield Check(name, f"({name}({', '.join(operands[dtype][:2])}) ? 1 : 0)", "i32")
    elif name in ("__float2half2_rn", "__float2bfloat162_rn"):
        yield from _lanes(name, mine, f"{name}(x_f32)")
    elif name in ("__half2half2", "__bfloat162bfloat162"):
        yield from _lanes(name, mine, f"{name}(x_{mine})")
    elif name in ("__floats2half2_rn", "__floats2bfloat162_rn"):
        yield from _lanes(name, mine, f"{name}(x_f32, y_f32)")
    elif name in ("__halves2half2", "make_half2", "__halves2bfloat162", "make_bfloat162"):
        yield from _lanes(name, mine, f"{name}({', '.join(scalars)})")
    elif name in ("__half22float2", "__bfloat1622float2"):
        yield from _lanes(name, "f32", f"{name}({operands[mine][0]})")
    elif name in ("__float22half2_rn", "__float22bfloat162_rn"):
        yield from _lanes(name, mine, f"{name}(make_float2(x_f32, y_f32))")
    elif match := re.fullmatch(r"__(low|high)2(float|half|bfloat16)", name):
        for dtype in both if match[2] == "float" else (mine,):
            yield _called(name, _NAMED[match[2]], operands[dtype][0])
    elif re.fullmatch(r"__(low|high)2(half|bfloat16)2|__lowhigh2highlow", name):
        for dtype in both if name == "__lowhigh2highlow" else (mine,):
            yield from _lanes(name, dtype, f"{name}({operands[dtype][0]})")
    elif re.fullmatch(r"__(low|high)s2(half|bfloat16)2", name):
        yield from _lanes(name, mine, f"{name}({', '.join(operands[mine][:2])})")
    elif name in (
        "__make_half2",
        "make___half2",
        "make___hip_bfloat162",
        "make___nv_bfloat162",
        "make_nv_bfloat162",
    ):
        dtype = "f16" if "half" in name else "bf16"  # (spellings of other headers)
        yield from _lanes(name, dtype, _pair(dtype, f"x_{dtype}", f"y_{dtype}"))


_MEMBERS = {
    "char": "i8", "uchar": "u8", "short": "i16", "ushort": "u16", "int": "i32", "uint": "u32", "long": "i64",
    "ulong": "u64", "longlong": "i64", "ulonglong": "u64", "float": "f32", "double": "f64",
}  # fmt: skip


def _vectors(name: str) -> Iterator[Check]:
    if name == "make_dim3":
        yield Check(name, "dim3(x_u32, y_u32).y", "u32")
    elif match := re.fullmatch(r"make_([a-z]+)([1-4])", name):
        dtype, count = _MEMBERS[match[1]], int(match[2])
        arguments = [f"x_{dtype}", f"y_{dtype}", f"z_{dtype}", f"x_{dtype}"][:count]
        for member in "xyzw"[:count]:
            yield Check(name, f"{name}({', '.join(arguments)}).{member}", dtype)
    elif match := re.fullmatch(r"make_cu(Double|Float)?Complex|cuC(add|sub|mul|real|imag)(f?)", name):
        single = name in ("make_cuComplex", "make_cuFloatComplex") or match[3] == "f"
        dtype, kind = ("f32", "Float") if single else ("f64", "Double")
        made = [f"make_cu{kind}Complex({a}_{dtype}, {b}_{dtype})" for a, b in ("xy", "yz")]
        if match[2] in ("real", "imag"):
            yield Check(name, f"{name}({made[0]})", dtype)
        else:
            whole = f"{name}({', '.join(made)})" if match[2] else f"{name}(x_{dtype}, y_{dtype})"
            yield from _lanes(name, dtype, whole)


def _constants(name: str) -> Iterator[Check]:
    if re.fullmatch(r"__builtin_(inf|huge_val)f?", name):
        yield Check(name, f"{name}()", "f32" if name.endswith(("ff", "valf")) else "f64")
    elif re.fullmatch(r"(__builtin_)?nanf?", name):
        yield Check(name, f'{name}("")', "f32" if name.endswith("f") else "f64")
    elif name == "__builtin_expect":
        yield Check(name, "__builtin_expect(x_i64, 1)", "i64")


def _accesses(name: str) -> Iterator[Check]:
    if re.fullmatch(r"__ld(g|cs|ca|cg|cv|lu)", name):
        for dtype in ("f32", "i32", "f64"):
            yield Check(name, f"{name}(X_{dtype.upper()} + i)", dtype)
    elif re.fullmatch(r"__st(cs|cg|wb|wt)", name):
        yield Check(name, "x_f32", "f32", statement=f"{name}(&OUT, VALUE);")
