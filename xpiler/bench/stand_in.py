"""A stand-in for a model: an OpenAI-compatible server on a real socket that answers as it is told to.

The client speaks to it as to any endpoint. It answers well, or as endpoints do on bad days: status codes,
waits, streams that break off, replies that are none.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Messages = list[dict[str, str]]
_PIECE = 400  # characters of a streamed chunk


@dataclass(frozen=True)
class Answer:
    """What one request gets. `pause`: seconds of silence before anything is sent; `broken`: the stream ends
    in the middle; `finish`: the reason that the endpoint gives; `raw`: bytes in place of a stream."""

    text: str = ""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    pause: float = 0.0
    broken: bool = False
    finish: str = "stop"
    raw: bytes | None = None


@dataclass
class StandIn:
    """The server, while its `with` block lasts. `asked` are the conversations it got, in order."""

    answer: Callable[[Messages], Answer]
    models: Sequence[str] = ("stand-in",)
    asked: list[Messages] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def __enter__(self) -> StandIn:
        self._stopping = threading.Event()
        owner = self

        class Handler(_Handler):
            stand_in = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def wait(self, seconds: float) -> None:
        """A pause that the end of the server ends, too."""
        self._stopping.wait(seconds)


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        listed = [
            {"id": name, "object": "model", "created": 0, "owned_by": "x"} for name in self.stand_in.models
        ]
        self._send(200, "application/json", json.dumps({"object": "list", "data": listed}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.stand_in.asked.append(body["messages"])
        self.stand_in.keys.append(self.headers.get("Authorization", ""))
        answer = self.stand_in.answer(body["messages"])
        self.stand_in.wait(answer.pause)
        try:
            if answer.raw is not None:
                self._send(answer.status, "text/event-stream", answer.raw, answer.headers)
            elif answer.status != 200:
                error = {"error": {"message": answer.text or "no", "type": "error"}}
                self._send(answer.status, "application/json", json.dumps(error).encode(), answer.headers)
            else:
                self._stream(answer)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client has gone away, as it may

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the standard error of a benchmark is the benchmark's."""

    def _send(self, status: int, kind: str, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, answer: Answer) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        pieces = [answer.text[i : i + _PIECE] for i in range(0, len(answer.text), _PIECE)]
        for number, piece in enumerate(pieces):
            if answer.broken and number >= len(pieces) // 2:
                return
            self._event({"index": 0, "delta": {"content": piece}, "finish_reason": None})
        if not answer.broken:
            self._event({"index": 0, "delta": {}, "finish_reason": answer.finish})
            self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, choice: dict[str, Any]) -> None:
        chunk = {
            "id": "x", "object": "chat.completion.chunk", "created": int(time.time()), "model": "stand-in",
            "choices": [choice],
        }  # fmt: skip
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
