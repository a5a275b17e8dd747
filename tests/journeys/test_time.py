"""Reminders, escalation and freezes through Slack and mail at once: a real hub, a real Dovecot and Exim, and our small Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from hubs import Bench, make_hub, running, until
from mail import Lab, asks, empty, reply_to, written
from workspace import BOT_TOKEN, SECRET, TEAM, Shown, Workspace, send, workspace

from adapters.email.adapter import adapter as email
from adapters.slack.adapter import adapter as slack
from core.clock import SECOND, ManualClock
from hub.http.app import build_app

pytestmark = pytest.mark.anyio

PEOPLE = f"""
people:
  ana: {{name: Ana Ruiz, groups: [admins]}}
  bo:  {{name: Bo Lind, slack: {TEAM}/U2, groups: [sre]}}
  cai: {{name: Cai Wu, email: carol@lab.test, groups: [sre]}}
  dee: {{name: Dee Okoye, email: bob@lab.test, groups: [leads]}}
  eve: {{name: Eve Falk, slack: {TEAM}/U3, groups: [admins]}}
"""
ACTIONS = """
actions:
  note:
    title: "Note {text}"
    params: {text: {type: string}}
    resources: ["env:prod"]
    apply: {command: ["true", "{text}"]}
"""
POLICIES = """
policies:
  - name: default
    require: [{group: sre, count: 2}]
    min_assurance: email
    remind: 10m
    escalate: [{after: 15m, to: leads}]
"""


@asynccontextmanager
async def office(
    lab: Lab, folder: Path, clock: ManualClock
) -> AsyncIterator[tuple[Bench, Workspace, httpx.AsyncClient]]:
    """A hub whose people are reached in Slack (Bo) and by mail (Cai, Dee)."""
    await empty(lab)
    async with workspace() as far:
        proof = 'bot_token: "${env:BOT}", signing_secret: "${env:SECRET}"'
        channels = lab.channel(f'  slack: {{adapter: slack, {proof}, api_url: "{far.api_url}"}}')
        hub = make_hub(
            folder,
            people=PEOPLE,
            policies=POLICIES,
            actions=ACTIONS,
            more="limits: {commands: 1000/s, burst: 1000}\n",
            channels=channels,
            adapters={"email": email, "slack": slack},
            environ={"MAIL_PASSWORD": "secret", "BOT": BOT_TOKEN, "SECRET": SECRET},
            clock=clock,
        )
        hub.delivery._poll_seconds = 0.05
        transport = httpx.ASGITransport(build_app(hub))
        async with (
            running(hub) as bench,
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
        ):
            yield bench, far, client


def later(clock: ManualClock, bench: Bench, minutes: float) -> None:
    clock.advance(minutes * 60)
    bench.hub.timers.wake()


async def test_who_can_still_act_is_reminded_where_they_are_and_the_lead_is_asked_as_well(
    lab: Lab, tmp_path: Path, clock: ManualClock
) -> None:
    async with office(lab, tmp_path, clock) as (bench, far, client):
        name = await bench.request("hello")
        await until(lambda: len(far.cards("D2")) == 1)
        (card,) = far.cards("D2")
        asked = await lab.wait_for("carol", asks(name))

        later(clock, bench, 10.1)
        await until(lambda: len(far.thread(card.ts)) == 1)
        assert far.thread(card.ts)[0].text.startswith(f"<@U2>: {name} still waits for your decision")
        reminded = await lab.wait_for("carol", lambda mail: asks(name)(mail) and is_reminder(mail))
        assert reminded["In-Reply-To"] == asked["Message-ID"]

        await press(far, client, card, "Approve", clock)
        assert [each["by"]["id"] for each in (await bench.state(name))["decisions"]] == ["bo"]

        later(clock, bench, 5)
        lead = await lab.wait_for("bob", asks(name))
        assert "Asked as well: leads" in words(lead)
        later(clock, bench, 15.2)

        async def reminded_twice() -> bool:
            return (await bench.state(name))["reminders"] == 2

        await until(reminded_twice)
        await lab.wait_for("carol", lambda mail: is_reminder(mail) and mail["Message-ID"] != reminded["Message-ID"])
        assert len(far.thread(card.ts)) == 1  # Bo has approved, and is left alone

        answer = written("carol@lab.test", reply_to(reminded), "approve\n", In_Reply_To=str(reminded["Message-ID"]))
        lab.send(answer, sender="carol@lab.test", to=reply_to(reminded))
        await bench.until_state(name, "COMPLETED")
        await until(lambda: not far.cards("D2")[0].tokens)
        assert far.bad == []


async def press(far: Workspace, client: httpx.AsyncClient, shown: Shown, label: str, clock: ManualClock) -> None:
    """Bo has pressed it, and was answered."""
    before, stamp = len(far.answers), str(clock.wall_us() // SECOND)
    assert (await send(client, far.press(shown.button(label), shown), stamp=stamp)).status_code == 200
    await until(lambda: len(far.answers) > before)


def words(mail: EmailMessage) -> str:
    found = mail.get_body(("plain",))
    assert found is not None
    return str(found.get_content())


def is_reminder(mail: EmailMessage) -> bool:
    return "Reminder: your decision is still wanted." in words(mail)


async def test_a_freeze_said_in_slack_stops_a_mail_until_slack_overrides_it(
    lab: Lab, tmp_path: Path, clock: ManualClock
) -> None:
    async with office(lab, tmp_path, clock) as (bench, far, client):
        name = await bench.request("hello")
        await until(lambda: len(far.cards("D2")) == 1)
        asked = await lab.wait_for("carol", asks(name))
        assert "F1: env:* until" in await say(far, client, "freeze env:* for 2h because the books are closed", clock)
        await until(lambda: "FROZEN" in far.cards("D2")[0].words)
        assert "env:* is frozen by F1 until" in far.cards("D2")[0].text
        assert f"override {name} because" in far.cards("D2")[0].words

        approve(lab, asked)
        refused = await lab.wait_for("carol", lambda mail: mail["Auto-Submitted"] == "auto-replied")
        assert "the books are closed" in words(refused)
        await press(far, client, far.cards("D2")[0], "Approve", clock)
        assert "is frozen by F1" in far.answers[-1]["text"]
        assert (await bench.state(name))["decisions"] == []

        said = await say(far, client, f"override {name} because customers cannot pay", clock)
        assert "F1 no longer stops this revision" in said
        await until(lambda: "FREEZE OVERRIDDEN" in far.cards("D2")[0].words)
        approve(lab, asked)
        await until(lambda: bench_decided(bench, name, 1))
        await press_again(far, client, clock)
        await bench.until_state(name, "COMPLETED")
        told = await lab.wait_for("carol", lambda mail: "Done:" in words(mail))
        assert "customers cannot pay" in words(told)


def approve(lab: Lab, asked: EmailMessage) -> None:
    """Cai answers the mail with her approval."""
    answer = written("carol@lab.test", reply_to(asked), "approve\n", In_Reply_To=str(asked["Message-ID"]))
    lab.send(answer, sender="carol@lab.test", to=reply_to(asked))


async def bench_decided(bench: Bench, name: str, count: int) -> bool:
    return len((await bench.state(name))["decisions"]) == count


async def say(far: Workspace, client: httpx.AsyncClient, text: str, clock: ManualClock) -> str:
    """What Eve is answered who typed it in Slack."""
    before, stamp = len(far.answers), str(clock.wall_us() // SECOND)
    command = far.command(text, user="U3", trigger=f"t{before}")
    assert (await send(client, command, stamp=stamp)).status_code == 200
    await until(lambda: len(far.answers) > before)
    return str(far.answers[-1]["text"])


async def press_again(far: Workspace, client: httpx.AsyncClient, clock: ManualClock) -> None:
    """Bo presses the button on his card as it stands now."""
    await press(far, client, far.cards("D2")[0], "Approve", clock)
