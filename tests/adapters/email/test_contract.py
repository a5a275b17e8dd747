"""The mail channel keeps what every adapter promises; the far side is an SMTP server of this test."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope
from mail import MX, written

from adapters.email.adapter import EmailAdapter
from adapters.email.token import fold
from core.world import Channel
from hub.contracts import Opened, Reply
from hub.testing import COPY, LIVE, SAMPLE, AdapterContract, Answer, Bench, RecordingHub, Seen, sample_card

BO = "bo@lab.test"


class MailBench(Bench):
    """The adapter behind a real SMTP server; mails to it are handed to its clerk."""

    def __init__(self) -> None:
        self.hub = RecordingHub()
        self.address = BO
        self.received: list[EmailMessage] = []
        self.held: asyncio.Event | None = None
        self.adapter: EmailAdapter

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if self.held is not None:
            await self.held.wait()
        content = envelope.content
        assert isinstance(content, bytes)
        self.received.append(message_from_bytes(content, policy=policy.default))  # type: ignore[arg-type]
        return "250 taken"

    async def take(self, mail: EmailMessage) -> Answer:
        before, acted = len(self.received), len(self.hub.acted)
        await self.adapter.clerk.take(mail.as_bytes(policy=policy.SMTP))
        await self.adapter._answers.join()
        if len(self.received) == before:
            return Answer(ok=len(self.hub.acted) > acted)
        answer = self.received[-1]
        code = str(answer["X-Interlock-Code"])
        return Answer(ok=code == "ok", code=None if code == "ok" else code, text=answer.get_content())

    async def say(self, text: str, message_id: str) -> Answer:
        mail = written(BO, "hub@lab.test", f"{text}\n")
        mail.replace_header("Message-ID", f"<{message_id}@lab.test>")
        self.hub.received.clear()  # the same bytes again, as if the first had not been moved
        return await self.take(mail)

    async def say_unproven(self, text: str) -> Answer:
        return await self.take(written(BO, "hub@lab.test", f"{text}\n", verdict="dmarc=fail"))

    async def press(self, token: str, message_id: str) -> Answer:
        copy = Opened(
            approval="A1",
            revision=1,
            digest="d" * 64,
            delivery=1,
            channel="mail",
            address=BO,
            recipient="bo",
            current=True,
            tokens={"approve": token},
        )
        self.hub.copies[COPY] = (copy, Reply(ok=True, text="A1", card=sample_card(), approval=SAMPLE))
        return await self.take(written(BO, f"hub+r.{fold(COPY)}@lab.test", "approve\n"))

    async def seen(self) -> list[Seen]:
        copies = []
        for mail in self.received:
            plain = mail.get_body(("plain",))
            html = mail.get_body(("html",))
            assert plain is not None
            assert html is not None
            text = plain.get_content()
            choices = re.findall(rf"/a/{COPY}\?choice=(\w+)", text)
            assert choices == re.findall(rf"/a/{COPY}\?choice=(\w+)", html.get_content())
            copies.append(Seen(text=text, tokens=tuple(LIVE for choice in choices if choice == "approve")))
        return copies

    async def echo(self) -> bool:
        await self.adapter.clerk.take(self.received[-1].as_bytes(policy=policy.SMTP))
        return True

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        self.held = asyncio.Event()
        try:
            yield
        finally:
            self.held.set()


class TestMail(AdapterContract):
    @asynccontextmanager
    async def bench(self) -> AsyncIterator[MailBench]:
        bench = MailBench()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(bench, loop=loop), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = {
            "address": "hub@lab.test",
            "smtp": {"host": "127.0.0.1", "port": port, "tls": "none"},
            "trust": {"authserv_id": MX},
            "commands": True,
        }
        bench.adapter = EmailAdapter(Channel(name="mail", adapter="email", settings=settings), bench.hub)
        try:
            async with bench.adapter.run():
                yield bench
        finally:
            server.close()
            await server.wait_closed()
