"""Freezes through a whole hub: asked for, decided and started only when nothing is frozen, or with an override."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hubs import Bench, Chat, make_hub, running, until
from hypothesis import given
from hypothesis import strategies as st

from core.approvals.freeze import Freeze
from core.approvals.windows import last_begin
from core.audit.state_match import match_state
from core.clock import ManualClock
from core.world import FreezeWindow

pytestmark = pytest.mark.anyio

PEOPLE = """
people:
  ana: {name: Ana Ruiz, groups: [sre, admins]}
  bo:  {name: Bo Lind, groups: [sre]}
  cai: {name: Cai Wu, groups: [sre, admins]}
"""
ACTIONS = """
actions:
  deploy:
    title: "Deploy to {env}"
    params: {env: {type: string, enum: [staging, prod]}}
    resources: ["env:{env}"]
    apply: {command: ["true"]}
    HOLD
"""
START = datetime(2026, 1, 1, tzinfo=UTC)
FAST = "limits: {commands: 1000/s, burst: 1000}\n"


@asynccontextmanager
async def bench_in(folder: Path, *, more: str = "", hold: str = "start: auto") -> AsyncIterator[Bench]:
    hub = make_hub(folder, people=PEOPLE, actions=ACTIONS.replace("HOLD", hold), more=FAST + more)
    async with running(hub) as bench:
        yield bench


async def asked(bench: Bench, env: str = "prod") -> str:
    reply = await bench.ask("bo", "request", action="deploy", params={"env": env})
    assert reply.approval is not None, reply
    name = str(reply.approval["id"])
    await bench.until_state(name, "REVIEWING")
    return name


async def test_what_is_frozen_is_kept_as_a_draft_and_goes_on_afterwards(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        made = await bench.say("ana", "freeze env:prod for 2h because the audit runs")
        assert made.ok, made
        refused = await bench.say("bo", "deploy prod because now")
        assert (refused.ok, refused.code) == (False, "frozen")
        assert "the audit runs" in refused.text
        assert refused.approval is not None
        name = refused.approval["id"]
        assert (refused.approval["state"], refused.approval["frozen"][0]["id"]) == ("DRAFT", "F1")
        assert (await bench.say("bo", f"submit {name}")).code == "frozen"
        assert (await bench.say("bo", "deploy staging because now")).ok

        assert (await bench.say("ana", "unfreeze F1")).ok
        assert (await bench.say("bo", f"submit {name}")).ok
        await bench.until_state(name, "REVIEWING")


async def test_nobody_approves_what_is_frozen_and_rejecting_works(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        name = await asked(bench)
        assert (await bench.say("ana", "freeze env:* for 2h because of the audit")).ok
        digest = (await bench.state(name))["digest"]
        refused = await bench.ask("cai", "approve", ids=[name], digest=digest)
        assert (refused.ok, refused.code) == (False, "frozen")
        assert (await bench.ask("cai", "reject", ids=[name], digest=digest)).ok
        assert (await bench.state(name))["state"] == "REJECTED"


async def test_a_freeze_between_approval_and_start_holds_it_until_it_ends(tmp_path: Path) -> None:
    async with bench_in(tmp_path, hold="start: manual") as bench:
        name = await asked(bench)
        digest = (await bench.state(name))["digest"]
        assert (await bench.ask("cai", "approve", ids=[name], digest=digest)).ok
        assert (await bench.say("ana", "freeze env:prod/eu until tomorrow because of the audit")).ok
        assert (await bench.ask("bo", "apply", ids=[name])).ok
        await asyncio.sleep(0.8)
        seen = await bench.state(name)
        assert (seen["state"], seen["frozen"][0]["reason"]) == ("APPROVED", "of the audit")
        card = (await bench.ask("bo", "show", id=name)).card
        assert card is not None
        assert any(field.label == "FROZEN" for field in card.fields)
        assert (await bench.say("ana", "unfreeze F1")).ok
        await bench.until_state(name, "COMPLETED")


async def test_an_override_needs_its_right_a_reason_and_another_person(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        assert (await bench.say("ana", "freeze env:prod for 2h because of the audit")).ok
        draft = (await bench.say("bo", "deploy prod because it burns")).approval
        assert draft is not None
        name = draft["id"]
        assert (await bench.say("bo", f"override {name} because mine")).code == "not_allowed"
        assert not (await bench.say("cai", f"override {name}")).ok
        own = (await bench.say("cai", "deploy prod because mine")).approval
        assert own is not None
        assert (await bench.say("cai", f"override {own['id']} because mine")).code == "own_request"

        done = await bench.say("cai", f"override {name} because production burns")
        assert done.ok, done
        await bench.until_state(name, "REVIEWING")
        seen = await bench.state(name)
        assert (seen["frozen"], seen["override"]["by"]["id"]) == ([], "cai")
        assert seen["override"]["reason"] == "production burns"
        assert (await bench.ask("ana", "approve", ids=[name], digest=seen["digest"])).ok
        await bench.until_state(name, "COMPLETED")
        assert "freeze:overridden" in await bench.events("freeze:")


async def test_a_new_revision_drops_the_override(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        name = await asked(bench)
        assert (await bench.say("ana", "freeze env:* for 2h because of the audit")).ok
        assert (await bench.say("cai", f"override {name} because it burns")).ok
        assert (await bench.ask("bo", "edit", id=name, params={"env": "staging"})).ok
        await bench.until_state(name, "REVIEWING")
        seen = await bench.state(name)
        assert (seen["override"], len(seen["frozen"])) == (None, 1)
        assert (await bench.ask("cai", "approve", ids=[name], digest=seen["digest"])).code == "frozen"


async def test_a_freeze_that_runs_out_says_so_and_lets_go(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        assert (await bench.say("ana", "freeze env:prod for 1s because short")).ok
        await until(lambda: _ended(bench))
        assert (await bench.say("bo", "deploy prod because now")).ok
        assert (await bench.say("ana", "unfreeze F1")).code == "ended"


async def _ended(bench: Bench) -> bool:
    return "freeze:ended" in await bench.events("freeze:")


async def test_a_freeze_of_hub_yaml_is_in_force_by_the_clock(tmp_path: Path) -> None:
    year = datetime.now(UTC).year
    more = f"""
freezes:
  - name: always-this-year
    resources: ["env:prod"]
    from: "{year}-01-01T00:00"
    until: "{year + 1}-01-01T00:00"
    reason: year end
  - {{name: long-ago, resources: ["env:staging"], from: "2020-01-01T00:00", until: "2020-01-02T00:00", reason: old}}
"""
    async with bench_in(tmp_path, more=more) as bench:
        assert (await bench.say("bo", "deploy prod because now")).code == "frozen"
        assert (await bench.say("bo", "deploy staging because now")).ok
        said = await bench.say("bo", "freezes")
        assert "always-this-year" in said.text
        status = await bench.say("bo", "status")
        assert [each["id"] for each in status.data["freezes"]] == ["always-this-year"]
        assert "Frozen by always-this-year: env:prod until" in status.text
        assert (await bench.say("ana", "unfreeze F9")).code == "not_found"


@pytest.mark.parametrize(
    "text",
    [
        "freeze env:prod",
        "freeze env:prod for 2h",
        "freeze prod for 2h because x",
        "freeze env:prod until yesterday because x",
    ],
)
async def test_half_a_freeze_is_none(tmp_path: Path, text: str) -> None:
    async with bench_in(tmp_path) as bench:
        assert not (await bench.say("ana", text)).ok
        assert not (await bench.say("bo", "freeze env:prod for 2h because x")).ok
        assert (await bench.say("bo", "freezes")).text == "Nothing is frozen."


@pytest.mark.parametrize(
    ("pattern", "resource", "covered"),
    [
        ("env:prod", "env:prod", True),
        ("env:prod", "env:prod/eu", True),
        ("env:prod/eu", "env:prod", True),
        ("env:prod", "env:production", False),
        ("env:*", "env:prod", True),
        ("env:pr*", "env:prod/eu", True),
        ("env:*", "service:web", False),
        ("service:pay-*", "service:web", False),
        ("repo:web/*", "repo:web", True),
        ("repo:web/*", "repo:web/src/x", True),
        ("repo:web/*", "repo:webshop", False),
        ("repo:*/src", "repo:web", True),
        ("repo:*/src", "repo:web/docs", False),
        ("env:*-prod", "env:staging", False),
        ("*:*", "env:prod", True),
    ],
)
def test_a_pattern_covers_what_it_says_and_what_lies_above_and_below(
    pattern: str, resource: str, covered: bool
) -> None:
    freeze = Freeze(name="F1", resources=(pattern,), reason="x", until=0, by=None)
    assert freeze.covers([resource]) is covered


@given(st.integers(0, 2 * 366 * 86_400).map(lambda after: START + timedelta(seconds=after)))
def test_a_repeated_freeze_began_last_before_now_also_when_clocks_change(now: datetime) -> None:
    window = FreezeWindow(
        name="w", resources=("env:prod",), reason="x", timezone="Europe/Madrid", cron="0 18 * * 5", seconds=62 * 3600
    )
    begin = last_begin(window, now)
    assert begin <= now
    assert (now - begin).total_seconds() <= 7 * 86_400 + 3_600
    assert (begin.weekday(), begin.hour, begin.minute) == (4, 18, 0)


async def test_a_freeze_of_hub_yaml_is_ended_where_it_stands(tmp_path: Path) -> None:
    year = datetime.now(UTC).year
    more = f"""
freezes:
  - {{name: year-end, resources: ["env:prod"], from: "{year}-01-01T00:00", until: "{year + 1}-01-01T00:00", reason: old}}
"""
    async with bench_in(tmp_path, more=more) as bench:
        said = await bench.say("ana", "unfreeze year-end")
        line = (tmp_path / "hub.yaml").read_text().splitlines().index("freezes:") + 2
        assert (said.ok, said.code) == (False, "configured")
        assert said.data["where"] == f"hub.yaml:{line}, freezes[0]"
        assert f"hub.yaml:{line}" in said.text


async def test_a_retry_of_what_is_frozen_is_kept_as_a_draft(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        name = await asked(bench)
        assert (await bench.say("bo", f"withdraw {name}")).ok
        assert (await bench.say("ana", "freeze env:prod for 2h because of the audit")).ok
        said = await bench.say("bo", f"retry {name}")
        assert (said.ok, said.code) == (False, "frozen")
        assert said.approval is not None
        assert (said.approval["state"], said.approval["retry_of"]) == ("DRAFT", name)
        assert (await bench.state(name))["retried_as"] == said.approval["id"]


async def test_two_who_retry_the_same_at_once_make_one_request(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        name = await asked(bench)
        assert (await bench.say("bo", f"withdraw {name}")).ok
        said = await asyncio.gather(*(bench.say("bo", f"retry {name}") for _ in range(3)))
        assert sorted(each.code or "ok" for each in said) == ["ok", "retried", "retried"]
        again = next(each.approval for each in said if each.ok)
        assert again is not None
        assert all(again["id"] in each.text for each in said)
        assert len(await bench.events("approval:requested")) == 2


async def test_cards_say_why_it_waits_until_when_and_who_could_let_it_go_on(tmp_path: Path) -> None:
    async with chatting(tmp_path) as (bench, chat):
        name = await asked(bench)
        digest = (await bench.state(name))["digest"]
        assert (await bench.ask("cai", "approve", ids=[name], digest=digest)).ok
        assert (await bench.say("ana", "freeze env:* for 2h because of the audit")).ok
        await until(lambda: "is frozen by F1 until" in chat.at("#prod")[-1].card.summary)
        shown = chat.at("#prod")[-1].card
        assert shown.summary.startswith("Approved by Cai Wu in page; env:* is frozen by F1 until ")
        field = next(each.value for each in shown.fields if each.label == "FROZEN")
        assert "of the audit" in field
        assert f"`override {name} because …`): Ana Ruiz, Cai Wu" in field
        for text in (f"show {name}", f"who {name}"):
            assert "env:* is frozen by F1 until" in (await bench.say("bo", text)).text
        answer = (await bench.say("bo", f"who {name}")).data
        assert [each["id"] for each in answer["could_override"]] == ["ana", "cai"]

        assert (await bench.say("ana", "unfreeze F1")).ok
        await until(lambda: "frozen" not in chat.at("#prod")[-1].card.summary)


async def test_a_freeze_redraws_no_card_that_it_is_not_about(tmp_path: Path) -> None:
    async with chatting(tmp_path) as (bench, chat):
        staging, prod = await asked(bench, "staging"), await asked(bench)
        await until(lambda: len(chat.posts) == 2)
        assert (await bench.say("ana", "freeze env:prod for 2h because of the audit")).ok
        await until(lambda: len(chat.posts) == 3)
        assert chat.posts[2][1].card.approval == prod
        assert (await bench.say("cai", f"override {prod} because it burns")).ok
        await until(lambda: any(each.label == "FREEZE OVERRIDDEN" for each in chat.posts[-1][1].card.fields))
        assert {post.card.approval for _, post in chat.posts[2:]} == {prod}
        assert (await bench.state(staging))["frozen"] == []


async def test_what_was_frozen_while_copies_were_not_redrawn_is_made_up_for_after_a_restart(tmp_path: Path) -> None:
    async with chatting(tmp_path) as (bench, chat):
        await asked(bench)
        await until(lambda: len(chat.posts) == 1)
        bench.hub.redrawing.wake = lambda: None  # type: ignore[method-assign]
        assert (await bench.say("ana", "freeze env:prod for 2h because of the audit")).ok
    async with chatting(tmp_path) as (_, chat):
        await until(lambda: any(each.label == "FROZEN" for post in chat.at("#prod") for each in post.card.fields))


async def test_who_stands_in_is_asked_on_what_is_open_already(tmp_path: Path) -> None:
    async with chatting(tmp_path, ask="") as (bench, chat):
        await asked(bench)
        await until(lambda: bool(chat.at("@cai")))
        assert chat.at("@dee") == []
        assert (await bench.say("cai", "delegate to @dee until tomorrow")).ok
        assert (await bench.say("cai", "away until tomorrow")).ok
        await until(lambda: bool(chat.at("@dee")))
        assert any(each.label == "Asked of you" for each in chat.at("@dee")[-1].card.fields)


async def test_the_log_says_when_a_freeze_of_hub_yaml_begins_and_ends(tmp_path: Path, clock: ManualClock) -> None:
    more = """
freezes:
  - {name: night, resources: ["env:prod"], cron: "0 1 * * *", for: 2h, reason: Nobody is here}
"""
    async with chatting(tmp_path, more=more, clock=clock) as (bench, chat):  # midnight of a New Year
        name = await asked(bench)
        await until(lambda: len(chat.posts) == 1)
        clock.advance(3600)
        bench.hub.timers.wake()
        await until(lambda: any(each.label == "FROZEN" for each in chat.at("#prod")[-1].card.fields))
        assert (await bench.state(name))["frozen"][0]["id"] == "night"
        bench.hub.timers.wake()
        clock.advance(2 * 3600)
        bench.hub.timers.wake()
        await until(lambda: not any(each.label == "FROZEN" for each in chat.at("#prod")[-1].card.fields))
        assert await bench.events("freeze:") == ["freeze:created", "freeze:ended"]
        assert await bench.hub.db.read(match_state) == ()


async def test_a_freeze_taken_out_of_hub_yaml_has_ended(tmp_path: Path, clock: ManualClock) -> None:
    more = """
freezes:
  - {name: all-day, resources: ["env:prod"], cron: "0 0 * * *", for: 23h, reason: Nobody is here}
"""
    async with chatting(tmp_path, more=more, clock=clock) as (bench, _):
        await until(lambda: _freezes_said(bench, 1))
        path = tmp_path / "hub.yaml"
        path.write_text(path.read_text().partition("freezes:")[0])
        assert await bench.hub.reload() == []
        bench.hub.timers.wake()
        await until(lambda: _freezes_said(bench, 2))
        assert await bench.events("freeze:") == ["freeze:created", "freeze:ended"]


async def _freezes_said(bench: Bench, count: int) -> bool:
    return len(await bench.events("freeze:")) == count


@asynccontextmanager
async def chatting(
    folder: Path, *, ask: str = '"chat:#prod"', more: str = "", clock: ManualClock | None = None
) -> AsyncIterator[tuple[Bench, Chat]]:
    """A hub whose requests are shown in a room, or to each who could decide."""
    people = PEOPLE.replace("groups: [sre", "email: X@example.com, groups: [sre")
    for name in ("ana", "bo", "cai"):
        people = people.replace("X@", f"{name}@", 1)
    people += "  dee: {name: Dee Okoye, email: d@example.com}\n"
    asking = f", ask: [{ask}]" if ask else ""
    hub = make_hub(
        folder,
        people=people.replace("d@example.com", "dee@example.org"),
        actions=ACTIONS.replace("HOLD", "start: manual"),
        policies=f"policies:\n  - {{name: default, require: [{{group: sre, count: 1}}]{asking}}}\n",
        channels="channels: {chat: {adapter: chat}}\n",
        more=FAST + more,
        adapters={"chat": Chat},
        clock=clock,
    )
    hub.delivery._poll_seconds = 0.05
    async with running(hub) as bench:
        yield bench, bench.channels["chat"]
