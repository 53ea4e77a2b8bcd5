"""Canonical serial IR -> C++ with AVX-512: one function at a time, and the text of a file without host code.

`generate` chooses the vector axis and register tiles (passes), prints the function, and says which helpers
it needs;
`assemble` puts functions and helpers together. Host programs are put together by `host_cpp`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from xpiler.backend.c import CPrinter
from xpiler.backend.c_expressions import LINE_LENGTH
from xpiler.backend.c_helpers import HELPERS as SCALAR_HELPERS
from xpiler.backend.c_helpers import emit, used_in
from xpiler.backend.c_types import is_half_width, parameter, storage_type, value_type
from xpiler.backend.signature import parameters_of
from xpiler.backend.vnni_accumulators import numbers_in
from xpiler.backend.vnni_helpers import HELPERS as VECTOR_HELPERS
from xpiler.backend.vnni_vector import VectorPrinter
from xpiler.frontend.unit import Signature
from xpiler.ir.build import cast, const
from xpiler.ir.nodes import Block, Call, Const, Decl, Expr, For, Function, Load, Space, Var
from xpiler.ir.rewrite import assigned_vars, map_expr, substitute, walk
from xpiler.ir.types import U32
from xpiler.passes.block_digits import rows_of_blocks
from xpiler.passes.column_panels import panel_columns
from xpiler.passes.element_registers import keep_elements
from xpiler.passes.guard_bounds import bound_loops
from xpiler.passes.kept_values import keep_values
from xpiler.passes.lane_invariants import read_before_loops
from xpiler.passes.lanes_last import lanes_last
from xpiler.passes.loop_order import in_order_of_memory
from xpiler.passes.operand_packing import pack_operands
from xpiler.passes.parted_sums import part_sums
from xpiler.passes.rounds_in_lanes import rounds_in_lanes
from xpiler.passes.row_digits import split_rows
from xpiler.passes.row_gathering import gather_rows, pad_windows
from xpiler.passes.shared_stages import share_stages
from xpiler.passes.team_steps import shape_steps
from xpiler.passes.turned_lanes import turn_lanes
from xpiler.passes.vectorize import vectorize
from xpiler.passes.zero_terms import drop_zero_terms

DIMENSIONS = tuple(f"{which}.{axis}" for which in ("gridDim", "blockDim") for axis in "xyz")

SHARED = "dynamicShared.bytes"

ALL_HELPERS: dict[str, str] = {**SCALAR_HELPERS, **VECTOR_HELPERS}

HEADERS = """\
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
"""

DIM3 = """\
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};"""


@dataclass(frozen=True)
class CppFunction:
    """A generated function. `takes_launch`: its first parameters are `dim3 gridDim, dim3 blockDim`.

    `takes_shared`: then follows `size_t shared_bytes`. `globals`: __constant__/__device__ arrays that it
    names.
    """

    name: str
    text: str
    helpers: tuple[str, ...]
    notes: tuple[str, ...]
    takes_launch: bool
    takes_shared: bool
    globals: tuple[Decl, ...] = ()


def generate(
    canonical: Function,
    *,
    name: str | None = None,
    extern_c: bool = False,
    launch: Mapping[str, Expr | int] | None = None,
    signature: Signature | None = None,
    comments: Mapping[int, str] | None = None,
    scalar: type[CPrinter] | None = None,
) -> CppFunction:
    """One canonical function as C++.

    `launch` gives `gridDim.x` ... `blockDim.z` (and `shared_bytes`) as numbers or expressions over the
    scalar parameters; with it
    the function takes the kernel's parameters alone. Without it the launch dimensions come first in its
    signature.
    `signature`: how the source takes structs, where the function does as well.
    `comments`: the user's comments by source line. `scalar` prints plain loops instead of vectors.
    Raises `Refusal` for what has no serial C++ form.
    """
    notes: list[str] = []
    parallel: frozenset[str] = frozenset()
    function = _with_known_dimensions(canonical, launch)
    if scalar is None:
        rows = keep_values(rows_of_blocks(in_order_of_memory(lanes_last(drop_zero_terms(function)))))
        chosen = vectorize(gather_rows(pack_operands(share_stages(shape_steps(rows)))))
        notes += chosen.notes
        parallel = chosen.parallel
        summed = rounds_in_lanes(chosen.function, notes)
        padded = pad_windows(summed)  # of products whose lanes were found only now
        turned = turn_lanes(padded, parallel)
        kept = read_before_loops(keep_elements(panel_columns(turned)))
        function = split_rows(bound_loops(part_sums(kept, notes)))
    function, bounds = _with_named_bounds(function)
    printer = (
        VectorPrinter(function.params, comments, notes, parallel, numbers_in(function.body))
        if scalar is None
        else scalar(function.params, comments)
    )
    used = {n.name for n in walk(function.body) if isinstance(n, Var)}
    used |= {n.name for e in bounds.values() for n in walk(e) if isinstance(n, Var)}
    takes_shared = SHARED in used and launch is None
    parameters = [] if launch is not None else ["dim3 gridDim", "dim3 blockDim"]
    if takes_shared:
        parameters.append(f"size_t {printer.name(SHARED)}")
    printer.depth = 1
    own = tuple(p for p in function.params if p.name not in DIMENSIONS and p.name != SHARED)
    narrow = {
        p.name: printer.fresh(f"{p.name}_bits") for p in own if is_half_width(p.dtype) and not p.is_pointer
    }
    names = {p.name: narrow.get(p.name) or printer.name(p.name) for p in own}
    declared, values = parameters_of(own, signature, names, parameter, printer.fresh)
    parameters += declared
    for param in own:
        if values[param.name] != names[param.name]:  # a member of a struct
            printer.line(f"{parameter(param, names[param.name])} = {values[param.name]};")
    # inlined, the loops of a kernel would share the registers of what is around its calls
    linkage = 'extern "C" ' if extern_c else "static __attribute__((noinline))\n"
    _print_dimensions(printer, launch, used)
    for param in own:
        if param.name in narrow:
            value = printer.from_storage(narrow[param.name], param.dtype)
            printer.line(f"const float {printer.name(param.name)} = {value};")
    for bound, meaning in bounds.items():
        printer.line(f"const {value_type(bound.dtype)} {printer.name(bound.name)} = {printer.expr(meaning)};")
    for decl in function.globals:
        printer.declare_global(decl)
    printer.block(function.body)
    shown = name or canonical.name
    head = f"{linkage}void {shown}({', '.join(parameters)}) {{"
    text = "\n".join([*(part for line in head.split("\n") for part in _wrapped(line)), *printer.lines, "}"])
    helpers = used_in(text, ALL_HELPERS)
    return CppFunction(
        shown, text, helpers, tuple(dict.fromkeys(notes)), launch is None, takes_shared, function.globals
    )


def assemble(functions: Iterable[CppFunction], *, banner: str = "", types: str = "") -> str:
    """A whole file of generated functions: headers, helpers in use, `types`, global arrays, functions."""
    functions = tuple(functions)
    helpers = dict.fromkeys(h for f in functions for h in f.helpers)
    parts = [f"{banner}\n"] if banner else []
    parts.append(HEADERS)
    if any(f.takes_launch for f in functions):
        parts.append(DIM3 + "\n")
    parts += [text + "\n" for text in emit(helpers, ALL_HELPERS)]
    parts += [f"{types}\n"] if types else []
    seen: dict[str, Decl] = {d.name: d for f in functions for d in f.globals}
    parts += [global_text(d) + "\n" for d in seen.values()]
    parts += [f.text + "\n" for f in functions]
    return "\n".join(parts)


def global_text(decl: Decl) -> str:
    """A `__constant__` or `__device__` variable as a plain static one."""
    printer = CPrinter()
    qualifier = "static const " if decl.space is Space.CONSTANT and decl.init is not None else "static "
    shape = "".join(f"[{printer.expr(e)}]" for e in decl.shape)
    init = ""
    if isinstance(decl.init, tuple):
        init = " = {" + ", ".join(printer.to_storage(v) for v in decl.init) + "}"
    elif decl.init is not None:
        init = f" = {printer.to_storage(decl.init)}"
    text = f"{qualifier}{storage_type(decl.dtype)} {decl.name}{shape}{init};"
    return textwrap.fill(text, LINE_LENGTH, subsequent_indent="    ")


def _with_known_dimensions(function: Function, launch: Mapping[str, Expr | int] | None) -> Function:
    """Launch dimensions that are numbers written into the function."""
    known: dict[str, Expr] = {}
    for axis, size in zip("xyz", function.block_size, strict=True):
        if size is not None:
            known[f"blockDim.{axis}"] = const(size, U32)
    for key, value in (launch or {}).items():
        number = value.value if isinstance(value, Const) else value
        if isinstance(number, int):
            known[SHARED if key == "shared_bytes" else key] = const(number, U32)
    types = {n.name: n.dtype for n in walk(function.body) if isinstance(n, Var) and n.name in known}
    body = substitute(function.body, {name: cast(known[name], dtype) for name, dtype in types.items()})
    params = tuple(p for p in function.params if p.name not in known)
    assert isinstance(body, Block)
    return replace(function, body=body, params=params)


def _with_named_bounds(function: Function) -> tuple[Function, dict[Var, Expr]]:
    """What a launch covers of an extent, `min(M, gridDim.y * 16)`, under a name: it bounds many loops.

    Also returns what the names stand for.
    """
    changed = assigned_vars(function.body)
    fixed = {p.name for p in function.params if not p.is_pointer} | set(DIMENSIONS)
    used = {n.name for n in walk(function.body) if isinstance(n, (Var, Decl))} | fixed
    names: dict[Expr, Var] = {}
    for loop in walk(function.body):
        if not isinstance(loop, For):
            continue
        for node in walk(loop.stop):
            if not isinstance(node, Call) or node.function not in ("min", "max") or node in names:
                continue
            variables = [n.name for n in walk(node) if isinstance(n, Var)]
            own = [v for v in variables if v not in DIMENSIONS]
            reads = any(isinstance(n, Load) for n in walk(node))
            if own and not reads and fixed >= set(variables) and not changed & set(variables):
                wish = name = f"{own[0]}_covered"
                count = 1
                while name in used:
                    name, count = f"{wish}_{count}", count + 1
                used.add(name)
                names[node] = Var(node.dtype, name)
    body = map_expr(function.body, lambda e: names.get(e, e)) if names else function.body
    assert isinstance(body, Block)
    return replace(function, body=body), {v: e for e, v in names.items()}


def _print_dimensions(printer: CPrinter, launch: Mapping[str, Expr | int] | None, used: set[str]) -> None:
    """Launch dimensions as plain numbers: of the parameters, or as the launch gives them."""
    for dimension in DIMENSIONS:
        if dimension not in used:
            continue
        name = printer.name(dimension)
        if launch is None:
            text = dimension
        else:
            value = launch.get(dimension, 1)
            text = printer.expr(value) if isinstance(value, Expr) else str(value)
        printer.line(f"const int {name} = {text};")
    if SHARED in used and launch is not None:
        shared = launch.get("shared_bytes", 0)
        text = printer.expr(shared) if isinstance(shared, Expr) else str(shared)
        printer.line(f"const size_t {printer.name(SHARED)} = {text};")


def _wrapped(head: str) -> list[str]:
    """A long signature on several lines."""
    if len(head) <= 110:
        return [head]
    opened = head.index("(") + 1
    lines = [head[:opened]]
    for piece in head[opened:].split(", "):
        if len(lines) > 1 and len(lines[-1]) + len(piece) < 100:
            lines[-1] += f", {piece}"
        else:
            if len(lines) > 1:
                lines[-1] += ","
            lines.append(f"    {piece}")
    return lines
