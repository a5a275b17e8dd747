"""What runs without anybody being asked, as stories through two channels: break-glass, grants, policies that allow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from hubs import Bench, make_hub, running, until
from mail import Lab, empty
from workspace import BOT_TOKEN, SECRET, TEAM, Workspace, send, workspace

from adapters.email.adapter import adapter as email
from adapters.slack.adapter import adapter as slack
from core.audit.state_match import match_state
from core.clock import SECOND, ManualClock
from core.people import keys
from hub.http.app import build_app

pytestmark = pytest.mark.anyio

PEOPLE = f"""
people:
  ana: {{name: Ana Ruiz, slack: {TEAM}/U1, groups: [sre, admins]}}
  bo:  {{name: Bo Lind, slack: {TEAM}/U2, groups: [sre]}}
  cai: {{name: Cai Wu, email: carol@lab.test, groups: [security]}}
agents: {{bot: {{owner: cai}}}}
"""
POLICIES = """
policies:
  - name: free
    when: 'params.text == "free"'
    allow: true
  - name: default
    require: [{group: sre, count: 1}]
    veto: [security]
    break_glass: {groups: [sre], review_within: 2h}
"""


@asynccontextmanager
async def office(
    lab: Lab, folder: Path, clock: ManualClock
) -> AsyncIterator[tuple[Bench, Workspace, httpx.AsyncClient]]:
    """A hub whose people are reached in Slack (Ana, Bo) and by mail (Cai)."""
    await empty(lab)
    async with workspace() as far:
        proof = 'bot_token: "${env:BOT}", signing_secret: "${env:SECRET}"'
        hub = make_hub(
            folder,
            people=PEOPLE,
            policies=POLICIES,
            channels=lab.channel(f'  slack: {{adapter: slack, {proof}, api_url: "{far.api_url}"}}'),
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
            assert far.bad == []
            assert await hub.db.read(match_state) == ()


async def says(far: Workspace, client: httpx.AsyncClient, text: str, user: str, clock: ManualClock) -> str:
    """The words with which somebody is answered in Slack."""
    before, stamp = len(far.answers), str(clock.wall_us() // SECOND)
    trigger = f"t{before}"
    sent = await send(client, far.command(text, user=user, trigger=trigger), stamp=stamp)
    assert sent.status_code == 200
    await until(lambda: len(far.answers) > before)
    return str(far.answers[-1]["text"])


async def _delivered(bench: Bench, count: int) -> bool:
    return len(await bench.events("delivery:sent")) >= count


def words(mail: EmailMessage) -> str:
    found = mail.get_body(("plain",))
    assert found is not None
    return str(found.get_content())


async def test_break_glass_in_slack_is_told_by_mail_and_nags_in_both_until_it_is_reviewed(
    lab: Lab, tmp_path: Path, clock: ManualClock
) -> None:
    async with office(lab, tmp_path, clock) as (bench, far, client):
        said = await says(far, client, "break-glass note hello because customers cannot pay", "U1", clock)
        assert "BREAK-GLASS" in said
        name = said.partition(":")[0]
        await bench.until_state(name, "COMPLETED")

        told = await lab.wait_for("carol", lambda mail: name in words(mail))
        assert "BREAK-GLASS" in str(told["Subject"])
        assert "BREAK-GLASS by Ana Ruiz, with nobody asked." in words(told)
        await until(lambda: len(far.cards("D2")) == 1)
        (card,) = far.cards("D2")
        assert "BREAK-GLASS" in str(card.blocks)
        assert "customers cannot pay" in str(card.blocks)

        clock.advance(3660)
        bench.hub.timers.wake()
        await until(lambda: any("your review" in each.text for each in far.thread(far.cards("D2")[0].ts)))
        reminded = [each for each in far.thread(far.cards("D2")[0].ts) if "your review" in each.text]
        assert reminded[0].text.startswith(f"<@U2>: {name} still waits for your review")
        await lab.wait_for("carol", lambda mail: "Reminder: your review is still wanted." in words(mail))

        refused = await says(far, client, f"review {name} ok because it was me", "U1", clock)
        assert "somebody else must review it" in refused
        assert "reviewed" in await says(far, client, f"review {name} ok because it was right", "U2", clock)
        seen = await bench.state(name)
        assert (seen["glass"]["review"]["verdict"], seen["glass"]["review"]["by"]["id"]) == ("ok", "bo")
        await until(lambda: "was right, says Bo Lind" in str(far.cards("D2")[0].blocks))


async def test_a_grant_chosen_in_slack_is_used_over_http_and_revoked_in_slack(
    lab: Lab, tmp_path: Path, clock: ManualClock
) -> None:
    async with office(lab, tmp_path, clock) as (bench, far, client):
        agent = bench.hub.world.people.find("bot")
        assert agent is not None
        key = await bench.hub.db.write(lambda tx: keys.create(tx, by="operator", principal=agent, decide=False))

        async def ask(wanted: str) -> str:
            body = {"action": "note", "params": {"text": "hello"}, "reason": "it leaks"}
            made = await client.post("/v1/approvals", json=body, headers={"authorization": f"Bearer {key}"})
            name = str(made.json()["id"])
            await bench.until_state(name, wanted)
            return name

        first = await ask("REVIEWING")
        await until(lambda: _delivered(bench, 2))  # Ana's copy and Bo's
        clock.advance(10)
        said = await says(far, client, f"grant {first} for 30m times 2", "U2", clock)
        assert "G1: the same 2 more times until" in said, said
        await bench.until_state(first, "COMPLETED")
        second = await ask("COMPLETED")
        assert (await bench.state(second))["by_grant"]["by"][0]["id"] == "bo"
        await until(lambda: "G1: 1 of 2 times" in str(far.cards("D2")[0].blocks))
        assert "1 of 2 used" in await says(far, client, "grants", "U1", clock)
        assert "G1 has ended" in await says(far, client, "revoke G1 because it is enough", "U1", clock)
        await ask("REVIEWING")


async def test_a_policy_that_allows_says_so_wherever_its_request_is_seen(
    lab: Lab, tmp_path: Path, clock: ManualClock
) -> None:
    async with office(lab, tmp_path, clock) as (bench, far, client):
        said = await says(far, client, "note free because I may", "U1", clock)
        name = said.partition(":")[0]
        await bench.until_state(name, "COMPLETED")
        await until(lambda: any("NOBODY IS ASKED" in str(each.blocks) for each in far.messages))
        cookie = {"cookie": f"interlock_session={await bench.cookie('cai')}"}
        page = await client.get(f"/approvals/{name}", headers=cookie)
        assert "NOBODY IS ASKED" in page.text
        assert "policy free allows it (allow: true)" in page.text
