"""The wire of mail: one mailbox read over IMAP, cards and answers sent over SMTP, the pages behind their buttons."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage

from starlette.routing import BaseRoute

from adapters.email import address, render
from adapters.email.clerk import Clerk
from adapters.email.invitation import invitation
from adapters.email.mailbox import Mailbox, MailboxLost, open_mailbox
from adapters.email.outgoing import Outgoing
from adapters.email.pages import Pages
from adapters.email.reading import Reading
from adapters.email.settings import settings_of
from core.world import Channel
from hub.contracts import Adapter, DeliveryFailed, Hub, Post, Powers, SignInLink

logger = logging.getLogger("interlock.email")

_ROUND_SECONDS = 12.0
_MOST_ANSWERS = 1_000
_LAST_ANSWERS_SECONDS = 5.0


class EmailAdapter:
    """One configured mail channel."""

    def __init__(self, channel: Channel, hub: Hub) -> None:
        self._channel = channel
        self._hub = hub
        self._settings = settings_of(channel)
        self._outgoing = Outgoing(self._settings.smtp)
        self._pages = Pages(channel.name, hub)
        self._answers: asyncio.Queue[tuple[EmailMessage, str]] = asyncio.Queue(maxsize=_MOST_ANSWERS)
        self.clerk = Clerk(channel.name, self._settings, hub, lambda *answer: self._answers.put(answer))
        self._reading: Reading | None = None
        self._open = False
        self.powers = Powers(addresses_people=True)

    def routes(self) -> list[BaseRoute]:
        return self._pages.routes()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        self._open = True
        tasks = [asyncio.create_task(self._send_answers())]
        if self._settings.imap is not None:
            self._reading = Reading(self._settings.imap, self.clerk, open_mailbox)
            tasks.append(asyncio.create_task(self._reading.run()))
        try:
            yield
        finally:
            for task in tasks[1:]:
                task.cancel()
            try:
                async with asyncio.timeout(_LAST_ANSWERS_SECONDS):
                    await self._answers.join()
            except TimeoutError:
                logger.warning("%d answers were not sent before the stop", self._answers.qsize())
            tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._open = False
            await self._outgoing.close()

    @property
    def problem(self) -> str | None:
        """Why the mailbox cannot be read at the moment; None while it is, or when none is configured."""
        return self._reading.problem if self._reading is not None else None

    async def post(self, post: Post) -> str:
        message, said = await self._mail(post, root=None)
        await self._send(post, message)
        return said.reference

    async def update(self, reference: str, post: Post) -> str:
        try:
            before = render.Told.of(reference)
        except ValueError:
            return await self.post(post)
        if not render.worth_a_mail(before, post):
            return reference
        message, said = await self._mail(post, root=before.root)
        await self._send(post, message)
        return said.reference

    async def message(self, address: str, text: str, key: str) -> None:
        if not self._open:
            raise DeliveryFailed("the channel is not open")
        now = datetime.fromtimestamp(self._hub.clock.wall_us() / 1_000_000, UTC)
        mail = render.message(self._settings, address, text, key=key, now=now)
        await self._outgoing.send(mail, sender="", recipient=address)

    async def admit(self, address: str, link: SignInLink) -> None:
        if not self._open:
            raise DeliveryFailed("the channel is not open")
        now = datetime.fromtimestamp(self._hub.clock.wall_us() / 1_000_000, UTC)
        await self._outgoing.send(invitation(self._settings, address, link, now=now), sender="", recipient=address)

    async def post_digest(self, posts: Sequence[Post]) -> list[str]:
        """One mail with all of them, each with its own buttons; a single one is a mail as any other."""
        if len(posts) == 1:
            return [await self.post(posts[0])]
        now = datetime.fromtimestamp(self._hub.clock.wall_us() / 1_000_000, UTC)
        message = render.digest(self._settings, posts, now=now)
        await self._send(posts[0], message)
        return [render.told(post, str(message["Message-ID"])).reference for post in posts]

    async def _mail(self, post: Post, *, root: str | None) -> tuple[EmailMessage, render.Told]:
        if address.address(post.address) is None:
            raise DeliveryFailed(f"{post.address[:80]!r} is no address that a mail can be sent to", permanent=True)
        now = datetime.fromtimestamp(self._hub.clock.wall_us() / 1_000_000, UTC)
        message = render.mail(self._settings, post, root=root, now=now, zone="UTC")
        run = render.ended_run(post.approval)
        if run is not None and self._settings.attach_bytes:
            render.attach_output(message, run, await self._hub.output(run), self._settings.attach_bytes)
        return message, render.told(post, root or str(message["Message-ID"]))

    async def _send(self, post: Post, message: EmailMessage) -> None:
        if not self._open:
            raise DeliveryFailed("the channel is not open")
        await self._outgoing.send(message, sender=render.sender_of(self._settings, post), recipient=post.address)

    async def _send_answers(self) -> None:
        """Answers to mails, beside the reading; they bounce to nobody (RFC 3834 3.3), and a failure changes nothing."""
        while True:
            message, recipient = await self._answers.get()
            try:
                await self._outgoing.send(message, sender="", recipient=recipient)
            except DeliveryFailed as failed:
                logger.warning("an answer could not be sent: %s", failed)
            finally:
                self._answers.task_done()

    def address_of(self, identities: Mapping[str, str], email: str | None) -> str | None:
        return address.address(email) if email else None

    async def check(self) -> list[str]:
        """Sign in to both servers, send a mail to ourselves and wait for it."""
        name, settings = f"channels.{self._channel.name}", self._settings
        problems = []
        try:
            await self._outgoing.check()
        except DeliveryFailed as failed:
            problems.append(f"{name}.smtp: {failed}; look at host, port, user and password")
        if settings.trust.authserv_id is None and not settings.trust.dkim:
            problems.append(
                f"{name}.trust is empty, so no mail proves its sender and replies decide nothing: set authserv_id to "
                "the name with which your mail server begins Authentication-Results"
            )
        if settings.imap is None:
            problems.append(
                f"{name} has no imap, so replies and bounces reach nobody: add it, or know that it only sends"
            )
            return problems
        try:
            async with asyncio.timeout(_ROUND_SECONDS), open_mailbox(settings.imap) as box:
                await box.uids()
        except (MailboxLost, TimeoutError) as lost:
            problems.append(f"{name}.imap: {lost or 'no answer in time'}; look at host, port, user and password")
        if not problems:
            problems += await self._round_trip(name)
        return problems

    async def _round_trip(self, name: str) -> list[str]:
        """Whether a mail to ourselves comes back; how long it took is logged."""
        assert self._settings.imap is not None
        mark = f"interlock-check-{time.time_ns():x}"
        message = EmailMessage()
        message["From"] = message["To"] = self._settings.address
        message["Subject"], message["X-Loop"] = mark, self._settings.address
        message["Message-ID"] = f"<{mark}@{self._settings.domain}>"
        message.set_content("A mail of Interlock to itself.\n")
        inbox = self._settings.imap
        processed = inbox.model_copy(update={"inbox": inbox.processed})  # where a hub that runs has moved it
        begun = time.monotonic()
        try:
            async with asyncio.timeout(_ROUND_SECONDS), open_mailbox(inbox) as box, open_mailbox(processed) as moved:
                await self._outgoing.send(message, sender=self._settings.address, recipient=self._settings.address)
                looking = [asyncio.create_task(_until_it_holds(each, mark)) for each in (box, moved)]
                try:
                    await asyncio.wait(looking, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in looking:
                        task.cancel()
                    await asyncio.gather(*looking, return_exceptions=True)
            logger.info("a mail to %s came back in %.1f s", self._settings.address, time.monotonic() - begun)
            return []
        except TimeoutError:
            return [f"{name}: a mail to {self._settings.address} did not come back within {_ROUND_SECONDS:.0f} s"]
        except (MailboxLost, DeliveryFailed) as failed:
            return [f"{name}: a mail to {self._settings.address} did not come back: {failed}"]


async def _until_it_holds(box: Mailbox, mark: str) -> None:
    """Return once one of the newest mails there is the marked one."""
    while True:
        for uid in (await box.uids())[-20:]:
            raw = await box.fetch(uid)
            if raw is not None and mark.encode() in raw[:65_536]:
                return
        await box.wait(5.0)


def adapter(channel: Channel, hub: Hub) -> Adapter:
    """The entry point `interlock.adapters: email`."""
    return EmailAdapter(channel, hub)
