"""The words of the command line that name a model."""

from __future__ import annotations

import argparse
import json

from rich.console import Console

from xpiler.neural.client import Client, ModelError
from xpiler.neural.settings import KEY_VARIABLES, MODEL_VARIABLE, URL_VARIABLE, Model, model_from


def add_model_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "a language model",
        "Each pass is sketched by the model; what does not hold is repaired, asked for again, or done by the "
        f"engine. The key is read from {' or '.join(KEY_VARIABLES)}, or the keyring.",
    )
    group.add_argument("--model", metavar="NAME", help=f"the model's name (or {MODEL_VARIABLE})")
    group.add_argument("--base-url", metavar="URL", help=f"an OpenAI-compatible endpoint (or {URL_VARIABLE})")
    group.add_argument("--budget", metavar="B", help="what it may use: 200k tokens, 5m, $2")
    group.add_argument("--prices", metavar="IN,OUT", help="dollars for a million tokens sent and received")
    group.add_argument("--no-model", action="store_true", help="no model, whatever the environment names")


def chosen_model(arguments: argparse.Namespace) -> Model | None:
    """The model that was asked for; None without one. Raises Refusal."""
    if arguments.no_model:
        return None
    return model_from(arguments.model, arguments.base_url, arguments.budget, arguments.prices)


def add_models(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `models` to the command line."""
    models = commands.add_parser(
        "models",
        help="list the models of an endpoint: a test of the connection",
        description="Ask an OpenAI-compatible endpoint for its models. Exit 0: it answered; 1: it did not.",
    )
    models.add_argument("--base-url", metavar="URL", help=f"the endpoint (or {URL_VARIABLE})")
    models.add_argument("--json", action="store_true", help="print the names as JSON")
    models.set_defaults(run=run_models)


def run_models(arguments: argparse.Namespace, console: Console) -> int:
    model = model_from("any", arguments.base_url)
    assert model is not None
    client = Client(model)
    try:
        names = client.models()
    except ModelError as error:
        if arguments.json:
            print(json.dumps({"base_url": model.base_url, "error": str(error)}))
        else:
            console.print(f"{model.base_url}: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    finally:
        client.close()
    print(json.dumps({"base_url": model.base_url, "models": names}) if arguments.json else "\n".join(names))
    return 0
