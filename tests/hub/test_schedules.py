"""Schedules through a whole hub: given once at their times, as their owner of then, with a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hubs import ACTIONS, POLICY, Bench, make_hub, running, until
from sqlalchemy import literal_column, update

from commands.registry import Registry
from commands.scheduling import SCHEDULABLE
from commands.verb import Permission
from config.doctor import examine
from config.hub import build
from config.settings import Settings
from core.audit.state_match import match_state
from core.clock import ManualClock
from core.people.assurance import Assurance
from core.schedules import firing
from core.schedules.schedule import MOST_OF_ONE, living
from core.store import schema
from core.store.statement import Statement
from hub.hub import Hub

pytestmark = pytest.mark.anyio

PEOPLE = """
people:
  ana: {name: Ana Ruiz, groups: [sre, admins], timezone: Europe/Madrid}
  bo:  {name: Bo Lind, groups: [sre]}
  cai: {name: Cai Wu, groups: [sre]}
agents: {deploy-bot: {owner: cai}}
limits: {commands: 1000/s, burst: 1000, agents: {open: 2, per_hour: 60}}
"""
SECRET = """
  rotate:
    title: "Rotate"
    params: {password: {type: string, secret: true}}
    apply: {command: ["true"]}
  deploy:
    title: "Deploy {service}"
    params: {service: {type: string}, count: {type: integer, default: 3}}
    visible_to: [sre]
    apply: {command: ["true", "{service}", "{count}"]}
"""
NINE = '"0 9 * * *"'


class Hall:
    """A folder in which hubs are started and stopped, and one clock for all of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock(datetime(2026, 1, 1, 8, tzinfo=UTC))
        self.bench: Bench = None  # type: ignore[assignment]
        self.told: list[tuple[str, str]] = []

    @asynccontextmanager
    async def open(self, people: str = PEOPLE, actions: str = ACTIONS + SECRET) -> AsyncIterator[Bench]:
        hub = make_hub(self.folder, people=people, actions=actions, clock=self.clock)
        hub.messenger._tell = lambda principal, text: self.told.append((principal.id, text))
        async with running(hub) as self.bench:
            yield self.bench

    async def pass_time(self, hours: float) -> None:
        self.clock.advance(hours * 3600)
        self.bench.hub.scheduler.wake()

    async def schedules(self, who: str = "bo") -> list[dict[str, Any]]:
        return (await self.bench.ask(who, "schedules")).data["items"]  # type: ignore[no-any-return]

    async def until_one(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        async def there() -> bool:
            found[:] = (await self.bench.ask("bo", "show-schedule", id="S1")).data["schedule"], *found[:0]
            return holds(found[0])

        await until(there)
        return found[0]


@pytest.fixture
def hall(tmp_path: Path) -> Hall:
    return Hall(tmp_path)


def code(reply: Any) -> str:
    return "ok" if reply.ok else str(reply.code)


def test_nothing_that_decides_can_ever_be_scheduled() -> None:
    assert set(SCHEDULABLE) == {"request", "lock", "freeze"}
    allowed = {Permission.REQUEST, Permission.LEASE, Permission.FREEZE}
    assert {verb.permission for verb in SCHEDULABLE.values()} <= allowed
    registry = Registry.installed()
    assert all(registry.find(name) is verb for name, verb in SCHEDULABLE.items())


@pytest.mark.parametrize(
    "words",
    [
        *(
            "approve A1",
            "reject A1 because no",
            "override A1 because now",
            "resolve A1 completed because so",
            "apply A1",
        ),
        *(
            "resume",
            "stop all because x",
            "delegate to @bo until friday",
            "unfreeze F1",
            "away until friday",
            "retry A1",
        ),
    ],
)
async def test_whatever_else_is_refused_by_name_in_any_form(hall: Hall, words: str) -> None:
    async with hall.open() as bench:
        said = await bench.say("ana", f"schedule {NINE} {words}")
        assert code(said) == "not_schedulable", said
        verb = words.split()[0]
        assert code(await bench.ask("ana", "schedule", when="0 9 * * *", command={"verb": verb})) == "not_schedulable"
        assert await bench.events("schedule:") == []


async def test_a_schedule_gives_its_command_at_each_of_its_times_as_its_owner(hall: Hall) -> None:
    async with hall.open() as bench:
        made = await bench.say("ana", f"schedule {NINE} note hello because every morning")
        assert made.ok, made
        # Nine in her own zone is eight in UTC, which has just been; the next one is tomorrow.
        assert "Fri 2026-01-02 09:00 Europe/Madrid (08:00 UTC)" in made.text
        await hall.pass_time(24)
        one = await hall.until_one(lambda each: each["fired"] == 1)
        assert (one["next_at"], one["last"]["approval"]) == ("2026-01-03T08:00:00.000000Z", "A1")
        approval = await bench.state("A1")
        assert (approval["requester"]["id"], approval["params"], approval["cause"]) == ("ana", {"text": "hello"}, "S1")
        assert approval["reason"] == "every morning"
        card = (await bench.ask("bo", "show", id="A1")).card
        assert card is not None
        assert ("By itself", "the schedule S1 asked for it") in [(each.label, each.value) for each in card.fields]
        await bench.until_state("A1", "REVIEWING")
        refused = await bench.ask("ana", "approve", ids=["A1"], digest=(await bench.state("A1"))["digest"])
        assert refused.code == "own_request"
        await hall.pass_time(24)
        await hall.until_one(lambda each: each["fired"] == 2)
        assert (await bench.events("schedule:")) == ["schedule:created", "schedule:fired", "schedule:fired"]


async def test_a_time_that_comes_once_ends_its_schedule(hall: Hall) -> None:
    async with hall.open() as bench:
        assert (await bench.say("bo", "schedule 2026-01-01T09:30:00Z note once")).ok
        await hall.pass_time(1.5)
        one = await hall.until_one(lambda each: each["state"] == "ended")
        assert (one["fired"], one["next_at"], one["ended_why"]) == (1, None, "its time is over")
        assert await hall.schedules() == []
        assert (await bench.events("schedule:"))[1:] == ["schedule:fired", "schedule:ended"]


@pytest.mark.parametrize(("missed", "fired"), [("skip", 0), ("run-once", 1)])
async def test_times_missed_while_the_hub_was_down_are_said_and_made_up_for_once_at_most(
    hall: Hall, missed: str, fired: int
) -> None:
    async with hall.open() as bench:
        assert (await bench.say("bo", f'schedule "0 * * * *" in UTC missed {missed} note hello')).ok
    hall.clock.advance(5.5 * 3600)
    async with hall.open() as bench:
        one = await hall.until_one(lambda each: each["missed_times"] == 5)
        assert (one["fired"], one["next_at"]) == (fired, "2026-01-01T14:00:00.000000Z")
        assert (await bench.events("schedule:missed")) == ["schedule:missed"]
        assert ("bo" in [who for who, _ in hall.told]) == (fired == 0)
    async with hall.open():
        assert (await hall.until_one(lambda each: True))["fired"] == fired, "another restart makes up for nothing more"


async def test_it_is_authorised_anew_at_its_time_and_its_owner_is_told_once(hall: Hall) -> None:
    async with hall.open() as bench:
        assert (await bench.say("bo", f"schedule {NINE} deploy web")).ok
    async with hall.open(people=PEOPLE.replace("Bo Lind, groups: [sre]", "Bo Lind, groups: []")) as bench:
        for count, hours in ((1, 1), (2, 24)):
            await hall.pass_time(hours)
            one = await hall.until_one(lambda each, count=count: each["fired"] == count)  # type: ignore[misc]
            assert (one["last"]["code"], one["last"]["approval"]) == ("unknown_action", None)
        assert [who for who, _ in hall.told] == ["bo"]
        assert (await bench.events("command:refused")) == ["command:refused"] * 2
        assert (await bench.events("approval:")) == []
        assert "Scheduled: 1" in (await bench.say("bo", "status")).text
    settings = Settings(config=hall.folder / "hub.yaml", data=hall.folder / "data", environ={})
    (found,) = [each for each in examine(settings) if "S1" in each.what]
    assert found.what == "S1 of bo was refused last (unknown_action)"


async def test_a_schedule_of_somebody_who_left_ends(hall: Hall) -> None:
    async with hall.open() as bench:
        assert (await bench.say("bo", f"schedule {NINE} note hello")).ok
    gone = PEOPLE.replace("  bo:  {name: Bo Lind, groups: [sre]}\n", "")
    async with hall.open(people=gone) as bench:
        await hall.pass_time(24)
        await until(lambda: _has(bench, "schedule:ended"))
        assert (await bench.events("approval:")) == []


async def _has(bench: Bench, event: str) -> bool:
    return bool(await bench.events(event))


async def test_the_arguments_are_kept_typed_and_read_against_the_action_of_then(hall: Hall) -> None:
    async with hall.open() as bench:
        made = await bench.say("bo", f"schedule {NINE} deploy web")
        assert made.data["schedule"]["command"]["args"]["params"] == {"service": "web", "count": 3}
    changed = (ACTIONS + SECRET).replace("count: {type: integer, default: 3}", "count: {type: integer, maximum: 2}")
    async with hall.open(actions=changed):
        await hall.pass_time(1)
        one = await hall.until_one(lambda each: each["fired"] == 1)
        assert one["last"]["approval"] is None
        assert one["last"]["code"] not in ("ok", None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ('"0 9 * * *" rotate hunter2', "secret_in_schedule"),
        ('"0 0 30 2 *" note hello', "bad_cron"),
        ('"0 9 * * *" in Mars/Olympus note hello', "bad_timezone"),
        ('"0 9 * * *" missed sometimes note hello', "usage"),
        ('"0 9 * * *" schedule "0 9 * * *" note hello', "usage"),
        ('"0 9 * * *"', "usage"),
        ('"0 9 * * *" nonsense', "unknown_command"),
        ('"0 9 * * *" note', "missing_parameter"),
        ('"0 9 * * *" freeze env:prod until friday because x', "not_allowed"),
    ],
)
async def test_what_would_be_refused_later_is_refused_now(hall: Hall, words: str, expected: str) -> None:
    async with hall.open() as bench:
        assert code(await bench.say("bo", f"schedule {words}")) == expected
        assert await bench.events("schedule:") == []


async def test_a_scheduled_freeze_says_how_long_and_begins_at_its_time(hall: Hall) -> None:
    async with hall.open() as bench:
        friday = await bench.say("ana", "schedule 18:00 in UTC freeze env:prod until friday because of the audit")
        assert code(friday) == "needs_duration"
        assert (await bench.say("ana", "schedule 18:00 in UTC freeze env:prod for 2h because of the audit")).ok
        await hall.pass_time(10)
        await until(lambda: _has(bench, "freeze:created"))
        frozen = (await bench.ask("ana", "freezes")).data["items"]
        assert [each["until"] for each in frozen] == ["2026-01-01T20:00:00.000000Z"]


async def test_a_scheduled_lock_waits_for_its_turn_as_a_typed_one_does(hall: Hall) -> None:
    async with hall.open() as bench:
        assert (await bench.say("bo", "schedule 9:00 in UTC lock env:prod for 1h because of the backup")).ok
        assert (await bench.say("cai", "lock env:prod for 3h")).ok
        await hall.pass_time(1)
        await hall.until_one(lambda each: each["fired"] == 1)
        assert (await bench.say("cai", "unlock L1")).ok
        await until(lambda: _counts(bench, "lease:acquired", 2))
        assert "Bo Lind" in (await bench.say("cai", "locks")).text


async def _counts(bench: Bench, event: str, count: int) -> bool:
    return len(await bench.events(event)) == count


async def test_only_the_owner_and_administrators_pause_and_end_it_and_only_the_owner_fires_it(hall: Hall) -> None:
    async with hall.open() as bench:
        assert (await bench.say("bo", f"schedule {NINE} note hello")).ok
        for verb in ("pause", "unpause", "unschedule", "fire"):
            assert code(await bench.say("cai", f"{verb} S1")) == "not_yours"
        assert code(await bench.say("ana", "fire S1")) == "not_yours", "who could approve it does not cause it"
        assert (await bench.say("ana", "pause S1")).ok
        assert code(await bench.say("bo", "unpause S1")) == "paused_by_other"
        await hall.pass_time(48)
        assert (await hall.until_one(lambda each: True))["fired"] == 0
        assert (await bench.say("bo", "fire S1")).ok, "a paused one still acts when its owner says so"
        await hall.until_one(lambda each: each["fired"] == 1)
        assert (await bench.say("ana", "unpause S1")).ok
        one = await hall.until_one(lambda each: each["state"] == "active")
        assert (one["missed_times"], one["next_at"]) == (0, "2026-01-03T09:00:00.000000Z")
        assert (await bench.say("bo", "pause S1")).ok and (await bench.say("bo", "unpause S1")).ok
        assert (await bench.say("bo", "unschedule S1")).ok
        assert code(await bench.say("bo", "fire S1")) == "ended"
        assert code(await bench.say("bo", "unschedule S1")) == "ended"
        assert code(await bench.say("bo", "pause S1")) == "wrong_state"


async def test_who_answers_for_an_agent_controls_its_schedules_and_its_budget_holds(hall: Hall) -> None:
    async with hall.open() as bench:
        assert (await bench.ask("deploy-bot", "schedule", when="0 * * * *", command=_note("x"), timezone="UTC")).ok
        for count in (1, 2, 3):
            await hall.pass_time(1)
            one = await hall.until_one(lambda each, count=count: each["fired"] == count)  # type: ignore[misc]
        assert one["last"]["code"] == "budget"
        assert (await bench.events("agent:budget")) == ["agent:budget"]
        assert [who for who, _ in hall.told] == ["cai"], "once, by that event alone"
        assert [each["id"] for each in (await bench.ask("cai", "schedules", which="mine")).data["items"]] == ["S1"]
        assert (await bench.say("cai", "unschedule S1")).ok
        assert code(await bench.say("bo", "pause deploy-bot")) != "ok"
        assert (await bench.say("cai", "pause deploy-bot because of the flood")).ok
        assert (await bench.say("cai", "unpause deploy-bot")).ok


def _note(text: str) -> dict[str, Any]:
    return {"verb": "request", "args": {"action": "note", "params": {"text": text}}}


async def test_one_principal_has_so_many_schedules_and_no_more(hall: Hall) -> None:
    async with hall.open() as bench:
        for number in range(MOST_OF_ONE):
            assert (await bench.ask("bo", "schedule", when="0 9 * * *", command=_note(f"n{number}"))).ok
        assert code(await bench.ask("bo", "schedule", when="0 9 * * *", command=_note("more"))) == "too_many"
        assert (await bench.ask("cai", "schedule", when="0 9 * * *", command=_note("mine"))).ok


async def test_what_somebody_may_not_see_is_not_there(hall: Hall) -> None:
    async with hall.open(people=PEOPLE.replace("Cai Wu, groups: [sre]", "Cai Wu, groups: []")) as bench:
        assert (await bench.say("bo", f"schedule {NINE} deploy web")).ok
        assert await hall.schedules("cai") == []
        assert code(await bench.ask("cai", "show-schedule", id="S1")) == "not_found"
        assert code(await bench.say("cai", "unschedule S1")) == "not_found"


async def test_it_acts_no_more_strongly_than_a_chat_and_no_more_than_it_was_asked(hall: Hall) -> None:
    async with hall.open() as bench:
        assert (await bench.say("bo", f"schedule {NINE} note a", assurance=Assurance.PASSKEY)).ok
        assert (await bench.say("bo", f"schedule {NINE} note b", assurance=Assurance.EMAIL)).ok
        rows = await bench.hub.db.read(lambda reader: [each.assurance for each in living(reader)])
        assert rows == [Assurance.CHAT, Assurance.EMAIL]


async def test_two_that_see_the_same_turn_serve_it_once(hall: Hall) -> None:
    async with hall.open() as bench:
        assert (await bench.say("bo", f"schedule {NINE} note hello")).ok
        hub: Hub = bench.hub
        hall.clock.advance(26 * 3600)
        seen = await hub.db.read(firing.due)
        for _ in range(3):  # each has read it before any of them wrote
            await hub.scheduler._serve(seen[0])
        one = await hall.until_one(lambda each: True)
        assert one["fired"] + one["missed_times"] == 2
        assert len(await bench.events("schedule:missed")) == 1


async def test_the_tables_of_schedules_are_held_against_the_log(hall: Hall) -> None:
    async with hall.open() as bench:
        assert (await bench.say("bo", f"schedule {NINE} note hello")).ok
        assert (await bench.say("bo", "pause S1")).ok
        assert await bench.hub.db.read(match_state) == ()
        forged = Statement(update(schema.schedule).values(owner=literal_column("'ana'")))
        await bench.hub.db.write(lambda tx: tx.run(forged))
        (found,) = await bench.hub.db.read(match_state)
        assert "schedule S1" in str(found)


async def test_of_two_nodes_that_share_postgresql_one_gives_each_command(tmp_path: Path, postgres_dsn: str) -> None:
    (tmp_path / "hub.yaml").write_text(f"version: 1\npublic_url: http://127.0.0.1:8000\n{PEOPLE}{ACTIONS}{POLICY}")
    (tmp_path / "data").mkdir(mode=0o700)
    settings = Settings(config=tmp_path / "hub.yaml", data=tmp_path / "data", database_url=postgres_dsn, environ={})
    async with running(build(settings)) as one, running(build(settings)) as other:
        for number in range(20):
            assert (await one.ask("bo", "schedule", when="0 9 * * *", command=_note(f"n{number}"))).ok
            assert (await other.ask("bo", "fire", id=f"S{number + 1}")).ok

        async def served() -> bool:
            seen = [await each.hub.db.read(firing.due) for each in (one, other)]  # both before either writes
            turns = zip((one, other), seen, strict=True)
            await asyncio.gather(*(each.hub.scheduler._serve(turn) for each, found in turns for turn in found))
            return not any(seen)

        await until(served, 30)
        rows = await one.hub.db.read(living)
        assert [each.fired for each in rows] == [1] * 20
        assert await one.events("schedule:fired") == ["schedule:fired"] * 20
        assert await one.events("approval:requested") == ["approval:requested"] * 20
