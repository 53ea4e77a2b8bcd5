"""Which model is asked, where, and how much it may cost.

The key comes from the environment (`XPILER_API_KEY`, else `OPENAI_API_KEY`) or from the system's keyring, and
from nowhere else: no file, no command line. It is not part of any text that is shown.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from xpiler.errors import Refusal

KEY_VARIABLES = ("XPILER_API_KEY", "OPENAI_API_KEY")
MODEL_VARIABLE, URL_VARIABLE = "XPILER_MODEL", "XPILER_BASE_URL"
DEFAULT_URL = "https://api.openai.com/v1"


@dataclass(frozen=True)
class Budget:
    """What one translation may use. `dollars` counts only where prices are stated; 0 means no limit."""

    tokens: int = 400_000
    requests: int = 60
    seconds: float = 600.0
    dollars: float = 0.0


@dataclass(frozen=True)
class Model:
    """A model behind an OpenAI-compatible endpoint.

    `timeout`: seconds without a byte before a request is given up; `reply_tokens`: the longest reply asked
    for; `prices`: dollars for a million tokens sent and received; `rounds`: rounds of feedback.
    """

    name: str
    base_url: str = DEFAULT_URL
    key: str = field(default="", repr=False)
    timeout: float = 60.0
    retries: int = 3
    reply_tokens: int = 16_384
    temperature: float = 0.2
    prices: tuple[float, float] = (0.0, 0.0)
    rounds: int = 2
    budget: Budget = Budget()

    def cost(self, sent: int, received: int) -> float:
        """Dollars for so many tokens."""
        return (sent * self.prices[0] + received * self.prices[1]) / 1e6


def model_from(
    name: str | None, base_url: str | None, budget: str | None = None, prices: str | None = None
) -> Model | None:
    """The model that flags or the environment name; None if neither does. Raises Refusal for nonsense."""
    name = name or os.environ.get(MODEL_VARIABLE)
    if not name:
        if base_url or budget:
            raise Refusal(
                "model", "--base-url and --budget need a model", remedy=f"--model NAME, or {MODEL_VARIABLE}"
            )
        return None
    url = endpoint(base_url or os.environ.get(URL_VARIABLE) or DEFAULT_URL)
    return Model(name, url, api_key(), budget=parse_budget(budget), prices=parse_prices(prices))


def endpoint(url: str) -> str:
    """The address without a slash at its end. Raises Refusal for what is none, or carries a key."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refusal(
            "model-url", f"{url} is no http(s) address", remedy="--base-url http://localhost:8000/v1"
        )
    if parts.username or parts.password or parts.query:
        raise Refusal("model-url", "the address must not carry a key", remedy=f"set {KEY_VARIABLES[0]}")
    return url.rstrip("/")


def api_key() -> str:
    """The key, or "" where there is none: local servers need none."""
    for variable in KEY_VARIABLES:
        if os.environ.get(variable):
            return os.environ[variable]
    try:
        keyring: Any = importlib.import_module("keyring")
        return str(keyring.get_password("xpiler", "api-key") or "")
    except Exception:  # no keyring installed, or none that answers: there is no key then
        return ""


def parse_budget(text: str | None) -> Budget:
    """`200k`, `5m`, `$2`, or several with commas: tokens, time, dollars. Raises Refusal for anything else."""
    found: dict[str, Any] = {}
    for part in filter(None, (p.strip().lower() for p in (text or "").split(","))):
        try:
            if part.startswith("$"):
                found["dollars"] = float(part[1:])
            elif part.endswith(("s", "m", "h")):
                found["seconds"] = float(part[:-1]) * {"s": 1, "m": 60, "h": 3600}[part[-1]]
            elif part.endswith("k"):
                found["tokens"] = int(float(part[:-1]) * 1000)
            else:
                found["tokens"] = int(part)
        except ValueError:
            found["bad"] = -1
        if min(found.values()) <= 0:
            remedy = "tokens (200k), time (5m) or dollars ($2), with commas between"
            raise Refusal("model-budget", f"{part} is no budget", remedy=remedy)
    return Budget(**found)


def parse_prices(text: str | None) -> tuple[float, float]:
    """`2.5,10`: dollars for a million tokens sent and received; nothing: none are known. Raises Refusal."""
    if not text:
        return 0.0, 0.0
    try:
        sent, received = (float(part) for part in text.split(","))
    except ValueError:
        raise Refusal(
            "model-prices", f"{text} is no pair of prices", remedy="--prices 2.5,10: dollars a million tokens"
        ) from None
    return sent, received
