"""What becomes of a mail: each small question, with a hub that records."""

from __future__ import annotations

import base64
from email import policy
from email.message import EmailMessage

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from mail import MX, written

from adapters.email.clerk import Clerk
from adapters.email.letter import read
from adapters.email.settings import Settings, settings_of
from adapters.email.token import BOUNCE, REPLY, address_of, fold, message_id, tokens_of, unfold, without_tokens
from core.world import Channel
from hub.contracts import Opened, Reply
from hub.testing import COPY, SAMPLE, RecordingHub, sample_card

pytestmark = pytest.mark.anyio

BO = "bo@lab.test"


def settings(**changes: object) -> Settings:
    given = {"address": "hub@lab.test", "smtp": {"host": "localhost"}, "trust": {"authserv_id": MX}, "commands": True}
    return settings_of(Channel(name="mail", adapter="email", settings={**given, **changes}))


def copy(**changes: object) -> Opened:
    given = {
        "approval": "A1",
        "revision": 1,
        "digest": "d" * 64,
        "delivery": 7,
        "channel": "mail",
        "address": BO,
        "recipient": "bo",
        "current": True,
        "tokens": {"approve": "live-token", "reject": "no-token", "request-changes": "other-token"},
    }
    return Opened(**{**given, **changes})  # type: ignore[arg-type]


class Desk:
    """A clerk and what it did."""

    def __init__(self, given: Settings | None = None, lookup: object = None, **changes: object) -> None:
        self.hub = RecordingHub()
        self.hub.copies[COPY] = (copy(**changes), Reply(ok=True, text="A1", card=sample_card(), approval=SAMPLE))
        self.sent: list[EmailMessage] = []
        self.settings = given or settings()
        self.clerk = Clerk("mail", self.settings, self.hub, self._send, lookup)  # type: ignore[arg-type]

    async def _send(self, message: EmailMessage, recipient: str) -> None:
        self.sent.append(message)

    async def take(self, message: EmailMessage | bytes) -> str | None:
        raw = message if isinstance(message, bytes) else message.as_bytes(policy=policy.SMTP)
        return await self.clerk.take(raw)

    @property
    def reply_to(self) -> str:
        return address_of(self.settings, REPLY, COPY)


async def test_a_reply_in_any_case_of_its_address_or_by_its_thread_decides() -> None:
    for to, answers in (
        (address_of(settings(), REPLY, COPY).upper().replace("LAB.TEST", "lab.test"), ""),
        ("hub@lab.test", message_id(settings(), COPY, "k")),
    ):
        desk = Desk()
        mail = written(BO, to, "approve\n")
        if answers:
            mail["In-Reply-To"] = answers
        assert await desk.take(mail) is None
        (inbound,) = desk.hub.acted
        assert (inbound.press, inbound.sender.principal) == ("live-token", "bo")
        assert inbound.evidence["mail"] == f"dmarc=pass by {MX}"
        assert inbound.evidence["message_id"] == mail["Message-ID"]


async def test_text_and_html_that_disagree_decide_nothing_and_get_an_answer() -> None:
    desk = Desk()
    mail = written(BO, desk.reply_to, "approve\n")
    mail.add_alternative("<p>reject because no</p>", subtype="html")
    await desk.take(mail)
    assert desk.hub.acted == []
    assert "decided nothing" in desk.sent[0].get_content()
    agreeing = written(BO, desk.reply_to, "approve\n")
    agreeing.add_alternative("<div>approve</div><blockquote>reject</blockquote>", subtype="html")
    await desk.take(agreeing)
    assert len(desk.hub.acted) == 1


async def test_a_forward_and_a_reason_with_hidden_characters_decide_nothing() -> None:
    for body, subject in (("approve\n", "Fwd: [A1] Deploy"), ("reject because of \u202ethis\n", "Re: it")):
        desk = Desk()
        await desk.take(written(BO, desk.reply_to, body, subject=subject))
        assert desk.hub.acted == []
        assert len(desk.sent) == 1


async def test_a_reply_may_name_the_request_and_decides_nothing_when_it_names_another() -> None:
    for words, decided in (("approve A1", ["A1"]), ("Approved a1.", ["a1"]), ("approve", [None]), ("approve A2", [])):
        desk = Desk()
        await desk.take(written(BO, desk.reply_to, f"{words}\n"))
        assert [each.confirm for each in desk.hub.acted] == decided, words


async def test_short_replies_decide_only_where_the_policy_says_so() -> None:
    for allowed in (False, True):
        desk = Desk(short_replies=allowed)
        await desk.take(written(BO, desk.reply_to, "yes\n"))
        assert [each.press for each in desk.hub.acted] == (["live-token"] if allowed else [])


async def test_one_help_answer_an_hour_and_none_to_strangers_or_machines() -> None:
    desk = Desk()
    for _ in range(3):
        await desk.take(written(BO, desk.reply_to, "hm\n"))
    assert len(desk.sent) == 1
    assert desk.sent[0]["Auto-Submitted"] == "auto-replied"
    await desk.take(written("mallory@evil.test", desk.reply_to, "approve\n"))
    await desk.take(written("mallory@evil.test", "hub@lab.test", "status\n", verdict=None))
    await desk.take(written(BO, desk.reply_to, "approve\n", Precedence="bulk"))
    assert len(desk.sent) == 1
    assert desk.hub.acted == []


async def test_a_bounce_is_noted_on_its_copy_by_its_own_address() -> None:
    desk = Desk()
    to = address_of(desk.settings, BOUNCE, COPY)
    report = (
        f"Return-Path: <>\nFrom: Mailer-Daemon@lab.test\nTo: {to}\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nAction: failed\nStatus: 5.1.1\n\n--b--\n"
    )
    assert await desk.take(report.encode()) is None
    assert [number for number, _ in desk.hub.bounces] == [7]
    assert "5.1.1" in desk.hub.bounces[0][1]
    await desk.take(report.replace("Action: failed", "Action: delayed").encode())
    assert len(desk.hub.bounces) == 1


async def test_json_is_a_command_only_as_the_whole_body_and_with_each_key_once() -> None:
    desk = Desk()
    await desk.take(written(BO, "hub@lab.test", '{"action": "deploy", "params": {"env": "staging"}}'))
    assert desk.hub.acted[0].command is not None
    assert desk.hub.acted[0].command.verb == "request"
    for body in (
        '{"command": "a", "command": "b"}',
        '{"command": 1}',
        "{not json",
        '{"verb": "approve", "ids": ["A1"]}',
    ):
        await desk.take(written(BO, "hub@lab.test", body))
    assert len(desk.hub.acted) == 1
    assert len(desk.hub.refused) == 4


async def test_the_subject_is_the_command_of_an_empty_body() -> None:
    desk = Desk()
    await desk.take(written(BO, "hub@lab.test", "\n-- \nBo\n", subject="status"))
    assert desk.hub.acted[0].text == "status"


async def test_without_commands_a_mail_without_a_token_asks_for_nothing() -> None:
    desk = Desk(settings(commands=False))
    assert await desk.take(written(BO, "hub@lab.test", "status\n")) is None
    assert (desk.hub.acted, desk.sent, desk.hub.unproven_codes) == ([], [], ["no_commands"])


async def test_a_mail_is_handled_once_and_put_aside_after_three_failures() -> None:
    desk = Desk()
    mail = written(BO, desk.reply_to, "approve\n")
    assert await desk.take(mail) is None
    assert await desk.take(mail) is None
    assert len(desk.hub.acted) == 1
    raw = written(BO, "hub@lab.test", "status\n").as_bytes()

    async def broken(*args: object) -> object:
        raise RuntimeError("a bug of ours")

    desk.hub.handle = broken  # type: ignore[method-assign, assignment]
    for _ in range(3):
        with pytest.raises(RuntimeError):
            await desk.take(raw)
    assert "3 tries" in str(await desk.take(raw))


async def test_our_own_dkim_check_needs_an_aligned_signature_over_all_of_the_body() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    def lookup(name: bytes, timeout: int = 5) -> bytes:
        return record

    given = settings(trust={"dkim": True})
    desk = Desk(given, lookup)
    raw = written(BO, desk.reply_to, "approve\r\n", verdict=None).as_bytes(policy=policy.SMTP)
    headers = [b"from", b"to", b"subject"]
    good = dkim.sign(raw, b"s", b"lab.test", private, include_headers=headers) + raw
    foreign = dkim.sign(raw, b"s", b"evil.test", private, include_headers=headers) + raw
    partial = dkim.sign(raw, b"s", b"lab.test", private, include_headers=headers, length=True) + raw + b"more\r\n"
    changed = good.replace(b"approve", b"reject ")
    for mail in (foreign, partial, changed, raw):
        await desk.take(mail)
        assert desk.hub.acted == []
    await desk.take(good)
    assert desk.hub.acted[0].evidence["mail"] == "dkim=pass for lab.test"


def test_tokens_survive_folding_and_are_blanked_in_what_is_kept() -> None:
    assert unfold(fold(COPY)) == COPY
    given = settings()
    mail = written(BO, address_of(given, REPLY, COPY), f"> https://hub.example.com/a/{COPY}?choice=approve\n")
    mail["In-Reply-To"] = message_id(given, COPY, "k")
    raw = mail.as_bytes()
    assert tokens_of(given, read(raw), REPLY) == [COPY]
    kept = without_tokens(given, raw)
    assert fold(COPY).encode() not in kept.lower()
    assert COPY.encode() not in kept
    assert b"approve" in kept
