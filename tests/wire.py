"""A way to a server that can be disturbed: answers lost on the way, refused before it, or nothing at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import httpx

_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "host", "date"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to one request whose path ends so."""

    path: str
    lost: bool = False
    """Carried out, and its answer never arrives."""
    status: int = 0
    """Answered so without reaching the server."""
    headers: tuple[tuple[str, str], ...] = ()


class Wire:
    """A proxy on a port of its own."""

    def __init__(self, to: str) -> None:
        self.seen: list[str] = []
        """`METHOD path` of every request that arrived here."""
        self.faults: list[Fault] = []
        """Each happens once, to the first request that it is about."""
        self.cut = False
        """Nothing gets through while it is true."""
        self.news = threading.Condition()
        self._http = httpx.Client(base_url=to, timeout=60, trust_env=False)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._http.close()

    def await_seen(self, enough: Callable[[list[str]], bool], timeout: float = 20.0) -> None:
        """Returns once what was seen is enough."""
        with self.news:
            assert self.news.wait_for(lambda: enough(self.seen), timeout), self.seen

    def _note(self, what: str) -> Fault | None:
        with self.news:
            self.seen.append(what)
            self.news.notify_all()
            path = what.partition(" ")[2].partition("?")[0]
            for fault in self.faults:
                if path.endswith(fault.path):
                    self.faults.remove(fault)
                    return fault
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _carry(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                fault = wire._note(f"{self.command} {self.path}")
                if wire.cut:
                    self.close_connection = True
                elif fault is not None and fault.status:
                    self._answer(fault.status, dict(fault.headers), b"")
                else:
                    headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
                    answer = wire._http.request(self.command, self.path, content=body, headers=headers)
                    if fault is not None and fault.lost:
                        self.close_connection = True
                    else:
                        self._answer(answer.status_code, dict(answer.headers), answer.content)

            do_GET = do_POST = do_DELETE = _carry

            def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in _HOP:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing on stderr."""

        return Handler
