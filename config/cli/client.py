"""Talking to a running hub: by its URL with a key, or through the control socket in its data directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from config.cli.exits import Exit, Failure
from config.settings import Settings

TIMEOUT_SECONDS = 30.0


class Client:
    """One caller's connection. Use as a context manager."""

    def __init__(self, settings: Settings) -> None:
        url, key = settings.environ.get("INTERLOCK_URL"), settings.environ.get("INTERLOCK_KEY")
        if url and not key:
            raise Failure("usage", "INTERLOCK_URL is set and INTERLOCK_KEY is not; set both or neither", Exit.USAGE)
        if key:
            self.where = (url or f"http://{settings.host}:{settings.port}").rstrip("/")
            if urlsplit(self.where).scheme not in ("http", "https"):
                raise Failure("usage", f"INTERLOCK_URL is {self.where!r}; write http://… or https://…", Exit.USAGE)
            self._http = httpx.Client(
                base_url=self.where, headers={"authorization": f"Bearer {key}"}, timeout=TIMEOUT_SECONDS
            )
        else:
            self.where = str(settings.socket)
            self._http = httpx.Client(
                base_url="http://localhost",
                transport=httpx.HTTPTransport(uds=self.where),
                timeout=TIMEOUT_SECONDS,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """The JSON (or text) at `path`. Raises Failure."""
        return self._ask("GET", path, params={k: v for k, v in params.items() if v is not None})

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, once: str | None = None) -> Any:
        """The answer to a POST. `once` makes a repeated call answer as the first one did. Raises Failure."""
        headers = {"idempotency-key": once} if once else {}
        return self._ask("POST", path, json=dict(body or {}), headers=headers)

    def delete(self, path: str) -> Any:
        """The answer to a DELETE. Raises Failure."""
        return self._ask("DELETE", path)

    def say(self, text: str) -> dict[str, Any]:
        """The Reply to a typed command, refused or not. Raises Failure when nothing answered."""
        reply: dict[str, Any] = self.post("/v1/commands", {"text": text})
        return reply

    def _ask(self, method: str, path: str, **how: Any) -> Any:
        extra = float(how.get("params", {}).get("timeout", 0) or how.get("params", {}).get("wait", 0) or 0)
        if not self.where.startswith("http") and not Path(self.where).exists():
            raise Failure("unreachable", self._nobody(FileNotFoundError()), Exit.UNREACHABLE)
        try:
            response = self._http.request(method, path, timeout=TIMEOUT_SECONDS + extra, **how)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Failure("unreachable", self._nobody(error), Exit.UNREACHABLE) from None
        kind = response.headers.get("content-type", "")
        value = response.json() if "json" in kind and response.content else response.text
        if response.is_success:
            return value
        raise _failure(response.status_code, value)

    def _nobody(self, error: Exception) -> str:
        if isinstance(error, httpx.TimeoutException):
            return f"the hub at {self.where} does not answer; try again, or look at its log"
        if self.where.startswith("http"):
            return f"no hub answers at {self.where} ({error}); is it running, and is INTERLOCK_URL right?"
        return (
            f"no hub runs on this data directory ({self.where}); start one with `interlock up`, "
            "name another with --data, or set INTERLOCK_URL and INTERLOCK_KEY"
        )


def _failure(status: int, value: Any) -> Failure:
    """What a problem document says, as the end of a command."""
    if not isinstance(value, dict):
        return Failure("bad_answer", f"what answers there is no hub (HTTP {status})", Exit.UNREACHABLE)
    code, detail = str(value.get("code", "refused")), str(value.get("detail", value.get("text", "refused")))
    data = {name: each for name, each in value.items() if name not in ("type", "title", "ok", "code", "text", "detail")}
    exit = Exit.UNREACHABLE if status in (502, 503, 504) or status == 500 else Exit.REFUSED
    return Failure(code, detail, exit, data=data)
