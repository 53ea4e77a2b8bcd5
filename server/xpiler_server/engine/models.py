"""A language model's part in a task of a worker. The key comes from the environment, and goes nowhere
else."""

from __future__ import annotations

import os
from typing import Any

from xpiler.errors import Refusal
from xpiler.gate.overrides import Overrides
from xpiler.neural.client import Cancelled as Stopped
from xpiler.neural.client import Client, ModelError
from xpiler.neural.loop import translate_with_model
from xpiler.neural.settings import MODEL_VARIABLE, Model, model_from
from xpiler.translate import Result
from xpiler_server.engine.asking import Ask, Cancelled


def model_of(given: dict[str, Any]) -> Model | None:
    """The model that the settings name, or else the environment; None without one, or where none is to be
    asked. Raises Refusal for nonsense."""
    stated = given.get("model")
    if stated is None or not (name := stated["name"] or os.environ.get(MODEL_VARIABLE)):
        return None
    return model_from(name, stated["baseUrl"], stated["budget"], stated["prices"])


def sketched(ask: Ask, model: Model, stated: Overrides) -> Result:
    """The translation with sketches of a model; what happens to each is told as an event."""
    given = ask.given
    try:
        translation = translate_with_model(
            given["text"],
            given["file"],
            given["to"],
            model,
            stated,
            progress=ask.progress,
            on_event=lambda event: ask.tell(event.to_json()),
            cancelled=ask.cancelled,
        )
    except Stopped:
        raise Cancelled from None
    return translation.result


def listed(ask: Ask) -> dict[str, Any]:
    """The names that the endpoint offers, or why there are none."""
    try:
        model = model_of({"model": {**ask.given["model"], "name": "any"}})
    except Refusal as refusal:
        return {"baseUrl": "", "models": [], "error": str(refusal.diagnostic)}
    assert model is not None
    client = Client(model, ask.cancelled)
    try:
        return {"baseUrl": model.base_url, "models": client.models(), "error": ""}
    except ModelError as error:
        return {"baseUrl": model.base_url, "models": [], "error": str(error)}
    finally:
        client.close()


def tried(ask: Ask) -> dict[str, Any]:
    """Whether the model answers a question of one word."""
    try:
        model = model_of(ask.given)
    except Refusal as refusal:
        return {"ok": False, "message": str(refusal.diagnostic)}
    if model is None:
        return {"ok": False, "message": "no model is named"}
    client = Client(model, ask.cancelled)
    try:
        client.probe()
    except ModelError as error:
        return {"ok": False, "message": str(error)}
    finally:
        client.close()
    took = f"{client.spent.seconds:.1f} s, {client.spent.tokens} tokens"
    return {"ok": True, "message": f"{model.name} at {model.base_url} answered: {took}"}
