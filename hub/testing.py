"""What every adapter promises, as a suite that a stranger runs over theirs.

Subclass `AdapterContract` in a test module and give it a `bench`: the adapter at work, the `RecordingHub` behind it,
and the channel's far side as your test plays it. What your channel cannot do (a webhook has no presses) the bench
says with None, and those promises are passed over.

    class TestMine(AdapterContract):
        @asynccontextmanager
        async def bench(self):
            async with MyBench() as bench:
                yield bench
"""

from __future__ import annotations

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from core.apply.printed import Printed
from core.clock import Clock, SystemClock
from core.deep_link import deep_link
from core.errors import Conflict, NotFound
from core.people.assurance import Assurance
from core.world import Hook
from hub.contracts import (
    Adapter,
    Button,
    Caller,
    Card,
    DeliveryFailed,
    Inbound,
    LinksBy,
    News,
    Opened,
    Output,
    Post,
    Reply,
    Said,
    WayIn,
)

PUBLIC_URL = "http://127.0.0.1:8000"
COPY = "A" * 32
"""The token of every sample copy."""
LIVE, STALE = "live-token", "stale-token"
"""Press tokens that the recording hub knows: one to redeem, one of an older revision."""


@dataclass(kw_only=True)
class RecordingHub:
    """A hub of its own: it keeps what it was handed, acts once per message id, and knows two press tokens."""

    public_url: str = PUBLIC_URL
    clock: Clock = field(default_factory=SystemClock)
    head: int = 0
    inbounds: list[Inbound] = field(default_factory=list)
    """Everything that was handed over, redeliveries too."""
    acted: list[Inbound] = field(default_factory=list)
    """What had an effect."""
    unproven_codes: list[str] = field(default_factory=list)
    refused: list[tuple[Inbound, str]] = field(default_factory=list)
    shown: list[tuple[str, int, str]] = field(default_factory=list)
    callers: dict[str, Caller] = field(default_factory=dict)
    """Header value (a cookie, or `Bearer …`) -> who that proves."""
    ended: set[str] = field(default_factory=set)
    """Proofs that no longer stand."""
    hooks: dict[str, Hook] = field(default_factory=dict)
    open_cards: list[Reply] = field(default_factory=list)
    news: asyncio.Queue[News] = field(default_factory=asyncio.Queue)
    reply_seconds: float = 0.0
    copies: dict[str, tuple[Opened, Reply]] = field(default_factory=dict)
    """Token of a copy -> what it stands for."""
    received: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    """Key of a received message -> how often it was tried, and what became of it."""
    raw: dict[str, bytes] = field(default_factory=dict)
    """Key of a received message -> its text, until it is forgotten."""
    printed: dict[str, Printed] = field(default_factory=dict)
    """Run -> what it printed so far."""
    over: set[str] = field(default_factory=set)
    """Runs that have ended."""
    names: dict[str, str] = field(default_factory=dict)
    """Identity -> principal."""
    emails: dict[str, str] = field(default_factory=dict)
    """Address -> principal."""
    asked_places: tuple[str, ...] = ()
    group_sources: tuple[str, ...] = ()
    told_groups: dict[str, tuple[frozenset[str] | None, str | None]] = field(default_factory=dict)
    """Group of the channel -> who it was told to hold, or why that could not be read."""
    linking: list[tuple[Inbound, str]] = field(default_factory=list)
    """Who said which code."""
    pinned: str | None = None
    rights: frozenset[str] = frozenset()
    ways_in: tuple[WayIn, ...] = ()
    vault: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Name -> value and version."""
    claimed: set[tuple[str, int]] = field(default_factory=set)
    lost: list[tuple[str, str]] = field(default_factory=list)
    """Beginnings of addresses that nothing reaches any more, and why."""
    taking_again: list[str | None] = field(default_factory=list)
    bounces: list[tuple[int, str]] = field(default_factory=list)
    _answers: dict[tuple[str, str, str], tuple[bytes, Reply]] = field(default_factory=dict)

    async def handle(self, inbound: Inbound) -> Reply:
        """The first answer again for a message id that was answered, else a fresh one."""
        self.inbounds.append(inbound)
        if self.reply_seconds:
            await asyncio.sleep(self.reply_seconds)
        if inbound.message_id is None:
            return self._act(inbound)
        sender = inbound.sender.principal or inbound.sender.identity or ""
        key = (inbound.channel, sender, inbound.message_id)
        if key in self._answers:
            body_hash, first = self._answers[key]
            if body_hash != inbound.body_hash:
                return Reply(ok=False, code="idempotency_mismatch", text="this id was used for another message")
            return replace(first, repeated=True)
        reply = self._act(inbound)
        self._answers[key] = (inbound.body_hash, reply)
        return reply

    def _act(self, inbound: Inbound) -> Reply:
        if inbound.press == STALE:
            return Reply(ok=False, code="digest_stale", text="it has changed", card=sample_card(), approval=SAMPLE)
        if inbound.press is not None and inbound.press != LIVE:
            return Reply(ok=False, code="unknown_press", text="this button is not ours")
        self.acted.append(inbound)
        asked = inbound.text or inbound.press or (inbound.command.verb if inbound.command else "")
        return Reply(ok=True, text=f"done: {asked}", card=sample_card(), approval=SAMPLE)

    async def hooked(self, inbound: Inbound, hook: Hook, body: Any, headers: Mapping[str, str]) -> Reply:
        self.acted.append(inbound)
        return Reply(ok=True, text=f"done: {', '.join(hook.triggers)}")

    async def refuse(self, inbound: Inbound, code: str, message: str) -> Reply:
        self.refused.append((inbound, code))
        return Reply(ok=False, code=code, text=message)

    def unproven(self, channel: str, code: str) -> None:
        self.unproven_codes.append(code)

    async def authenticate(self, headers: Mapping[str, str]) -> Caller | None:
        value = headers.get("authorization") or headers.get("cookie") or ""
        caller = self.callers.get(value)
        return caller if caller is not None and self.valid(caller) else None

    def valid(self, caller: Caller) -> bool:
        return caller.proof not in self.ended

    def nonce(self, caller: Caller, purpose: str) -> str:
        return hashlib.sha256(f"{caller.proof} {purpose}".encode()).hexdigest()

    def hook(self, name: str) -> Hook | None:
        return self.hooks.get(name)

    async def follow(self, caller: Caller, *, after: int | None, events: Collection[str] = ()) -> AsyncIterator[News]:
        while True:
            yield await self.news.get()

    async def cards(self, caller: Caller) -> list[Reply]:
        return self.open_cards

    async def card(self, caller: Caller, approval: str) -> Reply:
        for reply in self.open_cards:
            if reply.card is not None and reply.card.approval == approval:
                return reply
        return Reply(ok=False, code="not_found", text=f"there is no {approval} that you may see")

    async def halted(self) -> str | None:
        return None

    def showed(self, approval: str, revision: int, people: Collection[str]) -> None:
        self.shown += [(approval, revision, person) for person in people]

    def origins(self, host: str | None) -> frozenset[str]:
        return frozenset({self.public_url})

    async def opened(self, token: str) -> tuple[Opened, Reply] | None:
        return self.copies.get(token)

    def links_by(self) -> LinksBy:
        return LinksBy()

    async def output(self, run: str) -> bytes:
        return b""

    async def watch(self, caller: Caller, run: str, offset: int) -> AsyncGenerator[Output]:
        if run not in self.printed:
            raise NotFound("not_found", f"there is no {run} that you may see")
        while True:
            while (piece := self.printed[run].read(offset)) is not None:
                offset = piece.next
                yield Output.of(run, piece)
            if run in self.over:
                yield Output.nothing(run, offset, ended=True)
                return
            await asyncio.sleep(0.01)

    async def understood(self, inbound: Inbound, text: str) -> str | None:
        return None

    async def keep_received(self, channel: str, key: str, raw: bytes) -> int:
        tries, outcome = self.received.get(key, (0, None))
        if outcome is not None:
            return 0
        self.received[key] = (tries + 1, None)
        self.raw[key] = raw
        return tries + 1

    async def settle_received(self, channel: str, key: str, outcome: str, *, forget: bool = False) -> None:
        self.received[key] = (self.received[key][0], outcome)
        if forget:
            self.raw.pop(key, None)

    async def left_received(self, channel: str) -> list[tuple[str, bytes]]:
        return [(key, self.raw[key]) for key, (_, outcome) in self.received.items() if outcome is None]

    def places(self, channel: str) -> tuple[str, ...]:
        return self.asked_places

    def named(self, channel: str, identity: str) -> str | None:
        return self.names.get(identity)

    async def link(self, inbound: Inbound, code: str) -> Reply:
        self.linking.append((inbound, code))
        return Reply(ok=True, text="linked")

    async def pin(self, channel: str, realm: str) -> None:
        if self.pinned not in (None, realm):
            raise Conflict("other_realm", f"{realm} is another workspace than {self.pinned}")
        self.pinned = realm

    def sources(self, channel: str) -> tuple[str, ...]:
        return self.group_sources

    async def tell_group(
        self, channel: str, group: str, members: Collection[str] | None, problem: str | None = None
    ) -> None:
        self.told_groups[group] = (None if members is None else frozenset(members), problem)

    def by_email(self, channel: str, email: str) -> str | None:
        return self.emails.get(email)

    def may(self, caller: Caller, right: str) -> bool:
        return self.valid(caller) and right in self.rights

    async def kept(self, channel: str) -> dict[str, tuple[str, int]]:
        return dict(self.vault)

    async def keep(
        self, channel: str, name: str, value: str, *, after: int | None = None, said: Said | None = None
    ) -> bool:
        version = self.vault[name][1] if name in self.vault else 0
        if after is not None and after != version:
            return False
        self.vault[name] = (value, version + 1)
        return True

    async def claim(self, channel: str, name: str, version: int, seconds: float) -> bool:
        claimed = (name, version)
        if claimed in self.claimed or self.vault.get(name, ("", 0))[1] != version:
            return False
        self.claimed.add(claimed)
        return True

    async def take(self, channel: str, name: str, *, said: Said | None = None) -> str | None:
        found = self.vault.pop(name, None)
        return None if found is None else found[0]

    async def gone(self, channel: str, prefix: str, why: str) -> int:
        self.lost.append((prefix, why))
        return 0

    async def takes_again(self, channel: str, address: str | None = None) -> None:
        self.taking_again.append(address)

    async def bounced(self, delivery: int, why: str) -> bool:
        self.bounces.append((delivery, why))
        return True


SAMPLE: Mapping[str, Any] = {
    "id": "A1",
    "version": 1,
    "action": "deploy",
    "title": "Deploy web",
    "params": {"service": "web"},
    "reason": None,
    "state": "REVIEWING",
    "revision": 1,
    "digest": "d" * 64,
    "requester": {"id": "ana", "kind": "person", "name": "Ana Ruiz"},
    "owners": [],
    "policy": "default",
    "requirements": [{"group": "sre", "count": 1, "have": 0, "by": []}],
    "decisions": [],
    "created_at": "2026-01-01T10:00:00.000000Z",
}
"""An Approval JSON under review."""


def sample_card(**changes: Any) -> Card:
    """The card of `SAMPLE`, with live buttons."""
    card = Card(
        approval="A1",
        version=1,
        digest="d" * 64,
        state="REVIEWING",
        title="Deploy web",
        summary="Ana Ruiz asks; it needs 1 of sre.",
        url=deep_link(PUBLIC_URL, "A1"),
        buttons=(
            Button(label="Approve", choice="approve", token=LIVE, style="primary"),
            Button(label="Reject", choice="reject", token="other-token", style="danger"),  # noqa: S106 (a press token)
        ),
        requester="Ana Ruiz",
    )
    return replace(card, **changes)


def sample_post(address: str, **changes: Any) -> Post:
    """A copy of the card of `SAMPLE` for `address`."""
    post = Post(
        address=address, card=sample_card(), event="approval:requested", approval=SAMPLE, key="key-1", token=COPY
    )
    return replace(post, **changes)


def decided_post(address: str) -> Post:
    """The same copy after a decision: without buttons."""
    approval = {**SAMPLE, "state": "REJECTED"}
    card = sample_card(state="REJECTED", summary="Rejected by Bo Lind in page; nothing ran.", buttons=(), final=True)
    return sample_post(address, card=card, event="approval:rejected", approval=approval, key="key-2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the far side was answered: `ok` as the reply said, or False where nothing was handled."""

    ok: bool
    code: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A copy as the far side has it now: what it shows, and the tokens that can be pressed."""

    text: str
    tokens: tuple[str, ...]


class Bench(ABC):
    """An adapter at work, and its channel's far side."""

    adapter: Adapter
    hub: RecordingHub
    address: str
    """A place on the channel that copies can be posted to."""

    @abstractmethod
    async def say(self, text: str, message_id: str) -> Answer:
        """A proved sender says `text`, as the platform's message `message_id`."""

    @abstractmethod
    async def say_unproven(self, text: str) -> Answer:
        """Somebody says `text` with a proof that is none."""

    @abstractmethod
    async def seen(self) -> list[Seen]:
        """What the far side has of the copies posted, the newest state of each."""

    async def press(self, token: str, message_id: str) -> Answer | None:
        """The proved sender presses; None where the channel has no presses."""
        return None

    async def echo(self) -> bool:
        """The channel delivers the adapter's own last message back to it; False where channels do no such thing."""
        return False

    def hold(self) -> AbstractAsyncContextManager[None] | None:
        """Within it the far side takes no post to its end; None where a post does not wait for the far side."""
        return None


class AdapterContract(ABC):
    """The promises. `bench` makes a fresh one for each."""

    @abstractmethod
    def bench(self) -> AbstractAsyncContextManager[Bench]:
        """The adapter running, with its far side."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.mark.anyio
    async def test_a_proved_message_is_handed_over_whole_with_its_sender_and_answered(self) -> None:
        async with self.bench() as bench:
            answer = await bench.say("status", "m1")
            assert answer.ok, answer
            assert "done: status" in answer.text
            (inbound,) = bench.hub.inbounds
            assert inbound.text == "status"
            assert (inbound.sender.principal is None) != (inbound.sender.identity is None)
            assert inbound.assurance > Assurance.UNVERIFIED
            assert [inbound.text, inbound.press, inbound.command].count(None) == 2

    @pytest.mark.anyio
    async def test_an_unproven_message_is_counted_and_never_handed_over(self) -> None:
        async with self.bench() as bench:
            answer = await bench.say_unproven("status")
            assert not answer.ok
            assert bench.hub.inbounds == []
            assert len(bench.hub.unproven_codes) == 1

    @pytest.mark.anyio
    async def test_a_message_delivered_again_acts_once_and_gets_the_first_answer(self) -> None:
        async with self.bench() as bench:
            first = await bench.say("status", "m1")
            again = await bench.say("status", "m1")
            assert first == again
            assert len(bench.hub.acted) == 1
            other = await bench.say("status", "m2")
            assert other.ok
            assert len(bench.hub.acted) == 2

    @pytest.mark.anyio
    async def test_another_body_under_the_same_message_id_is_refused(self) -> None:
        async with self.bench() as bench:
            await bench.say("status", "m1")
            answer = await bench.say("queue all", "m1")
            assert (answer.ok, answer.code) == (False, "idempotency_mismatch")
            assert len(bench.hub.acted) == 1

    @pytest.mark.anyio
    async def test_its_own_messages_are_ignored(self) -> None:
        async with self.bench() as bench:
            await bench.adapter.post(sample_post(bench.address))
            if await bench.echo():
                assert bench.hub.inbounds == []

    @pytest.mark.anyio
    async def test_a_press_reaches_the_hub_as_its_token(self) -> None:
        async with self.bench() as bench:
            answer = await bench.press(LIVE, "p1")
            if answer is not None:
                assert answer.ok, answer
                assert [inbound.press for inbound in bench.hub.acted] == [LIVE]

    @pytest.mark.anyio
    @pytest.mark.parametrize(("token", "code"), [(STALE, "digest_stale"), ("nonsense", "unknown_press"), ("", None)])
    async def test_a_stale_or_unknown_press_is_answered(self, token: str, code: str | None) -> None:
        async with self.bench() as bench:
            answer = await bench.press(token, "p1")
            if answer is not None:
                assert not answer.ok
                assert code is None or answer.code == code
                assert bench.hub.acted == []

    @pytest.mark.anyio
    async def test_a_posted_card_shows_what_is_asked_with_buttons_that_can_be_pressed(self) -> None:
        async with self.bench() as bench:
            reference = await bench.adapter.post(sample_post(bench.address))
            assert reference
            (copy,) = await bench.seen()
            assert "Deploy web" in copy.text
            if bench.adapter.powers.buttons:
                assert LIVE in copy.tokens

    @pytest.mark.anyio
    async def test_an_updated_card_shows_the_decision_and_has_no_button_left(self) -> None:
        async with self.bench() as bench:
            reference = await bench.adapter.post(sample_post(bench.address))
            if not bench.adapter.powers.edit:
                return
            reference = await bench.adapter.update(reference, decided_post(bench.address))
            assert reference
            copy = (await bench.seen())[-1]
            assert "REJECTED" in copy.text or "Rejected by Bo Lind" in copy.text
            assert copy.tokens == ()

    @pytest.mark.anyio
    async def test_the_reference_goes_round_whatever_it_is(self) -> None:
        async with self.bench() as bench:
            reference = await bench.adapter.post(sample_post(bench.address))
            assert isinstance(reference, str)
            if bench.adapter.powers.edit:
                for _ in range(3):
                    reference = await bench.adapter.update(reference, decided_post(bench.address))
                    assert isinstance(reference, str)

    @pytest.mark.anyio
    async def test_hostile_text_is_shown_as_text(self) -> None:
        async with self.bench() as bench:
            hostile = "<script>alert(1)</script> *bold* {{7*7}} @channel"
            post = sample_post(
                bench.address, card=sample_card(title=hostile, claim=hostile), approval={**SAMPLE, "title": hostile}
            )
            await bench.adapter.post(post)
            (copy,) = await bench.seen()
            assert hostile in copy.text

    @pytest.mark.anyio
    async def test_it_closes_cleanly_while_a_post_is_in_flight(self) -> None:
        posting: asyncio.Task[str] | None = None
        async with asyncio.timeout(10):
            async with self.bench() as bench:
                hold = bench.hold()
                if hold is None:
                    return
                async with hold:
                    posting = asyncio.create_task(bench.adapter.post(sample_post(bench.address)))
                    await asyncio.sleep(0.1)
                    posting.cancel()
                    results = await asyncio.gather(posting, return_exceptions=True)
                    assert isinstance(results[0], asyncio.CancelledError | DeliveryFailed)

    @pytest.mark.anyio
    async def test_a_post_to_a_closed_channel_fails_in_words(self) -> None:
        async with self.bench() as bench:
            adapter, address = bench.adapter, bench.address
        (result,) = await asyncio.gather(adapter.post(sample_post(address)), return_exceptions=True)
        assert isinstance(result, str) or (isinstance(result, DeliveryFailed) and str(result))

    @pytest.mark.anyio
    async def test_the_doctor_gets_plain_lines(self) -> None:
        async with self.bench() as bench:
            problems = await bench.adapter.check()
            assert all(isinstance(line, str) and line for line in problems)
