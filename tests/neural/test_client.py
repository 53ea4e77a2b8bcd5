"""The client over a real socket: what an endpoint may do, and what comes of it."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from xpiler.bench.stand_in import Answer, StandIn
from xpiler.errors import Refusal
from xpiler.neural.client import Cancelled, Client, ModelError
from xpiler.neural.settings import Budget, Model, api_key, model_from, parse_budget

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPILER_CACHE", str(tmp_path / "cache"))


def script(*answers: Answer) -> StandIn:
    """A server that gives these answers in turn, and the last one for ever."""
    left: Iterator[Answer] = iter(answers)
    return StandIn(lambda messages: next(left, answers[-1]))


def client(server: StandIn, **settings: object) -> Client:
    values = {"timeout": 30.0, "key": "sk-secret", **settings}
    return Client(Model("stand-in", server.base_url, **values))  # type: ignore[arg-type]


def test_a_reply_is_read_from_its_stream_and_counted() -> None:
    with script(Answer("x" * 1000)) as server:
        asking = client(server)
        assert asking.ask(HELLO).text == "x" * 1000
        assert asking.spent.requests == 1
        assert asking.spent.tokens > 200


def test_the_same_question_is_asked_once() -> None:
    with script(Answer("first"), Answer("second")) as server:
        assert client(server).ask(HELLO).text == "first"
        again = client(server).ask(HELLO)
        assert (again.text, again.cached, len(server.asked)) == ("first", True, 1)


def test_slow_down_is_obeyed_and_tried_again() -> None:
    limited = Answer(status=429, headers=(("Retry-After", "0.3"),))
    with script(limited, Answer("fine")) as server:
        start = time.monotonic()
        assert client(server).ask(HELLO).text == "fine"
        assert time.monotonic() - start >= 0.3
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    "bad",
    [
        Answer(status=500),
        Answer("half a reply" * 200, broken=True),
        Answer(raw=b"data: {not json\n\n"),
        Answer(raw=b"<html>gateway</html>"),
        Answer(raw=b""),
    ],
    ids=["500", "broken stream", "no json", "html", "nothing"],
)
def test_a_failure_that_may_pass_is_tried_again(bad: Answer) -> None:
    with script(bad, Answer("fine")) as server:
        assert client(server).ask(HELLO).text == "fine"


def test_retries_are_bounded() -> None:
    with script(Answer(status=503, headers=(("Retry-After", "0"),))) as server:
        with pytest.raises(ModelError, match=r"failed \(503\)"):
            client(server, retries=2).ask(HELLO)
        assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(status=401, text="sk-secret is wrong"), "refuses the key"),
        (Answer(status=404), "no model stand-in"),
        (Answer(status=400), r"refuses the request \(400\)"),
        (Answer("cut", finish="length"), "cut off"),
        (Answer("", finish="content_filter"), "withheld"),
    ],
)
def test_a_failure_that_stays_is_told_at_once(answer: Answer, told: str) -> None:
    with script(answer) as server:
        with pytest.raises(ModelError, match=told) as raised:
            client(server).ask(HELLO)
        assert len(server.asked) == 1
        assert "sk-secret" not in str(raised.value)


def test_a_silent_endpoint_is_given_up() -> None:
    with script(Answer("late", pause=30)) as server, pytest.raises(ModelError, match="no answer"):
        client(server, timeout=0.3, retries=0).ask(HELLO)


def test_an_endpoint_that_is_not_there_is_named() -> None:
    with script(Answer()) as server:
        url = server.base_url
    gone = Client(Model("m", url, retries=0))
    with pytest.raises(ModelError, match="cannot be reached"):
        gone.ask(HELLO)


def test_who_cancels_does_not_wait_for_the_answer() -> None:
    stop = threading.Event()
    with script(Answer("late", pause=60)) as server:
        asking = Client(Model("m", server.base_url, timeout=90), stop.is_set)
        threading.Timer(0.3, stop.set).start()
        start = time.monotonic()
        with pytest.raises(Cancelled):
            asking.ask(HELLO)
        assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (Budget(tokens=100), "tokens are used"),
        (Budget(requests=1), "1 requests"),
        (Budget(dollars=1e-9), "spent"),
    ],
)
def test_the_budget_ends_the_asking(budget: Budget, told: str) -> None:
    with script(Answer("x" * 2000)) as server:
        asking = client(server, budget=budget, prices=(1.0, 1.0))
        asking.ask(HELLO)
        with pytest.raises(ModelError, match=told):
            asking.ask([{"role": "user", "content": "another"}])
        assert len(server.asked) == 1


def test_the_models_of_an_endpoint_are_listed() -> None:
    with StandIn(lambda messages: Answer(), models=("b", "a")) as server:
        assert client(server).models() == ["a", "b"]


def test_the_key_goes_out_in_the_header_and_nowhere_else() -> None:
    with script(Answer("fine")) as server:
        asking = client(server)
        asking.ask(HELLO)
        assert server.keys == ["Bearer sk-secret"]
        assert "sk-secret" not in repr(asking.model)
        kept = [file.read_text() for file in Path(os.environ["XPILER_CACHE"]).rglob("*") if file.is_file()]
        assert kept and not any("sk-secret" in text for text in kept)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "general")
    assert api_key() == "general"
    monkeypatch.setenv("XPILER_API_KEY", "own")
    assert api_key() == "own"


def test_no_model_is_configured_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XPILER_MODEL", raising=False)
    assert model_from(None, None) is None
    with pytest.raises(Refusal, match="need a model"):
        model_from(None, "http://localhost:8000/v1")


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://x/v1", "http://user:key@host/v1", "http://h/v1?key=s"]
)
def test_an_address_that_is_none_or_carries_a_key_is_refused(url: str) -> None:
    with pytest.raises(Refusal):
        model_from("m", url)


def test_budgets_are_tokens_time_or_dollars() -> None:
    assert parse_budget("200k,5m,$2") == Budget(tokens=200_000, seconds=300.0, dollars=2.0)
    for nonsense in ("a lot", "-5m", "0", "$"):
        with pytest.raises(Refusal, match="is no budget"):
            parse_budget(nonsense)
