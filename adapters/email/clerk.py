"""One received mail, from its bytes to an outcome: a chain of small questions, each with one reason to stop.

Kept, read, our own?, a bounce?, a machine's?, whose?, proved?, a reply to a copy of ours?, else a command. The
effect is the hub's and has a once-key of its own, so a mail that is handled twice acts once.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from adapters.email import answers, letter, reply
from adapters.email.html import text_of
from adapters.email.letter import Letter, Unreadable
from adapters.email.proof import Lookup, proven
from adapters.email.settings import Settings
from adapters.email.token import BOUNCE, REPLY, tokens_of, without_tokens
from core.errors import Invalid, Refusal
from core.people.assurance import Assurance
from core.text import refuse_invisible
from hub.contracts import Command, Hub, Inbound, Opened, Reply, Sender

MOST_TRIES = 3
_READ_SECONDS = 10.0
_CALM_SECONDS = 3600.0
_ANSWERS_A_DAY = 20

logger = logging.getLogger("interlock.email")


Send = Callable[[EmailMessage, str], Awaitable[None]]
"""Sends an answer, sooner or later; a failure is logged, and undoes nothing."""


class Clerk:
    """Handles the mails of one channel, one after the other."""

    def __init__(self, channel: str, settings: Settings, hub: Hub, send: Send, lookup: Lookup | None = None) -> None:
        self._channel = channel
        self._settings = settings
        self._hub = hub
        self._send = send
        self._lookup = lookup
        self._helped: dict[str, list[float]] = {}

    async def take(self, raw: bytes) -> str | None:
        """The mail has been handled; why it belongs into quarantine, or None when it does not.

        Raises only when the database failed: the mail then stays where it is.
        """
        key = hashlib.sha256(raw).hexdigest()
        tries = await self._hub.keep_received(self._channel, key, without_tokens(self._settings, raw))
        if tries == 0:
            return None
        if tries > MOST_TRIES:
            await self._hub.settle_received(self._channel, key, "given up")
            return f"it could not be handled in {MOST_TRIES} tries"
        try:
            async with asyncio.timeout(_READ_SECONDS):
                read = await asyncio.to_thread(letter.read, raw)
        except (Unreadable, TimeoutError) as error:
            self._hub.unproven(self._channel, "unreadable")
            await self._hub.settle_received(self._channel, key, "unreadable")
            return str(error) or "reading it took too long"
        outcome, problem = await self._handle(read, raw)
        await self._hub.settle_received(self._channel, key, outcome)
        return problem

    async def _handle(self, mail: Letter, raw: bytes) -> tuple[str, str | None]:
        """The outcome in a word, and why the mail belongs into quarantine or None."""
        if mail.sender == self._settings.address or mail.first("x-loop").lower() == self._settings.address:
            return "our own", None
        if mail.bounce is not None:
            return await self._bounced(mail), None
        if mail.automatic is not None:
            return f"automatic: {mail.automatic}", None
        if mail.sender is None:
            self._hub.unproven(self._channel, "bad_sender")
            return "no sender", "its From names nobody, or several"
        proof = await proven(mail, raw, self._settings.trust, self._lookup)
        copies = [found for token in tokens_of(self._settings, mail, REPLY) if (found := await self._hub.opened(token))]
        if copies:
            return await self._replied(mail, proof, copies[0][0])
        if not self._settings.commands or proof is None:
            self._hub.unproven(self._channel, "unproven_mail" if proof is None else "no_commands")
            return "no token", None
        return await self._asked(mail, proof), None

    async def _bounced(self, mail: Letter) -> str:
        assert mail.bounce is not None
        if not mail.bounce.failed:
            return "delayed"
        for token in tokens_of(self._settings, mail, BOUNCE):
            found = await self._hub.opened(token)
            if found is not None:
                why = f"the mail came back: {mail.bounce.status} {mail.bounce.detail}".strip()
                await self._hub.bounced(found[0].delivery, why)
                return "bounce"
        return "a bounce of another mail"

    # --- replies ---

    async def _replied(self, mail: Letter, proof: str | None, copy: Opened) -> tuple[str, str | None]:
        """A reply to a copy of ours decides by its first line, when its sender is whom the copy was for."""
        if copy.recipient is None or mail.sender != copy.address.lower():
            self._hub.unproven(self._channel, "not_the_recipient")
            return "not the recipient", "it answers a mail that was sent to somebody else"
        if proof is None:
            self._hub.unproven(self._channel, "unproven_mail")
            await self._help(mail, answers.unproven(self._hub.public_url, copy))
            return "unproven", None
        said = self._said(mail, copy)
        if said is None:
            await self._help(mail, answers.not_understood(self._hub.public_url, copy))
            return "not understood", None
        answered = await self._ask(
            Inbound(
                channel=self._channel,
                sender=Sender(principal=copy.recipient),
                assurance=Assurance.EMAIL,
                message_id=mail.message_id or mail.key,
                said_at_us=_said_at(mail),
                answer_to=mail.sender,
                press=copy.tokens[said.verdict],
                comment=said.reason,
                confirm=said.named,
                evidence=self._evidence(mail, proof, "reply token"),
            )
        )
        if not answered.ok:
            await self._answer(mail, answers.refused(self._hub.public_url, copy, answered), answered)
        return answered.code or said.verdict, None

    def _said(self, mail: Letter, copy: Opened) -> reply.Said | None:
        """The one decision in it; None where it names another request, text and HTML disagree, or it was sent on."""
        if mail.forward:
            return None
        said = reply.decision(mail.words, short=copy.short_replies)
        if said is not None and said.reason is not None and not _readable(said.reason):
            return None
        if said is not None and said.named is not None and said.named.upper() != copy.approval:
            return None
        if mail.text is not None and mail.html is not None:
            shown = reply.decision(text_of(mail.html), short=copy.short_replies)
            if (shown.verdict if shown else None) != (said.verdict if said else None):
                return None
        return said

    # --- commands ---

    async def _asked(self, mail: Letter, proof: str) -> str:
        """A command without a token: the whole body as JSON, else the first line, else the subject."""
        inbound = Inbound(
            channel=self._channel,
            sender=Sender(identity=mail.sender),
            assurance=Assurance.EMAIL,
            message_id=mail.message_id or mail.key,
            body_hash=bytes.fromhex(mail.key),
            said_at_us=_said_at(mail),
            answer_to=mail.sender,
            evidence=self._evidence(mail, proof, "from address"),
        )
        try:
            asked = _structured(mail)
        except Refusal as refusal:
            answered = await self._hub.refuse(inbound, refusal.code, refusal.message)
            await self._answer(mail, answers.said(answered), answered)
            return refusal.code
        if asked is not None:
            answered = await self._ask(replace(inbound, **asked))
        else:
            words = reply.own_words(mail.words).strip()
            line = next((each.strip() for each in words.split("\n") if each.strip()), "") or mail.subject.strip()
            answered = await self._ask(replace(inbound, text=line))
            if answered.code in ("unknown_command", "usage", "unbalanced_quote", "too_many_values"):
                proposal = await self._hub.understood(inbound, f"{mail.subject}\n{words}"[:4_000])
                if proposal is not None:
                    await self._answer(mail, answers.proposed(proposal))
                    return "proposed"
        await self._answer(mail, answers.said(answered), answered)
        return answered.code or "done"

    async def _ask(self, inbound: Inbound) -> Reply:
        """The hub's answer; mail is patient, so being too fast only takes longer."""
        while True:
            answered = await self._hub.handle(inbound)
            if answered.code != "too_fast":
                return answered
            await asyncio.sleep(min(5.0, float(answered.data.get("retry_after_seconds") or 1.0)))

    # --- answers ---

    async def _help(self, mail: Letter, text: str) -> None:
        """At most one such answer to a sender in an hour, and twenty a day."""
        assert mail.sender is not None
        now = self._hub.clock.monotonic()
        times = [at for at in self._helped.get(mail.sender, ()) if now - at < 86_400.0]
        if len(times) >= _ANSWERS_A_DAY or (times and now - times[-1] < _CALM_SECONDS):
            return
        self._helped[mail.sender] = [*times, now]
        await self._answer(mail, text)

    async def _answer(self, mail: Letter, text: str, reply: Reply | None = None) -> None:
        assert mail.sender is not None
        code = None if reply is None else reply.code or ("ok" if reply.ok else "refused")
        await self._send(answers.message(self._settings, mail, text, code), mail.sender)

    def _evidence(self, mail: Letter, proof: str, how: str) -> Mapping[str, str]:
        found = {"mail": proof, "by": how}
        if mail.message_id is not None:
            found["message_id"] = mail.message_id[:200]
        return found


def _readable(reason: str) -> bool:
    try:
        refuse_invisible(reason, multiline=True)
    except Invalid:
        return False
    return True


def _said_at(mail: Letter) -> int | None:
    """The Date header, in microseconds since 1970."""
    try:
        return int(parsedate_to_datetime(mail.first("date")).timestamp() * 1_000_000)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _structured(mail: Letter) -> dict[str, Any] | None:
    """`{"command": …}` or `{"action": …, "params": …}` as the whole body; None for a body that is no JSON.

    Raises Invalid for JSON that is neither, or says a key twice.
    """
    body = mail.json if mail.json is not None else mail.words.strip().encode()
    if not body.lstrip().startswith(b"{"):
        return None
    value = _json(body)
    if isinstance(value.get("command"), str) and value.keys() == {"command"}:
        return {"text": value["command"]}
    if isinstance(value.get("action"), str) and value.keys() <= {"action", "params", "reason"}:
        return {"command": Command(verb="request", args=value)}
    raise Invalid("unreadable", 'a body is {"command": "…"} or {"action": …, "params": …, "reason": …}')


def _json(body: bytes) -> dict[str, Any]:
    """An object whose keys are each given once (RFC 8259 leaves what else would count to chance)."""
    import json

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise Invalid("unreadable", "the body says a key twice")
        return dict(pairs)

    try:
        orjson.loads(body)  # the strict reader: no NaN, no lone surrogates, bounded depth
        value = json.loads(body, object_pairs_hook=once)
    except ValueError:
        raise Invalid("unreadable", "the body begins like JSON and is none") from None
    if not isinstance(value, dict):
        raise Invalid("unreadable", "the body is no JSON object")
    return value
