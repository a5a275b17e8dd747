"""No name, number, redirect or second look-up leads a client of ours to a private address."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.errors import Forbidden
from core.net import is_allowed, is_global, look_up, safe_client

pytestmark = pytest.mark.anyio

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]

PUBLIC = ["93.184.215.14", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "2606:4700::1111"]

PRIVATE = [
    "10.0.0.1",
    "127.0.0.1",
    "127.9.9.9",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
]
PRIVATE += ["::1", "fc00::1", "fd12::1"]

NEVER = ["0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.1", "192.0.0.192"]
NEVER += [
    "192.0.2.1",
    "192.88.99.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
]
NEVER += [
    "::",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
]
NEVER += [
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:1.1.1.1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
]
NEVER += [
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::101:101",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
]


def answering(*addresses: str) -> Lookup:
    async def lookup(host: str, port: int) -> Sequence[str]:
        return addresses

    return lookup


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_global(ipaddress.ip_address(address))
    assert is_allowed(ipaddress.ip_address(address), allow_private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_networks_are_allowed_only_when_configured(address: str) -> None:
    assert not is_global(ipaddress.ip_address(address))
    assert not is_allowed(ipaddress.ip_address(address), allow_private=False)
    assert is_allowed(ipaddress.ip_address(address), allow_private=True)


@pytest.mark.parametrize("address", NEVER)
def test_what_no_hub_has_business_with_is_never_allowed(address: str) -> None:
    assert not is_global(ipaddress.ip_address(address))
    assert not is_allowed(ipaddress.ip_address(address), allow_private=True)


async def refused(url: str, lookup: Lookup = look_up, *, allow_private: bool = False) -> bool:
    async with safe_client(allow_private=allow_private, lookup=lookup) as client:
        with pytest.raises(Forbidden) as error:
            await client.get(url)
        return error.value.code == "private_address"


@pytest.mark.parametrize("address", [*PRIVATE, *NEVER])
async def test_a_name_that_leads_there_is_refused(address: str) -> None:
    assert await refused("https://hub.test/", answering(address))


@pytest.mark.parametrize("private", ["10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254"])
async def test_one_private_answer_refuses_all(private: str) -> None:
    assert await refused("http://hub.test/", answering("93.184.215.14", private, "2606:4700::1111"))


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "localhost", "LOCALHOST", "localhost."),
        *("[::1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[::]", "169.254.169.254", "2852039166"),
    ],
)
async def test_no_spelling_of_a_private_address_gets_through(host: str) -> None:
    """By the machine's own resolver, which understands decimal, octal and hexadecimal numbers."""
    async with safe_client() as client:
        # A resolver that does not take the spelling is as good an answer as a refusal: nothing is connected to.
        with pytest.raises((Forbidden, httpx.ConnectError, httpx.InvalidURL)):
            await client.get(f"http://{host}:9/")
    if host in ("127.0.0.1", "2130706433", "0x7f000001", "[::1]", "localhost", "169.254.169.254"):
        assert await refused(f"http://{host}:9/")


async def test_metadata_services_stay_closed_where_private_networks_are_open() -> None:
    assert await refused("http://metadata.test/latest/", answering("169.254.169.254"), allow_private=True)
    assert await refused("http://metadata.test/latest/", answering("100.100.100.200"), allow_private=True)


class Served:
    """What came to a server that answers everything with `answer`."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.requests: list[str] = []
        self.names: list[str | None] = []
        self.port = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(self.answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@asynccontextmanager
async def serving(answer: bytes = OK, context: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    served = Served(answer)
    if context:
        context.sni_callback = lambda _, name, __: served.names.append(name)
    server = await asyncio.start_server(served.take, "127.0.0.1", 0, ssl=context)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        await server.wait_closed()


async def test_the_checked_address_is_connected_to_under_the_names_host() -> None:
    async with serving() as served, safe_client(allow_private=True, lookup=answering("127.0.0.1")) as client:
        answer = await client.get(f"http://hub.test:{served.port}/path?q=1")
    assert answer.text == "ok"
    assert served.requests[0].startswith("GET /path?q=1 HTTP/1.1\r\n")
    assert f"host: hub.test:{served.port}\r\n" in served.requests[0].lower()


async def test_a_name_is_looked_up_once_for_a_connection() -> None:
    """A second answer, which a rebinding server would make another one, is never asked for."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    async with serving() as served, safe_client(allow_private=True, lookup=rebinding) as client:
        assert (await client.get(f"http://hub.test:{served.port}/")).status_code == 200
    assert asked == ["hub.test"]


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with serving() as served, safe_client(allow_private=True, lookup=answering("::1", "127.0.0.1")) as client:
        assert (await client.get(f"http://hub.test:{served.port}/")).text == "ok"


async def test_redirects_are_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with serving(moved) as served, safe_client(allow_private=True, lookup=answering("127.0.0.1")) as client:
        assert (await client.get(f"http://hub.test:{served.port}/")).status_code == 302
    assert len(served.requests) == 1


async def test_proxy_variables_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as proxy, serving() as served:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with safe_client(allow_private=True, lookup=answering("127.0.0.1")) as client:
            await client.get(f"http://hub.test:{served.port}/")
    assert (len(proxy.requests), len(served.requests)) == (0, 1)


async def test_failures_speak_httpx() -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    async def slowly(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    async with safe_client(lookup=nowhere) as client:
        with pytest.raises(httpx.ConnectError, match=r"hub\.test"):
            await client.get("http://hub.test/")
    async with safe_client(lookup=answering()) as client:
        with pytest.raises(httpx.ConnectError, match="no address"):
            await client.get("http://hub.test/")
    async with safe_client(lookup=slowly, timeout_seconds=0.05) as client:
        with pytest.raises(httpx.ConnectTimeout):
            await client.get("http://hub.test/")
    async with (
        serving(b"nonsense\r\n\r\n") as served,
        safe_client(allow_private=True, lookup=answering("127.0.0.1")) as client,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(f"http://hub.test:{served.port}/")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate for hub.test, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub.test")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hub.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + built.public_bytes(pem)
    )
    return path


async def test_the_certificate_is_checked_against_the_name(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=certificate)
    lookup = answering("127.0.0.1")
    async with serving(context=context) as served:
        async with safe_client(allow_private=True, lookup=lookup, ssl_context=trusting) as client:
            assert (await client.get(f"https://hub.test:{served.port}/")).text == "ok"
            with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
                await client.get(f"https://other.test:{served.port}/")
        async with safe_client(allow_private=True, lookup=lookup) as client:
            with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
                await client.get(f"https://hub.test:{served.port}/")
    assert served.names == ["hub.test", "other.test", "hub.test"]
    assert len(served.requests) == 1
