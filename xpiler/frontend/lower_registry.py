"""Where functions that CUDA and the language define are registered: by name, or by kind of object and
method."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xpiler.frontend.lower_builtins import Invocation
    from xpiler.frontend.lower_values import Value

BuiltinHandler = Callable[["Invocation"], "Value"]
BUILTINS: dict[str, BuiltinHandler] = {}
METHODS: dict[tuple[str, str], BuiltinHandler] = {}


def builtin(*names: str) -> Callable[[BuiltinHandler], BuiltinHandler]:
    """Registers the handler of functions."""

    def register(handler: BuiltinHandler) -> BuiltinHandler:
        BUILTINS.update(dict.fromkeys(names, handler))
        return handler

    return register


def method(kind: str, *names: str) -> Callable[[BuiltinHandler], BuiltinHandler]:
    """Registers the handler of methods of built-in types (`group`, `fragment`)."""

    def register(handler: BuiltinHandler) -> BuiltinHandler:
        METHODS.update({(kind, name): handler for name in names})
        return handler

    return register


# Modules whose functions only the threads of a grid have.
_OF_THREADS = frozenset(
    f"xpiler.frontend.lower_{name}"
    for name in ("simt", "amd", "dpp", "groups", "libcu", "wmma", "async_copies")
)


def is_of_threads(name: str) -> bool:
    """Whether a function has no meaning where no threads of a block run it."""
    return BUILTINS[name].__module__ in _OF_THREADS
