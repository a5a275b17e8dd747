"""The seam to the IMAP client: one mailbox, read by one task over one connection (RFC 3501, 2177, 6851, 4315).

The client is aioimaplib, whose known defects decide how it is used here: any timeout or protocol error ends the
connection; a lost connection is learnt from its own callback; news that ride on another command's answer are caught
by a hook; one mail is fetched at a time, by size first; nothing but whole messages is ever asked for.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from adapters.email.settings import Imap


class MailboxLost(Exception):
    """The connection is gone, or the server refused; a new one is needed. Its text is for people."""


class Mailbox(Protocol):
    """A mailbox, open. Every method raises MailboxLost."""

    async def uids(self) -> list[int]:
        """What is in the inbox, oldest first."""
        ...

    async def size(self, uid: int) -> int | None:
        """How many bytes it has; None when it is gone."""
        ...

    async def fetch(self, uid: int) -> bytes | None:
        """The mail's bytes; None when it is gone. It does not become seen."""
        ...

    async def move(self, uid: int, folder: str) -> None:
        """The mail is in `folder` and no longer in the inbox."""
        ...

    async def wait(self, seconds: float) -> None:
        """Return at the first sign of news, or after `seconds`."""
        ...


_COMMAND_SECONDS = 30.0


@asynccontextmanager
async def open_mailbox(settings: Imap) -> AsyncIterator[Mailbox]:
    """The mailbox of `settings`. Raises MailboxLost with what the server said."""
    import aioimaplib  # type: ignore[import-untyped]

    if settings.tls == "tls":
        context = await asyncio.to_thread(ssl.create_default_context, cafile=settings.ca)
        client: Any = aioimaplib.IMAP4_SSL(settings.host, settings.port, timeout=_COMMAND_SECONDS, ssl_context=context)
    else:
        client = aioimaplib.IMAP4(settings.host, settings.port, timeout=_COMMAND_SECONDS)
    box = _Imap(client, settings)
    try:
        await box.begin()
        yield box
    finally:
        await box.end()


class _Imap:
    def __init__(self, client: Any, settings: Imap) -> None:
        self._client = client
        self._settings = settings
        self._news = asyncio.Event()
        self._lost = asyncio.Event()
        self._can: frozenset[str] = frozenset()

    async def begin(self) -> None:
        try:
            async with asyncio.timeout(_COMMAND_SECONDS):
                await self._client.wait_hello_from_server()
        except (OSError, TimeoutError, Exception) as error:
            raise MailboxLost(f"{self._settings.host}:{self._settings.port} does not answer: {_said(error)}") from error
        self._hook()
        if self._settings.token is not None:
            token = self._settings.token.get_secret_value()
            await self._do("the sign-in", lambda: self._client.xoauth2(self._settings.user, token), seconds=10.0)
        else:
            password = self._settings.password.get_secret_value() if self._settings.password else ""
            await self._do("the sign-in", lambda: self._client.login(_quoted(self._settings.user), password))
        async with asyncio.timeout(_COMMAND_SECONDS):
            await self._client.protocol.capability()  # those from before the sign-in are others
        self._can = frozenset(str(each).upper() for each in self._client.protocol.capabilities)
        for folder in (self._settings.processed, self._settings.quarantine):
            await self._create(folder)
        await self._do(f"opening {self._settings.inbox}", lambda: self._client.select(_quoted(self._settings.inbox)))

    def _hook(self) -> None:
        """Learn of a lost connection at once, and of news whatever they ride on."""
        protocol = self._client.protocol
        untagged = protocol._untagged_response

        def lost(_: object) -> None:
            self._lost.set()
            self._news.set()

        def heard(line: Any) -> Any:
            if b"EXISTS" in line or b"RECENT" in line:
                self._news.set()
            return untagged(line)

        protocol.conn_lost_cb = lost
        protocol._untagged_response = heard

    async def uids(self) -> list[int]:
        self._news.clear()
        lines = await self._do("SEARCH", lambda: self._client.uid_search("ALL", charset=None))
        words = b" ".join(line for line in lines[:-1] if isinstance(line, bytes | bytearray)).split()
        return sorted(int(word) for word in words if word.isdigit())

    async def size(self, uid: int) -> int | None:
        lines = await self._do("FETCH", lambda: self._client.uid("fetch", str(uid), "(RFC822.SIZE)"))
        for line in lines:
            words = bytes(line).replace(b"(", b" ").replace(b")", b" ").upper().split()
            if b"RFC822.SIZE" in words[:-1]:
                return int(words[words.index(b"RFC822.SIZE") + 1])
        return None

    async def fetch(self, uid: int) -> bytes | None:
        lines = await self._do("FETCH", lambda: self._client.uid("fetch", str(uid), "(BODY.PEEK[])"))
        literals = [bytes(line) for line in lines if isinstance(line, bytearray)]
        return literals[0] if literals else None

    async def move(self, uid: int, folder: str) -> None:
        name = _quoted(folder)
        if "MOVE" in self._can:
            await self._do("MOVE", lambda: self._client.uid("move", str(uid), name))
            return
        await self._do("COPY", lambda: self._client.uid("copy", str(uid), name))
        await self._do("STORE", lambda: self._client.uid("store", str(uid), "+FLAGS.SILENT", r"(\Deleted)"))
        if "UIDPLUS" in self._can:
            await self._do("EXPUNGE", lambda: self._client.uid("expunge", str(uid)))
        else:
            await self._do("EXPUNGE", self._client.expunge)

    async def wait(self, seconds: float) -> None:
        if self._lost.is_set():
            raise MailboxLost("the connection was lost")
        if self._news.is_set():
            return
        if "IDLE" not in self._can:
            await asyncio.sleep(min(seconds, self._settings.poll_seconds))
            await self._do("NOOP", self._client.noop)
            return
        try:
            async with asyncio.timeout(_COMMAND_SECONDS):
                idle = await self._client.idle_start(timeout=seconds + _COMMAND_SECONDS)
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                pass
            if self._lost.is_set():
                raise MailboxLost("the connection was lost")
            self._client.idle_done()
            async with asyncio.timeout(_COMMAND_SECONDS):
                await idle
        except MailboxLost:
            raise
        except Exception as error:
            raise MailboxLost(f"IDLE: {_said(error)}") from error

    async def end(self) -> None:
        """No farewell: what is in doubt after an error must not be waited for."""
        protocol = self._client.protocol
        transport = getattr(protocol, "transport", None)
        if transport is not None:
            transport.abort()
            try:
                async with asyncio.timeout(1.0):
                    await self._lost.wait()
            except TimeoutError:
                pass
        task = getattr(self._client, "_client_task", None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _do(
        self, what: str, command: Callable[[], Awaitable[Any]], seconds: float = _COMMAND_SECONDS
    ) -> list[Any]:
        """The answer's lines. Raises MailboxLost for NO and BAD, a timeout, and a connection that ends meanwhile."""
        if self._lost.is_set():
            raise MailboxLost("the connection was lost")
        doing = asyncio.ensure_future(command())
        losing = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({doing, losing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise MailboxLost(
                    f"{what}: {'the connection was lost' if self._lost.is_set() else 'no answer in time'}"
                )
            try:
                answer = doing.result()
            except Exception as error:
                raise MailboxLost(f"{what}: {_said(error)}") from error
        finally:
            for task in (doing, losing):
                task.cancel()
            await asyncio.gather(doing, losing, return_exceptions=True)
        if answer.result != "OK":
            raise MailboxLost(f"{what} was refused: {_text(answer.lines)}")
        return list(answer.lines)

    async def _create(self, folder: str) -> None:
        """The folder exists; that it did before is no error."""
        try:
            await self._do("CREATE", lambda: self._client.create(_quoted(folder)))
        except MailboxLost:
            if self._lost.is_set():
                raise


def _quoted(name: str) -> str:
    """A mailbox name or user as a quoted string. Raises ValueError for characters that none may hold."""
    if any(ord(char) < 32 or ord(char) > 126 for char in name):
        raise ValueError(f"{name!r} is no name of a mailbox in ASCII")
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(lines: list[Any]) -> str:
    return b" ".join(bytes(line) for line in lines if isinstance(line, bytes | bytearray)).decode(errors="replace")[
        :200
    ]


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200] if str(error) else type(error).__name__
