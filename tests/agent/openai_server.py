"""A real HTTP server on loopback that speaks the OpenAI chat-completions protocol and answers as scripted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One scripted answer; the last of a script is given again to whoever still asks."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_hanging: bool = False
    """Sends nothing until the server closes."""
    drip_seconds: float = 0.0
    """Waits so long between two bytes: always alive, never done."""
    is_cut: bool = False
    """Promises a longer body and hangs up."""


def completion(
    content: str | None,
    finish_reason: str | None = "stop",
    *,
    refusal: str | None = None,
    logprobs: list[tuple[str, float]] | None = None,
    **message: Any,
) -> Reply:
    """A chat completion as OpenAI's servers write it."""
    said = {"role": "assistant", "content": content, "refusal": refusal, **message}
    choice: dict[str, Any] = {"index": 0, "message": said, "finish_reason": finish_reason}
    if logprobs is not None:
        tokens = [
            {
                "token": t,
                "logprob": p,
                "bytes": list(t.encode()),
                "top_logprobs": [{"token": t, "logprob": p, "bytes": None}],
            }
            for t, p in logprobs
        ]
        choice["logprobs"] = {"content": tokens, "refusal": None}
    return reply(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_800_000_000,
            "model": "scripted",
            "choices": [choice],
            "usage": {
                "prompt_tokens": 120,
                "completion_tokens": 30,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 100},
            },
        }
    )


def reply(body: object, status: int = 200, **headers: str) -> Reply:
    """Any JSON with any status."""
    return Reply(json.dumps(body).encode(), status, headers)


def error(status: int, code: str = "some_code", message: str = "no") -> Reply:
    """An error as OpenAI's servers write it."""
    return reply({"error": {"message": message, "type": "some_type", "param": None, "code": code}}, status)


class OpenAIServer(ThreadingHTTPServer):
    """Serves a script and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[Reply | Callable[[dict[str, Any]], Reply]] = [completion("{}")]
        self.asked: list[dict[str, Any]] = []
        """The JSON bodies of the requests, in order."""
        self.headers: list[dict[str, str]] = []
        self.closing = threading.Event()

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL would be."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def says(self, *script: Reply | Callable[[dict[str, Any]], Reply]) -> None:
        """Begins a new script."""
        self.script, self.asked, self.headers = list(script), [], []

    @property
    def asked_text(self) -> str:
        """Everything that was said to the model in the last request."""
        return "\n".join(message["content"] for message in self.asked[-1]["messages"])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is part of the script."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OpenAIServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/v1/chat/completions", self.path
        number = len(self.server.asked)
        self.server.asked.append(body)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        scripted = self.server.script[min(number, len(self.server.script) - 1)]
        self._send(scripted(body) if callable(scripted) else scripted)

    def _send(self, given: Reply) -> None:
        if given.is_hanging:
            self.server.closing.wait(30)
            self.close_connection = True
            return
        self.send_response(given.status)
        for name, value in {"Content-Type": "application/json", **given.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(given.body) + 100 * given.is_cut))
        self.end_headers()
        self.close_connection = self.close_connection or given.is_cut
        if not given.drip_seconds:
            self.wfile.write(given.body)
            return
        for at in range(len(given.body)):
            if self.server.closing.wait(given.drip_seconds):
                return
            self.wfile.write(given.body[at : at + 1])
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are quiet."""


@contextmanager
def openai_server() -> Iterator[OpenAIServer]:
    """A running server, closed at the end."""
    server = OpenAIServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
