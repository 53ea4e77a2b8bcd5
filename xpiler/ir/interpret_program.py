"""A function as closures, made once for many runs.

A proof runs the same function on many data: at several sizes, on symbols and on residues. To make its
closures takes longer than most of these runs, so they are kept, the last ones used, and lent to one run at a
time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from xpiler.ir.flags import flags
from xpiler.ir.interpret_declare import Arrays, orders_blocks
from xpiler.ir.interpret_expressions import Context
from xpiler.ir.interpret_native import Family, Native
from xpiler.ir.interpret_state import Run
from xpiler.ir.interpret_statements import Statements
from xpiler.ir.nodes import Function
from xpiler.ir.retries import retried

_MOST = 32  # programs that are kept


@dataclass(frozen=True, eq=False)
class Compiled:
    """`function` for the numbers of `numeric`, which the closures ask."""

    function: Function
    numeric: Native
    arrays: Arrays
    statements: Statements
    body: Run


_kept: OrderedDict[tuple[int, Family], Compiled] = (
    OrderedDict()
)  # by identity: findings name places of its own
_lock = Lock()


@contextmanager
def compiled(function: Function, numeric: Native) -> Iterator[Compiled]:
    """The closures of a function, for one run; what `numeric` knows of its numbers is used, and grows."""
    family = numeric.family
    if family is None:
        yield _compile(function, numeric)
        return
    key = id(function), family
    with _lock:
        program = _kept.pop(key, None)
    if program is None:
        program = _compile(function, numeric)
    else:
        program.numeric.know(numeric)
    try:
        yield program
    finally:
        with _lock:
            _kept[key] = program
            while len(_kept) > _MOST:
                _kept.popitem(last=False)


def _compile(function: Function, numeric: Native) -> Compiled:
    arrays = Arrays.of(function, numeric)
    context = Context(numeric, orders_blocks(function), flags(function), retried(function))
    statements = Statements(context, arrays)
    return Compiled(function, numeric, arrays, statements, statements.compile(function.body))
