"""stub"""

from xpiler.frontend.lower_context import Context
from xpiler.frontend.lower_values import Value


def copy_fragment(ctx: Context, target: Value, source: Value) -> None:
    raise NotImplementedError
