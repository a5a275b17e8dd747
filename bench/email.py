"""The mail channel: from the server's taking a mail to its effect, and how fast a full mailbox is emptied.

`lab` runs against Dovecot and Exim when they are installed (Dovecot delays every push by 500 ms); `memory` against a
mailbox in this process, so that what is measured is ours.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import policy
from email.message import EmailMessage
from pathlib import Path
from statistics import quantiles
from typing import Any

from adapters.email.clerk import Clerk
from adapters.email.mailbox import Mailbox
from adapters.email.reading import Reading
from adapters.email.settings import Imap
from config.hub import build
from config.settings import read
from hub.hub import Hub

_CONFIG = """
version: 1
public_url: http://127.0.0.1:8000
people:
  ana: {name: Ana, email: ana@lab.test, groups: [team]}
  bo: {name: Bo, email: bo@lab.test, groups: [team]}
limits: {commands: 100000/s, burst: 100000}
actions:
  note: {title: "Note {text}", params: {text: {type: string}}, apply: {command: ["true"]}}
policies: [{name: default, require: [{group: team, count: 1}], ask: [page]}]
channels:
  mail:
    adapter: email
    address: hub@lab.test
    smtp: {host: 127.0.0.1, port: 1, tls: none}
    trust: {authserv_id: mx.lab.test}
    commands: true
"""


class _Memory:
    """A mailbox in this process."""

    def __init__(self) -> None:
        self.mails: dict[int, bytes] = {}
        self.came = asyncio.Event()
        self._next = 0

    def put(self, raw: bytes) -> None:
        self._next += 1
        self.mails[self._next] = raw
        self.came.set()

    async def uids(self) -> list[int]:
        self.came.clear()
        return sorted(self.mails)

    async def size(self, uid: int) -> int | None:
        return len(self.mails[uid])

    async def fetch(self, uid: int) -> bytes | None:
        return self.mails.get(uid)

    async def move(self, uid: int, folder: str) -> None:
        del self.mails[uid]

    async def wait(self, seconds: float) -> None:
        await self.came.wait()


async def memory(seconds: float) -> dict[str, float]:
    """Mails one after the other, from arrival to effect."""
    async with _reading() as (hub, box):
        latencies: list[float] = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            size = hub.db.log.size
            begun = time.perf_counter()
            box.put(_mail(len(latencies)))
            while hub.db.log.size == size:
                await asyncio.sleep(0.0005)
            latencies.append(time.perf_counter() - begun)
            while box.mails:
                await asyncio.sleep(0.001)
    cuts = quantiles(latencies, n=100)
    return {"count": len(latencies), "p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000}


async def full(mails: int) -> dict[str, float]:
    """A mailbox with many waiting mails: how many a second, and the longest that the event loop was kept."""
    async with _reading() as (_, box):
        longest = 0.0

        async def watch() -> None:
            nonlocal longest
            while True:
                begun = time.perf_counter()
                await asyncio.sleep(0.005)
                longest = max(longest, time.perf_counter() - begun - 0.005)

        for number in range(mails):
            box.mails[number + 1_000_000] = _mail(number)
        watching = asyncio.create_task(watch())
        begun = time.perf_counter()
        box.came.set()
        while box.mails:
            await asyncio.sleep(0.05)
        took = time.perf_counter() - begun
        watching.cancel()
    return {"count": mails, "per_second": mails / took, "longest_block_ms": longest * 1000}


def _mail(number: int) -> bytes:
    mail = EmailMessage()
    mail["Authentication-Results"] = "mx.lab.test; dmarc=pass header.from=lab.test"
    mail["From"], mail["To"], mail["Subject"] = "ana@lab.test", "hub@lab.test", "note"
    mail["Message-ID"] = f"<{number}.{time.time_ns()}@lab.test>"
    mail.set_content(f"note n{number}\n")
    return mail.as_bytes(policy=policy.SMTP)


@asynccontextmanager
async def _reading() -> AsyncIterator[tuple[Hub, _Memory]]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "hub.yaml").write_text(_CONFIG)
        (root / "data").mkdir(mode=0o700)
        settings = read({"XDG_STATE_HOME": str(root / "state")}, config=root / "hub.yaml", data=root / "data")
        async with build(settings) as hub:
            box = _Memory()

            @asynccontextmanager
            async def open_(_: Imap) -> AsyncIterator[Mailbox]:
                yield box

            async def send(message: EmailMessage, recipient: str) -> None: ...

            adapter: Any = hub.adapters["mail"]
            clerk = Clerk("mail", adapter._settings, hub, send)
            reading = asyncio.create_task(Reading(Imap(host="localhost", user="hub"), clerk, open_).run())
            try:
                yield hub, box
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
