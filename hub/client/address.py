"""Where the hub is and who calls it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from hub.client.errors import InterlockError

DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One hub as one principal. The key is in no text that this object makes."""

    url: str
    key: str | None = field(default=None, repr=False)
    socket: str | None = None
    """The path of a control socket, where the hub knows the caller by what the kernel says."""

    def connect(self) -> httpx.Client:
        """A client that blocks."""
        over = httpx.HTTPTransport(uds=self.socket) if self.socket else None
        return httpx.Client(base_url=self.url, headers=self._headers, transport=over)

    def aconnect(self) -> httpx.AsyncClient:
        """A client that does not."""
        over = httpx.AsyncHTTPTransport(uds=self.socket) if self.socket else None
        return httpx.AsyncClient(base_url=self.url, headers=self._headers, transport=over)

    @property
    def _headers(self) -> dict[str, str]:
        headers = {"accept": "application/json"}
        return headers | {"authorization": f"Bearer {self.key}"} if self.key else headers


def address_of(url: str | None = None, key: str | None = None, socket: str | None = None) -> Address:
    """The address given, else that of INTERLOCK_URL and INTERLOCK_KEY. Raises InterlockError `usage`."""
    if socket is not None:
        return Address(url="http://localhost", socket=socket)
    url = (url or os.environ.get("INTERLOCK_URL") or DEFAULT_URL).rstrip("/")
    key = (key or os.environ.get("INTERLOCK_KEY") or "").strip()
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InterlockError("usage", f"{url!r} is no hub's address; write http://host:port or https://host")
    if not key:
        raise InterlockError("usage", "set INTERLOCK_KEY to a key of `interlock key create`, or pass key=")
    if not (key.isascii() and key.isprintable()):
        raise InterlockError("usage", "the key holds characters that no key has")
    return Address(url=url, key=key)
