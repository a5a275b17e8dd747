"""Who somebody is: bare ids of one workspace, linked accounts, user groups, verified addresses."""

from __future__ import annotations

from typing import Any

import pytest
from hubs import Chat, until
from sqlalchemy import select
from workspace import TEAM, workspace

from core.people import linking
from core.store import schema
from core.store.statement import Statement
from hub.contracts import DeliveryFailed
from hub.testing import sample_post

CODES = Statement(select(schema.link_code))
BARE = """
people:
  ana: {name: Ana Ruiz, groups: [sre, admins]}
  bo:  {name: Bo Lind, slack: U2, groups: [sre]}
"""
UNKNOWN = """
people:
  ana: {name: Ana Ruiz, groups: [sre, admins]}
  bo:  {name: Bo Lind, email: bo@example.com, groups: [sre]}
"""
GROUPED = f"""
people:
  ana: {{name: Ana Ruiz, slack: {TEAM}/U1, groups: [admins]}}
  bo:  {{name: Bo Lind,  slack: {TEAM}/U2}}
  cai: {{name: Cai Wu,   slack: {TEAM}/U3}}
groups: {{sre: {{from: slack:S1}}}}
"""


async def code_of(office: Any, who: str = "bo") -> str:
    reply = await office.bench.say(who, "link")
    assert reply.ok, reply
    return str(reply.data["code"])


async def is_state(office: Any, name: str, state: str) -> bool:
    return bool((await office.bench.state(name))["state"] == state)


# --- bare ids ---


@pytest.mark.anyio
async def test_a_bare_id_is_of_the_workspace_that_the_token_was_first_seen_in(office: Any) -> None:
    async with office(people=BARE) as o:
        await until(lambda: o.bench.hub.named("slack", f"{TEAM}/U2") == "bo")
        await o.press(await o.card(), "Approve", user="U2")
        await o.bench.until_state("A1", "COMPLETED")
        assert (await o.bench.events("identity:")) == ["identity:pinned"]


@pytest.mark.anyio
async def test_another_workspace_under_bare_ids_is_refused_loudly_and_shown_nothing(office: Any) -> None:
    async with office(people=BARE) as o:
        await until(lambda: o.bench.hub.named("slack", f"{TEAM}/U2") == "bo")
        await o.card()
    async with workspace(team="T2") as far, office(people=BARE, far=far) as o:
        await until(lambda: o.adapter.problem is not None)
        assert "belongs to T2, but the bare ids of hub.yaml were first seen in T1" in o.adapter.problem
        assert o.bench.hub.health()["adapters"]["slack"] == "degraded"
        with pytest.raises(DeliveryFailed, match="belongs to T2"):
            await o.adapter.post(sample_post("C1"))
        for team in ("T1", "T2"):
            words = await o.say("status", user="U2", trigger=team, team_id=team)
            assert "belongs to T2" in words or "nobody in hub.yaml" in words
        assert far.cards() == []


# --- link ---


@pytest.mark.anyio
async def test_a_code_links_the_account_that_says_it_and_it_decides_as_its_person(office: Any) -> None:
    async with office(people=UNKNOWN) as o:
        card = await o.card()
        assert "type `link`, then here /hub link" in await o.press(card, "Approve", user="U2")
        code = await code_of(o)
        assert "linked to bo" in await o.say(f"link {code}", user="U2", trigger="t2")
        await o.press(card, "Approve", user="U2", trigger="t3")
        await o.bench.until_state("A1", "COMPLETED")
        assert (await o.bench.events("identity:")) == ["identity:offered", "identity:linked"]
        assert (await o.bench.state("A1"))["decisions"][0]["by"]["id"] == "bo"


@pytest.mark.anyio
async def test_a_linked_person_is_asked_where_they_linked(office: Any) -> None:
    async with office(people=UNKNOWN, ask="slack") as o:
        await o.say(f"link {await code_of(o)}", user="U2")
        await o.bench.ask("ana", "request", action="note", params={"text": "x"})
        await until(lambda: len(o.far.cards("D2")) == 1)


@pytest.mark.anyio
async def test_a_code_is_good_once_stored_hashed_and_never_repeated(office: Any) -> None:
    async with office(people=UNKNOWN) as o:
        reply = await o.bench.say("bo", "link", message_id="m1", body_hash=b"1")
        code = reply.data["code"]
        again = await o.bench.say("bo", "link", message_id="m1", body_hash=b"1")
        assert again.repeated and code not in again.text + str(again.data)
        rows = await o.bench.hub.db.read(lambda reader: reader.all(CODES))
        assert len(rows) == 1 and code.encode() not in bytes(rows[0]["hash"])
        await o.say(f"link {code}", user="U2", trigger="t1")
        assert "none of ours" in await o.say(f"link {code}", user="U3", trigger="t2")
        assert o.bench.hub.named("slack", f"{TEAM}/U3") is None
        assert "hook:refused" in await o.bench.events("hook:")


@pytest.mark.anyio
async def test_a_code_is_over_after_ten_minutes_and_a_fourth_ends_the_first(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with office(people=UNKNOWN) as o:
        codes = [await code_of(o) for _ in range(4)]
        assert "none of ours" in await o.say(f"link {codes[0]}", user="U2")
        monkeypatch.setattr(linking, "CODE_SECONDS", 0.0)
        assert "none of ours" in await o.say(f"link {await code_of(o)}", user="U2", trigger="t2")
        assert "linked to bo" in await o.say(f"link {codes[3].lower()}", user="U2", trigger="t3")


@pytest.mark.anyio
async def test_codes_cannot_be_tried_out(office: Any) -> None:
    async with office(people=UNKNOWN) as o:
        for n in range(5):
            assert "none of ours" in await o.say(f"link AAAAA-AAAA{'23456'[n]}", user="U2", trigger=f"t{n}")
        assert "too many codes" in await o.say(f"link {await code_of(o)}", user="U2", trigger="t9")
        assert o.bench.hub.named("slack", f"{TEAM}/U2") is None


@pytest.mark.anyio
async def test_what_hub_yaml_says_is_never_overridden(office: Any) -> None:
    async with office() as o:
        assert "hub.yaml says who this account is" in await o.say(f"link {await code_of(o, 'cai')}", user="U2")
        o.far.users["U9"] = {}
        assert "hub.yaml gives cai another" in await o.say(f"link {await code_of(o, 'cai')}", user="U9", trigger="t2")
        assert o.bench.hub.named("slack", f"{TEAM}/U2") == "bo" and o.bench.hub.named("slack", f"{TEAM}/U9") is None


@pytest.mark.anyio
@pytest.mark.parametrize("fact", ["deleted", "is_restricted", "is_ultra_restricted", "is_bot", "is_stranger"])
async def test_only_a_full_member_can_be_linked(office: Any, fact: str) -> None:
    async with office(people=UNKNOWN) as o:
        o.far.users["U2"] = {fact: True}
        code = await code_of(o)
        assert "linked" not in await o.say(f"link {code}", user="U2")
        assert "belongs to another workspace" in await o.say(f"link {code}", user="U3", trigger="t2", team_id="T9")
        assert await o.bench.events("identity:") == ["identity:offered"]


@pytest.mark.anyio
async def test_an_unlinked_account_is_nobody_at_once(office: Any) -> None:
    async with office(people=UNKNOWN) as o:
        await o.say(f"link {await code_of(o)}", user="U2")
        assert f"{TEAM}/U2 on slack" in (await o.bench.say("bo", "links")).text
        refused = await o.bench.say("bo", "unlink of @ana")
        assert not refused.ok and "right keys" in refused.text
        assert (await o.bench.say("ana", "unlink slack of @bo")).ok
        assert "nobody in hub.yaml" in await o.say("status", user="U2", trigger="t2")
        assert (await o.bench.events("identity:"))[-1] == "identity:unlinked"


@pytest.mark.anyio
async def test_a_link_that_ended_is_refused_in_the_transaction_even_where_it_is_still_remembered(office: Any) -> None:
    async with office(people=UNKNOWN) as o:
        await o.say(f"link {await code_of(o)}", user="U2")
        world = o.bench.hub.world
        await o.bench.say("bo", "unlink")
        await until(lambda: o.bench.hub.named("slack", f"{TEAM}/U2") is None)
        o.bench.hub._world = world
        assert "not linked any more" in await o.say("whoami", user="U2", trigger="t2")


@pytest.mark.anyio
async def test_a_code_is_given_to_people_who_signed_in_elsewhere_alone(office: Any) -> None:
    async with office() as o:
        assert "on the page, over HTTP or in the shell" in await o.say("link", user="U2")
        assert not (await o.bench.say("bo", "link", may_decide=False)).ok
        assert not (await o.bench.say("deploy-bot", "link")).ok


@pytest.mark.anyio
async def test_a_link_ends_when_hub_yaml_names_the_account_or_forgets_its_person(office: Any, tmp_path: Any) -> None:
    async with office(people=UNKNOWN) as o:
        await o.say(f"link {await code_of(o)}", user="U2")
        hub = o.bench.hub
        text = (tmp_path / "hub.yaml").read_text()
        (tmp_path / "hub.yaml").write_text(text.replace("name: Ana Ruiz,", f"name: Ana Ruiz, slack: {TEAM}/U2,"))
        assert await hub.reload() == []
        assert hub.named("slack", f"{TEAM}/U2") == "ana"
        assert (await o.bench.events("identity:"))[-1] == "identity:unlinked"


# --- user groups ---


@pytest.mark.anyio
async def test_the_members_of_a_user_group_decide_and_unknown_ones_are_ignored(office: Any) -> None:
    async with workspace(groups={"S1": ["U7", "U8", "U2", "U9", "U3"]}) as far, office(people=GROUPED, far=far) as o:
        await until(lambda: o.bench.hub.world.people.members("sre") == {"bo", "cai"})
        await o.press(await o.card(), "Approve", user="U2")
        await o.bench.until_state("A1", "COMPLETED")
        assert "group:told" in await o.bench.events("group:")


@pytest.mark.anyio
async def test_who_left_the_user_group_counts_no_more(office: Any) -> None:
    async with (
        workspace(groups={"S1": ["U2", "U3"]}) as far,
        office(people=GROUPED, far=far, count=2) as o,
    ):
        await until(lambda: o.bench.hub.world.people.members("sre") == {"bo", "cai"})
        card = await o.card()
        await o.press(card, "Approve", user="U2")
        far.groups["S1"] = ["U3"]
        await o.send(far.event("Ev5", type="subteam_members_changed", subteam_id="S1"))
        await until(lambda: o.bench.hub.world.people.members("sre") == {"cai"})
        await o.press(card, "Approve", user="U3", trigger="t2")
        who = await o.bench.say("ana", "who A1")
        assert "Missing: 1 of sre" in who.text
        assert (await o.bench.state("A1"))["state"] == "REVIEWING"


@pytest.mark.anyio
async def test_a_group_that_cannot_be_read_for_long_is_empty_and_who_says_why(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workspace(groups={"S1": ["U2", "U3"]}) as far, office(people=GROUPED, far=far) as o:
        hub = o.bench.hub
        await until(lambda: hub.world.people.members("sre") == {"bo", "cai"})
        card = await o.card()
        far.groups.clear()
        monkeypatch.setattr("core.people.roster.FRESH_SECONDS", 0.2)
        await o.send(far.event("Ev5", type="subteam_members_changed", subteam_id="S1"))
        await until(lambda: hub.world.people.members("sre") == frozenset())
        who = await o.bench.say("ana", "who A1")
        assert "Nobody counts as sre: slack:S1 was read" in who.text and "no_such_subteam" in who.text
        assert "may not" in (words := await o.press(card, "Approve", user="U2")) or "not" in words
        assert (await o.bench.state("A1"))["state"] == "REVIEWING"
        assert any("no_such_subteam" in each for each in await o.adapter.check())


@pytest.mark.anyio
async def test_a_stale_group_is_refused_by_the_guard_and_not_only_by_the_loop(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workspace(groups={"S1": ["U2", "U3"]}) as far, office(people=GROUPED, far=far) as o:
        hub = o.bench.hub
        await until(lambda: hub.world.people.members("sre") == {"bo", "cai"})
        name = await o.bench.request()

        async def asleep() -> None:
            return None

        monkeypatch.setattr(hub, "_renew", asleep)
        monkeypatch.setattr(hub.whois, "_renew", asleep)
        object.__setattr__(hub._world, "groups_until", hub.db.now_us())
        digest = hub.world.digest
        reply = await o.bench.ask("bo", "approve", ids=[name], digest="0" * 64)
        assert (reply.ok, reply.code) == (False, "config_changed")
        assert hub.world.digest == digest


@pytest.mark.anyio
async def test_a_group_is_an_address_for_those_of_it_who_could_decide(office: Any) -> None:
    async with (
        workspace(groups={"S1": ["U2", "U3"]}) as far,
        office(people=GROUPED, far=far, ask='"slack:@sre"') as o,
    ):
        await until(lambda: o.bench.hub.world.people.members("sre") == {"bo", "cai"})
        await o.bench.request(who="bo")
        await until(lambda: {each.channel for each in far.cards()} == {"D3"})


# --- addresses ---

CONFIRMED = {"is_email_confirmed": True, "profile": {"email": "bo@example.com"}}


@pytest.mark.anyio
async def test_a_verified_address_names_its_person_when_that_is_switched_on(office: Any) -> None:
    async with office(people=UNKNOWN, slack=", match_email: true", ask="slack") as o:
        o.far.users["U2"] = CONFIRMED
        await o.bench.ask("ana", "request", action="note", params={"text": "x"})
        await until(lambda: len(o.far.cards("D2")) == 1)
        await o.press(o.far.cards("D2")[0], "Approve", user="U2")
        await o.bench.until_state("A1", "COMPLETED")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "facts",
    [
        {"profile": {"email": "bo@example.com"}},
        {**CONFIRMED, "is_email_confirmed": False},
        {**CONFIRMED, "team_id": "T9"},
        *(
            {**CONFIRMED, key: True}
            for key in ("is_restricted", "is_ultra_restricted", "is_stranger", "is_bot", "deleted")
        ),
        {**CONFIRMED, "profile": {"email": "someone@example.com"}},
    ],
)
async def test_no_address_names_anybody_that_slack_does_not_vouch_for(office: Any, facts: dict[str, Any]) -> None:
    async with office(people=UNKNOWN, slack=", match_email: true") as o:
        o.far.users["U2"] = facts
        card = await o.card()
        await o.press(card, "Approve", user="U2")
        assert (await o.bench.state("A1"))["state"] == "REVIEWING"


@pytest.mark.anyio
async def test_addresses_name_nobody_unless_switched_on_nor_where_something_else_does(office: Any) -> None:
    async with office(people=UNKNOWN) as o:
        o.far.users["U2"] = CONFIRMED
        assert "nobody in hub.yaml" in await o.say("status", user="U2")
    two = UNKNOWN.replace("email: bo", f"slack: {TEAM}/U8, email: bo")
    async with office(people=two, slack=", match_email: true") as o:
        o.far.users["U2"] = CONFIRMED
        assert "nobody in hub.yaml" in await o.say("status", user="U2")


@pytest.mark.anyio
async def test_who_is_asked_elsewhere_when_slack_knows_no_such_address(office: Any) -> None:
    more = {"channels_more": "  chat: {adapter: chat}\n", "adapters": {"chat": Chat}}
    async with office(people=UNKNOWN, slack=", match_email: true", ask="slack", **more) as o:
        await o.bench.ask("ana", "request", action="note", params={"text": "x"})
        await until(lambda: bool(o.bench.channels["chat"].at("@bo")))
