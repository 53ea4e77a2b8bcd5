"""Asks an OpenAI-compatible endpoint for a sketch: streamed, bounded, cancellable, each question once.

A reply is kept under the hash of its question, so that the same translation again makes no request. Whatever
goes wrong becomes `ModelError`, which says what to do; the translation goes on without the sketch.
"""

from __future__ import annotations

import contextlib
import json
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from xpiler.gate import cache
from xpiler.neural.settings import Model

if TYPE_CHECKING:
    import openai

Message = Mapping[str, str]
_POLL = 0.05  # seconds between looks at the request for cancelling
_LONGEST_WAIT = 30.0
_LARGEST_REPLY = 400_000  # characters


class ModelError(Exception):
    """No reply: the reason in words, without any part of a key."""


class Cancelled(Exception):
    """The user wants no more."""


@dataclass(frozen=True)
class Reply:
    """What a model wrote, and the tokens that it took; `cached`: nothing was asked for."""

    text: str
    sent: int
    received: int
    cached: bool = False


@dataclass
class Spent:
    """What a translation has used up so far."""

    tokens: int = 0
    requests: int = 0
    dollars: float = 0.0
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


class Client:
    """One translation's line to a model: counts what it spends and stops at the budget."""

    def __init__(self, model: Model, cancelled: Callable[[], bool] = lambda: False) -> None:
        self.model = model
        self.spent = Spent()
        self._cancelled = cancelled
        from openai import OpenAI  # takes as long to load as all the rest, and most runs ask no model

        self._openai = OpenAI(
            api_key=model.key or "none", base_url=model.base_url, timeout=model.timeout, max_retries=0
        )

    def close(self) -> None:
        self._openai.close()

    def models(self) -> list[str]:
        """The names that the endpoint offers. Raises ModelError."""
        try:
            return cast("list[str]", self._guarded(lambda: sorted(m.id for m in self._openai.models.list())))
        except _Again as again:
            raise ModelError(again.why) from None

    def ask(self, messages: Iterable[Message]) -> Reply:
        """The reply to a conversation. Raises ModelError, also where the budget is used up, or Cancelled."""
        asked = [dict(message) for message in messages]
        self._stop_if_cancelled()
        name = cache.key(self.model.base_url, self.model.name, str(self.model.temperature), json.dumps(asked))
        known = _kept(name)
        if known:
            return known
        reply = self._with_retries(asked)
        _keep(name, reply)
        return reply

    def probe(self) -> None:
        """Asks for one word, whatever was asked before. Raises ModelError where no answer comes."""
        self._with_retries([{"role": "user", "content": "Answer with the word: ready"}])

    def exhausted(self) -> str:
        """Which limit is reached, in words; "" if none is."""
        budget, spent = self.model.budget, self.spent
        if spent.tokens >= budget.tokens:
            return f"{spent.tokens} of {budget.tokens} tokens are used"
        if spent.requests >= budget.requests:
            return f"{spent.requests} requests were made"
        if spent.seconds >= budget.seconds:
            return f"{spent.seconds:.0f} s have passed"
        if budget.dollars and spent.dollars >= budget.dollars:
            return f"${spent.dollars:.2f} of ${budget.dollars:.2f} are spent"
        return ""

    # ------------------------------------------------------------------------------------------ one question

    def _with_retries(self, messages: list[dict[str, str]]) -> Reply:
        for attempt in range(self.model.retries + 1):
            limit = self.exhausted()
            if limit:
                raise ModelError(f"the budget is used up: {limit}")
            self.spent.requests += 1
            try:
                return cast("Reply", self._guarded(lambda: self._stream(messages)))
            except _Again as again:
                if attempt == self.model.retries:
                    raise ModelError(again.why) from None
                backoff = (
                    again.after if again.after is not None else 0.5 * 2**attempt * random.uniform(0.8, 1.2)
                )
                self._sleep(min(backoff, _LONGEST_WAIT))
        raise AssertionError("the last attempt returns or raises")

    def _stream(self, messages: list[dict[str, str]]) -> Reply:
        pieces: list[str] = []
        sent = received = size = 0
        finished = ""
        stream = self._openai.chat.completions.create(
            model=self.model.name,
            messages=cast(Any, messages),
            temperature=self.model.temperature,
            max_tokens=self.model.reply_tokens,
            stream=True,
        )
        with stream:
            for chunk in stream:
                usage = getattr(chunk, "usage", None)
                if usage:
                    sent, received = usage.prompt_tokens, usage.completion_tokens
                for choice in chunk.choices or ():
                    piece = getattr(choice.delta, "content", None) or ""
                    pieces.append(piece)
                    size += len(piece)
                    finished = choice.finish_reason or finished
                if size > _LARGEST_REPLY:
                    raise ModelError("the reply is longer than any kernel")
                if self.spent.seconds > self.model.budget.seconds:
                    raise ModelError("the budget is used up while the reply was coming")
        text = "".join(pieces)
        sent = sent or sum(len(m["content"]) for m in messages) // 4
        received = received or len(text) // 4
        self.spent.tokens += sent + received
        self.spent.dollars += self.model.cost(sent, received)
        if finished == "length":
            raise ModelError(f"the reply was cut off after {received} tokens")
        if not finished:
            raise _Again("the reply broke off")
        if finished == "content_filter":
            raise ModelError("the endpoint withheld the reply")
        return Reply(text, sent, received)

    def _guarded(self, work: Callable[[], object]) -> object:
        """`work` in a thread, so that cancelling is answered at once whatever the network does."""
        done: queue.Queue[tuple[object, BaseException | None]] = queue.Queue()

        def run() -> None:
            try:
                done.put((work(), None))
            except BaseException as error:
                done.put((None, error))

        threading.Thread(target=run, daemon=True, name="model request").start()
        while True:
            self._stop_if_cancelled()
            if self.spent.seconds > self.model.budget.seconds + self.model.timeout:
                raise ModelError("the endpoint does not answer")
            with contextlib.suppress(queue.Empty):
                value, error = done.get(timeout=_POLL)
                if error is None:
                    return value
                raise _explained(error, self.model) from None

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._stop_if_cancelled()
            time.sleep(min(_POLL, max(0.0, end - time.monotonic())))

    def _stop_if_cancelled(self) -> None:
        if self._cancelled():
            self._openai.close()
            raise Cancelled


class _Again(Exception):
    """A failure that may pass. `after`: seconds that the endpoint asks to wait."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.why, self.after = why, after


def _explained(error: BaseException, model: Model) -> BaseException:
    """What the user is told of a failure, or that it is worth another try."""
    import openai

    if isinstance(error, ModelError | _Again | Cancelled):
        return error
    if isinstance(error, openai.APITimeoutError):
        return _Again(f"no answer from {model.base_url} within {model.timeout:.0f} s")
    if isinstance(error, openai.APIConnectionError):
        return _Again(f"{model.base_url} cannot be reached: check --base-url and that the server runs")
    if isinstance(error, openai.RateLimitError):
        return _Again("the endpoint asks to slow down", _retry_after(error))
    if isinstance(error, openai.InternalServerError):
        return _Again(f"the endpoint failed ({error.status_code})", _retry_after(error))
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return ModelError("the endpoint refuses the key: set XPILER_API_KEY")
    if isinstance(error, openai.NotFoundError):
        return ModelError(f"the endpoint has no model {model.name}, or --base-url lacks /v1")
    if isinstance(error, openai.APIStatusError):
        return ModelError(f"the endpoint refuses the request ({error.status_code})")
    # A reply that is no event stream, or no JSON: what exactly was wrong is the endpoint's affair.
    return _Again(f"the reply cannot be read ({type(error).__name__})")


def _retry_after(error: openai.APIStatusError) -> float | None:
    try:
        return float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return None


# ------------------------------------------------------------------------------------------------- the cache


def _keep(name: str, reply: Reply) -> None:
    def write(path: Path) -> bool:
        path.write_text(json.dumps({"text": reply.text, "sent": reply.sent, "received": reply.received}))
        return True

    cache.fetch("replies", name, write)


def _kept(name: str) -> Reply | None:
    path = cache.fetch("replies", name, lambda _: False)
    if path is None:
        return None
    try:
        known = json.loads(path.read_text())
        return Reply(str(known["text"]), 0, 0, cached=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None
