"""Talking to a running hub: by its URL with a key, or through the control socket in its data directory.

With the standard library alone: a command of the shell should not spend its time importing an HTTP client.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import SplitResult, urlencode, urlsplit

from config.cli.exits import Exit, Failure
from config.settings import Settings

TIMEOUT_SECONDS = 30.0


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the control socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self.timeout)
            connection.connect(self._path)
        except BaseException:
            connection.close()
            raise
        self.sock = connection


class Client:
    """One caller. Every request has a connection of its own, so a hub that was started again is simply found."""

    def __init__(self, settings: Settings) -> None:
        url, key = settings.environ.get("INTERLOCK_URL"), settings.environ.get("INTERLOCK_KEY")
        if url and not key:
            raise Failure("usage", "INTERLOCK_URL is set and INTERLOCK_KEY is not; set both or neither", Exit.USAGE)
        self._headers = {"accept": "application/json"}
        self._url: SplitResult | None = None
        if key:
            self.where = (url or f"http://{settings.host}:{settings.port}").rstrip("/")
            self._url = _split(self.where)
            self._headers["authorization"] = f"Bearer {key.strip()}"
        else:
            self.where = str(settings.socket)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is kept open between requests."""

    def get(self, path: str, **params: Any) -> Any:
        """The JSON (or text) at `path`. Raises Failure."""
        given = {name: value for name, value in params.items() if value is not None}
        patience = float(given.get("timeout", given.get("wait", 0)))
        return self._ask("GET", f"{path}?{urlencode(given)}" if given else path, patience=patience)

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, once: str | None = None) -> Any:
        """The answer to a POST. `once` makes a repeated call answer as the first one did. Raises Failure."""
        headers = {"content-type": "application/json"} | ({"idempotency-key": once} if once else {})
        return self._ask("POST", path, body=json.dumps(dict(body or {})).encode(), headers=headers)

    def delete(self, path: str) -> Any:
        """The answer to a DELETE. Raises Failure."""
        return self._ask("DELETE", path)

    def say(self, text: str) -> dict[str, Any]:
        """The Reply to a typed command, refused or not. Raises Failure when nothing answered."""
        reply: dict[str, Any] = self.post("/v1/commands", {"text": text})
        return reply

    def _ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float = 0.0,
    ) -> Any:
        connection = self._connection(TIMEOUT_SECONDS + patience)
        try:
            connection.request(method, path, body, {**self._headers, **(headers or {})})
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Failure("unreachable", self.nobody(error), Exit.UNREACHABLE) from None
        finally:
            connection.close()
        value = _value(response.getheader("content-type", ""), content)
        if 200 <= response.status < 300:
            return value
        raise _failure(response.status, value)

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        if self._url is None:
            return _UnixConnection(self.where, timeout)
        assert self._url.hostname is not None
        if self._url.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                self._url.hostname, self._url.port or 443, timeout=timeout, context=context
            )
        return http.client.HTTPConnection(self._url.hostname, self._url.port or 80, timeout=timeout)

    def nobody(self, error: Exception) -> str:
        """The words for a hub that did not answer."""
        if isinstance(error, TimeoutError):
            return f"the hub at {self.where} does not answer; try again, or look at its log"
        if self._url is not None:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return f"no hub answers at {self.where} ({why}); is it running, and is INTERLOCK_URL right?"
        if not Path(self.where).exists():
            return (
                f"no hub runs on this data directory ({self.where}); start one with `interlock up`, "
                "name another with --data, or set INTERLOCK_URL and INTERLOCK_KEY"
            )
        if isinstance(error, PermissionError):
            return f"you may not use the control socket {self.where}; set INTERLOCK_URL and INTERLOCK_KEY instead"
        return f"no hub answers at {self.where}; is it starting or stopping? Its log tells more"


def _split(url: str) -> SplitResult:
    """The parts of a hub's URL. Raises Failure for what is none."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise Failure("usage", f"INTERLOCK_URL is {url!r}; write http://host:port or https://host", Exit.USAGE)
    return parts


def _value(kind: str, content: bytes) -> Any:
    text = content.decode(errors="replace")
    try:
        return json.loads(text) if "json" in kind and text else text
    except ValueError:
        return text


def _failure(status: int, value: Any) -> Failure:
    """What a problem document says, as the end of a command."""
    if not isinstance(value, dict):
        return Failure("bad_answer", f"what answers there is no hub (HTTP {status})", Exit.UNREACHABLE)
    code, detail = str(value.get("code", "refused")), str(value.get("detail", value.get("text", "refused")))
    data = {name: each for name, each in value.items() if name not in ("type", "title", "ok", "code", "text", "detail")}
    return Failure(code, detail, Exit.UNREACHABLE if status >= 500 else Exit.REFUSED, data=data)
