"""The bits of a half, where a program for the host defines the type itself.

struct half { uint16_t bits; };   h.bits   -->   the bits of the number `h`

`half` and its like are numbers by their names in every program. One that no header of a platform defines them
for has a struct of one number of 16 bits, and functions that convert it.
"""

from __future__ import annotations

from xpiler.frontend.lower_context import Context, number
from xpiler.frontend.lower_memory import load
from xpiler.frontend.lower_typenames import type_of
from xpiler.frontend.lower_types import Scalar, named_type
from xpiler.frontend.lower_values import Value
from xpiler.ir import build
from xpiler.ir.types import BF16, F16


def bits_of_half(ctx: Context, value: Value, name: str) -> Value | None:
    """The member `name` of such a struct; None for anything else."""
    half = value.type
    if not isinstance(half, Scalar) or half.dtype not in (F16, BF16):
        return None
    for known, structs in ctx.entities.structs.items():
        if named_type(known) != Scalar(half.dtype) or len(structs) != 1 or len(structs[0].fields) != 1:
            continue
        (field,) = structs[0].fields
        if field.name != name or field.type_node is None:
            continue
        ctype = type_of(ctx, field.type_node)
        if isinstance(ctype, Scalar) and ctype.dtype.is_integer and ctype.dtype.bits == 16:
            return number(build.bitcast(load(ctx, value), ctype.dtype))
    return None
