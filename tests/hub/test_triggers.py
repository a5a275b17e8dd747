"""Triggers through a whole hub: asked for once, by whom they act as, bounded in depth and rate, switched off and on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hubs import Bench, make_hub, running, until

from config.doctor import examine
from config.hub import build
from config.settings import Settings
from core.audit.log import Committed
from core.audit.state_match import match_state
from core.clock import ManualClock
from core.errors import Invalid, NotFound, Refusal
from hub.feed import read_after
from hub.rehearsing import Message, rehearse

pytestmark = pytest.mark.anyio

PEOPLE = """
people:
  ana: {name: Ana Ruiz, groups: [sre, admins]}
  bo:  {name: Bo Lind, groups: [sre]}
agents: {helper: {owner: bo}}
services: {ci: {owners: [bo]}}
limits: {commands: 1000/s, burst: 1000, agents: {open: 3, per_hour: 60}}
"""
ACTIONS = """
actions:
  deploy:
    title: "Deploy {service}"
    params: {service: {type: string}}
    apply: {command: ["true", "{service}"]}
  restore:
    title: "Restore {service}"
    params: {service: {type: string}, why: {type: string}}
    apply: {command: ["true", "{service}"]}
  hidden:
    title: "Hidden"
    visible_to: [sre]
    params: {code: {type: string}}
    apply: {command: ["true"]}
policies:
  - {name: default, require: [{group: sre, count: 1}]}
"""
AFTER = """
triggers:
  after-no:
    on: approval:rejected
    when: 'approval.action == "deploy"'
    as: ci
    action: restore
    params: {service: approval.params.service, why: '"rejected by " + actor'}
    LIMIT
"""
HOOKED = """
hooks:
  alerts: {verify: bearer, as: ci}
triggers:
  paged:
    on: hook:alerts
    when: 'body.status == "firing"'
    as: ci
    action: restore
    params: {service: body.service, why: 'headers["x-from"]'}
"""
ITSELF = """
triggers:
  again:
    on: [approval:requested]
    as: ci
    action: deploy
    params: {service: approval.params.service}
    LIMIT
"""


@asynccontextmanager
async def bench_in(
    folder: Path, triggers: str = AFTER, *, limit: str = "", clock: ManualClock | None = None, people: str = PEOPLE
) -> AsyncIterator[Bench]:
    more = triggers.replace("LIMIT", limit)
    async with running(make_hub(folder, people=people, actions=ACTIONS, policies="", more=more, clock=clock)) as bench:
        yield bench


async def rejected(bench: Bench, service: str = "web", action: str = "deploy") -> str:
    params = {"service": service} if action == "deploy" else {"code": service}
    made = await bench.ask("bo", "request", action=action, params=params)
    assert made.approval is not None, made
    name = str(made.approval["id"])
    await bench.until_state(name, "REVIEWING")
    digest = (await bench.state(name))["digest"]
    assert (await bench.ask("ana", "reject", ids=[name], digest=digest)).ok
    return name


async def entries(bench: Bench, event: str) -> list[Committed]:
    found = await bench.hub.db.read(read_after, 0, 5_000)
    return [each for each in found if each.event == event]


async def until_entries(bench: Bench, event: str, count: int) -> list[Committed]:
    async def there() -> bool:
        return len(await entries(bench, event)) >= count

    await until(there, 20)
    return await entries(bench, event)


async def tried(bench: Bench, on: int | Message | None, name: str = "after-no") -> dict[str, Any]:
    return await rehearse(bench.hub.db, bench.hub.world, name, on)


async def settled(bench: Bench) -> None:
    """Every trigger has judged everything that there is."""

    async def there() -> bool:
        before = bench.hub.db.log.size
        await bench.hub.triggering.serve()
        return before == bench.hub.db.log.size and bench.hub.triggering._cursor >= before

    await until(there, 20)


async def test_what_matches_is_asked_for_by_whom_it_acts_as_and_people_decide(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        first = await rejected(bench)
        (fired,) = await until_entries(bench, "trigger:fired", 1)
        assert (fired.subject, fired.actor, fired.details["code"]) == ("trigger:after-no", "ci", "ok")
        made = await bench.state(fired.details["approval"])
        assert (made["requester"]["id"], made["action"], made["cause"]) == ("ci", "restore", "trigger:after-no")
        assert made["params"] == {"service": "web", "why": "rejected by ana"}
        assert first in made["reason"]
        await bench.until_state(made["id"], "REVIEWING")
        digest = (await bench.state(made["id"]))["digest"]
        refused = await bench.ask("bo", "approve", ids=[made["id"]], digest=digest)
        assert refused.code == "own_request", "who answers for the service does not decide on what it asks"
        listed = (await bench.ask("bo", "triggers")).data["items"]
        assert [(each["approval"], each["code"], each["state"]) for each in listed[0]["last"]] == [
            (made["id"], "ok", "REVIEWING")
        ]
        assert (listed[0]["limit"], listed[0]["held"]) == ({"count": 60, "seconds": 3600, "acted": 1}, [])
        assert await bench.hub.db.read(match_state) == ()


async def test_what_does_not_match_asks_for_nothing(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        await rejected(bench, action="hidden")
        await settled(bench)
        assert await entries(bench, "trigger:fired") == []
        assert await entries(bench, "trigger:suppressed") == []


async def test_it_acts_once_although_the_hub_starts_again_and_never_on_the_past(tmp_path: Path) -> None:
    async with bench_in(tmp_path, "") as bench:
        await rejected(bench, "before")
    async with bench_in(tmp_path) as bench:
        await settled(bench)
        await rejected(bench, "after")
        await until_entries(bench, "trigger:fired", 1)
    for _ in range(2):
        async with bench_in(tmp_path) as bench:
            await settled(bench)
            assert len(await entries(bench, "trigger:fired")) == 1


async def test_what_happened_unseen_is_judged_when_the_hub_is_back(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        await settled(bench)
        await bench.hub.triggering._turn.acquire()  # nothing is judged any more, as if it had been killed
        await rejected(bench)
        assert await entries(bench, "trigger:fired") == []
    async with bench_in(tmp_path) as bench:
        await until_entries(bench, "trigger:fired", 1)


async def test_a_trigger_that_fires_itself_is_stopped_by_depth_and_said_once(tmp_path: Path) -> None:
    async with bench_in(tmp_path, ITSELF) as bench:
        for _ in range(2):
            assert (await bench.ask("bo", "request", action="deploy", params={"service": "web"})).ok
        await until_entries(bench, "trigger:suppressed", 1)
        await settled(bench)
        fired = await entries(bench, "trigger:fired")
        assert sorted(each.details["depth"] for each in fired) == [1, 1, 2, 2, 3, 3]
        requested = await entries(bench, "approval:requested")
        assert len(requested) == 8
        assert sorted(each.details.get("depth", 0) for each in requested) == [0, 0, 1, 1, 2, 2, 3, 3]
        (held,) = await entries(bench, "trigger:suppressed")
        assert held.details["why"] == "depth"
        assert (await bench.ask("bo", "triggers")).data["items"][0]["suppressed"] == 1, "the second is counted"


async def test_a_refusal_that_it_causes_does_not_lead_on_without_end(tmp_path: Path) -> None:
    loop = """
triggers:
  refused:
    on: command:refused
    as: ci
    action: deploy
    params: {service: 'event + string(size(details) * 0) + "\\u0007"'}
"""
    async with bench_in(tmp_path, loop) as bench:
        assert not (await bench.say("bo", "frobnicate")).ok
        await until_entries(bench, "trigger:suppressed", 1)
        await settled(bench)
        assert [each.details["code"] for each in await entries(bench, "trigger:fired")] == ["invalid_characters"] * 3


async def test_beyond_its_rate_it_is_held_back_and_that_is_said_once_a_window(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with bench_in(tmp_path, limit="limit: 2/h", clock=clock) as bench:
        for number in range(5):
            await rejected(bench, f"s{number}")
        await until_entries(bench, "trigger:suppressed", 1)
        await settled(bench)
        assert len(await entries(bench, "trigger:fired")) == 2
        (held,) = await entries(bench, "trigger:suppressed")
        assert (held.details["why"], held.details["count"]) == ("rate", 1)
        clock.advance(3601)
        await rejected(bench, "later")
        assert len(await until_entries(bench, "trigger:fired", 3)) == 3


async def test_an_agent_that_it_acts_as_keeps_its_own_budget(tmp_path: Path) -> None:
    async with bench_in(tmp_path, AFTER.replace("as: ci", "as: helper")) as bench:
        for number in range(5):
            await rejected(bench, f"s{number}")
        fired = await until_entries(bench, "trigger:fired", 5)
        assert [each.details["code"] for each in fired] == ["ok", "ok", "ok", "budget", "budget"]


async def test_it_is_switched_off_and_on_by_whom_may_and_skips_what_happened_meanwhile(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        await settled(bench)
        assert (await bench.say("bo", "trigger disable after-no")).code == "not_allowed"
        assert (await bench.ask("helper", "trigger", what="disable", name="after-no")).code == "not_a_person"
        assert (await bench.say("ana", "trigger disable after-no")).ok
        assert (await bench.say("ana", "trigger disable after-no")).code == "wrong_state"
        assert (await bench.say("ana", "trigger disable nothing")).code == "not_found"
        await rejected(bench, "meanwhile")
        assert "off by ana" in (await bench.say("bo", "triggers")).text
        assert "The trigger after-no is switched off by ana" in (await bench.say("bo", "status")).text
    settings = Settings(config=tmp_path / "hub.yaml", data=tmp_path / "data", environ={})
    assert [each.level for each in examine(settings) if "switched off by ana" in each.what] == ["warn"]
    async with bench_in(tmp_path) as bench:
        assert (await bench.say("ana", "trigger enable after-no")).ok
        await rejected(bench, "then")
        (fired,) = await until_entries(bench, "trigger:fired", 1)
        assert (await bench.state(fired.details["approval"]))["params"]["service"] == "then"
        assert await bench.events("trigger:") == ["trigger:disabled", "trigger:enabled", "trigger:fired"]


async def test_enabled_false_in_hub_yaml_stays_so(tmp_path: Path) -> None:
    async with bench_in(tmp_path, limit="enabled: false") as bench:
        await rejected(bench)
        assert (await bench.say("ana", "trigger enable after-no")).code == "wrong_state"
        assert "off by hub.yaml" in (await bench.say("bo", "triggers")).text
        assert await bench.events("trigger:") == []


async def test_an_expression_that_fails_asks_for_nothing_and_is_said_once(tmp_path: Path) -> None:
    failing = AFTER.replace("approval.params.service,", "approval.params.nothing,")
    async with bench_in(tmp_path, failing) as bench:
        for number in range(3):
            await rejected(bench, f"s{number}")
        await settled(bench)
        (held,) = await until_entries(bench, "trigger:suppressed", 1)
        assert held.details["why"] == "error"
        assert "nothing" in held.private["message"]
        (listed,) = (await bench.ask("ana", "triggers")).data["items"]
        assert [(each["seq"], each["why"], each["count"]) for each in listed["held"]] == [(held.seq, "error", 1)]
        assert "nothing" in listed["held"][0]["message"]
        (unaudited,) = (await bench.ask("bo", "triggers")).data["items"]
        assert unaudited["held"][0]["message"] is None, "what failed may quote what only auditors read"
        assert await bench.events("trigger:") == ["trigger:suppressed"]


async def test_it_reads_no_more_than_whom_it_acts_as(tmp_path: Path) -> None:
    spying = AFTER.replace("""'approval.action == "deploy"'""", "'true'").replace(
        """{service: approval.params.service, why: '"rejected by " + actor'}""",
        """{service: 'approval.id != "" ? "seen" : "unseen"', why: 'has(details.reason) ? "seen" : "unseen"'}""",
    )
    async with bench_in(tmp_path, spying) as bench:
        await rejected(bench, "secret", action="hidden")
        (fired,) = await until_entries(bench, "trigger:fired", 1)
        made = await bench.state(fired.details["approval"])
        assert made["params"] == {"service": "unseen", "why": "unseen"}


async def test_a_rehearsal_on_the_past_says_what_would_be_and_does_nothing(tmp_path: Path) -> None:
    async with bench_in(tmp_path, "") as bench:
        await rejected(bench)
        (entry,) = await entries(bench, "approval:rejected")
    async with bench_in(tmp_path) as bench:
        await settled(bench)
        size = bench.hub.db.log.size
        found = await tried(bench, entry.seq)
        assert (found["matches"], found["held_back"], found["as"]) == (True, None, "ci")
        assert found["request"]["params"] == {"service": "web", "why": "rejected by ana"}
        assert (found["title"], found["policy"], found["allowed"]) == ("Restore web", "default", False)
        assert not (await tried(bench, 1))["looks"]
        for name, seq in (("after-no", 10_000), ("nothing", 1)):
            with pytest.raises(Refusal):
                await tried(bench, seq, name)
        assert bench.hub.db.log.size == size


async def test_without_an_entry_it_is_tried_on_the_last_that_it_would_act_on_else_the_last_it_looks_at(
    tmp_path: Path,
) -> None:
    async with bench_in(tmp_path) as bench:
        with pytest.raises(NotFound):
            await tried(bench, None)
        await rejected(bench, "quiet", action="hidden")
        (other,) = await entries(bench, "approval:rejected")
        found = await tried(bench, None)
        assert (found["seq"], found["looks"], found["matches"]) == (other.seq, True, False)
        await rejected(bench, "web")
        await rejected(bench, "again", action="hidden")
        found = await tried(bench, None)
        assert (found["matches"], found["request"]["params"]["service"]) == (True, "web")


async def test_what_an_expression_or_the_action_would_refuse_is_said_beforehand(tmp_path: Path) -> None:
    failing = AFTER.replace("approval.params.service,", "approval.params.nothing,")
    async with bench_in(tmp_path, failing) as bench:
        await rejected(bench)
        found = await tried(bench, None)
        assert not found["matches"] and "nothing" in found["error"]
    unfit = AFTER.replace("approval.params.service,", "'actor + \"\\u0007\"',")
    async with bench_in(tmp_path, unfit) as bench:
        found = await tried(bench, None)
        assert (found["matches"], found["refused"]["code"], found["title"]) == (True, "invalid_characters", None)


async def test_a_trigger_on_a_hook_is_tried_on_a_message_and_only_on_one(tmp_path: Path) -> None:
    async with bench_in(tmp_path, HOOKED) as bench:
        size = bench.hub.db.log.size
        message = Message(body={"status": "firing", "service": "web"}, headers={"x-from": "pager"})
        found = await tried(bench, message, "paged")
        assert (found["event"], found["title"], found["refused"]) == ("hook:alerts", "Restore web", None)
        assert found["request"]["params"]["why"] == "pager"
        assert not (await tried(bench, Message(body={"status": "resolved"}), "paged"))["matches"]
        for on in (None, 1):
            with pytest.raises(Invalid):
                await tried(bench, on, "paged")
        assert bench.hub.db.log.size == size
    async with bench_in(tmp_path) as bench:
        with pytest.raises(Invalid):
            await tried(bench, message)


async def test_of_two_nodes_that_share_postgresql_one_acts(tmp_path: Path, postgres_dsn: str) -> None:
    text = f"version: 1\npublic_url: http://127.0.0.1:8000\n{PEOPLE}{ACTIONS}{AFTER.replace('LIMIT', '')}"
    (tmp_path / "hub.yaml").write_text(text)
    (tmp_path / "data").mkdir(mode=0o700)
    settings = Settings(config=tmp_path / "hub.yaml", data=tmp_path / "data", database_url=postgres_dsn, environ={})
    async with running(build(settings)) as one, running(build(settings)) as other:
        for number in range(6):
            await rejected(one, f"s{number}")

        async def served() -> bool:
            await asyncio.gather(*(each.hub.triggering.serve() for each in (one, other)))
            return len(await entries(one, "trigger:fired")) >= 6

        await until(served, 30)
        await asyncio.gather(*(each.hub.triggering.serve() for each in (one, other)))
        fired: list[Any] = await entries(other, "trigger:fired")
        assert len(fired) == 6
        assert len({each.details["occasion"] for each in fired}) == 6
        assert len(await entries(other, "approval:requested")) == 12
