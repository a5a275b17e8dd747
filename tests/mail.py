"""Real mail servers on this machine for a test: Dovecot and Exim, by the laboratory in tests/lab/mail."""

from __future__ import annotations

import asyncio
import os
import re
import smtplib
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path

import jwt
from hubs import ACTIONS, Bench, make_hub, running

from adapters.email.adapter import adapter as email
from adapters.email.mailbox import Mailbox, open_mailbox
from adapters.email.settings import Imap

LAB = Path(__file__).parent / "lab" / "mail"
DOMAIN = "lab.test"
_LAB_KEY = "lab-jwt-secret-not-a-real-one-0123456789"
MX = "mx.lab.test"
"""The authserv-id of the lab's receiving server: what a test writes as its verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """The servers' state and ports."""

    folder: Path
    imaps: int
    smtp: int

    @property
    def ca(self) -> str:
        return str(self.folder / "etc" / "cert.pem")

    def imap(self, user: str = "hub") -> Imap:
        return Imap.model_validate(
            {"host": "localhost", "port": self.imaps, "user": user, "password": "secret", "ca": self.ca}
        )

    def channel(self, more: str = "") -> str:
        """The channel `mail` in hub.yaml, whose trusted server is `MX`."""
        server = f"host: localhost, ca: '{self.ca}'"
        return f"""
channels:
  mail:
    adapter: email
    address: hub@{DOMAIN}
    imap: {{{server}, port: {self.imaps}, user: hub, password: "${{env:MAIL_PASSWORD}}"}}
    smtp: {{{server}, port: {self.smtp}, user: hub, password: "${{env:MAIL_PASSWORD}}"}}
    trust: {{authserv_id: {MX}, hosts: [lab.test, localhost]}}
{more}
"""

    def send(self, message: EmailMessage | bytes, *, sender: str, to: str) -> None:
        """The server has taken the mail."""
        content = message if isinstance(message, bytes) else message.as_bytes(policy=policy.SMTP)
        with smtplib.SMTP("localhost", self.smtp, timeout=10) as client:
            client.starttls(context=ssl.create_default_context(cafile=self.ca))
            client.sendmail(sender, [to], content)

    @asynccontextmanager
    async def mailbox(self, user: str) -> AsyncIterator[Mailbox]:
        async with open_mailbox(self.imap(user)) as box:
            yield box

    async def wait_for(
        self, user: str, wanted: Callable[[EmailMessage], object], seconds: float = 20.0, *, folder: str = "INBOX"
    ) -> EmailMessage:
        """The first mail of `user` that is wanted, as soon as it is there; it stays there."""
        seen: set[int] = set()
        settings = self.imap(user).model_copy(update={"inbox": folder})
        async with asyncio.timeout(seconds), open_mailbox(settings) as box:
            while True:
                for uid in await box.uids():
                    if uid not in seen:
                        seen.add(uid)
                        found = message_from_bytes(await box.fetch(uid) or b"", policy=policy.default)
                        if wanted(found):
                            return found
                await asyncio.sleep(0.1)

    async def count(self, user: str, folder: str = "INBOX") -> int:
        async with open_mailbox(self.imap(user).model_copy(update={"inbox": folder})) as box:
            return len(await box.uids())


def written(
    sender: str, to: str, body: str, *, subject: str = "Re: it", verdict: str | None = "dmarc=pass", **headers: str
) -> EmailMessage:
    """A mail as somebody's client writes it, with the receiving server's verdict already on top."""
    message = EmailMessage()
    if verdict is not None:
        domain = sender.rpartition("@")[2].rstrip(">")
        message["Authentication-Results"] = f"{MX}; {verdict} header.from={domain}"
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Message-ID"] = make_msgid(domain=DOMAIN)
    message["Date"] = "Sat, 21 Nov 2026 10:00:00 +0000"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message


def send_all(lab: Lab, messages: Iterable[EmailMessage], *, sender: str, to: str) -> None:
    """The server has taken every mail, over one connection."""
    with smtplib.SMTP("localhost", lab.smtp, timeout=10) as client:
        client.starttls(context=ssl.create_default_context(cafile=lab.ca))
        for each in messages:
            client.sendmail(sender, [to], each.as_bytes(policy=policy.SMTP))


@contextmanager
def mail_lab() -> Iterator[Lab]:
    """The laboratory, running until the end."""
    environ = {**os.environ, "LAB_PORTS": "free"}
    environ.pop("LAB_DIR", None)
    started = subprocess.run(["bash", str(LAB / "start.sh")], env=environ, capture_output=True, text=True, timeout=60)
    assert started.returncode == 0, started.stderr
    folder = Path(started.stdout.strip())
    lines = (folder / "env").read_text().splitlines()
    given = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    try:
        yield Lab(folder=folder, imaps=int(given["IMAPS_PORT"]), smtp=int(given["SMTP_PORT"]))
    finally:
        subprocess.run(
            ["bash", str(LAB / "stop.sh"), str(folder)],
            env={**os.environ, "WIPE": "1"},
            capture_output=True,
            timeout=60,
        )


PEOPLE = """
people:
  ana: {name: Ana Ruiz, email: alice@lab.test, groups: [sre, admins]}
  bo:  {name: Bo Lind, email: bob@lab.test, groups: [sre], prefer: [mail]}
  cai: {name: Cai Wu, email: carol@lab.test, groups: [sre], prefer: [mail]}
"""
BY_MAIL = """
policies:
  - name: default
    require: [{group: sre, count: 1}]
    min_assurance: email
"""


@asynccontextmanager
async def bench_on(
    lab: Lab, folder: Path, *, policies: str = BY_MAIL, more: str = "", actions: str = ACTIONS, fresh: bool = True
) -> AsyncIterator[Bench]:
    """A hub whose mail channel is the lab's; nobody has any mail yet."""
    if fresh:
        await empty(lab)
    hub = make_hub(
        folder,
        actions=actions,
        channels=lab.channel(more),
        people=PEOPLE,
        policies=policies,
        adapters={"email": email},
        environ={"MAIL_PASSWORD": "secret"},
    )
    async with running(hub) as bench:
        yield bench


async def empty(lab: Lab) -> None:
    """Nobody has any mail."""
    for user in ("hub", "alice", "bob", "carol", "ooo"):
        async with lab.mailbox(user) as box:
            for uid in await box.uids():
                await box.move(uid, "Processed")


def asks(name: str) -> Callable[[EmailMessage], bool]:
    """Whether a mail is about that approval."""
    return lambda mail: f"[{name}]" in str(mail["Subject"])


def reply_to(mail: EmailMessage) -> str:
    """The address that a reply to it goes to."""
    found = re.search(r"hub\+r\.[a-z2-7]{39}@lab\.test", str(mail["Reply-To"]))
    assert found is not None
    return found[0]


def bearer(user: str, lifetime_seconds: int) -> str:
    """An access token that the lab's Dovecot takes for XOAUTH2 (RFC 7519, HS256)."""
    now = int(time.time())
    claims = {"sub": user, "iss": "lab", "iat": now - 90, "nbf": now - 90, "exp": now + lifetime_seconds}
    return jwt.encode(claims, _LAB_KEY, algorithm="HS256")
