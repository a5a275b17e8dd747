"""Outward HTTP that cannot be led to a private address: one look-up, every answer checked, that address connected to.

The check stands in the network backend, the one place through which every connection goes. Nothing is looked up
twice, so there is no second answer that could differ (DNS rebinding). The name is kept for Host, SNI and the
certificate. Proxy variables are not read, and redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from core.errors import Forbidden

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""(name, port) -> the addresses of the name, numeric."""

_RESERVED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; 100.100.100.200 is a metadata service
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, with most metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_RESERVED_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments, with Teredo
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries an IPv4 address
        "3fff::/20",
    )
)
_PRIVATE_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15")
)
_PRIVATE_V6 = tuple(ipaddress.IPv6Network(network) for network in ("::1/128", "fc00::/7"))
_METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in ("100.100.100.200", "169.254.169.254", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)


def is_global(address: Address) -> bool:
    """Whether the address is an ordinary one of the public internet, by the IANA special-purpose registries."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _RESERVED_V4)
    # What is embedded in an IPv4-mapped or NAT64 address (::ffff:0:0/96, 64:ff9b::/96) lies outside 2000::/3.
    return address in _GLOBAL_V6 and not any(address in network for network in _RESERVED_V6)


def is_allowed(address: Address, *, allow_private: bool) -> bool:
    """Whether a connection may go there.

    `allow_private` adds loopback and private networks, but never link-local addresses, metadata services, or an IPv4
    address in an IPv6 wrapping.
    """
    if is_global(address):
        return True
    if not allow_private or address in _METADATA:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return any(address in network for network in _PRIVATE_V4)
    return any(address in network for network in _PRIVATE_V6)


def is_confidential(url: str) -> bool:
    """Whether what is sent there stays between the two: by https, or without leaving this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host)
    try:
        is_here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
    return parts.scheme == "http" and is_here


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses that the machine's resolver gives for `host`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def safe_client(
    *,
    allow_private: bool = False,
    timeout_seconds: float = 10.0,
    lookup: Lookup = look_up,
    ssl_context: ssl.SSLContext | None = None,
) -> httpx.AsyncClient:
    """A client whose connections all go to checked addresses; a forbidden one raises Forbidden `private_address`."""
    transport = _Transport(_GuardedBackend(lookup, allow_private=allow_private), ssl_context or trusted_authorities())
    return httpx.AsyncClient(transport=transport, trust_env=False, follow_redirects=False, timeout=timeout_seconds)


def trusted_authorities() -> ssl.SSLContext:
    """The common authorities, and those that the machine's owner added."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to checked addresses only."""

    def __init__(self, lookup: Lookup, *, allow_private: bool) -> None:
        self._lookup = lookup
        self._allow_private = allow_private
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        until = None if timeout is None else time.monotonic() + timeout
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in await self._checked(host, port, timeout):
            left = None if until is None else max(0.001, until - time.monotonic())
            try:
                return await self._inner.connect_tcp(str(address), port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise Forbidden("private_address", "a socket of this machine is no outward address")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _checked(self, host: str, port: int, timeout: float | None) -> list[Address]:
        """All addresses of `host`; one that may not be connected to refuses them all."""
        try:
            async with asyncio.timeout(timeout):
                found = await self._lookup(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"looking up {host} took too long") from None
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be looked up: {error}") from None
        addresses = list(dict.fromkeys(ipaddress.ip_address(text) for text in found))
        if not all(is_allowed(address, allow_private=self._allow_private) for address in addresses):
            raise Forbidden(
                "private_address",
                f"{host} has an address that is not public; `allow_private: true` permits private networks",
                host=host,
            )
        return addresses


class _Transport(httpx.AsyncBaseTransport):
    """httpx over a connection pool with a backend of our own, which httpx has no option for."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, ssl_context: ssl.SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context, network_backend=backend, max_connections=100, keepalive_expiry=5.0
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        asked = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _in_httpx_words():
            answer = await self._pool.handle_async_request(asked)
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    """The body of an answer as it comes."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _in_httpx_words():
            async for part in self._answer.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


@contextmanager
def _in_httpx_words() -> Iterator[None]:
    """An error of httpcore leaves as the error of httpx that has the same name."""
    try:
        yield
    except Exception as error:
        for kind in type(error).__mro__:
            if kind.__module__.startswith("httpcore"):
                raise getattr(httpx, kind.__name__, httpx.TransportError)(str(error)) from error
        raise
