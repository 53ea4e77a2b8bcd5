"""A plain function, which runs once, in the form that loop recovery gives kernels.

if (n <= 0) return;  A;  { float v = a; } { float v = b; }   -->   if (!(n <= 0)) { A;  ... v ... v_1 ... }
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.nodes import Block, Function
from xpiler.passes.casts import push_casts
from xpiler.passes.names import Names
from xpiler.passes.structured import without_returns
from xpiler.passes.unique import with_unique_names


def serial_form(function: Function) -> Function:
    """Without early exits, integer conversions at the leaves, every declaration under a name of its own."""
    names = Names(function)
    body = push_casts(without_returns(function.body, names))
    assert isinstance(body, Block)
    return replace(function, body=with_unique_names(body, names))
