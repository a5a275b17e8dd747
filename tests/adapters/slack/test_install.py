"""Installing the app in workspaces by OAuth: the state, the tokens at rest, their rotation, two workspaces, the end."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hubs import until
from slack_sdk.oauth.installation_store.models.installation import Installation
from sqlalchemy import select
from workspace import CLIENT_SECRET, workspace

from adapters.slack.api import Api
from adapters.slack.installations import Installations
from core.apply.sealing import Sealer, SealingKey
from core.store import schema
from core.store.statement import Statement
from hub.contracts import DeliveryFailed
from hub.proofs import COOKIE
from hub.testing import RecordingHub

VAULT = Statement(select(schema.vault))
PEOPLE = """
people:
  ana: {name: Ana Ruiz, slack: T1/U1, groups: [admins]}
  bo:  {name: Bo Lind,  slack: T1/U2, groups: [sre]}
  cai: {name: Cai Wu,   slack: T2/U3, groups: [sre]}
"""
ROOMS = {"C1": {"name": "prod", "is_member": True}, "C7": {"name": "prod", "is_member": True, "team": "T2"}}
GIVEN = {
    "people": PEOPLE,
    "proof": 'client_id: "1.2", client_secret: "${env:CLIENT}"',
    "ask": '"slack:T1/#prod", "slack:T2/#prod"',
}


async def signed_in(o: Any, who: str) -> dict[str, str]:
    return {"cookie": f"{COOKIE}={await o.bench.cookie(who)}"}


async def begin(o: Any, cookie: dict[str, str]) -> str:
    """The state that Slack is given."""
    page = await o.client.get("/slack/install", headers=cookie)
    assert page.status_code == 200, page.text
    found = re.search(r'name="nonce" value="([^"]+)"', page.text)
    assert found is not None
    sent = await o.client.post("/slack/install", data={"nonce": found[1]}, headers=cookie)
    assert sent.status_code == 303
    query = parse_qs(urlsplit(sent.headers["location"]).query)
    assert query["client_id"] == ["1.2"] and "chat:write" in query["scope"][0]
    assert query["redirect_uri"] == ["http://127.0.0.1:8000/slack/install/done"]
    return query["state"][0]


async def install(o: Any, team: str) -> None:
    cookie = await signed_in(o, "ana")
    state = await begin(o, cookie)
    o.far.codes[f"code-{team}"] = team
    done = await o.client.get("/slack/install/done", params={"code": f"code-{team}", "state": state}, headers=cookie)
    assert done.status_code == 200 and f"({team})" in done.text, done.text


@pytest.mark.anyio
async def test_two_workspaces_decide_one_approval(office: Any) -> None:
    async with workspace(rooms=ROOMS) as far, office(far=far, count=2, **GIVEN) as o:
        await install(o, "T1")
        await install(o, "T2")
        await o.bench.request()
        await until(lambda: {each.channel for each in far.cards()} == {"C1", "C7"})
        one, two = far.cards("C1")[0], far.cards("C7")[0]
        await o.press(one, "Approve", user="U2")
        await until(lambda: "1 of 2" in two.words)
        await o.press(two, "Approve", user="U3", user_team="T2", team={"id": "T2"}, trigger="t2")
        await o.bench.until_state("A1", "COMPLETED")
        await until(lambda: one.tokens == two.tokens == ())
        assert (await o.bench.events("workspace:")) == ["workspace:installed"] * 2
        stranger = await o.say("status", user="U3", trigger="t3")
        assert "nobody in hub.yaml" in stranger, "a user id of one workspace is nobody in the other"


@pytest.mark.anyio
async def test_tokens_are_sealed_at_rest(office: Any) -> None:
    async with workspace(rooms=ROOMS, expires_in=43_200) as far, office(far=far, **GIVEN) as o:
        await install(o, "T1")
        rows = await o.bench.hub.db.read(lambda reader: reader.all(VAULT))
        assert [row["name"] for row in rows] == ["workspace:T1"]
        assert all(b"xox" not in bytes(row["sealed"]) for row in rows)
        assert b"xoxb-T1" not in b"".join(each.read_bytes() for each in o.bench.hub.data.iterdir() if each.is_file())


@pytest.mark.anyio
async def test_a_state_is_good_once_and_only_in_the_session_that_began(office: Any) -> None:
    async with workspace(rooms=ROOMS, codes={"a": "T1", "b": "T1", "c": "T1"}) as far, office(far=far, **GIVEN) as o:
        ana, again = await signed_in(o, "ana"), await signed_in(o, "ana")
        done = "/slack/install/done"
        state = await begin(o, ana)
        other = await o.client.get(done, params={"code": "a", "state": state}, headers=again)
        assert other.status_code == 400 and "Another browser session" in other.text
        used = await o.client.get(done, params={"code": "a", "state": state}, headers=ana)
        assert used.status_code == 400 and "used before" in used.text
        made_up = await o.client.get(done, params={"code": "a", "state": "x" * 43}, headers=ana)
        assert made_up.status_code == 400
        assert far.times("oauth.v2.access") == 0 and await o.bench.events("workspace:") == []


@pytest.mark.anyio
async def test_only_who_has_the_right_installs_and_no_foreign_form_begins(office: Any) -> None:
    async with workspace(rooms=ROOMS) as far, office(far=far, **GIVEN) as o:
        bo, ana = await signed_in(o, "bo"), await signed_in(o, "ana")
        assert (await o.client.get("/slack/install")).status_code == 401
        assert (await o.client.get("/slack/install", headers=bo)).status_code == 401
        forged = await o.client.post("/slack/install", data={"nonce": "x"}, headers=ana)
        foreign = {**ana, "origin": "https://evil.example"}
        assert forged.status_code == 403
        assert (await o.client.post("/slack/install", data={"nonce": "x"}, headers=foreign)).status_code == 403


@pytest.mark.anyio
async def test_a_refusal_at_slack_is_said_and_recorded(office: Any) -> None:
    async with workspace(rooms=ROOMS) as far, office(far=far, **GIVEN) as o:
        cookie = await signed_in(o, "ana")
        state = await begin(o, cookie)
        denied = await o.client.get(
            "/slack/install/done", params={"error": "access_denied", "state": state}, headers=cookie
        )
        assert denied.status_code == 400 and "told not to install" in denied.text
        state = await begin(o, cookie)
        wrong = await o.client.get("/slack/install/done", params={"code": "none", "state": state}, headers=cookie)
        assert wrong.status_code == 400 and "invalid_code" in wrong.text
        assert (await o.bench.events("hook:")) == ["hook:refused"] * 2


@pytest.mark.anyio
async def test_an_uninstalled_workspace_loses_its_copies_and_its_people_are_asked_elsewhere(office: Any) -> None:
    async with workspace(rooms=ROOMS) as far, office(far=far, **GIVEN) as o:
        await install(o, "T1")
        await install(o, "T2")
        await o.bench.request()
        await until(lambda: {each.channel for each in far.cards()} == {"C1", "C7"})
        await until_sent(o, 2)
        gone = far.event("Ev1", type="app_uninstalled") | {"team_id": "T2", "authorizations": [{"team_id": "T2"}]}
        assert (await o.send(gone)).status_code == 200

        async def dead() -> bool:
            return "delivery:dead" in await o.bench.events("delivery:")

        await until(dead)
        assert (await o.bench.events("workspace:"))[-1] == "workspace:removed"
        with pytest.raises(DeliveryFailed, match="not installed in T2"):
            await o.adapter._workspaces.of_address("T2/#prod")
        await o.press(far.cards("C1")[0], "Approve", user="U2")
        await o.bench.until_state("A1", "COMPLETED")


async def until_sent(o: Any, count: int) -> None:
    async def sent() -> bool:
        return (await o.bench.events("delivery:")).count("delivery:sent") >= count

    await until(sent)


@pytest.mark.anyio
async def test_a_revoked_bot_token_of_the_only_workspace_is_visible_at_once(office: Any) -> None:
    async with office() as o:
        await o.card()
        await until_sent(o, 1)
        revoked = o.far.event("Ev1", type="tokens_revoked", tokens={"bot": ["UBOT"]})
        assert (await o.send(revoked)).status_code == 200
        await until(lambda: o.adapter.problem is not None)
        assert "tokens were revoked" in o.adapter.problem

        async def dead() -> bool:
            return "delivery:dead" in await o.bench.events("delivery:")

        await until(dead)


def store(hub: RecordingHub, api: Api, now: float) -> Installations:
    return Installations(
        channel="slack", hub=hub, api=api, client_id="1.2", client_secret=CLIENT_SECRET, now=lambda: now
    )


@pytest.mark.anyio
async def test_two_nodes_exchange_an_ending_token_once(office: Any) -> None:
    async with (
        workspace(refreshes={"xoxe-1-0": "T1"}, expires_in=43_200) as far,
        office(far=far, **GIVEN) as o,
        Api(None, far.api_url) as api,
    ):
        hub = o.bench.hub
        nodes = [store(hub, api, 1000.0) for _ in range(2)]
        await nodes[0].async_save(
            Installation(
                team_id="T1", user_id="U1", bot_token="xoxb-old", bot_refresh_token="xoxe-1-0", bot_token_expires_at=900
            )
        )
        found = await asyncio.gather(*(node.fresh("T1") for node in nodes))
        assert len({each.token for each in found}) == 1 and found[0].token.startswith("xoxb-T1-")
        assert far.times("oauth.v2.access") == 1
        assert (await o.bench.events("workspace:")) == ["workspace:installed", "workspace:rotated"]


@pytest.mark.anyio
async def test_a_token_that_another_node_is_exchanging_is_used_while_it_works() -> None:
    async with workspace(expires_in=43_200) as far, Api(None, far.api_url) as api:
        hub = RecordingHub()
        node = store(hub, api, 1000.0)
        ending = {"bot_token": "xoxb-old", "bot_refresh_token": "xoxe-1-0", "bot_token_expires_at": 2000}
        await node.async_save(Installation(team_id="T1", user_id="U1", **ending))
        assert await hub.claim("slack", "workspace:T1", 1, 30.0)
        assert (await node.fresh("T1")).token == "xoxb-old"
        assert far.times("oauth.v2.access") == 0


@pytest.mark.anyio
async def test_the_store_keeps_slack_sdks_promises_also_for_an_organisation() -> None:
    async with workspace() as far, Api(None, far.api_url) as api:
        node = store(RecordingHub(), api, 1000.0)
        given = Installation(
            enterprise_id="E1", team_id=None, user_id="U1", bot_token="xoxb-e", is_enterprise_install=True
        )
        await node.async_save(given)
        found = await node.async_find_installation(enterprise_id="E1", team_id="T5", is_enterprise_install=True)
        assert found is not None and found.to_dict_for_copying() == given.to_dict_for_copying()
        bot = await node.async_find_bot(enterprise_id="E1", team_id=None, is_enterprise_install=True)
        assert bot is not None and bot.bot_token == "xoxb-e"
        await node.async_delete_bot(enterprise_id="E1", team_id=None)
        assert await node.every() == {}


@pytest.mark.anyio
async def test_no_workspace_and_tokens_that_cannot_be_read_are_said(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workspace(rooms=ROOMS) as far, office(far=far, **GIVEN) as o:
        await until(lambda: o.adapter.problem is not None)
        assert "in no workspace yet: open /slack/install" in o.adapter.problem
        await install(o, "T1")
        assert o.adapter.problem is None
        stranger = Sealer(SealingKey(b"k" * 32))
        monkeypatch.setattr(o.bench.hub, "keys", replace(o.bench.hub.keys, sealer=stranger))
        await o.adapter._workspaces.look()
        assert "cannot be read" in o.adapter.problem


@pytest.mark.anyio
async def test_the_doctor_tries_the_apps_own_secret(office: Any) -> None:
    async with workspace(rooms=ROOMS) as far, office(far=far, **GIVEN) as o:
        assert not any("client_secret" in each for each in await o.adapter.check())
        far.failures["oauth.v2.access"] = ["bad_client_secret"]
        assert any("client_secret is not this app's" in each for each in await o.adapter.check())
