"""Local arrays of numbers that nothing writes become tables of the program, which all threads share.

    float w[3] = {0.25f, 0.5f, 0.25f};              -->   __constant__ float k_w[3] = {0.25f, 0.5f, 0.25f};
    for i: y[i] = w[0] * x[i] + w[1] * x[i + 1]           for i: y[i] = k_w[0] * x[i] + k_w[1] * x[i + 1]

Applies to arrays of a known size all of whose initial elements are numbers. A plain function's own tables
of file scope are among the result: on a device they have to be declared anew.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.errors import Refusal
from xpiler.ir.nodes import Block, Const, Decl, Function, Space
from xpiler.ir.rewrite import map_stmt, uses, walk_stmts
from xpiler.ir.types import BF16, F16


def with_constant_tables(function: Function) -> tuple[Function, tuple[Decl, ...]]:
    """The function with its tables among its `globals`, and the tables that no text declares yet.

    Raises `Refusal` for a table of file scope whose elements are no numbers, and for variables.
    """
    file_scope = function.globals if function.is_serial else ()
    for decl in file_scope:
        if decl.space is not Space.CONSTANT:
            raise Refusal(
                "device-variable",
                f"functions of the file may write `{decl.name}`, a variable of the whole program",
                decl.range or function.range,
                "pass the function a pointer to it, or make it const",
            )
        if not _is_table(decl):
            raise Refusal(
                "table-value",
                f"the elements of `{decl.name}` are computed when the program starts",
                decl.range or function.range,
                "write them as numbers, or pass the function a pointer to them",
            )
    written = uses(function.body).arrays_written
    local = [
        decl
        for decl in walk_stmts(function.body)
        if isinstance(decl, Decl)
        and decl.space is Space.LOCAL
        and decl.shape
        and decl.name not in written
        and _is_table(decl)
    ]
    if not local:
        return function, file_scope
    names = {decl.name for decl in local}
    body = map_stmt(function.body, lambda s: () if isinstance(s, Decl) and s.name in names and s.shape else s)
    assert isinstance(body, Block)
    tables = tuple(replace(decl, space=Space.CONSTANT) for decl in local)
    return replace(function, body=body, globals=(*function.globals, *tables)), (*file_scope, *tables)


def _is_table(decl: Decl) -> bool:
    values = decl.init if isinstance(decl.init, tuple) else (decl.init,)
    return (
        decl.dtype not in (F16, BF16)  # whose constants CUDA computes when the program starts
        and all(isinstance(extent, Const) for extent in decl.shape)
        and all(isinstance(value, Const) for value in values)
    )
