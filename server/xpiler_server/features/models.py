"""The language model of the settings: which there are, and whether it answers."""

from __future__ import annotations

from typing import Any

from xpiler_server import protocol
from xpiler_server.features.tools import short_work
from xpiler_server.server import XpilerServer


async def listed(ls: XpilerServer, params: protocol.ModelParams) -> dict[str, Any]:
    """The models of the endpoint. Raises Failed."""
    return await short_work("models", {"model": _stated(ls, params)})


async def tried(ls: XpilerServer, params: protocol.ModelParams) -> dict[str, Any]:
    """Whether the model answers, in words. Raises Failed."""
    return await short_work("try model", {"model": _stated(ls, params)})


def _stated(ls: XpilerServer, params: protocol.ModelParams) -> dict[str, str]:
    """The model of the settings, but for what a client asks about."""
    settings = ls.settings
    return {
        "name": settings.model_name if params.name is None else params.name,
        "baseUrl": settings.model_base_url if params.base_url is None else params.base_url,
        "budget": settings.model_budget,
        "prices": settings.model_prices,
    }
