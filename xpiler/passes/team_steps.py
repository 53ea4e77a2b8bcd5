"""What the threads of a block do between two barriers, in the form that lanes of a vector want.

What a thread alone uses is a variable (`private_elements.py`), what all threads have alike is computed once
(`uniform_elements.py`), copies for the sake of an exchange go (`copied_arrays.py`), each thread's elements
lie in the order of the tile (`lane_order.py`), what brings the edges of a tile is apart (`edge_threads.py`),
products among other steps get nests of their own (`product_nests.py`), sums end with what a tile holds
(`filled_tiles.py`), and what nobody reads is not computed (`unread_elements.py`).
"""

from __future__ import annotations

from xpiler.ir.nodes import Function
from xpiler.passes.copied_arrays import drop_copies
from xpiler.passes.edge_threads import edges_apart
from xpiler.passes.filled_tiles import stop_at_fillings
from xpiler.passes.guards import fold_guards
from xpiler.passes.index_fusion import fuse_indices
from xpiler.passes.lane_order import order_lanes
from xpiler.passes.private_elements import scalars_of_elements
from xpiler.passes.product_nests import split_products
from xpiler.passes.tidy import tidy
from xpiler.passes.uniform_elements import collapse_uniform
from xpiler.passes.unread_elements import skip_unread


def shape_steps(function: Function) -> Function:
    """The function with these steps; itself where none applies."""
    kept = scalars_of_elements(function)
    shaped = edges_apart(order_lanes(drop_copies(collapse_uniform(kept))))
    if shaped is not function:
        shaped = tidy(fold_guards(fuse_indices(shaped)))
    return skip_unread(stop_at_fillings(split_products(shaped)))
