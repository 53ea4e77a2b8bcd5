"""Lengths of arrays that the contents of others tell, in host code of a wrapper.

const int64_t row_largest = largest_index(row, n);          table: (row_largest + 1) * d elements
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from xpiler.backend.c_expressions import CExpressions
from xpiler.ir.largest_index import arrays_asked, largest_of
from xpiler.ir.nodes import Expr

LARGEST_INDEX = """\
template <class T>
static int64_t largest_index(const T *indices, int64_t count) {
    int64_t largest = -1;
    for (int64_t i = 0; i < count; ++i) largest = std::max(largest, (int64_t)indices[i]);
    return largest;
}"""


def largest_lines(
    lengths: Iterable[Expr], counts: Mapping[str, Expr], arrays: Mapping[str, str], printer: CExpressions
) -> Iterator[str]:
    """The statements that compute the largest elements that `lengths` depend on, each after those that its
    own array's count depends on. `arrays`: the host's arrays by parameter. Names the values in `printer`."""
    for length in lengths:
        for array in arrays_asked(length):
            value = largest_of(array)
            if value.name in printer.names:
                continue
            yield from largest_lines([counts[array]], counts, arrays, printer)
            name = printer.fresh(f"{arrays[array]}_largest")
            count = printer.expr(counts[array])
            printer.names[value.name] = name
            yield f"const int64_t {name} = largest_index({arrays[array]}, {count});"
